/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>

#include "places.h"

/* What weirload makes of the numbers of a gateway that keeps its promises, and of one that does
 * not. */

static struct load_places *places;
static struct load_places_total total;

static void begin(void)
{
	load_places_destroy(places);
	places = load_places_create();
	CU_ASSERT_PTR_NOT_NULL_FATAL(places);
}

/* A message of key 1: the number `sequence` of partition 0, the sender's `sent`. */
static void take(uint32_t epoch, uint64_t sequence, uint64_t missed, uint64_t sent)
{
	const struct load_place place = {"flows", 0, epoch, sequence, missed};
	const struct load_record record = {
		.run = 7, .key = 1, .sequence = sent, .sent_ns = sent * 1000};

	load_places_take(places, &place, &record);
	load_places_total(places, &total);
}

static void test_numbers_that_rise_one_by_one_are_clean(void)
{
	begin();
	for (uint64_t i = 0; i < 5000; i++)
		take(1, 1000 + i, 0, i);
	CU_ASSERT_EQUAL(total.lanes, 1);
	CU_ASSERT_EQUAL(total.told, 0);
	CU_ASSERT_EQUAL(total.silent, 0);
	CU_ASSERT_EQUAL(total.back, 0);
	CU_ASSERT_EQUAL(total.repeats, 0);
	CU_ASSERT_EQUAL(total.conflicts, 0);
	CU_ASSERT_EQUAL(total.unexplained, 0);
	CU_ASSERT_EQUAL(total.untracked, 0);
}

static void test_a_gap_that_is_told_is_none_of_the_silent_ones(void)
{
	begin();
	take(1, 10, 0, 0);
	take(1, 20, 9, 10);
	CU_ASSERT_EQUAL(total.told, 9);
	CU_ASSERT_EQUAL(total.silent, 0);
	CU_ASSERT_EQUAL(total.unexplained, 0);
}

static void test_a_number_left_out_without_a_word_is_silent(void)
{
	begin();
	take(1, 10, 0, 0);
	take(1, 20, 4, 10);
	CU_ASSERT_EQUAL(total.silent, 5);
	take(2, 22, 0, 12);
	CU_ASSERT_EQUAL(total.silent, 6);
	CU_ASSERT_EQUAL(total.unexplained, 1);
}

static void test_a_hole_of_the_sender_needs_a_gap_of_its_partition(void)
{
	begin();
	take(1, 10, 0, 0);
	take(1, 11, 0, 5);
	CU_ASSERT_EQUAL(total.silent, 0);
	CU_ASSERT_EQUAL(total.unexplained, 4);
	CU_ASSERT_EQUAL(total.holes, 1);
	CU_ASSERT_EQUAL(load_places_hole(places, 0)->until_ns, 5000);
	CU_ASSERT_EQUAL(load_places_hole(places, 0)->messages, 4);
	CU_ASSERT_PTR_NULL(load_places_hole(places, 1));
}

static void test_the_same_message_again_is_a_repeat_another_a_conflict(void)
{
	begin();
	take(1, 10, 0, 0);
	take(1, 11, 0, 1);
	take(2, 10, 0, 0);
	CU_ASSERT_EQUAL(total.back, 1);
	CU_ASSERT_EQUAL(total.repeats, 1);
	CU_ASSERT_EQUAL(total.conflicts, 0);
	take(2, 11, 0, 2);
	CU_ASSERT_EQUAL(total.repeats, 1);
	CU_ASSERT_EQUAL(total.conflicts, 1);
}

static void test_a_seek_may_go_anywhere_with_the_next_epoch(void)
{
	begin();
	take(1, 10, 0, 0);
	take(1, 11, 0, 1);
	load_places_seek(places);
	take(1, 12, 0, 2);
	take(2, 10, 0, 0);
	CU_ASSERT_EQUAL(total.back, 0);
	CU_ASSERT_EQUAL(total.repeats, 1);
	take(2, 12, 0, 2);
	CU_ASSERT_EQUAL(total.silent, 1);
	take(3, 12, 0, 2);
	CU_ASSERT_EQUAL(total.back, 1);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"numbers that rise one by one are clean",
			test_numbers_that_rise_one_by_one_are_clean},
		{"a gap that is told is none of the silent ones",
			test_a_gap_that_is_told_is_none_of_the_silent_ones},
		{"a number left out without a word is silent",
			test_a_number_left_out_without_a_word_is_silent},
		{"a hole of the sender needs a gap of its partition",
			test_a_hole_of_the_sender_needs_a_gap_of_its_partition},
		{"the same message again is a repeat, another a conflict",
			test_the_same_message_again_is_a_repeat_another_a_conflict},
		{"a seek may go anywhere with the next epoch",
			test_a_seek_may_go_anywhere_with_the_next_epoch},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"places", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 1;
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	load_places_destroy(places);
	return failures != 0;
}
