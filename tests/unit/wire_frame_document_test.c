/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "wire/frame_delivery.h"
#include "wire/frame_produce.h"
#include "wire_frame_samples.h"

/* The examples of docs/protocol.md are what the code writes and reads. Run from the root. */

#define DOCUMENT "docs/protocol.md"
#define FENCE    "```hex "

struct example {
	char name[32];
	uint8_t data[SAMPLE_SIZE];
	size_t length;
};

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool line_decode(struct example *example, const char *line)
{
	while (*line != '\0') {
		if (isspace((unsigned char)*line)) {
			line++;
			continue;
		}
		if (digit(line[0]) < 0 || digit(line[1]) < 0 || example->length == SAMPLE_SIZE)
			return false;
		example->data[example->length++] = (uint8_t)(digit(line[0]) << 4 | digit(line[1]));
		line += 2;
	}
	return true;
}

/* The next example: 1; none left: 0; not hexadecimal, or without an end: -1. */
static int example_read(FILE *file, struct example *example)
{
	char line[512];

	memset(example, 0, sizeof(*example));
	do
		if (fgets(line, sizeof(line), file) == NULL)
			return 0;
	while (strncmp(line, FENCE, strlen(FENCE)) != 0);
	line[strcspn(line, "\n")] = '\0';
	snprintf(example->name, sizeof(example->name), "%.31s", line + strlen(FENCE));
	while (fgets(line, sizeof(line), file) != NULL) {
		if (strncmp(line, "```", 3) == 0)
			return 1;
		if (!line_decode(example, line))
			return -1;
	}
	return -1;
}

static void test_every_example_is_what_the_code_writes(void)
{
	FILE *file = fopen(DOCUMENT, "r");
	struct example example;
	unsigned int count = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	for (; count < WIRE_FRAME_SAMPLES; count++) {
		const struct wire_frame_sample *sample = &wire_frame_samples[count];
		uint8_t data[SAMPLE_SIZE];
		size_t length = wire_frame_sample_build(sample, data);

		CU_ASSERT_EQUAL_FATAL(example_read(file, &example), 1);
		CU_ASSERT_STRING_EQUAL(example.name, sample->name);
		CU_ASSERT_EQUAL(example.length, length);
		CU_ASSERT_EQUAL(memcmp(example.data, data, length), 0);
	}
	CU_ASSERT_EQUAL(example_read(file, &example), 0);
	fclose(file);
}

static void test_every_example_is_taken_by_its_receiver(void)
{
	FILE *file = fopen(DOCUMENT, "r");
	struct weir_frame_cursor cursor;
	struct example example;

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	for (unsigned int i = 0; i < WIRE_FRAME_SAMPLES; i++) {
		CU_ASSERT_EQUAL_FATAL(example_read(file, &example), 1);
		CU_ASSERT_EQUAL(weir_datagram_open(&cursor, wire_frame_samples[i].end, example.data,
					example.length),
			WEIR_REASON_NONE);
		CU_ASSERT_PTR_NOT_NULL(weir_frame_next(&cursor));
	}
	fclose(file);
}

static bool has_row(const char *text, unsigned int number, const char *name)
{
	char row[64];

	snprintf(row, sizeof(row), "\n| %u | %s | ", number, name);
	return strstr(text, row) != NULL;
}

static void test_the_tables_of_the_document_are_the_code_s(void)
{
	FILE *file = fopen(DOCUMENT, "r");
	static char text[1 << 17];
	size_t length;

	CU_ASSERT_PTR_NOT_NULL_FATAL(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	CU_ASSERT_NOT_EQUAL(feof(file), 0);
	fclose(file);
	text[length] = '\0';
#define X(id, number, name, meaning) CU_ASSERT_TRUE(has_row(text, number, name));
	WEIR_FRAME_ERRORS(X)
	WEIR_GAP_REASONS(X)
	WEIR_PACE_REASONS(X)
#undef X
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"every example is what the code writes",
			test_every_example_is_what_the_code_writes},
		{"every example is taken by its receiver",
			test_every_example_is_taken_by_its_receiver},
		{"the tables are the code's", test_the_tables_of_the_document_are_the_code_s},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"docs/protocol.md", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
