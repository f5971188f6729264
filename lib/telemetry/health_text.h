/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "telemetry/metrics.h"

/* "ok" and true; or, a line each, what the watchdogs find wrong, and false. */
bool weir_health_text(const struct weir_samples *samples, char *text, size_t size);
