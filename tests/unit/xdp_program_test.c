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
#include "wire_key_cases.h"
#include "wire_malformed.h"
#include "wire_pcap.h"
#include "xdp_fixture.h"
#include "xdp_frames.h"
#include "xdp/under_way.h"

/*
 * That the XDP program sees in a packet what the gateway sees: stream, partition and fault. Each
 * partition has a consumer of its own, so the frame that leaves tells where it went; it must be
 * what the gateway would send, byte by byte.
 */

#define CAPTURES      "../shared/data/"
#define SKIPPED       77 /* to meson */
#define PARTITIONS    1000
#define RANDOM_FRAMES 1000000
#define MISSED        77 /* place of the IPFIX stream's partitions in that map */

static const char *const captures[] = {"ipfix-cisco", "netflow9-cisco",
	"ipfix-ipv6-cisco-sampling-option", "ipfix-huawei-vrf", "mixed-sources-00",
	"mixed-sources-01", "ipfix-bmp-srv6-multi", "udp-notif-huawei"};

static struct xdp_fixture fixture;
static struct weir_match *judge;
static struct weir_key_spec keys[XDP_STREAMS];
static uint16_t slots[WEIR_KEY_KINDS][PARTITIONS];

/* Consumers of both versions, some behind a tag, some that keep the source. */
static struct weir_route route_of(uint16_t slot)
{
	return xdp_route(slot, slot % 3 == 2 ? 6 : 4, slot % 5 == 0 ? 7 : 0, slot % 7 == 0);
}

/* A stream for each kind of key at a port of its own, in which stream s has slots s * 1000 on. */
static void use_keys(void)
{
	static struct weir_port_range ports[WEIR_KEY_KINDS];
	static struct weir_match_rule rules[WEIR_KEY_KINDS];
	static struct weir_xdp_plan_group groups[WEIR_KEY_KINDS];
	struct weir_xdp_plan_stream streams[WEIR_KEY_KINDS];

	for (unsigned int kind = 0; kind < WEIR_KEY_KINDS; kind++) {
		uint16_t port = (uint16_t)(XDP_FIRST_PORT + kind);

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
			.missed = kind == WEIR_KEY_IPFIX ? MISSED + 1 : 0,
		};
	}
	weir_match_free(judge);
	CU_ASSERT_EQUAL_FATAL(weir_match_build(rules, WEIR_KEY_KINDS, &judge), 0);
	for (uint16_t i = 0; i < WEIR_KEY_KINDS * PARTITIONS; i++) {
		struct weir_route route = route_of(i);

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
	struct xdp_result result, expected;
	struct weir_route route;
	uint16_t slot = 0;

	*verdict = judge_frame(frame, length, &slot, &reason);
	xdp_fixture_run(&fixture, frame, length, &result);
	if (*verdict != XDP_REDIRECT)
		return result.verdict == *verdict;
	route = route_of(slot);
	if ((slot % 3 == 2 && lacks_checksum(frame, length)) ||
		!xdp_expect(&route, frame, length, &expected))
		return result.verdict == XDP_DROP;
	return result.verdict == XDP_REDIRECT && result.length == expected.length &&
	       memcmp(result.bytes, expected.bytes, expected.length) == 0;
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
		printf("%sfigure: %s: %u instructions, %u looked at by the verifier\n",
			program == fixture.skeleton->progs.weir_ingress ? "\n" : "",
			bpf_program__name(program), info.xlated_prog_len / 8, info.verified_insns);
		CU_ASSERT_TRUE(info.verified_insns < 100000);
	}
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

static struct weir_xdp_queue_state read_queue(void)
{
	struct weir_xdp_queue_state state;
	uint32_t queue = 0;

	CU_ASSERT_EQUAL_FATAL(
		bpf_map_lookup_elem(bpf_map__fd(fixture.skeleton->maps.queues), &queue, &state), 0);
	return state;
}

static void write_queue(const struct weir_xdp_queue_state *state)
{
	uint32_t queue = 0;

	CU_ASSERT_EQUAL_FATAL(bpf_map_update_elem(bpf_map__fd(fixture.skeleton->maps.queues),
				      &queue, state, BPF_ANY),
		0);
}

