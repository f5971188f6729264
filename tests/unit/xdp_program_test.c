/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/reason_text.h"
#include "wire/key_text.h"
#include "wire/match.h"
#include "wire/parse.h"
#include "wire_guard.h"
#include "wire_malformed.h"
#include "wire_pcap.h"
#include "xdp_fixture.h"

/*
 * That the XDP program sees in a packet what the gateway sees: stream, partition and fault. Each
 * partition has a consumer of its own, so the frame that leaves tells where it went.
 */

#define CAPTURES      "../shared/data/"
#define SKIPPED       77 /* to meson */
#define FIRST_PORT    10000
#define PARTITIONS    1000
#define RANDOM_FRAMES 1000000

static const char *const captures[] = {"ipfix-cisco", "netflow9-cisco",
	"ipfix-ipv6-cisco-sampling-option", "ipfix-huawei-vrf", "mixed-sources-00",
	"mixed-sources-01", "ipfix-bmp-srv6-multi", "udp-notif-huawei"};

static struct xdp_fixture fixture;
static uint64_t random_state = 0x9e3779b97f4a7c15ull;
static struct weir_match *judge;
static struct weir_key_spec keys[XDP_STREAMS];
static uint16_t slots[WEIR_KEY_KINDS][PARTITIONS];

static uint32_t pick(uint32_t below)
{
	return guard_random(&random_state) % below;
}

/* A stream for each kind of key at a port of its own, in which stream s has slots s * 1000 on. */
static void use_keys(void)
{
	static struct weir_port_range ports[WEIR_KEY_KINDS];
	static struct weir_match_rule rules[WEIR_KEY_KINDS];
	static struct weir_xdp_plan_group groups[WEIR_KEY_KINDS];
	struct weir_xdp_plan_stream streams[WEIR_KEY_KINDS];

	for (unsigned int kind = 0; kind < WEIR_KEY_KINDS; kind++) {
		uint16_t port = (uint16_t)(FIRST_PORT + kind);

		keys[kind] = (struct weir_key_spec){.kind = (uint8_t)kind};
		if (kind == WEIR_KEY_BYTES)
			keys[kind] = (struct weir_key_spec){kind, 13, 3};
		ports[kind] = (struct weir_port_range){port, port};
		rules[kind] = (struct weir_match_rule){
			.vlan = WEIR_MATCH_VLAN_ANY,
			.outer_vlan = WEIR_MATCH_VLAN_ANY,
			.ports = &ports[kind],
			.port_count = 1,
		};
		for (uint16_t p = 0; p < PARTITIONS; p++)
			slots[kind][p] = (uint16_t)(kind * PARTITIONS + p);
		groups[kind] = (struct weir_xdp_plan_group){
			.sample = 1, .slot = (uint16_t)kind, .consumers = slots[kind]};
		streams[kind] = (struct weir_xdp_plan_stream){
			.key = keys[kind],
			.slot = (uint16_t)kind,
			.partitions = PARTITIONS,
			.groups = &groups[kind],
			.group_count = 1,
		};
	}
	weir_match_free(judge);
	CU_ASSERT_EQUAL_FATAL(weir_match_build(rules, WEIR_KEY_KINDS, &judge), 0);
	for (uint16_t i = 0; i < WEIR_KEY_KINDS * PARTITIONS; i++) {
		struct weir_route route =
			xdp_route(i, i % 3 == 2 ? 6 : 4, i % 5 == 0 ? 7 : 0, false);

		weir_xdp_shared_route(&fixture.shared, i, &route, XDP_IFINDEX, 0, 0);
	}
	xdp_fixture_publish(&fixture, rules, streams, WEIR_KEY_KINDS);
}

/* What must become of the frame; *slot is set for XDP_REDIRECT. */
static uint32_t judge_frame(
	const uint8_t *frame, uint32_t length, uint16_t *slot, enum weir_reason *reason)
{
	struct weir_packet packet;
	enum weir_parse_result result = weir_parse(frame, frame + length, &packet, reason);
	uint64_t hash;
	uint16_t rule;

	if (result != WEIR_PARSE_UDP)
		return result == WEIR_PARSE_KERNEL ? XDP_PASS : XDP_DROP;
	rule = weir_match_lookup(judge, frame, &packet);
	if (rule == WEIR_MATCH_NONE)
		return XDP_PASS;
	*reason = weir_key_hash(&keys[rule], frame, frame + length, &packet, &hash);
	if (*reason != WEIR_REASON_NONE)
		return XDP_DROP;
	*slot = slots[rule][weir_key_partition(hash, PARTITIONS)];
	return XDP_REDIRECT;
}

