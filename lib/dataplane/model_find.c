/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/model_find.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "dataplane/estate.h"
#include "dataplane/succession.h"

const struct weir_model_group *weir_model_find_group(
	const struct weir_model *model, const char *name)
{
	for (uint32_t i = 0; model != NULL && i < model->group_count; i++)
		if (strcmp(model->groups[i].config.name, name) == 0)
			return &model->groups[i];
	return NULL;
}

const struct weir_model_group *weir_model_find_group_of_class(
	const struct weir_model *model, const struct weir_config_group *config)
{
	const struct weir_model_group *group = weir_model_find_group(model, config->name);

	return group != NULL && group->config.class == config->class ? group : NULL;
}

const struct weir_model_consumer *weir_model_find_consumer(
	const struct weir_model_group *group, const char *name)
{
	for (uint32_t i = 0; group != NULL && i < group->consumer_count; i++)
		if (strcmp(group->consumers[i].object->name, name) == 0)
			return &group->consumers[i];
	return NULL;
}

const struct weir_model_stream *weir_model_find_stream(
	const struct weir_model *model, const struct weir_stream *stream)
{
	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		if (model->streams[i].object == stream)
			return &model->streams[i];
	return NULL;
}

static bool has_attachment(
	const struct weir_model_stream *stream, const struct weir_attachment *attachment)
{
	for (uint32_t i = 0; stream != NULL && i < stream->attachment_count; i++)
		if (stream->attachments[i] == attachment)
			return true;
	return false;
}

struct weir_attachment *weir_model_find_attachment(
	const struct weir_model *model, const struct weir_stream *stream, uint16_t group)
{
	const struct weir_model_stream *found = weir_model_find_stream(model, stream);

	for (uint32_t i = 0; found != NULL && i < found->attachment_count; i++)
		if (found->attachments[i]->group == group)
			return found->attachments[i];
	return NULL;
}

bool weir_model_has_stream(const struct weir_model *model, const struct weir_stream *stream)
{
	return weir_model_find_stream(model, stream) != NULL;
}

static void mark_consumers(const struct weir_model *model, uint8_t *used)
{
	for (uint32_t i = 0; model != NULL && i < model->group_count; i++)
		for (uint32_t j = 0; j < model->groups[i].consumer_count; j++)
			used[model->groups[i].consumers[j].object->slot] = 1;
}

static void mark_streams(const struct weir_model *model, uint8_t *used)
{
	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		used[model->streams[i].object->slot] = 1;
}

/* Numbers are used in turn, so one that was given up comes back as late as possible. */
static int next_free(struct weir_dataplane *dataplane, const uint8_t *used, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		uint32_t slot = (dataplane->next_slot + i) % size;

		if (!used[slot]) {
			dataplane->next_slot = (uint16_t)(slot + 1);
			return (int)slot;
		}
	}
	return -ENOSPC;
}

int weir_model_free_consumer_slot(struct weir_dataplane *dataplane, const struct weir_model *old,
	const struct weir_model *model)
{
	uint8_t used[WEIR_MAX_CONSUMERS] = {0};

	mark_consumers(old, used);
	mark_consumers(model, used);
	for (uint32_t i = 0; dataplane->slots != NULL && i < WEIR_MAX_CONSUMERS; i++)
		used[i] |= dataplane->slots->consumers[i];
	return next_free(dataplane, used, WEIR_MAX_CONSUMERS);
}

bool weir_model_has_consumer_slot(const struct weir_model *model, uint16_t slot)
{
	uint8_t used[WEIR_MAX_CONSUMERS] = {0};

	mark_consumers(model, used);
	return used[slot];
}

/* The slot that the gateway which is taken over from gave the stream; marks those of its others. */
static int planned_slot(const struct weir_slot_plan *plan, const char *name, uint8_t *used)
{
	int found = -ENOENT;

	for (uint32_t i = 0; plan != NULL && i < plan->stream_count; i++) {
		uint16_t slot = plan->streams[i].slot;

		if (strcmp(plan->streams[i].name, name) == 0 && !used[slot])
			found = slot;
		used[slot] = 1;
	}
	return found;
}

