/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "client_gateway.h"

static struct weir_consumer_stats stats_of(const struct gateway *gateway)
{
	struct weir_consumer_stats stats;

	weir_session_stats(gateway->client, &stats);
	return stats;
}

/* Take all messages; how many. */
static unsigned int take_all(struct gateway *gateway)
{
	struct weir_message message;
	unsigned int count = 0;

	while (weir_session_next(gateway->client, &message, gateway->now_ns) == 1)
		count++;
	return count;
}

/* The next event of that kind, others dropped; false when there is none. */
static bool event_of(struct gateway *gateway, enum weir_event_kind kind, struct weir_event *event)
{
	while (weir_session_next_event(gateway->client, event) == 1)
		if (event->kind == kind)
			return true;
	return false;
}

static void test_a_session_opens_in_the_specified_order(void)
{
	struct gateway gateway;
	struct weir_event event;

	gateway_open(&gateway, (struct weir_consumer_options){.window_messages = 50});
	CU_ASSERT_EQUAL(gateway.hellos, 1);
	CU_ASSERT_EQUAL(gateway.cookies, 0);
	gateway_cookie(&gateway);
	CU_ASSERT_EQUAL(gateway.cookies, 1);
	gateway_welcome(&gateway);
	CU_ASSERT_EQUAL(gateway.subscribes, 1);
	CU_ASSERT_EQUAL(gateway.credits, 0);
	gateway_subscribed(&gateway);
	CU_ASSERT_EQUAL(gateway.limit_messages, 50);
	CU_ASSERT_EQUAL(gateway.limit_bytes, WEIR_CONSUMER_WINDOW_BYTES);
	CU_ASSERT_EQUAL(stats_of(&gateway).state, WEIR_CONSUMER_JOINED);
	CU_ASSERT_TRUE(event_of(&gateway, WEIR_EVENT_JOINED, &event));
	CU_ASSERT_EQUAL(gateway.wrong, 0);
	gateway_close(&gateway);
}

static void test_hello_backs_off_and_a_cookie_makes_no_loop(void)
{
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_wait(&gateway, 60000);
	/* 0.1 + 0.2 + ... + 3.2 s, then every 5 s: about 17, a quarter more or less. */
	CU_ASSERT(gateway.hellos >= 13 && gateway.hellos <= 24);
	gateway.hellos = 0;
	for (unsigned int i = 0; i < 100; i++)
		gateway_cookie(&gateway);
	CU_ASSERT_EQUAL(gateway.hellos, 1);
	gateway_close(&gateway);
}

static void test_only_the_nonce_asked_with_opens_a_session(void)
{
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway.nonce ^= 1;
	gateway_cookie(&gateway);
	gateway_welcome(&gateway);
	gateway_error(&gateway, 0, WEIR_ERROR_NO_GROUP, 5000);
	CU_ASSERT_EQUAL(gateway.cookies, 0);
	CU_ASSERT_EQUAL(stats_of(&gateway).session, 0);
	CU_ASSERT_EQUAL(stats_of(&gateway).foreign, 3);
	CU_ASSERT_EQUAL(weir_session_waiting(gateway.client), 0);
	gateway_close(&gateway);
}

static void test_a_refusal_is_told_once_and_tried_again_later(void)
{
	struct gateway gateway;
	struct weir_event event;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_error(&gateway, 0, WEIR_ERROR_GROUP_FULL, 8000);
	gateway_error(&gateway, 0, WEIR_ERROR_GROUP_FULL, 8000);
	CU_ASSERT_TRUE(event_of(&gateway, WEIR_EVENT_ERROR, &event));
	CU_ASSERT_EQUAL(event.code, WEIR_ERROR_GROUP_FULL);
	CU_ASSERT_FALSE(event_of(&gateway, WEIR_EVENT_ERROR, &event));
	gateway_wait(&gateway, 5900);
	CU_ASSERT_EQUAL(gateway.hellos, 1);
	gateway_wait(&gateway, 4200);
	CU_ASSERT(gateway.hellos > 1);
	gateway_close(&gateway);
}

static void test_a_lost_subscribe_is_sent_again(void)
{
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_cookie(&gateway);
	gateway_welcome(&gateway);
	gateway_wait(&gateway, 3 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.subscribes, 4);
	gateway_subscribed(&gateway);
	CU_ASSERT_EQUAL(stats_of(&gateway).state, WEIR_CONSUMER_JOINED);
	gateway_close(&gateway);
}

