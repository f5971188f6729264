/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/direct.h"

#include <stdio.h>
#include <string.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

/* Messages for several groups past their ring, beside the same messages by the ring. */

#define STREAM "[{'name':'s','key':'source','partitions':4}]"
#define GROUP(name, address, more)                                                                 \
	"{'name':'" name "','streams':'s','consumers':[{'name':'" name "','address':'" address     \
	"','port':9995" more "}]}"
#define FIRST  GROUP("a", "198.51.100.1", "")
#define SECOND GROUP("b", "198.51.100.2", ",'source':'keep'")
#define THIRD  GROUP("c", "198.51.100.3", ",'source':'keep'")
#define GROUPS "[" FIRST "," SECOND "," THIRD "]"

#define COUNT    (2 * WEIR_BURST)
#define LENGTHS  64  /* of payloads, from 4 bytes on */
#define BYTES    160 /* more than a frame of these has */
#define NO_GROUP 3

static const char *const names[] = {"a", "b", "c"};

static uint32_t waiting(const struct plane *plane)
{
	return plane->worker->tx[1].count;
}

/* Plain frames, numbered in the first four bytes of their payload. */
static void pass(struct plane *plane, uint32_t first, uint32_t count, uint16_t more)
{
	struct rte_mbuf *packets[WEIR_BURST];
	uint8_t payload[1024];

	memset(payload, 0x5a, sizeof(payload));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = first + i;
		struct frame_spec spec = {.version = 4,
			.tos = (uint8_t)number,
			.no_checksum = number % 5 == 1,
			.bad_checksum = number % 5 == 2,
			.source = {4, {10, 0, 0, (uint8_t)number}},
			.destination = {4, {192, 0, 2, 1}},
			.source_port = (uint16_t)(2000 + number),
			.destination_port = 4739,
			.payload = payload,
			.payload_length = (uint16_t)(4 + more + number % LENGTHS)};

		memcpy(payload, &number, sizeof(number));
		packets[i] = plane_packet(plane, &spec);
	}
	weir_classify(plane->worker, &plane->ports[0], packets, count);
}

static struct plane *open_reached(const struct plane_options *options)
{
	struct plane *plane = plane_open_with(STREAM, GROUPS, options);

	plane_reach_all(plane);
	weir_direct_allow(plane->worker);
	return plane;
}

/* What came of the messages. */
struct outcome {
	struct weir_stream_stats stream;
	struct weir_group_stats groups[NO_GROUP];
	struct weir_consumer_stats consumers[NO_GROUP];
	uint64_t latencies;
	uint32_t lengths[NO_GROUP][COUNT]; /* by number */
	uint8_t frames[NO_GROUP][COUNT][BYTES];
};

static void keep_frame(struct plane *plane, uint32_t index, struct outcome *outcome)
{
	uint32_t group = plane_view(plane, index).destination.bytes[3] - 1u;
	uint32_t number = plane_number(plane, index), length;
	const uint8_t *frame = plane_sent(plane, index, &length);

	CU_ASSERT_FATAL(group < NO_GROUP && number < COUNT && length <= BYTES);
	CU_ASSERT_EQUAL(outcome->lengths[group][number], 0);
	outcome->lengths[group][number] = length;
	memcpy(outcome->frames[group][number], frame, length);
}

/* The fixture has one data plane at a time. */
static void find_outcome(bool is_direct, struct outcome *outcome)
{
	struct plane *plane = open_reached(&(const struct plane_options){0});
	struct weir_latency latencies[WEIR_LATENCY_COUNT];

	memset(outcome, 0, sizeof(*outcome));
	plane->worker->direct.may_send = is_direct;
	for (uint32_t first = 0; first < COUNT; first += WEIR_BURST) {
		pass(plane, first, WEIR_BURST, 0);
		/* A half of the port's queue went when it was full. */
		CU_ASSERT_EQUAL(plane->sent_count + waiting(plane),
			is_direct ? 3 * (first + WEIR_BURST) : 3 * first);
		CU_ASSERT_EQUAL(plane_deliver(plane), is_direct ? 0 : 3 * WEIR_BURST);
	}
	weir_latencies_report(plane->dataplane, latencies);
	outcome->latencies = weir_latency_total(&latencies[WEIR_LATENCY_SEND_STANDARD]);
	outcome->stream = plane_stream(plane, "s");
	for (uint32_t i = 0; i < NO_GROUP; i++) {
		outcome->groups[i] = plane_group(plane, "s", names[i]);
		outcome->consumers[i] = plane_consumer(plane, names[i]).stats;
	}
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 3 * COUNT);
	for (uint32_t i = 0; i < 3 * COUNT; i++)
		keep_frame(plane, i, outcome);
	plane_close(plane);
}

static void test_same_as_by_the_ring(void)
{
	static struct outcome direct, ring;

	find_outcome(true, &direct);
	find_outcome(false, &ring);
	CU_ASSERT_EQUAL(direct.groups[2].delivered, COUNT);
	CU_ASSERT_EQUAL(direct.latencies, 3 * COUNT);
	CU_ASSERT_EQUAL(memcmp(&direct, &ring, sizeof(ring)), 0);
}

