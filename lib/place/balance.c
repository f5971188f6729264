/* SPDX-License-Identifier: BSD-3-Clause */
#include "place/balance.h"

#include <stddef.h>

#define TOLERANCE 10 /* part of the mean */

struct balance {
	struct weir_balance_item *items;
	uint32_t count;
	uint64_t load[WEIR_BALANCE_MEMBERS];
};

static bool is_in(uint64_t members, uint16_t member)
{
	return members >> member & 1;
}

/* Of these members, the one with most load, or with least. There is one. */
static uint16_t find(const struct balance *balance, uint64_t members, bool most)
{
	uint16_t found = (uint16_t)__builtin_ctzll(members);

	for (uint16_t member = found; member < WEIR_BALANCE_MEMBERS; member++)
		if (is_in(members, member) && (most ? balance->load[member] > balance->load[found]
						    : balance->load[member] < balance->load[found]))
			found = member;
	return found;
}

static void give(struct balance *balance, struct weir_balance_item *item, uint16_t to)
{
	balance->load[item->member] -= item->weight;
	balance->load[to] += item->weight;
	item->member = to;
}

static struct weir_balance_item *find_stranded(struct balance *balance, uint64_t open)
{
	struct weir_balance_item *found = NULL;

	for (uint32_t i = 0; i < balance->count; i++) {
		struct weir_balance_item *item = &balance->items[i];

		if (!is_in(open, item->member) && (found == NULL || item->weight > found->weight))
			found = item;
	}
	return found;
}

/* The item of `member` that brings it and one with `difference` less closest together. */
static struct weir_balance_item *find_best(
	struct balance *balance, uint16_t member, uint64_t difference)
{
	struct weir_balance_item *found = NULL;
	uint64_t least = difference;

	for (uint32_t i = 0; i < balance->count; i++) {
		struct weir_balance_item *item = &balance->items[i];
		uint64_t twice = 2 * item->weight;
		uint64_t left = twice > difference ? twice - difference : difference - twice;

		if (item->member == member && !item->is_fixed && left < least) {
			least = left;
			found = item;
		}
	}
	return found;
}

static uint32_t even_out(struct balance *balance, uint64_t open, uint32_t most)
{
	uint64_t givers = open, total = 0;
	uint32_t moved = 0;

	for (uint16_t member = 0; member < WEIR_BALANCE_MEMBERS; member++)
		total += is_in(open, member) ? balance->load[member] : 0;
	while (givers != 0 && moved < most) {
		uint16_t from = find(balance, givers, true), to = find(balance, open, false);
		uint64_t difference = balance->load[from] - balance->load[to];
		struct weir_balance_item *item = NULL;

		if (difference * TOLERANCE * (uint64_t)__builtin_popcountll(open) > total)
			item = find_best(balance, from, difference);
		if (item != NULL) {
			give(balance, item, to);
			moved++;
		} else {
			givers &= ~(UINT64_C(1) << from);
		}
	}
	return moved;
}

uint32_t weir_balance(struct weir_balance_item *items, uint32_t count, uint64_t open, uint32_t most)
{
	struct balance balance = {.items = items, .count = count};
	struct weir_balance_item *item;
	uint32_t moved = 0;

	for (uint32_t i = 0; i < count; i++)
		balance.load[items[i].member] += items[i].weight;
	while ((item = find_stranded(&balance, open)) != NULL) {
		give(&balance, item, find(&balance, open, false));
		moved++;
	}
	return moved + even_out(&balance, open, most);
}
