/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_mempool.h>

#include "dataplane/native_wire.h"
#include "dataplane_client.h"
#include "dataplane_tests.h"

/* Where a lane goes on: kept messages, seeks, starts, and places from before a restart. */

#define STREAM "[{'name':'s','key':'source','partitions':1,'ring':{'retain_ms':1000}}]"
#define GROUP  "[{'name':'n','class':'native','streams':'s'}]"
#define BLIND                                                                                      \
	"{'name':'g','streams':'s','consumers':[{'name':'c','address':'198.51.100.9',"             \
	"'port':9995}]}"

static const struct client_options seeking = {.is_reliable = true, .may_seek = true};

static uint32_t buffers_used(const struct plane *plane)
{
	return rte_mempool_in_use_count(plane->dataplane->buffers);
}

/* A client that was sent `count` messages, 1 ms apart, and is done with all. */
static struct plane *open_done(struct client *client, const char *stream, const char *group,
	const struct client_options *options, uint32_t count)
{
	struct plane *plane = plane_open(stream, group);

	client_join(client, plane, options);
	client_grant_all(client);
	for (uint32_t i = 0; i < count; i++) {
		plane_receive_numbered(plane, 1, i, 1, 100);
		plane_advance(plane, 1000);
	}
	client_collect(client);
	if (options->is_reliable)
		client_ack(client, 0, count, count);
	client_forget(client);
	return plane;
}

static void test_retained(void)
{
	struct client client;
	struct plane *plane = open_done(&client, STREAM, GROUP, &seeking, 10);

	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").held, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 10);
	plane_advance(plane, 980000);
	plane_tick(plane);
	CU_ASSERT_EQUAL(buffers_used(plane), 10);
	plane_advance(plane, 14500);
	plane_tick(plane);
	CU_ASSERT_EQUAL(buffers_used(plane), 5);
	plane_advance(plane, 10000);
	plane_tick(plane);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	client_take(&client);
	plane_close(plane);
}

static void test_ring_bounds_win(void)
{
	struct client client;
	struct plane *plane = open_done(&client,
		"[{'name':'s','key':'source','partitions':1,"
		"'ring':{'retain_ms':1000,'messages':16}}]",
		GROUP, &seeking, 10);

	for (uint32_t i = 10; i < 100; i++) {
		plane_receive_numbered(plane, 1, i, 1, 100);
		client_collect(&client);
		client_ack(&client, 0, i + 1, i + 1);
	}
	CU_ASSERT_EQUAL(buffers_used(plane), 16);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_LAPPED], 0);
	client_forget(&client);
	client_seek(&client, 0, WEIR_START_EARLIEST, 0);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 84, 16));
	plane_close(plane);
}

/* A seek by one who is done with 0 to 9; returns nothing but what must have come. */
static void check_seek(enum weir_start start, uint64_t value, uint64_t first, bool is_reliable)
{
	struct client_options options = seeking;
	struct weir_group_stats stats;
	struct client client;
	struct plane *plane;
	uint32_t epoch;

	options.is_reliable = is_reliable;
	plane = open_done(&client, STREAM, GROUP, &options, 10);
	epoch = client.lanes[0].epoch;
	client_seek(&client, 0, start, value);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, first, (uint32_t)(10 - first)));
	for (uint32_t i = 0; i < client.message_count; i++) {
		CU_ASSERT_TRUE(client.messages[i].epoch > epoch);
		CU_ASSERT_EQUAL(client.messages[i].number, first + i);
		if (is_reliable)
			CU_ASSERT_TRUE(client.messages[i].flags & WEIR_MESSAGE_REDELIVERED);
	}
	if (first != 10)
		CU_ASSERT_EQUAL(client.lanes[0].first, first);
	CU_ASSERT_EQUAL(client.jumped, 0);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	if (is_reliable)
		client_ack(&client, 0, 10, 10);
	stats = plane_group(plane, "s", "n");
	CU_ASSERT_EQUAL(stats.replayed, 10 - first);
	CU_ASSERT_EQUAL(stats.delivered, 20 - first);
	CU_ASSERT_EQUAL(stats.received, 20 - first);
	plane_close(plane);
}

static void test_seeks(void)
{
	for (int is_reliable = 0; is_reliable < 2; is_reliable++) {
		check_seek(WEIR_START_EARLIEST, 0, 0, is_reliable);
		check_seek(WEIR_START_SEQUENCE, 4, 4, is_reliable);
		check_seek(WEIR_START_SEQUENCE, 4000, 10, is_reliable);
		check_seek(WEIR_START_LATEST, 0, 10, is_reliable);
	}
}

