/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Who owns which partition: weighted rendezvous hashing with bounded load, over what is there.
 * Each partition ranks the members by a hash of both and their weights; it goes to the first in
 * its ranking that is below 1.25 times its fair share of the load. A plan begins from the owners
 * as they are, and moves only what its goal needs:
 *
 *   a member leaves   its own partitions, each to the next in its ranking
 *   one joins         at most 1.1 times its share of the partitions, all to it; first from those
 *                     above their bound, then those that rank it highest
 *   nothing else      moves unless it is asked for, by WEIR_PLACE_BOUND or WEIR_PLACE_EVEN
 *
 * Pure; any thread.
 */

#define WEIR_PLACE_NONE   0xffffffffu
#define WEIR_PLACE_WEIGHT 100 /* of a member that says nothing */

struct weir_place_member {
	uint64_t identity; /* weir_place_identity() of its name */
	uint32_t weight;   /* at least 1 */
	bool joins;        /* it was no member in the plan before */
};

enum weir_place_goal {
	WEIR_PLACE_STABLE, /* members came or went */
	WEIR_PLACE_BOUND,  /* and nobody is to stay above the bound */
	WEIR_PLACE_EVEN,   /* and each is to have its share, as nearly as partitions divide */
};

struct weir_place_request {
	const struct weir_place_member *members;
	uint32_t member_count;
	uint32_t partition_count;
	const uint32_t *loads; /* of each partition; NULL: all alike */
	enum weir_place_goal goal;
};

/* Bytes of scratch memory that weir_place_plan() needs, aligned as by malloc. */
size_t weir_place_scratch(uint32_t member_count, uint32_t partition_count);

/*
 * *owners has for each partition the index of its member, or WEIR_PLACE_NONE when it has none or
 * that is a member no more; it becomes the plan. Without members all are WEIR_PLACE_NONE. The
 * order of members decides nothing. Returns how many partitions changed hands.
 */
uint32_t weir_place_plan(const struct weir_place_request *request, uint32_t *owners, void *scratch);

/* An identity from a name. */
uint64_t weir_place_identity(const char *name);
