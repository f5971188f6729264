/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 64

static uint32_t key_make(uint16_t high, uint16_t partition)
{
	return (uint32_t)high << 16 | partition;
}

/* The slot of the key, or the free one where it would go. There is always a free slot. */
static struct weir_client_lane_slot *slot_find(const struct weir_client_lane_map *map, uint32_t key)
{
	size_t i = (key * UINT32_C(0x9e3779b1) >> 15) & (map->size - 1);

	while (map->slots[i].index_plus != 0 && map->slots[i].key != key)
		i = (i + 1) & (map->size - 1);
	return &map->slots[i];
}

static int map_grow(struct weir_client_lane_map *map)
{
	struct weir_client_lane_map grown = {
		.size = map->size != 0 ? map->size * 2 : SIZE_FIRST, .count = map->count};

	if (map->count * 2 < map->size)
		return 0;
	grown.slots = calloc(grown.size, sizeof(*grown.slots));
	if (grown.slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < map->size; i++)
		if (map->slots[i].index_plus != 0)
			*slot_find(&grown, map->slots[i].key) = map->slots[i];
	free(map->slots);
	*map = grown;
	return 0;
}

static int list_grow(uint32_t **list, size_t capacity)
{
	uint32_t *grown = reallocarray(*list, capacity, sizeof(**list));

	if (grown == NULL)
		return -ENOMEM;
	*list = grown;
	return 0;
}

static int items_grow(struct weir_client_lanes *lanes)
{
	size_t capacity = lanes->capacity != 0 ? lanes->capacity * 2 : SIZE_FIRST;
	struct weir_client_lane *items;

	if (lanes->count < lanes->capacity)
		return 0;
	if (list_grow(&lanes->dirty, capacity) != 0 || list_grow(&lanes->told, capacity) != 0 ||
		list_grow(&lanes->broken, capacity) != 0)
		return -ENOMEM;
	items = reallocarray(lanes->items, capacity, sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	lanes->items = items;
	lanes->capacity = capacity;
	return 0;
}

/*
 * The lane remembered by that name, or a new one. There is room. One that this session knows by
 * another number is of a stream that was made anew under its name: what is on its way of the old
 * one still goes to the old lane, and the new one is what is remembered.
 */
static struct weir_client_lane *lane_recall(
	struct weir_client_lanes *lanes, uint16_t partition, uint16_t name, const char *stream)
{
	uint32_t key = key_make(name, partition);
	struct weir_client_lane_slot *slot = slot_find(&lanes->remembered, key);
	struct weir_client_lane *lane;

	if (slot->index_plus != 0 && !lanes->items[slot->index_plus - 1].is_known)
		return &lanes->items[slot->index_plus - 1];
	if (lanes->count == WEIR_CLIENT_LANES_MAX)
		return NULL;
	lane = &lanes->items[lanes->count];
	*lane = (struct weir_client_lane){.stream = stream,
		.index = (uint32_t)lanes->count,
		.name = name,
		.partition = partition};
	lanes->count++;
	lanes->remembered.count += slot->index_plus == 0;
	*slot = (struct weir_client_lane_slot){key, (uint32_t)lanes->count};
	return lane;
}

struct weir_client_lane *weir_client_lanes_find(
	const struct weir_client_lanes *lanes, uint16_t stream_id, uint16_t partition)
{
	const struct weir_client_lane_slot *slot;

	if (lanes->known.size == 0)
		return NULL;
	slot = slot_find(&lanes->known, key_make(stream_id, partition));
	return slot->index_plus != 0 ? &lanes->items[slot->index_plus - 1] : NULL;
}

struct weir_client_lane *weir_client_lanes_enter(struct weir_client_lanes *lanes,
	uint16_t stream_id, uint16_t partition, uint16_t name, const char *stream)
{
	uint32_t key = key_make(stream_id, partition);
	struct weir_client_lane *lane;

	if (map_grow(&lanes->known) != 0 || map_grow(&lanes->remembered) != 0 ||
		items_grow(lanes) != 0)
		return NULL;
	lane = lane_recall(lanes, partition, name, stream);
	if (lane == NULL)
		return NULL;
	lane->is_known = true;
	lane->stream_id = stream_id;
	*slot_find(&lanes->known, key) = (struct weir_client_lane_slot){key, lane->index + 1};
	lanes->known.count++;
	return lane;
}

/*
 * Of a stream that was made anew, there are several lanes of a name and partition: numbers rise
 * from one to the next, so the one with the highest is the newest of which anything has come. It is
 * met first in the next session, also when the gateway has not yet left the older one.
 */
static void remember_newest(const struct weir_client_lanes *lanes)
{
	for (size_t i = 0; i < lanes->count; i++) {
		const struct weir_client_lane *lane = &lanes->items[i];
		struct weir_client_lane_slot *slot =
			slot_find(&lanes->remembered, key_make(lane->name, lane->partition));

		if (lane->floor > lanes->items[slot->index_plus - 1].floor)
			slot->index_plus = lane->index + 1;
	}
}

void weir_client_lanes_forget(struct weir_client_lanes *lanes)
{
	for (size_t i = 0; i < lanes->count; i++) {
		struct weir_client_lane *lane = &lanes->items[i];

		*lane = (struct weir_client_lane){
			.stream = lane->stream,
			.index = lane->index,
			.name = lane->name,
			.partition = lane->partition,
			.life = lane->life,
			.queued = lane->queued,
			.floor = lane->floor,
			.done_seq = lane->done_seq,
			.missed = lane->missed,
			.expired = lane->expired,
			.has_released = lane->has_released,
			.released_epoch = lane->released_epoch,
		};
	}
	remember_newest(lanes);
	if (lanes->known.size != 0)
		memset(lanes->known.slots, 0, lanes->known.size * sizeof(*lanes->known.slots));
	lanes->known.count = 0;
	lanes->dirty_count = 0;
	lanes->told_count = 0;
	lanes->broken_count = 0;
}

void weir_client_lanes_close(struct weir_client_lanes *lanes)
{
	free(lanes->items);
	free(lanes->known.slots);
	free(lanes->remembered.slots);
	free(lanes->dirty);
	free(lanes->told);
	free(lanes->broken);
	*lanes = (struct weir_client_lanes){0};
}
