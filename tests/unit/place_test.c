/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "place/place.h"

#define MEMBERS    64
#define PARTITIONS 4096

static uint64_t members[MEMBERS];
static uint32_t load[MEMBERS];

static void name_members(void)
{
	for (int i = 0; i < MEMBERS; i++) {
		char name[32];

		snprintf(name, sizeof(name), "collector-%d", i);
		members[i] = weir_place_identity(name);
	}
}

/* No member above 1.25 times its share, rounded up, and every partition has one. */
static void test_bound(void)
{
	uint32_t owners[PARTITIONS];

	for (uint32_t count = 1; count <= MEMBERS; count++)
		for (uint32_t partitions = 1; partitions <= PARTITIONS; partitions *= 2) {
			uint32_t held[MEMBERS] = {0};
			double fair = (double)partitions / count;

			weir_place_assign(members, count, partitions, owners, load);
			for (uint32_t p = 0; p < partitions; p++) {
				CU_ASSERT_TRUE_FATAL(owners[p] < count);
				held[owners[p]]++;
			}
			for (uint32_t member = 0; member < count; member++)
				CU_ASSERT_TRUE(held[member] < 1.25 * fair + 1);
		}
}

static void test_nobody(void)
{
	uint32_t owners[3] = {0};

	weir_place_assign(NULL, 0, 3, owners, load);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(owners[i], WEIR_PLACE_NONE);
}

/* The members without number `gone`. */
static void without(uint32_t count, uint32_t gone, uint64_t *rest)
{
	memcpy(rest, members, gone * sizeof(*rest));
	memcpy(rest + gone, members + gone + 1, (count - gone - 1) * sizeof(*rest));
}

/*
 * When one leaves, its partitions move, and of the others' only as many as the bound makes; when
 * it returns everything is as before.
 */
static void test_movement(void)
{
	static uint32_t before[PARTITIONS], owners[PARTITIONS], after[PARTITIONS];

	for (uint32_t count = 2; count <= 16; count++)
		for (uint32_t gone = 0; gone < count; gone++) {
			uint32_t moved = 0, orphans = 0;
			uint64_t rest[MEMBERS];

			without(count, gone, rest);
			weir_place_assign(members, count, PARTITIONS, before, load);
			weir_place_assign(rest, count - 1, PARTITIONS, owners, load);
			for (uint32_t p = 0; p < PARTITIONS; p++) {
				uint32_t now = owners[p] + (owners[p] >= gone);

				orphans += before[p] == gone;
				moved += before[p] != gone && before[p] != now;
			}
			CU_ASSERT_NOT_EQUAL(orphans, 0);
			CU_ASSERT_TRUE(moved <= PARTITIONS / count / 4);
			weir_place_assign(members, count, PARTITIONS, after, load);
			CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
		}
}

/* The order in which members are listed decides nothing. */
static void test_order(void)
{
	static uint32_t owners[PARTITIONS], mirrored[PARTITIONS];
	uint64_t reversed[10];

	for (int i = 0; i < 10; i++)
		reversed[i] = members[9 - i];
	weir_place_assign(members, 10, PARTITIONS, owners, load);
	weir_place_assign(reversed, 10, PARTITIONS, mirrored, load);
	for (uint32_t p = 0; p < PARTITIONS; p++)
		CU_ASSERT_EQUAL(owners[p], 9 - mirrored[p]);
}

static void test_identity(void)
{
	CU_ASSERT_NOT_EQUAL(weir_place_identity("a"), weir_place_identity("b"));
	CU_ASSERT_NOT_EQUAL(weir_place_identity("ab"), weir_place_identity("ba"));
	CU_ASSERT_EQUAL(weir_place_identity("collector-0"), members[0]);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"no member has more than 1.25 times its share", test_bound},
		{"without members nobody owns anything", test_nobody},
		{"one that leaves moves little, and returns to its own", test_movement},
		{"the order of members does not matter", test_order},
		{"names have identities of their own", test_identity},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"place", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	name_members();
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
