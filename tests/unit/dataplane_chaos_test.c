/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/chaos.h"

#include <string.h>

#include "dataplane_client.h"
#include "dataplane_tests.h"

/* What injected faults do to packets, and that each packet is accounted for all the same. */

#define STREAM  "[{'name':'s','key':'source','partitions':1}]"
#define GROUP   "[{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.9") "]}]"
#define NATIVE  "[{'name':'n','class':'native','streams':'s'}]"
#define PACKETS 1000
#define LENGTH  60

static void follow(struct plane *plane)
{
	weir_chaos_follow(plane->worker, atomic_load(&plane->dataplane->chaos));
	weir_dataplane_reclaim(plane->dataplane);
}

static void set(struct plane *plane, enum weir_chaos_kind kind, double percent, uint64_t ms)
{
	static uint32_t id;
	const struct weir_chaos_fault fault = {.id = ++id,
		.seed = 7,
		.share = (uint64_t)((double)WEIR_CHAOS_ALL * percent / 100),
		.until = plane->worker->now + 10000000 * plane->worker->cycles_per_us,
		.cycles = ms * 1000 * plane->worker->cycles_per_us,
		.port = WEIR_CHAOS_ANY,
		.consumer = WEIR_CHAOS_ANY};

	CU_ASSERT_EQUAL(weir_chaos_set(plane->dataplane, kind, &fault), 0);
	follow(plane);
}

static void end(struct plane *plane, enum weir_chaos_kind kind)
{
	CU_ASSERT_EQUAL(weir_chaos_set(plane->dataplane, kind, NULL), 0);
	follow(plane);
}

/* Numbered datagrams of one source, in bursts of so many. */
static void receive(struct plane *plane, uint32_t first, uint32_t count, uint32_t burst)
{
	struct rte_mbuf *packets[WEIR_BURST];
	uint8_t payload[LENGTH];

	memset(payload, 0xa5, sizeof(payload));
	for (uint32_t i = 0; i < count; i += burst) {
		for (uint32_t j = 0; j < burst; j++) {
			uint32_t number = first + i + j;
			uint8_t frame[FRAME_MAX];
			uint32_t length;

			memcpy(payload, &number, sizeof(number));
			length = frame_build(&(struct frame_spec){.version = 4,
						     .source = {4, {10, 0, 0, 1}},
						     .destination = {4, {192, 0, 2, 1}},
						     .source_port = 2055,
						     .destination_port = 4739,
						     .payload = payload,
						     .payload_length = LENGTH},
				frame);

			packets[j] = rte_pktmbuf_alloc(plane->dataplane->buffers);
			CU_ASSERT_PTR_NOT_NULL_FATAL(packets[j]);
			memcpy(rte_pktmbuf_append(packets[j], (uint16_t)length), frame, length);
		}
		weir_chaos_receive(plane->worker, &plane->ports[0], packets, burst);
	}
}

static uint64_t received(const struct plane *plane)
{
	return plane->worker->port_stats[0].received;
}

static uint64_t hits(const struct plane *plane, enum weir_chaos_kind kind)
{
	return weir_chaos_count(plane->dataplane, kind);
}

/* Bit a packet of the first 64: it was not dropped. */
static uint64_t survivors(uint32_t burst, bool with_others)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	uint64_t seen = 0;

	plane_reach_all(plane);
	set(plane, WEIR_CHAOS_DROP, 30, 0);
	if (with_others)
		set(plane, WEIR_CHAOS_DUPLICATE, 30, 0);
	receive(plane, 0, 64, burst);
	plane_deliver(plane);
	for (uint32_t i = 0; i < plane->sent_count; i++)
		seen |= UINT64_C(1) << plane_number(plane, i);
	plane_close(plane);
	return seen;
}

static void test_seed(void)
{
	uint64_t seen = survivors(32, false);

	CU_ASSERT_TRUE(seen != 0 && seen != UINT64_MAX);
	CU_ASSERT_EQUAL(survivors(8, false), seen);
	CU_ASSERT_EQUAL(survivors(1, false), seen);
	CU_ASSERT_EQUAL(survivors(16, true), seen);
}

/* PACKETS have come while a part of them met the fault, and are delivered. */
static struct plane *delivered(enum weir_chaos_kind kind, double percent)
{
	struct plane *plane = plane_open(STREAM, GROUP);

	plane_reach_all(plane);
	set(plane, kind, percent, 0);
	receive(plane, 0, PACKETS, 20);
	plane_deliver(plane);
	return plane;
}

static void test_drop(void)
{
	struct plane *plane = delivered(WEIR_CHAOS_DROP, 20);
	uint64_t dropped = hits(plane, WEIR_CHAOS_DROP);

	CU_ASSERT_TRUE(dropped > PACKETS / 10 && dropped < PACKETS * 3 / 10);
	CU_ASSERT_EQUAL(plane->worker->port_stats[0].dropped[WEIR_REASON_CHAOS_DROP], dropped);
	CU_ASSERT_EQUAL(received(plane), PACKETS);
	CU_ASSERT_EQUAL(plane->sent_count, PACKETS - dropped);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_close(plane);
}

