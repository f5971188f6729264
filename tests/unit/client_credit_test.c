/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "client_gateway.h"

/* The laws of credit and order, under anything that the network or the gateway may do. */

static struct weir_consumer_stats stats_of(const struct gateway *gateway)
{
	struct weir_consumer_stats stats;

	weir_session_stats(gateway->client, &stats);
	return stats;
}

static unsigned int take_all(struct gateway *gateway)
{
	struct weir_message message;
	unsigned int count = 0;

	while (weir_session_next(gateway->client, &message, gateway->now_ns) == 1)
		count++;
	return count;
}

static void test_an_ended_epoch_is_fenced(void)
{
	struct gateway gateway;
	struct weir_event event;
	struct gateway_lane old = {.epoch = 1};
	struct gateway_lane new = {.epoch = 2, .first = 500, .messages = 2, .bytes = 200};

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	gateway_data_raw(&gateway, 0, &old, 0, 2, 2);
	gateway_data_raw(&gateway, 0, &new, 500, 3, 3); /* others had it meanwhile: no gap */
	old.messages = 2;
	old.bytes = 200;
	gateway_data_raw(&gateway, 0, &old, 2, 4, 4);
	CU_ASSERT_EQUAL(stats_of(&gateway).gaps, 0);
	CU_ASSERT_EQUAL(stats_of(&gateway).stale, 4);
	CU_ASSERT_EQUAL(take_all(&gateway), 5);
	CU_ASSERT_EQUAL(weir_session_next_event(gateway.client, &event), 1); /* joined */
	CU_ASSERT_EQUAL(weir_session_next_event(gateway.client, &event), 0);
	gateway_close(&gateway);
}

static void test_what_was_sent_without_credit_is_counted_and_takes_no_memory(void)
{
	struct gateway gateway;
	struct weir_message message;

	gateway_open(&gateway, (struct weir_consumer_options){.window_messages = 10});
	gateway_join(&gateway);
	for (unsigned int i = 0; i < 1000; i++)
		gateway_data(&gateway, 0, 5, false);
	CU_ASSERT_EQUAL(stats_of(&gateway).overruns, 4990);
	CU_ASSERT_EQUAL(stats_of(&gateway).held_messages, 10);
	CU_ASSERT_EQUAL(take_all(&gateway), 10);
	gateway_data(&gateway, 0, 1, false);
	CU_ASSERT_EQUAL_FATAL(weir_session_next(gateway.client, &message, gateway.now_ns), 1);
	CU_ASSERT_EQUAL(message.missed, 4990);
	gateway_close(&gateway);
}

static void test_incredible_positions_are_refused(void)
{
	struct gateway gateway;
	struct gateway_lane lane = {.messages = WEIR_FRAME_VALUE_MAX};
	struct weir_message message;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	gateway_data_raw(&gateway, 0, &lane, 0, 1, 1);
	CU_ASSERT_EQUAL(stats_of(&gateway).malformed, 1);
	CU_ASSERT_EQUAL(stats_of(&gateway).session_position, 0);
	lane.messages = 0;
	gateway_data_raw(&gateway, GATEWAY_LANES, &lane, 0, 1, 1); /* no such partition */
	CU_ASSERT_EQUAL(stats_of(&gateway).malformed, 2);
	CU_ASSERT_EQUAL(weir_session_next(gateway.client, &message, gateway.now_ns), 0);
	gateway_close(&gateway);
}

static void test_an_unknown_stream_makes_the_client_ask_for_the_list(void)
{
	struct gateway gateway;
	const struct gateway_lane lane = {0};

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	CU_ASSERT_EQUAL(gateway.subscribes, 1);
	gateway_data_raw(&gateway, GATEWAY_LANES, &lane, 0, 1, 1);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.subscribes, 2);
	gateway_subscribed(&gateway);
	gateway_wait(&gateway, 3 * GATEWAY_HEART_MS);
	CU_ASSERT_EQUAL(gateway.subscribes, 2);
	CU_ASSERT_EQUAL(stats_of(&gateway).sessions, 1);
	gateway_close(&gateway);
}

