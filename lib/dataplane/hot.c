/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/hot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#include "dataplane/model.h"
#include "dataplane/worker.h"

#define HALVE_US UINT64_C(10000000)
#define HALVINGS 64 /* after so many nothing is left */
#define TRIES    1000

/* Before and after a change; a reader that sees the same even number twice has a whole copy. */
static void begin(struct weir_hot *hot)
{
	__atomic_store_n(&hot->version, hot->version + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end(struct weir_hot *hot)
{
	__atomic_store_n(&hot->version, hot->version + 1, __ATOMIC_RELEASE);
}

static void age(struct weir_hot *hot, uint64_t now, uint64_t interval)
{
	if (hot->halved_at == 0)
		hot->halved_at = now;
	/* Clocks of two cores may differ a little: the time may seem to lie ahead. */
	if ((int64_t)(now - hot->halved_at) < 0)
		return;
	for (uint32_t i = 0; i < HALVINGS && now - hot->halved_at >= interval; i++) {
		weir_heavy_halve(&hot->heavy);
		hot->halved_at += interval;
	}
	if (now - hot->halved_at >= interval)
		hot->halved_at = now;
}

/* At equal distances, traffic that goes round would show only some of its keys. */
static uint32_t next_distance(struct weir_hot *hot, uint64_t now)
{
	if (hot->random == 0)
		hot->random = (uint32_t)now | 1;
	hot->random ^= hot->random << 13;
	hot->random ^= hot->random >> 17;
	hot->random ^= hot->random << 5;
	return 1 + hot->random % (2 * WEIR_HOT_SAMPLE - 1);
}

uint32_t weir_hot_sample(const struct weir_worker *worker, const struct weir_stream *stream,
	uint64_t hash, const uint8_t *frame, const struct weir_packet *headers)
{
	struct weir_hot *hot = &stream->hot[worker->id];
	uint32_t entry;
	bool is_new;

	begin(hot);
	age(hot, worker->now, HALVE_US * worker->cycles_per_us);
	entry = weir_heavy_add(&hot->heavy, hash, &is_new);
	if (is_new)
		weir_key_keep(&stream->key, frame, headers, &hot->keys[entry]);
	end(hot);
	return next_distance(hot, worker->now);
}

/* A copy that the worker has not changed meanwhile; without one there is nothing to add. */
static bool copy(const struct weir_hot *hot, struct weir_hot *place)
{
	for (uint32_t i = 0; i < TRIES; i++) {
		uint32_t before = __atomic_load_n(&hot->version, __ATOMIC_ACQUIRE);

		if (before % 2 == 0) {
			*place = *hot;
			__atomic_thread_fence(__ATOMIC_ACQUIRE);
			if (__atomic_load_n(&hot->version, __ATOMIC_RELAXED) == before)
				return true;
		}
		rte_pause();
	}
	return false;
}

static uint64_t least_of(const struct weir_heavy *heavy)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < WEIR_HEAVY_ENTRIES; i++)
		least = RTE_MIN(least, heavy->entries[i].count);
	return least;
}

static struct weir_hot_key *find(struct weir_hot_key *keys, uint32_t count, uint64_t hash)
{
	for (uint32_t i = 0; i < count; i++)
		if (keys[i].hash == hash)
			return &keys[i];
	return NULL;
}

/* What a worker does not keep of a key is at most its lowest count: both bounds stay true. */
static uint32_t merge(
	struct weir_hot_key *keys, uint32_t count, const struct weir_hot *hot, uint64_t *floors)
{
	uint64_t least = least_of(&hot->heavy);
	uint32_t known = count;

	for (uint32_t i = 0; i < known; i++) {
		keys[i].count += least;
		keys[i].error += least;
	}
	for (uint32_t i = 0; i < WEIR_HEAVY_ENTRIES; i++) {
		const struct weir_heavy_entry *entry = &hot->heavy.entries[i];
		struct weir_hot_key *key = find(keys, known, entry->hash);

		if (entry->count == 0)
			continue;
		if (key != NULL) {
			key->count += entry->count - least;
			key->error = key->error - least + entry->error;
			continue;
		}
		keys[count++] = (struct weir_hot_key){
			hot->keys[i], entry->hash, entry->count + *floors, entry->error + *floors};
	}
	*floors += least;
	return count;
}

static int by_count(const void *left, const void *right)
{
	const struct weir_hot_key *a = left, *b = right;

	return a->count < b->count ? 1 : a->count > b->count ? -1 : 0;
}

static const struct weir_stream *find_stream(
	const struct weir_dataplane *dataplane, const char *name)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		if (!model->streams[i].is_draining &&
			strcmp(model->streams[i].object->name, name) == 0)
			return model->streams[i].object;
	return NULL;
}

int weir_hot_report(const struct weir_dataplane *dataplane, const char *name,
	struct weir_hot_report *report, uint16_t *partitions)
{
	const struct weir_stream *stream = find_stream(dataplane, name);
	uint64_t interval = HALVE_US * dataplane->workers[0].cycles_per_us;
	struct weir_hot_key *keys;
	struct weir_hot *hot;
	uint64_t floors = 0;
	uint32_t count = 0;

	memset(report, 0, sizeof(*report));
	if (stream == NULL)
		return -ENOENT;
	*partitions = stream->partition_count;
	keys = calloc((size_t)dataplane->worker_count * WEIR_HEAVY_ENTRIES, sizeof(*keys));
	hot = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*hot));
	for (uint32_t id = 0; keys != NULL && hot != NULL && id < dataplane->worker_count; id++) {
		if (!copy(&stream->hot[id], hot))
			continue;
		age(hot, rte_rdtsc(), interval);
		report->samples += hot->heavy.total;
		count = merge(keys, count, hot, &floors);
	}
	if (keys != NULL && hot != NULL) {
		qsort(keys, count, sizeof(*keys), by_count);
		report->count = RTE_MIN(count, (uint32_t)WEIR_HEAVY_ENTRIES);
		memcpy(report->keys, keys, report->count * sizeof(*keys));
	}
	count = keys != NULL && hot != NULL;
	free(keys);
	free(hot);
	return count != 0 ? 0 : -ENOMEM;
}
