/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stddef.h>

#include <CUnit/Basic.h>

#include "place/load.h"

#define BASE_WEIGHT 100

static void look_often(struct weir_place_meter *meter, uint64_t *messages, int times, uint64_t rate)
{
	for (int i = 0; i < times; i++)
		weir_place_meter_look(meter, *messages += rate, 1);
}

/* A second of silence, or of ten times the usual, changes little; a lasting change is followed. */
static void test_damping(void)
{
	struct weir_place_meter meter = {0};
	uint64_t messages = UINT64_C(1) << 50;

	weir_place_meter_look(&meter, messages, 1);
	CU_ASSERT_EQUAL(meter.rate, 0);
	look_often(&meter, &messages, 60, 1000);
	CU_ASSERT_TRUE(fabs(meter.rate - 1000) < 10);
	look_often(&meter, &messages, 1, 0);
	CU_ASSERT_TRUE(meter.rate > 850);
	look_often(&meter, &messages, 60, 5000);
	CU_ASSERT_TRUE(fabs(meter.rate - 5000) < 50);
}

static void test_loads(void)
{
	struct weir_place_meter meters[4] = {{0}};
	uint32_t loads[4];

	weir_place_loads(meters, 4, loads);
	for (int i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(loads[i], loads[0]);
	meters[1].rate = 1e12;
	meters[2].rate = 0.5e12;
	weir_place_loads(meters, 4, loads);
	CU_ASSERT_TRUE(loads[0] > 0);
	CU_ASSERT_EQUAL(loads[0], loads[3]);
	CU_ASSERT_TRUE(fabs((double)(loads[1] - loads[0]) / (loads[2] - loads[0]) - 2) < 0.01);
}

/* Reports that differ a little, or once, leave the weight as it is. */
static void test_pace(void)
{
	struct weir_place_pace pace = {0};

	CU_ASSERT_EQUAL(weir_place_pace_weight(&pace, BASE_WEIGHT, 0), BASE_WEIGHT);
	for (int i = 0; i < 100; i++) {
		weir_place_pace_look(&pace, i % 2 ? 900 : 1100);
		CU_ASSERT_EQUAL(weir_place_pace_weight(&pace, BASE_WEIGHT, 1000), BASE_WEIGHT);
	}
	weir_place_pace_look(&pace, 2500);
	CU_ASSERT_EQUAL(weir_place_pace_weight(&pace, BASE_WEIGHT, 1000), BASE_WEIGHT);
	for (int i = 0; i < 100; i++) {
		weir_place_pace_look(&pace, 2000);
		weir_place_pace_weight(&pace, BASE_WEIGHT, 1000);
	}
	CU_ASSERT_TRUE(pace.weight >= 45 && pace.weight <= 60);
	for (int i = 0; i < 100; i++)
		weir_place_pace_look(&pace, 1000000);
	CU_ASSERT_EQUAL(weir_place_pace_weight(&pace, BASE_WEIGHT, 1000), BASE_WEIGHT / 4);
	/* Another configured weight counts at once. */
	CU_ASSERT_EQUAL(weir_place_pace_weight(&pace, 4 * BASE_WEIGHT, 1000), BASE_WEIGHT);
}

static void test_usual(void)
{
	struct weir_place_pace paces[3] = {{.service_ns = 1000}, {0}, {.service_ns = 4000}};
	const struct weir_place_pace *all[3] = {&paces[0], &paces[1], &paces[2]};

	CU_ASSERT_EQUAL(weir_place_pace_usual(all, 2), 0);
	CU_ASSERT_TRUE(fabs(weir_place_pace_usual(all, 3) - 2000) < 1);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a burst or a pause is no change of load", test_damping},
		{"loads are as rates are, and an idle partition counts too", test_loads},
		{"a weight follows lasting reports, and does not flap", test_pace},
		{"the usual pace is known when two say theirs", test_usual},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"place_load", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
