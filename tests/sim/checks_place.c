/* SPDX-License-Identifier: BSD-3-Clause */
#include "checks_private.h"

#include <inttypes.h>

uint32_t sim_consumer_weight(const struct sim_world *world, int slot)
{
	uint32_t weight = world->consumers[world->checks->sessions[slot].consumer].weight;

	return weight != 0 ? weight : WEIR_PLACE_WEIGHT;
}

/* Members come and go: one that stays gives only to one that joins. */
static void check_stable(struct sim_world *world, const struct sim_place *place)
{
	for (uint32_t p = 0; p < world->plan.streams[place->stream].partitions; p++) {
		uint32_t before = place->before[p], after = place->after[p];

		if (before != WEIR_PLACE_NONE && before != after &&
			(after == WEIR_PLACE_NONE || !place->joins[after]))
			sim_fail(world, "place",
				"group %u stream %u partition %u: taken from one that stays",
				place->group, place->stream, p);
	}
}

/* Nobody has more than 1.25 times its share by weight, as far as partitions divide. */
static void check_bound(struct sim_world *world, const struct sim_place *place)
{
	uint32_t partitions = world->plan.streams[place->stream].partitions;
	uint64_t weights = 0;

	for (uint32_t m = 0; m < place->count; m++)
		weights += sim_consumer_weight(world, place->slots[m]);
	for (uint32_t m = 0; m < place->count; m++) {
		uint64_t weight = sim_consumer_weight(world, place->slots[m]);
		uint64_t held = 0;

		for (uint32_t p = 0; p < partitions; p++)
			held += place->after[p] == m;
		if (held != 0 && 4 * (held - 1) * weights >= 5 * weight * partitions)
			sim_fail(world, "place",
				"group %u stream %u: consumer %u has %" PRIu64
				" of %u partitions by a weight of %" PRIu64 " in %" PRIu64,
				place->group, place->stream,
				world->checks->sessions[place->slots[m]].consumer, held, partitions,
				weight, weights);
	}
}

void sim_checks_planned(struct sim_world *world, const struct sim_place *place)
{
	for (uint32_t p = 0; p < world->plan.streams[place->stream].partitions; p++)
		if (place->count != 0 && place->after[p] == WEIR_PLACE_NONE)
			sim_fail(world, "place", "group %u stream %u partition %u: is nobody's",
				place->group, place->stream, p);
	if (place->goal == WEIR_PLACE_STABLE)
		check_stable(world, place);
	else
		check_bound(world, place);
}

/* In this group nothing of the partition's is still to come. */
static bool is_past(struct sim_world *world, struct check_lane *lane, uint32_t partition)
{
	const struct check_partition *books = &world->checks->partitions[partition];

	for (uint64_t i = 0; i < books->head && !lane->is_past; i++)
		if (books->contents[i].random != 0 &&
			!(lane->fates[i].flags & (FATE_SETTLED | FATE_GONE | FATE_ENDED)))
			return false;
	lane->is_past = true;
	return true;
}

void check_succession(struct sim_world *world, uint32_t group, const struct sim_content *content)
{
	const struct sim_plan *plan = &world->plan;
	uint32_t stream = sim_plan_stream(plan, content->partition);

	for (int s = plan->streams[stream].predecessor; s >= 0; s = plan->streams[s].predecessor) {
		uint32_t before = sim_plan_partition(plan, (uint32_t)s, content->key);
		struct check_lane *lane = &world->checks->lanes[group][before];
		const struct check_partition *books = &world->checks->partitions[before];

		if (lane->is_past || is_past(world, lane, before))
			continue;
		for (uint64_t i = 0; i < books->head; i++)
			if (books->contents[i].random != 0 &&
				books->contents[i].key == content->key &&
				!(lane->fates[i].flags & (FATE_SETTLED | FATE_GONE | FATE_ENDED)))
				sim_fail(world, "succession",
					"group %u partition %u key %u: sent before %" PRIu64
					" of partition %u is dealt with",
					group, content->partition, content->key, i, before);
	}
}

/* Nobody is left who could be told of what had not been worked on. */
static void untold(struct sim_world *world, uint32_t group, uint32_t partition, uint16_t flags)
{
	for (; partition != SIM_PARTITIONS; partition = sim_plan_before(&world->plan, partition))
		for (uint64_t i = 0; i < world->checks->partitions[partition].head; i++) {
			struct check_fate *fate = &world->checks->lanes[group][partition].fates[i];

			if (fate->flags & flags)
				fate->flags |= FATE_CRASHED;
		}
}

void sim_checks_over(struct sim_world *world, uint32_t group, uint32_t partition, bool is_untold)
{
	sim_checks_moved(world, group, partition, -1, true);
	if (is_untold && sim_broken != SIM_BREAK_CUT_UNTOLD)
		untold(world, group, partition, FATE_GONE | FATE_ENDED);
}

void sim_checks_gone(struct sim_world *world, uint32_t stream)
{
	const struct sim_plan *plan = &world->plan;
	const struct sim_stream_plan *gone = &plan->streams[stream];
	uint32_t left = UINT32_MAX;

	/* Partitions that have been there ever since tell of those that were. */
	for (int s = (int)world->streams[gone->name]; s != (int)stream;
		s = plan->streams[s].predecessor)
		if (plan->streams[s].partitions < left)
			left = plan->streams[s].partitions;
	for (uint32_t g = 0; g < plan->group_count; g++)
		for (uint32_t p = left; p < gone->partitions; p++)
			untold(world, g, gone->first + p, FATE_GONE | FATE_ENDED);
}

void sim_checks_untold(struct sim_world *world, uint32_t slot)
{
	world->checks->sessions[slot].is_untold = true;
}
