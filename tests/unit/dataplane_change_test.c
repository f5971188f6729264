/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

#define STREAM "[{'name':'s','key':'source','partitions':16}]"
#define G      "{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.7") "]}"
#define H      "{'name':'h','streams':'s','consumers':[" CONSUMER("d", "198.51.100.8") "]}"

static const struct weir_attachment *attachment_of(struct plane *plane, uint32_t index)
{
	return plane->dataplane->published->streams[0].attachments[index].attachment;
}

static void test_group_removed(void)
{
	struct plane *plane = plane_open(STREAM, "[" G "," H "]");
	const struct weir_attachment *gone = attachment_of(plane, 1);

	plane_reach(plane, "c");
	plane_receive_numbered(plane, 1, 0, 100, 100);
	plane_deliver(plane);
	plane_apply(plane, STREAM, "[" G "]");
	/* Not freed before the next reclaim. */
	CU_ASSERT_EQUAL(gone->stats[WEIR_FEATURE_ALL].dropped[WEIR_REASON_REMOVED], 100);
	CU_ASSERT_EQUAL(gone->stats[WEIR_FEATURE_ALL].dropped[WEIR_REASON_REMOVED], 100);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 100);
	weir_dataplane_reclaim(plane->dataplane);
	plane_forget_sent(plane);
	plane_receive_numbered(plane, 1, 100, 10, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 10);
	plane_close(plane);
}

static void test_group_added(void)
{
	struct plane *plane = plane_open(STREAM, "[" G "]");

	plane_receive_numbered(plane, 1, 0, 100, 100);
	plane_apply(plane, STREAM, "[" G "," H "]");
	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 100, 10, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 110);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").received, 10);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").delivered, 10);
	plane_close(plane);
}

/* Each number of each source exactly once, in order, whoever got it. */
static void check_all_once(struct plane *plane, uint32_t per_source)
{
	uint32_t next[256] = {0};

	for (uint32_t i = 0; i < plane->sent_count; i++) {
		uint32_t number = plane_number(plane, i);

		CU_ASSERT_EQUAL(number % 1000, next[number / 1000]);
		next[number / 1000]++;
	}
	for (uint32_t source = 1; source <= 40; source++)
		CU_ASSERT_EQUAL(next[source], per_source);
}

static void receive_from_all(struct plane *plane, uint32_t first, uint32_t count)
{
	for (uint8_t source = 1; source <= 40; source++)
		plane_receive_numbered(plane, source, source * 1000u + first, count, 64);
}

static uint32_t partitions_of(struct plane *plane, const char *consumer)
{
	uint32_t *counts = calloc(WEIR_MAX_CONSUMERS, sizeof(*counts));
	uint32_t count;

	CU_ASSERT_PTR_NOT_NULL_FATAL(counts);
	weir_placement_count(plane->dataplane, counts);
	count = counts[weir_consumer_find(plane->dataplane, consumer)->slot];
	free(counts);
	return count;
}

static void test_consumer_moved(void)
{
	struct plane *plane =
		plane_open(STREAM, "[{'name':'g','streams':'s','consumers':[" CONSUMER("c",
					   "198.51.100.7") "," CONSUMER("d", "198.51.100.8") "]}]");
	struct weir_consumer_report before;

	plane_reach_all(plane);
	CU_ASSERT_EQUAL(partitions_of(plane, "c") + partitions_of(plane, "d"), 16);
	CU_ASSERT_TRUE(partitions_of(plane, "c") <= 10 && partitions_of(plane, "d") <= 10);
	receive_from_all(plane, 0, 10);
	plane_deliver(plane);
	receive_from_all(plane, 10, 10);
	plane_unreach(plane, "c");
	CU_ASSERT_EQUAL(partitions_of(plane, "d"), 16);
	before = plane_consumer(plane, "c");
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_consumer(plane, "c").stats.delivered, before.stats.delivered);
	plane_reach(plane, "c");
	receive_from_all(plane, 20, 10);
	plane_deliver(plane);
	CU_ASSERT_TRUE(plane_consumer(plane, "c").stats.delivered > before.stats.delivered);
	check_all_once(plane, 30);
	plane_close(plane);
}

static void test_stream_removed(void)
{
	struct plane *plane = plane_open(STREAM, "[" G "]");

	plane_receive_numbered(plane, 1, 0, 100, 100);
	plane_apply(plane, "[{'name':'t','partitions':1,'match':{'udp_port':1}}]",
		"[{'name':'g','streams':['t'],'consumers':[" CONSUMER("c", "198.51.100.7") "]}]");
	CU_ASSERT_EQUAL(rte_mempool_in_use_count(plane->dataplane->buffers), 0);
	plane_receive_numbered(plane, 1, 100, 5, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->worker->port_stats[0].kernel, 5);
	plane_close(plane);
}

