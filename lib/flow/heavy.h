/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The keys that come most often, in bounded memory and at constant cost (Space-Saving: Metwally,
 * Agrawal and El Abbadi, 2005). A key that is not kept takes the place of the one with the lowest
 * count, and its count as what may be wrong with its own. So for N observations and E entries
 *
 *   count - error <= true count <= count,   error <= N / E,
 *
 * and every key with more than N / E of them is kept. Halving all now and then makes what was
 * longer ago count less. Pure; one thread's.
 */

#define WEIR_HEAVY_ENTRIES 32

struct weir_heavy_entry {
	uint64_t hash;  /* of the key */
	uint64_t count; /* 0: free */
	uint64_t error; /* of `count`, at most */
};

struct weir_heavy {
	uint64_t total; /* observations */
	struct weir_heavy_entry entries[WEIR_HEAVY_ENTRIES];
};

/* Count a key. Returns its entry; *is_new: it was not kept, and the entry was another's or free. */
static inline uint32_t weir_heavy_add(struct weir_heavy *heavy, uint64_t hash, bool *is_new)
{
	uint32_t least = 0;

	heavy->total++;
	*is_new = false;
	for (uint32_t i = 0; i < WEIR_HEAVY_ENTRIES; i++) {
		if (heavy->entries[i].hash == hash && heavy->entries[i].count != 0) {
			heavy->entries[i].count++;
			return i;
		}
		if (heavy->entries[i].count < heavy->entries[least].count)
			least = i;
	}
	*is_new = true;
	heavy->entries[least].hash = hash;
	heavy->entries[least].error = heavy->entries[least].count;
	heavy->entries[least].count++;
	return least;
}

static inline void weir_heavy_halve(struct weir_heavy *heavy)
{
	heavy->total /= 2;
	for (uint32_t i = 0; i < WEIR_HEAVY_ENTRIES; i++) {
		heavy->entries[i].error /= 2;
		heavy->entries[i].count /= 2;
	}
}
