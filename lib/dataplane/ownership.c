/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/ownership.h"

#include <errno.h>
#include <string.h>

#include "dataplane/handover.h"
#include "dataplane/model_find.h"
#include "dataplane/placement.h"
#include "dataplane/report.h"

#define PACES    1024     /* of one group that are looked at */
#define AGAIN_NS 50000000 /* an order may have met a worker that had another snapshot */

/* One attachment of the model, with its group. */
struct stop {
	struct weir_model_group *group;
	struct weir_attachment *attachment;
	const struct weir_stream *stream;
};

static struct stop stop_at(
	const struct weir_model *model, const struct weir_model_stream *stream, uint32_t index)
{
	return (struct stop){.group = &model->groups[stream->group_index[index]],
		.attachment = stream->attachments[index],
		.stream = stream->object};
}

static void order(struct weir_dataplane *dataplane, const struct stop *stop, uint16_t partition,
	uint64_t now_ns)
{
	struct weir_order order = {.stream = stop->stream->slot,
		.group = stop->attachment->group,
		.partition = partition};
	struct weir_placement_slot *slot = &stop->attachment->placement->slots[partition];
	uint16_t worker = weir_stream_owner(stop->stream, partition);

	slot->is_moving = true;
	slot->ordered_ns = now_ns;
	/* On its way to another worker, or a full ring: it is said again. */
	if (worker != WEIR_NO_WORKER)
		(void)rte_ring_sp_enqueue_elem(
			dataplane->workers[worker].orders, &order, sizeof(order));
}

/* Moves that have ended are over; workers that have not heard are told again. */
static void note_arrivals(
	struct weir_dataplane *dataplane, const struct stop *stop, uint64_t now_ns)
{
	struct weir_placement *placement = stop->attachment->placement;

	if (placement->pending == 0)
		return;
	for (uint16_t p = 0; p < stop->stream->partition_count; p++) {
		struct weir_placement_slot *slot = &placement->slots[p];

		if (!slot->is_moving)
			continue;
		if (weir_placement_arrived(stop->attachment, p, dataplane->worker_count)) {
			slot->is_moving = false;
			placement->pending -=
				slot->planned == atomic_load(&stop->attachment->owners[p]);
			continue;
		}
		stop->group->moving++;
		if (now_ns - slot->ordered_ns >= AGAIN_NS)
			order(dataplane, stop, p, now_ns);
	}
}

static void give(
	struct weir_dataplane *dataplane, struct weir_attachment *attachment, uint16_t partition)
{
	atomic_store_explicit(&attachment->owners[partition],
		attachment->placement->slots[partition].planned, memory_order_release);
	dataplane->handed++;
	dataplane->changes++;
}

static void start_moves(struct weir_dataplane *dataplane, const struct stop *stop, uint64_t now_ns)
{
	struct weir_placement *placement = stop->attachment->placement;

	for (uint16_t p = 0; placement->pending != 0 && p < stop->stream->partition_count; p++) {
		struct weir_placement_slot *slot = &placement->slots[p];

		if (stop->group->moving >= stop->group->config.moves)
			return;
		if (slot->is_moving || slot->planned == atomic_load(&stop->attachment->owners[p]) ||
			!weir_placement_is_known(stop->attachment, slot->planned))
			continue;
		give(dataplane, stop->attachment, p);
		order(dataplane, stop, p, now_ns);
		stop->group->moving++;
	}
}

typedef void (*stop_visit)(
	struct weir_dataplane *dataplane, const struct stop *stop, uint64_t now_ns);

static void visit_stops(struct weir_dataplane *dataplane, stop_visit visit, uint64_t now_ns)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; i < model->stream_count; i++)
		for (uint32_t j = 0; j < model->streams[i].attachment_count; j++) {
			struct stop stop = stop_at(model, &model->streams[i], j);

			visit(dataplane, &stop, now_ns);
		}
}

bool weir_ownership_is_due(const struct weir_dataplane *dataplane)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		for (uint32_t j = 0; j < model->streams[i].attachment_count; j++)
			if (model->streams[i].attachments[j]->placement->pending != 0)
				return true;
	return false;
}

