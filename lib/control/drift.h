/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "telemetry/metrics.h"

/*
 * Drift: what the gateway runs with is held against the configuration, and what it stands on
 * (huge pages, CPUs, devices, settings of the kernel) against what was there when it began. Each
 * difference is an event when it begins and ends, and counted. Control thread only; a look is
 * taken now and then, takes well under a millisecond, and blocks on nothing.
 */
struct weir_drift;
struct weir_gateway;

int weir_drift_create(struct weir_gateway *gateway, struct weir_drift **drift);
void weir_drift_destroy(struct weir_drift *drift);
/* What the gateway stands on now is the reference, unless there is one. */
void weir_drift_sync(struct weir_drift *drift);
void weir_drift_add_samples(const struct weir_drift *drift, struct weir_samples *samples);
