/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "dataplane/capture.h"

/*
 * Packet captures: workers copy what a rule wants into rings of their own, a thread of its own
 * empties them every few milliseconds and writes pcapng files. Files are made in the configured
 * directory only, never over one that is there. A capture ends when it was told to, or at any of
 * its bounds; its rule is used again only when no worker can be looking at it and the rings have
 * been emptied since.
 *
 * All functions: control thread only.
 */

struct weir_gateway;
struct weir_captures;

#define WEIR_CAPTURE_LIST      32 /* that are remembered, running ones among them */
#define WEIR_CAPTURE_FILE_SIZE 80 /* of a file's name */

/* Bounds; each is there. */
struct weir_capture_bounds {
	uint64_t packets;
	uint64_t bytes; /* of the file */
	uint64_t seconds;
};

enum weir_capture_state {
	WEIR_CAPTURE_FREE,
	WEIR_CAPTURE_RUNNING,
	WEIR_CAPTURE_ENDING, /* what workers have is still to be written */
	WEIR_CAPTURE_ENDED,
};

struct weir_capture_report {
	uint32_t id;
	enum weir_capture_state state;
	const char *ended_by; /* packets, bytes, seconds, stop, shutdown, error; NULL: it runs */
	char file[WEIR_CAPTURE_FILE_SIZE];
	struct weir_capture_rule rule;
	struct weir_capture_bounds bounds;
	uint64_t packets; /* written */
	uint64_t bytes;   /* likewise, of the file */
	uint64_t lost;    /* for which there was no room */
	int error;        /* -errno of writing; 0: none */
};

int weir_captures_create(struct weir_gateway *gateway, struct weir_captures **captures);
/* Ends all that run and writes what there is of them; workers may have ended. NULL is fine. */
void weir_captures_destroy(struct weir_captures *captures);
/*
 * Begin one: -EINVAL the name of the file is not one, -EEXIST it is there, -EBUSY as many run as
 * may, -ENOMEM, or what the directory answers. `rule` has `is_on` false. `file` "": one is made up.
 */
int weir_capture_start(struct weir_captures *captures, const char *directory, const char *file,
	const struct weir_capture_rule *rule, const struct weir_capture_bounds *bounds,
	uint32_t *id, struct weir_error *error);
/* -ENOENT: none of this number runs. */
int weir_capture_stop(struct weir_captures *captures, uint32_t id);
/* Oldest first; returns how many there are. */
uint32_t weir_capture_reports(
	struct weir_captures *captures, struct weir_capture_report reports[WEIR_CAPTURE_LIST]);
bool weir_capture_report_of(
	struct weir_captures *captures, uint32_t id, struct weir_capture_report *report);