static void send_list(struct gateway *gateway, uint16_t edition, uint16_t first, uint16_t stream)
{
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_frame_subscribed *subscribed;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	subscribed = weir_writer_add(&writer, WEIR_FRAME_SUBSCRIBED, 0,
		sizeof(*subscribed) + sizeof(subscribed->streams[0]));
	subscribed->counter = weir_be32(1);
	subscribed->total = weir_be16(2);
	subscribed->first = weir_be16(first);
	subscribed->count = weir_be16(1);
	subscribed->edition = weir_be16(edition);
	subscribed->streams[0].stream = weir_be16(stream);
	subscribed->streams[0].partitions = weir_be16(GATEWAY_LANES);
	weir_frame_set_name(subscribed->streams[0].name, "netflow");
	gateway_send(gateway, &writer);
}

/* Unasked, in two datagrams: its edition is named when both have come, in their order. */
static void test_a_list_is_confirmed_at_once_when_it_is_whole(void)
{
	struct gateway gateway;
	unsigned int credits;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	CU_ASSERT_EQUAL(gateway.edition, 0);
	credits = gateway.credits;
	send_list(&gateway, 7, 1, GATEWAY_STREAM + 1);
	send_list(&gateway, 7, 0, GATEWAY_STREAM);
	send_list(&gateway, 8, 1, GATEWAY_STREAM + 1);
	CU_ASSERT_EQUAL(gateway.credits, credits);
	send_list(&gateway, 7, 1, GATEWAY_STREAM + 1);
	CU_ASSERT_EQUAL(gateway.credits, credits + 1);
	CU_ASSERT_EQUAL(gateway.edition, 7);
	/* Said again, for the answer may have been lost. */
	send_list(&gateway, 7, 0, GATEWAY_STREAM);
	send_list(&gateway, 7, 1, GATEWAY_STREAM + 1);
	CU_ASSERT_EQUAL(gateway.credits, credits + 2);
	CU_ASSERT_EQUAL(stats_of(&gateway).malformed, 0);
	gateway_close(&gateway);
}

static void test_garbage_is_counted_and_changes_nothing(void)
{
	struct gateway gateway;
	uint8_t noise[128];

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	for (unsigned int i = 0; i < 1000; i++) {
		for (size_t at = 0; at < sizeof(noise); at++)
			noise[at] = (uint8_t)gateway_random(&gateway);
		weir_session_receive(
			gateway.client, noise, gateway_random(&gateway) % 128, gateway.now_ns);
	}
	CU_ASSERT_EQUAL(stats_of(&gateway).malformed, 1000);
	gateway_wait(&gateway, GATEWAY_LIVE_MS);
	/* It is no sign of life either. */
	CU_ASSERT_EQUAL(stats_of(&gateway).state, WEIR_CONSUMER_CONNECTING);
	gateway_close(&gateway);
}

static void test_events_nobody_takes_are_bounded(void)
{
	struct gateway gateway;
	struct weir_event event;
	unsigned int count = 0;

	gateway_open(&gateway, (struct weir_consumer_options){0});
	gateway_join(&gateway);
	for (unsigned int i = 0; i < 1000; i++) {
		gateway_data(&gateway, 0, 1, true);
		gateway_data(&gateway, 0, 1, false);
	}
	while (weir_session_next_event(gateway.client, &event) == 1)
		count++;
	CU_ASSERT_EQUAL(count + stats_of(&gateway).events_lost, 1001);
	CU_ASSERT_EQUAL(event.first, 1998); /* the newest are kept */
	gateway_close(&gateway);
}

