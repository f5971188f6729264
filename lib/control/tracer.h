/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "control/gateway.h"
#include "telemetry/post.h"
#include "telemetry/trace.h"

/*
 * Tracing, the control thread's half: rules that an operator or the configuration sets, the
 * traces that workers' events make up, and their way to a collector. While a rule is on or a trace
 * is open the events are looked at by a timer; else there is nothing to do.
 *
 * A rule is used again only when no worker can be looking at it. All functions: control thread.
 */

struct weir_tracer_rule {
	uint32_t id; /* 0: unused; that of the configuration's has one as well */
	bool is_on;
	bool is_configured;   /* trace.sample: it has no end */
	const char *ended_by; /* count, seconds, stop, configuration; NULL: it is on */
	struct weir_trace_rule rule;
	char key[WEIR_KEY_TEXT]; /* as it was given; "": none */
	uint32_t count;          /* messages at most */
	uint64_t until_ns;       /* weir_loop_clock_ns */
	int64_t left;            /* when it ended */
	uint64_t token;          /* of the quiescent state that its place waits for */
};

struct weir_tracer;

int weir_tracer_create(struct weir_gateway *gateway, struct weir_tracer **tracer);
void weir_tracer_destroy(struct weir_tracer *tracer);
/* The configuration may be another. */
void weir_tracer_follow(struct weir_tracer *tracer);
/* A producer has come whose messages may have a trace context. */
void weir_tracer_expect_contexts(struct weir_tracer *tracer);
/* -EBUSY as many rules are on as may be, -ENOMEM. `wanted` has rule, key and count. */
int weir_tracer_start(struct weir_tracer *tracer, const struct weir_tracer_rule *wanted,
	uint64_t seconds, uint32_t *id, struct weir_error *error);
/* -ENOENT: none of this number is on; 0: all that the configuration has not set. */
int weir_tracer_stop(struct weir_tracer *tracer, uint32_t id);
/* The places of rules, WEIR_TRACE_RULES of them. */
const struct weir_tracer_rule *weir_tracer_rules(const struct weir_tracer *tracer);
/* Messages that it may still pick. */
int64_t weir_tracer_left(const struct weir_tracer *tracer, const struct weir_tracer_rule *rule);
/* What workers have told up to now; NULL: nothing was ever traced. */
const struct weir_traces *weir_tracer_look(struct weir_tracer *tracer);

struct weir_tracer_counters {
	struct weir_traces_counters traces;
	uint64_t lost; /* events for which there was no room */
	struct weir_post_counters post;
};
struct weir_tracer_counters weir_tracer_counters(const struct weir_tracer *tracer);
