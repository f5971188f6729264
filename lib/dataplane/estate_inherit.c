/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_cycles.h>

#include "dataplane/estate_cursor.h"
#include "dataplane/model.h"
#include "dataplane/model_find.h"
#include "dataplane/partition.h"

/*
 * Taking an estate over: rings are filled while no worker runs, in the workers' names. Everything
 * has been checked by weir_estate_open(), but whether it fits the configuration is seen here.
 */

/* One stream of the estate and what stands for it here. */
struct heir {
	struct weir_dataplane *dataplane;
	struct weir_inheritance *inheritance;
	const struct weir_estate_stream *stream;
	const struct weir_estate_group *groups;
	const struct weir_model_stream *model; /* NULL: it is not configured as it was */
	/* For each group of the estate: its attachment, NULL when it is no more. */
	struct weir_attachment *attachments[WEIR_STREAM_GROUPS];
};

/* A partition of the estate; `messages` is where they begin. */
struct holding {
	const struct weir_estate_partition *record;
	struct weir_estate_lane_view lanes[WEIR_STREAM_GROUPS];
	struct weir_estate_cursor messages;
};

int weir_estate_adopt(struct weir_dataplane *dataplane, const struct weir_estate_session *session,
	const char (*names)[WEIR_NAME_SIZE], struct weir_consumer **out)
{
	const struct weir_session_spec spec = {
		.group = session->group,
		.name = session->name,
		.peer = session->peer,
		.peer_port = session->peer_port,
		.local = session->local,
		.max_datagram = session->max_datagram,
		.wants_source = session->wants_source,
		.wants_batches = session->wants_batches,
		.wants_contexts = session->options & WEIR_OPTION_TRACE,
		.is_reliable = session->is_reliable,
		.may_seek = session->may_seek,
		.number = session->session,
	};
	struct weir_consumer *consumer;
	int result = weir_session_prepare(dataplane, &spec, &consumer);

	if (result < 0)
		return result;
	consumer->start = session->start;
	consumer->start_value = session->start_value;
	atomic_store(&consumer->credit->messages.limit, session->messages_limit);
	atomic_store(&consumer->credit->messages.leased, session->messages_used);
	atomic_store(&consumer->credit->bytes.limit, session->bytes_limit);
	atomic_store(&consumer->credit->bytes.leased, session->bytes_used);
	atomic_store(&consumer->report_counter, session->report_counter);
	atomic_store(&consumer->pause_counter, session->pause_counter);
	atomic_store(&consumer->edition, session->knows);
	atomic_store(&consumer->subscribe_counter, session->subscribe_counter);
	for (uint32_t i = 0; i < WEIR_MAX_STREAMS / 64; i++) {
		atomic_store(&consumer->paused[i], session->paused[i]);
		if (session->paused[i] != 0)
			atomic_store(&consumer->has_paused, true);
	}
	if (session->is_paused)
		atomic_fetch_or(&consumer->closed, WEIR_CLOSED_PEER);
	if (session->has_seal)
		weir_seal_resume(&consumer->seal, session->tx_key, session->rx_key,
			session->tx_number, session->rx_window, session->rx_floor);
	/* Its choice of a start is behind it. */
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		consumer->outlets[id].has_begun = session->is_subscribed;
	result = weir_session_add(dataplane, consumer);
	if (result == 0 && session->is_subscribed)
		result = weir_session_subscribe(dataplane, consumer, names, session->stream_count);
	if (result == 0) {
		consumer->is_subscribed = session->is_subscribed;
		*out = consumer;
	}
	return result;
}

static const struct weir_model_stream *find_stream(
	const struct weir_model *model, const struct weir_estate_stream *stream)
{
	for (uint32_t i = 0; i < model->stream_count; i++) {
		const struct weir_stream *object = model->streams[i].object;

		if (strcmp(object->name, stream->name) == 0 &&
			object->partition_count == stream->partition_count &&
			weir_stream_key_digest(object) == stream->key_digest)
			return &model->streams[i];
	}
	return NULL;
}

/* A group that acknowledges now and did not, or the other way round, is another. */
static struct weir_attachment *find_attachment(const struct weir_model *model,
	const struct weir_model_stream *stream, const struct weir_estate_group *group)
{
	for (uint32_t i = 0; i < stream->attachment_count; i++)
		if (strcmp(model->groups[stream->group_index[i]].config.name, group->name) == 0 &&
			(stream->attachments[i]->deliveries != NULL) == group->is_acknowledged)
			return stream->attachments[i];
	return NULL;
}

