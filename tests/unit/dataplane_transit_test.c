/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_mempool.h>

#include "dataplane/model.h"
#include "dataplane/transit.h"
#include "dataplane_client.h"
#include "dataplane_tests.h"

/* Partitions go from one worker to another, and nothing is lost, doubled or out of order. */

#define PARTITIONS 8
#define SOURCES    60
#define ROUNDS     20 /* messages of each, when all is at random: no more than buffers hold */
#define STREAM     "[{'name':'s','key':'source','partitions':8}]"
#define BLIND      "{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.9") "]}"
#define NATIVE     "{'name':'n','class':'native','streams':'s'}"

static const struct client_options reliable = {.is_reliable = true};

static struct plane *open_two(const char *groups)
{
	return plane_open_with(STREAM, groups, &(struct plane_options){.workers = 2});
}

static struct weir_stream *stream_of(const struct plane *plane)
{
	return plane->dataplane->model->streams[0].object;
}

static void receive_at(struct plane *plane, uint16_t worker)
{
	plane->worker = &plane->dataplane->workers[worker];
}

static void receive_all(struct plane *plane, uint32_t first, uint32_t count)
{
	for (uint8_t source = 1; source <= SOURCES; source++)
		plane_receive_numbered(plane, source, source * 100000u + first, count, 60);
}

/* Every partition goes to the other worker, as far as the control thread's part of it. */
static void swap_all(struct plane *plane)
{
	struct weir_stream *stream = stream_of(plane);

	for (uint16_t p = 0; p < PARTITIONS; p++)
		CU_ASSERT_EQUAL(weir_partition_set_worker(
					plane->dataplane, "s", p, (uint16_t)!stream->wanted[p]),
			0);
}

/* Those of the first worker, or of the second, or of both go to the other, and nobody has them. */
static void let_go_all(struct plane *plane, bool first, bool second)
{
	struct weir_stream *stream = stream_of(plane);

	for (uint16_t p = 0; p < PARTITIONS; p++)
		if (stream->wanted[p] == 0 ? first : second)
			stream->wanted[p] = (uint16_t)!stream->wanted[p];
	plane->dataplane->moves.is_wanted = true;
	weir_moves_step(plane->dataplane);
	plane_follow(plane, 0);
	plane_follow(plane, 1);
	for (int i = 0; i < 3; i++)
		plane_turn(plane);
}

static uint32_t count_owned(const struct plane *plane, uint16_t worker)
{
	uint32_t count = 0;

	for (uint16_t p = 0; p < PARTITIONS; p++)
		count += weir_stream_owner(stream_of(plane), p) == worker;
	return count;
}

/* Each source's numbers came in their order, from 0 to `count` - 1. */
static void expect_in_order(struct plane *plane, uint32_t count)
{
	uint32_t next[SOURCES + 1] = {0};
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < plane->sent_count; i++) {
		uint32_t number, source;

		if (plane_view(plane, i).destination_port != 9995)
			continue;
		number = plane_number(plane, i);
		source = number / 100000;
		if (source == 0 || source > SOURCES || number % 100000 != next[source]++)
			wrong++;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	for (uint32_t source = 1; source <= SOURCES; source++)
		CU_ASSERT_EQUAL(next[source], count);
}

static void test_takes_all_along(void)
{
	struct plane *plane = open_two("[" BLIND "]");

	receive_all(plane, 0, 5);
	plane_turn(plane);
	swap_all(plane);
	plane_arrive(plane);
	CU_ASSERT_EQUAL(count_owned(plane, 0), 4);
	CU_ASSERT_EQUAL(plane->dataplane->moves.arrived, PARTITIONS);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").held, SOURCES * 5);
	receive_all(plane, 5, 5);
	plane_reach_all(plane);
	plane_deliver(plane);
	expect_in_order(plane, 10);
	plane_close(plane);
}

