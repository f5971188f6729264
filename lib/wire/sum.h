/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "wire/bytes.h"

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

/*
 * The sum of the bytes' 16-bit words as in memory, an odd one at the end with a 0 behind it: 16
 * bytes at a time, in lanes for the lower and the upper words. Up to a megabyte.
 */
static inline uint64_t weir_sum_bytes(const uint8_t *bytes, uint32_t length)
{
	typedef uint32_t words __attribute__((vector_size(16)));
	words low = {0}, high = {0}, next;
	uint16_t last = 0;
	uint64_t sum;

	for (; length >= sizeof(next); bytes += sizeof(next), length -= sizeof(next)) {
		__builtin_memcpy(&next, bytes, sizeof(next));
		low += next & 0xffff;
		high += next >> 16;
	}
	sum = (uint64_t)low[0] + low[1] + low[2] + low[3] + high[0] + high[1] + high[2] + high[3];
	if (length & 8) {
		sum += (uint64_t)weir_load32(bytes) + weir_load32(bytes + 4);
		bytes += 8;
	}
	if (length & 4) {
		sum += weir_load32(bytes);
		bytes += 4;
	}
	if (length & 2) {
		__builtin_memcpy(&last, bytes, 2);
		sum += last;
		last = 0;
	}
	if (length & 1) {
		__builtin_memcpy(&last, bytes + (length & 2), 1);
		sum += last;
	}
	return sum;
}
