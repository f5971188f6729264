/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/Basic.h>

#include "base/sanitizer.h"
#include "place/place.h"

#define MEMBERS    256
#define PARTITIONS 4096
#define HISTORIES  3000 /* random ones */
#define CHANGES    20   /* of membership, in each */
#define LIMIT_MS   5    /* to plan everything at full size */

/* A group as its gateway keeps it: owners are names, which stay when members come and go. */
struct group {
	uint32_t names[MEMBERS];
	uint32_t weights[MEMBERS];
	uint32_t count;
	uint32_t partitions;
	uint32_t owners[PARTITIONS]; /* names */
	uint32_t next_name;
};

static uint64_t identities[100000];
static void *scratch;
static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((random_state >> 33) % limit);
}

static uint32_t index_of(const struct group *group, uint32_t name)
{
	for (uint32_t i = 0; i < group->count; i++)
		if (group->names[i] == name)
			return i;
	return WEIR_PLACE_NONE;
}

/* Plan anew; `newcomer` is a name or WEIR_PLACE_NONE. */
static uint32_t plan(
	struct group *group, enum weir_place_goal goal, uint32_t newcomer, const uint32_t *loads)
{
	struct weir_place_member members[MEMBERS];
	struct weir_place_request request = {.members = members,
		.member_count = group->count,
		.partition_count = group->partitions,
		.loads = loads,
		.goal = goal};
	static uint32_t owners[PARTITIONS];
	uint32_t moved;

	for (uint32_t i = 0; i < group->count; i++)
		members[i] = (struct weir_place_member){.identity = identities[group->names[i]],
			.weight = group->weights[i],
			.joins = group->names[i] == newcomer};
	for (uint32_t p = 0; p < group->partitions; p++)
		owners[p] = index_of(group, group->owners[p]);
	moved = weir_place_plan(&request, owners, scratch);
	for (uint32_t p = 0; p < group->partitions; p++)
		group->owners[p] =
			owners[p] == WEIR_PLACE_NONE ? WEIR_PLACE_NONE : group->names[owners[p]];
	return moved;
}

static uint32_t join(struct group *group, uint32_t weight)
{
	group->names[group->count] = group->next_name;
	group->weights[group->count++] = weight;
	return group->next_name++;
}

static uint32_t leave(struct group *group, uint32_t index)
{
	uint32_t name = group->names[index];

	group->count--;
	group->names[index] = group->names[group->count];
	group->weights[index] = group->weights[group->count];
	return name;
}

static void begin(struct group *group, uint32_t count, uint32_t partitions)
{
	*group = (struct group){.partitions = partitions};
	memset(group->owners, 0xff, sizeof(group->owners));
	for (uint32_t i = 0; i < count; i++)
		join(group, WEIR_PLACE_WEIGHT);
	plan(group, WEIR_PLACE_STABLE, WEIR_PLACE_NONE, NULL);
}

/* How far above its fair share the worst member is: in units of load, the bound taken off. */
static double worst(const struct group *group, const uint32_t *loads)
{
	double held[MEMBERS] = {0}, total = 0, weights = 0, most = -1e300;

	for (uint32_t i = 0; i < group->count; i++)
		weights += group->weights[i];
	for (uint32_t p = 0; p < group->partitions; p++) {
		uint32_t index = index_of(group, group->owners[p]);

		CU_ASSERT_NOT_EQUAL_FATAL(index, WEIR_PLACE_NONE);
		held[index] += loads != NULL ? loads[p] : 1;
		total += loads != NULL ? loads[p] : 1;
	}
	for (uint32_t i = 0; i < group->count; i++)
		most = fmax(most, held[i] - 1.25 * total * group->weights[i] / weights);
	return most;
}

static void test_bound(void)
{
	static struct group group;

	for (uint32_t count = 1; count <= MEMBERS; count += 1 + count / 8)
		for (uint32_t partitions = 1; partitions <= PARTITIONS; partitions *= 2) {
			begin(&group, count, partitions);
			CU_ASSERT_TRUE(worst(&group, NULL) < 1);
		}
}

static void test_nobody(void)
{
	struct weir_place_request request = {.partition_count = 3};
	uint32_t owners[3] = {0, 1, WEIR_PLACE_NONE};

	weir_place_plan(&request, owners, scratch);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(owners[i], WEIR_PLACE_NONE);
}

/* One has joined: it has no more than it may, and nobody else has anything new. */
static void check_join(const struct group *before, const struct group *after, uint32_t name)
{
	double share = (double)after->partitions / after->count;
	uint32_t moved = 0;

	for (uint32_t p = 0; p < after->partitions; p++) {
		if (before->owners[p] == after->owners[p])
			continue;
		CU_ASSERT_EQUAL(after->owners[p], name);
		moved++;
	}
	CU_ASSERT_TRUE(moved <= 1.1 * share);
	/* It is not left without work either, where partitions divide finely enough. */
	CU_ASSERT_TRUE(moved + 1 >= (uint32_t)(0.75 * share));
}

