/* SPDX-License-Identifier: BSD-3-Clause */
#include "place/place.h"

#include <math.h>
#include <stdlib.h>

#define BOUND    1.25 /* of a fair share */
#define NEWCOMER 1.1  /* of a fair share that one that joins may be given */
#define HEAVY    4    /* times the usual load: placed before the others */
#define LIKELY   4    /* so many draws are looked at first: one time in fifty they are not enough */

/* A member while a plan is made. */
struct seat {
	uint64_t key;
	double weight;
	double share; /* of the load, by weight */
	double load;
	uint32_t count;
	uint32_t most; /* partitions, for one that joins */
	bool receives;
};

/* A partition that may leave its owner: how much better it would lie elsewhere. */
struct candidate {
	double gain;
	uint32_t partition;
	uint32_t receiver;
};

struct plan {
	const struct weir_place_request *request;
	uint32_t *owners;
	struct seat *seats;
	struct candidate *candidates;
	uint32_t candidate_count;
	/* Those whose draws are compared, side by side: nearly all draws end with their keys. */
	uint64_t *keys;
	uint32_t *entrants;
	uint32_t entrant_count;
	double entrants_weight;
	double total;
	double most_weight;
	uint32_t moved;
};

/* Finalizer with full avalanche: every bit of the input decides half of the output's. */
static uint64_t mix(uint64_t value)
{
	value ^= value >> 32;
	value *= 0x9e3779b97f4a7c15ull;
	value ^= value >> 29;
	value *= 0xd6e8feb86659fd93ull;
	value ^= value >> 32;
	return value;
}

/* Both halves of a wide product, so one multiplication mixes each pair. */
static uint64_t draw(uint64_t member, uint64_t partition)
{
	unsigned __int128 product =
		(unsigned __int128)(member ^ partition) * (member + 0x9e3779b97f4a7c15ull);

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static uint64_t partition_key(uint32_t partition)
{
	return mix(partition + 1ull);
}

/*
 * The lower the better. An exponential variate divided by the weight: the least of several is the
 * member's with a probability in proportion to its weight.
 */
static double cost_of_draw(const struct seat *seat, uint64_t drawn)
{
	return -log1p(-(double)(drawn >> 11) * 0x1p-53) / seat->weight;
}

static double cost(const struct seat *seat, uint64_t partition)
{
	return cost_of_draw(seat, draw(seat->key, partition));
}

/* No draw at or above it costs less, whoever's: since -log(1 - x) >= x. */
static uint64_t draw_limit(const struct plan *plan, double cost)
{
	double limit = cost * plan->most_weight;

	return limit < 1 ? (uint64_t)(limit * 0x1p64) + 4096 : UINT64_MAX;
}

static double load_of(const struct plan *plan, uint32_t partition)
{
	return plan->request->loads != NULL ? plan->request->loads[partition] + 1e-3 : 1;
}

static bool has_room(const struct seat *seat)
{
	return seat->load < BOUND * seat->share;
}

static bool may_receive(const struct plan *plan, const struct seat *seat, double load, double share)
{
	if (!seat->receives || seat->load + load / 2 > share)
		return false;
	return plan->request->goal != WEIR_PLACE_STABLE || seat->count < seat->most;
}

static void give(struct plan *plan, uint32_t partition, uint32_t member)
{
	uint32_t before = plan->owners[partition];
	double load = load_of(plan, partition);

	if (before != WEIR_PLACE_NONE) {
		plan->seats[before].load -= load;
		plan->seats[before].count--;
	}
	plan->seats[member].load += load;
	plan->seats[member].count++;
	plan->owners[partition] = member;
	plan->moved++;
}

/* Of those with a draw below the limit; `most` is of a share, and 0 for an orphan. */
static uint32_t best_below(
	const struct plan *plan, uint32_t partition, uint64_t limit, double most, double *best_cost)
{
	uint64_t key = partition_key(partition);
	double load = load_of(plan, partition);
	uint32_t best = WEIR_PLACE_NONE;

	*best_cost = INFINITY;
	for (uint32_t i = 0; i < plan->entrant_count; i++) {
		uint64_t drawn = draw(plan->keys[i], key);
		const struct seat *seat;
		double its_cost;

		if (drawn > limit)
			continue;
		seat = &plan->seats[plan->entrants[i]];
		if (most == 0 ? !has_room(seat)
			      : !may_receive(plan, seat, load, most * seat->share))
			continue;
		its_cost = cost_of_draw(seat, drawn);
		if (its_cost < *best_cost) {
			best = plan->entrants[i];
			*best_cost = its_cost;
			limit = draw_limit(plan, its_cost);
		}
	}
	return best;
}

/* First in the partition's ranking that has room, or that receives. */
static uint32_t best_entrant(
	const struct plan *plan, uint32_t partition, double most, double *best_cost)
{
	uint64_t likely = draw_limit(plan, LIKELY / plan->entrants_weight);
	uint32_t best = best_below(plan, partition, likely, most, best_cost);

	return best != WEIR_PLACE_NONE ? best
				       : best_below(plan, partition, UINT64_MAX, most, best_cost);
}

static void enter(struct plan *plan, bool receivers_only)
{
	plan->entrant_count = 0;
	plan->entrants_weight = 0;
	for (uint32_t i = 0; i < plan->request->member_count; i++) {
		if (receivers_only && !plan->seats[i].receives)
			continue;
		plan->keys[plan->entrant_count] = plan->seats[i].key;
		plan->entrants[plan->entrant_count++] = i;
		plan->entrants_weight += plan->seats[i].weight;
	}
}

/* Heavy ones first: they find a place only while there is much room. */
static void place_orphans(struct plan *plan)
{
	uint32_t count = plan->request->partition_count;
	double heavy = HEAVY * plan->total / count;

	for (int pass = 0; pass < 2; pass++)
		for (uint32_t p = 0; p < count; p++) {
			bool is_heavy = load_of(plan, p) > heavy;
			uint32_t member;
			double ignored;

			if (plan->owners[p] != WEIR_PLACE_NONE || is_heavy != (pass == 0))
				continue;
			member = best_entrant(plan, p, 0, &ignored);
			/* Rounding aside there is always one. */
			give(plan, p, member != WEIR_PLACE_NONE ? member : 0);
		}
}

static int by_gain(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->gain != b->gain)
		return a->gain > b->gain ? -1 : 1;
	return a->partition < b->partition ? -1 : a->partition > b->partition;
}

