/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "client_gateway.h"

/* At least once, in order: what is lost on the way comes back, and credit is conserved. */

static void test_what_is_lost_is_asked_for_at_once_and_comes_in_order(void)
{
	struct gateway gateway;
	struct gateway_heard *heard = &gateway.heard[0];
	struct weir_event event;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	CU_ASSERT_TRUE(gateway_stats(&gateway).is_reliable);
	gateway_data(&gateway, 0, 5, false);
	gateway_data(&gateway, 0, 3, true);
	gateway_data(&gateway, 0, 4, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 5);
	gateway_wait(&gateway, 0);
	CU_ASSERT_EQUAL(heard->nacks, 1);
	CU_ASSERT_EQUAL(heard->nack_range[0][0], 5);
	CU_ASSERT_EQUAL(heard->nack_range[0][1], 8);
	CU_ASSERT_EQUAL(heard->next_seq, 5);
	CU_ASSERT_EQUAL(heard->ack_ranges, 1);
	CU_ASSERT_EQUAL(heard->ack_range[0][0], 8);
	CU_ASSERT_EQUAL(heard->ack_range[0][1], 12);
	CU_ASSERT_EQUAL(heard->newest_seq, 11);
	gateway_again(&gateway, 0, 5, 3);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 5), 7);
	gateway_wait(&gateway, 50);
	CU_ASSERT_EQUAL(heard->nacks, 1);
	CU_ASSERT_EQUAL(heard->next_seq, 12);
	CU_ASSERT_EQUAL(heard->done_seq, 12);
	CU_ASSERT_EQUAL(heard->ack_ranges, 0);
	CU_ASSERT_FALSE(gateway_event(&gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(gateway_stats(&gateway).repaired, 3);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).lost_messages, 0);
	CU_ASSERT_EQUAL(gateway.wrong, 0);
	gateway_close(&gateway);
}

static void test_the_credit_of_a_missing_message_is_freed_when_it_comes(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 4, true);
	gateway_data(&gateway, 0, 6, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 0);
	gateway_wait(&gateway, 3 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 0);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).missing_messages, 4);
	gateway_again(&gateway, 0, 0, 2);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 2);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 2);
	gateway_again(&gateway, 0, 2, 2);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 2), 8);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	CU_ASSERT_EQUAL(gateway.limit_bytes, 1000 + WEIR_CONSUMER_WINDOW_BYTES);
	gateway_close(&gateway);
}

/* Kept above a gap or not, a message has its own trace context; one without has none. */
static void test_a_trace_context_comes_with_its_message(void)
{
	struct weir_message message;
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	CU_ASSERT_TRUE(gateway.options & WEIR_OPTION_TRACE);
	gateway.with_contexts = true;
	gateway_data(&gateway, 0, 2, false);
	gateway_data(&gateway, 0, 2, true);
	gateway_data(&gateway, 0, 2, false);
	gateway_again(&gateway, 0, 2, 2);
	gateway.with_contexts = false;
	gateway_data(&gateway, 0, 1, false);
	for (uint8_t i = 0; i < 6; i++) {
		CU_ASSERT_EQUAL_FATAL(
			weir_session_next(gateway.client, &message, gateway.now_ns), 1);
		CU_ASSERT_EQUAL(message.sequence, i);
		CU_ASSERT_PTR_NOT_NULL_FATAL(message.trace);
		CU_ASSERT_EQUAL(message.trace->trace_id[0], 1);
		CU_ASSERT_EQUAL(message.trace->span_id[0], i);
		CU_ASSERT_EQUAL(message.trace->flags, 3);
		CU_ASSERT_EQUAL(message.trace->reserved[0], 0);
		CU_ASSERT_EQUAL(message.data[message.length - 1], i);
	}
	CU_ASSERT_EQUAL_FATAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_PTR_NULL(message.trace);
	gateway_close(&gateway);
}

