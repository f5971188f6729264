/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/reliable.h"

#include "dataplane/gate.h"
#include "dataplane/handover.h"
#include "dataplane/native_wire.h"
#include "dataplane/partition.h"
#include "dataplane/replay.h"

#define FETCH_AHEAD 8 /* messages */

/* How a GAP calls what is counted under this reason. */
static enum weir_gap_reason gap_reason(enum weir_reason reason)
{
	switch (reason) {
	case WEIR_REASON_LAPPED:
		return WEIR_GAP_LAPPED;
	case WEIR_REASON_EXPIRED:
		return WEIR_GAP_EXPIRED;
	case WEIR_REASON_TOO_BIG:
		return WEIR_GAP_TOO_BIG;
	case WEIR_REASON_QUARANTINED:
		return WEIR_GAP_QUARANTINED;
	case WEIR_REASON_REMOVED:
	case WEIR_REASON_SUPERSEDED:
	case WEIR_REASON_SHUTDOWN:
		return WEIR_GAP_REMOVED;
	case WEIR_REASON_CHECKSUM:
		return WEIR_GAP_CHECKSUM;
	case WEIR_REASON_SKIPPED:
		return WEIR_GAP_SKIPPED;
	case WEIR_REASON_FAILOVER:
		return WEIR_GAP_FAILOVER;
	default:
		return WEIR_GAP_LEFT_OUT;
	}
}

/* What is in flight no longer makes room in the windows. */
static void take_landed(struct weir_worker *worker, struct weir_lane *lane)
{
	struct weir_delivery_amount landed = lane->delivery->landed;
	struct weir_outlet *outlet = lane->outlet;

	lane->delivery->landed = (struct weir_delivery_amount){0};
	if (landed.messages == 0 || outlet == NULL)
		return;
	outlet->flying -= landed.messages;
	if (outlet->flying == 0)
		outlet->idle_us = worker->now_us;
	weir_flight_landed(worker, outlet, landed.messages, landed.bytes);
	if (lane->is_full && weir_reliable_has_room(lane, 0)) {
		weir_lane_end_full(worker, lane);
		if (lane->cursor != lane->partition->head && !lane->is_queued)
			weir_lane_ready(worker, lane);
	}
}

/* One message is behind the lane: counted, unless it was when it was given up. */
static void let_go(struct weir_worker *worker, struct weir_lane *lane, uint64_t seq,
	enum weir_delivery_state state)
{
	struct weir_message_slot *slot = weir_slot(lane->partition, seq);

	if (state == WEIR_DELIVERY_RECEIVED) {
		if (weir_is_traced(slot))
			weir_trace_lane(worker, lane, seq, WEIR_TRACE_DONE, WEIR_REASON_NONE);
		lane->stats->delivered++;
		lane->stats->delivered_bytes += slot->payload_length;
		if (lane->outlet != NULL) {
			lane->outlet->stats.delivered++;
			lane->outlet->stats.delivered_bytes += slot->payload_length;
		}
	}
	weir_partition_release(worker, lane->partition, slot);
}

/*
 * Nobody has looked at what is let go since it was sent, so it has left the caches. A slot beyond
 * the head may name anything: to fetch that does no harm.
 */
static void fetch_ahead(const struct weir_lane *lane, uint64_t seq)
{
	struct rte_mbuf *packet = weir_slot(lane->partition, seq + FETCH_AHEAD)->mbuf;

	rte_mbuf_prefetch_part1(packet);
}

static void settle(struct weir_worker *worker, struct weir_lane *lane)
{
	for (;;) {
		uint64_t seq = lane->delivery->done;
		uint16_t length;
		enum weir_delivery_state state = weir_delivery_settle(lane->delivery, &length);

		if (state == WEIR_DELIVERY_UNSENT)
			return;
		fetch_ahead(lane, seq);
		let_go(worker, lane, seq, state);
	}
}

static void arm(struct weir_worker *worker, struct weir_lane *lane)
{
	uint64_t deadline = weir_delivery_deadline_us(lane->delivery);

	if (deadline == UINT64_MAX)
		return;
	deadline = deadline > worker->now_us ? deadline - worker->now_us : 0;
	weir_wheel_set(
		&worker->lane_wheel, &lane->timer, worker->now + deadline * worker->cycles_per_us);
}

static void tell_later(struct weir_worker *worker, struct weir_lane *lane, uint64_t seq)
{
	lane->tell_from = RTE_MIN(lane->tell_from, seq);
	weir_again_add(worker, lane);
}

/* The consumer's lane of that partition and epoch; NULL when it is not, or not any more. */
static struct weir_lane *find_lane(struct weir_worker *worker, const struct weir_consumer *consumer,
	uint16_t stream_slot, uint16_t index, uint32_t epoch)
{
	struct weir_lane *lane = weir_lane_of(worker, consumer, stream_slot, index);

	if (lane == NULL || lane->delivery == NULL || lane->wire.epoch != epoch ||
		!consumer->is_reliable) {
		worker->native_dropped[WEIR_REASON_FRAME_STALE]++;
		return NULL;
	}
	return lane;
}

