/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>

#include "client_gateway.h"

/*
 * What the session does not look at for every message: one that is made to look each time says and
 * hands out the same, at the same times.
 */

#define SEEDS 40
#define STEPS 500
#define TICK  (4 * GATEWAY_MS) /* of the coarse clock */

struct twin {
	struct gateway gateway;
	bool is_manual;
	bool looks;      /* at everything, each time */
	uint64_t now_ns; /* else: as consumer.c reads the clock */
	uint64_t coarse_ns;
	unsigned int reads;
};

static uint64_t dice_roll(uint64_t *dice)
{
	*dice ^= *dice << 13;
	*dice ^= *dice >> 7;
	*dice ^= *dice << 17;
	return *dice >> 8;
}

static void twin_open(struct twin *twin, bool looks, struct weir_consumer_options options)
{
	*twin = (struct twin){.looks = looks, .is_manual = options.manual};
	gateway_open_reliable(&twin->gateway, options);
}

static void clock_read(struct twin *twin)
{
	twin->now_ns = twin->gateway.now_ns;
	twin->coarse_ns = twin->now_ns - twin->now_ns % TICK;
	twin->reads++;
}

static int twin_next(struct twin *twin, struct weir_message *message)
{
	struct gateway *gateway = &twin->gateway;
	uint64_t coarse = gateway->now_ns - gateway->now_ns % TICK;

	if (twin->looks)
		gateway_heartbeat(gateway, 0); /* whatever comes may change all of it */
	if (twin->looks || coarse != twin->coarse_ns ||
		weir_session_needs_time(gateway->client, coarse + TICK))
		clock_read(twin);
	return weir_session_next(gateway->client, message, twin->now_ns);
}

static void twin_consume(struct twin *twin, uint32_t bytes)
{
	struct gateway *gateway = &twin->gateway;

	if (twin->looks)
		gateway_heartbeat(gateway, 0);
	CU_ASSERT_EQUAL(weir_session_consume(gateway->client, 1, bytes, gateway->now_ns), 0);
	clock_read(twin);
}

/* So many messages, if they are there; the application works on each for a while. */
static void twin_work(struct twin *twin, uint64_t messages, uint64_t work_ns, uint64_t *taken)
{
	struct gateway *gateway = &twin->gateway;
	struct weir_message message;

	for (; messages > 0 && twin_next(twin, &message) == 1; messages--) {
		*taken = *taken * 31 + message.partition + message.sequence * 7 + message.missed +
			 message.time_left_us * 5;
		gateway->now_ns += work_ns;
		if (twin->is_manual)
			twin_consume(twin, message.length);
	}
}

static void expect_same(const struct gateway *a, const struct gateway *b)
{
	CU_ASSERT_EQUAL_FATAL(a->now_ns, b->now_ns);
	CU_ASSERT_EQUAL(a->credits, b->credits);
	CU_ASSERT_EQUAL(a->limit_messages, b->limit_messages);
	CU_ASSERT_EQUAL(a->limit_bytes, b->limit_bytes);
	CU_ASSERT_EQUAL(a->consumed_messages, b->consumed_messages);
	CU_ASSERT_EQUAL(a->queue, b->queue);
	CU_ASSERT_EQUAL(gateway_stats(a).taken, gateway_stats(b).taken);
	CU_ASSERT_EQUAL(gateway_stats(a).expired, gateway_stats(b).expired);
	CU_ASSERT_EQUAL(weir_session_waiting(a->client), weir_session_waiting(b->client));
}

static void twin_send(struct twin *twin, uint64_t dice)
{
	struct gateway *gateway = &twin->gateway;
	uint64_t count = 1 + (dice >> 8) % 8;

	gateway->payload = (uint16_t)(1 + (dice >> 16) % 150);
	gateway->time_left_us = (dice >> 24) % 8 == 0 ? (uint32_t)(1 + (dice >> 32) % 20000) : 0;
	if (count > gateway_credit(gateway))
		count = gateway_credit(gateway);
	if (count > 0)
		gateway_data(gateway, dice % GATEWAY_LANES, (uint16_t)count, false);
}

/* The same happens to both. */
static void step(struct twin twins[2], uint64_t kind, uint64_t dice)
{
	uint64_t taken[2] = {0, 0};

	for (int i = 0; i < 2; i++) {
		struct gateway *gateway = &twins[i].gateway;

		if (kind < 5) {
			twin_send(&twins[i], dice);
		} else if (kind < 7) {
			twin_work(&twins[i], dice % 20, (dice >> 8) % 1000000, &taken[i]);
		} else if (kind == 7) {
			weir_session_pause(gateway->client, dice % 2, gateway->now_ns);
		} else {
			gateway_heartbeat(gateway, 0); /* it lives */
			gateway_wait(gateway, dice % 30);
		}
		clock_read(&twins[i]);
	}
	CU_ASSERT_EQUAL(taken[0], taken[1]);
	expect_same(&twins[0].gateway, &twins[1].gateway);
}

