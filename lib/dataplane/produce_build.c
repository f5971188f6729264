/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/context.h"
#include "dataplane/native_wire.h"
#include "dataplane/produce.h"
#include "dataplane/templates.h"
#include "wire/key.h"
#include "wire/template.h"

/* From a message in a PRODUCE frame to a datagram as any other of the stream. */

uint64_t weir_produce_key(const uint8_t *key, uint8_t length)
{
	uint64_t value = WEIR_HASH_START, word = 0;

	for (unsigned int i = 0; i < length; i++) {
		word |= (uint64_t)key[i] << (56 - i % 8 * 8);
		if (i % 8 == 7) {
			value = weir_hash_word(value, word);
			word = 0;
		}
	}
	return weir_hash_finish(length % 8 == 0 ? value : weir_hash_word(value, word));
}

static enum weir_reason hash_key(const struct weir_producer_view *view,
	const struct weir_produce_item *item, const uint8_t *start, uint64_t *hash)
{
	const struct weir_producer *producer = view->producer;
	uint16_t header = producer->built.header_length;
	struct weir_packet headers = {.l3_offset = 14,
		.l4_offset = (uint16_t)(header - 8),
		.payload_length = item->length,
		.source_port = producer->peer_port,
		.destination_port = weir_load16be(start + header - 6),
		.ip_version = producer->built.ip_version};

	if (item->key_length != 0) {
		*hash = weir_produce_key(item->key, item->key_length);
		return WEIR_REASON_NONE;
	}
	return weir_key_hash(
		&view->stream->stream->key, start, start + header + item->length, &headers, hash);
}

/* `hash` is that of the message's key, which the producer may have chosen. */
static void look_for_templates(
	const struct weir_stream *stream, struct weir_message_slot *slot, uint64_t hash)
{
	const uint8_t *payload =
		rte_pktmbuf_mtod_offset(slot->mbuf, const uint8_t *, slot->l4_offset + 8);
	struct weir_template_exporter exporter = weir_templates_exporter(slot);
	uint16_t partition = weir_key_partition(hash, stream->partition_count);

	if (exporter.version == 0)
		return;
	hash = weir_key_hash_address(exporter.address, exporter.family == 6, exporter.domain);
	if (!weir_templates_are_in(stream, partition, hash, payload, slot->payload_length))
		return;
	slot->flags |= WEIR_SLOT_TEMPLATES;
	weir_template_mark_message(
		weir_templates_of(stream, partition), hash, payload, slot->payload_length);
}

enum weir_reason weir_produce_build(struct weir_worker *worker,
	const struct weir_producer_view *view, const struct weir_produce_arrival *arrival,
	struct weir_message_slot *slot, uint64_t *hash)
{
	static const struct weir_ipv4_fields fields = {.kept = WEIR_IPV4_DONT_SPLIT};
	const struct weir_route *route = &view->producer->built;
	const struct weir_produce_item *item = arrival->item;
	struct rte_mbuf *packet = rte_pktmbuf_alloc(worker->dataplane->buffers);
	enum weir_reason reason;
	uint8_t *payload, *start;

	slot->mbuf = NULL;
	if (packet == NULL)
		return WEIR_REASON_NONE;
	if (item->length > rte_pktmbuf_tailroom(packet)) {
		rte_pktmbuf_free(packet);
		return WEIR_REASON_KEY_MALFORMED;
	}
	payload = weir_native_payload(packet);
	memcpy(payload, item->payload, item->length);
	start = weir_route_write(route, payload, item->length, &fields);
	weir_store16(payload - 2, weir_route_checksum(route, payload, item->length));
	reason = hash_key(view, item, start, hash);
	if (reason != WEIR_REASON_NONE) {
		rte_pktmbuf_free(packet);
		return reason;
	}
	packet->data_off = (uint16_t)(start - (uint8_t *)packet->buf_addr);
	packet->data_len = (uint16_t)(route->header_length + item->length);
	packet->pkt_len = packet->data_len;
	slot->mbuf = packet;
	slot->ingest = worker->now;
	slot->time_left_us = weir_be32(arrival->frame->time_left_us);
	slot->payload_length = item->length;
	slot->l4_offset = (uint16_t)(route->header_length - 8);
	slot->l3_offset = 14;
	slot->flags = WEIR_SLOT_CHECKSUM_GOOD | (route->ip_version == 6 ? WEIR_SLOT_IPV6 : 0);
	if (view->stream->stream->template_bytes != 0)
		look_for_templates(view->stream->stream, slot, *hash);
	slot->stream = view->stream->stream->slot;
	if (unlikely(worker->trace_rules != 0))
		weir_trace_produce(worker, view->stream->stream, slot, *hash);
	if (unlikely(item->context != NULL) && view->producer->has_contexts)
		weir_context_keep(worker, slot, item->context);
	return WEIR_REASON_NONE;
}
