/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/bytes.h"
#include "wire/hash.h"

struct weir_traces {
	struct weir_traces_spec spec;
	uint64_t tsc, wall_ns; /* the clock */
	struct weir_traces_counters counters;
	uint32_t bucket_mask;
	uint32_t *buckets; /* of messages, place + 1; 0: none */
	uint32_t newest;   /* number */
	uint32_t *over;    /* numbers of those that are, and were not told yet */
	uint32_t over_count;
	struct weir_trace *list; /* spec.keep places; number n is at n % keep */
};

const char *weir_gate_name(enum weir_gate gate)
{
	static const char *const names[] = {
#define X(id, name) [WEIR_GATE_##id] = name,
		WEIR_GATES(X)
#undef X
	};

	return names[gate];
}

struct weir_traces *weir_traces_create(const struct weir_traces_spec *spec)
{
	struct weir_traces *traces = calloc(1, sizeof(*traces));

	if (traces == NULL)
		return NULL;
	traces->spec = *spec;
	for (traces->bucket_mask = 1; traces->bucket_mask < spec->keep;)
		traces->bucket_mask *= 2;
	traces->buckets = calloc(traces->bucket_mask, sizeof(*traces->buckets));
	traces->bucket_mask--;
	traces->list = calloc(spec->keep, sizeof(*traces->list));
	traces->over = calloc(spec->keep, sizeof(*traces->over));
	if (traces->buckets != NULL && traces->list != NULL && traces->over != NULL)
		return traces;
	weir_traces_destroy(traces);
	return NULL;
}

void weir_traces_destroy(struct weir_traces *traces)
{
	if (traces == NULL)
		return;
	free(traces->buckets);
	free(traces->list);
	free(traces->over);
	free(traces);
}

void weir_traces_set_clock(struct weir_traces *traces, uint64_t tsc, uint64_t wall_ns)
{
	traces->tsc = tsc;
	traces->wall_ns = wall_ns;
}

static uint64_t cycles_to_ns(const struct weir_traces *traces, uint64_t cycles)
{
	return (uint64_t)((unsigned __int128)cycles * 1000000000u / traces->spec.cycles_per_s);
}

/* Clocks of two cores may differ a little: what seems to lie before is at the same time. */
static uint64_t since(const struct weir_traces *traces, uint64_t from, uint64_t to)
{
	return (int64_t)(to - from) > 0 ? cycles_to_ns(traces, to - from) : 0;
}

static uint32_t *bucket_of(const struct weir_traces *traces, uint64_t ingest, uint64_t buffer)
{
	uint64_t hash = weir_hash_word(weir_hash_word(WEIR_HASH_START, ingest), buffer);

	return &traces->buckets[weir_hash_finish(hash) & traces->bucket_mask];
}

static struct weir_trace *find(
	const struct weir_traces *traces, const struct weir_trace_event *event)
{
	uint32_t place = *bucket_of(traces, event->ingest, event->buffer);

	while (place != 0) {
		struct weir_trace *trace = &traces->list[place - 1];

		if (trace->ingest == event->ingest && trace->buffer == event->buffer)
			return trace;
		place = trace->next;
	}
	return NULL;
}

static void unlink_trace(struct weir_traces *traces, const struct weir_trace *trace)
{
	uint32_t *link = bucket_of(traces, trace->ingest, trace->buffer);

	while (*link != 0) {
		struct weir_trace *other = &traces->list[*link - 1];

		if (other == trace) {
			*link = trace->next;
			return;
		}
		link = &other->next;
	}
}

static void tell(struct weir_traces *traces, struct weir_trace *trace)
{
	if (trace->is_told)
		return;
	trace->is_told = true;
	traces->spec.finished(traces->spec.context, trace);
}

static void make_way(struct weir_traces *traces, struct weir_trace *trace)
{
	if (!trace->is_over) {
		traces->counters.unfinished++;
		traces->counters.open--;
	}
	tell(traces, trace);
	unlink_trace(traces, trace);
}

static void set_name(char place[WEIR_NAME_SIZE], const char *name)
{
	snprintf(place, WEIR_NAME_SIZE, "%s", name);
}

/* None of the numbers is 0, and none that follows a span's wraps. */
static struct weir_trace_identity identify(uint64_t seed, const struct weir_trace_event *event)
{
	uint64_t hash = weir_hash_word(weir_hash_word(seed, event->ingest), event->buffer);

