/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/log.h"

/*
 * Events: what happened that an operator may want to know, each a line of the log with fields, a
 * count in the metrics, and a notification to each client of the control socket that has
 * subscribed. One table; a drop reason or a gate in an event has the name that it has in the
 * metrics. Control thread only.
 */
#define WEIR_EVENTS(X)                                                                             \
	X(CONFIG_APPLIED, "config_applied", NOTICE, "a configuration was taken over")              \
	X(FEATURE_SET, "feature_set", NOTICE, "where a feature is on was set")                     \
	X(FEATURE_REVERTED, "feature_reverted", WARNING,                                           \
		"a feature's trial failed, and what was before is set again")                      \
	X(FEATURE_CONFIRMED, "feature_confirmed", NOTICE, "a feature's trial held")                \
	X(PARTITION_ALONE, "partition_alone", NOTICE,                                              \
		"a hot partition got its worker to itself, or shares it again")                    \
	X(CHAOS_BEGUN, "chaos_begun", WARNING, "a fault is injected on purpose")                   \
	X(CHAOS_OVER, "chaos_over", NOTICE, "an injected fault is over")                           \
	X(WORKER_PARKED, "worker_parked", NOTICE, "a worker was parked")                           \
	X(WORKER_WOKEN, "worker_woken", NOTICE, "a parked worker was woken")                       \
	X(CONSUMER_STATE, "consumer_state", INFO, "a consumer fares differently")                  \
	X(TROUBLE, "trouble", WARNING, "a watchdog found something wrong")                         \
	X(TROUBLE_OVER, "trouble_over", NOTICE, "a watchdog finds it well again")                  \
	X(REMEDY, "remedy", NOTICE, "a watchdog did something about it, or would have")            \
	X(DRIFT, "drift", WARNING, "something is not as the configuration, or the start, has it")  \
	X(DRIFT_OVER, "drift_over", NOTICE, "it is as intended again")                             \
	X(ALERT, "alert", WARNING, "an alert became active")                                       \
	X(ALERT_OVER, "alert_over", NOTICE, "an alert has ended")

enum weir_event_kind {
#define X(id, name, level, help) WEIR_EVENT_##id,
	WEIR_EVENTS(X)
#undef X
		WEIR_EVENT_COUNT
};

struct weir_event {
	enum weir_event_kind kind;
	const char *subject; /* what it is about: "consumer=c1" */
	const char *reason;  /* the name of a reason, gate, state, watchdog or alert; NULL: none */
	int64_t count;       /* -1: none */
	const char *text;    /* for people */
};

struct weir_gateway;

const char *weir_event_name(enum weir_event_kind kind);
void weir_event_emit(struct weir_gateway *gateway, const struct weir_event *event);
