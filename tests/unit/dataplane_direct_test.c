/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/direct.h"

#include <string.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

/* Messages that pass their ring, beside the same messages by the ring. */

#define STREAM(more) "[{'name':'s','key':'source','partitions':1" more "}]"
#define GROUP(more)                                                                                \
	"{'name':'g" more "','streams':'s','consumers':[" CONSUMER("c" more, "198.51.100.9") "]}"
#define LIMITED                                                                                    \
	"[{'name':'g','streams':'s','consumers':[{'name':'c','address':'198.51.100.9',"            \
	"'port':9995,'rate':{'packets_per_s':1000}}]}]"
#define SAMPLED                                                                                    \
	"[{'name':'g','streams':'s','sample':2,'consumers':[" CONSUMER("c", "198.51.100.9") "]}]"

#define LENGTHS 64 /* of payloads, from 4 bytes on */

static struct weir_partition *partition_of(struct plane *plane)
{
	return &plane->dataplane->published->streams[0].stream->partitions[0];
}

static uint32_t waiting(struct plane *plane)
{
	return plane->worker->tx[1].count;
}

/* One burst, of messages of some lengths, numbered in their first four bytes. */
static void receive(struct plane *plane, uint32_t first, uint32_t count, uint32_t without_headroom)
{
	struct rte_mbuf *packets[WEIR_BURST];
	uint8_t payload[LENGTHS + 4];

	memset(payload, 0x5a, sizeof(payload));
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = first + i;
		struct frame_spec spec = {.version = 4,
			.vlan = number % 7 == 3 ? 5 : 0,
			.tos = (uint8_t)number,
			.no_checksum = number % 5 == 1,
			.bad_checksum = number % 5 == 2,
			.source = {4, {10, 0, 0, (uint8_t)number}},
			.destination = {4, {192, 0, 2, 1}},
			.source_port = (uint16_t)(2000 + number),
			.destination_port = 4739,
			.payload = payload,
			.payload_length = (uint16_t)(4 + number % LENGTHS)};

		memcpy(payload, &number, sizeof(number));
		packets[i] = plane_packet(plane, &spec);
		if (i == without_headroom) {
			uint8_t *frame = rte_pktmbuf_mtod(packets[i], uint8_t *);

			packets[i]->data_off = 0;
			memmove(packets[i]->buf_addr, frame, packets[i]->data_len);
		}
	}
	weir_classify(plane->worker, &plane->ports[0], packets, count);
}

/* What the worker's loop does before it receives. */
static void pass(struct plane *plane, uint32_t first, uint32_t count)
{
	weir_direct_allow(plane->worker);
	receive(plane, first, count, UINT32_MAX);
}

static struct plane *open_reached(const char *streams, const char *groups)
{
	struct plane *plane = plane_open(streams, groups);

	plane_reach_all(plane);
	return plane;
}

#define COUNT (2 * WEIR_BURST)
#define BYTES 160 /* more than a frame of these has */

/* What came of the messages. */
struct outcome {
	struct weir_stream_stats stream;
	struct weir_group_stats group;
	struct weir_consumer_stats consumer;
	uint64_t latencies; /* messages of the tier */
	uint32_t lengths[COUNT];
	uint8_t frames[COUNT][BYTES];
};

/* The fixture has one data plane at a time. */
static void find_outcome(bool is_direct, struct outcome *outcome)
{
	struct plane *plane = open_reached(STREAM(), "[" GROUP() "]");
	struct weir_latency latencies[WEIR_LATENCY_COUNT];
	struct weir_partition *partition = partition_of(plane);

	memset(outcome, 0, sizeof(*outcome));
	for (uint32_t first = 0; first < COUNT; first += WEIR_BURST) {
		if (is_direct)
			weir_direct_allow(plane->worker);
		receive(plane, first, WEIR_BURST, UINT32_MAX);
		/* Nothing has been scheduled yet. */
		CU_ASSERT_EQUAL(waiting(plane), is_direct ? WEIR_BURST : 0);
		CU_ASSERT_EQUAL(partition->head - partition->tail, is_direct ? 0 : WEIR_BURST);
		CU_ASSERT_EQUAL(plane_deliver(plane), is_direct ? 0 : WEIR_BURST);
	}
	weir_latencies_report(plane->dataplane, latencies);
	outcome->latencies = weir_latency_total(&latencies[WEIR_LATENCY_SEND_STANDARD]);
	outcome->stream = plane_stream(plane, "s");
	outcome->group = plane_group(plane, "s", "g");
	outcome->consumer = plane_consumer(plane, "c").stats;
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		const uint8_t *frame = plane_sent(plane, i, &outcome->lengths[i]);

		CU_ASSERT_FATAL(outcome->lengths[i] <= BYTES);
		memcpy(outcome->frames[i], frame, outcome->lengths[i]);
	}
	plane_close(plane);
}

