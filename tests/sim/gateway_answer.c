/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "gateway_private.h"

/*
 * ACK and NACK. An answer is for the lane only when it comes from its owner and is of its epoch;
 * all others are late, and dropped.
 */

static struct gateway_lane *lane_of(struct sim_world *world, const struct gateway_session *session,
	uint16_t stream, uint16_t partition, uint32_t epoch, uint32_t *index)
{
	struct sim_gateway *gateway = world->gateway;
	struct gateway_lane *lane;

	stream = weir_be16(stream);
	partition = weir_be16(partition);
	if (stream >= world->plan.stream_count ||
		partition >= world->plan.streams[stream].partitions)
		return NULL;
	*index = world->plan.streams[stream].first + partition;
	lane = &gateway->lanes[session->group][*index];
	if (sim_broken == SIM_BREAK_STALE_HEARD)
		return lane->owner != GATEWAY_NONE ? lane : NULL;
	if (lane->owner != (int)(session - gateway->sessions) || lane->epoch != weir_be32(epoch))
		return NULL;
	return lane;
}

static int take_ack(
	struct sim_world *world, struct gateway_lane *lane, const struct weir_frame_ack *frame)
{
	uint8_t copy[sizeof(*frame) + WEIR_ACK_RANGES_MAX * sizeof(frame->ranges[0])];
	struct weir_frame_ack *ack = (void *)copy;

	memcpy(copy, frame, weir_be16(frame->header.length));
	if (sim_broken == SIM_BREAK_SETTLED_EARLY)
		ack->done_seq = ack->next_seq;
	return weir_delivery_ack(&lane->delivery, ack, now_us(world));
}

void gateway_ack(struct sim_world *world, struct gateway_session *session,
	const struct weir_frame_ack *frame)
{
	uint32_t partition;
	struct gateway_lane *lane =
		lane_of(world, session, frame->stream, frame->partition, frame->epoch, &partition);
	uint64_t flying, sampled;
	int error;

	if (lane == NULL || !session->is_reliable)
		return;
	flying = gateway_flying(world->gateway, session).messages;
	sampled = lane->delivery.sampled;
	error = take_ack(world, lane, frame);
	sim_checks_ack(
		world, session->group, partition, session - world->gateway->sessions, frame, error);
	if (error != 0)
		return;
	if (lane->delivery.sampled != sampled)
		weir_window_sample(&session->window, lane->delivery.rtt_us, flying, now_us(world));
	gateway_settle(world, session->group, partition);
	sim_checks_books(world, session->group, partition, lane->delivery.flying.messages,
		lane->delivery.flying.bytes);
}

/* What it says that it is done with counts as acknowledged; the lane goes on from there. */
void gateway_release(struct sim_world *world, struct gateway_session *session,
	const struct weir_frame_handover *frame)
{
	struct weir_frame_ack ack = {.header = {.length = weir_be16(sizeof(ack))},
		.stream = frame->stream,
		.partition = frame->partition,
		.epoch = frame->epoch,
		.next_seq = frame->seq,
		.done_seq = frame->seq,
		.newest_seq = frame->seq};
	uint32_t partition;
	struct gateway_lane *lane =
		lane_of(world, session, frame->stream, frame->partition, frame->epoch, &partition);

	if (lane == NULL || !lane->is_draining || weir_be64(frame->seq) > lane->delivery.next)
		return;
	lane->is_released = true;
	gateway_ack(world, session, &ack);
}

void gateway_tell_gap(struct sim_world *world, struct gateway_session *session, uint32_t partition,
	const struct weir_delivery_gap *gap)
{
	const struct gateway_lane *lane = &world->gateway->lanes[session->group][partition];
	struct weir_writer *writer = gateway_writer(world, session, sizeof(struct weir_frame_gap));
	struct weir_frame_gap *frame = weir_writer_add(writer, WEIR_FRAME_GAP, 0, sizeof(*frame));
	uint32_t stream = sim_plan_stream(&world->plan, partition);

	if (frame == NULL)
		return;
	frame->stream = weir_be16((uint16_t)stream);
	frame->partition = weir_be16((uint16_t)(partition - world->plan.streams[stream].first));
	frame->epoch = weir_be32(lane->epoch);
	frame->reason = weir_be16(gap->reason);
	frame->first = weir_be64(gap->first);
	frame->end = weir_be64(gap->end);
	frame->messages = weir_be32(gap->messages);
	frame->bytes = weir_be32(gap->bytes);
}

void gateway_nack(struct sim_world *world, struct gateway_session *session,
	const struct weir_frame_nack *frame)
{
	uint32_t partition;
	struct gateway_lane *lane =
		lane_of(world, session, frame->stream, frame->partition, frame->epoch, &partition);
	struct weir_delivery_gap gap;
	int error;

	if (!world->plan.consumers[session->address.consumer].is_liar)
		world->busy_frames++;
	if (lane == NULL || !session->is_reliable) {
		sim_event(world, SIM_EVENT_STRAY, session->address.consumer,
			weir_be16(frame->partition), weir_be64(frame->ranges[0].first),
			weir_be64(frame->ranges[0].end));
		return;
	}
	error = weir_delivery_nack(&lane->delivery, frame, now_us(world));
	sim_checks_nack(world, session->group, partition, error);
	if (error != 0)
		return;
	if (sim_broken == SIM_BREAK_BUDGET_IGNORED)
		lane->delivery.tokens = INT16_MAX;
	for (uint16_t i = 0; i < weir_be16(frame->count); i++) {
		uint64_t from = weir_be64(frame->ranges[i].first);
		uint64_t end = weir_be64(frame->ranges[i].end);

		while (from < end && weir_delivery_gap(&lane->delivery, from, end, &gap)) {
			gateway_tell_gap(world, session, partition, &gap);
			from = gap.end;
		}
	}
}
