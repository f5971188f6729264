/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_malloc.h>

#include "dataplane/model_find.h"
#include "dataplane/producer.h"
#include "dataplane/publish.h"
#include "dataplane/worker.h"

/* Producers as the control thread handles them: sessions that come and go, records that stay. */

#define BURST_PART    100 /* of a second: the burst when the configuration names none */
#define LEAST_PACKETS 32

struct weir_producers {
	struct weir_producer *sessions[WEIR_MAX_PRODUCERS];
	struct weir_produce_record *records[WEIR_MAX_PRODUCERS];
};

static const struct weir_config_stream *find_stream(
	const struct weir_dataplane *dataplane, const char *name)
{
	const struct weir_config *config = weir_dataplane_config(dataplane);
	int index = config != NULL ? weir_config_find_stream(config, name) : -1;

	return index >= 0 ? &config->streams[index] : NULL;
}

/* 0 when one more may come to the stream. */
static int check(struct weir_dataplane *dataplane, const struct weir_producer_spec *spec)
{
	const struct weir_config_stream *stream = find_stream(dataplane, spec->stream);
	uint32_t count = 0;

	if (stream == NULL)
		return -ENOENT;
	if (stream->producers.max == 0)
		return -EACCES;
	if (weir_consumer_find(dataplane, spec->name) != NULL)
		return -EEXIST;
	for (uint32_t i = 0; i < WEIR_MAX_PRODUCERS; i++) {
		const struct weir_producer *session = dataplane->producers->sessions[i];

		if (session == NULL)
			continue;
		if (strcmp(session->name, spec->name) == 0)
			return -EEXIST;
		count += strcmp(session->stream, spec->stream) == 0;
	}
	return count >= stream->producers.max ? -EUSERS : 0;
}

/* The producer's own place, one that nobody has, or that of the one gone for longest; -1. */
static int find_place(const struct weir_producers *producers, const struct weir_producer_spec *spec)
{
	int place = -1;

	for (int i = 0; i < WEIR_MAX_PRODUCERS; i++) {
		const struct weir_produce_record *record = producers->records[i];
		const struct weir_produce_record *best =
			place >= 0 ? producers->records[place] : NULL;

		if (record == NULL) {
			if (place < 0 || best != NULL)
				place = i;
			continue;
		}
		if (record->has_session)
			continue;
		if (strcmp(record->name, spec->name) == 0 &&
			strcmp(record->stream, spec->stream) == 0)
			return i;
		if (place < 0 || (best != NULL && record->closed_at < best->closed_at))
			place = i;
	}
	return place;
}

static struct weir_produce_record *create_record(
	const struct weir_producer_spec *spec, uint16_t index)
{
	struct weir_produce_record *record = calloc(1, sizeof(*record));

	if (record == NULL)
		return NULL;
	memcpy(record->stream, spec->stream, strnlen(spec->stream, WEIR_NAME_SIZE - 1));
	memcpy(record->name, spec->name, strnlen(spec->name, WEIR_NAME_SIZE - 1));
	record->index = index;
	record->worker = WEIR_TENURE_NOBODY;
	record->next = 1;
	record->limit = WEIR_PRODUCE_FIRST;
	return record;
}

static bool is_of(const struct weir_produce_record *record, const struct weir_producer_spec *spec)
{
	return record != NULL && strcmp(record->name, spec->name) == 0 &&
	       strcmp(record->stream, spec->stream) == 0;
}

static int take_record(struct weir_dataplane *dataplane, const struct weir_producer_spec *spec,
	uint16_t index, struct weir_produce_record **record)
{
	struct weir_producers *producers = dataplane->producers;

	*record = producers->records[index];
	if (is_of(*record, spec))
		return 0;
	*record = create_record(spec, index);
	if (*record == NULL)
		return -ENOMEM;
	weir_retire(dataplane, free, producers->records[index]);
	producers->records[index] = *record;
	return 0;
}

