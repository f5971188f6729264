/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "dataplane_client.h"
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
	/* What was sent of it may still be on its way. */
	CU_ASSERT_TRUE(after->lanes[0].is_following);
	plane_deliver(plane);
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
	old = plane->dataplane->published->streams[0].attachments[0].attachment->stats +
	      WEIR_FEATURE_ALL;
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

static uint32_t count_following(struct plane *plane)
{
	const struct weir_attachment *attachment =
		plane->dataplane->published->streams[0].attachments[0].attachment;
	uint32_t count = 0;

	for (uint16_t i = 0; i < attachment->stream->partition_count; i++)
		count += attachment->lanes[i].is_following;
	return count;
}

static void test_what_is_on_its_way_is_waited_for(void)
{
	struct plane *plane = plane_open(stream(2), "[" G "]");

	plane_reach(plane, "c");
	plane->accepts = 0;
	plane_receive_numbered(plane, 1, 0, 10, 64);
	plane_turn(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 10);
	plane_apply(plane, stream(8), "[" G "]");
	plane_receive_numbered(plane, 1, 10, 10, 64);
	for (uint32_t i = 0; i < 100; i++) {
		plane_turn(plane);
		plane_advance(plane, 10);
	}
	CU_ASSERT_EQUAL(count_following(plane), 8);
	plane->accepts = UINT32_MAX;
	plane_turn(plane);
	plane_turn(plane);
	/* The port's queue has it now, and the device its time. */
	CU_ASSERT_EQUAL(plane->sent_count, 10);
	CU_ASSERT_EQUAL(count_following(plane), 8);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(count_following(plane), 0);
	CU_ASSERT_EQUAL(plane->sent_count, 20);
	for (uint32_t i = 0; i < plane->sent_count; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), i);
	plane_close(plane);
}

/* Old and new rings have one budget; it is the new one's when the old ones are gone. */
static void test_rings_share_one_budget(void)
{
	static const char before[] = "[{'name':'s','key':'source','partitions':4,'buffers':400}]";
	static const char after[] = "[{'name':'s','key':'source','partitions':8,'buffers':400}]";
	struct plane *plane = plane_open(before, "[" G "]");
	const struct weir_stream_local *old, *new;

	receive_from_all(plane, 0, 10);
	old = plane->dataplane->published->streams[0].stream->local;
	CU_ASSERT_EQUAL(old[0].held, 400);
	plane_apply(plane, after, "[" G "]");
	new = plane->dataplane->published->streams[0].stream->local;
	CU_ASSERT_PTR_NOT_EQUAL(old, new);
	CU_ASSERT_EQUAL(old[0].held, 300);
	receive_from_all(plane, 10, 10);
	CU_ASSERT_EQUAL(new[0].held, 100);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_reach(plane, "c");
	plane_deliver(plane);
	weir_dataplane_reclaim(plane->dataplane);
	CU_ASSERT_EQUAL(atomic_load(&new[0].limit), 400);
	plane_close(plane);
}

static void wait_for_the_end(struct plane *plane)
{
	plane_turn(plane);
	plane_advance(plane, 2500 * MS);
	for (uint32_t i = 0; i < 20; i++) {
		plane_turn(plane);
		plane_advance(plane, MS);
	}
}

/* A stream made anew goes on above all numbers; here each a thousand higher. */
static uint64_t number_stream(void *context, const struct weir_stream *made, uint16_t partition)
{
	(void)made;
	(void)partition;
	return *(uint64_t *)context;
}

static uint64_t group_is_new(
	void *context, const char *group, const struct weir_stream *made, uint16_t partition)
{
	(void)context;
	(void)group;
	(void)made;
	(void)partition;
	return WEIR_POSITION_UNKNOWN;
}

/*
 * Twice: what the first change cut off is still to be told when the second one cuts off more. The
 * times are of when the test began, as only the worker's is put forward.
 */
static void test_who_comes_later_is_told(void)
{
	static const char two[] =
		"[{'name':'s','key':'source','partitions':2,'ring':{'drain_ms':2000}}]";
	static const char three[] =
		"[{'name':'s','key':'source','partitions':3,'ring':{'drain_ms':4000}}]";
	static const char group[] = "[{'name':'n','class':'native','streams':'s'}]";
	struct plane *plane = plane_open(stream(1), group);
	struct client client;
	uint64_t range[1][2], number = 1000;
	const struct weir_positions rising = {
		.context = &number, .stream = number_stream, .group = group_is_new};

	plane->dataplane->positions = &rising;
	plane_receive_numbered(plane, 1, 0, 10, 64);
	plane_apply(plane, two, group);
	wait_for_the_end(plane);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	number = 2000;
	plane_apply(plane, three, group);
	wait_for_the_end(plane);
	weir_dataplane_reclaim(plane->dataplane);
	receive_from_all(plane, 10, 1);
	client_join(&client, plane, &(struct client_options){.is_reliable = true});
	client_grant_all(&client);
	client_collect(&client);
	CU_ASSERT_TRUE_FATAL(client.lanes[0].is_known);
	/* It begins where the first stream's lane stood; nothing was cut off of the others. */
	CU_ASSERT_EQUAL(client.lanes[0].first, 0);
	CU_ASSERT_EQUAL(client.lanes[1].first, 2000);
	range[0][0] = 0;
	range[0][1] = client.lanes[0].next_seq;
	client_forget(&client);
	plane_advance(plane, 100 * MS);
	client_nack(&client, 0, range, 1);
	client_collect(&client);
	CU_ASSERT_TRUE_FATAL(client.gap_count >= 1);
	CU_ASSERT_EQUAL(client.gaps[0].first, 0);
	CU_ASSERT_EQUAL(client.gaps[0].end, 2000);
	CU_ASSERT_EQUAL(client.gaps[0].reason, WEIR_GAP_REMOVED);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	client_leave(&client);
	plane_close(plane);
}

CU_TestInfo dataplane_succession_tests[] = {
	{"other partition counts keep the order of each key", test_order_is_kept},
	{"also when messages are between workers", test_order_is_kept_between_workers},
	{"another key keeps the order too", test_order_is_kept_with_another_key},
	{"a group waits for nobody but itself", test_group_waits_for_itself_alone},
	{"a partition waits for those that had its keys alone", test_only_what_overlaps_waits},
	{"what is on its way out is waited for", test_what_is_on_its_way_is_waited_for},
	{"old and new rings share one budget", test_rings_share_one_budget},
	{"what is not delivered in time is dropped and counted", test_waiting_is_bounded},
	{"what has expired is not waited for", test_age_ends_waiting},
	{"who comes later is told what a change cut off", test_who_comes_later_is_told},
	{"a stream that comes again is like a new one", test_stream_comes_again},
	CU_TEST_INFO_NULL,
};
