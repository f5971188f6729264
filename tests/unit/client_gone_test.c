/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "client_gateway.h"

/* What does not come back: told with its reason, in its place, and its credit is free. */

static void test_what_is_gone_is_told_with_its_reason(void)
{
	struct gateway gateway;
	struct weir_message message;
	struct weir_event event;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 2, false);
	gateway_data(&gateway, 0, 5, true);
	gateway_data(&gateway, 0, 3, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 2);
	gateway_gap(&gateway, 0, 2, 7, WEIR_GAP_QUARANTINED, 5);
	gateway_gap(&gateway, 0, 2, 7, WEIR_GAP_QUARANTINED, 5); /* it is repeated */
	CU_ASSERT_TRUE(gateway_event(&gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(event.first, 2);
	CU_ASSERT_EQUAL(event.count, 5);
	CU_ASSERT_EQUAL(event.reason, WEIR_GONE_QUARANTINED);
	CU_ASSERT_STRING_EQUAL(weir_gone_name(event.reason), "quarantined");
	CU_ASSERT_FALSE(gateway_event(&gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_EQUAL(message.sequence, 7);
	CU_ASSERT_EQUAL(message.missed, 5);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 8), 2);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).lost_messages, 5);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 10);
	gateway_close(&gateway);
}

static void test_what_was_left_out_is_no_gap(void)
{
	struct gateway gateway;
	struct weir_message message;
	struct weir_event event;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_data(&gateway, 0, 2, false);
	gateway.lanes[0].next_seq = 7; /* given up without having been sent */
	gateway_data(&gateway, 0, 3, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 2);
	gateway_gap(&gateway, 0, 2, 7, WEIR_GAP_LEFT_OUT, 0);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 7), 3);
	CU_ASSERT_FALSE(gateway_event(&gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(gateway_stats(&gateway).gaps, 0);
	/* A filter leaves out within frames: nothing is asked for. */
	gateway_data_raw(&gateway, 0, &gateway.lanes[0], 10, 100, 1);
	gateway_wait(&gateway, 1);
	CU_ASSERT_EQUAL(gateway.heard[0].next_seq, 110);
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	gateway_close(&gateway);
}

static void test_a_gap_above_a_gap_is_told_in_its_place(void)
{
	struct gateway gateway;
	struct weir_message message;
	struct weir_event event;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_data(&gateway, 0, 1, true);
	gateway_data(&gateway, 0, 1, false);
	gateway_data(&gateway, 0, 3, true);
	gateway_data(&gateway, 0, 1, false);
	gateway_gap(&gateway, 0, 2, 5, WEIR_GAP_EXPIRED, 3);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).missing_messages, 1);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).lost_messages, 3);
	/* Known to the gateway only: not sent as far as we know, so not taken. */
	gateway_gap(&gateway, 0, 50, 60, WEIR_GAP_LAPPED, 0);
	CU_ASSERT_FALSE(gateway_event(&gateway, WEIR_EVENT_GAP, &event));
	gateway_again(&gateway, 0, 0, 1);
	CU_ASSERT_TRUE(gateway_event(&gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(event.first, 2);
	CU_ASSERT_EQUAL(event.reason, WEIR_GONE_EXPIRED);
	for (uint64_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL_FATAL(
			weir_session_next(gateway.client, &message, gateway.now_ns), 1);
		CU_ASSERT_EQUAL(message.sequence, i < 2 ? i : 5);
		CU_ASSERT_EQUAL(message.missed, i < 2 ? 0 : 3);
	}
	CU_ASSERT_EQUAL(gateway_stats(&gateway).missing_messages, 0);
	gateway_close(&gateway);
}

static void test_a_higher_epoch_ends_what_was_missing(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 2, false);
	gateway_data(&gateway, 0, 3, true);
	gateway_data(&gateway, 0, 2, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 2);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).held_messages, 2);
	/* The lane begins anew with what nobody was done with. */
	gateway.lanes[0].epoch++;
	gateway.lanes[0].first = gateway.lanes[0].next_seq = 2;
	gateway_data(&gateway, 0, 5, false);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).lost_messages, 0);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 2), 5);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.heard[0].epoch, 1);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 7);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).held_messages, 0);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).missing_messages, 0);
	gateway_close(&gateway);
}

static void test_what_there_is_no_room_for_is_not_acknowledged(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 4});
	gateway_data(&gateway, 0, 6, false);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).overruns, 1);
	gateway_wait(&gateway, 0);
	CU_ASSERT_EQUAL(gateway.heard[0].next_seq, 4);
	CU_ASSERT_EQUAL(gateway.heard[0].nack_range[0][0], 4);
	CU_ASSERT_EQUAL(gateway.heard[0].nack_range[0][1], 6);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 4);
	gateway_again(&gateway, 0, 4, 2);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 4), 2);
	gateway_close(&gateway);
}

/* The lane's next messages, sent by a port's program: `left_out` numbers are skipped before. */
static void send_degraded(struct gateway *gateway, uint64_t left_out, uint16_t count)
{
	gateway->lanes[0].next_seq += left_out;
	gateway->flags = WEIR_DATA_DEGRADED;
	gateway_data(gateway, 0, count, false);
	gateway->flags = 0;
}

static void expect_gap(
	struct gateway *gateway, uint64_t first, uint64_t count, enum weir_gone reason)
{
	struct weir_event event;

