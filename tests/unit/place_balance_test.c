/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include <CUnit/Basic.h>

#include "place/balance.h"

static uint64_t load_of(const struct weir_balance_item *items, uint32_t count, uint16_t member)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += items[i].member == member ? items[i].weight : 0;
	return sum;
}

static void test_balance_evens_out(void)
{
	struct weir_balance_item items[64];

	for (uint32_t seed = 1; seed <= 200; seed++) {
		uint64_t total = 0, most = 0;
		uint32_t moved;

		srand(seed);
		for (uint32_t i = 0; i < 64; i++) {
			items[i] =
				(struct weir_balance_item){.weight = 1 + (uint64_t)(rand() % 100),
					.member = (uint16_t)(rand() % 2)};
			total += items[i].weight;
		}
		moved = weir_balance(items, 64, 0xf, 1000);
		CU_ASSERT_TRUE(moved >= 8 && moved <= 40);
		for (uint16_t member = 0; member < 4; member++)
			most = load_of(items, 64, member) > most ? load_of(items, 64, member)
								 : most;
		CU_ASSERT_TRUE(most * 10 <= total / 4 * 12);
		/* Done once, there is nothing more to do. */
		CU_ASSERT_EQUAL(weir_balance(items, 64, 0xf, 1000), 0);
	}
}

/* Moving what is heavier than the difference would only carry the trouble along. */
static void test_balance_leaves_the_heavy(void)
{
	struct weir_balance_item items[8];

	for (uint32_t i = 0; i < 8; i++)
		items[i] = (struct weir_balance_item){.weight = i == 0 ? 1000 : 1, .member = i % 2};
	weir_balance(items, 8, 3, 1000);
	CU_ASSERT_EQUAL(items[0].member, 0);
	for (uint32_t i = 1; i < 8; i++)
		CU_ASSERT_EQUAL(items[i].member, 1);
}

static void test_balance_closed(void)
{
	struct weir_balance_item items[32];
	uint32_t elsewhere = 0;

	for (uint32_t i = 0; i < 32; i++)
		items[i] = (struct weir_balance_item){.weight = 1 + i, .member = i % 4};
	/* Only what must: eight of the third member; the rest stays. */
	CU_ASSERT_EQUAL(weir_balance(items, 32, 0xb, 0), 8);
	for (uint32_t i = 0; i < 32; i++)
		CU_ASSERT_TRUE(i % 4 == 2 ? items[i].member != 2 : items[i].member == i % 4);
	CU_ASSERT_TRUE(load_of(items, 32, 0) > 0);
	for (uint32_t i = 0; i < 32; i++)
		elsewhere += items[i].member != 0;
	CU_ASSERT_EQUAL(weir_balance(items, 32, 1, 1000), elsewhere);
	CU_ASSERT_EQUAL(load_of(items, 32, 0), 32 * 33 / 2);
}

static void test_balance_fixed(void)
{
	struct weir_balance_item items[4] = {
		{10, 0, true}, {10, 0, true}, {10, 0, false}, {10, 0, true}};

	CU_ASSERT_EQUAL(weir_balance(items, 4, 3, 1000), 1);
	CU_ASSERT_EQUAL(items[2].member, 1);
	CU_ASSERT_EQUAL(weir_balance(items, 4, 2, 1000), 3);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"loads become even, and stay so", test_balance_evens_out},
		{"what is too heavy stays, the others make room", test_balance_leaves_the_heavy},
		{"a closed member keeps nothing, the others what they have", test_balance_closed},
		{"what is fixed stays while it can", test_balance_fixed},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"balance", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
