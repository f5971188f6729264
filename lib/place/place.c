/* SPDX-License-Identifier: BSD-3-Clause */
#include "place/place.h"

#include <string.h>

/* Finalizer with full avalanche: every bit of the pair decides half of the score's bits. */
static uint64_t mix(uint64_t value)
{
	value ^= value >> 32;
	value *= 0x9e3779b97f4a7c15ull;
	value ^= value >> 29;
	value *= 0xd6e8feb86659fd93ull;
	value ^= value >> 32;
	return value;
}

static uint32_t best_member(const uint64_t *members, uint32_t member_count, uint32_t partition,
	const uint32_t *load, uint32_t bound)
{
	uint32_t best = WEIR_PLACE_NONE;
	uint64_t best_score = 0;

	for (uint32_t member = 0; member < member_count; member++) {
		uint64_t score = mix(members[member] + mix(partition + 1));

		if (load[member] < bound && (best == WEIR_PLACE_NONE || score > best_score)) {
			best = member;
			best_score = score;
		}
	}
	return best;
}

void weir_place_assign(const uint64_t *members, uint32_t member_count, uint32_t partition_count,
	uint32_t *owners, uint32_t *load)
{
	uint32_t bound;

	if (member_count == 0) {
		for (uint32_t partition = 0; partition < partition_count; partition++)
			owners[partition] = WEIR_PLACE_NONE;
		return;
	}
	bound = (uint32_t)(((uint64_t)partition_count * 5 + 4 * (uint64_t)member_count - 1) /
			   (4 * (uint64_t)member_count));
	memset(load, 0, member_count * sizeof(*load));
	for (uint32_t partition = 0; partition < partition_count; partition++) {
		owners[partition] = best_member(members, member_count, partition, load, bound);
		load[owners[partition]]++;
	}
}

uint64_t weir_place_identity(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3ull;
	return mix(hash);
}