static void test_duplicate(void)
{
	struct plane *plane = delivered(WEIR_CHAOS_DUPLICATE, 50);
	uint64_t copies = hits(plane, WEIR_CHAOS_DUPLICATE);

	CU_ASSERT_TRUE(copies > PACKETS / 4 && copies < PACKETS * 3 / 4);
	CU_ASSERT_EQUAL(received(plane), PACKETS + copies);
	CU_ASSERT_EQUAL(plane->sent_count, PACKETS + copies);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_close(plane);
}

/* Each number once, and so many of them after a higher one. */
static uint32_t count_late(struct plane *plane)
{
	uint8_t seen[PACKETS] = {0};
	uint32_t late = 0, highest = 0;

	for (uint32_t i = 0; i < plane->sent_count; i++) {
		uint32_t number = plane_number(plane, i);

		CU_ASSERT_TRUE_FATAL(number < PACKETS);
		CU_ASSERT_EQUAL(seen[number]++, 0);
		late += number < highest;
		highest = RTE_MAX(highest, number);
	}
	return late;
}

static void test_reorder(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);

	plane_reach_all(plane);
	set(plane, WEIR_CHAOS_REORDER, 20, 0);
	receive(plane, 0, PACKETS - 8, 16);
	receive(plane, PACKETS - 8, 8, 1);
	end(plane, WEIR_CHAOS_REORDER);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, PACKETS);
	CU_ASSERT_TRUE(hits(plane, WEIR_CHAOS_REORDER) > PACKETS / 20);
	/* The last may have had nothing to come after. */
	CU_ASSERT_TRUE(count_late(plane) + 1 >= hits(plane, WEIR_CHAOS_REORDER));
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_close(plane);
}

static void test_delay(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	uint64_t held;

	plane_reach_all(plane);
	set(plane, WEIR_CHAOS_DELAY, 50, 5);
	receive(plane, 0, 200, 20);
	plane_deliver(plane);
	held = weir_chaos_held(plane->dataplane);
	CU_ASSERT_TRUE(held > 50 && held < 150);
	CU_ASSERT_EQUAL(hits(plane, WEIR_CHAOS_DELAY), held);
	CU_ASSERT_EQUAL(received(plane), 200 - held);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	CU_ASSERT_EQUAL(weir_chaos_turn(plane->worker), held);
	plane_advance(plane, 5000);
	CU_ASSERT_EQUAL(weir_chaos_turn(plane->worker), 0);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 200);
	/* There is an end to what is held back; the rest goes on. */
	receive(plane, 200, PACKETS, 50);
	receive(plane, 200 + PACKETS, PACKETS, 50);
	CU_ASSERT_EQUAL(weir_chaos_held(plane->dataplane), WEIR_CHAOS_HELD);
	/* What is held back when it ends is let go. */
	end(plane, WEIR_CHAOS_DELAY);
	CU_ASSERT_EQUAL(weir_chaos_held(plane->dataplane), 0);
	CU_ASSERT_EQUAL(received(plane), 200 + 2 * PACKETS);
	CU_ASSERT_PTR_NULL(plane->worker->chaos);
	plane_close(plane);
}

static void test_lose_blind(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct weir_group_stats stats;
	uint64_t lost;

	plane_reach_all(plane);
	set(plane, WEIR_CHAOS_LOSE, 20, 0);
	/* What the port does not take at once is chosen from once all the same. */
	for (uint32_t i = 0; i < 10; i++) {
		receive(plane, i * 100, 100, 50);
		plane->accepts = 30;
		plane_turn(plane);
		plane_turn(plane);
		plane_turn(plane);
		plane->accepts = UINT32_MAX;
		plane_deliver(plane);
	}
	lost = hits(plane, WEIR_CHAOS_LOSE);
	stats = plane_group(plane, "s", "g");
	CU_ASSERT_TRUE(lost > PACKETS / 10 && lost < PACKETS * 3 / 10);
	CU_ASSERT_EQUAL(stats.dropped[WEIR_REASON_CHAOS_LOSE], lost);
	CU_ASSERT_EQUAL(stats.delivered, PACKETS - lost);
	CU_ASSERT_EQUAL(plane->sent_count, PACKETS - lost);
	CU_ASSERT_EQUAL(plane->worker->tx[1].passed, PACKETS);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_close(plane);
}

/* What is lost after it was numbered is missed by who gets the rest. */
static void test_lose_native(void)
{
	struct plane *plane = plane_open(STREAM, NATIVE);
	struct client client;

	client_join(&client, plane, &(struct client_options){.single = true});
	client_grant_all(&client);
	set(plane, WEIR_CHAOS_LOSE, 30, 0);
	receive(plane, 0, 200, 20);
	plane_deliver(plane);
	end(plane, WEIR_CHAOS_LOSE);
	plane_receive_numbered(plane, 1, 200, 20, LENGTH);
	client_collect(&client);
	CU_ASSERT_TRUE(hits(plane, WEIR_CHAOS_LOSE) > 20);
	CU_ASSERT_EQUAL(client.message_count, 220 - hits(plane, WEIR_CHAOS_LOSE));
	CU_ASSERT_EQUAL(client.jumped, hits(plane, WEIR_CHAOS_LOSE));
	plane_close(plane);
}

