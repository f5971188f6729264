/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <time.h>

#include "base/reason_text.h"
#include "wire/key.h"
#include "wire/parse.h"
#include "wire_guard.h"
#include "wire_malformed.h"

#define MUTATIONS 2000 /* of each case */

struct outcome {
	enum weir_parse_result result;
	enum weir_reason reason;
	struct weir_packet packet;
};

static struct guard guard;

static struct outcome parse(const uint8_t *data, size_t readable, size_t length, unsigned int flags)
{
	struct outcome outcome = {.reason = WEIR_REASON_NONE};

	outcome.result = weir_parse_frame(
		data, data + readable, (uint32_t)length, flags, &outcome.packet, &outcome.reason);
	return outcome;
}

static struct outcome parse_whole(const struct frame_spec *spec, unsigned int flags)
{
	struct frame frame;

	frame_make(spec, &frame);
	return parse(
		guard_place(&guard, frame.bytes, frame.length), frame.length, frame.length, flags);
}

static void is_same(const struct outcome *a, const struct outcome *b)
{
	CU_ASSERT_EQUAL(a->result, b->result);
	CU_ASSERT_EQUAL(a->reason, b->reason);
	if (a->result != WEIR_PARSE_UDP || b->result != WEIR_PARSE_UDP)
		return;
	CU_ASSERT_EQUAL(a->packet.l3_offset, b->packet.l3_offset);
	CU_ASSERT_EQUAL(a->packet.l4_offset, b->packet.l4_offset);
	CU_ASSERT_EQUAL(a->packet.payload_length, b->packet.payload_length);
	CU_ASSERT_EQUAL(a->packet.vlan, b->packet.vlan);
	CU_ASSERT_EQUAL(a->packet.outer_vlan, b->packet.outer_vlan);
	CU_ASSERT_EQUAL(a->packet.source_port, b->packet.source_port);
	CU_ASSERT_EQUAL(a->packet.destination_port, b->packet.destination_port);
	CU_ASSERT_EQUAL(a->packet.ip_version, b->packet.ip_version);
}

static void each_malformed_frame_has_its_reason(void)
{
	bool is_used[WEIR_REASON_COUNT] = {false};
	unsigned int drops = 0;

	for (size_t i = 0; i < malformed_count; i++) {
		const struct malformed *want = &malformed_cases[i];
		struct outcome got = parse_whole(&want->spec, 0);

		if (got.result != want->result || got.reason != want->reason) {
			printf("\n  %s: %d %s", want->name, got.result,
				weir_reason_name(got.reason));
			CU_FAIL("wrong verdict");
		}
		is_used[want->reason] = true;
		drops += want->result == WEIR_PARSE_DROP;
	}
	CU_ASSERT(drops >= 50);
	for (int reason = WEIR_REASON_ETHER_TRUNCATED; reason <= WEIR_REASON_UDP_CHECKSUM; reason++)
		CU_ASSERT(is_used[reason]);
}

static void what_was_parsed_is_in_the_packet(void)
{
	struct outcome got = parse_whole(&(struct frame_spec){.version = 4, .padding = 5}, 0);

	CU_ASSERT_EQUAL(got.result, WEIR_PARSE_UDP);
	CU_ASSERT_EQUAL(got.packet.l3_offset, 14);
	CU_ASSERT_EQUAL(got.packet.l4_offset, 34);
	CU_ASSERT_EQUAL(got.packet.payload_length, FRAME_PAYLOAD);
	CU_ASSERT_EQUAL(got.packet.vlan, 0);
	CU_ASSERT_EQUAL(got.packet.source_port, 50000);
	CU_ASSERT_EQUAL(got.packet.destination_port, FRAME_PORT);
	CU_ASSERT_EQUAL(got.packet.ip_version, 4);
	got = parse_whole(&(struct frame_spec){.version = 4, .tags = 1}, 0);
	CU_ASSERT_EQUAL(got.packet.vlan, 100);
	CU_ASSERT_EQUAL(got.packet.outer_vlan, 0);
	CU_ASSERT_EQUAL(got.packet.l4_offset, 38);
	got = parse_whole(
		&(struct frame_spec){.version = 6, .tags = 2, .chain = {0, 51}, .chain_count = 2},
		0);
	CU_ASSERT_EQUAL(got.result, WEIR_PARSE_UDP);
	CU_ASSERT_EQUAL(got.packet.vlan, 100);
	CU_ASSERT_EQUAL(got.packet.outer_vlan, 200);
	CU_ASSERT_EQUAL(got.packet.l3_offset, 22);
	CU_ASSERT_EQUAL(got.packet.l4_offset, 22 + 40 + 8 + 24);
	CU_ASSERT_EQUAL(got.packet.payload_length, FRAME_PAYLOAD);
	CU_ASSERT_EQUAL(got.packet.destination_port, FRAME_PORT);
	CU_ASSERT_EQUAL(got.packet.ip_version, 6);
}

