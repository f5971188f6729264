/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "state/state.h"

/*
 * The state on disk. At every instant, whatever is killed or fails, FILE is a whole state: a new
 * one is written beside it as FILE.new, made durable, and only then takes its name. What had the
 * name before becomes FILE.old, for a disk that damages FILE later. A FILE.new that is found is
 * the rest of a save that was cut short; it is never read.
 *
 * Any thread, but for one path only one at a time. Calls wait for the disk; see writer.h.
 */

/*
 * Reads FILE, or FILE.old if FILE is missing or damaged.
 *
 * 0: *state is the caller's. *is_previous: it is FILE.old's, and `error` says what is wrong with
 * FILE. Then numbers above its heads may have been used: begin above them by as much as can have
 * been given out since its wall_ns, or from the clock if that is more.
 * -ENOENT: there is neither. -EBADMSG: there is no good one; numbering cannot go on, begin it from
 * the clock. -ENOTSUP: written by a newer gateway; don't save, or it is lost. Others (-EACCES,
 * -ENOMEM, -EINVAL for no regular file...): whether there is a state is not known; a gateway should
 * not start. In all these *state is NULL and `error` has path, reason and hint.
 */
int weir_state_load(
	const char *path, struct weir_state **state, bool *is_previous, struct weir_error *error);

/* What a file holds. `decode` sets *result on success alone; -EBADMSG when it is damaged. */
struct weir_state_kind {
	size_t max_bytes;
	int (*decode)(const uint8_t *bytes, size_t length, const char *path, void *result,
		struct weir_error *error);
	const char *lost_hint; /* what follows when neither file is good */
};

/* The same for any kind of file: `result` is given to its decoder. */
int weir_state_load_kind(const char *path, const struct weir_state_kind *kind, void *result,
	bool *is_previous, struct weir_error *error);

/*
 * Make `bytes` the content of FILE, durably, with mode 0600; the folder is made, with 0755, if it
 * is missing (its parent is not). 0; or what failed, and then FILE is what it was, or, when the
 * folder could not be written last of all, already the new one. A file system that cannot exchange
 * two names keeps no FILE.old.
 */
int weir_state_write(
	const char *path, const uint8_t *bytes, size_t length, struct weir_error *error);
/* Encode and write. */
int weir_state_save(const char *path, const struct weir_state *state, struct weir_error *error);
