/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"

static void expect_rendered(const char *json, const char *wanted)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	struct weirctl_text text = {0};

	CU_ASSERT_PTR_NOT_NULL_FATAL(value);
	weirctl_render(&text, value);
	if (strcmp(text.bytes != NULL ? text.bytes : "", wanted) != 0)
		fprintf(stderr, "\nwanted:\n%sgot:\n%s", wanted, text.bytes);
	CU_ASSERT_STRING_EQUAL(text.bytes != NULL ? text.bytes : "", wanted);
	free(text.bytes);
	json_decref(value);
}

static void a_list_of_objects_is_an_aligned_table_with_numbers_right(void)
{
	expect_rendered("{\"streams\":[{\"name\":\"ipfix\",\"packets\":1,\"up\":true},"
			"{\"name\":\"s\",\"packets\":12345678,\"up\":false}]}",
		"name    packets  up\n"
		"ipfix         1  true\n"
		"s      12345678  false\n");
	expect_rendered("[{\"a\":\"x\"}]", "a\nx\n");
}

static void nested_objects_become_columns_and_missing_cells_dashes(void)
{
	expect_rendered("[{\"n\":\"a\",\"rate\":{\"pps\":10,\"set\":{\"by\":\"me\"}}},"
			"{\"n\":\"b\",\"extra\":[1,2]},{\"n\":null,\"extra\":[],\"rate\":{}}]",
		"n  rate.pps  rate.set.by  extra  rate\n"
		"a        10  me           -      -\n"
		"b         -  -            1,2    -\n"
		"-         -  -            -      -\n");
}

static void an_object_is_aligned_keys_and_values(void)
{
	expect_rendered("{\"name\":\"c1\",\"rate\":{\"bits_per_s\":10000000},\"share\":0.125,"
			"\"huge\":1e300,\"whole\":2.0,\"none\":null,\"list\":[\"a\",\"b\"]}",
		"name:            c1\n"
		"rate.bits_per_s: 10000000\n"
		"share:           0.125\n"
		"huge:            1e+300\n"
		"whole:           2\n"
		"none:            -\n"
		"list:            a,b\n");
	expect_rendered("{\"levels\":[\"a\",\"b\"]}", "levels: a,b\n");
}

static void an_object_with_lists_shows_them_as_named_tables(void)
{
	expect_rendered("{\"total\":2,\"law\":{\"holds\":true,\"violations\":[{\"s\":\"x\"}]},"
			"\"ports\":[{\"id\":0}]}",
		"total:     2\n"
		"law.holds: true\n"
		"\nlaw.violations:\ns\nx\n"
		"\nports:\nid\n 0\n");
}

static void empty_results_and_scalars_are_shown_plainly(void)
{
	expect_rendered("{\"streams\":[]}", "");
	expect_rendered("{}", "");
	expect_rendered("[]", "");
	expect_rendered("[1,\"b\"]", "1\nb\n");
	expect_rendered("\"text\"", "text\n");
	expect_rendered("-7", "-7\n");
}

static void text_that_would_steer_the_terminal_is_escaped(void)
{
	expect_rendered("{\"name\":\"a\\u001b[31m\\nb\\u007f\\u009b\"}",
		"name: a\\x1b[31m\\x0ab\\x7f\\x9b\n");
	expect_rendered("{\"k\\u001b\":1}", "k\\x1b: 1\n");
}

static void utf8_counts_by_character(void)
{
	expect_rendered("[{\"a\":\"\\u00e4\\u00f6\",\"b\":\"x\"},{\"a\":\"ab\",\"b\":\"y\"}]",
		"a   b\n\xc3\xa4\xc3\xb6  x\nab  y\n");
}

static void numbers_take_their_units(void)
{
	static const struct {
		const char *text;
		json_int_t value;
	} whole[] = {{"0", 0}, {"-3", -3}, {"10M", 10000000}, {"1.5k", 1500}, {"64Ki", 65536},
		{"2K", 2000}, {"1G", 1000000000}, {"1Ti", 1099511627776},
		{"9223372036854775807", INT64_MAX}};
	static const char *const bad[] = {
		"", "x", "10X", "10Mb", "1 0", "k", "inf", "nan", "1e999", "10Mii"};
	json_t *value;

	for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
		value = weirctl_parse_number(whole[i].text);
		CU_ASSERT(json_is_integer(value));
		CU_ASSERT_EQUAL(json_integer_value(value), whole[i].value);
		json_decref(value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_PTR_NULL(weirctl_parse_number(bad[i]));
	value = weirctl_parse_number("0.25");
	CU_ASSERT_EQUAL(json_real_value(value), 0.25);
	json_decref(value);
	value = weirctl_parse_number("9223372036854775808");
	CU_ASSERT(json_is_real(value)); /* beyond an integer: the gateway says so */
	json_decref(value);
}

/* Bars are to scale, what goes on has an arrow, and names cannot steer the terminal. */
static void a_trace_is_a_waterfall(void)
{
	json_t *trace = json_loads(
		"{\"trace\":7,\"id\":\"00ff\",\"stream\":\"f\\u001bs\",\"partition\":3,"
		"\"sequence\":9,\"bytes\":200,\"received_ns\":1700000000000001000,"
		"\"duration_us\":4000.0,\"open\":true,\"spans\":["
		"{\"name\":\"message\",\"worker\":1,\"start_us\":0.0,\"duration_us\":4000.0,"
		"\"open\":true},"
		"{\"name\":\"wait\",\"group\":\"g\",\"consumer\":\"c1\",\"start_us\":1000.0,"
		"\"duration_us\":2000.0,\"gate\":\"window\",\"held_us\":1900.0},"
		"{\"name\":\"send\",\"group\":\"g\",\"start_us\":3999.0,\"duration_us\":0.1,"
		"\"reason\":\"lapped\"}]}",
		0, NULL);
	struct weirctl_text text = {0};

	CU_ASSERT_PTR_NOT_NULL_FATAL(trace);
	weirctl_waterfall(&text, trace);
	CU_ASSERT_STRING_EQUAL(text.bytes,
		"trace 7, 00ff\n"
		"f\\x1bs/3 sequence 9, 200 bytes, received 2023-11-14T22:13:20.000001Z, "
		"4.000 ms so far\n\n"
		"message  worker 1      0.0 us    4.000 ms  "
		"|=======================================>|\n"
		"wait     c1          1.000 ms    2.000 ms  "
		"|          ====================          |  window 1.900 ms\n"
		"send     group g     3.999 ms      0.1 us  "
		"|                                       =|  dropped: lapped\n");
	free(text.bytes);
	json_decref(trace);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a trace is a waterfall", a_trace_is_a_waterfall},
		{"a list of objects is an aligned table, numbers right",
			a_list_of_objects_is_an_aligned_table_with_numbers_right},
		{"nested objects become columns, missing cells dashes",
			nested_objects_become_columns_and_missing_cells_dashes},
		{"an object is aligned keys and values", an_object_is_aligned_keys_and_values},
		{"an object with lists shows them as named tables",
			an_object_with_lists_shows_them_as_named_tables},
		{"empty results and scalars are shown plainly",
			empty_results_and_scalars_are_shown_plainly},
		{"text that would steer the terminal is escaped",
			text_that_would_steer_the_terminal_is_escaped},
		{"UTF-8 counts by character", utf8_counts_by_character},
		{"numbers take their units", numbers_take_their_units},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"weirctl rendering", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_NORMAL);
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0 || CU_get_error() != CUE_SUCCESS;
}