/* What may leave its owner, best first. */
static void find_candidates(struct plan *plan, double most)
{
	plan->candidate_count = 0;
	for (uint32_t p = 0; p < plan->request->partition_count; p++) {
		const struct seat *owner = &plan->seats[plan->owners[p]];
		struct candidate *candidate = &plan->candidates[plan->candidate_count];
		double its_cost;

		if (owner->load <= owner->share || owner->receives)
			continue;
		candidate->partition = p;
		candidate->receiver = best_entrant(plan, p, most, &its_cost);
		if (candidate->receiver == WEIR_PLACE_NONE)
			continue;
		candidate->gain = cost(owner, partition_key(p)) / its_cost;
		plan->candidate_count++;
	}
	qsort(plan->candidates, plan->candidate_count, sizeof(plan->candidates[0]), by_gain);
}

/* Nothing moves that would only turn the places round. */
static bool makes_alike(const struct seat *from, const struct seat *to, double load)
{
	return (to->load + load / 2) / to->weight < (from->load - load / 2) / from->weight;
}

/* Take from whoever has more than `floor` times its share. */
static void take(struct plan *plan, double floor, double most)
{
	for (uint32_t i = 0; i < plan->candidate_count; i++) {
		const struct candidate *candidate = &plan->candidates[i];
		uint32_t partition = candidate->partition;
		const struct seat *owner = &plan->seats[plan->owners[partition]];
		double load = load_of(plan, partition);
		uint32_t receiver = candidate->receiver;
		double ignored;

		if (owner->receives || owner->load <= floor * owner->share ||
			owner->load - load / 2 < owner->share)
			continue;
		if (!may_receive(
			    plan, &plan->seats[receiver], load, most * plan->seats[receiver].share))
			receiver = best_entrant(plan, partition, most, &ignored);
		if (receiver == WEIR_PLACE_NONE)
			continue;
		if (makes_alike(owner, &plan->seats[receiver], load))
			give(plan, partition, receiver);
	}
}

/* The member that a usual partition would leave with the most load for its weight. */
static uint32_t fullest(const struct plan *plan, double floor)
{
	double half = plan->total / plan->request->partition_count / 2;
	uint32_t found = WEIR_PLACE_NONE;
	double most = -INFINITY;

	for (uint32_t i = 0; i < plan->request->member_count; i++) {
		const struct seat *seat = &plan->seats[i];
		double left = (seat->load - half) / seat->weight;

		if (left <= most || seat->load <= floor * seat->share ||
			(plan->request->goal == WEIR_PLACE_STABLE && seat->receives))
			continue;
		found = i;
		most = left;
	}
	return found;
}