static void check_leave(const struct group *before, const struct group *after, uint32_t name)
{
	for (uint32_t p = 0; p < after->partitions; p++)
		CU_ASSERT_TRUE(before->owners[p] == name || before->owners[p] == after->owners[p]);
}

/* Thousands of histories: the law of each change, and the bound after all of them. */
static void test_histories(void)
{
	static struct group group, before;

	for (uint32_t history = 0; history < HISTORIES; history++) {
		random_state = history;
		begin(&group, 1 + random_below(12), 1 + random_below(history % 8 == 0 ? 512 : 64));
		for (int change = 0; change < CHANGES; change++) {
			before = group;
			if (group.count == 1 || random_below(2) == 0) {
				uint32_t name = join(&group, WEIR_PLACE_WEIGHT);

				plan(&group, WEIR_PLACE_STABLE, name, NULL);
				check_join(&before, &group, name);
			} else {
				uint32_t name = leave(&group, random_below(group.count));

				plan(&group, WEIR_PLACE_STABLE, WEIR_PLACE_NONE, NULL);
				check_leave(&before, &group, name);
			}
			/* A newcomer may not take enough to mend the rounding of small numbers. */
			CU_ASSERT_TRUE(worst(&group, NULL) < 2.5);
		}
		plan(&group, WEIR_PLACE_BOUND, WEIR_PLACE_NONE, NULL);
		CU_ASSERT_TRUE(worst(&group, NULL) < 1);
	}
}

static void test_even(void)
{
	static struct group group;

	for (uint32_t history = 0; history < HISTORIES / 4; history++) {
		uint32_t held[MEMBERS] = {0}, total = 0, moved;

		random_state = history;
		begin(&group, 1 + random_below(12), 1 + random_below(256));
		for (uint32_t i = 0; i < group.count; i++) {
			group.weights[i] = 50 + random_below(200);
			total += group.weights[i];
		}
		plan(&group, WEIR_PLACE_EVEN, WEIR_PLACE_NONE, NULL);
		for (uint32_t p = 0; p < group.partitions; p++)
			held[index_of(&group, group.owners[p])]++;
		for (uint32_t i = 0; i < group.count; i++) {
			double share = (double)group.partitions * group.weights[i] / total;

			CU_ASSERT_TRUE(fabs(held[i] - share) <= 1);
		}
		moved = plan(&group, WEIR_PLACE_EVEN, WEIR_PLACE_NONE, NULL);
		CU_ASSERT_EQUAL(moved, 0);
	}
}

/* Loads as they are on a real line: few partitions carry most of it. */
static void skew(uint32_t *loads, uint32_t count)
{
	for (uint32_t p = 0; p < count; p++)
		loads[p] = 1 + 100000 / (1 + random_below(count));
}

static void test_measured_load(void)
{
	static uint32_t loads[PARTITIONS];
	static struct group group;

	for (uint32_t history = 0; history < HISTORIES / 4; history++) {
		uint32_t heaviest = 0, moved;

		random_state = history;
		begin(&group, 1 + random_below(12), 32 + random_below(256));
		skew(loads, group.partitions);
		for (uint32_t p = 0; p < group.partitions; p++)
			heaviest = loads[p] > heaviest ? loads[p] : heaviest;
		moved = plan(&group, WEIR_PLACE_BOUND, WEIR_PLACE_NONE, loads);
		CU_ASSERT_TRUE(worst(&group, loads) < heaviest);
		CU_ASSERT_TRUE(moved < group.partitions);
		/* What is in its bounds stays where it is, a little change of load or not. */
		for (uint32_t p = 0; p < group.partitions; p++)
			loads[p] += loads[p] / 100 * random_below(2);
		if (worst(&group, loads) <= 0)
			CU_ASSERT_EQUAL(plan(&group, WEIR_PLACE_BOUND, WEIR_PLACE_NONE, loads), 0);
	}
}

/* One partition that carries as much as all others is left alone with its owner. */
static void test_hot_partition(void)
{
	static uint32_t loads[64];
	static struct group group;
	uint32_t held = 0;

	begin(&group, 4, 64);
	for (uint32_t p = 0; p < 64; p++)
		loads[p] = p == 17 ? 6300 : 100;
	plan(&group, WEIR_PLACE_EVEN, WEIR_PLACE_NONE, loads);
	for (uint32_t p = 0; p < 64; p++)
		held += group.owners[p] == group.owners[17];
	CU_ASSERT_EQUAL(held, 1);
}