/* The new owner hears of it first; what it receives meanwhile comes after what the old one has. */
static void test_limbo_keeps_order(void)
{
	struct plane *plane = open_two("[" BLIND "]");
	struct weir_worker *second = &plane->dataplane->workers[1];

	plane_reach_all(plane);
	receive_all(plane, 0, 2);
	for (uint16_t p = 0; p < PARTITIONS; p++)
		stream_of(plane)->wanted[p] = 1;
	plane->dataplane->moves.is_wanted = true;
	weir_moves_step(plane->dataplane);
	plane_turn_worker(plane, 0);
	plane_turn_worker(plane, 1);
	/* On its way to the old owner: nobody has taken it from the mesh yet. */
	receive_at(plane, 1);
	receive_all(plane, 2, 1);
	weir_mesh_flush(second);
	plane_follow(plane, 1);
	receive_all(plane, 3, 2);
	plane_turn_worker(plane, 1);
	CU_ASSERT_TRUE(second->limbo_count > 0);
	CU_ASSERT_TRUE(weir_moves_are_under_way(plane->dataplane));
	CU_ASSERT_EQUAL(count_owned(plane, 1), 4);
	plane_turn_worker(plane, 0);
	CU_ASSERT_EQUAL(count_owned(plane, 0), 4); /* it has not applied the snapshot */
	plane_arrive(plane);
	CU_ASSERT_EQUAL(count_owned(plane, 1), PARTITIONS);
	CU_ASSERT_EQUAL(second->limbo_count, 0);
	receive_all(plane, 5, 1);
	plane_deliver(plane);
	expect_in_order(plane, 6);
	receive_at(plane, 0);
	plane_close(plane);
}

static void test_limbo_is_bounded(void)
{
	struct plane *plane =
		plane_open_with("[{'name':'s','key':'source','partitions':1,'buffers':64}]",
			"[" BLIND "]", &(struct plane_options){.workers = 2});
	uint16_t from = weir_stream_owner(stream_of(plane), 0);
	uint16_t to = (uint16_t)!from;

	receive_at(plane, to);
	weir_partition_set_worker(plane->dataplane, "s", 0, to);
	plane_follow(plane, to);
	for (uint32_t i = 0; i < 10; i++)
		plane_receive_numbered(plane, 1, i * 1000, 1000, 60);
	CU_ASSERT_EQUAL(
		plane_stream(plane, "s").dropped[WEIR_REASON_MESH_FULL], 10000 - WEIR_LIMBO_SIZE);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_arrive(plane);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").appended, WEIR_LIMBO_SIZE);
	plane_close(plane);
}

/* What was sent and not acknowledged is neither sent again nor forgotten. */
static void test_in_flight_goes_along(void)
{
	struct plane *plane = open_two("[" NATIVE "]");
	struct client client;
	uint32_t epochs[PARTITIONS];

	client_join(&client, plane, &reliable);
	client_grant_all(&client);
	receive_all(plane, 0, 3);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, SOURCES * 3);
	for (uint16_t p = 0; p < PARTITIONS; p++)
		epochs[p] = client.lanes[p].epoch;
	client_forget(&client);
	swap_all(plane);
	plane_arrive(plane);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	CU_ASSERT_EQUAL(client.consumer->outlets[0].flying + client.consumer->outlets[1].flying,
		SOURCES * 3);
	for (uint16_t p = 0; p < PARTITIONS; p++)
		client_nack(&client, p, (const uint64_t[][2]){{0, 2}}, 1);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.again_count, 2 * PARTITIONS);
	receive_all(plane, 3, 1);
	client_collect(&client);
	for (uint16_t p = 0; p < PARTITIONS; p++) {
		CU_ASSERT_EQUAL(client.lanes[p].epoch, epochs[p]);
		client_ack(&client, p, client.lanes[p].next_seq, client.lanes[p].next_seq);
	}
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, SOURCES * 4);
	CU_ASSERT_EQUAL(client.consumer->outlets[0].flying, 0);
	CU_ASSERT_EQUAL(client.consumer->outlets[1].flying, 0);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(plane->dataplane->buffers), 0);
	plane_close(plane);
}

