/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "state/file.h"
#include "state/format.h"
#include "state/templates.h"
#include "state/writer.h"
#include "state_fixture.h"

#define HEADER     16
#define AT_VERSION 8
#define AT_COUNT   12
/* Of the first template, whose stream's name has one byte. */
#define AT_NAME   17
#define AT_FAMILY 18
#define AT_LENGTH 50

#define LONGEST 9000

/* A template whose whole content follows from its number. */
static struct weir_state_template sample(uint64_t number, uint8_t set[LONGEST])
{
	uint64_t seed = state_mix(number + 1);
	struct weir_state_template template = {.domain = (uint32_t)(seed >> 8),
		.port = (uint16_t)(seed >> 16),
		.family = number & 1 ? 6 : 4,
		.version = number & 2 ? 9 : 10,
		.heard_ns = state_mix(seed),
		.length = (uint16_t)(number == 0 ? 0 : seed % (number < 8 ? 40 : LONGEST)),
		.set = set};

	/* The first has the shortest name there is, the last the longest. */
	snprintf(template.stream, sizeof(template.stream), "%.*s", (int)(1 + number % 31),
		"stream-with-a-name-as-long-0031");
	for (size_t i = 0; i < sizeof(template.address); i++)
		template.address[i] = (uint8_t)state_mix(seed + i);
	for (size_t i = 0; i < template.length; i++)
		set[i] = (uint8_t)state_mix(seed - i);
	return template;
}

static uint8_t *write_samples(uint64_t count, size_t *length)
{
	struct weir_state_templates templates = {0};
	uint8_t set[LONGEST];
	uint8_t *bytes;

	for (uint64_t i = 0; i < count; i++) {
		struct weir_state_template template = sample(i, set);

		weir_state_templates_add(&templates, &template);
	}
	CU_ASSERT_EQUAL_FATAL(weir_state_templates_end(&templates, &bytes, length), 0);
	CU_ASSERT_PTR_NULL(templates.sink.bytes);
	return bytes;
}

static void compare(void *context, const struct weir_state_template *template)
{
	uint64_t *number = context;
	uint8_t set[LONGEST];
	struct weir_state_template expected = sample((*number)++, set);

	CU_ASSERT_STRING_EQUAL(template->stream, expected.stream);
	CU_ASSERT_EQUAL(memcmp(template->address, expected.address, 16), 0);
	CU_ASSERT_EQUAL(template->domain, expected.domain);
	CU_ASSERT_EQUAL(template->port, expected.port);
	CU_ASSERT_EQUAL(template->family, expected.family);
	CU_ASSERT_EQUAL(template->version, expected.version);
	CU_ASSERT_EQUAL(template->heard_ns, expected.heard_ns);
	CU_ASSERT_EQUAL_FATAL(template->length, expected.length);
	CU_ASSERT_EQUAL(memcmp(template->set, expected.set, expected.length), 0);
}

/* Touches all that it is given, so that a sanitizer sees what lies outside. */
static void touch(void *context, const struct weir_state_template *template)
{
	uint64_t *number = context;
	uint8_t sum = 0;

	for (size_t i = 0; i < template->length; i++)
		sum ^= template->set[i];
	*number += 1 + 0 * sum;
	CU_ASSERT_TRUE(
		strnlen(template->stream, sizeof(template->stream)) < sizeof(template->stream));
	CU_ASSERT_NOT_EQUAL(template->stream[0], '\0');
	CU_ASSERT_TRUE(template->family == 4 || template->family == 6);
}

static void seal(uint8_t *bytes, size_t length)
{
	weir_state_checksum(
		bytes, length - WEIR_STATE_CHECKSUM, bytes + length - WEIR_STATE_CHECKSUM);
}

/* From memory that ends with the bytes. Nothing is visited of what is refused. */
static int judge(const uint8_t *bytes, size_t length, uint64_t *visited)
{
	uint8_t *tight = malloc(length + (length == 0));
	int rc;

	*visited = 0;
	memcpy(tight, bytes, length);
	rc = weir_state_templates_read(tight, length, touch, visited);
	free(tight);
	CU_ASSERT_TRUE(rc == 0 || ((rc == -EBADMSG || rc == -ENOTSUP) && *visited == 0));
	return rc;
}

static void test_round_trip(void)
{
	for (uint64_t count = 0; count < 100; count++) {
		uint64_t number = 0;
		size_t length;
		uint8_t *bytes = write_samples(count, &length);

		CU_ASSERT_EQUAL(weir_state_templates_read(bytes, length, compare, &number), 0);
		CU_ASSERT_EQUAL(number, count);
		free(bytes);
	}
}

/* Neither what was cut off nor what a disk has changed is taken for templates. */
static void test_damaged(void)
{
	uint64_t visited;
	size_t length;
	uint8_t *bytes = write_samples(8, &length);

	for (size_t cut = 0; cut < length; cut++)
		CU_ASSERT_EQUAL(judge(bytes, cut, &visited), -EBADMSG);
	for (size_t at = 0; at < length; at++)
		for (unsigned int bit = 0; bit < 8; bit++) {
			bytes[at] ^= (uint8_t)(1u << bit);
			CU_ASSERT_EQUAL(judge(bytes, length, &visited), -EBADMSG);
			bytes[at] ^= (uint8_t)(1u << bit);
		}
	CU_ASSERT_EQUAL(judge(bytes, length, &visited), 0);
	CU_ASSERT_EQUAL(visited, 8);
	free(bytes);
}

