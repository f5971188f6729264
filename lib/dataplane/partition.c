/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/partition.h"

#define SWEEP_PARTITIONS 64   /* looked at in one call */
#define SWEEP_MESSAGES   1024 /* expired in one call */

static bool budget_lease(struct weir_stream *stream, struct weir_stream_local *local)
{
	struct weir_budget *budget = &stream->budget;
	uint32_t limit = atomic_load_explicit(&budget->limit, memory_order_relaxed);
	uint32_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
	uint32_t lease = atomic_load_explicit(&budget->lease, memory_order_relaxed);
	uint32_t take;

	do {
		if (used >= limit)
			return false;
		take = RTE_MIN(limit - used, lease);
	} while (!atomic_compare_exchange_weak_explicit(
		&budget->used, &used, used + take, memory_order_relaxed, memory_order_relaxed));
	local->budget += take;
	local->lease = lease;
	return true;
}

/* Let the oldest message go; groups that had not taken it are lapped. */
static void lap_oldest(struct weir_worker *worker, struct weir_partition *partition)
{
	uint64_t next = partition->tail + 1;

	for (uint32_t i = 0; i < partition->lane_count; i++)
		if (partition->lanes[i]->cursor < next)
			weir_lane_skip(worker, partition->lanes[i], next, WEIR_REASON_LAPPED);
}

bool weir_partition_make_room(struct weir_worker *worker, struct weir_stream_local *local,
	struct weir_partition *partition, uint32_t bytes)
{
	if (partition->lane_count == 0) {
		local->stats.dropped[WEIR_REASON_NO_GROUP]++;
		return false;
	}
	while (partition->head != partition->tail &&
		(partition->head - partition->tail > partition->mask ||
			partition->bytes + bytes > partition->max_bytes))
		lap_oldest(worker, partition);
	while (local->budget == 0 && !budget_lease(partition->stream, local)) {
		if (partition->head == partition->tail) {
			local->stats.dropped[WEIR_REASON_BUDGET]++;
			return false;
		}
		lap_oldest(worker, partition);
	}
	return true;
}

void weir_budget_return(struct weir_stream *stream, struct weir_stream_local *local)
{
	atomic_fetch_sub_explicit(&stream->budget.used, local->lease, memory_order_relaxed);
	local->budget -= local->lease;
}

void weir_partition_release(struct weir_worker *worker, struct weir_partition *partition,
	struct weir_message_slot *slot)
{
	if (--slot->groups_left != 0)
		return;
	rte_pktmbuf_free(slot->mbuf);
	weir_partition_advance(worker, partition, slot);
}

void weir_lane_skip(
	struct weir_worker *worker, struct weir_lane *lane, uint64_t until, enum weir_reason reason)
{
	struct weir_partition *partition = lane->partition;
	uint64_t count = until - lane->cursor;

	for (uint64_t sequence = lane->cursor; sequence != until; sequence++)
		weir_partition_release(
			worker, partition, &partition->slots[sequence & partition->mask]);
	lane->stats->dropped[reason] += count;
	lane->cursor = until;
	lane->told = until;
	if (lane->is_queued && until == partition->head)
		weir_lane_idle(worker, lane);
}

static uint32_t expire_lane(struct weir_worker *worker, struct weir_lane *lane, uint32_t most)
{
	struct weir_partition *partition = lane->partition;
	uint64_t until = lane->cursor;

	while (until != partition->head && until - lane->cursor < most) {
		const struct weir_message_slot *slot = &partition->slots[until & partition->mask];

		if ((int64_t)(worker->now - slot->ingest - partition->age_limit) <= 0)
			break;
		until++;
	}
	most = (uint32_t)(until - lane->cursor);
	if (most != 0)
		weir_lane_skip(worker, lane, until, WEIR_REASON_EXPIRED);
	return most;
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
		if (partition->age_limit == 0)
			continue;
		for (uint32_t lane = 0; lane < partition->lane_count; lane++)
			expired += expire_lane(worker, partition->lanes[lane], SWEEP_MESSAGES);
	}
}
