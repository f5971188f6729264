/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"
#include "wire/frame_data.h"

#define STREAM  "[{'name':'s','key':'source','partitions':4}]"
#define GROUP   "[{'name':'n','class':'native','streams':'s'}]"
#define SOURCES 12

/* A client: its session, and what the frames it was sent have said. */
struct client {
	struct plane *plane;
	struct weir_consumer *consumer;
	uint32_t messages;
	uint64_t bytes;
	uint32_t frames;
	uint32_t gaps;        /* sequences that no frame covered */
	uint64_t next_seq[4]; /* by partition */
	bool has_lane[4];
	uint32_t next_number[256]; /* by source */
	uint32_t credit_counter;
};

static struct client join(struct plane *plane, bool wants_batches)
{
	static const struct weir_address own = {4, {192, 0, 2, 9}};
	struct weir_session_spec spec = {.group = "n",
		.name = "client",
		.peer = {4, {198, 51, 100, 7}},
		.peer_port = 5000,
		.local = own,
		.max_datagram = 1400,
		.wants_source = true,
		.wants_batches = wants_batches,
		.random = 0x123456789abcdef0};
	struct weir_route_spec route = {.port = 1,
		.mtu = 1500,
		.source = own,
		.destination = spec.peer,
		.source_port = 4150,
		.destination_port = 5000};
	struct client client = {.plane = plane};

	CU_ASSERT_EQUAL(weir_dataplane_set_addresses(plane->dataplane, &own, 1), 0);
	CU_ASSERT_EQUAL_FATAL(weir_session_add(plane->dataplane, &spec, &client.consumer), 0);
	plane_route(plane, "client", &route);
	return client;
}

/* A CREDIT frame as the client sends it, through the gateway's front door. */
static void grant(struct client *client, uint64_t messages, uint64_t bytes)
{
	uint8_t payload[512];
	struct frame_spec spec = {.version = 4,
		.source = {4, {198, 51, 100, 7}},
		.destination = {4, {192, 0, 2, 9}},
		.source_port = 5000,
		.destination_port = 4150,
		.payload = payload};
	struct weir_writer writer;
	struct weir_frame_credit *credit;

	weir_writer_begin(&writer, payload, sizeof(payload), client->consumer->session);
	credit = weir_writer_add(&writer, WEIR_FRAME_CREDIT, 0, sizeof(*credit));
	credit->counter = weir_be32(++client->credit_counter);
	credit->limit_messages = weir_be64(messages);
	credit->limit_bytes = weir_be64(bytes);
	spec.payload_length = (uint16_t)writer.length;
	plane_receive(client->plane, &spec);
}

static void take_message(struct client *client, const struct weir_data_item *item)
{
	uint32_t number;

	CU_ASSERT_EQUAL_FATAL(item->flags & WEIR_MESSAGE_ADDRESS, WEIR_MESSAGE_ADDRESS);
	CU_ASSERT_EQUAL(item->source[0], 10);
	CU_ASSERT_EQUAL(item->source_port, 2055);
	memcpy(&number, item->payload, sizeof(number));
	CU_ASSERT_EQUAL(number / 1000, item->source[3]);
	CU_ASSERT_EQUAL(item->payload[item->length - 1], 0xa5);
	CU_ASSERT_TRUE(number % 1000 >= client->next_number[item->source[3]]);
	client->next_number[item->source[3]] = number % 1000 + 1;
	client->messages++;
	client->bytes += item->length;
}

static void take_data(struct client *client, const struct weir_frame_data *frame)
{
	uint16_t partition = weir_be16(frame->partition);
	uint64_t seq = weir_be64(frame->seq);
	uint64_t end = seq + weir_be32(frame->covered);
	struct weir_data_cursor cursor;
	struct weir_data_item item;

	CU_ASSERT_TRUE_FATAL(partition < 4);
	if (client->has_lane[partition]) {
		CU_ASSERT_TRUE(seq >= client->next_seq[partition]);
		client->gaps += (uint32_t)(seq - client->next_seq[partition]);
	} else {
		client->gaps += (uint32_t)(seq - weir_be64(frame->lane_first));
	}
	client->has_lane[partition] = true;
	client->next_seq[partition] = end;
	client->frames++;
	weir_data_open(&cursor, frame);
	while (weir_data_next(&cursor, &item)) {
		CU_ASSERT_TRUE(item.seq >= seq && item.seq < end);
		take_message(client, &item);
	}
}

