/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "control/events.h"
#include "control/loop.h"
#include "control/rpc.h"
#include "control/server.h"
#include "dataplane/dataplane.h"
#include "host/machine.h"
#include "host/netlink.h"

/*
 * The running gateway as the control thread holds it: the event loop, the data plane, and what
 * follows the kernel and the consumers on its behalf. app/weir makes the parts in order; the
 * methods of the control socket get this as their context. Control thread only.
 */

struct weir_reach;
struct weir_sessions;
struct weir_twins;
struct weir_captures;
struct weir_chaos;
struct weir_checkpoint;
struct weir_versions;
struct weir_quarantine;
struct weir_health;
struct weir_takeover;
struct weir_telemetry;
struct weir_watchdog;
struct weir_watch;
struct weir_tracer;
struct weir_trials;
struct weir_drift;
struct weir_elastic;
struct weir_capacities;

struct weir_gateway {
	struct weir_loop *loop;
	struct weir_rpc *rpc;
	struct weir_server *server;
	struct weir_dataplane *dataplane;
	struct weir_host *host;
	cpu_set_t cpus;                     /* allowed when the program began */
	struct weir_reach *reach;           /* routes and reachability of consumers */
	struct weir_sessions *sessions;     /* native consumers */
	struct weir_twins *twins;           /* packets to and from the kernel */
	struct weir_checkpoint *checkpoint; /* NULL: no state is kept */
	struct weir_versions *versions;     /* of the configuration */
	struct weir_health *health;         /* how consumers fare */
	struct weir_quarantine *quarantine; /* what could not be delivered */
	struct weir_takeover *takeover;     /* by another gateway */
	struct weir_watchdog *watchdog;     /* what is in trouble, and remedies */
	struct weir_watch *alerts;          /* alerts and baselines */
	struct weir_trials *trials;         /* where they are on, and trials */
	struct weir_drift *drift;           /* what differs from what was meant */
	struct weir_elastic *elastic;       /* parks and wakes workers */
	struct weir_capacities *capacities; /* headroom */
	struct weir_captures *captures;     /* packets to files */
	struct weir_chaos *chaos;           /* injected faults */
	struct weir_tracer *tracer;         /* single messages on their way */
	struct weir_telemetry *telemetry;   /* figures, and who asks for them */
	void (*close_ports)(void *context); /* app's: another gateway wants them */
	void *close_context;
	uint64_t events[WEIR_EVENT_COUNT]; /* by kind */
	uint64_t events_emitted;
	uint64_t started_ns;            /* weir_loop_clock_ns at start */
	uint64_t followed;              /* the data plane's changes that ports were told of */
	struct weir_loop_timer reclaim; /* frees what workers have let go */
	struct weir_loop_timer watch;   /* names workers that are stalled */
	struct weir_loop_timer moves;   /* while partitions are to change hands */
	struct weir_loop_timer measure; /* what they carry */
	bool is_moving;                 /* `moves` is armed */
	uint64_t stalled;               /* bit a worker that was named */
};

/* Who may sleep, and where the control thread runs, follow the workers' CPUs. */
void weir_gateway_follow_cpus(
	struct weir_gateway *gateway, const struct weir_config_workers *workers);
/*
 * Take a configuration over, whole or not at all; `config` is the gateway's on success. For
 * versions.c: everyone else asks it.
 */
int weir_gateway_apply(
	struct weir_gateway *gateway, struct weir_config *config, struct weir_error *error);
/* Timers and hooks of the gateway itself: workers' packets, reclaiming, watching the workers. */
int weir_gateway_start_timers(struct weir_gateway *gateway);
/* Make everything that follows the configuration follow it: after it or the ports changed. */
void weir_gateway_sync(struct weir_gateway *gateway);
/* Workers run: packets come to them from now on, on ports where something else had them. */
void weir_gateway_take_ports(const struct weir_gateway *gateway);
/* Workers still run: something else gets the packets from now on, where there is such a thing. */
void weir_gateway_release_ports(const struct weir_gateway *gateway);
/* Format and limit of the log as the configuration has them. */
void weir_gateway_follow_log(const struct weir_config *config);
/* Workers have ended: log what each group was not given any more. */
void weir_gateway_report_rest(const struct weir_gateway *gateway);
/* For weir_host_open; the context is the gateway. */
void weir_gateway_host_changed(void *context, const struct weir_host_change *change);

/* Register the methods of each file; 0 or -errno. */
int weir_methods_config_register(struct weir_gateway *gateway);
int weir_methods_version_register(struct weir_gateway *gateway);
int weir_methods_stream_register(struct weir_gateway *gateway);
int weir_methods_consumer_register(struct weir_gateway *gateway);
int weir_methods_producer_register(struct weir_gateway *gateway);
int weir_methods_failover_register(struct weir_gateway *gateway);
int weir_methods_port_register(struct weir_gateway *gateway);
int weir_methods_stats_register(struct weir_gateway *gateway);
int weir_methods_worker_register(struct weir_gateway *gateway);
int weir_methods_quarantine_register(struct weir_gateway *gateway);
int weir_methods_metric_register(struct weir_gateway *gateway);
int weir_methods_place_register(struct weir_gateway *gateway);
int weir_methods_event_register(struct weir_gateway *gateway);
int weir_methods_feature_register(struct weir_gateway *gateway);
int weir_methods_health_register(struct weir_gateway *gateway);
int weir_methods_capture_register(struct weir_gateway *gateway);
int weir_methods_chaos_register(struct weir_gateway *gateway);
int weir_methods_alert_register(struct weir_gateway *gateway);
int weir_methods_trace_register(struct weir_gateway *gateway);
int weir_methods_template_register(struct weir_gateway *gateway);
int weir_methods_drift_register(struct weir_gateway *gateway);
int weir_methods_capacity_register(struct weir_gateway *gateway);
