/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/worker.h"

#include <netinet/in.h>

#include <rte_memcpy.h>
#include <rte_prefetch.h>

#include "dataplane/context.h"
#include "dataplane/native_wire.h"

#define FETCH_AHEAD 6 /* messages */

/*
 * Delivery to native consumers: messages of one lane go into a DATA frame, frames of several
 * lanes into a datagram, and the datagram leaves when it is full or the burst is over.
 */

bool weir_udp_checksum_is_right(const uint8_t *frame, uint16_t l3_offset, uint16_t l4_offset,
	bool is_ipv6, uint16_t payload_length)
{
	const uint8_t *udp = frame + l4_offset;
	const uint8_t *addresses = frame + l3_offset + (is_ipv6 ? 8 : 12);
	uint16_t length = (uint16_t)(payload_length + 8);
	uint64_t sum;

	if (weir_load16(udp + 6) == 0)
		return true;
	sum = weir_sum_address(addresses, is_ipv6 ? 32 : 8);
	sum += (uint64_t)rte_cpu_to_be_16(IPPROTO_UDP) + rte_cpu_to_be_16(length);
	sum += weir_sum_bytes(udp, length);
	return weir_sum_fold(sum) == 0xffff;
}

static bool checksum_is_right(const struct weir_message_slot *slot)
{
	return weir_udp_checksum_is_right(rte_pktmbuf_mtod(slot->mbuf, const uint8_t *),
		slot->l3_offset, slot->l4_offset, slot->flags & WEIR_SLOT_IPV6,
		slot->payload_length);
}

enum weir_reason weir_native_check(const struct weir_outlet *outlet, const struct weir_route *route,
	struct weir_message_slot *slot)
{
	if (slot->payload_length > weir_data_max_payload(outlet->consumer->max_datagram) ||
		route->max_payload < WEIR_DATAGRAM_MIN)
		return WEIR_REASON_TOO_BIG;
	if (!(slot->flags & WEIR_SLOT_CHECKSUM_GOOD)) {
		if (!checksum_is_right(slot))
			return WEIR_REASON_CHECKSUM;
		slot->flags |= WEIR_SLOT_CHECKSUM_GOOD;
	}
	return WEIR_REASON_NONE;
}

/* A message that only its context makes too long goes without. */
static bool tells_context(const struct weir_outlet *outlet, const struct weir_message_slot *slot)
{
	return outlet->consumer->wants_contexts &&
	       slot->payload_length + sizeof(struct weir_frame_context) <=
		       weir_data_max_payload(outlet->consumer->max_datagram);
}

/* What a datagram may hold so that it fits the path's MTU. */
static uint32_t batch_size(const struct weir_outlet *outlet, const struct weir_route *route)
{
	return RTE_MIN(outlet->consumer->max_datagram, route->max_payload) -
	       weir_seal_room(&outlet->consumer->seal);
}

static bool begin(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, uint32_t size)
{
	bool is_long = size > route->max_payload;

	outlet->datagram = rte_pktmbuf_alloc(is_long ? worker->large : worker->copies);
	if (outlet->datagram == NULL)
		return false;
	if (is_long && !weir_native_reserve(worker, outlet, route, size)) {
		rte_pktmbuf_free(outlet->datagram);
		outlet->datagram = NULL;
		return false;
	}
	weir_writer_begin(&outlet->writer, weir_native_payload(outlet->datagram), size,
		outlet->consumer->session);
	outlet->datagram_route = route;
	outlet->needs_tag = false;
	weir_list_add_tail(&worker->open, &outlet->open);
	worker->open_count++;
	return true;
}

bool weir_native_datagram(
	struct weir_worker *worker, struct weir_outlet *outlet, const struct weir_route *route)
{
	return outlet->datagram != NULL || begin(worker, outlet, route, batch_size(outlet, route));
}

static void allow_joining(struct rte_mbuf *packet, const struct weir_route *route)
{
	packet->ol_flags |= WEIR_PORT_JOINS;
	packet->l3_len = route->ip_version == 4 ? 20 : 40;
	packet->l2_len = route->header_length - packet->l3_len - 8u;
}

