/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/direct.h"

#include "dataplane/gate.h"

/* Messages of the partition are for nobody else, and what the critical tier sends is metered. */
static bool is_alone(const struct weir_partition *partition)
{
	return partition->lane_count == 1 && !partition->retains &&
	       partition->tier != WEIR_TIER_CRITICAL &&
	       (partition->features & WEIR_FEATURE_BIT(WEIR_FEATURE_RUNS));
}

/* The lane may be given messages, as for weir_lane_ready, and leaves none out. */
static bool is_free(const struct weir_partition *partition, const struct weir_lane *lane)
{
	return partition->head == partition->tail && !lane->is_full && !lane->is_draining &&
	       !lane->is_following && !lane->wants_templates && lane->cursor == partition->head &&
	       lane->filter == NULL && lane->sample == 1 && lane->sample_left == 0;
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

void weir_direct_look(struct weir_worker *worker, struct weir_partition *partition)
{
	struct weir_direct *direct = &partition->direct;
	struct weir_direct_burst *burst = &worker->direct;
	struct weir_lane *lane = partition->lanes[0];
	struct weir_outlet *outlet;

	direct->burst = burst->number;
	direct->payload_bound = 0;
	if (!burst->may_send || !is_alone(partition) || lane->outlet == NULL)
		return;
	outlet = lane->outlet;
	if (outlet->direct_burst != burst->number) {
		outlet->direct_burst = burst->number;
		outlet->direct_route = find_route(worker, outlet);
	}
	/* After the gate, which may have found that the lane wants templates. */
	if (outlet->direct_route == NULL || !is_free(partition, lane))
		return;
	direct->route = outlet->direct_route;
	direct->payload_bound = direct->route->max_payload + 1u;
	direct->tx = &worker->tx[direct->route->port];
	direct->owner = (struct weir_tx_owner){.stats = lane->stats, .tag = weir_lane_tag(lane)};
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

void weir_direct_settle(struct weir_worker *worker, struct weir_partition *partition)
{
	struct weir_direct_burst *burst = &worker->direct;
	struct weir_direct *direct = &partition->direct;
	struct weir_lane *lane = partition->lanes[0];
	struct weir_outlet *outlet = lane->outlet;
	uint32_t taken = direct->taken;
	uint64_t bytes = direct->bytes;

	direct->taken = 0;
	direct->bytes = 0;
	partition->head += taken;
	partition->tail = partition->head;
	partition->received_bytes += bytes;
	partition->stream->local[worker->id].stats.appended += taken;
	lane->cursor = partition->head;
	lane->stats->delivered += taken;
	lane->stats->delivered_bytes += bytes;
	outlet->stats.delivered += taken;
	outlet->stats.delivered_bytes += bytes;
	outlet->stats.datagrams += taken;
	outlet->l3_packets += taken;
	outlet->l3_bytes += bytes + (uint64_t)taken * (WEIR_IPV4_SIZE + WEIR_UDP_SIZE);
	if (unlikely(burst->features != partition->features || burst->tier != partition->tier))
		note(worker);
	burst->features = partition->features;
	burst->tier = partition->tier;
	burst->sent += taken;
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
