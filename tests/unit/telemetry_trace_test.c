/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

#include "telemetry/trace.h"

/* Events become traces, and these spans; a cycle is a nanosecond here. */

#define WALL    UINT64_C(1700000000000000000)
#define RECEIPT UINT64_C(1000000)

static uint32_t told;
static uint32_t told_numbers[64];
static uint64_t live[WEIR_GATE_COUNT];

static const char *stream_name(void *context, uint16_t slot)
{
	(void)context;
	return slot == 3 ? "flows" : "";
}

static const char *group_name(void *context, uint16_t slot)
{
	(void)context;
	return slot == 1 ? "one" : "two";
}

static const char *consumer_name(void *context, uint16_t slot)
{
	static char name[8];

	(void)context;
	snprintf(name, sizeof(name), "c%u", slot);
	return name;
}

static bool held_now(void *context, uint16_t consumer, uint16_t worker, uint64_t *held)
{
	(void)context;
	(void)consumer;
	(void)worker;
	memcpy(held, live, sizeof(live));
	return true;
}

static void on_finished(void *context, const struct weir_trace *trace)
{
	(void)context;
	told_numbers[told++ % 64] = trace->number;
}

static struct weir_traces *open_traces(uint32_t keep)
{
	const struct weir_traces_spec spec = {.keep = keep,
		.cycles_per_s = 1000000000,
		.seed = 1,
		.stream = stream_name,
		.group = group_name,
		.consumer = consumer_name,
		.held = held_now,
		.finished = on_finished};
	struct weir_traces *traces = weir_traces_create(&spec);

	CU_ASSERT_PTR_NOT_NULL_FATAL(traces);
	told = 0;
	weir_traces_set_clock(traces, RECEIPT + 500000, WALL + 500000);
	return traces;
}

static struct weir_trace_event event_of(enum weir_trace_kind kind, uint64_t buffer, uint64_t after)
{
	return (struct weir_trace_event){.ingest = RECEIPT,
		.buffer = buffer,
		.time = RECEIPT + after,
		.sequence = 77,
		.bytes = 200,
		.stream = 3,
		.partition = 5,
		.worker = 1,
		.kind = (uint8_t)kind,
		.lanes = 1};
}

/* Of the lane of group `group`, whose consumer is c<group>. */
static struct weir_trace_event lane_event(
	enum weir_trace_kind kind, uint16_t group, uint64_t after, bool is_reliable)
{
	struct weir_trace_event event = event_of(kind, 9, after);

	event.group = group;
	event.consumer = (uint16_t)(group + 1);
	event.is_reliable = is_reliable;
	return event;
}

static void add(struct weir_traces *traces, struct weir_trace_event event)
{
	weir_traces_add(traces, &event);
}

static const struct weir_trace_span *find(
	const struct weir_trace_span *spans, uint32_t count, const char *name, const char *consumer)
{
	for (uint32_t i = 0; i < count; i++)
		if (strcmp(spans[i].name, name) == 0 &&
			(consumer == NULL ||
				(spans[i].lane != NULL &&
					strcmp(spans[i].lane->consumer_name, consumer) == 0)))
			return &spans[i];
	CU_FAIL_FATAL("no such span");
	return NULL;
}

static void expect_times(const struct weir_trace_span *span, uint64_t start, uint64_t end)
{
	CU_ASSERT_EQUAL(span->start_ns, start);
	CU_ASSERT_EQUAL(span->end_ns, end);
	CU_ASSERT_FALSE(span->is_open);
}

/* Two lanes, one at least once, by way of the mesh; the rings of workers are emptied in any order.
 */