static bool is_sent_to(const struct xdp_result *result, uint16_t slot)
{
	bool is_ipv6 = slot % 3 == 2;
	uint32_t port = 14 + (slot % 5 == 0 ? 4 : 0) + (is_ipv6 ? 40 : 20) + 2;

	return result->length >= port + 6 && weir_load16be(result->bytes + port) == slot;
}

/* Datagrams without a checksum cannot go to IPv6: rarer than the rest, and told apart here. */
static bool lacks_checksum(const uint8_t *frame, uint32_t length)
{
	struct weir_packet packet;
	enum weir_reason reason;

	return weir_parse(frame, frame + length, &packet, &reason) == WEIR_PARSE_UDP &&
	       weir_load16be(frame + packet.l4_offset + 6) == 0;
}

/* True: the program did with the frame what the gateway would. */
static bool agrees(const uint8_t *frame, uint32_t length, uint32_t *verdict)
{
	enum weir_reason reason = WEIR_REASON_NONE;
	struct xdp_result result;
	uint16_t slot = 0;

	*verdict = judge_frame(frame, length, &slot, &reason);
	xdp_fixture_run(&fixture, frame, length, &result);
	if (*verdict != XDP_REDIRECT)
		return result.verdict == *verdict;
	if (slot % 3 == 2 && lacks_checksum(frame, length))
		return result.verdict == XDP_DROP;
	return result.verdict == XDP_REDIRECT && is_sent_to(&result, slot);
}

static void test_the_verifier_accepts_the_program(void)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, fixture.skeleton->obj)
	{
		struct bpf_prog_info info = {0};
		uint32_t size = sizeof(info);

		CU_ASSERT_EQUAL_FATAL(
			bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size), 0);
		printf("%s%s: %u instructions, %u looked at by the verifier",
			program == fixture.skeleton->progs.weir_ingress ? "\n" : ", ",
			bpf_program__name(program), info.xlated_prog_len / 8, info.verified_insns);
		CU_ASSERT_TRUE(info.verified_insns < 100000);
	}
	printf("\n");
}

static void test_a_program_without_tables_leaves_all_to_the_kernel(void)
{
	const struct frame_spec spec = {.version = 4};
	struct xdp_result result;
	struct frame frame;

	frame_make(&spec, &frame);
	xdp_fixture_run(&fixture, frame.bytes, (uint32_t)frame.length, &result);
	CU_ASSERT_EQUAL(result.verdict, XDP_PASS);
	CU_ASSERT_EQUAL(result.length, frame.length);
	CU_ASSERT_EQUAL(memcmp(result.bytes, frame.bytes, frame.length), 0);
}

/* The kernel runs no program on less than an Ethernet header. */
static void test_a_malformed_frame_has_the_reason_that_the_gateway_gives(void)
{
	use_keys();
	for (size_t i = 0; i < malformed_count; i++) {
		const struct malformed *expected = &malformed_cases[i];
		uint64_t before, after;
		struct xdp_result result;
		struct frame frame;
		uint32_t verdict;

		frame_make(&expected->spec, &frame);
		if (frame.length < 14)
			continue;
		weir_xdp_shared_drops(&fixture.shared, expected->reason, &before);
		CU_ASSERT_TRUE(agrees(frame.bytes, (uint32_t)frame.length, &verdict));
		weir_xdp_shared_drops(&fixture.shared, expected->reason, &after);
		if (expected->result != WEIR_PARSE_DROP) {
			xdp_fixture_run(&fixture, frame.bytes, (uint32_t)frame.length, &result);
			CU_ASSERT_EQUAL(result.verdict, XDP_PASS); /* no stream has port 9991 */
		} else if (after != before + 1) {
			CU_FAIL("counted under another reason");
			printf("%s: %s\n", expected->name, weir_reason_name(expected->reason));
		}
	}
}

