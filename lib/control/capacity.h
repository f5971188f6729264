/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "control/capacity_model.h"
#include "telemetry/metrics.h"

/*
 * Headroom of workers, pools, streams, ports and consumers, from what they did of late: what is
 * used up first when the load grows, and when. Control thread only.
 */
struct weir_capacities;
struct weir_gateway;

int weir_capacities_create(struct weir_gateway *gateway, struct weir_capacities **capacities);
void weir_capacities_destroy(struct weir_capacities *capacities);
/* After a census: measure, and add the least factor of each kind to the set. */
void weir_capacities_look(
	struct weir_capacities *capacities, uint64_t now_ns, struct weir_samples *samples);
/* All that is known, in no order. */
typedef void (*weir_capacity_visit)(void *context, const struct weir_capacity *capacity);
void weir_capacities_visit(
	struct weir_capacities *capacities, weir_capacity_visit visit, void *context);
/* Consumers that were not measured, by telemetry.consumers. */
uint32_t weir_capacities_left_out(const struct weir_capacities *capacities);