int weir_model_free_stream_slot(struct weir_dataplane *dataplane, const struct weir_model *old,
	const struct weir_model *model, const char *name)
{
	uint8_t used[WEIR_MAX_STREAMS] = {0};
	int planned;

	mark_streams(old, used);
	mark_streams(model, used);
	planned = planned_slot(dataplane->slots, name, used);
	if (planned >= 0)
		return planned;
	return next_free(dataplane, used, WEIR_MAX_STREAMS);
}

static bool uses_group_slot(const struct weir_model *model, uint16_t slot)
{
	for (uint32_t i = 0; model != NULL && i < model->group_count; i++)
		if (model->groups[i].slot == slot)
			return true;
	return false;
}

uint16_t weir_model_free_group_slot(const struct weir_model *old, const struct weir_model *model)
{
	uint16_t slot = 0;

	while (uses_group_slot(old, slot) || uses_group_slot(model, slot))
		slot++;
	return slot;
}

bool weir_stream_is_drained(
	const struct weir_dataplane *dataplane, const struct weir_model_stream *stream)
{
	const struct weir_stream *object = stream->object;
	int64_t under_way = 0;

	for (uint32_t worker = 0; worker < dataplane->worker_count; worker++)
		under_way += (int64_t)(object->local[worker].stats.handed -
				       object->local[worker].stats.taken_over);
	for (uint16_t i = 0; i < object->partition_count; i++)
		if (object->partitions[i].head != object->partitions[i].tail)
			return false;
	return under_way == 0 && weir_succession_is_over(stream);
}

static void stream_difference(const struct weir_model_stream *stream,
	const struct weir_model *other,
	void (*each)(void *context, void (*free_object)(void *), void *object), void *context)
{
	const struct weir_model_stream *before =
		stream->object != NULL ? weir_model_find_stream(other, stream->object) : NULL;

	for (uint32_t i = 0; i < stream->attachment_count; i++)
		if (!has_attachment(before, stream->attachments[i]))
			each(context, weir_attachment_free, stream->attachments[i]);
	if (stream->object != NULL && before == NULL)
		each(context, weir_stream_free, stream->object);
}

static bool has_consumer(const struct weir_model *model, const struct weir_consumer *consumer)
{
	for (uint32_t i = 0; model != NULL && i < model->group_count; i++)
		for (uint32_t j = 0; j < model->groups[i].consumer_count; j++)
			if (model->groups[i].consumers[j].object == consumer)
				return true;
	return false;
}

void weir_model_difference(const struct weir_model *model, const struct weir_model *other,
	void (*each)(void *context, void (*free_object)(void *), void *object), void *context)
{
	for (uint32_t i = 0; i < model->stream_count; i++)
		stream_difference(&model->streams[i], other, each, context);
	for (uint32_t i = 0; i < model->group_count; i++)
		for (uint32_t j = 0; j < model->groups[i].consumer_count; j++)
			if (!has_consumer(other, model->groups[i].consumers[j].object))
				each(context, weir_consumer_free,
					model->groups[i].consumers[j].object);
}

void weir_model_free_now(void *context, void (*free_object)(void *), void *object)
{
	(void)context;
	free_object(object);
}

void weir_model_free(void *object)
{
	struct weir_model *model = object;

	if (model == NULL)
		return;
	for (uint32_t i = 0; model->streams != NULL && i < model->stream_count; i++) {
		free(model->streams[i].attachments);
		free(model->streams[i].group_index);
	}
	for (uint32_t i = 0; model->groups != NULL && i < model->group_count; i++)
		free(model->groups[i].consumers);
	for (int i = 0; i < WEIR_FEATURE_COUNT; i++)
		weir_config_feature_free(&model->features[i]);
	free(model->streams);
	free(model->groups);
	free(model);
}

struct weir_model_consumer *weir_model_entry(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_model_group **group)
{
	struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->group_count; i++)
		for (uint32_t j = 0; j < model->groups[i].consumer_count; j++)
			if (model->groups[i].consumers[j].object == consumer) {
				if (group != NULL)
					*group = &model->groups[i];
				return &model->groups[i].consumers[j];
			}
	return NULL;
}
