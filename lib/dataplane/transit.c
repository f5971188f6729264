/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/transit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_ring_elem.h>

#include "dataplane/handover.h"
#include "dataplane/partition.h"
#include "dataplane/reliable.h"
#include "dataplane/requeue.h"
#include "dataplane/settle.h"

#define TAKING_SIZE 1024

static bool have_all_applied(const struct weir_worker *worker)
{
	const struct weir_dataplane *dataplane = worker->dataplane;

	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		if (atomic_load_explicit(&dataplane->workers[id].applied, memory_order_acquire) <
			worker->transit_generation)
			return false;
	return true;
}

static void set_mesh_fences(struct weir_worker *worker)
{
	for (uint32_t from = 0; from < worker->dataplane->worker_count; from++)
		if (worker->mesh_in[from] != NULL)
			worker->mesh_fence[from] = weir_fence_of(worker->mesh_in[from]);
}

static bool is_mesh_drained(const struct weir_worker *worker)
{
	for (uint32_t from = 0; from < worker->dataplane->worker_count; from++)
		if (worker->mesh_in[from] != NULL &&
			!weir_fence_is_passed(worker->mesh_in[from], worker->mesh_fence[from]))
			return false;
	return true;
}

/* Nothing of this worker refers to the lane any more; what it has in flight stays in flight. */
static void lane_detach(struct weir_worker *worker, struct weir_lane *lane)
{
	if (lane->is_queued)
		weir_lane_idle(lane);
	weir_handover_detach(lane);
	lane->is_reported = !weir_list_is_empty(&lane->report);
	weir_list_remove(&lane->report);
	if (lane->delivery != NULL)
		weir_reliable_detach(worker, lane);
}

/* It is with the same consumer as before, by this worker's end of it. */
static void lane_attach(struct weir_worker *worker, struct weir_lane *lane, uint16_t from)
{
	lane->stats += ((ptrdiff_t)worker->id - from) * WEIR_FEATURE_WORDS;
	if (lane->outlet == NULL)
		return;
	lane->outlet = &lane->outlet->consumer->outlets[worker->id];
	lane->outlet->has_begun = true;
	if (lane->delivery != NULL)
		weir_reliable_attach(lane);
}

/* The snapshot has left it with its consumer: it goes on as before. */
static void lane_go_on(struct weir_worker *worker, struct weir_lane *lane)
{
	weir_handover_attach(worker, lane);
	if (lane->outlet == NULL)
		return;
	if (lane->is_reported && lane->is_news)
		weir_list_add_head(&lane->outlet->reports, &lane->report);
	else if (lane->is_reported)
		weir_list_add_tail(&lane->outlet->reports, &lane->report);
	lane->is_reported = false;
	if (lane->delivery != NULL)
		weir_reliable_go_on(worker, lane);
}

static void let_go(struct weir_worker *worker, struct weir_partition *partition, uint16_t to)
{
	struct weir_stream *stream = partition->stream;

	for (uint32_t i = 0; i < partition->lane_count; i++)
		lane_detach(worker, partition->lanes[i]);
	if (partition->is_swept)
		weir_list_remove(&partition->sweep);
	partition->is_swept = false;
	partition->to = to;
	stream->local[worker->id].held -= partition->buffers;
	weir_stream_set_owner(stream, partition->index, WEIR_NO_WORKER);
	weir_list_add_tail(&worker->leaving, &partition->sweep);
}

/* Returns how many there are of the partitions that are this worker's for the last time. */
static uint32_t for_leaving(struct weir_worker *worker,
	void (*each)(struct weir_worker *worker, struct weir_partition *partition, uint16_t to))
{
	const struct weir_snapshot *snapshot = worker->snapshot;
	uint32_t count = 0;

	for (uint32_t i = 0; i < snapshot->stream_count; i++) {
		const struct weir_stream_view *view = &snapshot->streams[i];

		for (uint16_t p = 0; p < view->stream->partition_count; p++) {
			if (weir_stream_owner(view->stream, p) != worker->id ||
				view->owners[p] == worker->id)
				continue;
			count++;
			if (each != NULL)
				each(worker, &view->stream->partitions[p], view->owners[p]);
		}
	}
	return count;
}

static const struct weir_stream_view *find_view(
	const struct weir_snapshot *snapshot, const struct weir_stream *stream)
{
	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		if (snapshot->streams[i].stream == stream)
			return &snapshot->streams[i];
	return NULL;
}

