/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/placement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "dataplane/worker.h"

/* What planning needs for a moment. */
struct desk {
	struct weir_place_member *members;
	struct weir_consumer **objects; /* of the members */
	uint32_t member_count;
	uint32_t *owners;
	void *scratch;
};

int weir_placement_create(struct weir_attachment *attachment)
{
	uint16_t count = attachment->stream->partition_count;
	struct weir_placement *placement = calloc(1, sizeof(*placement));

	attachment->placement = placement;
	/* Workers read these. */
	attachment->owners =
		rte_zmalloc("weir", count * sizeof(*attachment->owners), RTE_CACHE_LINE_SIZE);
	if (placement == NULL || attachment->owners == NULL)
		return -ENOMEM;
	placement->slots = calloc(count, sizeof(*placement->slots));
	return placement->slots != NULL ? 0 : -ENOMEM;
}

void weir_placement_free(struct weir_attachment *attachment)
{
	rte_free((void *)attachment->owners);
	if (attachment->placement == NULL)
		return;
	free(attachment->placement->slots);
	free(attachment->placement->members);
	free(attachment->placement);
}

bool weir_placement_takes(
	const struct weir_model_consumer *consumer, const struct weir_stream *stream)
{
	const struct weir_consumer *object = consumer->object;

	if (!consumer->is_reachable || consumer->is_drained)
		return false;
	for (uint32_t i = 0; i < object->stream_count; i++)
		if (strcmp(object->streams[i], stream->name) == 0)
			return true;
	return object->stream_count == 0;
}

bool weir_placement_is_known(
	const struct weir_attachment *attachment, const struct weir_consumer *consumer)
{
	return consumer == NULL || consumer->class != WEIR_CLASS_NATIVE ||
	       consumer->knows >= attachment->since;
}

static bool was_member(const struct weir_placement *placement, uint64_t identity)
{
	for (uint32_t i = 0; i < placement->member_count; i++)
		if (placement->members[i] == identity)
			return true;
	return false;
}

static void seat_members(
	const struct weir_model_group *group, struct weir_attachment_view *view, struct desk *desk)
{
	const struct weir_placement *placement = view->attachment->placement;

	for (uint32_t i = 0; i < group->consumer_count; i++) {
		const struct weir_model_consumer *consumer = &group->consumers[i];

		if (!weir_placement_takes(consumer, view->attachment->stream))
			continue;
		view->members[desk->member_count] = consumer->identity;
		desk->members[desk->member_count] =
			(struct weir_place_member){.identity = consumer->identity,
				.weight = consumer->pace.weight,
				.joins = !was_member(placement, consumer->identity)};
		desk->objects[desk->member_count++] = consumer->object;
	}
	view->member_count = desk->member_count;
}

static uint32_t seat_of(const struct desk *desk, const struct weir_consumer *consumer)
{
	for (uint32_t i = 0; consumer != NULL && i < desk->member_count; i++)
		if (desk->objects[i] == consumer)
			return i;
	return WEIR_PLACE_NONE;
}

/* Whoever has a partition keeps it when the one that was to get it is gone. */
static void seat_owners(const struct weir_attachment *attachment, struct desk *desk)
{
	for (uint16_t p = 0; p < attachment->stream->partition_count; p++) {
		desk->owners[p] = seat_of(desk, attachment->placement->slots[p].planned);
		if (desk->owners[p] == WEIR_PLACE_NONE)
			desk->owners[p] = seat_of(desk, atomic_load(&attachment->owners[p]));
	}
}

static bool desk_open(struct desk *desk, uint32_t members, uint16_t partitions)
{
	*desk = (struct desk){.members = calloc(members + 1, sizeof(*desk->members)),
		.objects = calloc(members + 1, sizeof(struct weir_consumer *)),
		.owners = calloc(partitions, sizeof(*desk->owners)),
		.scratch = malloc(weir_place_scratch(members, partitions))};
	return desk->members != NULL && desk->objects != NULL && desk->owners != NULL &&
	       desk->scratch != NULL;
}

static void desk_close(struct desk *desk)
{
	free(desk->members);
	free(desk->objects);
	free(desk->owners);
	free(desk->scratch);
}

/* Nobody has it, or nobody there: it need not be drained, nor wait for its turn. */
static bool goes_at_once(const struct weir_model_group *group, const struct weir_consumer *owner)
{
	for (uint32_t i = 0; owner != NULL && i < group->consumer_count; i++)
		if (group->consumers[i].object == owner)
			return !group->consumers[i].is_reachable;
	return true;
}

