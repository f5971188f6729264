/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <CUnit/Basic.h>

#include "client/inbox.h"
#include "client/lanes.h"

#define LONGEST 1400

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#define LINE 9000 /* of a frame */

/* A frame of a lane, as it comes, with messages from `first` on that have the parts of `item`. */
struct sent {
	uint8_t bytes[LINE];
	struct weir_inbox_slice slice;
};

static void send_run(struct sent *sent, uint64_t first, uint16_t count, struct weir_data_item item)
{
	static const uint8_t address[16] = {10, 1, 2, 3};
	static const struct weir_frame_context context = {.trace_id = {1}, .span_id = {2}};
	const struct weir_data_lane lane = {.stream = 7};
	const struct weir_frame_data *frame = (const void *)(sent->bytes + WEIR_DATAGRAM_HEADER);
	struct weir_data_writer data;
	struct weir_writer writer;

	weir_writer_begin(&writer, sent->bytes, sizeof(sent->bytes), 1);
	CU_ASSERT_TRUE_FATAL(weir_data_begin(&data, &writer, &lane, first));
	item.source = address;
	item.context = &context;
	for (uint16_t i = 0; i < count; i++) {
		uint8_t *payload;

		item.seq = first + i;
		payload = weir_data_add(&data, &item);
		CU_ASSERT_PTR_NOT_NULL_FATAL(payload);
		memset(payload, (int)item.seq, item.length);
	}
	sent->slice = (struct weir_inbox_slice){.size = data.used - (uint32_t)sizeof(*frame),
		.bytes = data.bytes,
		.count = data.count};
	weir_data_end(&data, first + count, 0);
	weir_data_open(&sent->slice.at, frame);
}

/* A run of any shape that the window has room for; what it has of messages. */
static uint16_t send_any(
	struct sent *sent, uint64_t *random, uint64_t first, uint32_t messages, uint32_t bytes)
{
	uint8_t flags = 0;
	uint16_t length = (uint16_t)(next_random(random) % (LONGEST + 1));
	uint16_t count = (uint16_t)(1 + next_random(random) % 4);

	if (next_random(random) % 2 == 0)
		flags |= WEIR_MESSAGE_CONTEXT;
	if (next_random(random) % 2 == 0)
		flags |= WEIR_MESSAGE_ADDRESS | WEIR_MESSAGE_IPV6;
	if (messages == 0 || length > bytes)
		return 0;
	if (count > messages)
		count = (uint16_t)messages;
	if (length != 0 && count > bytes / length)
		count = (uint16_t)(bytes / length);
	send_run(sent, first, count, (struct weir_data_item){.length = length, .flags = flags});
	return count;
}

/* The oldest message, which is of that sequence; its length. */
static uint16_t take_oldest(struct weir_inbox *inbox, uint64_t seq)
{
	struct weir_inbox_run *run = weir_inbox_peek(inbox);
	struct weir_data_item item;

	CU_ASSERT_PTR_NOT_NULL_FATAL(run);
	weir_inbox_take(inbox, run, &item);
	CU_ASSERT_EQUAL_FATAL(item.seq, seq);
	for (uint16_t i = 0; i < item.length; i++)
		if (item.payload[i] != (uint8_t)seq) {
			CU_FAIL("another message's bytes");
			break;
		}
	if (item.flags & WEIR_MESSAGE_CONTEXT)
		CU_ASSERT_EQUAL(item.context->span_id[0], 2);
	if (item.flags & WEIR_MESSAGE_ADDRESS)
		CU_ASSERT_EQUAL(item.source[3], 3);
	return item.length;
}

