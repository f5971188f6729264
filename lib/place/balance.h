/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Spread items with measured weights over members by moving few of them. What is on a member that
 * is closed goes to the others first, heaviest first, each to whoever has least. Then the one with
 * most gives to the one with least, each time the item that brings the two closest together, until
 * they are within a tenth of the mean or no item helps: one that is heavier than the whole
 * difference stays, since it would only carry the trouble along. Pure; any thread.
 */

#define WEIR_BALANCE_MEMBERS 64

struct weir_balance_item {
	uint64_t weight;
	uint16_t member; /* that has it; changed where it is to move */
	bool is_fixed;   /* stays, unless its member is closed */
};

/*
 * Bit m of `open`: member m takes items; at least one does. At most `most` moves between open
 * members. Returns how many items have moved.
 */
uint32_t weir_balance(
	struct weir_balance_item *items, uint32_t count, uint64_t open, uint32_t most);
