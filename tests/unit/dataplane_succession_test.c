/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

/* What a stream's new rings owe to its old ones: the order of each key. */

#define SOURCES 40
#define MS      1000

#define G "{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.7") "]}"
#define H "{'name':'h','streams':'s','consumers':[" CONSUMER("d", "198.51.100.8") "]}"

/* The stream with so many partitions; good until the next call. */
static const char *stream(unsigned int partitions)
{
	static char text[128];

	snprintf(text, sizeof(text), "[{'name':'s','key':'source','partitions':%u}]", partitions);
	return text;
}

static void receive_from_all(struct plane *plane, uint32_t first, uint32_t count)
{
	for (uint8_t source = 1; source <= SOURCES; source++)
		plane_receive_numbered(plane, source, source * 1000u + first, count, 64);
}

/* Each number of each source exactly once and in order, at one consumer. */
static void check_order(struct plane *plane, uint32_t per_source)
{
	uint32_t next[SOURCES + 1] = {0};

	for (uint32_t i = 0; i < plane->sent_count; i++) {
		uint32_t number = plane_number(plane, i);

		CU_ASSERT_EQUAL(number % 1000, next[number / 1000]);
		next[number / 1000]++;
	}
	for (uint32_t source = 1; source <= SOURCES; source++)
		CU_ASSERT_EQUAL(next[source], per_source);
}

static void change_while_held(uint32_t workers, const unsigned int *partitions, uint32_t changes)
{
	const struct plane_options options = {.workers = workers};
	struct plane *plane = plane_open_with(stream(16), "[" G "]", &options);

	receive_from_all(plane, 0, 5);
	for (uint32_t i = 0; i < changes; i++) {
		/* Some are between the workers when the change comes. */
		plane_apply(plane, stream(partitions[i]), "[" G "]");
		receive_from_all(plane, 5 + 5 * i, 5);
	}
	plane_reach(plane, "c");
	plane_deliver(plane);
	check_order(plane, 5 + 5 * changes);
	CU_ASSERT_EQUAL(plane->dataplane->published->stream_count, 1 + changes);
	weir_dataplane_reclaim(plane->dataplane);
	CU_ASSERT_EQUAL(plane->dataplane->published->stream_count, 1);
	for (uint32_t id = 0; id < plane->dataplane->worker_count; id++) {
		weir_worker_apply(&plane->dataplane->workers[id], plane->dataplane->published);
		CU_ASSERT_FALSE(plane->dataplane->workers[id].has_succession);
	}
	weir_dataplane_reclaim(plane->dataplane);
	plane_forget_sent(plane);
	plane_receive_numbered(plane, 1, 0, 10, 64);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 10);
	plane_close(plane);
}

static void test_order_is_kept(void)
{
	change_while_held(1, (const unsigned int[]){2}, 1);
	change_while_held(1, (const unsigned int[]){64}, 1);
	change_while_held(1, (const unsigned int[]){7}, 1);
	change_while_held(1, (const unsigned int[]){3, 5, 1, 64, 16}, 5);
}

static void test_order_is_kept_between_workers(void)
{
	change_while_held(2, (const unsigned int[]){2}, 1);
	change_while_held(2, (const unsigned int[]){64, 3, 7}, 3);
}

static void test_order_is_kept_with_another_key(void)
{
	struct plane *plane = plane_open(stream(16), "[" G "]");

	receive_from_all(plane, 0, 10);
	plane_apply(plane, "[{'name':'s','key':'5tuple','partitions':16}]", "[" G "]");
	receive_from_all(plane, 10, 10);
	plane_reach(plane, "c");
	plane_deliver(plane);
	check_order(plane, 20);
	plane_close(plane);
}

static void test_group_waits_for_itself_alone(void)
{
	struct plane *plane = plane_open(stream(16), "[" G "," H "]");

	plane_reach(plane, "d");
	receive_from_all(plane, 0, 10);
	plane_deliver(plane);
	plane_apply(plane, stream(4), "[" G "," H "]");
	receive_from_all(plane, 10, 10);
	plane_deliver(plane);
	/* The other one's consumer is not there; this one has all. */
	check_order(plane, 20);
	plane_forget_sent(plane);
	plane_reach(plane, "c");
	plane_deliver(plane);
	check_order(plane, 20);
	plane_close(plane);
}

