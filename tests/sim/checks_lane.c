/* SPDX-License-Identifier: BSD-3-Clause */
#include "checks_private.h"

#include <inttypes.h>

#define FIRST_BUDGET (64 * 256) /* that a lane begins with in each session */

void check_land(
	struct sim_checks *checks, struct check_lane *lane, uint32_t partition, uint64_t index)
{
	uint16_t length = checks->partitions[partition].contents[index].length;
	struct check_fate *fate = &lane->fates[index];
	struct check_session *session;

	if (!(fate->flags & FATE_FLYING))
		return;
	fate->flags &= (uint16_t)~FATE_FLYING;
	session = &checks->sessions[lane->owner];
	lane->flying.messages--;
	lane->flying.bytes -= length;
	session->flying.messages--;
	session->flying.bytes -= length;
}

void sim_checks_produced(struct sim_world *world, const struct sim_content *content)
{
	struct check_partition *books = &world->checks->partitions[content->partition];
	uint64_t index;

	sim_event(world, SIM_EVENT_PRODUCED, SIM_NOBODY, content->partition, content->seq,
		content->length);
	if (!check_index(world->checks, content->partition, content->seq, &index)) {
		sim_fail(world, "content",
			"partition %u: sequence %" PRIu64 " is out of all bounds",
			content->partition, content->seq);
		return;
	}
	if (index < books->head)
		sim_fail(world, "content", "partition %u: index %" PRIu64 " is given a second time",
			content->partition, index);
	books->contents[index] = *content;
	books->head = index + 1;
}

static uint32_t owner_of(const struct sim_world *world, const struct check_lane *lane)
{
	return lane->owner >= 0 ? world->checks->sessions[lane->owner].consumer : SIM_NOBODY;
}

void check_excuse(struct sim_world *world, uint32_t group, uint32_t partition)
{
	for (; partition != SIM_PARTITIONS; partition = sim_plan_before(&world->plan, partition))
		for (uint64_t i = 0; i < world->checks->partitions[partition].head; i++)
			world->checks->lanes[group][partition].fates[i].flags |= FATE_LIED;
}

void sim_checks_draining(struct sim_world *world, uint32_t group, uint32_t partition)
{
	struct check_lane *lane = &world->checks->lanes[group][partition];

	sim_event(world, SIM_EVENT_DRAIN, owner_of(world, lane), partition, 0, group);
	lane->is_draining = true;
	lane->drain_since_ns = world->now_ns;
}

/*
 * What only its client had, the ring or its time being too short or the gateway another, goes when
 * the client lets go of the lane.
 */
static void let_go(struct sim_world *world, struct check_lane *lane, uint32_t partition)
{
	for (uint64_t i = 0; i < world->checks->partitions[partition].head; i++) {
		struct check_fate *fate = &lane->fates[i];

		bool is_gone = fate->flags & FATE_GONE && (fate->reason == WEIR_GAP_LAPPED ||
								  fate->reason == WEIR_GAP_EXPIRED);

		if (fate->flags & FATE_SENT && (is_gone || fate->flags & FATE_ENDED))
			fate->flags |= FATE_CRASHED;
	}
}

/* Within its time nothing is taken from an application that is at work on it. */
static void check_worked_off(
	struct sim_world *world, const struct check_lane *lane, uint32_t group, uint32_t partition)
{
	uint64_t drain_ns = world->plan.groups[group].drain_ms * SIM_MS;
	uint64_t since_ns = lane->is_draining ? lane->drain_since_ns : world->now_ns;

	/* The client lets go a quarter early, and counts in whole milliseconds. */
	if (drain_ns == 0 || world->now_ns + SIM_MS >= since_ns + drain_ns - drain_ns / 4)
		return;
	for (uint64_t i = lane->settle; i < world->checks->partitions[partition].head; i++)
		if ((lane->fates[i].flags & (FATE_HELD | FATE_SETTLED | FATE_GONE)) == FATE_HELD)
			sim_fail(world, "repeat",
				"group %u partition %u index %" PRIu64
				": changes hands while an application is at work on it",
				group, partition, i);
}

void sim_checks_moved(
	struct sim_world *world, uint32_t group, uint32_t partition, int slot, bool was_alive)
{
	struct check_lane *lane = &world->checks->lanes[group][partition];
	uint64_t head = world->checks->partitions[partition].head;

