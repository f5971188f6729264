/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/trace_json.h"

#include <stdio.h>

#include "base/reason_text.h"
#include "control/present.h"

#define ID_TEXT 33 /* and a NUL */

#define KIND_INTERNAL 1 /* of OTLP's SpanKind */
#define KIND_CONSUMER 5
#define STATUS_ERROR  2 /* of OTLP's StatusCode */

static const char *trace_id(const struct weir_trace *trace, char text[ID_TEXT])
{
	snprintf(text, ID_TEXT, "%016llx%016llx", (unsigned long long)trace->identity.trace[0],
		(unsigned long long)trace->identity.trace[1]);
	return text;
}

static const char *id_text(uint64_t id, char text[ID_TEXT])
{
	snprintf(text, ID_TEXT, "%016llx", (unsigned long long)id);
	return text;
}

/* The whole, and its stages one after another. */
static const char *span_id(const struct weir_trace *trace, uint32_t number, char text[ID_TEXT])
{
	return id_text(trace->identity.span + number, text);
}

static json_t *number_text(uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
	return json_string(text);
}

static void add_text(json_t *attributes, const char *key, const char *value)
{
	if (value != NULL && value[0] != '\0')
		json_array_append_new(attributes,
			json_pack("{s:s, s:{s:s}}", "key", key, "value", "stringValue", value));
}

static void add_number(json_t *attributes, const char *key, uint64_t value)
{
	json_array_append_new(attributes,
		json_pack("{s:s, s:{s:o}}", "key", key, "value", "intValue", number_text(value)));
}

static json_t *attributes_of(const struct weir_trace *trace, const struct weir_trace_span *span)
{
	json_t *attributes = json_array();
	const struct weir_trace_lane *lane = span->lane;

	add_text(attributes, "weir.stream", trace->stream);
	if (trace->partition != UINT16_MAX)
		add_number(attributes, "weir.partition", trace->partition);
	if (trace->appended != 0)
		add_number(attributes, "weir.sequence", trace->sequence);
	add_number(attributes, "weir.worker", span->worker);
	if (lane != NULL) {
		add_text(attributes, "weir.group", lane->group_name);
		add_text(attributes, "weir.consumer", lane->consumer_name);
		if (lane->sends > 1)
			add_number(attributes, "weir.sends", lane->sends);
	}
	if (span->gate != NULL) {
		add_text(attributes, "weir.gate", span->gate);
		add_number(attributes, "weir.held_ns", span->held_ns);
	}
	if (span->is_open)
		add_text(attributes, "weir.unfinished", "true");
	if (span->reason != WEIR_REASON_NONE)
		add_text(attributes, "weir.reason",
			weir_reason_name((enum weir_reason)span->reason));
	return attributes;
}

static json_t *export_span(
	const struct weir_trace *trace, const struct weir_trace_span *spans, uint32_t number)
{
	const struct weir_trace_span *span = &spans[number];
	char trace_text[ID_TEXT], text[ID_TEXT], parent[ID_TEXT];
	json_t *object = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o}", "traceId",
		trace_id(trace, trace_text), "spanId", span_id(trace, number, text), "name",
		span->name, "kind", number == 0 ? KIND_CONSUMER : KIND_INTERNAL,
		"startTimeUnixNano", number_text(trace->received_ns + span->start_ns),
		"endTimeUnixNano", number_text(trace->received_ns + span->end_ns), "attributes",
		attributes_of(trace, span));

	if (number != 0)
		json_object_set_new(object, "parentSpanId", json_string(span_id(trace, 0, parent)));
	else if (trace->identity.parent != 0)
		json_object_set_new(object, "parentSpanId",
			json_string(id_text(trace->identity.parent, parent)));
	if (span->reason != WEIR_REASON_NONE)
		json_object_set_new(object, "status",
			json_pack("{s:i, s:s}", "code", STATUS_ERROR, "message",
				weir_reason_text((enum weir_reason)span->reason)));
	return object;
}

void weir_trace_export(
	const struct weir_traces *traces, const struct weir_trace *trace, json_t *spans)
{
	struct weir_trace_span list[WEIR_TRACE_SPANS];
	uint32_t count = weir_trace_spans(traces, trace, list);

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(spans, export_span(trace, list, i));
}

