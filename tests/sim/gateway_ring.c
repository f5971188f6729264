/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "gateway_private.h"

static void count_dropped(struct sim_world *world, uint32_t group, uint32_t partition, uint64_t seq,
	enum weir_gap_reason reason)
{
	if (sim_broken != SIM_BREAK_DROP_UNCOUNTED || reason != WEIR_GAP_LAPPED)
		world->gateway->lanes[group][partition].dropped[reason]++;
	sim_checks_given_up(world, group, partition, seq, reason);
}

void gateway_give_up(struct sim_world *world, uint32_t group, uint32_t partition, uint64_t seq,
	enum weir_gap_reason reason)
{
	struct sim_gateway *gateway = world->gateway;

	weir_delivery_give_up(&gateway->lanes[group][partition].delivery, seq, reason);
	count_dropped(world, group, partition, seq, reason);
	if (reason == WEIR_GAP_QUARANTINED)
		gateway->quarantine[gateway->quarantined++ % GATEWAY_QUARANTINED] =
			(struct gateway_quarantined){
				group, message_at(&gateway->rings[partition], seq)->content};
}

void gateway_pass(
	struct sim_world *world, uint32_t group, uint32_t partition, enum weir_gap_reason reason)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	uint64_t seq = lane->delivery.next;

	weir_delivery_pass(&lane->delivery, reason);
	count_dropped(world, group, partition, seq, reason);
}

void gateway_settle(struct sim_world *world, uint32_t group, uint32_t partition)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	enum weir_delivery_state state;
	uint16_t length;

	for (;;) {
		uint64_t seq = lane->delivery.done;

		state = weir_delivery_settle(&lane->delivery, &length);
		if (state == WEIR_DELIVERY_UNSENT)
			break;
		if (state == WEIR_DELIVERY_RECEIVED) {
			lane->delivered++;
			sim_checks_settled(world, group, partition, seq, false);
		}
	}
	if (lane->told < lane->delivery.done)
		lane->told = lane->delivery.done;
}

void gateway_lap(
	struct sim_world *world, uint32_t group, uint32_t partition, enum weir_gap_reason reason)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	uint64_t seq = lane->delivery.done;
	enum weir_delivery_state state = weir_delivery_drop(&lane->delivery, reason);

	if (state == WEIR_DELIVERY_RECEIVED) {
		lane->delivered++;
		sim_checks_settled(world, group, partition, seq, true);
	} else if (state != WEIR_DELIVERY_GONE) {
		count_dropped(world, group, partition, seq, reason);
	}
	gateway_settle(world, group, partition);
}

void sim_gateway_produce(struct sim_world *world, struct sim_content *content)
{
	struct sim_gateway *gateway = world->gateway;
	struct gateway_ring *ring = &gateway->rings[content->partition];
	struct gateway_message *message;

	if (!gateway->is_up)
		return;
	content->seq = ring->head;
	sim_checks_produced(world, content);
	/* The oldest message of a full ring makes room for the newest. */
	for (uint32_t g = 0; g < world->plan.group_count; g++)
		if (ring->head - gateway->lanes[g][content->partition].delivery.done ==
			ring->mask + 1)
			gateway_lap(world, g, content->partition, WEIR_GAP_LAPPED);
	message = message_at(ring, ring->head++);
	message->content = *content;
	sim_payload_fill(content, message->payload);
	gateway_pump(world);
}

static void sweep_lane(struct sim_world *world, uint32_t group, uint32_t partition)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	struct gateway_ring *ring = &world->gateway->rings[partition];

	if (sim_broken == SIM_BREAK_DEADLINE_IGNORED)
		return;
	weir_delivery_skip_gone(&lane->delivery);
	while (lane->delivery.next != ring->head &&
		world->now_ns >= message_at(ring, lane->delivery.next)->content.deadline_ns) {
		gateway_pass(world, group, partition, WEIR_GAP_EXPIRED);
		weir_delivery_skip_gone(&lane->delivery);
		lane->told = lane->delivery.next;
	}
	gateway_settle(world, group, partition);
}

void gateway_sweep(struct sim_world *world)
{
	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < world->plan.partition_count; p++)
			if (partition_is_there(world, p))
				sweep_lane(world, g, p);
}
