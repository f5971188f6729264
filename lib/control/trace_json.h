/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>

#include "telemetry/trace.h"

/*
 * Traces as JSON: for the collector, by OTLP/HTTP (opentelemetry-proto: numbers of 64 bits are
 * texts, identities hexadecimal), and for trace_show. Control thread only.
 */

/* Its spans, behind those that the array has. */
void weir_trace_export(
	const struct weir_traces *traces, const struct weir_trace *trace, json_t *spans);
/* An ExportTraceServiceRequest of such spans; the caller frees. NULL without memory. */
char *weir_trace_document(json_t *spans);
/* A new reference, or NULL without memory. */
json_t *weir_trace_present(const struct weir_traces *traces, const struct weir_trace *trace);
/* A line of trace_list. */
json_t *weir_trace_summary(const struct weir_traces *traces, const struct weir_trace *trace);