/* Half of the old partitions are taken from: the new ones that cover them alone go on. */
static void test_only_what_overlaps_waits(void)
{
	struct plane *plane = plane_open(stream(2), "[" G "]");
	struct weir_attachment *before, *after;
	uint32_t waiting = 0;

	receive_from_all(plane, 0, 10);
	before = plane->dataplane->published->streams[0].attachments[0].attachment;
	plane_apply(plane, stream(8), "[" G "]");
	after = plane->dataplane->published->streams[0].attachments[0].attachment;
	for (uint32_t i = 0; i < 8; i++)
		CU_ASSERT_TRUE(after->lanes[i].is_following);
	weir_lane_skip(plane->worker, &before->lanes[0], before->stream->partitions[0].head,
		WEIR_REASON_SKIPPED);
	plane_turn(plane);
	for (uint32_t i = 0; i < 8; i++) {
		CU_ASSERT_EQUAL(after->lanes[i].is_following, i >= 4);
		waiting += after->lanes[i].is_following;
	}
	CU_ASSERT_EQUAL(waiting, 4);
	plane_close(plane);
}

static void test_waiting_is_bounded(void)
{
	struct plane *plane = plane_open(stream(16), "[" G "]");
	const struct weir_group_stats *old;

	receive_from_all(plane, 0, 10);
	old = plane->dataplane->published->streams[0].attachments[0].attachment->stats;
	plane_apply(plane, "[{'name':'s','key':'source','partitions':4,'ring':{'drain_ms':2000}}]",
		"[" G "]");
	receive_from_all(plane, 10, 10);
	plane_turn(plane);
	plane_advance(plane, 1990 * MS);
	plane_turn(plane);
	CU_ASSERT_EQUAL(old[0].dropped[WEIR_REASON_SUPERSEDED], 0);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_advance(plane, 30 * MS);
	plane_turn(plane);
	CU_ASSERT_EQUAL(old[0].dropped[WEIR_REASON_SUPERSEDED], 10 * SOURCES);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_reach(plane, "c");
	CU_ASSERT_EQUAL(plane_deliver(plane), 10 * SOURCES);
	CU_ASSERT_EQUAL(plane_number(plane, 0) % 1000, 10);
	plane_close(plane);
}

/* What expires of the old one is not waited for: the ring's age bounds it too. */
static void test_age_ends_waiting(void)
{
	static const char aged[] =
		"[{'name':'s','key':'source','partitions':4,'ring':{'age_ms':100}}]";
	struct plane *plane = plane_open(aged, "[" G "]");

	receive_from_all(plane, 0, 10);
	plane_apply(plane, stream(16), "[" G "]");
	plane_advance(plane, 101 * MS);
	plane_tick(plane);
	receive_from_all(plane, 10, 10);
	plane_reach(plane, "c");
	CU_ASSERT_EQUAL(plane_deliver(plane), 10 * SOURCES);
	plane_close(plane);
}

static void test_stream_comes_again(void)
{
	struct plane *plane = plane_open(stream(16), "[" G "]");

	receive_from_all(plane, 0, 10);
	plane_apply(plane, "[{'name':'t','match':{'udp_port':1}}]",
		"[{'name':'g','streams':['t'],'consumers':[" CONSUMER("c", "198.51.100.7") "]}]");
	plane_apply(plane, stream(4), "[" G "]");
	receive_from_all(plane, 10, 10);
	plane_reach(plane, "c");
	plane_deliver(plane);
	/* Its group did not take the stream meanwhile: what was held went as removed. */
	CU_ASSERT_EQUAL(plane->sent_count, 10 * SOURCES);
	plane_close(plane);
}

/* A worker that has gone over hands messages of a new stream to one that has not. */
static void test_worker_behind_takes_what_is_new(void)
{
	const struct plane_options options = {.workers = 2};
	struct plane *plane = plane_open_with(stream(16), "[" G "]", &options);
	struct weir_worker *behind = &plane->dataplane->workers[1];

	plane_publish(plane, stream(8), "[" G "]");
	CU_ASSERT_TRUE(weir_worker_follow(plane->worker));
	CU_ASSERT_FALSE(weir_worker_follow(plane->worker));
	receive_from_all(plane, 0, 10);
	plane_reach(plane, "c");
	plane_deliver(plane);
	CU_ASSERT_EQUAL(behind->stats.stray, 0);
	check_order(plane, 10);
	plane_close(plane);
}

CU_TestInfo dataplane_succession_tests[] = {
	{"other partition counts keep the order of each key", test_order_is_kept},
	{"also when messages are between workers", test_order_is_kept_between_workers},
	{"another key keeps the order too", test_order_is_kept_with_another_key},
	{"a group waits for nobody but itself", test_group_waits_for_itself_alone},
	{"a partition waits for those that had its keys alone", test_only_what_overlaps_waits},
	{"what is not delivered in time is dropped and counted", test_waiting_is_bounded},
	{"what has expired is not waited for", test_age_ends_waiting},
	{"a stream that comes again is like a new one", test_stream_comes_again},
	{"no message is lost to a worker that is behind", test_worker_behind_takes_what_is_new},
	CU_TEST_INFO_NULL,
};
