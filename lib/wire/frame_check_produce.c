/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/frame_check.h"
#include "wire/frame_produce.h"

#define PRODUCE_TIERS 3

_Static_assert(sizeof(struct weir_frame_produce_range) == sizeof(struct weir_frame_range),
	"ranges of PRODUCE_ACK are checked as those of ACK");

static bool messages_are_valid(const struct weir_frame_produce *produce, uint32_t length)
{
	uint32_t offset = sizeof(*produce);
	int32_t last_delta = -1;

	for (uint32_t left = weir_be16(produce->count); left > 0; left--) {
		const struct weir_frame_produce_message *message =
			(const void *)((const uint8_t *)produce + offset);
		uint16_t delta;

		if (length - offset < sizeof(*message) ||
			(message->flags & ~WEIR_PRODUCE_CONTEXT) != 0)
			return false;
		offset += weir_produce_size(
			weir_be16(message->length), message->key_length, message->flags);
		delta = weir_be16(message->counter_delta);
		if (offset > length || delta <= last_delta || (last_delta < 0 && delta != 0) ||
			(message->flags != 0 &&
				!weir_context_is_valid((const void *)(message + 1))))
			return false;
		last_delta = delta;
	}
	return length == weir_frame_padded(offset);
}

bool weir_frame_produce_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_produce *produce = (const void *)header;

	return produce->count != 0 && produce->counter != 0 &&
	       weir_frame_value_fits(produce->counter) && produce->tier < PRODUCE_TIERS &&
	       messages_are_valid(produce, length);
}

bool weir_frame_produce_ack_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_produce_ack *ack = (const void *)header;
	uint32_t count = weir_be16(ack->count);

	return count <= WEIR_PRODUCE_ACK_RANGES_MAX &&
	       length == sizeof(*ack) + count * sizeof(ack->ranges[0]) &&
	       weir_frame_value_fits(ack->next) && weir_frame_value_fits(ack->newest) &&
	       weir_frame_ranges_rise((const void *)ack->ranges, count, weir_be64(ack->next));
}

bool weir_frame_pace_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_pace *pace = (const void *)header;

	return length == sizeof(*pace) && weir_frame_value_fits(pace->limit_messages) &&
	       weir_frame_value_fits(pace->limit_bytes) &&
	       weir_be16(pace->reason) < WEIR_PACE_REASON_COUNT;
}
