/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/handover.h"
#include "dataplane/partition.h"
#include "dataplane/produce.h"
#include "dataplane/reassign.h"
#include "dataplane/reliable.h"
#include "dataplane/seek.h"
#include "dataplane/succession.h"
#include "dataplane/templates.h"
#include "dataplane/transit.h"

/*
 * Going on to a new snapshot, between two loops. Each partition's lanes are made to agree with
 * the snapshot's attachments: a lane that is new begins at the head, one that is gone drops what
 * it had not taken, and one whose consumer changed goes on at its cursor with a new epoch.
 */

static void lane_unqueue(struct weir_lane *lane)
{
	if (lane->is_queued)
		weir_lane_idle(lane);
}

/* Its consumer hears no more of it. */
static void lane_forget_reports(struct weir_lane *lane)
{
	weir_list_remove(&lane->report);
	lane->is_news = false;
	lane->is_reported = false;
}

static void lane_remove(struct weir_worker *worker, struct weir_lane *lane, enum weir_reason reason)
{
	lane_unqueue(lane);
	weir_handover_end(lane);
	lane_forget_reports(lane);
	if (lane->delivery != NULL) {
		weir_reliable_rewind(worker, lane);
		lane->end = lane->delivery->gap_count != 0 ? lane->delivery->gaps[0].first
							   : lane->delivery->done;
	}
	lane->outlet = NULL;
	weir_will_write(worker, lane);
	if (weir_lane_base(lane) != lane->partition->head)
		weir_lane_skip(worker, lane, lane->partition->head, reason);
	weir_tx_forget(worker, lane->stats - lane->partition->features);
	weir_templates_leave(lane);
}

/* What lies between where the group stood and where numbering goes on was lost with the ring. */
static void delivery_begin(const struct weir_partition *partition,
	const struct weir_attachment *attachment, const struct weir_attachment_view *view,
	struct weir_lane *lane)
{
	uint32_t size = partition->mask + 1;

	lane->delivery = &attachment->deliveries[partition->index];
	weir_delivery_init(lane->delivery, attachment->records + (size_t)partition->index * size,
		partition->mask, &view->rules, lane->cursor);
	if (attachment->starts != NULL && attachment->starts[partition->index] < lane->cursor)
		weir_delivery_missing(lane->delivery, attachment->starts[partition->index],
			lane->cursor, WEIR_GAP_RESTART);
}

static void lane_begin(struct weir_worker *worker, struct weir_partition *partition,
	const struct weir_attachment_view *view, struct weir_lane *lane)
{
	const struct weir_attachment *attachment = view->attachment;

	weir_list_init(&lane->link);
	weir_list_init(&lane->report);
	lane->partition = partition;
	lane->cursor = partition->head;
	lane->group = attachment->group;
	lane->wire.stream = partition->stream->slot;
	lane->wire.partition = partition->index;
	lane->wire.epoch = worker->snapshot->epoch;
	lane->outlet = NULL;
	lane->tell_from = UINT64_MAX;
	lane->owner = &attachment->owners[partition->index];
	weir_list_init(&lane->drain);
	lane->is_following = view->predecessor != NULL;
	weir_list_init(&lane->again);
	weir_timer_init(&lane->timer);
	weir_templates_join(lane);
	if (attachment->deliveries != NULL)
		delivery_begin(partition, attachment, view, lane);
}

#define POSITION_TELLS 5 /* heartbeats: any of them may be lost */

static struct weir_position *find_position(const struct weir_lane *lane, uint64_t session)
{
	for (uint16_t i = 0; i < lane->history_size; i++)
		if (lane->history[i].session == session)
			return &lane->history[i];
	return NULL;
}

static bool has_session(const struct weir_worker *worker, uint64_t session)
{
	weir_list_for_each (node, &worker->sessions)
		if (weir_list_entry(node, struct weir_outlet, sessions)->consumer->session ==
			session)
			return true;
	return false;
}

/* That of a session that has ended, when there is no other: all that are there have room. */
static struct weir_position *find_place(
	const struct weir_worker *worker, const struct weir_lane *lane)
{
	struct weir_position *position = find_position(lane, 0);

	for (uint16_t i = 0; position == NULL && i < lane->history_size; i++)
		if (!has_session(worker, lane->history[i].session))
			position = &lane->history[i];
	return position != NULL ? position : &lane->history[lane->wire.epoch % lane->history_size];
}

