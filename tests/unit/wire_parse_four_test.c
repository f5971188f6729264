/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>

#include "wire/parse.h"
#include "wire/parse_four.h"
#include "wire_guard.h"
#include "wire_malformed.h"

#define ROUNDS 200000

static struct guard guards[WEIR_FOUR];
static uint64_t state = 88172645463325252ull;

/* Word `index` of the IPv4 header or what follows it, as in memory. */
static uint32_t word(const uint8_t *frame, unsigned int index)
{
	uint16_t value;

	memcpy(&value, frame + 14 + 2 * index, sizeof(value));
	return value;
}

/* What one frame at a time is known to be. */
static bool is_plain(const uint8_t *frame, size_t length, struct weir_packet *packet)
{
	return weir_parse_plain_at(frame, frame + length, (uint32_t)length, 14, 0, packet) &&
	       weir_load16be(frame + 16) == packet->payload_length + 28 && !(frame[20] & 0x80);
}

/* A case of the malformed ones, or a sound frame, with a few bits turned; long enough. */
static void make(struct frame *frame)
{
	do {
		struct frame_spec spec = {.version = 4,
			.padding = guard_random(&state) % 4,
			.patches = {{L3(18), 2, (uint16_t)guard_random(&state)},
				{L4(2), 2, (uint16_t)(4739 + guard_random(&state) % 64 / 63)}}};

		if (guard_random(&state) % 8 == 0)
			spec = malformed_cases[guard_random(&state) % malformed_count].spec;
		frame_make(&spec, frame);
		if (guard_random(&state) % 4 == 0)
			frame->bytes[guard_random(&state) % 44] ^=
				(uint8_t)(1 << guard_random(&state) % 8);
	} while (frame->length < WEIR_FOUR_BYTES);
}

static void compare(const struct weir_four *four, unsigned int lane, const uint8_t *frame,
	const struct weir_packet *packet)
{
	CU_ASSERT_EQUAL(four->payload_length[lane], packet->payload_length);
	CU_ASSERT_EQUAL(four->destination_port[lane], packet->destination_port);
	CU_ASSERT_EQUAL(four->ip_sum[lane],
		4 * 0xffff - word(frame, 5) - word(frame, 8) - word(frame, 9) - word(frame, 4));
	CU_ASSERT_EQUAL(four->udp_sum[lane],
		word(frame, 8) + word(frame, 9) + word(frame, 11) + word(frame, 13));
}

static void four_at_once_are_what_each_is_alone(void)
{
	uint32_t plain = 0, same = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		const uint8_t *frames[WEIR_FOUR];
		weir_words lengths = {0};
		bool all = true;
		struct weir_four four;
		int are_same;

		for (unsigned int i = 0; i < WEIR_FOUR; i++) {
			struct frame frame;

			make(&frame);
			lengths[i] = (uint32_t)frame.length;
			frames[i] = guard_place(&guards[i], frame.bytes, frame.length);
		}
		are_same = weir_parse_four(frames, lengths, &four);
		for (unsigned int i = 0; i < WEIR_FOUR; i++) {
			struct weir_packet packet = {0};
			bool want = is_plain(frames[i], lengths[i], &packet);

			CU_ASSERT_EQUAL(four.faults[i] == 0, want);
			if (want)
				compare(&four, i, frames[i], &packet);
			plain += want;
			all = all && want && word(frames[i], 11) == word(frames[0], 11);
		}
		CU_ASSERT_EQUAL(are_same != 0, all);
		same += all;
	}
	CU_ASSERT(plain > ROUNDS);
	CU_ASSERT(plain < 4 * ROUNDS - ROUNDS / 2);
	CU_ASSERT(same > ROUNDS / 20);
}

/* Of one frame, every bit of what is looked at, in each of the lanes. */
static void no_bit_is_overlooked(void)
{
	for (unsigned int bit = 0; bit < WEIR_FOUR_BYTES * 8; bit++) {
		unsigned int lane = bit % WEIR_FOUR;
		const uint8_t *frames[WEIR_FOUR];
		weir_words lengths = {0};
		struct weir_packet packet;
		struct weir_four four;
		struct frame frame;

		frame_make(&(struct frame_spec){.version = 4}, &frame);
		for (unsigned int i = 0; i < WEIR_FOUR; i++) {
			uint8_t *bytes = guard_place(&guards[i], frame.bytes, frame.length);

			if (i == lane)
				bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			frames[i] = bytes;
			lengths[i] = (uint32_t)frame.length;
		}
		weir_parse_four(frames, lengths, &four);
		for (unsigned int i = 0; i < WEIR_FOUR; i++)
			CU_ASSERT_EQUAL(
				four.faults[i] == 0, is_plain(frames[i], lengths[i], &packet));
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"four at once are what each is alone", four_at_once_are_what_each_is_alone},
		{"no bit is overlooked", no_bit_is_overlooked},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{.pName = "wire parse four", .pTests = tests}, CU_SUITE_INFO_NULL};

	for (unsigned int i = 0; i < WEIR_FOUR; i++)
		guards[i] = guard_make();
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_tests_run() == 0)
		return 2;
	for (unsigned int i = 0; i < WEIR_FOUR; i++)
		guard_free(&guards[i]);
	return CU_get_number_of_failures() != 0;
}
