/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/partition.h"

#include "dataplane/reliable.h"

#define LAP_SAMPLE       8    /* partitions compared for the fullest */
#define LAP_SEARCH       256  /* looked at when those are empty */
#define SWEEP_PARTITIONS 64   /* looked at in one call */
#define SWEEP_MESSAGES   1024 /* expired in one call */

/* Retention ends for what is below `until`. */
static void let_go(struct weir_worker *worker, struct weir_partition *partition, uint64_t until)
{
	while (partition->retained < until)
		weir_partition_release(
			worker, partition, weir_slot(partition, partition->retained++));
}

/* Let the oldest message go; groups that had not taken it are lapped. */
static void lap_oldest(struct weir_worker *worker, struct weir_partition *partition)
{
	uint64_t next = partition->tail + 1;

	for (uint32_t i = 0; i < partition->lane_count; i++)
		if (weir_lane_base(partition->lanes[i]) < next)
			weir_lane_skip(worker, partition->lanes[i], next, WEIR_REASON_LAPPED);
	if (partition->retains && partition->retained < next)
		let_go(worker, partition, next);
}

static uint64_t count_held(const struct weir_partition *partition)
{
	return partition->head - partition->tail;
}

/*
 * The partition that gives way when the budget is used up: the fullest of a few, so that what one
 * stopped consumer has not taken does not cost the others anything. Constant cost a call; NULL when
 * those looked at hold nothing.
 */
static struct weir_partition *find_fullest(const struct weir_worker *worker,
	struct weir_stream_local *local, struct weir_partition *partition)
{
	struct weir_stream *stream = partition->stream;
	struct weir_partition *fullest = partition;

	for (uint32_t looked = 0; looked < LAP_SEARCH; looked++) {
		struct weir_partition *other;

		if (looked >= LAP_SAMPLE && count_held(fullest) != 0)
			break;
		other = &stream->partitions[local->probe++ % stream->partition_count];
		if (weir_stream_owner(stream, other->index) == worker->id &&
			count_held(other) > count_held(fullest))
			fullest = other;
	}
	return count_held(fullest) != 0 ? fullest : NULL;
}

static bool is_within_budget(struct weir_stream_local *local)
{
	return local->held < atomic_load_explicit(&local->limit, memory_order_relaxed);
}

bool weir_partition_make_room(struct weir_worker *worker, struct weir_stream_local *local,
	struct weir_partition *partition, uint32_t bytes)
{
	if (partition->lane_count == 0) {
		local->stats.dropped[WEIR_REASON_NO_GROUP]++;
		return false;
	}
	while (count_held(partition) != 0 &&
		(count_held(partition) > partition->mask ||
			partition->bytes + bytes > partition->max_bytes))
		lap_oldest(worker, partition);
	while (!is_within_budget(local)) {
		struct weir_partition *fullest = find_fullest(worker, local, partition);

		if (fullest == NULL) {
			local->stats.dropped[WEIR_REASON_BUDGET]++;
			return false;
		}
		lap_oldest(worker, fullest);
	}
	return true;
}

void weir_stream_trim(struct weir_worker *worker, struct weir_stream *stream)
{
	struct weir_stream_local *local = &stream->local[worker->id];
	uint32_t limit = atomic_load_explicit(&local->limit, memory_order_relaxed);

	for (uint16_t i = 0; i < stream->partition_count && local->held > limit; i++) {
		struct weir_partition *partition = &stream->partitions[i];

		while (weir_stream_owner(stream, i) == worker->id && count_held(partition) != 0 &&
			local->held > limit)
			lap_oldest(worker, partition);
	}
}

static bool is_full(const struct weir_partition *partition, uint32_t bytes)
{
	return count_held(partition) != 0 &&
	       (count_held(partition) > partition->mask ||
		       partition->bytes + bytes > partition->max_bytes);
}

/* Every group has passed the oldest message. */
static bool is_oldest_retained(const struct weir_partition *partition)
{
	return count_held(partition) != 0 && partition->retains &&
	       partition->retained == partition->tail &&
	       weir_slot(partition, partition->tail)->holders == 1;
}

bool weir_partition_has_room(struct weir_worker *worker, struct weir_stream_local *local,
	struct weir_partition *partition, uint32_t bytes)
{
	if (partition->lane_count == 0)
		return false;
	while (is_full(partition, bytes) || !is_within_budget(local)) {
		if (!is_oldest_retained(partition))
			return false;
		let_go(worker, partition, partition->tail + 1);
	}
	return true;
}