	return (struct weir_trace_identity){
		.trace = {weir_hash_finish(hash), weir_hash_finish(hash ^ WEIR_HASH_START) | 1},
		.span = weir_hash_finish(hash ^ WEIR_HASH_FINAL) >> 1 | 1};
}

/* A number of eight bytes of a context. */
static uint64_t load(const uint8_t bytes[8])
{
	uint64_t number;

	memcpy(&number, bytes, sizeof(number));
	return weir_be64(number);
}

/* As its producer says, and as consumers are told. */
static struct weir_trace_identity identity_of(const struct weir_message_context *context)
{
	return (struct weir_trace_identity){
		.trace = {load(context->wire.trace_id), load(context->wire.trace_id + 8)},
		.span = load(context->wire.span_id),
		.parent = load(context->parent)};
}

static struct weir_trace *begin(struct weir_traces *traces, const struct weir_trace_event *event)
{
	uint32_t number = ++traces->newest != 0 ? traces->newest : ++traces->newest;
	uint32_t place = number % traces->spec.keep;
	struct weir_trace *trace = &traces->list[place];
	uint32_t *bucket;

	if (trace->number != 0)
		make_way(traces, trace);
	bucket = bucket_of(traces, event->ingest, event->buffer);
	*trace = (struct weir_trace){.number = number,
		.ingest = event->ingest,
		.buffer = event->buffer,
		.received_ns = traces->wall_ns - since(traces, event->ingest, traces->tsc),
		.next = *bucket,
		.partition = event->partition,
		.bytes = event->bytes,
		.receiver = event->worker,
		.owner = event->worker};
	*bucket = place + 1;
	trace->identity = event->has_context ? identity_of(&event->context)
					     : identify(traces->spec.seed, event);
	set_name(trace->stream, traces->spec.stream(traces->spec.context, event->stream));
	traces->counters.begun++;
	traces->counters.open++;
	return trace;
}

static struct weir_trace_lane *lane_of(
	struct weir_traces *traces, struct weir_trace *trace, const struct weir_trace_event *event)
{
	struct weir_trace_lane *lane;

	for (uint32_t i = 0; i < trace->lane_count; i++)
		if (trace->lanes[i].group == event->group)
			return &trace->lanes[i];
	if (trace->lane_count == WEIR_TRACE_LANES)
		return NULL;
	lane = &trace->lanes[trace->lane_count++];
	*lane = (struct weir_trace_lane){.group = event->group};
	set_name(lane->group_name, traces->spec.group(traces->spec.context, event->group));
	return lane;
}

/* How long each gate has held it; what it had before counted for another, if it has moved. */
static void end_wait(struct weir_trace_lane *lane, const struct weir_trace_event *event)
{
	if (lane->has_moved)
		return;
	for (int gate = 0; gate < WEIR_GATE_COUNT; gate++)
		lane->held[gate] = event->held[gate] - lane->before[gate];
}

static void add_to_lane(struct weir_traces *traces, struct weir_trace_lane *lane,
	const struct weir_trace_event *event)
{
	bool is_same = lane->consumer == event->consumer && lane->worker == event->worker;

	if (event->kind != WEIR_TRACE_WAITS && !is_same && lane->taken == 0)
		lane->has_moved = true;
	if (lane->consumer != event->consumer && event->consumer != 0)
		set_name(lane->consumer_name, traces->spec.consumer(traces->spec.context,
						      (uint16_t)(event->consumer - 1)));
	lane->consumer = event->consumer;
	lane->worker = event->worker;
	lane->is_reliable = event->is_reliable;
	switch (event->kind) {
	case WEIR_TRACE_WAITS:
		lane->waits = event->time;
		lane->state = event->state;
		memcpy(lane->before, event->held, sizeof(lane->before));
		break;
	case WEIR_TRACE_TAKEN:
		lane->sends += lane->sends != UINT8_MAX;
		if (lane->taken != 0)
			break;
		lane->taken = event->time;
		end_wait(lane, event);
		break;
	case WEIR_TRACE_SENT:
		if (lane->sent == 0)
			lane->sent = event->time;
		break;
	case WEIR_TRACE_AGAIN:
		lane->sends += lane->sends != UINT8_MAX;
		break;
	case WEIR_TRACE_DONE:
		lane->done = event->time;
		break;
	default:
		lane->dropped = event->time;
		lane->reason = event->reason;
		if (lane->taken == 0)
			end_wait(lane, event);
	}
}