static void each_stage_is_a_span_with_the_gate_that_held_it(void)
{
	struct weir_traces *traces = open_traces(16);
	struct weir_trace_span spans[WEIR_TRACE_SPANS];
	struct weir_trace_event event = event_of(WEIR_TRACE_APPENDED, 9, 300);
	const struct weir_trace_span *span;
	const struct weir_trace *trace;
	uint32_t count;

	event.lanes = 2;
	add(traces, event);
	event = lane_event(WEIR_TRACE_WAITS, 1, 310, false);
	event.held[WEIR_GATE_PACKET_RATE] = 5000;
	add(traces, event);
	add(traces, lane_event(WEIR_TRACE_WAITS, 2, 320, true));
	event = lane_event(WEIR_TRACE_TAKEN, 1, 10310, false);
	event.held[WEIR_GATE_PACKET_RATE] = 14000;
	event.held[WEIR_GATE_PORT_FULL] = 500;
	add(traces, event);
	add(traces, lane_event(WEIR_TRACE_TAKEN, 2, 420, true));
	add(traces, lane_event(WEIR_TRACE_SENT, 2, 450, true));
	add(traces, lane_event(WEIR_TRACE_AGAIN, 2, 1450, true));
	add(traces, lane_event(WEIR_TRACE_SENT, 1, 10400, false));
	weir_traces_finish(traces);
	CU_ASSERT_EQUAL(told, 0);
	add(traces, lane_event(WEIR_TRACE_DONE, 2, 20450, true));
	event = event_of(WEIR_TRACE_HANDED, 9, 100);
	event.worker = 0;
	add(traces, event);
	weir_traces_finish(traces);
	weir_traces_finish(traces);
	CU_ASSERT_EQUAL(told, 1);

	trace = weir_traces_find(traces, 0);
	CU_ASSERT_PTR_NOT_NULL_FATAL(trace);
	CU_ASSERT_TRUE(trace->is_over);
	CU_ASSERT_STRING_EQUAL(trace->stream, "flows");
	CU_ASSERT_EQUAL(trace->received_ns, WALL);
	CU_ASSERT_EQUAL(trace->sequence, 77);
	count = weir_trace_spans(traces, trace, spans);
	CU_ASSERT_EQUAL(count, 8);
	expect_times(&spans[0], 0, 20450);
	expect_times(find(spans, count, "receive", NULL), 0, 100);
	CU_ASSERT_EQUAL(find(spans, count, "receive", NULL)->worker, 0);
	expect_times(find(spans, count, "mesh", NULL), 100, 300);
	CU_ASSERT_EQUAL(find(spans, count, "mesh", NULL)->worker, 1);
	span = find(spans, count, "wait", "c1");
	expect_times(span, 310, 10310);
	CU_ASSERT_STRING_EQUAL(span->gate, "packet_rate");
	CU_ASSERT_EQUAL(span->held_ns, 9000);
	CU_ASSERT_EQUAL(span->gates_ns[WEIR_GATE_PORT_FULL], 500);
	CU_ASSERT_STRING_EQUAL(span->lane->group_name, "one");
	expect_times(find(spans, count, "send", "c1"), 10310, 10400);
	span = find(spans, count, "wait", "c2");
	CU_ASSERT_STRING_EQUAL(span->gate, "open");
	CU_ASSERT_EQUAL(span->held_ns, 100);
	span = find(spans, count, "acknowledge", "c2");
	expect_times(span, 450, 20450);
	CU_ASSERT_EQUAL(span->lane->sends, 2);
	weir_traces_destroy(traces);
}

static void a_drop_ends_a_trace_with_its_reason(void)
{
	struct weir_traces *traces = open_traces(16);
	struct weir_trace_span spans[WEIR_TRACE_SPANS];
	struct weir_trace_event event = event_of(WEIR_TRACE_REFUSED, 1, 40);
	const struct weir_trace_span *span;
	uint32_t count;

	event.reason = WEIR_REASON_SHED;
	add(traces, event);
	CU_ASSERT_EQUAL(weir_trace_spans(traces, weir_traces_find(traces, 0), spans), 2);
	CU_ASSERT_EQUAL(spans[1].reason, WEIR_REASON_SHED);
	expect_times(&spans[0], 0, 40);

	add(traces, event_of(WEIR_TRACE_APPENDED, 9, 50));
	add(traces, lane_event(WEIR_TRACE_WAITS, 1, 60, true));
	event = lane_event(WEIR_TRACE_DROPPED, 1, 1060, true);
	event.reason = WEIR_REASON_LAPPED;
	event.held[WEIR_GATE_UNREACHABLE] = 990;
	add(traces, event);
	count = weir_trace_spans(traces, weir_traces_find(traces, 0), spans);
	span = find(spans, count, "wait", "c1");
	CU_ASSERT_EQUAL(span->reason, WEIR_REASON_LAPPED);
	CU_ASSERT_STRING_EQUAL(span->gate, "unreachable");
	weir_traces_finish(traces);
	CU_ASSERT_EQUAL(told, 2);
	CU_ASSERT_EQUAL(weir_traces_counters(traces)->open, 0);
	weir_traces_destroy(traces);
}

static void what_waits_still_shows_the_gate_up_to_now(void)
{
	struct weir_traces *traces = open_traces(16);
	struct weir_trace_span spans[WEIR_TRACE_SPANS];
	struct weir_trace_event event = lane_event(WEIR_TRACE_WAITS, 1, 1000, false);
	const struct weir_trace_span *span;
	uint32_t count;

	add(traces, event_of(WEIR_TRACE_APPENDED, 9, 900));
	event.held[WEIR_GATE_CREDIT_BYTES] = 100;
	add(traces, event);
	live[WEIR_GATE_CREDIT_BYTES] = 100 + 400000;
	count = weir_trace_spans(traces, weir_traces_find(traces, 0), spans);
	span = find(spans, count, "wait", "c1");
	CU_ASSERT_TRUE(span->is_open);
	CU_ASSERT_TRUE(spans[0].is_open);
	CU_ASSERT_EQUAL(span->end_ns, 500000);
	CU_ASSERT_EQUAL(spans[0].end_ns, 500000);
	CU_ASSERT_STRING_EQUAL(span->gate, "credit_bytes");
	CU_ASSERT_EQUAL(span->held_ns, 400000);
	live[WEIR_GATE_CREDIT_BYTES] = 0;
	/* Another consumer has taken over: what gates counted for the first says nothing of it. */
	event = lane_event(WEIR_TRACE_TAKEN, 1, 2000, false);
	event.consumer = 8;
	add(traces, event);
	count = weir_trace_spans(traces, weir_traces_find(traces, 0), spans);
	CU_ASSERT_STRING_EQUAL(find(spans, count, "wait", "c7")->gate, "handover");
	weir_traces_destroy(traces);
}