/* False: some do not fit now. */
static bool pass_on(struct weir_worker *worker)
{
	while (!weir_list_is_empty(&worker->leaving)) {
		struct weir_partition *partition =
			weir_list_entry(worker->leaving.next, struct weir_partition, sweep);
		struct weir_taking taking = {partition, worker->id};

		weir_list_remove(&partition->sweep);
		if (rte_ring_mp_enqueue_elem(worker->dataplane->workers[partition->to].takings,
			    &taking, sizeof(taking)) != 0) {
			weir_list_add_head(&worker->leaving, &partition->sweep);
			return false;
		}
	}
	return true;
}

void weir_transit_begin(struct weir_worker *worker)
{
	uint64_t generation = worker->snapshot->move_generation;

	if (generation == 0 || generation == worker->transit_generation)
		return;
	worker->transit_generation = generation;
	if (for_leaving(worker, NULL) != 0)
		worker->transit_phase = WEIR_TRANSIT_WAIT;
}

void weir_transit_leave(struct weir_worker *worker)
{
	switch (worker->transit_phase) {
	case WEIR_TRANSIT_WAIT:
		if (!have_all_applied(worker))
			return;
		set_mesh_fences(worker);
		worker->transit_phase = WEIR_TRANSIT_DRAIN;
		return;
	case WEIR_TRANSIT_DRAIN:
		/* What comes back out of quarantine was sent before the snapshot, too. */
		if (!is_mesh_drained(worker) || !rte_ring_empty(worker->returns))
			return;
		for_leaving(worker, let_go);
		weir_settle_begin(worker, WEIR_SETTLE_MOVE);
		worker->transit_phase = WEIR_TRANSIT_SETTLE;
		return;
	case WEIR_TRANSIT_SETTLE:
		if (!weir_settle_is_done(worker, WEIR_SETTLE_MOVE) || !pass_on(worker))
			return;
		worker->transit_phase = WEIR_TRANSIT_NONE;
		return;
	case WEIR_TRANSIT_NONE:
		return;
	}
}

/* Owner again, from now on. */
static void take(struct weir_worker *worker, const struct weir_taking *taking)
{
	struct weir_partition *partition = taking->partition;
	struct weir_stream *stream = partition->stream;
	const struct weir_stream_view *view = find_view(worker->snapshot, stream);

	for (uint32_t i = 0; i < partition->lane_count; i++)
		lane_attach(worker, partition->lanes[i], (uint16_t)taking->from);
	stream->local[worker->id].held += partition->buffers;
	if (partition->head != partition->tail) {
		partition->is_swept = true;
		weir_list_add_tail(&worker->holding, &partition->sweep);
	}
	if (view != NULL)
		weir_partition_sync(worker, partition, view);
	else
		weir_partition_purge(worker, partition, WEIR_REASON_REMOVED);
	for (uint32_t i = 0; i < partition->lane_count; i++)
		lane_go_on(worker, partition->lanes[i]);
	/* Some may have been sent the last on its lanes elsewhere, and be told of it here. */
	weir_list_for_each (node, &worker->sessions)
		weir_list_entry(node, struct weir_outlet, sessions)->has_left = true;
	weir_stream_set_owner(stream, partition->index, worker->id);
}

static struct weir_stream *stream_of(
	const struct weir_worker *worker, const struct weir_message_slot *message)
{
	return worker->snapshot->by_slot[message->stream];
}

/* Messages whose partition is here now go into its ring; the others stay, in their order. */
static void release_limbo(struct weir_worker *worker)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < worker->limbo_count; i++) {
		struct weir_limbo *limbo = &worker->limbo[i];
		struct weir_stream *stream = stream_of(worker, &limbo->message);

		if (stream != NULL && limbo->message.partition < stream->partition_count &&
			weir_stream_owner(stream, limbo->message.partition) != worker->id)
			worker->limbo[kept++] = *limbo;
		else if (limbo->only != 0)
			weir_return_append(worker, &limbo->message, limbo->only);
		else
			weir_mesh_append(worker, &limbo->message);
	}
	worker->limbo_count = kept;
}

uint32_t weir_transit_take(struct weir_worker *worker)
{
	struct weir_taking takings[WEIR_BURST];
	uint32_t count = rte_ring_sc_dequeue_burst_elem(
		worker->takings, takings, sizeof(takings[0]), WEIR_BURST, NULL);

	for (uint32_t i = 0; i < count; i++)
		take(worker, &takings[i]);
	if (count == 0)
		return 0;
	release_limbo(worker);
	/* It may have more to move. */
	weir_control_notify(worker);
	return count;
}

struct weir_message_slot *weir_limbo_place(struct weir_worker *worker, struct weir_stream *stream)
{
	struct weir_stream_stats *stats = &stream->local[worker->id].stats;