/* New rings begin beside the old ones, which go when they are empty. */
static void test_stream_drains(void)
{
	struct plane *plane = plane_open(STREAM, "[" G "]");

	plane_receive_numbered(plane, 1, 0, 100, 100);
	plane_apply(plane, "[{'name':'s','key':'source','partitions':2}]", "[" G "]");
	CU_ASSERT_EQUAL(plane->dataplane->published->stream_count, 2);
	plane_receive_numbered(plane, 1, 100, 50, 100);
	plane_reach_all(plane);
	CU_ASSERT_EQUAL(plane->dataplane->published->stream_count, 2);
	CU_ASSERT_EQUAL(plane_deliver(plane), 150);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").received, 50);
	weir_dataplane_reclaim(plane->dataplane);
	CU_ASSERT_EQUAL(plane->dataplane->published->stream_count, 1);
	weir_worker_apply(plane->worker, plane->dataplane->published);
	weir_dataplane_reclaim(plane->dataplane);
	plane_close(plane);
}

/* Rings, positions and counters go on when something else changes. */
static void test_unchanged_goes_on(void)
{
	struct plane *plane = plane_open(STREAM, "[" G "]");

	plane_receive_numbered(plane, 1, 0, 100, 100);
	plane_apply(plane,
		"[{'name':'x','match':{'udp_port':1}},{'name':'s','key':'source',"
		"'partitions':16}]",
		"[" G "]");
	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 100, 100, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 200);
	for (uint32_t i = 0; i < 200; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), i);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").received, 200);
	plane_close(plane);
}

static void test_same_again(void)
{
	struct plane *plane = plane_open(STREAM, "[" G "]");
	const struct weir_snapshot *before = plane->dataplane->published;
	uint64_t generation = plane->dataplane->generation;

	CU_ASSERT_EQUAL(weir_census_take(plane->dataplane), 0);
	CU_ASSERT_EQUAL(weir_census_missing(plane->dataplane), -1);
	plane_apply(plane, STREAM, "[" G "]");
	CU_ASSERT_EQUAL(plane->dataplane->generation, generation + 1);
	CU_ASSERT_EQUAL(atomic_load(&plane->worker->applied), generation + 1);
	CU_ASSERT_PTR_NOT_EQUAL(plane->dataplane->published, before);
	plane_close(plane);
}

/* A worker that has gone over hands messages of a new stream to one that has not. */
static void test_worker_behind_takes_what_is_new(void)
{
	const struct plane_options options = {.workers = 2};
	struct plane *plane = plane_open_with(STREAM, "[" G "]", &options);
	struct weir_worker *behind = &plane->dataplane->workers[1];

	plane_publish(plane,
		"[{'name':'s','match':{'udp_port':1}},{'name':'t','key':'source','partitions':8}]",
		"[{'name':'g','streams':'t','consumers':[" CONSUMER("c", "198.51.100.7") "]}]");
	CU_ASSERT_TRUE(weir_worker_follow(plane->worker));
	CU_ASSERT_FALSE(weir_worker_follow(plane->worker));
	for (uint8_t source = 1; source <= 40; source++)
		plane_receive_numbered(plane, source, source * 10u, 10, 64);
	plane_reach(plane, "c");
	plane_deliver(plane);
	CU_ASSERT_EQUAL(behind->stats.stray, 0);
	CU_ASSERT_TRUE(behind->snapshot == plane->worker->snapshot);
	CU_ASSERT_EQUAL(plane->sent_count, 400);
	plane_close(plane);
}

/* A worker that does not answer is named, and the control thread goes on. */
static void test_census_is_bounded(void)
{
	struct plane *plane = plane_open(STREAM, "[" G "]");
	uint64_t begin = rte_rdtsc();

	plane->dataplane->is_running = true;
	CU_ASSERT_EQUAL(weir_census_take(plane->dataplane), -ETIMEDOUT);
	CU_ASSERT_EQUAL(weir_census_missing(plane->dataplane), 0);
	CU_ASSERT_TRUE(rte_rdtsc() - begin < rte_get_tsc_hz());
	plane->dataplane->is_running = false;
	plane_close(plane);
}

static void test_law_bites(void)
{
	struct plane *plane = plane_open(STREAM, "[" G "]");
	struct weir_stream_local *local = plane->dataplane->published->streams[0].stream->local;
	const struct weir_attachment *attachment = attachment_of(plane, 0);

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 10, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(weir_law_check(plane->dataplane, NULL, NULL), 0);
	local[0].stats.received++;
	attachment->stats[0].delivered++;
	plane->worker->port_stats[0].kernel++;
	weir_worker_census(plane->worker);
	CU_ASSERT_EQUAL(weir_law_check(plane->dataplane, NULL, NULL), 3);
	local[0].stats.received--;
	attachment->stats[0].delivered--;
	plane->worker->port_stats[0].kernel--;
	plane_close(plane);
}

CU_TestInfo dataplane_change_tests[] = {
	{"a removed group's messages are counted as removed", test_group_removed},
	{"a group that is added begins at the head", test_group_added},
	{"a partition that moves goes on where it was", test_consumer_moved},
	{"a removed stream keeps nothing and takes nothing", test_stream_removed},
	{"a stream with new rings delivers what the old ones hold", test_stream_drains},
	{"what a change does not name goes on", test_unchanged_goes_on},
	{"applying the same again is a new generation", test_same_again},
	{"no message is lost to a worker that is behind", test_worker_behind_takes_what_is_new},
	{"the control thread waits for a silent worker only so long", test_census_is_bounded},
	{"a miscounted message breaks the law", test_law_bites},
	CU_TEST_INFO_NULL,
};