/* Any mixture of lengths and runs within the window must fit, and comes out as it went in. */
static void test_a_window_always_fits_and_keeps_its_order(void)
{
	uint64_t random = 88172645463325252u;
	static struct sent sent;

	for (uint32_t window = 1; window <= 40; window += 3) {
		uint32_t bytes = 4 * LONGEST;
		uint64_t pushed = 0, popped = 0;
		uint32_t used = 0;
		struct weir_inbox inbox;

		CU_ASSERT_EQUAL_FATAL(weir_inbox_open(&inbox, window, bytes, LINE), 0);
		for (unsigned int step = 0; step < 20000; step++) {
			uint16_t count = 0;

			if (next_random(&random) % 3 != 0)
				count = send_any(&sent, &random, pushed,
					window - (uint32_t)(pushed - popped), bytes - used);
			if (count > 0) {
				CU_ASSERT_PTR_NOT_NULL_FATAL(weir_inbox_push(&inbox, &sent.slice));
				pushed += count;
				used += sent.slice.bytes;
			} else if (pushed != popped) {
				used -= take_oldest(&inbox, popped++);
			}
			CU_ASSERT_EQUAL(inbox.count, pushed - popped);
		}
		weir_inbox_close(&inbox);
	}
}

static void test_what_does_not_fit_is_refused_and_harms_nothing(void)
{
	const struct weir_data_item item = {.length = LONGEST};
	static struct sent sent;
	struct weir_inbox inbox;
	uint64_t count = 0;

	CU_ASSERT_EQUAL_FATAL(weir_inbox_open(&inbox, 4, 5600, LONGEST), 0);
	for (; count < 1000; count++) {
		send_run(&sent, count, 1, item);
		if (weir_inbox_push(&inbox, &sent.slice) == NULL)
			break;
	}
	CU_ASSERT(count >= 4 && count < 10);
	for (uint64_t seq = 0; seq < count; seq++)
		CU_ASSERT_EQUAL(take_oldest(&inbox, seq), LONGEST);
	CU_ASSERT_PTR_NULL(weir_inbox_peek(&inbox));
	CU_ASSERT_PTR_NOT_NULL(weir_inbox_push(&inbox, &sent.slice));
	weir_inbox_close(&inbox);
}

/* The application has it in its hands until it asks for the next. */
static void test_a_message_stays_until_the_next_is_looked_for(void)
{
	const struct weir_data_item item = {.length = 8, .time_left_us = 5};
	static struct sent sent;
	struct weir_data_item first, second;
	struct weir_inbox inbox;

	CU_ASSERT_EQUAL_FATAL(weir_inbox_open(&inbox, 4, 5600, LONGEST), 0);
	send_run(&sent, 1, 1, item);
	CU_ASSERT_PTR_NOT_NULL_FATAL(weir_inbox_push(&inbox, &sent.slice));
	CU_ASSERT_EQUAL(inbox.timed, 1);
	weir_inbox_take(&inbox, weir_inbox_peek(&inbox), &first);
	CU_ASSERT_EQUAL(inbox.count, 0);
	/* Its place is not given to what comes meanwhile. */
	send_run(&sent, 2, 1, (struct weir_data_item){.length = 8});
	CU_ASSERT_PTR_NOT_NULL_FATAL(weir_inbox_push(&inbox, &sent.slice));
	CU_ASSERT_EQUAL(first.payload[0], 1);
	CU_ASSERT_EQUAL(inbox.timed, 1);
	weir_inbox_take(&inbox, weir_inbox_peek(&inbox), &second);
	CU_ASSERT_EQUAL(second.payload[0], 2);
	CU_ASSERT_EQUAL(inbox.timed, 0);
	weir_inbox_close(&inbox);
}

