/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <CUnit/Basic.h>

#include "xdp_fixture.h"

/*
 * A gateway that is dead, with a stream of one partition, and a native consumer whose session and
 * lane it has left to the program.
 */

#define SLOT        5  /* of the consumer */
#define OTHER       6  /* of the one of the second group */
#define GROUP       20 /* counters */
#define WILL        40 /* place of its only lane */
#define OTHER_WILL  50
#define MISSED      3 /* place of the only partition */
#define SESSION     (0xa1b2c3d4e5f60000u | SLOT)
#define NATIVE_PORT 4150
#define LIVENESS_NS 1000000000ull

extern struct xdp_fixture orphan_fixture;
extern struct weir_xdp_will_session *orphan_session;
extern struct weir_xdp_will_lane *orphan_lane;
extern struct weir_xdp_missed *orphan_missed;

/* Run the suite; the exit status. */
int orphan_run(const char *name, CU_TestInfo *tests);
/* A session with credit, whose lane stands at 1,000 messages of 50,000 bytes; the way to it. */
struct weir_route orphan_begin(uint8_t ip_version, uint16_t vlan);
/* One group, or a second with this consumer's slot. */
void orphan_use_stream(unsigned int groups, uint16_t other);
/* The gateway is dead, or is not. */
void orphan_die(bool is_dead);
void orphan_queue(uint32_t armed, uint32_t tripped, uint32_t owner, uint32_t instance);
uint64_t orphan_clock_ns(clockid_t id);
struct weir_xdp_group_counters orphan_counters(uint32_t slot);
/* The UDP checksum of a frame whose IP header begins at l3. */
void orphan_seal(uint8_t *frame, uint32_t l3);
