/* SPDX-License-Identifier: BSD-3-Clause */
#include "checks_private.h"

#include <inttypes.h>

static struct check_session *session_of(
	struct sim_world *world, uint64_t id, uint32_t *group, int *slot)
{
	for (uint32_t i = 0; i < SIM_CONSUMERS; i++) {
		struct check_session *session = &world->checks->sessions[i];

		if (session->id != id || id == 0)
			continue;
		*group = session->consumer / SIM_MEMBERS;
		*slot = (int)i;
		return session;
	}
	return NULL;
}

static void check_epoch(struct sim_world *world, struct check_lane *lane, uint32_t partition,
	uint32_t epoch, uint64_t session)
{
	if (!lane->has_epoch || epoch > lane->epoch) {
		lane->has_epoch = true;
		lane->epoch = epoch;
		lane->epoch_session = session;
	}
	lane->has_sent = true;
	if (epoch != lane->epoch || session != lane->epoch_session)
		sim_fail(world, "epoch", "partition %u: data of epoch %u, which is another's",
			partition, epoch);
}

static void check_caps(struct sim_world *world, const struct check_session *session,
	const struct check_lane *lane, uint32_t partition)
{
	if (session->flying.messages > session->cap.messages ||
		session->flying.bytes > session->cap.bytes)
		sim_fail(world, "cap",
			"consumer %u: %" PRIu64 " messages, %" PRIu64 " bytes in flight; %" PRIu64
			", %" PRIu64 " allowed",
			session->consumer, session->flying.messages, session->flying.bytes,
			session->cap.messages, session->cap.bytes);
	if (lane->flying.messages > session->lane_cap.messages ||
		lane->flying.bytes > session->lane_cap.bytes)
		sim_fail(world, "cap",
			"partition %u: %" PRIu64 " messages, %" PRIu64 " bytes in flight; %" PRIu64
			", %" PRIu64 " allowed",
			partition, lane->flying.messages, lane->flying.bytes,
			session->lane_cap.messages, session->lane_cap.bytes);
}

static void first_time(struct sim_world *world, struct check_session *session,
	struct check_lane *lane, uint32_t partition, uint64_t index, uint16_t length)
{
	struct check_fate *fate = &lane->fates[index];

	if (fate->flags & FATE_PASSED || index < lane->passed)
		sim_fail(world, "position", "partition %u: index %" PRIu64 " sent as new again",
			partition, index);
	if (fate->flags & FATE_SETTLED)
		sim_fail(world, "repeat",
			"partition %u: index %" PRIu64 " is sent, an application was done with it",
			partition, index);
	if (lane->is_draining)
		sim_fail(world, "drain",
			"partition %u: index %" PRIu64 " is sent to an owner that is to let go",
			partition, index);
	check_succession(world, session->consumer / SIM_MEMBERS,
		&world->checks->partitions[partition].contents[index]);
	fate->flags |= FATE_PASSED | FATE_FLYING | FATE_SENT;
	lane->passed = index + 1;
	lane->flying.messages++;
	lane->flying.bytes += length;
	session->flying.messages++;
	session->flying.bytes += length;
	session->sent.messages++;
	session->sent.bytes += length;
	session->lanes[partition].messages++;
	session->lanes[partition].bytes += length;
	if (session->sent.messages > session->limit.messages ||
		session->sent.bytes > session->limit.bytes)
		sim_fail(world, "grant",
			"consumer %u: %" PRIu64 " messages, %" PRIu64 " bytes sent; %" PRIu64
			", %" PRIu64 " granted",
			session->consumer, session->sent.messages, session->sent.bytes,
			session->limit.messages, session->limit.bytes);
	check_caps(world, session, lane, partition);
}

static void once_more(
	struct sim_world *world, struct check_lane *lane, uint32_t partition, uint64_t index)
{
	struct check_fate *fate = &lane->fates[index];

	if (!(fate->flags & FATE_PASSED))
		sim_fail(world, "position",
			"partition %u: index %" PRIu64 " sent again, but never before", partition,
			index);
	fate->flags |= FATE_AGAIN;
	lane->budget -= 256;
	if (lane->budget < 0)
		sim_fail(world, "budget", "partition %u: more sent again than earned", partition);
}