static bool is_lane_over(const struct weir_trace_lane *lane)
{
	if (lane->dropped != 0)
		return true;
	return lane->is_reliable ? lane->done != 0 : lane->sent != 0;
}

static bool is_over(const struct weir_trace *trace)
{
	uint32_t lanes =
		trace->lanes_told < WEIR_TRACE_LANES ? trace->lanes_told : WEIR_TRACE_LANES;

	if (trace->refused != 0)
		return true;
	if (trace->appended == 0 || trace->lane_count < lanes)
		return false;
	for (uint32_t i = 0; i < trace->lane_count; i++)
		if (!is_lane_over(&trace->lanes[i]))
			return false;
	return true;
}

/* A message's first event may be any of these: the rings of two workers are emptied in turn. */
static bool is_beginning(const struct weir_trace_event *event)
{
	return event->kind == WEIR_TRACE_HANDED || event->kind == WEIR_TRACE_APPENDED ||
	       event->kind == WEIR_TRACE_REFUSED;
}

static void add_to_message(struct weir_trace *trace, const struct weir_trace_event *event)
{
	switch (event->kind) {
	case WEIR_TRACE_HANDED:
		trace->handed = event->time;
		trace->receiver = event->worker;
		break;
	case WEIR_TRACE_REFUSED:
		trace->refused = event->time;
		trace->reason = event->reason;
		break;
	default:
		trace->appended = event->time;
		trace->sequence = event->sequence;
		trace->lanes_told = event->lanes;
		trace->owner = event->worker;
	}
}

void weir_traces_add(struct weir_traces *traces, const struct weir_trace_event *event)
{
	struct weir_trace *trace = find(traces, event);
	struct weir_trace_lane *lane;

	if (trace == NULL && is_beginning(event))
		trace = begin(traces, event);
	if (trace == NULL || (trace->is_over && event->kind != WEIR_TRACE_HANDED)) {
		traces->counters.unknown += trace == NULL;
		return;
	}
	if (is_beginning(event)) {
		add_to_message(trace, event);
	} else {
		lane = lane_of(traces, trace, event);
		if (lane != NULL)
			add_to_lane(traces, lane, event);
	}
	if (trace->is_over || !is_over(trace))
		return;
	trace->is_over = true;
	traces->counters.open--;
	traces->counters.finished++;
	if (traces->over_count == traces->spec.keep)
		weir_traces_finish(traces);
	traces->over[traces->over_count++] = trace->number;
}

void weir_traces_finish(struct weir_traces *traces)
{
	for (uint32_t i = 0; i < traces->over_count; i++) {
		struct weir_trace *trace = &traces->list[traces->over[i] % traces->spec.keep];

		if (trace->number == traces->over[i])
			tell(traces, trace);
	}
	traces->over_count = 0;
}

const struct weir_traces_counters *weir_traces_counters(const struct weir_traces *traces)
{
	return &traces->counters;
}

const struct weir_trace *weir_traces_find(const struct weir_traces *traces, uint32_t number)
{
	const struct weir_trace *trace;

	number = number != 0 ? number : traces->newest;
	trace = &traces->list[number % traces->spec.keep];
	return number != 0 && trace->number == number ? trace : NULL;
}

const struct weir_trace *weir_traces_before(
	const struct weir_traces *traces, const struct weir_trace *trace)
{
	uint32_t number = trace != NULL ? trace->number - 1 : traces->newest;

	return number != 0 ? weir_traces_find(traces, number) : NULL;
}

/* From one moment to another; `end` 0: it goes on. */
static struct weir_trace_span *add_span(const struct weir_traces *traces,
	const struct weir_trace *trace, struct weir_trace_span *span, const char *name,
	const uint64_t moments[2])
{
	*span = (struct weir_trace_span){.name = name,
		.start_ns = since(traces, trace->ingest, moments[0]),
		.is_open = moments[1] == 0,
		.worker = trace->owner};
	span->end_ns = since(traces, trace->ingest, moments[1] != 0 ? moments[1] : traces->tsc);
	if (span->end_ns < span->start_ns)
		span->end_ns = span->start_ns;
	return span;
}