/* A route that writes the headers which the producer's datagrams would have. */
static int build_headers(const struct weir_producer_spec *spec, struct weir_route *route)
{
	const struct weir_route_spec from = {
		.mtu = UINT16_MAX,
		.source = spec->peer,
		.destination = spec->local,
		.source_port = spec->peer_port,
		.destination_port = spec->local_port,
	};

	return weir_route_build(&from, route);
}

/* With the worker of its record, if that is there: it has all that came before. */
static void assign(struct weir_dataplane *dataplane, struct weir_producer *producer)
{
	struct weir_produce_record *record = producer->record;
	uint64_t open = weir_workers_receiving(dataplane);
	uint16_t wanted = record->worker, owner;

	if (wanted == WEIR_TENURE_NOBODY || !(open >> wanted & 1)) {
		uint32_t skip = record->index % (uint32_t)__builtin_popcountll(open);

		while (skip-- != 0)
			open &= open - 1;
		wanted = (uint16_t)__builtin_ctzll(open);
	}
	owner = record->worker != WEIR_TENURE_NOBODY && (dataplane->present >> record->worker & 1)
			? record->worker
			: wanted;
	record->worker = wanted;
	weir_tenure_init(&producer->tenure, owner, wanted);
}

static struct weir_producer *create(struct weir_dataplane *dataplane,
	const struct weir_producer_spec *spec, struct weir_produce_record *record)
{
	struct weir_producer *producer =
		rte_zmalloc("weir", sizeof(*producer), RTE_CACHE_LINE_SIZE);

	if (producer == NULL)
		return NULL;
	if (build_headers(spec, &producer->built) < 0) {
		rte_free(producer);
		return NULL;
	}
	memcpy(producer->stream, record->stream, WEIR_NAME_SIZE);
	memcpy(producer->name, record->name, WEIR_NAME_SIZE);
	producer->index = record->index;
	producer->session =
		(spec->random & ~UINT64_C(0xffff)) | (WEIR_SLOT_PRODUCERS + record->index);
	producer->peer = spec->peer;
	producer->peer_port = spec->peer_port;
	producer->local = spec->local;
	producer->max_datagram = spec->max_datagram;
	producer->has_contexts = spec->has_contexts;
	producer->route = *spec->route;
	producer->record = record;
	assign(dataplane, producer);
	atomic_store(&producer->last_heard, rte_rdtsc());
	weir_list_init(&producer->link);
	weir_list_init(&producer->touched);
	return producer;
}

static void set_rate(struct weir_dataplane *dataplane, struct weir_producer *producer)
{
	const struct weir_config_stream *stream = find_stream(dataplane, producer->stream);
	static const struct weir_config_rate unlimited;
	const struct weir_config_rate *rate = stream != NULL ? &stream->producers.rate : &unlimited;
	uint64_t packets = rate->burst_packets;
	uint64_t bytes = rate->burst_bytes;

	if (packets == 0)
		packets = RTE_MAX(rate->packets_per_s / BURST_PART, (uint64_t)LEAST_PACKETS);
	if (bytes == 0)
		bytes = RTE_MAX(rate->bits_per_s / 8 / BURST_PART, (uint64_t)LEAST_PACKETS * 1500);
	weir_bucket_set(&producer->packets, rate->packets_per_s, packets);
	weir_bucket_set(&producer->bits, rate->bits_per_s, bytes * 8);
	weir_bucket_forgive(&producer->packets, weir_dataplane_ticks(dataplane));
	weir_bucket_forgive(&producer->bits, weir_dataplane_ticks(dataplane));
	atomic_store(&producer->burst,
		rate->packets_per_s != 0 || rate->bits_per_s != 0 ? (uint32_t)packets : 0);
	atomic_store(&producer->rate_pps, (uint32_t)RTE_MIN(rate->packets_per_s, UINT32_MAX));
	atomic_store(&producer->rate_kbps, (uint32_t)RTE_MIN(rate->bits_per_s / 1000, UINT32_MAX));
}

int weir_producer_prepare(struct weir_dataplane *dataplane, const struct weir_producer_spec *spec,
	struct weir_producer **out)
{
	struct weir_produce_record *record = NULL;
	int place, result;

