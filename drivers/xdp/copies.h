/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "config/config.h"
#include "xdp/shared.h"

/*
 * The kinds of fan-out of a generation: how many copies go to which port. A partition whose kind
 * has no map of its own any more uses one with more entries, of which those that it does not need
 * drop their clone. Control thread only.
 */
struct weir_xdp_copies {
	uint8_t counts[WEIR_XDP_COPY_MAPS][WEIR_MAX_PORTS];
	uint32_t used;
};

/*
 * The map, + 1, for `counts` copies to each port, of which there are at most WEIR_XDP_MAX_COPIES; 0
 * when none can have it.
 */
uint8_t weir_xdp_copies_find(struct weir_xdp_copies *copies, const uint8_t counts[WEIR_MAX_PORTS]);
/* Fill the maps of a bank. 0 or -errno. */
int weir_xdp_copies_write(const struct weir_xdp_copies *copies, struct weir_xdp_shared *shared,
	uint32_t bank, const uint32_t ifindex[WEIR_MAX_PORTS]);
