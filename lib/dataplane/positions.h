/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"
#include "dataplane/stream.h"

/*
 * Where numbering and groups stand, for the checkpoint. Numbers are read while workers go on: each
 * is right at some moment of the call, and they only grow, except where a consumer seeks back.
 * Control thread.
 */

struct weir_model_stream;

/* A group in a stream. */
struct weir_positions_group {
	const char *name;
	uint16_t slot;
	const struct weir_model *model;
	const struct weir_model_stream *stream;
	const struct weir_attachment *attachment;
};

struct weir_positions_visitor {
	void *context;
	/* Streams of the configuration; those that drain are not told. */
	void (*stream)(void *context, const struct weir_stream *stream);
	/* Groups of the stream just told that acknowledge. */
	void (*group)(void *context, const struct weir_positions_group *group);
};

void weir_positions_visit(
	const struct weir_dataplane *dataplane, const struct weir_positions_visitor *visitor);

/*
 * Where the group stands in a partition, UINT64_MAX: nowhere yet. While a lane waits for those of
 * the stream that its own took the place of, that is where the one of its number there stands.
 */
uint64_t weir_positions_done(const struct weir_positions_group *group, uint16_t partition);

/* The next sequence of a partition. */
static inline uint64_t weir_stream_head(const struct weir_stream *stream, uint16_t partition)
{
	return __atomic_load_n(&stream->partitions[partition].head, __ATOMIC_RELAXED);
}

/*
 * What the group is done with. What a gateway that ends drops from the ring, it was not; and before
 * the worker has begun the lane it is where an earlier gateway's stood. UINT64_MAX: nowhere yet.
 */
static inline uint64_t weir_attachment_done(
	const struct weir_attachment *attachment, uint16_t partition)
{
	const struct weir_delivery *delivery = &attachment->deliveries[partition];
	uint64_t done = __atomic_load_n(&delivery->done, __ATOMIC_RELAXED);
	uint64_t end = __atomic_load_n(&attachment->lanes[partition].end, __ATOMIC_RELAXED);

	if (end != 0)
		return end;
	/* A gap that no client has confirmed is to be told again. */
	if (__atomic_load_n(&delivery->gap_count, __ATOMIC_RELAXED) != 0)
		done = RTE_MIN(done, __atomic_load_n(&delivery->gaps[0].first, __ATOMIC_RELAXED));
	if (done != 0)
		return done;
	return attachment->starts != NULL ? attachment->starts[partition] : UINT64_MAX;
}