static void test_same_as_by_the_ring(void)
{
	static struct outcome direct, ring;

	find_outcome(true, &direct);
	find_outcome(false, &ring);
	CU_ASSERT_EQUAL(direct.group.delivered, COUNT);
	CU_ASSERT_EQUAL(direct.latencies, COUNT);
	CU_ASSERT_EQUAL(ring.latencies, COUNT);
	CU_ASSERT_EQUAL(memcmp(&direct.stream, &ring.stream, sizeof(ring.stream)), 0);
	CU_ASSERT_EQUAL(memcmp(&direct.group, &ring.group, sizeof(ring.group)), 0);
	CU_ASSERT_EQUAL(memcmp(&direct.consumer, &ring.consumer, sizeof(ring.consumer)), 0);
	CU_ASSERT_EQUAL(memcmp(direct.lengths, ring.lengths, sizeof(ring.lengths)), 0);
	CU_ASSERT_EQUAL(memcmp(direct.frames, ring.frames, sizeof(ring.frames)), 0);
}

/* A message that cannot pass holds those behind it in the ring. */
static void test_order(void)
{
	struct plane *plane = open_reached(STREAM(), "[" GROUP() "]");

	weir_direct_allow(plane->worker);
	receive(plane, 0, 9, 4);
	CU_ASSERT_EQUAL(waiting(plane), 4);
	CU_ASSERT_EQUAL(partition_of(plane)->head - partition_of(plane)->tail, 5);
	/* Those wait now: in the next loop nothing passes them. */
	pass(plane, 9, 3);
	CU_ASSERT_EQUAL(waiting(plane), 4);
	plane_deliver(plane);
	pass(plane, 12, 3);
	CU_ASSERT_EQUAL(waiting(plane), 3);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 15);
	for (uint32_t i = 0; i < 15; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), i);
	plane_close(plane);
}

/* The other half of the port's queue is for what is scheduled. */
static void test_room(void)
{
	struct plane *plane = open_reached(STREAM(), "[" GROUP() "]");
	uint32_t count = 0;

	for (; count < 2 * WEIR_DIRECT_TX; count += WEIR_BURST / 2)
		pass(plane, count, WEIR_BURST / 2);
	CU_ASSERT_EQUAL(waiting(plane), WEIR_DIRECT_TX);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, count);
	for (uint32_t i = 0; i < count; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), i);
	plane_close(plane);
}

static void test_who_waits_for_the_port(void)
{
	struct plane *plane = open_reached(STREAM(), "[" GROUP() "]");
	uint32_t count = 0;

	plane->accepts = 0;
	for (; count < 2 * WEIR_TX_SIZE; count += WEIR_BURST) {
		pass(plane, count, WEIR_BURST);
		plane_turn(plane);
	}
	CU_ASSERT_EQUAL(plane->sent_count, 0);
	plane->accepts = 2 * WEIR_TX_SIZE;
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, count);
	for (uint32_t i = 0; i < count; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), i);
	plane_close(plane);
}

static void test_what_goes_by_the_ring(void)
{
	static const struct {
		const char *streams, *groups;
		bool is_unreachable, is_off;
	} cases[] = {
		{STREAM(",'tier':'critical'"), "[" GROUP() "]", false, false},
		{STREAM(",'ring':{'retain_ms':1000}"), "[" GROUP() "]", false, false},
		{STREAM(), LIMITED, false, false},
		{STREAM(), SAMPLED, false, false},
		{STREAM(), "[" GROUP() "]", true, false},
		{STREAM(), "[" GROUP() "]", false, true},
		{STREAM(), "[]", false, false},
	};

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct plane *plane = open_reached(cases[i].streams, cases[i].groups);

		if (cases[i].is_unreachable)
			plane_unreach(plane, "c");
		if (cases[i].is_off)
			partition_of(plane)->features = 0;
		pass(plane, 0, 5);
		CU_ASSERT_EQUAL(waiting(plane), 0);
		CU_ASSERT_EQUAL(plane_stream(plane, "s").received, 5);
		plane_deliver(plane);
		plane_close(plane);
	}
}

CU_TestInfo dataplane_direct_tests[] = {
	{"what passes its ring is sent and counted as if it had not", test_same_as_by_the_ring},
	{"a message that waits is not overtaken", test_order},
	{"half of the port's queue is left", test_room},
	{"who waits for the port comes first", test_who_waits_for_the_port},
	{"what is limited, sampled or kept goes by the ring", test_what_goes_by_the_ring},
	CU_TEST_INFO_NULL,
};
