/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/templates.h"
#include "dataplane/worker.h"

/*
 * The partition ring. A message is put in by place, filling the slot, and commit; it leaves when
 * every group has passed it and retention has let it go. What is rare is in partition.c. Owner
 * worker only; private to lib/dataplane.
 */

/* Lap until one more message fits. False: counted as dropped. */
bool weir_partition_make_room(struct weir_worker *worker, struct weir_stream_local *local,
	struct weir_partition *partition, uint32_t bytes);

/* Lap what a stream that takes no more holds beyond its budget on this worker. */
void weir_stream_trim(struct weir_worker *worker, struct weir_stream *stream);

/*
 * Whether the message fits without a group losing one; what is kept for replay alone makes way.
 */
bool weir_partition_has_room(struct weir_worker *worker, struct weir_stream_local *local,
	struct weir_partition *partition, uint32_t bytes);

/* A lane, or retention, lets the slot go without its mbuf; the last one frees it. */
void weir_partition_release(struct weir_worker *worker, struct weir_partition *partition,
	struct weir_message_slot *slot);
/*
 * Drop, from one lane's view, everything before `until`; counted under `reason`, except for what
 * its client had received.
 */
void weir_lane_skip(struct weir_worker *worker, struct weir_lane *lane, uint64_t until,
	enum weir_reason reason);
/* Begin or end to keep messages for replay, from the next one on. */
void weir_partition_retain(
	struct weir_worker *worker, struct weir_partition *partition, bool retains);
/* Expire old messages of partitions that nothing is taken from; a bounded piece a call. */
void weir_partition_sweep(struct weir_worker *worker);

/* The next message is one that more is done with. */
void weir_partition_note(struct weir_worker *worker, struct weir_stream_local *local,
	struct weir_partition *partition, const struct weir_message_slot *slot);

/* The slot for the next message, or NULL when it is dropped and counted; the caller has the mbuf.
 */
static inline struct weir_message_slot *weir_partition_place(struct weir_worker *worker,
	struct weir_stream_local *local, struct weir_partition *partition, uint32_t bytes)
{
	if (unlikely(partition->head - partition->tail > partition->mask ||
		     partition->bytes + bytes > partition->max_bytes ||
		     local->held >= atomic_load_explicit(&local->limit, memory_order_relaxed) ||
		     partition->lane_count == 0) &&
		!weir_partition_make_room(worker, local, partition, bytes))
		return NULL;
	if (partition->head == partition->tail)
		partition->base = partition->head;
	return weir_slot(partition, partition->head);
}

/* Why it has given none. */
static inline enum weir_reason weir_partition_refusal(const struct weir_partition *partition)
{
	return partition->lane_count == 0 ? WEIR_REASON_NO_GROUP : WEIR_REASON_BUDGET;
}

/* The slot has been filled. */
static inline void weir_partition_commit(struct weir_worker *worker,
	struct weir_stream_local *local, struct weir_partition *partition,
	struct weir_message_slot *slot)
{
	slot->holders = (uint8_t)(partition->lane_count + partition->retains);
	slot->only = 0;
	if (unlikely(slot->flags & (WEIR_SLOT_TEMPLATES | WEIR_SLOT_TRACED)))
		weir_partition_note(worker, local, partition, slot);
	partition->head++;
	partition->buffers++;
	partition->bytes += slot->payload_length;
	partition->received_bytes += slot->payload_length;
	local->held++;
	local->stats.appended++;
	worker->due += partition->lane_count - 1u; /* beside the one of each that came */
	for (uint32_t i = 0; i < partition->lane_count; i++)
		if (!partition->lanes[i]->is_queued)
			weir_lane_ready(worker, partition->lanes[i]);
	if (unlikely(!partition->is_swept)) {
		partition->is_swept = true;
		weir_list_add_tail(&worker->holding, &partition->sweep);
	}
}

/* So many slots have been freed, and have no mbuf any more, with so many bytes in all. */
static inline void weir_partition_free_slots(struct weir_worker *worker,
	struct weir_partition *partition, uint32_t count, uint64_t bytes)
{
	partition->buffers -= count;
	partition->bytes -= bytes;
	partition->stream->local[worker->id].held -= count;
	while (partition->tail != partition->head &&
		weir_slot(partition, partition->tail)->mbuf == NULL)
		partition->tail++;
}

/* The slot's mbuf was taken by the last lane: the slot is free. */
static inline void weir_partition_advance(struct weir_worker *worker,
	struct weir_partition *partition, struct weir_message_slot *slot)
{
	slot->mbuf = NULL;
	weir_partition_free_slots(worker, partition, 1, slot->payload_length);
}
