/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/route.h"
#include "weir_xdp.skel.h"
#include "wire/match_build.h"
#include "xdp/plan.h"
#include "xdp/shared.h"

/*
 * The XDP program, loaded and fed through BPF_PROG_TEST_RUN: a frame in, a frame and a verdict out.
 * It is told of no socket, so it delivers all that is for a stream itself.
 */

#define XDP_ROOM    2048
#define XDP_STREAMS 16
#define XDP_IFINDEX 1 /* lo: a device that is there everywhere */

struct xdp_fixture {
	struct weir_xdp *skeleton;
	struct weir_xdp_shared shared;
	uint64_t generation;
	/* Of the tables that are published next: the gateway's addresses and its protocol port. */
	const struct weir_prefix_set *own;
	uint16_t native_port;
};

struct xdp_result {
	uint32_t verdict; /* enum xdp_action */
	uint32_t length;
	uint8_t bytes[XDP_ROOM];
};

/* False: no BPF here (no privilege); the test is skipped. */
bool xdp_fixture_open(struct xdp_fixture *fixture);
void xdp_fixture_close(struct xdp_fixture *fixture);
/* Tables of these rules and streams, in use. */
void xdp_fixture_publish(struct xdp_fixture *fixture, const struct weir_match_rule *rules,
	const struct weir_xdp_plan_stream *streams, unsigned int count);
void xdp_fixture_run(const struct xdp_fixture *fixture, const uint8_t *frame, uint32_t length,
	struct xdp_result *result);
/* Nanoseconds a run of one frame, the best of several rounds. */
double xdp_fixture_time(int program_fd, const uint8_t *frame, uint32_t length, uint32_t rounds);

/* A route whose destination port tells which slot it is of. */
struct weir_route xdp_route(uint16_t slot, uint8_t ip_version, uint16_t vlan, bool keep_source);
/* What the gateway makes of the frame by this route; false: it would not send it. */
bool xdp_expect(const struct weir_route *route, const uint8_t *frame, uint32_t length,
	struct xdp_result *result);
