/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * What a gateway must know to go on after a restart: where the numbering of each partition stands
 * (its head), and up to where each group is done with it. Kept in one small file, see file.h;
 * here it is in memory, and as the bytes of that file, see format.h.
 *
 * A stream is itself only with the same name, the same key and as many partitions: with another
 * key the same number means another message, so a state asked for such a stream has none. What its
 * groups were done with is known by the name alone.
 *
 * No thread rules but the usual: one state, one thread at a time. Whoever gets a state frees it.
 */

#define WEIR_STATE_NAME_SIZE      32 /* with its NUL; [A-Za-z0-9_.-]+ */
#define WEIR_STATE_MAX_STREAMS    4096
#define WEIR_STATE_MAX_PARTITIONS 4096         /* of one stream */
#define WEIR_STATE_STREAM_GROUPS  64           /* of one stream */
#define WEIR_STATE_MAX_BYTES      (256u << 20) /* encoded */
#define WEIR_STATE_SLOTS          (2 * WEIR_STATE_MAX_STREAMS)

/* One group's place in one stream. */
struct weir_state_group {
	char name[WEIR_STATE_NAME_SIZE];
	uint64_t *done; /* of each partition: the group is done with all below; the stream's own */
};

struct weir_state_stream {
	char name[WEIR_STATE_NAME_SIZE];
	uint32_t partitions;
	uint32_t group_count;
	uint64_t key_digest;
	/* Of each partition: the next sequence; after a crash, one above all that were given out,
	 * because the caller wrote it down ahead of time. */
	uint64_t *heads;
	struct weir_state_group *groups; /* group_count */
};

struct weir_state {
	uint64_t incarnation; /* which start of the gateway wrote it; the caller counts */
	uint64_t wall_ns;     /* when, CLOCK_REALTIME */
	bool is_clean;        /* written at an orderly end: the heads are exact */
	uint32_t stream_count;
	struct weir_state_stream streams[WEIR_STATE_MAX_STREAMS]; /* in the order they were set */
	uint16_t slots[WEIR_STATE_SLOTS]; /* by hash of the name: index + 1, 0 is free */
};

/* Empty; NULL when there is no memory. */
struct weir_state *weir_state_create(void);
void weir_state_free(struct weir_state *state);

/*
 * The stream of that name, made if there is none, its heads then 0. One that had another key or
 * number of partitions is replaced, and its groups are gone. *stream lasts as long as the state;
 * its heads until it is replaced. 0; -EINVAL for a name or number out of range; -ENOSPC when
 * WEIR_STATE_MAX_STREAMS are there; -ENOMEM, and then the state is as it was.
 */
int weir_state_set_stream(struct weir_state *state, const char *name, uint32_t partitions,
	uint64_t key_digest, struct weir_state_stream **stream);
/* NULL when there is none of this name with this key and number of partitions. */
const struct weir_state_stream *weir_state_find_stream(
	const struct weir_state *state, const char *name, uint32_t partitions, uint64_t key_digest);
/* The stream of that name, whatever its key and number of partitions; NULL when there is none. */
const struct weir_state_stream *weir_state_find_named(
	const struct weir_state *state, const char *name);

/*
 * The positions of a group in the stream, made if there are none, 0 then. *done has as many as
 * the stream has partitions and lasts until the stream is replaced. 0, -EINVAL for a name,
 * -ENOSPC when the stream has WEIR_STATE_STREAM_GROUPS, -ENOMEM.
 */
int weir_state_set_group(struct weir_state_stream *stream, const char *name, uint64_t **done);
/* NULL when the group has no place in this stream. */
const uint64_t *weir_state_find_group(const struct weir_state_stream *stream, const char *name);

/*
 * The bytes of the file; *bytes is the caller's to free(). 0, -ENOMEM, or -EFBIG when it would
 * be more than WEIR_STATE_MAX_BYTES. The cost is that of going once over all positions.
 */
int weir_state_encode(const struct weir_state *state, uint8_t **bytes, size_t *length);

/*
 * The state in `bytes`, which may be anything. 0 and *state is the caller's; otherwise *state is
 * NULL and `error` says why: -EBADMSG it is damaged or no state file at all, -ENOTSUP it is whole
 * but of a newer version, -ENOMEM. `path` is what the error names.
 */
int weir_state_decode(const uint8_t *bytes, size_t length, const char *path,
	struct weir_state **state, struct weir_error *error);
