/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "dataplane/templates_visit.h"
#include "dataplane_client.h"
#include "dataplane_exporter.h"
#include "dataplane_tests.h"

#define NATIVE "[{'name':'n','class':'native','streams':'s'}]"

#define TEMPLATE_BYTES 16 /* of a template set with two fields */
/* Templates 256 and on, beginning with the one at `first`. */
static void receive_templates_from(struct plane *plane, const struct exporter *exporter,
	unsigned int first, unsigned int count)
{
	struct template_message message;

	message_begin(&message, exporter->version);
	message_set(&message, exporter->version == 10 ? 2 : 0);
	for (unsigned int i = 0; i < count; i++)
		message_template(&message, 256 + first + i, 2, 8);
	message_store16(&message, message.length - 2, LAST);
	receive(plane, exporter, &message);
}

static void receive_templates(
	struct plane *plane, const struct exporter *exporter, unsigned int count)
{
	receive_templates_from(plane, exporter, 0, count);
}

/* A message with one template in front of a data set of `words` words. */
static void check_with(const struct plane *plane, const struct exporter *exporter,
	const struct frame_view *view, unsigned int words)
{
	uint32_t header = weir_template_header(exporter->version);
	uint32_t length = header + TEMPLATE_BYTES + 4 + 4 * words;
	const uint8_t *set = view->payload + header;

	(void)plane;
	CU_ASSERT_TRUE(view->ip_checksum_is_right);
	CU_ASSERT_TRUE(view->checksum_is_right);
	CU_ASSERT_EQUAL(view->has_checksum, !exporter->no_checksum);
	CU_ASSERT_EQUAL_FATAL(view->payload_length, length);
	CU_ASSERT_EQUAL(weir_load16be(view->payload + 2), exporter->version == 10 ? length : 2);
	CU_ASSERT_EQUAL(sequence_of(view), exporter->sequence);
	CU_ASSERT_EQUAL(weir_load16be(set), exporter->version == 10 ? 2 : 0);
	CU_ASSERT_EQUAL(weir_load16be(set + 2), TEMPLATE_BYTES);
	CU_ASSERT_EQUAL(weir_load16be(set + 4), 256);
	CU_ASSERT_EQUAL(weir_load16be(set + TEMPLATE_BYTES), 256);
	CU_ASSERT_EQUAL(weir_load16be(set + TEMPLATE_BYTES + 4), 0x1000);
}

static void keep_source(struct plane *plane, const char *consumer)
{
	struct weir_route_spec spec = plane_route_spec(plane, consumer);

	spec.keep_source = true;
	plane_route(plane, consumer, &spec);
}

static void test_in_front_of_the_first_message(void)
{
	for (unsigned int i = 0; i < 8; i++) {
		struct plane *plane = plane_open(STREAM, PAIR);
		struct exporter exporter = {
			i & 1 ? 9 : 10, i & 2 && !(i & 4) ? 6 : 4, i & 2 && i & 4, 100};
		bool is_kept = i & 4 && exporter.ip_version == 4;
		struct frame_view view;

		move(plane, "b", "a");
		receive_templates(plane, &exporter, 1);
		receive_data(plane, &exporter, 10);
		plane_deliver(plane);
		CU_ASSERT_EQUAL(plane->sent_count, 2);
		move(plane, "a", "b");
		if (is_kept)
			keep_source(plane, "b");
		exporter.sequence = 101;
		receive_data(plane, &exporter, 10);
		receive_data(plane, &exporter, 10);
		plane_deliver(plane);
		CU_ASSERT_EQUAL_FATAL(plane->sent_count, 2);
		view = plane_view(plane, 0);
		check_with(plane, &exporter, &view, 10);
		CU_ASSERT_EQUAL(view.source_port == SOURCE_PORT, is_kept);
		/* Once is enough. */
		view = plane_view(plane, 1);
		CU_ASSERT_EQUAL(
			view.payload_length, weir_template_header(exporter.version) + 4 + 40u);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "g").template_replayed, 1);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "g").template_messages, 1);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 4);
		plane_close(plane);
	}
}

static void test_damage_stays_visible(void)
{
	struct plane *plane = plane_open(STREAM, PAIR);
	struct exporter exporter = {10, 4, false, 100};
	struct template_message message;
	struct frame_spec spec = {.version = 4,
		.bad_checksum = true,
		.source_port = SOURCE_PORT,
		.destination_port = 4739,
		.payload = message.bytes};
	struct frame_view view;

	move(plane, "b", "a");
	receive_templates(plane, &exporter, 1);
	plane_deliver(plane);
	move(plane, "a", "b");
	message_begin(&message, 10);
	message_set(&message, 256);
	message_put16(&message, 1);
	message_close(&message);
	spec.payload_length = (uint16_t)message.length;
	weir_address_parse("10.1.2.3", &spec.source);
	weir_address_parse("192.0.2.1", &spec.destination);
	plane_receive(plane, &spec);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 1);
	view = plane_view(plane, 0);
	CU_ASSERT_EQUAL(view.payload_length, spec.payload_length + TEMPLATE_BYTES);
	CU_ASSERT_FALSE(view.checksum_is_right);
	plane_close(plane);
}