static void test_wrong_options_are_refused(void)
{
	static const char *const bad_streams[] = {"a/b"};
	static const struct weir_consumer_options good = {.group = "g", .name = "n"};
	struct weir_consumer_options wrong[8];
	struct weir_session *session;
	struct gateway gateway = {0};
	const struct weir_session_io io = {.context = &gateway, .random = gateway_random};

	for (unsigned int i = 0; i < 8; i++)
		wrong[i] = good;
	wrong[0].group = NULL;
	wrong[1].group = "";
	wrong[2].name = "a name with spaces";
	wrong[3].name = "0123456789012345678901234567890123456789";
	wrong[4].stream_count = 15;
	wrong[5].streams = bad_streams;
	wrong[5].stream_count = 1;
	wrong[6].max_datagram = 9001;
	wrong[7].window_bytes = 4 * WEIR_DATAGRAM_MIN - 1;
	for (unsigned int i = 0; i < 8; i++) {
		CU_ASSERT_EQUAL(weir_session_create(&wrong[i], &io, 0, &session), -EINVAL);
		CU_ASSERT_PTR_NULL(session);
	}
}

/* What the random test knows of the messages; per lane the last sequence that was taken. */
struct tally {
	uint64_t taken;
	uint64_t missed;
	uint64_t next[GATEWAY_LANES];
};

static void tally_take(struct gateway *gateway, struct tally *tally, unsigned int most)
{
	struct weir_message message;

	while (most-- > 0 && weir_session_next(gateway->client, &message, gateway->now_ns) == 1) {
		CU_ASSERT_EQUAL(message.sequence, tally->next[message.partition] + message.missed);
		tally->next[message.partition] = message.sequence + 1;
		tally->taken++;
		tally->missed += message.missed;
	}
}

static void random_step(struct gateway *gateway, struct tally *tally, uint16_t window)
{
	uint64_t dice = gateway_random(gateway);
	uint64_t credit = gateway_credit(gateway);
	uint64_t count = 1 + (dice >> 8) % 6;
	uint16_t partition = (dice >> 16) % GATEWAY_LANES;

	gateway->is_deaf = (dice >> 20) % 3 == 0;
	gateway->payload = 1 + (dice >> 24) % 1200 / 6;
	if (count > gateway_credit(gateway))
		count = gateway_credit(gateway);
	if (dice % 8 < 5 && count > 0)
		gateway_data(gateway, partition, (uint16_t)count, (dice >> 32) % 4 == 0);
	else if (dice % 8 == 5)
		gateway_heartbeat(gateway, credit == 0 ? WEIR_HEARTBEAT_STARVED : 0);
	else if (dice % 8 == 6)
		tally_take(gateway, tally, (unsigned int)((dice >> 36) % window));
	else
		gateway_wait(gateway, (dice >> 40) % 20);
}

static void random_run(uint64_t seed, struct weir_consumer_options options)
{
	uint16_t window = (uint16_t)options.window_messages;
	struct tally tally = {0};
	struct gateway gateway;
	struct weir_consumer_stats stats;

	gateway_open(&gateway, options);
	gateway.random ^= seed * 0x9e3779b97f4a7c15u;
	gateway_join(&gateway);
	for (unsigned int step = 0; step < 2000; step++) {
		random_step(&gateway, &tally, window);
		stats = stats_of(&gateway);
		CU_ASSERT(stats.held_messages <= window);
		CU_ASSERT(stats.held_bytes <= options.window_bytes);
		CU_ASSERT(gateway.limit_messages <= stats.session_position + window);
		CU_ASSERT(gateway.limit_bytes <=
			  stats.bytes + stats.lost_bytes + options.window_bytes);
	}
	/* The faults end: everything is accounted for, and the whole window is free again. */
	gateway.is_deaf = false;
	gateway_heartbeat(&gateway, 0);
	tally_take(&gateway, &tally, UINT32_MAX);
	gateway_wait(&gateway, GATEWAY_HEART_MS);
	stats = stats_of(&gateway);
	CU_ASSERT_EQUAL(stats.overruns, 0);
	CU_ASSERT_EQUAL(stats.duplicates, 0);
	CU_ASSERT_EQUAL(tally.taken + stats.lost_messages, gateway.sent_messages);
	CU_ASSERT_EQUAL(stats.bytes + stats.lost_bytes, gateway.sent_bytes);
	CU_ASSERT_EQUAL(stats.gap_sequences, stats.lost_messages);
	CU_ASSERT_EQUAL(gateway.limit_messages, gateway.sent_messages + window);
	CU_ASSERT_EQUAL(gateway.limit_bytes, gateway.sent_bytes + options.window_bytes);
	gateway_close(&gateway);
}

