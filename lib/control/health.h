/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/backlog.h"

/*
 * How each consumer fares, looked at ten times a second:
 *
 *   healthy      takes what comes
 *   throttled    something to send, and held back by a limit for a good part of the time
 *   parked       something to send, and nothing was let through for park_ms: it costs nothing
 *   catching_up  far behind, and served in the class for that
 *   gone         not reachable
 *
 * Thresholds are the configuration's (health). Control thread only.
 */
struct weir_health;
struct weir_gateway;

#define WEIR_HEALTH_STATES(X)                                                                      \
	X(HEALTHY, "healthy")                                                                      \
	X(THROTTLED, "throttled")                                                                  \
	X(PARKED, "parked")                                                                        \
	X(CATCHING_UP, "catching_up")                                                              \
	X(GONE, "gone")

enum weir_health_state {
#define X(id, name) WEIR_HEALTH_##id,
	WEIR_HEALTH_STATES(X)
#undef X
		WEIR_HEALTH_STATE_COUNT
};

struct weir_health_status {
	enum weir_health_state state;
	const char *name;
	uint64_t since_ns;                         /* weir_loop_clock_ns of the last change */
	uint64_t entered[WEIR_HEALTH_STATE_COUNT]; /* times, by state */
	uint64_t limited_ns[WEIR_GATE_COUNT];      /* something waited, and that gate was closed */
	uint32_t held_percent; /* of the time of late, held back with something to send */
	struct weir_backlog backlog;
};

int weir_health_create(struct weir_gateway *gateway, struct weir_health **health);
void weir_health_destroy(struct weir_health *health);
/* False before the first look at it. */
bool weir_health_status(const struct weir_health *health, const struct weir_consumer *consumer,
	struct weir_health_status *status);
/* Changes into each state, of all consumers that ever were. */
void weir_health_entered(const struct weir_health *health, uint64_t *entered);
const char *weir_health_name(enum weir_health_state state);