/* Two hundred templates of 16 bytes, and a message that has room for none. */
static void test_alone_where_the_message_is_full(void)
{
	for (unsigned int i = 0; i < 4; i++) {
		struct plane *plane = plane_open(STREAM, PAIR);
		struct exporter exporter = {i & 1 ? 9 : 10, 4, i & 2, 100};
		uint32_t header = weir_template_header(exporter.version);
		uint32_t templates = 0;
		struct frame_view view;

		move(plane, "b", "a");
		receive_templates_from(plane, &exporter, 0, 100);
		receive_templates_from(plane, &exporter, 100, 100);
		plane_deliver(plane);
		move(plane, "a", "b");
		keep_source(plane, "b");
		exporter.sequence = 101;
		receive_data(plane, &exporter, (1472 - header - 4) / 4);
		plane_deliver(plane);
		/* 200 x 16 bytes: two whole datagrams, and a third. */
		CU_ASSERT_EQUAL_FATAL(plane->sent_count, 4);
		for (uint32_t sent = 0; sent < 3; sent++) {
			view = plane_view(plane, sent);
			CU_ASSERT_TRUE(view.ip_checksum_is_right && view.checksum_is_right);
			CU_ASSERT_EQUAL(view.has_checksum, !exporter.no_checksum);
			CU_ASSERT_EQUAL(view.source_port, SOURCE_PORT);
			CU_ASSERT_EQUAL(
				sequence_of(&view), exporter.version == 10 ? 101 : 98 + sent);
			CU_ASSERT_EQUAL((view.payload_length - header) % TEMPLATE_BYTES, 0);
			templates += (view.payload_length - header) / TEMPLATE_BYTES;
			CU_ASSERT_EQUAL(weir_load16be(view.payload + 2),
				exporter.version == 10
					? view.payload_length
					: (view.payload_length - header) / TEMPLATE_BYTES);
		}
		CU_ASSERT_EQUAL(templates, 200);
		view = plane_view(plane, 3);
		CU_ASSERT_EQUAL(sequence_of(&view), 101);
		CU_ASSERT_EQUAL(view.payload_length, 1472 - header % 4);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "g").template_datagrams, 3);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "g").template_replayed, 200);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 3);
		CU_ASSERT_TRUE(plane_law_holds(plane));
		plane_close(plane);
	}
}

/* What is left out by sampling, with the templates in it, is made up for. */
static void test_what_was_dropped_comes_with_the_next(void)
{
	struct plane *plane =
		plane_open(STREAM, "[{'name':'g','streams':'s','sample':2,'consumers':[" CONSUMER(
					   "a", "198.51.100.7") "]}]");
	struct exporter exporter = {10, 4, false, 7};
	struct frame_view view;

	plane_reach_all(plane);
	receive_data(plane, &exporter, 3);
	receive_templates(plane, &exporter, 1);
	receive_data(plane, &exporter, 3);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 2);
	view = plane_view(plane, 1);
	check_with(plane, &exporter, &view, 3);
	plane_close(plane);
}

/* The workers have seen no configuration without it. */
static void test_a_short_absence_is_noticed(void)
{
	struct plane *plane = plane_open(STREAM, PAIR);
	struct exporter exporter = {9, 4, false, 7};
	struct frame_view view;

	move(plane, "b", "a");
	receive_templates(plane, &exporter, 1);
	plane_deliver(plane);
	plane_forget_sent(plane);
	plane_unreach(plane, "a");
	plane_reach(plane, "a");
	receive_data(plane, &exporter, 3);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 1);
	view = plane_view(plane, 0);
	check_with(plane, &exporter, &view, 3);
	plane_close(plane);
}

