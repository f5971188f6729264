/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/* One's complement sums (RFC 1071), and what header fields need to take part. Freestanding. */

/*
 * Fold a one's complement sum of 16- or 32-bit words to 16 bits: a number added to itself with its
 * halves swapped has the sum with its end-around carry in the upper half.
 */
static inline __attribute__((always_inline)) uint16_t weir_sum_fold(uint64_t sum)
{
	uint32_t half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);

	return (uint16_t)((half + (half << 16 | half >> 16)) >> 16);
}

/* The same of at most 32 bits. */
static inline __attribute__((always_inline)) uint16_t weir_sum_fold32(uint32_t sum)
{
	return (uint16_t)((sum + (sum << 16 | sum >> 16)) >> 16);
}