static void test_messages_arrive_whole_and_in_order(void)
{
	struct gateway gateway;
	struct weir_message message;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	gateway.lanes[2].first = gateway.lanes[2].next_seq = 40;
	gateway_data(&gateway, 2, 3, false);
	for (uint64_t seq = 40; seq < 43; seq++) {
		CU_ASSERT_EQUAL_FATAL(
			weir_session_next(gateway.client, &message, gateway.now_ns), 1);
		CU_ASSERT_STRING_EQUAL(message.stream, "netflow");
		CU_ASSERT_EQUAL(message.partition, 2);
		CU_ASSERT_EQUAL(message.sequence, seq);
		CU_ASSERT_EQUAL(message.missed, 0);
		CU_ASSERT_EQUAL(message.length, 100);
		CU_ASSERT_EQUAL(message.data[0], seq);
		CU_ASSERT_EQUAL(message.data[99], seq);
	}
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 0);
	gateway_close(&gateway);
}

static void test_a_gap_is_told_once_with_what_was_in_it(void)
{
	struct gateway gateway;
	struct weir_message message;
	struct weir_event event;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	gateway_data(&gateway, 0, 5, true); /* the very first frame of the lane */
	gateway_data(&gateway, 0, 2, false);
	gateway_heartbeat(&gateway, 0);
	CU_ASSERT_TRUE(event_of(&gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(event.first, 0);
	CU_ASSERT_EQUAL(event.count, 5);
	CU_ASSERT_STRING_EQUAL(event.stream, "netflow");
	CU_ASSERT_FALSE(event_of(&gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_EQUAL(message.missed, 5);
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_EQUAL(message.missed, 0);
	CU_ASSERT_EQUAL(stats_of(&gateway).lost_messages, 5);
	CU_ASSERT_EQUAL(stats_of(&gateway).lost_bytes, 500);
	gateway_close(&gateway);
}

static void test_what_was_left_out_on_purpose_is_no_gap(void)
{
	struct gateway gateway;
	struct weir_event event;
	struct gateway_lane *lane = &gateway.lanes[0];

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	gateway_data_raw(&gateway, 0, lane, 0, 100, 1);
	lane->messages = 1;
	lane->bytes = 100;
	gateway_data_raw(&gateway, 0, lane, 100, 50, 0); /* all of it filtered */
	gateway_data_raw(&gateway, 0, lane, 150, 1, 1);
	CU_ASSERT_FALSE(event_of(&gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(take_all(&gateway), 2);
	/* Given up by the gateway: a gap, but nothing was lost on the way. */
	lane->messages = 2;
	lane->bytes = 200;
	gateway_data_raw(&gateway, 0, lane, 160, 1, 1);
	CU_ASSERT_TRUE(event_of(&gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(event.first, 151);
	CU_ASSERT_EQUAL(event.count, 9);
	CU_ASSERT_EQUAL(stats_of(&gateway).lost_messages, 0);
	gateway_close(&gateway);
}

static void test_nothing_is_delivered_twice(void)
{
	struct gateway gateway;
	struct weir_message message;
	const struct gateway_lane start = {0};

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	gateway_data(&gateway, 0, 4, false);
	gateway_data_raw(&gateway, 0, &start, 0, 2, 2); /* half of it again */
	gateway_data_raw(&gateway, 0, &start, 0, 4, 4); /* the same */
	gateway_data_raw(&gateway, 0, &start, 2, 4, 4); /* half of it new */
	for (uint64_t seq = 0; seq < 6; seq++) {
		CU_ASSERT_EQUAL_FATAL(
			weir_session_next(gateway.client, &message, gateway.now_ns), 1);
		CU_ASSERT_EQUAL(message.sequence, seq);
	}
	CU_ASSERT_EQUAL(take_all(&gateway), 0);
	CU_ASSERT_EQUAL(stats_of(&gateway).duplicates, 8);
	gateway_close(&gateway);
}

static void test_a_heartbeat_finds_the_lost_tail_and_frees_its_credit(void)
{
	struct gateway gateway;
	struct weir_event event;

	gateway_open(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_join(&gateway);
	gateway_data(&gateway, 1, 10, true);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 0);
	gateway_heartbeat(&gateway, 0);
	CU_ASSERT_TRUE(event_of(&gateway, WEIR_EVENT_GAP, &event));
	CU_ASSERT_EQUAL(event.partition, 1);
	CU_ASSERT_EQUAL(event.count, 10);
	CU_ASSERT_EQUAL(stats_of(&gateway).lost_messages, 10);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	gateway_close(&gateway);
}

static void test_a_starved_gateway_is_answered_at_once(void)
{
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){.window_messages = 8});
	gateway_join(&gateway);
	gateway_data(&gateway, 0, 8, false);
	gateway.is_deaf = true; /* every CREDIT is lost */
	CU_ASSERT_EQUAL(take_all(&gateway), 8);
	gateway.is_deaf = false;
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 0);
	gateway_heartbeat(&gateway, WEIR_HEARTBEAT_STARVED);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 8);
	gateway_close(&gateway);
}

static void test_credit_comes_back_when_the_next_message_is_taken(void)
{
	struct gateway gateway;
	struct weir_message message;

	gateway_open(&gateway, (struct weir_consumer_options){.window_messages = 4});
	gateway_join(&gateway);
	gateway_data(&gateway, 0, 4, false);
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_EQUAL(gateway.limit_messages, 4);
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_EQUAL(gateway.limit_messages, 5);
	CU_ASSERT_EQUAL(gateway.consumed_messages, 1);
	gateway_close(&gateway);
}

static void test_with_manual_credit_comes_back_only_when_told(void)
{
	struct gateway gateway;

	gateway_open(
		&gateway, (struct weir_consumer_options){.window_messages = 4, .manual = true});
	gateway_join(&gateway);
	gateway_data(&gateway, 0, 4, false);
	CU_ASSERT_EQUAL(take_all(&gateway), 4);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.limit_messages, 4);
	CU_ASSERT_EQUAL(weir_session_consume(gateway.client, 5, 400, gateway.now_ns), -EINVAL);
	CU_ASSERT_EQUAL(weir_session_consume(gateway.client, 4, 401, gateway.now_ns), -EINVAL);
	CU_ASSERT_EQUAL(weir_session_consume(gateway.client, 3, 300, gateway.now_ns), 0);
	CU_ASSERT_EQUAL(gateway.limit_messages, 7);
	gateway_close(&gateway);
}

static void test_pull_gets_what_it_asked_for_and_no_more(void)
{
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){.pull = true});
	gateway_join(&gateway);
	CU_ASSERT_EQUAL(gateway.limit_messages, 0);
	CU_ASSERT_EQUAL(weir_session_grant(gateway.client, 10, gateway.now_ns), 0);
	CU_ASSERT_EQUAL(gateway.limit_messages, 10);
	gateway_data(&gateway, 0, 3, true);
	gateway_data(&gateway, 0, 7, false);
	CU_ASSERT_EQUAL(take_all(&gateway), 7);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 3); /* in place of the three that were lost */
	gateway_data(&gateway, 0, 3, false);
	CU_ASSERT_EQUAL(take_all(&gateway), 3);
	gateway_wait(&gateway, 5 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 0);
	/* A grant that was not used yet outlives the session. */
	CU_ASSERT_EQUAL(weir_session_grant(gateway.client, 4, gateway.now_ns), 0);
	gateway_error(&gateway, gateway.session, WEIR_ERROR_SESSION, 0);
	gateway_wait(&gateway, 200);
	gateway_join(&gateway);
	CU_ASSERT_EQUAL(gateway.limit_messages, 4);
	gateway_close(&gateway);
}

