/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/blind.h"
#include "dataplane/transit.h"
#include "wire/parse_four.h"

/*
 * Straight from one port to the other. A message that would be alone in its ring, for blind
 * consumers that can all take it at once, gets its new headers where it was classified: that spares
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

/* A message goes by the ring, and so do those behind it. */
static inline void weir_direct_stop(struct weir_worker *worker, struct weir_partition *partition)
{
	if (partition->direct.taken != 0)
		weir_direct_settle(worker, partition);
	partition->direct.payload_bound = 0;
	partition->direct.fan_bound = 0;
}

/*
 * The route of a message that passes its ring: it is counted and in the port's queue, and the
 * caller gives it its headers. NULL: it goes by the ring, which is in order for it. The packet was
 * just received, for a partition of this worker; its payload is that far behind its start.
 */
static __rte_always_inline const struct weir_route *weir_direct_pass(struct weir_worker *worker,
	struct weir_partition *partition, struct rte_mbuf *packet, uint32_t payload_offset,
	uint16_t bytes)
{
	struct weir_direct *direct = &partition->direct;
	struct weir_tx *tx;
	uint32_t place;

	if (unlikely(direct->burst != worker->direct.number)) {
		WEIR_CYCLES_LAP(worker, REWRITE);
		weir_direct_look(worker, partition);
		WEIR_CYCLES_LAP(worker, GATE);
	}
	if (unlikely(bytes >= direct->payload_bound ||
		     packet->data_off + payload_offset < WEIR_ROUTE_HEADER))
		return NULL;
	tx = direct->way.tx;
	place = tx->count;
	if (unlikely(place >= WEIR_DIRECT_TX))
		return NULL;
	direct->taken++;
	direct->bytes += bytes;
	tx->count = place + 1;
	tx->packets[place] = packet;
	tx->owners[place] = direct->way.owner;
	tx->owners[place].bytes = bytes;
	return direct->way.route;
}

/* False: by the ring. The packet is IPv4 without options. */
static __rte_always_inline bool weir_direct_send(struct weir_worker *worker,
	struct weir_partition *partition, struct rte_mbuf *packet,
	const struct weir_packet *headers)
{
	uint16_t bytes = headers->payload_length;
	const struct weir_route *route =
		weir_direct_pass(worker, partition, packet, headers->l4_offset + 8u, bytes);

	if (route == NULL)
		return false;
	weir_blind_rewrite(route, packet, (uint8_t)headers->l3_offset, headers->l4_offset, bytes);
	return true;
}

/* New headers for a frame that is plain; the sums are its of weir_four. */
static __rte_always_inline void weir_direct_rewrite_plain(const struct weir_route *route,
	struct rte_mbuf *packet, uint8_t *frame, uint16_t bytes, uint32_t ip_sum, uint32_t udp_sum)
{
	if (likely(route->keep_source))
		weir_blind_rewrite_plain(route, packet, frame, bytes, ip_sum, udp_sum);
	else
		weir_blind_rewrite(
			route, packet, WEIR_ETHER_SIZE, WEIR_ETHER_SIZE + WEIR_IPV4_SIZE, bytes);
}

/* The same as weir_direct_send for such a frame. */
static __rte_always_inline bool weir_direct_send_plain(struct weir_worker *worker,
	struct weir_partition *partition, struct rte_mbuf *packet, uint8_t *frame, uint16_t bytes,
	uint32_t ip_sum, uint32_t udp_sum)
{
	const struct weir_route *route =
		weir_direct_pass(worker, partition, packet, WEIR_PLAIN_PAYLOAD, bytes);

	if (unlikely(route == NULL))
		return false;
	weir_direct_rewrite_plain(route, packet, frame, bytes, ip_sum, udp_sum);
	return true;
}

bool weir_direct_send_copies(struct weir_worker *worker, struct weir_partition *partition,
	struct rte_mbuf *packet, const struct weir_four *four, uint32_t number);

/*
 * The same for one of four of a partition with several lanes, after weir_direct_send_plain would
 * not: the last one's consumer gets the packet, the others copies. False: by the ring, for all.
 */
static inline bool weir_direct_fan_out(struct weir_worker *worker, struct weir_partition *partition,
	struct rte_mbuf *packet, const struct weir_four *four, uint32_t number)
{
	return four->payload_length[number] < partition->direct.fan_bound &&
	       weir_direct_send_copies(worker, partition, packet, four, number);
}
