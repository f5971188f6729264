/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_cycles.h>

#include "dataplane_client.h"
#include "dataplane_tests.h"

/* What bounds how much is under way to a client that acknowledges, and what does not. */

#define STREAM  "[{'name':'s','key':'source','partitions':4}]"
#define SINGLE  "[{'name':'s','key':'source','partitions':1}]"
#define GROUP   "[{'name':'n','class':'native','streams':'s'}]"
#define SOURCES 12

static const struct client_options reliable = {.is_reliable = true};

static struct plane *open_joined(
	struct client *client, const char *stream, const char *group, uint32_t workers)
{
	struct plane *plane =
		plane_open_with(stream, group, &(struct plane_options){.workers = workers});

	client_join(client, plane, &reliable);
	return plane;
}

static const struct weir_delivery *delivery_of(const struct plane *plane, uint16_t partition)
{
	const struct weir_stream *stream = plane->dataplane->published->streams[0].stream;

	return stream->partitions[partition].lanes[0]->delivery;
}

static struct weir_delivery_amount flying(const struct plane *plane, uint16_t partitions)
{
	struct weir_delivery_amount all = {0};

	for (uint16_t i = 0; i < partitions; i++) {
		all.messages += delivery_of(plane, i)->flying.messages;
		all.bytes += delivery_of(plane, i)->flying.bytes;
	}
	return all;
}

static void ack_all(struct client *client, uint16_t partitions)
{
	for (uint16_t i = 0; i < partitions; i++) {
		uint64_t next = client->lanes[i].next_seq;

		if (client->lanes[i].is_known)
			client_ack(client, i, next, next);
	}
	plane_deliver(client->plane); /* answers reach the lanes' owners */
}

static void receive_from_all(struct plane *plane, uint32_t count, uint16_t length)
{
	for (uint8_t source = 1; source <= SOURCES; source++)
		plane_receive_numbered(plane, source, source * 1000u, count, length);
}

struct caps {
	uint64_t messages;
	uint64_t bytes;
	uint64_t lane_messages;
	uint64_t lane_bytes;
};

/* Until all has come; returns the most that was under way at once. */
static struct caps run_capped(struct client *client, const struct caps *caps, uint32_t total)
{
	struct caps most = {0};

	for (uint32_t round = 0; client->message_count < total && round < 1000; round++) {
		struct weir_delivery_amount all;

		client_collect(client);
		all = flying(client->plane, 4);
		CU_ASSERT_TRUE(all.messages <= caps->messages && all.bytes <= caps->bytes);
		most.messages = RTE_MAX(most.messages, all.messages);
		most.bytes = RTE_MAX(most.bytes, all.bytes);
		for (uint16_t i = 0; i < 4; i++) {
			const struct weir_delivery_amount *lane =
				&delivery_of(client->plane, i)->flying;

			CU_ASSERT_TRUE(lane->messages <= caps->lane_messages);
			CU_ASSERT_TRUE(lane->bytes <= caps->lane_bytes);
			most.lane_messages = RTE_MAX(most.lane_messages, lane->messages);
			most.lane_bytes = RTE_MAX(most.lane_bytes, lane->bytes);
		}
		plane_advance(client->plane, 500);
		ack_all(client, 4);
		client_take(client);
	}
	CU_ASSERT_EQUAL(client->message_count, total);
	CU_ASSERT_EQUAL(client->jumped, 0);
	return most;
}

static void check_caps(const char *window, const struct caps *caps, uint32_t workers)
{
	struct client client;
	struct plane *plane;
	struct caps most;
	char group[256];

	snprintf(group, sizeof(group), "[{'name':'n','class':'native','streams':'s',%s}]", window);
	plane = open_joined(&client, STREAM, group, workers);
	client_grant_all(&client);
	receive_from_all(plane, 40, 1000);
	most = run_capped(&client, caps, SOURCES * 40);
	ack_all(&client, 4);
	if (caps->messages != UINT64_MAX)
		CU_ASSERT_EQUAL(most.messages, caps->messages);
	if (caps->lane_messages != UINT64_MAX)
		CU_ASSERT_EQUAL(most.lane_messages, caps->lane_messages);
	if (caps->bytes != UINT64_MAX)
		CU_ASSERT_EQUAL(most.bytes, caps->bytes / 1000 * 1000);
	if (caps->lane_bytes != UINT64_MAX)
		CU_ASSERT_EQUAL(most.lane_bytes, caps->lane_bytes / 1000 * 1000);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, SOURCES * 40);
	CU_ASSERT_EQUAL(
		client.consumer->flight.messages.limit -
			(caps->messages != UINT64_MAX ? caps->messages : WEIR_FLIGHT_UNLIMITED),
		client.consumer->flight.messages.leased);
	plane_close(plane);
}

