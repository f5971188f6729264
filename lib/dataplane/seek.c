/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/seek.h"

#include "dataplane/native_wire.h"
#include "dataplane/partition.h"
#include "dataplane/reliable.h"
#include "dataplane/templates.h"

#define SEEK_PAUSE_MS                                                                              \
	20 /* a lane seeks this often at most: going back costs a look at each slot                \
	    */

void weir_lane_new_epoch(struct weir_lane *lane)
{
	lane->wire.epoch++;
	lane->wire.first = lane->cursor;
	lane->told = lane->cursor;
	if (lane->delivery != NULL && lane->delivery->gap_count != 0)
		lane->wire.first = lane->delivery->gaps[0].first;
}

/* The oldest sequence from which everything up to the lane's base is still in the ring. */
static uint64_t oldest_held(const struct weir_lane *lane, uint64_t wanted)
{
	const struct weir_partition *partition = lane->partition;
	uint64_t seq = weir_lane_base(lane);

	while (seq > wanted && seq > partition->tail && weir_slot(partition, seq - 1)->mbuf != NULL)
		seq--;
	return seq;
}

static void go_back(struct weir_worker *worker, struct weir_lane *lane, uint64_t seq)
{
	uint64_t base = weir_lane_base(lane);

	for (uint64_t held = seq; held != base; held++)
		weir_slot(lane->partition, held)->holders++;
	if (lane->delivery != NULL) {
		weir_reliable_reopen(worker, lane, seq);
	} else {
		lane->stats->replayed += base - seq;
		lane->cursor = seq;
	}
	/* Other definitions may have held there. */
	weir_templates_forget(lane);
}

/* The first message received at or after a time; the ring is in the order of time. */
static uint64_t find_time(
	const struct weir_worker *worker, const struct weir_partition *partition, uint64_t wall_ns)
{
	uint64_t low = partition->tail, high = partition->head;

	while (low != high) {
		uint64_t middle = low + (high - low) / 2;
		const struct weir_message_slot *slot = weir_slot(partition, middle);

		if (weir_worker_wall_ns(worker, slot->ingest) < wall_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint64_t find_target(const struct weir_worker *worker, const struct weir_lane *lane,
	enum weir_start start, uint64_t value)
{
	const struct weir_partition *partition = lane->partition;

	switch (start) {
	case WEIR_START_LATEST:
		return partition->head;
	case WEIR_START_EARLIEST:
		return partition->tail;
	case WEIR_START_SEQUENCE:
		return RTE_MIN(value, partition->head);
	case WEIR_START_TIME:
		return find_time(worker, partition, value);
	default:
		return weir_lane_base(lane);
	}
}

/* The lane has been rewound. What is wanted and no longer held is a gap. */
static void go_to(
	struct weir_worker *worker, struct weir_lane *lane, enum weir_start start, uint64_t value)
{
	uint64_t target = find_target(worker, lane, start, value);
	uint64_t base = weir_lane_base(lane);

	if (target > base) {
		weir_lane_skip(worker, lane, target, WEIR_REASON_SKIPPED);
	} else if (target < base) {
		uint64_t held = oldest_held(lane, target);

		go_back(worker, lane, held);
		if (start == WEIR_START_SEQUENCE && lane->delivery != NULL)
			weir_delivery_missing(lane->delivery, target, held, WEIR_GAP_LAPPED);
	}
	/* What was jumped over on purpose is no gap to this consumer. */
	if (lane->delivery != NULL && target >= base)
		lane->delivery->gap_count = 0;
	lane->tell_from = UINT64_MAX;
	weir_list_remove(&lane->again);
}

void weir_lane_start(struct weir_worker *worker, struct weir_lane *lane)
{
	const struct weir_consumer *consumer = lane->outlet->consumer;

	if (consumer->start == WEIR_START_RESUME)
		return;
	go_to(worker, lane, (enum weir_start)consumer->start, consumer->start_value);
	lane->wire.first = lane->cursor;
	lane->told = lane->cursor;
	if (lane->delivery != NULL && lane->delivery->gap_count != 0)
		lane->wire.first = lane->delivery->gaps[0].first;
}

/* Its place is told by the next frame or heartbeat. */
static void report(struct weir_lane *lane)
{
	weir_list_remove(&lane->report);
	weir_list_add_head(&lane->outlet->reports, &lane->report);
	lane->is_news = true;
}

static void seek_lane(
	struct weir_worker *worker, struct weir_lane *lane, const struct weir_frame_seek *seek)
{
	uint32_t counter = weir_be32(seek->counter);

	if (counter <= lane->seek_counter || lane->is_draining ||
		(lane->seek_counter != 0 &&
			worker->now - lane->seek_at < SEEK_PAUSE_MS * 1000 * worker->cycles_per_us))
		return;
	lane->seek_counter = counter;
	lane->seek_at = worker->now;
	if (lane->is_queued)
		weir_lane_idle(lane);
	if (lane->delivery != NULL)
		weir_reliable_rewind(worker, lane);
	go_to(worker, lane, (enum weir_start)seek->start, weir_be64(seek->value));
	weir_lane_new_epoch(lane);
	weir_will_write(worker, lane);
	report(lane);
	if (lane->cursor != lane->partition->head)
		weir_lane_ready(worker, lane);
}

void weir_seek_take(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_seek *seek)
{
	uint16_t slot = weir_be16(seek->stream);
	uint16_t partition = weir_be16(seek->partition);
	const struct weir_stream *stream =
		slot < WEIR_MAX_STREAMS ? worker->snapshot->by_slot[slot] : NULL;
	uint16_t first = partition == WEIR_SEEK_ALL ? 0 : partition;
	uint16_t end;

	if (stream == NULL || !consumer->may_seek)
		return;
	end = partition == WEIR_SEEK_ALL ? stream->partition_count : (uint16_t)(partition + 1);
	for (uint16_t i = first; i < end; i++) {
		struct weir_lane *lane = weir_lane_of(worker, consumer, slot, i);

		if (lane != NULL)
			seek_lane(worker, lane, seek);
	}
}
