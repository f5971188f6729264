/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "client_gateway.h"

/* What outlives a session: what was delivered, what is done, where to go on. */

/* The session is gone; the next one begins, its lane 0 at `first`. */
static void rejoin(struct gateway *gateway, uint64_t first)
{
	uint32_t epoch = gateway->lanes[0].epoch + 1;

	gateway_error(gateway, gateway->session, WEIR_ERROR_SESSION, 0);
	gateway_wait(gateway, 200);
	gateway_join(gateway);
	gateway->lanes[0] =
		(struct gateway_lane){.epoch = epoch, .first = first, .next_seq = first};
}

static struct weir_message take(struct gateway *gateway)
{
	struct weir_message message = {.sequence = UINT64_MAX};

	CU_ASSERT_EQUAL(weir_session_next(gateway->client, &message, gateway->now_ns), 1);
	return message;
}

static void test_a_new_session_repeats_nothing_to_the_application(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 8, false);
	for (uint64_t seq = 0; seq < 4; seq++)
		CU_ASSERT_EQUAL(take(&gateway).sequence, seq);
	gateway_wait(&gateway, 25);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 3); /* the fourth is in its hands */
	rejoin(&gateway, 3);
	CU_ASSERT_EQUAL(gateway.limit_messages, 5); /* five are still held */
	gateway_data(&gateway, 0, 5, false);        /* 3..7 again */
	CU_ASSERT_EQUAL(gateway_stats(&gateway).duplicates, 5);
	gateway_wait(&gateway, 25);
	CU_ASSERT_EQUAL(gateway.heard[0].next_seq, 8);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 3);
	gateway_data(&gateway, 0, 2, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 4), 6);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 10);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	gateway_close(&gateway);
}

static void test_what_was_kept_above_a_gap_comes_again_with_the_new_session(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 2, false);
	gateway_data(&gateway, 0, 1, true);
	gateway_data(&gateway, 0, 3, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 2);
	rejoin(&gateway, 0);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).held_messages, 0);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	gateway_data(&gateway, 0, 2, true); /* they were delivered, but must come to be settled */
	gateway_data(&gateway, 0, 4, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 2), 0);
	gateway_again(&gateway, 0, 0, 2);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 2), 4);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	gateway_close(&gateway);
}

static void test_with_manual_the_application_says_what_it_is_done_with(void)
{
	struct gateway gateway;

	gateway_open_reliable(
		&gateway, (struct weir_consumer_options){.window_messages = 6, .manual = true});
	for (unsigned int i = 0; i < 3; i++) {
		gateway_data(&gateway, 0, 1, false);
		gateway_data(&gateway, 1, 1, false);
	}
	for (unsigned int i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(take(&gateway).sequence, i / 2);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.heard[0].next_seq, 3);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 0);
	CU_ASSERT_EQUAL(weir_session_consume(gateway.client, 3, 300, gateway.now_ns), 0);
	gateway_wait(&gateway, 25);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 2);
	CU_ASSERT_EQUAL(gateway.heard[1].done_seq, 1);
	/* What is not done with stays so over sessions. */
	rejoin(&gateway, 2);
	gateway_data(&gateway, 0, 1, false);
	gateway_wait(&gateway, 25);
	CU_ASSERT_EQUAL(gateway.heard[0].next_seq, 3);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 2);
	CU_ASSERT_EQUAL(weir_session_consume(gateway.client, 3, 300, gateway.now_ns), 0);
	gateway_wait(&gateway, 25);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 3);
	CU_ASSERT_EQUAL(weir_session_consume(gateway.client, 1, 0, gateway.now_ns), -EINVAL);
	gateway_close(&gateway);
}

/* The stream has another number from here on: it was made anew. */
static void make_anew(struct gateway *gateway, uint64_t first)
{
	gateway->stream++;
	gateway->listed++;
	gateway->lanes[0] = (struct gateway_lane){.epoch = 0, .first = first, .next_seq = first};
	gateway_subscribed(gateway);
}

