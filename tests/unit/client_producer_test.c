/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "client/producer_private.h"
#include "client_producer_gateway.h"
#include "wire/frame_produce.h"

static const struct weir_producer_options defaults;

/* The gateway has heard of the epoch: its limits hold. */
static struct gateway *join_known(const struct weir_producer_options *options)
{
	struct gateway *gateway = join(options);

	CU_ASSERT_EQUAL(send_many(gateway, 1), 1);
	pass(gateway, 1000);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).acknowledged, 1);
	return gateway;
}

static void test_held_until_acknowledged(void)
{
	struct gateway *gateway = join_known(&defaults);

	CU_ASSERT_EQUAL(send_many(gateway, 50), 50);
	CU_ASSERT_EQUAL(gateway->messages, 51);
	CU_ASSERT_TRUE(gateway->datagrams < 12); /* batched */
	CU_ASSERT_EQUAL(stats_of(gateway).outstanding, 50);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).outstanding, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).acknowledged, 51);
	CU_ASSERT_EQUAL(gateway->twice, 0);
	finish(gateway);
}

static void test_closed_before_a_session(void)
{
	struct gateway *gateway = open_with(&defaults);
	enum weir_held_by held_by;

	CU_ASSERT_EQUAL(send_deadline(gateway, 0, &held_by), 0);
	CU_ASSERT_EQUAL(held_by, WEIR_HELD_BY_CLOSED);
	CU_ASSERT_EQUAL(stats_of(gateway).taken, 0);
	finish(gateway);
}

static void test_little_before_the_first_pace(void)
{
	struct gateway *gateway = open_with(&defaults);
	enum weir_held_by held_by;

	weir_producer_session_tick(gateway->client, gateway->now_ns);
	welcome(gateway);
	CU_ASSERT_EQUAL(send_many(gateway, 100), 16);
	CU_ASSERT_EQUAL(send_deadline(gateway, 0, &held_by), 0);
	CU_ASSERT_EQUAL(held_by, WEIR_HELD_BY_WINDOW);
	CU_ASSERT_EQUAL(gateway->messages, 0);
	/* The gateway may know what has come: for a round trip it is waited for. */
	pass(gateway, 20000);
	CU_ASSERT_EQUAL(gateway->newest, 16);
	finish(gateway);
}

static void test_limit_is_kept_and_the_reason_told(void)
{
	struct gateway *gateway = join_known(&defaults);
	enum weir_held_by held_by;

	for (uint16_t reason = 0; reason < WEIR_PACE_REASON_COUNT; reason++) {
		static const enum weir_held_by held[] = {WEIR_HELD_BY_WINDOW, WEIR_HELD_BY_RATE,
			WEIR_HELD_BY_WINDOW, WEIR_HELD_BY_RING_FULL, WEIR_HELD_BY_NO_OWNER,
			WEIR_HELD_BY_SHED};
		struct gateway *other = join(&defaults);

		other->limit = 21;
		other->reason = reason;
		CU_ASSERT_EQUAL(send_many(other, 1), 1);
		answer(other, 0);
		CU_ASSERT_EQUAL(send_many(other, 100), 20);
		CU_ASSERT_EQUAL(send_deadline(other, 0, &held_by), 0);
		CU_ASSERT_EQUAL(held_by, held[reason]);
		CU_ASSERT_EQUAL(other->newest, 21);
		other->limit = 10; /* never takes back */
		answer(other, 0);
		other->limit = 30;
		answer(other, 0);
		CU_ASSERT_EQUAL(send_many(other, 100), 9);
		finish(other);
	}
	finish(gateway);
}

static void test_own_window(void)
{
	struct gateway *gateway =
		join_known(&(struct weir_producer_options){.window_messages = 10});
	enum weir_held_by held_by;

	CU_ASSERT_EQUAL(send_many(gateway, 100), 10);
	CU_ASSERT_EQUAL(send_deadline(gateway, 0, &held_by), 0);
	CU_ASSERT_EQUAL(held_by, WEIR_HELD_BY_WINDOW);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(send_many(gateway, 100), 10);
	finish(gateway);
}

