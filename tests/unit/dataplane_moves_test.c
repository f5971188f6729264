/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/handover.h"
#include "dataplane/ownership.h"
#include "dataplane_client.h"
#include "dataplane_tests.h"

/* Partitions that change hands while their consumers live: drained, fenced, a few at a time. */

#define ONE         "[{'name':'s','key':'source','partitions':1}]"
#define KEPT        "[{'name':'s','key':'source','partitions':1,'ring':{'retain_ms':1000}}]"
#define MANY        "[{'name':'s','key':'source','partitions':16}]"
#define GROUP(more) "[{'name':'n','class':'native','streams':'s'" more "}]"

static const struct client_options told = {.is_reliable = true, .may_assign = true};
static const struct client_options next_told = {
	.name = "next", .host = 8, .is_reliable = true, .may_assign = true};

uint32_t plane_moves(struct plane *plane, uint32_t steps)
{
	uint32_t pending = 1;

	for (uint32_t step = 0; step < steps && pending != 0; step++) {
		pending = weir_ownership_step(plane->dataplane, 0);
		for (uint32_t id = 0; id < plane->dataplane->worker_count; id++) {
			struct weir_worker *worker = &plane->dataplane->workers[id];

			while (weir_orders_poll(worker) != 0)
				;
			weir_handover_tick(worker);
		}
	}
	return pending;
}

/* Two consumers, of which the first has been sent ten messages of the only partition. */
static struct plane *open_two(struct client *first, struct client *next, const char *groups)
{
	struct plane *plane = plane_open(ONE, groups);

	client_join(first, plane, &told);
	client_grant_all(first);
	plane_receive_numbered(plane, 1, 0, 10, 100);
	client_collect(first);
	CU_ASSERT_EQUAL(first->message_count, 10);
	client_join(next, plane, &next_told);
	client_grant_all(next);
	return plane;
}

static void move_to(struct plane *plane, const char *consumer)
{
	CU_ASSERT_EQUAL(weir_ownership_move(plane->dataplane, "s", 0, "n", consumer), 0);
	plane_moves(plane, 1);
	plane_deliver(plane);
}

/* Nothing new is sent to the one, nothing at all to the other, until the work is done. */
static void test_drained(void)
{
	struct client first, next;
	struct plane *plane = open_two(&first, &next, GROUP());
	uint32_t epoch = first.lanes[0].epoch;

	move_to(plane, "next");
	plane_receive_numbered(plane, 1, 10, 5, 100);
	plane_deliver(plane);
	client_take(&first);
	client_take(&next);
	CU_ASSERT_EQUAL(first.message_count, 10);
	CU_ASSERT_EQUAL(first.revokes, 1);
	CU_ASSERT_EQUAL(first.revoked_seq, 10);
	CU_ASSERT_EQUAL(first.revoked_ms, 375);
	CU_ASSERT_EQUAL(next.message_count, 0);
	client_ack(&first, 0, 10, 9);
	client_collect(&next);
	CU_ASSERT_EQUAL(next.message_count, 0);
	client_ack(&first, 0, 10, 10);
	client_collect(&next);
	CU_ASSERT_EQUAL(next.assigns, 1);
	CU_ASSERT_TRUE(client_has(&next, 10, 5));
	CU_ASSERT_TRUE(next.lanes[0].epoch > epoch);
	for (uint32_t i = 0; i < next.message_count; i++)
		CU_ASSERT_FALSE(next.messages[i].flags & WEIR_MESSAGE_REDELIVERED);
	CU_ASSERT_EQUAL(plane_moves(plane, 4), 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").moves_drained, 1);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 10);
	plane_close(plane);
}

/* A lost message is repaired while the lane is drained. */
static void test_repaired_while_drained(void)
{
	struct client first, next;
	struct plane *plane = open_two(&first, &next, GROUP());

	client_ack_ranges(&first, 0, 4, 4, (const uint64_t[][2]){{5, 10}}, 1);
	move_to(plane, "next");
	client_forget(&first);
	client_nack(&first, 0, (const uint64_t[][2]){{4, 5}}, 1);
	client_collect(&first);
	CU_ASSERT_EQUAL(first.message_count, 1);
	CU_ASSERT_EQUAL(first.messages[0].number, 4);
	CU_ASSERT_TRUE(first.messages[0].is_retransmit);
	client_ack(&first, 0, 10, 10);
	plane_receive_numbered(plane, 1, 10, 1, 100);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 10, 1));
	plane_close(plane);
}

static void test_released(void)
{
	struct client first, next;
	struct plane *plane = open_two(&first, &next, GROUP());

	client_release(&first, 0, 7); /* not asked for: it has no effect */
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 0);
	move_to(plane, "next");
	client_release(&first, 0, 7);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 7, 3));
	for (uint32_t i = 0; i < next.message_count; i++)
		CU_ASSERT_TRUE(next.messages[i].flags & WEIR_MESSAGE_REDELIVERED);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 7);
	plane_close(plane);
}

