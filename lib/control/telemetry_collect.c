/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "control/chaos.h"
#include "control/checkpoint.h"
#include "control/gateway.h"
#include "control/health.h"
#include "control/quarantine.h"
#include "control/reach.h"
#include "control/sessions.h"
#include "control/telemetry.h"
#include "dataplane/report.h"
#include "host/sandbox.h"

/* Figures of consumers, sessions, disk and of the control thread itself. */

#define ADD(id, value) weir_samples_add(samples, WEIR_METRIC_ID_##id, (double)(value))
#define ADD_WITH(id, key, text, value)                                                             \
	weir_samples_add_with(samples, WEIR_METRIC_ID_##id, key, text, (double)(value))

struct pass {
	struct weir_gateway *gateway;
	struct weir_samples *samples;
	uint32_t *partitions; /* by consumer's slot */
	uint32_t left;        /* that may still have samples */
	uint32_t left_out;
};

static const char *const gate_names[] = {
#define X(id, name) [WEIR_GATE_##id] = name,
	WEIR_GATES(X)
#undef X
};

static void add_health(
	const struct pass *pass, const struct weir_consumer *consumer, struct weir_samples *samples)
{
	struct weir_health_status status;

	if (!weir_health_status(pass->gateway->health, consumer, &status))
		return;
	ADD(CONSUMER_WAITING, status.backlog.waiting);
	for (int state = 0; state < WEIR_HEALTH_STATE_COUNT; state++)
		ADD_WITH(CONSUMER_STATE, "state", weir_health_name((enum weir_health_state)state),
			status.state == (enum weir_health_state)state);
	for (int gate = WEIR_GATE_OPEN + 1; gate < WEIR_GATE_COUNT; gate++)
		ADD_WITH(CONSUMER_LIMITED, "gate", gate_names[gate],
			(double)status.limited_ns[gate] / WEIR_S_NS);
	if (consumer->class != WEIR_CLASS_NATIVE)
		return;
	ADD(CONSUMER_FLYING, status.backlog.flying);
	ADD(CONSUMER_WINDOW, status.backlog.window);
	ADD(CONSUMER_QUEUE, atomic_load(&consumer->queue));
}

static void add_reach(
	const struct pass *pass, const struct weir_consumer *consumer, struct weir_samples *samples)
{
	struct weir_reach_status reach = {0};

	weir_reach_status(pass->gateway->reach, consumer, &reach);
	ADD(CONSUMER_UP, !(atomic_load(&consumer->closed) & WEIR_CLOSED_UNREACHABLE));
	ADD(CONSUMER_LOST, reach.changes);
}

static void add_consumer(void *context, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config)
{
	struct pass *pass = context;
	struct weir_samples *samples = pass->samples;
	struct weir_consumer_report report;

	(void)config;
	if (pass->left == 0) {
		pass->left_out++;
		return;
	}
	pass->left--;
	weir_consumer_report(pass->gateway->dataplane, consumer, &report);
	weir_samples_label(samples, 0, "consumer", consumer->name);
	weir_samples_label(samples, 1, "group", group->name);
	weir_samples_label(samples, 2, "class", weir_class_name((enum weir_class)consumer->class));
	ADD(CONSUMER_DELIVERED, report.stats.delivered);
	ADD(CONSUMER_DELIVERED_BYTES, report.stats.delivered_bytes);
	ADD(CONSUMER_DATAGRAMS, report.stats.datagrams);
	ADD(CONSUMER_PARTITIONS, pass->partitions[consumer->slot]);
	for (int gate = WEIR_GATE_OPEN + 1; gate < WEIR_GATE_COUNT; gate++)
		ADD_WITH(CONSUMER_GATES, "gate", gate_names[gate], report.stats.closed[gate]);
	if (consumer->class == WEIR_CLASS_NATIVE) {
		ADD(CONSUMER_RETRANSMITTED, report.stats.retransmitted);
		ADD(CONSUMER_NACKS, report.stats.nacks);
		ADD(CONSUMER_PROBES, report.stats.probes);
	}
	add_health(pass, consumer, samples);
	add_reach(pass, consumer, samples);
}

/* A weir_failover_visit: what a port's program did, for a stream or for a group of one. */
static void add_flow(void *context, const struct weir_failover_flow *flow)
{
	struct weir_samples *samples = context;
	bool is_stream = flow->group == NULL;
	enum weir_metric dropped = is_stream ? WEIR_METRIC_ID_PROGRAM_STREAM_DROPPED
					     : WEIR_METRIC_ID_PROGRAM_GROUP_DROPPED;

	weir_samples_label(samples, 0, "stream", flow->stream);
	if (is_stream) {
		ADD(PROGRAM_STREAM_RECEIVED, flow->received);
	} else {
		weir_samples_label(samples, 1, "group", flow->group);
		ADD(PROGRAM_GROUP_RECEIVED, flow->received);
		ADD(PROGRAM_GROUP_DELIVERED, flow->delivered);
	}
	for (uint32_t i = 0; i < flow->drop_count; i++)
		weir_samples_add_with(samples, dropped, "reason", flow->drops[i].name,
			(double)flow->drops[i].count);
}

static void add_sessions(const struct weir_gateway *gateway, struct weir_samples *samples)
{
	const struct weir_sessions_counters *sessions = weir_sessions_counters(gateway->sessions);

	ADD_WITH(SESSIONS, "event", "hello", sessions->hellos);
	ADD_WITH(SESSIONS, "event", "admitted", sessions->admitted);
	ADD_WITH(SESSIONS, "event", "refused", sessions->refused);
	ADD_WITH(SESSIONS, "event", "left", sessions->left);
	ADD_WITH(SESSIONS, "event", "silent", sessions->silent);
	ADD_WITH(SESSIONS, "event", "bad_cookie", sessions->bad_cookies);
}

static void add_disk(const struct weir_gateway *gateway, struct weir_samples *samples)
{
	struct weir_state_report report;

	if (!weir_checkpoint_report(gateway->checkpoint, &report))
		return;
	ADD(CHECKPOINT_WRITES, report.writes);
	ADD(CHECKPOINT_FAILURES, report.failures);
	ADD(CHECKPOINT_DURATION, (double)report.duration_ns / WEIR_S_NS);
}

/* Second number of /proc/self/statm: resident pages; 0 when it cannot be read. */
static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long size = 0, resident = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	fclose(file);
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void add_chaos(const struct weir_gateway *gateway, struct weir_samples *samples)
{
	for (int kind = 0; kind < WEIR_CHAOS_COUNT; kind++) {
		struct weir_chaos_report report;

		weir_chaos_report(gateway->chaos, (enum weir_chaos_kind)kind, &report);
		ADD_WITH(CHAOS_ON, "fault", weir_chaos_about[kind].name, report.is_on);
		ADD_WITH(CHAOS_INJECTED, "fault", weir_chaos_about[kind].name, report.total);
	}
	ADD(CHAOS_HELD, weir_chaos_held(gateway->dataplane));
}

static void add_control(const struct weir_gateway *gateway, struct weir_samples *samples)
{
	const struct weir_quarantine_counters *quarantine =
		weir_quarantine_counters(gateway->quarantine);
	uint64_t answered, refused;

	weir_rpc_counters(gateway->rpc, &answered, &refused);
	ADD(CONTROL_CLIENTS, weir_server_client_count(gateway->server));
	ADD_WITH(CONTROL_REQUESTS, "outcome", "answered", answered);
	ADD_WITH(CONTROL_REQUESTS, "outcome", "refused", refused);
	ADD(CONTROL_MEMORY, resident_bytes());
	ADD(QUARANTINE, quarantine->messages);
	ADD(QUARANTINED, quarantine->quarantined);
	for (int level = 0; level < WEIR_LOG_LEVELS; level++)
		ADD_WITH(LOG_LINES, "level", weir_log_level_name((enum weir_log_level)level),
			weir_log_count((enum weir_log_level)level));
	ADD(LOG_SUPPRESSED, weir_log_suppressed());
	ADD(SANDBOX_REFUSED, weir_sandbox_refused());
	for (int kind = 0; kind < WEIR_EVENT_COUNT; kind++)
		ADD_WITH(EVENTS, "kind", weir_event_name((enum weir_event_kind)kind),
			gateway->events[kind]);
	ADD(EVENTS_LOST, weir_server_events_lost(gateway->server));
}

uint32_t weir_telemetry_collect_control(
	struct weir_gateway *gateway, uint32_t consumer_limit, struct weir_samples *samples)
{
	struct pass pass = {.gateway = gateway, .samples = samples, .left = consumer_limit};

	pass.partitions = calloc(WEIR_MAX_CONSUMERS, sizeof(*pass.partitions));
	if (pass.partitions == NULL) {
		samples->has_failed = true;
		return 0;
	}
	weir_placement_count(gateway->dataplane, pass.partitions);
	weir_consumers_visit(gateway->dataplane, add_consumer, &pass);
	free(pass.partitions);
	weir_dataplane_flows(gateway->dataplane, add_flow, samples);
	weir_samples_unlabel(samples, 0);
	add_sessions(gateway, samples);
	add_disk(gateway, samples);
	add_chaos(gateway, samples);
	add_control(gateway, samples);
	return pass.left_out;
}