static void test_own_window_in_bytes(void)
{
	struct gateway *gateway = join_known(
		&(struct weir_producer_options){.window_bytes = 2048, .max_datagram = 512});

	/* 103 bytes each, and none is cut at the end of the ring. */
	for (unsigned int i = 0; i < 50; i++) {
		unsigned int sent = send_many(gateway, 100);

		CU_ASSERT_TRUE(sent == 18 || sent == 19);
		answer(gateway, 0);
	}
	/* The bytes are those of the message: one was not taken after each burst. */
	for (uint64_t number = 2; number <= gateway->newest; number++) {
		uint8_t step =
			(uint8_t)(gateway->first_byte[number] - gateway->first_byte[number - 1]);

		CU_ASSERT_TRUE(step == 1 || step == 2);
	}
	CU_ASSERT_EQUAL(stats_of(gateway).outstanding, 0);
	finish(gateway);
}

static void test_missing_is_sent_at_once_and_once(void)
{
	struct gateway *gateway = join_known(&defaults);
	unsigned int before;

	gateway->lose = 1;
	CU_ASSERT_EQUAL(send_many(gateway, 10), 10);
	CU_ASSERT_EQUAL(send_many(gateway, 5), 5);
	CU_ASSERT_EQUAL(gateway->next, 2);
	gateway->now_ns += MS;
	before = gateway->messages;
	answer(gateway, 0);
	CU_ASSERT_EQUAL(gateway->messages, before + 10);
	CU_ASSERT_EQUAL(gateway->next, 17);
	/* An answer that was on its way says the same: it is too early to be true. */
	gateway->has[5] = false;
	gateway->next = 5;
	answer(gateway, 0);
	CU_ASSERT_EQUAL(gateway->messages, before + 10);
	gateway->has[5] = true;
	gateway->next = 17;
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).outstanding, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).resent, 10);
	finish(gateway);
}

static void test_lost_tail_is_found_by_silence(void)
{
	struct gateway *gateway = join_known(&defaults);
	uint64_t start;

	gateway->lose = 1;
	CU_ASSERT_EQUAL(send_many(gateway, 10), 10);
	start = gateway->now_ns;
	while (gateway->newest < 11 && gateway->now_ns < start + 100 * MS)
		pass(gateway, 100);
	/* Round trip 1 ms: two of them and 2 ms. */
	CU_ASSERT_TRUE(gateway->now_ns - start <= 5 * MS);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(gateway->next, 12);
	CU_ASSERT_TRUE(stats_of(gateway).resent <= 10);
	finish(gateway);
}

static void test_silence_backs_off(void)
{
	struct gateway *gateway = join_known(&defaults);
	unsigned int before;

	gateway->lose = 1000000;
	CU_ASSERT_EQUAL(send_many(gateway, 3), 3);
	before = gateway->datagrams;
	pass(gateway, 900000);
	/* 4, 8, 16 ... 512 ms, and something each heartbeat. */
	CU_ASSERT_TRUE(gateway->datagrams - before <= 14);
	CU_ASSERT_TRUE(stats_of(gateway).probes >= 6);
	gateway->lose = 0;
	finish(gateway);
}

static void test_expired_is_never_sent(void)
{
	struct gateway *gateway = join_known(&defaults);

	gateway->lose = 1;
	CU_ASSERT_EQUAL(send_deadline(gateway, 2, NULL), WEIR_SENT);
	weir_producer_session_flush(gateway->client, gateway->now_ns);
	CU_ASSERT_EQUAL(send_many(gateway, 3), 3);
	CU_ASSERT_EQUAL(gateway->newest, 5);
	gateway->now_ns += 3 * MS;
	/* 2 is missing and too late: it is given up, and the gateway is told. */
	answer(gateway, 0);
	pass(gateway, 50000);
	CU_ASSERT_FALSE(gateway->has[2]);
	CU_ASSERT_EQUAL(gateway->oldest, 3);
	CU_ASSERT_EQUAL(gateway->next, 6);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).expired, 1);
	CU_ASSERT_EQUAL(stats_of(gateway).outstanding, 0);
	finish(gateway);
}