/* A session's positions on a lane go on where they were, should the lane come back to it. */
static void lane_remember(
	const struct weir_worker *worker, struct weir_lane *lane, uint64_t session)
{
	struct weir_position *position = find_position(lane, session);

	if (position == NULL)
		position = find_place(worker, lane);
	position->session = session;
	position->messages = lane->wire.messages;
	position->bytes = lane->wire.bytes;
	lane->tells[position - lane->history] = POSITION_TELLS;
}

uint8_t *weir_lane_tells(const struct weir_lane *lane, uint64_t session)
{
	const struct weir_position *position = find_position(lane, session);

	return position != NULL ? &lane->tells[position - lane->history] : NULL;
}

struct weir_position weir_lane_position(const struct weir_lane *lane, uint64_t session)
{
	const struct weir_position *position = find_position(lane, session);

	return position != NULL ? *position : (struct weir_position){.session = session};
}

static void lane_recall(struct weir_lane *lane, uint64_t session)
{
	struct weir_position position = weir_lane_position(lane, session);
	uint8_t *tells = weir_lane_tells(lane, session);

	lane->wire.messages = position.messages;
	lane->wire.bytes = position.bytes;
	if (tells != NULL)
		*tells = 0;
}

void weir_lane_set_consumer(
	struct weir_worker *worker, struct weir_lane *lane, struct weir_outlet *outlet)
{
	struct weir_outlet *before = lane->outlet;

	lane_forget_reports(lane);
	if (lane->delivery != NULL)
		weir_reliable_rewind(worker, lane);
	if (lane->history != NULL && before != NULL) {
		lane_remember(worker, lane, before->consumer->session);
		before->has_left = true;
	}
	lane->outlet = outlet;
	weir_lane_end_full(worker, lane);
	if (outlet != before)
		lane->seek_counter = 0;
	weir_lane_new_epoch(lane);
	if (outlet == NULL) {
		weir_will_write(worker, lane);
		return;
	}
	if (lane->history != NULL)
		lane_recall(lane, outlet->consumer->session);
	/* What another had goes on where that one's application was done. */
	if (before == NULL && !outlet->has_begun)
		weir_lane_start(worker, lane);
	outlet->is_beginning = true;
	weir_templates_forget(lane);
	weir_will_write(worker, lane);
}

void weir_lane_release(
	struct weir_worker *worker, const struct weir_attachment *attachment, uint16_t partition)
{
	struct weir_lane *lane = &attachment->lanes[partition];

	__atomic_store_n(&lane->is_following, false, __ATOMIC_RELEASE);
	weir_handover_follow(worker, lane);
}

void weir_lane_finish(struct weir_worker *worker, struct weir_lane *lane)
{
	if (lane->delivery == NULL)
		return;
	lane_unqueue(lane);
	weir_handover_end(lane);
	weir_lane_set_consumer(worker, lane, NULL);
}

static void sync_lane(struct weir_worker *worker, struct weir_partition *partition,
	const struct weir_attachment_view *view)
{
	struct weir_lane *lane = &view->attachment->lanes[partition->index];

	if (lane->partition == NULL)
		lane_begin(worker, partition, view, lane);
	else if (lane->delivery == NULL && view->attachment->deliveries != NULL)
		delivery_begin(partition, view->attachment, view, lane);
	lane->stats = weir_attachment_stats(view->attachment, worker->id) + partition->features;
	lane->stats->is_used = 1;
	lane->filter = view->filter;
	lane->window = &view->window;
	if (lane->delivery != NULL)
		lane->delivery->rules = &view->rules;
	if (lane->sample != view->sample) {
		lane->sample = view->sample;
		lane->sample_left = 0;
	}
	/* What it waited for has gone. */
	lane->is_following &= view->predecessor != NULL;
	lane->drain_us = view->drain_us;
	weir_handover_follow(worker, lane);
	if (lane->cursor != partition->head && !lane->is_queued)
		weir_lane_ready(worker, lane);
}

static bool has_attachment(const struct weir_stream_view *view, const struct weir_partition *p,
	const struct weir_lane *lane)
{
	for (uint32_t i = 0; i < view->attachment_count; i++)
		if (&view->attachments[i].attachment->lanes[p->index] == lane)
			return true;
	return false;
}

