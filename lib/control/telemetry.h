/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "base/error.h"
#include "telemetry/metrics.h"

/*
 * Takes the gateway's figures once each telemetry.interval_ms, and publishes them for HTTP,
 * rte_telemetry and the methods. Whatever fails here costs figures, never packets: an address that
 * is taken is told once and tried again. Control thread only.
 */
struct weir_telemetry;
struct weir_gateway;

int weir_telemetry_create(struct weir_gateway *gateway, struct weir_telemetry **telemetry);
/* NULL is fine. */
void weir_telemetry_destroy(struct weir_telemetry *telemetry);
/* A configuration was applied. */
void weir_telemetry_sync(struct weir_telemetry *telemetry);
/* Another gateway takes over: no figures are taken any more, and the port is free for it. */
void weir_telemetry_suspend(struct weir_telemetry *telemetry);
/* The newest figures, NULL before the first; until the next callback of the loop. */
const struct weir_samples *weir_telemetry_newest(const struct weir_telemetry *telemetry);

/* telemetry_collect.c: what the control thread knows itself. Returns consumers left out. */
uint32_t weir_telemetry_collect_control(
	struct weir_gateway *gateway, uint32_t consumer_limit, struct weir_samples *samples);