static void test_deadline_and_tier_are_told(void)
{
	struct gateway *gateway = join_known(&defaults);
	const struct weir_produced message = {
		.data = "x", .length = 1, .tier = WEIR_PRODUCE_BULK, .deadline_ms = 50};

	CU_ASSERT_EQUAL(gateway->tier, 1);
	CU_ASSERT_EQUAL(gateway->time_left_us, 0);
	CU_ASSERT_EQUAL(
		weir_producer_session_send(gateway->client, &message, gateway->now_ns, NULL),
		WEIR_SENT);
	gateway->now_ns += 10 * MS;
	weir_producer_session_flush(gateway->client, gateway->now_ns);
	CU_ASSERT_EQUAL(gateway->tier, 2);
	CU_ASSERT_EQUAL(gateway->time_left_us, 40000);
	finish(gateway);
}

static void test_new_session_goes_on(void)
{
	struct gateway *gateway = join_known(&defaults);
	uint32_t epoch = gateway->epoch;

	CU_ASSERT_EQUAL(send_many(gateway, 20), 20);
	gateway->lose = 1;
	CU_ASSERT_EQUAL(send_many(gateway, 5), 5);
	end_session(gateway);
	CU_ASSERT_EQUAL(stats_of(gateway).state, WEIR_PRODUCER_CONNECTING);
	pass(gateway, 200000);
	welcome(gateway);
	/* It remembers: only what it lacks is sent. */
	answer(gateway, 0);
	CU_ASSERT_EQUAL(gateway->twice, 0);
	CU_ASSERT_EQUAL(gateway->epoch, epoch);
	CU_ASSERT_EQUAL(gateway->next, 27);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).outstanding, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).sessions, 2);
	finish(gateway);
}

static void test_a_gateway_that_forgot_gets_it_again(void)
{
	struct gateway *gateway = join_known(&defaults);

	CU_ASSERT_EQUAL(send_many(gateway, 20), 20);
	end_session(gateway);
	gateway->known_epoch = 0;
	gateway->next = 1;
	gateway->newest = 0;
	memset(gateway->has, 0, sizeof(gateway->has));
	pass(gateway, 200000);
	welcome(gateway);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(gateway->oldest, 2);
	CU_ASSERT_EQUAL(gateway->next, 18); /* 16 of them: its limits are not known yet */
	answer(gateway, 0);
	CU_ASSERT_EQUAL(gateway->next, 22);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).outstanding, 0);
	finish(gateway);
}

static void test_an_epoch_of_its_own(void)
{
	struct gateway *gateway = open_with(&defaults);

	weir_producer_session_tick(gateway->client, gateway->now_ns - 1);
	CU_ASSERT_EQUAL(gateway->hellos, 0);
	weir_producer_session_tick(gateway->client, gateway->now_ns);
	CU_ASSERT_EQUAL(gateway->hellos, 1);
	CU_ASSERT_EQUAL(gateway->client->epoch,
		(uint32_t)((UINT64_C(1700000000000000000) + gateway->now_ns) >> 23));
	finish(gateway);
}

/* As after a start so soon behind another that both have begun with the same one. */
static void test_an_epoch_that_another_has_used_is_left(void)
{
	struct gateway *gateway = open_with(&defaults);
	uint32_t used = gateway->client->epoch;

	weir_producer_session_tick(gateway->client, gateway->now_ns++);
	welcome(gateway);
	CU_ASSERT_EQUAL(send_many(gateway, 10), 10);
	gateway->known_epoch = used;
	gateway->next = 6;
	gateway->newest = 5;
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).acknowledged, 0);
	weir_producer_session_tick(gateway->client, gateway->now_ns);
	CU_ASSERT_EQUAL(gateway->epoch, used + 1);
	CU_ASSERT_EQUAL(gateway->next, 11);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).acknowledged, 10);
	CU_ASSERT_EQUAL(stats_of(gateway).malformed, 0);
	finish(gateway);
}

