/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/agent.h"
#include "dataplane/blind.h"
#include "dataplane/gate.h"
#include "dataplane/missed.h"
#include "dataplane/native_wire.h"
#include "dataplane/partition.h"
#include "dataplane/reliable.h"
#include "dataplane/replay.h"
#include "dataplane/run.h"
#include "dataplane/schedule.h"
#include "wire/match.h"

/*
 * Who sends next. A queue holds the lanes of one tier that have something for one consumer.
 * Critical queues go first while they keep below their meter; all others, and critical ones above
 * it, take turns in deficit round robin: each turn is worth a quantum of bytes, by tier. Queues of
 * native consumers that are far behind share a quarter of what these leave.
 */

#define ALONE_QUANTA 4
#define BEHIND_SHARE 4 /* of the spare capacity: one in so many messages */

static bool critical_is_within_meter(struct weir_worker *worker)
{
	uint64_t now = weir_worker_ticks(worker);

	return weir_bucket_is_paid(&worker->meter_packets, now) &&
	       weir_bucket_is_paid(&worker->meter_bits, now);
}

static void activate(struct weir_worker *worker, struct weir_queue *queue)
{
	bool first = queue->tier == WEIR_TIER_CRITICAL && critical_is_within_meter(worker);

	queue->is_active = true;
	weir_list_add_tail(first              ? &worker->critical
			   : queue->is_behind ? &worker->behind
					      : &worker->shared,
		&queue->link);
}

static void deactivate(struct weir_queue *queue)
{
	queue->is_active = false;
	queue->deficit = 0;
	weir_list_remove(&queue->link);
}

void weir_queues_activate(struct weir_worker *worker, struct weir_outlet *outlet)
{
	for (int tier = 0; tier < WEIR_TIERS; tier++) {
		struct weir_queue *queue = &outlet->queues[tier];

		if (!queue->is_active && !weir_list_is_empty(&queue->lanes))
			activate(worker, queue);
	}
}

void weir_queues_deactivate(struct weir_outlet *outlet)
{
	for (int tier = 0; tier < WEIR_TIERS; tier++)
		if (outlet->queues[tier].is_active)
			deactivate(&outlet->queues[tier]);
}

void weir_lane_ready(struct weir_worker *worker, struct weir_lane *lane)
{
	struct weir_outlet *outlet = lane->outlet;
	struct weir_queue *queue;

	if (outlet == NULL || lane->is_full || lane->is_draining ||
		weir_gate_is_paused(outlet->consumer, lane->partition->stream))
		return;
	queue = &outlet->queues[lane->partition->tier];
	lane->is_queued = true;
	weir_list_add_tail(&queue->lanes, &lane->link);
	if (!queue->is_active && outlet->gate == WEIR_GATE_OPEN)
		activate(worker, queue);
}

void weir_lane_idle(struct weir_lane *lane)
{
	struct weir_queue *queue = &lane->outlet->queues[lane->partition->tier];

	lane->is_queued = false;
	weir_list_remove(&lane->link);
	if (queue->is_active && weir_list_is_empty(&queue->lanes))
		deactivate(queue);
}

void weir_outlet_rescan(struct weir_worker *worker, struct weir_outlet *outlet)
{
	for (uint32_t i = 0; i < worker->snapshot->stream_count; i++) {
		struct weir_stream *stream = worker->snapshot->streams[i].stream;

		for (uint16_t p = 0; p < stream->partition_count; p++) {
			struct weir_partition *partition = &stream->partitions[p];

			if (weir_stream_owner(stream, p) != worker->id)
				continue;
			for (uint32_t j = 0; j < partition->lane_count; j++) {
				struct weir_lane *lane = partition->lanes[j];

				if (lane->outlet == outlet && !lane->is_queued &&
					lane->cursor != partition->head)
					weir_lane_ready(worker, lane);
			}
		}
	}
}

