/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/succession.h"

#include <rte_cycles.h>

#include "dataplane/model.h"
#include "dataplane/partition.h"
#include "dataplane/settle.h"
#include "dataplane/templates.h"

#define TELL_MS 1000 /* a consumer is told of what was cut off for so long */
#define GRACE_S 2    /* what a worker needs at most to end what has had its time */
#define LOOK_US 100  /* between two looks: it costs something for each partition that changes */

/* Every worker has gone over to a snapshot in which nothing matches the stream any more. */
static bool is_left_alone(const struct weir_worker *worker, const struct weir_stream_view *view)
{
	const struct weir_dataplane *dataplane = worker->dataplane;

	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		if (atomic_load_explicit(&dataplane->workers[id].applied, memory_order_acquire) <
			view->succeeded_at)
			return false;
	return true;
}

/* Nothing of it is between workers: these counters stand still once it is left alone. */
static bool has_arrived(const struct weir_worker *worker, const struct weir_stream *stream)
{
	uint64_t handed = 0, taken = 0;

	for (uint32_t id = 0; id < worker->dataplane->worker_count; id++) {
		handed += __atomic_load_n(&stream->local[id].stats.handed, __ATOMIC_RELAXED);
		taken += __atomic_load_n(&stream->local[id].stats.taken_over, __ATOMIC_RELAXED);
	}
	return handed == taken;
}

/*
 * Its consumer knows of all that it was not given; when it was sent anything it has said so, or is
 * reminded by heartbeats. Or there is none to hear it.
 */
static bool is_told(const struct weir_lane *lane, int64_t late)
{
	bool is_known;

	if (lane->delivery == NULL || late > 0)
		return true;
	is_known = weir_list_is_empty(&lane->report) || lane->delivery->gap_count == 0 ||
		   !lane->outlet->consumer->is_reliable;
	return lane->tell_from == UINT64_MAX && is_known;
}

/* All that can come to the lane it has passed. `late`: cycles since its time was up. */
static bool has_passed_all(struct weir_worker *worker, struct weir_lane *lane, int64_t late)
{
	const struct weir_partition *partition = lane->partition;
	int64_t tell = (int64_t)(TELL_MS * 1000 * worker->cycles_per_us);

	if (late > 0 && weir_lane_base(lane) != partition->head)
		weir_lane_skip(worker, lane, partition->head, WEIR_REASON_SUPERSEDED);
	return weir_lane_base(lane) == partition->head && !lane->is_following &&
	       is_told(lane, late - tell);
}

/* What was sent of those that were ending has left, if `is_settled`. */
static void end_lane(
	struct weir_worker *worker, struct weir_lane *lane, int64_t late, bool is_settled)
{
	bool was_ending = lane->is_ending;

	if (atomic_load_explicit(&lane->is_over, memory_order_relaxed))
		return;
	lane->is_ending = has_passed_all(worker, lane, late);
	if (!lane->is_ending)
		return;
	if (!was_ending || !is_settled) {
		worker->is_ending = true;
		return;
	}
	weir_lane_finish(worker, lane);
	atomic_store_explicit(&lane->is_over, true, memory_order_release);
}

/* One that is a successor itself must have its own predecessor's first. */
static void finish_templates(const struct weir_stream_view *view, struct weir_partition *partition)
{
	if (!partition->has_final_templates &&
		(view->predecessor == NULL || partition->has_caught_up))
		weir_templates_finish(partition);
}

static void end_lanes(
	struct weir_worker *worker, const struct weir_stream_view *view, bool is_settled)
{
	const struct weir_stream *stream = view->stream;

	if (!is_left_alone(worker, view) || !has_arrived(worker, stream))
		return;
	for (uint16_t i = 0; i < stream->partition_count; i++) {
		struct weir_partition *partition = &stream->partitions[i];

		if (weir_stream_owner(stream, i) != worker->id)
			continue;
		finish_templates(view, partition);
		for (uint32_t j = 0; j < partition->lane_count; j++)
			end_lane(worker, partition->lanes[j],
				(int64_t)(worker->now - view->drain_until), is_settled);
	}
}

static bool has_to_wait(const struct weir_stream_view *view,
	const struct weir_attachment_view *attachment, uint16_t partition)
{
	const struct weir_attachment *before = attachment->predecessor;
	uint32_t first = 0, end, count = view->stream->partition_count;

	if (before == NULL)
		return false;
	end = before->stream->partition_count;
	/* A native consumer knows a lane by stream and partition: it has one of a kind at a time.
	 */
	if (before->history != NULL && partition < end &&
		!atomic_load_explicit(&before->lanes[partition].is_over, memory_order_acquire))
		return true;
	/* As weir_key_partition shares the hash out. */
	if (memcmp(&before->stream->key, &view->stream->key, sizeof(view->stream->key)) == 0) {
		first = partition * end / count;
		end = ((partition + 1u) * end + count - 1) / count;
	}
	for (uint32_t i = first; i < end; i++)
		if (!atomic_load_explicit(&before->lanes[i].is_over, memory_order_acquire))
			return true;
	return false;
}