static void check_message(struct sim_world *world, struct check_session *session,
	struct check_lane *lane, uint32_t partition, const struct weir_data_item *item,
	bool is_again)
{
	const struct check_partition *books = &world->checks->partitions[partition];
	const struct sim_content *content;
	uint64_t index;

	if (!check_index(world->checks, partition, item->seq, &index) || index >= books->head) {
		sim_fail(world, "content", "partition %u: sequence %" PRIu64 " was not produced",
			partition, item->seq);
		return;
	}
	content = &books->contents[index];
	if (!sim_payload_is(content, item->payload, item->length))
		sim_fail(world, "content",
			"partition %u index %" PRIu64 ": sent with another content", partition,
			index);
	if (world->now_ns >= content->deadline_ns)
		sim_fail(world, "deadline", "partition %u index %" PRIu64 ": sent too late",
			partition, index);
	if (lane->fates[index].flags & FATE_GONE)
		sim_fail(world, "given-up",
			"partition %u index %" PRIu64 ": sent after it was given up", partition,
			index);
	if (is_again)
		once_more(world, lane, partition, index);
	else
		first_time(world, session, lane, partition, index, item->length);
}

static void check_data(struct sim_world *world, uint64_t id, const struct weir_frame_data *frame)
{
	uint16_t stream = weir_be16(frame->stream);
	bool is_again = frame->header.flags & WEIR_DATA_RETRANSMIT;
	struct check_session *session;
	struct weir_data_cursor cursor;
	struct weir_data_item item;
	struct check_lane *lane;
	uint32_t group, partition;
	int slot;

	session = session_of(world, id, &group, &slot);
	if (session == NULL || stream >= world->plan.stream_count) {
		sim_fail(world, "epoch", "data for a session that is gone");
		return;
	}
	partition = world->plan.streams[stream].first + weir_be16(frame->partition);
	lane = &world->checks->lanes[group][partition];
	check_epoch(world, lane, partition, weir_be32(frame->epoch), id);
	if (lane->owner != slot)
		sim_fail(world, "epoch", "partition %u: data for one who does not own it",
			partition);
	if (weir_be64(frame->lane_messages) != session->lanes[partition].messages ||
		weir_be64(frame->lane_bytes) != session->lanes[partition].bytes)
		sim_fail(world, "position", "partition %u: %" PRIu64 " sent, frame says %" PRIu64,
			partition, session->lanes[partition].messages,
			weir_be64(frame->lane_messages));
	sim_event(world, is_again ? SIM_EVENT_RETRANSMIT : SIM_EVENT_DATA, session->consumer,
		partition, weir_be64(frame->seq), weir_be16(frame->count));
	weir_data_open(&cursor, frame);
	while (weir_data_next(&cursor, &item))
		check_message(world, session, lane, partition, &item, is_again);
}

static void note_gap(struct sim_world *world, const struct weir_frame_gap *gap)
{
	uint32_t first = world->plan.streams[weir_be16(gap->stream)].first;

	sim_event(world, SIM_EVENT_GAP, SIM_NOBODY, first + weir_be16(gap->partition),
		weir_be64(gap->first), weir_be64(gap->end));
}

void sim_checks_sent(struct sim_world *world, const void *data, size_t length)
{
	const struct weir_frame_header *frame;
	const struct check_session *session;
	struct weir_frame_cursor cursor;
	uint32_t group;
	bool is_honest;
	int slot;

	if (weir_datagram_open(&cursor, WEIR_END_CLIENT, data, length) != WEIR_REASON_NONE) {
		sim_fail(world, "refused", "the gateway sends what is malformed");
		return;
	}
	session = session_of(world, cursor.session, &group, &slot);
	is_honest = session != NULL && !world->plan.consumers[session->consumer].is_liar;
	while ((frame = weir_frame_next(&cursor)) != NULL) {
		if (frame->type == WEIR_FRAME_DATA)
			check_data(world, cursor.session, (const void *)frame);
		if ((frame->type == WEIR_FRAME_DATA || frame->type == WEIR_FRAME_GAP) && is_honest)
			world->busy_frames++;
		if (frame->type == WEIR_FRAME_GAP)
			note_gap(world, (const void *)frame);
	}
}

