/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <CUnit/Basic.h>

#include "client_gateway.h"

/*
 * A gateway that keeps its word, over a network that does not: frames are lost, doubled and
 * overtaken, sessions end, lanes change their epoch, some messages are given up. Whatever happens
 * the application gets every message once, in order, or is told that it is gone; nothing is
 * settled that the application is not done with; and credit is conserved.
 */

#define FLIGHT   48
#define MESSAGES 4096 /* of a lane, at most */

struct flight {
	size_t length;
	uint8_t data[1500];
};

struct storm {
	struct gateway gateway; /* first: the network's argument is cast */
	struct weir_consumer_options options;
	struct flight flying[FLIGHT];
	unsigned int count;
	bool is_calm;
	uint32_t gone[GATEWAY_LANES][MESSAGES]; /* in this epoch; 0: not */
	uint64_t done[GATEWAY_LANES];           /* as acknowledged, in any session */
	/* The application. */
	uint64_t next[GATEWAY_LANES];     /* sequence after the last it took or was told missing */
	uint64_t finished[GATEWAY_LANES]; /* it is done with all below */
	uint64_t hand[64][2];             /* manual: lane and sequence, the oldest first */
	unsigned int hand_count;
	uint64_t hand_bytes[64];
	uint64_t told; /* sequences in GAP events */
	uint64_t missed;
};

static uint64_t dice(struct storm *storm)
{
	return gateway_random(&storm->gateway) >> 11;
}

static struct weir_consumer_stats stats_of(const struct storm *storm)
{
	struct weir_consumer_stats stats;

	weir_session_stats(storm->gateway.client, &stats);
	return stats;
}

static void fly_out(struct storm *storm)
{
	struct flight first = storm->flying[0];

	memmove(&storm->flying[0], &storm->flying[1], --storm->count * sizeof(storm->flying[0]));
	weir_session_receive(
		storm->gateway.client, first.data, first.length, storm->gateway.now_ns);
}

static void fly_in(struct storm *storm, const void *data, size_t length)
{
	unsigned int at = storm->count;

	if (storm->count == FLIGHT)
		fly_out(storm);
	at = storm->count;
	if (!storm->is_calm && dice(storm) % 6 == 0)
		at -= (unsigned int)(dice(storm) % (storm->count + 1));
	memmove(&storm->flying[at + 1], &storm->flying[at],
		(storm->count - at) * sizeof(storm->flying[0]));
	memcpy(storm->flying[at].data, data, length);
	storm->flying[at].length = length;
	storm->count++;
}

static void network(struct gateway *gateway, const void *data, size_t length)
{
	struct storm *storm = (struct storm *)gateway;

	if (storm->is_calm || dice(storm) % 8 != 0)
		fly_in(storm, data, length);
	if (!storm->is_calm && dice(storm) % 16 == 0)
		fly_in(storm, data, length);
}

static void lane_begin(struct storm *storm, unsigned int i)
{
	struct gateway_lane *lane = &storm->gateway.lanes[i];

	lane->first = lane->next_seq = storm->done[i];
	storm->gateway.heard[i] = (struct gateway_heard){0};
}

/* The network between is quiet while a session is opened: that is tested elsewhere. */
static void join(struct storm *storm)
{
	uint32_t epochs[GATEWAY_LANES];

	for (unsigned int i = 0; i < GATEWAY_LANES; i++)
		epochs[i] = storm->gateway.lanes[i].epoch + 1;
	storm->gateway.is_deaf = false;
	storm->gateway.network = NULL;
	storm->count = 0;
	gateway_join(&storm->gateway);
	storm->gateway.network = network;
	for (unsigned int i = 0; i < GATEWAY_LANES; i++) {
		storm->gateway.lanes[i].epoch = epochs[i];
		lane_begin(storm, i);
	}
}

/* New messages at the end of a lane, within credit and behind what was given up. */
static void send_new(struct storm *storm, uint16_t i, uint16_t most)
{
	struct gateway_lane *lane = &storm->gateway.lanes[i];
	uint64_t credit = gateway_credit(&storm->gateway);
	uint16_t count = 0;

	while (lane->next_seq < MESSAGES && storm->gone[i][lane->next_seq])
		lane->next_seq++;
	while (count < most && count < credit && lane->next_seq + count < MESSAGES &&
		!storm->gone[i][lane->next_seq + count])
		count++;
	if (count > 0)
		gateway_data(&storm->gateway, i, count, false);
}

/* What a NACK is answered by. */
static void repair(struct storm *storm, uint16_t i)
{
	struct gateway_heard *heard = &storm->gateway.heard[i];
	const struct gateway_lane *lane = &storm->gateway.lanes[i];

	for (unsigned int r = 0; r < heard->nack_ranges && r < GATEWAY_RANGES; r++) {
		CU_ASSERT_FATAL(heard->nack_range[r][1] <= lane->next_seq);
		for (uint64_t seq = heard->nack_range[r][0]; seq < heard->nack_range[r][1]; seq++)
			if (storm->gone[i][seq])
				gateway_gap(&storm->gateway, i, seq, seq + 1, WEIR_GAP_LAPPED,
					storm->gone[i][seq] == lane->epoch);
			else
				gateway_again(&storm->gateway, i, seq, 1);
	}
	heard->nack_ranges = 0;
}

