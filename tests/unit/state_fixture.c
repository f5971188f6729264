/* SPDX-License-Identifier: BSD-3-Clause */
#include "state_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state/format.h"

static void give_up(const char *what)
{
	perror(what);
	abort();
}

void state_folder_make(struct state_folder *folder)
{
	snprintf(folder->path, sizeof(folder->path), "/tmp/weir-state-XXXXXX");
	if (mkdtemp(folder->path) == NULL)
		give_up(folder->path);
	snprintf(folder->file, sizeof(folder->file), "%s/state", folder->path);
	snprintf(folder->old_file, sizeof(folder->old_file), "%s.old", folder->file);
	snprintf(folder->new_file, sizeof(folder->new_file), "%s.new", folder->file);
}

void state_folder_remove(const struct state_folder *folder)
{
	unlink(folder->file);
	unlink(folder->old_file);
	unlink(folder->new_file);
	rmdir(folder->path);
}

uint64_t state_mix(uint64_t value)
{
	value = (value ^ value >> 31) * 0x9e3779b97f4a7c15ull;
	value = (value ^ value >> 29) * 0xbf58476d1ce4e5b9ull;
	return value ^ value >> 32;
}

static void fill_groups(struct weir_state_stream *stream, uint64_t seed)
{
	char name[WEIR_STATE_NAME_SIZE];
	uint64_t *done;

	for (uint32_t g = 0; g < seed % 4; g++) {
		snprintf(name, sizeof(name), "group-%u", g);
		if (weir_state_set_group(stream, name, &done) < 0)
			give_up(name);
		for (uint32_t p = 0; p < stream->partitions; p++)
			done[p] = stream->heads[p] - state_mix(seed + g + p) % 300;
	}
}

struct weir_state *state_sample(uint64_t number)
{
	struct weir_state *state = weir_state_create();
	struct weir_state_stream *stream;
	char name[WEIR_STATE_NAME_SIZE];

	if (state == NULL)
		give_up("state");
	state->incarnation = number;
	state->wall_ns = state_mix(number);
	state->is_clean = number % 3 == 0;
	for (uint32_t s = 0; s < 1 + number % 5; s++) {
		uint64_t seed = state_mix(number * 16 + s);

		snprintf(name, sizeof(name), "stream_%u.x", s);
		if (weir_state_set_stream(state, name, 1 + seed % 20, seed, &stream) < 0)
			give_up(name);
		for (uint32_t p = 0; p < stream->partitions; p++)
			stream->heads[p] = state_mix(seed + p) >> seed % 64;
		fill_groups(stream, seed);
	}
	return state;
}

static bool is_equal_stream(
	const struct weir_state_stream *one, const struct weir_state_stream *other)
{
	size_t bytes = one->partitions * sizeof(uint64_t);

	if (strcmp(one->name, other->name) != 0 || one->partitions != other->partitions ||
		one->group_count != other->group_count || one->key_digest != other->key_digest ||
		memcmp(one->heads, other->heads, bytes) != 0)
		return false;
	for (uint32_t i = 0; i < one->group_count; i++)
		if (strcmp(one->groups[i].name, other->groups[i].name) != 0 ||
			memcmp(one->groups[i].done, other->groups[i].done, bytes) != 0)
			return false;
	return true;
}

bool state_is_equal(const struct weir_state *one, const struct weir_state *other)
{
	if (one->incarnation != other->incarnation || one->wall_ns != other->wall_ns ||
		one->is_clean != other->is_clean || one->stream_count != other->stream_count)
		return false;
	for (uint32_t i = 0; i < one->stream_count; i++)
		if (!is_equal_stream(&one->streams[i], &other->streams[i]))
			return false;
	return true;
}

bool state_is_sample(const struct weir_state *state)
{
	struct weir_state *sample = state_sample(state->incarnation);
	bool is_equal = state_is_equal(state, sample);

	weir_state_free(sample);
	return is_equal;
}

uint8_t *state_read(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rbe");
	uint8_t *bytes = malloc(1 << 20);

	*length = 0;
	if (bytes == NULL || file == NULL) {
		free(bytes);
		bytes = NULL;
	} else {
		*length = fread(bytes, 1, 1 << 20, file);
	}
	if (file != NULL)
		fclose(file);
	return bytes;
}

void state_write(const char *path, const uint8_t *bytes, size_t length)
{
	FILE *file = fopen(path, "wbe");

	if (file == NULL || fwrite(bytes, 1, length, file) != length || fclose(file) != 0)
		give_up(path);
}

bool state_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

void state_seal(uint8_t *bytes, size_t length)
{
	weir_state_put(bytes + WEIR_STATE_AT_LENGTH, length, 8);
	weir_state_checksum(
		bytes, length - WEIR_STATE_CHECKSUM, bytes + length - WEIR_STATE_CHECKSUM);
}
