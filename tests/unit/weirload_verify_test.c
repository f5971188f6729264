/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <stdlib.h>

#include "verify.h"

/* The verifier of weirload, on sequences made to be lost, doubled and out of order. */

static struct load_verifier *verifier;
static struct load_verify_total total;

static void begin(bool is_late)
{
	load_verifier_destroy(verifier);
	verifier = load_verifier_create(is_late);
	CU_ASSERT_PTR_NOT_NULL_FATAL(verifier);
}

static void take(uint32_t key, uint64_t sequence)
{
	struct load_record record = {.run = 7, .key = key, .sequence = sequence};

	CU_ASSERT_EQUAL(load_verifier_take(verifier, &record), 0);
}

static void take_range(uint32_t key, uint64_t first, uint64_t last)
{
	for (uint64_t sequence = first; sequence <= last; sequence++)
		take(key, sequence);
}

static void check(uint64_t lost, uint64_t duplicates, uint64_t reordered, uint64_t stale)
{
	load_verifier_total(verifier, &total);
	CU_ASSERT_EQUAL(total.lost, lost);
	CU_ASSERT_EQUAL(total.duplicates, duplicates);
	CU_ASSERT_EQUAL(total.reordered, reordered);
	CU_ASSERT_EQUAL(total.stale, stale);
}

static void an_unbroken_sequence_is_clean(void)
{
	begin(false);
	take_range(0, 0, 100000);
	check(0, 0, 0, 0);
	CU_ASSERT_EQUAL(total.received, 100001);
	CU_ASSERT_EQUAL(total.gaps, 0);
}

static void nothing_received_is_nothing_lost(void)
{
	begin(false);
	check(0, 0, 0, 0);
	CU_ASSERT_EQUAL(total.keys, 0);
	CU_ASSERT_PTR_NULL(load_verifier_key(verifier, 0));
}

static void a_hole_is_lost_and_the_first_messages_count_too(void)
{
	begin(false);
	take_range(0, 3, 9);
	take_range(0, 12, 20);
	check(5, 0, 0, 0);
	CU_ASSERT_EQUAL(total.gaps, 2);
}

static void the_end_of_the_newest_hole_is_when_the_message_behind_it_was_sent(void)
{
	struct load_record record = {.run = 7, .key = 1, .sent_ns = 500};

	begin(false);
	load_verifier_take(verifier, &record);
	check(0, 0, 0, 0);
	CU_ASSERT_EQUAL(total.gap_end_ns, 0);
	record = (struct load_record){.run = 7, .key = 2, .sequence = 3, .sent_ns = 700};
	load_verifier_take(verifier, &record);
	record = (struct load_record){.run = 7, .key = 1, .sequence = 2, .sent_ns = 600};
	load_verifier_take(verifier, &record);
	record = (struct load_record){.run = 7, .key = 1, .sequence = 3, .sent_ns = 900};
	load_verifier_take(verifier, &record);
	check(4, 0, 0, 0);
	CU_ASSERT_EQUAL(total.gap_end_ns, 700);
}

static void a_late_receiver_misses_nothing_before_its_first_message(void)
{
	begin(true);
	take_range(0, 1000000, 1000010);
	take(0, 1000012);
	check(1, 0, 0, 0);
	take(0, 999999);
	check(1, 0, 0, 1);
}

static void a_filled_hole_is_reordered_not_lost(void)
{
	begin(false);
	take_range(0, 0, 9);
	take(0, 11);
	check(1, 0, 0, 0);
	take(0, 10);
	check(0, 0, 1, 0);
	CU_ASSERT_EQUAL(total.gaps, 1);
}

static void a_repeat_is_a_duplicate_wherever_it_is_in_the_window(void)
{
	begin(false);
	take_range(0, 0, LOAD_VERIFY_WINDOW + 99);
	take(0, LOAD_VERIFY_WINDOW + 99);
	take(0, 5000);
	take(0, 100);
	check(0, 3, 0, 0);
	take(0, 99);
	check(0, 3, 0, 1);
}

static void a_reordered_message_repeated_is_a_duplicate(void)
{
	begin(false);
	take_range(0, 0, 9);
	take(0, 15);
	take(0, 12);
	take(0, 12);
	check(4, 1, 1, 0);
}

static void a_hole_stays_lost_when_the_window_has_passed_it(void)
{
	begin(false);
	take_range(0, 0, 9);
	take_range(0, 11, 3 * LOAD_VERIFY_WINDOW);
	check(1, 0, 0, 0);
	take(0, 10);
	check(1, 0, 0, 1);
}

static void holes_before_and_inside_the_window_add_up(void)
{
	begin(false);
	for (uint64_t sequence = 0; sequence < 5 * LOAD_VERIFY_WINDOW; sequence++)
		if (sequence % 10 != 3)
			take(0, sequence);
	check(5 * LOAD_VERIFY_WINDOW / 10, 0, 0, 0);
}