static const struct caps by_messages = {20, UINT64_MAX, UINT64_MAX, UINT64_MAX};
static const struct caps by_bytes = {UINT64_MAX, 65536, UINT64_MAX, UINT64_MAX};
static const struct caps by_lane_messages = {UINT64_MAX, UINT64_MAX, 7, UINT64_MAX};
static const struct caps by_lane_bytes = {UINT64_MAX, UINT64_MAX, UINT64_MAX, 70500};
static const struct caps by_both = {20, UINT64_MAX, 7, UINT64_MAX};

static void check_all_caps(uint32_t workers)
{
	check_caps("'window':{'messages':20}", &by_messages, workers);
	check_caps("'window':{'bytes':65536}", &by_bytes, workers);
	check_caps("'partition_window':{'messages':7}", &by_lane_messages, workers);
	check_caps("'partition_window':{'bytes':70500}", &by_lane_bytes, workers);
	check_caps("'window':{'messages':20},'partition_window':{'messages':7}", &by_both, workers);
}

static void test_caps(void)
{
	check_all_caps(1);
}

static void test_caps_of_two_workers(void)
{
	check_all_caps(2);
}

static void test_credit_does_not_stop_repair(void)
{
	struct client client;
	struct plane *plane = open_joined(&client, SINGLE, GROUP, 1);

	client_grant(&client, 5, 100000);
	plane_receive_numbered(plane, 1, 0, 10, 100);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 5));
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{1, 3}}, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 1, 2));
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").used_messages, 5);
	plane_close(plane);
}

/* `credit` for 5 only: then that is the gate which is closed. */
static void check_pause(uint8_t scope, uint64_t credit)
{
	struct client client;
	struct plane *plane = open_joined(&client, SINGLE, GROUP, 1);

	client_grant(&client, credit, 100000);
	plane_receive_numbered(plane, 1, 0, 5, 100);
	client_collect(&client);
	client_forget(&client);
	if (credit == 5)
		plane_receive_numbered(plane, 1, 5, 1, 100);
	client_collect(&client);
	client_pause(&client, scope, 1);
	client_nack(&client, 0, (const uint64_t[][2]){{1, 3}}, 1);
	client_collect(&client);
	for (uint32_t i = 0; i < 100; i++) {
		plane_advance(plane, 10000); /* silence is no reason to send either */
		client_collect(&client);
	}
	CU_ASSERT_EQUAL(client.message_count, 0);
	if (credit != 5)
		plane_receive_numbered(plane, 1, 5, 1, 100);
	client_pause(&client, WEIR_PAUSE_NONE, 2);
	client_collect(&client);
	client_grant_all(&client);
	client_collect(&client);
	CU_ASSERT_TRUE_FATAL(client.message_count >= 3);
	CU_ASSERT_EQUAL(client.messages[client.message_count - 1].seq, 5);
	CU_ASSERT_EQUAL(client.again_count, client.message_count - 1);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_QUARANTINED], 0);
	plane_close(plane);
}

static void test_pause_stops_repair(void)
{
	for (uint64_t credit = 5; credit <= 10; credit += 5) {
		check_pause(WEIR_PAUSE_ALL, credit);
		check_pause(WEIR_PAUSE_LIST, credit);
	}
}