/* Whatever it says: memory stays within the window, and the client can be joined again. */
static void lie(uint32_t grant, uint64_t least)
{
	struct weir_message message;
	struct gateway gateway;

	gateway_open(&gateway, (struct weir_consumer_options){.window_messages = 64});
	gateway.grant = grant;
	for (unsigned int step = 0; step < 50000; step++) {
		uint64_t dice = gateway_random(&gateway);

		gateway.is_lying = dice % 16 != 0;
		if (stats_of(&gateway).state != WEIR_CONSUMER_JOINED) {
			gateway_wait(&gateway, 100);
			gateway_join(&gateway);
		}
		gateway_data(&gateway, (dice >> 8) % GATEWAY_LANES, 1 + (dice >> 12) % 8, false);
		if ((dice >> 22) % 4 == 0)
			gateway_gap(&gateway, (dice >> 8) % GATEWAY_LANES, (dice >> 28) % 64,
				(dice >> 28) % 64 + 5, WEIR_GAP_LAPPED, 5);
		if ((dice >> 26) % 4 == 0)
			gateway_again(&gateway, (dice >> 8) % GATEWAY_LANES, (dice >> 28) % 64, 4);
		gateway_wait(&gateway, (dice >> 40) % 3);
		if ((dice >> 20) % 4 == 0)
			gateway_heartbeat(&gateway, 0);
		if ((dice >> 24) % 64 == 0)
			gateway_error(&gateway, gateway.session, WEIR_ERROR_SESSION, 0);
		for (unsigned int i = 0; i < (dice >> 32) % 8; i++)
			(void)weir_session_next(gateway.client, &message, gateway.now_ns);
		CU_ASSERT_FATAL(stats_of(&gateway).held_messages <= 64);
	}
	CU_ASSERT_EQUAL(gateway.wrong, 0);
	CU_ASSERT(stats_of(&gateway).taken > least);
	gateway.is_lying = false;
	gateway_error(&gateway, stats_of(&gateway).session, WEIR_ERROR_SESSION, 0);
	gateway_wait(&gateway, 200);
	gateway_join(&gateway);
	CU_ASSERT_EQUAL(stats_of(&gateway).state, WEIR_CONSUMER_JOINED);
	gateway_close(&gateway);
}

static void test_a_lying_gateway_does_no_harm(void)
{
	lie(0, 10000);
	lie(WEIR_OPTION_RELIABLE | WEIR_OPTION_SEEK, 1000);
}

static void test_no_more_than_a_window_is_ever_out_and_all_of_it_comes_back(void)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct weir_consumer_options options = {
			.window_messages = 1 + (uint32_t)(seed * 7 % 64), .window_bytes = 5600};

		random_run(seed, options);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"an ended epoch is fenced", test_an_ended_epoch_is_fenced},
		{"what was sent without credit is counted and takes no memory",
			test_what_was_sent_without_credit_is_counted_and_takes_no_memory},
		{"incredible positions are refused", test_incredible_positions_are_refused},
		{"an unknown stream makes the client ask for the list",
			test_an_unknown_stream_makes_the_client_ask_for_the_list},
		{"a list is confirmed at once when it is whole",
			test_a_list_is_confirmed_at_once_when_it_is_whole},
		{"garbage is counted and changes nothing",
			test_garbage_is_counted_and_changes_nothing},
		{"events nobody takes are bounded", test_events_nobody_takes_are_bounded},
		{"wrong options are refused", test_wrong_options_are_refused},
		{"no more than a window is ever out and all of it comes back",
			test_no_more_than_a_window_is_ever_out_and_all_of_it_comes_back},
		{"a lying gateway does no harm", test_a_lying_gateway_does_no_harm},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"client credit", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