uint32_t weir_ownership_step(struct weir_dataplane *dataplane, uint64_t now_ns)
{
	struct weir_model *model = dataplane->model;
	uint32_t pending = 0;

	if (model == NULL)
		return 0;
	for (uint32_t i = 0; i < model->group_count; i++)
		model->groups[i].moving = 0;
	visit_stops(dataplane, note_arrivals, now_ns);
	visit_stops(dataplane, start_moves, now_ns);
	for (uint32_t i = 0; i < model->stream_count; i++)
		for (uint32_t j = 0; j < model->streams[i].attachment_count; j++)
			pending += model->streams[i].attachments[j]->placement->pending;
	return pending;
}

static struct weir_model_group *find_group(struct weir_dataplane *dataplane, const char *name)
{
	return (struct weir_model_group *)(uintptr_t)weir_model_find_group(dataplane->model, name);
}

static const char *name_of(const struct weir_consumer *consumer)
{
	return consumer != NULL ? consumer->name : NULL;
}

static void show_moves(const struct stop *stop, const struct weir_attachment_view *view,
	weir_owner_visit visit, void *context)
{
	for (uint16_t p = 0; p < stop->stream->partition_count; p++) {
		const struct weir_consumer *owner = atomic_load(&stop->attachment->owners[p]);
		struct weir_owner_change move = {.stream = stop->stream->name,
			.group = stop->group->config.name,
			.partition = p,
			.from = name_of(owner),
			.to = name_of(view->consumers[p])};

		if (owner != view->consumers[p])
			visit(context, &move);
	}
}

int weir_ownership_preview(struct weir_dataplane *dataplane, const char *name, bool is_even,
	weir_owner_visit visit, void *context)
{
	const struct weir_model *model = dataplane->model;
	const struct weir_model_group *group = find_group(dataplane, name);
	int result = 0;

	if (group == NULL)
		return -ENOENT;
	for (uint32_t i = 0; i < model->stream_count; i++)
		for (uint32_t j = 0; j < model->streams[i].attachment_count && result == 0; j++) {
			struct stop stop = stop_at(model, &model->streams[i], j);
			struct weir_attachment_view view = {.attachment = stop.attachment};

			if (stop.group != group)
				continue;
			result = weir_placement_plan(
				group, is_even ? WEIR_PLACE_EVEN : WEIR_PLACE_BOUND, &view);
			if (result == 0)
				show_moves(&stop, &view, visit, context);
			weir_placement_discard(&view);
		}
	return result;
}

static void count_move(void *context, const struct weir_owner_change *move)
{
	uint32_t *count = context;

	(void)move;
	(*count)++;
}

int weir_ownership_rebalance(
	struct weir_dataplane *dataplane, const char *name, bool is_even, uint32_t *moves)
{
	struct weir_model_group *group = find_group(dataplane, name);
	int result;

	*moves = 0;
	result = weir_ownership_preview(dataplane, name, is_even, count_move, moves);
	if (result < 0 || *moves == 0)
		return result;
	group->goal = is_even ? WEIR_PLACE_EVEN : WEIR_PLACE_BOUND;
	result = weir_dataplane_republish(dataplane);
	group->goal = WEIR_PLACE_STABLE;
	return result;
}

static struct weir_attachment *find_attachment(
	struct weir_dataplane *dataplane, const char *stream, const struct weir_model_group *group)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; i < model->stream_count; i++)
		if (!model->streams[i].is_draining &&
			strcmp(model->streams[i].object->name, stream) == 0)
			return weir_model_find_attachment(
				model, model->streams[i].object, group->slot);
	return NULL;
}

int weir_ownership_move(struct weir_dataplane *dataplane, const char *stream, uint16_t partition,
	const char *name, const char *consumer)
{
	struct weir_model_group *group = find_group(dataplane, name);
	const struct weir_model_consumer *to;
	struct weir_attachment *attachment;
	struct weir_placement *placement;

	if (group == NULL)
		return -ENOENT;
	attachment = find_attachment(dataplane, stream, group);
	to = weir_model_find_consumer(group, consumer);
	if (attachment == NULL || partition >= attachment->stream->partition_count)
		return -ENOENT;
	if (to == NULL)
		return -ESRCH;
	if (!weir_placement_takes(to, attachment->stream) ||
		!weir_placement_is_known(attachment, to->object))
		return -EHOSTUNREACH;
	placement = attachment->placement;
	placement->slots[partition].planned = to->object;
	/* One that moves already goes straight there. */
	if (placement->slots[partition].is_moving)
		give(dataplane, attachment, partition);
	weir_placement_recount(attachment);
	return 0;
}