	sim_event(world, SIM_EVENT_MOVED, SIM_NOBODY, partition, (uint64_t)(int64_t)slot, group);
	if (check_is_excused(world, lane))
		check_excuse(world, group, partition);
	else if (was_alive)
		check_worked_off(world, lane, group, partition);
	if (lane->is_draining)
		let_go(world, lane, partition);
	lane->is_draining = false;
	lane->has_sent = false;
	for (uint64_t i = lane->settle; i < head; i++) {
		check_land(world->checks, lane, partition, i);
		lane->fates[i].flags &= (uint16_t) ~(FATE_PASSED | FATE_AGAIN | FATE_HELD);
	}
	lane->passed = lane->settle;
	lane->budget = FIRST_BUDGET;
	lane->owner = slot;
}

void sim_checks_given_up(struct sim_world *world, uint32_t group, uint32_t partition, uint64_t seq,
	enum weir_gap_reason reason)
{
	struct check_lane *lane = &world->checks->lanes[group][partition];
	uint64_t index;

	sim_event(world, SIM_EVENT_GIVEN_UP, owner_of(world, lane), partition, seq, reason);
	if (!check_index(world->checks, partition, seq, &index))
		return;
	if (lane->fates[index].flags & (FATE_GONE | FATE_SETTLED))
		sim_fail(world, "conservation",
			"partition %u: index %" PRIu64 " is given up a second time", partition,
			index);
	check_land(world->checks, lane, partition, index);
	lane->fates[index].flags |= FATE_GONE;
	if (lane->fates[index].flags & FATE_SENT && lane->owner >= 0 &&
		world->checks->sessions[lane->owner].is_dead)
		lane->fates[index].flags |= FATE_CRASHED;
	lane->fates[index].reason = (uint8_t)reason;
	if (reason == WEIR_GAP_LEFT_OUT &&
		!check_is_left_out(
			world, group, &world->checks->partitions[partition].contents[index]))
		sim_fail(world, "conservation",
			"partition %u: index %" PRIu64 " is left out for no reason", partition,
			index);
}

void sim_checks_settled(
	struct sim_world *world, uint32_t group, uint32_t partition, uint64_t seq, bool was_lapped)
{
	struct check_lane *lane = &world->checks->lanes[group][partition];
	struct check_fate *fate;
	uint64_t index;

	sim_event(world, SIM_EVENT_SETTLED, owner_of(world, lane), partition, seq, was_lapped);
	if (!check_index(world->checks, partition, seq, &index))
		return;
	fate = &lane->fates[index];
	if (fate->flags & (FATE_GONE | FATE_SETTLED))
		sim_fail(world, "conservation",
			"partition %u: index %" PRIu64 " is settled a second time", partition,
			index);
	if (fate->flags & FATE_FLYING)
		sim_fail(world, "settled", "partition %u: index %" PRIu64 " is settled in flight",
			partition, index);
	fate->flags |= FATE_SETTLED;
	if (was_lapped)
		fate->flags |= FATE_LAPPED;
	else if (fate->flags & (FATE_DONE | FATE_TOLD | FATE_LATE) || check_is_excused(world, lane))
		;
	else if (world->now_ns >= world->checks->partitions[partition].contents[index].deadline_ns)
		fate->flags |= FATE_LATE;
	else
		sim_fail(world, "settled",
			"partition %u: index %" PRIu64
			" counts as delivered, no application was done with it",
			partition, index);
	if (index >= lane->settle)
		lane->settle = index + 1;
}

void sim_checks_trusted(struct sim_world *world, uint32_t group, uint32_t partition)
{
	struct check_lane *lane = &world->checks->lanes[group][partition];

	for (uint64_t i = lane->settle; i < world->checks->partitions[partition].head; i++)
		check_land(world->checks, lane, partition, i);
}

void sim_checks_ticked(struct sim_world *world, uint32_t group, uint32_t partition)
{
	/* One message for free, and two probes. */
	world->checks->lanes[group][partition].budget += 3 * 256;
}

void sim_checks_ended(struct sim_world *world, uint32_t group, uint32_t partition, uint64_t done)
{
	struct check_partition *books = &world->checks->partitions[partition];
	struct check_lane *lane = &world->checks->lanes[group][partition];
	uint64_t index = done - books->first_seq;

	sim_checks_moved(world, group, partition, -1, false);
	for (; index < books->head; index++)
		lane->fates[index].flags |= FATE_ENDED;
}

void sim_checks_books(struct sim_world *world, uint32_t group, uint32_t partition,
	uint64_t flying_messages, uint64_t flying_bytes)
{
	const struct check_lane *lane = &world->checks->lanes[group][partition];

	if (lane->flying.messages != flying_messages || lane->flying.bytes != flying_bytes)
		sim_fail(world, "flight",
			"partition %u: the lane says %" PRIu64 " messages, %" PRIu64
			" bytes; they are %" PRIu64 ", %" PRIu64,
			partition, flying_messages, flying_bytes, lane->flying.messages,
			lane->flying.bytes);
}