static void test_seek_time(void)
{
	struct client client;
	struct plane *plane = open_done(&client, STREAM, GROUP, &seeking, 10);
	uint64_t now_ns = weir_worker_wall_ns(plane->worker, plane->worker->now);

	/* Message 9 came 1 ms ago, 6 came 4 ms ago. */
	client_seek(&client, 0, WEIR_START_TIME, now_ns - 4500000);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 6, 4));
	client_forget(&client);
	plane_advance(plane, 20001);
	client_seek(&client, 0, WEIR_START_TIME, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 10));
	plane_close(plane);
}

static void test_forward_skips(void)
{
	struct client client;
	struct plane *plane = open_done(&client, STREAM, GROUP, &seeking, 10);

	plane_receive_numbered(plane, 1, 10, 10, 100);
	client_collect(&client);
	client_ack(&client, 0, 14, 12);
	client_forget(&client);
	client_seek(&client, 0, WEIR_START_SEQUENCE, 18);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 18, 2));
	CU_ASSERT_EQUAL(client.jumped + client.gap_count, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_SKIPPED], 6);
	client_ack(&client, 0, 20, 20);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").held, 0);
	plane_close(plane);
}

/* Only what another group still holds is there: the rest is a gap. */
static void test_not_held_any_more(void)
{
	struct client client;
	struct plane *plane = open_done(&client,
		"[{'name':'s','key':'source','partitions':1,'ring':{'messages':16}}]",
		"[{'name':'n','class':'native','streams':'s'}," BLIND "]", &seeking, 10);

	for (uint32_t i = 10; i < 21; i++) {
		plane_receive_numbered(plane, 1, i, 1, 100);
		client_collect(&client);
		client_ack(&client, 0, i + 1, i + 1);
	}
	client_forget(&client);
	plane_advance(plane, 20001);
	client_seek(&client, 0, WEIR_START_SEQUENCE, 2);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 5, 16));
	CU_ASSERT_EQUAL(client.lanes[0].first, 2);
	CU_ASSERT_EQUAL(client.jumped, 3);
	client_nack(&client, 0, (const uint64_t[][2]){{2, 5}}, 1);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.gap_count, 1);
	CU_ASSERT_EQUAL(client.gaps[0].first, 2);
	CU_ASSERT_EQUAL(client.gaps[0].end, 5);
	CU_ASSERT_EQUAL(client.gaps[0].reason, WEIR_GAP_LAPPED);
	CU_ASSERT_EQUAL(client.gaps[0].messages, 0);
	plane_close(plane);
}

static void test_counter(void)
{
	struct client client;
	struct plane *plane = open_done(&client, STREAM, GROUP, &seeking, 10);

	client.seek_counter = 6;
	client_seek(&client, 0, WEIR_START_SEQUENCE, 8);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 8, 2));
	client_forget(&client);
	plane_advance(plane, 30000);
	client.seek_counter = 6; /* repeated, as it may have been lost */
	client_seek(&client, 0, WEIR_START_SEQUENCE, 8);
	client.seek_counter = 3; /* overtaken */
	client_seek(&client, 0, WEIR_START_EARLIEST, 0);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.again_count, client.message_count);
	client_ack(&client, 0, 10, 10);
	client_forget(&client);
	client.seek_counter = 7;
	client_seek(&client, WEIR_SEEK_ALL, WEIR_START_SEQUENCE, 7);
	client_seek(&client, 0, WEIR_START_EARLIEST, 0); /* too soon */
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 7, 3));
	plane_close(plane);
}

static void test_not_allowed(void)
{
	struct client_options options = {.is_reliable = true};
	struct client client;
	struct plane *plane = open_done(&client, STREAM, GROUP, &options, 10);

	client_seek(&client, 0, WEIR_START_EARLIEST, 0);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").replayed, 0);
	plane_close(plane);
}

/* The lane waits for room in its window: it seeks, and goes on. */
static void test_seek_with_full_window(void)
{
	struct client client;
	struct plane *plane = plane_open(STREAM,
		"[{'name':'n','class':'native','streams':'s','partition_window':{'messages':4}}]");

	client_join(&client, plane, &seeking);
	client_grant_all(&client);
	plane_receive_numbered(plane, 1, 0, 12, 100);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 4));
	client_forget(&client);
	client_seek(&client, 0, WEIR_START_SEQUENCE, 6);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 6, 4));
	client_ack(&client, 0, 10, 10);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 6, 6));
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_SKIPPED], 6);
	plane_close(plane);
}

