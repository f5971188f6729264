/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/gateway.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/log.h"
#include "control/chaos.h"
#include "control/checkpoint.h"
#include "control/drift.h"
#include "control/elastic.h"
#include "control/events.h"
#include "control/tracer.h"
#include "control/trials.h"
#include "control/quarantine.h"
#include "control/reach.h"
#include "control/sessions.h"
#include "control/telemetry.h"
#include "control/twins.h"
#include "dataplane/load.h"
#include "dataplane/ownership.h"
#include "dataplane/report.h"
#include "dataplane/staff.h"
#include "dataplane/stream.h"

#define RECLAIM_MS 20
#define WATCH_MS   200
#define MOVES_MS   2 /* between looks at partitions that change hands */
#define MEASURE_MS 1000
#define PACKETS    64 /* from the workers at once, so the socket gets its turn */

/* The gateway's own addresses: those of the interfaces that its ports stand for. */
static void follow_addresses(struct weir_gateway *gateway)
{
	struct weir_address own[WEIR_MAX_ADDRESSES];
	uint32_t count = 0;

	for (uint32_t i = 0; i < gateway->dataplane->port_count; i++) {
		struct weir_host_address list[WEIR_MAX_ADDRESSES];
		int ifindex = gateway->dataplane->ports[i]->kernel_ifindex;
		unsigned int found = ifindex != 0 ? weir_host_addresses(gateway->host, ifindex,
							    list, WEIR_MAX_ADDRESSES)
						  : 0;

		for (unsigned int j = 0;
			j < found && j < WEIR_MAX_ADDRESSES && count < WEIR_MAX_ADDRESSES; j++)
			own[count++] = list[j].address;
	}
	if (weir_dataplane_set_addresses(gateway->dataplane, own, count) < 0)
		weir_log_error("gateway", "no memory to follow the interfaces' addresses");
}

void weir_gateway_host_changed(void *context, const struct weir_host_change *change)
{
	struct weir_gateway *gateway = context;

	if (change->kind == WEIR_HOST_ADDRESS || change->kind == WEIR_HOST_EVERYTHING)
		follow_addresses(gateway);
	if (gateway->reach != NULL)
		weir_reach_host_changed(gateway->reach, change);
}

static void host_ready(void *context, int fd, uint32_t events)
{
	struct weir_gateway *gateway = context;

	(void)fd;
	(void)events;
	weir_host_process(gateway->host);
}

/* Packets that workers have put aside for this thread. */
static void take_packets(struct weir_gateway *gateway)
{
	struct rte_mbuf *packets[PACKETS];
	uint32_t count = weir_control_receive(gateway->dataplane, packets, PACKETS);

	for (uint32_t i = 0; i < count; i++) {
		switch ((enum weir_to_control)packets[i]->hash.usr) {
		case WEIR_TO_SESSION:
		case WEIR_TO_SESSION_CHECKED:
			weir_sessions_packet(gateway->sessions, packets[i]);
			break;
		case WEIR_TO_KERNEL:
			weir_twins_packet(gateway->twins, packets[i]);
			break;
		case WEIR_TO_QUARANTINE:
			weir_quarantine_packet(gateway, packets[i]);
			break;
		default:
			rte_pktmbuf_free(packets[i]);
		}
	}
}

/* Ports whose packets go another way without the gateway know of it what the workers know. */
static void follow_by_ports(struct weir_gateway *gateway)
{
	struct weir_dataplane *dataplane = gateway->dataplane;

	gateway->followed = dataplane->changes;
	for (uint32_t i = 0; i < dataplane->port_count; i++) {
		const struct weir_port *port = dataplane->ports[i];

		if (port->ops->follow != NULL)
			port->ops->follow(port->driver, dataplane);
	}
}

/* Whatever has changed who is to have what: its moves begin now, the rest by and by. */
static void move_partitions(struct weir_gateway *gateway)
{
	if (gateway->is_moving || !weir_ownership_is_due(gateway->dataplane))
		return;
	gateway->is_moving =
		weir_ownership_step(gateway->dataplane, weir_loop_clock_ns()) != 0 &&
		weir_loop_timer_arm(gateway->loop, &gateway->moves, MOVES_MS * WEIR_MS_NS, 0) == 0;
}

