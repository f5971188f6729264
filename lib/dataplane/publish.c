/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/publish.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/model.h"
#include "dataplane/model_find.h"
#include "dataplane/placement.h"
#include "dataplane/producer.h"
#include "dataplane/staff.h"
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
	if (weir_moves_hold(dataplane, retired->generation) ||
		oldest_generation(dataplane) < retired->generation)
		return false;
	return !dataplane->is_running ||
	       rte_rcu_qsbr_check(dataplane->qsbr, retired->token, false) == 1;
}

static void free_retired(struct weir_dataplane *dataplane, bool all)
{
	struct weir_retired **link = &dataplane->retired;

	while (*link != NULL) {
		struct weir_retired *retired = *link;

		if (!all && !is_unused(dataplane, retired)) {
			link = &retired->next;
			continue;
		}
		*link = retired->next;
		retired->free_object(retired->object);
		free(retired);
	}
}

static uint64_t count_held(const struct weir_dataplane *dataplane, const struct weir_stream *stream)
{
	uint64_t held = 0;

	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		held += __atomic_load_n(&stream->local[id].held, __ATOMIC_RELAXED);
	return held;
}

/* While partitions move, who gives keeps what it had, and who takes has it already. */
static void set_budget(struct weir_stream_local *local, uint64_t limit, bool is_moving)
{
	if (is_moving)
		limit = RTE_MAX(limit, (uint64_t)atomic_load(&local->limit));
	atomic_store(&local->limit, (uint32_t)limit);
}

/*
 * Half of it as the partitions are spread, and half equally over the workers that have some: one
 * that has but a hot one is not left with little.
 */
static void share_budget(
	const struct weir_dataplane *dataplane, struct weir_stream *stream, uint64_t buffers)
{
	uint64_t owned[WEIR_MAX_WORKERS] = {0};
	uint32_t owners = 0;

	for (uint16_t p = 0; p < stream->partition_count; p++)
		owners += owned[stream->routed[p]]++ == 0;
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		uint64_t equal = owned[id] != 0 ? buffers / owners : 0;

		set_budget(&stream->local[id],
			(buffers * owned[id] / stream->partition_count + equal) / 2,
			dataplane->moves.count != 0);
	}
}

/*
 * What a stream's predecessors hold comes out of its own budget, three quarters of it at most; what
 * they do not need any more is the stream's.
 */
static void share_among_rings(const struct weir_dataplane *dataplane,
	const struct weir_model *model, const struct weir_model_stream *stream, uint64_t buffers)
{
	const struct weir_model_stream *before = stream;
	uint64_t left = buffers / 4 * 3;

	while (before->predecessor != NULL) {
		uint64_t held;

		before = weir_model_find_stream(model, before->predecessor);
		held = RTE_MIN(count_held(dataplane, before->object), left);
		share_budget(dataplane, before->object, left);
		left -= held;
		buffers -= held;
	}
	share_budget(dataplane, stream->object, buffers);
}

void weir_budgets_set(struct weir_dataplane *dataplane, const struct weir_model *model)
{
	const struct weir_config *config = model->config;

	for (uint32_t i = 0; i < config->stream_count; i++)
		share_among_rings(dataplane, model, &model->streams[i], config->streams[i].buffers);
	/* What drains keeps the room that it has, wherever it goes. */
	for (uint32_t i = 0; i < dataplane->moves.count; i++) {
		const struct weir_move *move = &dataplane->moves.batch[i];
		struct weir_stream_local *local = move->stream->local;

		set_budget(&local[move->to], atomic_load(&local[move->from].limit), true);
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
	dataplane->changes++;
	dataplane->model = model;
	weir_moves_follow(dataplane);
	dataplane->published = snapshot;
	commit_plans(snapshot);
	atomic_store_explicit(&dataplane->snapshot, snapshot, memory_order_release);
	weir_staff_stand_in(dataplane);
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
	weir_budgets_set(dataplane, model);
	result = weir_publish(dataplane, model, error);
	if (result < 0) {
		discard_model(dataplane, model);
		if (dataplane->model != NULL)
			weir_budgets_set(dataplane, dataplane->model);
		return result;
	}
	set_rates(dataplane, model);
	weir_producers_set_rates(dataplane);
	weir_staff_follow(dataplane, config);
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
	else
		weir_budgets_set(dataplane, model);
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

uint64_t weir_dataplane_ticks(const struct weir_dataplane *dataplane)
{
	/* All workers count alike. */
	uint64_t scale = dataplane->workers[0].ticks_per_cycle;

	return (uint64_t)(((unsigned __int128)rte_rdtsc() * scale) >> 32);
}

static bool has_succession(const struct weir_model *model)
{
	for (uint32_t i = 0; i < model->stream_count; i++)
		if (model->streams[i].predecessor != NULL)
			return true;
	return false;
}

void weir_dataplane_reclaim(struct weir_dataplane *dataplane)
{
	const struct weir_model *model = dataplane->model;

	weir_moves_step(dataplane);
	weir_staff_step(dataplane);
	weir_staff_stand_in(dataplane);
	free_retired(dataplane, false);
	if (model == NULL || oldest_generation(dataplane) < dataplane->generation)
		return;
	if (has_succession(model))
		weir_budgets_set(dataplane, model);
	for (uint32_t i = 0; i < model->stream_count; i++)
		if (model->streams[i].is_draining &&
			weir_stream_is_drained(dataplane, &model->streams[i])) {
			rebuild(dataplane);
			return;
		}
}

void weir_publish_destroy(struct weir_dataplane *dataplane)
{
	free_retired(dataplane, true);
	weir_snapshot_free(dataplane->published);
	weir_producers_destroy(dataplane);
	if (dataplane->model == NULL)
		return;
	weir_model_difference(dataplane->model, NULL, weir_model_free_now, NULL);
	weir_match_free(dataplane->model->match);
	weir_config_free((struct weir_config *)(uintptr_t)dataplane->model->config);
	weir_model_free(dataplane->model);
}