/* Of the new stream nothing has come when the session ends; what the old one sent is known. */
static void test_a_stream_made_anew_loses_no_place(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 5, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 5);
	make_anew(&gateway, 1000);
	gateway_data(&gateway, 0, 1, true);
	gateway_heartbeat(&gateway, 0);
	gateway.stream--;
	rejoin(&gateway, 3);
	gateway_data(&gateway, 0, 4, false); /* 3..6 again, of the old one */
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 5), 2);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).duplicates, 2);
	gateway_close(&gateway);
}

/* Once something of the new one has come, that is where the next session goes on. */
static void test_the_newest_place_is_kept(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 5, false);
	make_anew(&gateway, 1000);
	gateway_data(&gateway, 0, 3, false);
	for (uint64_t seq = 0; seq < 5; seq++)
		CU_ASSERT_EQUAL(take(&gateway).sequence, seq);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 1000), 3);
	rejoin(&gateway, 1001);
	gateway_data(&gateway, 0, 4, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 1003), 2);
	gateway_close(&gateway);
}

/* What is missing of a stream that has ended is not asked for any more, and its credit is free. */
static void test_nothing_is_asked_of_a_stream_that_has_ended(void)
{
	struct gateway gateway;
	unsigned int nacks;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway.listed = 1;
	gateway_subscribed(&gateway);
	gateway_data(&gateway, 0, 2, true);
	gateway_data(&gateway, 0, 1, false);
	gateway_wait(&gateway, 10);
	nacks = gateway.heard[0].nacks;
	CU_ASSERT_NOT_EQUAL(nacks, 0);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 7);
	make_anew(&gateway, 1000);
	gateway.stream--;
	gateway_wait(&gateway, GATEWAY_LIVE_MS - 100);
	CU_ASSERT_EQUAL(gateway.heard[0].nacks, nacks);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	/* A list from before comes late: the new stream is there all the same. */
	gateway.listed = 1;
	gateway_subscribed(&gateway);
	gateway.stream++;
	gateway_data(&gateway, 0, 2, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 1000), 2);
	gateway_close(&gateway);
}

static void test_a_message_past_its_deadline_is_not_handed_out(void)
{
	struct gateway gateway;
	struct weir_message message;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_data(&gateway, 0, 1, false);
	gateway.time_left_us = 5000;
	gateway_data(&gateway, 0, 3, false);
	gateway.time_left_us = 50000;
	gateway_data(&gateway, 0, 1, false);
	gateway_wait(&gateway, 2);
	CU_ASSERT_EQUAL(take(&gateway).time_left_us, 0);
	CU_ASSERT_EQUAL(take(&gateway).time_left_us, 3000);
	gateway_wait(&gateway, 3);
	message = take(&gateway);
	CU_ASSERT_EQUAL(message.sequence, 4);
	CU_ASSERT_EQUAL(message.missed, 2);
	CU_ASSERT_EQUAL(message.time_left_us, 45000);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).expired, 2);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 5), 0);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 5);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 10);
	gateway_close(&gateway);
}

/* Manual: what expires behind a message in the application's hands settles nothing before it. */
static void test_what_expires_does_not_settle_what_is_in_hand(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.manual = true});
	gateway_data(&gateway, 0, 1, false);
	gateway.time_left_us = 1000;
	gateway_data(&gateway, 0, 1, false);
	gateway.time_left_us = 0;
	gateway_data(&gateway, 0, 1, false);
	CU_ASSERT_EQUAL(take(&gateway).sequence, 0);
	gateway_wait(&gateway, 2);
	CU_ASSERT_EQUAL(take(&gateway).sequence, 2);
	gateway_wait(&gateway, 30);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 0);
	CU_ASSERT_EQUAL(weir_session_consume(gateway.client, 2, 200, gateway.now_ns), 0);
	gateway_wait(&gateway, 30);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 3);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).held_messages, 0);
	gateway_close(&gateway);
}

