/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "state/file.h"

/*
 * The versions of the configuration that ran: which one runs, which ran before each, and whether
 * the one that runs is on trial. Bounded in number and bytes; the oldest goes first, but never the
 * one that runs or the one that a trial would go back to. Numbers grow for ever, over restarts too,
 * as long as the file is there. No clock, no timer: see versions.h. Control thread only.
 */

#define WEIR_HISTORY_VERSIONS 32
#define WEIR_HISTORY_BYTES    (16u << 20) /* of configurations as text */
#define WEIR_HISTORY_MAX_FILE (48u << 20)
#define WEIR_HISTORY_COMMENT  128 /* bytes, with the NUL */

struct weir_version {
	uint64_t number;
	uint64_t before;    /* version that it replaced; 0: none */
	uint64_t wall_ns;   /* when it was first taken over */
	bool is_from_start; /* the file that the gateway was started with, not config_apply */
	bool is_reverted;   /* was on trial and not confirmed */
	char comment[WEIR_HISTORY_COMMENT];
	char digest[65];
	char *json; /* canonical; owned */
};

struct weir_history {
	struct weir_version *versions[WEIR_HISTORY_VERSIONS]; /* oldest first; owned */
	uint32_t count;
	size_t bytes;
	uint64_t next;    /* number */
	uint64_t running; /* 0: none yet */
	uint64_t back;    /* what the running one goes back to unless confirmed; 0: no trial */
};

struct weir_history *weir_history_create(void);
void weir_history_destroy(struct weir_history *history);

/* A version made of a configuration, not yet in the history; NULL without memory. */
struct weir_version *weir_version_make(
	const struct weir_config *config, const char *comment, uint64_t wall_ns);
void weir_version_free(struct weir_version *version);
/* It runs from now on. Takes it, gives it its number, and lets the oldest go; cannot fail. */
void weir_history_add(struct weir_history *history, struct weir_version *version);
/* One that is there runs again; `number` is of one. */
void weir_history_select(struct weir_history *history, uint64_t number);

/* NULL: unknown, or let go. */
const struct weir_version *weir_history_find(const struct weir_history *history, uint64_t number);
/* The one that runs; NULL before the first. */
const struct weir_version *weir_history_running(const struct weir_history *history);
/* The one before the one that runs, that is still there; NULL: there is none. */
const struct weir_version *weir_history_before(const struct weir_history *history);

/* The running version is on trial: it goes back to `back` unless it is confirmed. */
void weir_history_begin_trial(struct weir_history *history, uint64_t back);
void weir_history_confirm(struct weir_history *history);
/* The trial failed: marked so, and what was before it is the one that runs. */
void weir_history_revert(struct weir_history *history);

/*
 * history_file.c: as the file has it: a line with the format and a checksum of the rest, which is
 * JSON. The decoder (for a struct weir_history **) holds all of it against the checksum, each
 * configuration against its digest, and every number against the others.
 */
int weir_history_encode(const struct weir_history *history, uint8_t **bytes, size_t *length);
extern const struct weir_state_kind weir_history_kind;
