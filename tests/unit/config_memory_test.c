/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config_document.h"

/*
 * Every allocation of one parse fails once, Jansson's and the parser's own (which the linker
 * sends here). What is not given back, the leak checker sees.
 */

static unsigned int allowed = UINT_MAX;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static bool is_allowed(void)
{
	if (allowed == 0)
		return false;
	if (allowed != UINT_MAX)
		allowed--;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return is_allowed() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
	return is_allowed() ? __real_calloc(count, size) : NULL;
}

/* Jansson's scanner calls a token that it had no memory for a syntax error. */
static bool says_so(int rc, const struct weir_error *error)
{
	if (rc == -EINVAL)
		return strcmp(error->path, "$") == 0 && strncmp(error->reason, "line ", 5) == 0;
	return rc == -ENOMEM && strcmp(error->reason, "no memory for the configuration") == 0;
}

static void test_a_parse_without_memory_says_so(void)
{
	static char text[sizeof(WHOLE)];
	unsigned int limit = 0;
	struct weir_config *config;
	struct weir_error error;
	int rc;

	document_text(WHOLE, text);
	do {
		memset(&error, 0, sizeof(error));
		allowed = limit++;
		rc = weir_config_parse(text, strlen(text), &config, &error);
		allowed = UINT_MAX;
		if (rc < 0) {
			CU_ASSERT_PTR_NULL(config);
			CU_ASSERT(says_so(rc, &error));
		}
	} while (rc < 0 && limit < 100000);
	CU_ASSERT_EQUAL(rc, 0);
	CU_ASSERT(limit > 100);
	weir_config_free(config);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"a parse without memory says so", test_a_parse_without_memory_says_so},
		CU_TEST_INFO_NULL};
	CU_SuiteInfo suites[] = {{"memory", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	json_set_alloc_funcs(__wrap_malloc, free);
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
