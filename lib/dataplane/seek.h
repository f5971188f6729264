/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * Where a lane goes on: where its group stands, or where its consumer wishes, as far as the ring
 * still holds it. Each change of place is a higher epoch. Owner worker only; private to
 * lib/dataplane.
 */

/* The lane goes on at its cursor, in a higher epoch; gaps before it are told again. */
void weir_lane_new_epoch(struct weir_lane *lane);
/* A session that has just come has chosen where to start (SUBSCRIBE). */
void weir_lane_start(struct weir_worker *worker, struct weir_lane *lane);
/* A SEEK, for those of its lanes that are ours. */
void weir_seek_take(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_seek *seek);