/* What the group's own rules and the message's age say, before any gate is asked. */
static enum weir_reason lane_check(const struct weir_worker *worker, struct weir_lane *lane,
	const struct weir_message_slot *slot)
{
	enum weir_reason reason;

	if (weir_message_is_expired(worker, lane->partition, slot))
		return WEIR_REASON_EXPIRED;
	if (unlikely(slot->flags & (WEIR_SLOT_STALE | WEIR_SLOT_MISSED)) &&
		weir_missed_passes(lane, slot, &reason))
		return reason;
	/* What comes back out of quarantine was let through before: it is not sampled again. */
	if (unlikely(slot->only != 0))
		return slot->only == lane->group + 1 ? WEIR_REASON_NONE : WEIR_REASON_ELSEWHERE;
	if (lane->filter != NULL) {
		bool is_ipv6 = slot->flags & WEIR_SLOT_IPV6;
		const uint8_t *source = rte_pktmbuf_mtod_offset(
			slot->mbuf, const uint8_t *, slot->l3_offset + (is_ipv6 ? 8 : 12));

		if (!weir_prefix_set_contains(lane->filter, is_ipv6 ? 6 : 4, source))
			return WEIR_REASON_FILTERED;
	}
	if (lane->sample_left != 0) {
		lane->sample_left--;
		return WEIR_REASON_SAMPLED;
	}
	return WEIR_REASON_NONE;
}

/* The lane has passed its next message without sending it. */
static void pass(struct weir_worker *worker, struct weir_lane *lane, struct weir_message_slot *slot,
	enum weir_reason reason)
{
	bool is_left_out = reason == WEIR_REASON_SAMPLED || reason == WEIR_REASON_FILTERED ||
			   reason == WEIR_REASON_ELSEWHERE;

	if (reason != WEIR_REASON_FILTERED && reason != WEIR_REASON_ELSEWHERE)
		weir_templates_drop(lane, lane->cursor, slot);
	/* What is left out on purpose is covered by the next frame; a loss is a gap in it. */
	if (!is_left_out && lane->outlet->consumer->class == WEIR_CLASS_NATIVE) {
		weir_native_end(worker, lane->outlet, lane);
		lane->told = lane->cursor + 1;
	}
	if (weir_captures(worker, WEIR_CAPTURE_DROP))
		weir_capture_lane_drop(worker, lane, lane->cursor, slot, reason);
	if (weir_is_traced(slot))
		weir_trace_lane(worker, lane, lane->cursor, WEIR_TRACE_DROPPED, reason);
	if (lane->delivery != NULL) {
		weir_reliable_pass(worker, lane, reason);
		return;
	}
	lane->cursor++;
	lane->stats->dropped[reason]++;
	weir_partition_release(worker, lane->partition, slot);
}

/* The lane's next message was sent; `took`: with the slot's own mbuf. */
void weir_lane_sent(struct weir_worker *worker, struct weir_lane *lane,
	struct weir_message_slot *slot, bool took)
{
	struct weir_outlet *outlet = lane->outlet;

	if (weir_is_traced(slot))
		weir_trace_lane(worker, lane, lane->cursor, WEIR_TRACE_TAKEN, WEIR_REASON_NONE);
	lane->cursor++;
	lane->sample_left = lane->sample - 1;
	lane->stats->delivered++;
	lane->stats->delivered_bytes += slot->payload_length;
	outlet->stats.delivered++;
	outlet->stats.delivered_bytes += slot->payload_length;
	if (took)
		weir_partition_advance(worker, lane->partition, slot);
	else
		weir_partition_release(worker, lane->partition, slot);
}

static bool send_blind(struct weir_worker *worker, struct weir_lane *lane,
	const struct weir_route *route, struct weir_tx *tx, struct weir_message_slot *slot)
{
	bool last = slot->holders == 1;
	struct rte_mbuf *packet = weir_blind_make(worker, route, slot, last);

	if (unlikely(packet == NULL)) {
		weir_gate_wait_buffer(worker, lane->outlet);
		return false;
	}
	weir_tx_add_for(tx, packet, lane->stats, slot->payload_length, weir_lane_tag(lane));
	lane->outlet->stats.datagrams++;
	weir_lane_sent(worker, lane, slot, last);
	return true;
}

