/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "dataplane/dataplane.h"
#include "dataplane/model_find.h"
#include "dataplane/templates_visit.h"
#include "place/place.h"
#include "wire/match_build.h"

/* A stream goes on as it is unless what its rings are made from has changed. */
static bool is_same_stream(
	const struct weir_stream *stream, const struct weir_config_stream *config)
{
	return strcmp(stream->name, config->name) == 0 &&
	       stream->partition_count == config->partitions &&
	       stream->ring_messages == config->ring_messages &&
	       stream->ring_bytes == config->ring_bytes &&
	       stream->template_bytes == config->templates.bytes &&
	       memcmp(&stream->key, &config->key, sizeof(stream->key)) == 0;
}

static struct weir_stream *find_stream(
	const struct weir_model *old, const struct weir_config_stream *config)
{
	for (uint32_t i = 0; old != NULL && i < old->stream_count; i++)
		if (!old->streams[i].is_draining && is_same_stream(old->streams[i].object, config))
			return old->streams[i].object;
	return NULL;
}

void weir_model_weigh(struct weir_model_consumer *consumer, uint32_t weight)
{
	if (consumer->weight == weight)
		return;
	consumer->weight = weight;
	consumer->pace.weight = weight;
}

/*
 * Whose place a new stream takes: that of the stream of its name, or of the last of those that are
 * draining, for one that was removed and comes again.
 */
static struct weir_stream *find_predecessor(
	const struct weir_model *old, const struct weir_config_stream *config)
{
	for (uint32_t i = 0; old != NULL && i < old->stream_count; i++)
		if (old->streams[i].succeeded_at == 0 &&
			strcmp(old->streams[i].object->name, config->name) == 0)
			return old->streams[i].object;
	return NULL;
}

static int add_consumers(struct weir_dataplane *dataplane, const struct weir_model *old,
	struct weir_model *model, struct weir_model_group *group)
{
	const struct weir_config_group *config = &group->config;
	const struct weir_model_group *before = weir_model_find_group_of_class(old, config);

	group->consumers = calloc(config->consumer_count + 1, sizeof(*group->consumers));
	if (group->consumers == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->consumer_count; i++) {
		struct weir_model_consumer *consumer = &group->consumers[i];
		const struct weir_model_consumer *known =
			weir_model_find_consumer(before, config->consumers[i].name);

		if (known != NULL) {
			*consumer = *known;
		} else {
			int slot = weir_model_free_consumer_slot(dataplane, old, model);

			if (slot < 0)
				return slot;
			consumer->object =
				weir_consumer_create(dataplane, config->consumers[i].name,
					config->class, (uint16_t)slot, group->slot);
			if (consumer->object == NULL)
				return -ENOMEM;
			consumer->identity = weir_place_identity(config->consumers[i].name);
		}
		consumer->config = config->consumers[i];
		weir_model_weigh(consumer, config->consumers[i].weight);
		group->consumer_count = i + 1;
	}
	return 0;
}

/* Native consumers stay in their group across configurations. */
static int keep_sessions(const struct weir_model *old, struct weir_model_group *group)
{
	const struct weir_model_group *before = weir_model_find_group(old, group->config.name);

	if (before == NULL)
		return (group->consumers = calloc(1, sizeof(*group->consumers))) != NULL ? 0
											 : -ENOMEM;
	group->consumers = calloc(before->consumer_count + 1, sizeof(*group->consumers));
	if (group->consumers == NULL)
		return -ENOMEM;
	memcpy(group->consumers, before->consumers,
		before->consumer_count * sizeof(*group->consumers));
	group->consumer_count = before->consumer_count;
	for (uint32_t i = 0; i < group->consumer_count; i++)
		weir_model_weigh(&group->consumers[i],
			weir_config_weight(&group->config, group->consumers[i].object->name));
	return 0;
}

static int add_groups(
	struct weir_dataplane *dataplane, const struct weir_model *old, struct weir_model *model)
{
	const struct weir_config *config = model->config;