static void test_a_seek_is_repeated_until_the_lanes_show_it(void)
{
	struct gateway gateway;
	unsigned int seeks;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 20});
	gateway_data(&gateway, 0, 6, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 6);
	CU_ASSERT_EQUAL(weir_session_seek(
				gateway.client, "none", -1, WEIR_FROM_EARLIEST, 0, gateway.now_ns),
		-ENOENT);
	CU_ASSERT_EQUAL(weir_session_seek(gateway.client, "netflow", 0, WEIR_FROM_SEQUENCE, 2,
				gateway.now_ns),
		0);
	CU_ASSERT_EQUAL(gateway.seeks, 1);
	CU_ASSERT_EQUAL(weir_be16(gateway.seek.stream), GATEWAY_STREAM);
	CU_ASSERT_EQUAL(gateway.seek.partition, 0);
	CU_ASSERT_EQUAL(gateway.seek.start, WEIR_START_SEQUENCE);
	CU_ASSERT_EQUAL(weir_be64(gateway.seek.value), 2);
	gateway_wait(&gateway, 6 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.seeks, 7);
	CU_ASSERT_EQUAL(weir_be32(gateway.seek.counter), 1);
	gateway_data(&gateway, 0, 1, false); /* still the old epoch */
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 6), 1);
	seeks = gateway.seeks;
	gateway.lanes[0].epoch++;
	gateway.lanes[0].first = gateway.lanes[0].next_seq = 2;
	gateway_data(&gateway, 0, 5, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 2), 5); /* once more, as was asked */
	CU_ASSERT_EQUAL(gateway_stats(&gateway).duplicates, 0);
	gateway_wait(&gateway, 5 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.seeks, seeks);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 7);
	CU_ASSERT_EQUAL(
		weir_session_seek(gateway.client, NULL, -1, WEIR_FROM_TIME, 99, gateway.now_ns), 0);
	CU_ASSERT_EQUAL(weir_be32(gateway.seek.counter), 2);
	CU_ASSERT_EQUAL(gateway.seek.partition, WEIR_SEEK_ALL);
	gateway_close(&gateway);
}

/* Messages of before the seek wait in the inbox while the place asked for comes. */
static void test_what_was_queued_before_a_seek_settles_nothing_after_it(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_data(&gateway, 0, 6, false);
	CU_ASSERT_EQUAL(
		weir_session_seek(gateway.client, NULL, -1, WEIR_FROM_EARLIEST, 0, gateway.now_ns),
		0);
	gateway.lanes[0].epoch++;
	gateway.lanes[0].next_seq = 0;
	gateway_data(&gateway, 0, 3, false);
	for (unsigned int i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(take(&gateway).sequence, i);
	CU_ASSERT_EQUAL(take(&gateway).sequence, 0); /* the sixth is given back */
	gateway_wait(&gateway, 30);
	CU_ASSERT_EQUAL(gateway.heard[0].next_seq, 3);
	CU_ASSERT_EQUAL(gateway.heard[0].done_seq, 0);
	gateway_close(&gateway);
}

static void test_only_the_first_session_has_a_place_to_begin_at(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway,
		(struct weir_consumer_options){.start = WEIR_FROM_TIME, .start_value = 12345});
	CU_ASSERT_EQUAL(gateway.start, WEIR_START_TIME);
	CU_ASSERT_EQUAL(gateway.start_value, 12345);
	rejoin(&gateway, 0);
	CU_ASSERT_EQUAL(gateway.start, WEIR_START_RESUME);
	CU_ASSERT_EQUAL(gateway.start_value, 0);
	gateway_close(&gateway);
	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway); /* nothing granted */
	CU_ASSERT_EQUAL(gateway.start, WEIR_START_LATEST);
	gateway_close(&gateway);
}