void weir_native_send(struct weir_worker *worker, struct weir_outlet *outlet)
{
	const struct weir_route *route = outlet->datagram_route;
	struct weir_tx *tx = &worker->tx[route->port];
	struct rte_mbuf *packet = outlet->datagram;

	if (unlikely(outlet->needs_tag && outlet->consumer->seal.is_on)) {
		outlet->writer.size += weir_seal_room(&outlet->consumer->seal);
		(void)weir_seal_add(&outlet->consumer->seal, &outlet->writer);
	}
	weir_native_headers(packet, route, outlet->writer.length);
	if (unlikely(outlet->fragment_count != 0)) {
		weir_native_fragment(worker, outlet, packet);
	} else {
		if (tx->port->joins)
			allow_joining(packet, route);
		weir_tx_add_datagram(tx, packet, outlet->consumer);
	}
	outlet->stats.datagrams++;
	outlet->datagram = NULL;
	outlet->last_sent = worker->now;
	weir_list_remove(&outlet->open);
	worker->open_count--;
}

void weir_native_end(struct weir_worker *worker, struct weir_outlet *outlet, struct weir_lane *lane)
{
	struct weir_data_writer *data = &outlet->data;
	struct weir_will_lane *will;

	if (outlet->data_lane != lane)
		return;
	will = atomic_load_explicit(&lane->will, memory_order_relaxed);
	weir_data_end(data, lane->cursor, 0);
	outlet->data_lane = NULL;
	lane->told = lane->cursor;
	lane->wire.messages += data->count;
	lane->wire.bytes += data->bytes;
	if (will != NULL) {
		will->messages = lane->wire.messages;
		will->bytes = lane->wire.bytes;
		will->next = lane->partition->head;
	}
	/* To the front: the next heartbeat tells of it before it goes round the others. */
	if (!lane->is_news) {
		weir_list_remove(&lane->report);
		weir_list_add_head(&outlet->reports, &lane->report);
		lane->is_news = true;
	}
	if (!weir_native_batches(outlet, lane))
		weir_native_send(worker, outlet);
}

uint32_t weir_native_time_left_us(const struct weir_worker *worker, const struct weir_lane *lane,
	const struct weir_message_slot *slot)
{
	uint64_t limit = lane->partition->deadline;
	uint64_t age = worker->now - slot->ingest;

	if (slot->time_left_us != 0) {
		uint64_t own = (uint64_t)slot->time_left_us * worker->cycles_per_us;

		limit = limit == 0 ? own : RTE_MIN(limit, own);
	}
	if (limit == 0)
		return 0;
	limit = (limit > age ? limit - age : 0) / worker->cycles_per_us;
	return (uint32_t)RTE_MIN(RTE_MAX(limit, 1ull), (uint64_t)UINT32_MAX);
}

void weir_native_describe(const struct weir_worker *worker, const struct weir_outlet *outlet,
	const struct weir_lane *lane, uint64_t seq, const struct weir_message_slot *slot,
	struct weir_data_item *item)
{
	const uint8_t *frame = rte_pktmbuf_mtod(slot->mbuf, const uint8_t *);
	const uint8_t *ip = frame + slot->l3_offset;
	bool is_ipv6 = slot->flags & WEIR_SLOT_IPV6;

	item->seq = seq;
	item->ingest_ns = weir_worker_wall_ns(worker, slot->ingest);
	item->length = slot->payload_length;
	item->time_left_us = weir_native_time_left_us(worker, lane, slot);
	item->flags = 0;
	item->source = NULL;
	item->source_port = 0;
	item->tos = is_ipv6 ? (uint8_t)(weir_load16be(ip) >> 4) : ip[1];
	if (outlet->consumer->wants_source) {
		item->flags = WEIR_MESSAGE_ADDRESS | (is_ipv6 ? WEIR_MESSAGE_IPV6 : 0);
		item->source = ip + (is_ipv6 ? 8 : 12);
		item->source_port = weir_load16be(frame + slot->l4_offset);
	}
	if (lane->delivery != NULL && weir_delivery_is_again(lane->delivery, seq))
		item->flags |= WEIR_MESSAGE_REDELIVERED;
	item->context = NULL;
	if (unlikely(slot->flags & WEIR_SLOT_CONTEXT) && tells_context(outlet, slot)) {
		item->flags |= WEIR_MESSAGE_CONTEXT;
		item->context = &weir_context_of(slot)->wire;
	}
}

