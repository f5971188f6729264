/* SPDX-License-Identifier: BSD-3-Clause */
#include "gateway_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAVE_MS   50 /* positions are written so often */
#define JUMP_MOST 40 /* numbers left out by a restart, at most */

void gateway_lane_begin(struct sim_world *world, uint32_t group, uint32_t partition, uint64_t seq)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	const struct sim_group_plan *plan = &world->plan.groups[group];
	uint64_t saved = gateway_saved(world, group, partition);
	uint32_t epoch = lane->epoch;

	memset(lane, 0, sizeof(*lane));
	lane->rules = (struct weir_delivery_rules){plan->retry_cost, (uint8_t)plan->attempts};
	weir_delivery_init(&lane->delivery, lane->records, world->gateway->rings[partition].mask,
		&lane->rules, seq);
	weir_delivery_missing(&lane->delivery, saved, seq, WEIR_GAP_RESTART);
	lane->owner = lane->planned = GATEWAY_NONE;
	lane->epoch = epoch + 1;
	lane->first = saved;
	lane->told = lane->begun = seq;
	lane->saved_done = saved;
}

struct sim_gateway *sim_gateway_open(struct sim_world *world)
{
	struct sim_gateway *gateway = sim_alloc(sizeof(*gateway));
	struct sim_plan *plan = &world->plan;

	world->gateway = gateway;
	gateway->world = world;
	sim_random_init(&gateway->random, world->seed, 3);
	for (uint32_t p = 0; p < plan->partition_count; p++) {
		const struct sim_stream_plan *stream = &plan->streams[sim_plan_stream(plan, p)];

		gateway->rings[p].mask = stream->ring - 1;
		gateway->rings[p].head = stream->first_seq[p - stream->first];
		for (uint32_t g = 0; g < plan->group_count; g++) {
			gateway->lanes[g][p].owner = gateway->lanes[g][p].planned = GATEWAY_NONE;
			gateway->lanes[g][p].saved_done =
				stream->predecessor < 0 ? gateway->rings[p].head : GATEWAY_UNSAVED;
		}
	}
	sim_gateway_begin(world);
	return gateway;
}

void sim_gateway_close(struct sim_gateway *gateway)
{
	free(gateway);
}

void sim_gateway_end(struct sim_world *world)
{
	struct sim_gateway *gateway = world->gateway;

	if (!gateway->is_up)
		return;
	sim_gateway_count(world);
	gateway->is_up = false;
	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < world->plan.partition_count; p++)
			if (partition_is_there(world, p)) {
				struct gateway_lane *lane = &gateway->lanes[g][p];

				sim_checks_ended(world, g, p, lane->delivery.done);
				lane->owner = lane->planned = GATEWAY_NONE;
				lane->is_draining = false;
			}
	memset(gateway->sessions, 0, sizeof(gateway->sessions));
}

static void ring_begin(struct sim_world *world, uint32_t partition)
{
	struct sim_gateway *gateway = world->gateway;
	struct gateway_ring *ring = &gateway->rings[partition];

	if (world->now_ns != 0)
		ring->head += sim_below(&gateway->random, JUMP_MOST);
	if (sim_broken == SIM_BREAK_SEQUENCE_REPEATED && world->now_ns != 0)
		ring->head = gateway->lanes[0][partition].saved_done;
	for (uint32_t g = 0; g < world->plan.group_count; g++)
		gateway_lane_begin(world, g, partition, ring->head);
}

/* What was draining is gone: its places are with those that follow. */
static void streams_begin(struct sim_world *world)
{
	struct gateway_stream *streams = world->gateway->streams;

	for (uint32_t s = 0; s < world->plan.stream_count; s++) {
		bool is_current = world->streams[world->plan.streams[s].name] == s;

		if (!is_current && streams[s].life != GATEWAY_UNBORN) {
			if (streams[s].life != GATEWAY_OVER)
				sim_checks_gone(world, s);
			streams[s].life = GATEWAY_OVER;
		}
		if (is_current)
			streams[s].life = GATEWAY_LIVE;
	}
}

void sim_gateway_begin(struct sim_world *world)
{
	struct sim_gateway *gateway = world->gateway;

	if (gateway->is_up)
		return;
	gateway->is_up = true;
	gateway->incarnation = sim_random(&gateway->random);
	gateway->save_at = world->now_ns;
	streams_begin(world);
	for (uint32_t p = 0; p < world->plan.partition_count; p++)
		if (partition_is_there(world, p))
			ring_begin(world, p);
}

static void save(struct sim_world *world)
{
	struct sim_gateway *gateway = world->gateway;

	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < world->plan.partition_count; p++)
			if (partition_is_there(world, p))
				gateway->lanes[g][p].saved_done = gateway_position(world, g, p);
	gateway->save_at = world->now_ns + SAVE_MS * SIM_MS;
}