/* What was given up is tried again, and its count is taken back by `replayed`. */
static void test_back_over_given_up(void)
{
	struct client client;
	struct plane *plane = open_done(&client, STREAM, GROUP, &seeking, 3);

	plane_receive_numbered(plane, 1, 3, 1, 100);
	plane_receive_numbered(plane, 1, 4, 1, 1400);
	plane_receive_numbered(plane, 1, 5, 1, 100);
	client_collect(&client);
	client_forget(&client);
	client_seek(&client, 0, WEIR_START_SEQUENCE, 1);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 4);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").replayed, 3);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_TOO_BIG], 2);
	client_ack(&client, 0, 6, 6);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").held, 0);
	plane_close(plane);
}

static void test_starts(void)
{
	struct client_options options = seeking;
	struct client client, next;
	struct plane *plane = open_done(&client, STREAM, GROUP, &seeking, 10);

	client_leave(&client);
	plane_receive_numbered(plane, 1, 10, 5, 100);
	options.start = WEIR_START_SEQUENCE + 1;
	options.start_value = 3;
	client_join(&next, plane, &options);
	client_grant_all(&next);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 3, 12));
	client_ack(&next, 0, 15, 15);
	/* A lane that comes back to it goes on where the group stands. */
	weir_consumer_set_closed(plane->dataplane, next.consumer, WEIR_CLOSED_UNREACHABLE, true);
	plane_republish(plane);
	plane_receive_numbered(plane, 1, 15, 2, 100);
	weir_consumer_set_closed(plane->dataplane, next.consumer, WEIR_CLOSED_UNREACHABLE, false);
	plane_republish(plane);
	client_forget(&next);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 15, 2));
	client_leave(&next);
	options.start = WEIR_START_LATEST + 1;
	client_join(&client, plane, &options);
	client_grant_all(&client);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_SKIPPED], 2);
	plane_close(plane);
}

static uint64_t head_known(void *context, const struct weir_stream *stream, uint16_t partition)
{
	(void)context;
	(void)stream;
	return 1000 + partition;
}

static uint64_t place_known(
	void *context, const char *group, const struct weir_stream *stream, uint16_t partition)
{
	(void)stream;
	(void)group;
	return *(const bool *)context ? 990u + partition : WEIR_POSITION_UNKNOWN;
}

static void check_restart(bool is_known)
{
	const struct weir_positions positions = {&is_known, head_known, place_known};
	struct plane *plane =
		plane_open_with(STREAM, GROUP, &(struct plane_options){.positions = &positions});
	struct client client;

	client_join(&client, plane, &seeking);
	client_grant_all(&client);
	plane_receive_numbered(plane, 1, 1000, 5, 100);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 1000, 5));
	CU_ASSERT_EQUAL(client.lanes[0].first, is_known ? 990 : 1000);
	CU_ASSERT_EQUAL(client.jumped, is_known ? 10 : 0);
	client_nack(&client, 0, (const uint64_t[][2]){{990, 1000}}, 1);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.gap_count, 1);
	CU_ASSERT_EQUAL(client.gaps[0].first, 990);
	CU_ASSERT_EQUAL(client.gaps[0].end, 1000);
	CU_ASSERT_EQUAL(client.gaps[0].reason, is_known ? WEIR_GAP_RESTART : WEIR_GAP_LEFT_OUT);
	CU_ASSERT_EQUAL(client.gaps[0].messages, 0);
	plane_close(plane);
}

static void test_restart(void)
{
	check_restart(true);
	check_restart(false);
}

CU_TestInfo dataplane_seek_tests[] = {
	{"messages are kept for replay as long as configured", test_retained},
	{"the ring's bounds end that sooner, and cost no group anything", test_ring_bounds_win},
	{"a seek goes where it says, in a higher epoch", test_seeks},
	{"a seek finds the first message of a time", test_seek_time},
	{"what a seek jumps over is counted as skipped", test_forward_skips},
	{"what is no longer held is a gap", test_not_held_any_more},
	{"only the newest seek counts, and not too often", test_counter},
	{"who was not granted it does not seek", test_not_allowed},
	{"a lane whose window is full can seek", test_seek_with_full_window},
	{"going back over what was given up keeps the law", test_back_over_given_up},
	{"a start holds for the lanes that a session gets first", test_starts},
	{"after a restart the gap is told", test_restart},
	CU_TEST_INFO_NULL,
};
