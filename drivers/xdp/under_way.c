/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/under_way.h"

#include <time.h>

/* From redirect to egress it is one poll of a NIC. The clock moves by up to 10 ms at a time. */
#define LATE_NS 50000000

uint64_t weir_xdp_under_way_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void weir_xdp_under_way_lost(
	const struct weir_xdp_under_way *places, uint32_t count, uint64_t now_ns, uint32_t *lost)
{
	for (uint32_t i = 0; i < count; i++) {
		const volatile struct weir_xdp_under_way *place = &places[i];
		uint32_t missing = place->missing;

		if (missing == 0 || (int64_t)(now_ns - place->since_ns) < LATE_NS)
			continue;
		for (uint32_t j = 0; j < WEIR_XDP_MAX_COPIES; j++)
			if ((missing >> j & 1) != 0 && place->groups[j] < WEIR_XDP_ATTACHMENTS)
				lost[place->groups[j]]++;
	}
}