static void go_on_moving(void *context, uint64_t now_ns)
{
	struct weir_gateway *gateway = context;

	(void)now_ns;
	gateway->is_moving = false;
	move_partitions(gateway);
}

static void tell_heat(void *context, const struct weir_heat_change *change)
{
	char subject[WEIR_NAME_SIZE + 64];

	snprintf(subject, sizeof(subject), "stream=%s partition=%u worker=%u", change->stream->name,
		change->partition, change->worker);
	weir_event_emit(context, &(struct weir_event){.kind = WEIR_EVENT_PARTITION_ALONE,
					 .subject = subject,
					 .reason = change->is_alone ? "hot" : "cooled",
					 .count = -1,
					 .text = change->is_alone ? "has its worker to itself"
								  : "shares its worker again"});
}

static void measure(void *context, uint64_t now_ns)
{
	struct weir_gateway *gateway = context;

	(void)now_ns;
	weir_ownership_measure(gateway->dataplane, MEASURE_MS / 1000.0);
	weir_heat_look(gateway->dataplane, tell_heat, gateway);
}

static bool before_sleep(void *context)
{
	struct weir_gateway *gateway = context;

	take_packets(gateway);
	weir_moves_step(gateway->dataplane);
	weir_staff_step(gateway->dataplane);
	move_partitions(gateway);
	if (gateway->followed != gateway->dataplane->changes)
		follow_by_ports(gateway);
	return weir_control_arm(gateway->dataplane);
}

static void control_woken(void *context, int fd, uint32_t events)
{
	uint64_t count;

	(void)context;
	(void)events;
	(void)!read(fd, &count, sizeof(count));
}

static void reclaim(void *context, uint64_t now_ns)
{
	struct weir_gateway *gateway = context;
	uint64_t generation = gateway->dataplane->generation;

	(void)now_ns;
	weir_dataplane_reclaim(gateway->dataplane);
	/* A stream that has drained is no more. */
	if (gateway->sessions != NULL && gateway->dataplane->generation != generation)
		weir_sessions_sync(gateway->sessions);
	follow_by_ports(gateway);
}

static void watch(void *context, uint64_t now_ns)
{
	struct weir_gateway *gateway = context;
	uint64_t stalled = weir_dataplane_stalled(gateway->dataplane);

	(void)now_ns;
	weir_load_measure(gateway->dataplane);
	for (uint32_t id = 0; id < gateway->dataplane->worker_count; id++) {
		uint64_t bit = 1ull << id;

		if ((stalled & bit) && !(gateway->stalled & bit))
			weir_log_error("worker",
				"worker %u does not answer; configuration generation %llu waits "
				"for it",
				id, (unsigned long long)gateway->dataplane->generation);
		if (!(stalled & bit) && (gateway->stalled & bit))
			weir_log_notice("worker", "worker %u answers again", id);
	}
	gateway->stalled = stalled;
	for (uint32_t i = 0; i < gateway->dataplane->port_count; i++)
		if (gateway->dataplane->ports[i]->ops->watch != NULL)
			gateway->dataplane->ports[i]->ops->watch(
				gateway->dataplane->ports[i]->driver);
}

int weir_gateway_start_timers(struct weir_gateway *gateway)
{
	uint64_t often = RECLAIM_MS * WEIR_MS_NS, seldom = WATCH_MS * WEIR_MS_NS;

	weir_loop_timer_init(&gateway->reclaim, reclaim, gateway);
	weir_loop_timer_init(&gateway->watch, watch, gateway);
	weir_loop_timer_init(&gateway->moves, go_on_moving, gateway);
	weir_loop_timer_init(&gateway->measure, measure, gateway);
	if (weir_loop_timer_arm(gateway->loop, &gateway->reclaim, often, often) < 0 ||
		weir_loop_timer_arm(gateway->loop, &gateway->watch, seldom, seldom) < 0 ||
		weir_loop_timer_arm(gateway->loop, &gateway->measure, MEASURE_MS * WEIR_MS_NS,
			MEASURE_MS * WEIR_MS_NS) < 0)
		return -ENOMEM;
	weir_loop_set_hooks(gateway->loop, before_sleep, NULL, gateway);
	if (weir_loop_add_fd(gateway->loop, gateway->dataplane->control_fd, EPOLLIN, control_woken,
		    gateway) < 0)
		return -ENOMEM;
	return weir_loop_add_fd(
		gateway->loop, weir_host_fd(gateway->host), EPOLLIN, host_ready, gateway);
}