void sim_checks_session(struct sim_world *world, uint32_t slot, uint64_t id, uint32_t consumer,
	const uint32_t *caps)
{
	world->checks->sessions[slot] = (struct check_session){
		.id = id,
		.consumer = consumer,
		.cap = {caps[0], caps[1]},
		.lane_cap = {caps[2], caps[3]},
	};
}

void sim_checks_limit(struct sim_world *world, uint32_t slot, uint64_t messages, uint64_t bytes)
{
	struct check_amount *limit = &world->checks->sessions[slot].limit;

	sim_event(world, SIM_EVENT_CREDIT, world->checks->sessions[slot].consumer, SIM_NOBODY,
		messages, bytes);
	limit->messages = messages > limit->messages ? messages : limit->messages;
	limit->bytes = bytes > limit->bytes ? bytes : limit->bytes;
}

static bool owner_is_honest(const struct sim_world *world, const struct check_lane *lane)
{
	const struct sim_checks *checks = world->checks;

	return lane->owner >= 0 &&
	       !world->plan.consumers[checks->sessions[lane->owner].consumer].is_liar;
}

/* Sequences [first, end) have been acknowledged: each pays for what it needed, and a share. */
static void acknowledged(struct sim_world *world, struct check_lane *lane, uint32_t group,
	uint32_t partition, uint64_t first, uint64_t end)
{
	uint64_t base = world->checks->partitions[partition].first_seq;
	uint64_t from = first > base ? first - base : 0;

	if (from < lane->settle)
		from = lane->settle;
	for (uint64_t i = from; base + i < end && i < SIM_SEQUENCES; i++) {
		if (!(lane->fates[i].flags & FATE_FLYING))
			continue;
		lane->budget += world->plan.groups[group].retry_cost;
		if (lane->fates[i].flags & FATE_AGAIN)
			lane->budget += 256;
		check_land(world->checks, lane, partition, i);
	}
}

void sim_checks_ack(struct sim_world *world, uint32_t group, uint32_t partition, int64_t slot,
	const struct weir_frame_ack *ack, int error)
{
	struct check_lane *lane = &world->checks->lanes[group][partition];
	uint16_t count = weir_be16(ack->count);

	if (lane->owner != slot || weir_be32(ack->epoch) < lane->epoch)
		sim_fail(world, "fence",
			"partition %u: an answer of epoch %u is heard, whose owner has it no more",
			partition, weir_be32(ack->epoch));

	sim_event(world, error == 0 ? SIM_EVENT_ACK : SIM_EVENT_REFUSED,
		world->checks->sessions[lane->owner].consumer, partition, weir_be64(ack->next_seq),
		weir_be64(ack->done_seq));
	if (error != 0) {
		if (owner_is_honest(world, lane))
			sim_fail(world, "refused",
				"partition %u: an honest ACK of %" PRIu64 " is refused", partition,
				weir_be64(ack->next_seq));
		return;
	}
	acknowledged(world, lane, group, partition, 0, weir_be64(ack->next_seq));
	for (uint16_t i = 0; i < count; i++)
		acknowledged(world, lane, group, partition, weir_be64(ack->ranges[i].first),
			weir_be64(ack->ranges[i].end));
}

void sim_checks_nack(struct sim_world *world, uint32_t group, uint32_t partition, int error)
{
	struct check_lane *lane = &world->checks->lanes[group][partition];

	sim_event(world, error == 0 ? SIM_EVENT_NACK : SIM_EVENT_REFUSED,
		world->checks->sessions[lane->owner].consumer, partition, 0, 0);
	if (error != 0 && owner_is_honest(world, lane))
		sim_fail(world, "refused", "partition %u: an honest NACK is refused", partition);
}