static bool send_native(struct weir_worker *worker, struct weir_lane *lane,
	const struct weir_route *route, struct weir_message_slot *slot)
{
	if (weir_native_add(worker, lane->outlet, route, lane, slot) != WEIR_GATE_OPEN) {
		weir_gate_wait_buffer(worker, lane->outlet);
		return false;
	}
	if (lane->delivery == NULL) {
		weir_lane_sent(worker, lane, slot, false);
		return true;
	}
	lane->sample_left = lane->sample - 1;
	weir_reliable_sent(worker, lane, slot);
	return true;
}

/* What was given up under an earlier consumer is not sent to this one: a gap of its own. */
static void skip_gone(struct weir_worker *worker, struct weir_lane *lane)
{
	uint64_t before = lane->cursor;

	weir_delivery_skip_gone(lane->delivery);
	if (lane->delivery->next == before)
		return;
	weir_native_end(worker, lane->outlet, lane);
	lane->cursor = lane->delivery->next;
	lane->told = lane->cursor;
}

static bool has_next(struct weir_worker *worker, struct weir_lane *lane)
{
	if (unlikely(lane->delivery != NULL && lane->delivery->settled != 0))
		skip_gone(worker, lane);
	return lane->cursor != lane->partition->head;
}

/* False: the lane's own window is full, and it waits for an acknowledgement. */
static bool lane_has_room(
	const struct weir_worker *worker, struct weir_lane *lane, uint32_t payload)
{
	if (lane->delivery == NULL || !lane->outlet->consumer->is_reliable ||
		likely(weir_reliable_has_room(lane, payload)))
		return true;
	lane->is_full = true;
	lane->full_at = worker->now;
	weir_lane_idle(lane);
	return false;
}

/* Every datagram that is begun has a place kept for it. */
static bool tx_has_room(struct weir_worker *worker, struct weir_outlet *outlet, struct weir_tx *tx)
{
	uint32_t needed = 2 + worker->open_count;

	if (likely(weir_tx_room(tx) >= needed))
		return true;
	weir_tx_flush(worker, tx);
	if (weir_tx_room(tx) >= needed)
		return true;
	weir_gate_wait_tx(worker, outlet, tx);
	return false;
}

static inline bool may_send(struct weir_worker *worker, struct weir_lane *lane, struct weir_tx *tx,
	uint32_t l3_bytes, uint32_t payload)
{
	struct weir_outlet *outlet = lane->outlet;

	return lane_has_room(worker, lane, payload) && tx_has_room(worker, outlet, tx) &&
	       (outlet->limits == 0 || weir_gate_admit(worker, outlet, l3_bytes, payload));
}

static inline void charge(struct weir_queue *queue, uint32_t l3_bytes, uint32_t payload)
{
	struct weir_outlet *outlet = queue->outlet;

	if (outlet->limits != 0)
		weir_gate_charge(outlet, l3_bytes, payload);
	queue->deficit -= l3_bytes;
	outlet->l3_bytes += l3_bytes;
	outlet->l3_packets++;
}

bool weir_lane_may_send(struct weir_worker *worker, struct weir_lane *lane, struct weir_tx *tx,
	uint32_t l3_bytes, uint32_t payload)
{
	return may_send(worker, lane, tx, l3_bytes, payload);
}

void weir_lane_charge(struct weir_queue *queue, uint32_t l3_bytes, uint32_t payload)
{
	charge(queue, l3_bytes, payload);
}

/* Take from one lane until it is empty, a gate closes, or the turn is used up. */
static uint32_t lane_turn(struct weir_worker *worker, struct weir_queue *queue,
	struct weir_lane *lane, const struct weir_route *route, uint32_t most)
{
	struct weir_outlet *outlet = queue->outlet;
	struct weir_partition *partition = lane->partition;
	struct weir_tx *tx = &worker->tx[route->port];
	bool is_native = outlet->consumer->class == WEIR_CLASS_NATIVE;
	bool may_run = weir_run_may(lane, route) &&
		       (partition->features & WEIR_FEATURE_BIT(WEIR_FEATURE_RUNS));
	uint32_t taken = 0;

