/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <string.h>

#include "gateway_private.h"

/* What of a session is in flight, over all its lanes. */
struct weir_delivery_amount gateway_flying(
	const struct sim_gateway *gateway, const struct gateway_session *session)
{
	struct weir_delivery_amount sum = {0, 0};

	for (uint32_t p = 0; p < gateway->world->plan.partition_count; p++) {
		const struct gateway_lane *lane = &gateway->lanes[session->group][p];

		if (lane->owner != (int)(session - gateway->sessions))
			continue;
		sum.messages += lane->delivery.flying.messages;
		sum.bytes += lane->delivery.flying.bytes;
	}
	return sum;
}

/* Of each partition of the stream the member that has it, as planned or, if that is gone, so far.
 */
static void seat_owners(struct sim_world *world, uint32_t stream, struct sim_place *place)
{
	const struct sim_stream_plan *plan = &world->plan.streams[stream];

	for (uint32_t p = 0; p < plan->partitions; p++) {
		const struct gateway_lane *lane =
			&world->gateway->lanes[place->group][plan->first + p];

		place->before[p] = WEIR_PLACE_NONE;
		for (uint32_t m = 0; m < place->count; m++)
			if (lane->planned == place->slots[m] ||
				(lane->owner == place->slots[m] &&
					place->before[p] == WEIR_PLACE_NONE))
				place->before[p] = m;
		place->after[p] =
			sim_broken == SIM_BREAK_PLACED_ANEW ? WEIR_PLACE_NONE : place->before[p];
	}
}

static void seat_members(
	struct sim_world *world, uint32_t stream, struct sim_place *place, uint64_t *identities)
{
	struct sim_gateway *gateway = world->gateway;
	uint8_t bit = (uint8_t)(1u << stream);

	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++) {
		struct gateway_session *session = &gateway->sessions[i];

		if (session->id == 0 || !session->is_subscribed || session->group != place->group)
			continue;
		if (world->consumers[session->address.consumer].drains != 0) {
			session->members &= (uint8_t)~bit;
			continue;
		}
		identities[place->count] = weir_place_identity(session->name);
		place->joins[place->count] = !(session->members & bit);
		place->slots[place->count++] = (int)i;
		session->members |= bit;
	}
}

/*
 * The plan begins from the one before, and from the owners as they are, as the real one does. Lanes
 * whose owner is gone go at once, all others by and by.
 */
static void place_stream(
	struct sim_world *world, uint32_t group, uint32_t stream, enum weir_place_goal goal)
{
	static uint64_t scratch[4096];
	const struct sim_stream_plan *plan = &world->plan.streams[stream];
	struct gateway_lane *lanes = &world->gateway->lanes[group][plan->first];
	struct sim_place place = {.group = group, .stream = stream, .goal = goal};
	struct weir_place_member members[GATEWAY_SESSIONS];
	uint64_t identities[GATEWAY_SESSIONS];
	struct weir_place_request request = {
		.members = members, .partition_count = plan->partitions, .goal = goal};

	seat_members(world, stream, &place, identities);
	seat_owners(world, stream, &place);
	request.member_count = place.count;
	for (uint32_t m = 0; m < place.count; m++) {
		uint32_t weight = sim_consumer_weight(world, place.slots[m]);

		if (sim_broken == SIM_BREAK_WEIGHT_IGNORED)
			weight = WEIR_PLACE_WEIGHT;
		members[m] = (struct weir_place_member){identities[m], weight, place.joins[m]};
	}
	assert(weir_place_scratch(GATEWAY_SESSIONS, SIM_PARTITIONS) <= sizeof(scratch));
	weir_place_plan(&request, place.after, scratch);
	sim_checks_planned(world, &place);
	for (uint32_t p = 0; p < plan->partitions; p++)
		lanes[p].planned = place.after[p] == WEIR_PLACE_NONE ? GATEWAY_NONE
								     : place.slots[place.after[p]];
}

void gateway_place(struct sim_world *world, uint32_t group, enum weir_place_goal goal)
{
	for (uint32_t s = 0; s < world->plan.stream_count; s++)
		if (stream_is_there(world->gateway, s))
			place_stream(world, group, s, goal);
	gateway_moves(world);
}
