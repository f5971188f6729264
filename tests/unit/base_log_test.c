/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log_limit.h"

#define MINUTE_NS 60000000000ull

static struct weir_log_limit limit;
static char kinds[WEIR_LOG_KINDS + 1];

static bool admits(const void *kind, uint64_t now_ns, uint32_t *left_out)
{
	return weir_log_limit_admits(&limit, kind, 3, now_ns, left_out);
}

static void test_more_than_the_limit_is_left_out_and_told(void)
{
	uint32_t left_out;

	memset(&limit, 0, sizeof(limit));
	for (int i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL(admits(&kinds[0], 1000, &left_out), i < 3);
		CU_ASSERT_EQUAL(left_out, 0);
	}
	/* Another kind has a minute of its own. */
	CU_ASSERT_TRUE(admits(&kinds[1], 1000, &left_out));
	CU_ASSERT_FALSE(admits(&kinds[0], 999 + MINUTE_NS, &left_out));
	CU_ASSERT_TRUE(admits(&kinds[0], 1000 + MINUTE_NS, &left_out));
	CU_ASSERT_EQUAL(left_out, 8);
	CU_ASSERT_TRUE(admits(&kinds[0], 1001 + MINUTE_NS, &left_out));
	CU_ASSERT_EQUAL(left_out, 0);
}

/* Nothing is lost for want of a place, and what has been left out keeps its place until told. */
static void test_a_full_table_limits_nobody_new(void)
{
	uint32_t left_out;

	memset(&limit, 0, sizeof(limit));
	for (int kind = 0; kind < WEIR_LOG_KINDS; kind++)
		for (int i = 0; i < 4; i++)
			admits(&kinds[kind], 1, &left_out);
	for (int i = 0; i < 10; i++)
		CU_ASSERT_TRUE(admits(&kinds[WEIR_LOG_KINDS], 2 * MINUTE_NS, &left_out));
	CU_ASSERT_TRUE(admits(&kinds[5], 2 * MINUTE_NS, &left_out));
	CU_ASSERT_EQUAL(left_out, 1);
}

/* Runs `log` with stderr in a file; its content is the caller's. */
static char *written(void (*log)(void))
{
	char path[] = "/tmp/weir-log-XXXXXX";
	int fd = mkstemp(path), before = dup(STDERR_FILENO);
	char *text = calloc(1, 16384);

	CU_ASSERT_FATAL(fd >= 0 && before >= 0 && text != NULL);
	fflush(stderr);
	dup2(fd, STDERR_FILENO);
	log();
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	CU_ASSERT_TRUE(pread(fd, text, 16383, 0) >= 0);
	close(fd);
	close(before);
	unlink(path);
	return text;
}

static void log_hostile(void)
{
	const struct weir_log_field fields[] = {{"path", "a\"b\\c\nd", 0}, {"count", NULL, -7}};

	weir_log_fields(
		WEIR_LOG_ERROR, "unit", "hostile", "text with \"quotes\"\tand \xff", fields, 2);
}

static void test_json_is_escaped(void)
{
	char *text;

	weir_log_set_json(true);
	text = written(log_hostile);
	weir_log_set_json(false);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"level\":\"error\",\"module\":\"unit\""));
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text, "\"message\":\"text with \\\"quotes\\\"\\u0009and ?\""));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "\"path\":\"a\\\"b\\\\c\\u000ad\",\"count\":-7}\n"));
	CU_ASSERT_EQUAL(strchr(text, '\n') - text, (long)strlen(text) - 1);
	free(text);
}

static void log_many(void)
{
	for (int i = 0; i < 50; i++)
		weir_log_warning("unit", "the same again, %d", i);
	weir_log_warning("unit", "another");
}

static void test_lines_are_counted(void)
{
	uint64_t before = weir_log_count(WEIR_LOG_WARNING), left_out = weir_log_suppressed();
	char *text;

	weir_log_set_limit(5);
	text = written(log_many);
	weir_log_set_limit(0);
	CU_ASSERT_EQUAL(weir_log_count(WEIR_LOG_WARNING) - before, 6);
	CU_ASSERT_EQUAL(weir_log_suppressed() - left_out, 45);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "again, 4"));
	CU_ASSERT_PTR_NULL(strstr(text, "again, 5"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "another"));
	free(text);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"more than the limit is left out, and told",
			test_more_than_the_limit_is_left_out_and_told},
		{"a full table limits nobody new", test_a_full_table_limits_nobody_new},
		{"JSON is escaped", test_json_is_escaped},
		{"lines are counted, also those left out", test_lines_are_counted},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"log", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