static void test_who_wants_no_repair_does_not_ask_for_it(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.unreliable = true});
	CU_ASSERT_EQUAL(gateway.options, WEIR_OPTION_BATCH | WEIR_OPTION_TRACE);
	CU_ASSERT_FALSE(gateway_stats(&gateway).is_reliable);
	gateway_data(&gateway, 0, 1, true);
	gateway_data(&gateway, 0, 2, false);
	CU_ASSERT_EQUAL(take(&gateway).missed, 1);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).gaps, 1);
	gateway_close(&gateway);
}

static void test_the_load_report_tells_queue_and_service_time(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 400});
	for (unsigned int i = 0; i < 30; i++)
		gateway_data(&gateway, 0, 10, false);
	gateway_wait(&gateway, 5 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.queue, 300);
	CU_ASSERT_EQUAL(gateway.service_ns, 0);
	for (unsigned int i = 0; i < 100; i++) {
		(void)take(&gateway);
		gateway.now_ns += 2 * GATEWAY_MS;
		weir_session_receive(gateway.client, "", 0, gateway.now_ns);
	}
	gateway_heartbeat(&gateway, WEIR_HEARTBEAT_STARVED);
	CU_ASSERT_EQUAL(gateway.queue, 200);
	CU_ASSERT(gateway.service_ns > 1900000 && gateway.service_ns < 2100000);
	/* Idle is not busy. */
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 100), 200);
	gateway_heartbeat(&gateway, 0);
	gateway_wait(&gateway, 9 * GATEWAY_HEART_MS);
	CU_ASSERT(gateway.service_ns < 1000000);
	gateway_close(&gateway);
}

static void test_pull_gets_every_message_it_asked_for(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.pull = true});
	CU_ASSERT_EQUAL(gateway.limit_messages, 0);
	CU_ASSERT_EQUAL(weir_session_grant(gateway.client, 6, gateway.now_ns), 0);
	gateway_data(&gateway, 0, 2, true);
	gateway_data(&gateway, 0, 4, false);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 0); /* they will come */
	gateway_again(&gateway, 0, 0, 1);
	gateway_gap(&gateway, 0, 1, 2, WEIR_GAP_LAPPED, 1);
	CU_ASSERT_EQUAL(take(&gateway).sequence, 0);
	CU_ASSERT_EQUAL(take(&gateway).missed, 1);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 3), 3);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 1); /* in place of the one that will not */
	rejoin(&gateway, 4);
	gateway_data(&gateway, 0, 1, false);
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 4), 0); /* 4 was taken before */
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway_credit(&gateway), 1);
	gateway_close(&gateway);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a new session repeats nothing to the application",
			test_a_new_session_repeats_nothing_to_the_application},
		{"what was kept above a gap comes again with the new session",
			test_what_was_kept_above_a_gap_comes_again_with_the_new_session},
		{"with manual the application says what it is done with",
			test_with_manual_the_application_says_what_it_is_done_with},
		{"a stream made anew loses no place", test_a_stream_made_anew_loses_no_place},
		{"the newest place is kept", test_the_newest_place_is_kept},
		{"nothing is asked of a stream that has ended",
			test_nothing_is_asked_of_a_stream_that_has_ended},
		{"a message past its deadline is not handed out",
			test_a_message_past_its_deadline_is_not_handed_out},
		{"what expires does not settle what is in hand",
			test_what_expires_does_not_settle_what_is_in_hand},
		{"a seek is repeated until the lanes show it",
			test_a_seek_is_repeated_until_the_lanes_show_it},
		{"what was queued before a seek settles nothing after it",
			test_what_was_queued_before_a_seek_settles_nothing_after_it},
		{"only the first session has a place to begin at",
			test_only_the_first_session_has_a_place_to_begin_at},
		{"who wants no repair does not ask for it",
			test_who_wants_no_repair_does_not_ask_for_it},
		{"the load report tells queue and service time",
			test_the_load_report_tells_queue_and_service_time},
		{"pull gets every message it asked for", test_pull_gets_every_message_it_asked_for},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"client resume", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
