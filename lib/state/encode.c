/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "state/format.h"
#include "state/sink.h"

static uint8_t *put_fixed(uint8_t *at, uint64_t value, unsigned int bytes)
{
	weir_state_put(at, value, bytes);
	return at + bytes;
}

static uint8_t *put_name(uint8_t *at, const char *name)
{
	size_t length = strlen(name);

	*at++ = (uint8_t)length;
	memcpy(at, name, length);
	return at + length;
}

static uint8_t *put_difference(uint8_t *at, uint64_t value, uint64_t base)
{
	uint64_t folded = weir_state_fold(value - base);

	for (; folded >= 0x80; folded >>= 7)
		*at++ = (uint8_t)folded | 0x80;
	*at++ = (uint8_t)folded;
	return at;
}

static size_t most_bytes(const struct weir_state_stream *stream)
{
	return WEIR_STATE_FIXED_BYTES + (size_t)stream->partitions * WEIR_STATE_NUMBER_BYTES;
}

static void put_group(struct weir_state_sink *sink, const struct weir_state_stream *stream,
	const struct weir_state_group *group)
{
	uint8_t *at = weir_state_reserve(sink, most_bytes(stream));

	if (at == NULL)
		return;
	at = put_name(at, group->name);
	for (uint32_t i = 0; i < stream->partitions; i++)
		at = put_difference(at, group->done[i], stream->heads[i]);
	weir_state_commit(sink, at);
}

static void put_stream(struct weir_state_sink *sink, const struct weir_state_stream *stream)
{
	uint8_t *at = weir_state_reserve(sink, most_bytes(stream));
	uint64_t before = 0;

	if (at == NULL)
		return;
	at = put_name(at, stream->name);
	at = put_fixed(at, stream->partitions, 2);
	at = put_fixed(at, stream->key_digest, 8);
	at = put_fixed(at, stream->group_count, 1);
	for (uint32_t i = 0; i < stream->partitions; i++) {
		at = put_difference(at, stream->heads[i], before);
		before = stream->heads[i];
	}
	weir_state_commit(sink, at);
	for (uint32_t i = 0; i < stream->group_count; i++)
		put_group(sink, stream, &stream->groups[i]);
}

static void put_header(struct weir_state_sink *sink, const struct weir_state *state)
{
	uint8_t *at = weir_state_reserve(sink, WEIR_STATE_HEADER);

	if (at == NULL)
		return;
	memcpy(at, WEIR_STATE_MAGIC, sizeof(WEIR_STATE_MAGIC) - 1);
	weir_state_put(at + WEIR_STATE_AT_VERSION, WEIR_STATE_VERSION, 4);
	weir_state_put(at + WEIR_STATE_AT_FLAGS, state->is_clean ? WEIR_STATE_CLEAN : 0, 4);
	weir_state_put(at + WEIR_STATE_AT_LENGTH, 0, 8); /* known at the end */
	weir_state_put(at + WEIR_STATE_AT_INCARNATION, state->incarnation, 8);
	weir_state_put(at + WEIR_STATE_AT_WALL, state->wall_ns, 8);
	weir_state_put(at + WEIR_STATE_AT_STREAMS, state->stream_count, 4);
	weir_state_put(at + WEIR_STATE_AT_ZERO, 0, 4);
	weir_state_commit(sink, at + WEIR_STATE_HEADER);
}

static void put_checksum(struct weir_state_sink *sink)
{
	uint8_t *at = weir_state_reserve(sink, WEIR_STATE_CHECKSUM);

	if (at == NULL)
		return;
	weir_state_put(sink->bytes + WEIR_STATE_AT_LENGTH, sink->length + WEIR_STATE_CHECKSUM, 8);
	weir_state_checksum(sink->bytes, sink->length, at);
	sink->length += WEIR_STATE_CHECKSUM;
}

int weir_state_encode(const struct weir_state *state, uint8_t **bytes, size_t *length)
{
	struct weir_state_sink sink = {0};

	*bytes = NULL;
	*length = 0;
	put_header(&sink, state);
	for (uint32_t i = 0; i < state->stream_count && sink.rc == 0; i++)
		put_stream(&sink, &state->streams[i]);
	put_checksum(&sink);
	if (sink.rc < 0) {
		free(sink.bytes);
		return sink.rc;
	}
	*bytes = sink.bytes;
	*length = sink.length;
	return 0;
}
