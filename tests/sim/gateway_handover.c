/* SPDX-License-Identifier: BSD-3-Clause */
#include "gateway_private.h"

/*
 * Lanes on their way to another session, as the real gateway does it: a few of a group at a time.
 * Nothing new is sent, what is under way is worked off until the application is done with all of
 * it, or its time is over; then the lane goes on in a higher epoch. One whose owner is gone goes at
 * once.
 */

#define REVOKE_MS 20 /* from one REVOKE to the next */

static bool is_gone(const struct sim_gateway *gateway, int slot)
{
	return slot == GATEWAY_NONE || gateway->sessions[slot].id == 0 ||
	       !gateway->sessions[slot].is_subscribed;
}

static void tell(
	struct sim_world *world, uint32_t group, uint32_t partition, enum weir_frame_type type)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	struct gateway_session *session = &world->gateway->sessions[lane->owner];
	uint64_t drain_ns = world->plan.groups[group].drain_ms * SIM_MS;
	uint64_t past_ns = world->now_ns - lane->drain_since_ns;
	uint64_t most_ns = drain_ns - drain_ns / 4;
	uint32_t stream = sim_plan_stream(&world->plan, partition);
	struct weir_frame_handover *frame;

	if (!session->is_reliable)
		return;
	frame = weir_writer_add(
		gateway_writer(world, session, sizeof(*frame)), type, 0, sizeof(*frame));
	if (frame == NULL)
		return;
	session->is_told[partition] = true;
	frame->stream = weir_be16((uint16_t)stream);
	frame->partition = weir_be16((uint16_t)(partition - world->plan.streams[stream].first));
	frame->epoch = weir_be32(lane->epoch);
	frame->lane_messages = weir_be64(session->sent[partition].messages);
	frame->lane_bytes = weir_be64(session->sent[partition].bytes);
	if (type == WEIR_FRAME_REVOKE) {
		frame->seq = weir_be64(lane->delivery.next);
		frame->deadline_ms =
			weir_be32(past_ns < most_ns ? (uint32_t)((most_ns - past_ns) / SIM_MS) : 0);
	} else {
		frame->seq = weir_be64(lane->first);
	}
}

static void hand_to(struct sim_world *world, uint32_t group, uint32_t partition, int slot)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	struct weir_delivery *delivery = &lane->delivery;
	bool was_alive = !is_gone(world->gateway, lane->owner);

	if (sim_broken == SIM_BREAK_HANDED_FROM_SENT) {
		weir_delivery_trust(delivery);
		sim_checks_trusted(world, group, partition);
		gateway_settle(world, group, partition);
	}
	lane->owner = slot;
	lane->is_draining = false;
	if (sim_broken != SIM_BREAK_EPOCH_KEPT)
		lane->epoch++;
	sim_checks_moved(world, group, partition, lane->owner, was_alive);
	weir_delivery_rewind(delivery);
	/* Gaps that nobody has confirmed are told to the new owner. */
	lane->first = delivery->gap_count != 0 ? delivery->gaps[0].first : delivery->done;
	lane->told = delivery->done;
	lane->is_starved = false;
	gateway_settle(world, group, partition);
	sim_checks_books(
		world, group, partition, delivery->flying.messages, delivery->flying.bytes);
	if (!is_gone(world->gateway, lane->owner))
		tell(world, group, partition, WEIR_FRAME_ASSIGN);
}

/* Nobody is given what it was not told of. */
static bool knows(const struct sim_world *world, int slot, uint32_t partition)
{
	return slot == GATEWAY_NONE || sim_broken == SIM_BREAK_LIST_UNTOLD ||
	       world->gateway->sessions[slot].knows >> sim_plan_stream(&world->plan, partition) & 1;
}

void gateway_hand_over(struct sim_world *world, uint32_t group, uint32_t partition)
{
	int slot = world->gateway->lanes[group][partition].planned;

	hand_to(world, group, partition, knows(world, slot, partition) ? slot : GATEWAY_NONE);
}

