/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * A run: consecutive messages of one lane, taken at once. It is what nearly every turn of a blind
 * consumer consists of, when its outlet has no limits and the lane leaves nothing out: then all
 * that a message needs is new headers, and everything is counted once for the run. Private to
 * lib/dataplane.
 */

/* Whether the lane's messages may be taken in runs, in this turn. */
static inline bool weir_run_may(const struct weir_lane *lane, const struct weir_route *route)
{
	const struct weir_outlet *outlet = lane->outlet;

	return outlet->limits == 0 && outlet->consumer->class != WEIR_CLASS_NATIVE &&
	       route->ip_version == 4 && lane->filter == NULL && lane->sample == 1 &&
	       lane->sample_left == 0;
}

/*
 * Send up to `most` of the lane's next messages, as long as they are IPv4, neither too old
 * nor too big, and there is room in the port's queue and in the queue's deficit. Returns how many:
 * with 0, the next message is not one for a run.
 */
uint32_t weir_run_send(struct weir_worker *worker, struct weir_queue *queue, struct weir_lane *lane,
	const struct weir_route *route, uint32_t most);
