/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "wire/bytes.h"

/*
 * Network byte order, both ways: each function is its own inverse. Freestanding. Fields of
 * packed structures are passed by value, so they may lie at any address.
 */

static inline uint16_t weir_be16(uint16_t value)
{
	return WEIR_FROM_BE16(value);
}

static inline uint32_t weir_be32(uint32_t value)
{
	return WEIR_FROM_BE32(value);
}

static inline uint64_t weir_be64(uint64_t value)
{
	return WEIR_FROM_BE64(value);
}
