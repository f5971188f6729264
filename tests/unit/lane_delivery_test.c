/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "lane_fixture.h"

static void test_ack_lands(void)
{
	begin();
	send_some(10);
	check_flying(10);
	now += RTT_US;
	CU_ASSERT_EQUAL(ack(4, 0, 1, 6, 8), 0);
	check_flying(4);
	CU_ASSERT_EQUAL(lane.landed.messages, 6);
	CU_ASSERT_EQUAL(lane.received, FIRST + 4);
	/* The same again, and an older one, change nothing. */
	CU_ASSERT_EQUAL(ack(4, 0, 1, 6, 8), 0);
	CU_ASSERT_EQUAL(ack(2, 0, 0), 0);
	check_flying(4);
	CU_ASSERT_EQUAL(lane.received, FIRST + 4);
}

static void test_settles_when_worked_on(void)
{
	uint16_t length = 0;

	begin();
	send_some(5);
	CU_ASSERT_EQUAL(ack(5, 2, 0), 0);
	CU_ASSERT_EQUAL(weir_delivery_settle(&lane, &length), WEIR_DELIVERY_RECEIVED);
	CU_ASSERT_EQUAL(length, LENGTH);
	CU_ASSERT_EQUAL(settle_all(WEIR_DELIVERY_RECEIVED), 1);
	CU_ASSERT_EQUAL(lane.done, FIRST + 2);
	CU_ASSERT_EQUAL(ack(5, 5, 0), 0);
	CU_ASSERT_EQUAL(settle_all(WEIR_DELIVERY_RECEIVED), 3);
	CU_ASSERT_EQUAL(weir_delivery_settle(&lane, &length), WEIR_DELIVERY_UNSENT);
	CU_ASSERT_EQUAL(lane.done, FIRST + 5);
}

static void test_never_sent_is_refused(void)
{
	struct weir_delivery before;

	begin();
	send_some(5);
	before = lane;
	CU_ASSERT_EQUAL(ack(6, 0, 0), -EINVAL);
	CU_ASSERT_EQUAL(ack(3, 4, 0), -EINVAL);
	CU_ASSERT_EQUAL(ack(1, 0, 2, 2, 3, 4, 6), -EINVAL);
	CU_ASSERT_EQUAL(nack(2, 6), -EINVAL);
	CU_ASSERT_EQUAL(memcmp(&lane, &before, sizeof(lane)), 0);
}

static void test_given_up_is_told(void)
{
	struct weir_delivery_gap gap;

	begin();
	send_some(6);
	weir_delivery_pass(&lane, WEIR_GAP_TOO_BIG);
	nack(2, 4);
	weir_delivery_give_up(&lane, FIRST + 2, WEIR_GAP_EXPIRED);
	weir_delivery_give_up(&lane, FIRST + 3, WEIR_GAP_EXPIRED);
	weir_delivery_give_up(&lane, FIRST + 4, WEIR_GAP_QUARANTINED);
	check_flying(3);
	CU_ASSERT_EQUAL(resend_all(), 0);
	CU_ASSERT_TRUE(weir_delivery_gap(&lane, FIRST, FIRST + 7, &gap));
	CU_ASSERT_EQUAL(gap.first, FIRST + 2);
	CU_ASSERT_EQUAL(gap.end, FIRST + 4);
	CU_ASSERT_EQUAL(gap.reason, WEIR_GAP_EXPIRED);
	CU_ASSERT_EQUAL(gap.messages, 2);
	CU_ASSERT_EQUAL(gap.bytes, 2 * LENGTH);
	CU_ASSERT_TRUE(weir_delivery_gap(&lane, gap.end, FIRST + 7, &gap));
	CU_ASSERT_EQUAL(gap.reason, WEIR_GAP_QUARANTINED);
	CU_ASSERT_TRUE(weir_delivery_gap(&lane, gap.end, FIRST + 7, &gap));
	CU_ASSERT_EQUAL(gap.first, FIRST + 6);
	CU_ASSERT_EQUAL(gap.reason, WEIR_GAP_TOO_BIG);
	CU_ASSERT_EQUAL(gap.messages, 0);
	CU_ASSERT_FALSE(weir_delivery_gap(&lane, gap.end, FIRST + 100, &gap));
	/* An acknowledgement does not bring back what was given up. */
	CU_ASSERT_EQUAL(ack(7, 7, 0), 0);
	check_flying(0);
	CU_ASSERT_EQUAL(settle_all(WEIR_DELIVERY_GONE), 4);
	CU_ASSERT_EQUAL(lane.settled, 0);
	CU_ASSERT_EQUAL(lane.done, FIRST + 7);
}

