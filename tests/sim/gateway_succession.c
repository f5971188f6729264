/* SPDX-License-Identifier: BSD-3-Clause */
#include "gateway_private.h"

/*
 * A stream with another number of partitions takes one's place, as lib/dataplane/succession.h has
 * it: the old one delivers what it holds, and a lane of the new one waits for all of its group in
 * the old one that share keys with it, and for the one of its own number. What is not done in time
 * is dropped, and told.
 */

#define TELL_MS 1000 /* a consumer is told of what was cut off for so long */

static bool is_draining(const struct sim_world *world, int stream)
{
	return stream >= 0 && world->gateway->streams[stream].life == GATEWAY_DRAINING;
}

/* Whoever has the lane knows what it will not get. */
static bool is_told(const struct sim_world *world, const struct gateway_lane *lane, uint64_t until)
{
	if (sim_broken == SIM_BREAK_CUT_UNTOLD)
		return true;
	return lane->delivery.gap_count == 0 || world->now_ns >= until + TELL_MS * SIM_MS;
}

/* A stream that takes the place of the partition's has one of its number. */
static bool has_heir(const struct sim_world *world, uint32_t partition)
{
	const struct sim_plan *plan = &world->plan;
	uint32_t stream = sim_plan_stream(plan, partition);

	for (uint32_t s = 0; s < plan->stream_count; s++)
		if (plan->streams[s].predecessor == (int)stream)
			return partition - plan->streams[stream].first <
			       plan->streams[s].partitions;
	return false;
}

static void lane_end(struct sim_world *world, uint32_t group, uint32_t partition)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];

	gateway_lane_count(world, group, partition);
	sim_checks_over(world, group, partition,
		lane->delivery.gap_count != 0 && !has_heir(world, partition));
	lane->is_over = true;
	lane->is_draining = false;
	lane->owner = lane->planned = GATEWAY_NONE;
}

static void look_at_lane(
	struct sim_world *world, uint32_t group, uint32_t partition, uint64_t until)
{
	struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	uint64_t head = world->gateway->rings[partition].head;

	if (lane->is_over)
		return;
	while (world->now_ns >= until && lane->delivery.done != head)
		gateway_lap(world, group, partition, WEIR_GAP_REMOVED);
	if (lane->delivery.done == head && !lane->is_following && is_told(world, lane, until))
		lane_end(world, group, partition);
}

/* Nobody is told of its lanes any more, but all that there are none. */
static void stream_end(struct sim_world *world, uint32_t stream)
{
	const struct sim_stream_plan *plan = &world->plan.streams[stream];

	world->gateway->streams[stream].life = GATEWAY_OVER;
	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++)
		for (uint32_t p = 0; p < plan->partitions; p++)
			world->gateway->sessions[i].is_told[plan->first + p] = false;
	gateway_announce(world);
}

static void look_at_stream(struct sim_world *world, uint32_t stream)
{
	const struct sim_stream_plan *plan = &world->plan.streams[stream];
	struct sim_gateway *gateway = world->gateway;
	bool is_over = true;

	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = plan->first; p < plan->first + plan->partitions; p++) {
			look_at_lane(world, g, p, gateway->streams[stream].drain_until);
			is_over &= gateway->lanes[g][p].is_over;
		}
	if (is_over)
		stream_end(world, stream);
}

/* As weir_key_partition() shares the hash out. */
static bool has_to_wait(const struct sim_world *world, uint32_t group, uint32_t stream, uint32_t p)
{
	const struct sim_stream_plan *plan = &world->plan.streams[stream], *before;
	const struct gateway_lane *lanes;
	uint32_t first, end;

	if (!is_draining(world, plan->predecessor) || sim_broken == SIM_BREAK_SUCCESSION_RUSHED)
		return false;
	before = &world->plan.streams[plan->predecessor];
	lanes = &world->gateway->lanes[group][before->first];
	/* A client has one lane of a name and number at a time. */
	if (p < before->partitions && !lanes[p].is_over)
		return true;
	first = p * before->partitions / plan->partitions;
	end = ((p + 1) * before->partitions + plan->partitions - 1) / plan->partitions;
	for (uint32_t i = first; i < end; i++)
		if (!lanes[i].is_over)
			return true;
	return false;
}

