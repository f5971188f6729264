/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/model.h"
#include "dataplane/model_find.h"
#include "dataplane/placement.h"
#include "dataplane/producer.h"
#include "dataplane/worker.h"
#include "wire/match_build.h"

struct weir_retired {
	struct weir_retired *next;
	void (*free_object)(void *);
	void *object;
	uint64_t generation; /* the first that does not have it */
	uint64_t token;      /* of the quiescent state to wait for */
};

static void free_match(void *match)
{
	weir_match_free(match);
}

static void free_config(void *config)
{
	weir_config_free(config);
}

void weir_retire(struct weir_dataplane *dataplane, void (*free_object)(void *), void *object)
{
	struct weir_retired *retired;

	if (object == NULL)
		return;
	retired = malloc(sizeof(*retired));
	/* Without memory to remember it by, it is better lost than freed too early. */
	if (retired == NULL)
		return;
	retired->free_object = free_object;
	retired->object = object;
	retired->generation = dataplane->generation;
	retired->token = rte_rcu_qsbr_start(dataplane->qsbr);
	retired->next = dataplane->retired;
	dataplane->retired = retired;
}

static void retire_each(void *context, void (*free_object)(void *), void *object)
{
	weir_retire(context, free_object, object);
}

static uint64_t oldest_generation(const struct weir_dataplane *dataplane)
{
	uint64_t oldest = UINT64_MAX;

	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		oldest = RTE_MIN(oldest, atomic_load(&dataplane->workers[id].applied));
	return oldest;
}

static bool is_unused(const struct weir_dataplane *dataplane, const struct weir_retired *retired)
{
	if (!dataplane->is_running)
		return true;
	return oldest_generation(dataplane) >= retired->generation &&
	       rte_rcu_qsbr_check(dataplane->qsbr, retired->token, false) == 1;
}

static void free_unused(struct weir_dataplane *dataplane)
{
	struct weir_retired **link = &dataplane->retired;

	while (*link != NULL) {
		struct weir_retired *retired = *link;

		if (!is_unused(dataplane, retired)) {
			link = &retired->next;
			continue;
		}
		*link = retired->next;
		retired->free_object(retired->object);
		free(retired);
	}
}

/* A stream's budget is shared among the workers as its partitions are. */
static void set_budgets(struct weir_dataplane *dataplane, const struct weir_model *model)
{
	const struct weir_config *config = model->config;

	for (uint32_t i = 0; i < config->stream_count; i++) {
		struct weir_stream *stream = model->streams[i].object;
		uint64_t owned[WEIR_MAX_WORKERS] = {0};

		for (uint16_t p = 0; p < stream->partition_count; p++)
			owned[stream->owners[p]]++;
		for (uint32_t id = 0; id < dataplane->worker_count; id++)
			atomic_store(&stream->local[id].limit,
				(uint32_t)(config->streams[i].buffers * owned[id] /
					   stream->partition_count));
	}
}

static void set_rates(struct weir_dataplane *dataplane, const struct weir_model *model)
{
	for (uint32_t i = 0; i < model->group_count; i++) {
		const struct weir_model_group *group = &model->groups[i];

		for (uint32_t j = 0; j < group->consumer_count; j++) {
			weir_consumer_limit(dataplane, group->consumers[j].object,
				group->config.class == WEIR_CLASS_NATIVE
					? &group->config.consumer_rate
					: &group->consumers[j].config.rate);
			if (group->config.class == WEIR_CLASS_NATIVE)
				weir_consumer_set_window(
					group->consumers[j].object, &group->config.window);
		}
	}
}

/* Before the workers see the snapshot: applying it they ask who has what. */
static void commit_plans(struct weir_snapshot *snapshot)
{
	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		for (uint32_t j = 0; j < snapshot->streams[i].attachment_count; j++)
			weir_placement_commit(&snapshot->streams[i].attachments[j]);
}

int weir_publish(
	struct weir_dataplane *dataplane, struct weir_model *model, struct weir_error *error)
{
	struct weir_model *old = dataplane->model;
	struct weir_snapshot *before = dataplane->published;
	struct weir_snapshot *snapshot =
		weir_snapshot_build(dataplane, model, dataplane->generation + 1);