	CU_ASSERT_TRUE_FATAL(gateway_event(gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(event.first, first);
	CU_ASSERT_EQUAL(event.count, count);
	CU_ASSERT_EQUAL(event.reason, reason);
}

static void test_without_a_gateway_nothing_is_waited_for(void)
{
	struct weir_message message;
	struct weir_event event;
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 20});
	gateway_data(&gateway, 0, 5, false);
	gateway_data(&gateway, 0, 3, true);
	gateway_data(&gateway, 0, 2, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 5);
	gateway_wait(&gateway, 1);
	/* The gateway dies, and what was lost on the way with it. */
	gateway.heard[0].nacks = 0;
	send_degraded(&gateway, 990, 2);
	expect_gap(&gateway, 5, 3, WEIR_GONE_RESTART);
	expect_gap(&gateway, 10, 990, WEIR_GONE_RESTART);
	for (uint64_t seq = 8; seq < 10; seq++) {
		CU_ASSERT_EQUAL_FATAL(
			weir_session_next(gateway.client, &message, gateway.now_ns), 1);
		CU_ASSERT_EQUAL(message.sequence, seq);
	}
	CU_ASSERT_EQUAL_FATAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_EQUAL(message.sequence, 1000);
	CU_ASSERT_EQUAL(message.missed, 990);
	CU_ASSERT_EQUAL_FATAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	send_degraded(&gateway, 3, 1);
	expect_gap(&gateway, 1002, 3, WEIR_GONE_FAILOVER);
	CU_ASSERT_EQUAL_FATAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_EQUAL(message.missed, 3);
	send_degraded(&gateway, 0, 2);
	CU_ASSERT_FALSE(gateway_event(&gateway, WEIR_EVENT_GAP, &event));
	gateway_wait(&gateway, 3 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.heard[0].nacks, 0);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 20 - gateway_stats(&gateway).held_messages);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).missing_messages, 0);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).lost_messages, 3);
	gateway_close(&gateway);
}

/* What came without a gateway is not told as a gap by the next one, what did not come is. */
static void test_the_next_gateway_tells_the_rest(void)
{
	struct weir_event event;
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_data(&gateway, 0, 5, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 5);
	send_degraded(&gateway, 95, 3);
	expect_gap(&gateway, 5, 95, WEIR_GONE_RESTART);
	while (gateway_event(&gateway, WEIR_EVENT_GAP, &event))
		CU_FAIL("another gap");
	gateway_error(&gateway, gateway.session, WEIR_ERROR_SESSION, 0);
	gateway_wait(&gateway, 200);
	gateway_join(&gateway);
	gateway.lanes[0] = (struct gateway_lane){.epoch = 1, .first = 2, .next_seq = 2};
	gateway_gap(&gateway, 0, 2, 2, WEIR_GAP_RESTART, 0);
	gateway_data_raw(&gateway, 0, &gateway.lanes[0], 2000, 1, 1);
	gateway_gap(&gateway, 0, 2, 2000, WEIR_GAP_RESTART, 0);
	expect_gap(&gateway, 103, 1897, WEIR_GONE_RESTART);
	gateway_close(&gateway);
}

/* Where the program's numbers begin is known: what it left out is told by itself. */
static void test_what_the_program_left_out_is_told_apart(void)
{
	struct gateway gateway;
	struct weir_event event;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_data(&gateway, 0, 5, false);
	gateway.lanes[0].first = 100;
	send_degraded(&gateway, 98, 2);
	expect_gap(&gateway, 5, 95, WEIR_GONE_RESTART);
	expect_gap(&gateway, 100, 3, WEIR_GONE_FAILOVER);
	CU_ASSERT_FALSE(gateway_event(&gateway, WEIR_EVENT_GAP, &event));
	send_degraded(&gateway, 1, 1);
	expect_gap(&gateway, 105, 1, WEIR_GONE_FAILOVER);
	/* Of what was sent on another lane before the client has seen nothing. */
	gateway.lanes[1] = (struct gateway_lane){.first = 50, .next_seq = 52, .messages = 7};
	gateway.flags = WEIR_DATA_DEGRADED;
	gateway_data(&gateway, 1, 1, false);
	expect_gap(&gateway, 43, 7, WEIR_GONE_RESTART);
	expect_gap(&gateway, 50, 2, WEIR_GONE_FAILOVER);
	gateway_close(&gateway);
}

static void test_without_repair_the_same_is_told(void)
{
	struct weir_message message;
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){.unreliable = true});
	gateway_join(&gateway);
	gateway_data(&gateway, 0, 5, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 5);
	send_degraded(&gateway, 95, 1);
	expect_gap(&gateway, 5, 95, WEIR_GONE_RESTART);
	send_degraded(&gateway, 2, 1);
	expect_gap(&gateway, 101, 2, WEIR_GONE_FAILOVER);
	CU_ASSERT_EQUAL_FATAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_EQUAL(message.missed, 95);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).lost_messages, 0);
	gateway_close(&gateway);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what is gone is told with its reason", test_what_is_gone_is_told_with_its_reason},
		{"what was left out is no gap", test_what_was_left_out_is_no_gap},
		{"a gap above a gap is told in its place",
			test_a_gap_above_a_gap_is_told_in_its_place},
		{"a higher epoch ends what was missing", test_a_higher_epoch_ends_what_was_missing},
		{"what there is no room for is not acknowledged",
			test_what_there_is_no_room_for_is_not_acknowledged},
		{"without a gateway nothing is waited for",
			test_without_a_gateway_nothing_is_waited_for},
		{"the next gateway tells the rest", test_the_next_gateway_tells_the_rest},
		{"what the program left out is told apart",
			test_what_the_program_left_out_is_told_apart},
		{"without repair the same is told", test_without_repair_the_same_is_told},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"client gone", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