	if (weir_gate_is_paused(outlet->consumer, partition->stream)) {
		weir_lane_idle(lane);
		return 0;
	}
	while (has_next(worker, lane) && taken < most && queue->deficit > 0) {
		struct weir_message_slot *slot = weir_slot(partition, lane->cursor);
		uint32_t payload = slot->payload_length;
		uint32_t l3_bytes = weir_message_l3_bytes(slot);
		enum weir_reason reason;

		if (may_run && likely(!lane->wants_templates)) {
			uint32_t sent = weir_run_send(worker, queue, lane, route, most - taken);

			taken += sent;
			if (likely(sent != 0))
				continue;
		}
		reason = lane_check(worker, lane, slot);
		queue->oldest = slot->ingest;
		if (reason == WEIR_REASON_NONE)
			reason = is_native ? weir_native_check(outlet, route, slot)
					   : weir_blind_check(route, slot);
		taken++;
		if (unlikely(reason != WEIR_REASON_NONE)) {
			pass(worker, lane, slot, reason);
			continue;
		}
		if (unlikely(lane->wants_templates)) {
			enum weir_replay replay =
				weir_replay_turn(worker, queue, lane, route, slot);

			if (replay == WEIR_REPLAY_SENT)
				continue;
			if (replay == WEIR_REPLAY_WAIT)
				break;
		}
		if (!may_send(worker, lane, tx, l3_bytes, payload))
			break;
		if (!(is_native ? send_native(worker, lane, route, slot)
				: send_blind(worker, lane, route, tx, slot)))
			break;
		charge(queue, l3_bytes, payload);
	}
	if (is_native)
		weir_native_end(worker, outlet, lane);
	return taken;
}

/* What the queue has sent since it had sent `noted` packets; returns how many that are now. */
static inline uint64_t note_sent(struct weir_worker *worker, const struct weir_queue *queue,
	uint8_t features, uint64_t noted)
{
	weir_latency_note(worker, features, WEIR_LATENCY_SEND_CRITICAL + queue->tier, queue->oldest,
		queue->outlet->l3_packets - noted);
	return queue->outlet->l3_packets;
}

/* The others go first. Datagrams alike, of which the port makes one packet, hold no two lanes. */
static void turn_ends(
	struct weir_worker *worker, struct weir_queue *queue, struct weir_lane *lane, bool joins)
{
	if (joins && queue->outlet->datagram != NULL)
		weir_native_send(worker, queue->outlet);
	weir_list_remove(&lane->link);
	weir_list_add_tail(&queue->lanes, &lane->link);
}

/* One queue's turn. Afterwards it is at the tail of a list, or in none. */
static uint32_t queue_turn(
	struct weir_worker *worker, struct weir_queue *queue, uint32_t quantum, uint32_t most)
{
	struct weir_outlet *outlet = queue->outlet;
	const struct weir_route *route;
	uint64_t noted = outlet->l3_packets;
	uint8_t features = 0;
	uint32_t taken = 0;

	if (weir_gate_enter(worker, outlet, &route) != WEIR_GATE_OPEN)
		return 0;
	WEIR_CYCLES_LAP(worker, GATE);
	queue->deficit += quantum;
	while (queue->is_active && queue->deficit > 0 && taken < most) {
		struct weir_lane *lane = weir_list_entry(queue->lanes.next, struct weir_lane, link);

		/* What went before is of partitions with other features. */
		if (unlikely(lane->partition->features != features) && outlet->l3_packets != noted)
			noted = note_sent(worker, queue, features, noted);
		features = lane->partition->features;
		taken += lane_turn(worker, queue, lane, route, most - taken);
		if (!lane->is_queued)
			continue;
		if (lane->cursor == lane->partition->head)
			weir_lane_idle(lane);
		else if (outlet->gate == WEIR_GATE_OPEN)
			turn_ends(worker, queue, lane, worker->tx[route->port].port->joins);
	}
	note_sent(worker, queue, features, noted);
	if (outlet->limits != 0)
		weir_gate_leave(outlet);
	if (outlet->credit_extra != 0)
		weir_agent_turn_over(worker, outlet);
	if (outlet->consumer->is_reliable)
		queue->is_behind = worker->now - queue->oldest > worker->snapshot->catch_up_cycles;
	if (queue->is_active) {
		weir_list_remove(&queue->link);
		activate(worker, queue);
	}
	WEIR_CYCLES_LAP(worker, SEND);
	return taken;
}