	if (worker->limbo_count == WEIR_LIMBO_SIZE) {
		stats->dropped[WEIR_REASON_MESH_FULL]++;
		return NULL;
	}
	stats->handed++;
	worker->limbo[worker->limbo_count].only = 0;
	return &worker->limbo[worker->limbo_count++].message;
}

static void drop(struct weir_worker *worker, const struct weir_message_slot *message, uint16_t only,
	enum weir_reason reason)
{
	struct weir_stream *stream = stream_of(worker, message);

	if (stream != NULL && only == 0) {
		stream->local[worker->id].stats.taken_over++;
		stream->local[worker->id].stats.dropped[reason]++;
		if (weir_captures(worker, WEIR_CAPTURE_DROP))
			weir_capture_message_drop(
				worker, message, stream, message->partition, reason);
		weir_trace_message_drop(worker, message, reason);
	} else {
		worker->stats.stray++;
	}
	rte_pktmbuf_free(message->mbuf);
}

void weir_limbo_keep(
	struct weir_worker *worker, const struct weir_message_slot *message, uint16_t only)
{
	if (worker->limbo_count == WEIR_LIMBO_SIZE) {
		drop(worker, message, only, WEIR_REASON_MESH_FULL);
		return;
	}
	worker->limbo[worker->limbo_count++] = (struct weir_limbo){*message, only};
}

/* Workers have ended: what is on its way to or from this one is its own. NULL: no more. */
static struct weir_partition *take_next(struct weir_worker *worker)
{
	struct weir_taking taking;

	if (!weir_list_is_empty(&worker->leaving)) {
		taking.partition =
			weir_list_entry(worker->leaving.next, struct weir_partition, sweep);
		taking.from = worker->id;
		weir_list_remove(&taking.partition->sweep);
	} else if (rte_ring_sc_dequeue_elem(worker->takings, &taking, sizeof(taking)) != 0) {
		return NULL;
	}
	take(worker, &taking);
	return taking.partition;
}

/* Into the ring, whoever has it. */
static void empty_limbo(struct weir_worker *worker)
{
	struct weir_dataplane *dataplane = worker->dataplane;

	for (uint32_t i = 0; i < worker->limbo_count; i++) {
		struct weir_limbo *limbo = &worker->limbo[i];
		struct weir_stream *stream = stream_of(worker, &limbo->message);
		uint16_t owner = worker->id;

		if (stream != NULL && limbo->message.partition < stream->partition_count)
			owner = weir_stream_owner(stream, limbo->message.partition);
		if (limbo->only != 0)
			weir_return_append(
				&dataplane->workers[owner], &limbo->message, limbo->only);
		else
			weir_mesh_append(&dataplane->workers[owner], &limbo->message);
	}
	worker->limbo_count = 0;
}

void weir_transit_settle(struct weir_dataplane *dataplane)
{
	if (dataplane->worker_count == 1)
		return;
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		struct weir_worker *worker = &dataplane->workers[id];

		while (take_next(worker) != NULL)
			;
		worker->transit_phase = WEIR_TRANSIT_NONE;
		worker->transit_generation = 0;
	}
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		empty_limbo(&dataplane->workers[id]);
}

void weir_transit_purge(struct weir_worker *worker)
{
	struct weir_partition *partition;

	if (worker->takings == NULL)
		return;
	while ((partition = take_next(worker)) != NULL)
		weir_partition_purge(worker, partition, WEIR_REASON_SHUTDOWN);
	for (uint32_t i = 0; i < worker->limbo_count; i++)
		drop(worker, &worker->limbo[i].message, worker->limbo[i].only,
			WEIR_REASON_NO_OWNER);
	worker->limbo_count = 0;
}

int weir_transit_create(struct weir_worker *worker)
{
	char name[RTE_RING_NAMESIZE];

	weir_list_init(&worker->leaving);
	if (worker->dataplane->worker_count == 1)
		return 0;
	snprintf(name, sizeof(name), "weir_taking_%u", worker->id);
	worker->takings = rte_ring_create_elem(
		name, sizeof(struct weir_taking), TAKING_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
	worker->limbo = calloc(WEIR_LIMBO_SIZE, sizeof(*worker->limbo));
	worker->mesh_fence = calloc(worker->dataplane->worker_count, sizeof(*worker->mesh_fence));
	return worker->takings != NULL && worker->limbo != NULL && worker->mesh_fence != NULL
		       ? 0
		       : -ENOMEM;
}

void weir_transit_destroy(struct weir_worker *worker)
{
	rte_ring_free(worker->takings);
	free(worker->limbo);
	free(worker->mesh_fence);
}
