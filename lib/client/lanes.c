/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_FIRST 64

static size_t slot_first(
	const struct weir_client_lanes *lanes, uint16_t stream_id, uint16_t partition)
{
	uint32_t key = (uint32_t)stream_id << 16 | partition;

	return (key * UINT32_C(0x9e3779b1) >> 15) & (lanes->size - 1);
}

/* The lane's slot, or the free one where it would go. There is always a free slot. */
static struct weir_client_lane *slot_find(
	const struct weir_client_lanes *lanes, uint16_t stream_id, uint16_t partition)
{
	size_t i = slot_first(lanes, stream_id, partition);

	while (lanes->slots[i].stream != NULL) {
		if (lanes->slots[i].stream_id == stream_id &&
			lanes->slots[i].partition == partition)
			break;
		i = (i + 1) & (lanes->size - 1);
	}
	return &lanes->slots[i];
}

static int lanes_grow(struct weir_client_lanes *lanes)
{
	struct weir_client_lanes grown = {
		.size = lanes->size != 0 ? lanes->size * 2 : SIZE_FIRST, .count = lanes->count};

	grown.slots = calloc(grown.size, sizeof(*grown.slots));
	if (grown.slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < lanes->size; i++) {
		const struct weir_client_lane *lane = &lanes->slots[i];

		if (lane->stream != NULL)
			*slot_find(&grown, lane->stream_id, lane->partition) = *lane;
	}
	free(lanes->slots);
	*lanes = grown;
	return 0;
}

struct weir_client_lane *weir_client_lanes_find(
	const struct weir_client_lanes *lanes, uint16_t stream_id, uint16_t partition)
{
	struct weir_client_lane *lane;

	if (lanes->size == 0)
		return NULL;
	lane = slot_find(lanes, stream_id, partition);
	return lane->stream != NULL ? lane : NULL;
}

struct weir_client_lane *weir_client_lanes_add(
	struct weir_client_lanes *lanes, uint16_t stream_id, uint16_t partition, const char *stream)
{
	struct weir_client_lane *lane;

	if (lanes->count >= WEIR_CLIENT_LANES_MAX)
		return NULL;
	if (lanes->count * 2 >= lanes->size && lanes_grow(lanes) != 0)
		return NULL;
	lane = slot_find(lanes, stream_id, partition);
	*lane = (struct weir_client_lane){
		.stream = stream, .stream_id = stream_id, .partition = partition};
	lanes->count++;
	return lane;
}

void weir_client_lanes_clear(struct weir_client_lanes *lanes)
{
	if (lanes->size != 0)
		memset(lanes->slots, 0, lanes->size * sizeof(*lanes->slots));
	lanes->count = 0;
}

void weir_client_lanes_close(struct weir_client_lanes *lanes)
{
	free(lanes->slots);
	*lanes = (struct weir_client_lanes){0};
}
