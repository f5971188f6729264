/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * Who owns which partition: rendezvous hashing with bounded load. Each partition ranks the
 * members by a hash of both; it goes to the first in its ranking that is not yet full, where
 * full means 1.25 times a fair share. So a member that leaves moves its own partitions and
 * few others, and one that comes back gets the same again. Pure; any thread.
 */

#define WEIR_PLACE_NONE 0xffffffffu

/*
 * `members` are stable identities (a hash of the member's name); *owners* gets for each
 * partition the index of its member, or WEIR_PLACE_NONE when there is none. `load` is scratch
 * for member_count counters.
 */
void weir_place_assign(const uint64_t *members, uint32_t member_count, uint32_t partition_count,
	uint32_t *owners, uint32_t *load);

/* An identity from a name. */
uint64_t weir_place_identity(const char *name);