/* Silence is noticed by the new owner: the lane's timer goes along. */
static void test_timer_goes_along(void)
{
	struct plane *plane = open_two("[" NATIVE "]");
	struct client client;

	client_join(&client, plane, &reliable);
	client_grant_all(&client);
	receive_all(plane, 0, 1);
	client_collect(&client);
	swap_all(plane);
	plane_arrive(plane);
	client_forget(&client);
	plane_advance(plane, 2000000);
	client_collect(&client);
	CU_ASSERT_TRUE(client.again_count >= PARTITIONS);
	plane_close(plane);
}

/* A group comes while nobody has the partition: it gets what is appended from then on. */
static void test_group_comes_meanwhile(void)
{
	static const char more[] = "[" BLIND ",{'name':'h','streams':'s','consumers':[" CONSUMER(
		"d", "198.51.100.8") "]}]";
	struct plane *plane = open_two("[" BLIND "]");

	receive_all(plane, 0, 1);
	plane_turn(plane);
	let_go_all(plane, true, false);
	CU_ASSERT_EQUAL(count_owned(plane, WEIR_NO_WORKER), 4);
	plane_apply(plane, STREAM, more);
	receive_all(plane, 1, 2);
	plane_arrive(plane);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").received, SOURCES * 2);
	plane_reach_all(plane);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, SOURCES * 3);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").delivered, SOURCES * 2);
	plane_close(plane);
}

/* What the partition refers to stays until it has arrived. */
static void test_group_goes_meanwhile(void)
{
	struct plane *plane = open_two("[" BLIND "," NATIVE "]");
	struct client client;

	client_join(&client, plane, &reliable);
	client_grant_all(&client);
	receive_all(plane, 0, 3);
	client_collect(&client);
	let_go_all(plane, true, false);
	CU_ASSERT_EQUAL(count_owned(plane, WEIR_NO_WORKER), 4);
	plane_apply(plane, STREAM, "[" BLIND "]");
	weir_dataplane_reclaim(plane->dataplane);
	plane_arrive(plane);
	plane_forget_sent(plane);
	plane_reach_all(plane);
	plane_deliver(plane);
	expect_in_order(plane, 3);
	plane_forget_sent(plane);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(plane->dataplane->buffers), 0);
	plane_close(plane);
}

static void test_stream_goes_meanwhile(void)
{
	struct plane *plane = open_two("[" BLIND "]");

	plane_reach_all(plane);
	let_go_all(plane, true, false);
	plane_apply(plane, "[{'name':'t','partitions':8,'match':{'udp_port':1}}]",
		"[{'name':'g','streams':'t','consumers':[" CONSUMER("c", "198.51.100.9") "]}]");
	for (int i = 0; i < 5; i++) {
		weir_dataplane_reclaim(plane->dataplane);
		plane_follow(plane, 0);
		plane_follow(plane, 1);
	}
	plane_arrive(plane);
	plane_republish(plane);
	CU_ASSERT_EQUAL(plane->dataplane->model->stream_count, 1);
	plane_close(plane);
}

/* Whatever is on its way when the gateway ends is accounted for. */
static void test_ends_meanwhile(void)
{
	struct plane *plane = open_two("[" BLIND "]");

	receive_all(plane, 0, 3);
	plane_turn(plane);
	let_go_all(plane, true, true);
	CU_ASSERT_EQUAL(count_owned(plane, WEIR_NO_WORKER), PARTITIONS);
	receive_all(plane, 3, 1);
	plane_turn(plane);
	for (uint16_t id = 0; id < 2; id++)
		weir_worker_purge(&plane->dataplane->workers[id]);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").dropped[WEIR_REASON_SHUTDOWN], SOURCES * 3);
	plane_close(plane);
}

