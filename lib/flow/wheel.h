/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/list.h"

/*
 * A timer wheel: what waits for a time costs nothing until then. Constant cost to add and
 * remove; a timer further away than one turn is looked at once a turn. Pure; one thread's.
 */

#define WEIR_WHEEL_SLOTS 1024 /* power of two */

struct weir_timer {
	struct weir_list link;
	uint64_t expires; /* in the wheel's time unit */
};

struct weir_wheel {
	struct weir_list slots[WEIR_WHEEL_SLOTS];
	uint64_t reached;   /* slot number up to which timers have fired */
	unsigned int shift; /* a slot is 1 << shift time units */
	unsigned int count; /* timers in the wheel */
};

static inline void weir_wheel_init(struct weir_wheel *wheel, unsigned int shift, uint64_t now)
{
	for (unsigned int i = 0; i < WEIR_WHEEL_SLOTS; i++)
		weir_list_init(&wheel->slots[i]);
	wheel->reached = now >> shift;
	wheel->shift = shift;
	wheel->count = 0;
}

static inline void weir_timer_init(struct weir_timer *timer)
{
	weir_list_init(&timer->link);
}

static inline bool weir_timer_is_set(const struct weir_timer *timer)
{
	return !weir_list_is_empty(&timer->link);
}

static inline void weir_wheel_cancel(struct weir_wheel *wheel, struct weir_timer *timer)
{
	if (!weir_timer_is_set(timer))
		return;
	weir_list_remove(&timer->link);
	wheel->count--;
}

/* Fires in the first `expire` call at or after `expires`, rounded up to a slot. */
static inline void weir_wheel_set(
	struct weir_wheel *wheel, struct weir_timer *timer, uint64_t expires)
{
	uint64_t slot = (expires >> wheel->shift) + 1;

	weir_wheel_cancel(wheel, timer);
	if ((int64_t)(slot - wheel->reached) <= 0)
		slot = wheel->reached + 1;
	timer->expires = expires;
	weir_list_add_tail(&wheel->slots[slot & (WEIR_WHEEL_SLOTS - 1)], &timer->link);
	wheel->count++;
}

/* Move every timer that is due to `due`, a list of their links. */
static inline void weir_wheel_expire(struct weir_wheel *wheel, uint64_t now, struct weir_list *due)
{
	uint64_t target = now >> wheel->shift;

	weir_list_init(due);
	if (target - wheel->reached > WEIR_WHEEL_SLOTS)
		wheel->reached = target - WEIR_WHEEL_SLOTS;
	while (wheel->reached != target) {
		struct weir_list *slot = &wheel->slots[++wheel->reached & (WEIR_WHEEL_SLOTS - 1)];
		struct weir_list *node = slot->next;

		while (node != slot) {
			struct weir_list *next = node->next;
			struct weir_timer *timer = weir_list_entry(node, struct weir_timer, link);

			if ((int64_t)(timer->expires - now) <= 0) {
				weir_list_remove(node);
				weir_list_add_tail(due, node);
				wheel->count--;
			}
			node = next;
		}
	}
}
