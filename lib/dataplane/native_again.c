/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_memcpy.h>

#include "dataplane/native_wire.h"
#include "dataplane/reliable.h"

/* Frames that repair: DATA with the flag RETRANSMIT, and GAP. They move no position. */

static bool has_tx_room(struct weir_worker *worker, const struct weir_route *route)
{
	struct weir_tx *tx = &worker->tx[route->port];
	uint32_t needed = 2 + worker->open_count;

	if (weir_tx_room(tx) < needed)
		weir_tx_flush(worker, tx);
	return weir_tx_room(tx) >= needed;
}

void weir_native_end_again(struct weir_outlet *outlet)
{
	if (outlet->again_end == 0)
		return;
	weir_data_end(&outlet->data, outlet->again_end, WEIR_DATA_RETRANSMIT);
	outlet->again_end = 0;
}

/* Into the datagram that is begun, in the frame that ends where this message begins. */
static bool add_here(struct weir_outlet *outlet, const struct weir_lane *lane,
	const struct weir_message_slot *slot, const struct weir_data_item *item)
{
	uint8_t *place;

	if (outlet->again_end != item->seq || !weir_native_batches(outlet, lane))
		weir_native_end_again(outlet);
	if (outlet->again_end == 0 &&
		!weir_data_begin(&outlet->data, &outlet->writer, &lane->wire, item->seq))
		return false;
	place = weir_data_add(&outlet->data, item);
	if (place == NULL) {
		weir_native_end_again(outlet);
		return false;
	}
	rte_memcpy(place, rte_pktmbuf_mtod_offset(slot->mbuf, const uint8_t *, slot->l4_offset + 8),
		slot->payload_length);
	outlet->again_end = item->seq + 1;
	return true;
}

bool weir_native_add_again(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, const struct weir_lane *lane, uint64_t seq,
	const struct weir_message_slot *slot)
{
	bool batches = weir_native_batches(outlet, lane);
	struct weir_data_item item;

	if (!has_tx_room(worker, route))
		return false;
	weir_native_describe(worker, outlet, lane, seq, slot, &item);
	if (outlet->datagram != NULL) {
		if ((batches || outlet->again_end == 0) && add_here(outlet, lane, slot, &item))
			return true;
		weir_native_end_again(outlet);
		/* A frame may have ended for its deadline alone: there may be room for another. */
		if (batches && add_here(outlet, lane, slot, &item))
			return true;
		weir_native_send(worker, outlet);
	}
	return weir_native_begin(worker, outlet, route, item.length, item.flags) &&
	       add_here(outlet, lane, slot, &item);
}

bool weir_native_add_gap(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, const struct weir_lane *lane,
	const struct weir_delivery_gap *gap)
{
	struct weir_frame_gap *frame;

	weir_native_end_again(outlet);
	if (!has_tx_room(worker, route))
		return false;
	if (outlet->datagram != NULL &&
		outlet->writer.size - outlet->writer.length < sizeof(*frame))
		weir_native_send(worker, outlet);
	if (!weir_native_datagram(worker, outlet, route))
		return false;
	frame = weir_writer_add(&outlet->writer, WEIR_FRAME_GAP, 0, sizeof(*frame));
	if (frame == NULL)
		return false;
	outlet->needs_tag = true;
	frame->stream = weir_be16(lane->wire.stream);
	frame->partition = weir_be16(lane->wire.partition);
	frame->epoch = weir_be32(lane->wire.epoch);
	frame->reason = weir_be16(gap->reason);
	frame->first = weir_be64(gap->first);
	frame->end = weir_be64(gap->end);
	frame->messages = weir_be32(gap->messages);
	frame->bytes = weir_be32(gap->bytes);
	return true;
}
