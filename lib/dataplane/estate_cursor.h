/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/estate.h"

/* A place in an estate that is read. Private to the files that read one. */

struct weir_estate_cursor {
	const struct weir_estate *estate;
	size_t at;
};

struct weir_estate_lane_view {
	const struct weir_estate_lane *lane;
	const struct weir_delivery_gap *gaps;
	const struct weir_position *positions;
	const struct weir_estate_gone *gone;
};

struct weir_estate_message_view {
	const struct weir_estate_message *message;
	const uint8_t *packet;
};

/* `count` things of a size, and on behind them; NULL when they are not all there. */
static inline const void *weir_estate_take(
	struct weir_estate_cursor *cursor, uint64_t count, size_t size)
{
	size_t left = cursor->estate->length - cursor->at;
	const void *taken = cursor->estate->bytes + cursor->at;

	if (count > left / size)
		return NULL;
	cursor->at += count * size;
	return taken;
}

static inline bool weir_estate_take_lane(
	struct weir_estate_cursor *cursor, struct weir_estate_lane_view *view)
{
	view->lane = weir_estate_take(cursor, 1, sizeof(*view->lane));
	if (view->lane == NULL)
		return false;
	view->gaps = weir_estate_take(cursor, view->lane->gap_count, sizeof(*view->gaps));
	view->positions =
		weir_estate_take(cursor, view->lane->position_count, sizeof(*view->positions));
	view->gone = weir_estate_take(cursor, view->lane->gone_count, sizeof(*view->gone));
	return view->gaps != NULL && view->positions != NULL && view->gone != NULL;
}

static inline bool weir_estate_take_message(
	struct weir_estate_cursor *cursor, struct weir_estate_message_view *view)
{
	view->message = weir_estate_take(cursor, 1, sizeof(*view->message));
	if (view->message == NULL)
		return false;
	view->packet = weir_estate_take(
		cursor, RTE_ALIGN_CEIL((uint64_t)view->message->packet_length, 8), 1);
	return view->packet != NULL;
}