static void test_what_came_before_is_dropped_and_acknowledged_again(void)
{
	struct gateway gateway;
	unsigned int acks;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_data(&gateway, 0, 4, false);
	gateway_data(&gateway, 0, 2, true);
	gateway_data(&gateway, 0, 2, false);
	gateway_wait(&gateway, 1);
	acks = gateway.heard[0].acks;
	gateway_again(&gateway, 0, 2, 2); /* below what is expected */
	gateway_again(&gateway, 0, 6, 2); /* kept above the gap */
	gateway_wait(&gateway, 1);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).duplicates, 4);
	CU_ASSERT(gateway.heard[0].acks > acks);
	gateway_again(&gateway, 0, 3, 5); /* the gap, and around it */
	CU_ASSERT_EQUAL(gateway_stats(&gateway).duplicates, 7);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 8);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).held_messages, 0);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).missing_messages, 0);
	gateway_close(&gateway);
}

static void test_a_heartbeat_finds_the_lost_tail(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_data(&gateway, 1, 3, true); /* nothing of the lane ever came */
	gateway_heartbeat(&gateway, 0);
	gateway_wait(&gateway, 0);
	CU_ASSERT_EQUAL(gateway.heard[1].nack_range[0][0], 0);
	CU_ASSERT_EQUAL(gateway.heard[1].nack_range[0][1], 3);
	/* The tail grows: all of it is asked for at once, not at the next repetition. */
	gateway_wait(&gateway, 20);
	gateway.heard[1].nack_ranges = 0;
	gateway_data(&gateway, 1, 2, true);
	gateway_heartbeat(&gateway, 0);
	gateway_wait(&gateway, 0);
	CU_ASSERT_EQUAL(gateway.heard[1].nack_ranges, 1);
	CU_ASSERT_EQUAL(gateway.heard[1].nack_range[0][1], 5);
	gateway_again(&gateway, 1, 0, 5);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 5);
	gateway_close(&gateway);
}

static void test_a_tail_probe_before_its_position_was_told_counts_once(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 8});
	gateway_data(&gateway, 0, 4, false);
	gateway_data(&gateway, 0, 2, true);
	gateway.lanes[0].messages = 4; /* as if it had been sent with positions of before */
	gateway_again(&gateway, 0, 4, 2);
	gateway.lanes[0].messages = 6;
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 6);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT(gateway.limit_messages <= 6 + 8);
	gateway_heartbeat(&gateway, 0);
	gateway_data(&gateway, 0, 2, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 6), 2);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.limit_messages, 8 + 8);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).lost_messages, 0);
	gateway_close(&gateway);
}

static void test_a_nack_is_repeated_with_doubling_pauses_until_answered(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_data(&gateway, 0, 1, true);
	gateway_data(&gateway, 0, 1, false);
	gateway_wait(&gateway, 0);
	CU_ASSERT_EQUAL(gateway.heard[0].nacks, 1);
	gateway_wait(&gateway, 1);
	CU_ASSERT_EQUAL(gateway.heard[0].nacks, 1);
	gateway_wait(&gateway, 1); /* at 2 ms */
	CU_ASSERT_EQUAL(gateway.heard[0].nacks, 2);
	gateway_wait(&gateway, 898); /* 6, 14, 30, 62, 126, 254, 454, 654, 854 */
	CU_ASSERT_EQUAL(gateway.heard[0].nacks, 11);
	gateway_again(&gateway, 0, 0, 1);
	gateway_wait(&gateway, 900);
	CU_ASSERT_EQUAL(gateway.heard[0].nacks, 11);
	gateway_close(&gateway);
}