/* An ACK may only say what is true. */
static void check_acks(struct storm *storm)
{
	for (unsigned int i = 0; i < GATEWAY_LANES; i++) {
		const struct gateway_heard *heard = &storm->gateway.heard[i];
		const struct gateway_lane *lane = &storm->gateway.lanes[i];

		if (heard->acks == 0 || heard->epoch != lane->epoch)
			continue;
		CU_ASSERT_FATAL(heard->next_seq <= lane->next_seq);
		CU_ASSERT_FATAL(heard->done_seq <= heard->next_seq);
		for (uint64_t seq = storm->finished[i]; seq < heard->done_seq; seq++)
			CU_ASSERT_FATAL(storm->gone[i][seq]);
		for (unsigned int r = 0; r < heard->ack_ranges; r++)
			CU_ASSERT_FATAL(heard->ack_range[r][1] <= lane->next_seq);
		if (heard->done_seq > storm->done[i])
			storm->done[i] = heard->done_seq;
	}
}

static void application_finish(struct storm *storm, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		storm->finished[storm->hand[i][0]] = storm->hand[i][1] + 1;
}

static void application_consume(struct storm *storm, unsigned int count)
{
	uint32_t bytes = 0;

	if (count > storm->hand_count)
		count = storm->hand_count;
	for (unsigned int i = 0; i < count; i++)
		bytes += (uint32_t)storm->hand_bytes[i];
	application_finish(storm, count);
	CU_ASSERT_EQUAL(
		weir_session_consume(storm->gateway.client, count, bytes, storm->gateway.now_ns),
		0);
	storm->hand_count -= count;
	memmove(storm->hand, storm->hand + count, storm->hand_count * sizeof(storm->hand[0]));
	memmove(storm->hand_bytes, storm->hand_bytes + count,
		storm->hand_count * sizeof(storm->hand_bytes[0]));
}

static bool application_take(struct storm *storm)
{
	struct weir_message message;
	uint64_t *next;

	if (!storm->options.manual) {
		application_finish(storm, storm->hand_count);
		storm->hand_count = 0;
	}
	if (weir_session_next(storm->gateway.client, &message, storm->gateway.now_ns) == 0)
		return false;
	next = &storm->next[message.partition];
	CU_ASSERT_FATAL(message.sequence >= *next + message.missed);
	CU_ASSERT_EQUAL_FATAL(message.data[0], (uint8_t)message.sequence);
	for (; *next < message.sequence; (*next)++)
		CU_ASSERT_FATAL(storm->gone[message.partition][*next]);
	storm->missed += message.missed;
	*next = message.sequence + 1;
	storm->hand[storm->hand_count][0] = message.partition;
	storm->hand[storm->hand_count][1] = message.sequence;
	storm->hand_bytes[storm->hand_count++] = message.length;
	return true;
}

static void application_events(struct storm *storm)
{
	struct weir_event event;

	while (weir_session_next_event(storm->gateway.client, &event) == 1)
		if (event.kind == WEIR_EVENT_GAP)
			storm->told += event.count;
}

/* Some of what was sent and is not acknowledged will never come. */
static void give_up(struct storm *storm, uint16_t i)
{
	const struct gateway_lane *lane = &storm->gateway.lanes[i];
	uint64_t from = storm->gateway.heard[i].next_seq;

	if (from < lane->first)
		from = lane->first;
	if (from == lane->next_seq)
		return;
	from += dice(storm) % (lane->next_seq - from);
	if (storm->gone[i][from] == 0)
		storm->gone[i][from] = lane->epoch;
}

static void fault(struct storm *storm, uint16_t i)
{
	switch (dice(storm) % 8) {
	case 0:
		gateway_error(&storm->gateway, storm->gateway.session, WEIR_ERROR_SESSION, 0);
		break;
	case 1:
	case 2:
		storm->gateway.lanes[i].epoch++;
		lane_begin(storm, i);
		break;
	default:
		give_up(storm, i);
	}
}

static void step(struct storm *storm)
{
	uint16_t i = dice(storm) % GATEWAY_LANES;
	uint64_t choice = dice(storm) % 16;

	storm->gateway.is_deaf = !storm->is_calm && dice(storm) % 4 == 0;
	if (choice < 6)
		send_new(storm, i, 1 + dice(storm) % 8);
	else if (choice < 8)
		gateway_heartbeat(&storm->gateway, dice(storm) % 4 == 0);
	else if (choice < 11)
		for (uint64_t n = dice(storm) % 12; n > 0 && storm->hand_count < 40; n--)
			(void)application_take(storm);
	else if (choice == 11 && storm->options.manual)
		application_consume(storm, dice(storm) % 12);
	else if (choice == 12 && !storm->is_calm && dice(storm) % 4 == 0)
		fault(storm, i);
	while (storm->count > 0 && dice(storm) % 4 != 0)
		fly_out(storm);
	gateway_wait(&storm->gateway, dice(storm) % 3);
	check_acks(storm);
	if (dice(storm) % 2 == 0)
		repair(storm, i);
	application_events(storm);
	if (stats_of(storm).state == WEIR_CONSUMER_CONNECTING) {
		storm->gateway.is_deaf = false;
		gateway_wait(&storm->gateway, 6000);
		join(storm);
	}
}

