/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/templates_visit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "dataplane/model.h"
#include "dataplane/templates.h"

#define COPY_TRIES 1000 /* a worker that changes it at each of them is not asked again */

struct look {
	const struct weir_stream *stream;
	uint16_t partition;
	uint64_t now;
	weir_template_seen_visit visit;
	void *context;
};

static void see(void *context, const struct weir_template_cache *cache,
	const struct weir_template_domain *domain, uint32_t number)
{
	const struct look *look = context;
	const struct weir_template_entry *entry = weir_template_entry_at(cache, number);
	uint64_t age = look->now > entry->heard ? look->now - entry->heard : 0;
	uint8_t set[WEIR_TEMPLATE_LARGEST];
	struct weir_template_seen seen = {.stream = look->stream->name,
		.partition = look->partition,
		.exporter = &domain->exporter,
		.id = entry->id,
		.fields = entry->fields,
		.kind = entry->kind,
		.heard = entry->heard,
		.age_ms = age / (rte_get_tsc_hz() / 1000),
		.set = set,
		.length = entry->length};

	/* What is too old goes the next time that its worker looks. */
	if (cache->lifetime != 0 && age > cache->lifetime)
		return;
	weir_template_write(cache, number, set);
	look->visit(look->context, &seen);
}

static bool copy(struct weir_template_cache *to, const struct weir_template_cache *from)
{
	for (int i = 0; i < COPY_TRIES; i++)
		if (weir_template_copy(to, from))
			return true;
	return false;
}

/* `changes`: of each partition as it was seen, or NULL. */
static int visit_stream(const struct weir_stream *stream, uint32_t *changes,
	weir_template_seen_visit visit, void *context)
{
	struct weir_template_cache *cache;
	int result = 0;

	if (stream->template_bytes == 0)
		return 0;
	cache = calloc(1, weir_templates_size(stream->template_bytes));
	if (cache == NULL)
		return -ENOMEM;
	for (uint16_t i = 0; i < stream->partition_count; i++) {
		struct look look = {stream, i, rte_rdtsc(), visit, context};
		bool is_whole = copy(cache, stream->partitions[i].templates);

		if (is_whole)
			weir_template_visit_all(cache, see, &look);
		else
			result = -EAGAIN;
		if (changes != NULL)
			changes[i] = is_whole ? cache->changes : UINT32_MAX;
	}
	free(cache);
	return result;
}

int weir_templates_visit(const struct weir_dataplane *dataplane, const char *stream,
	weir_template_seen_visit visit, void *context)
{
	const struct weir_model *model = dataplane->model;
	bool is_found = stream == NULL;
	int result = 0;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++) {
		const struct weir_model_stream *other = &model->streams[i];
		int looked;

		if (other->is_draining ||
			(stream != NULL && strcmp(stream, other->object->name) != 0))
			continue;
		is_found = true;
		looked = visit_stream(other->object, NULL, visit, context);
		if (looked == -ENOMEM)
			return looked;
		if (looked < 0)
			result = looked;
	}
	return is_found ? result : -ENOENT;
}

static uint64_t live(const uint64_t *counter)
{
	return *(const volatile uint64_t *)counter;
}

void weir_templates_changes(
	const struct weir_dataplane *dataplane, uint64_t *changes, uint64_t *refreshes)
{
	const struct weir_model *model = dataplane->model;

	*changes = dataplane->generation;
	*refreshes = 0;
	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		for (uint32_t id = 0; id < dataplane->worker_count; id++) {
			const struct weir_template_counts *counts =
				&model->streams[i].object->local[id].stats.templates;

			*changes += live(&counts->learned) + live(&counts->changed) +
				    live(&counts->withdrawn) + live(&counts->records_learned) +
				    live(&counts->records_changed);
			*refreshes += live(&counts->refreshed) + live(&counts->records_refreshed);
		}
}

static bool restore(struct weir_stream *stream, const struct weir_template_exporter *exporter,
	const uint8_t *set, uint16_t length, uint64_t heard)
{
	uint16_t partition = weir_templates_partition(stream, exporter);

	if (stream->template_bytes == 0)
		return false;
	/* In force from before the first message on: every lane misses it. */
	return weir_template_restore(
		stream->partitions[partition].templates, exporter, set, length, 0, heard);
}

bool weir_templates_restore(struct weir_stream *stream,
	const struct weir_template_exporter *exporter, const uint8_t *set, uint16_t length,
	uint64_t age_ms)
{
	return restore(
		stream, exporter, set, length, rte_rdtsc() - age_ms * (rte_get_tsc_hz() / 1000));
}

static void carry(void *context, const struct weir_template_seen *seen)
{
	restore(context, seen->exporter, seen->set, seen->length, seen->heard);
}

void weir_templates_carry(const struct weir_stream *from, struct weir_stream *to)
{
	if (from->template_bytes == 0 || to->template_bytes == 0)
		return;
	to->carried = malloc(from->partition_count * sizeof(*to->carried));
	if (to->carried == NULL)
		return;
	if (visit_stream(from, to->carried, carry, to) == -ENOMEM) {
		free(to->carried);
		to->carried = NULL;
	}
}