/* Over lanes and messages of a partition. They are there: the estate has been checked. */
static void read_holding(
	struct weir_estate_cursor *cursor, uint16_t groups, struct holding *holding)
{
	struct weir_estate_message_view message;

	holding->record = weir_estate_take(cursor, 1, sizeof(*holding->record));
	for (uint16_t i = 0; i < groups; i++)
		weir_estate_take_lane(cursor, &holding->lanes[i]);
	holding->messages = *cursor;
	for (uint64_t seq = holding->record->tail; seq != holding->record->head; seq++)
		weir_estate_take_message(cursor, &message);
}

static bool fits(const struct heir *heir, const struct weir_partition *partition,
	const struct holding *holding)
{
	const struct weir_stream *stream = heir->model->object;
	const struct weir_stream_local *local =
		&stream->local[weir_stream_owner(stream, partition->index)];
	uint64_t count = holding->record->head - holding->record->tail;
	struct weir_estate_cursor cursor = holding->messages;
	uint32_t room = rte_pktmbuf_data_room_size(heir->dataplane->buffers) - RTE_PKTMBUF_HEADROOM;

	if (heir->model->attachment_count == 0 || count > partition->mask ||
		holding->record->payload > partition->max_bytes ||
		local->held + count > atomic_load(&local->limit) ||
		rte_mempool_avail_count(heir->dataplane->buffers) < count)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		struct weir_estate_message_view view;

		weir_estate_take_message(&cursor, &view);
		if (view.message->packet_length > room)
			return false;
	}
	return true;
}

/* Before the workers look at it: numbering goes on at the oldest message. */
static void begin_each(const struct heir *heir, uint16_t index, const struct holding *holding)
{
	struct weir_partition *partition;
	uint64_t from = holding->record->tail;

	if (heir->model == NULL)
		return;
	partition = &heir->model->object->partitions[index];
	partition->head = from;
	partition->tail = from;
	partition->base = from;
	partition->first = from;
	partition->retained = from;
	/* The estate knows better than the checkpoint: nothing is missing. */
	for (uint16_t i = 0; i < heir->stream->group_count; i++)
		if (heir->attachments[i] != NULL && heir->attachments[i]->starts != NULL)
			heir->attachments[i]->starts[index] = from;
}

static struct rte_mbuf *copy_packet(struct rte_mempool *pool, const uint8_t *bytes, uint32_t length)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);

	if (packet == NULL)
		return NULL;
	memcpy(rte_pktmbuf_mtod(packet, void *), bytes, length);
	packet->data_len = (uint16_t)length;
	packet->pkt_len = length;
	return packet;
}

/* A stream that keeps no templates has nowhere to put them. */
static uint8_t flags_for(const struct weir_partition *partition, uint8_t flags)
{
	return partition->templates != NULL ? flags : flags & (uint8_t)~WEIR_SLOT_TEMPLATES;
}

/* False without a buffer, which fits() has seen to. */
static bool append(const struct heir *heir, struct weir_worker *worker,
	struct weir_partition *partition, const struct weir_estate_message_view *view)
{
	const struct weir_estate_message *message = view->message;
	struct weir_stream_local *local = &partition->stream->local[worker->id];
	struct rte_mbuf *packet =
		copy_packet(heir->dataplane->buffers, view->packet, message->packet_length);
	struct weir_message_slot *slot;

	if (packet == NULL)
		return false;
	slot = weir_partition_place(worker, local, partition, message->payload_length);
	if (slot == NULL) {
		rte_pktmbuf_free(packet);
		return false;
	}
	*slot = (struct weir_message_slot){.mbuf = packet,
		.ingest = message->ingest,
		.time_left_us = message->time_left_us,
		.payload_length = message->payload_length,
		.l4_offset = message->l4_offset,
		.stream = partition->stream->slot,
		.l3_offset = message->l3_offset,
		.flags = flags_for(partition, message->flags)};
	weir_partition_commit(worker, local, partition, slot);
	/* It was received by the other gateway. */
	local->stats.appended--;
	if (message->only != 0) {
		const struct weir_attachment *only = heir->attachments[message->only - 1];

		slot->only = only != NULL ? (uint16_t)(only->group + 1) : UINT16_MAX;
	}
	return true;
}

