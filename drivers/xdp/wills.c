/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/wills.h"

#include <string.h>

#include "dataplane/missed.h"

#define APART 65536 /* a program that is just under way gives out fewer */

_Static_assert(sizeof(struct weir_will_session) == sizeof(struct weir_xdp_will_session), "one");
_Static_assert(sizeof(struct weir_will_lane) == sizeof(struct weir_xdp_will_lane), "memory");

/* The lowest place at or above `from` where `count` are free; WEIR_XDP_WILLS: there is none. */
static uint32_t find_room(const struct weir_xdp_shared *shared, uint32_t from, uint32_t count)
{
	uint32_t first = from;

	for (uint32_t slot = 0; slot < WEIR_XDP_ATTACHMENTS; slot++) {
		const struct weir_xdp_missed_range *range = &shared->will_ranges[slot];

		if (range->count == 0 || range->first >= first + count ||
			range->first + range->count <= first)
			continue;
		first = range->first + range->count;
		slot = UINT32_MAX; /* all again, for this place */
	}
	return first <= WEIR_XDP_WILLS - count ? first : WEIR_XDP_WILLS;
}

uint32_t weir_xdp_wills_share(struct weir_xdp_shared *shared, uint32_t slot, uint16_t partitions)
{
	struct weir_xdp_missed_range *range = &shared->will_ranges[slot];
	uint32_t first;

	/* The last slot is everybody's once all are taken. */
	if (slot >= WEIR_XDP_ATTACHMENTS - 1 || partitions == 0)
		return 0;
	if (range->count == partitions && range->first <= WEIR_XDP_WILLS - partitions)
		return range->first + 1;
	range->count = 0;
	first = find_room(shared, 0, partitions);
	if (first == WEIR_XDP_WILLS)
		return 0;
	memset(&shared->will_lanes[first], 0, partitions * sizeof(*shared->will_lanes));
	*range = (struct weir_xdp_missed_range){first, partitions};
	return first + 1;
}

void weir_xdp_wills_keep(struct weir_xdp_shared *shared, const uint64_t *slots)
{
	for (uint32_t slot = 0; slot < WEIR_XDP_ATTACHMENTS; slot++)
		if (!(slots[slot / 64] >> (slot % 64) & 1))
			shared->will_ranges[slot].count = 0;
}

uint64_t weir_xdp_wills_above(
	const struct weir_xdp_shared *shared, const char *stream, uint16_t partition)
{
	int slot = weir_xdp_shared_find(shared, stream, "", 0);
	const struct weir_xdp_missed_range *range;
	const struct weir_xdp_missed *entry;

	if (slot < 0)
		return 0;
	range = &shared->missed_ranges[slot];
	if (partition >= range->count || range->first > WEIR_XDP_MISSED - range->count)
		return 0;
	entry = &shared->missed[range->first + partition];
	return entry->begin != 0 ? entry->begin + entry->given + APART : 0;
}

/* A consumer that is new in the slot has been granted nothing. */
static struct weir_will_session *will_session(void *context, uint16_t slot)
{
	const struct weir_xdp_shared *shared = context;

	if (slot >= WEIR_XDP_CONSUMERS)
		return NULL;
	memset(&shared->will_sessions[slot], 0, sizeof(*shared->will_sessions));
	return (struct weir_will_session *)(void *)&shared->will_sessions[slot];
}

static uint64_t numbers_above(void *context, const char *stream, uint16_t partition)
{
	return weir_xdp_wills_above(context, stream, partition);
}

struct weir_will_store weir_xdp_wills_begin(struct weir_xdp_shared *shared)
{
	shared->current->instance++;
	shared->current->orphaned_ns = 0;
	return (struct weir_will_store){shared, will_session, numbers_above};
}

void weir_xdp_wills_set(const struct weir_attachment *attachment, struct weir_xdp_will_lane *first)
{
	bool has_changed = false;

	for (uint16_t p = 0; p < attachment->stream->partition_count; p++) {
		struct weir_will_lane *will =
			first != NULL ? (struct weir_will_lane *)(void *)&first[p] : NULL;

		has_changed |= atomic_exchange(&attachment->lanes[p].will, will) != will;
	}
	if (has_changed)
		atomic_fetch_add(&weir_missed_changes, 1);
}