/* With a right checksum: all that is visited lies within the file. */
static void test_forged(void)
{
	unsigned int accepted = 0;
	uint64_t visited;
	size_t length;
	uint8_t *bytes = write_samples(8, &length);
	uint8_t *forged = malloc(length);

	for (size_t cut = HEADER + WEIR_STATE_CHECKSUM; cut < length; cut++) {
		memcpy(forged, bytes, length);
		seal(forged, cut);
		CU_ASSERT_EQUAL(judge(forged, cut, &visited), -EBADMSG);
	}
	for (size_t at = 0; at < length - WEIR_STATE_CHECKSUM; at++)
		for (unsigned int value = 0; value < 256; value++) {
			memcpy(forged, bytes, length);
			forged[at] = (uint8_t)value;
			seal(forged, length);
			accepted += judge(forged, length, &visited) == 0;
		}
	CU_ASSERT_TRUE(accepted > length); /* most are only other templates */
	free(forged);
	free(bytes);
}

/* One template, and what a forger makes of it. */
static void test_forgeries(void)
{
	static const struct {
		size_t at;
		uint8_t bytes[4];
		uint8_t count;
	} forgeries[] = {
		{0, {'w'}, 1},
		{AT_VERSION, {0xff, 0xff, 0xff, 0xff}, 4},
		{AT_COUNT, {0, 0, 0, 0}, 4},
		{AT_COUNT, {0, 0, 0, 2}, 4},
		{AT_COUNT, {0xff, 0xff, 0xff, 0xff}, 4},
		{HEADER, {0}, 1},
		{HEADER, {32}, 1},
		{HEADER, {0xff}, 1},
		{AT_NAME, {0}, 1},
		{AT_FAMILY, {0}, 1},
		{AT_FAMILY, {5}, 1},
		{AT_LENGTH, {0, 1}, 2},
		{AT_LENGTH, {0xff, 0xff}, 2},
	};

	for (size_t i = 0; i < sizeof(forgeries) / sizeof(*forgeries); i++) {
		uint64_t visited;
		size_t length;
		uint8_t *bytes = write_samples(1, &length);

		memcpy(bytes + forgeries[i].at, forgeries[i].bytes, forgeries[i].count);
		seal(bytes, length);
		CU_ASSERT_NOT_EQUAL(judge(bytes, length, &visited), 0);
		free(bytes);
	}
}

static void test_versions(void)
{
	uint64_t visited;
	size_t length;
	uint8_t *bytes = write_samples(3, &length);

	bytes[AT_VERSION + 3] = 2;
	CU_ASSERT_EQUAL(judge(bytes, length, &visited), -EBADMSG);
	seal(bytes, length);
	CU_ASSERT_EQUAL(judge(bytes, length, &visited), -ENOTSUP);
	bytes[AT_VERSION + 3] = 0;
	seal(bytes, length);
	CU_ASSERT_EQUAL(judge(bytes, length, &visited), -EBADMSG);
	free(bytes);
}

/* More than a file may have: refused, and what comes then does no harm. */
static void test_too_many(void)
{
	static uint8_t set[UINT16_MAX];
	struct weir_state_template template = {
		.stream = "s", .family = 4, .version = 10, .length = UINT16_MAX, .set = set};
	struct weir_state_templates templates = {0};
	uint8_t *bytes;
	size_t length;

	for (uint32_t i = 0; i < WEIR_STATE_MAX_BYTES / UINT16_MAX + 2; i++)
		weir_state_templates_add(&templates, &template);
	CU_ASSERT_EQUAL(weir_state_templates_end(&templates, &bytes, &length), -EFBIG);
	CU_ASSERT_PTR_NULL(bytes);
	CU_ASSERT_EQUAL(length, 0);
}

static int decode(const uint8_t *bytes, size_t length, const char *path, void *result,
	struct weir_error *error)
{
	int rc = judge(bytes, length, result);

	return rc < 0 ? weir_error_set(error, rc, path, "", "damaged") : 0;
}

/* By the state's writer: FILE is whole, and the one before it serves when FILE is damaged. */
static void test_file(void)
{
	static const struct weir_state_kind kind = {WEIR_STATE_MAX_BYTES, decode, "learned anew"};
	struct weir_state_writer *writer;
	struct weir_error error = {0};
	struct state_folder folder;
	uint64_t visited = 0;
	bool is_previous;
	uint8_t *bytes;
	size_t length;

	state_folder_make(&folder);
	for (uint64_t count = 3; count <= 4; count++) {
		CU_ASSERT_EQUAL_FATAL(weir_state_writer_start(folder.file, -1, &writer), 0);
		bytes = write_samples(count, &length);
		weir_state_writer_offer(writer, bytes, length);
		CU_ASSERT_EQUAL(weir_state_writer_stop(writer, 10000, NULL), 0);
	}
	CU_ASSERT_FALSE(state_exists(folder.new_file));
	CU_ASSERT_EQUAL(
		weir_state_load_kind(folder.file, &kind, &visited, &is_previous, &error), 0);
	CU_ASSERT_TRUE(!is_previous && visited == 4);
	bytes = state_read(folder.file, &length);
	CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
	bytes[length / 2] ^= 1;
	state_write(folder.file, bytes, length);
	CU_ASSERT_EQUAL(
		weir_state_load_kind(folder.file, &kind, &visited, &is_previous, &error), 0);
	CU_ASSERT_TRUE(is_previous && visited == 3);
	state_write(folder.old_file, bytes, length);
	CU_ASSERT_EQUAL(
		weir_state_load_kind(folder.file, &kind, &visited, &is_previous, &error), -EBADMSG);
	free(bytes);
	state_folder_remove(&folder);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"templates that were written are read", test_round_trip},
		{"damage is refused, wherever it is", test_damaged},
		{"whatever the bytes, none is read beyond them", test_forged},
		{"each forgery is refused", test_forgeries},
		{"a newer version is told from damage", test_versions},
		{"more than a file may hold is refused", test_too_many},
		{"the file is whole, and the one before it is kept", test_file},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"state templates", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
