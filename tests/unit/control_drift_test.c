/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/drift_list.h"

#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

/* Differences of facts that are made here; what the facts are is a system test's. */

static struct weir_drift_list drift;
static unsigned int begun, ended;

static void count(void *context, const struct weir_drift_difference *difference, bool is_over)
{
	(void)context;
	CU_ASSERT(difference->name[0] != '\0');
	*(is_over ? &ended : &begun) += 1;
}

static void begin(void)
{
	drift = (struct weir_drift_list){.changed = count};
	begun = ended = 0;
}

/* One look with one fact. */
static void look(uint64_t now_ns, const char *name, const char *intended, const char *actual)
{
	weir_drift_begin(&drift);
	weir_drift_take(&drift, WEIR_DRIFT_HOST, now_ns, name, intended, actual);
	weir_drift_end(&drift);
}

static void what_is_as_intended_is_no_difference(void)
{
	begin();
	look(1, "mtu", "1500", "1500");
	CU_ASSERT_EQUAL(drift.count, 0);
	CU_ASSERT_EQUAL(drift.counts[WEIR_DRIFT_HOST], 0);
	CU_ASSERT_EQUAL(begun, 0);
}

static void a_difference_is_told_once_and_keeps_its_beginning(void)
{
	begin();
	look(1, "mtu", "1500", "9000");
	look(2, "mtu", "1500", "9000");
	CU_ASSERT_EQUAL_FATAL(drift.count, 1);
	CU_ASSERT_EQUAL(drift.list[0].since_ns, 1);
	CU_ASSERT_STRING_EQUAL(drift.list[0].intended, "1500");
	CU_ASSERT_STRING_EQUAL(drift.list[0].actual, "9000");
	CU_ASSERT_EQUAL(drift.counts[WEIR_DRIFT_HOST], 1);
	CU_ASSERT_EQUAL(drift.counts[WEIR_DRIFT_EFFECTIVE], 0);
	CU_ASSERT_EQUAL(begun, 1);
	look(3, "mtu", "1500", "1400");
	CU_ASSERT_EQUAL(begun, 2);
	CU_ASSERT_EQUAL(drift.list[0].since_ns, 1);
	CU_ASSERT_EQUAL(ended, 0);
}

static void a_difference_ends_when_undone_or_when_its_fact_is_gone(void)
{
	begin();
	look(1, "mtu", "1500", "");
	CU_ASSERT_EQUAL(begun, 1);
	look(2, "mtu", "1500", "1500");
	CU_ASSERT_EQUAL(drift.count, 0);
	CU_ASSERT_EQUAL(ended, 1);
	look(3, "mtu", "1500", "9000");
	look(4, "other", "1", "2");
	CU_ASSERT_EQUAL_FATAL(drift.count, 1);
	CU_ASSERT_STRING_EQUAL(drift.list[0].name, "other");
	CU_ASSERT_EQUAL(ended, 2);
}

static void sides_are_told_apart(void)
{
	begin();
	weir_drift_begin(&drift);
	weir_drift_take(&drift, WEIR_DRIFT_HOST, 1, "a", "1", "2");
	weir_drift_take(&drift, WEIR_DRIFT_EFFECTIVE, 1, "a", "1", "3");
	weir_drift_end(&drift);
	CU_ASSERT_EQUAL(drift.count, 2);
	look(2, "a", "1", "2");
	CU_ASSERT_EQUAL_FATAL(drift.count, 1);
	CU_ASSERT_EQUAL(drift.list[0].side, WEIR_DRIFT_HOST);
	CU_ASSERT_STRING_EQUAL(weir_drift_side_name(WEIR_DRIFT_HOST), "host");
}

static void what_has_no_room_is_counted(void)
{
	begin();
	for (int look_number = 0; look_number < 2; look_number++) {
		weir_drift_begin(&drift);
		for (int i = 0; i < WEIR_DRIFT_MAX + 5; i++) {
			char name[16];

			snprintf(name, sizeof(name), "fact%d", i);
			weir_drift_take(&drift, WEIR_DRIFT_EFFECTIVE, 1, name, "1", "2");
		}
		weir_drift_end(&drift);
		CU_ASSERT_EQUAL(drift.count, WEIR_DRIFT_MAX);
		CU_ASSERT_EQUAL(drift.left_out, 5);
		CU_ASSERT_EQUAL(drift.counts[WEIR_DRIFT_EFFECTIVE], WEIR_DRIFT_MAX + 5);
	}
	CU_ASSERT_EQUAL(begun, WEIR_DRIFT_MAX);
}

static void a_long_value_is_cut(void)
{
	char text[3 * WEIR_DRIFT_TEXT];

	begin();
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	look(1, "cpus", "none", text);
	CU_ASSERT_EQUAL_FATAL(drift.count, 1);
	CU_ASSERT_EQUAL(strlen(drift.list[0].actual), WEIR_DRIFT_TEXT - 1);
	look(2, "cpus", "none", text);
	CU_ASSERT_EQUAL(begun, 1);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what is as intended is no difference", what_is_as_intended_is_no_difference},
		{"a difference is told once and keeps its beginning",
			a_difference_is_told_once_and_keeps_its_beginning},
		{"a difference ends when undone or when its fact is gone",
			a_difference_ends_when_undone_or_when_its_fact_is_gone},
		{"sides are told apart", sides_are_told_apart},
		{"what has no room is counted", what_has_no_room_is_counted},
		{"a long value is cut", a_long_value_is_cut},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"drift", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
