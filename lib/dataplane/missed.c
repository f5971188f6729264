/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/missed.h"

#include "dataplane/partition.h"

#define LOOK_MS     100   /* after a change */
#define SHARE_MAX   32000 /* empty messages that share a buffer, whose count has 16 bits */
#define ROOM_PART   4
#define EMPTY_L3    14
#define EMPTY_L4    34
#define EMPTY_FRAME (EMPTY_L4 + 8)

_Atomic uint32_t weir_missed_changes;

/* The buffer of empty messages: the headers of a datagram, all zero. */
struct empty {
	struct rte_mbuf *packet;
	uint32_t left; /* holds on it that nobody has yet */
};

/* False without memory. */
static bool make_empty(struct weir_worker *worker, struct empty *empty)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(worker->copies);
	char *frame = packet != NULL ? rte_pktmbuf_append(packet, EMPTY_FRAME) : NULL;

	if (frame == NULL) {
		rte_pktmbuf_free(packet);
		return false;
	}
	memset(frame, 0, EMPTY_FRAME);
	rte_mbuf_refcnt_set(packet, SHARE_MAX);
	*empty = (struct empty){packet, SHARE_MAX};
	return true;
}

static void let_go(struct empty *empty)
{
	if (empty->left == 0)
		return;
	if (empty->left > 1)
		rte_mbuf_refcnt_update(empty->packet, (int16_t)(1 - (int32_t)empty->left));
	rte_pktmbuf_free(empty->packet);
}

/* A quarter of what is free; one in any case, so that no gap is silent. */
static uint32_t count_room(
	const struct weir_stream_local *local, const struct weir_partition *partition)
{
	uint64_t slots = partition->mask + 1u - (partition->head - partition->tail);
	uint32_t limit = atomic_load_explicit(&local->limit, memory_order_relaxed);
	uint64_t budget = limit > local->held ? limit - local->held : 0;

	return (uint32_t)RTE_MAX(RTE_MIN(slots, budget) / ROOM_PART, UINT64_C(1));
}

/* `only`: slot of the group that it is for, + 1; 0: all. */
static void append(struct weir_worker *worker, struct weir_stream_local *local,
	struct weir_partition *partition, struct rte_mbuf *packet, uint16_t only)
{
	struct weir_message_slot *slot = weir_partition_place(worker, local, partition, 0);

	local->stats.missed++;
	if (slot == NULL) {
		rte_pktmbuf_free(packet);
		return;
	}
	*slot = (struct weir_message_slot){.mbuf = packet,
		.ingest = worker->now,
		.l3_offset = EMPTY_L3,
		.l4_offset = EMPTY_L4,
		.stream = partition->stream->slot,
		.flags = WEIR_SLOT_MISSED};
	weir_partition_commit(worker, local, partition, slot);
	slot->only = only;
}

/* So many at most, as far as there is room. Returns how many; fewer without memory. */
static uint64_t give_away(struct weir_worker *worker, struct weir_partition *partition,
	uint64_t count, uint16_t only, struct empty *empty)
{
	struct weir_stream_local *local = &partition->stream->local[worker->id];
	uint64_t wanted = RTE_MIN(count, (uint64_t)count_room(local, partition)), done = 0;

	for (; done < wanted; done++) {
		if (empty->left == 0 && !make_empty(worker, empty))
			return done;
		empty->left--;
		append(worker, local, partition, empty->packet, only);
	}
	return count;
}

/* Without memory the next tick goes on. */
static void tell(struct weir_worker *worker, struct weir_partition *partition,
	struct weir_missed *missed, uint64_t count, struct empty *empty)
{
	missed->told += give_away(worker, partition, count - missed->told, 0, empty);
}

/*
 * Of the numbers that the program gave out, those behind the last one that the lane's consumer was
 * sent: what was left out before that the consumer has seen.
 */
static uint64_t count_rest(const struct weir_lane *lane, uint64_t begin, uint64_t given)
{
	const struct weir_will_lane *will = atomic_load_explicit(&lane->will, memory_order_acquire);
	uint64_t sent = will != NULL && will->end > begin ? will->end - begin : 0;

	return lane->history == NULL || sent > given ? 0 : given - sent;
}

