/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>

#include "wire/sum.h"
#include "wire_guard.h"

static uint64_t state = 88172645463325252ull;

/* As RFC 1071 has it: one word after another, big-endian, carries around. */
static uint16_t sum_words(const uint8_t *bytes, uint32_t length)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < length; i++) {
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void check(const uint8_t *bytes, uint32_t length)
{
	uint16_t sum = weir_sum_fold(weir_sum_bytes(bytes, length));

	CU_ASSERT_EQUAL(WEIR_FROM_BE16(sum), sum_words(bytes, length));
}

static void each_length_and_place_has_the_sum_of_its_words(void)
{
	static uint8_t bytes[256];

	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)guard_random(&state);
	for (uint32_t length = 0; length < 200; length++)
		for (uint32_t place = 0; place < 17; place++)
			check(bytes + place, length);
}

static void the_largest_words_lose_no_carry(void)
{
	static uint8_t bytes[UINT16_MAX];

	memset(bytes, 0xff, sizeof(bytes));
	for (uint32_t length = sizeof(bytes) - 20; length <= sizeof(bytes); length++)
		check(bytes, length);
}

static void no_byte_beyond_the_end_is_read(void)
{
	struct guard guard = guard_make();
	uint8_t bytes[100];

	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)guard_random(&state);
	for (uint32_t length = 0; length <= sizeof(bytes); length++)
		check(guard_place(&guard, bytes, length), length);
	guard_free(&guard);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"each length and place has the sum of its words",
			each_length_and_place_has_the_sum_of_its_words},
		{"the largest words lose no carry", the_largest_words_lose_no_carry},
		{"no byte beyond the end is read", no_byte_beyond_the_end_is_read},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{.pName = "wire sum", .pTests = tests}, CU_SUITE_INFO_NULL};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_tests_run() == 0)
		return 2;
	return CU_get_number_of_failures() != 0;
}