static void test_operator_stops_repair(void)
{
	struct client client;
	struct plane *plane = open_joined(&client, SINGLE, GROUP, 1);

	client_grant(&client, 5, 100000);
	plane_receive_numbered(plane, 1, 0, 10, 100);
	client_collect(&client);
	client_forget(&client);
	/* Nothing wakes the outlet, which waits for credit. */
	weir_consumer_set_closed(plane->dataplane, client.consumer, WEIR_CLOSED_PAUSED, true);
	client_nack(&client, 0, (const uint64_t[][2]){{1, 3}}, 1);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	weir_consumer_set_closed(plane->dataplane, client.consumer, WEIR_CLOSED_PAUSED, false);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 1, 2));
	plane_close(plane);
}

/* Sends what the window lets through, acknowledged after `us`; returns how much that was. */
static uint32_t round_trip(struct client *client, uint32_t us)
{
	client_forget(client);
	client_collect(client);
	plane_advance(client->plane, us);
	client_ack(client, 0, client->lanes[0].next_seq, client->lanes[0].next_seq);
	return client->message_count;
}

static void test_adaptive(void)
{
	struct client client;
	struct plane *plane = open_joined(&client,
		"[{'name':'s','key':'source','partitions':1,'ring':{'messages':4096}}]", GROUP, 1);
	uint32_t before;

	client_grant_all(&client);
	plane_receive_numbered(plane, 1, 0, 4000, 100);
	CU_ASSERT_EQUAL(round_trip(&client, 1000), WEIR_WINDOW_FIRST);
	CU_ASSERT_EQUAL(round_trip(&client, 1000), 2 * WEIR_WINDOW_FIRST);
	CU_ASSERT_EQUAL(round_trip(&client, 1000), 4 * WEIR_WINDOW_FIRST);
	CU_ASSERT_TRUE(plane_consumer(plane, "client").stats.closed[WEIR_GATE_WINDOW] >= 3);
	before = client.consumer->outlets[0].window.limit;
	plane_receive_numbered(plane, 1, 4000, 1500, 100);
	round_trip(&client, 20000); /* a queue stands somewhere */
	CU_ASSERT_EQUAL(client.consumer->outlets[0].window.limit, before / 2);
	/* Not above what it was before the queue stood; a sixteenth and 4 at a time. */
	plane_receive_numbered(plane, 1, 5500, 1500, 100);
	before = round_trip(&client, 1000);
	CU_ASSERT_EQUAL(round_trip(&client, 1000), before + before / 16 + 4);
	plane_close(plane);
}

/* The limit begins at the machine's clock, and the test's must not be behind it. */
static struct plane *open_limited(struct client *client)
{
	for (;;) {
		struct plane *plane = open_joined(client, SINGLE,
			"[{'name':'n','class':'native','streams':'s',"
			"'consumer_rate':{'packets_per_s':1000,'burst_packets':32}}]",
			1);

		if (rte_rdtsc() < plane->worker->now + 500 * plane->worker->cycles_per_us)
			return plane;
		/* Another program had the CPU in between. */
		plane_close(plane);
	}
}

/* New data pays for what was sent again: over a time, no more than the rate allows. */
static uint32_t run_limited(bool loses)
{
	struct client client;
	struct plane *plane = open_limited(&client);
	uint32_t again;

	client_grant_all(&client);
	plane_receive_numbered(plane, 1, 0, 500, 100);
	client_collect(&client);
	CU_ASSERT_TRUE(client.message_count >= 31 && client.message_count <= 32);
	if (loses)
		client_nack(&client, 0, (const uint64_t[][2]){{0, 20}}, 1);
	else
		client_ack(&client, 0, client.message_count, client.message_count);
	for (uint32_t ms = 0; ms < 100; ms++) {
		plane_advance(plane, 1000);
		client_collect(&client);
		client_ack(&client, 0, client.lanes[0].next_seq, client.lanes[0].next_seq);
	}
	again = client.again_count;
	CU_ASSERT_EQUAL(again, loses ? 20 : 0);
	CU_ASSERT_TRUE(client.message_count <= 32 + 100 + 1);
	CU_ASSERT_TRUE(client.message_count >= 32 + 100 - 2);
	plane_close(plane);
	return client.message_count - again;
}

static void test_rate(void)
{
	uint32_t whole = run_limited(false);

	CU_ASSERT_TRUE(run_limited(true) + 20 <= whole + 1);
}