static void test_nonsense_changes_nothing(void)
{
	struct gateway *gateway = join_known(&defaults);

	CU_ASSERT_EQUAL(send_many(gateway, 20), 20);
	gateway->next = 1000;
	gateway->newest = 1001;
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).malformed, 1);
	CU_ASSERT_EQUAL(stats_of(gateway).outstanding, 20);
	gateway->session ^= 1;
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).foreign, 1);
	finish(gateway);
}

static void test_too_long_is_refused(void)
{
	static const uint8_t data[2000];
	struct gateway *gateway = join_known(&defaults);
	struct weir_produced message = {.data = data, .length = 1400 - 88};

	CU_ASSERT_EQUAL(
		weir_producer_session_send(gateway->client, &message, gateway->now_ns, NULL),
		WEIR_SENT);
	message.length++;
	CU_ASSERT_EQUAL(
		weir_producer_session_send(gateway->client, &message, gateway->now_ns, NULL),
		-EMSGSIZE);
	weir_producer_session_flush(gateway->client, gateway->now_ns);
	CU_ASSERT_EQUAL(gateway->newest, 2);
	finish(gateway);
}

static void test_silence_is_broken_and_noticed(void)
{
	struct gateway *gateway = join_known(&defaults);

	pass(gateway, 900000);
	CU_ASSERT_EQUAL(gateway->credits, 4);
	CU_ASSERT_EQUAL(stats_of(gateway).state, WEIR_PRODUCER_JOINED);
	pass(gateway, 200000);
	CU_ASSERT_EQUAL(stats_of(gateway).state, WEIR_PRODUCER_CONNECTING);
	CU_ASSERT_EQUAL(stats_of(gateway).code, WEIR_ERROR_SILENT);
	finish(gateway);
}

/* Whatever is lost in both directions, all of it gets there. */
static void test_losses_at_random(void)
{
	struct gateway *gateway =
		join_known(&(struct weir_producer_options){.window_messages = 64});
	unsigned int sent = 1;

	for (unsigned int turn = 0; turn < 100000 && gateway->next <= 4000; turn++) {
		sent += send_many(gateway, sent < 4000 ? 1 + next_random(gateway) % 8 : 0);
		if (next_random(gateway) % 10 == 0)
			gateway->lose = 1;
		pass(gateway, 500);
		if (next_random(gateway) % 3 == 0)
			answer(gateway, 0);
	}
	answer(gateway, 0);
	CU_ASSERT_EQUAL(gateway->next, gateway->newest + 1);
	CU_ASSERT_TRUE(gateway->next > 4000);
	CU_ASSERT_EQUAL(stats_of(gateway).outstanding, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).sessions, 1);
	finish(gateway);
}

/* It may believe what is not so; what it sends stays sound, and it ends as it should. */
static void test_lies(void)
{
	struct gateway *gateway =
		join_known(&(struct weir_producer_options){.window_messages = 64});

	for (unsigned int turn = 0; turn < 20000; turn++) {
		(void)send_deadline(gateway, (uint32_t)(next_random(gateway) % 20), NULL);
		gateway->is_lying = turn % 4 != 0;
		answer(gateway, 0);
		pass(gateway, 300);
		if (stats_of(gateway).state == WEIR_PRODUCER_CONNECTING) {
			gateway->is_lying = false;
			pass(gateway, 200000);
			welcome(gateway);
		}
		if (gateway->newest > NUMBERS - 100)
			break;
	}
	CU_ASSERT_TRUE(stats_of(gateway).malformed > 0);
	CU_ASSERT_TRUE(stats_of(gateway).outstanding <= 64);
	finish(gateway);
}

