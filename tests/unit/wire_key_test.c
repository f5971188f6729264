/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdbool.h>

#include "base/reason_text.h"
#include "wire/key_text.h"
#include "wire/parse.h"
#include "wire_guard.h"
#include "wire_key_cases.h"
#include "wire_pcap.h"

#define CAPTURES "../shared/data/"

static struct guard guard;

#define OK        WEIR_REASON_NONE
#define TRUNCATED WEIR_REASON_KEY_TRUNCATED

/* A frame with this payload behind an IP and a UDP header; addresses are all `host`. */
static uint8_t *place(int version, uint8_t host, const uint8_t *payload, size_t length,
	struct weir_packet *packet)
{
	size_t ip = version == 4 ? 20 : 40;
	uint8_t frame[14 + 40 + 8 + KEY_CASE_PAYLOAD] = {0};

	memset(frame + 14 + (version == 4 ? 12 : 8), host, version == 4 ? 8 : 32);
	memcpy(frame + 14 + ip + 8, payload, length);
	*packet = (struct weir_packet){.l3_offset = 14,
		.l4_offset = (uint16_t)(14 + ip),
		.payload_length = (uint16_t)length,
		.source_port = 1000,
		.destination_port = 2000,
		.ip_version = (uint8_t)version};
	return guard_place(&guard, frame, 14 + ip + 8 + length);
}

static uint64_t hash_of(const struct key_case *item, int version, uint8_t host, unsigned int flip)
{
	struct weir_key_spec spec = {.kind = (uint8_t)item->kind};
	uint8_t payload[KEY_CASE_PAYLOAD];
	struct weir_packet packet;
	enum weir_reason reason;
	uint64_t hash = 0;
	uint8_t *data;

	memcpy(payload, item->payload, sizeof(payload));
	if (flip != 0)
		payload[flip] ^= 0x40;
	data = place(version, host, payload, item->length, &packet);
	reason = weir_key_hash(&spec, data, guard.end, &packet, &hash);
	if (reason != item->reason) {
		printf("\n  %s: %s", item->name, weir_reason_name(reason));
		CU_FAIL("wrong reason");
	}
	return hash;
}

static bool has_address(enum weir_key_kind kind)
{
	return kind != WEIR_KEY_SFLOW5 && kind != WEIR_KEY_RTP && kind != WEIR_KEY_BYTES;
}

static void each_payload_has_its_key_or_its_reason(void)
{
	for (size_t i = 0; i < key_case_count; i++) {
		const struct key_case *item = &key_cases[i];

		for (int version = 4; version <= 6; version += 2) {
			uint64_t hash = hash_of(item, version, 1, 0);

			if (item->reason != OK)
				continue;
			if (item->in_key != 0)
				CU_ASSERT_NOT_EQUAL(hash_of(item, version, 1, item->in_key), hash);
			if (item->not_key != 0)
				CU_ASSERT_EQUAL(hash_of(item, version, 1, item->not_key), hash);
			CU_ASSERT_EQUAL(
				hash_of(item, version, 2, 0) != hash, has_address(item->kind));
		}
	}
}

static uint64_t hash_packet(const struct weir_key_spec *spec, const uint8_t *data,
	const struct weir_packet *packet, enum weir_reason want)
{
	uint64_t hash = 0;

	CU_ASSERT_EQUAL(weir_key_hash(spec, data, guard.end, packet, &hash), want);
	return hash;
}

static void only_the_chosen_bytes_are_the_key(void)
{
	uint8_t payload[40] = {0};
	struct weir_packet packet;
	uint8_t *data = place(4, 1, payload, sizeof(payload), &packet);

	for (unsigned int length = 1; length <= WEIR_KEY_BYTES_MAX; length++) {
		for (unsigned int offset = 0; offset <= 44; offset += 4) {
			struct weir_key_spec spec = {
				WEIR_KEY_BYTES, (uint8_t)length, (uint16_t)offset};
			bool fits = offset + length <= sizeof(payload);
			uint64_t hash = hash_packet(&spec, data, &packet, fits ? OK : TRUNCATED);

			for (unsigned int at = 0; fits && at < sizeof(payload); at++) {
				data[14 + 20 + 8 + at] = 1;
				CU_ASSERT_EQUAL(hash_packet(&spec, data, &packet, OK) != hash,
					at >= offset && at < offset + length);
				data[14 + 20 + 8 + at] = 0;
			}
		}
	}
}

