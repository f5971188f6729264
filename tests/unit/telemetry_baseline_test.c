/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/baseline.h"

#include <CUnit/Basic.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct weir_baseline baseline;

static void test_hours_of_the_week(void)
{
	const int64_t hour_ms = 3600000;

	/* 1970-01-05 was a Monday. */
	CU_ASSERT_EQUAL(weir_baseline_hour_of(4 * 24 * hour_ms), 0);
	CU_ASSERT_EQUAL(weir_baseline_hour_of(4 * 24 * hour_ms - 1), 167);
	CU_ASSERT_EQUAL(weir_baseline_hour_of(0), 72);
	/* 2026-11-28 18:00 UTC, a Saturday. */
	CU_ASSERT_EQUAL(weir_baseline_hour_of(1795888800000), 5 * 24 + 18);
}

static void learn(uint32_t hour, uint32_t values, double mean, double spread)
{
	for (uint32_t i = 0; i < values; i++)
		weir_baseline_learn(&baseline, hour, mean + (i % 2 == 0 ? spread : -spread), 4);
}

static void test_an_hour_judges_when_it_knows_enough(void)
{
	memset(&baseline, 0, sizeof(baseline));
	learn(7, WEIR_BASELINE_TRUST, 1000, 100);
	CU_ASSERT_EQUAL(baseline.score, 0);
	weir_baseline_learn(&baseline, 7, 1000, 4);
	CU_ASSERT_TRUE(fabs(baseline.score) < 1);
	weir_baseline_learn(&baseline, 7, 2000, 4);
	CU_ASSERT_TRUE(baseline.score > 8 && baseline.score < 12);
	/* Another hour knows nothing of it. */
	weir_baseline_learn(&baseline, 8, 2000, 4);
	CU_ASSERT_EQUAL(baseline.score, 0);
}

static void test_what_is_odd_is_learned_slowly(void)
{
	memset(&baseline, 0, sizeof(baseline));
	learn(0, 500, 1000, 20);
	learn(0, 10, 5000, 0);
	CU_ASSERT_TRUE(baseline.hours[0].mean < 1100);
	CU_ASSERT_TRUE(baseline.score > 4);
	/* But what stays becomes usual, in weeks. */
	learn(0, 60 * 4 * 16, 5000, 20);
	CU_ASSERT_TRUE(fabs(baseline.score) < 4);
}

static void test_steady_figures_are_not_odd_for_noise(void)
{
	memset(&baseline, 0, sizeof(baseline));
	learn(0, 100, 1000, 0);
	weir_baseline_learn(&baseline, 0, 1100, 4);
	CU_ASSERT_TRUE(baseline.score > 1 && baseline.score < 4);
	weir_baseline_learn(&baseline, 0, NAN, 4);
	weir_baseline_learn(&baseline, 0, INFINITY, 4);
	CU_ASSERT_TRUE(isfinite(baseline.hours[0].mean));
}

/* Rates of a counter; one that begins anew is not a fall. */
static void test_counters_are_learned_as_rates(void)
{
	struct weir_baselines baselines = {0};
	struct weir_samples samples = {0};
	double counter = 0;

	for (int minute = 0; minute < 50; minute++) {
		counter = minute == 20 ? 0 : counter + 6000;
		weir_samples_reset(&samples);
		samples.wall_ms = 1795888800000 + minute * 60000;
		weir_samples_label(&samples, 0, "stream", "flows");
		weir_samples_add(&samples, WEIR_METRIC_ID_STREAM_RECEIVED, counter);
		weir_baselines_look(&baselines, &samples, 4);
	}
	CU_ASSERT_EQUAL_FATAL(baselines.count, 1);
	CU_ASSERT_DOUBLE_EQUAL(baselines.list[0].hours[138].mean, 100, 0.01);
	CU_ASSERT_EQUAL(baselines.list[0].hours[138].values, 48);
	CU_ASSERT_PTR_NOT_NULL(weir_baseline_find(
		&baselines, "weir_stream_received_messages_total{stream=\"flows\"}"));
	weir_baselines_free(&baselines);
	weir_samples_free(&samples);
}

static void test_what_is_kept_comes_back_whole_or_not(void)
{
	struct weir_baselines baselines = {0}, back = {0};
	struct weir_samples samples = {0};
	uint8_t *bytes;
	size_t length;

	weir_samples_reset(&samples);
	weir_samples_label(&samples, 0, "worker", "0");
	weir_samples_add(&samples, WEIR_METRIC_ID_WORKER_DUTY, 0.5);
	weir_baselines_look(&baselines, &samples, 4);
	CU_ASSERT_EQUAL_FATAL(weir_baselines_encode(&baselines, &bytes, &length), 0);
	CU_ASSERT_EQUAL_FATAL(weir_baselines_decode(&back, bytes, length), 0);
	CU_ASSERT_EQUAL_FATAL(back.count, 1);
	CU_ASSERT_STRING_EQUAL(back.list[0].name, baselines.list[0].name);
	CU_ASSERT_EQUAL(
		memcmp(back.list[0].hours, baselines.list[0].hours, sizeof(back.list[0].hours)), 0);
	for (size_t cut = 0; cut < length; cut += 97)
		CU_ASSERT_EQUAL(weir_baselines_decode(&back, bytes, cut), -EBADMSG);
	for (size_t at = 0; at < length; at += 61) {
		bytes[at] ^= 0x20;
		CU_ASSERT_EQUAL(weir_baselines_decode(&back, bytes, length), -EBADMSG);
		bytes[at] ^= 0x20;
	}
	free(bytes);
	weir_baselines_free(&baselines);
	weir_baselines_free(&back);
	weir_samples_free(&samples);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"hours of the week", test_hours_of_the_week},
		{"an hour judges when it knows enough", test_an_hour_judges_when_it_knows_enough},
		{"what is odd is learned slowly", test_what_is_odd_is_learned_slowly},
		{"steady figures are not odd for noise", test_steady_figures_are_not_odd_for_noise},
		{"counters are learned as rates", test_counters_are_learned_as_rates},
		{"what is kept comes back whole or not", test_what_is_kept_comes_back_whole_or_not},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"baselines", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