void weir_partition_sync(struct weir_worker *worker, struct weir_partition *partition,
	const struct weir_stream_view *view)
{
	for (uint32_t i = 0; i < partition->lane_count; i++) {
		struct weir_lane *lane = partition->lanes[i];

		if (has_attachment(view, partition, lane))
			lane_unqueue(lane);
		else
			lane_remove(worker, lane, WEIR_REASON_REMOVED);
	}
	partition->features = view->features[partition->index];
	partition->tier = view->tier;
	partition->age_limit = view->age_limit;
	partition->deadline = view->deadline;
	partition->limit = view->age_limit;
	if (view->deadline != 0 && (partition->limit == 0 || view->deadline < partition->limit))
		partition->limit = view->deadline;
	partition->retain = view->retain;
	if (partition->templates != NULL)
		partition->templates->lifetime = view->template_lifetime;
	weir_partition_retain(worker, partition, view->retain != 0);
	partition->lane_count = (uint8_t)view->attachment_count;
	for (uint32_t i = 0; i < view->attachment_count; i++) {
		partition->lanes[i] = &view->attachments[i].attachment->lanes[partition->index];
		sync_lane(worker, partition, &view->attachments[i]);
	}
}

void weir_partition_purge(
	struct weir_worker *worker, struct weir_partition *partition, enum weir_reason reason)
{
	for (uint32_t i = 0; i < partition->lane_count; i++)
		lane_remove(worker, partition->lanes[i], reason);
	partition->lane_count = 0;
	weir_partition_retain(worker, partition, false);
	if (partition->is_swept) {
		weir_list_remove(&partition->sweep);
		partition->is_swept = false;
	}
}

static void for_own_partitions(struct weir_worker *worker, struct weir_stream *stream,
	void (*each)(struct weir_worker *, struct weir_partition *, const void *),
	const void *argument)
{
	for (uint16_t i = 0; i < stream->partition_count; i++)
		if (weir_stream_owner(stream, i) == worker->id)
			each(worker, &stream->partitions[i], argument);
}

static void sync_each(
	struct weir_worker *worker, struct weir_partition *partition, const void *view)
{
	weir_partition_sync(worker, partition, view);
}

static void purge_each(
	struct weir_worker *worker, struct weir_partition *partition, const void *reason)
{
	weir_partition_purge(worker, partition, *(const enum weir_reason *)reason);
}

static void close_outlet(struct weir_worker *worker, struct weir_outlet *outlet)
{
	weir_wheel_cancel(&worker->wheel, &outlet->timer);
	weir_list_remove(&outlet->blocked);
	weir_list_remove(&outlet->sessions);
	weir_list_remove(&outlet->again_link);
}

static void sync_outlets(struct weir_worker *worker, const struct weir_snapshot *old,
	const struct weir_snapshot *next)
{
	for (uint32_t slot = 0; slot < WEIR_MAX_CONSUMERS; slot++) {
		struct weir_consumer *before = old != NULL ? old->consumers[slot] : NULL;
		struct weir_consumer *after = next->consumers[slot];

		if (before == after)
			continue;
		if (before != NULL)
			close_outlet(worker, &before->outlets[worker->id]);
		if (after != NULL && after->class == WEIR_CLASS_NATIVE)
			weir_list_add_tail(&worker->sessions, &after->outlets[worker->id].sessions);
	}
}

/* Only the lanes that a session is given first, and nobody has, begin where it has chosen. */
static void begin_sessions(struct weir_worker *worker)
{
	weir_list_for_each (node, &worker->sessions) {
		struct weir_outlet *outlet = weir_list_entry(node, struct weir_outlet, sessions);

		outlet->has_begun |= outlet->is_beginning;
	}
}

#define METER_PACKETS 32 /* least burst of the critical tier's meter */

static void set_meter(struct weir_worker *worker, const struct weir_config_rate *rate)
{
	/* A burst of 10 ms, or one full turn of the scheduler. */
	weir_bucket_set(&worker->meter_packets, rate->packets_per_s,
		RTE_MAX(rate->packets_per_s / 100, (uint64_t)METER_PACKETS));
	weir_bucket_set(&worker->meter_bits, rate->bits_per_s,
		RTE_MAX(rate->bits_per_s / 100, (uint64_t)METER_PACKETS * 1500 * 8));
}

/* From here on a group has received what is appended, whoever has its partitions. */
static void begin_groups(struct weir_worker *worker, const struct weir_stream_view *view)
{
	const struct weir_stream_local *local = &view->stream->local[worker->id];

	for (uint32_t i = 0; i < view->attachment_count; i++) {
		struct weir_group_stats *stats =
			weir_attachment_stats(view->attachments[i].attachment, worker->id);

		if (stats->begun == 0)
			stats->joined = local->stats.appended;
		stats->begun = 1;
	}
}

