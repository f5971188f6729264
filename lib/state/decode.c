/* SPDX-License-Identifier: BSD-3-Clause */
#include "state/state.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "state/format.h"

/* Reads on, up to `end`; the first fault is kept, and from then on everything reads as 0. */
struct reader {
	const uint8_t *at;
	const uint8_t *end;
	const char *fault;
	int rc;
};

static void fail(struct reader *reader, int rc, const char *fault)
{
	if (reader->rc == 0) {
		reader->rc = rc;
		reader->fault = fault;
		reader->at = reader->end;
	}
}

static bool has(struct reader *reader, size_t bytes)
{
	if ((size_t)(reader->end - reader->at) >= bytes)
		return true;
	fail(reader, -EBADMSG, "it ends within a stream");
	return false;
}

static uint64_t take_fixed(struct reader *reader, unsigned int bytes)
{
	if (!has(reader, bytes))
		return 0;
	reader->at += bytes;
	return weir_state_get(reader->at - bytes, bytes);
}

/* Which bytes a name may have, the state itself checks. */
static void take_name(struct reader *reader, char name[WEIR_STATE_NAME_SIZE])
{
	size_t length = take_fixed(reader, 1);

	name[0] = '\0';
	if (length >= WEIR_STATE_NAME_SIZE) {
		fail(reader, -EBADMSG, "a name in it is too long");
	} else if (has(reader, length)) {
		memcpy(name, reader->at, length);
		name[length] = '\0';
		reader->at += length;
		if (length == 0 || strlen(name) != length)
			fail(reader, -EBADMSG, "a name in it is not a name");
	}
}

static uint64_t take_difference(struct reader *reader, uint64_t base)
{
	uint64_t folded = 0;
	uint8_t byte;

	for (unsigned int shift = 0; shift < 64; shift += 7) {
		if (!has(reader, 1))
			return 0;
		byte = *reader->at++;
		folded |= (uint64_t)(byte & 0x7f) << shift;
		if (byte >= 0x80)
			continue;
		if ((shift == 63 && byte > 1) || (shift > 0 && byte == 0))
			break;
		return base + weir_state_unfold(folded);
	}
	fail(reader, -EBADMSG, "a number in it is not written as it should be");
	return 0;
}

static void take_group(struct reader *reader, struct weir_state_stream *stream)
{
	char name[WEIR_STATE_NAME_SIZE];
	uint64_t *done;
	int rc;

	take_name(reader, name);
	/* Each number takes a byte: what is allocated is bounded by what is there. */
	if (!has(reader, stream->partitions))
		return;
	if (weir_state_find_group(stream, name) != NULL) {
		fail(reader, -EBADMSG, "a group in it is there twice");
		return;
	}
	rc = weir_state_set_group(stream, name, &done);
	if (rc < 0) {
		fail(reader, rc == -ENOMEM ? rc : -EBADMSG, "a group in it is out of range");
		return;
	}
	for (uint32_t i = 0; i < stream->partitions; i++)
		done[i] = take_difference(reader, stream->heads[i]);
}

static void take_stream(struct reader *reader, struct weir_state *state)
{
	char name[WEIR_STATE_NAME_SIZE];
	struct weir_state_stream *stream;
	uint32_t streams = state->stream_count;
	uint64_t key_digest;
	uint64_t before = 0;
	uint32_t partitions;
	uint32_t groups;
	int rc;

	take_name(reader, name);
	partitions = (uint32_t)take_fixed(reader, 2);
	key_digest = take_fixed(reader, 8);
	groups = (uint32_t)take_fixed(reader, 1);
	if (!has(reader, partitions) || reader->rc < 0)
		return;
	rc = weir_state_set_stream(state, name, partitions, key_digest, &stream);
	if (rc < 0) {
		fail(reader, rc == -ENOMEM ? rc : -EBADMSG, "a stream in it is out of range");
		return;
	}
	if (state->stream_count == streams) {
		fail(reader, -EBADMSG, "a stream in it is there twice");
		return;
	}
	for (uint32_t i = 0; i < partitions; i++)
		before = stream->heads[i] = take_difference(reader, before);
	for (uint32_t i = 0; i < groups && reader->rc == 0; i++)
		take_group(reader, stream);
}