	if (snapshot == NULL)
		return weir_error_set(error, -ENOMEM, "$", "free some memory and try again",
			"not enough memory for the new configuration");
	dataplane->generation++;
	dataplane->model = model;
	dataplane->published = snapshot;
	commit_plans(snapshot);
	atomic_store_explicit(&dataplane->snapshot, snapshot, memory_order_release);
	weir_retire(dataplane, weir_snapshot_free, before);
	if (old == NULL || old == model)
		return 0;
	weir_model_difference(old, model, retire_each, dataplane);
	if (old->match != model->match)
		weir_retire(dataplane, free_match, old->match);
	if (old->config != model->config)
		weir_retire(dataplane, free_config, (void *)(uintptr_t)old->config);
	weir_model_free(old);
	return 0;
}

/* A model that could not be published. */
static void discard_model(struct weir_dataplane *dataplane, struct weir_model *model)
{
	weir_model_difference(model, dataplane->model, weir_model_free_now, NULL);
	weir_match_free(model->match);
	weir_model_free(model);
}

int weir_dataplane_apply(struct weir_dataplane *dataplane, const struct weir_config *config,
	struct weir_error *error)
{
	struct weir_model *model;
	int result = weir_model_build(dataplane, dataplane->model, config, &model, error);

	if (result < 0)
		return result;
	set_budgets(dataplane, model);
	result = weir_publish(dataplane, model, error);
	if (result < 0) {
		discard_model(dataplane, model);
		if (dataplane->model != NULL)
			set_budgets(dataplane, dataplane->model);
		return result;
	}
	set_rates(dataplane, model);
	weir_producers_set_rates(dataplane);
	return 0;
}

int weir_dataplane_republish(struct weir_dataplane *dataplane)
{
	return weir_publish(dataplane, dataplane->model, NULL);
}

const struct weir_config *weir_dataplane_config(const struct weir_dataplane *dataplane)
{
	return dataplane->model != NULL ? dataplane->model->config : NULL;
}

/* The same configuration again, without streams that have drained. */
static int rebuild(struct weir_dataplane *dataplane)
{
	struct weir_model *model;
	int result = weir_model_build(
		dataplane, dataplane->model, dataplane->model->config, &model, NULL);

	if (result < 0)
		return result;
	result = weir_publish(dataplane, model, NULL);
	if (result < 0)
		discard_model(dataplane, model);
	return result;
}

int weir_dataplane_set_addresses(
	struct weir_dataplane *dataplane, const struct weir_address *addresses, uint32_t count)
{
	count = RTE_MIN(count, (uint32_t)RTE_DIM(dataplane->addresses));
	if (count == dataplane->address_count &&
		memcmp(addresses, dataplane->addresses, count * sizeof(*addresses)) == 0)
		return 0;
	memcpy(dataplane->addresses, addresses, count * sizeof(*addresses));
	dataplane->address_count = count;
	return dataplane->model != NULL ? weir_dataplane_republish(dataplane) : 0;
}

void weir_dataplane_reclaim(struct weir_dataplane *dataplane)
{
	const struct weir_model *model = dataplane->model;

	free_unused(dataplane);
	if (model == NULL || oldest_generation(dataplane) < dataplane->generation)
		return;
	for (uint32_t i = 0; i < model->stream_count; i++)
		if (model->streams[i].is_draining &&
			weir_stream_is_drained(dataplane, &model->streams[i])) {
			rebuild(dataplane);
			return;
		}
}

void weir_publish_destroy(struct weir_dataplane *dataplane)
{
	free_unused(dataplane);
	weir_snapshot_free(dataplane->published);
	weir_producers_destroy(dataplane);
	if (dataplane->model == NULL)
		return;
	weir_model_difference(dataplane->model, NULL, weir_model_free_now, NULL);
	weir_match_free(dataplane->model->match);
	weir_config_free((struct weir_config *)(uintptr_t)dataplane->model->config);
	weir_model_free(dataplane->model);
}