/* Deliver, and read every datagram that was sent with the protocol's own reader. */
static void collect(struct client *client)
{
	struct plane *plane = client->plane;

	plane_deliver(plane);
	for (uint32_t i = 0; i < plane->sent_count; i++) {
		struct frame_view view = plane_view(plane, i);
		const struct weir_frame_header *frame;
		struct weir_frame_cursor cursor;

		CU_ASSERT_TRUE(view.ip_checksum_is_right && view.checksum_is_right);
		CU_ASSERT_TRUE(view.has_checksum && view.payload_length <= 1400);
		CU_ASSERT_EQUAL_FATAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, view.payload,
					      view.payload_length),
			WEIR_REASON_NONE);
		CU_ASSERT_EQUAL(cursor.session, client->consumer->session);
		while ((frame = weir_frame_next(&cursor)) != NULL)
			if (frame->type == WEIR_FRAME_DATA)
				take_data(client, (const struct weir_frame_data *)frame);
	}
	plane_forget_sent(plane);
}

static void receive_from_all(struct plane *plane, uint32_t first, uint32_t count, uint16_t length)
{
	for (uint8_t source = 1; source <= SOURCES; source++)
		plane_receive_numbered(plane, source, source * 1000u + first, count, length);
}

static void test_frames(void)
{
	for (int batches = 0; batches < 2; batches++) {
		struct plane *plane = plane_open(STREAM, GROUP);
		struct client client = join(plane, batches);

		grant(&client, 1000000, 1000000000);
		receive_from_all(plane, 0, 50, 100);
		collect(&client);
		receive_from_all(plane, 50, 50, 1200);
		collect(&client);
		CU_ASSERT_EQUAL(client.messages, SOURCES * 100);
		CU_ASSERT_EQUAL(client.bytes, SOURCES * 50 * 1300);
		CU_ASSERT_EQUAL(client.gaps, 0);
		if (batches)
			CU_ASSERT_TRUE(client.frames < client.messages);
		if (!batches)
			CU_ASSERT_EQUAL(client.frames, client.messages);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, SOURCES * 100);
		plane_close(plane);
	}
}

static void test_credit_messages(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client = join(plane, true);

	receive_from_all(plane, 0, 50, 100);
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, 0);
	for (uint32_t limit = 1; limit < 300; limit += 1 + limit % 13) {
		grant(&client, limit, 1000000000);
		collect(&client);
		CU_ASSERT_EQUAL(client.messages, limit);
	}
	grant(&client, 5, 1000000000); /* an old grant takes nothing back */
	collect(&client);
	grant(&client, 600, 1000000000);
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, 600);
	CU_ASSERT_EQUAL(client.gaps, 0);
	CU_ASSERT_NOT_EQUAL(
		plane_consumer(plane, "client").stats.closed[WEIR_GATE_CREDIT_MESSAGES], 0);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").used_messages, 600);
	plane_close(plane);
}

static void test_credit_bytes(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client = join(plane, true);

	receive_from_all(plane, 0, 50, 100);
	for (uint64_t limit = 99; limit < 60000; limit += 1717) {
		grant(&client, 1000000, limit);
		collect(&client);
		CU_ASSERT_EQUAL(client.bytes, limit / 100 * 100);
	}
	grant(&client, 1000000, 60000);
	collect(&client);
	CU_ASSERT_EQUAL(client.bytes, 60000);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").used_bytes, 60000);
	plane_close(plane);
}

static void pause(struct client *client, uint8_t scope, uint16_t stream, uint32_t counter)
{
	uint8_t payload[512];
	struct frame_spec spec = {.version = 4,
		.source = {4, {198, 51, 100, 7}},
		.destination = {4, {192, 0, 2, 9}},
		.source_port = 5000,
		.destination_port = 4150,
		.payload = payload};
	struct weir_frame_pause *frame;
	struct weir_writer writer;

	weir_writer_begin(&writer, payload, sizeof(payload), client->consumer->session);
	frame = weir_writer_add(
		&writer, WEIR_FRAME_PAUSE, 0, sizeof(*frame) + (scope == WEIR_PAUSE_LIST ? 2 : 0));
	frame->counter = weir_be32(counter);
	frame->scope = scope;
	if (scope == WEIR_PAUSE_LIST) {
		frame->count = weir_be16(1);
		frame->streams[0] = weir_be16(stream);
	}
	spec.payload_length = (uint16_t)writer.length;
	plane_receive(client->plane, &spec);
}

