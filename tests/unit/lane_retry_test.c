/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>

#include "lane_fixture.h"

static void test_nack_is_answered_once_a_round(void)
{
	begin();
	send_some(10);
	now += RTT_US;
	CU_ASSERT_EQUAL(ack(2, 0, 1, 9, 10), 0);
	CU_ASSERT_EQUAL(nack(2, 5), 0);
	CU_ASSERT_EQUAL(lane.lost, 3);
	check_flying(7);
	CU_ASSERT_EQUAL(resend_all(), 3);
	check_flying(7);
	now += RTT_US / 2;
	CU_ASSERT_EQUAL(nack(2, 5), 0);
	CU_ASSERT_EQUAL(resend_all(), 0);
	now += RTT_US / 2;
	CU_ASSERT_EQUAL(nack(2, 5), 0);
	CU_ASSERT_EQUAL(resend_all(), 3);
}

static void test_resends_in_order(void)
{
	begin();
	send_some(10);
	CU_ASSERT_EQUAL(nack(7, 9), 0);
	CU_ASSERT_EQUAL(nack(1, 2), 0);
	CU_ASSERT_EQUAL(weir_delivery_again(&lane, 0), FIRST + 1);
	CU_ASSERT_EQUAL(weir_delivery_again(&lane, FIRST + 2), FIRST + 7);
	CU_ASSERT_EQUAL(weir_delivery_again(&lane, FIRST + 9), WEIR_DELIVERY_NONE);
	CU_ASSERT_EQUAL(weir_delivery_again(&lane, 0), FIRST + 1);
	/* An acknowledgement makes a repeat needless. */
	CU_ASSERT_EQUAL(ack(2, 0, 0), 0);
	CU_ASSERT_EQUAL(weir_delivery_again(&lane, 0), FIRST + 7);
	CU_ASSERT_EQUAL(resend_all(), 2);
	CU_ASSERT_EQUAL(lane.lost, 0);
}

static void test_budget(void)
{
	unsigned int acked = 0, resent = 0;

	begin();
	rules.attempts = UINT8_MAX;
	/* Everything is said to be missing again and again; one message in eight arrives. */
	for (unsigned int round = 0; round < 400; round++) {
		while (lane.next < lane.done + RING)
			weir_delivery_sent(&lane, LENGTH, now);
		now += RTT_US;
		nack(lane.received - FIRST, lane.next - FIRST);
		resent += resend_all();
		now += RTT_US;
		ack(lane.received - FIRST + 8, lane.received - FIRST + 8, 0);
		acked += settle_all(WEIR_DELIVERY_RECEIVED);
	}
	CU_ASSERT_EQUAL(acked, 3200);
	/* A burst of 64; one for each that needed it; a quarter of what arrived. */
	CU_ASSERT_TRUE(resent <= 64 + acked + acked / 4);
	CU_ASSERT_TRUE(resent >= acked);
}

static void test_budget_stops(void)
{
	begin();
	rules.attempts = UINT8_MAX;
	send_some(RING);
	for (unsigned int round = 0; round < 100; round++) {
		now += RTT_US;
		nack(0, RING);
		resend_all();
	}
	CU_ASSERT_TRUE(lane.tokens >= 0 && lane.tokens < 256);
	CU_ASSERT_EQUAL(resend_all(), 0);
	CU_ASSERT_TRUE(lane.lost > 0);
	/* What waits for the budget is not forgotten. */
	now = weir_delivery_deadline_us(&lane);
	weir_delivery_tick(&lane, true, now);
	CU_ASSERT_TRUE(resend_all() >= 1);
}

/* A client that asks for the same again and again, more often than a probe would be due. */
static void test_asking_puts_no_probe_off(void)
{
	unsigned int resent = 0;

	begin();
	send_some(RING);
	nack(0, RING);
	lane.tokens = 0;
	for (unsigned int round = 0; round < 100; round++) {
		now += RTT_US / 2;
		nack(0, RING);
		weir_delivery_tick(&lane, true, now);
		resent += resend_all();
	}
	CU_ASSERT_TRUE(resent >= 2);
}