static void each_part_of_the_5tuple_counts(void)
{
	struct weir_key_spec spec = {.kind = WEIR_KEY_5TUPLE};

	for (int version = 4; version <= 6; version += 2) {
		struct weir_packet packet;
		uint8_t *data = place(version, 1, (const uint8_t *)"", 0, &packet);
		uint64_t hash = hash_packet(&spec, data, &packet, OK);
		size_t from = 14 + (version == 4 ? 12 : 8), to = 14 + (version == 4 ? 20 : 40);

		for (size_t at = from; at < to; at++) {
			data[at] ^= 8;
			CU_ASSERT_NOT_EQUAL(hash_packet(&spec, data, &packet, OK), hash);
			data[at] ^= 8;
		}
		packet.source_port++;
		CU_ASSERT_NOT_EQUAL(hash_packet(&spec, data, &packet, OK), hash);
		packet.source_port--;
		packet.destination_port++;
		CU_ASSERT_NOT_EQUAL(hash_packet(&spec, data, &packet, OK), hash);
	}
}

/* chi square of the counts, as standard deviations above what chance alone would give. */
static double unevenness(const unsigned int *counts, unsigned int partitions, unsigned int total)
{
	double expected = (double)total / partitions, chi = 0, free = partitions - 1.0, over;

	for (unsigned int i = 0; i < partitions; i++)
		chi += (counts[i] - expected) * (counts[i] - expected) / expected;
	over = chi - free;
	return over <= 0 ? 0 : over * over / (2 * free);
}

/* Keys that count up by `step` from `start` in the word (exporter << 32 | id). */
static void spread(uint64_t start, uint64_t step)
{
	static const uint16_t sizes[] = {2, 7, 16, 64, 256, 1000};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unsigned int counts[1000] = {0}, total = sizes[i] * 50u;

		for (unsigned int key = 0; key < total; key++) {
			uint64_t word = start + key * step;
			uint64_t hash = weir_hash_finish(weir_hash_word(WEIR_HASH_START, word));

			counts[weir_key_partition(hash, sizes[i])]++;
		}
		CU_ASSERT(unevenness(counts, sizes[i], total) < 25); /* five deviations, squared */
		if (sizes[i] <= 64)
			for (unsigned int part = 0; part < sizes[i]; part++)
				CU_ASSERT(counts[part] > 15 && counts[part] < 100);
	}
}

static void keys_in_a_row_spread_evenly(void)
{
	spread(0x0a00000100000000ull, 1ull << 32); /* exporters, domain 0 */
	spread(0x0a00000100000007ull, 1ull << 32);
	spread(0x0a00000100000007ull, 1ull << 40); /* 10.0.x.1 */
	spread(0x0a00000100000000ull, 1);          /* domains or TEIDs of one address */
	spread(0x0a00000100000000ull, 256);
	spread(0x0a00000180000000ull, 65536);
	spread(0xc0a8000100001000ull, (1ull << 32) + 1);
	spread(0, 1); /* SSRC */
}

static void each_bit_of_a_key_moves_half_the_hash(void)
{
	uint64_t state = 88172645463325252ull;
	const unsigned int rounds = 4000;

	for (unsigned int bit = 0; bit < 64; bit++) {
		unsigned int flips[32] = {0};

		for (unsigned int round = 0; round < rounds; round++) {
			uint64_t word = (uint64_t)guard_random(&state) << 32 | guard_random(&state);
			uint64_t a = weir_hash_finish(weir_hash_word(WEIR_HASH_START, word));
			uint64_t b = weir_hash_finish(
				weir_hash_word(WEIR_HASH_START, word ^ 1ull << bit));

			for (unsigned int out = 0; out < 32; out++)
				flips[out] += (a ^ b) >> (32 + out) & 1;
		}
		for (unsigned int out = 0; out < 32; out++)
			CU_ASSERT(flips[out] > rounds * 0.45 && flips[out] < rounds * 0.55);
	}
}

