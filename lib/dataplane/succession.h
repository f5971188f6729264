/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * A stream whose key, partitions or ring have changed is made anew; the old one, its predecessor,
 * delivers what it holds. So that the order of each key is kept over the change, a lane of the new
 * one waits for every lane of its group in the old one that may hold messages of the same keys: for
 * those whose part of the hash overlaps its own, or for all when the key itself has changed. It
 * waits as a lane without a consumer does, so the way of a packet knows nothing of it.
 *
 * A lane of the old one is over when no message can come to it any more, and it has passed all it
 * had; or when the predecessor's time (ring.drain_ms) is up: then the rest is dropped as
 * `superseded`. Its owner says so in lane->is_over, which the owners of those that wait read. What
 * nobody confirmed to have been told of then, the new lane of the same number tells.
 *
 * Owner worker only, but for is_over; private to lib/dataplane.
 */

struct weir_model_stream;

/*
 * Partitions of successors take over the templates that came to their predecessor after its were
 * carried over, as soon as no more can come.
 */
void weir_succession_catch_up(struct weir_worker *worker);
/* Look which lanes are over, and let those go on that waited for them; seldom, and only then. */
void weir_succession_run(struct weir_worker *worker);
/* Control thread: no lane of the stream has to be waited for. */
bool weir_succession_is_over(const struct weir_model_stream *stream);
/* TSC cycles after its time was up; a worker that is stalled is not waited for longer. */
uint64_t weir_succession_grace(void);
/* After another snapshot: whether there is anything to look at. */
void weir_succession_sync(struct weir_worker *worker);
