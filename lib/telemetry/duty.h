/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#define WEIR_DUTY_CARRIED_US 1000000

/*
 * The share of `elapsed_us` that a worker was busy, 0 to 1; `busy_us` is what it has been in all,
 * `*seen` how much of that was told. A worker adds the time of a loop at its end: of one longer
 * than from a look to the next, what is more than there was time for is the next looks', for a
 * second at most. Pure.
 */
static inline double weir_duty_since(uint64_t *seen, uint64_t busy_us, uint64_t elapsed_us)
{
	uint64_t busy = busy_us >= *seen ? busy_us - *seen : 0;
	uint64_t told = busy < elapsed_us ? busy : elapsed_us;
	uint64_t left = busy - told;

	*seen = busy_us - (left < WEIR_DUTY_CARRIED_US ? left : WEIR_DUTY_CARRIED_US);
	return elapsed_us != 0 ? (double)told / (double)elapsed_us : 0;
}