static void test_park_and_wake(void)
{
	struct plane *plane = open_two("[" BLIND "]");

	plane_reach_all(plane);
	CU_ASSERT_EQUAL(weir_worker_park(plane->dataplane, 2), -ENXIO);
	CU_ASSERT_EQUAL(weir_partition_set_worker(plane->dataplane, "t", 0, 0), -ENOENT);
	CU_ASSERT_EQUAL(weir_partition_set_worker(plane->dataplane, "s", 8, 0), -ERANGE);
	CU_ASSERT_EQUAL(weir_partition_set_worker(plane->dataplane, "s", 0, 2), -ENXIO);
	CU_ASSERT_EQUAL(weir_worker_park(plane->dataplane, 0), 0);
	CU_ASSERT_EQUAL(weir_worker_park(plane->dataplane, 1), -EBUSY);
	receive_all(plane, 0, 1);
	plane_arrive(plane);
	CU_ASSERT_EQUAL(count_owned(plane, 1), PARTITIONS);
	CU_ASSERT_EQUAL(weir_partition_set_worker(plane->dataplane, "s", 0, 0), -EBUSY);
	receive_all(plane, 1, 1);
	/* A new stream keeps off it, too. */
	plane_apply(plane,
		"[{'name':'s','key':'source','partitions':8},{'name':'t','partitions':8}]",
		"[" BLIND "]");
	for (uint16_t p = 0; p < PARTITIONS; p++)
		CU_ASSERT_EQUAL(plane->dataplane->model->streams[1].object->owners[p], 1);
	CU_ASSERT_EQUAL(weir_worker_wake(plane->dataplane, 0), 0);
	plane_arrive(plane);
	CU_ASSERT_TRUE(count_owned(plane, 0) >= 3);
	receive_all(plane, 2, 1);
	plane_deliver(plane);
	expect_in_order(plane, 3);
	plane_close(plane);
}

/* What it has for company goes, what comes later keeps off, and it stays through a rebalance. */
static void test_isolate(void)
{
	struct plane *plane = open_two("[" BLIND "]");
	struct weir_stream *stream = stream_of(plane);
	uint16_t worker = stream->wanted[3];

	plane_reach_all(plane);
	receive_all(plane, 0, 1);
	CU_ASSERT_EQUAL(weir_partition_rejoin(plane->dataplane, "s", 3), -EALREADY);
	CU_ASSERT_EQUAL(weir_partition_isolate(plane->dataplane, "s", 3), 0);
	CU_ASSERT_EQUAL(weir_partition_isolate(plane->dataplane, "s", 3), -EALREADY);
	plane_arrive(plane);
	CU_ASSERT_EQUAL(count_owned(plane, worker), 1);
	CU_ASSERT_EQUAL(weir_stream_owner(stream, 3), worker);
	CU_ASSERT_EQUAL(weir_partition_isolate(plane->dataplane, "s", 2), -EBUSY);
	CU_ASSERT_EQUAL(weir_worker_park(plane->dataplane, (uint16_t)!worker), -EBUSY);
	CU_ASSERT_EQUAL(weir_partition_set_worker(plane->dataplane, "s", 2, worker), -EBUSY);
	CU_ASSERT_EQUAL(
		weir_partition_set_worker(plane->dataplane, "s", 3, (uint16_t)!worker), -EALREADY);
	CU_ASSERT_EQUAL(weir_workers_rebalance(plane->dataplane, false, NULL, NULL), 0);
	plane_arrive(plane);
	CU_ASSERT_EQUAL(count_owned(plane, worker), 1);
	receive_all(plane, 1, 1);
	CU_ASSERT_EQUAL(weir_partition_rejoin(plane->dataplane, "s", 3), 0);
	plane_arrive(plane);
	CU_ASSERT_TRUE(count_owned(plane, worker) >= 3);
	plane_deliver(plane);
	expect_in_order(plane, 2);
	plane_close(plane);
}

static void test_isolated_stream_goes(void)
{
	struct plane *plane = open_two("[" BLIND "]");

	CU_ASSERT_EQUAL(weir_partition_isolate(plane->dataplane, "s", 3), 0);
	plane_arrive(plane);
	plane_apply(plane, "[{'name':'t','partitions':8,'match':{'udp_port':1}}]",
		"[{'name':'g','streams':'t','consumers':[" CONSUMER("c", "198.51.100.9") "]}]");
	CU_ASSERT_EQUAL(plane->dataplane->moves.reserved, 0);
	plane_arrive(plane);
	plane_close(plane);
}