/* A queue is known to be behind once it was looked at; then it gets a quarter of a turn. */
static void test_catching_up(void)
{
	struct plane *plane = plane_open_with(
		SINGLE, GROUP, &(struct plane_options){.more = "'health':{'catch_up_ms':100},"});
	struct client client;
	uint32_t taken;

	client_join(&client, plane, &reliable);
	plane_receive_numbered(plane, 1, 0, 900, 100);
	plane_advance(plane, 1000000);
	client_grant_all(&client);
	CU_ASSERT_TRUE(plane_turn(plane) <= WEIR_WINDOW_FIRST);
	while (client.message_count < 900) {
		client_take(&client);
		client_ack(&client, 0, client.lanes[0].next_seq, client.lanes[0].next_seq);
		taken = plane_turn(plane);
		CU_ASSERT_TRUE_FATAL(taken != 0 || client.message_count == 900);
		CU_ASSERT_TRUE(taken <= WEIR_DELIVER_MAX / 4);
	}
	/* With what is new it shares with all others again, after a first look. */
	plane_receive_numbered(plane, 1, 900, 400, 100);
	plane_turn(plane);
	CU_ASSERT_TRUE(plane_turn(plane) > WEIR_DELIVER_MAX / 4);
	client_take(&client);
	plane_close(plane);
}

/* Without credit it is on no list that is looked at, whatever waits and comes, and has no timer. */
static void test_parked(void)
{
	struct client client;
	struct plane *plane = open_joined(&client, STREAM, GROUP, 1);
	struct weir_worker *worker = plane->worker;
	uint32_t come = 0;

	for (uint32_t round = 0; round < 10; round++) {
		receive_from_all(plane, 5, 100);
		come += SOURCES * 5;
		plane_turn(plane);
		CU_ASSERT_TRUE(weir_list_is_empty(&worker->shared));
		CU_ASSERT_TRUE(weir_list_is_empty(&worker->critical));
		CU_ASSERT_TRUE(weir_list_is_empty(&worker->behind));
		CU_ASSERT_TRUE(weir_list_is_empty(&worker->again));
		CU_ASSERT_TRUE(weir_list_is_empty(&worker->open));
		CU_ASSERT_EQUAL(worker->wheel.count, 0);
		CU_ASSERT_EQUAL(worker->lane_wheel.count, 0);
		CU_ASSERT_EQUAL(plane_turn(plane), 0);
		plane_advance(plane, 100000);
	}
	client_take(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	client_grant_all(&client);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, RTE_MIN(WEIR_WINDOW_FIRST, come));
	plane_close(plane);
}

/*
 * What it says that a message takes decides how many it is kept ahead: 100 ms of work, 64 at least,
 * in leases of 32.
 */
static void test_work_ahead(void)
{
	static const struct {
		uint64_t consumed;
		uint32_t service_ns;
		uint32_t come;
	} steps[] = {{0, 1000000, 100}, {50, 1000000, 150}, {150, 10000000, 150 + 64},
		{150, 0, SOURCES * 20}};
	struct client client;
	struct plane *plane = open_joined(&client, STREAM, GROUP, 1);

	receive_from_all(plane, 20, 100);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		client_report(&client, steps[i].consumed, steps[i].service_ns);
		client_collect(&client);
		CU_ASSERT_TRUE(client.message_count >= steps[i].come);
		CU_ASSERT_TRUE(client.message_count < steps[i].come + 32);
	}
	plane_close(plane);
}

CU_TestInfo dataplane_window_tests[] = {
	{"windows are never exceeded, used to the full, and open again", test_caps},
	{"nor are those that two workers share", test_caps_of_two_workers},
	{"want of credit does not stop repair", test_credit_does_not_stop_repair},
	{"a client that pauses is not sent anything again", test_pause_stops_repair},
	{"nor is one that an operator has paused", test_operator_stops_repair},
	{"the adaptive window follows what acknowledgements take", test_adaptive},
	{"what is sent again is charged to the rate", test_rate},
	{"who catches up gets a quarter of what is left", test_catching_up},
	{"who is parked is not looked at", test_parked},
	{"who says that it is slow is kept a short time ahead", test_work_ahead},
	CU_TEST_INFO_NULL,
};
