/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/bytes.h"

/*
 * The hash of a key: 64-bit words in, 64 well-mixed bits out. Freestanding and the same
 * everywhere (gateway, BPF, client), so only 64-bit multiply, xor and shift: BPF has no wider
 * product. It spreads honest keys; it is no defence against an exporter that picks its ids to
 * hit one partition, which is why a partition's memory is bounded.
 *
 * A multiply carries every bit upwards only; the shift by half brings the top down again, and
 * the next multiply carries it up once more. The second of these in the end is for the highest
 * bits of the last word, an exporter's first octet, which one would spread too thinly.
 */

/* Odd, and dense in no regular pattern: fractions of the golden ratio, sqrt(3) and sqrt(5). */
#define WEIR_HASH_STEP  0x9e3779b97f4a7c15ull
#define WEIR_HASH_FINAL 0xbb67ae8584caa73bull
#define WEIR_HASH_START 0x3c6ef372fe94f82bull

WEIR_INLINE uint64_t weir_hash_word(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * WEIR_HASH_STEP;
	return hash ^ hash >> 32;
}

WEIR_INLINE uint64_t weir_hash_finish(uint64_t hash)
{
	hash *= WEIR_HASH_FINAL;
	hash ^= hash >> 32;
	hash *= WEIR_HASH_STEP;
	return hash ^ hash >> 32;
}
