/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <string.h>

#include "gateway_private.h"
#include "place/place.h"

/* What of a session is in flight, over all its lanes. */
struct weir_delivery_amount gateway_flying(
	const struct sim_gateway *gateway, const struct gateway_session *session)
{
	struct weir_delivery_amount sum = {0, 0};

	for (uint32_t p = 0; p < SIM_PARTITIONS; p++) {
		const struct gateway_lane *lane = &gateway->lanes[session->group][p];

		if (lane->owner != (int)(session - gateway->sessions))
			continue;
		sum.messages += lane->delivery.flying.messages;
		sum.bytes += lane->delivery.flying.bytes;
	}
	return sum;
}

/* The lane goes to another session, from where its work is not finished. */
static void move(struct sim_world *world, uint32_t group, uint32_t partition, int owner)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	struct weir_delivery *delivery = &lane->delivery;

	lane->owner = owner;
	if (sim_broken != SIM_BREAK_EPOCH_KEPT)
		lane->epoch++;
	sim_checks_moved(world, group, partition, owner);
	weir_delivery_rewind(delivery);
	/* Gaps that nobody has confirmed are told to the new owner. */
	lane->first = delivery->gap_count != 0 ? delivery->gaps[0].first : delivery->done;
	lane->told = delivery->done;
	lane->is_starved = false;
	gateway_settle(world, group, partition);
	sim_checks_books(
		world, group, partition, delivery->flying.messages, delivery->flying.bytes);
}

/* The plan begins from the owners as they are, as the real one does. */
void gateway_place(struct sim_world *world, uint32_t group)
{
	static uint64_t scratch[4096];
	struct sim_gateway *gateway = world->gateway;
	struct weir_place_member members[GATEWAY_SESSIONS];
	struct weir_place_request request = {
		.members = members, .partition_count = world->plan.partition_count};
	uint32_t owners[SIM_PARTITIONS];
	int slots[GATEWAY_SESSIONS];

	memset(owners, 0xff, sizeof(owners));
	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++) {
		struct gateway_session *session = &gateway->sessions[i];

		if (session->id == 0 || !session->is_subscribed || session->group != group)
			continue;
		members[request.member_count] =
			(struct weir_place_member){.identity = weir_place_identity(session->name),
				.weight = WEIR_PLACE_WEIGHT,
				.joins = !session->is_member};
		session->is_member = true;
		for (uint32_t p = 0; p < request.partition_count; p++)
			if (gateway->lanes[group][p].owner == (int)i)
				owners[p] = request.member_count;
		slots[request.member_count++] = (int)i;
	}
	assert(weir_place_scratch(GATEWAY_SESSIONS, SIM_PARTITIONS) <= sizeof(scratch));
	weir_place_plan(&request, owners, scratch);
	for (uint32_t p = 0; p < request.partition_count; p++) {
		int owner = owners[p] == WEIR_PLACE_NONE ? GATEWAY_NONE : slots[owners[p]];

		if (gateway->lanes[group][p].owner != owner)
			move(world, group, p, owner);
	}
}
