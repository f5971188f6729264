/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_mempool.h>

#include "dataplane/ownership.h"
#include "dataplane_client.h"
#include "dataplane_tests.h"

/* What becomes of messages under way when sessions, groups or the configuration change. */

#define STREAM "[{'name':'s','key':'source','partitions':1}]"
#define GROUP  "[{'name':'n','class':'native','streams':'s'}]"
#define MANY   32 /* partitions */
#define BLIND                                                                                      \
	"{'name':'g','streams':'s','consumers':[{'name':'c','address':'198.51.100.9',"             \
	"'port':9995}]}"

static const struct client_options reliable = {.is_reliable = true};
static const struct client_options trusting = {.name = "trusting"};

static uint32_t buffers_used(const struct plane *plane)
{
	return rte_mempool_in_use_count(plane->dataplane->buffers);
}

static struct plane *open_sent(
	struct client *client, const char *stream, const char *group, uint32_t count)
{
	struct plane *plane = plane_open(stream, group);

	client_join(client, plane, &reliable);
	client_grant_all(client);
	plane_receive_numbered(plane, 1, 0, count, 100);
	client_collect(client);
	return plane;
}

static void join_next(struct client *client, struct plane *plane)
{
	client_join(client, plane, &(struct client_options){.name = "next", .is_reliable = true});
	client_grant_all(client);
}

static void test_next_session(void)
{
	struct client first, next;
	struct plane *plane = open_sent(&first, STREAM, GROUP, 20);
	uint32_t epoch = first.lanes[0].epoch;

	client_ack_ranges(&first, 0, 10, 4, (const uint64_t[][2]){{12, 15}}, 1);
	client_leave(&first);
	plane_receive_numbered(plane, 1, 20, 5, 100);
	join_next(&next, plane);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 4, 21));
	CU_ASSERT_EQUAL(next.jumped, 0);
	CU_ASSERT_TRUE(next.lanes[0].epoch > epoch);
	CU_ASSERT_EQUAL(next.lanes[0].first, 4);
	CU_ASSERT_EQUAL(next.lanes[0].messages, 21); /* positions are the session's own */
	for (uint32_t i = 0; i < 21; i++) {
		bool is_again = next.messages[i].flags & WEIR_MESSAGE_REDELIVERED;

		CU_ASSERT_EQUAL(next.messages[i].number, 4 + i);
		CU_ASSERT_EQUAL(is_again, i < 16);
		CU_ASSERT_FALSE(next.messages[i].is_retransmit);
	}
	client_ack(&next, 0, 25, 25);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 25);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_close(plane);
}

/* What was given up for one client is not tried with the next, and counted once. */
static void test_given_up_stays(void)
{
	struct client first, next;
	struct plane *plane = open_sent(&first, STREAM, GROUP, 2);

	plane_receive_numbered(plane, 1, 2, 1, 1400);
	plane_receive_numbered(plane, 1, 3, 3, 100);
	client_collect(&first);
	client_leave(&first);
	join_next(&next, plane);
	client_collect(&next);
	CU_ASSERT_EQUAL(next.message_count, 5);
	CU_ASSERT_EQUAL(next.jumped, 1);
	client_nack(&next, 0, (const uint64_t[][2]){{2, 3}}, 1);
	client_collect(&next);
	CU_ASSERT_EQUAL(next.gap_count, 1);
	CU_ASSERT_EQUAL(next.gaps[0].reason, WEIR_GAP_TOO_BIG);
	CU_ASSERT_EQUAL(next.gaps[0].messages, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_TOO_BIG], 1);
	plane_close(plane);
}

