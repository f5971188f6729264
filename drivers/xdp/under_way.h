/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "xdp/bpf/tables.h"

/*
 * Copies that were to be made and did not come to their egress device. The program counts one when
 * it needs the place of its packet again; what waits for that is found here.
 */

/* Now, on the clock of `since_ns`. */
uint64_t weir_xdp_under_way_clock(void);

/*
 * Adds what is lost at that time in `count` places to `lost`, which has WEIR_XDP_ATTACHMENTS
 * numbers, by slot.
 */
void weir_xdp_under_way_lost(
	const struct weir_xdp_under_way *places, uint32_t count, uint64_t now_ns, uint32_t *lost);
