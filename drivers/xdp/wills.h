/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "dataplane/stream.h"
#include "dataplane/will.h"
#include "xdp/shared.h"

/*
 * The parts of the map `will_lanes` that groups have of streams, by the slot of their counters, and
 * the numbers that the program has given out. Control thread only.
 */

/* Place of the first of a group's lanes of a stream, + 1; 0: there is no room. */
uint32_t weir_xdp_wills_share(struct weir_xdp_shared *shared, uint32_t slot, uint16_t partitions);
/* The groups whose bits are not set, of WEIR_XDP_ATTACHMENTS, have none any more. */
void weir_xdp_wills_keep(struct weir_xdp_shared *shared, const uint64_t *slots);
/* See struct weir_will_store. */
uint64_t weir_xdp_wills_above(
	const struct weir_xdp_shared *shared, const char *stream, uint16_t partition);
/*
 * Another gateway begins: the program gives out no more numbers for the one before, whatever ports
 * that one had. `shared` outlives what is returned.
 */
struct weir_will_store weir_xdp_wills_begin(struct weir_xdp_shared *shared);
/* From now on the owners of a group's lanes say there where they stand; NULL: nowhere. */
void weir_xdp_wills_set(const struct weir_attachment *attachment, struct weir_xdp_will_lane *first);
