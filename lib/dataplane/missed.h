/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"

/*
 * What a port's program in the kernel took of streams that native consumers have, while the gateway
 * did not take the port's packets. Such messages have no number, so the partition's owner gives
 * numbers away for them when the gateway has the port again: empty messages, which native lanes
 * pass as a gap of reason `failover`, before anything that comes later. Lanes of other consumers
 * pass them as `elsewhere`: the program has delivered theirs.
 *
 * Of a ring's room a quarter is used at most: then the gap is shorter than what was missed, but
 * never empty.
 */

struct weir_lane;
struct weir_message_slot;
struct weir_worker;

/* One partition's, in memory that outlives the gateway. */
struct weir_missed {
	_Atomic uint64_t count; /* messages that the program took, ever; the program writes */
	uint64_t told;          /* of them, those that numbers were given away for; its owner */
	/*
	 * Those that the program gave numbers itself, after a death: not among the ones above. The
	 * program, then the owner, who begins at 0 again.
	 */
	_Atomic uint64_t begin; /* the first such number; 0: none */
	_Atomic uint64_t given;
};

/*
 * Raised by a driver right before its port's packets come to the gateway again, and when a stream's
 * counts have become known: whatever a worker takes from a port afterwards it sees behind this.
 */
extern _Atomic uint32_t weir_missed_changes;

/*
 * Whether the lane passes a message because of what a port's program did meanwhile, and why: an
 * empty one, or to others than native consumers one that is older than what it has sent.
 */
bool weir_missed_passes(const struct weir_lane *lane, const struct weir_message_slot *slot,
	enum weir_reason *reason);

/* Worker: something has been missed, perhaps. */
void weir_missed_look(struct weir_worker *worker);
/* Worker: once a millisecond. The program may be counting a last packet yet. */
void weir_missed_tick(struct weir_worker *worker);
