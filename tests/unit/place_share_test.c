/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <string.h>

#include "place/share.h"

#define MOST 4096

static uint64_t keys[MOST];

static void test_each_partition_has_a_rank(void)
{
	static const uint16_t counts[] = {1, 2, 7, 64, MOST};
	uint16_t ranks[MOST];

	for (uint32_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		bool seen[MOST] = {false};

		weir_share_rank("batching", "flows", counts[i], ranks, keys);
		for (uint16_t r = 0; r < counts[i]; r++) {
			CU_ASSERT_FATAL(ranks[r] < counts[i]);
			CU_ASSERT_FALSE(seen[ranks[r]]);
			seen[ranks[r]] = true;
		}
	}
}

/* A share is the first of the ranks: they must not depend on anything but what is named. */
static void test_ranks_are_stable(void)
{
	/* Worked out once: a change would exchange the partitions of a share that is in use. */
	static const uint16_t known[8] = {4, 1, 6, 2, 5, 0, 3, 7};
	uint16_t first[64], second[64];

	weir_share_rank("batching", "flows", 8, first, keys);
	CU_ASSERT_EQUAL(memcmp(first, known, sizeof(known)), 0);
	weir_share_rank("batching", "flows", 64, first, keys);
	weir_share_rank("runs", "flows", 64, second, keys);
	CU_ASSERT_NOT_EQUAL(memcmp(first, second, sizeof(first)), 0);
	weir_share_rank("batching", "sensors", 64, second, keys);
	CU_ASSERT_NOT_EQUAL(memcmp(first, second, sizeof(first)), 0);
	weir_share_rank("batching", "flows", 64, second, keys);
	CU_ASSERT_EQUAL(memcmp(first, second, sizeof(first)), 0);
}

static void test_shares_grow(void)
{
	uint16_t before = 0;

	CU_ASSERT_EQUAL(weir_share_count(16, 0), 0);
	CU_ASSERT_EQUAL(weir_share_count(16, 1), 1);
	CU_ASSERT_EQUAL(weir_share_count(16, 50), 8);
	CU_ASSERT_EQUAL(weir_share_count(3, 50), 2);
	CU_ASSERT_EQUAL(weir_share_count(16, 100), 16);
	CU_ASSERT_EQUAL(weir_share_count(MOST, 100), MOST);
	for (uint32_t percent = 0; percent <= 100; percent++) {
		uint16_t count = weir_share_count(37, percent);

		CU_ASSERT_TRUE(count >= before);
		before = count;
	}
	CU_ASSERT_EQUAL(before, 37);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"each partition has a rank of its own", test_each_partition_has_a_rank},
		{"a share always has the same partitions", test_ranks_are_stable},
		{"a larger share has more of them", test_shares_grow},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"share", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