/*
 * What the lane of its number was cut off from, or had given up, and nobody was there to be told:
 * whoever comes is told by the one that takes its place. A lane that is over stays as it is.
 */
static void inherit_gaps(const struct weir_attachment *attachment,
	const struct weir_attachment *before, uint16_t partition)
{
	struct weir_delivery *delivery = attachment->lanes[partition].delivery;
	const struct weir_delivery *old;

	if (delivery == NULL || before == NULL || before->deliveries == NULL ||
		partition >= before->stream->partition_count ||
		!atomic_load_explicit(&before->lanes[partition].is_over, memory_order_acquire))
		return;
	old = &before->deliveries[partition];
	if (old->gap_count != 0)
		weir_delivery_inherit(
			delivery, old->gaps[0].first, old->gaps[old->gap_count - 1].reason);
}

static void release_lanes(struct weir_worker *worker, const struct weir_stream_view *view)
{
	const struct weir_stream *stream = view->stream;
	bool is_late = (int64_t)(worker->now - view->wait_until) > 0;

	for (uint16_t i = 0; i < stream->partition_count; i++) {
		if (weir_stream_owner(stream, i) != worker->id)
			continue;
		for (uint32_t j = 0; j < view->attachment_count; j++) {
			const struct weir_attachment_view *attachment = &view->attachments[j];

			if (!attachment->attachment->lanes[i].is_following ||
				(!is_late && has_to_wait(view, attachment, i)))
				continue;
			inherit_gaps(attachment->attachment, attachment->predecessor, i);
			weir_lane_release(worker, attachment->attachment, i);
		}
	}
}

/*
 * Lanes end in rounds. What has been sent before a round has left when the round is over; a lane
 * that has passed all it had before it, and has got nothing since, is over then.
 */
static void end_all(struct weir_worker *worker)
{
	const struct weir_snapshot *snapshot = worker->snapshot;
	bool is_settled = worker->is_ending && weir_settle_is_done(worker, WEIR_SETTLE_SUCCESSION);

	if (worker->is_ending && !is_settled)
		return;
	worker->is_ending = false;
	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		if (snapshot->streams[i].succeeded_at != 0)
			end_lanes(worker, &snapshot->streams[i], is_settled);
	if (worker->is_ending)
		weir_settle_begin(worker, WEIR_SETTLE_SUCCESSION);
}

void weir_succession_catch_up(struct weir_worker *worker)
{
	const struct weir_snapshot *snapshot = worker->snapshot;

	for (uint32_t i = 0; i < snapshot->stream_count; i++) {
		const struct weir_stream_view *view = &snapshot->streams[i];

		if (view->predecessor == NULL)
			continue;
		for (uint16_t p = 0; p < view->stream->partition_count; p++)
			if (!view->stream->partitions[p].has_caught_up &&
				weir_stream_owner(view->stream, p) == worker->id)
				weir_templates_catch_up(
					&view->stream->partitions[p], view->predecessor);
	}
}

void weir_succession_run(struct weir_worker *worker)
{
	const struct weir_snapshot *snapshot = worker->snapshot;

	if (worker->now < worker->next_succession)
		return;
	worker->next_succession = worker->now + worker->cycles_per_us * LOOK_US;
	end_all(worker);
	weir_succession_catch_up(worker);
	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		if (snapshot->streams[i].predecessor != NULL)
			release_lanes(worker, &snapshot->streams[i]);
}

void weir_succession_sync(struct weir_worker *worker)
{
	const struct weir_snapshot *snapshot = worker->snapshot;

	worker->has_succession = false;
	for (uint32_t i = 0; i < snapshot->stream_count; i++) {
		if (snapshot->streams[i].succeeded_at == 0)
			continue;
		worker->has_succession = true;
		weir_stream_trim(worker, snapshot->streams[i].stream);
	}
}

bool weir_succession_is_over(const struct weir_model_stream *stream)
{
	const struct weir_stream *object = stream->object;

	if (stream->succeeded_at == 0 ||
		(int64_t)(rte_rdtsc() - stream->drain_until - weir_succession_grace()) > 0)
		return true;
	for (uint32_t i = 0; i < stream->attachment_count; i++)
		for (uint16_t p = 0; p < object->partition_count; p++)
			if (!atomic_load_explicit(&stream->attachments[i]->lanes[p].is_over,
				    memory_order_acquire))
				return false;
	return true;
}

uint64_t weir_succession_grace(void)
{
	return GRACE_S * rte_get_tsc_hz();
}