static void fill_view(const struct weir_model_group *group, const struct desk *desk,
	struct weir_attachment_view *view)
{
	const struct weir_consumer *last = NULL;
	bool at_once = true;

	for (uint16_t p = 0; p < view->attachment->stream->partition_count; p++) {
		const struct weir_consumer *owner = atomic_load(&view->attachment->owners[p]);

		if (owner != last)
			at_once = goes_at_once(group, owner);
		last = owner;
		view->at_once[p] = at_once;
		view->consumers[p] =
			desk->owners[p] != WEIR_PLACE_NONE ? desk->objects[desk->owners[p]] : NULL;
	}
}

static bool fill_loads(const struct weir_attachment *attachment, struct weir_place_request *request)
{
	uint16_t count = attachment->stream->partition_count;
	struct weir_place_meter *meters = calloc(count, sizeof(*meters));
	uint32_t *loads = calloc(count, sizeof(*loads));

	for (uint16_t p = 0; meters != NULL && p < count; p++)
		meters[p] = attachment->placement->slots[p].meter;
	if (meters != NULL && loads != NULL)
		weir_place_loads(meters, count, loads);
	free(meters);
	request->loads = loads;
	return meters != NULL && loads != NULL;
}

int weir_placement_plan(const struct weir_model_group *group, enum weir_place_goal goal,
	struct weir_attachment_view *view)
{
	uint16_t count = view->attachment->stream->partition_count;
	struct weir_place_request request = {.partition_count = count, .goal = goal};
	bool has_loads = fill_loads(view->attachment, &request);
	struct desk desk;
	int result = -ENOMEM;

	view->consumers = calloc(count, sizeof(*view->consumers));
	view->at_once = calloc(count, sizeof(*view->at_once));
	view->members = calloc(group->consumer_count + 1, sizeof(*view->members));
	if (desk_open(&desk, group->consumer_count, count) && has_loads &&
		view->consumers != NULL && view->at_once != NULL && view->members != NULL) {
		seat_members(group, view, &desk);
		seat_owners(view->attachment, &desk);
		request.members = desk.members;
		request.member_count = desk.member_count;
		weir_place_plan(&request, desk.owners, desk.scratch);
		fill_view(group, &desk, view);
		result = 0;
	}
	free((void *)(uintptr_t)request.loads);
	desk_close(&desk);
	return result;
}

void weir_placement_discard(struct weir_attachment_view *view)
{
	free(view->consumers);
	free(view->at_once);
	free(view->members);
}

static void commit(struct weir_attachment *attachment, uint16_t partition, bool at_once)
{
	const struct weir_placement_slot *slot = &attachment->placement->slots[partition];
	struct weir_consumer *next = slot->planned;

	if (!weir_placement_is_known(attachment, next)) {
		if (!at_once)
			return;
		next = NULL;
	}
	/* One that moves already goes straight to where it is wanted now. */
	if (at_once || slot->is_moving)
		atomic_store_explicit(&attachment->owners[partition], next, memory_order_release);
}

void weir_placement_commit(struct weir_attachment_view *view)
{
	struct weir_attachment *attachment = view->attachment;
	struct weir_placement *placement = attachment->placement;

	free(placement->members);
	placement->members = view->members;
	placement->member_count = view->member_count;
	view->members = NULL;
	for (uint16_t p = 0; p < attachment->stream->partition_count; p++) {
		placement->slots[p].planned = view->consumers[p];
		commit(attachment, p, view->at_once[p]);
	}
	weir_placement_recount(attachment);
}

void weir_placement_recount(struct weir_attachment *attachment)
{
	struct weir_placement *placement = attachment->placement;

	placement->pending = 0;
	for (uint16_t p = 0; p < attachment->stream->partition_count; p++)
		placement->pending +=
			placement->slots[p].is_moving ||
			placement->slots[p].planned != atomic_load(&attachment->owners[p]);
}

bool weir_placement_arrived(
	const struct weir_attachment *attachment, uint16_t partition, uint32_t worker_count)
{
	const struct weir_lane *lane = &attachment->lanes[partition];
	const struct weir_consumer *owner = atomic_load(&attachment->owners[partition]);
	const struct weir_outlet *outlet = *(struct weir_outlet *const volatile *)&lane->outlet;

	/* Whichever worker has it. */
	if (owner == NULL)
		return outlet == NULL;
	return outlet >= owner->outlets && outlet < owner->outlets + worker_count;
}