void weir_reliable_ack(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_ack *ack)
{
	struct weir_lane *lane = find_lane(worker, consumer, weir_be16(ack->stream),
		weir_be16(ack->partition), weir_be32(ack->epoch));
	struct weir_outlet *outlet;
	uint64_t sampled, flying;
	bool was_silent;

	if (lane == NULL)
		return;
	outlet = lane->outlet;
	was_silent = lane->delivery->probes != 0;
	sampled = lane->delivery->sampled;
	flying = outlet->flying;
	if (weir_delivery_ack(lane->delivery, ack, worker->now_us) < 0) {
		worker->native_dropped[WEIR_REASON_FRAME_MALFORMED]++;
		return;
	}
	outlet->stats.acks++;
	if (lane->delivery->sampled != sampled) {
		weir_window_sample(&outlet->window, lane->delivery->rtt_us, flying, worker->now_us);
		weir_latency_add(
			&worker->latencies[lane->partition->features][WEIR_LATENCY_ACKNOWLEDGE],
			lane->delivery->rtt_us * 1000, 1);
	}
	take_landed(worker, lane);
	settle(worker, lane);
	if (was_silent && lane->delivery->probes == 0)
		arm(worker, lane);
	if (lane->delivery->lost != 0)
		weir_again_add(worker, lane);
	if (unlikely(lane->is_draining))
		weir_handover_look(worker, lane);
}

/* What is gone is told at once; what does not fit now is asked for again. */
static void answer_gaps(
	struct weir_worker *worker, struct weir_lane *lane, const struct weir_frame_nack *nack)
{
	const struct weir_route *route =
		atomic_load_explicit(&lane->outlet->consumer->route, memory_order_acquire);
	uint16_t count = weir_be16(nack->count);
	struct weir_delivery_gap gap;
	uint32_t told = 0;

	for (uint16_t i = 0; i < count && route != NULL; i++) {
		uint64_t from = weir_be64(nack->ranges[i].first);
		uint64_t end = weir_be64(nack->ranges[i].end);

		while (weir_delivery_gap(lane->delivery, from, end, &gap)) {
			if (told++ == WEIR_NACK_RANGES_MAX ||
				!weir_native_add_gap(worker, lane->outlet, route, lane, &gap))
				return;
			from = gap.end;
		}
	}
}

/* It waits for what another consumer of its group is sent by now: it would ask for ever. */
static void answer_stale(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_nack *nack)
{
	uint16_t slot = weir_be16(nack->stream), index = weir_be16(nack->partition);
	const struct weir_stream *stream =
		slot < WEIR_MAX_STREAMS ? worker->snapshot->by_slot[slot] : NULL;
	const struct weir_partition *partition;

	if (stream == NULL || index >= stream->partition_count ||
		weir_stream_owner(stream, index) != worker->id || !consumer->is_reliable)
		return;
	partition = &stream->partitions[index];
	for (uint32_t i = 0; i < partition->lane_count; i++) {
		const struct weir_lane *lane = partition->lanes[i];

		if (lane->group == consumer->group && lane->delivery != NULL &&
			lane->outlet != &consumer->outlets[worker->id] &&
			lane->wire.epoch > weir_be32(nack->epoch))
			weir_native_tell_moved(worker, consumer, lane);
	}
}

void weir_reliable_nack(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_nack *nack)
{
	struct weir_lane *lane = find_lane(worker, consumer, weir_be16(nack->stream),
		weir_be16(nack->partition), weir_be32(nack->epoch));
	bool was_silent;

	if (lane == NULL) {
		answer_stale(worker, consumer, nack);
		return;
	}
	was_silent = lane->delivery->probes != 0;
	if (weir_delivery_nack(lane->delivery, nack, worker->now_us) < 0) {
		worker->native_dropped[WEIR_REASON_FRAME_MALFORMED]++;
		return;
	}
	lane->outlet->stats.nacks++;
	answer_gaps(worker, lane, nack);
	if (was_silent)
		arm(worker, lane);
	if (lane->delivery->lost != 0)
		weir_again_add(worker, lane);
}

void weir_reliable_sent(
	struct weir_worker *worker, struct weir_lane *lane, const struct weir_message_slot *slot)
{
	struct weir_outlet *outlet = lane->outlet;