/* Whoever gets the lane is told what nobody was of the one before. */
static void inherit_gaps(struct sim_world *world, uint32_t group, uint32_t partition)
{
	uint32_t before = sim_plan_before(&world->plan, partition);
	const struct weir_delivery *old;

	if (before == SIM_PARTITIONS || !world->gateway->lanes[group][before].is_over ||
		sim_broken == SIM_BREAK_CUT_UNTOLD || sim_broken == SIM_BREAK_HEIR_SILENT)
		return;
	old = &world->gateway->lanes[group][before].delivery;
	if (old->gap_count != 0)
		weir_delivery_inherit(&world->gateway->lanes[group][partition].delivery,
			old->gaps[0].first, old->gaps[old->gap_count - 1].reason);
}

static void release(struct sim_world *world, uint32_t stream)
{
	const struct sim_stream_plan *plan = &world->plan.streams[stream];

	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < plan->partitions; p++) {
			struct gateway_lane *lane = &world->gateway->lanes[g][plan->first + p];

			if (!lane->is_following || has_to_wait(world, g, stream, p))
				continue;
			inherit_gaps(world, g, plan->first + p);
			lane->is_following = false;
		}
}

void gateway_succeed(struct sim_world *world)
{
	for (uint32_t s = 0; s < world->plan.stream_count; s++) {
		if (is_draining(world, (int)s))
			look_at_stream(world, s);
		if (world->plan.streams[s].predecessor >= 0 && stream_is_there(world->gateway, s))
			release(world, s);
	}
}

uint64_t gateway_succession_ns(const struct sim_world *world)
{
	uint64_t at = UINT64_MAX;

	for (uint32_t s = 0; s < world->plan.stream_count; s++) {
		uint64_t until = world->gateway->streams[s].drain_until;

		if (!is_draining(world, (int)s))
			continue;
		if (until <= world->now_ns)
			until += TELL_MS * SIM_MS;
		/* What is late waits for one that is later. */
		if (until > world->now_ns && until < at)
			at = until;
	}
	return at;
}

uint64_t gateway_saved(const struct sim_world *world, uint32_t group, uint32_t partition)
{
	uint64_t saved = world->gateway->lanes[group][partition].saved_done;
	uint32_t before = sim_plan_before(&world->plan, partition);

	if (saved != GATEWAY_UNSAVED)
		return saved;
	if (before != SIM_PARTITIONS)
		return gateway_saved(world, group, before);
	return world->gateway->rings[partition].head;
}

uint64_t gateway_position(const struct sim_world *world, uint32_t group, uint32_t partition)
{
	const struct gateway_lane *lane = &world->gateway->lanes[group][partition];
	uint32_t before = sim_plan_before(&world->plan, partition);

	/* What is still to come of the one before is done after it is. */
	if (before != SIM_PARTITIONS && partition_is_there(world, before) &&
		(!world->gateway->lanes[group][before].is_over || lane->is_following))
		return gateway_position(world, group, before);
	/* What is not told yet is told after a restart as well. */
	return lane->delivery.gap_count != 0 ? lane->delivery.gaps[0].first : lane->delivery.done;
}

void sim_gateway_change(struct sim_world *world, uint32_t stream)
{
	const struct sim_stream_plan *plan = &world->plan.streams[stream];
	struct sim_gateway *gateway = world->gateway;

	/* One that is down finds it in its configuration. */
	if (!gateway->is_up)
		return;
	gateway->streams[plan->predecessor] =
		(struct gateway_stream){GATEWAY_DRAINING, world->now_ns + plan->drain_ms * SIM_MS};
	gateway->streams[stream].life = GATEWAY_LIVE;
	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = plan->first; p < plan->first + plan->partitions; p++) {
			struct gateway_lane *lane = &gateway->lanes[g][p];

			/* Nothing of it was before; on disk it is not yet. */
			lane->saved_done = gateway->rings[p].head;
			gateway_lane_begin(world, g, p, gateway->rings[p].head);
			lane->saved_done = GATEWAY_UNSAVED;
			lane->is_following = true;
		}
	gateway_announce(world);
	for (uint32_t g = 0; g < world->plan.group_count; g++)
		gateway_place(world, g, WEIR_PLACE_STABLE);
	gateway_succeed(world);
	gateway_moves(world);
	gateway_pump(world);
}
