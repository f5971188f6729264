/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/missed.h"
#include "dataplane/partition.h"
#include "dataplane/transit.h"

#include <rte_ring_elem.h>

/*
 * The mesh: from each worker to each other one a ring with one producer and one consumer. What
 * does not fit is dropped and counted; the receiver never waits.
 */

static void flush_to(struct weir_worker *worker, struct weir_mesh_out *out)
{
	uint32_t sent = 0;

	if (likely(worker->chaos == NULL) || !weir_chaos_blocks(worker, out->count))
		sent = rte_ring_sp_enqueue_burst_elem(
			out->ring, out->messages, sizeof(out->messages[0]), out->count, NULL);
	for (uint32_t i = 0; i < out->count; i++) {
		struct weir_stream_local *local =
			&worker->snapshot->by_slot[out->messages[i].stream]->local[worker->id];

		if (likely(i < sent)) {
			local->stats.handed++;
			continue;
		}
		local->stats.dropped[WEIR_REASON_MESH_FULL]++;
		if (weir_captures(worker, WEIR_CAPTURE_DROP))
			weir_capture_message_drop(worker, &out->messages[i],
				worker->snapshot->by_slot[out->messages[i].stream],
				out->messages[i].partition, WEIR_REASON_MESH_FULL);
		weir_trace_message_drop(worker, &out->messages[i], WEIR_REASON_MESH_FULL);
		rte_pktmbuf_free(out->messages[i].mbuf);
	}
	if (sent != out->count)
		worker->stats.mesh_full++;
	out->count = 0;
}

struct weir_message_slot *weir_mesh_place(struct weir_worker *worker, uint16_t owner)
{
	struct weir_mesh_out *out = &worker->mesh_out[owner];

	if (out->count == WEIR_BURST)
		flush_to(worker, out);
	return &out->messages[out->count++];
}

void weir_mesh_flush(struct weir_worker *worker)
{
	for (uint32_t i = 0; i < worker->dataplane->worker_count; i++)
		if (worker->mesh_out[i].count != 0)
			flush_to(worker, &worker->mesh_out[i]);
}

void weir_mesh_append(struct weir_worker *worker, const struct weir_message_slot *message)
{
	struct weir_stream *stream = worker->snapshot->by_slot[message->stream];
	struct weir_stream_local *local;
	struct weir_partition *partition;
	struct weir_message_slot *slot;

	if (unlikely(stream == NULL)) {
		worker->stats.stray++;
		rte_pktmbuf_free(message->mbuf);
		return;
	}
	local = &stream->local[worker->id];
	if (unlikely(message->partition >= stream->partition_count)) {
		local->stats.taken_over++;
		local->stats.dropped[WEIR_REASON_NO_OWNER]++;
		if (weir_captures(worker, WEIR_CAPTURE_DROP))
			weir_capture_message_drop(
				worker, message, stream, message->partition, WEIR_REASON_NO_OWNER);
		weir_trace_message_drop(worker, message, WEIR_REASON_NO_OWNER);
		rte_pktmbuf_free(message->mbuf);
		return;
	}
	partition = &stream->partitions[message->partition];
	local->stats.taken_over++;
	slot = weir_partition_place(worker, local, partition, message->payload_length);
	if (unlikely(slot == NULL)) {
		if (weir_captures(worker, WEIR_CAPTURE_DROP))
			weir_capture_message_drop(worker, message, stream, message->partition,
				weir_partition_refusal(partition));
		weir_trace_message_drop(worker, message, weir_partition_refusal(partition));
		rte_pktmbuf_free(message->mbuf);
		return;
	}
	*slot = *message;
	weir_partition_commit(worker, local, partition, slot);
}

/* Senders and this worker go over to a snapshot at times of their own: it may not be here yet. */
static void take_over(struct weir_worker *worker, const struct weir_message_slot *message)
{
	const struct weir_stream *stream = worker->snapshot->by_slot[message->stream];

	/* Of a stream that is not known here yet: the snapshot with it has been published. */
	if (unlikely(stream == NULL) && weir_worker_follow(worker))
		stream = worker->snapshot->by_slot[message->stream];
	if (likely(stream == NULL || message->partition >= stream->partition_count ||
		    weir_stream_owner(stream, message->partition) == worker->id))
		weir_mesh_append(worker, message);
	else
		weir_limbo_keep(worker, message, 0);
}

uint32_t weir_mesh_poll(struct weir_worker *worker)
{
	uint32_t total = 0;

	for (uint32_t from = 0; from < worker->dataplane->worker_count; from++) {
		struct weir_message_slot messages[WEIR_BURST];
		uint32_t count;

		if (worker->mesh_in[from] == NULL)
			continue;
		count = rte_ring_sc_dequeue_burst_elem(
			worker->mesh_in[from], messages, sizeof(messages[0]), WEIR_BURST, NULL);
		/* Its worker may have its port again: what that missed comes before these. */
		if (unlikely(weir_missed_is_due(worker)))
			weir_missed_look(worker);
		for (uint32_t i = 0; i < count; i++)
			take_over(worker, &messages[i]);
		if (count != 0)
			weir_latency_note(worker, 0, WEIR_LATENCY_RING, messages[0].ingest, count);
		total += count;
	}
	return total;
}