/* Of every case and every beginning of it; the keys are looked for too. */
static void no_truncation_is_read_beyond(void)
{
	for (size_t i = 0; i < malformed_count; i++) {
		struct frame frame;

		frame_make(&malformed_cases[i].spec, &frame);
		for (size_t length = 0; length <= frame.length; length++) {
			uint8_t *data = guard_place(&guard, frame.bytes, length);
			struct outcome got = parse(data, length, length, 0);

			if (got.result != WEIR_PARSE_UDP)
				continue;
			CU_ASSERT(got.packet.l4_offset + 8u + got.packet.payload_length <= length);
			for (int kind = 0; kind < WEIR_KEY_KINDS; kind++) {
				struct weir_key_spec key = {(uint8_t)kind, 32, 8};
				uint64_t hash;

				weir_key_hash(&key, data, guard.end, &got.packet, &hash);
			}
		}
	}
}

static void headers_in_a_later_buffer_are_segmented(void)
{
	for (size_t i = 0; i < malformed_count; i++) {
		struct outcome whole = parse_whole(&malformed_cases[i].spec, 0);
		struct frame frame;

		frame_make(&malformed_cases[i].spec, &frame);
		for (size_t readable = 0; readable < frame.length; readable++) {
			uint8_t *data = guard_place(&guard, frame.bytes, readable);
			struct outcome got = parse(data, readable, frame.length, 0);

			if (got.result == WEIR_PARSE_DROP && got.reason == WEIR_REASON_SEGMENTED)
				continue;
			is_same(&got, &whole);
			if (whole.result == WEIR_PARSE_UDP)
				CU_ASSERT(readable >= whole.packet.l4_offset + 8u);
		}
	}
}

static void the_short_way_agrees_with_the_long_way(void)
{
	uint64_t state = 88172645463325252ull;
	unsigned int agreed = 0;

	for (size_t i = 0; i < malformed_count; i++) {
		for (unsigned int round = 0; round < MUTATIONS; round++) {
			struct outcome got, want = {.reason = WEIR_REASON_NONE};
			unsigned int flags = guard_random(&state) & 3;
			struct frame frame;
			uint8_t *data;

			frame_make(&malformed_cases[i].spec, &frame);
			for (unsigned int k = guard_random(&state) % 3; k > 0; k--)
				frame.bytes[guard_random(&state) % 64] ^=
					(uint8_t)(1 << guard_random(&state) % 8);
			data = guard_place(&guard, frame.bytes, frame.length);
			got = parse(data, frame.length, frame.length, flags);
			want.result = weir_parse_headers(data, guard.end, (uint32_t)frame.length,
				flags, &want.packet, &want.reason);
			is_same(&got, &want);
			agreed += got.result == WEIR_PARSE_UDP;
		}
	}
	CU_ASSERT(agreed > MUTATIONS);
}

