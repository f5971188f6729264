/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * A partition goes from one worker to another. The snapshot says to whom messages are sent; the
 * stream's `owners` say who has the partition now. The two differ while it moves:
 *
 *   1. A snapshot names the new worker. From then on messages are sent to it; those for a partition
 *      that it does not have yet it keeps in limbo. The old worker goes on as before.
 *   2. When all workers have applied the snapshot, and the old one has taken what they had sent it
 *      before, it lets go: the partition is off its lists, and nobody has it.
 *   3. When what it had sent of the partition has left, it passes the partition on.
 *   4. The new worker takes it over, then what is in limbo for it, in the order in which it came.
 *
 * So of each key everything goes one way after the other; nothing but the partition waits. What is
 * held, in flight and due goes along. Private to lib/dataplane.
 */

#define WEIR_LIMBO_SIZE 8192 /* messages that a worker keeps for partitions on their way to it */

enum weir_transit_phase {
	WEIR_TRANSIT_NONE,
	WEIR_TRANSIT_WAIT,  /* for workers that still send the old way */
	WEIR_TRANSIT_DRAIN, /* what they had sent */
	WEIR_TRANSIT_SETTLE /* partitions are let go: what was sent of them leaves */
};

/* A message for a partition that is on its way here. */
struct weir_limbo {
	struct weir_message_slot message;
	uint16_t only; /* slot of the one group it is for, + 1; 0: came by the mesh */
};

/* A partition in the ring of the worker that it goes to. */
struct weir_taking {
	struct weir_partition *partition;
	uint64_t from; /* worker */
};

int weir_transit_create(struct weir_worker *worker);
void weir_transit_destroy(struct weir_worker *worker);

/* A new snapshot was applied. */
void weir_transit_begin(struct weir_worker *worker);
/* Let go what goes to others, as far as it is time. Once a loop while there is something. */
void weir_transit_leave(struct weir_worker *worker);
/* Take over what others have let go; returns how many partitions. */
uint32_t weir_transit_take(struct weir_worker *worker);

/* Keep a message, already counted as handed, until its partition is here. */
void weir_limbo_keep(
	struct weir_worker *worker, const struct weir_message_slot *message, uint16_t only);
/* Room for a message of that stream; NULL: there is none, and it is counted as dropped. */
struct weir_message_slot *weir_limbo_place(struct weir_worker *worker, struct weir_stream *stream);

/* Room for a message whose partition another worker has. NULL: counted as dropped. */
static inline struct weir_message_slot *weir_transit_place(
	struct weir_worker *worker, const struct weir_stream_view *view, uint16_t partition)
{
	uint16_t to = view->owners[partition];

	return likely(to != worker->id) ? weir_mesh_place(worker, to)
					: weir_limbo_place(worker, view->stream);
}

/*
 * Workers have ended, and what they held is kept: what is on its way goes where it was last, or
 * where it had come to, and what waits for it into its ring. Moves begin again with the next
 * snapshot.
 */
void weir_transit_settle(struct weir_dataplane *dataplane);
/* At the end: what is on its way to or from this worker is dropped as `shutdown`. */
void weir_transit_purge(struct weir_worker *worker);