static void put16(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* What begins like a message of the kind, more often than not. */
static void fill_payload(unsigned int kind, uint8_t *payload, uint32_t length)
{
	static const uint8_t starts[WEIR_KEY_KINDS][4] = {[WEIR_KEY_FLOW] = {0, 10},
		[WEIR_KEY_IPFIX] = {0, 9},
		[WEIR_KEY_NETFLOW5] = {0, 5, 0, 1},
		[WEIR_KEY_SFLOW5] = {0, 0, 0, 5},
		[WEIR_KEY_GTPU] = {0x34, 255},
		[WEIR_KEY_UDP_NOTIF] = {0x21, 12},
		[WEIR_KEY_RTP] = {0x90}};

	for (uint32_t i = 0; i < length; i++)
		payload[i] = (uint8_t)pick(4) == 0 ? (uint8_t)pick(256) : (uint8_t)pick(3);
	if (pick(8) == 0 || length < 16)
		return;
	memcpy(payload, starts[kind], 4);
	if (kind == WEIR_KEY_FLOW)
		payload[1] = (uint8_t[]){5, 9, 10, 10}[pick(4)];
	if (kind == WEIR_KEY_FLOW || kind == WEIR_KEY_UDP_NOTIF)
		put16(payload + 2, pick(4) == 0 ? pick(length + 4) : length);
	if (kind == WEIR_KEY_GTPU)
		put16(payload + 2, length - 8);
	if (kind == WEIR_KEY_GTPU)
		payload[0] = (uint8_t)(0x30 | pick(8));
	if (kind == WEIR_KEY_SFLOW5)
		payload[7] = (uint8_t)(1 + pick(2));
}

/* The IPv4 header checksum, so that most frames get past it. */
static void seal_ipv4(uint8_t *ip)
{
	uint32_t sum = 0, size = (ip[0] & 0xf) * 4u;

	put16(ip + 10, 0);
	for (uint32_t i = 0; i < size; i += 2)
		sum += weir_load16be(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~sum & 0xffff);
}

/* An IPv4 header, with options now and then. Where what it carries begins. */
static uint8_t *make_ipv4(uint8_t *ip, uint32_t payload)
{
	uint32_t words = 5 + (pick(8) == 0 ? pick(11) : 0);

	for (uint32_t i = 0; i < words * 4; i++)
		ip[i] = (uint8_t)pick(256);
	ip[0] = (uint8_t)(0x40 | words);
	put16(ip + 2, words * 4 + 8 + payload);
	put16(ip + 6, pick(32) == 0 ? pick(65536) : pick(2) * 0x4000);
	ip[9] = pick(32) == 0 ? 6 : 17;
	return ip + words * 4;
}

/* Likewise an IPv6 header, with a chain of extension headers now and then. */
static uint8_t *make_ipv6(uint8_t *ip, uint32_t payload)
{
	static const uint8_t extensions[] = {0, 43, 44, 51, 60, 135};
	uint32_t chain = pick(4) == 0 ? pick(10) : 0;
	uint8_t *next = ip + 6, *at = ip + 40;

	for (uint32_t i = 0; i < 40; i++)
		ip[i] = (uint8_t)pick(256);
	ip[0] = 0x60;
	for (uint32_t i = 0; i < chain; i++) {
		uint32_t units = pick(8) == 0 ? 1 + pick(2) : 0, size;

		*next = i == 0 ? 0 : extensions[pick(sizeof(extensions))];
		size = *next == 44 ? 8 : 8 + units * 8;
		for (uint32_t j = 0; j < size; j++)
			at[j] = (uint8_t)(pick(8) == 0 ? pick(256) : 0);
		at[1] = (uint8_t)(*next == 51 ? size / 4 - 2 : units);
		if (pick(8) != 0)
			at[3] = 0;
		next = at;
		at += size;
	}
	*next = pick(32) == 0 ? 58 : 17;
	put16(ip + 4, (uint32_t)(at - ip) - 40 + 8 + payload);
	return at;
}

/* A frame of either version with 0 to 3 tags; sometimes damaged, cut or padded. */
static uint32_t make_frame(uint8_t *bytes)
{
	uint32_t tags = pick(8) < 5 ? 0 : 1 + pick(pick(16) == 0 ? 3 : 2);
	uint32_t kind = pick(WEIR_KEY_KINDS), payload = pick(4) == 0 ? pick(24) : 12 + pick(120);
	bool is_ipv6 = pick(2) != 0;
	uint8_t *at = bytes, *ip;

	for (uint32_t i = 0; i < 12; i++)
		*at++ = (uint8_t)pick(256);
	for (uint32_t i = 0; i < tags; i++, at += 4) {
		put16(at, (uint32_t[]){0x8100, 0x8100, 0x88a8, 0x9100}[pick(4)]);
		put16(at + 2, pick(65536));
	}
	put16(at, is_ipv6 ? 0x86dd : 0x0800);
	ip = at + 2;
	at = is_ipv6 ? make_ipv6(ip, payload) : make_ipv4(ip, payload);
	put16(at, pick(65536));
	put16(at + 2, pick(16) == 0 ? pick(65536) : FIRST_PORT + kind);
	put16(at + 4, 8 + payload);
	put16(at + 6, pick(8) == 0 ? 0 : pick(65536));
	fill_payload(kind, at + 8, payload);
	at += 8 + payload;
	if (pick(8) == 0)
		bytes[pick((uint32_t)(at - bytes))] = (uint8_t)pick(256);
	if (!is_ipv6 && pick(16) != 0 && (ip[0] & 0xf) >= 5)
		seal_ipv4(ip);
	if (pick(16) == 0)
		at -= pick((uint32_t)(at - bytes) - 14);
	else if (pick(8) == 0)
		at += pick(20);
	return (uint32_t)(at - bytes);
}

static void test_a_million_random_packets_have_the_partition_that_the_gateway_gives(void)
{
	uint32_t counts[XDP_REDIRECT + 1] = {0}, wrong = 0;
	static uint8_t frame[XDP_ROOM];

	use_keys();
	for (uint32_t i = 0; i < RANDOM_FRAMES && wrong < 10; i++) {
		uint32_t length = make_frame(frame), verdict;

		if (!agrees(frame, length, &verdict)) {
			printf("frame %u, of %u bytes\n", i, length);
			wrong++;
		}
		counts[verdict]++;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	printf("%u delivered, %u dropped, %u the kernel's ", counts[XDP_REDIRECT], counts[XDP_DROP],
		counts[XDP_PASS]);
	CU_ASSERT_TRUE(counts[XDP_REDIRECT] > RANDOM_FRAMES / 4);
	CU_ASSERT_TRUE(counts[XDP_DROP] > RANDOM_FRAMES / 50);
	CU_ASSERT_TRUE(counts[XDP_PASS] > RANDOM_FRAMES / 50);
}

/* The frame with another UDP destination port, so that each stream gets it. */
static void aim(uint8_t *frame, const struct weir_packet *packet, uint32_t port)
{
	put16(frame + packet->l4_offset + 2, port);
}

static void test_every_capture_has_the_partitions_that_the_gateway_gives(void)
{
	static uint8_t copy[XDP_ROOM];
	uint32_t delivered = 0, frames = 0;

	use_keys();
	for (size_t i = 0; i < sizeof(captures) / sizeof(captures[0]); i++) {
		struct weir_packet packet;
		enum weir_reason reason;
		const uint8_t *frame;
		struct pcap pcap;
		uint32_t verdict;
		char path[128];
		size_t length;

		snprintf(path, sizeof(path), CAPTURES "%s.pcap", captures[i]);
		if (pcap_open(&pcap, path) < 0) {
			printf("no %s ", path);
			continue;
		}
		while ((frame = pcap_next(&pcap, &length)) != NULL) {
			if (length > sizeof(copy))
				continue;
			memcpy(copy, frame, length);
			frames++;
			CU_ASSERT_TRUE(agrees(copy, (uint32_t)length, &verdict));
			if (weir_parse(copy, copy + length, &packet, &reason) != WEIR_PARSE_UDP)
				continue;
			for (uint32_t kind = 0; kind < WEIR_KEY_KINDS; kind++) {
				aim(copy, &packet, FIRST_PORT + kind);
				CU_ASSERT_TRUE(agrees(copy, (uint32_t)length, &verdict));
				delivered += verdict == XDP_REDIRECT;
			}
		}
		pcap_close(&pcap);
	}
	printf("%u frames, %u times delivered ", frames, delivered);
	CU_ASSERT_TRUE(frames == 0 || delivered > frames);
}

int main(void)
{
	unsigned int failures;

	if (!xdp_fixture_open(&fixture)) {
		printf("BPF programs may not be loaded here\n");
		return SKIPPED;
	}
	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	CU_pSuite suite = CU_add_suite("xdp_program", NULL, NULL);
	CU_add_test(suite, "the verifier accepts it", test_the_verifier_accepts_the_program);
	CU_add_test(suite, "without tables all is the kernel's",
		test_a_program_without_tables_leaves_all_to_the_kernel);
	CU_add_test(suite, "malformed frames have the gateway's reasons",
		test_a_malformed_frame_has_the_reason_that_the_gateway_gives);
	CU_add_test(suite, "captures have the gateway's partitions",
		test_every_capture_has_the_partitions_that_the_gateway_gives);
	CU_add_test(suite, "a million random packets have the gateway's partitions",
		test_a_million_random_packets_have_the_partition_that_the_gateway_gives);
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures() + CU_get_number_of_tests_failed();
	CU_cleanup_registry();
	weir_match_free(judge);
	xdp_fixture_close(&fixture);
	return failures != 0;
}
