/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/model.h"

#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "dataplane/dataplane.h"
#include "dataplane/model_find.h"
#include "dataplane/move.h"
#include "dataplane/placement.h"
#include "dataplane/succession.h"
#include "wire/prefix_set.h"

#define QUANTUM 2048 /* bytes a turn and unit of weight: at least one full packet */

static void free_view(struct weir_stream_view *view)
{
	for (uint32_t i = 0; i < view->attachment_count; i++) {
		weir_prefix_set_free(view->attachments[i].filter);
		weir_placement_discard(&view->attachments[i]);
	}
	free(view->attachments);
	free(view->owners);
	free(view->features);
}

static int fill_attachment(const struct weir_model_group *group, struct weir_attachment *attachment,
	struct weir_attachment_view *view)
{
	view->attachment = attachment;
	view->group = group->config.name;
	view->sample = group->config.sample != 0 ? group->config.sample : 1;
	view->window = group->config.lane_window;
	view->drain_us = (uint64_t)group->config.drain_ms * 1000;
	view->rules.attempts = (uint8_t)group->config.attempts;
	view->rules.retry_cost = group->config.retry_percent * 256 / 100;
	if (group->config.source_count != 0 &&
		weir_prefix_set_build(
			group->config.sources, group->config.source_count, &view->filter) < 0)
		return -1;
	return weir_placement_plan(group, group->goal, view);
}

static void fill_succession(const struct weir_model *model, const struct weir_model_stream *stream,
	struct weir_stream_view *view)
{
	view->succeeded_at = stream->succeeded_at;
	view->drain_until = stream->drain_until;
	view->predecessor = stream->predecessor;
	if (view->predecessor != NULL)
		view->wait_until = weir_model_find_stream(model, stream->predecessor)->drain_until +
				   weir_succession_grace();
	for (uint32_t i = 0; view->predecessor != NULL && i < view->attachment_count; i++)
		view->attachments[i].predecessor = weir_model_find_attachment(
			model, stream->predecessor, view->attachments[i].attachment->group);
}

static int fill_stream(const struct weir_model *model, const struct weir_model_stream *stream,
	struct weir_stream_view *view)
{
	view->stream = stream->object;
	view->is_draining = stream->is_draining;
	view->in_kernel = stream->in_kernel;
	view->tier = stream->tier;
	view->age_limit = rte_get_tsc_hz() / 1000 * stream->age_ms;
	view->deadline = rte_get_tsc_hz() / 1000 * stream->deadline_ms;
	view->retain = rte_get_tsc_hz() / 1000 * stream->retain_ms;
	view->template_lifetime = rte_get_tsc_hz() * stream->template_lifetime_s;
	view->attachments = calloc(stream->attachment_count + 1, sizeof(*view->attachments));
	view->owners = calloc(view->stream->partition_count, sizeof(*view->owners));
	view->features = calloc(view->stream->partition_count, sizeof(*view->features));
	if (view->attachments == NULL || view->owners == NULL || view->features == NULL ||
		weir_features_choose(model->features, view->stream, view->features) < 0)
		return -1;
	memcpy(view->owners, view->stream->routed,
		view->stream->partition_count * sizeof(*view->owners));
	for (uint32_t i = 0; i < stream->attachment_count; i++) {
		view->attachment_count = i + 1;
		if (fill_attachment(&model->groups[stream->group_index[i]], stream->attachments[i],
			    &view->attachments[i]) < 0)
			return -1;
	}
	fill_succession(model, stream, view);
	return 0;
}

static int fill(const struct weir_model *model, struct weir_snapshot *snapshot)
{
	snapshot->streams = calloc(model->stream_count + 1, sizeof(*snapshot->streams));
	if (snapshot->streams == NULL)
		return -1;
	for (uint32_t i = 0; i < model->stream_count; i++) {
		snapshot->stream_count = i + 1;
		snapshot->by_slot[model->streams[i].object->slot] = model->streams[i].object;
		if (fill_stream(model, &model->streams[i], &snapshot->streams[i]) < 0)
			return -1;
	}
	for (uint32_t i = 0; i < model->group_count; i++)
		for (uint32_t j = 0; j < model->groups[i].consumer_count; j++) {
			struct weir_consumer *consumer = model->groups[i].consumers[j].object;

			snapshot->consumers[consumer->slot] = consumer;
		}
	return 0;
}

struct weir_snapshot *weir_snapshot_build(
	const struct weir_dataplane *dataplane, const struct weir_model *model, uint64_t generation)
{
	struct weir_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	const struct weir_config *config = model->config;

	if (snapshot == NULL)
		return NULL;
	snapshot->generation = generation;
	snapshot->move_generation = weir_moves_generation(dataplane, generation);
	snapshot->match = model->match;
	snapshot->native_port = config->native.udp_port;
	snapshot->address_count = dataplane->address_count;
	memcpy(snapshot->addresses, dataplane->addresses, sizeof(snapshot->addresses));
	memcpy(snapshot->agents, dataplane->agents, sizeof(snapshot->agents));
	for (uint32_t i = 0; i < WEIR_MAX_AGENTS; i++)
		if (snapshot->agents[i] != NULL)
			snapshot->agent_top = i + 1;
	snapshot->standard_quantum = QUANTUM * config->tiers.standard_weight;
	snapshot->bulk_quantum = QUANTUM * config->tiers.bulk_weight;
	snapshot->heartbeat_cycles = rte_get_tsc_hz() / 1000 * config->native.heartbeat_ms;
	snapshot->catch_up_cycles = rte_get_tsc_hz() / 1000 * config->health.catch_up_ms;
	snapshot->pace_ms = config->native.queue_ms;
	snapshot->epoch = dataplane->epoch;
	snapshot->critical = config->tiers.critical;
	if (fill(model, snapshot) < 0) {
		weir_snapshot_free(snapshot);
		return NULL;
	}
	weir_producers_view(
		dataplane, snapshot->streams, snapshot->stream_count, snapshot->producers);
	return snapshot;
}

void weir_snapshot_free(void *object)
{
	struct weir_snapshot *snapshot = object;

	if (snapshot == NULL)
		return;
	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		free_view(&snapshot->streams[i]);
	free(snapshot->streams);
	free(snapshot);
}
