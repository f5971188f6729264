/* SPDX-License-Identifier: BSD-3-Clause */
#include "checks_private.h"

#include <inttypes.h>
#include <stdlib.h>

struct sim_checks *sim_checks_open(struct sim_world *world)
{
	struct sim_checks *checks = sim_alloc(sizeof(*checks));

	for (uint32_t p = 0; p < world->plan.partition_count; p++) {
		uint32_t stream = sim_plan_stream(&world->plan, p);

		checks->partitions[p].first_seq =
			world->plan.streams[stream]
				.first_seq[p - world->plan.streams[stream].first];
	}
	for (uint32_t g = 0; g < SIM_GROUPS; g++)
		for (uint32_t p = 0; p < SIM_PARTITIONS; p++)
			checks->lanes[g][p].owner = -1;
	checks->transit_ns = sim_network_longest_ns(&world->plan.network);
	return checks;
}

void sim_checks_close(struct sim_checks *checks)
{
	free(checks);
}

static void count_fates(const struct sim_checks *checks, const struct check_lane *lane,
	uint32_t partition, struct sim_counts *counts)
{
	const struct check_partition *books = &checks->partitions[partition];

	*counts = (struct sim_counts){0};
	for (uint64_t i = lane->begun; i < books->head; i++) {
		const struct check_fate *fate = &lane->fates[i];

		if (books->contents[i].random == 0)
			continue;
		counts->received++;
		if (fate->flags & FATE_GONE)
			counts->dropped[fate->reason]++;
		else if (fate->flags & FATE_SETTLED)
			counts->delivered++;
		else
			counts->held++;
	}
}

void sim_checks_counts(struct sim_world *world, uint32_t group, uint32_t partition,
	const struct sim_counts *counts)
{
	struct check_lane *lane = &world->checks->lanes[group][partition];
	uint64_t sum = counts->delivered + counts->held;
	struct sim_counts ours;

	count_fates(world->checks, lane, partition, &ours);
	for (uint32_t reason = 0; reason < WEIR_GAP_REASON_COUNT; reason++)
		sum += counts->dropped[reason];
	if (counts->received != sum)
		sim_fail(world, "conservation",
			"group %u partition %u: %" PRIu64 " received, but %" PRIu64
			" delivered, dropped and held",
			group, partition, counts->received, sum);
	if (counts->received != ours.received || counts->delivered != ours.delivered)
		sim_fail(world, "conservation",
			"group %u partition %u: %" PRIu64 " of %" PRIu64
			" delivered, counted %" PRIu64 " of %" PRIu64,
			group, partition, counts->delivered, counts->received, ours.delivered,
			ours.received);
	for (uint32_t reason = 0; reason < WEIR_GAP_REASON_COUNT; reason++)
		if (counts->dropped[reason] != ours.dropped[reason])
			sim_fail(world, "conservation",
				"group %u partition %u: %" PRIu64
				" dropped for reason %u, not %" PRIu64,
				group, partition, counts->dropped[reason], reason,
				ours.dropped[reason]);
	lane->begun = world->checks->partitions[partition].head;
}

/* Each message came to an application, or one was told, or it was left out. How many were late. */
static uint64_t check_account(struct sim_world *world, uint32_t group, uint32_t partition)
{
	const struct check_partition *books = &world->checks->partitions[partition];
	const struct check_lane *lane = &world->checks->lanes[group][partition];
	uint64_t late = 0;

	for (uint64_t i = 0; i < books->head; i++) {
		const struct check_fate *fate = &lane->fates[i];
		const struct sim_content *content = &books->contents[i];
		bool is_late;

		if (content->random == 0 ||
			fate->flags & (FATE_LIED | FATE_LAPPED | FATE_CRASHED) ||
			check_is_left_out(world, group, content))
			continue;
		/* A client may have dropped it, whatever the gateway did with it. */
		is_late = fate->flags & FATE_SENT && content->deadline_ns != UINT64_MAX;
		if (is_late && !(fate->flags & (FATE_DONE | FATE_TOLD))) {
			late += !(fate->flags & FATE_TAKEN);
			continue;
		}
		if (fate->flags & FATE_SETTLED && fate->flags & (FATE_DONE | FATE_TOLD))
			continue;
		if (fate->flags & (FATE_GONE | FATE_ENDED) &&
			fate->flags & (FATE_TAKEN | FATE_TOLD))
			continue;
		sim_fail(world, "gap",
			"group %u partition %u index %" PRIu64
			": neither delivered nor told (%x, reason %u)",
			group, partition, i, fate->flags, fate->reason);
	}
	return late;
}

void sim_checks_end(struct sim_world *world)
{
	uint64_t late = 0;

	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < world->plan.partition_count; p++)
			if (check_is_excused(world, &world->checks->lanes[g][p]))
				check_excuse(world, g, p);
	for (uint32_t g = 0; g < world->plan.group_count; g++)
		for (uint32_t p = 0; p < world->plan.partition_count; p++)
			late += check_account(world, g, p);
	if (late > world->checks->late)
		sim_fail(world, "gap",
			"%" PRIu64 " dropped past their deadline, %" PRIu64 " counted by clients",
			late, world->checks->late);
}
