/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"

/*
 * What each consumer has before it, looked at while workers go on: each number is right at some
 * moment of the call. Control thread.
 */
struct weir_backlog {
	uint64_t waiting;   /* messages of its partitions that were not sent to it yet */
	uint64_t flying;    /* sent to a consumer that acknowledges, and not received */
	uint64_t window;    /* of those, as many as its adaptive windows allow */
	uint64_t delivered; /* as in its statistics */
	uint64_t moved;     /* sent to it, in layer-3 bytes */
	uint8_t gate;       /* enum weir_gate: the first that is closed at a worker */
	bool is_behind;     /* in the class that catches up, at some worker */
};

/* Fills `by_slot`, WEIR_MAX_CONSUMERS of them, zeroed by the caller. */
void weir_backlog_take(const struct weir_dataplane *dataplane, struct weir_backlog *by_slot);