static uint32_t run_critical(struct weir_worker *worker, uint32_t most)
{
	uint64_t now = weir_worker_ticks(worker);
	uint32_t taken = 0;

	while (!weir_list_is_empty(&worker->critical) && taken < most) {
		struct weir_queue *queue =
			weir_list_entry(worker->critical.next, struct weir_queue, link);
		uint64_t before = queue->outlet->l3_packets;
		uint64_t bytes = queue->outlet->l3_bytes;

		if (!critical_is_within_meter(worker)) {
			weir_list_splice_tail(&worker->shared, &worker->critical);
			break;
		}
		taken +=
			queue_turn(worker, queue, worker->snapshot->standard_quantum, most - taken);
		weir_bucket_charge(&worker->meter_packets, queue->outlet->l3_packets - before, now);
		weir_bucket_charge(&worker->meter_bits, 8 * (queue->outlet->l3_bytes - bytes), now);
	}
	return taken;
}

/* Of the list's first queue: more when no other waits, and it is known whether it is behind. */
static uint32_t quantum_of(const struct weir_worker *worker, const struct weir_list *list)
{
	const struct weir_queue *queue = weir_list_entry(list->next, struct weir_queue, link);
	uint32_t quantum = queue->tier == WEIR_TIER_BULK ? worker->snapshot->bulk_quantum
							 : worker->snapshot->standard_quantum;
	bool is_known = list == &worker->behind ||
			worker->now - queue->oldest <= worker->snapshot->catch_up_cycles;

	return list->next == list->prev && is_known ? quantum * ALONE_QUANTA : quantum;
}

static uint32_t run_list(struct weir_worker *worker, struct weir_list *list, uint32_t most)
{
	uint32_t taken = 0;

	while (!weir_list_is_empty(list) && taken < most)
		taken += queue_turn(worker, weir_list_entry(list->next, struct weir_queue, link),
			quantum_of(worker, list), most - taken);
	return taken;
}

static void open_expired(struct weir_worker *worker)
{
	struct weir_list due;

	weir_wheel_expire(&worker->wheel, worker->now, &due);
	while (!weir_list_is_empty(&due)) {
		struct weir_timer *timer = weir_list_entry(due.next, struct weir_timer, link);

		weir_list_remove(&timer->link);
		weir_outlet_open(worker, weir_list_entry(timer, struct weir_outlet, timer));
	}
}

uint32_t weir_schedule(struct weir_worker *worker)
{
	/* Else copies for many groups, or what many queues bring, would never end a backlog. */
	uint32_t most = WEIR_DELIVER_MAX + worker->due;
	uint32_t taken, again = 0;

	worker->due = 0;
	if (worker->wheel.count != 0)
		open_expired(worker);
	if (worker->lane_wheel.count != 0)
		weir_reliable_tick(worker);
	if (unlikely(!weir_list_is_empty(&worker->again)))
		again = weir_again_run(worker);
	taken = run_critical(worker, most);
	taken += run_list(worker, &worker->shared, most - taken);
	if (!weir_list_is_empty(&worker->behind))
		taken += run_list(worker, &worker->behind, (most - taken) / BEHIND_SHARE);
	if (!weir_list_is_empty(&worker->open))
		weir_native_flush(worker);
	return taken + again;
}