/* Something is under way to an owner that may still finish it. */
static bool has_to_drain(
	const struct sim_world *world, uint32_t group, const struct gateway_lane *lane)
{
	if (is_gone(world->gateway, lane->owner) || sim_broken == SIM_BREAK_DRAIN_SKIPPED ||
		world->plan.groups[group].drain_ms == 0 ||
		lane->delivery.done == lane->delivery.next)
		return false;
	return world->gateway->sessions[lane->owner].is_reliable &&
	       !(lane->is_draining && lane->is_released);
}

static void begin(struct sim_world *world, uint32_t group, uint32_t partition)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];

	lane->is_draining = true;
	lane->is_released = false;
	lane->drain_since_ns = lane->revoked_ns = world->now_ns;
	sim_checks_draining(world, group, partition);
	tell(world, group, partition, WEIR_FRAME_REVOKE);
}

static void look(struct sim_world *world, uint32_t group, uint32_t partition)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	uint64_t drain_ns = world->plan.groups[group].drain_ms * SIM_MS;

	if (!has_to_drain(world, group, lane) || world->now_ns - lane->drain_since_ns >= drain_ns) {
		gateway_hand_over(world, group, partition);
	} else if (world->now_ns - lane->revoked_ns >= REVOKE_MS * SIM_MS) {
		lane->revoked_ns = world->now_ns;
		tell(world, group, partition, WEIR_FRAME_REVOKE);
	}
}

static void move_some(struct sim_world *world, uint32_t group)
{
	struct gateway_lane *lanes = world->gateway->lanes[group];
	uint32_t draining = 0;

	for (uint32_t p = 0; p < world->plan.partition_count; p++) {
		if (lanes[p].is_draining)
			look(world, group, p);
		draining += lanes[p].is_draining;
	}
	for (uint32_t p = 0; p < world->plan.partition_count; p++) {
		if (lanes[p].is_draining || lanes[p].is_following || lanes[p].is_over ||
			lanes[p].owner == lanes[p].planned)
			continue;
		if (!knows(world, lanes[p].planned, p)) {
			if (lanes[p].owner != GATEWAY_NONE &&
				is_gone(world->gateway, lanes[p].owner))
				hand_to(world, group, p, GATEWAY_NONE);
			continue;
		}
		if (!has_to_drain(world, group, &lanes[p]))
			gateway_hand_over(world, group, p);
		else if (draining++ < world->plan.groups[group].moves)
			begin(world, group, p);
	}
}

void gateway_moves(struct sim_world *world)
{
	for (uint32_t g = 0; g < world->plan.group_count; g++)
		move_some(world, g);
}

uint64_t gateway_moves_ns(const struct sim_world *world)
{
	uint64_t at = UINT64_MAX;

	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < world->plan.partition_count; p++) {
			const struct gateway_lane *lane = &world->gateway->lanes[g][p];
			uint64_t over =
				lane->drain_since_ns + world->plan.groups[g].drain_ms * SIM_MS;
			uint64_t again = lane->revoked_ns + REVOKE_MS * SIM_MS;

			if (!lane->is_draining)
				continue;
			at = over < at ? over : at;
			at = again < at ? again : at;
		}
	return at;
}

void sim_gateway_move(struct sim_world *world, uint32_t partition, uint32_t consumer)
{
	struct sim_gateway *gateway = world->gateway;
	uint32_t group = consumer / SIM_MEMBERS;

	for (uint32_t i = 0; gateway->is_up && i < GATEWAY_SESSIONS; i++) {
		const struct gateway_session *session = &gateway->sessions[i];

		if (session->address.consumer != consumer || is_gone(gateway, (int)i) ||
			world->consumers[consumer].drains != 0 ||
			!partition_is_there(world, partition) || !knows(world, (int)i, partition))
			continue;
		gateway->lanes[group][partition].planned = (int)i;
		gateway_moves(world);
		gateway_pump(world);
		return;
	}
}

void sim_gateway_drain(struct sim_world *world, uint32_t group)
{
	if (!world->gateway->is_up)
		return;
	gateway_place(world, group, WEIR_PLACE_STABLE);
	gateway_pump(world);
}

void sim_gateway_weigh(struct sim_world *world, uint32_t group)
{
	if (!world->gateway->is_up)
		return;
	gateway_place(world, group, WEIR_PLACE_EVEN);
	gateway_pump(world);
}