static void test_pause(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client = join(plane, true);
	uint16_t slot = plane->dataplane->published->streams[0].stream->slot;

	grant(&client, 1000000, 1000000000);
	pause(&client, WEIR_PAUSE_ALL, 0, 2);
	receive_from_all(plane, 0, 10, 100);
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, 0);
	pause(&client, WEIR_PAUSE_NONE, 0, 1); /* overtaken by the newer */
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, 0);
	pause(&client, WEIR_PAUSE_LIST, slot, 3);
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, 0);
	pause(&client, WEIR_PAUSE_NONE, 0, 4);
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, SOURCES * 10);
	plane_close(plane);
}

/* What was overwritten before it could be sent is a gap between frames, of exactly that size. */
static void test_gap(void)
{
	struct plane *plane = plane_open(
		"[{'name':'s','key':'source','partitions':1,'ring':{'messages':64}}]", GROUP);
	struct client client = join(plane, true);

	grant(&client, 10, 1000000);
	plane_receive_numbered(plane, 1, 1000, 10, 100);
	collect(&client);
	plane_receive_numbered(plane, 1, 1010, 100, 100);
	grant(&client, 1000, 1000000);
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, 74);
	CU_ASSERT_EQUAL(client.gaps, 36);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_LAPPED], 36);
	plane_close(plane);
}

/* What was left out on purpose is covered by the frames: no gap. */
static void test_sampled_is_no_gap(void)
{
	struct plane *plane = plane_open("[{'name':'s','key':'source','partitions':1}]",
		"[{'name':'n','class':'native','streams':'s','sample':10}]");
	struct client client = join(plane, true);

	grant(&client, 1000, 1000000);
	plane_receive_numbered(plane, 1, 1000, 500, 100);
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, 50);
	CU_ASSERT_EQUAL(client.gaps, 0);
	plane_close(plane);
}

static void test_stranger(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client = join(plane, true);

	client.consumer->peer_port =
		5001; /* the frames come from another port than the session's */
	grant(&client, 10, 1000000);
	receive_from_all(plane, 0, 10, 100);
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, 0);
	CU_ASSERT_EQUAL(plane->worker->native_dropped[WEIR_REASON_FRAME_SESSION], 1);
	CU_ASSERT_EQUAL(plane->worker->port_stats[0].native, 1);
	plane_close(plane);
}

static void test_bad_checksum(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client = join(plane, true);
	uint8_t payload[100] = {0};
	struct frame_spec spec = {.version = 4,
		.source = {4, {10, 0, 0, 1}},
		.destination = {4, {192, 0, 2, 1}},
		.source_port = 2055,
		.destination_port = 4739,
		.bad_checksum = true,
		.payload = payload,
		.payload_length = sizeof(payload)};

	grant(&client, 10, 1000000);
	plane_receive(plane, &spec);
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_CHECKSUM], 1);
	plane_close(plane);
}

static void test_leaves(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client = join(plane, true);

	grant(&client, 5, 1000000);
	receive_from_all(plane, 0, 10, 100);
	collect(&client);
	weir_session_remove(plane->dataplane, client.consumer);
	weir_worker_apply(plane->worker, plane->dataplane->published);
	weir_dataplane_reclaim(plane->dataplane);
	receive_from_all(plane, 10, 10, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 0);
	client = join(plane, true);
	grant(&client, 1000, 1000000);
	collect(&client);
	CU_ASSERT_EQUAL(client.messages, SOURCES * 20 - 5);
	CU_ASSERT_EQUAL(client.gaps, 0);
	plane_close(plane);
}

CU_TestInfo dataplane_native_tests[] = {
	{"frames say everything that was sent", test_frames},
	{"credit is kept to the message", test_credit_messages},
	{"credit is kept to the byte", test_credit_bytes},
	{"a pause stops, and only the newest counts", test_pause},
	{"a loss shows as a gap of its size", test_gap},
	{"what sampling leaves out is no gap", test_sampled_is_no_gap},
	{"a stranger cannot grant credit", test_stranger},
	{"a damaged message is not framed", test_bad_checksum},
	{"a session's partitions wait for the next", test_leaves},
	CU_TEST_INFO_NULL,
};
