/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane_client.h"
#include "dataplane_tests.h"

#define STREAM  "[{'name':'s','key':'source','partitions':4}]"
#define GROUP   "[{'name':'n','class':'native','streams':'s'}]"
#define SOURCES 12

static const struct client_options batched;

static void receive_from_all(struct plane *plane, uint32_t first, uint32_t count, uint16_t length)
{
	for (uint8_t source = 1; source <= SOURCES; source++)
		plane_receive_numbered(plane, source, source * 1000u + first, count, length);
}

/* Numbers of a source rise, and are that source's. */
static void check_order(const struct client *client)
{
	uint32_t next[SOURCES + 1] = {0};

	CU_ASSERT_TRUE_FATAL(client->message_count <= CLIENT_MESSAGES);
	for (uint32_t i = 0; i < client->message_count; i++) {
		uint32_t number = client->messages[i].number;

		CU_ASSERT_TRUE_FATAL(number / 1000 >= 1 && number / 1000 <= SOURCES);
		CU_ASSERT_EQUAL(client->messages[i].source, number / 1000);
		CU_ASSERT_TRUE(number % 1000 >= next[number / 1000]);
		next[number / 1000] = number % 1000 + 1;
	}
}

static void test_frames(void)
{
	for (int batches = 0; batches < 2; batches++) {
		struct plane *plane = plane_open(STREAM, GROUP);
		struct client client;

		client_join(&client, plane, &(struct client_options){.single = !batches});
		client_grant(&client, 1000000, 1000000000);
		receive_from_all(plane, 0, 50, 100);
		client_collect(&client);
		receive_from_all(plane, 50, 50, 1200);
		client_collect(&client);
		CU_ASSERT_EQUAL(client.message_count, SOURCES * 100);
		check_order(&client);
		CU_ASSERT_EQUAL(client.bytes, SOURCES * 50 * 1300);
		CU_ASSERT_EQUAL(client.jumped, 0);
		if (batches)
			CU_ASSERT_TRUE(client.frames < client.message_count);
		if (!batches)
			CU_ASSERT_EQUAL(client.frames, client.message_count);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, SOURCES * 100);
		plane_close(plane);
	}
}

static void test_credit_messages(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client;

	client_join(&client, plane, &batched);
	receive_from_all(plane, 0, 50, 100);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	for (uint32_t limit = 1; limit < 300; limit += 1 + limit % 13) {
		client_grant(&client, limit, 1000000000);
		client_collect(&client);
		CU_ASSERT_EQUAL(client.message_count, limit);
	}
	client_grant(&client, 5, 1000000000); /* an old grant takes nothing back */
	client_collect(&client);
	client_grant(&client, 600, 1000000000);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 600);
	CU_ASSERT_EQUAL(client.jumped, 0);
	CU_ASSERT_NOT_EQUAL(
		plane_consumer(plane, "client").stats.closed[WEIR_GATE_CREDIT_MESSAGES], 0);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").used_messages, 600);
	plane_close(plane);
}

static void test_credit_bytes(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client;

	client_join(&client, plane, &batched);
	receive_from_all(plane, 0, 50, 100);
	for (uint64_t limit = 99; limit < 60000; limit += 1717) {
		client_grant(&client, 1000000, limit);
		client_collect(&client);
		CU_ASSERT_EQUAL(client.bytes, limit / 100 * 100);
	}
	client_grant(&client, 1000000, 60000);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.bytes, 60000);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").used_bytes, 60000);
	plane_close(plane);
}

static void test_pause(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client;

	client_join(&client, plane, &batched);
	client_grant(&client, 1000000, 1000000000);
	client_pause(&client, WEIR_PAUSE_ALL, 2);
	receive_from_all(plane, 0, 10, 100);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	client_pause(&client, WEIR_PAUSE_NONE, 1); /* overtaken by the newer */
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	client_pause(&client, WEIR_PAUSE_LIST, 3);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	client_pause(&client, WEIR_PAUSE_NONE, 4);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, SOURCES * 10);
	plane_close(plane);
}