static void take_all(struct reader *reader, const uint8_t *bytes, struct weir_state *state)
{
	uint64_t flags = weir_state_get(bytes + WEIR_STATE_AT_FLAGS, 4);
	uint64_t streams = weir_state_get(bytes + WEIR_STATE_AT_STREAMS, 4);

	if ((flags & ~(uint64_t)WEIR_STATE_CLEAN) != 0 ||
		weir_state_get(bytes + WEIR_STATE_AT_ZERO, 4) != 0)
		fail(reader, -EBADMSG, "its header has bits that mean nothing");
	if (streams > WEIR_STATE_MAX_STREAMS)
		fail(reader, -EBADMSG, "it has too many streams");
	state->is_clean = (flags & WEIR_STATE_CLEAN) != 0;
	state->incarnation = weir_state_get(bytes + WEIR_STATE_AT_INCARNATION, 8);
	state->wall_ns = weir_state_get(bytes + WEIR_STATE_AT_WALL, 8);
	reader->at = reader->rc == 0 ? bytes + WEIR_STATE_HEADER : reader->end;
	for (uint64_t i = 0; i < streams && reader->rc == 0; i++)
		take_stream(reader, state);
	if (reader->rc == 0 && reader->at != reader->end)
		fail(reader, -EBADMSG, "it goes on after its last stream");
}

/* What all versions have in common. */
static const char *envelope_fault(const uint8_t *bytes, size_t length)
{
	uint8_t checksum[WEIR_STATE_CHECKSUM];

	if (length > WEIR_STATE_MAX_BYTES)
		return "it is larger than a state can be";
	if (length < sizeof(WEIR_STATE_MAGIC) - 1 ||
		memcmp(bytes, WEIR_STATE_MAGIC, sizeof(WEIR_STATE_MAGIC) - 1) != 0)
		return "it is not a state file";
	if (length < WEIR_STATE_HEADER + WEIR_STATE_CHECKSUM)
		return "it is too short";
	if (weir_state_get(bytes + WEIR_STATE_AT_LENGTH, 8) != length)
		return "it is not as long as it says";
	weir_state_checksum(bytes, length - WEIR_STATE_CHECKSUM, checksum);
	if (memcmp(checksum, bytes + length - WEIR_STATE_CHECKSUM, sizeof(checksum)) != 0)
		return "its checksum is wrong";
	return NULL;
}

int weir_state_decode(const uint8_t *bytes, size_t length, const char *path,
	struct weir_state **state, struct weir_error *error)
{
	const char *fault = envelope_fault(bytes, length);
	struct reader reader = {0};
	uint64_t version;

	*state = NULL;
	if (fault != NULL)
		return weir_error_set(error, -EBADMSG, path, "", "damaged: %s", fault);
	version = weir_state_get(bytes + WEIR_STATE_AT_VERSION, 4);
	if (version > WEIR_STATE_VERSION)
		return weir_error_set(error, -ENOTSUP, path,
			"run the gateway that wrote it, or move the file away",
			"written by a newer gateway: version %" PRIu64 ", this one reads up to %d",
			version, WEIR_STATE_VERSION);
	*state = weir_state_create();
	if (*state == NULL)
		return weir_error_set(error, -ENOMEM, path, "", "no memory");
	reader.end = bytes + length - WEIR_STATE_CHECKSUM;
	if (version < WEIR_STATE_VERSION)
		fail(&reader, -EBADMSG, "there never was such a version");
	take_all(&reader, bytes, *state);
	if (reader.rc == 0)
		return 0;
	weir_state_free(*state);
	*state = NULL;
	if (reader.rc == -ENOMEM)
		return weir_error_set(error, -ENOMEM, path, "", "no memory");
	return weir_error_set(error, -EBADMSG, path, "", "damaged: %s", reader.fault);
}
