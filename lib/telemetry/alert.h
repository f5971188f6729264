/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "telemetry/metrics.h"

/*
 * Alerts on sustained deviation alone. For each series of an alert, each look gives a bad part and
 * a whole: for a ratio the growth of two counters, otherwise 0 or 1 of 1. An alert is pending when
 * bad / whole is above its limits over both a short and a long window, and active when that has
 * lasted for half the short window: the short one ends it soon, the long one keeps a blip from
 * beginning it.
 *
 * The shipped Prometheus rules are printed from the same table (alert_rules.h). Pure: the time is
 * passed in. One thread.
 */

/* Comparison with the threshold: what is bad. */
enum weir_alert_test {
	WEIR_ALERT_ABOVE, /* the metric is above the threshold */
	WEIR_ALERT_BELOW,
	WEIR_ALERT_RATIO, /* growth of the counter, by that of `whole` */
};

/*
 * X(id, name, severity, metric, label, value, test, threshold, whole, by, short limit, long limit,
 * summary). `label`/`value`: only samples with it; a value that begins with '!': all but those, '|'
 * between them. `by`: labels that make a series. The name is the runbook's too.
 */
#define WEIR_ALERTS(X)                                                                             \
	X(UNACCOUNTED, "WeirUnaccounted", "critical", LAW, "", "", ABOVE, 0, LAW, "", 0.5, 0.02,   \
		"The conservation law does not hold: messages are unaccounted for")                \
	X(WORKER_STALLED, "WeirWorkerStalled", "critical", WORKER_STALLED, "", "", ABOVE, 0,       \
		WORKER_STALLED, "worker", 0.5, 0.02, "A worker does not come round")               \
	X(WORKER_BUSY, "WeirWorkerBusy", "warning", WORKER_DUTY, "", "", ABOVE, 0.9, WORKER_DUTY,  \
		"worker", 0.8, 0.5, "A worker has nearly no headroom")                             \
	X(PORT_DOWN, "WeirPortDown", "critical", PORT_UP, "", "", BELOW, 1, PORT_UP, "port", 0.5,  \
		0.02, "A port has no link")                                                        \
	X(PORT_LOSING, "WeirPortLosing", "warning", PORT_MISSED, "", "", RATIO, 0, PORT_RECEIVED,  \
		"port", 0.01, 0.001, "Packets are lost before a worker sees them")                 \
	X(PORT_DROPPING, "WeirPortDropping", "warning", PORT_DROPPED, "", "", RATIO, 0,            \
		PORT_RECEIVED, "port", 0.01, 0.001,                                                \
		"Packets of a port are dropped before they belong to a stream")                    \
	X(STREAM_DROPPING, "WeirStreamDropping", "warning", STREAM_DROPPED, "", "", RATIO, 0,      \
		STREAM_RECEIVED, "stream", 0.01, 0.001,                                            \
		"Messages of a stream are dropped before its ring")                                \
	X(GROUP_LOSING, "WeirGroupLosing", "warning", GROUP_DROPPED, "reason",                     \
		"!sampled|filtered|elsewhere|skipped", RATIO, 0, GROUP_RECEIVED, "stream, group",  \
		0.01, 0.001, "A group loses messages")                                             \
	X(CONSUMER_UNREACHABLE, "WeirConsumerUnreachable", "warning", CONSUMER_UP, "", "", BELOW,  \
		1, CONSUMER_UP, "consumer, group", 0.5, 0.02, "A consumer cannot be reached")      \
	X(CONSUMER_PARKED, "WeirConsumerParked", "warning", CONSUMER_STATE, "state", "parked",     \
		ABOVE, 0, CONSUMER_STATE, "consumer, group", 0.5, 0.02,                            \
		"Nothing is let through to a consumer, and messages wait for it")                  \
	X(POOL_SHORT, "WeirPoolShort", "critical", HEALTH, "watchdog", "pool", ABOVE, 0, HEALTH,   \
		"subject", 0.5, 0.02, "A buffer pool is nearly empty")                             \
	X(DISK_TROUBLE, "WeirDiskTrouble", "warning", HEALTH, "watchdog", "disk", ABOVE, 0,        \
		HEALTH, "subject", 0.5, 0.02, "The state cannot be written, or only slowly")       \
	X(CLOCK_STEPPED, "WeirClockStepped", "warning", HEALTH, "watchdog", "clock", ABOVE, 0,     \
		HEALTH, "subject", 0.5, 0.02, "The wall clock has stepped")                        \
	X(QUARANTINE, "WeirQuarantine", "warning", QUARANTINE, "", "", ABOVE, 0, QUARANTINE, "",   \
		0.5, 0.02, "Messages are in quarantine")                                           \
	X(DRIFT, "WeirDrift", "warning", DRIFT, "", "", ABOVE, 0, DRIFT, "side", 0.5, 0.02,        \
		"Something is not as the configuration, or the host at the start, has it")         \
	X(CHAOS, "WeirChaos", "info", CHAOS_ON, "", "", ABOVE, 0, CHAOS_ON, "fault", 0.5, 0.02,    \
		"Faults are injected on purpose")                                                  \
	X(UNUSUAL, "WeirUnusual", "info", BASELINE_ODD, "", "", ABOVE, 0, BASELINE_ODD, "series",  \
		0.5, 0.2, "A figure is far from what is usual at this hour of the week")

