/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dataplane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>

#include "dataplane/model.h"
#include "dataplane/model_find.h"
#include "dataplane/publish.h"
#include "dataplane/worker.h"
#include "place/place.h"

/* Consumers as the control thread handles them: their state, and native ones' coming and going. */

void weir_consumers_visit(
	struct weir_dataplane *dataplane, weir_consumer_visit visit, void *context)
{
	struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->group_count; i++) {
		const struct weir_model_group *group = &model->groups[i];

		for (uint32_t j = 0; j < group->consumer_count; j++)
			visit(context, group->consumers[j].object, &group->config,
				group->config.class != WEIR_CLASS_NATIVE
					? &group->consumers[j].config
					: NULL);
	}
}

struct weir_consumer *weir_consumer_find(struct weir_dataplane *dataplane, const char *name)
{
	struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->group_count; i++) {
		const struct weir_model_consumer *consumer =
			weir_model_find_consumer(&model->groups[i], name);

		if (consumer != NULL)
			return consumer->object;
	}
	return NULL;
}

static void free_route(void *route)
{
	free(route);
}

void weir_consumer_set_route(
	struct weir_dataplane *dataplane, struct weir_consumer *consumer, struct weir_route *route)
{
	struct weir_route *old = atomic_exchange(&consumer->route, route);

	dataplane->changes++;
	weir_retire(dataplane, free_route, old);
	weir_consumer_wake(dataplane, consumer);
}

void weir_consumer_set_closed(
	struct weir_dataplane *dataplane, struct weir_consumer *consumer, uint32_t bit, bool on)
{
	struct weir_model_consumer *entry = weir_model_entry(dataplane, consumer, NULL);

	if (on && bit == WEIR_CLOSED_UNREACHABLE)
		atomic_fetch_add(&consumer->absences, 1);
	dataplane->changes++;
	if (on)
		atomic_fetch_or(&consumer->closed, bit);
	else
		atomic_fetch_and(&consumer->closed, ~bit);
	if (bit == WEIR_CLOSED_UNREACHABLE && entry != NULL)
		entry->is_reachable = !on;
	if (!on)
		weir_consumer_wake(dataplane, consumer);
}

void weir_consumer_limit(struct weir_dataplane *dataplane, struct weir_consumer *consumer,
	const struct weir_config_rate *rate)
{
	weir_consumer_set_rate(dataplane, consumer, rate);
	/* Outlets that wait on the old rate's timer ask for no wake: tell every worker. */
	atomic_store(&consumer->waiting, UINT64_MAX >> (64 - dataplane->worker_count));
	weir_consumer_wake(dataplane, consumer);
}

/* The window's limit is its cap and all that has landed: only the difference changes it. */
static void move_cap(struct weir_credit_line *line, uint64_t before, uint64_t after)
{
	before = before != 0 ? before : WEIR_FLIGHT_UNLIMITED;
	after = after != 0 ? after : WEIR_FLIGHT_UNLIMITED;
	atomic_fetch_add(&line->limit, after - before);
}

void weir_consumer_set_window(
	struct weir_consumer *consumer, const struct weir_config_window *window)
{
	move_cap(&consumer->flight.messages, consumer->window.messages, window->messages);
	move_cap(&consumer->flight.bytes, consumer->window.bytes, window->bytes);
	consumer->window = *window;
}

static uint32_t count_sessions(const struct weir_model_group *group)
{
	return group->config.class == WEIR_CLASS_NATIVE ? group->consumer_count : 0;
}

static bool is_name_taken(struct weir_dataplane *dataplane, const char *name)
{
	return weir_consumer_find(dataplane, name) != NULL;
}

/* Adding to and dropping from a group changes the model in place: its memory is control's own. */
static int append(struct weir_model_group *group, struct weir_consumer *consumer)
{
	struct weir_model_consumer *list =
		realloc(group->consumers, (group->consumer_count + 2) * sizeof(*group->consumers));

	if (list == NULL)
		return -ENOMEM;
	group->consumers = list;
	memset(&list[group->consumer_count], 0, sizeof(*list));
	list[group->consumer_count].object = consumer;
	list[group->consumer_count].identity = weir_place_identity(consumer->name);
	weir_model_weigh(
		&list[group->consumer_count], weir_config_weight(&group->config, consumer->name));
	group->consumer_count++;
	return 0;
}

/* -EEXIST when the slot of a session that goes on is taken. */
static int choose_slot(struct weir_dataplane *dataplane, const struct weir_session_spec *spec)
{
	uint16_t slot = (uint16_t)spec->number;

	if (spec->number == 0)
		return weir_model_free_consumer_slot(dataplane, dataplane->model, NULL);
	return weir_model_has_consumer_slot(dataplane->model, slot) ? -EEXIST : slot;
}

int weir_session_prepare(struct weir_dataplane *dataplane, const struct weir_session_spec *spec,
	struct weir_consumer **out)
{
	struct weir_model *model = dataplane->model;
	struct weir_model_group *group =
		(struct weir_model_group *)(uintptr_t)weir_model_find_group(model, spec->group);
	struct weir_consumer *consumer;
	int slot;