static void test_credit_and_deadlines_are_those_of_the_exact_time(void)
{
	static struct twin twins[2];
	unsigned int reads[2] = {0};

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct weir_consumer_options options = {
			.window_messages = (uint32_t)(1 + seed * 7 % 64),
			.window_bytes = 5600,
			.manual = seed % 4 == 0};
		uint64_t dice = seed * UINT64_C(0x9e3779b97f4a7c15);

		for (int i = 0; i < 2; i++)
			twin_open(&twins[i], i == 0, options);
		for (unsigned int i = 0; i < STEPS; i++)
			step(twins, dice_roll(&dice) % 9, dice_roll(&dice));
		CU_ASSERT(twins[0].gateway.credits > STEPS / 10);
		CU_ASSERT_EQUAL(gateway_stats(&twins[0].gateway).overruns, 0);
		reads[0] += twins[0].reads;
		reads[1] += twins[1].reads;
		for (int i = 0; i < 2; i++)
			gateway_close(&twins[i].gateway);
	}
	CU_ASSERT(reads[1] < reads[0]);
}

static void take(struct gateway *gateway, unsigned int messages)
{
	struct weir_message message;

	for (; messages > 0; messages--)
		CU_ASSERT_EQUAL(weir_session_next(gateway->client, &message, gateway->now_ns), 1);
}

/* A CREDIT that was sent for another reason sets new terms for the next. */
static void test_half_of_the_work_is_told_after_any_credit(void)
{
	struct gateway gateway;
	unsigned int credits;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){.window_messages = 64});
	gateway_data(&gateway, 0, 13, false);
	gateway_wait(&gateway, 15);
	credits = gateway.credits;
	take(&gateway, 8); /* 7 are done with, 6 are left: told at once */
	CU_ASSERT_EQUAL(gateway.credits, credits + 1);
	take(&gateway, 3); /* 3 are left: to be told after a while */
	CU_ASSERT_EQUAL(gateway.credits, credits + 1);
	weir_session_pause(gateway.client, true, gateway.now_ns);
	CU_ASSERT_EQUAL(gateway.credits, credits + 2);
	take(&gateway, 2); /* 1 is left: again */
	gateway_wait(&gateway, 11);
	CU_ASSERT_EQUAL(gateway.credits, credits + 3);
	gateway_close(&gateway);
}

static void revoke(struct gateway *gateway, uint16_t partition)
{
	const struct gateway_lane *lane = &gateway->lanes[partition];
	struct weir_frame_handover *frame;
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	frame = weir_writer_add(&writer, WEIR_FRAME_REVOKE, 0, sizeof(*frame));
	frame->stream = weir_be16(gateway->stream);
	frame->partition = weir_be16(partition);
	frame->deadline_ms = weir_be32(5);
	frame->seq = weir_be64(lane->next_seq);
	frame->lane_messages = weir_be64(lane->messages);
	frame->lane_bytes = weir_be64(lane->bytes);
	gateway_send(gateway, &writer);
}

static bool needs_time(const struct gateway *gateway)
{
	return weir_session_needs_time(gateway->client, gateway->now_ns + TICK);
}

static void test_the_time_is_needed_where_something_depends_on_it(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_wait(&gateway, 15);
	gateway_data(&gateway, 0, 10, false);
	CU_ASSERT_TRUE(needs_time(&gateway)); /* work begins */
	take(&gateway, 3);
	CU_ASSERT_FALSE(needs_time(&gateway));
	take(&gateway, 2);
	CU_ASSERT_TRUE(
		needs_time(&gateway)); /* half of it will be done, and it is time to say so */
	take(&gateway, 4);
	CU_ASSERT_FALSE(needs_time(&gateway));
	take(&gateway, 1);
	CU_ASSERT_TRUE(needs_time(&gateway)); /* work ends */
	CU_ASSERT_EQUAL(gateway_take_from(&gateway, 0), 0);
	gateway_data(&gateway, 1, 40, false);
	take(&gateway, 2);
	CU_ASSERT_FALSE(needs_time(&gateway));
	gateway.time_left_us = 1000;
	gateway_data(&gateway, 1, 1, false);
	take(&gateway, 1);
	CU_ASSERT_TRUE(needs_time(&gateway)); /* one has a deadline */
	gateway_close(&gateway);
}

static void test_the_time_is_needed_while_a_lane_is_let_go(void)
{
	struct gateway gateway;

	gateway_open_reliable(&gateway, (struct weir_consumer_options){0});
	gateway_data(&gateway, 0, 10, false);
	gateway_data(&gateway, 1, 4, false);
	gateway_data(&gateway, 0, 3, false);
	gateway_data(&gateway, 1, 40, false);
	revoke(&gateway, 0);
	take(&gateway, 4);
	CU_ASSERT_TRUE(needs_time(&gateway)); /* it may be late */
	gateway_wait(&gateway, 6);
	CU_ASSERT_EQUAL(gateway.releases, 1);
	take(&gateway, 2);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).stale, 6);
	CU_ASSERT_TRUE(needs_time(&gateway)); /* more of it may come, and be dropped */
	take(&gateway, 3);
	CU_ASSERT_EQUAL(gateway_stats(&gateway).stale, 9);
	gateway_close(&gateway);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"credit and deadlines are those of the exact time",
			test_credit_and_deadlines_are_those_of_the_exact_time},
		{"half of the work is told after any credit",
			test_half_of_the_work_is_told_after_any_credit},
		{"the time is needed where something depends on it",
			test_the_time_is_needed_where_something_depends_on_it},
		{"the time is needed while a lane is let go",
			test_the_time_is_needed_while_a_lane_is_let_go},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"client beside its twin", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
