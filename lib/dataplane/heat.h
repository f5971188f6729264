/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/*
 * A partition that stays hot gets the worker that it is on to itself (move.h), and shares again
 * when it has cooled down: with workers.isolate_percent, by what load.h has measured. Control
 * thread.
 */

#define WEIR_HEAT_HOT_LOOKS  3    /* one after another, before a partition is moved from */
#define WEIR_HEAT_COOL_LOOKS 10   /* below half of isolate_percent, before it shares again */
#define WEIR_HEAT_LEAST      1000 /* messages a second in all: less is no load */

struct weir_dataplane;
struct weir_stream;

struct weir_heat {
	uint16_t stream; /* slot number of the hottest, which does not share yet */
	uint16_t partition;
	uint32_t looks;                 /* that it was hot in, one after another */
	uint64_t given;                 /* bit a worker: given away from here, not by an operator */
	uint8_t cool[WEIR_MAX_WORKERS]; /* by worker: looks that its partition was cool in */
};

struct weir_heat_change {
	const struct weir_stream *stream;
	uint16_t partition;
	uint16_t worker;
	bool is_alone; /* now */
};
typedef void (*weir_heat_visit)(void *context, const struct weir_heat_change *change);

/* After each measurement; one partition a look at most. */
void weir_heat_look(struct weir_dataplane *dataplane, weir_heat_visit visit, void *context);
