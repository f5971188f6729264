/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * Whether all that a worker has sent so far has left the machine: its ports' queues have passed it,
 * then the rings to those workers that send for it, then the devices had time for it. Only then may
 * another worker send of the same keys: the queues of one port race. Owner worker only; private to
 * lib/dataplane.
 */

/* From now on: what has been sent before. */
void weir_settle_begin(struct weir_worker *worker, enum weir_settle_use use);
/* True when that has left. To be asked again and again. */
bool weir_settle_is_done(struct weir_worker *worker, enum weir_settle_use use);
/* The place behind what is in the ring, and whether the ring's consumer has passed such a place. */
uint32_t weir_fence_of(const struct rte_ring *ring);
bool weir_fence_is_passed(const struct rte_ring *ring, uint32_t fence);