static void test_a_pause_is_repeated_until_it_is_confirmed(void)
{
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	gateway.is_deaf = true;
	CU_ASSERT_EQUAL(weir_session_pause(gateway.client, true, gateway.now_ns), 0);
	gateway.is_deaf = false;
	gateway_heartbeat(&gateway, 0);
	gateway_wait(&gateway, 2 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.pauses, 2);
	CU_ASSERT_EQUAL(gateway.pause_scope, WEIR_PAUSE_ALL);
	gateway_heartbeat(&gateway, 0);
	gateway_wait(&gateway, 2 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.pauses, 2);
	/* A new session begins unpaused, so it is told again. */
	gateway_error(&gateway, gateway.session, WEIR_ERROR_SESSION, 0);
	gateway_wait(&gateway, 200);
	gateway_join(&gateway);
	CU_ASSERT_EQUAL(gateway.pauses, 3);
	CU_ASSERT_EQUAL(gateway.pause_scope, WEIR_PAUSE_ALL);
	CU_ASSERT_EQUAL(weir_session_pause(gateway.client, false, gateway.now_ns), 0);
	CU_ASSERT_EQUAL(gateway.pause_scope, WEIR_PAUSE_NONE);
	gateway_close(&gateway);
}

static void test_silence_ends_a_session_and_another_is_opened(void)
{
	struct gateway gateway;
	struct weir_event event;
	uint64_t old;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	old = gateway.session;
	gateway_wait(&gateway, GATEWAY_LIVE_MS - 1);
	CU_ASSERT_FALSE(event_of(&gateway, WEIR_EVENT_LOST, &event));
	CU_ASSERT_EQUAL(gateway.credits, GATEWAY_LIVE_MS / GATEWAY_HEART_MS);
	gateway_wait(&gateway, 1);
	CU_ASSERT_TRUE(event_of(&gateway, WEIR_EVENT_LOST, &event));
	CU_ASSERT_EQUAL(event.code, WEIR_ERROR_SILENT);
	gateway_wait(&gateway, 200);
	CU_ASSERT(gateway.hellos > 1);
	gateway_join(&gateway);
	CU_ASSERT_NOT_EQUAL(gateway.session, old);
	CU_ASSERT_EQUAL(stats_of(&gateway).state, WEIR_CONSUMER_JOINED);
	CU_ASSERT_EQUAL(stats_of(&gateway).sessions, 2);
	gateway_close(&gateway);
}

