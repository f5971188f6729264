/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>

#include "wire_guard.h"
#include "wire_template_table.h"

/* Records of options data, as their templates lay them out. */

/* Variable lengths, short and long, and an enterprise's field in the scope. */
static void test_fields_of_ipfix(void)
{
	static const struct field fields[] = {
		{10, VARIABLE, 9}, {82, VARIABLE, 0}, {7, 1, 29305}, {10, 2, 0}};
	struct weir_options_layout layout;
	struct weir_options_record records[4];
	struct template_message message;
	uint8_t name[300] = {1, 2, 3};
	const uint8_t *at, *end;
	uint32_t from;

	message_begin(&message, 10);
	put_template(&message, 300, fields, 4, 1);
	CU_ASSERT_TRUE_FATAL(weir_options_read(&layout, 10, message.bytes + 20));
	CU_ASSERT_EQUAL(layout.least, 5);
	/* The scope is not the whole exporter: number 10 behind it is no key. */
	CU_ASSERT_EQUAL(layout.keys, 1);
	message_set(&message, 300);
	from = message.length;
	for (unsigned int i = 0; i < 4; i++) {
		bool is_long = i == 1;

		put_bytes(&message, i == 3 ? "\x02y" : "\x02x", 2);
		put_bytes(&message, "z", 1);
		put_bytes(&message, is_long ? "\xff\x01\x2c" : "\x03", is_long ? 3 : 1);
		put_bytes(&message, name, is_long ? 300 : 3);
		put_bytes(&message, "abc", 3);
	}
	at = message.bytes + from;
	end = message.bytes + message.length;
	for (unsigned int i = 0; i < 4; i++) {
		CU_ASSERT_TRUE_FATAL(weir_options_next(&layout, &at, end, &records[i]));
		CU_ASSERT_EQUAL(records[i].length, i == 1 ? 309 : 10);
		CU_ASSERT_EQUAL(records[i].key == records[0].key, i != 3);
	}
	CU_ASSERT_FALSE(weir_options_next(&layout, &at, end, &records[0]));
	/* One byte too few, in the last field and in each before. */
	at = message.bytes + from;
	for (uint32_t i = 0; i < 10; i++)
		CU_ASSERT_FALSE(weir_options_next(&layout, &at, at + i, &records[0]));
}

/* Which fields are the key: the scope, and the row's numbers where it is the whole exporter. */
static void test_what_tells_rows_apart(void)
{
	static const struct {
		uint8_t version;
		uint8_t count, scopes;
		struct field fields[4];
		uint64_t keys;
	} cases[] = {
		{10, 3, 1, {{149, 4, 0}, {302, 4, 0}, {305, 4, 0}}, 3},
		{10, 3, 1, {{130, 4, 0}, {34, 4, 0}, {35, 1, 0}}, 1},
		{10, 3, 2, {{149, 4, 0}, {10, 4, 0}, {14, 4, 0}}, 3},
		{10, 3, 1, {{149, 4, 0}, {302, 4, 9}, {10, 4, 0}}, 5},
		{9, 4, 1, {{1, 4, 0}, {10, 4, 0}, {82, 8, 0}, {48, 1, 0}}, 11},
		{9, 3, 1, {{2, 4, 0}, {10, 4, 0}, {82, 8, 0}}, 1},
		{9, 2, 0, {{48, 1, 0}, {50, 4, 0}}, 1},
		/* Not an enterprise's: NetFlow v9 has none. */
		{9, 2, 1, {{1, 4, 0}, {0x8000 | 10, 4, 0}}, 1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct weir_options_layout layout;
		struct template_message message;

		message_begin(&message, cases[i].version);
		put_template(&message, 300, cases[i].fields, cases[i].count, cases[i].scopes);
		CU_ASSERT_TRUE_FATAL(weir_options_read(&layout, cases[i].version,
			message.bytes + weir_template_header(cases[i].version) + 4));
		CU_ASSERT_EQUAL(layout.keys, cases[i].keys);
	}
}

/* Any layout and any bytes: nothing outside them is read, and records lie within. */
static void test_any_data_is_survived(void)
{
	struct guard guard = guard_make();
	uint64_t state = 88172645463325252ull;

	for (int round = 0; round < 100000; round++) {
		struct field fields[8];
		unsigned int count = 1 + guard_random(&state) % 8;
		uint8_t version = round & 1 ? 9 : 10;
		uint32_t length = guard_random(&state) % 64;
		struct weir_options_layout layout;
		struct weir_options_record record;
		struct template_message message;
		uint8_t bytes[64], *data;
		const uint8_t *at, *before;

		for (unsigned int i = 0; i < count; i++)
			fields[i] = (struct field){guard_random(&state) % 160,
				guard_random(&state) % 4 == 0 ? VARIABLE : guard_random(&state) % 9,
				version == 10 && guard_random(&state) % 5 == 0};
		message_begin(&message, version);
		put_template(&message, 300, fields, count, guard_random(&state) % (count + 1));
		if (!weir_options_read(
			    &layout, version, message.bytes + weir_template_header(version) + 4))
			continue;
		for (uint32_t i = 0; i < length; i++)
			bytes[i] = guard_random(&state) % 3 == 0 ? (uint8_t)guard_random(&state)
								 : guard_random(&state) % 4;
		data = guard_place(&guard, bytes, length);
		for (at = before = data; weir_options_next(&layout, &at, data + length, &record);
			before = at) {
			CU_ASSERT_TRUE_FATAL(record.bytes == before &&
					     record.bytes + record.length == at &&
					     at <= data + length);
			CU_ASSERT_TRUE_FATAL(record.length >= layout.least && layout.least > 0);
		}
	}
	guard_free(&guard);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"fields of IPFIX: variable, enterprise", test_fields_of_ipfix},
		{"what tells rows apart", test_what_tells_rows_apart},
		{"any data is survived", test_any_data_is_survived},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"layouts of options", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