	if (group == NULL || group->config.class != WEIR_CLASS_NATIVE)
		return -ENOENT;
	if (count_sessions(group) >= group->config.max_consumers)
		return -EUSERS;
	if (is_name_taken(dataplane, spec->name))
		return -EEXIST;
	slot = choose_slot(dataplane, spec);
	if (slot < 0)
		return slot;
	consumer = weir_consumer_create(
		dataplane, spec->name, WEIR_CLASS_NATIVE, (uint16_t)slot, group->slot);
	if (consumer == NULL)
		return -ENOMEM;
	consumer->session =
		spec->number != 0 ? spec->number : (spec->random & ~0xffffull) | (uint16_t)slot;
	consumer->peer = spec->peer;
	consumer->peer_port = spec->peer_port;
	consumer->local = spec->local;
	consumer->max_datagram = spec->max_datagram;
	consumer->knows = UINT64_MAX;
	consumer->wants_source = spec->wants_source;
	consumer->wants_batches = spec->wants_batches;
	consumer->wants_contexts = spec->wants_contexts;
	consumer->is_reliable = spec->is_reliable && group->config.is_reliable;
	consumer->may_seek = spec->may_seek;
	consumer->may_assign = spec->may_assign;
	weir_consumer_set_window(consumer, &group->config.window);
	atomic_store(&consumer->last_heard, rte_rdtsc());
	atomic_store(&consumer->closed, WEIR_CLOSED_UNREACHABLE);
	weir_consumer_limit(dataplane, consumer, &group->config.consumer_rate);
	*out = consumer;
	return 0;
}

void weir_session_abandon(struct weir_consumer *consumer)
{
	weir_consumer_free(consumer);
}

static struct weir_model_group *find_group(
	const struct weir_dataplane *dataplane, const struct weir_consumer *consumer)
{
	struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; i < model->group_count; i++)
		if (model->groups[i].slot == consumer->group)
			return &model->groups[i];
	return NULL;
}

int weir_session_add(struct weir_dataplane *dataplane, struct weir_consumer *consumer)
{
	struct weir_model_group *group = find_group(dataplane, consumer);

	weir_will_open(dataplane, consumer);
	if (group == NULL || append(group, consumer) < 0) {
		weir_consumer_free(consumer);
		return -ENOMEM;
	}
	if (weir_dataplane_republish(dataplane) < 0) {
		weir_session_remove(dataplane, consumer);
		return -ENOMEM;
	}
	return 0;
}

void weir_session_remove(struct weir_dataplane *dataplane, struct weir_consumer *consumer)
{
	struct weir_model_group *group;
	struct weir_model_consumer *entry = weir_model_entry(dataplane, consumer, &group);

	if (consumer->will != NULL)
		atomic_store(&consumer->will->session, 0);
	if (entry != NULL) {
		uint32_t index = (uint32_t)(entry - group->consumers);

		memmove(entry, entry + 1,
			(group->consumer_count - index - 1) * sizeof(*group->consumers));
		group->consumer_count--;
		/* Without memory for a snapshot the consumer must stay: workers know it. */
		if (weir_dataplane_republish(dataplane) < 0) {
			atomic_fetch_or(&consumer->closed, WEIR_CLOSED_UNREACHABLE);
			append(group, consumer);
			return;
		}
	}
	weir_retire(dataplane, weir_consumer_free, consumer);
}

static bool group_has_stream(const struct weir_model_group *group, const char *name)
{
	for (uint32_t i = 0; i < group->config.stream_count; i++)
		if (strcmp(group->config.streams[i], name) == 0)
			return true;
	return false;
}

int weir_session_subscribe(struct weir_dataplane *dataplane, struct weir_consumer *consumer,
	const char (*names)[WEIR_NAME_SIZE], uint32_t count)
{
	struct weir_model_group *group;
	char(*copy)[WEIR_NAME_SIZE] = NULL;

	if (weir_model_entry(dataplane, consumer, &group) == NULL)
		return -ENOENT;
	for (uint32_t i = 0; i < count; i++)
		if (!group_has_stream(group, names[i]))
			return -ENOENT;
	if (count != 0) {
		copy = malloc(count * sizeof(*copy));
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, names, count * sizeof(*copy));
	}
	free(consumer->streams);
	consumer->streams = copy;
	consumer->stream_count = count;
	return 0;
}

static bool is_subscribed(const struct weir_consumer *consumer, const char *name)
{
	for (uint32_t i = 0; i < consumer->stream_count; i++)
		if (strcmp(consumer->streams[i], name) == 0)
			return true;
	return consumer->stream_count == 0;
}

static bool is_given(const struct weir_attachment *attachment, const struct weir_consumer *consumer)
{
	return attachment->group == consumer->group &&
	       is_subscribed(consumer, attachment->stream->name);
}

uint32_t weir_session_streams(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_session_stream *streams, uint32_t most)
{
	const struct weir_model *model = dataplane->model;
	uint32_t count = 0;

	for (uint32_t i = 0; i < model->stream_count; i++) {
		const struct weir_model_stream *stream = &model->streams[i];

		for (uint32_t j = 0; j < stream->attachment_count; j++) {
			if (!is_given(stream->attachments[j], consumer))
				continue;
			if (count < most) {
				streams[count].slot = stream->object->slot;
				streams[count].partitions = stream->object->partition_count;
				memcpy(streams[count].name, stream->object->name, WEIR_NAME_SIZE);
			}
			count++;
		}
	}
	return count;
}

bool weir_session_is_behind(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, uint64_t generation)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; i < model->stream_count; i++)
		for (uint32_t j = 0; j < model->streams[i].attachment_count; j++) {
			const struct weir_attachment *attachment = model->streams[i].attachments[j];

			if (attachment->since > generation && is_given(attachment, consumer))
				return true;
		}
	return false;
}

uint64_t weir_session_silent_ms(const struct weir_consumer *consumer)
{
	uint64_t age = rte_rdtsc() - atomic_load(&consumer->last_heard);

	return (int64_t)age < 0 ? 0 : age / (rte_get_tsc_hz() / 1000);
}