/* Its window was full: the lane waited for an answer that will not come. */
static void test_leaves_with_full_window(void)
{
	struct client first, next;
	struct plane *plane = open_sent(&first, STREAM,
		"[{'name':'n','class':'native','streams':'s','partition_window':{'messages':4}}]",
		20);

	CU_ASSERT_TRUE(client_has(&first, 0, 4));
	client_leave(&first);
	join_next(&next, plane);
	for (uint32_t i = 1; i <= 5; i++) {
		client_collect(&next);
		CU_ASSERT_TRUE(client_has(&next, 0, 4 * i));
		client_ack(&next, 0, 4 * i, 4 * i);
	}
	client_leave(&next);
	plane_close(plane);
}

static void test_moves_with_full_window(void)
{
	static const char groups[] =
		"[{'name':'n','class':'native','streams':'s','partition_window':{'messages':4}}]";
	struct plane *plane = plane_open("[{'name':'s','key':'source','partitions':8}]", groups);
	struct client one, two;
	uint32_t seen = 0;

	client_join(&one, plane, &reliable);
	client_grant_all(&one);
	for (uint8_t source = 1; source <= 120; source++)
		plane_receive_numbered(plane, source, source * 1000u, 4, 100);
	client_collect(&one);
	CU_ASSERT_EQUAL(one.message_count, 8 * 4);
	client_join(&two, plane,
		&(struct client_options){.name = "next", .host = 8, .is_reliable = true});
	client_grant_all(&two);
	for (uint32_t round = 0; round < 200; round++) {
		struct client *both[] = {&one, &two};

		plane_deliver(plane);
		for (int c = 0; c < 2; c++) {
			client_take(both[c]);
			for (uint16_t p = 0; p < 8; p++)
				if (both[c]->lanes[p].is_known)
					client_ack(both[c], p, both[c]->lanes[p].next_seq,
						both[c]->lanes[p].next_seq);
		}
	}
	CU_ASSERT_TRUE(two.message_count > 0);
	for (uint16_t p = 0; p < 8; p++)
		seen += (uint32_t)RTE_MAX(one.lanes[p].next_seq, two.lanes[p].next_seq);
	CU_ASSERT_EQUAL(seen, 480);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 480);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_close(plane);
}

static void test_trusting_session(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client;

	client_join(&client, plane, &trusting);
	client_grant_all(&client);
	plane_receive_numbered(plane, 1, 0, 400, 100);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 400)); /* no window is its limit */
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 400);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	client_ack(&client, 0, 400, 400);
	client_nack(&client, 0, (const uint64_t[][2]){{0, 5}}, 1);
	CU_ASSERT_EQUAL(plane->worker->native_dropped[WEIR_REASON_FRAME_STALE], 2);
	client_leave(&client);
	client_join(&client, plane, &reliable);
	client_grant_all(&client);
	plane_receive_numbered(plane, 1, 400, 1, 100);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 400, 1));
	plane_close(plane);
}

static void test_two_groups(void)
{
	struct client client;
	struct plane *plane = open_sent(
		&client, STREAM, "[{'name':'n','class':'native','streams':'s'}," BLIND "]", 10);

	client_ack(&client, 0, 4, 4);
	CU_ASSERT_EQUAL(buffers_used(plane), 10);
	plane_reach(plane, "c");
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 10);
	plane_forget_sent(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 10);
	CU_ASSERT_EQUAL(buffers_used(plane), 6);
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{4, 6}}, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 4, 2));
	client_ack(&client, 0, 10, 10);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_close(plane);
}

static void test_two_workers(void)
{
	struct plane *plane = plane_open_with("[{'name':'s','key':'source','partitions':8}]", GROUP,
		&(struct plane_options){.workers = 2});
	const uint16_t *owners = plane->dataplane->published->streams[0].stream->owners;
	struct client client;
	uint32_t foreign = 0;

	client_join(&client, plane, &reliable);
	client_grant_all(&client);
	for (uint8_t source = 1; source <= 120; source++)
		plane_receive_numbered(plane, source, source * 1000u, 3, 100);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 360);
	client_forget(&client);
	for (uint16_t p = 0; p < 8; p++) {
		foreign += owners[p] != 0;
		client_nack(&client, p, (const uint64_t[][2]){{0, 2}}, 1);
	}
	CU_ASSERT_TRUE(foreign >= 2 && foreign <= 6);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.again_count, 16);
	for (uint16_t p = 0; p < 8; p++)
		client_ack(&client, p, client.lanes[p].next_seq, client.lanes[p].next_seq);
	client_collect(&client);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 360);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_close(plane);
}

