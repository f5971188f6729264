/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <stdlib.h>
#include <string.h>

#include "xdp/missed.h"
#include "xdp/wills.h"

/* The parts of the map in plain memory; what the program would count is done by hand. */

static struct weir_xdp_shared shared;
static struct weir_xdp_missed cells[WEIR_XDP_MISSED];
static struct weir_xdp_missed_range ranges[WEIR_XDP_STREAMS];
static struct weir_xdp_will_lane lanes[WEIR_XDP_WILLS];
static struct weir_xdp_missed_range will_ranges[WEIR_XDP_ATTACHMENTS];
static struct weir_xdp_label labels[WEIR_XDP_STREAMS];
static struct weir_xdp_current current;

static void begin(void)
{
	memset(cells, 0, sizeof(cells));
	memset(ranges, 0, sizeof(ranges));
	memset(lanes, 0, sizeof(lanes));
	memset(will_ranges, 0, sizeof(will_ranges));
	memset(labels, 0, sizeof(labels));
	shared = (struct weir_xdp_shared){.missed = cells,
		.missed_ranges = ranges,
		.will_lanes = lanes,
		.will_ranges = will_ranges,
		.stream_labels = labels,
		.current = &current};
}

static void test_a_stream_keeps_its_part_over_a_restart(void)
{
	begin();
	CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, 3, 8), 1);
	CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, 1, 16), 9);
	cells[2].count = 5;
	CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, 3, 8), 1);
	CU_ASSERT_EQUAL(cells[2].count, 5);
}

static void test_with_other_partitions_what_was_owed_is_told_by_one_each(void)
{
	uint32_t place;

	begin();
	weir_xdp_missed_share(&shared, 0, 8);
	place = weir_xdp_missed_share(&shared, 0, 4);
	CU_ASSERT_EQUAL(cells[place - 1].count, 0);
	cells[place - 1 + 3].count = 9;
	place = weir_xdp_missed_share(&shared, 0, 16);
	for (uint32_t i = 0; i < 16; i++)
		CU_ASSERT_TRUE(cells[place - 1 + i].count == 1 && cells[place - 1 + i].told == 0);
}

static void test_parts_do_not_overlap_and_are_used_again(void)
{
	uint64_t keep[WEIR_XDP_STREAMS / 64] = {0};

	begin();
	for (uint32_t slot = 0; slot < WEIR_XDP_MISSED / 4096; slot++)
		CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, slot, 4096), slot * 4096 + 1);
	CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, 100, 1), 0);
	memset(keep, 0xff, sizeof(keep));
	keep[0] &= ~(UINT64_C(1) << 7);
	weir_xdp_missed_keep(&shared, keep);
	CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, 100, 4000), 7 * 4096 + 1);
	CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, 101, 96), 7 * 4096 + 4001);
	CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, 102, 1), 0);
}

static void test_nonsense_in_the_pins_harms_nothing(void)
{
	begin();
	ranges[5] = (struct weir_xdp_missed_range){UINT32_MAX - 3, 8};
	CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, 5, 8), 1);
	ranges[6] = (struct weir_xdp_missed_range){WEIR_XDP_MISSED - 2, 900};
	CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, 6, 4), 9);
	CU_ASSERT_EQUAL(weir_xdp_missed_share(&shared, WEIR_XDP_STREAMS - 1, 4), 0);
}

static void test_lanes_keep_their_part_and_are_nobodys_at_first(void)
{
	uint64_t keep[WEIR_XDP_ATTACHMENTS / 64] = {0};

	begin();
	lanes[9].session = 5;
	CU_ASSERT_EQUAL(weir_xdp_wills_share(&shared, 3, 8), 1);
	CU_ASSERT_EQUAL(weir_xdp_wills_share(&shared, 1, 16), 9);
	CU_ASSERT_EQUAL(lanes[9].session, 0);
	lanes[9].session = 5;
	CU_ASSERT_EQUAL(weir_xdp_wills_share(&shared, 1, 16), 9);
	CU_ASSERT_EQUAL(lanes[9].session, 5);
	CU_ASSERT_EQUAL(weir_xdp_wills_share(&shared, WEIR_XDP_ATTACHMENTS - 1, 4), 0);
	keep[0] = 2;
	weir_xdp_wills_keep(&shared, keep);
	CU_ASSERT_EQUAL(weir_xdp_wills_share(&shared, 5, 8), 1);
	for (uint32_t slot = 10; slot < 10 + WEIR_XDP_WILLS / 4096 - 1; slot++)
		CU_ASSERT_NOT_EQUAL(weir_xdp_wills_share(&shared, slot, 4096), 0);
	CU_ASSERT_EQUAL(weir_xdp_wills_share(&shared, 100, 4096), 0);
	will_ranges[200] = (struct weir_xdp_missed_range){UINT32_MAX - 3, 8};
	CU_ASSERT_NOT_EQUAL(weir_xdp_wills_share(&shared, 200, 8), UINT32_MAX - 2);
}

static void test_the_next_gateway_begins_above_what_was_given_out(void)
{
	struct weir_will_store store;
	uint32_t before = current.instance;

	begin();
	store = weir_xdp_wills_begin(&shared);
	CU_ASSERT_EQUAL(current.instance, before + 1);
	CU_ASSERT_EQUAL(store.above(store.context, "s", 0), 0);
	strcpy(labels[0].stream, "other");
	strcpy(labels[1].stream, "s");
	weir_xdp_missed_share(&shared, 1, 8);
	CU_ASSERT_EQUAL(store.above(store.context, "s", 3), 0);
	cells[3] = (struct weir_xdp_missed){.begin = 1000, .given = 10};
	CU_ASSERT_TRUE(store.above(store.context, "s", 3) > 1010);
	CU_ASSERT_EQUAL(store.above(store.context, "s", 4), 0);
	CU_ASSERT_EQUAL(store.above(store.context, "s", 8), 0);
	/* With other partitions it is known no more, but owed. */
	CU_ASSERT_EQUAL(cells[weir_xdp_missed_share(&shared, 1, 4) - 1].count, 1);
}

int main(void)
{
	CU_pSuite suite;
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return EXIT_FAILURE;
	suite = CU_add_suite("xdp missed", NULL, NULL);
	CU_ADD_TEST(suite, test_a_stream_keeps_its_part_over_a_restart);
	CU_ADD_TEST(suite, test_with_other_partitions_what_was_owed_is_told_by_one_each);
	CU_ADD_TEST(suite, test_parts_do_not_overlap_and_are_used_again);
	CU_ADD_TEST(suite, test_nonsense_in_the_pins_harms_nothing);
	CU_ADD_TEST(suite, test_lanes_keep_their_part_and_are_nobodys_at_first);
	CU_ADD_TEST(suite, test_the_next_gateway_begins_above_what_was_given_out);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