static void report_rest(void *context, const struct weir_group_report *group)
{
	uint64_t rest = group->stats.dropped[WEIR_REASON_SHUTDOWN] +
			group->stats.dropped[WEIR_REASON_TX_FAILED];

	(void)context;
	if (rest != 0)
		weir_log_notice("gateway", "stream %s, group %s: %llu messages were not delivered",
			group->stream, group->group->name, (unsigned long long)rest);
}

void weir_gateway_report_rest(const struct weir_gateway *gateway)
{
	weir_groups_report(gateway->dataplane, report_rest, NULL);
}

void weir_gateway_take_ports(const struct weir_gateway *gateway)
{
	for (uint32_t i = 0; i < gateway->dataplane->port_count; i++) {
		const struct weir_port *port = gateway->dataplane->ports[i];

		if (port->ops->take != NULL)
			port->ops->take(port->driver, true);
	}
}

void weir_gateway_release_ports(const struct weir_gateway *gateway)
{
	for (uint32_t i = 0; i < gateway->dataplane->port_count; i++) {
		const struct weir_port *port = gateway->dataplane->ports[i];

		if (port->ops->release != NULL)
			port->ops->release(port->driver);
	}
}

void weir_gateway_follow_log(const struct weir_config *config)
{
	weir_log_set_json(config->log.format == WEIR_LOG_JSON);
	weir_log_set_limit(config->log.per_minute);
}

void weir_gateway_sync(struct weir_gateway *gateway)
{
	weir_host_process(gateway->host);
	follow_addresses(gateway);
	weir_sessions_sync(gateway->sessions);
	weir_twins_sync(gateway->twins);
	weir_reach_sync(gateway->reach);
	weir_quarantine_sync(gateway);
	weir_checkpoint_sync(gateway->checkpoint);
	follow_by_ports(gateway);
	weir_trials_sync(gateway->trials);
	weir_elastic_sync(gateway->elastic);
	weir_drift_sync(gateway->drift);
	weir_chaos_sync(gateway->chaos);
	weir_tracer_follow(gateway->tracer);
	weir_telemetry_sync(gateway->telemetry);
	weir_gateway_follow_log(weir_dataplane_config(gateway->dataplane));
}

static int check_cpus(const struct weir_gateway *gateway, const struct weir_config *config,
	struct weir_error *error)
{
	const uint16_t *cpus = config->workers.cpus;
	int missing = weir_cpus_find_missing(&gateway->cpus, cpus, config->workers.count);
	char path[40];

	if (missing < 0)
		return 0;
	snprintf(path, sizeof(path), "$.workers.cpus[%d]", missing);
	return weir_error_set(error, -EINVAL, path,
		"name CPUs that were online and allowed to the gateway when it began",
		"CPU %u is not there or not allowed", cpus[missing]);
}

void weir_gateway_follow_cpus(
	struct weir_gateway *gateway, const struct weir_config_workers *workers)
{
	cpu_set_t own;

	weir_staff_set_idle(
		gateway->dataplane, weir_cpus_are_shared(workers->cpus, workers->count));
	weir_cpus_besides(&gateway->cpus, workers->cpus, workers->count, &own);
	if (sched_setaffinity(0, sizeof(own), &own) < 0)
		weir_log_error(
			"gateway", "the control thread stays where it is: %s", strerror(errno));
}

int weir_gateway_apply(
	struct weir_gateway *gateway, struct weir_config *config, struct weir_error *error)
{
	int result = check_cpus(gateway, config, error);

	if (result == 0)
		result = weir_dataplane_apply(gateway->dataplane, config, error);
	if (result < 0)
		return result;
	weir_gateway_follow_cpus(gateway, &config->workers);
	weir_gateway_sync(gateway);
	weir_event_emit(gateway, &(struct weir_event){.kind = WEIR_EVENT_CONFIG_APPLIED,
					 .subject = "config",
					 .count = (int64_t)gateway->dataplane->generation,
					 .text = "a configuration was taken over"});
	return 0;
}
