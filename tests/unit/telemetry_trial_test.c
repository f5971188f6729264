/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/trial.h"

#include <CUnit/Basic.h>

#define SECOND 1000000000ull

static struct weir_feature_side side;
static struct weir_trial_figures figures;

static void begin(struct weir_trial *trial, uint64_t p99_us, double loss_ratio)
{
	struct weir_objective objective = {p99_us, loss_ratio};

	/* What was before is not the trial's. */
	side = (struct weir_feature_side){.counts = {.delivered = 5000, .lost = 5000}};
	weir_latency_add(&side.send, SECOND, 5000);
	weir_trial_begin(trial, &objective, 60 * SECOND, &side);
}

static void deliver(uint64_t messages, uint64_t us)
{
	side.counts.delivered += messages;
	weir_latency_add(&side.send, us * 1000, messages);
}

static void test_holds(void)
{
	struct weir_trial trial;

	begin(&trial, 500, 0);
	for (uint64_t s = 1; s < 60; s++) {
		deliver(2000, 100);
		CU_ASSERT_EQUAL(
			weir_trial_judge(&trial, s * SECOND, &side, &figures), WEIR_VERDICT_OPEN);
	}
	CU_ASSERT_EQUAL(weir_trial_judge(&trial, 60 * SECOND, &side, &figures), WEIR_VERDICT_HELD);
	CU_ASSERT_EQUAL(figures.messages, 59 * 2000);
	CU_ASSERT_TRUE(figures.p99_us > 75 && figures.p99_us <= 100);
	CU_ASSERT_EQUAL(figures.loss_ratio, 0);
}

/* However well it was before: what is judged is what came since the last judgement. */
static void test_slow(void)
{
	struct weir_trial trial;

	begin(&trial, 500, -1);
	deliver(1000000, 100);
	CU_ASSERT_EQUAL(weir_trial_judge(&trial, SECOND, &side, &figures), WEIR_VERDICT_OPEN);
	deliver(980, 100);
	deliver(20, 2000);
	CU_ASSERT_EQUAL(weir_trial_judge(&trial, 2 * SECOND, &side, &figures), WEIR_VERDICT_P99);
	CU_ASSERT_EQUAL(figures.messages, 1000);
	CU_ASSERT_TRUE(figures.p99_us >= 1500 && figures.p99_us <= 2000);
}

/* A bucket that holds the objective may lie below it. */
static void test_bucket(void)
{
	struct weir_trial trial;

	begin(&trial, 1000, -1);
	deliver(5000, 990);
	CU_ASSERT_EQUAL(weir_trial_judge(&trial, SECOND, &side, &figures), WEIR_VERDICT_OPEN);
	CU_ASSERT_TRUE(figures.p99_us < 1000);
}

static void test_loss(void)
{
	struct weir_trial trial;

	begin(&trial, 0, 0.01);
	deliver(990, 100);
	side.counts.lost += 10;
	CU_ASSERT_EQUAL(weir_trial_judge(&trial, SECOND, &side, &figures), WEIR_VERDICT_OPEN);
	CU_ASSERT_DOUBLE_EQUAL(figures.loss_ratio, 0.01, 1e-9);
	deliver(1000, 10000000);
	side.counts.lost += 11;
	CU_ASSERT_EQUAL(weir_trial_judge(&trial, 2 * SECOND, &side, &figures), WEIR_VERDICT_LOSS);
	begin(&trial, 0, 0);
	deliver(10000, 100);
	side.counts.lost++;
	CU_ASSERT_EQUAL(weir_trial_judge(&trial, SECOND, &side, &figures), WEIR_VERDICT_LOSS);
}

/* A few messages are no share of a hundred; at the end they are all there is. */
static void test_few(void)
{
	struct weir_trial trial;

	begin(&trial, 500, -1);
	deliver(WEIR_TRIAL_MESSAGES - 1, 90000);
	CU_ASSERT_EQUAL(weir_trial_judge(&trial, SECOND, &side, &figures), WEIR_VERDICT_OPEN);
	CU_ASSERT_EQUAL(weir_trial_judge(&trial, 60 * SECOND, &side, &figures), WEIR_VERDICT_P99);
	begin(&trial, 500, -1);
	CU_ASSERT_EQUAL(weir_trial_judge(&trial, SECOND, &side, &figures), WEIR_VERDICT_OPEN);
	CU_ASSERT_EQUAL(
		weir_trial_judge(&trial, 60 * SECOND, &side, &figures), WEIR_VERDICT_SILENT);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what keeps its objective to the end has held", test_holds},
		{"a slow second is not hidden by a fast hour", test_slow},
		{"what may have been fast enough is no violation", test_bucket},
		{"more loss than stated is a violation, just as much is none", test_loss},
		{"few messages are judged at the end, none hold nothing", test_few},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"trial", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