void weir_worker_apply(struct weir_worker *worker, const struct weir_snapshot *next)
{
	static const enum weir_reason removed = WEIR_REASON_REMOVED;
	const struct weir_snapshot *old = worker->snapshot;

	/* What was placed for others goes the way of the old snapshot, before the new one is known.
	 */
	if (worker->dataplane->worker_count > 1)
		weir_mesh_flush(worker);
	if (worker->has_succession)
		weir_succession_catch_up(worker);
	for (uint32_t i = 0; old != NULL && i < old->stream_count; i++) {
		struct weir_stream *stream = old->streams[i].stream;

		if (next->by_slot[stream->slot] != stream)
			for_own_partitions(worker, stream, purge_each, &removed);
	}
	/* Lanes may have been given since the last one, too. */
	begin_sessions(worker);
	worker->snapshot = next;
	for (uint32_t i = 0; i < next->stream_count; i++) {
		begin_groups(worker, &next->streams[i]);
		for_own_partitions(worker, next->streams[i].stream, sync_each, &next->streams[i]);
	}
	sync_outlets(worker, old, next);
	weir_produce_sync(worker, old, next);
	begin_sessions(worker);
	weir_transit_begin(worker);
	weir_reassign_sync(worker);
	weir_succession_sync(worker);
	set_meter(worker, &next->critical);
	worker->stats.applied++;
	atomic_store_explicit(&worker->applied, next->generation, memory_order_release);
}

bool weir_worker_follow(struct weir_worker *worker)
{
	const struct weir_snapshot *newest =
		atomic_load_explicit(&worker->dataplane->snapshot, memory_order_acquire);

	if (likely(newest == worker->snapshot))
		return false;
	weir_worker_apply(worker, newest);
	return true;
}

void weir_worker_purge(struct weir_worker *worker)
{
	static const enum weir_reason shutdown = WEIR_REASON_SHUTDOWN;
	const struct weir_snapshot *snapshot = worker->snapshot;

	weir_tx_discard(worker);
	weir_produce_purge(worker);
	weir_transit_purge(worker);
	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		for_own_partitions(worker, snapshot->streams[i].stream, purge_each, &shutdown);
}

void weir_worker_halt(struct weir_worker *worker)
{
	static const enum weir_reason shutdown = WEIR_REASON_SHUTDOWN;
	const struct weir_snapshot *snapshot = worker->snapshot;

	weir_tx_discard(worker);
	weir_produce_purge(worker);
	/* Nobody asks for what an earlier configuration has left. */
	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		if (snapshot->streams[i].is_draining)
			for_own_partitions(
				worker, snapshot->streams[i].stream, purge_each, &shutdown);
}

/* What the attachment's lanes on this worker have not passed yet. */
static uint64_t count_held(
	const struct weir_worker *worker, const struct weir_attachment *attachment)
{
	const struct weir_stream *stream = attachment->stream;
	uint64_t held = 0;

	for (uint16_t i = 0; i < stream->partition_count; i++) {
		const struct weir_lane *lane = &attachment->lanes[i];

		if (weir_stream_owner(stream, i) != worker->id)
			continue;
		held += stream->partitions[i].head - weir_lane_base(lane);
		if (lane->delivery != NULL)
			held -= lane->delivery->settled;
	}
	return held;
}

/* Of the blocks that lanes have counted in, and of the first, which stands for the group. */
static void census_group(struct weir_worker *worker, const struct weir_stream_local *local,
	struct weir_attachment *attachment)
{
	const struct weir_group_stats *stats = weir_attachment_stats(attachment, worker->id);
	struct weir_group_stats *census = attachment->census + (stats - attachment->stats);
	uint64_t received = local->stats.appended;

	for (uint32_t word = 0; word < WEIR_FEATURE_WORDS; word++) {
		if (word != 0 && stats[word].is_used == 0)
			continue;
		census[word] = stats[word];
		received += stats[word].replayed - stats[word].joined;
	}
	census->received = received;
	census->held = count_held(worker, attachment);
}

void weir_worker_census(struct weir_worker *worker)
{
	const struct weir_snapshot *snapshot = worker->snapshot;

	/* What is placed for another counts as handed when it is sent. */
	if (worker->dataplane->worker_count > 1)
		weir_mesh_flush(worker);
	for (uint32_t i = 0; i < worker->dataplane->port_count; i++)
		worker->port_census[i] = worker->port_stats[i];
	for (uint32_t i = 0; i < snapshot->stream_count; i++) {
		const struct weir_stream_view *view = &snapshot->streams[i];
		struct weir_stream_local *local = &view->stream->local[worker->id];

		local->census = local->stats;
		for (uint32_t j = 0; j < view->attachment_count; j++)
			census_group(worker, local, view->attachments[j].attachment);
	}
}