/* The socket that it would go to is not there, which is another reason to take the queue. */
static void test_an_orderly_end_begins_at_a_packet_before_which_all_has_left(void)
{
	struct weir_xdp_queue_state state = {
		.armed = 3, .owner = 1, .is_ending = 1, .redirected = 8, .consumed = 7};
	struct xdp_result result;
	uint8_t frame[256];
	uint32_t length;

	use_keys();
	length = xdp_frame_of(
		frame, 4, XDP_FIRST_PORT + WEIR_KEY_5TUPLE, (const uint8_t *)"payload", 7);
	write_queue(&state);
	xdp_fixture_run(&fixture, frame, length, &result);
	CU_ASSERT_EQUAL(read_queue().ended, 0);
	CU_ASSERT_EQUAL(read_queue().trip_reason, WEIR_XDP_TRIP_SOCKET);
	state.consumed = 8;
	write_queue(&state);
	xdp_fixture_run(&fixture, frame, length, &result);
	CU_ASSERT_EQUAL(result.verdict, XDP_REDIRECT);
	state = read_queue();
	CU_ASSERT_EQUAL(state.ended, 3);
	CU_ASSERT_EQUAL(state.trips, 0);
	CU_ASSERT_EQUAL(state.in_kernel, 1);
	/* Once for all, whatever the worker's counters say. */
	state.consumed = 7;
	write_queue(&state);
	xdp_fixture_run(&fixture, frame, length, &result);
	CU_ASSERT_EQUAL(read_queue().trips, 0);
	CU_ASSERT_EQUAL(read_queue().in_kernel, 2);
	state = (struct weir_xdp_queue_state){0};
	write_queue(&state);
}

#define COPIED 300 /* packets, more than there are places for */

/* A stream of two groups, whose copies would leave by devices of map 0, of which there are none. */
static void use_two_groups(const uint16_t *first, const uint16_t *second, const uint8_t *maps)
{
	static const struct weir_port_range port = {XDP_FIRST_PORT, XDP_FIRST_PORT};
	const struct weir_match_rule rule = {.vlan = WEIR_MATCH_VLAN_ANY,
		.outer_vlan = WEIR_MATCH_VLAN_ANY,
		.ports = &port,
		.port_count = 1};
	const struct weir_xdp_plan_group groups[] = {{.sample = 1, .slot = 20, .consumers = first},
		{.sample = 1, .slot = 21, .consumers = second}};
	const struct weir_xdp_plan_stream stream = {
		.key = {.kind = WEIR_KEY_5TUPLE},
		.slot = 15,
		.partitions = 1,
		.groups = groups,
		.group_count = 2,
		.copy_maps = maps,
	};

	for (uint16_t i = 1; i <= 2; i++) {
		struct weir_route route = xdp_route(i, 4, 0, false);

		weir_xdp_shared_route(&fixture.shared, i, &route, XDP_IFINDEX, 0, 0);
	}
	xdp_fixture_publish(&fixture, &rule, &stream, 1);
}

static void test_copies_that_never_leave_are_counted_for_their_groups(void)
{
	static uint32_t early[WEIR_XDP_ATTACHMENTS], late[WEIR_XDP_ATTACHMENTS];
	const uint16_t first = 1, second = 2;
	const uint8_t map = 1;
	uint32_t places = fixture.shared.cpus * WEIR_XDP_UNDER_WAY;
	uint64_t begun = weir_xdp_under_way_clock();
	struct xdp_result result;
	uint8_t frame[256];
	uint32_t length = xdp_frame_of(frame, 4, XDP_FIRST_PORT, (const uint8_t *)"payload", 7);

	use_two_groups(&first, &second, &map);
	for (int i = 0; i < COPIED; i++)
		xdp_fixture_run(&fixture, frame, length, &result);
	/* What may still be under way is not lost yet. */
	weir_xdp_under_way_lost(fixture.shared.under_way, places, begun, early);
	weir_xdp_under_way_lost(fixture.shared.under_way, places, begun + 3600000000000, late);
	for (uint32_t slot = 20; slot <= 21; slot++) {
		struct weir_xdp_group_counters counters;

		CU_ASSERT_EQUAL_FATAL(weir_xdp_shared_group(&fixture.shared, slot, &counters), 0);
		CU_ASSERT_EQUAL(counters.received, COPIED);
		CU_ASSERT_EQUAL(counters.delivered, 0);
		CU_ASSERT_TRUE(counters.copies > 0);
		CU_ASSERT_EQUAL(early[slot], 0);
		CU_ASSERT_TRUE(late[slot] > 0);
		CU_ASSERT_EQUAL(counters.copies + late[slot], COPIED);
	}
}