char *weir_trace_document(json_t *spans)
{
	json_t *resource = json_array();
	json_t *document;
	char *text;

	add_text(resource, "service.name", "weir");
	add_text(resource, "service.version", WEIR_VERSION);
	document = json_pack("{s:[{s:{s:o}, s:[{s:{s:s, s:s}, s:O}]}]}", "resourceSpans",
		"resource", "attributes", resource, "scopeSpans", "scope", "name", "weir",
		"version", WEIR_VERSION, "spans", spans);
	text = document != NULL ? json_dumps(document, JSON_COMPACT) : NULL;
	json_decref(document);
	return text;
}

/* {gate: microseconds} of those that held it. */
static json_t *present_gates(const struct weir_trace_span *span)
{
	json_t *object = json_object();

	for (int gate = WEIR_GATE_OPEN + 1; gate < WEIR_GATE_COUNT; gate++)
		if (span->gates_ns[gate] != 0)
			json_object_set_new(object, weir_gate_name((enum weir_gate)gate),
				json_real((double)span->gates_ns[gate] / 1e3));
	return object;
}

static json_t *present_span(const struct weir_trace_span *span)
{
	const struct weir_trace_lane *lane = span->lane;
	bool is_dropped = span->reason != WEIR_REASON_NONE;

	return json_pack("{s:s, s:o, s:o, s:i, s:f, s:f, s:b, s:o, s:f, s:o, s:i, s:o}", "name",
		span->name, "group", weir_present_text(lane != NULL ? lane->group_name : NULL),
		"consumer", weir_present_text(lane != NULL ? lane->consumer_name : NULL), "worker",
		(int)span->worker, "start_us", (double)span->start_ns / 1e3, "duration_us",
		(double)(span->end_ns - span->start_ns) / 1e3, "open", span->is_open, "gate",
		weir_present_text(span->gate), "held_us", (double)span->held_ns / 1e3, "gates",
		present_gates(span), "sends", lane != NULL ? (int)lane->sends : 0, "reason",
		weir_present_text(
			is_dropped ? weir_reason_name((enum weir_reason)span->reason) : NULL));
}

json_t *weir_trace_summary(const struct weir_traces *traces, const struct weir_trace *trace)
{
	struct weir_trace_span spans[WEIR_TRACE_SPANS];
	uint32_t count = weir_trace_spans(traces, trace, spans);
	const struct weir_trace_span *worst = &spans[0];
	char text[ID_TEXT], parent[ID_TEXT];

	/* The stage that took longest. */
	for (uint32_t i = 1; i < count; i++)
		if (i == 1 || spans[i].end_ns - spans[i].start_ns > worst->end_ns - worst->start_ns)
			worst = &spans[i];
	return json_pack("{s:I, s:s, s:o, s:o, s:o, s:o, s:I, s:f, s:b, s:s, s:o, s:o}", "trace",
		(json_int_t)trace->number, "id", trace_id(trace, text), "parent",
		weir_present_text(trace->identity.parent != 0
					  ? id_text(trace->identity.parent, parent)
					  : NULL),
		"stream", weir_present_text(trace->stream), "partition",
		trace->partition != UINT16_MAX ? json_integer(trace->partition) : json_null(),
		"sequence",
		trace->appended != 0 ? json_integer(weir_present_count(trace->sequence))
				     : json_null(),
		"received_ns", weir_present_count(trace->received_ns), "duration_us",
		(double)spans[0].end_ns / 1e3, "open", spans[0].is_open, "longest", worst->name,
		"consumer",
		weir_present_text(worst->lane != NULL ? worst->lane->consumer_name : NULL), "gate",
		weir_present_text(worst->gate));
}

json_t *weir_trace_present(const struct weir_traces *traces, const struct weir_trace *trace)
{
	struct weir_trace_span spans[WEIR_TRACE_SPANS];
	uint32_t count = weir_trace_spans(traces, trace, spans);
	json_t *object = weir_trace_summary(traces, trace);
	json_t *list = json_array();

	for (uint32_t i = 0; i < count; i++)
		json_array_append_new(list, present_span(&spans[i]));
	json_object_set_new(object, "bytes", json_integer(trace->bytes));
	json_object_set_new(object, "spans", list);
	return object;
}