static void test_every_gap_of_every_lane_is_named_in_one_datagram(void)
{
	struct gateway gateway;
	unsigned int before;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_wait(&gateway, 10);
	for (unsigned int i = 0; i < 7; i++)
		for (uint16_t lane = 0; lane < 4; lane++) {
			gateway_data(&gateway, lane, 2, true);
			gateway_data(&gateway, lane, 1, false);
		}
	before = gateway.datagrams;
	gateway_wait(&gateway, 0);
	CU_ASSERT_EQUAL(gateway.datagrams, before + 1);
	for (unsigned int lane = 0; lane < 4; lane++) {
		CU_ASSERT_EQUAL(gateway.heard[lane].nacks, 1);
		CU_ASSERT_EQUAL(gateway.heard[lane].nack_ranges, 7);
		CU_ASSERT_EQUAL(gateway.heard[lane].nack_range[6][0], 18);
		CU_ASSERT_EQUAL(gateway.heard[lane].nack_range[6][1], 20);
		CU_ASSERT_EQUAL(gateway.heard[lane].acks, 1);
	}
	gateway_close(&gateway);
}

static void test_more_gaps_than_are_remembered_lose_nothing(void)
{
	struct gateway gateway;
	struct gateway_heard *heard = &gateway.heard[0];

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	for (unsigned int i = 0; i < 100; i++) {
		gateway_data(&gateway, 0, 1, true);
		gateway_data(&gateway, 0, 1, false);
	}
	gateway_wait(&gateway, 0);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).unkept, 36);
	CU_ASSERT_EQUAL(heard->nack_ranges, 65); /* in three frames */
	CU_ASSERT_EQUAL(heard->nacks, 3);
	CU_ASSERT_EQUAL(heard->nack_range[64][0], 128);
	CU_ASSERT_EQUAL(heard->nack_range[64][1], 200);
	CU_ASSERT_EQUAL(heard->ack_ranges, 8);
	for (unsigned int i = 0; i < 65; i++) {
		uint64_t *range = heard->nack_range[i];

		gateway_again(&gateway, 0, range[0], range[1] - range[0] > 10 ? 10 : 1);
	}
	gateway_again(&gateway, 0, 138, 10);
	for (uint64_t seq = 148; seq < 200; seq += 4)
		gateway_again(&gateway, 0, seq, 4);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 200);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).missing_messages, 0);
	gateway_close(&gateway);
}

/* 0, 2, 1: frame 1 comes `late_ms` after frame 2. */
static void swap(struct gateway *gateway, uint64_t late_ms)
{
	struct gateway_lane late = gateway->lanes[0];

	gateway_data(gateway, 0, 1, true);
	gateway_data(gateway, 0, 1, false);
	gateway_wait(gateway, late_ms);
	gateway_data_raw(gateway, 0, &late, late.next_seq, 1, 1);
}

static void test_a_path_that_reorders_is_not_asked_in_haste(void)
{
	struct gateway gateway;
	unsigned int nacks;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway.grant = WEIR_OPTION_RELIABLE;
	gateway_cookie(&gateway);
	gateway_welcome(&gateway);
	gateway_wait(&gateway, 20);
	gateway_subscribed(&gateway);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).rtt_us, 20000);
	swap(&gateway, 3);
	CU_ASSERT_EQUAL(gateway.heard[0].nacks, 1);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).reorder_us, 3000);
	swap(&gateway, 2);
	CU_ASSERT_EQUAL(gateway.heard[0].nacks, 1);
	swap(&gateway, 30); /* never more than half a round trip */
	CU_ASSERT_EQUAL(gateway_stats(&gateway).reorder_us, 10000);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).reordered, 2);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 6);
	/* What is lost is asked for all the same, and the haste comes back. */
	for (unsigned int i = 0; i < 60; i++) {
		uint64_t lost = gateway.lanes[0].next_seq;

		nacks = gateway.heard[0].nacks;
		gateway_data(&gateway, 0, 1, true);
		gateway_data(&gateway, 0, 1, false);
		gateway_wait(&gateway, 10);
		CU_ASSERT_EQUAL(gateway.heard[0].nacks, nacks + 1);
		gateway_wait(&gateway, 19); /* about a round trip */
		gateway_again(&gateway, 0, lost, 1);
	}
	CU_ASSERT(gateway_stats(&gateway).reorder_us < 100);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 6), 120);
	gateway_close(&gateway);
}

