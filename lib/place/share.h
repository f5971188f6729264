/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * A share of a stream's partitions: always the same ones for the same share, and a larger share has
 * all that a smaller one has. Each partition has a rank by a hash of what is shared out (`topic`),
 * the stream's name and its number; a share is those of the lowest ranks. Shares of two topics have
 * nothing to do with each other.
 */

/* ranks[i] becomes the partition of rank i, of `count`; `keys` is room for as many. */
void weir_share_rank(
	const char *topic, const char *stream, uint16_t count, uint16_t *ranks, uint64_t *keys);

/* How many are a share, in percent: one at least, of a share that is not 0. */
static inline uint16_t weir_share_count(uint16_t count, uint32_t percent)
{
	return (uint16_t)(((uint32_t)count * percent + 99) / 100);
}