	model->groups = calloc(config->group_count + 1, sizeof(*model->groups));
	if (model->groups == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->group_count; i++) {
		struct weir_model_group *group = &model->groups[i];
		const struct weir_model_group *before =
			weir_model_find_group_of_class(old, &config->groups[i]);
		int result;

		group->config = config->groups[i];
		group->slot =
			before != NULL ? before->slot : weir_model_free_group_slot(old, model);
		model->group_count = i + 1;
		result = group->config.class != WEIR_CLASS_NATIVE
				 ? add_consumers(dataplane, old, model, group)
				 : keep_sessions(before != NULL ? old : NULL, group);
		if (result < 0)
			return result;
	}
	return 0;
}

static int attach(struct weir_dataplane *dataplane, const struct weir_model *old,
	struct weir_model *model, struct weir_model_stream *stream, uint32_t group_index)
{
	const struct weir_model_group *group = &model->groups[group_index];
	struct weir_attachment *attachment =
		weir_model_find_attachment(old, stream->object, group->slot);

	if (attachment == NULL)
		attachment = weir_attachment_create(dataplane, stream->object, group);
	else if (group->config.is_reliable && group->config.class == WEIR_CLASS_NATIVE &&
		 !weir_attachment_acknowledge(attachment))
		return -ENOMEM;
	if (attachment == NULL)
		return -ENOMEM;
	stream->attachments[stream->attachment_count] = attachment;
	stream->group_index[stream->attachment_count++] = group_index;
	return 0;
}

static int attach_groups(struct weir_dataplane *dataplane, const struct weir_model *old,
	struct weir_model *model, struct weir_model_stream *stream)
{
	stream->attachments = calloc(WEIR_STREAM_GROUPS, sizeof(*stream->attachments));
	stream->group_index = calloc(WEIR_STREAM_GROUPS, sizeof(*stream->group_index));
	if (stream->attachments == NULL || stream->group_index == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < model->group_count; i++) {
		const struct weir_config_group *group = &model->groups[i].config;

		for (uint32_t j = 0; j < group->stream_count; j++) {
			int result;

			if (strcmp(group->streams[j], stream->object->name) != 0)
				continue;
			result = attach(dataplane, old, model, stream, i);
			if (result < 0)
				return result;
		}
	}
	return 0;
}

static int add_stream(struct weir_dataplane *dataplane, const struct weir_model *old,
	struct weir_model *model, const struct weir_config_stream *config)
{
	struct weir_model_stream *stream = &model->streams[model->stream_count];

	stream->object = find_stream(old, config);
	if (stream->object == NULL) {
		int slot = weir_model_free_stream_slot(dataplane, old, model, config->name);

		if (slot < 0)
			return slot;
		stream->object = weir_stream_create(dataplane, config, (uint16_t)slot);
		if (stream->object == NULL)
			return -ENOMEM;
		stream->predecessor = find_predecessor(old, config);
		/* What is known of its exporters stays known. */
		if (stream->predecessor != NULL)
			weir_templates_carry(stream->predecessor, stream->object);
	} else {
		stream->predecessor = weir_model_find_stream(old, stream->object)->predecessor;
	}
	stream->drain_ms = config->drain_ms;
	stream->in_kernel = config->path == WEIR_PATH_KERNEL;
	stream->object->has_program |= stream->in_kernel;
	stream->tier = (uint8_t)config->tier;
	stream->age_ms = config->age_ms;
	stream->deadline_ms = config->deadline_ms;
	stream->retain_ms = config->retain_ms;
	stream->template_lifetime_s = config->templates.lifetime_s;
	model->stream_count++;
	return attach_groups(dataplane, old, model, stream);
}

/* Another may have its place, for the first time or since an earlier model. */
static void succeed(const struct weir_dataplane *dataplane, const struct weir_model *model,
	const struct weir_model_stream *before, struct weir_model_stream *stream)
{
	stream->predecessor = before->predecessor;
	stream->succeeded_at = before->succeeded_at;
	stream->drain_until = before->drain_until;
	for (uint32_t i = 0; stream->succeeded_at == 0 && i < model->stream_count; i++) {
		if (model->streams[i].predecessor != stream->object)
			continue;
		stream->succeeded_at = dataplane->generation + 1;
		stream->drain_until =
			rte_rdtsc() + rte_get_tsc_hz() / 1000 * model->streams[i].drain_ms;
	}
}