static void test_attempts_lowered(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 2);

	client_nack(&client, 0, (const uint64_t[][2]){{0, 1}}, 1);
	client_collect(&client);
	plane_apply(plane, STREAM, "[{'name':'n','class':'native','streams':'s','attempts':2}]");
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{0, 2}}, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 1, 1));
	CU_ASSERT_EQUAL_FATAL(client.gap_count, 1);
	CU_ASSERT_EQUAL(client.gaps[0].reason, WEIR_GAP_QUARANTINED);
	CU_ASSERT_EQUAL(client.lanes[0].epoch, client.gaps[0].epoch);
	plane_close(plane);
}

static void test_windows_changed(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 40);

	CU_ASSERT_EQUAL(client.message_count, 40);
	plane_apply(plane, STREAM,
		"[{'name':'n','class':'native','streams':'s','window':{'messages':20},"
		"'partition_window':{'messages':10}}]");
	plane_receive_numbered(plane, 1, 40, 40, 100);
	for (uint64_t acked = 0; acked <= 30; acked += 10) {
		client_collect(&client);
		CU_ASSERT_EQUAL(client.message_count, 40);
		client_ack(&client, 0, acked, acked);
	}
	client_ack(&client, 0, 33, 33);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 43);
	plane_apply(plane, STREAM, GROUP);
	client_ack(&client, 0, 34, 34);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 80));
	plane_close(plane);
}

static void test_group_made_unreliable(void)
{
	static const char loose[] =
		"[{'name':'n','class':'native','streams':'s','reliable':false}]";
	struct client client, next;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 10);

	plane_apply(plane, STREAM, loose);
	/* What was granted to a session is kept. */
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{0, 10}}, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 10));
	client_ack(&client, 0, 5, 5);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 5);
	client_leave(&client);
	join_next(&next, plane);
	CU_ASSERT_FALSE(next.consumer->is_reliable);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 5, 5));
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_close(plane);
}

static void test_group_made_reliable(void)
{
	static const char loose[] =
		"[{'name':'n','class':'native','streams':'s','reliable':false}]";
	struct plane *plane = plane_open(STREAM, loose);
	struct client client, next;

	client_join(&client, plane, &trusting);
	client_grant(&client, 5, 100000);
	plane_receive_numbered(plane, 1, 0, 10, 100);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 5));
	plane_apply(plane, STREAM,
		"[{'name':'n','class':'native','streams':'s','window':{'messages':4}}]");
	client_forget(&client);
	client_grant(&client, 6, 100000);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 5, 1));
	client_leave(&client);
	join_next(&next, plane);
	CU_ASSERT_TRUE(next.consumer->is_reliable);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 6, 4));
	plane_receive_numbered(plane, 1, 10, 4, 100);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 6, 4));
	client_ack(&next, 0, 10, 10);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 6, 8));
	plane_close(plane);
}

static void test_group_removed(void)
{
	struct client client;
	struct plane *plane = open_sent(
		&client, STREAM, "[{'name':'n','class':'native','streams':'s'}," BLIND "]", 10);
	uint64_t session = client.consumer->session;

	client_nack(&client, 0, (const uint64_t[][2]){{0, 5}}, 1);
	plane_reach(plane, "c");
	plane_apply(plane, STREAM, "[" BLIND "]");
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 10);
	plane_forget_sent(plane);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_republish(plane);
	CU_ASSERT_EQUAL(plane->worker->snapshot->consumers[weir_session_slot(session)], NULL);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 10);
	plane_close(plane);
}

