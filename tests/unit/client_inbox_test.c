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

/* Any mixture of lengths within the window must fit, and comes out as it went in. */
static void test_a_window_always_fits_and_keeps_its_order(void)
{
	uint64_t random = 88172645463325252u;

	for (uint32_t window = 1; window <= 40; window += 3) {
		uint32_t bytes = 4 * LONGEST;
		uint64_t pushed = 0, popped = 0;
		uint32_t used = 0;
		struct weir_inbox inbox;

		CU_ASSERT_EQUAL_FATAL(weir_inbox_open(&inbox, window, bytes, LONGEST), 0);
		for (unsigned int step = 0; step < 20000; step++) {
			uint16_t length = (uint16_t)(next_random(&random) % (LONGEST + 1));
			bool has_trace = window % 2 == 0 || next_random(&random) % 4 == 0;
			const struct weir_inbox_entry *oldest;
			struct weir_inbox_entry *entry;

			if (pushed - popped < window && used + length <= bytes) {
				entry = weir_inbox_push(&inbox, length, has_trace);
				CU_ASSERT_PTR_NOT_NULL_FATAL(entry);
				CU_ASSERT_EQUAL(entry->has_trace, has_trace);
				entry->seq = pushed;
				memset(entry->data, (int)pushed,
					weir_inbox_data(length, has_trace));
				pushed++;
				used += length;
				continue;
			}
			oldest = weir_inbox_peek(&inbox);
			CU_ASSERT_EQUAL_FATAL(oldest->seq, popped);
			if (oldest->length > 0) {
				CU_ASSERT_EQUAL(oldest->data[0], (uint8_t)popped);
				CU_ASSERT_EQUAL(oldest->data[oldest->length - 1], (uint8_t)popped);
			}
			used -= oldest->length;
			weir_inbox_pop(&inbox);
			popped++;
		}
		weir_inbox_close(&inbox);
	}
}

static void test_what_does_not_fit_is_refused_and_harms_nothing(void)
{
	struct weir_inbox inbox;
	uint64_t count = 0;

	CU_ASSERT_EQUAL_FATAL(weir_inbox_open(&inbox, 4, 5600, LONGEST), 0);
	while (weir_inbox_push(&inbox, LONGEST, false) != NULL && count < 1000)
		count++;
	CU_ASSERT(count >= 4 && count < 10);
	for (; count > 0; count--)
		weir_inbox_pop(&inbox);
	CU_ASSERT_PTR_NULL(weir_inbox_peek(&inbox));
	CU_ASSERT_PTR_NOT_NULL(weir_inbox_push(&inbox, LONGEST, false));
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