static void test_gap_below_done(void)
{
	struct weir_delivery_gap gap;

	begin();
	send_some(6);
	ack(2, 2, 0);
	settle_all(WEIR_DELIVERY_RECEIVED);
	CU_ASSERT_EQUAL(weir_delivery_drop(&lane, WEIR_GAP_LAPPED), WEIR_DELIVERY_FLYING);
	CU_ASSERT_EQUAL(weir_delivery_drop(&lane, WEIR_GAP_LAPPED), WEIR_DELIVERY_FLYING);
	check_flying(2);
	CU_ASSERT_EQUAL(lane.received, FIRST + 4);
	CU_ASSERT_TRUE(weir_delivery_gap(&lane, FIRST + 2, FIRST + 6, &gap));
	CU_ASSERT_EQUAL(gap.first, FIRST + 2);
	CU_ASSERT_EQUAL(gap.end, FIRST + 4);
	CU_ASSERT_EQUAL(gap.reason, WEIR_GAP_LAPPED);
	CU_ASSERT_EQUAL(gap.messages, 2);
	/* What was settled is told as left out. */
	CU_ASSERT_TRUE(weir_delivery_gap(&lane, FIRST, FIRST + 6, &gap));
	CU_ASSERT_EQUAL(gap.end, FIRST + 2);
	CU_ASSERT_EQUAL(gap.reason, WEIR_GAP_LEFT_OUT);
	/* An old acknowledgement does not make it forgotten, one from beyond it does. */
	ack(2, 2, 0);
	CU_ASSERT_EQUAL(lane.gap_count, 1);
	ack(4, 2, 0);
	CU_ASSERT_EQUAL(lane.gap_count, 0);
}

static void test_many_gaps_stay_covered(void)
{
	struct weir_delivery_gap gap;
	uint64_t from = FIRST;

	begin();
	for (unsigned int i = 0; i < 30; i++) {
		send_some(1);
		weir_delivery_pass(&lane, WEIR_GAP_EXPIRED);
		weir_delivery_drop(&lane, WEIR_GAP_LAPPED);
		CU_ASSERT_EQUAL(settle_all(WEIR_DELIVERY_GONE), 1);
	}
	CU_ASSERT_TRUE(lane.gap_count <= WEIR_DELIVERY_GAPS);
	while (from < lane.done && weir_delivery_gap(&lane, from, lane.done, &gap)) {
		CU_ASSERT_TRUE(gap.first <= from && gap.end > from);
		CU_ASSERT_NOT_EQUAL(gap.reason, WEIR_GAP_LEFT_OUT);
		from = gap.end;
	}
	CU_ASSERT_EQUAL(from, lane.done);
}

static void test_rewind_sends_again(void)
{
	begin();
	send_some(8);
	ack(3, 1, 1, 5, 6);
	settle_all(WEIR_DELIVERY_RECEIVED);
	nack(3, 5);
	weir_delivery_give_up(&lane, FIRST + 4, WEIR_GAP_EXPIRED);
	weir_delivery_rewind(&lane);
	check_flying(0);
	CU_ASSERT_EQUAL(lane.lost, 0);
	CU_ASSERT_EQUAL(lane.next, FIRST + 1);
	CU_ASSERT_EQUAL(lane.received, FIRST + 1);
	weir_delivery_skip_gone(&lane);
	CU_ASSERT_EQUAL(lane.next, FIRST + 1);
	send_some(3);
	/* What was given up before stays so, and is counted once. */
	weir_delivery_skip_gone(&lane);
	CU_ASSERT_EQUAL(lane.next, FIRST + 5);
	CU_ASSERT_TRUE(weir_delivery_is_again(&lane, FIRST + 7));
	CU_ASSERT_FALSE(weir_delivery_is_again(&lane, FIRST + 8));
	send_some(4);
	ack(9, 9, 0);
	CU_ASSERT_EQUAL(lane.settled, 1);
	CU_ASSERT_EQUAL(settle_all(WEIR_DELIVERY_GONE), 1);
	CU_ASSERT_EQUAL(lane.done, FIRST + 9);
	check_flying(0);
}

