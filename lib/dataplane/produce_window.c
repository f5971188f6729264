/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/produce.h"

#include "dataplane/gate.h"
#include "dataplane/partition.h"
#include "dataplane/shed.h"
#include "wire/key.h"

/* The window of a producer's numbers: what has come, and what of it has found its place. */

#define MESH_PART 4 /* a quarter of another worker's ring is left to what is on its way there */

static void mark(struct weir_produce_record *record, uint64_t number, bool on)
{
	uint64_t bit = number % WEIR_PRODUCE_WINDOW;

	record->received[bit / 64] &= ~(1ull << (bit % 64));
	record->received[bit / 64] |= (uint64_t)on << (bit % 64);
}

void weir_produce_forget(struct weir_worker *worker, struct weir_produce_record *record)
{
	for (uint64_t number = record->next; number <= record->newest; number++) {
		struct weir_message_slot *slot = &record->held[number % WEIR_PRODUCE_WINDOW];

		if (!weir_produce_has(record, number))
			continue;
		mark(record, number, false);
		if (slot->mbuf == NULL)
			continue;
		rte_pktmbuf_free(slot->mbuf);
		worker->produce_held--;
		record->held_count--;
	}
	record->newest = record->next - 1;
}

bool weir_produce_begin(struct weir_worker *worker, struct weir_producer *producer,
	const struct weir_frame_produce *frame)
{
	struct weir_produce_record *record = producer->record;
	uint32_t epoch = weir_be32(frame->producer_epoch);
	uint64_t oldest = weir_be64(frame->oldest);

	if (oldest > weir_be64(frame->counter))
		oldest = weir_be64(frame->counter);
	if (epoch == record->epoch) {
		record->oldest = RTE_MAX(record->oldest, oldest);
		return true;
	}
	/* The number of an epoch may wrap. */
	if (epoch == 0 || (record->epoch != 0 && (int32_t)(epoch - record->epoch) < 0))
		return false;
	weir_produce_forget(worker, record);
	record->epoch = epoch;
	record->oldest = RTE_MAX(oldest, (uint64_t)1);
	record->next = record->oldest;
	record->newest = record->next - 1;
	record->refused = 0;
	record->limit = record->next - 1 + WEIR_PRODUCE_FIRST;
	producer->told_limit = 0;
	producer->told_next = 0;
	return true;
}

/*
 * Room at another worker's: its counters are read as they run, so a part of the ring is left
 * free for what is between us.
 */
static bool has_room_there(const struct weir_worker *worker, const struct weir_partition *partition,
	uint16_t owner, uint32_t bytes)
{
	const struct weir_stream_local *local = &partition->stream->local[owner];
	const struct weir_mesh_out *out = &worker->mesh_out[owner];
	uint64_t held = __atomic_load_n(&partition->head, __ATOMIC_RELAXED) -
			__atomic_load_n(&partition->tail, __ATOMIC_RELAXED);
	uint32_t part = (partition->mask + 1) / MESH_PART;

	return held + part <= partition->mask &&
	       __atomic_load_n(&partition->bytes, __ATOMIC_RELAXED) + bytes +
			       partition->max_bytes / MESH_PART <=
		       partition->max_bytes &&
	       __atomic_load_n(&local->held, __ATOMIC_RELAXED) + part <
		       atomic_load_explicit(&local->limit, memory_order_relaxed) &&
	       rte_ring_free_count(out->ring) > out->count;
}

/* While the partition moves its messages wait here: there may be no room for it where it goes. */
static bool hand_over(struct weir_worker *worker, const struct weir_stream_view *view,
	const struct weir_partition *partition, const struct weir_message_slot *message)
{
	uint16_t owner = view->owners[partition->index];
	struct weir_message_slot *slot;

	if (weir_stream_owner(view->stream, partition->index) != owner ||
		!has_room_there(worker, partition, owner, message->payload_length))
		return false;
	slot = weir_mesh_place(worker, owner);
	*slot = *message;
	slot->partition = partition->index;
	if (weir_is_traced(slot))
		weir_trace_handed(worker, slot);
	return true;
}

static bool put(struct weir_worker *worker, struct weir_stream *stream,
	struct weir_partition *partition, const struct weir_message_slot *message)
{
	struct weir_stream_local *local = &stream->local[worker->id];
	struct weir_message_slot *slot;

	if (!weir_partition_has_room(worker, local, partition, message->payload_length))
		return false;
	slot = weir_partition_place(worker, local, partition, message->payload_length);
	if (slot == NULL)
		return false;
	*slot = *message;
	weir_partition_commit(worker, local, partition, slot);
	return true;
}

