/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "top.h"

static struct top_samples samples_of(const char *before, const char *now, double seconds)
{
	struct top_samples samples = {
		.before.stats = before != NULL ? json_loads(before, 0, NULL) : NULL,
		.now.stats = json_loads(now, 0, NULL),
		.seconds = seconds,
	};

	CU_ASSERT_PTR_NOT_NULL_FATAL(samples.now.stats);
	return samples;
}

static void expect_cell(
	const struct top_page *page, size_t row, uint32_t column, const char *wanted)
{
	CU_ASSERT_FATAL(row < page->row_count);
	CU_ASSERT_STRING_EQUAL(page->rows[row].cells[column].text, wanted);
}

#define STREAM(name, received, bytes, full)                                                        \
	"{\"name\":\"" name "\",\"tier\":\"bulk\",\"received\":" #received                         \
	",\"received_bytes\":" #bytes ",\"dropped\":{\"ring_full\":" #full ",\"shed\":1}}"

static const char stats_before[] =
	"{\"streams\":[" STREAM("a", 100, 1000, 5) "," STREAM("b", 9, 90, 0) "],\"groups\":[]}";
static const char stats_now[] = "{\"streams\":[" STREAM("b", 9, 90, 0) "," STREAM(
	"a", 3100, 31000, 25) "],\"groups\":[{\"stream\":\"a\",\"name\":\"g\",\"delivered\":40,"
			      "\"held\":7,\"dropped\":{}}]}";

static void rates_are_differences_over_the_gateways_time_wherever_a_row_moved(void)
{
	struct top_samples samples = samples_of(stats_before, stats_now, 2);
	struct top_page page = {0};

	top_view_make(&page, TOP_STREAMS, &samples);
	top_page_sort(&page, top_view_order(TOP_STREAMS));
	CU_ASSERT_EQUAL(page.row_count, 2);
	expect_cell(&page, 0, 0, "a");
	expect_cell(&page, 0, 2, "1.5k");
	expect_cell(&page, 0, 3, "120k");
	expect_cell(&page, 0, 4, "20");
	expect_cell(&page, 0, 5, "7");
	expect_cell(&page, 0, 6, "10");
	expect_cell(&page, 0, 7, "ring_full");
	CU_ASSERT_EQUAL(page.rows[0].tone, TOP_BAD);
	expect_cell(&page, 1, 0, "b");
	expect_cell(&page, 1, 2, "0");
	expect_cell(&page, 1, 7, "-");
	top_page_free(&page);
	top_samples_free(&samples);
}

static void without_two_samples_of_one_run_there_are_no_rates(void)
{
	struct top_samples samples = samples_of(NULL, stats_now, 0);
	struct top_page page = {0};

	top_view_make(&page, TOP_STREAMS, &samples);
	expect_cell(&page, 1, 2, "-");
	expect_cell(&page, 1, 6, "-");
	CU_ASSERT_EQUAL(page.rows[1].tone, TOP_PLAIN);
	top_page_free(&page);
	top_samples_free(&samples);
}

static void the_map_shows_each_partition_by_its_share_of_the_hottest(void)
{
	struct top_samples samples = samples_of("{}", "{}", 1);
	struct top_page page = {0};
	json_t *list = json_array(), *was = json_array();

	/* 40 partitions with two groups each: two rows of the map. */
	for (int i = 0; i < 80; i++) {
		int index = i / 2;
		int messages = index == 5 ? 1000 : index == 6 ? 500 : index == 39 ? 10 : 0;

		json_array_append_new(
			list, json_pack("{s:i, s:i}", "partition", index, "messages", messages));
		json_array_append_new(
			was, json_pack("{s:i, s:i}", "partition", index, "messages", 0));
	}
	samples.now.partitions = json_pack("{s:o}", "s", list);
	samples.before.partitions = json_pack("{s:o}", "s", was);
	top_view_make(&page, TOP_PARTITIONS, &samples);
	CU_ASSERT_EQUAL(page.row_count, 2);
	expect_cell(&page, 0, 2, "     @+                         ");
	expect_cell(&page, 0, 4, "5");
	expect_cell(&page, 0, 5, "66.2%");
	expect_cell(&page, 1, 1, "32");
	expect_cell(&page, 1, 2, "       .");
	expect_cell(&page, 1, 4, "39");
	top_page_free(&page);
	top_samples_free(&samples);
}

