/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/direct.h"

#include "dataplane/gate.h"

/* Nothing of it is kept, nothing waits, and what the critical tier sends is metered. */
static bool is_passable(const struct weir_partition *partition)
{
	return partition->lane_count != 0 && !partition->retains &&
	       partition->head == partition->tail && partition->tier != WEIR_TIER_CRITICAL &&
	       (partition->features & WEIR_FEATURE_BIT(WEIR_FEATURE_RUNS));
}

/* The lane may be given messages, as for weir_lane_ready, and leaves none out. */
static bool is_free(const struct weir_partition *partition, const struct weir_lane *lane)
{
	return !lane->is_full && !lane->is_draining && !lane->is_following &&
	       !lane->wants_templates && lane->cursor == partition->head && lane->filter == NULL &&
	       lane->sample == 1 && lane->sample_left == 0;
}

/* NULL: the outlet cannot be sent to at once, or counts what it is sent. */
static const struct weir_route *find_route(struct weir_worker *worker, struct weir_outlet *outlet)
{
	const struct weir_route *route;

	if (outlet->consumer->class == WEIR_CLASS_NATIVE || outlet->gate != WEIR_GATE_OPEN ||
		weir_gate_enter(worker, outlet, &route) != WEIR_GATE_OPEN || outlet->limits != 0 ||
		route->ip_version != 4 || !weir_list_is_empty(&worker->tx[route->port].waiting))
		return NULL;
	return route;
}

/* False: by the ring. */
static inline bool find_way(struct weir_worker *worker, const struct weir_partition *partition,
	const struct weir_lane *lane, struct weir_direct_way *way)
{
	struct weir_outlet *outlet = lane->outlet;
	uint64_t burst = worker->direct.number;

	if (outlet == NULL)
		return false;
	if (outlet->direct_burst != burst) {
		outlet->direct_burst = burst;
		outlet->direct_route = find_route(worker, outlet);
	}
	/* After the gate, which may have found that the lane wants templates. */
	if (outlet->direct_route == NULL || !is_free(partition, lane))
		return false;
	way->route = outlet->direct_route;
	way->tx = &worker->tx[way->route->port];
	way->owner = (struct weir_tx_owner){.stats = lane->stats, .tag = weir_lane_tag(lane)};
	return true;
}

/* What is longer is for a reference rather than a copy, or too long for one of them. */
static __rte_noinline bool find_ways(struct weir_worker *worker, struct weir_partition *partition)
{
	uint32_t most = UINT16_MAX - 1;

	for (uint32_t i = 0; i < partition->lane_count; i++) {
		struct weir_lane *lane = partition->lanes[i];

		if (!find_way(worker, partition, lane, &lane->direct))
			return false;
		most = RTE_MIN(most, lane->direct.route->max_payload);
		if (lane->direct.tx->port->can_multi_segment)
			most = RTE_MIN(most, (uint32_t)WEIR_BLIND_COPY);
	}
	partition->direct.fan_bound = (uint16_t)(most + 1);
	return true;
}

void weir_direct_look(struct weir_worker *worker, struct weir_partition *partition)
{
	struct weir_direct *direct = &partition->direct;
	struct weir_direct_burst *burst = &worker->direct;

	direct->burst = burst->number;
	direct->payload_bound = 0;
	direct->fan_bound = 0;
	if (!burst->may_send || !is_passable(partition))
		return;
	if (partition->lane_count == 1) {
		if (!find_way(worker, partition, partition->lanes[0], &direct->way))
			return;
		direct->payload_bound = direct->way.route->max_payload + 1u;
	} else if (!find_ways(worker, partition)) {
		return;
	}
	direct->next = burst->first;
	burst->first = partition;
}

/* Those sent so far took so long. */
static void note(struct weir_worker *worker)
{
	struct weir_direct_burst *burst = &worker->direct;

	weir_latency_note(worker, burst->features, WEIR_LATENCY_SEND_CRITICAL + burst->tier,
		worker->now, burst->sent);
	burst->sent = 0;
}

