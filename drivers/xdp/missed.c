/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/missed.h"

#include <stdbool.h>

#include "dataplane/missed.h"

_Static_assert(sizeof(struct weir_missed) == sizeof(struct weir_xdp_missed), "one memory");

/* The lowest place at or above `from` where `count` are free; WEIR_XDP_MISSED: there is none. */
static uint32_t find_room(const struct weir_xdp_shared *shared, uint32_t from, uint32_t count)
{
	uint32_t first = from;

	for (uint32_t slot = 0; slot < WEIR_XDP_STREAMS; slot++) {
		const struct weir_xdp_missed_range *range = &shared->missed_ranges[slot];

		if (range->count == 0 || range->first >= first + count ||
			range->first + range->count <= first)
			continue;
		first = range->first + range->count;
		slot = UINT32_MAX; /* all again, for this place */
	}
	return first <= WEIR_XDP_MISSED - count ? first : WEIR_XDP_MISSED;
}

static uint32_t find_end(const struct weir_xdp_shared *shared)
{
	uint32_t end = 0;

	for (uint32_t slot = 0; slot < WEIR_XDP_STREAMS; slot++)
		if (shared->missed_ranges[slot].count != 0)
			end = RTE_MAX(end, shared->missed_ranges[slot].first +
						   shared->missed_ranges[slot].count);
	return end;
}

static bool is_owing(
	const struct weir_xdp_shared *shared, const struct weir_xdp_missed_range *range)
{
	for (uint32_t i = 0; i < range->count; i++)
		if (shared->missed[range->first + i].count !=
				shared->missed[range->first + i].told ||
			shared->missed[range->first + i].given != 0)
			return true;
	return false;
}

uint32_t weir_xdp_missed_share(struct weir_xdp_shared *shared, uint32_t slot, uint16_t partitions)
{
	struct weir_xdp_missed_range *range = &shared->missed_ranges[slot];
	uint32_t first;
	bool owes;

	/* The last slot is everybody's once all are taken. */
	if (slot >= WEIR_XDP_STREAMS - 1 || partitions == 0)
		return 0;
	if (range->count == partitions && range->first <= WEIR_XDP_MISSED - partitions)
		return range->first + 1;
	owes = range->first <= WEIR_XDP_MISSED && range->count <= WEIR_XDP_MISSED - range->first &&
	       is_owing(shared, range);
	range->count = 0;
	first = find_room(shared, find_end(shared), partitions);
	if (first == WEIR_XDP_MISSED)
		first = find_room(shared, 0, partitions);
	if (first == WEIR_XDP_MISSED)
		return 0;
	for (uint32_t i = 0; i < partitions; i++)
		shared->missed[first + i] = (struct weir_xdp_missed){.count = owes};
	*range = (struct weir_xdp_missed_range){first, partitions};
	return first + 1;
}

void weir_xdp_missed_keep(struct weir_xdp_shared *shared, const uint64_t *slots)
{
	for (uint32_t slot = 0; slot < WEIR_XDP_STREAMS; slot++)
		if (!(slots[slot / 64] >> (slot % 64) & 1))
			shared->missed_ranges[slot].count = 0;
}