/* Each group got all, and those of each source one after another. */
static void check_order(struct plane *plane, uint32_t count)
{
	uint32_t next[NO_GROUP][256] = {0};

	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 3 * count);
	for (uint32_t i = 0; i < plane->sent_count; i++) {
		uint32_t number = plane_number(plane, i);
		/* Messages of one source are of one partition. */
		uint32_t *source =
			&next[plane_view(plane, i).destination.bytes[3] - 1][number % 256];

		CU_ASSERT_EQUAL(number / 256, *source);
		(*source)++;
	}
}

/* While the port takes nothing half of its queue is filled; the rest waits, for all groups. */
static void test_full_port(void)
{
	struct plane *plane = open_reached(&(const struct plane_options){0});
	uint32_t count = 0;

	plane->accepts = 0;
	pass(plane, 0, WEIR_BURST, 0);
	CU_ASSERT_EQUAL(waiting(plane), WEIR_DIRECT_TX / 3 * 3);
	for (count = WEIR_BURST; count < 512; count += WEIR_BURST) {
		weir_direct_allow(plane->worker);
		pass(plane, count, WEIR_BURST, 0);
		plane_turn(plane);
	}
	CU_ASSERT_EQUAL(plane->sent_count, 0);
	plane->accepts = UINT32_MAX;
	plane_deliver(plane);
	check_order(plane, count);
	plane_close(plane);
}

/* Without buffers for all copies a message goes by the ring, and those behind it. */
static void test_no_buffers(void)
{
	struct plane *plane = open_reached(&(const struct plane_options){0});
	struct rte_mempool *pool = plane->dataplane->copies;
	uint32_t size = pool->size, taken = 0;
	struct rte_mbuf **all = calloc(size, sizeof(*all));

	CU_ASSERT_PTR_NOT_NULL_FATAL(all);
	while (taken < size && (all[taken] = rte_pktmbuf_alloc(pool)) != NULL)
		taken++;
	rte_pktmbuf_free_bulk(all, 5);
	pass(plane, 0, WEIR_BURST, 0);
	CU_ASSERT_EQUAL(waiting(plane), 2 * 3); /* of five buffers */
	plane_deliver(plane);
	rte_pktmbuf_free_bulk(all + 5, taken - 5);
	free(all);
	plane_advance(plane, 1000);
	plane_deliver(plane);
	check_order(plane, WEIR_BURST);
	plane_close(plane);
}

static void test_what_goes_by_the_ring(void)
{
	for (int chained = 0; chained < 2; chained++) {
		struct plane_options options = {.multi_segment = chained};
		struct plane *plane = open_reached(&options);

		/* Long payloads are referred to, where the port takes that. */
		pass(plane, 0, 8, WEIR_BLIND_COPY);
		CU_ASSERT_EQUAL(waiting(plane), chained ? 0 : 8 * 3);
		plane_deliver(plane);
		plane_unreach(plane, "b");
		weir_direct_allow(plane->worker);
		pass(plane, 8, 8, 0);
		CU_ASSERT_EQUAL(waiting(plane), 0);
		plane_reach(plane, "b");
		plane_deliver(plane);
		check_order(plane, 16);
		plane_close(plane);
	}
}

#define MANY 16 /* groups: more copies of so many than messages that a turn takes */
#define SOME 64

static struct plane *open_many(void)
{
	char groups[4096];
	size_t used = 0;

	for (int i = 0; i < MANY; i++)
		used += (size_t)snprintf(groups + used, sizeof(groups) - used,
			"%c{'name':'g%d','streams':'s','consumers':[{'name':'c%d','address':"
			"'198.51.100.%d','port':9995}]}",
			i == 0 ? '[' : ',', i, i, i + 1);
	snprintf(groups + used, sizeof(groups) - used, "]");
	return plane_open(STREAM, groups);
}

/* What had to wait for a consumer is made up for while more comes, and then nothing waits. */
static void test_backlog_of_many(void)
{
	struct plane *plane = open_many();
	uint32_t bursts = 0;

	pass(plane, 0, SOME, 0);
	plane_turn(plane);
	plane_reach_all(plane);
	for (bool is_direct = false; !is_direct && bursts < 8; bursts++) {
		weir_direct_allow(plane->worker);
		is_direct = plane->worker->direct.may_send;
		pass(plane, SOME, SOME, 0);
		plane_turn(plane);
	}
	CU_ASSERT_TRUE(bursts > 2 && bursts < 8);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, MANY * SOME * (bursts + 1));
	plane_close(plane);
}

CU_TestInfo dataplane_fan_tests[] = {
	{"what passes its ring is sent to all groups and counted as if it had not",
		test_same_as_by_the_ring},
	{"a port that takes nothing makes the rest wait, in order", test_full_port},
	{"without buffers for all copies a message waits", test_no_buffers},
	{"long ones, and where one group cannot be reached, go by the ring",
		test_what_goes_by_the_ring},
	{"a backlog of many groups is worked off while more comes", test_backlog_of_many},
	CU_TEST_INFO_NULL,
};
