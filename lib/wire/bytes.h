/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * Unaligned reads of network-order fields. Freestanding: single loads on every target. The caller
 * has checked that the bytes are there.
 */

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WEIR_FROM_BE16(value) __builtin_bswap16(value)
#define WEIR_FROM_BE32(value) __builtin_bswap32(value)
#define WEIR_FROM_BE64(value) __builtin_bswap64(value)
#else
#define WEIR_FROM_BE16(value) (value)
#define WEIR_FROM_BE32(value) (value)
#define WEIR_FROM_BE64(value) (value)
#endif

/*
 * The BPF verifier must see that an offset read back from memory is small; every offset that
 * the parser produces is, so elsewhere there is nothing to do.
 */
#ifdef __bpf__
#define WEIR_BOUND(offset) ((offset)&0x3fff)
#else
#define WEIR_BOUND(offset) (offset)
#endif

/*
 * For a pointer that steps through a packet in a loop: keeps clang from turning its comparison
 * with the end into a count of rounds, which tells the verifier nothing.
 */
#ifdef __bpf__
#define WEIR_STEPPING(pointer) __asm__ volatile("" : "+r"(pointer))
#else
#define WEIR_STEPPING(pointer) ((void)(pointer))
#endif

/* Rare paths: kept out of line, except for BPF, where everything is one function. */
#ifdef __bpf__
#define WEIR_SLOW static inline __attribute__((always_inline))
#else
#define WEIR_SLOW static __attribute__((noinline, unused))
#endif

/* Whatever the compiler's taste, these are part of their caller. */
#define WEIR_INLINE static inline __attribute__((always_inline))

/*
 * What is read at any address. clang for BPF makes a load of each byte of a memcpy(); the kernel
 * takes unaligned loads from packets wherever the machine has them.
 */
#ifdef __bpf__
#define WEIR_LOAD(type, bytes) (*(const type __attribute__((may_alias)) *)(bytes))
#else
#define WEIR_LOAD(type, bytes)                                                                     \
	({                                                                                         \
		type value_;                                                                       \
		__builtin_memcpy(&value_, bytes, sizeof(value_));                                  \
		value_;                                                                            \
	})
#endif

/* Host order as in memory, for sums whose byte order does not matter (RFC 1071 2). */
WEIR_INLINE uint32_t weir_load32(const uint8_t *bytes)
{
	return WEIR_LOAD(uint32_t, bytes);
}

WEIR_INLINE uint64_t weir_load64(const uint8_t *bytes)
{
	return WEIR_LOAD(uint64_t, bytes);
}

WEIR_INLINE uint16_t weir_load16be(const uint8_t *bytes)
{
	return WEIR_FROM_BE16(WEIR_LOAD(uint16_t, bytes));
}

WEIR_INLINE uint32_t weir_load32be(const uint8_t *bytes)
{
	return WEIR_FROM_BE32(weir_load32(bytes));
}

WEIR_INLINE uint64_t weir_load64be(const uint8_t *bytes)
{
	return WEIR_FROM_BE64(weir_load64(bytes));
}
