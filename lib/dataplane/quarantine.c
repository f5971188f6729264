/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/quarantine.h"

#include <rte_memcpy.h>

#include "dataplane/native_wire.h"
#include "dataplane/reliable.h"

static void describe(const struct weir_worker *worker, const struct weir_lane *lane, uint64_t seq,
	const struct weir_message_slot *slot, struct weir_quarantined *note)
{
	const uint8_t *frame = rte_pktmbuf_mtod(slot->mbuf, const uint8_t *);
	const uint8_t *ip = frame + slot->l3_offset;
	bool is_ipv6 = slot->flags & WEIR_SLOT_IPV6;

	*note = (struct weir_quarantined){
		.seq = seq,
		.ingest_ns = weir_worker_wall_ns(worker, slot->ingest),
		.session = lane->outlet->consumer->session,
		.epoch = lane->wire.epoch,
		.stream = lane->wire.stream,
		.group = lane->group,
		.consumer = lane->outlet->consumer->slot,
		.partition = lane->wire.partition,
		.length = slot->payload_length,
		.source_port = weir_load16be(frame + slot->l4_offset),
		.source_family = is_ipv6 ? 6 : 4,
		.tos = is_ipv6 ? (uint8_t)(weir_load16be(ip) >> 4) : ip[1],
		.attempts = lane->delivery->rules->attempts,
	};
	memcpy(note->source, ip + (is_ipv6 ? 8 : 12), is_ipv6 ? 16 : 4);
}

void weir_quarantine_put(struct weir_worker *worker, const struct weir_lane *lane, uint64_t seq,
	const struct weir_message_slot *slot)
{
	uint32_t size = (uint32_t)sizeof(struct weir_quarantined) + slot->payload_length;
	struct weir_quarantined note;
	struct rte_mbuf *packet;
	uint8_t *place;

	packet = rte_pktmbuf_alloc(worker->copies);
	if (packet != NULL && rte_pktmbuf_tailroom(packet) < size) {
		rte_pktmbuf_free(packet);
		packet = rte_pktmbuf_alloc(worker->large);
	}
	if (packet == NULL || rte_pktmbuf_tailroom(packet) < size) {
		rte_pktmbuf_free(packet);
		return;
	}
	place = (uint8_t *)rte_pktmbuf_append(packet, (uint16_t)size);
	describe(worker, lane, seq, slot, &note);
	memcpy(place, &note, sizeof(note));
	rte_memcpy(place + sizeof(note),
		rte_pktmbuf_mtod_offset(slot->mbuf, const uint8_t *, slot->l4_offset + 8),
		slot->payload_length);
	packet->hash.usr = WEIR_TO_QUARANTINE;
	packet->port = 0;
	if (rte_ring_sp_enqueue(worker->to_control, packet) != 0) {
		rte_pktmbuf_free(packet);
		return;
	}
	weir_control_notify(worker);
}