static void test_a_native_consumer_gets_them_again_with_the_message(void)
{
	struct plane *plane = plane_open(STREAM, NATIVE);
	struct client_options options = {.is_reliable = true};
	struct exporter exporter = {10, 4, false, 7};
	struct client client;
	uint64_t end;

	receive_templates(plane, &exporter, 1);
	client_join_second(&client, plane, &options);
	receive_data(plane, &exporter, 3);
	receive_data(plane, &exporter, 3);
	client_collect(&client);
	CU_ASSERT_EQUAL_FATAL(client.message_count, 2);
	CU_ASSERT_EQUAL(client.messages[0].length, 16 + TEMPLATE_BYTES + 4 + 12);
	CU_ASSERT_EQUAL(
		rte_be_to_cpu_32(client.messages[0].number), 10u << 16 | client.messages[0].length);
	CU_ASSERT_EQUAL(client.messages[1].length, 16 + 4 + 12);
	end = client.messages[0].seq + 2;
	client_collect_again(&client, plane);
	CU_ASSERT_EQUAL(client.messages[0].length, 16 + TEMPLATE_BYTES + 4 + 12);
	CU_ASSERT_EQUAL(client.messages[1].length, 16 + 4 + 12);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").template_messages, 1);
	client_ack(&client, 0, end, end);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 3);
	client_leave(&client);
	plane_close(plane);
}

static void count(void *context, const struct weir_template_seen *seen)
{
	CU_ASSERT_EQUAL(seen->exporter->port, SOURCE_PORT);
	CU_ASSERT_EQUAL(seen->length, TEMPLATE_BYTES);
	++*(uint32_t *)context;
}

/* The stream that takes another's place knows what that one knew. */
static void test_a_stream_made_anew_keeps_them(void)
{
	struct plane *plane = plane_open(STREAM, PAIR);
	struct exporter exporter = {10, 4, false, 7};
	struct frame_view view;
	uint32_t known = 0;

	move(plane, "b", "a");
	receive_templates(plane, &exporter, 1);
	plane_deliver(plane);
	plane_forget_sent(plane);
	plane_apply(plane, "[{'name':'s','key':'flow','partitions':7}]", PAIR);
	CU_ASSERT_EQUAL(weir_templates_visit(plane->dataplane, "s", count, &known), 0);
	CU_ASSERT_EQUAL(known, 1);
	CU_ASSERT_EQUAL(weir_templates_visit(plane->dataplane, "t", count, &known), -ENOENT);
	/* Not of number 0: what was known before the first message is in force after it. */
	receive_data(plane, &exporter, 3);
	plane_deliver(plane);
	plane_unreach(plane, "a");
	plane_reach(plane, "b");
	plane_republish(plane);
	plane_forget_sent(plane);
	receive_data(plane, &exporter, 3);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 1);
	view = plane_view(plane, 0);
	check_with(plane, &exporter, &view, 3);
	plane_close(plane);
}

/* What a worker learns that has not gone over to the new stream yet: new, and changed. */
static void test_a_stream_made_anew_learns_what_came_meanwhile(void)
{
	const struct plane_options options = {.workers = 2};
	struct plane *plane =
		plane_open_with("[{'name':'s','key':'ipfix','partitions':3}]", PAIR, &options);
	struct exporter exporter = {10, 4, false, 7};
	uint32_t known = 0;

	move(plane, "b", "a");
	receive_templates(plane, &exporter, 1);
	plane_deliver(plane);
	plane_publish(plane, "[{'name':'s','key':'flow','partitions':7}]", PAIR);
	receive_templates_from(plane, &exporter, 1, 2);
	plane_follow(plane, 1);
	receive_templates_from(plane, &exporter, 3, 1);
	CU_ASSERT_EQUAL(weir_templates_visit(plane->dataplane, "s", count, &known), 0);
	CU_ASSERT_EQUAL(known, 1);
	plane_follow(plane, 0);
	plane_advance(plane, 1000);
	plane_deliver(plane);
	known = 0;
	CU_ASSERT_EQUAL(weir_templates_visit(plane->dataplane, "s", count, &known), 0);
	CU_ASSERT_EQUAL(known, 4);
	receive_data(plane, &exporter, 3);
	plane_deliver(plane);
	move(plane, "a", "b");
	receive_data(plane, &exporter, 3);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 1);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").template_replayed, 4);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_close(plane);
}

CU_TestInfo dataplane_templates_tests[] = {
	{"templates go in front of the first message", test_in_front_of_the_first_message},
	{"damage stays visible behind templates", test_damage_stays_visible},
	{"templates go alone where the message is full", test_alone_where_the_message_is_full},
	{"templates that were dropped come with the next message",
		test_what_was_dropped_comes_with_the_next},
	{"a short absence is noticed", test_a_short_absence_is_noticed},
	{"a native consumer gets templates again with the message",
		test_a_native_consumer_gets_them_again_with_the_message},
	{"a stream made anew keeps its templates", test_a_stream_made_anew_keeps_them},
	{"a stream made anew learns what came meanwhile",
		test_a_stream_made_anew_learns_what_came_meanwhile},
	CU_TEST_INFO_NULL,
};
