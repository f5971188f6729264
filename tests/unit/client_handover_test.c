/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>

#include "client_gateway.h"

/* Lanes that are given and taken while the session goes on. */

static void tell(struct gateway *gateway, enum weir_frame_type type, uint32_t deadline_ms)
{
	const struct gateway_lane *lane = &gateway->lanes[0];
	struct weir_frame_handover *frame;
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	frame = weir_writer_add(&writer, type, 0, sizeof(*frame));
	frame->stream = weir_be16(gateway->stream);
	frame->partition = weir_be16(0);
	frame->epoch = weir_be32(lane->epoch);
	frame->deadline_ms = weir_be32(deadline_ms);
	frame->seq = weir_be64(lane->next_seq);
	frame->lane_messages = weir_be64(lane->messages);
	frame->lane_bytes = weir_be64(lane->bytes);
	gateway_send(gateway, &writer);
}

static void expect_release(struct gateway *gateway, unsigned int releases, uint64_t seq)
{
	CU_ASSERT_EQUAL(gateway->releases, releases);
	CU_ASSERT_EQUAL(weir_be64(gateway->release.seq), seq);
	CU_ASSERT_EQUAL(weir_be32(gateway->release.epoch), gateway->lanes[0].epoch);
}

/* At once when the application calls for the next and there is none: then it is done with all. */
static void test_released_when_done(void)
{
	struct gateway gateway;
	struct weir_message message;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 3, false);
	tell(&gateway, WEIR_FRAME_REVOKE, 1000);
	CU_ASSERT_EQUAL(gateway.releases, 0);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_EQUAL(gateway.releases, 0);
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 0);
	expect_release(&gateway, 1, 3);
	/* It was lost: the next REVOKE is answered again. */
	tell(&gateway, WEIR_FRAME_REVOKE, 980);
	expect_release(&gateway, 2, 3);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	gateway_close(&gateway);
}

/* What is missing is asked for first: REVOKE tells of a lost tail as a heartbeat does. */
static void test_missing_is_asked_for(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 2, false);
	gateway_data(&gateway, 0, 1, true);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 2);
	tell(&gateway, WEIR_FRAME_REVOKE, 1000);
	gateway_wait(&gateway, 5);
	CU_ASSERT_EQUAL(gateway.releases, 0);
	CU_ASSERT_TRUE(gateway.heard[0].nacks >= 1);
	gateway_again(&gateway, 0, 2, 1);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 2), 1);
	expect_release(&gateway, 1, 3);
	gateway_close(&gateway);
}

/* Its time is over: what the application was not given it is not given any more, by this epoch. */
static void test_released_when_late(void)
{
	struct gateway gateway;
	struct weir_message message;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 5, false);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	tell(&gateway, WEIR_FRAME_REVOKE, 50);
	gateway_wait(&gateway, 49);
	CU_ASSERT_EQUAL(gateway.releases, 0);
	gateway_wait(&gateway, 2);
	expect_release(&gateway, 1, 1); /* the second is in its hands */
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 0);
	gateway_again(&gateway, 0, 2, 3);
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 0);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_TRUE(gateway.heard[0].done_seq <= 1);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	gateway_close(&gateway);
}

/* The lane comes back: what was let go is taken then, and nothing that was done with. */
static void test_comes_back(void)
{
	struct gateway gateway;
	struct weir_message message;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 5, false);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	tell(&gateway, WEIR_FRAME_REVOKE, 10);
	gateway_wait(&gateway, 11);
	expect_release(&gateway, 1, 1);
	gateway.lanes[0].epoch += 2;
	gateway.lanes[0].first = 2;
	gateway.lanes[0].next_seq = 2;
	tell(&gateway, WEIR_FRAME_ASSIGN, 0);
	gateway_data(&gateway, 0, 6, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 2), 6);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 8);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	gateway_close(&gateway);
}

/* Another session may have the lane in an epoch of the same number: that is not what was let go. */
static void test_let_go_in_its_session_alone(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 3, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 3);
	tell(&gateway, WEIR_FRAME_REVOKE, 1000);
	expect_release(&gateway, 1, 3);
	gateway_error(&gateway, gateway.session, WEIR_ERROR_SESSION, 0);
	gateway_wait(&gateway, 200);
	gateway_join(&gateway);
	gateway.lanes[0] = (struct gateway_lane){
		.epoch = weir_be32(gateway.release.epoch), .first = 3, .next_seq = 3};
	gateway_data(&gateway, 0, 2, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 3), 2);
	gateway_close(&gateway);
}

/* It comes back from where the gateway heard that it was done: what is in its hands is not new. */
static void test_in_hand_is_not_taken_twice(bool is_manual)
{
	struct gateway gateway;
	struct weir_message message;

	gateway_open_reliable(&gateway,
		(struct weir_consumer_options){.window_messages = 10, .manual = is_manual});
	gateway_data(&gateway, 0, 5, false);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	if (is_manual)
		CU_ASSERT_EQUAL(
			weir_session_consume(gateway.client, 1, message.length, gateway.now_ns), 0);
	tell(&gateway, WEIR_FRAME_REVOKE, 10);
	gateway_wait(&gateway, 11);
	expect_release(&gateway, 1, 1);
	gateway.lanes[0].epoch += 2;
	gateway.lanes[0].first = 1;
	gateway.lanes[0].next_seq = 1;
	tell(&gateway, WEIR_FRAME_ASSIGN, 0);
	gateway_data(&gateway, 0, 4, false);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	/* Nor is it done with before it is. */
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 1);
	if (is_manual)
		CU_ASSERT_EQUAL(
			weir_session_consume(gateway.client, 1, message.length, gateway.now_ns), 0);
	for (uint64_t seq = 2; seq < 5; seq++) {
		CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
		CU_ASSERT_EQUAL(message.sequence, seq);
	}
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 0);
	if (is_manual)
		CU_ASSERT_EQUAL(
			weir_session_consume(gateway.client, 3, 3 * message.length, gateway.now_ns),
			0);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 5);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	gateway_close(&gateway);
}

static void test_in_hand(void)
{
	test_in_hand_is_not_taken_twice(false);
}

static void test_in_hands(void)
{
	test_in_hand_is_not_taken_twice(true);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a lane that is taken is let go when it is worked off", test_released_when_done},
		{"what is missing is asked for before", test_missing_is_asked_for},
		{"when its time is over nothing more of it is handed out", test_released_when_late},
		{"a lane that comes back goes on", test_comes_back},
		{"what is let go is so in its session alone", test_let_go_in_its_session_alone},
		{"a lane that comes back does not bring what is in hand", test_in_hand},
		{"nor what is taken, and not consumed", test_in_hands},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"hand-over", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