	if (weir_is_traced(slot))
		weir_trace_lane(worker, lane, lane->cursor, WEIR_TRACE_TAKEN, WEIR_REASON_NONE);
	if (outlet->flying == 0 && outlet->idle_us != 0)
		weir_window_resume(
			&outlet->window, worker->now_us - outlet->idle_us, worker->now_us);
	weir_delivery_sent(lane->delivery, slot->payload_length, worker->now_us);
	lane->cursor = lane->delivery->next;
	outlet->flying++;
	if (unlikely(!outlet->consumer->is_reliable)) {
		weir_delivery_trust(lane->delivery);
		take_landed(worker, lane);
		settle(worker, lane);
	} else if (!weir_timer_is_set(&lane->timer)) {
		arm(worker, lane);
	}
}

void weir_reliable_pass(struct weir_worker *worker, struct weir_lane *lane, enum weir_reason reason)
{
	enum weir_gap_reason gap = gap_reason(reason);

	if (gap != WEIR_GAP_LEFT_OUT)
		tell_later(worker, lane, lane->cursor);
	weir_delivery_pass(lane->delivery, gap);
	lane->cursor = lane->delivery->next;
	lane->stats->dropped[reason]++;
	settle(worker, lane);
}

void weir_reliable_skip(
	struct weir_worker *worker, struct weir_lane *lane, uint64_t until, enum weir_reason reason)
{
	struct weir_delivery *delivery = lane->delivery;

	if (lane->outlet != NULL)
		tell_later(worker, lane, delivery->done);
	while (delivery->done < until) {
		uint64_t seq = delivery->done;
		enum weir_delivery_state state = weir_delivery_drop(delivery, gap_reason(reason));

		if (state != WEIR_DELIVERY_RECEIVED && state != WEIR_DELIVERY_GONE) {
			lane->stats->dropped[reason]++;
			if (weir_captures(worker, WEIR_CAPTURE_DROP))
				weir_capture_lane_drop(
					worker, lane, seq, weir_slot(lane->partition, seq), reason);
			if (weir_is_traced(weir_slot(lane->partition, seq)))
				weir_trace_lane(worker, lane, seq, WEIR_TRACE_DROPPED, reason);
			weir_templates_drop(lane, seq, weir_slot(lane->partition, seq));
		}
		let_go(worker, lane, seq, state);
	}
	lane->cursor = delivery->next;
	lane->told = RTE_MAX(lane->told, delivery->done);
	take_landed(worker, lane);
	settle(worker, lane);
	if (lane->is_queued && lane->cursor == lane->partition->head)
		weir_lane_idle(lane);
}

void weir_reliable_rewind(struct weir_worker *worker, struct weir_lane *lane)
{
	weir_wheel_cancel(&worker->lane_wheel, &lane->timer);
	weir_list_remove(&lane->again);
	weir_delivery_rewind(lane->delivery);
	/* Whoever rewinds it queues it again: it is not to be queued because room was made. */
	weir_lane_end_full(worker, lane);
	take_landed(worker, lane);
	lane->cursor = lane->delivery->next;
	lane->told = lane->cursor;
	lane->tell_from = UINT64_MAX;
}

void weir_reliable_detach(struct weir_worker *worker, struct weir_lane *lane)
{
	uint64_t flying = lane->delivery->flying.messages;
	struct weir_outlet *outlet = lane->outlet;

	weir_wheel_cancel(&worker->lane_wheel, &lane->timer);
	weir_list_remove(&lane->again);
	if (outlet == NULL || flying == 0)
		return;
	outlet->flying -= flying;
	if (outlet->flying == 0)
		outlet->idle_us = worker->now_us;
	weir_flight_landed(worker, outlet, 0, 0);
}

void weir_reliable_attach(struct weir_lane *lane)
{
	lane->outlet->flying += lane->delivery->flying.messages;
}

void weir_reliable_go_on(struct weir_worker *worker, struct weir_lane *lane)
{
	if (lane->outlet->consumer->is_reliable && !weir_timer_is_set(&lane->timer))
		arm(worker, lane);
	if (lane->delivery->lost != 0 || lane->tell_from != UINT64_MAX)
		weir_again_add(worker, lane);
}

void weir_reliable_reopen(struct weir_worker *worker, struct weir_lane *lane, uint64_t seq)
{
	struct weir_delivery *delivery = lane->delivery;

	weir_reliable_rewind(worker, lane);
	/* What had been given up is tried again: it is held, so its count is taken back. */
	lane->stats->replayed += delivery->done - seq + delivery->settled;
	weir_delivery_reopen(delivery, seq);
	lane->cursor = seq;
	lane->told = seq;
}

static bool was_heard_since(const struct weir_worker *worker, const struct weir_lane *lane)
{
	uint64_t heard =
		atomic_load_explicit(&lane->outlet->consumer->last_heard, memory_order_relaxed);

	/* As `now_us` is made: a clock whose megahertz are no whole number would run away. */
	return (uint64_t)(((unsigned __int128)heard * worker->us_per_cycle) >> 64) >
	       lane->delivery->probe_us;
}