static void checksums_are_trusted_only_when_told(void)
{
	struct frame_spec spec = {.version = 4, .is_raw = true, .patches = {{L3(10), 2, 0xdead}}};

	CU_ASSERT_EQUAL(parse_whole(&spec, 0).reason, WEIR_REASON_IPV4_CHECKSUM);
	CU_ASSERT_EQUAL(parse_whole(&spec, WEIR_PARSE_IP_CHECKSUM_DONE).result, WEIR_PARSE_UDP);
	spec.options = 3;
	CU_ASSERT_EQUAL(parse_whole(&spec, 0).reason, WEIR_REASON_IPV4_CHECKSUM);
	CU_ASSERT_EQUAL(parse_whole(&spec, WEIR_PARSE_IP_CHECKSUM_DONE).result, WEIR_PARSE_UDP);
	spec = (struct frame_spec){.version = 6, .is_raw = true, .patches = {{L4(6), 2, 0}}};
	CU_ASSERT_EQUAL(parse_whole(&spec, 0).reason, WEIR_REASON_UDP_CHECKSUM);
	CU_ASSERT_EQUAL(parse_whole(&spec, WEIR_PARSE_ZERO_CHECKSUM).result, WEIR_PARSE_UDP);
}

/* Every header that sums to all ones is right, whatever carries it makes on the way. */
static void every_right_checksum_is_right(void)
{
	uint64_t state = 2463534242ull;
	struct frame frame;

	frame_make(&(struct frame_spec){.version = 4}, &frame);
	for (unsigned int round = 0; round < 100000; round++) {
		struct frame_spec spec = {.version = 4};

		spec.patches[0] = (struct frame_patch){L3(4), 2, (uint16_t)guard_random(&state)};
		spec.patches[1] = (struct frame_patch){L3(8), 1, guard_random(&state) & 0xff};
		spec.patches[2] = (struct frame_patch){L3(16), 2, (uint16_t)guard_random(&state)};
		spec.patches[3] = (struct frame_patch){L3(18), 2, (uint16_t)guard_random(&state)};
		CU_ASSERT_EQUAL(parse_whole(&spec, 0).result, WEIR_PARSE_UDP);
	}
}

/* Printed, not asserted: the machine may be busy. */
static void cost_of_a_common_packet(void)
{
	struct timespec from, to;
	struct frame frames[64];
	struct weir_packet packet = {0};
	enum weir_reason reason;
	unsigned int sound = 0, rounds = 200000;

	for (unsigned int i = 0; i < 64; i++)
		frame_make(
			&(struct frame_spec){
				.version = 4, .tags = i % 2, .patches = {{L3(18), 2, (uint16_t)i}}},
			&frames[i]);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned int round = 0; round < rounds; round++) {
		for (unsigned int i = 0; i < 64; i++) {
			const uint8_t *data = frames[i].bytes;

			sound += weir_parse(data, data + frames[i].length, &packet, &reason) ==
				 WEIR_PARSE_UDP;
			__asm__ volatile("" : : "r"(&packet) : "memory");
		}
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	CU_ASSERT_EQUAL(sound, rounds * 64);
	printf("%.2f ns a packet ",
		((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
			((double)rounds * 64));
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"each malformed frame has its reason", each_malformed_frame_has_its_reason},
		{"what was parsed is in the packet", what_was_parsed_is_in_the_packet},
		{"no truncation is read beyond", no_truncation_is_read_beyond},
		{"headers in a later buffer are segmented",
			headers_in_a_later_buffer_are_segmented},
		{"the short way agrees with the long way", the_short_way_agrees_with_the_long_way},
		{"checksums are trusted only when told", checksums_are_trusted_only_when_told},
		{"every right checksum is right", every_right_checksum_is_right},
		{"cost of a common packet", cost_of_a_common_packet},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{.pName = "wire parse", .pTests = tests}, CU_SUITE_INFO_NULL};

	guard = guard_make();
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_tests_run() == 0)
		return 2;
	guard_free(&guard);
	return CU_get_number_of_failures() != 0;
}