/* It delivers what it holds, then it goes. */
static void test_stream_removed(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 10);

	plane_apply(plane, "[{'name':'t','partitions':1,'match':{'udp_port':1}}]",
		"[{'name':'n','class':'native','streams':'t'}]");
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	client_ack(&client, 0, 10, 10);
	plane_deliver(plane);
	plane_republish(plane);
	plane_close(plane);
}

/* Or the credit for what was lost of it would be lost with it. */
static void test_told_where_it_ended(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct client client, next;
	uint32_t told = 0;

	client_join(&client, plane, &trusting);
	client_grant_all(&client);
	plane_receive_numbered(plane, 1, 0, 10, 100);
	client_collect(&client);
	client_join(&next, plane,
		&(struct client_options){.name = "next", .host = 8, .is_reliable = true});
	client_grant_all(&next);
	CU_ASSERT_EQUAL(weir_ownership_move(plane->dataplane, "s", 0, "n", "next"), 0);
	plane_republish(plane);
	for (uint32_t i = 0; i < 20; i++) {
		client.lanes[0].heard = 0;
		plane_advance(plane, 100000);
		plane_tick(plane);
		client_collect(&client);
		CU_ASSERT_TRUE(client.lanes[0].heard == 0 || client.lanes[0].heard == 10);
		told += client.lanes[0].heard == 10;
	}
	CU_ASSERT_EQUAL(told, 5);
	client_collect(&next);
	plane_close(plane);
}

/* Of more lanes than a datagram has room for. */
static void test_all_told_where_they_ended(void)
{
	struct plane *plane = plane_open("[{'name':'s','key':'source','partitions':32}]", GROUP);
	uint32_t told[MANY] = {0};
	struct client client, next;

	client_join(&client, plane, &trusting);
	client_grant_all(&client);
	for (uint8_t source = 1; source < 250; source++)
		plane_receive_numbered(plane, source, 0, 1, 20);
	client_collect(&client);
	client_join(&next, plane,
		&(struct client_options){.name = "next", .host = 8, .is_reliable = true});
	client_grant_all(&next);
	for (uint16_t p = 0; p < MANY; p++)
		CU_ASSERT_EQUAL(weir_ownership_move(plane->dataplane, "s", p, "n", "next"), 0);
	plane_republish(plane);
	for (uint32_t i = 0; i < 20; i++) {
		for (uint32_t p = 0; p < MANY; p++)
			client.lanes[p].heard = 0;
		plane_advance(plane, 100000);
		plane_tick(plane);
		client_collect(&client);
		client_collect(&next);
		for (uint32_t p = 0; p < MANY; p++)
			told[p] += client.lanes[p].heard != 0;
	}
	for (uint32_t p = 0; p < MANY; p++)
		CU_ASSERT_EQUAL(told[p], 5);
	plane_close(plane);
}

CU_TestInfo dataplane_handover_tests[] = {
	{"the next session gets what the last was not done with", test_next_session},
	{"what was given up stays so for the next", test_given_up_stays},
	{"a lane whose window is full can be left", test_leaves_with_full_window},
	{"lanes whose windows are full can move", test_moves_with_full_window},
	{"a session that acknowledges nothing holds nothing", test_trusting_session},
	{"buffers go when both groups are done", test_two_groups},
	{"lanes of another worker are repaired by it", test_two_workers},
	{"fewer attempts hold at once", test_attempts_lowered},
	{"narrower windows hold at once, wider ones too", test_windows_changed},
	{"a group made unreliable keeps what it promised", test_group_made_unreliable},
	{"a group made reliable is so for the next session", test_group_made_reliable},
	{"a group that is removed holds nothing", test_group_removed},
	{"a stream that is removed holds nothing", test_stream_removed},
	{"a session is told where a lane ended that went to another", test_told_where_it_ended},
	{"so it is of all of many that left at once", test_all_told_where_they_ended},
	CU_TEST_INFO_NULL,
};
