/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane_fixture.h"
#include "dataplane_tests.h"

#define ONE_GROUP "[{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.7") "]}]"

static void test_order(void)
{
	struct plane *plane = plane_open("[{'name':'s','key':'source','partitions':8}]", ONE_GROUP);
	uint32_t next[256] = {0};
	struct weir_stream_stats stream;
	struct weir_group_stats group;

	plane_reach_all(plane);
	for (uint32_t round = 0; round < 50; round++)
		for (uint8_t source = 1; source <= 20; source++)
			plane_receive_numbered(plane, source, source * 1000u + round, 1, 100);
	CU_ASSERT_EQUAL(plane_deliver(plane), 1000);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 1000);
	for (uint32_t i = 0; i < plane->sent_count; i++) {
		uint32_t number = plane_number(plane, i);

		CU_ASSERT_EQUAL(number % 1000, next[number / 1000]);
		next[number / 1000]++;
	}
	stream = plane_stream(plane, "s");
	group = plane_group(plane, "s", "g");
	CU_ASSERT_EQUAL(stream.received, 1000);
	CU_ASSERT_EQUAL(stream.received_bytes, 100000);
	CU_ASSERT_EQUAL(stream.appended, 1000);
	CU_ASSERT_EQUAL(group.received, 1000);
	CU_ASSERT_EQUAL(group.held, 0);
	CU_ASSERT_EQUAL(group.delivered, 1000);
	CU_ASSERT_EQUAL(group.delivered_bytes, 100000);
	plane_close(plane);
}

/* The newest are kept, and the oldest are counted, each once. */
static void check_kept(struct plane *plane, uint32_t sent, uint32_t kept)
{
	struct weir_group_stats group = plane_group(plane, "s", "g");

	CU_ASSERT_EQUAL(group.received, sent);
	CU_ASSERT_EQUAL(group.dropped[WEIR_REASON_LAPPED], sent - kept);
	CU_ASSERT_EQUAL(group.held, kept);
	plane_reach_all(plane);
	CU_ASSERT_EQUAL(plane_deliver(plane), kept);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, kept);
	for (uint32_t i = 0; i < kept; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), sent - kept + i);
	group = plane_group(plane, "s", "g");
	CU_ASSERT_EQUAL(group.delivered, kept);
	CU_ASSERT_EQUAL(group.dropped[WEIR_REASON_LAPPED], sent - kept);
}

static void test_bound_messages(void)
{
	struct plane *plane =
		plane_open("[{'name':'s','partitions':1,'ring':{'messages':16}}]", ONE_GROUP);

	plane_receive_numbered(plane, 1, 0, 40, 100);
	check_kept(plane, 40, 16);
	plane_close(plane);
}

static void test_bound_bytes(void)
{
	struct plane *plane = plane_open(
		"[{'name':'s','partitions':1,'ring':{'messages':1024,'bytes':65536}}]", ONE_GROUP);

	plane_receive_numbered(plane, 1, 0, 100, 1400);
	check_kept(plane, 100, 65536 / 1400);
	plane_close(plane);
}

static void test_bound_age_swept(void)
{
	struct plane *plane =
		plane_open("[{'name':'s','partitions':1,'ring':{'age_ms':10}}]", ONE_GROUP);
	struct weir_group_stats group;

	plane_receive_numbered(plane, 1, 0, 5, 100);
	plane_advance(plane, 6000);
	plane_receive_numbered(plane, 1, 5, 3, 100);
	plane_advance(plane, 6000);
	weir_partition_sweep(plane->worker);
	group = plane_group(plane, "s", "g");
	CU_ASSERT_EQUAL(group.dropped[WEIR_REASON_EXPIRED], 5);
	CU_ASSERT_EQUAL(group.held, 3);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(plane->dataplane->buffers), 3);
	plane_reach_all(plane);
	CU_ASSERT_EQUAL(plane_deliver(plane), 3);
	CU_ASSERT_EQUAL(plane_number(plane, 0), 5);
	plane_close(plane);
}

/* Nothing too old is sent even when it was not swept. */
static void test_bound_age_at_delivery(void)
{
	struct plane *plane =
		plane_open("[{'name':'s','partitions':1,'ring':{'age_ms':10}}]", ONE_GROUP);

	plane_receive_numbered(plane, 1, 0, 5, 100);
	plane_advance(plane, 12000);
	plane_receive_numbered(plane, 1, 5, 2, 100);
	plane_reach_all(plane);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 2);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").dropped[WEIR_REASON_EXPIRED], 5);
	plane_close(plane);
}