/* The one that would have the least with it. */
static uint32_t emptiest(const struct plan *plan)
{
	double half = plan->total / plan->request->partition_count / 2;
	uint32_t found = WEIR_PLACE_NONE;
	double least = INFINITY;

	for (uint32_t i = 0; i < plan->request->member_count; i++) {
		const struct seat *seat = &plan->seats[i];
		double with = (seat->load + half) / seat->weight;

		if (with >= least || (plan->request->goal == WEIR_PLACE_STABLE &&
					     (!seat->receives || seat->count >= seat->most)))
			continue;
		found = i;
		least = with;
	}
	return found;
}

/* Of the giver's partitions the one that ranks the receiver highest and makes the two more alike.
 */
static uint32_t best_between(const struct plan *plan, uint32_t from, uint32_t to)
{
	const struct seat *giver = &plan->seats[from], *receiver = &plan->seats[to];
	uint32_t found = WEIR_PLACE_NONE;
	double least = INFINITY;

	for (uint32_t p = 0; p < plan->request->partition_count; p++) {
		double its_cost;

		if (plan->owners[p] != from || !makes_alike(giver, receiver, load_of(plan, p)))
			continue;
		its_cost = cost(receiver, partition_key(p));
		if (its_cost < least) {
			found = p;
			least = its_cost;
		}
	}
	return found;
}

/* What rankings and shares could not settle: the fullest gives to the emptiest. */
static void settle(struct plan *plan, double floor)
{
	for (uint32_t i = 0; i < plan->request->partition_count; i++) {
		uint32_t from = fullest(plan, floor), to = emptiest(plan);
		uint32_t partition;

		if (from == WEIR_PLACE_NONE || to == WEIR_PLACE_NONE)
			return;
		partition = best_between(plan, from, to);
		if (partition == WEIR_PLACE_NONE)
			return;
		give(plan, partition, to);
	}
}

/* Whoever is below its share takes part; for WEIR_PLACE_STABLE only one that joins. */
static void choose_receivers(struct plan *plan)
{
	const struct weir_place_request *request = plan->request;

	for (uint32_t i = 0; i < request->member_count; i++) {
		struct seat *seat = &plan->seats[i];

		seat->receives = request->goal == WEIR_PLACE_STABLE ? request->members[i].joins
								    : seat->load < seat->share;
	}
}

static void take_seats(struct plan *plan)
{
	const struct weir_place_request *request = plan->request;
	double weights = 0;

	plan->total = 0;
	for (uint32_t i = 0; i < request->member_count; i++) {
		weights += request->members[i].weight;
		plan->most_weight = fmax(plan->most_weight, request->members[i].weight);
	}
	for (uint32_t p = 0; p < request->partition_count; p++)
		plan->total += load_of(plan, p);
	for (uint32_t i = 0; i < request->member_count; i++) {
		double part = request->members[i].weight / weights;

		plan->seats[i] = (struct seat){.key = mix(request->members[i].identity),
			.weight = request->members[i].weight,
			.share = part * plan->total,
			.most = (uint32_t)(NEWCOMER * part * request->partition_count)};
	}
	for (uint32_t p = 0; p < request->partition_count; p++) {
		if (plan->owners[p] >= request->member_count) {
			plan->owners[p] = WEIR_PLACE_NONE;
			continue;
		}
		plan->seats[plan->owners[p]].load += load_of(plan, p);
		plan->seats[plan->owners[p]].count++;
	}
}

size_t weir_place_scratch(uint32_t member_count, uint32_t partition_count)
{
	return (member_count + 1) * (sizeof(struct seat) + sizeof(uint64_t) + sizeof(uint32_t)) +
	       (partition_count + 1) * sizeof(struct candidate);
}

uint32_t weir_place_plan(const struct weir_place_request *request, uint32_t *owners, void *scratch)
{
	struct plan plan = {.request = request, .owners = owners, .seats = scratch};

	if (request->member_count == 0) {
		for (uint32_t p = 0; p < request->partition_count; p++)
			owners[p] = WEIR_PLACE_NONE;
		return 0;
	}
	plan.candidates = (struct candidate *)(plan.seats + request->member_count + 1);
	plan.keys = (uint64_t *)(plan.candidates + request->partition_count + 1);
	plan.entrants = (uint32_t *)(plan.keys + request->member_count + 1);
	take_seats(&plan);
	enter(&plan, false);
	place_orphans(&plan);
	choose_receivers(&plan);
	enter(&plan, true);
	find_candidates(&plan, NEWCOMER);
	take(&plan, BOUND, NEWCOMER);
	if (request->goal != WEIR_PLACE_BOUND)
		take(&plan, 1, 1);
	settle(&plan, request->goal == WEIR_PLACE_BOUND ? BOUND : 0);
	return plan.moved;
}

uint64_t weir_place_identity(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3ull;
	return mix(hash);
}