/* The ring of wakes is full: one more wakes all, also those that wait for a stream. */
static void test_pause_ends_in_a_crowd(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client;

	client_join(&client, plane, &batched);
	client_grant(&client, 1000000, 1000000000);
	client_pause(&client, WEIR_PAUSE_LIST, 1);
	receive_from_all(plane, 0, 10, 100);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	while (rte_ring_mp_enqueue(plane->worker->wakes, (void *)(uintptr_t)WEIR_MAX_CONSUMERS) ==
		0)
		;
	client_pause(&client, WEIR_PAUSE_NONE, 2);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, SOURCES * 10);
	plane_close(plane);
}

/* What was overwritten before it could be sent is a gap between frames, of exactly that size. */
static void test_gap(void)
{
	struct plane *plane = plane_open(
		"[{'name':'s','key':'source','partitions':1,'ring':{'messages':64}}]", GROUP);
	struct client client;

	client_join(&client, plane, &batched);
	client_grant(&client, 10, 1000000);
	plane_receive_numbered(plane, 1, 1000, 10, 100);
	client_collect(&client);
	plane_receive_numbered(plane, 1, 1010, 100, 100);
	client_grant(&client, 1000, 1000000);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 74);
	CU_ASSERT_EQUAL(client.jumped, 36);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_LAPPED], 36);
	plane_close(plane);
}

/* What was left out on purpose is covered by the frames: no gap. */
static void test_sampled_is_no_gap(void)
{
	struct plane *plane = plane_open("[{'name':'s','key':'source','partitions':1}]",
		"[{'name':'n','class':'native','streams':'s','sample':10}]");
	struct client client;

	client_join(&client, plane, &batched);
	client_grant(&client, 1000, 1000000);
	plane_receive_numbered(plane, 1, 1000, 500, 100);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 50);
	CU_ASSERT_EQUAL(client.jumped, 0);
	plane_close(plane);
}

static void test_stranger(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client;

	client_join(&client, plane, &batched);
	client.consumer->peer_port =
		5001; /* the frames come from another port than the session's */
	client_grant(&client, 10, 1000000);
	receive_from_all(plane, 0, 10, 100);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	CU_ASSERT_EQUAL(plane->worker->native_dropped[WEIR_REASON_FRAME_SESSION], 1);
	CU_ASSERT_EQUAL(plane->worker->port_stats[0].native, 1);
	plane_close(plane);
}

static void test_bad_checksum(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client;
	uint8_t payload[100] = {0};
	struct frame_spec spec = {.version = 4,
		.source = {4, {10, 0, 0, 1}},
		.destination = {4, {192, 0, 2, 1}},
		.source_port = 2055,
		.destination_port = 4739,
		.bad_checksum = true,
		.payload = payload,
		.payload_length = sizeof(payload)};

	client_join(&client, plane, &batched);
	client_grant(&client, 10, 1000000);
	plane_receive(plane, &spec);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_CHECKSUM], 1);
	plane_close(plane);
}

static void test_leaves(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client;

	client_join(&client, plane, &batched);
	client_grant(&client, 5, 1000000);
	receive_from_all(plane, 0, 10, 100);
	client_collect(&client);
	client_leave(&client);
	receive_from_all(plane, 10, 10, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 0);
	client_join(&client, plane, &batched);
	client_grant(&client, 1000, 1000000);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, SOURCES * 20 - 5);
	CU_ASSERT_EQUAL(client.jumped, 0);
	plane_close(plane);
}

CU_TestInfo dataplane_native_tests[] = {
	{"frames say everything that was sent", test_frames},
	{"credit is kept to the message", test_credit_messages},
	{"credit is kept to the byte", test_credit_bytes},
	{"a pause stops, and only the newest counts", test_pause},
	{"a pause ends even when too many are woken at once", test_pause_ends_in_a_crowd},
	{"a loss shows as a gap of its size", test_gap},
	{"what sampling leaves out is no gap", test_sampled_is_no_gap},
	{"a stranger cannot grant credit", test_stranger},
	{"a damaged message is not framed", test_bad_checksum},
	{"a session's partitions wait for the next", test_leaves},
	CU_TEST_INFO_NULL,
};
