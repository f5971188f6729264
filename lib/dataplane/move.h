/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

/*
 * Which worker has which partition, decided by the control thread. What is wanted is carried out a
 * few partitions at a time: a snapshot moves them (transit.h), and the next ones follow when these
 * have arrived. A worker may be parked: it has no partitions then. Control thread only.
 */

#define WEIR_MOVES_BATCH 64 /* partitions on their way at a time */

struct weir_dataplane;
struct weir_stream;

struct weir_move {
	struct weir_stream *stream;
	uint16_t partition;
	uint16_t from;
	uint16_t to;
};

struct weir_moves {
	struct weir_move batch[WEIR_MOVES_BATCH]; /* on their way */
	uint32_t count;                           /* of them */
	uint64_t generation; /* that moves them; 0: it has not been published yet */
	bool is_wanted;      /* there may be more to move */
	uint64_t parked;     /* bit a worker */
	uint64_t reserved;   /* bit a worker: `alone` has it to itself */
	struct weir_alone {
		const struct weir_stream *stream;
		uint16_t partition;
	} alone[WEIR_MAX_WORKERS]; /* by worker */
	uint64_t arrived;          /* moves that were carried out, ever */
};

/* Bit a worker: as the configuration has them; of them, those that receive and have producers. */
uint64_t weir_workers_staying(const struct weir_dataplane *dataplane);
uint64_t weir_workers_receiving(const struct weir_dataplane *dataplane);
/* Workers have come, or are to go: who is left shares everything. */
void weir_moves_share_out(struct weir_dataplane *dataplane);
/* A new stream's partitions go round the workers that are not parked. */
void weir_moves_spread(const struct weir_dataplane *dataplane, struct weir_stream *stream);
/* For a snapshot of that generation: the one that moves what is on its way; 0: nothing is. */
uint64_t weir_moves_generation(const struct weir_dataplane *dataplane, uint64_t generation);
/* Something that went with that generation may still be referred to by what is on its way. */
bool weir_moves_hold(const struct weir_dataplane *dataplane, uint64_t generation);
/* Notice what has arrived, and go on. Call now and then; a worker wakes the thread for it. */
void weir_moves_step(struct weir_dataplane *dataplane);
/* Whether partitions are on their way, with what has arrived noticed. */
bool weir_moves_are_under_way(struct weir_dataplane *dataplane);

/* -ENOENT: no such stream; -ERANGE: no such partition; -ENXIO: no such worker; -EBUSY: parked. */
int weir_partition_set_worker(
	struct weir_dataplane *dataplane, const char *stream, uint16_t partition, uint16_t worker);
/* -ENXIO: no such worker; -EBUSY: no other would be left. */
int weir_worker_park(struct weir_dataplane *dataplane, uint16_t worker);
/* It gets its share at once. */
int weir_worker_wake(struct weir_dataplane *dataplane, uint16_t worker);

/*
 * A hot partition gets the worker that it is on to itself: all else on it goes to the others. As
 * above; -EALREADY: it has; -EBUSY also when no other worker would be left.
 */
int weir_partition_isolate(
	struct weir_dataplane *dataplane, const char *stream, uint16_t partition);
/* It shares again, and the worker gets its part at once. -EALREADY: it has none to itself. */
int weir_partition_rejoin(struct weir_dataplane *dataplane, const char *stream, uint16_t partition);
bool weir_partition_is_alone(const struct weir_dataplane *dataplane,
	const struct weir_stream *stream, uint16_t partition);
/* The model has changed: what was for streams that it has no more is open again. */
void weir_moves_follow(struct weir_dataplane *dataplane);

/* What a rebalance moves. */
typedef void (*weir_move_visit)(void *context, const struct weir_move *move);
/* -ENOMEM. `visit` sees the plan; with `is_dry` that is all. */
int weir_workers_rebalance(
	struct weir_dataplane *dataplane, bool is_dry, weir_move_visit visit, void *context);