/* A packet in one buffer that is nobody else's goes back without a look at its second line. */
static void free_packet(struct rte_mbuf *packet)
{
	if (likely(packet->nb_segs == 1 && RTE_MBUF_DIRECT(packet) &&
		    rte_mbuf_refcnt_read(packet) == 1))
		rte_mbuf_raw_free(packet);
	else
		rte_pktmbuf_free(packet);
}

void weir_partition_release(struct weir_worker *worker, struct weir_partition *partition,
	struct weir_message_slot *slot)
{
	if (--slot->holders != 0)
		return;
	free_packet(slot->mbuf);
	weir_partition_advance(worker, partition, slot);
}

void weir_lane_skip(
	struct weir_worker *worker, struct weir_lane *lane, uint64_t until, enum weir_reason reason)
{
	struct weir_partition *partition = lane->partition;
	uint64_t count = until - lane->cursor;

	if (lane->delivery != NULL) {
		weir_reliable_skip(worker, lane, until, reason);
		return;
	}
	for (uint64_t sequence = lane->cursor; sequence != until; sequence++) {
		struct weir_message_slot *slot = weir_slot(partition, sequence);

		weir_templates_drop(lane, sequence, slot);
		if (weir_captures(worker, WEIR_CAPTURE_DROP))
			weir_capture_lane_drop(worker, lane, sequence, slot, reason);
		if (weir_is_traced(slot))
			weir_trace_lane(worker, lane, sequence, WEIR_TRACE_DROPPED, reason);
		weir_partition_release(worker, partition, slot);
	}
	lane->stats->dropped[reason] += count;
	lane->cursor = until;
	lane->told = until;
	if (lane->is_queued && until == partition->head)
		weir_lane_idle(lane);
}

/* Returns how many messages retention has let go of. */
static uint32_t expire_retained(
	struct weir_worker *worker, struct weir_partition *partition, uint32_t most)
{
	uint64_t until = partition->retained;

	while (until != partition->head && until - partition->retained < most &&
		(int64_t)(worker->now - weir_slot(partition, until)->ingest - partition->retain) >
			0)
		until++;
	most = (uint32_t)(until - partition->retained);
	let_go(worker, partition, until);
	return most;
}

static uint32_t expire_lane(struct weir_worker *worker, struct weir_lane *lane, uint32_t most)
{
	struct weir_partition *partition = lane->partition;
	uint64_t base = weir_lane_base(lane);
	uint64_t until = base;

	while (until != partition->head && until - base < most) {
		const struct weir_message_slot *slot = weir_slot(partition, until);

		if ((int64_t)(worker->now - slot->ingest - partition->age_limit) <= 0)
			break;
		until++;
	}
	most = (uint32_t)(until - base);
	if (most != 0)
		weir_lane_skip(worker, lane, until, WEIR_REASON_EXPIRED);
	return most;
}

void weir_partition_note(struct weir_worker *worker, struct weir_stream_local *local,
	struct weir_partition *partition, const struct weir_message_slot *slot)
{
	if (slot->flags & WEIR_SLOT_TEMPLATES)
		weir_templates_learn(worker, local, partition, slot);
	if (weir_is_traced(slot))
		weir_trace_appended(worker, partition, slot);
}

void weir_partition_retain(
	struct weir_worker *worker, struct weir_partition *partition, bool retains)
{
	if (partition->retains == retains)
		return;
	if (partition->retains)
		let_go(worker, partition, partition->head);
	partition->retained = partition->head;
	partition->retains = retains;
}

void weir_partition_sweep(struct weir_worker *worker)
{
	uint32_t expired = 0;

	for (uint32_t i = 0; i < SWEEP_PARTITIONS && expired < SWEEP_MESSAGES; i++) {
		struct weir_list *node = worker->holding.next;
		struct weir_partition *partition;

		if (node == &worker->holding)
			return;
		partition = weir_list_entry(node, struct weir_partition, sweep);
		weir_list_remove(node);
		if (partition->head == partition->tail) {
			partition->is_swept = false;
			continue;
		}
		weir_list_add_tail(&worker->holding, node);
		for (uint32_t lane = 0; partition->age_limit != 0 && lane < partition->lane_count;
			lane++)
			expired += expire_lane(worker, partition->lanes[lane], SWEEP_MESSAGES);
		if (partition->retains)
			expired += expire_retained(worker, partition, SWEEP_MESSAGES);
	}
}