/*
 * What no native group was sent goes to all as one, what is beyond that to each by itself. Without
 * memory for the first the next tick does all of it.
 */
static void tell_given(struct weir_worker *worker, struct weir_partition *partition,
	struct weir_missed *missed, uint64_t given, struct empty *empty)
{
	uint64_t begin = atomic_load(&missed->begin), common = given;

	if (empty->left == 0 && !make_empty(worker, empty))
		return;
	for (uint32_t i = 0; i < partition->lane_count; i++)
		if (partition->lanes[i]->history != NULL)
			common = RTE_MIN(common, count_rest(partition->lanes[i], begin, given));
	if (common != 0)
		(void)give_away(worker, partition, common, 0, empty);
	for (uint32_t i = 0; i < partition->lane_count; i++) {
		struct weir_lane *lane = partition->lanes[i];
		struct weir_will_lane *will = atomic_load(&lane->will);
		uint64_t rest = count_rest(lane, begin, given);

		if (rest > common)
			(void)give_away(worker, partition, rest - common,
				(uint16_t)(lane->group + 1), empty);
		if (will != NULL)
			will->end = will->begin = 0;
	}
	atomic_store(&missed->given, 0);
	atomic_store(&missed->begin, 0);
}

/* A lane may have been given its place there only now. */
static void leave_wills(const struct weir_worker *worker, const struct weir_partition *partition)
{
	for (uint32_t i = 0; i < partition->lane_count; i++) {
		struct weir_lane *lane = partition->lanes[i];

		if (atomic_load_explicit(&lane->will, memory_order_acquire) != lane->written) {
			lane->written = atomic_load(&lane->will);
			weir_will_write(worker, lane);
		}
	}
}

static void look_at_stream(
	struct weir_worker *worker, struct weir_stream *stream, struct empty *empty)
{
	struct weir_missed *missed = atomic_load_explicit(&stream->missed, memory_order_acquire);

	for (uint16_t p = 0; missed != NULL && p < stream->partition_count; p++) {
		uint64_t count = atomic_load_explicit(&missed[p].count, memory_order_relaxed);
		uint64_t given = atomic_load_explicit(&missed[p].given, memory_order_relaxed);

		if (weir_stream_owner(stream, p) != worker->id)
			continue;
		if (given != 0)
			tell_given(worker, &stream->partitions[p], &missed[p], given, empty);
		if (count != missed[p].told)
			tell(worker, &stream->partitions[p], &missed[p], count, empty);
		leave_wills(worker, &stream->partitions[p]);
	}
}

static void look_at_all(struct weir_worker *worker)
{
	const struct weir_snapshot *snapshot = worker->snapshot;
	struct empty empty = {0};

	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		if (!snapshot->streams[i].is_draining)
			look_at_stream(worker, snapshot->streams[i].stream, &empty);
	let_go(&empty);
}

bool weir_missed_passes(const struct weir_lane *lane, const struct weir_message_slot *slot,
	enum weir_reason *reason)
{
	bool is_native = lane->outlet->consumer->class == WEIR_CLASS_NATIVE;

	if (slot->flags & WEIR_SLOT_MISSED)
		*reason = is_native && (slot->only == 0 || slot->only == lane->group + 1)
				  ? WEIR_REASON_FAILOVER
				  : WEIR_REASON_ELSEWHERE;
	else
		*reason = is_native ? WEIR_REASON_NONE : WEIR_REASON_FAILOVER;
	return *reason != WEIR_REASON_NONE;
}

void weir_missed_look(struct weir_worker *worker)
{
	worker->missed_seen = atomic_load_explicit(&weir_missed_changes, memory_order_acquire);
	worker->missed_until = worker->now + worker->cycles_per_us * 1000 * LOOK_MS;
	look_at_all(worker);
}

void weir_missed_tick(struct weir_worker *worker)
{
	if (worker->missed_until == 0)
		return;
	look_at_all(worker);
	if ((int64_t)(worker->now - worker->missed_until) >= 0)
		worker->missed_until = 0;
}