static uint64_t faults(const struct key_case *item)
{
	struct weir_xdp_stream_counters counters;

	weir_xdp_shared_stream(&fixture.shared, item->kind, &counters);
	return item->reason == WEIR_REASON_KEY_TRUNCATED   ? counters.key_truncated
	       : item->reason == WEIR_REASON_KEY_VERSION   ? counters.key_version
	       : item->reason == WEIR_REASON_KEY_MALFORMED ? counters.key_malformed
							   : counters.received;
}

static void test_each_kind_of_key_is_delivered_or_counted_under_its_fault(void)
{
	static uint8_t frame[XDP_ROOM];
	uint32_t kinds = 0;

	use_keys();
	for (size_t i = 0; i < key_case_count; i++) {
		const struct key_case *item = &key_cases[i];

		for (uint8_t version = 4; version <= 6; version += 2) {
			uint32_t length = xdp_frame_of(frame, version,
					 (uint16_t)(XDP_FIRST_PORT + item->kind), item->payload,
					 item->length),
				 verdict;
			uint64_t before = faults(item);

			CU_ASSERT_TRUE(agrees(frame, length, &verdict));
			CU_ASSERT_EQUAL(verdict,
				item->reason == WEIR_REASON_NONE ? XDP_REDIRECT : XDP_DROP);
			CU_ASSERT_EQUAL(faults(item), before + 1);
		}
		kinds |= 1u << item->kind;
	}
	/* Any bytes are a key by themselves: no payload is special. */
	CU_ASSERT_EQUAL(kinds, (1u << WEIR_KEY_KINDS) - 1 - (1u << WEIR_KEY_BYTES));
}

static uint64_t sum_missed(uint32_t first, uint32_t count)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += fixture.shared.missed[first + i].count;
	return sum;
}

/* Of a stream with a native group, each message by its partition; of others none. */
static void test_what_native_consumers_miss_is_counted_by_partition(void)
{
	static uint8_t frame[XDP_ROOM];
	uint64_t before = sum_missed(MISSED, PARTITIONS), redirected = 0;

	use_keys();
	for (size_t i = 0; i < key_case_count; i++) {
		const struct key_case *item = &key_cases[i];
		uint32_t length = xdp_frame_of(frame, 4, (uint16_t)(XDP_FIRST_PORT + item->kind),
				 item->payload, item->length),
			 verdict;
		uint16_t slot = 0;
		enum weir_reason reason;
		uint64_t of_partition;

		judge_frame(frame, length, &slot, &reason);
		of_partition = fixture.shared.missed[MISSED + slot % PARTITIONS].count;
		CU_ASSERT_TRUE(agrees(frame, length, &verdict));
		if (verdict != XDP_REDIRECT || item->kind != WEIR_KEY_IPFIX)
			continue;
		redirected++;
		CU_ASSERT_EQUAL(
			fixture.shared.missed[MISSED + slot % PARTITIONS].count, of_partition + 1);
	}
	CU_ASSERT_NOT_EQUAL(redirected, 0);
	CU_ASSERT_EQUAL(sum_missed(MISSED, PARTITIONS), before + redirected);
	CU_ASSERT_EQUAL(sum_missed(0, WEIR_XDP_MISSED), before + redirected);
}

static void test_a_million_random_packets_have_the_partition_that_the_gateway_gives(void)
{
	uint32_t counts[XDP_REDIRECT + 1] = {0}, wrong = 0;
	static uint8_t frame[XDP_ROOM];

	use_keys();
	for (uint32_t i = 0; i < RANDOM_FRAMES && wrong < 10; i++) {
		uint32_t length = xdp_frame_random(frame), verdict;

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
	xdp_frame_put16(frame + packet->l4_offset + 2, port);
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
				aim(copy, &packet, XDP_FIRST_PORT + kind);
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
	CU_add_test(suite, "each kind of key is delivered, or counted under its fault",
		test_each_kind_of_key_is_delivered_or_counted_under_its_fault);
	CU_add_test(suite, "an orderly end begins at a packet before which all has left",
		test_an_orderly_end_begins_at_a_packet_before_which_all_has_left);
	CU_add_test(suite, "copies that never leave are counted for their groups",
		test_copies_that_never_leave_are_counted_for_their_groups);
	CU_add_test(suite, "what native consumers miss is counted by partition",
		test_what_native_consumers_miss_is_counted_by_partition);
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