/* A partition is remembered across restarts and by the BPF program: the hash never changes. */
static void the_hash_is_as_it_always_was(void)
{
	const uint8_t exporter[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

	CU_ASSERT_EQUAL(weir_key_hash_address((const uint8_t[]){192, 0, 2, 1}, 0, 7),
		0xb1c2ca3adf5e2d1bull);
	CU_ASSERT_EQUAL(weir_key_hash_address(exporter, 1, 7), 0x4af86b22c8e9f320ull);
	CU_ASSERT_EQUAL(weir_key_partition(0, 1), 0);
	CU_ASSERT_EQUAL(weir_key_partition(UINT64_MAX, 4096), 4095);
	CU_ASSERT_EQUAL(weir_key_partition(UINT64_MAX, 65535), 65534);
	CU_ASSERT_EQUAL(weir_key_partition(1ull << 63, 3), 1);
}

static void names_lead_to_kinds_and_back(void)
{
	for (int kind = 0; kind < WEIR_KEY_KINDS; kind++)
		CU_ASSERT_EQUAL(weir_key_kind_parse(weir_key_kind_name(kind)), kind);
	CU_ASSERT_EQUAL(weir_key_kind_parse("5tuple"), WEIR_KEY_5TUPLE);
	CU_ASSERT(weir_key_kind_parse("no such key") < 0);
	CU_ASSERT_PTR_NULL(weir_key_kind_name(WEIR_KEY_KINDS));
}

struct capture {
	const char *file;
	enum weir_key_kind kind;
	unsigned int datagrams, kernel; /* frames of each sort */
	unsigned int keys;
};

/* Counted with tshark. */
static const struct capture captures[] = {
	{"ipfix-cisco.pcap", WEIR_KEY_FLOW, 6, 0, 2},
	{"netflow9-cisco.pcap", WEIR_KEY_IPFIX, 40, 0, 1},
	{"ipfix-ipv6-cisco-sampling-option.pcap", WEIR_KEY_IPFIX, 5, 0, 1},
	{"ipfix-huawei-vrf.pcap", WEIR_KEY_FLOW, 6, 0, 1},
	{"mixed-sources-00.pcap", WEIR_KEY_FLOW, 11, 0, 1},
	{"mixed-sources-01.pcap", WEIR_KEY_IPFIX, 11, 0, 1},
	{"ipfix-bmp-srv6-multi.pcap", WEIR_KEY_IPFIX, 583, 23, 1},
	{"udp-notif-huawei.pcap", WEIR_KEY_UDP_NOTIF, 544, 0, 1},
};

static void check_capture(const struct capture *capture, struct pcap *pcap)
{
	struct weir_key_spec spec = {.kind = (uint8_t)capture->kind};
	unsigned int datagrams = 0, kernel = 0, keys = 0;
	uint64_t seen[32] = {0}, hash;
	const uint8_t *frame;
	size_t length;

	while ((frame = pcap_next(pcap, &length)) != NULL) {
		const uint8_t *data = guard_place(&guard, frame, length);
		enum weir_reason reason = WEIR_REASON_NONE;
		struct weir_packet packet;
		unsigned int i = 0;

		if (weir_parse(data, guard.end, &packet, &reason) != WEIR_PARSE_UDP) {
			CU_ASSERT_EQUAL(reason, WEIR_REASON_NONE);
			kernel++;
			continue;
		}
		datagrams++;
		hash = hash_packet(&spec, data, &packet, OK);
		while (i < keys && seen[i] != hash)
			i++;
		if (i == keys && keys < 32)
			seen[keys++] = hash;
	}
	CU_ASSERT_EQUAL(datagrams, capture->datagrams);
	CU_ASSERT_EQUAL(kernel, capture->kernel);
	CU_ASSERT_EQUAL(keys, capture->keys);
	if (keys != capture->keys)
		printf("\n  %s: %u keys %u %u", capture->file, keys, datagrams, kernel);
}

static void captures_of_real_routers_have_keys(void)
{
	for (size_t i = 0; i < sizeof(captures) / sizeof(captures[0]); i++) {
		char path[128];
		struct pcap pcap;

		snprintf(path, sizeof(path), CAPTURES "%s", captures[i].file);
		if (pcap_open(&pcap, path) < 0) {
			printf("\n  %s is not there: left out ", path);
			continue;
		}
		check_capture(&captures[i], &pcap);
		pcap_close(&pcap);
	}
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"each payload has its key or its reason", each_payload_has_its_key_or_its_reason},
		{"only the chosen bytes are the key", only_the_chosen_bytes_are_the_key},
		{"each part of the 5-tuple counts", each_part_of_the_5tuple_counts},
		{"keys in a row spread evenly", keys_in_a_row_spread_evenly},
		{"each bit of a key moves half the hash", each_bit_of_a_key_moves_half_the_hash},
		{"the hash is as it always was", the_hash_is_as_it_always_was},
		{"names lead to kinds and back", names_lead_to_kinds_and_back},
		{"captures of real routers have keys", captures_of_real_routers_have_keys},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{.pName = "wire key", .pTests = tests}, CU_SUITE_INFO_NULL};

	guard = guard_make();
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_tests_run() == 0)
		return 2;
	guard_free(&guard);
	return CU_get_number_of_failures() != 0;
}
