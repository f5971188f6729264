/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "telemetry/metrics.h"

/*
 * Alerts and baselines of the running gateway: judges each set, adds what it finds to it, and keeps
 * the baselines beside the state file (FILE.baseline), written by a thread of its own. Control
 * thread only.
 */
struct weir_watch;
struct weir_gateway;

int weir_watch_create(struct weir_gateway *gateway, struct weir_watch **watch);
/* Another gateway is to take over: write the baselines for it, without waiting for them. */
void weir_watch_save(struct weir_watch *watch);
/* It takes over: the file is its own from now on. */
void weir_watch_suspend(struct weir_watch *watch);
/* Writes the baselines; NULL is fine. */
void weir_watch_destroy(struct weir_watch *watch);
void weir_watch_look(struct weir_watch *watch, uint64_t now_ns, struct weir_samples *samples);