enum weir_alert_id {
#define X(id, ...) WEIR_ALERT_ID_##id,
	WEIR_ALERTS(X)
#undef X
		WEIR_ALERT_COUNT
};

struct weir_alert_descriptor {
	const char *name;
	const char *severity; /* "critical", "warning", "info" */
	enum weir_metric metric;
	const char *label, *value;
	enum weir_alert_test test;
	double threshold;
	enum weir_metric whole;
	const char *by;
	double short_limit, long_limit;
	const char *summary;
};
extern const struct weir_alert_descriptor weir_alert_descriptors[WEIR_ALERT_COUNT];

#define WEIR_ALERT_SLICES  30 /* of each window */
#define WEIR_ALERT_SUBJECT 96
#define WEIR_ALERT_SERIES  8192 /* more are not watched */

enum weir_alert_state { WEIR_ALERT_QUIET, WEIR_ALERT_PENDING, WEIR_ALERT_ACTIVE };

/* Sums of the last `slices` times `slice_ms`. */
struct weir_alert_window {
	float bad[WEIR_ALERT_SLICES];
	float whole[WEIR_ALERT_SLICES];
	int64_t slice; /* number of the newest */
};

struct weir_alert {
	uint64_t key;
	uint16_t id;   /* enum weir_alert_id */
	uint8_t state; /* enum weir_alert_state */
	bool is_acknowledged;
	bool has_before;
	char subject[WEIR_ALERT_SUBJECT]; /* "stream=flows group=g" */
	double bad, whole;                /* of this look, while it is taken */
	double bad_before, whole_before;  /* counters */
	struct weir_alert_window windows[2];
	double ratios[2]; /* short, long */
	int64_t since_ms; /* pending or active; monotonic */
	int64_t seen_ms;
};

struct weir_alerts {
	struct weir_alert *list;
	uint32_t count, room;
	uint32_t *places; /* open addressing by key: index + 1; 0: free */
	uint32_t place_count;
	uint32_t short_ms, long_ms;
	uint64_t raised;
};

typedef void (*weir_alert_changed)(
	void *context, const struct weir_alert *alert, const struct weir_alert_descriptor *about);

int weir_alerts_create(struct weir_alerts **alerts);
void weir_alerts_destroy(struct weir_alerts *alerts);
/* Other windows: what has been seen is forgotten. */
void weir_alerts_set_windows(struct weir_alerts *alerts, uint32_t short_s, uint32_t long_s);
/* Judge a set; `changed` hears of each alert that becomes active or ends. */
void weir_alerts_look(struct weir_alerts *alerts, const struct weir_samples *samples,
	int64_t now_ms, weir_alert_changed changed, void *context);
/* Active ones of that name. */
uint32_t weir_alerts_active(const struct weir_alerts *alerts, enum weir_alert_id id);
const char *weir_alert_state_name(enum weir_alert_state state);
/* Whether the descriptor's filter lets a label's value through. */
bool weir_alert_admits(const char *filter, const char *value);
