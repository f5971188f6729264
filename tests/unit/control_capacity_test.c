/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/capacity_model.h"

#include <math.h>
#include <stdlib.h>

#include <CUnit/Basic.h>

static struct weir_capacity of(double now, double fixed, double limit)
{
	return (struct weir_capacity){.now = now, .fixed = fixed, .limit = limit};
}

static void what_grows_is_used_up_in_proportion(void)
{
	struct weir_capacity half = of(50, 0, 100), most = of(60, 20, 100), over = of(120, 0, 100);

	CU_ASSERT_DOUBLE_EQUAL(weir_capacity_factor(&half), 2, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(weir_capacity_used_percent(&half, 1), 50, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(weir_capacity_used_percent(&half, 2), 100, 1e-9);
	/* 40 of 80 grow. */
	CU_ASSERT_DOUBLE_EQUAL(weir_capacity_factor(&most), 2, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(weir_capacity_used_percent(&most, 2), 100, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(weir_capacity_used_percent(&most, 0), 20, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(weir_capacity_factor(&over), 100.0 / 120, 1e-9);
}

static void what_does_not_grow_is_never_used_up(void)
{
	struct weir_capacity idle = of(0, 0, 100), fixed = of(70, 70, 100), below = of(5, 9, 100);

	CU_ASSERT(isinf(weir_capacity_factor(&idle)));
	CU_ASSERT(isinf(weir_capacity_factor(&fixed)));
	CU_ASSERT(isinf(weir_capacity_factor(&below)));
	CU_ASSERT_DOUBLE_EQUAL(weir_capacity_used_percent(&fixed, 100), 70, 1e-9);
	CU_ASSERT_DOUBLE_EQUAL(weir_capacity_used_percent(&below, 100), 5, 1e-9);
}

static void what_is_used_up_first_comes_first(void)
{
	struct weir_capacity list[] = {
		of(1, 0, 100), of(0, 0, 100), of(90, 0, 100), of(50, 0, 100)};

	qsort(list, 4, sizeof(list[0]), weir_capacity_compare);
	CU_ASSERT_EQUAL(list[0].now, 90);
	CU_ASSERT_EQUAL(list[1].now, 50);
	CU_ASSERT_EQUAL(list[2].now, 1);
	CU_ASSERT_EQUAL(list[3].now, 0);
}

static void a_rate_follows_a_counter_and_survives_its_reset(void)
{
	struct weir_capacity_rate rate = {0};

	weir_capacity_follow(&rate, 1000, 1);
	CU_ASSERT_EQUAL(rate.per_s, 0);
	weir_capacity_follow(&rate, 1100, 0.5);
	CU_ASSERT_DOUBLE_EQUAL(rate.per_s, 200, 1e-9);
	weir_capacity_follow(&rate, 1200, 1);
	CU_ASSERT_DOUBLE_EQUAL(rate.per_s, 150, 1e-9);
	weir_capacity_follow(&rate, 10, 1);
	CU_ASSERT_EQUAL(rate.per_s, 0);
	weir_capacity_follow(&rate, 20, 1);
	CU_ASSERT_DOUBLE_EQUAL(rate.per_s, 10, 1e-9);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what grows is used up in proportion", what_grows_is_used_up_in_proportion},
		{"what does not grow is never used up", what_does_not_grow_is_never_used_up},
		{"what is used up first comes first", what_is_used_up_first_comes_first},
		{"a rate follows a counter and survives its reset",
			a_rate_follows_a_counter_and_survives_its_reset},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"capacity", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
