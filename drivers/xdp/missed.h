/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "xdp/shared.h"

/*
 * The parts of the map `missed` that streams have: what the program takes of them is counted there
 * by partition, for native consumers. Control thread only.
 */

/*
 * Place of the first of a stream's partitions, + 1; 0: there is no room. `slot`: of its counters.
 * With another number of partitions than before it is another part, and what was not told yet is
 * told as one message of each partition.
 */
uint32_t weir_xdp_missed_share(struct weir_xdp_shared *shared, uint32_t slot, uint16_t partitions);
/* The streams whose bits are not set, of WEIR_XDP_STREAMS, have none any more. */
void weir_xdp_missed_keep(struct weir_xdp_shared *shared, const uint64_t *slots);