static void tick_lane(struct weir_worker *worker, struct weir_lane *lane)
{
	struct weir_delivery *delivery = lane->delivery;

	if (delivery->flying.messages == 0 || lane->outlet == NULL)
		return;
	if ((int64_t)(worker->now_us - weir_delivery_deadline_us(delivery)) >= 0) {
		weir_delivery_tick(delivery, was_heard_since(worker, lane), worker->now_us);
		lane->outlet->stats.probes++;
		weir_again_add(worker, lane);
	}
	arm(worker, lane);
}

void weir_reliable_tick(struct weir_worker *worker)
{
	struct weir_list due;

	weir_wheel_expire(&worker->lane_wheel, worker->now, &due);
	while (!weir_list_is_empty(&due)) {
		struct weir_timer *timer = weir_list_entry(due.next, struct weir_timer, link);

		weir_list_remove(&timer->link);
		tick_lane(worker, weir_list_entry(timer, struct weir_lane, timer));
	}
}

/* What is too old, or was sent too often, is not sent again. */
static enum weir_reason check_again(const struct weir_worker *worker, const struct weir_lane *lane,
	const struct weir_message_slot *slot, uint64_t seq)
{
	if (weir_message_is_expired(worker, lane->partition, slot))
		return WEIR_REASON_EXPIRED;
	return weir_delivery_is_exhausted(lane->delivery, seq) ? WEIR_REASON_QUARANTINED
							       : WEIR_REASON_NONE;
}

static void give_up(
	struct weir_worker *worker, struct weir_lane *lane, uint64_t seq, enum weir_reason reason)
{
	if (reason == WEIR_REASON_QUARANTINED)
		weir_quarantine_put(worker, lane, seq, weir_slot(lane->partition, seq));
	if (weir_captures(worker, WEIR_CAPTURE_DROP))
		weir_capture_lane_drop(worker, lane, seq, weir_slot(lane->partition, seq), reason);
	if (weir_is_traced(weir_slot(lane->partition, seq)))
		weir_trace_lane(worker, lane, seq, WEIR_TRACE_DROPPED, reason);
	weir_templates_drop(lane, seq, weir_slot(lane->partition, seq));
	weir_delivery_give_up(lane->delivery, seq, gap_reason(reason));
	lane->stats->dropped[reason]++;
	lane->tell_from = RTE_MIN(lane->tell_from, seq);
}

/* Gaps not told yet; false when there is no room for them now. */
static bool tell_gaps(
	struct weir_worker *worker, struct weir_lane *lane, const struct weir_route *route)
{
	uint64_t from = lane->tell_from;
	struct weir_delivery_gap gap;

	while (weir_delivery_gap(lane->delivery, from, lane->cursor, &gap)) {
		lane->tell_from = gap.first;
		if (gap.reason != WEIR_GAP_LEFT_OUT &&
			!weir_native_add_gap(worker, lane->outlet, route, lane, &gap))
			return false;
		from = gap.end;
	}
	lane->tell_from = UINT64_MAX;
	return true;
}

bool weir_reliable_again(
	struct weir_worker *worker, struct weir_lane *lane, const struct weir_route *route)
{
	struct weir_outlet *outlet = lane->outlet;
	bool is_finished = false;
	uint64_t from = 0;

	for (uint32_t sent = 0; sent < WEIR_BURST; sent++) {
		uint64_t seq = weir_delivery_again(lane->delivery, from);
		const struct weir_message_slot *slot;
		enum weir_reason reason;

		is_finished = seq == WEIR_DELIVERY_NONE;
		if (is_finished)
			break;
		slot = weir_slot(lane->partition, seq);
		from = seq + 1;
		reason = check_again(worker, lane, slot, seq);
		if (reason != WEIR_REASON_NONE) {
			give_up(worker, lane, seq, reason);
			continue;
		}
		if (!(unlikely(weir_delivery_length(lane->delivery, seq) != slot->payload_length)
				    ? weir_replay_again(worker, outlet, route, lane, seq, slot)
				    : weir_native_add_again(
					      worker, outlet, route, lane, seq, slot)))
			break;
		weir_delivery_resent(lane->delivery, seq, worker->now_us);
		if (weir_is_traced(slot))
			weir_trace_lane(worker, lane, seq, WEIR_TRACE_AGAIN, WEIR_REASON_NONE);
		outlet->stats.retransmitted++;
		outlet->stats.retransmitted_bytes += slot->payload_length;
		weir_gate_charge_again(worker, outlet, weir_message_l3_bytes(slot));
	}
	weir_native_end_again(outlet);
	is_finished &= tell_gaps(worker, lane, route);
	take_landed(worker, lane);
	settle(worker, lane);
	if (!weir_timer_is_set(&lane->timer))
		arm(worker, lane);
	return is_finished;
}