/* Who has but a few partitions has at least half of an equal share of the buffers. */
static void test_budget_follows(void)
{
	struct plane *plane =
		plane_open_with("[{'name':'s','key':'source','partitions':8,'buffers':1600}]",
			"[" BLIND "]", &(struct plane_options){.workers = 2});
	const struct weir_stream_local *local = stream_of(plane)->local;

	CU_ASSERT_EQUAL(local[0].limit, 800);
	for (uint16_t p = 0; p < PARTITIONS - 2; p++)
		weir_partition_set_worker(plane->dataplane, "s", p, 1);
	CU_ASSERT_TRUE(local[0].limit >= 800); /* until they have left */
	plane_arrive(plane);
	CU_ASSERT_EQUAL(local[0].limit + local[1].limit, 1600);
	CU_ASSERT_EQUAL(local[0].limit, 500);
	plane_close(plane);
}

static void acknowledge_some(struct client *client)
{
	client_collect(client);
	for (uint16_t p = 0; p < PARTITIONS; p++)
		if (client->lanes[p].is_known && rand() % 2 == 0)
			client_ack(client, p, client->lanes[p].next_seq, client->lanes[p].next_seq);
}

/* Turns, snapshots and packets in any order at all, on both workers. */
static void step_at_random(struct plane *plane, uint32_t *sent)
{
	switch (rand() % 8) {
	case 0:
		weir_partition_set_worker(plane->dataplane, "s", (uint16_t)(rand() % PARTITIONS),
			(uint16_t)(rand() % 2));
		return;
	case 1:
		weir_dataplane_reclaim(plane->dataplane);
		return;
	case 2:
	case 3:
		plane_follow(plane, (uint16_t)(rand() % 2));
		return;
	case 4:
		for (uint8_t source = 1; source <= SOURCES && *sent < ROUNDS; source++) {
			receive_at(plane, source % 2);
			plane_receive_numbered(plane, source, source * 100000u + *sent, 1, 60);
		}
		*sent += *sent < ROUNDS;
		return;
	case 5:
		weir_dataplane_republish(plane->dataplane);
		return;
	default:
		plane_turn_worker(plane, (uint16_t)(rand() % 2));
		plane_advance(plane, (uint64_t)(rand() % 100));
	}
}

static void test_at_random(void)
{
	for (unsigned int seed = 1; seed <= 8; seed++) {
		struct plane *plane = open_two("[" BLIND "," NATIVE "]");
		struct client client;
		uint32_t sent = 0, broken = 0;

		srand(seed);
		client_join(&client, plane, &reliable);
		client_grant_all(&client);
		plane_reach_all(plane);
		for (int i = 0; i < 2000; i++) {
			step_at_random(plane, &sent);
			if (!weir_moves_are_under_way(plane->dataplane))
				broken += !plane_law_holds(plane);
		}
		CU_ASSERT_EQUAL(broken, 0);
		receive_at(plane, 0);
		plane_arrive(plane);
		plane_deliver(plane);
		expect_in_order(plane, sent);
		CU_ASSERT_TRUE(plane->dataplane->moves.arrived > 20);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, SOURCES * sent);
		for (int i = 0; i < 50; i++)
			acknowledge_some(&client);
		plane_deliver(plane);
		CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, SOURCES * sent);
		plane_close(plane);
	}
}

CU_TestInfo dataplane_transit_tests[] = {
	{"a partition takes along what it holds", test_takes_all_along},
	{"what comes while it moves comes after what came before", test_limbo_keeps_order},
	{"what waits for a partition is bounded, and counted", test_limbo_is_bounded},
	{"what is in flight goes along", test_in_flight_goes_along},
	{"silence is noticed by the new owner", test_timer_goes_along},
	{"a group that comes meanwhile misses nothing", test_group_comes_meanwhile},
	{"a group may go meanwhile", test_group_goes_meanwhile},
	{"a stream may go meanwhile", test_stream_goes_meanwhile},
	{"the gateway may end meanwhile", test_ends_meanwhile},
	{"a parked worker has no partitions, and gets some when it wakes", test_park_and_wake},
	{"a hot partition has its worker to itself until it is released", test_isolate},
	{"a worker is free again when the hot partition's stream goes", test_isolated_stream_goes},
	{"buffers follow the partitions", test_budget_follows},
	{"nothing is lost or reordered, whoever is first", test_at_random},
	CU_TEST_INFO_NULL,
};