static void take_pause(struct gateway_session *session, const struct weir_frame_pause *pause)
{
	uint32_t counter = weir_be32(pause->counter);

	if (counter <= session->pause_counter)
		return;
	session->pause_counter = counter;
	session->paused = pause->scope == WEIR_PAUSE_ALL ? 0xff : 0;
	for (uint16_t i = 0; i < weir_be16(pause->count); i++)
		if (weir_be16(pause->streams[i]) < SIM_STREAMS)
			session->paused |= (uint8_t)(1u << weir_be16(pause->streams[i]));
}

/* False when the session is gone. */
static bool take_frame(struct sim_world *world, struct gateway_session *session,
	const struct weir_frame_header *frame)
{
	const struct weir_frame_credit *credit = (const void *)frame;

	switch ((enum weir_frame_type)frame->type) {
	case WEIR_FRAME_SUBSCRIBE:
		gateway_subscribe(world, session, (const void *)frame);
		break;
	case WEIR_FRAME_CREDIT:
		gateway_grant(world, session, weir_be64(credit->limit_messages),
			weir_be64(credit->limit_bytes));
		gateway_list_named(world, session, weir_be16(credit->edition));
		break;
	case WEIR_FRAME_PAUSE:
		take_pause(session, (const void *)frame);
		break;
	case WEIR_FRAME_ACK:
		gateway_ack(world, session, (const void *)frame);
		break;
	case WEIR_FRAME_NACK:
		gateway_nack(world, session, (const void *)frame);
		break;
	case WEIR_FRAME_RELEASE:
		gateway_release(world, session, (const void *)frame);
		break;
	case WEIR_FRAME_LEAVE:
		gateway_forget(world, session);
		return false;
	default:
		break;
	}
	return true;
}

static struct gateway_session *session_of(
	struct sim_gateway *gateway, uint64_t id, struct sim_address address)
{
	struct gateway_session *session;

	if (weir_session_slot(id) >= GATEWAY_SESSIONS)
		return NULL;
	session = &gateway->sessions[weir_session_slot(id)];
	if (session->id != id || session->address.consumer != address.consumer ||
		session->address.start != address.start)
		return NULL;
	return session;
}

void sim_gateway_receive(struct sim_world *world, const struct sim_packet *packet)
{
	const struct weir_frame_header *frame;
	struct gateway_session *session;
	struct weir_frame_cursor cursor;

	if (!world->gateway->is_up)
		return;
	if (weir_datagram_open(&cursor, WEIR_END_GATEWAY, packet->data, packet->length) !=
		WEIR_REASON_NONE) {
		if (!world->plan.consumers[packet->address.consumer].is_liar)
			sim_fail(world, "refused", "consumer %u sends what is malformed",
				packet->address.consumer);
		return;
	}
	if (cursor.session == 0) {
		frame = weir_frame_next(&cursor);
		if (frame != NULL && frame->type == WEIR_FRAME_HELLO)
			gateway_hello(world, packet->address, (const void *)frame);
		return;
	}
	session = session_of(world->gateway, cursor.session, packet->address);
	if (session == NULL) {
		gateway_no_session(world, packet->address, cursor.session);
		return;
	}
	session->heard_at = world->now_ns;
	session->heard++;
	while ((frame = weir_frame_next(&cursor)) != NULL)
		if (!take_frame(world, session, frame))
			break;
	gateway_succeed(world);
	gateway_moves(world);
	gateway_pump(world);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool is_working(const struct sim_gateway *gateway)
{
	const struct sim_plan *plan = &gateway->world->plan;

	for (uint32_t g = 0; g < plan->group_count; g++)
		for (uint32_t p = 0; p < plan->partition_count; p++)
			if (partition_is_there(gateway->world, p) &&
				gateway->lanes[g][p].delivery.done != gateway->rings[p].head)
				return true;
	return false;
}

/* The lanes' timers count in microseconds from a second before the beginning. */
static uint64_t lane_deadline_ns(const struct gateway_lane *lane)
{
	uint64_t us = weir_delivery_deadline_us(&lane->delivery);

	if (us == UINT64_MAX || lane->owner == GATEWAY_NONE || sim_broken == SIM_BREAK_TAIL_UNSEEN)
		return UINT64_MAX;
	return us > 1000000 ? (us - 1000000) * 1000 : 0;
}

uint64_t sim_gateway_deadline_ns(const struct sim_gateway *gateway)
{
	const struct sim_world *world = gateway->world;
	uint64_t at = UINT64_MAX;

	if (!gateway->is_up)
		return at;
	at = least(gateway_moves_ns(world), gateway_succession_ns(world));
	if (is_working(gateway))
		at = least(at, gateway->save_at);
	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++) {
		const struct gateway_session *session = &gateway->sessions[i];

		if (session->id == 0)
			continue;
		at = least(at, gateway_heartbeat_ns(world, session));
		at = least(at, gateway_announce_ns(session));
		at = least(at, session->heard_at + world->plan.liveness_ms * SIM_MS);
		if (session->open_at > world->now_ns)
			at = least(at, session->open_at);
	}
	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < world->plan.partition_count; p++)
			at = least(at, lane_deadline_ns(&gateway->lanes[g][p]));
	return at;
}

