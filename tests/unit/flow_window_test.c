/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>

#include "flow/window.h"

#define RTT_US 10000u

/* One round trip whose acknowledgements took `sample_us`, with so much under way. */
static void run_round(
	struct weir_window *window, uint64_t *now_us, uint32_t sample_us, uint64_t flying)
{
	*now_us += sample_us;
	weir_window_sample(window, sample_us, flying, *now_us);
}

static void test_starts_by_doubling(void)
{
	struct weir_window window;
	uint64_t now = 1000000;

	weir_window_init(&window, WEIR_WINDOW_FIRST, now);
	for (uint32_t limit = WEIR_WINDOW_FIRST; limit < 4096; limit *= 2) {
		CU_ASSERT_EQUAL(window.limit, limit);
		run_round(&window, &now, RTT_US, window.limit);
	}
	CU_ASSERT_EQUAL(window.limit, 4096);
}

static void test_one_decision_a_round(void)
{
	struct weir_window window;
	uint64_t now = 1000000;

	weir_window_init(&window, 64, now);
	for (unsigned int i = 0; i < 9; i++)
		weir_window_sample(&window, RTT_US, 64, now + i * (RTT_US / 10));
	CU_ASSERT_EQUAL(window.limit, 64);
	weir_window_sample(&window, RTT_US, 64, now + RTT_US);
	CU_ASSERT_EQUAL(window.limit, 128);
	weir_window_sample(&window, RTT_US, 128, now + RTT_US + 1);
	CU_ASSERT_EQUAL(window.limit, 128);
}

static void test_unused_window_stays(void)
{
	struct weir_window window;
	uint64_t now = 1000000;

	weir_window_init(&window, 1000, now);
	for (unsigned int i = 0; i < 50; i++)
		run_round(&window, &now, RTT_US, 499);
	CU_ASSERT_EQUAL(window.limit, 1000);
	run_round(&window, &now, RTT_US, 500);
	CU_ASSERT_EQUAL(window.limit, 2000);
}

static void test_queue_shrinks_in_proportion(void)
{
	struct weir_window window;
	uint64_t now = 1000000;

	weir_window_init(&window, 1000, now);
	run_round(&window, &now, RTT_US, 0);
	/* Half as long again, and a scheduler's slice, is tolerated. */
	run_round(&window, &now, RTT_US * 3 / 2 + WEIR_WINDOW_SLACK_US, 0);
	CU_ASSERT_EQUAL(window.limit, 1000);
	run_round(&window, &now, 25000, 1000);
	CU_ASSERT_EQUAL(window.limit, 800);
	/* Never by more than half at once. */
	run_round(&window, &now, 10000000, 800);
	CU_ASSERT_EQUAL(window.limit, 400);
	/* No doubling after the first queue. */
	run_round(&window, &now, RTT_US, 400);
	CU_ASSERT_EQUAL(window.limit, 400 + 400 / 16 + 4);
}

static void test_shortest_of_a_round_counts(void)
{
	struct weir_window window;
	uint64_t now = 1000000;

	weir_window_init(&window, 100, now);
	run_round(&window, &now, RTT_US, 0);
	/* One straggler is no queue when another came in the usual time. */
	weir_window_sample(&window, RTT_US, 100, now + 1);
	run_round(&window, &now, 90000, 100);
	CU_ASSERT_TRUE(window.limit > 100);
}

static void test_bounds(void)
{
	struct weir_window window;
	uint64_t now = 1000000;

	weir_window_init(&window, 1, now);
	CU_ASSERT_EQUAL(window.limit, WEIR_WINDOW_FLOOR);
	run_round(&window, &now, 1000, 0);
	for (unsigned int i = 0; i < 8; i++)
		run_round(&window, &now, 1000000, 100);
	CU_ASSERT_EQUAL(window.limit, WEIR_WINDOW_FLOOR);
	weir_window_init(&window, WEIR_WINDOW_FIRST, now);
	for (unsigned int i = 0; i < 40; i++)
		run_round(&window, &now, RTT_US, UINT64_MAX);
	CU_ASSERT_EQUAL(window.limit, WEIR_WINDOW_CEILING);
}

static void test_longer_path_is_learnt(void)
{
	struct weir_window window;
	uint64_t now = 1000000;
	uint32_t least = UINT32_MAX;

	weir_window_init(&window, 1000, now);
	run_round(&window, &now, RTT_US, 0);
	/* Five times as long for good: it shrinks at first, and grows again within 20 s. */
	for (unsigned int i = 0; i < 600; i++) {
		run_round(&window, &now, 5 * RTT_US, window.limit);
		least = window.limit < least ? window.limit : least;
	}
	CU_ASSERT_TRUE(least < 500);
	CU_ASSERT_EQUAL(window.usual_us, 5 * RTT_US);
	CU_ASSERT_TRUE(window.limit > 1000);
}

static void test_idle_window_decays(void)
{
	struct weir_window window;
	uint64_t now = 1000000;

	weir_window_init(&window, 4096, now);
	run_round(&window, &now, RTT_US, 0);
	weir_window_resume(&window, 999999, now);
	CU_ASSERT_EQUAL(window.limit, 4096);
	weir_window_resume(&window, 3000000, now);
	CU_ASSERT_EQUAL(window.limit, 512);
	CU_ASSERT_TRUE(window.is_starting);
	weir_window_resume(&window, 3600ull * 1000000, now);
	CU_ASSERT_EQUAL(window.limit, WEIR_WINDOW_FLOOR);
}

static void test_resume_takes_the_good_window(void)
{
	struct weir_window window;
	uint64_t now = 1000000;

	weir_window_init(&window, 4096, now);
	run_round(&window, &now, RTT_US, 0);
	for (unsigned int i = 0; i < 8; i++)
		run_round(&window, &now, 100 * RTT_US, 4096);
	CU_ASSERT_EQUAL(window.limit, WEIR_WINDOW_FLOOR);
	weir_window_resume(&window, 1000000, now);
	CU_ASSERT_EQUAL(window.limit, 2048);
}

static void test_zero_sample(void)
{
	struct weir_window window;
	uint64_t now = 1000000;

	weir_window_init(&window, 64, now);
	for (unsigned int i = 0; i < 100; i++)
		weir_window_sample(&window, 0, 64, ++now);
	CU_ASSERT_TRUE(window.limit > 64);
	CU_ASSERT_TRUE(window.limit <= WEIR_WINDOW_CEILING);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"doubles while acknowledgements keep up", test_starts_by_doubling},
		{"decides once a round trip", test_one_decision_a_round},
		{"does not grow while it is not used", test_unused_window_stays},
		{"shrinks in proportion to the queue, by half at most",
			test_queue_shrinks_in_proportion},
		{"one straggler is no queue", test_shortest_of_a_round_counts},
		{"stays between floor and ceiling", test_bounds},
		{"learns that a path has become longer", test_longer_path_is_learnt},
		{"decays by half for each idle second", test_idle_window_decays},
		{"resumes from the last window without a queue", test_resume_takes_the_good_window},
		{"an instant acknowledgement is a sample", test_zero_sample},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"window", NULL, NULL, NULL, NULL, tests},
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
