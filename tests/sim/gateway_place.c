/* SPDX-License-Identifier: BSD-3-Clause */
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

void gateway_place(struct sim_world *world, uint32_t group)
{
	struct sim_gateway *gateway = world->gateway;
	uint32_t owners[SIM_PARTITIONS], load[GATEWAY_SESSIONS];
	uint64_t members[GATEWAY_SESSIONS];
	int slots[GATEWAY_SESSIONS];
	uint32_t count = 0;

	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++) {
		const struct gateway_session *session = &gateway->sessions[i];

		if (session->id == 0 || !session->is_subscribed || session->group != group)
			continue;
		members[count] = weir_place_identity(session->name);
		slots[count++] = (int)i;
	}
	weir_place_assign(members, count, world->plan.partition_count, owners, load);
	for (uint32_t p = 0; p < world->plan.partition_count; p++) {
		int owner = owners[p] == WEIR_PLACE_NONE ? GATEWAY_NONE : slots[owners[p]];

		if (gateway->lanes[group][p].owner != owner)
			move(world, group, p, owner);
	}
}
