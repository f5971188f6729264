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

/*
 * The plan begins from the one before, and from the owners as they are, as the real one does. Lanes
 * whose owner is gone go at once, all others by and by.
 */
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
		if (world->consumers[session->address.consumer].drains != 0) {
			session->is_member = false;
			continue;
		}
		members[request.member_count] =
			(struct weir_place_member){.identity = weir_place_identity(session->name),
				.weight = WEIR_PLACE_WEIGHT,
				.joins = !session->is_member};
		session->is_member = true;
		for (uint32_t p = 0; p < request.partition_count; p++) {
			const struct gateway_lane *lane = &gateway->lanes[group][p];

			if (lane->planned == (int)i ||
				(lane->owner == (int)i && owners[p] == WEIR_PLACE_NONE))
				owners[p] = request.member_count;
		}
		slots[request.member_count++] = (int)i;
	}
	assert(weir_place_scratch(GATEWAY_SESSIONS, SIM_PARTITIONS) <= sizeof(scratch));
	weir_place_plan(&request, owners, scratch);
	for (uint32_t p = 0; p < request.partition_count; p++)
		gateway->lanes[group][p].planned =
			owners[p] == WEIR_PLACE_NONE ? GATEWAY_NONE : slots[owners[p]];
	gateway_moves(world);
}