static void settle(struct storm *storm)
{
	storm->is_calm = true;
	storm->gateway.is_deaf = false;
	for (unsigned int round = 0; round < 40; round++) {
		for (uint16_t i = 0; i < GATEWAY_LANES; i++) {
			send_new(storm, i, 1);
			repair(storm, i);
		}
		gateway_heartbeat(&storm->gateway, 0);
		while (storm->count > 0)
			fly_out(storm);
		while (storm->hand_count < 60 && application_take(storm))
			;
		if (storm->options.manual)
			application_consume(storm, UINT32_MAX);
		gateway_wait(&storm->gateway, GATEWAY_HEART_MS);
		check_acks(storm);
	}
	for (uint16_t i = 0; i < GATEWAY_LANES; i++)
		repair(storm, i);
	gateway_heartbeat(&storm->gateway, 0);
	while (storm->count > 0)
		fly_out(storm);
	while (application_take(storm))
		;
	if (storm->options.manual)
		application_consume(storm, UINT32_MAX);
	gateway_wait(&storm->gateway, 2 * GATEWAY_HEART_MS);
	check_acks(storm);
	application_events(storm);
}

static struct storm the_storm; /* larger than a stack should bear */

static void run(uint64_t seed, struct weir_consumer_options options)
{
	struct storm *storm = &the_storm;
	struct weir_consumer_stats stats;

	memset(storm, 0, sizeof(*storm));
	storm->options = options;
	gateway_open(&storm->gateway, options);
	storm->gateway.random ^= seed * 0x9e3779b97f4a7c15u;
	storm->gateway.grant = WEIR_OPTION_RELIABLE | WEIR_OPTION_BATCH;
	storm->gateway.payload = 1 + seed % 90;
	join(storm);
	for (unsigned int i = 0; i < 3000; i++) {
		step(storm);
		stats = stats_of(storm);
		CU_ASSERT_FATAL(stats.held_messages <= options.window_messages);
		CU_ASSERT_FATAL(storm->gateway.limit_messages <=
				storm->gateway.sent_messages + options.window_messages);
	}
	settle(storm);
	stats = stats_of(storm);
	CU_ASSERT_EQUAL(stats.missing_messages, 0);
	CU_ASSERT_EQUAL(stats.held_messages, 0);
	CU_ASSERT_EQUAL(stats.held_bytes, 0);
	CU_ASSERT_EQUAL(stats.overruns, 0);
	CU_ASSERT_EQUAL(stats.malformed, 0);
	CU_ASSERT_EQUAL(storm->gateway.wrong, 0);
	CU_ASSERT_EQUAL(storm->gateway.limit_messages,
		storm->gateway.sent_messages + options.window_messages);
	CU_ASSERT_EQUAL(
		storm->gateway.limit_bytes, storm->gateway.sent_bytes + WEIR_CONSUMER_WINDOW_BYTES);
	CU_ASSERT_EQUAL(storm->told + (stats.events_lost != 0), stats.gap_sequences);
	for (unsigned int i = 0; i < GATEWAY_LANES; i++) {
		const struct gateway_lane *lane = &storm->gateway.lanes[i];

		if (lane->next_seq > lane->first) { /* else nothing was said of it */
			CU_ASSERT_EQUAL(storm->gateway.heard[i].next_seq, lane->next_seq);
			CU_ASSERT_EQUAL(storm->gateway.heard[i].done_seq, lane->next_seq);
		}
		for (uint64_t seq = storm->next[i]; seq < lane->next_seq; seq++)
			CU_ASSERT(storm->gone[i][seq]);
		CU_ASSERT(storm->next[i] > 40);
	}
	gateway_close(&storm->gateway);
}

static void test_every_message_comes_once_in_order_or_is_told_gone(void)
{
	for (uint64_t seed = 1; seed <= 150; seed++)
		run(seed, (struct weir_consumer_options){.window_messages = 1 + seed * 13 % 200});
}

static void test_nothing_is_settled_before_the_application_says_so(void)
{
	for (uint64_t seed = 1; seed <= 100; seed++)
		run(seed << 32, (struct weir_consumer_options){
					.window_messages = 40 + seed, .manual = true});
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"every message comes once in order or is told gone",
			test_every_message_comes_once_in_order_or_is_told_gone},
		{"nothing is settled before the application says so",
			test_nothing_is_settled_before_the_application_says_so},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"client storm", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
