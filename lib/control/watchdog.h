/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "telemetry/metrics.h"

/*
 * Watchdogs: each looks at the figures of a moment, says what is in trouble, and may do something
 * about it. Actions are counted, limited to watchdog.per_hour a subject, and left to the operator
 * with watchdog.act false. Control thread only.
 *
 *   worker     does not come round                          nothing: it is named
 *   load       busy for long, and another has room          spread partitions by measured load
 *   port       no link; errors; sends nothing, and is full  look again at routes and neighbours
 *   pool       fewer free buffers than pool_percent         shed bulk until it has twice as many
 *   disk       the state is not written, or only slowly     write it again at once
 *   neighbour  a consumer is not reachable                  look again at routes and neighbours
 *   clock      the wall clock stepped                       nothing: it is told, for a minute
 */
#define WEIR_WATCHDOGS(X)                                                                          \
	X(WORKER, "worker", "none")                                                                \
	X(LOAD, "load", "rebalance")                                                               \
	X(PORT, "port", "look_again")                                                              \
	X(QUEUE, "queue", "restart_port")                                                          \
	X(POOL, "pool", "shed_bulk")                                                               \
	X(DISK, "disk", "write_again")                                                             \
	X(NEIGHBOUR, "neighbour", "look_again")                                                    \
	X(CLOCK, "clock", "none")

enum weir_watchdog_kind {
#define X(id, name, action) WEIR_WATCHDOG_##id,
	WEIR_WATCHDOGS(X)
#undef X
		WEIR_WATCHDOG_COUNT
};

struct weir_watchdog;
struct weir_gateway;

int weir_watchdog_create(struct weir_gateway *gateway, struct weir_watchdog **watchdog);
void weir_watchdog_destroy(struct weir_watchdog *watchdog);
/* The wall clock is ahead of the steady one by so much; the look asks the clocks and says it. */
void weir_watchdog_clock(struct weir_watchdog *watchdog, uint64_t now_ns, int64_t offset_ns);
/* Look at a set, act, and add what was found to it. */
void weir_watchdog_look(
	struct weir_watchdog *watchdog, uint64_t now_ns, struct weir_samples *samples);
