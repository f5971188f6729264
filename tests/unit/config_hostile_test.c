/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "config_document.h"

/*
 * Texts that nobody meant to write. The parser says yes or no, and a no is complete; what it
 * must never do, the sanitizers see.
 */

/* xorshift64: the same texts in every run. */
static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static char *document(size_t *length)
{
	char *text = malloc(strlen(WHOLE) + 1);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	document_text(WHOLE, text);
	*length = strlen(text);
	return text;
}

/* Parse from memory of exactly that length, so that a read beyond it is seen. */
static bool answer(const char *text, size_t length)
{
	char *exact = malloc(length > 0 ? length : 1);
	struct weir_config *config;
	struct weir_error error = {0};
	int rc;

	CU_ASSERT_PTR_NOT_NULL_FATAL(exact);
	memcpy(exact, text, length);
	rc = weir_config_parse(exact, length, &config, &error);
	free(exact);
	if (rc == 0) {
		CU_ASSERT_PTR_NOT_NULL(config);
		weir_config_free(config);
		return true;
	}
	CU_ASSERT_PTR_NULL(config);
	CU_ASSERT(error.path[0] == '$' && error.reason[0] != '\0' && error.hint[0] != '\0');
	return false;
}

static void test_every_prefix_is_refused(void)
{
	size_t length;
	char *text = document(&length);

	/* The last byte is a newline. */
	for (size_t i = 0; i < length - 1; i++)
		CU_ASSERT_FALSE(answer(text, i));
	CU_ASSERT_TRUE(answer(text, length - 1));
	CU_ASSERT_TRUE(answer(text, length));
	free(text);
}

static void test_flipped_bytes_are_answered(void)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	unsigned int refused = 0;
	size_t length;
	char *text = document(&length);
	char *copy = malloc(length);

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	for (unsigned int i = 0; i < 20000; i++) {
		memcpy(copy, text, length);
		for (uint64_t flips = draw(&state) % 4 + 1; flips > 0; flips--)
			copy[draw(&state) % length] ^= (char)(1u << draw(&state) % 8);
		refused += !answer(copy, length);
	}
	CU_ASSERT(refused > 10000);
	free(copy);
	free(text);
}

/* Still JSON most of the time: values and keys of one place turn up at another. */
static void test_swapped_pieces_are_answered(void)
{
	uint64_t state = 0x2545f4914f6cdd1d;
	size_t length;
	char *text = document(&length);
	char *copy = malloc(length * 2);

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	for (unsigned int i = 0; i < 5000; i++) {
		size_t from = draw(&state) % length, to = draw(&state) % length;
		size_t size = draw(&state) % 64;

		size = from + size > length ? length - from : size;
		memcpy(copy, text, to);
		memcpy(copy + to, text + from, size);
		memcpy(copy + to + size, text + to, length - to);
		answer(copy, length + size);
	}
	free(copy);
	free(text);
}

static void test_every_value_is_answered_in_every_place(void)
{
	static const char *const values[] = {"null", "true", "-1", "0", "1e400", "1.5", "\"\"",
		"\"x\"", "[]", "[[]]", "{}", "{\"a\":{}}", "9223372036854775807",
		"\"\\ud834\\udd1e\\n\"", "18446744073709551615", "\"99999999999999999999G\""};
	size_t length;
	char *text = document(&length);
	char *copy = malloc(length + 64);

	CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
	/* A value begins after a colon and ends before the next comma or bracket. */
	for (char *at = strchr(text, ':'); at != NULL; at = strchr(at + 1, ':')) {
		size_t old = strcspn(at + 1, ",]}{[\n");

		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			size_t before = (size_t)(at + 1 - text), size = strlen(values[i]);

			memcpy(copy, text, before);
			memcpy(copy + before, values[i], size);
			memcpy(copy + before + size, at + 1 + old, length - before - old);
			answer(copy, length - old + size);
		}
	}
	free(copy);
	free(text);
}

static void test_deep_nesting_is_refused_without_recursion(void)
{
	size_t length = WEIR_CONFIG_MAX_BYTES;
	char *text = malloc(length);

	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	memset(text, '[', length);
	CU_ASSERT_FALSE(answer(text, length));
	for (size_t i = 0; i + 5 <= length; i += 5)
		memcpy(text + i, "{\"a\":", 5);
	CU_ASSERT_FALSE(answer(text, length));
	free(text);
}

/* Brackets within a text are not nesting. */
static void test_brackets_in_texts_are_letters(void)
{
	static const char text[] =
		"{\"ports\":[{\"name\":\"[[[[[[[[[[[[[[[[[[[\\\"[[[\",\"driver\":\"null\"}]}";
	struct weir_config *config;
	struct weir_error error;

	CU_ASSERT(weir_config_parse(text, strlen(text), &config, &error) < 0);
	CU_ASSERT_STRING_EQUAL(error.path, "$.ports[0].name");
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"every prefix is refused", test_every_prefix_is_refused},
		{"flipped bytes are answered", test_flipped_bytes_are_answered},
		{"swapped pieces are answered", test_swapped_pieces_are_answered},
		{"every value is answered in every place",
			test_every_value_is_answered_in_every_place},
		{"deep nesting is refused without recursion",
			test_deep_nesting_is_refused_without_recursion},
		{"brackets in texts are letters", test_brackets_in_texts_are_letters},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"hostile texts", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
