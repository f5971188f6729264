/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "telemetry/metrics.h"

/* The media type of what is printed: OpenMetrics 1.0. */
#define WEIR_EXPOSITION_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/*
 * Print a set as OpenMetrics text, "# EOF" at its end. *text is malloc'ed, the caller's to free.
 * 0 or -ENOMEM. Any thread, with a set that nobody changes.
 */
int weir_exposition_print(const struct weir_samples *samples, char **text, size_t *length);