int weir_consumer_set_weight(
	struct weir_dataplane *dataplane, struct weir_consumer *consumer, uint32_t weight)
{
	struct weir_model_group *group;
	struct weir_model_consumer *entry = weir_model_entry(dataplane, consumer, &group);
	uint32_t moves;

	if (entry == NULL)
		return -ENOENT;
	weir_model_weigh(entry, weight);
	return weir_ownership_rebalance(dataplane, group->config.name, true, &moves);
}

int weir_consumer_drain(struct weir_dataplane *dataplane, struct weir_consumer *consumer, bool on)
{
	struct weir_model_consumer *entry = weir_model_entry(dataplane, consumer, NULL);
	int result;

	if (entry == NULL)
		return -ENOENT;
	if (entry->is_drained == on)
		return 0;
	entry->is_drained = on;
	result = weir_dataplane_republish(dataplane);
	if (result < 0)
		entry->is_drained = !on;
	return result;
}

/* Members of a group that say how long a message takes them weigh by it. */
static void weigh(struct weir_model_group *group)
{
	const struct weir_place_pace *paces[PACES];
	uint32_t count = RTE_MIN(group->consumer_count, (uint32_t)PACES);
	double usual;

	for (uint32_t i = 0; i < count; i++) {
		struct weir_model_consumer *consumer = &group->consumers[i];

		weir_place_pace_look(&consumer->pace, atomic_load(&consumer->object->service_ns));
		paces[i] = &consumer->pace;
	}
	usual = group->config.rebalance_s != 0 ? weir_place_pace_usual(paces, count) : 0;
	for (uint32_t i = 0; i < group->consumer_count; i++)
		weir_place_pace_weight(
			&group->consumers[i].pace, group->consumers[i].weight, usual);
}

static void measure(struct weir_attachment *attachment, double interval_s)
{
	const struct weir_stream *stream = attachment->stream;

	for (uint16_t p = 0; p < stream->partition_count; p++) {
		const struct weir_partition *partition = &stream->partitions[p];
		uint64_t head = *(const volatile uint64_t *)&partition->head;

		weir_place_meter_look(&attachment->placement->slots[p].meter,
			head - partition->first, interval_s);
	}
}

void weir_ownership_measure(struct weir_dataplane *dataplane, double interval_s)
{
	struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; i < model->stream_count; i++)
		for (uint32_t j = 0; j < model->streams[i].attachment_count; j++)
			measure(model->streams[i].attachments[j], interval_s);
	for (uint32_t i = 0; i < model->group_count; i++) {
		struct weir_model_group *group = &model->groups[i];
		uint32_t moves;

		weigh(group);
		if (group->config.rebalance_s == 0 || ++group->rested_s < group->config.rebalance_s)
			continue;
		group->rested_s = 0;
		(void)weir_ownership_rebalance(dataplane, group->config.name, false, &moves);
		/* A plan publishes; the model is another only after a configuration. */
	}
}

static void count_place(const struct weir_attachment *attachment,
	const struct weir_consumer *consumer, struct weir_consumer_place *place)
{
	for (uint16_t p = 0; p < attachment->stream->partition_count; p++) {
		const struct weir_placement_slot *slot = &attachment->placement->slots[p];
		bool has = atomic_load(&attachment->owners[p]) == consumer;

		place->partitions += has;
		place->leaving += has && slot->planned != consumer;
		place->coming += !has && slot->planned == consumer;
	}
}

bool weir_consumer_place(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_consumer_place *place)
{
	const struct weir_model *model = dataplane->model;
	const struct weir_model_consumer *entry = weir_model_entry(dataplane, consumer, NULL);

	if (entry == NULL)
		return false;
	*place = (struct weir_consumer_place){.weight = entry->weight,
		.effective = entry->pace.weight,
		.is_drained = entry->is_drained};
	for (uint32_t i = 0; i < model->stream_count; i++)
		for (uint32_t j = 0; j < model->streams[i].attachment_count; j++)
			if (model->streams[i].attachments[j]->group == consumer->group)
				count_place(model->streams[i].attachments[j], consumer, place);
	return true;
}