/* Its time is over: the lane goes on; what the old owner says then is not heard. */
static void test_overdue_and_fenced(void)
{
	struct client first, next;
	struct plane *plane = open_two(&first, &next, GROUP(",'drain_ms':100"));

	client_ack(&first, 0, 10, 3);
	move_to(plane, "next");
	for (int ms = 0; ms < 99; ms++) {
		plane_advance(plane, 1000);
		plane_moves(plane, 1);
	}
	client_collect(&next);
	client_take(&first);
	CU_ASSERT_EQUAL(next.message_count, 0);
	CU_ASSERT_TRUE(first.revokes >= 4 && first.revokes <= 6);
	plane_advance(plane, 2000);
	plane_moves(plane, 1);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 3, 7));
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").moves_overdue, 1);
	client_ack(&first, 0, 10, 10);
	client_release(&first, 0, 10);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 3);
	client_ack(&next, 0, 10, 10);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 10);
	plane_close(plane);
}

/* It may have let the lane go already: only another epoch is sure to be heard. */
static void test_stays_after_all(void)
{
	struct client first, next;
	struct plane *plane = open_two(&first, &next, GROUP());
	uint32_t epoch = first.lanes[0].epoch;

	move_to(plane, "next");
	move_to(plane, "client");
	client_ack(&first, 0, 10, 10);
	plane_receive_numbered(plane, 1, 10, 2, 100);
	client_collect(&first);
	CU_ASSERT_EQUAL(first.message_count, 12);
	CU_ASSERT_TRUE(first.lanes[0].epoch > epoch);
	CU_ASSERT_EQUAL(plane_moves(plane, 4), 0);
	plane_close(plane);
}

/* A choice of a start is for lanes that nobody has: this one goes on after what was done. */
static void test_start_is_not_for_handed_over(enum weir_start start)
{
	struct plane *plane = plane_open(KEPT, GROUP());
	const struct client_options choosy = {.name = "next",
		.host = 8,
		.is_reliable = true,
		.may_seek = true,
		.may_assign = true,
		.start = (uint8_t)start + 1};
	struct client first, next;

	client_join(&first, plane, &told);
	client_grant_all(&first);
	plane_receive_numbered(plane, 1, 0, 10, 100);
	client_collect(&first);
	client_ack(&first, 0, 10, 6);
	client_join(&next, plane, &choosy);
	client_grant_all(&next);
	move_to(plane, "next");
	client_release(&first, 0, 6);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 6, 4));
	CU_ASSERT_EQUAL(next.gap_count, 0);
	client_ack(&next, 0, 10, 10);
	/* Nor for one that lay with nobody meanwhile: it has had its beginning. */
	CU_ASSERT_EQUAL(weir_consumer_drain(plane->dataplane, first.consumer, true), 0);
	CU_ASSERT_EQUAL(weir_consumer_drain(plane->dataplane, next.consumer, true), 0);
	plane_republish(plane);
	plane_moves(plane, 4);
	plane_receive_numbered(plane, 1, 10, 3, 100);
	CU_ASSERT_EQUAL(weir_consumer_drain(plane->dataplane, next.consumer, false), 0);
	plane_republish(plane);
	plane_moves(plane, 4);
	client_forget(&next);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 10, 3));
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 10);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").replayed, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_SKIPPED], 0);
	plane_close(plane);
}

static void test_earliest_does_not_repeat(void)
{
	test_start_is_not_for_handed_over(WEIR_START_EARLIEST);
}

static void test_latest_does_not_skip(void)
{
	test_start_is_not_for_handed_over(WEIR_START_LATEST);
}

/* The session is the same, so a SEEK that comes a second time is still an old one. */
static void test_old_seek_stays_old(void)
{
	const struct client_options seeking = {
		.is_reliable = true, .may_seek = true, .may_assign = true};
	struct plane *plane = plane_open(KEPT, GROUP());
	struct client first, next;

	client_join(&first, plane, &seeking);
	client_grant_all(&first);
	plane_receive_numbered(plane, 1, 0, 10, 100);
	client_collect(&first);
	client_ack(&first, 0, 10, 10);
	client_seek(&first, 0, WEIR_START_EARLIEST, 0);
	client_collect(&first);
	client_join(&next, plane, &next_told);
	move_to(plane, "next");
	move_to(plane, "client");
	client_ack(&first, 0, 10, 10);
	plane_deliver(plane);
	plane_advance(plane, 100000);
	client_forget(&first);
	first.seek_counter--;
	client_seek(&first, 0, WEIR_START_EARLIEST, 0);
	client_collect(&first);
	CU_ASSERT_EQUAL(first.message_count, 0);
	client_seek(&first, 0, WEIR_START_EARLIEST, 0);
	client_collect(&first);
	CU_ASSERT_EQUAL(first.message_count, 10);
	plane_close(plane);
}

