/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/elastic_policy.h"

#include <CUnit/Basic.h>

static const struct weir_config_elastic config = {.enabled = true,
	.least = 1,
	.wake_percent = 75,
	.park_percent = 50,
	.wake_ms = 1000,
	.park_ms = 5000};
static struct weir_elastic_state state;
static uint64_t now_ms;

static void begin(void)
{
	weir_elastic_restart(&state);
	now_ms = 1000000;
}

/* A look, a quarter of a second after the one before. */
static enum weir_elastic_decision look(uint32_t awake, double busy, bool can_wake)
{
	const struct weir_elastic_look seen = {.now_ms = now_ms,
		.awake = awake,
		.busy = busy,
		.can_wake = can_wake,
		.can_park = awake > 1,
		.is_settled = true};

	now_ms += 250;
	return weir_elastic_decide(&state, &config, &seen);
}

/* Milliseconds until a load decides that; 0: not within a minute, or another thing first. */
static uint64_t takes_ms(
	uint32_t awake, double busy, bool can_wake, enum weir_elastic_decision expected)
{
	uint64_t start_ms = now_ms;

	while (now_ms - start_ms < 60000) {
		enum weir_elastic_decision decision = look(awake, busy, can_wake);

		if (decision == WEIR_ELASTIC_KEEP)
			continue;
		weir_elastic_restart(&state);
		return decision == expected ? now_ms - 250 - start_ms : 0;
	}
	return 0;
}

static void workers_that_stay_busy_get_another(void)
{
	begin();
	CU_ASSERT_EQUAL(takes_ms(1, 0.75, true, WEIR_ELASTIC_WAKE), 1000);
	CU_ASSERT_EQUAL(takes_ms(2, 1.5, true, WEIR_ELASTIC_WAKE), 1000);
	CU_ASSERT_EQUAL(takes_ms(2, 1.49, true, WEIR_ELASTIC_WAKE), 0);
	CU_ASSERT_EQUAL(takes_ms(2, 2.0, false, WEIR_ELASTIC_WAKE), 0);
}

static void a_worker_that_is_not_needed_is_parked(void)
{
	begin();
	CU_ASSERT_EQUAL(takes_ms(2, 0.5, false, WEIR_ELASTIC_PARK), 5000);
	CU_ASSERT_EQUAL(takes_ms(2, 0.51, false, WEIR_ELASTIC_PARK), 0);
	CU_ASSERT_EQUAL(takes_ms(4, 1.5, false, WEIR_ELASTIC_PARK), 5000);
	CU_ASSERT_EQUAL(takes_ms(1, 0, false, WEIR_ELASTIC_PARK), 0);
}

static void what_is_decided_is_not_undone_by_the_same_load(void)
{
	/* For each load and number of workers: after a change, the opposite one is not due. */
	for (uint32_t awake = 1; awake <= 8; awake++)
		for (double busy = 0; busy <= awake; busy += 0.05) {
			begin();
			if (takes_ms(awake, busy, true, WEIR_ELASTIC_WAKE) == 1000)
				CU_ASSERT_NOT_EQUAL(
					takes_ms(awake + 1, busy, false, WEIR_ELASTIC_PARK), 5000);
		}
}

static void a_peak_that_passes_changes_nothing(void)
{
	begin();
	for (int i = 0; i < 100; i++) {
		CU_ASSERT_EQUAL(look(2, 2, true), WEIR_ELASTIC_KEEP);
		CU_ASSERT_EQUAL(look(2, 2, true), WEIR_ELASTIC_KEEP);
		CU_ASSERT_EQUAL(look(2, 1.2, true), WEIR_ELASTIC_KEEP);
	}
}

static void while_partitions_move_nothing_is_decided(void)
{
	struct weir_elastic_look seen = {.awake = 1, .busy = 1, .can_wake = true};

	begin();
	for (int i = 0; i < 40; i++, now_ms += 250) {
		seen.now_ms = now_ms;
		CU_ASSERT_EQUAL(weir_elastic_decide(&state, &config, &seen), WEIR_ELASTIC_KEEP);
	}
	CU_ASSERT_EQUAL(takes_ms(1, 1, true, WEIR_ELASTIC_WAKE), 1000);
}

static void fewer_than_the_least_are_woken_at_once(void)
{
	struct weir_config_elastic more = config;
	struct weir_elastic_look seen = {
		.awake = 1, .busy = 0, .can_wake = true, .is_settled = true};

	more.least = 2;
	begin();
	CU_ASSERT_EQUAL(weir_elastic_decide(&state, &more, &seen), WEIR_ELASTIC_WAKE);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"workers that stay busy get another", workers_that_stay_busy_get_another},
		{"a worker that is not needed is parked", a_worker_that_is_not_needed_is_parked},
		{"what is decided is not undone by the same load",
			what_is_decided_is_not_undone_by_the_same_load},
		{"a peak that passes changes nothing", a_peak_that_passes_changes_nothing},
		{"while partitions move nothing is decided",
			while_partitions_move_nothing_is_decided},
		{"fewer than the least are woken at once", fewer_than_the_least_are_woken_at_once},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"elastic", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