static void test_tail_probe(void)
{
	uint64_t deadline;

	begin();
	CU_ASSERT_EQUAL(weir_delivery_deadline_us(&lane), UINT64_MAX);
	send_some(1);
	now += RTT_US;
	ack(1, 1, 0);
	CU_ASSERT_EQUAL(weir_delivery_deadline_us(&lane), UINT64_MAX);
	send_some(5);
	deadline = weir_delivery_deadline_us(&lane);
	CU_ASSERT_TRUE(deadline >= now + RTT_US && deadline <= now + 2 * RTT_US);
	weir_delivery_tick(&lane, true, deadline - 1);
	CU_ASSERT_EQUAL(lane.lost, 0);
	weir_delivery_tick(&lane, true, deadline);
	CU_ASSERT_EQUAL(weir_delivery_again(&lane, 0), FIRST + 5);
	CU_ASSERT_EQUAL(resend_all(), 1);
	/* The oldest as well; later each time. */
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t pause = weir_delivery_deadline_us(&lane) - deadline;

		CU_ASSERT_TRUE(pause >= (RTT_US * 2) << i || pause >= 200000);
		deadline += pause;
		now = deadline;
		weir_delivery_tick(&lane, false, now);
		CU_ASSERT_EQUAL(weir_delivery_again(&lane, 0), FIRST + 1);
		CU_ASSERT_EQUAL(resend_all(), 2);
	}
}

static void test_probe_needs_no_budget(void)
{
	begin();
	send_some(3);
	lane.tokens = 0;
	now = weir_delivery_deadline_us(&lane);
	weir_delivery_tick(&lane, true, now);
	CU_ASSERT_EQUAL(resend_all(), 1);
}

static void test_silent_client_uses_no_attempts(void)
{
	begin();
	send_some(1);
	for (unsigned int i = 0; i < 50; i++) {
		now = weir_delivery_deadline_us(&lane);
		weir_delivery_tick(&lane, false, now);
		CU_ASSERT_FALSE(weir_delivery_is_exhausted(&lane, FIRST));
		resend_all();
	}
	for (unsigned int i = 0; !weir_delivery_is_exhausted(&lane, FIRST) && i < 10; i++) {
		now = weir_delivery_deadline_us(&lane);
		weir_delivery_tick(&lane, true, now);
		resend_all();
	}
	CU_ASSERT_TRUE(weir_delivery_is_exhausted(&lane, FIRST));
	CU_ASSERT_EQUAL(records[FIRST % RING].attempts, rules.attempts);
}

static void test_round_trip(void)
{
	begin();
	send_some(1);
	now += RTT_US;
	ack(1, 1, 0);
	CU_ASSERT_EQUAL(lane.srtt_us, RTT_US);
	/* The same again is no sample, however late. */
	now += 10 * RTT_US;
	ack(1, 1, 0);
	CU_ASSERT_EQUAL(lane.srtt_us, RTT_US);
	/* Nor is one that was sent twice (Karn). */
	send_some(1);
	now += 10 * RTT_US;
	nack(1, 2);
	resend_all();
	ack(2, 2, 0);
	CU_ASSERT_EQUAL(lane.srtt_us, RTT_US);
	send_some(1);
	now += 2 * RTT_US;
	ack(3, 3, 0);
	CU_ASSERT_EQUAL(lane.srtt_us, RTT_US + RTT_US / 8);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a repeated NACK is answered once a round trip",
			test_nack_is_answered_once_a_round},
		{"what is missing is sent again in order", test_resends_in_order},
		{"retransmission stays within its budget", test_budget},
		{"without a budget only probes go out", test_budget_stops},
		{"without a budget a client that asks all the time is probed all the same",
			test_asking_puts_no_probe_off},
		{"a lost tail is probed for within two round trips", test_tail_probe},
		{"a probe needs no budget", test_probe_needs_no_budget},
		{"probes to a silent client use up no attempts",
			test_silent_client_uses_no_attempts},
		{"only unambiguous messages measure the round trip", test_round_trip},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"retry", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