/* The one that was to get it has gone meanwhile; or the one that had it. */
static void test_gone_meanwhile(void)
{
	struct client first, next;
	struct plane *plane = open_two(&first, &next, GROUP());

	move_to(plane, "next");
	client_leave(&next);
	client_ack(&first, 0, 10, 10);
	plane_receive_numbered(plane, 1, 10, 2, 100);
	client_collect(&first);
	CU_ASSERT_EQUAL(first.message_count, 12);
	client_join(&next, plane, &next_told);
	client_grant_all(&next);
	move_to(plane, "next");
	client_leave(&first);
	client_collect(&next);
	CU_ASSERT_TRUE(client_has(&next, 10, 2));
	plane_close(plane);
}

static uint32_t count_draining(struct plane *plane)
{
	uint32_t draining = 0;

	weir_list_for_each (node, &plane->worker->draining)
		draining++;
	return draining;
}

/* Of what a drained consumer has, never more than `moves` stand still. */
static void test_few_at_a_time(void)
{
	struct plane *plane = plane_open(MANY, GROUP(",'moves':3"));
	struct client first, next;
	uint32_t most = 0;

	client_join(&first, plane, &told);
	client_grant_all(&first);
	for (uint8_t source = 1; source <= 60; source++)
		plane_receive_numbered(plane, source, source * 1000u, 2, 100);
	client_collect(&first);
	client_join(&next, plane, &next_told);
	client_grant_all(&next);
	CU_ASSERT_EQUAL(weir_consumer_drain(plane->dataplane, first.consumer, true), 0);
	plane_republish(plane);
	for (int round = 0; round < 64 && plane_moves(plane, 1) != 0; round++) {
		most = RTE_MAX(most, count_draining(plane));
		for (uint16_t p = 0; p < 16; p++)
			client_ack(&first, p, first.lanes[p].next_seq, first.lanes[p].next_seq);
	}
	CU_ASSERT_EQUAL(most, 3);
	CU_ASSERT_EQUAL(plane_moves(plane, 4), 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").moves, 16);
	CU_ASSERT_TRUE(plane_group(plane, "s", "n").moves_drained >= 3);
	for (uint8_t source = 1; source <= 60; source++)
		plane_receive_numbered(plane, source, source * 1000u + 2, 1, 100);
	client_collect(&next);
	CU_ASSERT_EQUAL(next.message_count, 60);
	plane_close(plane);
}

static void count_messages(const struct client *client, uint32_t counts[16])
{
	for (uint32_t i = 0; i < client->message_count; i++)
		counts[client->messages[i].partition]++;
}

static void receive_from_all(struct plane *plane, uint32_t first)
{
	for (uint8_t source = 1; source <= 60; source++)
		plane_receive_numbered(plane, source, first, 2, 100);
}

/* While some are drained, all that comes for the others is sent in the same turn. */
static void test_others_go_on(void)
{
	struct plane *plane = plane_open(MANY, GROUP(",'moves':3"));
	uint32_t before[16] = {0}, of_first[16] = {0}, after[16] = {0}, moving = 0;
	bool is_moving[16] = {false};
	struct client first, next;

	client_join(&first, plane, &told);
	client_join(&next, plane, &next_told);
	client_grant_all(&first);
	client_grant_all(&next);
	plane_republish(plane);
	receive_from_all(plane, 0);
	client_collect(&first);
	client_collect(&next);
	count_messages(&first, of_first);
	count_messages(&first, before);
	count_messages(&next, before);
	for (uint16_t p = 0; p < 16 && moving < 3; p++) {
		is_moving[p] = of_first[p] != 0;
		moving += is_moving[p];
		if (is_moving[p])
			CU_ASSERT_EQUAL(
				weir_ownership_move(plane->dataplane, "s", p, "n", "next"), 0);
	}
	plane_moves(plane, 1);
	CU_ASSERT_EQUAL(count_draining(plane), 3);
	client_forget(&first);
	client_forget(&next);
	receive_from_all(plane, 2);
	client_collect(&first);
	client_take(&next);
	count_messages(&first, after);
	count_messages(&next, after);
	for (uint16_t p = 0; p < 16; p++)
		CU_ASSERT_EQUAL(after[p], is_moving[p] ? 0 : before[p]);
	CU_ASSERT_TRUE(first.message_count + next.message_count >= 60);
	plane_close(plane);
}

/* A second in which each source sends so many. */
static void lopsided_second(struct plane *plane, struct client *first, struct client *next,
	const uint32_t *counts, uint32_t second)
{
	for (uint8_t source = 1; source <= 60; source++)
		plane_receive_numbered(plane, source, second * 1000, counts[source], 100);
	client_forget(first);
	client_forget(next);
	for (int round = 0; round < 100 && plane_group(plane, "s", "n").held != 0; round++) {
		client_collect(first);
		client_collect(next);
		for (uint16_t p = 0; p < 16; p++) {
			client_ack(first, p, first->lanes[p].next_seq, first->lanes[p].next_seq);
			client_ack(next, p, next->lanes[p].next_seq, next->lanes[p].next_seq);
		}
	}
	weir_ownership_measure(plane->dataplane, 1);
}

/*
 * Three seconds in which the sources of one consumer send ten times as much as those of the other,
 * or one of its sources most of all. How many partitions moved, it gave, and has left.
 */
static void rebalance(
	const char *groups, bool is_one_hot, uint64_t *moves, uint32_t *given, uint32_t *left)
{
	struct plane *plane = plane_open(MANY, groups);
	struct client first, next;
	uint32_t counts[61];
	struct weir_consumer_place before, after;

	client_join(&first, plane, &told);
	client_join(&next, plane, &next_told);
	client_grant_all(&first);
	client_grant_all(&next);
	CU_ASSERT_EQUAL(plane_moves(plane, 16), 0);
	for (uint8_t source = 1; source <= 60; source++) {
		counts[source] = is_one_hot ? 1 : 2;
		plane_receive_numbered(plane, source, 0, 1, 100);
	}
	client_collect(&first);
	client_collect(&next);
	for (uint32_t i = 0; i < (is_one_hot ? 1 : first.message_count); i++)
		counts[first.messages[i].source] = is_one_hot ? 200 : 20;
	CU_ASSERT_TRUE(first.message_count > 0 && next.message_count > 0);
	CU_ASSERT_TRUE(weir_consumer_place(plane->dataplane, first.consumer, &before));
	*moves = plane_group(plane, "s", "n").moves;
	for (uint32_t second = 1; second <= 3; second++) {
		lopsided_second(plane, &first, &next, counts, second);
		if (second < 3)
			CU_ASSERT_FALSE(weir_ownership_is_due(plane->dataplane));
		plane_republish(plane);
		plane_moves(plane, 16);
	}
	*moves = plane_group(plane, "s", "n").moves - *moves;
	CU_ASSERT_TRUE(weir_consumer_place(plane->dataplane, first.consumer, &after));
	*given = before.partitions - after.partitions;
	*left = after.partitions;
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").held, 0);
	client_collect(&first);
	client_collect(&next);
	plane_close(plane);
}

static void test_rebalanced_by_itself(void)
{
	uint32_t given, left;
	uint64_t moves;

	rebalance(GROUP(",'rebalance_s':3"), false, &moves, &given, &left);
	CU_ASSERT_TRUE(given >= 1);
	CU_ASSERT_TRUE(left >= 1);
	/* Only from the one that carries too much, and no more than needed. */
	CU_ASSERT_EQUAL(moves, given);
	CU_ASSERT_TRUE(given <= 8);
	rebalance(GROUP(), false, &moves, &given, &left);
	CU_ASSERT_EQUAL(moves, 0);
	CU_ASSERT_EQUAL(given, 0);
}

static void test_hot_partition_is_alone(void)
{
	uint32_t given, left;
	uint64_t moves;

	rebalance(GROUP(",'rebalance_s':3"), true, &moves, &given, &left);
	CU_ASSERT_EQUAL(left, 1);
	CU_ASSERT_EQUAL(moves, given);
	CU_ASSERT_TRUE(given >= 1);
}

CU_TestInfo dataplane_moves_tests[] = {
	{"a partition is worked off before another consumer gets it", test_drained},
	{"what is lost meanwhile is sent again", test_repaired_while_drained},
	{"a consumer that lets go is not waited for", test_released},
	{"nobody is waited for for ever, and whoever is late is not heard",
		test_overdue_and_fenced},
	{"a partition that stays after all begins an epoch", test_stays_after_all},
	{"a start at the earliest repeats nothing that another was done with",
		test_earliest_does_not_repeat},
	{"a start at the latest skips nothing that another was not done with",
		test_latest_does_not_skip},
	{"a seek is not heard a second time when a partition stays after all",
		test_old_seek_stays_old},
	{"either of the two may go meanwhile", test_gone_meanwhile},
	{"few partitions stand still at a time", test_few_at_a_time},
	{"and all others go on meanwhile", test_others_go_on},
	{"a consumer that carries too much gives some away by itself", test_rebalanced_by_itself},
	{"a partition that is hot gets a consumer to itself", test_hot_partition_is_alone},
	CU_TEST_INFO_NULL,
};