static void tick_lanes(struct sim_world *world)
{
	struct sim_gateway *gateway = world->gateway;

	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < world->plan.partition_count; p++) {
			struct gateway_lane *lane = &gateway->lanes[g][p];
			struct gateway_session *session;
			bool is_alive;

			if (lane_deadline_ns(lane) > world->now_ns)
				continue;
			session = &gateway->sessions[lane->owner];
			is_alive = session->heard != session->answers[p];
			session->answers[p] = session->heard;
			weir_delivery_tick(&lane->delivery, is_alive, now_us(world));
			sim_checks_ticked(world, g, p);
		}
}

void sim_gateway_run(struct sim_world *world)
{
	struct sim_gateway *gateway = world->gateway;

	if (!gateway->is_up)
		return;
	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++) {
		struct gateway_session *session = &gateway->sessions[i];

		if (session->id == 0)
			continue;
		if (world->now_ns >= session->heard_at + world->plan.liveness_ms * SIM_MS)
			gateway_expel(world, session, WEIR_ERROR_SILENT);
		else if (world->now_ns >= gateway_heartbeat_ns(world, session))
			gateway_heartbeat(world, session);
	}
	if (world->now_ns >= gateway->save_at) {
		save(world);
		gateway_sweep(world);
	}
	tick_lanes(world);
	gateway_announce_run(world);
	gateway_succeed(world);
	gateway_moves(world);
	gateway_pump(world);
}

static const char *lane_trouble(const struct sim_world *world, const struct gateway_lane *lane,
	const struct gateway_ring *ring, bool forgives_liars)
{
	const struct weir_delivery *delivery = &lane->delivery;

	if (lane->owner == GATEWAY_NONE)
		return "has no owner";
	if (lane->owner != lane->planned || lane->is_draining)
		return "is to change hands";
	/* What a liar has acknowledged in advance it may wait for in vain. */
	if (forgives_liars &&
		world->plan.consumers[world->gateway->sessions[lane->owner].address.consumer]
			.is_liar)
		return NULL;
	if (delivery->next != ring->head)
		return lane->is_starved ? "waits for credit" : "is not sent";
	if (delivery->flying.messages != 0 || delivery->lost != 0)
		return "is in flight";
	if (delivery->done != ring->head)
		return "is not worked on";
	if (delivery->gap_count != 0 && world->gateway->sessions[lane->owner].is_reliable)
		return "has a gap that is not confirmed";
	return NULL;
}

bool sim_gateway_is_quiet(
	const struct sim_world *world, bool forgives_liars, char *why, size_t size)
{
	const struct sim_gateway *gateway = world->gateway;

	snprintf(why, size, "the gateway is down");
	if (!gateway->is_up)
		return false;
	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < world->plan.partition_count; p++) {
			const char *trouble = lane_trouble(
				world, &gateway->lanes[g][p], &gateway->rings[p], forgives_liars);

			if (!partition_is_there(world, p) || gateway->lanes[g][p].is_over ||
				trouble == NULL)
				continue;
			snprintf(why, size, "group %u partition %u %s", g, p, trouble);
			return false;
		}
	return true;
}

void gateway_lane_count(struct sim_world *world, uint32_t group, uint32_t partition)
{
	const struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	uint64_t head = world->gateway->rings[partition].head, given_up = 0;
	struct sim_counts counts = {
		.received = head - lane->begun,
		.delivered = lane->delivered,
	};

	memcpy(counts.dropped, lane->dropped, sizeof(counts.dropped));
	for (uint64_t seq = lane->delivery.done; seq != head; seq++)
		given_up +=
			lane->records[seq & lane->delivery.mask].state % 16 == WEIR_DELIVERY_GONE;
	counts.held = head - lane->delivery.done - given_up;
	sim_checks_counts(world, group, partition, &counts);
}

void sim_gateway_count(struct sim_world *world)
{
	for (uint32_t g = 0; world->gateway->is_up && g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < world->plan.partition_count; p++)
			if (partition_is_there(world, p) && !world->gateway->lanes[g][p].is_over)
				gateway_lane_count(world, g, p);
}