/* `length` bytes, with a context of this first byte in its span; 0: without. */
static int send_traced(struct gateway *gateway, uint16_t length, uint8_t span)
{
	static const uint8_t data[WEIR_DATAGRAM_MAX] = {0x5a};
	struct weir_trace_context context = {.trace_id = {1}, .span_id = {span}, .flags = 1};
	const struct weir_produced message = {
		.data = data, .length = length, .context = span != 0 ? &context : NULL};
	int result = weir_producer_session_send(gateway->client, &message, gateway->now_ns, NULL);

	weir_producer_session_flush(gateway->client, gateway->now_ns);
	return result;
}

static void test_trace_context_goes_with_its_message(void)
{
	uint32_t longest = WEIR_PRODUCER_DATAGRAM - 88;
	struct gateway *gateway = join_known(&defaults);

	/* Nothing was granted: it goes without. */
	CU_ASSERT_EQUAL(send_traced(gateway, 100, 9), WEIR_SENT);
	CU_ASSERT_EQUAL(gateway->contexts, 0);
	CU_ASSERT_EQUAL(gateway->first_byte[gateway->latest], 0x5a);
	answer(gateway, 0);
	/* In the next session what waits has it, too. */
	gateway->lose = 1;
	CU_ASSERT_EQUAL(send_traced(gateway, 100, 10), WEIR_SENT);
	gateway->options = WEIR_OPTION_TRACE;
	end_session(gateway);
	pass(gateway, 200000);
	welcome(gateway);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(gateway->contexts, 1);
	CU_ASSERT_EQUAL(gateway->span, 10);
	CU_ASSERT_EQUAL(gateway->first_byte[gateway->latest], 0x5a);
	CU_ASSERT_EQUAL(send_traced(gateway, 100, 0), WEIR_SENT);
	CU_ASSERT_EQUAL(gateway->contexts, 1);
	/* What it would make too long goes without. */
	CU_ASSERT_EQUAL(send_traced(gateway, (uint16_t)longest, 11), WEIR_SENT);
	CU_ASSERT_EQUAL(gateway->contexts, 1);
	CU_ASSERT_EQUAL(send_traced(gateway, (uint16_t)(longest - 28), 12), WEIR_SENT);
	CU_ASSERT_EQUAL(gateway->contexts, 2);
	CU_ASSERT_EQUAL(gateway->span, 12);
	CU_ASSERT_EQUAL(send_traced(gateway, (uint16_t)(longest + 1), 13), -EMSGSIZE);
	answer(gateway, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).outstanding, 0);
	CU_ASSERT_EQUAL(stats_of(gateway).too_big, 0);
	finish(gateway);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what was taken is held until it is acknowledged", test_held_until_acknowledged},
		{"nothing is taken without a session", test_closed_before_a_session},
		{"little is sent before the first PACE", test_little_before_the_first_pace},
		{"the limit is kept, and the reason told", test_limit_is_kept_and_the_reason_told},
		{"its own window is kept", test_own_window},
		{"its own window is kept in bytes", test_own_window_in_bytes},
		{"what is missing is sent at once, and once",
			test_missing_is_sent_at_once_and_once},
		{"a lost tail is found by silence", test_lost_tail_is_found_by_silence},
		{"silence makes it slower", test_silence_backs_off},
		{"what has expired is not sent again", test_expired_is_never_sent},
		{"deadline and tier are told", test_deadline_and_tier_are_told},
		{"a new session goes on where the gateway is", test_new_session_goes_on},
		{"a gateway that forgot gets it again", test_a_gateway_that_forgot_gets_it_again},
		{"it has an epoch of its own", test_an_epoch_of_its_own},
		{"an epoch that another has used is left",
			test_an_epoch_that_another_has_used_is_left},
		{"nonsense changes nothing", test_nonsense_changes_nothing},
		{"what never fits is refused", test_too_long_is_refused},
		{"silence is broken, and noticed", test_silence_is_broken_and_noticed},
		{"whatever is lost, all gets there", test_losses_at_random},
		{"a trace context goes with its message", test_trace_context_goes_with_its_message},
		{"lies make it send nothing unsound", test_lies},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"producer", NULL, NULL, NULL, NULL, tests},
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