static void test_every_lane_is_found_again(void)
{
	struct weir_client_lanes lanes = {0};

	CU_ASSERT_PTR_NULL(weir_client_lanes_find(&lanes, 0, 0));
	for (uint32_t i = 0; i < WEIR_CLIENT_LANES_MAX; i++) {
		struct weir_client_lane *lane = weir_client_lanes_enter(
			&lanes, (uint16_t)(i % 17 * 256), (uint16_t)(i / 17), i % 17, "s");

		CU_ASSERT_PTR_NOT_NULL_FATAL(lane);
		CU_ASSERT_EQUAL(lane->index, i);
		lane->next_seq = lane->floor = i;
	}
	CU_ASSERT_PTR_NULL(weir_client_lanes_enter(&lanes, 60000, 0, 100, "s"));
	for (uint32_t i = 0; i < WEIR_CLIENT_LANES_MAX; i++) {
		struct weir_client_lane *lane = weir_client_lanes_find(
			&lanes, (uint16_t)(i % 17 * 256), (uint16_t)(i / 17));

		CU_ASSERT_PTR_NOT_NULL_FATAL(lane);
		CU_ASSERT_EQUAL(lane->next_seq, i);
	}
	weir_client_lanes_close(&lanes);
}

/* Numbers of streams are one session's; what was delivered is remembered by name. */
static void test_a_lane_is_remembered_by_name_over_sessions(void)
{
	struct weir_client_lanes lanes = {0};
	struct weir_client_lane *lane = weir_client_lanes_enter(&lanes, 7, 3, 0, "a");

	CU_ASSERT_PTR_NOT_NULL_FATAL(lane);
	lane->floor = 1000;
	lane->next_seq = 1000;
	weir_client_lanes_forget(&lanes);
	CU_ASSERT_PTR_NULL(weir_client_lanes_find(&lanes, 7, 3));
	lane = weir_client_lanes_enter(&lanes, 7, 3, 1, "b");
	CU_ASSERT_PTR_NOT_NULL_FATAL(lane);
	CU_ASSERT_EQUAL(lane->floor, 0);
	lane = weir_client_lanes_enter(&lanes, 9, 3, 0, "a");
	CU_ASSERT_PTR_NOT_NULL_FATAL(lane);
	CU_ASSERT_EQUAL(lane->floor, 1000);
	CU_ASSERT_EQUAL(lane->next_seq, 0);
	CU_ASSERT_PTR_EQUAL(weir_client_lanes_find(&lanes, 9, 3), lane);
	weir_client_lanes_close(&lanes);
}

/* A stream that is made anew keeps its name: its lanes are others until the old ones are over. */
static void test_a_stream_made_anew_has_lanes_of_its_own(void)
{
	struct weir_client_lanes lanes = {0};
	struct weir_client_lane *old, *new;

	old = weir_client_lanes_enter(&lanes, 7, 3, 0, "a");
	CU_ASSERT_PTR_NOT_NULL_FATAL(old);
	old->floor = 1000;
	new = weir_client_lanes_enter(&lanes, 8, 3, 0, "a");
	CU_ASSERT_PTR_NOT_NULL_FATAL(new);
	old = weir_client_lanes_find(&lanes, 7, 3);
	CU_ASSERT_PTR_NOT_EQUAL(old, new);
	CU_ASSERT_EQUAL(old->floor, 1000);
	CU_ASSERT_EQUAL(new->floor, 0);
	new->floor = 5000;
	weir_client_lanes_forget(&lanes);
	/* The next session goes on where the newest was. */
	new = weir_client_lanes_enter(&lanes, 8, 3, 0, "a");
	CU_ASSERT_PTR_NOT_NULL_FATAL(new);
	CU_ASSERT_EQUAL(new->floor, 5000);
	weir_client_lanes_close(&lanes);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a window always fits and keeps its order",
			test_a_window_always_fits_and_keeps_its_order},
		{"a stream made anew has lanes of its own",
			test_a_stream_made_anew_has_lanes_of_its_own},
		{"what does not fit is refused and harms nothing",
			test_what_does_not_fit_is_refused_and_harms_nothing},
		{"a message stays until the next is looked for",
			test_a_message_stays_until_the_next_is_looked_for},
		{"every lane is found again", test_every_lane_is_found_again},
		{"a lane is remembered by name over sessions",
			test_a_lane_is_remembered_by_name_over_sessions},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"client inbox and lanes", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
