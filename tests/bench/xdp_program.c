/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "wire/key.h"
#include "xdp_fixture.h"
#include "xdp_frames.h"

/*
 * What the XDP program costs for one packet that it delivers: parse, match, key, hash, table, token
 * and headers, beside a program that does nothing. `xdp_program PAIRS` prints [[ns, ns of nothing],
 * ...] in JSON, of alternating runs.
 */

#define PORT       4739 /* also the slot: what was delivered comes in again as it is */
#define PARTITIONS 16
#define PAYLOAD    100

static const struct bpf_insn nothing[] = {
	{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
	{.code = BPF_JMP | BPF_EXIT},
};

static void publish(struct xdp_fixture *fixture)
{
	const struct weir_port_range port = {PORT, PORT};
	const struct weir_match_rule rule = {.vlan = WEIR_MATCH_VLAN_ANY,
		.outer_vlan = WEIR_MATCH_VLAN_ANY,
		.ports = &port,
		.port_count = 1};
	uint16_t consumers[PARTITIONS];
	struct weir_xdp_plan_group group = {.sample = 1, .consumers = consumers};
	struct weir_xdp_plan_stream stream = {.key = {.kind = WEIR_KEY_IPFIX},
		.partitions = PARTITIONS,
		.groups = &group,
		.group_count = 1};
	struct weir_route route = xdp_route(PORT, 4, 0, false);

	for (int i = 0; i < PARTITIONS; i++)
		consumers[i] = PORT;
	weir_xdp_shared_route(&fixture->shared, PORT, &route, XDP_IFINDEX, 0, 0);
	/* A limit that is never reached costs as much as one that is. */
	fixture->shared.buckets[PORT].bits.cost = 1;
	fixture->shared.buckets[PORT].bits.burst = UINT64_MAX / 4;
	xdp_fixture_publish(fixture, &rule, &stream, 1);
}

int main(int argc, char **argv)
{
	const uint8_t payload[PAYLOAD] = {0, 10, 0, PAYLOAD};
	int pairs = argc == 2 ? atoi(argv[1]) : 1;
	int empty = bpf_prog_load(BPF_PROG_TYPE_XDP, "empty", "GPL", nothing, 2, NULL);
	struct xdp_fixture fixture;
	struct xdp_result result;
	uint8_t frame[256];
	uint32_t length = xdp_frame_of(frame, 4, PORT, payload, PAYLOAD);

	if (empty < 0 || !xdp_fixture_open(&fixture)) {
		fprintf(stderr, "BPF programs may not be loaded here\n");
		return 1;
	}
	publish(&fixture);
	xdp_fixture_run(&fixture, frame, length, &result);
	if (result.verdict != XDP_REDIRECT) {
		fprintf(stderr, "the packet was not delivered: %u\n", result.verdict);
		return 1;
	}
	printf("[");
	for (int i = 0; i < pairs; i++) {
		int programs[2] = {bpf_program__fd(fixture.skeleton->progs.weir_ingress), empty};
		double ns[2];

		for (int side = 0; side < 2; side++)
			ns[(side + i) % 2] =
				xdp_fixture_time(programs[(side + i) % 2], frame, length, 5);
		printf("%s[%.0f, %.0f]", i == 0 ? "" : ", ", ns[0], ns[1]);
	}
	printf("]\n");
	xdp_fixture_close(&fixture);
	return 0;
}