bool weir_native_begin(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, uint16_t length, uint8_t flags)
{
	uint32_t alone =
		WEIR_DATAGRAM_HEADER + weir_frame_padded((uint32_t)sizeof(struct weir_frame_data) +
							 weir_message_size(length, flags));

	return begin(worker, outlet, route, RTE_MAX(alone, batch_size(outlet, route)));
}

/* A DATA frame of this lane that is open, or NULL when the datagram has no room for one. */
static bool open_frame(struct weir_outlet *outlet, struct weir_lane *lane)
{
	if (outlet->data_lane == lane)
		return true;
	if (!weir_data_begin(&outlet->data, &outlet->writer, &lane->wire, lane->told))
		return false;
	outlet->data_lane = lane;
	return true;
}

/* Into the datagram that is begun; false when it has no room. */
static bool add_here(struct weir_worker *worker, struct weir_outlet *outlet, struct weir_lane *lane,
	const struct weir_message_slot *slot, const struct weir_data_item *item)
{
	uint8_t *place;

	if (!open_frame(outlet, lane))
		return false;
	place = weir_data_add(&outlet->data, item);
	if (place == NULL) {
		if (outlet->data.count != 0 || lane->told != lane->cursor)
			weir_native_end(worker, outlet, lane);
		else
			outlet->data_lane = NULL;
		return false;
	}
	rte_memcpy(place, rte_pktmbuf_mtod_offset(slot->mbuf, const uint8_t *, slot->l4_offset + 8),
		slot->payload_length);
	return true;
}

/*
 * What a consumer that catches up gets has long left the caches. Fetched is where the pool's
 * packets begin; of one that begins elsewhere, or of a slot beyond the head, which may have none,
 * it does no harm.
 */
static void fetch_ahead(const struct weir_lane *lane)
{
	uintptr_t mbuf = (uintptr_t)weir_slot(lane->partition, lane->cursor + FETCH_AHEAD)->mbuf;
	uintptr_t data = mbuf + sizeof(struct rte_mbuf) + RTE_PKTMBUF_HEADROOM;

	rte_prefetch0((const void *)mbuf);
	rte_prefetch0((const void *)data);
	rte_prefetch0((const void *)(data + RTE_CACHE_LINE_SIZE));
}

enum weir_gate weir_native_add(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, struct weir_lane *lane,
	const struct weir_message_slot *slot)
{
	struct weir_data_item item;

	fetch_ahead(lane);
	weir_native_describe(worker, outlet, lane, lane->cursor, slot, &item);
	if (outlet->data_lane == lane && !weir_native_batches(outlet, lane) &&
		outlet->data.count != 0)
		weir_native_end(worker, outlet, lane);
	if (outlet->datagram != NULL) {
		if (add_here(worker, outlet, lane, slot, &item))
			return WEIR_GATE_OPEN;
		if (outlet->datagram != NULL)
			weir_native_send(worker, outlet);
	}
	if (!weir_native_begin(worker, outlet, route, item.length, item.flags))
		return WEIR_GATE_NO_BUFFER;
	if (add_here(worker, outlet, lane, slot, &item))
		return WEIR_GATE_OPEN;
	/* Only when what was left out before it needed a frame of its own: the next turn has room.
	 */
	if (outlet->datagram != NULL)
		weir_native_send(worker, outlet);
	return WEIR_GATE_NO_BUFFER;
}

void weir_native_flush(struct weir_worker *worker)
{
	while (!weir_list_is_empty(&worker->open))
		weir_native_send(
			worker, weir_list_entry(worker->open.next, struct weir_outlet, open));
}