/* The lane has passed what lies below; not counted, it was counted by the other gateway. */
static void pass(struct weir_worker *worker, struct weir_lane *lane, uint64_t base)
{
	struct weir_partition *partition = lane->partition;

	for (uint64_t seq = lane->cursor; seq != base; seq++)
		weir_partition_release(worker, partition, weir_slot(partition, seq));
	lane->cursor = base;
	lane->told = base;
	if (lane->is_queued && base == partition->head)
		weir_lane_idle(lane);
}

static void begin_delivery(struct weir_lane *lane, uint64_t base)
{
	struct weir_delivery *delivery = lane->delivery;

	if (delivery != NULL)
		weir_delivery_init(
			delivery, delivery->records, delivery->mask, delivery->rules, base);
}

static void restore_delivery(struct weir_lane *lane, const struct weir_estate_lane_view *view)
{
	struct weir_delivery *delivery = lane->delivery;

	begin_delivery(lane, view->lane->base);
	delivery->redeliver = RTE_MAX(view->lane->redeliver, delivery->done);
	for (uint16_t i = 0; i < view->lane->gap_count; i++)
		weir_delivery_missing(delivery, view->gaps[i].first, view->gaps[i].end,
			(enum weir_gap_reason)view->gaps[i].reason);
	for (uint32_t i = 0; i < view->lane->gone_count; i++)
		weir_delivery_give_up(delivery, view->lane->base + view->gone[i].offset,
			(enum weir_gap_reason)view->gone[i].reason);
}

static void restore_lane(struct weir_worker *worker, struct weir_lane *lane,
	const struct weir_estate_lane_view *view)
{
	uint64_t held = lane->partition->head - view->lane->base - view->lane->gone_count;

	pass(worker, lane, view->lane->base);
	if (lane->delivery != NULL)
		restore_delivery(lane, view);
	lane->sample_left = view->lane->sample_left;
	/* What it holds counts as received. */
	lane->stats->joined -= held;
}

/* What sessions were sent on the lane, for when it comes back to them. */
static void restore_positions(struct weir_lane *lane, const struct weir_estate_lane_view *view)
{
	uint16_t count = RTE_MIN(view->lane->position_count, lane->history_size);

	for (uint16_t i = 0; i < count; i++)
		lane->history[i] = view->positions[i];
}

static const struct weir_estate_lane_view *find_view(
	const struct heir *heir, const struct holding *holding, const struct weir_lane *lane)
{
	for (uint16_t i = 0; i < heir->stream->group_count; i++)
		if (heir->attachments[i] != NULL &&
			&heir->attachments[i]->lanes[lane->partition->index] == lane)
			return &holding->lanes[i];
	return NULL;
}

/* False when memory was short after all. */
static bool append_all(const struct heir *heir, struct weir_worker *worker,
	struct weir_partition *partition, const struct holding *holding)
{
	struct weir_estate_cursor cursor = holding->messages;

	while (partition->head != holding->record->head) {
		struct weir_estate_message_view view;

		weir_estate_take_message(&cursor, &view);
		if (!append(heir, worker, partition, &view))
			return false;
	}
	return true;
}

static void retain_from(
	struct weir_worker *worker, struct weir_partition *partition, uint64_t retained)
{
	while (partition->retains && partition->retained < retained) {
		struct weir_message_slot *slot = weir_slot(partition, partition->retained++);

		weir_partition_release(worker, partition, slot);
	}
}

static void restore_lanes(const struct heir *heir, struct weir_worker *worker,
	struct weir_partition *partition, const struct holding *holding)
{
	for (uint32_t i = 0; i < partition->lane_count; i++) {
		struct weir_lane *lane = partition->lanes[i];
		const struct weir_estate_lane_view *view = find_view(heir, holding, lane);

		if (view != NULL) {
			restore_lane(worker, lane, view);
			continue;
		}
		/* A new group begins at the head. */
		pass(worker, lane, partition->head);
		begin_delivery(lane, partition->head);
	}
}