/* Find the message its place. NONE when it has one or needs none, or what it waits for. */
static enum weir_pace_reason place(struct weir_worker *worker,
	const struct weir_producer_view *view, const struct weir_message_slot *message,
	uint32_t hash)
{
	struct weir_stream *stream = view->stream->stream;
	struct weir_stream_stats *stats = &stream->local[worker->id].stats;
	struct weir_partition *partition = &stream->partitions[weir_key_partition(
		(uint64_t)hash << 32, stream->partition_count)];
	bool is_placed;

	if (message->mbuf == NULL) {
		stats->dropped[message->reserved]++;
	} else {
		if (view->stream->attachment_count == 0)
			return WEIR_PACE_NO_OWNER;
		is_placed = weir_stream_owner(stream, partition->index) == worker->id
				    ? put(worker, stream, partition, message)
				    : hand_over(worker, view->stream, partition, message);
		if (!is_placed)
			return WEIR_PACE_RING_FULL;
	}
	stats->received++;
	stats->received_bytes += message->payload_length;
	return WEIR_PACE_NONE;
}

/* The number at `next` has come: false when it must wait. */
static bool settle(struct weir_worker *worker, const struct weir_producer_view *view)
{
	struct weir_produce_record *record = view->producer->record;
	uint64_t place_of = record->next % WEIR_PRODUCE_WINDOW;
	struct weir_message_slot *message = &record->held[place_of];

	/* The stream may have been made anew since. */
	message->stream = view->stream->stream->slot;
	view->producer->blocked = (uint8_t)place(worker, view, message, record->hashes[place_of]);
	if (view->producer->blocked != WEIR_PACE_NONE)
		return false;
	if (message->mbuf != NULL) {
		worker->produce_held--;
		record->held_count--;
		record->stats.retained++;
		record->stats.retained_bytes += message->payload_length;
	} else {
		record->stats.refused++;
		record->refused = record->next;
	}
	mark(record, record->next, false);
	return true;
}

void weir_produce_release(struct weir_worker *worker, const struct weir_producer_view *view)
{
	struct weir_produce_record *record = view->producer->record;

	view->producer->blocked = WEIR_PACE_NONE;
	for (; record->next <= record->newest; record->next++) {
		if (weir_produce_has(record, record->next)) {
			if (!settle(worker, view))
				return;
		} else if (record->next < record->oldest) {
			record->stats.settled++;
		} else {
			return;
		}
	}
	if (record->next < record->oldest) {
		record->stats.settled += record->oldest - record->next;
		record->next = record->oldest;
		record->newest = record->next - 1;
	}
}

/* Why it will never be retained; NONE: it is held, if there is a buffer for it. */
static enum weir_reason hold(struct weir_worker *worker, const struct weir_producer_view *view,
	const struct weir_produce_arrival *arrival, struct weir_message_slot *slot, uint64_t *hash)
{
	uint8_t tier = RTE_MAX(view->stream->tier, arrival->frame->tier);

	memset(slot, 0, sizeof(*slot));
	slot->payload_length = arrival->item->length;
	if (unlikely(worker->shed.is_on) && weir_shed_drops(&worker->shed, tier))
		return WEIR_REASON_SHED;
	return weir_produce_build(worker, view, arrival, slot, hash);
}

void weir_produce_message(struct weir_worker *worker, const struct weir_producer_view *view,
	const struct weir_produce_arrival *arrival)
{
	struct weir_producer *producer = view->producer;
	struct weir_produce_record *record = producer->record;
	uint64_t number = arrival->item->counter;
	struct weir_message_slot *slot = &record->held[number % WEIR_PRODUCE_WINDOW];
	enum weir_reason reason;
	uint64_t hash = 0;

	if (number < record->next ||
		(number - record->next < WEIR_PRODUCE_WINDOW && weir_produce_has(record, number))) {
		record->stats.duplicates++;
		producer->is_urgent = true;
		return;
	}
	if (number > record->limit || number - record->next >= WEIR_PRODUCE_WINDOW ||
		(number != record->next && worker->produce_held >= WEIR_PRODUCE_HELD)) {
		record->stats.beyond++;
		return;
	}
	reason = hold(worker, view, arrival, slot, &hash);
	if (reason == WEIR_REASON_NONE && slot->mbuf == NULL) {
		record->stats.beyond++;
		return;
	}
	if (slot->mbuf != NULL) {
		worker->produce_held++;
		record->held_count++;
	}
	slot->reserved = (uint8_t)reason;
	record->hashes[number % WEIR_PRODUCE_WINDOW] = (uint32_t)(hash >> 32);
	mark(record, number, true);
	/* A hole has come to be. */
	producer->is_urgent |= number > record->newest + 1;
	record->newest = RTE_MAX(record->newest, number);
	weir_bucket_charge(
		&producer->bits, (uint64_t)arrival->item->length * 8, weir_worker_ticks(worker));
	if (number == record->next)
		weir_produce_release(worker, view);
}