static void the_oldest_makes_way_and_is_counted(void)
{
	struct weir_traces *traces = open_traces(16);
	const struct weir_trace *trace = NULL;
	uint32_t count = 0;

	for (uint64_t buffer = 100; buffer < 140; buffer++)
		add(traces, event_of(WEIR_TRACE_APPENDED, buffer, 10));
	CU_ASSERT_EQUAL(weir_traces_counters(traces)->begun, 40);
	CU_ASSERT_EQUAL(weir_traces_counters(traces)->unfinished, 24);
	CU_ASSERT_EQUAL(weir_traces_counters(traces)->open, 16);
	CU_ASSERT_EQUAL(told, 24);
	CU_ASSERT_EQUAL(told_numbers[0], 1);
	CU_ASSERT_PTR_NULL(weir_traces_find(traces, 24));
	CU_ASSERT_PTR_NOT_NULL(weir_traces_find(traces, 25));
	CU_ASSERT_PTR_NULL(weir_traces_find(traces, 41));
	while ((trace = weir_traces_before(traces, trace)) != NULL)
		CU_ASSERT_EQUAL(trace->number, 40 - count++);
	CU_ASSERT_EQUAL(count, 16);
	/* What is told of one that is gone is counted, and begins none. */
	add(traces, lane_event(WEIR_TRACE_SENT, 1, 50, false));
	CU_ASSERT_EQUAL(weir_traces_counters(traces)->unknown, 1);
	CU_ASSERT_EQUAL(weir_traces_counters(traces)->begun, 40);
	weir_traces_destroy(traces);
}

/* More groups than are followed: the trace is over when those are. */
static void no_more_lanes_are_followed_than_there_is_room_for(void)
{
	struct weir_traces *traces = open_traces(16);
	struct weir_trace_span spans[WEIR_TRACE_SPANS];
	struct weir_trace_event event = event_of(WEIR_TRACE_APPENDED, 9, 10);

	event.lanes = 64;
	add(traces, event);
	for (uint16_t group = 0; group < 64; group++)
		add(traces, lane_event(WEIR_TRACE_WAITS, group, 20, true));
	for (uint16_t group = 0; group < 64; group++) {
		add(traces, lane_event(WEIR_TRACE_TAKEN, group, 30, true));
		add(traces, lane_event(WEIR_TRACE_SENT, group, 40, true));
		CU_ASSERT_EQUAL(weir_traces_counters(traces)->finished, group >= WEIR_TRACE_LANES);
		add(traces, lane_event(WEIR_TRACE_DONE, group, 50, true));
	}
	CU_ASSERT_EQUAL(weir_trace_spans(traces, weir_traces_find(traces, 0), spans),
		2 + 3 * WEIR_TRACE_LANES);
	weir_traces_destroy(traces);
}

/* What a producer says of it goes before what we make up. */
static void a_producers_trace_is_the_messages(void)
{
	struct weir_traces *traces = open_traces(16);
	struct weir_trace_event event = event_of(WEIR_TRACE_APPENDED, 9, 300);
	const struct weir_trace *trace;

	add(traces, event_of(WEIR_TRACE_REFUSED, 8, 10));
	CU_ASSERT_EQUAL(weir_traces_find(traces, 0)->identity.parent, 0);
	event.has_context = true;
	event.context = (struct weir_message_context){
		.wire = {.trace_id = {[0] = 0x12, [15] = 0x34}, .span_id = {0x20, [7] = 1}},
		.parent = {[0] = 0x80, [7] = 7}};
	add(traces, event);
	trace = weir_traces_find(traces, 0);
	CU_ASSERT_EQUAL(trace->identity.trace[0], UINT64_C(0x1200000000000000));
	CU_ASSERT_EQUAL(trace->identity.trace[1], 0x34);
	CU_ASSERT_EQUAL(trace->identity.span, UINT64_C(0x2000000000000001));
	CU_ASSERT_EQUAL(trace->identity.parent, UINT64_C(0x8000000000000007));
	weir_traces_destroy(traces);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"each stage is a span with the gate that held it",
			each_stage_is_a_span_with_the_gate_that_held_it},
		{"a drop ends a trace with its reason", a_drop_ends_a_trace_with_its_reason},
		{"what waits still shows the gate up to now",
			what_waits_still_shows_the_gate_up_to_now},
		{"the oldest makes way and is counted", the_oldest_makes_way_and_is_counted},
		{"no more lanes are followed than there is room for",
			no_more_lanes_are_followed_than_there_is_room_for},
		{"a producer's trace is the message's", a_producers_trace_is_the_messages},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {{"traces", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