/* Nothing is taken over: numbering goes on behind it, and each group has lost what it had not. */
static void leave_lane(struct weir_lane *lane, const struct weir_estate_lane_view *view)
{
	struct weir_partition *partition = lane->partition;
	uint64_t lost = partition->head - view->lane->base - view->lane->gone_count;

	if (lane->delivery != NULL)
		weir_delivery_missing(
			lane->delivery, view->lane->base, partition->head, WEIR_GAP_RESTART);
	lane->stats->joined -= lost;
	lane->stats->dropped[WEIR_REASON_SHUTDOWN] += lost;
}

static void leave_partition(const struct heir *heir, struct weir_worker *worker,
	struct weir_partition *partition, const struct holding *holding)
{
	uint64_t head = holding->record->head;

	for (uint32_t i = 0; i < partition->lane_count; i++)
		pass(worker, partition->lanes[i], partition->head);
	retain_from(worker, partition, partition->head);
	partition->head = head;
	partition->tail = head;
	partition->base = head;
	partition->retained = head;
	for (uint32_t i = 0; i < partition->lane_count; i++) {
		struct weir_lane *lane = partition->lanes[i];
		const struct weir_estate_lane_view *view = find_view(heir, holding, lane);

		lane->cursor = head;
		lane->told = head;
		begin_delivery(lane, head);
		if (view != NULL)
			leave_lane(lane, view);
	}
}

/* Calls `each` for every partition of every stream; what stands for it may be missing. */
static void for_partitions(const struct weir_estate *estate, struct weir_dataplane *dataplane,
	struct weir_inheritance *inheritance,
	void (*each)(const struct heir *heir, uint16_t index, const struct holding *holding))
{
	struct weir_estate_cursor cursor = {.estate = estate, .at = estate->streams_at};
	struct heir heir = {.dataplane = dataplane, .inheritance = inheritance};
	bool is_taken[WEIR_MAX_STREAMS] = {false};

	for (uint32_t i = 0; i < estate->header->stream_count; i++) {
		heir.stream = weir_estate_take(&cursor, 1, sizeof(*heir.stream));
		heir.groups =
			weir_estate_take(&cursor, heir.stream->group_count, sizeof(*heir.groups));
		heir.model = find_stream(dataplane->model, heir.stream);
		/* One that drained beside it has nothing left. */
		if (heir.model != NULL && is_taken[heir.model->object->slot])
			heir.model = NULL;
		if (heir.model != NULL)
			is_taken[heir.model->object->slot] = true;
		for (uint16_t j = 0; j < heir.stream->group_count; j++)
			heir.attachments[j] = heir.model != NULL
						      ? find_attachment(dataplane->model,
								heir.model, &heir.groups[j])
						      : NULL;
		for (uint16_t p = 0; p < heir.stream->partition_count; p++) {
			struct holding holding;

			read_holding(&cursor, heir.stream->group_count, &holding);
			each(&heir, p, &holding);
		}
	}
}

static void fill_each(const struct heir *heir, uint16_t index, const struct holding *holding)
{
	uint64_t count = holding->record->head - holding->record->tail;
	struct weir_partition *partition;
	struct weir_worker *worker;

	if (heir->model == NULL) {
		heir->inheritance->left += count;
		return;
	}
	partition = &heir->model->object->partitions[index];
	worker = &heir->dataplane->workers[weir_stream_owner(heir->model->object, index)];
	for (uint16_t i = 0; i < heir->stream->group_count; i++)
		if (heir->attachments[i] != NULL && heir->attachments[i]->history != NULL)
			restore_positions(&heir->attachments[i]->lanes[index], &holding->lanes[i]);
	if (fits(heir, partition, holding) && append_all(heir, worker, partition, holding)) {
		retain_from(worker, partition, holding->record->retained);
		restore_lanes(heir, worker, partition, holding);
		heir->inheritance->messages += count;
		return;
	}
	leave_partition(heir, worker, partition, holding);
	heir->inheritance->left += count;
}

void weir_estate_inherit(const struct weir_estate *estate, struct weir_dataplane *dataplane,
	struct weir_inheritance *inheritance)
{
	*inheritance = (struct weir_inheritance){0};
	dataplane->epoch = RTE_MAX(dataplane->epoch, estate->header->epoch + 1);
	for_partitions(estate, dataplane, inheritance, begin_each);
	/* The lanes begin; from here on a worker's thread does it. */
	weir_dataplane_republish(dataplane);
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		weir_worker_begin(&dataplane->workers[id]);
	for_partitions(estate, dataplane, inheritance, fill_each);
}
