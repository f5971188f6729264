/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "flow/heavy.h"

#define KEYS 5000

static uint64_t hash_of(uint32_t key)
{
	return (key + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

static const struct weir_heavy_entry *find(const struct weir_heavy *heavy, uint32_t key)
{
	for (uint32_t i = 0; i < WEIR_HEAVY_ENTRIES; i++)
		if (heavy->entries[i].count != 0 && heavy->entries[i].hash == hash_of(key))
			return &heavy->entries[i];
	return NULL;
}

/* Zipf with that exponent, by inversion of the continuous distribution. */
static uint32_t draw(double exponent)
{
	double uniform = ((double)rand() + 0.5) / ((double)RAND_MAX + 1);
	double power = 1 - exponent;
	double value = exponent == 1 ? exp(uniform * log(KEYS))
				     : pow(1 + uniform * (pow(KEYS, power) - 1), 1 / power);

	return (uint32_t)value - 1;
}

static void check_bounds(const struct weir_heavy *heavy, const uint64_t *truth)
{
	uint64_t limit = heavy->total / WEIR_HEAVY_ENTRIES;

	for (uint32_t key = 0; key < KEYS; key++) {
		const struct weir_heavy_entry *entry = find(heavy, key);

		if (truth[key] > limit)
			CU_ASSERT_PTR_NOT_NULL(entry);
		if (entry == NULL)
			continue;
		CU_ASSERT_TRUE(truth[key] <= entry->count);
		CU_ASSERT_TRUE(truth[key] >= entry->count - entry->error);
		CU_ASSERT_TRUE(entry->error <= limit);
	}
}

static void test_bounds(void)
{
	static const double exponents[] = {0.2, 0.8, 1, 1.2, 2};

	for (uint32_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++) {
		static uint64_t truth[KEYS];
		struct weir_heavy heavy = {0};
		uint64_t sum = 0;
		bool is_new;

		memset(truth, 0, sizeof(truth));
		srand(i + 1);
		for (uint32_t n = 0; n < 100000; n++) {
			uint32_t key = draw(exponents[i]) % KEYS;

			truth[key]++;
			weir_heavy_add(&heavy, hash_of(key), &is_new);
		}
		check_bounds(&heavy, truth);
		for (uint32_t e = 0; e < WEIR_HEAVY_ENTRIES; e++)
			sum += heavy.entries[e].count;
		CU_ASSERT_EQUAL(sum, heavy.total);
	}
}

/* The worst that can come: every key once, over and over, and one that is truly heavy. */
static void test_rotation(void)
{
	static uint64_t truth[KEYS];
	struct weir_heavy heavy = {0};
	bool is_new;

	memset(truth, 0, sizeof(truth));
	for (uint32_t n = 0; n < 100000; n++) {
		uint32_t key = n % 16 == 0 ? 0 : 1 + n % (KEYS - 1);

		truth[key]++;
		weir_heavy_add(&heavy, hash_of(key), &is_new);
	}
	check_bounds(&heavy, truth);
	CU_ASSERT_PTR_NOT_NULL(find(&heavy, 0));
}

static void test_few_are_exact(void)
{
	struct weir_heavy heavy = {0};
	uint32_t news = 0;
	bool is_new;

	for (uint32_t n = 0; n < 100 * WEIR_HEAVY_ENTRIES; n++) {
		weir_heavy_add(&heavy, hash_of(n % WEIR_HEAVY_ENTRIES), &is_new);
		news += is_new;
	}
	CU_ASSERT_EQUAL(news, WEIR_HEAVY_ENTRIES);
	for (uint32_t key = 0; key < WEIR_HEAVY_ENTRIES; key++) {
		CU_ASSERT_PTR_NOT_NULL_FATAL(find(&heavy, key));
		CU_ASSERT_EQUAL(find(&heavy, key)->count, 100);
		CU_ASSERT_EQUAL(find(&heavy, key)->error, 0);
	}
}

static void test_halving(void)
{
	struct weir_heavy heavy = {0};
	bool is_new;

	for (uint32_t n = 0; n < 1000; n++)
		weir_heavy_add(&heavy, hash_of(0), &is_new);
	for (uint32_t i = 0; i < 5; i++) {
		weir_heavy_halve(&heavy);
		for (uint32_t n = 0; n < 1000; n++)
			weir_heavy_add(&heavy, hash_of(1), &is_new);
	}
	CU_ASSERT_TRUE(find(&heavy, 0)->count * 20 < heavy.total);
	CU_ASSERT_TRUE(find(&heavy, 1)->count * 20 > heavy.total * 19);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"counts are within their bounds, and no heavy key is missed", test_bounds},
		{"a heavy key is found among ever new ones", test_rotation},
		{"few keys are counted exactly", test_few_are_exact},
		{"what was long ago counts less", test_halving},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"heavy", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