static inline void settle_lane(struct weir_lane *lane, uint64_t taken, uint64_t bytes)
{
	struct weir_outlet *outlet = lane->outlet;

	lane->cursor += taken;
	lane->stats->delivered += taken;
	lane->stats->delivered_bytes += bytes;
	outlet->stats.delivered += taken;
	outlet->stats.delivered_bytes += bytes;
	outlet->stats.datagrams += taken;
	outlet->l3_packets += taken;
	outlet->l3_bytes += bytes + taken * (WEIR_IPV4_SIZE + WEIR_UDP_SIZE);
}

void weir_direct_settle(struct weir_worker *worker, struct weir_partition *partition)
{
	struct weir_direct_burst *burst = &worker->direct;
	struct weir_direct *direct = &partition->direct;
	uint32_t taken = direct->taken;
	uint64_t bytes = direct->bytes;

	direct->taken = 0;
	direct->bytes = 0;
	partition->head += taken;
	partition->tail = partition->head;
	partition->received_bytes += bytes;
	partition->stream->local[worker->id].stats.appended += taken;
	for (uint32_t i = 0; i < partition->lane_count; i++)
		settle_lane(partition->lanes[i], taken, bytes);
	if (unlikely(burst->features != partition->features || burst->tier != partition->tier))
		note(worker);
	burst->features = partition->features;
	burst->tier = partition->tier;
	burst->sent += taken * partition->lane_count;
}

void weir_direct_end(struct weir_worker *worker)
{
	struct weir_direct_burst *burst = &worker->direct;

	for (; burst->first != NULL; burst->first = burst->first->direct.next)
		if (burst->first->direct.taken != 0)
			weir_direct_settle(worker, burst->first);
	if (burst->sent != 0)
		note(worker);
}

/* Room for one of each lane's, which may all be of one port. */
static bool have_room(struct weir_worker *worker, const struct weir_partition *partition)
{
	for (uint32_t i = 0; i < partition->lane_count; i++) {
		struct weir_tx *tx = partition->lanes[i]->direct.tx;

		if (likely(tx->count + partition->lane_count <= WEIR_DIRECT_TX))
			continue;
		WEIR_CYCLES_LAP(worker, REWRITE);
		weir_tx_flush(worker, tx);
		if (tx->count + partition->lane_count > WEIR_DIRECT_TX)
			return false;
	}
	return true;
}

/* Not after the packet itself got its own: its headers are what is copied. */
static void copy_frame(struct rte_mbuf *copy, const uint8_t *frame, uint16_t bytes)
{
	copy->data_off = RTE_PKTMBUF_HEADROOM;
	rte_memcpy(rte_pktmbuf_mtod(copy, void *), frame, WEIR_PLAIN_PAYLOAD + bytes);
}

bool weir_direct_send_copies(struct weir_worker *worker, struct weir_partition *partition,
	struct rte_mbuf *packet, const struct weir_four *four, uint32_t number)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	uint16_t bytes = (uint16_t)four->payload_length[number];
	struct rte_mbuf *packets[WEIR_STREAM_GROUPS];
	uint32_t last = partition->lane_count - 1u;

	if (packet->data_off + WEIR_PLAIN_PAYLOAD < WEIR_ROUTE_HEADER ||
		!have_room(worker, partition) ||
		unlikely(rte_mempool_get_bulk(worker->copies, (void **)packets, last) != 0))
		return false;
	partition->direct.taken++;
	partition->direct.bytes += bytes;
	for (uint32_t i = 0; i < last; i++)
		copy_frame(packets[i], frame, bytes);
	packets[last] = packet;
	for (uint32_t i = 0; i <= last; i++) {
		const struct weir_direct_way *way = &partition->lanes[i]->direct;
		uint32_t place = way->tx->count++;

		weir_direct_rewrite_plain(way->route, packets[i],
			rte_pktmbuf_mtod(packets[i], uint8_t *), bytes, four->ip_sum[number],
			four->udp_sum[number]);
		way->tx->packets[place] = packets[i];
		way->tx->owners[place] = way->owner;
		way->tx->owners[place].bytes = bytes;
	}
	return true;
}