static void test_acknowledgements_are_a_few_a_round_trip(void)
{
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway.grant = WEIR_OPTION_RELIABLE;
	gateway_cookie(&gateway);
	gateway_welcome(&gateway);
	gateway_wait(&gateway, 40);
	gateway_subscribed(&gateway);
	for (unsigned int ms = 0; ms < 80; ms++) {
		gateway_data(&gateway, 0, 1, false);
		gateway_wait(&gateway, 1);
	}
	/* Two round trips of 40 ms, and one with the CREDIT. */
	CU_ASSERT(gateway.heard[0].acks >= 8 && gateway.heard[0].acks <= 10);
	CU_ASSERT(gateway.heard[0].delay <= 63); /* 1 ms */
	gateway_wait(&gateway, 25);
	CU_ASSERT_EQUAL(gateway.heard[0].next_seq, 80);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 0);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 80);
	gateway_wait(&gateway, 25);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 80);
	gateway_close(&gateway);
}

static void test_a_lost_acknowledgement_is_made_up_for(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_data(&gateway, 0, 3, false);
	gateway.is_deaf = true;
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 3);
	gateway_wait(&gateway, 50);
	gateway.is_deaf = false;
	CU_ASSERT_EQUAL(gateway.heard[0].next_seq, 0);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.heard[0].next_seq, 3);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 3);
	gateway_close(&gateway);
}

static void test_a_session_without_repair_says_nothing_of_it(void)
{
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	CU_ASSERT_FALSE(gateway_stats(&gateway).is_reliable);
	gateway_data(&gateway, 0, 1, true);
	gateway_data(&gateway, 0, 1, false);
	gateway_again(&gateway, 0, 0, 1);
	gateway_gap(&gateway, 0, 0, 1, WEIR_GAP_LAPPED, 0);
	gateway_wait(&gateway, 3 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.heard[0].acks + gateway.heard[0].nacks, 0);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).malformed, 1);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).gaps, 1);
	CU_ASSERT_EQUAL(
		weir_session_seek(gateway.client, NULL, -1, WEIR_FROM_EARLIEST, 0, gateway.now_ns),
		-EOPNOTSUPP);
	gateway_close(&gateway);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a trace context comes with its message",
			test_a_trace_context_comes_with_its_message},
		{"what is lost is asked for at once and comes in order",
			test_what_is_lost_is_asked_for_at_once_and_comes_in_order},
		{"the credit of a missing message is freed when it comes",
			test_the_credit_of_a_missing_message_is_freed_when_it_comes},
		{"what came before is dropped and acknowledged again",
			test_what_came_before_is_dropped_and_acknowledged_again},
		{"a heartbeat finds the lost tail", test_a_heartbeat_finds_the_lost_tail},
		{"a tail probe before its position was told counts once",
			test_a_tail_probe_before_its_position_was_told_counts_once},
		{"a nack is repeated with doubling pauses until answered",
			test_a_nack_is_repeated_with_doubling_pauses_until_answered},
		{"every gap of every lane is named in one datagram",
			test_every_gap_of_every_lane_is_named_in_one_datagram},
		{"more gaps than are remembered lose nothing",
			test_more_gaps_than_are_remembered_lose_nothing},
		{"a path that reorders is not asked in haste",
			test_a_path_that_reorders_is_not_asked_in_haste},
		{"acknowledgements are a few a round trip",
			test_acknowledgements_are_a_few_a_round_trip},
		{"a lost acknowledgement is made up for",
			test_a_lost_acknowledgement_is_made_up_for},
		{"a session without repair says nothing of it",
			test_a_session_without_repair_says_nothing_of_it},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"client reliable", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