static void test_heartbeats_keep_a_session_alive(void)
{
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	for (unsigned int i = 0; i < 100; i++) {
		gateway_wait(&gateway, GATEWAY_LIVE_MS / 2);
		gateway_heartbeat(&gateway, 0);
	}
	CU_ASSERT_EQUAL(stats_of(&gateway).sessions, 1);
	CU_ASSERT_EQUAL(stats_of(&gateway).state, WEIR_CONSUMER_JOINED);
	gateway_close(&gateway);
}

static void test_a_restarted_gateway_is_joined_again_at_once(void)
{
	struct gateway gateway;
	struct weir_event event;

	gateway_open(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_join(&gateway);
	gateway_data(&gateway, 0, 6, false);
	gateway_error(&gateway, gateway.session ^ 1, WEIR_ERROR_SESSION, 0); /* not ours */
	CU_ASSERT_EQUAL(stats_of(&gateway).state, WEIR_CONSUMER_JOINED);
	gateway_error(&gateway, gateway.session, WEIR_ERROR_SESSION, 0);
	CU_ASSERT_TRUE(event_of(&gateway, WEIR_EVENT_LOST, &event));
	CU_ASSERT_EQUAL(event.code, WEIR_ERROR_SESSION);
	gateway_wait(&gateway, 126);
	CU_ASSERT_EQUAL(gateway.hellos, 3); /* two for the first session */
	gateway_join(&gateway);
	/* Six still wait to be taken: they have their part of the window. */
	CU_ASSERT_EQUAL(gateway.limit_messages, 4);
	gateway_data(&gateway, 0, 4, false);
	CU_ASSERT_EQUAL(take_all(&gateway), 10);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	CU_ASSERT_EQUAL(stats_of(&gateway).overruns, 0);
	gateway_close(&gateway);
}

static void test_a_leaving_gateway_is_told_and_joined_again(void)
{
	struct gateway gateway;
	struct weir_event event;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	gateway_leave(&gateway, WEIR_ERROR_SHUTDOWN);
	CU_ASSERT_TRUE(event_of(&gateway, WEIR_EVENT_LOST, &event));
	CU_ASSERT_EQUAL(event.code, WEIR_ERROR_SHUTDOWN);
	gateway_wait(&gateway, 200);
	gateway_join(&gateway);
	CU_ASSERT_EQUAL(stats_of(&gateway).sessions, 2);
	weir_session_leave(gateway.client, gateway.now_ns);
	CU_ASSERT_EQUAL(gateway.leaves, 1);
	CU_ASSERT_EQUAL(weir_session_deadline_ns(gateway.client), UINT64_MAX);
	gateway_close(&gateway);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a session opens in the specified order",
			test_a_session_opens_in_the_specified_order},
		{"hello backs off and a cookie makes no loop",
			test_hello_backs_off_and_a_cookie_makes_no_loop},
		{"only the nonce asked with opens a session",
			test_only_the_nonce_asked_with_opens_a_session},
		{"a refusal is told once and tried again later",
			test_a_refusal_is_told_once_and_tried_again_later},
		{"a lost subscribe is sent again", test_a_lost_subscribe_is_sent_again},
		{"messages arrive whole and in order", test_messages_arrive_whole_and_in_order},
		{"a gap is told once with what was in it",
			test_a_gap_is_told_once_with_what_was_in_it},
		{"what was left out on purpose is no gap",
			test_what_was_left_out_on_purpose_is_no_gap},
		{"nothing is delivered twice", test_nothing_is_delivered_twice},
		{"a heartbeat finds the lost tail and frees its credit",
			test_a_heartbeat_finds_the_lost_tail_and_frees_its_credit},
		{"a starved gateway is answered at once",
			test_a_starved_gateway_is_answered_at_once},
		{"credit comes back when the next message is taken",
			test_credit_comes_back_when_the_next_message_is_taken},
		{"with manual credit comes back only when told",
			test_with_manual_credit_comes_back_only_when_told},
		{"pull gets what it asked for and no more",
			test_pull_gets_what_it_asked_for_and_no_more},
		{"a pause is repeated until it is confirmed",
			test_a_pause_is_repeated_until_it_is_confirmed},
		{"silence ends a session and another is opened",
			test_silence_ends_a_session_and_another_is_opened},
		{"heartbeats keep a session alive", test_heartbeats_keep_a_session_alive},
		{"a restarted gateway is joined again at once",
			test_a_restarted_gateway_is_joined_again_at_once},
		{"a leaving gateway is told and joined again",
			test_a_leaving_gateway_is_told_and_joined_again},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"client session", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
