/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>

#include "dataplane/dataplane.h"
#include "dataplane/gate.h"
#include "dataplane/hot.h"
#include "dataplane/load.h"
#include "dataplane/move.h"
#include "dataplane/placement.h"
#include "dataplane/templates.h"
#include "dataplane/worker.h"

/* Bursts when the configuration names none: 10 ms worth, but never less than this. */
#define BURST_PART    100
#define LEAST_PACKETS 32

/* Cache-line aligned, zeroed, in huge pages when there are any. */
static void *allocate(size_t count, size_t size)
{
	return rte_zmalloc("weir", count * size, RTE_CACHE_LINE_SIZE);
}

/*
 * No sequence number is ever used for two messages, over restarts too: what is not known from the
 * checkpoint begins at the clock, which no partition overtakes.
 */
static uint64_t known_sequence(const struct weir_dataplane *dataplane,
	const struct weir_stream *stream, uint16_t partition)
{
	const struct weir_positions *positions = dataplane->positions;
	/* What it says is of the streams at the start: one that is made anew goes on above. */
	uint64_t known = positions != NULL && !dataplane->is_running
				 ? positions->stream(positions->context, stream, partition)
				 : WEIR_POSITION_UNKNOWN;

	struct timespec now;

	if (known != WEIR_POSITION_UNKNOWN)
		return known;
	if (!dataplane->numbers_by_clock)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	return weir_sequence_at((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
}

/* Nor one that a port's program has given out since the gateway before this one died. */
static uint64_t first_sequence(const struct weir_dataplane *dataplane,
	const struct weir_stream *stream, uint16_t partition)
{
	const struct weir_will_store *wills = dataplane->wills;
	uint64_t known = known_sequence(dataplane, stream, partition);
	uint64_t above = wills != NULL ? wills->above(wills->context, stream->name, partition) : 0;

	return RTE_MAX(known, above);
}

static void init_templates(const struct weir_stream *stream, struct weir_partition *partition)
{
	partition->templates = weir_templates_of(stream, partition->index);
	/* A seed that no exporter knows: it cannot choose where its entries go. */
	weir_template_cache_init(
		partition->templates, stream->template_bytes, rte_rand(), rte_get_tsc_hz());
}

static void init_partitions(const struct weir_dataplane *dataplane, struct weir_stream *stream)
{
	for (uint16_t i = 0; i < stream->partition_count; i++) {
		struct weir_partition *partition = &stream->partitions[i];

		partition->slots = stream->slots + (size_t)i * stream->ring_messages;
		partition->mask = stream->ring_messages - 1;
		partition->max_bytes = stream->ring_bytes;
		partition->index = i;
		partition->stream = stream;
		partition->head = first_sequence(dataplane, stream, i);
		partition->first = partition->head;
		partition->tail = partition->head;
		partition->base = partition->head;
		partition->retained = partition->head;
		weir_list_init(&partition->sweep);
		if (stream->templates != NULL)
			init_templates(stream, partition);
	}
}

struct weir_stream *weir_stream_create(const struct weir_dataplane *dataplane,
	const struct weir_config_stream *config, uint16_t slot)
{
	struct weir_stream *stream = allocate(1, sizeof(*stream));
	size_t slots = (size_t)config->partitions * config->ring_messages;

	if (stream == NULL)
		return NULL;
	snprintf(stream->name, sizeof(stream->name), "%s", config->name);
	stream->slot = slot;
	stream->partition_count = config->partitions;
	stream->key = config->key;
	stream->ring_messages = config->ring_messages;
	stream->ring_bytes = config->ring_bytes;
	stream->partitions = allocate(config->partitions, sizeof(*stream->partitions));
	stream->slots = allocate(slots, sizeof(*stream->slots));
	stream->owners = allocate(config->partitions, sizeof(*stream->owners));
	stream->routed = allocate(config->partitions, sizeof(*stream->routed));
	stream->wanted = allocate(config->partitions, sizeof(*stream->wanted));
	stream->loads = allocate(config->partitions, sizeof(*stream->loads));
	stream->hot = allocate(dataplane->worker_count, sizeof(*stream->hot));
	stream->local = allocate(dataplane->worker_count, sizeof(*stream->local));
	stream->template_bytes = config->templates.bytes;
	/* Pages of it are taken when they are used for the first time. */
	stream->template_size = weir_templates_size(stream->template_bytes);
	if (stream->template_bytes != 0)
		stream->templates = calloc(config->partitions, stream->template_size);
	if (stream->partitions == NULL || stream->slots == NULL || stream->owners == NULL ||
		stream->routed == NULL || stream->wanted == NULL || stream->loads == NULL ||
		stream->hot == NULL || stream->local == NULL ||
		(stream->template_bytes != 0 && stream->templates == NULL)) {
		weir_stream_free(stream);
		return NULL;
	}
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		stream->local[id].sample_left = WEIR_HOT_SAMPLE;
	init_partitions(dataplane, stream);
	weir_moves_spread(dataplane, stream);
	/* Later only another stream of this run knows anything that is newer. */
	if (dataplane->positions != NULL && dataplane->positions->templates != NULL &&
		!dataplane->is_running)
		dataplane->positions->templates(dataplane->positions->context, stream);
	return stream;
}

void weir_stream_free(void *object)
{
	struct weir_stream *stream = object;

	if (stream == NULL)
		return;
	rte_free(stream->partitions);
	rte_free(stream->slots);
	rte_free(stream->owners);
	rte_free(stream->routed);
	rte_free(stream->wanted);
	rte_free(stream->loads);
	rte_free(stream->hot);
	rte_free(stream->local);
	free(stream->templates);
	free(stream->carried);
	rte_free(stream);
}

/* What native sessions were sent on each lane; each lane remembers all that may join. */
static bool add_history(struct weir_attachment *attachment, uint16_t sessions)
{
	uint16_t partitions = attachment->stream->partition_count;

	attachment->history = allocate((size_t)partitions * sessions, sizeof(*attachment->history));
	attachment->tells = allocate((size_t)partitions * sessions, sizeof(*attachment->tells));
	if (attachment->history == NULL || attachment->tells == NULL)
		return false;
	for (uint16_t i = 0; i < partitions; i++) {
		attachment->lanes[i].history = attachment->history + (size_t)i * sessions;
		attachment->lanes[i].tells = attachment->tells + (size_t)i * sessions;
		attachment->lanes[i].history_size = sessions;
	}
	return true;
}

static bool add_deliveries(struct weir_attachment *attachment)
{
	const struct weir_stream *stream = attachment->stream;
	size_t records = (size_t)stream->partition_count * stream->ring_messages;
	struct weir_delivery *deliveries;

	attachment->records = allocate(records, sizeof(*attachment->records));
	deliveries = allocate(stream->partition_count, sizeof(*deliveries));
	if (attachment->records == NULL || deliveries == NULL) {
		rte_free(attachment->records);
		rte_free(deliveries);
		attachment->records = NULL;
		return false;
	}
	/* Last: workers may know the attachment already, and begin when they see these. */
	__atomic_store_n(&attachment->deliveries, deliveries, __ATOMIC_RELEASE);
	return true;
}

/*
 * Where the group stood when the gateway ended. When nothing is known of that it may have had
 * anything: 0 says so, and consumers that were there know better.
 */
static bool add_starts(const struct weir_dataplane *dataplane, struct weir_attachment *attachment,
	const char *group)
{
	const struct weir_positions *positions = dataplane->positions;
	const struct weir_stream *stream = attachment->stream;

	if (attachment->deliveries == NULL || dataplane->is_running ||
		(positions == NULL && !dataplane->numbers_by_clock))
		return true;
	attachment->starts = allocate(stream->partition_count, sizeof(*attachment->starts));
	if (attachment->starts == NULL)
		return false;
	for (uint16_t i = 0; positions != NULL && i < stream->partition_count; i++)
		attachment->starts[i] = positions->group(positions->context, group, stream, i);
	return true;
}

struct weir_attachment *weir_attachment_create(struct weir_dataplane *dataplane,
	struct weir_stream *stream, const struct weir_model_group *group)
{
	struct weir_attachment *attachment = allocate(1, sizeof(*attachment));
	bool is_native = group->config.class == WEIR_CLASS_NATIVE;

	if (attachment == NULL)
		return NULL;
	attachment->stream = stream;
	attachment->group = group->slot;
	attachment->since = dataplane->generation + 1;
	attachment->lanes = allocate(stream->partition_count, sizeof(*attachment->lanes));
	attachment->worker_count = dataplane->worker_count;
	attachment->sums = dataplane->feature_sums;
	attachment->stats =
		allocate(dataplane->worker_count * WEIR_FEATURE_WORDS, sizeof(*attachment->stats));
	attachment->census =
		allocate(dataplane->worker_count * WEIR_FEATURE_WORDS, sizeof(*attachment->census));
	if (attachment->lanes == NULL || attachment->stats == NULL || attachment->census == NULL ||
		(is_native && !add_history(attachment, (uint16_t)group->config.max_consumers)) ||
		(is_native && group->config.is_reliable && !add_deliveries(attachment)) ||
		!add_starts(dataplane, attachment, group->config.name) ||
		weir_placement_create(attachment) < 0) {
		weir_attachment_free(attachment);
		return NULL;
	}
	return attachment;
}

bool weir_attachment_acknowledge(struct weir_attachment *attachment)
{
	return attachment->deliveries != NULL || add_deliveries(attachment);
}

void weir_attachment_free(void *object)
{
	struct weir_attachment *attachment = object;

	if (attachment == NULL)
		return;
	if (attachment->stats != NULL)
		weir_features_forget(attachment);
	weir_placement_free(attachment);
	rte_free(attachment->lanes);
	rte_free(attachment->history);
	rte_free(attachment->tells);
	rte_free(attachment->deliveries);
	rte_free(attachment->records);
	rte_free(attachment->starts);
	rte_free(attachment->stats);
	rte_free(attachment->census);
	rte_free(attachment);
}

static void init_outlet(struct weir_outlet *outlet, struct weir_consumer *consumer, uint16_t worker)
{
	outlet->consumer = consumer;
	outlet->worker = worker;
	outlet->gate = WEIR_GATE_OPEN;
	weir_timer_init(&outlet->timer);
	weir_list_init(&outlet->blocked);
	weir_list_init(&outlet->open);
	weir_list_init(&outlet->sessions);
	weir_list_init(&outlet->reports);
	weir_list_init(&outlet->again);
	weir_list_init(&outlet->again_link);
	weir_window_init(&outlet->window, WEIR_WINDOW_FIRST, 0);
	for (uint8_t tier = 0; tier < WEIR_TIERS; tier++) {
		struct weir_queue *queue = &outlet->queues[tier];

		weir_list_init(&queue->link);
		weir_list_init(&queue->lanes);
		queue->outlet = outlet;
		queue->tier = tier;
		queue->deficit = 0;
		queue->is_active = false;
	}
}

struct weir_consumer *weir_consumer_create(const struct weir_dataplane *dataplane, const char *name,
	enum weir_class class, uint16_t slot, uint16_t group)
{
	struct weir_consumer *consumer = allocate(1, sizeof(*consumer));

	if (consumer == NULL)
		return NULL;
	snprintf(consumer->name, sizeof(consumer->name), "%s", name);
	consumer->slot = slot;
	consumer->group = group;
	consumer->class = (uint8_t) class;
	consumer->start = WEIR_START_RESUME;
	consumer->packets = &consumer->own_buckets[0];
	consumer->bits = &consumer->own_buckets[1];
	if (dataplane->tokens != NULL)
		consumer->has_tokens = dataplane->tokens->take(dataplane->tokens->context, slot,
			name, &consumer->packets, &consumer->bits);
	consumer->outlets = allocate(dataplane->worker_count, sizeof(*consumer->outlets));
	if (class == WEIR_CLASS_NATIVE)
		consumer->paused = allocate(WEIR_MAX_STREAMS / 64, sizeof(*consumer->paused));
	consumer->credit = &consumer->own_credit;
	if (class == WEIR_CLASS_NATIVE && dataplane->wills != NULL)
		consumer->will = dataplane->wills->session(dataplane->wills->context, slot);
	if (consumer->will != NULL)
		consumer->credit = &consumer->will->credit;
	weir_credit_grant(&consumer->flight.messages, WEIR_FLIGHT_UNLIMITED);
	weir_credit_grant(&consumer->flight.bytes, WEIR_FLIGHT_UNLIMITED);
	/* Only bytes are limited by an agent's reports. */
	if (class == WEIR_CLASS_ASSISTED)
		weir_credit_grant(&consumer->credit->messages, WEIR_FLIGHT_UNLIMITED);
	atomic_store(&consumer->pace_limit, UINT64_MAX);
	if (consumer->outlets == NULL || (class == WEIR_CLASS_NATIVE && consumer->paused == NULL)) {
		weir_consumer_free(consumer);
		return NULL;
	}
	for (uint16_t i = 0; i < dataplane->worker_count; i++)
		init_outlet(&consumer->outlets[i], consumer, i);
	return consumer;
}

void weir_consumer_free(void *object)
{
	struct weir_consumer *consumer = object;

	if (consumer == NULL)
		return;
	free(atomic_load(&consumer->route));
	weir_seal_stop(&consumer->seal);
	rte_free(consumer->outlets);
	rte_free((void *)consumer->paused);
	free(consumer->streams);
	rte_free(consumer);
}

static void set_bucket(struct weir_bucket *bucket, uint64_t old_rate, uint64_t rate, uint64_t burst,
	bool has_tokens, uint64_t now)
{
	if (old_rate == 0 && !has_tokens) {
		weir_bucket_init(bucket, rate, burst, now);
		return;
	}
	weir_bucket_set(bucket, rate, burst);
	if (rate != old_rate)
		weir_bucket_forgive(bucket, now);
}

void weir_consumer_set_rate(const struct weir_dataplane *dataplane, struct weir_consumer *consumer,
	const struct weir_config_rate *rate)
{
	uint64_t packets = rate->burst_packets;
	uint64_t bytes = rate->burst_bytes;
	uint64_t full = (uint64_t)LEAST_PACKETS * 1500;

	if (packets == 0)
		packets = RTE_MAX(rate->packets_per_s / BURST_PART, (uint64_t)LEAST_PACKETS);
	if (bytes == 0)
		bytes = RTE_MAX(rate->bits_per_s / 8 / BURST_PART, full);
	set_bucket(consumer->packets, consumer->rate.packets_per_s, rate->packets_per_s, packets,
		consumer->has_tokens, weir_dataplane_ticks(dataplane));
	set_bucket(consumer->bits, consumer->rate.bits_per_s, rate->bits_per_s, bytes * 8,
		consumer->has_tokens, weir_dataplane_ticks(dataplane));
	consumer->has_tokens = false;
	consumer->rate = *rate;
}
