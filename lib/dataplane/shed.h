/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "config/config.h"

/*
 * Shedding: when packets come faster than a worker takes them off its queues, the port would drop
 * whatever comes next, the most important with the rest. So the worker drops of the least
 * important tier first, at once after the match, and takes everything off the port.
 *
 * A worker is overloaded when the loops of a millisecond found its queues nearly full of packets
 * on average, two milliseconds in a row. While it is, and something of a higher tier comes, the
 * share of bulk that is dropped grows by an eighth each millisecond; once all of bulk is and
 * something critical comes, that of standard. Otherwise both shrink by a sixteenth, standard
 * first. Critical is never shed. One worker's, but `share` is read by control.
 */

#define WEIR_SHED_ALL 256 /* share: all of the tier */

struct weir_shed {
	bool is_on; /* some share is not 0 */
	uint32_t share[WEIR_TIERS];
	uint32_t due[WEIR_TIERS];      /* collects shares; one is dropped when it is full */
	uint32_t loops;                /* of this millisecond */
	uint64_t packets;              /* most of one queue, summed over them */
	uint32_t overloads;            /* milliseconds in a row */
	uint64_t received[WEIR_TIERS]; /* at the last look */
};

struct weir_worker;

/* A loop took so many packets from the queue that had most. */
static inline void weir_shed_note(struct weir_shed *shed, uint32_t packets)
{
	shed->loops++;
	shed->packets += packets;
}

/* One packet of that tier: true when it is to be dropped. */
static inline bool weir_shed_drops(struct weir_shed *shed, uint8_t tier)
{
	if (likely(shed->share[tier] == 0))
		return false;
	shed->due[tier] += shed->share[tier];
	if (shed->due[tier] < WEIR_SHED_ALL)
		return false;
	shed->due[tier] -= WEIR_SHED_ALL;
	return true;
}

/* Each millisecond. */
void weir_shed_tick(struct weir_worker *worker);
/* The next shares; `comes`: packets of each tier since the last look. Pure. */
void weir_shed_adjust(struct weir_shed *shed, bool is_overloaded, const uint64_t comes[WEIR_TIERS]);