static void test_gaps_of_another_session(void)
{
	struct weir_delivery_gap gap;

	begin();
	send_some(6);
	weir_delivery_drop(&lane, WEIR_GAP_LAPPED);
	weir_delivery_give_up(&lane, FIRST + 4, WEIR_GAP_EXPIRED);
	weir_delivery_rewind(&lane);
	/* They are told, but nothing of them took the new session's credit. */
	CU_ASSERT_TRUE(weir_delivery_gap(&lane, FIRST, FIRST + 1, &gap));
	CU_ASSERT_EQUAL(gap.reason, WEIR_GAP_LAPPED);
	CU_ASSERT_EQUAL(gap.messages, 0);
	CU_ASSERT_EQUAL(gap.bytes, 0);
	send_some(3);
	weir_delivery_skip_gone(&lane);
	send_some(1);
	CU_ASSERT_TRUE(weir_delivery_gap(&lane, FIRST + 1, FIRST + 6, &gap));
	CU_ASSERT_EQUAL(gap.first, FIRST + 4);
	CU_ASSERT_EQUAL(gap.messages, 0);
}

static void test_drop_after_rewind(void)
{
	begin();
	send_some(2);
	weir_delivery_pass(&lane, WEIR_GAP_TOO_BIG);
	weir_delivery_rewind(&lane);
	CU_ASSERT_EQUAL(weir_delivery_drop(&lane, WEIR_GAP_LAPPED), WEIR_DELIVERY_UNSENT);
	CU_ASSERT_EQUAL(weir_delivery_drop(&lane, WEIR_GAP_LAPPED), WEIR_DELIVERY_UNSENT);
	CU_ASSERT_EQUAL(weir_delivery_drop(&lane, WEIR_GAP_LAPPED), WEIR_DELIVERY_GONE);
	CU_ASSERT_EQUAL(lane.settled, 0);
	CU_ASSERT_EQUAL(lane.next, FIRST + 3);
}

static void test_reopen(void)
{
	begin();
	send_some(10);
	ack(6, 6, 0);
	settle_all(WEIR_DELIVERY_RECEIVED);
	weir_delivery_give_up(&lane, FIRST + 8, WEIR_GAP_EXPIRED);
	weir_delivery_reopen(&lane, FIRST + 2);
	CU_ASSERT_EQUAL(lane.done, FIRST + 2);
	CU_ASSERT_EQUAL(lane.next, FIRST + 2);
	CU_ASSERT_EQUAL(lane.settled, 0);
	weir_delivery_skip_gone(&lane);
	send_some(8);
	weir_delivery_skip_gone(&lane);
	CU_ASSERT_EQUAL(lane.next, FIRST + 10);
	ack(10, 10, 0);
	CU_ASSERT_EQUAL(settle_all(WEIR_DELIVERY_RECEIVED), 8);
}

static void test_missing_after_restart(void)
{
	struct weir_delivery_gap gap;

	begin();
	weir_delivery_missing(&lane, FIRST, FIRST, WEIR_GAP_RESTART);
	CU_ASSERT_EQUAL(lane.gap_count, 0);
	weir_delivery_missing(&lane, FIRST - 50, FIRST, WEIR_GAP_RESTART);
	CU_ASSERT_TRUE(weir_delivery_gap(&lane, FIRST - 50, FIRST, &gap));
	CU_ASSERT_EQUAL(gap.first, FIRST - 50);
	CU_ASSERT_EQUAL(gap.end, FIRST);
	CU_ASSERT_EQUAL(gap.reason, WEIR_GAP_RESTART);
	CU_ASSERT_EQUAL(gap.messages, 0);
}

