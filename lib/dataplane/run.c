/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/run.h"

#include "dataplane/blind.h"
#include "dataplane/partition.h"

/* What a run has taken. */
struct run {
	uint32_t messages;
	uint64_t bytes; /* of payload */
	uint64_t l3_bytes;
	uint64_t ingest; /* of the first */
	uint32_t freed;  /* messages that nobody holds any more */
	uint64_t freed_bytes;
};

static inline bool is_plain(const struct weir_worker *worker,
	const struct weir_partition *partition, const struct weir_route *route,
	const struct weir_message_slot *slot)
{
	return slot->only == 0 &&
	       !(slot->flags &
		       (WEIR_SLOT_IPV6 | WEIR_SLOT_STALE | WEIR_SLOT_MISSED | WEIR_SLOT_TRACED)) &&
	       slot->payload_length <= route->max_payload && weir_blind_has_headroom(slot) &&
	       !weir_message_is_expired(worker, partition, slot);
}

/* How many may be sent: one place in the port's queue is kept for each datagram that is begun. */
static uint32_t count_places(const struct weir_worker *worker, const struct weir_tx *tx)
{
	uint32_t room = weir_tx_room(tx);

	return room > worker->open_count ? room - worker->open_count : 0;
}

static void settle(struct weir_worker *worker, struct weir_queue *queue, struct weir_lane *lane,
	const struct run *run)
{
	struct weir_partition *partition = lane->partition;
	struct weir_outlet *outlet = queue->outlet;
	bool all = run->freed == run->messages && partition->tail == lane->cursor;

	lane->cursor += run->messages;
	lane->stats->delivered += run->messages;
	lane->stats->delivered_bytes += run->bytes;
	outlet->stats.delivered += run->messages;
	outlet->stats.delivered_bytes += run->bytes;
	outlet->stats.datagrams += run->messages;
	outlet->l3_packets += run->messages;
	outlet->l3_bytes += run->l3_bytes;
	queue->deficit -= (int64_t)run->l3_bytes;
	queue->oldest = run->ingest;
	if (run->freed == 0)
		return;
	/* What lies beyond the cursor is held by this lane at least. */
	if (all)
		partition->tail = lane->cursor;
	weir_partition_free_slots(worker, partition, run->freed, run->freed_bytes);
}

uint32_t weir_run_send(struct weir_worker *worker, struct weir_queue *queue, struct weir_lane *lane,
	const struct weir_route *route, uint32_t most)
{
	struct weir_partition *partition = lane->partition;
	struct weir_tx *tx = &worker->tx[route->port];
	struct weir_message_slot *slots = partition->slots;
	uint64_t first = lane->cursor - partition->base;
	uint32_t mask = partition->mask;
	int64_t deficit = queue->deficit;
	struct weir_capture_tag tag = weir_lane_tag(lane);
	struct run run = {.ingest = slots[first & mask].ingest};

	most = RTE_MIN(most, count_places(worker, tx));
	most = (uint32_t)RTE_MIN(partition->head - lane->cursor, (uint64_t)most);
	while (run.messages < most && deficit > (int64_t)run.l3_bytes) {
		struct weir_message_slot *slot = &slots[(first + run.messages) & mask];
		struct rte_mbuf *packet;

		if (unlikely(!is_plain(worker, partition, route, slot)))
			break;
		if (likely(slot->holders == 1)) {
			packet = slot->mbuf;
			weir_blind_rewrite_slot(route, slot);
			slot->mbuf = NULL;
			run.freed++;
			run.freed_bytes += slot->payload_length;
		} else {
			packet = weir_blind_make_any(worker, route, slot, false);
			if (unlikely(packet == NULL))
				break;
			slot->holders--;
		}
		weir_tx_add_for(tx, packet, lane->stats, slot->payload_length, tag);
		run.messages++;
		run.bytes += slot->payload_length;
		run.l3_bytes += weir_message_l3_bytes(slot);
	}
	if (run.messages != 0)
		settle(worker, queue, lane, &run);
	return run.messages;
}
