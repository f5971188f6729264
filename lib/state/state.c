/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_name(const char *name)
{
	size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789_.-");

	return length > 0 && length < WEIR_STATE_NAME_SIZE && name[length] == '\0';
}

/* FNV-1a. Who forges a file to make names collide gets 4,096 steps a name, and no further. */
static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash ^ hash >> 16;
}

/* The slot that has the name, or the free one where it belongs: twice as many slots as streams. */
static uint32_t find_slot(const struct weir_state *state, const char *name)
{
	uint32_t slot = hash_name(name) % WEIR_STATE_SLOTS;

	while (state->slots[slot] != 0 &&
		strcmp(state->streams[state->slots[slot] - 1].name, name) != 0)
		slot = (slot + 1) % WEIR_STATE_SLOTS;
	return slot;
}

static bool is_same(const struct weir_state_stream *stream, uint32_t partitions, uint64_t digest)
{
	return stream->partitions == partitions && stream->key_digest == digest;
}

static void clear_stream(struct weir_state_stream *stream)
{
	for (uint32_t i = 0; i < stream->group_count; i++)
		free(stream->groups[i].done);
	free(stream->groups);
	free(stream->heads);
}

static struct weir_state_group *find_group(const struct weir_state_stream *stream, const char *name)
{
	for (uint32_t i = 0; i < stream->group_count; i++)
		if (strcmp(stream->groups[i].name, name) == 0)
			return &stream->groups[i];
	return NULL;
}

/* Room for one more; the array doubles when its length is a power of two. */
static int grow_groups(struct weir_state_stream *stream)
{
	uint32_t count = stream->group_count;
	struct weir_state_group *groups;

	if ((count & (count - 1)) != 0)
		return 0;
	groups = reallocarray(stream->groups, count == 0 ? 1 : 2 * (size_t)count, sizeof(*groups));
	if (groups == NULL)
		return -ENOMEM;
	stream->groups = groups;
	return 0;
}

struct weir_state *weir_state_create(void)
{
	return calloc(1, sizeof(struct weir_state));
}

void weir_state_free(struct weir_state *state)
{
	if (state == NULL)
		return;
	for (uint32_t i = 0; i < state->stream_count; i++)
		clear_stream(&state->streams[i]);
	free(state);
}

int weir_state_set_stream(struct weir_state *state, const char *name, uint32_t partitions,
	uint64_t key_digest, struct weir_state_stream **stream)
{
	struct weir_state_stream *place;
	uint64_t *heads;
	uint32_t slot;

	*stream = NULL;
	if (!is_name(name) || partitions < 1 || partitions > WEIR_STATE_MAX_PARTITIONS)
		return -EINVAL;
	slot = find_slot(state, name);
	if (state->slots[slot] == 0 && state->stream_count == WEIR_STATE_MAX_STREAMS)
		return -ENOSPC;
	place = &state->streams[state->slots[slot] != 0 ? state->slots[slot] - 1u
							: state->stream_count];
	if (state->slots[slot] != 0 && is_same(place, partitions, key_digest)) {
		*stream = place;
		return 0;
	}
	heads = calloc(partitions, sizeof(*heads));
	if (heads == NULL)
		return -ENOMEM;
	if (state->slots[slot] != 0)
		clear_stream(place);
	else
		state->slots[slot] = (uint16_t)++state->stream_count;
	*place = (struct weir_state_stream){
		.partitions = partitions, .key_digest = key_digest, .heads = heads};
	memcpy(place->name, name, strlen(name) + 1);
	*stream = place;
	return 0;
}

const struct weir_state_stream *weir_state_find_named(
	const struct weir_state *state, const char *name)
{
	uint16_t number = state->slots[find_slot(state, name)];

	return number != 0 ? &state->streams[number - 1] : NULL;
}

const struct weir_state_stream *weir_state_find_stream(
	const struct weir_state *state, const char *name, uint32_t partitions, uint64_t key_digest)
{
	const struct weir_state_stream *stream = weir_state_find_named(state, name);

	return stream != NULL && is_same(stream, partitions, key_digest) ? stream : NULL;
}

int weir_state_set_group(struct weir_state_stream *stream, const char *name, uint64_t **done)
{
	struct weir_state_group *group = find_group(stream, name);

	*done = group != NULL ? group->done : NULL;
	if (group != NULL)
		return 0;
	if (!is_name(name))
		return -EINVAL;
	if (stream->group_count == WEIR_STATE_STREAM_GROUPS)
		return -ENOSPC;
	if (grow_groups(stream) < 0)
		return -ENOMEM;
	*done = calloc(stream->partitions, sizeof(**done));
	if (*done == NULL)
		return -ENOMEM;
	group = &stream->groups[stream->group_count++];
	*group = (struct weir_state_group){.done = *done};
	memcpy(group->name, name, strlen(name) + 1);
	return 0;
}

const uint64_t *weir_state_find_group(const struct weir_state_stream *stream, const char *name)
{
	const struct weir_state_group *group = find_group(stream, name);

	return group != NULL ? group->done : NULL;
}
