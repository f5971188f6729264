/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config_bad.h"

static bool is_plain(const char *text)
{
	for (; *text != '\0'; text++)
		if (!isprint((unsigned char)*text))
			return false;
	return true;
}

/* What is wrong with the refusal, or NULL. */
static const char *judge(const struct bad_config *bad, int rc, const struct weir_config *config,
	const struct weir_error *error)
{
	struct bad_config quoted = *bad;
	char path[160], reason[160];

	quoted.text = bad->path;
	bad_config_text(&quoted, path);
	quoted.text = bad->reason;
	bad_config_text(&quoted, reason);
	if (rc != -EINVAL || error->code != rc)
		return "was not refused with -EINVAL";
	if (config != NULL)
		return "left a configuration behind";
	if (strcmp(error->path, path) != 0)
		return "has another path";
	if (strstr(error->reason, reason) == NULL)
		return "has another reason";
	if (error->hint[0] == '\0')
		return "has no hint";
	if (!is_plain(error->reason) || !is_plain(error->hint) || !is_plain(error->path))
		return "has bytes of the document in its texts";
	if (strlen(error->reason) + 1 == sizeof(error->reason))
		return "has a reason that was cut";
	return NULL;
}

static void test_each_is_refused_with_path_reason_and_hint(void)
{
	for (size_t i = 0; i < BAD_CONFIG_COUNT; i++) {
		const struct bad_config *bad = &bad_configs[i];
		size_t length = strlen(bad->text);
		char *text = malloc(length + 1);
		struct weir_error error = {0};
		struct weir_config *config = (struct weir_config *)text;
		const char *fault;
		int rc;

		CU_ASSERT_PTR_NOT_NULL_FATAL(text);
		bad_config_text(bad, text);
		rc = weir_config_parse(text, length, &config, &error);
		fault = judge(bad, rc, config, &error);
		if (fault != NULL)
			printf("\n  \"%s\" %s: %s: %s (%s)\n", bad->name, fault, error.path,
				error.reason, error.hint);
		CU_ASSERT_PTR_NULL(fault);
		weir_config_free(config);
		free(text);
	}
}

static void test_names_are_unique(void)
{
	for (size_t i = 0; i < BAD_CONFIG_COUNT; i++)
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_STRING_NOT_EQUAL(bad_configs[i].name, bad_configs[j].name);
}

static void refuse(const char *text, struct weir_error *error)
{
	struct weir_config *config;

	CU_ASSERT_EQUAL(weir_config_parse(text, strlen(text), &config, error), -EINVAL);
	CU_ASSERT_PTR_NULL(config);
}

static void hint_says(const char *quoted, const char *expected)
{
	struct bad_config bad = {.text = quoted};
	char text[1024];
	struct weir_error error;

	CU_ASSERT_FATAL(strlen(quoted) < sizeof(text));
	bad_config_text(&bad, text);
	refuse(text, &error);
	if (strstr(error.hint, expected) == NULL)
		printf("\n  hint \"%s\" has no \"%s\"\n", error.hint, expected);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.hint, expected));
}

static void test_hints_say_what_would_be_right(void)
{
	hint_says(STREAM("'partition':4"), "did you mean \"partitions\"");
	hint_says(STREAM("'partition':4"), "name, match, key");
	hint_says(PORT("'driver':'af_paket'"), "did you mean \"af_packet\"");
	hint_says(PORT("'driver':'zzzzzz'"), "one of: pci, af_packet, af_xdp, xdp");
	hint_says(MATCH("'destination':'192.0.2.1/24'"), "\"192.0.2.0/24\"");
	hint_says(MATCH("'source':'2001:db8::1/64'"), "\"2001:db8::/64\"");
	hint_says(MATCH("'udp_port':'9999-9990'"), "\"9990-9999\"");
	hint_says(STREAM("'ring':{'messages':5000}"), "4096 and 8192");
	hint_says(STREAM("'ring':{'retain_ms':60000}"), "raise age_ms or make it 0");
	hint_says(WITH("'state':{'interval_ms':500}"), "add \"file\"");
	hint_says(GROUP("'streams':'s','key_file':'/k'"), "\"assisted\" or \"native\"");
	hint_says(GROUP("'streams':'s','window':{}"), "class \"native\"");
	hint_says(GROUP("'streams':'s','class':'asisted'"), "did you mean \"assisted\"");
	hint_says(STREAM("'buffers':30000"), "memory.buffers to 39216");
	hint_says(STREAM("'key':'netflow9'"), "did you mean \"netflow5\"");
	hint_says(GROUP("'streams':'t','class':'native'"), "there are: s");
	hint_says(CONSUMER(ADDRESS ",'egress':'up1'"), "did you mean \"up0\"");
	hint_says(PORT("'driver':'af_packet','interface':'eth0','twin':{}"), "the kernel keeps");
	hint_says(PORT("'driver':'null','rx_file':'a'"), "driver pcap");
}

static void test_a_syntax_error_says_line_and_column(void)
{
	struct weir_error error;

	refuse("{\n  \"ports\": [\n    {,\n", &error);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "line 3, column 6"));
}

static void test_a_text_over_8_mib_is_refused(void)
{
	size_t length = WEIR_CONFIG_MAX_BYTES + 1;
	char *text = malloc(length);
	struct weir_config *config;
	struct weir_error error;

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memset(text, ' ', length);
	CU_ASSERT_EQUAL(weir_config_parse(text, length, &config, &error), -E2BIG);
	CU_ASSERT_STRING_EQUAL(error.path, "$");
	/* One less is read to its end, which has no value in it. */
	CU_ASSERT_EQUAL(weir_config_parse(text, length - 1, &config, &error), -EINVAL);
	free(text);
}

static void test_a_missing_file_is_refused_by_its_name(void)
{
	struct weir_config *config;
	struct weir_error error;

	CU_ASSERT_EQUAL(weir_config_load("/nonexistent/weir.json", &config, &error), -ENOENT);
	CU_ASSERT_PTR_NULL(config);
	CU_ASSERT_STRING_EQUAL(error.path, "/nonexistent/weir.json");
	CU_ASSERT(error.hint[0] != '\0');
	CU_ASSERT_EQUAL(weir_config_load("/", &config, &error), -EISDIR);
	CU_ASSERT_PTR_NULL(config);
}

static void test_the_error_may_be_left_out(void)
{
	struct weir_config *config;

	CU_ASSERT_EQUAL(weir_config_parse("{", 1, &config, NULL), -EINVAL);
	CU_ASSERT_EQUAL(weir_config_parse("{\"x\":1}", 7, &config, NULL), -EINVAL);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"each is refused with path, reason and hint",
			test_each_is_refused_with_path_reason_and_hint},
		{"names are unique", test_names_are_unique},
		{"hints say what would be right", test_hints_say_what_would_be_right},
		{"a syntax error says line and column", test_a_syntax_error_says_line_and_column},
		{"a text over 8 MiB is refused", test_a_text_over_8_mib_is_refused},
		{"a missing file is refused by its name",
			test_a_missing_file_is_refused_by_its_name},
		{"the error may be left out", test_the_error_may_be_left_out},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"bad configurations", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
