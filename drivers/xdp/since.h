/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/failover.h"
#include "xdp/shared.h"

/*
 * What the program did for a stream, a group, a consumer since this gateway first knew it: the
 * program's own counters outlive gateways, and a consumer's are those of whoever had the slot.
 * Control thread only.
 */
struct weir_xdp_since;

/* `shared` outlives it. NULL without memory. */
struct weir_xdp_since *weir_xdp_since_create(const struct weir_xdp_shared *shared);
/* NULL is fine. */
void weir_xdp_since_free(struct weir_xdp_since *since);

/* A slot of a stream, of a group, is one that this gateway has: the first time, it begins. */
void weir_xdp_since_stream(struct weir_xdp_since *since, uint32_t slot);
void weir_xdp_since_group(struct weir_xdp_since *since, uint32_t slot);
/* The slot is another consumer's from now on. */
void weir_xdp_since_consumer(struct weir_xdp_since *since, uint16_t slot);

/* `group` is NULL for the stream itself. False: it never began, or cannot be read. */
bool weir_xdp_since_flow(struct weir_xdp_since *since, const char *stream, const char *group,
	struct weir_failover_flow *flow);
void weir_xdp_since_consumer_flow(
	const struct weir_xdp_since *since, uint16_t slot, struct weir_failover_flow *flow);
