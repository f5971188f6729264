/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>
#include <string.h>

#include <endian.h>
#include <sodium.h>

/*
 * The file, as encode.c writes and decode.c reads it. Fixed numbers are big-endian:
 *
 *   0  magic "WEIRSTAT"      8  version u32         12  flags u32 (1: clean)
 *  16  length of all u64    24  incarnation u64     32  wall clock, ns, u64
 *  40  streams u32          44  zero u32
 *  48  each stream: name, partitions u16, key digest u64, groups u8, heads;
 *      then each of its groups: name, done
 *  -32 BLAKE2b-256 of all before
 *
 * A name is its length u8 and its bytes. `heads` and `done` have one number a partition, as the
 * difference to the head of the partition before (the first: to 0) and to the head of the same
 * partition, modulo 2^64; differences of either sign are folded (0, -1, 1, -2 ...) and written in
 * groups of 7 bits, lowest first, the top bit set in all but the last byte. Partitions began to
 * count at about the same time and groups are nearly done, so most take one to five bytes.
 *
 * Whatever a later version changes, magic, version, length and checksum stay where they are: a
 * file of a newer gateway can be told from a damaged one.
 */
#define WEIR_STATE_MAGIC        "WEIRSTAT"
#define WEIR_STATE_VERSION      1
#define WEIR_STATE_CLEAN        1u
#define WEIR_STATE_HEADER       48
#define WEIR_STATE_CHECKSUM     32
#define WEIR_STATE_NUMBER_BYTES 10 /* that a folded difference takes at most */
/* What a stream's or group's fixed part takes at most. */
#define WEIR_STATE_FIXED_BYTES 64

enum {
	WEIR_STATE_AT_VERSION = 8,
	WEIR_STATE_AT_FLAGS = 12,
	WEIR_STATE_AT_LENGTH = 16,
	WEIR_STATE_AT_INCARNATION = 24,
	WEIR_STATE_AT_WALL = 32,
	WEIR_STATE_AT_STREAMS = 40,
	WEIR_STATE_AT_ZERO = 44,
};

static inline uint64_t weir_state_fold(uint64_t difference)
{
	return difference << 1 ^ (0 - (difference >> 63));
}

static inline uint64_t weir_state_unfold(uint64_t folded)
{
	return folded >> 1 ^ (0 - (folded & 1));
}

static inline uint64_t weir_state_get(const uint8_t *at, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static inline void weir_state_put(uint8_t *at, uint64_t value, unsigned int bytes)
{
	uint64_t wire = htobe64(value);

	memcpy(at, (const uint8_t *)&wire + sizeof(wire) - bytes, bytes);
}

static inline void weir_state_checksum(
	const uint8_t *bytes, size_t length, uint8_t checksum[WEIR_STATE_CHECKSUM])
{
	/* Finds the fast code for this machine; where it fails, the plain one does. */
	int rc = sodium_init();

	(void)rc;
	crypto_generichash(checksum, WEIR_STATE_CHECKSUM, bytes, length, NULL, 0);
}