/* Around the size of the window, where a jump replaces all of it. */
static void a_jump_of_any_size_loses_exactly_what_it_skipped(void)
{
	static const uint64_t skips[] = {1, 63, 64, LOAD_VERIFY_WINDOW - 2, LOAD_VERIFY_WINDOW - 1,
		LOAD_VERIFY_WINDOW, LOAD_VERIFY_WINDOW + 1, 3 * LOAD_VERIFY_WINDOW + 7, 1ull << 40};

	for (size_t i = 0; i < sizeof(skips) / sizeof(skips[0]); i++) {
		for (uint64_t before = 0; before <= 2 * LOAD_VERIFY_WINDOW;
			before += LOAD_VERIFY_WINDOW / 2) {
			begin(false);
			for (uint64_t sequence = 0; sequence < before; sequence++)
				take(0, sequence);
			take(0, before + skips[i]);
			check(skips[i], 0, 0, 0);
			take_range(0, before + skips[i] + 1, before + skips[i] + 100);
			check(skips[i], 0, 0, 0);
			take(0, before + skips[i] + 50);
			check(skips[i], 1, 0, 0);
		}
	}
}

/* The same fate decided by a plain table. */
static void random_fates_are_told_apart(void)
{
	enum { COUNT = 20000 };
	static uint8_t seen[COUNT];
	uint64_t duplicates = 0, lost = 0, highest = 0;

	srand(1);
	begin(false);
	for (uint64_t sequence = 0; sequence < COUNT; sequence++) {
		/* Displaced by at most 200 places, so within the window. */
		uint64_t displaced = sequence + (uint64_t)(rand() % 200);

		if (rand() % 20 == 0 || displaced >= COUNT)
			continue;
		take(0, displaced);
		duplicates += seen[displaced];
		seen[displaced] = 1;
		if (displaced > highest)
			highest = displaced;
	}
	for (uint64_t sequence = 0; sequence <= highest; sequence++)
		lost += !seen[sequence];
	load_verifier_total(verifier, &total);
	CU_ASSERT_EQUAL(total.duplicates, duplicates);
	CU_ASSERT_EQUAL(total.lost, lost);
	CU_ASSERT_EQUAL(total.stale, 0);
	CU_ASSERT(duplicates > 0 && lost > 0);
}

static void keys_and_runs_do_not_disturb_each_other(void)
{
	struct load_record other = {.run = 8, .key = 1};

	begin(false);
	for (uint64_t sequence = 0; sequence < 20; sequence++)
		for (uint32_t key = 0; key < 5000; key++)
			if (key != 77 || sequence != 3)
				take(key, sequence);
	CU_ASSERT_EQUAL(load_verifier_take(verifier, &other), 0);
	check(1, 0, 0, 0);
	CU_ASSERT_EQUAL(total.keys, 5001);
	CU_ASSERT_EQUAL(total.runs, 2);
	CU_ASSERT_EQUAL(total.received, 5000 * 20 - 1 + 1);
	CU_ASSERT_EQUAL(load_verifier_key(verifier, 77)->key, 77);
	CU_ASSERT_EQUAL(load_verify_key_lost(load_verifier_key(verifier, 77)), 1);
	CU_ASSERT_EQUAL(load_verify_key_lost(load_verifier_key(verifier, 78)), 0);
}

int main(void)
{
	CU_pSuite suite;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("weirload's verifier", NULL, NULL);
	CU_ADD_TEST(suite, an_unbroken_sequence_is_clean);
	CU_ADD_TEST(suite, nothing_received_is_nothing_lost);
	CU_ADD_TEST(suite, a_hole_is_lost_and_the_first_messages_count_too);
	CU_ADD_TEST(suite, the_end_of_the_newest_hole_is_when_the_message_behind_it_was_sent);
	CU_ADD_TEST(suite, a_late_receiver_misses_nothing_before_its_first_message);
	CU_ADD_TEST(suite, a_filled_hole_is_reordered_not_lost);
	CU_ADD_TEST(suite, a_repeat_is_a_duplicate_wherever_it_is_in_the_window);
	CU_ADD_TEST(suite, a_reordered_message_repeated_is_a_duplicate);
	CU_ADD_TEST(suite, a_hole_stays_lost_when_the_window_has_passed_it);
	CU_ADD_TEST(suite, holes_before_and_inside_the_window_add_up);
	CU_ADD_TEST(suite, a_jump_of_any_size_loses_exactly_what_it_skipped);
	CU_ADD_TEST(suite, random_fates_are_told_apart);
	CU_ADD_TEST(suite, keys_and_runs_do_not_disturb_each_other);
	if (CU_get_error() != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	load_verifier_destroy(verifier);
	return CU_get_number_of_failures() != 0;
}