/* In front of what this lane gave up before it was anybody's; the oldest are put together. */
static void test_inherited_gap_comes_first(void)
{
	begin();
	weir_delivery_inherit(&lane, FIRST, WEIR_GAP_REMOVED);
	CU_ASSERT_EQUAL(lane.gap_count, 0);
	weir_delivery_drop(&lane, WEIR_GAP_LAPPED);
	weir_delivery_inherit(&lane, FIRST - 50, WEIR_GAP_REMOVED);
	CU_ASSERT_EQUAL(lane.gap_count, 2);
	CU_ASSERT_EQUAL(lane.gaps[0].first, FIRST - 50);
	CU_ASSERT_EQUAL(lane.gaps[0].end, FIRST);
	CU_ASSERT_EQUAL(lane.gaps[0].reason, WEIR_GAP_REMOVED);
	CU_ASSERT_EQUAL(lane.gaps[1].end, FIRST + 1);
	begin();
	for (unsigned int i = 0; i < WEIR_DELIVERY_GAPS; i++)
		weir_delivery_drop(&lane, i & 1 ? WEIR_GAP_LAPPED : WEIR_GAP_EXPIRED);
	CU_ASSERT_EQUAL(lane.gap_count, WEIR_DELIVERY_GAPS);
	weir_delivery_inherit(&lane, FIRST - 50, WEIR_GAP_REMOVED);
	CU_ASSERT_EQUAL(lane.gap_count, WEIR_DELIVERY_GAPS);
	CU_ASSERT_EQUAL(lane.gaps[0].first, FIRST - 50);
	CU_ASSERT_EQUAL(lane.gaps[1].first, FIRST);
	CU_ASSERT_EQUAL(lane.gaps[WEIR_DELIVERY_GAPS - 1].end, FIRST + WEIR_DELIVERY_GAPS);
}

static void test_ring_wraps(void)
{
	uint64_t sent = 0;

	begin();
	for (unsigned int round = 0; round < 1000; round++) {
		unsigned int count = 1 + round % RING;

		send_some(count);
		sent += count;
		nack(sent - count, sent);
		resend_all();
		CU_ASSERT_EQUAL(ack(sent, sent, 0), 0);
		CU_ASSERT_EQUAL(settle_all(WEIR_DELIVERY_RECEIVED), count);
	}
	check_flying(0);
	CU_ASSERT_EQUAL(lane.landed.messages, sent);
	for (unsigned int i = 0; i < RING; i++)
		CU_ASSERT_EQUAL(records[i].state, WEIR_DELIVERY_UNSENT);
}

static void test_trusted_session(void)
{
	begin();
	send_some(7);
	weir_delivery_trust(&lane);
	check_flying(0);
	CU_ASSERT_EQUAL(settle_all(WEIR_DELIVERY_RECEIVED), 7);
	CU_ASSERT_EQUAL(weir_delivery_deadline_us(&lane), UINT64_MAX);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what is acknowledged is in flight no longer, once", test_ack_lands},
		{"a message is held until it was worked on", test_settles_when_worked_on},
		{"an answer about what was never sent changes nothing", test_never_sent_is_refused},
		{"what is given up is told with its reason", test_given_up_is_told},
		{"a gap is told until the client has passed it", test_gap_below_done},
		{"however many gaps there are, all are told", test_many_gaps_stay_covered},
		{"another session gets again what is not settled", test_rewind_sends_again},
		{"gaps of another session take no credit of this one",
			test_gaps_of_another_session},
		{"what was given up before a change of hands is dropped once",
			test_drop_after_rewind},
		{"a lane can go back", test_reopen},
		{"a range lost in a restart is told", test_missing_after_restart},
		{"what a lane inherits comes first", test_inherited_gap_comes_first},
		{"records are as new when the ring comes round", test_ring_wraps},
		{"a session without acknowledgement is trusted", test_trusted_session},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"delivery", NULL, NULL, NULL, NULL, tests},
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
