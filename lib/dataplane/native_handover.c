/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/handover.h"

#include "dataplane/native_wire.h"
#include "dataplane/reliable.h"

/*
 * What a native consumer is told of a lane that changes hands: ASSIGN when it gets one, REVOKE,
 * again and again, while one that it has is drained; and its RELEASE.
 */

#define REVOKE_US UINT64_C(20000) /* from one REVOKE to the next */

static void add(struct weir_worker *worker, struct weir_lane *lane, enum weir_frame_type type,
	uint64_t seq, uint32_t deadline_ms)
{
	struct weir_outlet *outlet = lane->outlet;
	const struct weir_route *route =
		atomic_load_explicit(&outlet->consumer->route, memory_order_acquire);
	struct weir_frame_handover *frame;

	if (!outlet->consumer->may_assign || route == NULL ||
		weir_tx_room(&worker->tx[route->port]) < 2 + worker->open_count ||
		!weir_native_datagram(worker, outlet, route))
		return;
	frame = weir_writer_add(&outlet->writer, type, 0, sizeof(*frame));
	if (frame == NULL)
		return;
	outlet->needs_tag = true;
	frame->stream = weir_be16(lane->wire.stream);
	frame->partition = weir_be16(lane->wire.partition);
	frame->epoch = weir_be32(lane->wire.epoch);
	frame->deadline_ms = weir_be32(deadline_ms);
	frame->seq = weir_be64(seq);
	frame->lane_messages = weir_be64(lane->wire.messages);
	frame->lane_bytes = weir_be64(lane->wire.bytes);
}

void weir_native_assign(struct weir_worker *worker, struct weir_lane *lane)
{
	add(worker, lane, WEIR_FRAME_ASSIGN, lane->wire.first, 0);
}

/* The consumer stops a quarter early, so that it has stopped when the lane goes on without it. */
void weir_native_revoke(struct weir_worker *worker, struct weir_lane *lane)
{
	uint64_t past = worker->now_us - lane->drain_since_us;
	uint64_t most = lane->drain_us - lane->drain_us / 4;

	if (lane->revoked_us != 0 && worker->now_us - lane->revoked_us < REVOKE_US)
		return;
	lane->revoked_us = worker->now_us;
	add(worker, lane, WEIR_FRAME_REVOKE, lane->delivery->next,
		past < most ? (uint32_t)((most - past) / 1000) : 0);
}

void weir_native_release(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_handover *release)
{
	struct weir_lane *lane = weir_lane_of(
		worker, consumer, weir_be16(release->stream), weir_be16(release->partition));
	struct weir_frame_ack ack = {.stream = release->stream,
		.partition = release->partition,
		.epoch = release->epoch,
		.next_seq = release->seq,
		.done_seq = release->seq};

	if (lane == NULL || !lane->is_draining || lane->wire.epoch != weir_be32(release->epoch) ||
		weir_be64(release->seq) > lane->delivery->next) {
		worker->native_dropped[WEIR_REASON_FRAME_STALE]++;
		return;
	}
	lane->is_released = true;
	/* What it says that it is done with counts as acknowledged; the lane goes on from there. */
	weir_reliable_ack(worker, consumer, &ack);
}
