/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/run.h"

#include "dataplane/blind.h"
#include "dataplane/partition.h"

#define RUN_MAX 64 /* messages */

/* How messages are sent on: the packet itself, a copy of it, or new headers with a reference. */
enum way { WAY_SELF, WAY_COPY, WAY_CHAIN };

/* Consecutive messages that go the same way. */
struct run {
	struct weir_message_slot *slots; /* of the partition */
	uint64_t first;                  /* number of the first one's slot, before the mask */
	uint32_t mask;
	enum way way;
	uint32_t messages;
	uint64_t bytes; /* of payload */
	uint64_t l3_bytes;
};

static inline struct weir_message_slot *slot_at(const struct run *run, uint32_t number)
{
	return &run->slots[(run->first + number) & run->mask];
}

static inline bool is_plain(const struct weir_worker *worker,
	const struct weir_partition *partition, const struct weir_route *route,
	const struct weir_message_slot *slot, uint64_t since)
{
	return slot->only == 0 &&
	       !(slot->flags &
		       (WEIR_SLOT_IPV6 | WEIR_SLOT_STALE | WEIR_SLOT_MISSED | WEIR_SLOT_TRACED)) &&
	       slot->payload_length <= route->max_payload &&
	       (likely(slot->time_left_us == 0)
			       ? (int64_t)(since - slot->ingest) <= 0
			       : !weir_message_is_expired(worker, partition, slot));
}

static inline enum way find_way(const struct weir_message_slot *slot, bool may_chain)
{
	if (slot->holders == 1)
		return WAY_SELF;
	return may_chain && slot->payload_length > WEIR_BLIND_COPY ? WAY_CHAIN : WAY_COPY;
}

/* How many may be sent: one place in the port's queue is kept for each datagram that is begun. */
static uint32_t count_places(const struct weir_worker *worker, const struct weir_tx *tx)
{
	uint32_t room = weir_tx_room(tx);

	return room > worker->open_count ? room - worker->open_count : 0;
}

/* What the lane has to send, `most` at most, while it is worth less than the deficit. */
static inline struct run measure(const struct weir_worker *worker, const struct weir_lane *lane,
	const struct weir_route *route, uint32_t most, int64_t deficit)
{
	const struct weir_partition *partition = lane->partition;
	bool may_chain = worker->tx[route->port].port->can_multi_segment;
	/* Of a message without a time of its own: what came before is too old. */
	uint64_t since = worker->now - (partition->limit != 0 ? partition->limit : INT64_MAX);
	struct run run = {.slots = partition->slots,
		.first = lane->cursor - partition->base,
		.mask = partition->mask};

	run.way = find_way(slot_at(&run, 0), may_chain);
	while (run.messages < most && deficit > (int64_t)run.l3_bytes) {
		const struct weir_message_slot *slot = slot_at(&run, run.messages);

		if (unlikely(!is_plain(worker, partition, route, slot, since)) ||
			find_way(slot, may_chain) != run.way ||
			(run.way == WAY_SELF && unlikely(!weir_blind_has_headroom(slot))))
			break;
		run.messages++;
		run.bytes += slot->payload_length;
		run.l3_bytes += weir_message_l3_bytes(slot);
	}
	return run;
}

/* The port's queue gets the packets themselves. */
static inline void take(
	const struct run *run, const struct weir_route *route, struct rte_mbuf **packets)
{
	for (uint32_t i = 0; i < run->messages; i++) {
		struct weir_message_slot *slot = slot_at(run, i);

		weir_blind_rewrite_slot(route, slot);
		packets[i] = slot->mbuf;
		slot->mbuf = NULL;
	}
}

/* False: there are not as many buffers. */
static inline bool copy(const struct run *run, const struct weir_route *route,
	struct rte_mempool *pool, struct rte_mbuf **packets)
{
	if (unlikely(rte_mempool_get_bulk(pool, (void **)packets, run->messages) != 0))
		return false;
	for (uint32_t i = 0; i < run->messages; i++) {
		struct weir_message_slot *slot = slot_at(run, i);

		weir_blind_copy(route, packets[i], slot);
		slot->holders--;
	}
	return true;
}

static __rte_noinline bool chain(const struct run *run, const struct weir_route *route,
	struct rte_mempool *pool, struct rte_mbuf **packets)
{
	struct rte_mbuf *rests[RUN_MAX];

	if (unlikely(rte_mempool_get_bulk(pool, (void **)rests, run->messages) != 0))
		return false;
	if (unlikely(rte_mempool_get_bulk(pool, (void **)packets, run->messages) != 0)) {
		rte_mempool_put_bulk(pool, (void **)rests, run->messages);
		return false;
	}
	for (uint32_t i = 0; i < run->messages; i++) {
		struct weir_message_slot *slot = slot_at(run, i);

		weir_blind_chain(route, packets[i], rests[i], slot);
		slot->holders--;
	}
	return true;
}

/* All are in the port's queue, but for whose they are. */
static inline void own(struct weir_tx *tx, const struct weir_lane *lane, const struct run *run)
{
	struct weir_tx_owner *owners = tx->owners + tx->count;
	struct weir_tx_owner owner = {.stats = lane->stats, .tag = weir_lane_tag(lane)};

	for (uint32_t i = 0; i < run->messages; i++) {
		owners[i] = owner;
		owners[i].bytes = slot_at(run, i)->payload_length;
	}
	tx->count += run->messages;
}

static void settle(struct weir_worker *worker, struct weir_queue *queue, struct weir_lane *lane,
	const struct run *run)
{
	struct weir_partition *partition = lane->partition;
	struct weir_outlet *outlet = queue->outlet;
	bool is_oldest = partition->tail == lane->cursor;

	lane->cursor += run->messages;
	lane->stats->delivered += run->messages;
	lane->stats->delivered_bytes += run->bytes;
	outlet->stats.delivered += run->messages;
	outlet->stats.delivered_bytes += run->bytes;
	outlet->stats.datagrams += run->messages;
	outlet->l3_packets += run->messages;
	outlet->l3_bytes += run->l3_bytes;
	queue->deficit -= (int64_t)run->l3_bytes;
	queue->oldest = slot_at(run, 0)->ingest;
	if (run->way != WAY_SELF)
		return;
	/* What lies beyond the cursor is held by this lane at least. */
	if (is_oldest)
		partition->tail = lane->cursor;
	weir_partition_free_slots(worker, partition, run->messages, run->bytes);
}

uint32_t weir_run_send(struct weir_worker *worker, struct weir_queue *queue, struct weir_lane *lane,
	const struct weir_route *route, uint32_t most)
{
	struct weir_tx *tx = &worker->tx[route->port];
	struct rte_mbuf **packets = tx->packets + tx->count;
	struct run run;

	most = RTE_MIN(most, RTE_MIN(count_places(worker, tx), (uint32_t)RUN_MAX));
	most = (uint32_t)RTE_MIN(lane->partition->head - lane->cursor, (uint64_t)most);
	run = measure(worker, lane, route, most, queue->deficit);
	if (unlikely(run.messages == 0))
		return 0;
	if (run.way == WAY_SELF)
		take(&run, route, packets);
	else if (!(likely(run.way == WAY_COPY) ? copy(&run, route, worker->copies, packets)
					       : chain(&run, route, worker->copies, packets)))
		return 0;
	own(tx, lane, &run);
	settle(worker, queue, lane, &run);
	return run.messages;
}
