/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/blind.h"
#include "dataplane/transit.h"

/*
 * Straight from one port to the other. A message that would be alone in its ring, for one blind
 * consumer that can take it at once, gets its new headers where it was classified: that spares
 * writing a slot, reading it again, and a turn of a queue. For all who count, it was appended and
 * taken. Nobody is overtaken: while the worker has something queued there is none of
 * this, and half of the port's queue is left to what goes by the rings.
 *
 * Whether a partition's lane could take messages is found out once a burst, when the first for it
 * comes; nothing that decides it changes within one. What was sent is settled once a burst, too, or
 * when a message goes by the ring after all. Private to lib/dataplane.
 */

#define WEIR_DIRECT_TX (WEIR_TX_SIZE / 2) /* packets that wait for the port: no more are added */

/* Find out for this burst. */
void weir_direct_look(struct weir_worker *worker, struct weir_partition *partition);
/* Go on numbering and counting after what was sent of it. */
void weir_direct_settle(struct weir_worker *worker, struct weir_partition *partition);
/* The burst is over, or something else may change lanes and rings. */
void weir_direct_end(struct weir_worker *worker);

/* Before a loop's packets come: whether they may, for what has waited since an earlier one. */
static inline void weir_direct_allow(struct weir_worker *worker)
{
	worker->direct.may_send = weir_list_is_empty(&worker->critical) &&
				  weir_list_is_empty(&worker->shared) &&
				  worker->transit_phase == WEIR_TRANSIT_NONE;
}

/* A number of this worker's alone: partitions move with what another found out. */
static inline void weir_direct_begin(struct weir_worker *worker)
{
	worker->direct.number += WEIR_MAX_WORKERS;
}

/*
 * False: the message goes by the ring, which is in order for it. The packet is IPv4 without
 * options, just received, for a partition of this worker.
 */
static __rte_always_inline bool weir_direct_send(struct weir_worker *worker,
	struct weir_partition *partition, struct rte_mbuf *packet,
	const struct weir_packet *headers)
{
	struct weir_direct *direct = &partition->direct;
	uint16_t bytes = headers->payload_length;
	struct weir_tx *tx;
	uint32_t place;

	if (unlikely(direct->burst != worker->direct.number))
		weir_direct_look(worker, partition);
	if (bytes >= direct->payload_bound || partition->head != partition->tail ||
		unlikely(packet->data_off + headers->l4_offset + 8 < WEIR_ROUTE_HEADER))
		return false;
	tx = direct->tx;
	place = tx->count;
	if (unlikely(place >= WEIR_DIRECT_TX))
		return false;
	direct->taken++;
	direct->bytes += bytes;
	tx->count = place + 1;
	tx->packets[place] = packet;
	tx->owners[place] = direct->owner;
	tx->owners[place].bytes = bytes;
	weir_blind_rewrite(
		direct->route, packet, (uint8_t)headers->l3_offset, headers->l4_offset, bytes);
	return true;
}
