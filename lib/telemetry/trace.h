/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"
#include "dataplane/trace.h"

/*
 * Traces: what became of single messages, put together from the events of all workers, in any
 * order between these. A bounded number is kept; the oldest makes way for a new one, finished or
 * not. From a trace its spans are made: one for each stage that the message went through, with
 * the gate that held it longest there.
 *
 *   message      from receive to the last of it
 *   receive      parse, match, key; up to the ring, the mesh, or where it was dropped
 *   mesh         on its way to the partition's owner
 *   wait         of each lane, in the ring: up to where every gate let it pass
 *   send         of each lane, up to the port's queue
 *   acknowledge  of a lane at least once, up to where the consumer's application is done
 *
 * One thread. Times are TSC; those of a span are nanoseconds since the message was received.
 */

#define WEIR_TRACE_LANES 8 /* groups of one message that are followed */
#define WEIR_TRACE_SPANS (3 + 3 * WEIR_TRACE_LANES)

struct weir_traces;

/* As others know it. */
struct weir_trace_identity {
	uint64_t trace[2];
	uint64_t span;   /* of the whole; the stages' are the numbers after it */
	uint64_t parent; /* its producer's span; 0: none is known */
};

struct weir_trace_lane {
	uint16_t group;    /* slot */
	uint16_t consumer; /* slot + 1, the latest; 0: none yet */
	uint16_t worker;   /* that has seen the newest */
	uint8_t state;     /* enum weir_trace_state, when it was appended */
	uint8_t reason;    /* enum weir_reason */
	uint8_t sends;
	bool is_reliable;
	bool has_moved; /* it was for another consumer or worker when it was appended */
	char group_name[WEIR_NAME_SIZE];
	char consumer_name[WEIR_NAME_SIZE];
	uint64_t waits, taken, sent, done, dropped; /* TSC; 0: not, or not yet */
	uint64_t before[WEIR_GATE_COUNT];           /* as it was appended */
	uint64_t held[WEIR_GATE_COUNT];             /* cycles, while it waited */
};

struct weir_trace {
	uint32_t number; /* 0: unused */
	bool is_over;
	bool is_told;    /* `finished` was called */
	uint64_t ingest; /* TSC; with `buffer`: which message */
	uint64_t buffer;
	uint64_t received_ns; /* Unix time of `ingest` */
	struct weir_trace_identity identity;
	uint64_t handed, appended, refused; /* TSC; 0: not, or not yet */
	uint64_t sequence;
	uint32_t bytes;
	uint16_t partition; /* UINT16_MAX: it has none */
	uint16_t receiver;  /* worker */
	uint16_t owner;     /* likewise, of its partition */
	uint8_t reason;     /* of `refused` */
	uint8_t lanes_told; /* as many as it has, with those that are not followed */
	uint8_t lane_count;
	char stream[WEIR_NAME_SIZE];
	struct weir_trace_lane lanes[WEIR_TRACE_LANES];
	uint32_t next; /* of its bucket, + 1 */
};

struct weir_trace_span {
	const char *name;
	uint64_t start_ns, end_ns; /* since the message was received */
	bool is_open;              /* it goes on */
	uint16_t worker;
	const struct weir_trace_lane *lane; /* NULL: of none */
	const char *gate;                   /* what held it longest; NULL: not a wait */
	uint64_t held_ns;                   /* so long */
	uint64_t gates_ns[WEIR_GATE_COUNT]; /* how long each gate has */
	uint8_t reason;                     /* dropped at its end, enum weir_reason */
};

struct weir_traces_spec {
	uint32_t keep;
	uint64_t cycles_per_s;
	uint64_t seed; /* of identities; another each time */
	void *context;
	/* Names at the moment, "" when it is gone. */
	const char *(*stream)(void *context, uint16_t slot);
	const char *(*group)(void *context, uint16_t slot);
	const char *(*consumer)(void *context, uint16_t slot);
	/* How long gates have ever been closed for it on this worker, in cycles. False: it is gone.
	 */
	bool (*held)(
		void *context, uint16_t consumer, uint16_t worker, uint64_t held[WEIR_GATE_COUNT]);
	/* It is over, or makes way before it is. */
	void (*finished)(void *context, const struct weir_trace *trace);
};

struct weir_traces_counters {
	uint64_t begun;
	uint64_t finished;
	uint64_t unfinished; /* made way before they were over */
	uint64_t open;       /* now */
	uint64_t unknown;    /* events of messages that no trace is kept of */
};

/* NULL without memory. */
struct weir_traces *weir_traces_create(const struct weir_traces_spec *spec);
void weir_traces_destroy(struct weir_traces *traces);
/* What time it is now: TSC, and Unix time in nanoseconds. Before events are added. */
void weir_traces_set_clock(struct weir_traces *traces, uint64_t tsc, uint64_t wall_ns);
void weir_traces_add(struct weir_traces *traces, const struct weir_trace_event *event);
/* Events of all workers have been added: call `finished` for what is over. */
void weir_traces_finish(struct weir_traces *traces);
const struct weir_traces_counters *weir_traces_counters(const struct weir_traces *traces);
/* The trace of this number; 0: the newest. NULL: there is none. */
const struct weir_trace *weir_traces_find(const struct weir_traces *traces, uint32_t number);
/* The one before it that is kept still; NULL: none. `trace` NULL: the newest. */
const struct weir_trace *weir_traces_before(
	const struct weir_traces *traces, const struct weir_trace *trace);

/* Its spans in order, the whole first; returns how many. Open ones end at the clock. */
uint32_t weir_trace_spans(const struct weir_traces *traces, const struct weir_trace *trace,
	struct weir_trace_span spans[WEIR_TRACE_SPANS]);
const char *weir_gate_name(enum weir_gate gate);