	if (dataplane->producers == NULL)
		dataplane->producers = calloc(1, sizeof(*dataplane->producers));
	if (dataplane->producers == NULL)
		return -ENOMEM;
	result = check(dataplane, spec);
	if (result < 0)
		return result;
	place = find_place(dataplane->producers, spec);
	if (place < 0)
		return -ENOSPC;
	if (take_record(dataplane, spec, (uint16_t)place, &record) < 0)
		return -ENOMEM;
	*out = create(dataplane, spec, record);
	return *out != NULL ? 0 : -ENOMEM;
}

void weir_producer_abandon(struct weir_producer *producer)
{
	if (producer == NULL)
		return;
	weir_seal_stop(&producer->seal);
	rte_free(producer);
}

int weir_producer_add(struct weir_dataplane *dataplane, struct weir_producer *producer)
{
	set_rate(dataplane, producer);
	dataplane->producers->sessions[producer->index] = producer;
	if (weir_dataplane_republish(dataplane) < 0) {
		dataplane->producers->sessions[producer->index] = NULL;
		weir_producer_abandon(producer);
		return -ENOMEM;
	}
	producer->record->has_session = true;
	return 0;
}

static void free_producer(void *producer)
{
	weir_producer_abandon(producer);
}

void weir_producer_remove(struct weir_dataplane *dataplane, struct weir_producer *producer)
{
	dataplane->producers->sessions[producer->index] = NULL;
	producer->record->worker = weir_tenure_want(&producer->tenure, WEIR_TENURE_NOBODY);
	/* Workers know it until the next snapshot: without memory for one, it is better lost, and
	 * its record never used again, than freed too early. */
	if (weir_dataplane_republish(dataplane) < 0)
		return;
	producer->record->has_session = false;
	producer->record->closed_at = rte_rdtsc();
	weir_retire(dataplane, free_producer, producer);
}

bool weir_producer_is_wanted(
	const struct weir_dataplane *dataplane, const struct weir_producer *producer)
{
	const struct weir_config_stream *stream = find_stream(dataplane, producer->stream);

	return stream != NULL && stream->producers.max != 0;
}

void weir_producers_set_rates(struct weir_dataplane *dataplane)
{
	for (uint32_t i = 0; dataplane->producers != NULL && i < WEIR_MAX_PRODUCERS; i++)
		if (dataplane->producers->sessions[i] != NULL)
			set_rate(dataplane, dataplane->producers->sessions[i]);
}

uint64_t weir_producer_silent_ms(const struct weir_producer *producer)
{
	uint64_t age = rte_rdtsc() - atomic_load(&producer->last_heard);

	return (int64_t)age < 0 ? 0 : age / (rte_get_tsc_hz() / 1000);
}

void weir_producers_visit(
	struct weir_dataplane *dataplane, weir_producer_visit visit, void *context)
{
	for (uint32_t i = 0; dataplane->producers != NULL && i < WEIR_MAX_PRODUCERS; i++)
		if (dataplane->producers->sessions[i] != NULL)
			visit(context, dataplane->producers->sessions[i]);
}

void weir_producers_view(const struct weir_dataplane *dataplane,
	const struct weir_stream_view *streams, uint32_t stream_count,
	struct weir_producer_view *views)
{
	for (uint32_t i = 0; dataplane->producers != NULL && i < WEIR_MAX_PRODUCERS; i++) {
		struct weir_producer *producer = dataplane->producers->sessions[i];

		views[i].producer = producer;
		for (uint32_t j = 0; producer != NULL && j < stream_count; j++)
			if (!streams[j].is_draining &&
				strcmp(streams[j].stream->name, producer->stream) == 0)
				views[i].stream = &streams[j];
	}
}

void weir_producers_destroy(struct weir_dataplane *dataplane)
{
	for (uint32_t i = 0; dataplane->producers != NULL && i < WEIR_MAX_PRODUCERS; i++) {
		weir_producer_abandon(dataplane->producers->sessions[i]);
		free(dataplane->producers->records[i]);
	}
	free(dataplane->producers);
	dataplane->producers = NULL;
}
