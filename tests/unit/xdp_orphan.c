/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp_orphan.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "wire/match.h"
#include "wire/prefix_set.h"
#include "xdp_frames.h"

#define SKIPPED 77 /* to meson */

struct xdp_fixture orphan_fixture;
struct weir_xdp_will_session *orphan_session;
struct weir_xdp_will_lane *orphan_lane;
struct weir_xdp_missed *orphan_missed;

void orphan_queue(uint32_t armed, uint32_t tripped, uint32_t owner, uint32_t instance)
{
	const struct weir_xdp_queue_state state = {
		.armed = armed, .tripped = tripped, .owner = owner, .instance = instance};
	uint32_t zero = 0;

	bpf_map_update_elem(
		bpf_map__fd(orphan_fixture.skeleton->maps.queues), &zero, &state, BPF_ANY);
}

void orphan_die(bool is_dead)
{
	orphan_fixture.shared.current->instance = 7;
	orphan_fixture.shared.current->orphaned_ns = 0;
	orphan_queue(3, 3, is_dead ? 0 : 1, 7);
}

uint64_t orphan_clock_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void orphan_use_stream(unsigned int groups, uint16_t other)
{
	static const uint16_t first[] = {SLOT};
	static const struct weir_port_range port = {XDP_FIRST_PORT, XDP_FIRST_PORT};
	static const uint8_t maps[] = {1};
	const struct weir_match_rule rule = {.vlan = WEIR_MATCH_VLAN_ANY,
		.outer_vlan = WEIR_MATCH_VLAN_ANY,
		.ports = &port,
		.port_count = 1};
	const struct weir_xdp_plan_group list[] = {{.sample = 1,
							   .slot = GROUP,
							   .class = WEIR_CLASS_NATIVE,
							   .consumers = first,
							   .will = WILL + 1},
		{.sample = 1,
			.slot = GROUP + 1,
			.class = WEIR_CLASS_NATIVE,
			.consumers = &other,
			.will = OTHER_WILL + 1}};
	const struct weir_xdp_plan_stream stream = {.key = {.kind = WEIR_KEY_5TUPLE},
		.slot = 2,
		.partitions = 1,
		.groups = list,
		.group_count = groups,
		.missed = MISSED + 1,
		.copy_maps = maps};

	xdp_fixture_publish(&orphan_fixture, &rule, &stream, 1);
}

struct weir_route orphan_begin(uint8_t ip_version, uint16_t vlan)
{
	struct weir_route route = xdp_route(SLOT, ip_version, vlan, false);
	struct weir_xdp_group_counters none[256] = {0};
	uint32_t key = GROUP;

	weir_xdp_shared_route(
		&orphan_fixture.shared, SLOT, &route, XDP_IFINDEX, WEIR_CLASS_NATIVE, 0);
	bpf_map_update_elem(orphan_fixture.shared.group_counters_fd, &key, none, BPF_ANY);
	*orphan_missed = (struct weir_xdp_missed){0};
	*orphan_session = (struct weir_xdp_will_session){.session = SESSION,
		.limit_messages = 2000,
		.leased_messages = 1500,
		.limit_bytes = 1000000,
		.leased_bytes = 60000,
		.liveness_ns = LIVENESS_NS,
		.max_datagram = 1400};
	*orphan_lane = (struct weir_xdp_will_lane){.session = SESSION,
		.first = 77,
		.messages = 1000,
		.bytes = 50000,
		.next = 1200,
		.epoch = 9,
		.stream = 4,
		.partition = 0,
		.consumer = SLOT};
	orphan_fixture.shared.current->wall_offset =
		(int64_t)(orphan_clock_ns(CLOCK_REALTIME) - orphan_clock_ns(CLOCK_MONOTONIC));
	orphan_die(true);
	orphan_use_stream(1, OTHER);
	return route;
}

struct weir_xdp_group_counters orphan_counters(uint32_t slot)
{
	struct weir_xdp_group_counters counters;

	CU_ASSERT_EQUAL_FATAL(weir_xdp_shared_group(&orphan_fixture.shared, slot, &counters), 0);
	return counters;
}

void orphan_seal(uint8_t *frame, uint32_t l3)
{
	bool is_ipv6 = frame[l3] >> 4 == 6;
	uint8_t *udp = frame + l3 + (is_ipv6 ? 40 : 20);
	uint16_t length = weir_load16be(udp + 4);
	uint64_t sum = weir_sum_address(frame + l3 + (is_ipv6 ? 8 : 12), is_ipv6 ? 32 : 8);

	weir_store16(udp + 6, 0);
	sum += rte_cpu_to_be_16(17) + (uint64_t)rte_cpu_to_be_16(length);
	sum += weir_sum_bytes(udp, length);
	sum = (uint16_t)~weir_sum_fold(sum);
	weir_store16(udp + 6, sum != 0 ? (uint16_t)sum : 0xffff);
}

int orphan_run(const char *name, CU_TestInfo *tests)
{
	static const struct weir_prefix own[] = {
		{.address = {.family = 4, .bytes = {10, 10, 10, 10}}, .length = 32},
		{.address = {.family = 6,
			 .bytes = {10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10}},
			.length = 128}};
	CU_SuiteInfo suites[] = {{name, NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	struct weir_prefix_set *set = NULL;

	if (!xdp_fixture_open(&orphan_fixture)) {
		printf("no BPF here: skipped\n");
		return SKIPPED;
	}
	if (weir_prefix_set_build(own, 2, &set) < 0 || CU_initialize_registry() != CUE_SUCCESS ||
		CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	orphan_fixture.own = set;
	orphan_fixture.native_port = NATIVE_PORT;
	orphan_session = &orphan_fixture.shared.will_sessions[SLOT];
	orphan_lane = &orphan_fixture.shared.will_lanes[WILL];
	orphan_missed = &orphan_fixture.shared.missed[MISSED];
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	xdp_fixture_close(&orphan_fixture);
	weir_prefix_set_free(set);
	return CU_get_number_of_failures() != 0;
}
