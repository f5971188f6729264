/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/frame_check.h"
#include "wire/frame_delivery.h"

bool weir_frame_ranges_rise(const struct weir_frame_range *ranges, uint32_t count, uint64_t lowest)
{
	for (uint32_t i = 0; i < count; i++) {
		uint64_t first = weir_be64(ranges[i].first);
		uint64_t end = weir_be64(ranges[i].end);

		if (first < lowest || end <= first || end > WEIR_FRAME_VALUE_MAX)
			return false;
		lowest = end + 1;
	}
	return true;
}

bool weir_frame_ack_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_ack *ack = (const void *)header;
	uint32_t count = weir_be16(ack->count);
	uint64_t next_seq = weir_be64(ack->next_seq);

	return count <= WEIR_ACK_RANGES_MAX &&
	       length == sizeof(*ack) + count * sizeof(ack->ranges[0]) &&
	       weir_frame_value_fits(ack->next_seq) && weir_frame_value_fits(ack->newest_seq) &&
	       weir_be64(ack->done_seq) <= next_seq &&
	       weir_frame_ranges_rise(ack->ranges, count, next_seq + 1);
}

bool weir_frame_nack_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_nack *nack = (const void *)header;
	uint32_t count = weir_be16(nack->count);

	return count >= 1 && count <= WEIR_NACK_RANGES_MAX &&
	       length == sizeof(*nack) + count * sizeof(nack->ranges[0]) &&
	       weir_frame_ranges_rise(nack->ranges, count, 0);
}

bool weir_frame_gap_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_gap *gap = (const void *)header;

	return length == sizeof(*gap) && weir_be16(gap->reason) < WEIR_GAP_REASON_COUNT &&
	       weir_be64(gap->first) < weir_be64(gap->end) && weir_frame_value_fits(gap->end);
}

bool weir_frame_seek_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_seek *seek = (const void *)header;

	return length == sizeof(*seek) && seek->counter != 0 && seek->start < WEIR_STARTS &&
	       seek->start != WEIR_START_RESUME && weir_frame_value_fits(seek->value);
}

bool weir_frame_handover_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_handover *handover = (const void *)header;

	return length == sizeof(*handover) && weir_frame_value_fits(handover->seq) &&
	       weir_frame_value_fits(handover->lane_messages) &&
	       weir_frame_value_fits(handover->lane_bytes);
}

bool weir_frame_load_is_valid(const struct weir_frame_header *header, uint32_t length)
{
	const struct weir_frame_load *load = (const void *)header;

	return length == sizeof(*load) && load->counter != 0;
}