static void a_consumer_shows_the_gate_that_held_it_longest(void)
{
	struct top_samples samples = samples_of(
		"{\"consumers\":[{\"name\":\"c\",\"group\":\"g\",\"delivered\":1,\"health\":"
		"{\"limited_s\":{\"rate\":1.0,\"credit\":4.0}}}]}",
		"{\"consumers\":[{\"name\":\"c\",\"group\":\"g\",\"delivered\":11,"
		"\"delivery\":{\"window\":64,\"in_flight\":12},"
		"\"credit\":{\"limit_messages\":5000,\"used_messages\":4990},"
		"\"health\":{\"state\":\"throttled\",\"waiting\":3,"
		"\"limited_s\":{\"rate\":1.9,\"credit\":4.1}}}]}",
		1);
	static const char *const wanted[] = {
		"c", "g", "throttled", "10", "3", "64", "12", "10", "rate 90%"};
	struct top_page page = {0};

	top_view_make(&page, TOP_CONSUMERS, &samples);
	for (uint32_t i = 0; i < 9; i++)
		expect_cell(&page, 0, i, wanted[i]);
	CU_ASSERT_EQUAL(page.rows[0].tone, TOP_ODD);
	top_page_free(&page);
	top_samples_free(&samples);
}

static void every_view_fits_eighty_columns_and_steers_no_terminal(void)
{
	struct top_samples samples = samples_of("{}",
		"{\"streams\":[{\"name\":\"\\u001b["
		"2Jaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}],"
		"\"consumers\":[{\"name\":\"x\\u0007\"}],\"workers\":[{\"worker\":0}]}",
		1);

	for (int view = 0; view < TOP_VIEW_COUNT; view++) {
		struct top_page page = {0};
		struct weirctl_text text = {0};

		top_view_make(&page, (enum top_view)view, &samples);
		top_page_line(&text, &page, page.row_count > 0 ? &page.rows[0] : NULL,
			top_page_name_width(&page, 0));
		CU_ASSERT_PTR_NOT_NULL_FATAL(text.bytes);
		CU_ASSERT(strlen(text.bytes) <= 80);
		CU_ASSERT_PTR_NULL(strchr(text.bytes, '\033'));
		CU_ASSERT_PTR_NULL(strchr(text.bytes, '\a'));
		free(text.bytes);
		top_page_free(&page);
	}
	top_samples_free(&samples);
}

static void numbers_are_short(void)
{
	static const struct {
		double number;
		const char *text;
	} cases[] = {{0, "0"}, {7.25, "7.2"}, {12.6, "13"}, {1500, "1.5k"}, {123456, "123k"},
		{2.5e9, "2.5G"}, {NAN, "-"}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[16];

		top_short(text, sizeof(text), cases[i].number);
		CU_ASSERT_STRING_EQUAL(text, cases[i].text);
	}
}

int main(void)
{
	static CU_TestInfo tests[] = {
		{"rates", rates_are_differences_over_the_gateways_time_wherever_a_row_moved},
		{"no rates", without_two_samples_of_one_run_there_are_no_rates},
		{"map", the_map_shows_each_partition_by_its_share_of_the_hottest},
		{"gate", a_consumer_shows_the_gate_that_held_it_longest},
		{"width", every_view_fits_eighty_columns_and_steers_no_terminal},
		{"short", numbers_are_short},
		CU_TEST_INFO_NULL,
	};
	static CU_SuiteInfo suites[] = {
		{.pName = "weirctl top", .pTests = tests}, CU_SUITE_INFO_NULL};
	unsigned int failed;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	failed = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failed != 0;
}