/* Those that have drained are no predecessors any more. */
static void forget_drained(struct weir_model *model)
{
	for (uint32_t i = 0; i < model->stream_count; i++)
		if (!weir_model_has_stream(model, model->streams[i].predecessor))
			model->streams[i].predecessor = NULL;
}

/* What the new configuration has no more is delivered before it goes. */
static int add_draining(
	struct weir_dataplane *dataplane, const struct weir_model *old, struct weir_model *model)
{
	for (uint32_t i = 0; old != NULL && i < old->stream_count; i++) {
		struct weir_model_stream *stream = &model->streams[model->stream_count];
		const struct weir_model_stream *before = &old->streams[i];
		int result;

		if (weir_model_has_stream(model, before->object) ||
			(before->is_draining && weir_stream_is_drained(dataplane, before)))
			continue;
		stream->object = before->object;
		stream->is_draining = true;
		succeed(dataplane, model, before, stream);
		stream->tier = before->tier;
		stream->age_ms = before->age_ms;
		stream->deadline_ms = before->deadline_ms;
		stream->template_lifetime_s = before->template_lifetime_s;
		model->stream_count++;
		result = attach_groups(dataplane, old, model, stream);
		if (result < 0)
			return result;
	}
	forget_drained(model);
	return 0;
}

static int add_streams(
	struct weir_dataplane *dataplane, const struct weir_model *old, struct weir_model *model)
{
	const struct weir_config *config = model->config;
	uint32_t most = config->stream_count + (old != NULL ? old->stream_count : 0);

	model->streams = calloc(most + 1, sizeof(*model->streams));
	if (model->streams == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->stream_count; i++) {
		int result = add_stream(dataplane, old, model, &config->streams[i]);

		if (result < 0)
			return result;
	}
	return add_draining(dataplane, old, model);
}

static int build_match(struct weir_model *model)
{
	const struct weir_config *config = model->config;
	struct weir_match_rule *rules = calloc(config->stream_count + 1, sizeof(*rules));
	int result;

	if (rules == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->stream_count; i++) {
		const struct weir_config_match *match = &config->streams[i].match;

		rules[i] = (struct weir_match_rule){.vlan = match->vlan,
			.outer_vlan = match->outer_vlan,
			.destinations = match->destinations,
			.destination_count = match->destination_count,
			.sources = match->sources,
			.source_count = match->source_count,
			.ports = match->udp_ports,
			.port_count = match->udp_port_count};
	}
	result = weir_match_build(rules, config->stream_count, &model->match);
	free(rules);
	return result;
}

int weir_model_build(struct weir_dataplane *dataplane, const struct weir_model *old,
	const struct weir_config *config, struct weir_model **out, struct weir_error *error)
{
	struct weir_model *model = calloc(1, sizeof(*model));
	int result = -ENOMEM;

	*out = NULL;
	if (model != NULL) {
		model->config = config;
		result = build_match(model);
		if (result == 0)
			result = weir_features_adopt(old, model);
		if (result == 0)
			result = add_groups(dataplane, old, model);
		if (result == 0)
			result = add_streams(dataplane, old, model);
	}
	if (result == 0) {
		*out = model;
		return 0;
	}
	if (model != NULL) {
		weir_model_difference(model, old, weir_model_free_now, NULL);
		weir_match_free(model->match);
		weir_model_free(model);
	}
	if (result == -E2BIG)
		return weir_error_set(error, result, "$.streams",
			"use fewer different combinations of VLANs, prefixes and ports",
			"the match conditions of all streams need too large a table");
	if (result == -ENOSPC)
		return weir_error_set(error, result, "$", "remove some first",
			"more streams or consumers than the gateway can hold at once");
	return weir_error_set(error, result, "$",
		"make the rings smaller, or give the machine more huge pages",
		"not enough memory: %s", strerror(-result));
}