static void test_bounds(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct weir_chaos_fault fault = {.id = 1000000,
		.share = WEIR_CHAOS_ALL,
		.until = plane->worker->now + 1000 * plane->worker->cycles_per_us,
		.port = 1};

	plane_reach_all(plane);
	CU_ASSERT_EQUAL(weir_chaos_set(plane->dataplane, WEIR_CHAOS_DROP, &fault), 0);
	follow(plane);
	receive(plane, 0, 20, 20);
	CU_ASSERT_EQUAL(hits(plane, WEIR_CHAOS_DROP), 0); /* by another port */
	fault.port = 0;
	fault.id++;
	CU_ASSERT_EQUAL(weir_chaos_set(plane->dataplane, WEIR_CHAOS_DROP, &fault), 0);
	follow(plane);
	receive(plane, 20, 20, 20);
	CU_ASSERT_EQUAL(hits(plane, WEIR_CHAOS_DROP), 20);
	plane_advance(plane, 1000); /* over, though nobody has said so */
	receive(plane, 40, 20, 20);
	CU_ASSERT_EQUAL(hits(plane, WEIR_CHAOS_DROP), 20);
	plane_close(plane);
}

static void test_stall(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	uint64_t before = rte_rdtsc(), took;

	set(plane, WEIR_CHAOS_STALL, 0, 20);
	plane_advance(plane, 1);
	weir_chaos_turn(plane->worker);
	took = (rte_rdtsc() - before) / plane->worker->cycles_per_us;
	CU_ASSERT_TRUE(took >= 20000);
	CU_ASSERT_EQUAL(hits(plane, WEIR_CHAOS_STALL), 1);
	weir_chaos_turn(plane->worker); /* once */
	CU_ASSERT_EQUAL(hits(plane, WEIR_CHAOS_STALL), 1);
	plane_close(plane);
}

/* What is for this worker itself does not pass the mesh. */
static void test_block(void)
{
	struct plane *plane = plane_open_with("[{'name':'s','key':'source','partitions':8}]", GROUP,
		&(struct plane_options){.workers = 2});
	struct weir_stream_stats stats;

	plane_reach_all(plane);
	set(plane, WEIR_CHAOS_BLOCK, 100, 0);
	for (uint8_t source = 1; source <= 60; source++)
		plane_receive_numbered(plane, source, 0, 2, LENGTH);
	plane_deliver(plane);
	stats = plane_stream(plane, "s");
	CU_ASSERT_TRUE(stats.dropped[WEIR_REASON_MESH_FULL] > 10);
	CU_ASSERT_EQUAL(stats.dropped[WEIR_REASON_MESH_FULL], hits(plane, WEIR_CHAOS_BLOCK));
	CU_ASSERT_EQUAL(stats.handed, 0);
	CU_ASSERT_EQUAL(plane->sent_count, 120 - stats.dropped[WEIR_REASON_MESH_FULL]);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	end(plane, WEIR_CHAOS_BLOCK);
	plane_receive_numbered(plane, 1, 2, 100, LENGTH);
	plane_receive_numbered(plane, 2, 2, 100, LENGTH);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").dropped[WEIR_REASON_MESH_FULL],
		stats.dropped[WEIR_REASON_MESH_FULL]);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_close(plane);
}

static void test_exhaust(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct rte_mempool *pool = plane->dataplane->buffers;
	uint32_t taken = weir_chaos_take(plane->dataplane, 90);

	CU_ASSERT_TRUE(taken <= pool->size * 9 / 10 && taken > pool->size * 8 / 10);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), taken);
	weir_chaos_give_back(plane->dataplane);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(pool), 0);
	CU_ASSERT_TRUE(weir_chaos_take(plane->dataplane, 100) > pool->size * 9 / 10);
	weir_chaos_give_back(plane->dataplane);
	plane_close(plane);
}

CU_TestInfo dataplane_chaos_tests[] = {
	{"the same seed makes the same choices, whatever the bursts are", test_seed},
	{"what is dropped has a reason of its own", test_drop},
	{"a copy counts as received", test_duplicate},
	{"packets come after the next, and none is lost", test_reorder},
	{"what is held back is let go, and then counts", test_delay},
	{"what is lost when sent is no longer delivered", test_lose_blind},
	{"a native consumer sees what was lost after it was numbered", test_lose_native},
	{"a fault keeps to its port and ends by itself", test_bounds},
	{"a stall lasts as long as it was told to, once", test_stall},
	{"what is for another worker finds the mesh full, and is counted", test_block},
	{"buffers that are taken away come back", test_exhaust},
	CU_TEST_INFO_NULL,
};
