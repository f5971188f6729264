/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/model.h"
#include "dataplane/templates_visit.h"
#include "dataplane_client.h"
#include "dataplane_exporter.h"
#include "dataplane_tests.h"

#define ROW_BYTES 12 /* of options data: an interface and its name */

/* Options template 300 and so many records of it, the numbers of interfaces from `first` on. */
static void receive_options(struct plane *plane, const struct exporter *exporter,
	unsigned int first, unsigned int count, bool has_template)
{
	bool is_ipfix = exporter->version == 10;
	struct template_message message;

	message_begin(&message, exporter->version);
	if (has_template) {
		message_set(&message, is_ipfix ? 3 : 1);
		message_put16(&message, 300);
		message_put16(&message, is_ipfix ? 2 : 4);
		message_put16(&message, is_ipfix ? 1 : 4);
		message_put16(&message, is_ipfix ? 10 : 2);
		message_put16(&message, 4);
		message_put16(&message, 82);
		message_put16(&message, 8);
	}
	message_set(&message, 300);
	for (unsigned int i = 0; i < count; i++) {
		message_put16(&message, 0);
		message_put16(&message, first + i);
		for (unsigned int j = 0; j < 4; j++)
			message_put16(&message, 0x6100 + i);
	}
	message_store16(&message, message.length - 2, LAST);
	receive(plane, exporter, &message);
}

/*
 * Behind their template, each in a set. The sequence number of IPFIX counts them, so it is lower
 * by as many; that of NetFlow v9 is the packet's.
 */
static void test_options_data_goes_in_front(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct plane *plane = plane_open(STREAM, PAIR);
		struct exporter exporter = {i & 1 ? 9 : 10, i & 2 ? 6 : 4, false, 100};
		uint32_t at = weir_template_header(exporter.version);
		struct frame_view view;

		move(plane, "b", "a");
		receive_options(plane, &exporter, 1, 2, true);
		/* One of options data alone: its set is known by now. */
		receive_options(plane, &exporter, 2, 2, false);
		plane_deliver(plane);
		CU_ASSERT_EQUAL(plane->sent_count, 2);
		move(plane, "a", "b");
		exporter.sequence = 104;
		receive_data(plane, &exporter, 10);
		receive_data(plane, &exporter, 10);
		plane_deliver(plane);
		CU_ASSERT_EQUAL_FATAL(plane->sent_count, 2);
		view = plane_view(plane, 0);
		CU_ASSERT_TRUE(view.checksum_is_right);
		CU_ASSERT_EQUAL(sequence_of(&view), exporter.version == 10 ? 104 - 3 : 104);
		CU_ASSERT_EQUAL(weir_load16be(view.payload + 2),
			exporter.version == 10 ? view.payload_length : 1 + 1 + 3);
		CU_ASSERT_EQUAL(weir_load16be(view.payload + at), exporter.version == 10 ? 3 : 1);
		at += weir_load16be(view.payload + at + 2);
		for (unsigned int row = 1; row <= 3; row++, at += 4 + ROW_BYTES) {
			CU_ASSERT_EQUAL(weir_load16be(view.payload + at), 300);
			CU_ASSERT_EQUAL(weir_load16be(view.payload + at + 2), 4 + ROW_BYTES);
			CU_ASSERT_EQUAL(weir_load32be(view.payload + at + 4), row);
		}
		CU_ASSERT_EQUAL(weir_load16be(view.payload + at), 256);
		view = plane_view(plane, 1);
		CU_ASSERT_EQUAL(sequence_of(&view), 104);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "g").template_replayed, 1);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "g").options_replayed, 3);
		CU_ASSERT_TRUE(plane_law_holds(plane));
		plane_close(plane);
	}
}

/* Two datagrams of their own, numbered so that the message follows on them. */
static void test_options_data_goes_alone_where_the_message_is_full(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct plane *plane = plane_open(STREAM, PAIR);
		struct exporter exporter = {i & 1 ? 9 : 10, 4, false, 100};
		uint32_t header = weir_template_header(exporter.version), next = 0;
		struct frame_view view;

		move(plane, "b", "a");
		receive_options(plane, &exporter, 1, 60, true);
		receive_options(plane, &exporter, 61, 60, false);
		plane_deliver(plane);
		move(plane, "a", "b");
		exporter.sequence = 1000;
		receive_data(plane, &exporter, (1472 - header - 4) / 4);
		plane_deliver(plane);
		CU_ASSERT_EQUAL_FATAL(plane->sent_count, 3);
		for (uint32_t sent = 0; sent < 3; sent++) {
			uint32_t records;

			view = plane_view(plane, sent);
			records = (view.payload_length - header) / (4 + ROW_BYTES);
			records -= sent == 0; /* the template, which takes as much as one */
			CU_ASSERT_EQUAL(sequence_of(&view), exporter.version == 9 ? 998 + sent
							    : sent == 0           ? 1000 - 120
										  : next);
			next = sequence_of(&view) + records;
		}
		CU_ASSERT_EQUAL(sequence_of(&view), 1000);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "g").options_replayed, 120);
		plane_close(plane);
	}
}

static void count(void *context, const struct weir_template_seen *seen)
{
	*(uint32_t *)context += seen->kind == WEIR_TEMPLATE_OPTION_RECORD;
}

/* The worker that receives knows the set of options data before the partition's owner does. */
static void test_options_data_of_another_worker_is_found(void)
{
	const struct plane_options options = {.workers = 2};
	struct plane *plane =
		plane_open_with("[{'name':'s','key':'ipfix','partitions':5}]", PAIR, &options);
	struct exporter exporter = {10, 4, false, 7};
	uint32_t known = 0;

	receive_options(plane, &exporter, 1, 1, true);
	receive_options(plane, &exporter, 2, 2, false);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->dataplane->model->streams[0].object->local[0].stats.handed, 2);
	CU_ASSERT_EQUAL(weir_templates_visit(plane->dataplane, "s", count, &known), 0);
	CU_ASSERT_EQUAL(known, 3);
	plane_close(plane);
}

/* Also when the message is sent again. */
static void test_a_native_consumer_gets_options_data(void)
{
	struct plane *plane = plane_open(STREAM, "[{'name':'n','class':'native','streams':'s'}]");
	struct client_options options = {.is_reliable = true};
	struct exporter exporter = {10, 4, false, 100};
	struct client client;
	uint64_t end;

	receive_options(plane, &exporter, 1, 2, true);
	client_join_second(&client, plane, &options);
	receive_data(plane, &exporter, 3);
	client_collect(&client);
	CU_ASSERT_EQUAL_FATAL(client.message_count, 1);
	CU_ASSERT_EQUAL(client.messages[0].length, 16 + 20 + 2 * (4 + ROW_BYTES) + 4 + 12);
	end = client.messages[0].seq + 1;
	client_collect_again(&client, plane);
	CU_ASSERT_EQUAL(client.messages[0].length, 16 + 20 + 2 * (4 + ROW_BYTES) + 4 + 12);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").options_replayed, 2);
	client_ack(&client, 0, end, end);
	client_leave(&client);
	plane_close(plane);
}

CU_TestInfo dataplane_options_tests[] = {
	{"options data goes in front of the first message", test_options_data_goes_in_front},
	{"options data goes alone where the message is full",
		test_options_data_goes_alone_where_the_message_is_full},
	{"options data of another worker is found", test_options_data_of_another_worker_is_found},
	{"a native consumer gets options data, again with the message",
		test_a_native_consumer_gets_options_data},
	CU_TEST_INFO_NULL,
};