static void test_weights(void)
{
	static struct group group;
	uint32_t held[3] = {0};

	begin(&group, 3, PARTITIONS);
	group.weights[1] = 2 * WEIR_PLACE_WEIGHT;
	group.weights[2] = 5 * WEIR_PLACE_WEIGHT;
	memset(group.owners, 0xff, sizeof(group.owners));
	plan(&group, WEIR_PLACE_STABLE, WEIR_PLACE_NONE, NULL);
	for (uint32_t p = 0; p < PARTITIONS; p++)
		held[index_of(&group, group.owners[p])]++;
	/* Within four standard deviations of a binomial. */
	for (uint32_t i = 0; i < 3; i++) {
		double part = (i == 0 ? 1 : i == 1 ? 2 : 5) / 8.0;

		CU_ASSERT_TRUE(fabs(held[i] - part * PARTITIONS) <
			       4 * sqrt(PARTITIONS * part * (1 - part)));
	}
}

/* Whoever comes back gets mostly what it had: the ranking is the partition's own. */
static void test_return(void)
{
	static struct group group, before;
	uint32_t had = 0, again = 0;

	begin(&group, 8, PARTITIONS);
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t name = group.names[0];

		before = group;
		leave(&group, 0);
		plan(&group, WEIR_PLACE_STABLE, WEIR_PLACE_NONE, NULL);
		group.names[group.count] = name;
		group.weights[group.count++] = WEIR_PLACE_WEIGHT;
		plan(&group, WEIR_PLACE_STABLE, name, NULL);
		for (uint32_t p = 0; p < PARTITIONS; p++) {
			had += before.owners[p] == name;
			again += before.owners[p] == name && group.owners[p] == name;
		}
	}
	CU_ASSERT_TRUE(again * 10 >= had * 8);
}

static void test_order(void)
{
	struct weir_place_member members[10], reversed[10];
	static uint32_t owners[PARTITIONS], mirrored[PARTITIONS];
	struct weir_place_request request = {.members = members,
		.member_count = 10,
		.partition_count = PARTITIONS,
		.goal = WEIR_PLACE_EVEN};

	for (uint32_t i = 0; i < 10; i++)
		reversed[9 - i] = members[i] =
			(struct weir_place_member){.identity = identities[i], .weight = 100 + i};
	memset(owners, 0xff, sizeof(owners));
	memset(mirrored, 0xff, sizeof(mirrored));
	weir_place_plan(&request, owners, scratch);
	request.members = reversed;
	weir_place_plan(&request, mirrored, scratch);
	for (uint32_t p = 0; p < PARTITIONS; p++)
		CU_ASSERT_EQUAL(owners[p], 9 - mirrored[p]);
}

static double ms_of_plan(struct group *group, enum weir_place_goal goal, bool from_nothing)
{
	struct timespec from, to;

	if (from_nothing)
		memset(group->owners, 0xff, sizeof(group->owners));
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	plan(group, goal, WEIR_PLACE_NONE, NULL);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
}

/* The best of several: the machine may be shared. Weights all differ, so nothing is a tie. */
static void test_speed(void)
{
	static struct group group;
	double nothing = LIMIT_MS, changed = LIMIT_MS;

	begin(&group, MEMBERS, PARTITIONS);
	for (int run = 0; run < 200 && (nothing >= LIMIT_MS || changed >= LIMIT_MS); run++) {
		for (uint32_t i = 0; i < MEMBERS; i++)
			group.weights[i] = 80 + random_below(40);
		nothing = fmin(nothing, ms_of_plan(&group, WEIR_PLACE_STABLE, true));
		for (uint32_t i = 0; i < MEMBERS; i++)
			group.weights[i] = 50 + random_below(100);
		changed = fmin(changed, ms_of_plan(&group, WEIR_PLACE_EVEN, false));
	}
	printf("(%.2f ms from nothing, %.2f ms after a change of all weights) ", nothing, changed);
#if defined(__OPTIMIZE__) && !WEIR_HAS_SANITIZER
	CU_ASSERT_TRUE(nothing < LIMIT_MS);
	CU_ASSERT_TRUE(changed < LIMIT_MS);
#endif
}

static void test_identity(void)
{
	CU_ASSERT_NOT_EQUAL(weir_place_identity("a"), weir_place_identity("b"));
	CU_ASSERT_NOT_EQUAL(weir_place_identity("ab"), weir_place_identity("ba"));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"no member has more than 1.25 times its share", test_bound},
		{"without members nobody owns anything", test_nobody},
		{"one that joins takes its share and no more, one that leaves moves its own",
			test_histories},
		{"an even plan gives each its share, and then rests", test_even},
		{"measured load is bounded like numbers, and what is bounded rests",
			test_measured_load},
		{"a hot partition has its owner to itself", test_hot_partition},
		{"members have as much as they weigh", test_weights},
		{"one that returns gets its own again", test_return},
		{"the order of members does not matter", test_order},
		{"4,096 partitions and 256 members are planned in under 5 ms", test_speed},
		{"names have identities of their own", test_identity},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"place", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	scratch = malloc(weir_place_scratch(MEMBERS, PARTITIONS));
	for (uint32_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
		char name[32];

		snprintf(name, sizeof(name), "collector-%u", i);
		identities[i] = weir_place_identity(name);
	}
	if (scratch == NULL || CU_initialize_registry() != CUE_SUCCESS ||
		CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	free(scratch);
	return failures != 0;
}
