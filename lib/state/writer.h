/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * A thread that writes states to disk, so that a disk that takes seconds holds up nobody. It has
 * room for one state that waits: an offer that finds one there replaces it, for the newest says
 * all. Offers are numbered from 1; what was promised on the strength of offer N holds once
 * `saved` is N or more.
 *
 * One owner calls start, offer and stop; the report may be read by any thread until stop. None
 * but stop waits for the disk.
 */
struct weir_state_writer;

struct weir_state_report {
	uint64_t offered;
	uint64_t saved;           /* newest offer that is on disk; 0: none yet */
	uint64_t writes;          /* that succeeded */
	uint64_t failures;        /* that did not */
	uint64_t replaced;        /* offers that a newer one overtook */
	uint64_t bytes;           /* of the last that succeeded */
	uint64_t duration_ns;     /* of the last, whatever came of it */
	uint64_t success_wall_ns; /* when the last one succeeded, CLOCK_REALTIME; 0: none yet */
	struct weir_error error;  /* of the last; code 0: it succeeded, or there was none */
};

/*
 * Writes to `path`, which is copied. After each attempt `wake_fd` (an eventfd, or -1) is told; it
 * is the caller's and stays open until stop has returned.
 * 0, -ENOMEM, -EAGAIN (no thread).
 */
int weir_state_writer_start(const char *path, int wake_fd, struct weir_state_writer **writer);

/*
 * Takes over `bytes` (from weir_state_encode). Returns the number of the offer. A write that fails
 * is not tried again: the next offer is.
 */
uint64_t weir_state_writer_offer(struct weir_state_writer *writer, uint8_t *bytes, size_t length);

void weir_state_writer_report(struct weir_state_writer *writer, struct weir_state_report *report);

/*
 * Waits until what was offered is written, ends the thread and frees the writer; `report` (may be
 * NULL) is the last. 0: the newest offer is on disk, or there was none. Otherwise why it is not:
 * the error of its write, or -ETIMEDOUT when the disk holds the thread for longer than that; then
 * nothing more is begun, and the thread frees all when the disk lets it go.
 */
int weir_state_writer_stop(
	struct weir_state_writer *writer, uint32_t timeout_ms, struct weir_state_report *report);