static const char *state_name(const struct weir_trace_lane *lane)
{
	static const char *const names[] = {[WEIR_TRACE_QUEUED] = "open",
		[WEIR_TRACE_NO_CONSUMER] = "no_consumer",
		[WEIR_TRACE_HANDOVER] = "handover",
		[WEIR_TRACE_PAUSED] = "paused"};

	return lane->has_moved ? names[WEIR_TRACE_HANDOVER] : names[lane->state];
}

/* How long each gate has held the lane, up to now if it waits still. */
static void find_held(const struct weir_traces *traces, const struct weir_trace_span *span,
	uint64_t held[WEIR_GATE_COUNT])
{
	const struct weir_trace_lane *lane = span->lane;

	memcpy(held, lane->held, sizeof(lane->held));
	if (!span->is_open || lane->has_moved || lane->consumer == 0 ||
		!traces->spec.held(
			traces->spec.context, (uint16_t)(lane->consumer - 1), lane->worker, held))
		return;
	for (int gate = 0; gate < WEIR_GATE_COUNT; gate++)
		held[gate] = (int64_t)(held[gate] - lane->before[gate]) > 0
				     ? held[gate] - lane->before[gate]
				     : 0;
}

/* What kept it longest: a gate, or what no gate explains. */
static void find_gate(const struct weir_traces *traces, struct weir_trace_span *span)
{
	uint64_t rest = span->end_ns - span->start_ns;
	uint64_t held[WEIR_GATE_COUNT];
	uint64_t all = 0;

	find_held(traces, span, held);
	for (int gate = WEIR_GATE_OPEN + 1; gate < WEIR_GATE_COUNT; gate++) {
		uint64_t ns = cycles_to_ns(traces, held[gate]);

		ns = ns < rest ? ns : rest;
		span->gates_ns[gate] = ns;
		all += ns;
		if (ns <= span->held_ns)
			continue;
		span->held_ns = ns;
		span->gate = weir_gate_name((enum weir_gate)gate);
	}
	rest = rest > all ? rest - all : 0;
	if (span->gate == NULL || rest > span->held_ns) {
		span->gate = state_name(span->lane);
		span->held_ns = rest;
	}
}

static uint32_t add_lane(const struct weir_traces *traces, const struct weir_trace *trace,
	const struct weir_trace_lane *lane, struct weir_trace_span *spans)
{
	uint64_t left = lane->taken != 0 ? lane->taken : lane->dropped;
	uint32_t count = 0;

	/* What was there when it came is lost, if the event was. */
	if (lane->waits != 0)
		add_span(traces, trace, &spans[count++], "wait",
			(const uint64_t[]){lane->waits, left});
	if (lane->taken != 0)
		add_span(traces, trace, &spans[count++], "send",
			(const uint64_t[]){lane->taken, lane->sent});
	if (lane->sent != 0 && lane->is_reliable)
		add_span(traces, trace, &spans[count++], "acknowledge",
			(const uint64_t[]){
				lane->sent, lane->done != 0 ? lane->done : lane->dropped});
	for (uint32_t i = 0; i < count; i++) {
		spans[i].lane = lane;
		spans[i].worker = lane->worker;
	}
	if (count != 0)
		spans[count - 1].reason = lane->reason;
	if (lane->waits != 0)
		find_gate(traces, &spans[0]);
	return count;
}

uint32_t weir_trace_spans(const struct weir_traces *traces, const struct weir_trace *trace,
	struct weir_trace_span spans[WEIR_TRACE_SPANS])
{
	uint64_t ringed = trace->appended != 0 ? trace->appended : trace->refused;
	uint64_t received = trace->handed != 0 ? trace->handed : ringed;
	uint32_t count = 1;

	add_span(traces, trace, &spans[0], "message",
		(const uint64_t[]){trace->ingest, trace->ingest});
	spans[0].is_open = !trace->is_over;
	spans[0].worker = trace->receiver;
	add_span(traces, trace, &spans[count++], "receive",
		(const uint64_t[]){trace->ingest, received})
		->worker = trace->receiver;
	if (trace->handed != 0)
		add_span(traces, trace, &spans[count++], "mesh",
			(const uint64_t[]){trace->handed, ringed});
	spans[count - 1].reason = trace->reason;
	for (uint32_t i = 0; i < trace->lane_count; i++)
		count += add_lane(traces, trace, &trace->lanes[i], &spans[count]);
	for (uint32_t i = 1; i < count; i++)
		if (spans[i].end_ns > spans[0].end_ns)
			spans[0].end_ns = spans[i].end_ns;
	return count;
}
