/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"

/*
 * How one receive queue fares whose packets go another way while the gateway does not take them:
 * plain values, as a port's driver or its pinned state tells them.
 */
struct weir_failover_queue {
	bool is_armed;      /* the gateway takes the packets, unless it is tripped */
	bool is_tripped;    /* it does not, in spite of being armed */
	bool has_worker;    /* whose thread lives */
	const char *reason; /* of the newest trip; NULL: there was none */
	uint64_t heartbeat_age_ns;
	uint64_t tripped_at_ns; /* CLOCK_MONOTONIC; 0: never */
	uint64_t trips;
	uint64_t redirected; /* packets given to the gateway */
	uint64_t waiting;    /* of them, not taken yet */
	uint64_t in_kernel;  /* packets of streams that went the other way */
	uint64_t lost;       /* were on their way to the gateway when it was tripped */
};

/* What went that way of one stream, or of one stream for one group. */
#define WEIR_FAILOVER_DROPS 12

struct weir_failover_drop {
	const char *name;        /* of the reason */
	enum weir_reason reason; /* the gateway's for it; NONE: it has none */
	uint64_t count;
};

struct weir_failover_flow {
	const char *stream;
	const char *group; /* NULL: the stream itself */
	uint64_t received;
	uint64_t delivered; /* of a stream: to one group at least */
	uint64_t bytes;     /* UDP payload of a stream's received, of a group's delivered */
	uint32_t drop_count;
	struct weir_failover_drop drops[WEIR_FAILOVER_DROPS];
};

typedef void (*weir_failover_visit)(void *context, const struct weir_failover_flow *flow);
