/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/placement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "place/place.h"

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
	placement->planned = calloc(count, sizeof(*placement->planned));
	return placement->planned != NULL ? 0 : -ENOMEM;
}

void weir_placement_free(struct weir_attachment *attachment)
{
	rte_free((void *)attachment->owners);
	if (attachment->placement == NULL)
		return;
	free(attachment->placement->planned);
	free(attachment->placement->members);
	free(attachment->placement);
}

static bool takes(const struct weir_model_consumer *consumer, const struct weir_stream *stream)
{
	const struct weir_consumer *object = consumer->object;

	if (!consumer->is_reachable)
		return false;
	for (uint32_t i = 0; i < object->stream_count; i++)
		if (strcmp(object->streams[i], stream->name) == 0)
			return true;
	return object->stream_count == 0;
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

		if (!takes(consumer, view->attachment->stream))
			continue;
		view->members[desk->member_count] = consumer->identity;
		desk->members[desk->member_count] =
			(struct weir_place_member){.identity = consumer->identity,
				.weight = WEIR_PLACE_WEIGHT,
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
		desk->owners[p] = seat_of(desk, attachment->placement->planned[p]);
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

int weir_placement_plan(const struct weir_model_group *group, struct weir_attachment_view *view)
{
	uint16_t count = view->attachment->stream->partition_count;
	struct desk desk;
	int result = -ENOMEM;

	view->consumers = calloc(count, sizeof(*view->consumers));
	view->members = calloc(group->consumer_count + 1, sizeof(*view->members));
	if (desk_open(&desk, group->consumer_count, count) && view->consumers != NULL &&
		view->members != NULL) {
		struct weir_place_request request = {
			.members = desk.members, .partition_count = count};

		seat_members(group, view, &desk);
		seat_owners(view->attachment, &desk);
		request.member_count = desk.member_count;
		weir_place_plan(&request, desk.owners, desk.scratch);
		for (uint16_t p = 0; p < count; p++)
			view->consumers[p] = desk.owners[p] != WEIR_PLACE_NONE
						     ? desk.objects[desk.owners[p]]
						     : NULL;
		result = 0;
	}
	desk_close(&desk);
	return result;
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
		placement->planned[p] = view->consumers[p];
		atomic_store_explicit(
			&attachment->owners[p], view->consumers[p], memory_order_release);
	}
}
