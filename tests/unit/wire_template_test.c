/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>

#include "wire_guard.h"
#include "wire_template_messages.h"

static const uint64_t no_marks[WEIR_TEMPLATE_MARKS];

static bool is_present(const struct template_message *message)
{
	return weir_template_is_present(message->bytes, message->length, no_marks, 0);
}

static void test_only_template_sets_count(void)
{
	static const struct {
		uint8_t version;
		unsigned int set;
		bool is_expected;
	} cases[] = {
		{10, 2, true},
		{10, 3, true},
		{10, 0, false},
		{10, 1, false},
		{10, 256, false},
		{9, 0, true},
		{9, 1, true},
		{9, 2, false},
		{9, 3, false},
		{9, 65535, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct template_message message;

		message_begin(&message, cases[i].version);
		message_set(&message, 300);
		message_put16(&message, 0xffff);
		message_set(&message, cases[i].set);
		message_template(&message, 256, 1, 1);
		message_close(&message);
		CU_ASSERT_EQUAL(is_present(&message), cases[i].is_expected);
	}
}

/* IPFIX says where it ends: what is behind is not the message's. */
static void test_nothing_behind_the_message(void)
{
	struct template_message message;
	uint32_t length;

	message_begin(&message, 10);
	message_close(&message);
	length = message.length;
	message_set(&message, 2);
	message_template(&message, 256, 1, 1);
	message_close(&message);
	CU_ASSERT_TRUE(is_present(&message));
	message_store16(&message, 2, length);
	CU_ASSERT_FALSE(is_present(&message));
}

/* Without a walk. Of a message that it says nothing about the walk tells. */
static bool is_single(const struct template_message *message)
{
	return weir_template_is_single(message->bytes, message->length, no_marks, 0);
}

static void test_one_data_set_is_known_at_once(void)
{
	uint64_t marks[WEIR_TEMPLATE_MARKS] = {0};
	uint32_t mark = weir_template_mark(7, 256);
	struct template_message message;

	message_begin(&message, 10);
	message_close(&message);
	CU_ASSERT_TRUE(is_single(&message)); /* no set */
	message_set(&message, 256);
	message_put16(&message, 0xffff);
	message_close(&message);
	CU_ASSERT_TRUE(is_single(&message));
	marks[mark / 64] = UINT64_C(1) << (mark % 64);
	CU_ASSERT_FALSE(weir_template_is_single(message.bytes, message.length, marks, 7));
	message_set(&message, 2);
	message_template(&message, 256, 1, 1);
	message_close(&message);
	CU_ASSERT_FALSE(is_single(&message));
	for (uint16_t id = 2; id <= 3; id++) {
		message_begin(&message, 10);
		message_set(&message, id);
		message_template(&message, 256, 1, 1);
		message_close(&message);
		CU_ASSERT_FALSE(is_single(&message));
	}
}

/* Of an IPFIX message that ends within the bytes. */
static void check_single(const uint8_t *data, uint32_t length, const uint64_t *marks)
{
	uint32_t stated = length >= 16 ? weir_load16be(data + 2) : 0;

	if (weir_template_version(data, length) == 10 && stated >= 16 && stated <= length)
		CU_ASSERT_TRUE_FATAL(!weir_template_is_single(data, stated, marks, length) ||
				     !weir_template_is_present(data, length, marks, length));
}

struct expected {
	uint16_t id;
	uint16_t fields;
	uint32_t length;
	bool is_options;
};

static void check_walk(const struct template_message *message, const struct expected *expected,
	size_t count, enum weir_template_step end)
{
	struct weir_template_walk walk;
	struct weir_template_record record;

	weir_template_begin(&walk, message->bytes, message->length);
	for (size_t i = 0; i < count; i++) {
		CU_ASSERT_EQUAL_FATAL(weir_template_next(&walk, &record), WEIR_TEMPLATE_RECORD);
		CU_ASSERT_EQUAL(record.id, expected[i].id);
		CU_ASSERT_EQUAL(record.fields, expected[i].fields);
		CU_ASSERT_EQUAL(record.length, expected[i].length);
		CU_ASSERT_EQUAL(record.is_options, expected[i].is_options);
	}
	CU_ASSERT_EQUAL(weir_template_next(&walk, &record), end);
}

static void test_ipfix_records(void)
{
	static const struct expected expected[] = {
		{256, 2, 12, false}, {257, 2, 16, false}, /* one with an enterprise number */
		{258, 2, 14, true}, {256, 0, 4, false},   /* withdrawn */
		{3, 0, 4, true},                          /* all options templates are */
	};
	struct template_message message;

	message_begin(&message, 10);
	message_set(&message, 2);
	message_template(&message, 256, 2, 8);
	message_template(&message, 257, 1, 0x8001);
	message_store16(&message, message.length - 6, 2);
	message_put16(&message, 0);
	message_put16(&message, 9);
	message_put16(&message, 4);
	message_put16(&message, 4);
	message_put16(&message, 0); /* padding */
	message_set(&message, 256);
	message_put16(&message, 1);
	message_set(&message, 3);
	message_put16(&message, 258);
	message_put16(&message, 2);
	message_put16(&message, 1);
	for (int i = 0; i < 4; i++)
		message_put16(&message, 4);
	message_set(&message, 2);
	message_template(&message, 256, 0, 0);
	message_set(&message, 3);
	message_template(&message, 3, 0, 0);
	message_close(&message);
	check_walk(&message, expected, 5, WEIR_TEMPLATE_END);
}

static void test_netflow9_records(void)
{
	static const struct expected expected[] = {
		{256, 3, 16, false}, {300, 3, 18, true}, {257, 1, 8, false}};
	struct template_message message;

	message_begin(&message, 9);
	message_set(&message, 0);
	message_template(&message, 256, 3, 8);
	message_set(&message, 1);
	message_put16(&message, 300);
	message_put16(&message, 4); /* bytes of scope fields */
	message_put16(&message, 8); /* of the others */
	for (int i = 0; i < 6; i++)
		message_put16(&message, 4);
	message_put16(&message, 0); /* padding */
	message_set(&message, 0);
	message_template(&message, 257, 1, 8);
	message_close(&message);
	check_walk(&message, expected, 3, WEIR_TEMPLATE_END);
}

/* What is in front of a fault is good. */
static void test_faults_end_the_walk(void)
{
	static const struct expected first = {256, 1, 8, false};
	static const struct {
		uint8_t version;
		unsigned int set;
		uint16_t words[4];
	} cases[] = {
		{10, 2, {257, 9, 1, 4}},      /* more fields than bytes */
		{10, 2, {255, 1, 1, 4}},      /* an id that is a set's */
		{10, 2, {257, 1, 0x8001, 4}}, /* no enterprise number */
		{10, 2, {3, 0, 1, 4}},        /* withdraws what the set is not about */
		{10, 3, {257, 1, 0, 4}},      /* no scope */
		{10, 3, {257, 1, 2, 4}},      /* more scopes than fields */
		{9, 0, {257, 0, 1, 4}},       /* no field: version 9 withdraws nothing */
		{9, 0, {257, 2, 1, 4}},
		{9, 1, {257, 3, 1, 4}}, /* no whole fields */
		{9, 1, {257, 4, 4, 4}},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct template_message message;

		message_begin(&message, cases[i].version);
		message_set(&message, cases[i].version == 10 ? 2 : 0);
		message_template(&message, 256, 1, 8);
		message_set(&message, cases[i].set);
		for (int j = 0; j < 4; j++)
			message_put16(&message, cases[i].words[j]);
		message_close(&message);
		check_walk(&message, &first, 1, WEIR_TEMPLATE_MALFORMED);
	}
}

static void test_a_set_beyond_the_message_is_a_fault(void)
{
	struct template_message message;

	message_begin(&message, 9);
	message_set(&message, 0);
	message_template(&message, 256, 1, 8);
	message_close(&message);
	message_store16(&message, 22, 13);
	check_walk(&message, NULL, 0, WEIR_TEMPLATE_MALFORMED);
	message_store16(&message, 22, 3);
	check_walk(&message, NULL, 0, WEIR_TEMPLATE_MALFORMED);
}

/* Whatever the bytes, nothing outside them is read, and all records lie within them. */
static void test_any_bytes_are_survived(void)
{
	struct guard guard = guard_make();
	uint64_t state = 88172645463325252ull, marks[WEIR_TEMPLATE_MARKS];

	for (uint32_t i = 0; i < WEIR_TEMPLATE_MARKS; i++)
		marks[i] = guard_random(&state);
	for (int round = 0; round < 200000; round++) {
		uint32_t length = guard_random(&state) % 96;
		uint8_t bytes[96], *data;
		struct weir_template_walk walk;
		struct weir_template_record record;
		enum weir_template_step step;

		for (uint32_t i = 0; i < length; i++)
			bytes[i] = guard_random(&state) % 3 == 0 ? (uint8_t)guard_random(&state)
								 : guard_random(&state) % 4;
		if (length >= 2) {
			bytes[0] = 0;
			bytes[1] = round & 1 ? 9 : 10;
		}
		data = guard_place(&guard, bytes, length);
		(void)weir_template_is_present(data, length, marks, length);
		check_single(data, length, marks);
		weir_template_begin(&walk, data, length);
		walk.wants_data = round & 2;
		while ((step = weir_template_next(&walk, &record)) == WEIR_TEMPLATE_RECORD ||
			step == WEIR_TEMPLATE_DATA) {
			CU_ASSERT_TRUE_FATAL(record.bytes >= data &&
					     record.bytes + record.length <= data + length);
			CU_ASSERT_TRUE_FATAL(step == WEIR_TEMPLATE_DATA
						     ? record.id >= WEIR_TEMPLATE_ID_LEAST
						     : record.length >= 4);
		}
	}
	guard_free(&guard);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"only sets with templates are found", test_only_template_sets_count},
		{"what is behind an IPFIX message is not its", test_nothing_behind_the_message},
		{"a message of one data set is known to have no templates",
			test_one_data_set_is_known_at_once},
		{"IPFIX templates, options, withdrawals", test_ipfix_records},
		{"NetFlow v9 templates and options", test_netflow9_records},
		{"a malformed record ends the walk", test_faults_end_the_walk},
		{"a malformed set ends the walk", test_a_set_beyond_the_message_is_a_fault},
		{"any bytes are survived", test_any_bytes_are_survived},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"template", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