/* Flooding one stream takes its own buffers only: the other still gets all of its budget. */
static void test_budget(void)
{
	struct plane *plane = plane_open(
		"[{'name':'s','match':{'source':'10.0.0.1/32'},'partitions':1,'buffers':64,"
		"'ring':{'messages':1024}},"
		"{'name':'t','match':{'source':'10.0.0.2/32'},'partitions':1,'buffers':64,"
		"'ring':{'messages':1024}}]",
		"[{'name':'g','streams':['s','t'],'consumers':[" CONSUMER(
			"c", "198.51.100.7") "]}]");
	struct weir_group_stats group;

	plane_receive_numbered(plane, 1, 0, 1000, 100);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(plane->dataplane->buffers), 64);
	plane_receive_numbered(plane, 2, 0, 64, 100);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(plane->dataplane->buffers), 128);
	group = plane_group(plane, "s", "g");
	CU_ASSERT_EQUAL(group.dropped[WEIR_REASON_LAPPED], 1000 - 64);
	group = plane_group(plane, "t", "g");
	CU_ASSERT_EQUAL(group.held, 64);
	CU_ASSERT_EQUAL(group.dropped[WEIR_REASON_LAPPED], 0);
	plane_close(plane);
}

/* Sources that fall into different ones of two partitions. */
static void find_sources(struct plane *plane, uint8_t *first, uint8_t *second)
{
	const struct weir_stream *stream = plane->dataplane->published->streams[0].stream;
	uint64_t head = stream->partitions[0].head;

	*first = 0;
	*second = 0;
	for (uint8_t source = 1; *first == 0 || *second == 0; source++) {
		plane_receive_numbered(plane, source, 0, 1, 100);
		if (stream->partitions[0].head != head)
			*first = source;
		else
			*second = source;
		head = stream->partitions[0].head;
	}
}

/* What nobody takes gives way, not what is served: the fullest partition is lapped. */
static void test_budget_of_empty_partition(void)
{
	struct plane *plane =
		plane_open("[{'name':'s','key':'source','partitions':2,'buffers':64}]", ONE_GROUP);
	struct weir_stream_stats before, stream;
	uint8_t first, second;

	find_sources(plane, &first, &second);
	plane_reach_all(plane);
	plane_deliver(plane);
	plane_unreach(plane, "c");
	plane_receive_numbered(plane, first, 0, 64, 100);
	before = plane_stream(plane, "s");
	plane_receive_numbered(plane, second, 0, 10, 100);
	stream = plane_stream(plane, "s");
	CU_ASSERT_EQUAL(stream.dropped[WEIR_REASON_BUDGET], 0);
	CU_ASSERT_EQUAL(stream.appended, before.appended + 10);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").dropped[WEIR_REASON_LAPPED], 10);
	plane_close(plane);
}

static void test_no_group(void)
{
	struct plane *plane = plane_open("[{'name':'s'},{'name':'t'}]",
		"[{'name':'g','streams':'t','consumers':[" CONSUMER("c", "198.51.100.7") "]}]");

	plane_receive_numbered(plane, 1, 0, 7, 100);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").dropped[WEIR_REASON_NO_GROUP], 7);
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(plane->dataplane->buffers), 0);
	plane_close(plane);
}

static void count_partition(void *context, const struct weir_partition_report *partition)
{
	uint64_t *lag = context;

	CU_ASSERT_EQUAL(partition->held, partition->head - partition->tail);
	CU_ASSERT_EQUAL(partition->bytes, partition->held * 100);
	CU_ASSERT_EQUAL_FATAL(partition->lane_count, 1);
	*lag += partition->lanes[0].lag;
}

/* What the counters say is held is what the lanes have yet to take. */
static void test_partitions_agree(void)
{
	struct plane *plane = plane_open("[{'name':'s','key':'source','partitions':8}]", ONE_GROUP);
	struct weir_group_stats group;
	uint64_t lag = 0;

	for (uint8_t source = 1; source <= 100; source++)
		plane_receive_numbered(plane, source, 0, source % 7, 100);
	group = plane_group(plane, "s", "g");
	CU_ASSERT_EQUAL(weir_partitions_report(plane->dataplane, "s", count_partition, &lag), 0);
	CU_ASSERT_EQUAL(lag, group.held);
	CU_ASSERT_NOT_EQUAL(lag, 0);
	plane_close(plane);
}

CU_TestInfo dataplane_ring_tests[] = {
	{"messages of a key leave in the order they came, all accounted for", test_order},
	{"a ring full of messages keeps the newest", test_bound_messages},
	{"a ring full of bytes keeps the newest", test_bound_bytes},
	{"messages nobody takes expire", test_bound_age_swept},
	{"nothing expired is sent", test_bound_age_at_delivery},
	{"a stream cannot take another's buffers", test_budget},
	{"a partition that nobody takes from gives way to others", test_budget_of_empty_partition},
	{"a stream that no group takes is counted", test_no_group},
	{"partitions and counters agree on what is held", test_partitions_agree},
	CU_TEST_INFO_NULL,
};
