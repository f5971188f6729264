/* SPDX-License-Identifier: BSD-3-Clause */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "control/alerts.h"
#include "control/capacity.h"
#include "control/capture.h"
#include "control/chaos.h"
#include "control/checkpoint.h"
#include "control/drift.h"
#include "control/elastic.h"
#include "control/gateway.h"
#include "control/health.h"
#include "control/notify.h"
#include "control/quarantine.h"
#include "control/reach.h"
#include "control/sessions.h"
#include "control/takeover.h"
#include "control/telemetry.h"
#include "control/tracer.h"
#include "control/trials.h"
#include "control/twins.h"
#include "control/versions.h"
#include "control/watchdog.h"
#include "confine.h"
#include "dpdk/driver.h"
#include "methods.h"
#include "options.h"
#include "ports.h"
#include "preflight.h"

/* Start-up in order, and its reverse. No logic. */

#define DRAIN_MS 2000

struct program {
	struct weir_options options;
	struct weir_config *config; /* the data plane's, once applied */
	struct weir_gateway gateway;
	struct weir_port *ports[WEIR_MAX_PORTS];
	struct weir_notify *notify;      /* the service manager; NULL: none */
	struct weir_takeover_peer *peer; /* the gateway that is taken over from; NULL: none */
	bool has_eal;
};

static int report(const struct weir_error *error)
{
	fprintf(stderr, "weir: %s%s%s\n", error->path, error->path[0] != '\0' ? ": " : "",
		error->reason);
	if (error->hint[0] != '\0')
		fprintf(stderr, "weir: hint: %s\n", error->hint);
	return 1;
}

static void stop_on_signal(void *context, int signal_number)
{
	weir_log_notice("weir", "signal %d: stopping", signal_number);
	weir_loop_stop(context);
}

/* While there is one thread. */
static int give_up_privileges(struct program *program, struct weir_error *error)
{
	const struct weir_options *options = &program->options;

	if (!options->no_sandbox)
		return weir_confine_start(program->config, options->user, error);
	weir_log_warning("weir", "--no-sandbox: all privileges and system calls are kept");
	return 0;
}

static int open_loop(struct program *program, struct weir_error *error)
{
	struct weir_gateway *gateway = &program->gateway;

	/* Signals first: every thread that starts later has them blocked. */
	if (weir_loop_create(&gateway->loop) < 0 ||
		weir_loop_add_signal(gateway->loop, SIGINT, stop_on_signal, gateway->loop) < 0 ||
		weir_loop_add_signal(gateway->loop, SIGTERM, stop_on_signal, gateway->loop) < 0)
		return weir_error_set(error, -1, "", "", "the event loop could not be made");
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int create_dataplane(struct program *program, uint16_t largest_mtu, struct weir_error *error)
{
	struct weir_gateway *gateway = &program->gateway;
	int result =
		weir_dataplane_create(program->config, largest_mtu, &gateway->dataplane, error);

	if (result < 0)
		return result;
	weir_gateway_follow_cpus(gateway, &program->config->workers);
	gateway->dataplane->numbers_by_clock = true;
	return 0;
}

static int find_ports(struct program *program, uint16_t *largest_mtu, struct weir_error *error)
{
	const struct weir_config *config = program->config;
	int result = weir_ports_prepare(config, error);

	for (unsigned int i = 0; result == 0 && i < config->port_count; i++) {
		result = weir_port_find(config, i, &program->ports[i], error);
		if (result == 0 && program->ports[i]->mtu > *largest_mtu)
			*largest_mtu = program->ports[i]->mtu;
	}
	return result;
}

static int start_ports(struct program *program, struct weir_error *error)
{
	const struct weir_config *config = program->config;
	struct weir_gateway *gateway = &program->gateway;
	int result = 0;

	for (unsigned int i = 0; result == 0 && i < config->port_count; i++)
		result = weir_port_start(
			program->ports[i], config, gateway->dataplane->buffers, error);
	if (result == 0)
		result = weir_dataplane_attach(
			gateway->dataplane, program->ports, config->port_count, error);
	return result;
}

static void close_ports(void *context)
{
	struct program *program = context;

	for (unsigned int i = 0; i < WEIR_MAX_PORTS; i++) {
		weir_port_close(program->ports[i]);
		program->ports[i] = NULL;
	}
	if (program->gateway.dataplane != NULL)
		program->gateway.dataplane->port_count = 0;
}

/* Rings, groups and positions as the configuration and the checkpoint say. */
static int apply_config(struct program *program, struct weir_error *error)
{
	struct weir_gateway *gateway = &program->gateway;
	int result = weir_host_open(weir_gateway_host_changed, gateway, &gateway->host, error);

	if (result < 0)
		return result;
	result = weir_checkpoint_open(program->config, &gateway->checkpoint, error);
	if (result < 0)
		return result;
	gateway->dataplane->positions = weir_checkpoint_positions(gateway->checkpoint);
	result = weir_dataplane_apply(gateway->dataplane, program->config, error);
	if (result == 0)
		program->config = NULL;
	return result;
}

static int open_control(struct program *program, struct weir_error *error)
{
	struct weir_gateway *gateway = &program->gateway;
	int result = weir_twins_create(gateway, &gateway->twins, error);

	if (result < 0)
		return result;
	gateway->close_ports = close_ports;
	gateway->close_context = program;
	if (weir_sessions_create(gateway, &gateway->sessions) < 0 ||
		weir_takeover_create(gateway, &gateway->takeover) < 0 ||
		weir_reach_create(gateway, &gateway->reach) < 0 ||
		weir_quarantine_create(&gateway->quarantine) < 0 ||
		weir_captures_create(gateway, &gateway->captures) < 0 ||
		weir_chaos_create(gateway, &gateway->chaos) < 0 ||
		weir_tracer_create(gateway, &gateway->tracer) < 0 ||
		weir_health_create(gateway, &gateway->health) < 0 ||
		weir_watchdog_create(gateway, &gateway->watchdog) < 0 ||
		weir_watch_create(gateway, &gateway->alerts) < 0 ||
		weir_trials_create(gateway, &gateway->trials) < 0 ||
		weir_elastic_create(gateway, &gateway->elastic) < 0 ||
		weir_capacities_create(gateway, &gateway->capacities) < 0 ||
		weir_drift_create(gateway, &gateway->drift) < 0 ||
		weir_telemetry_create(gateway, &gateway->telemetry) < 0 ||
		weir_notify_create(gateway, &program->notify) < 0 ||
		weir_gateway_start_timers(gateway) < 0)
		return weir_error_set(error, -1, "", "", "the control thread could not be set up");
	return 0;
}

/* From here on positions and versions are written. */
static int start_state(struct program *program, struct weir_error *error)
{
	struct weir_gateway *gateway = &program->gateway;

	if ((gateway->checkpoint != NULL &&
		    weir_checkpoint_start(gateway->checkpoint, gateway) < 0) ||
		weir_versions_start(gateway->versions, gateway) < 0)
		return weir_error_set(error, -1, "", "", "the state could not be set up");
	return 0;
}

static int open_socket(struct program *program, struct weir_error *error)
{
	struct weir_gateway *gateway = &program->gateway;
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);

	if (weir_methods_create(gateway) < 0)
		return weir_error_set(error, -1, "", "", "the methods could not be registered");
	return weir_server_open(
		&gateway->server, gateway->loop, gateway->rpc, config->control_socket, error);
}

static int prepare(struct program *program, struct weir_error *error)
{
	uint16_t largest_mtu = 1500;
	int result = weir_eal_init(program->config, true, error);

	program->has_eal = result == 0;
	if (result == 0)
		result = find_ports(program, &largest_mtu, error);
	if (result == 0)
		result = create_dataplane(program, largest_mtu, error);
	if (result == 0)
		result = start_ports(program, error);
	if (result == 0)
		result = apply_config(program, error);
	if (result == 0)
		result = open_control(program, error);
	return result;
}

/* The same, but the ports are a running gateway's until the last moment. */
static int prepare_takeover(struct program *program, struct weir_error *error)
{
	struct weir_gateway *gateway = &program->gateway;
	const struct weir_config *config = program->config;
	int result = weir_eal_can_add_devices(config, error);
	uint16_t mtu = 1500;

	if (result == 0)
		result = weir_takeover_connect(config->control_socket, &program->peer, error);
	if (result == 0)
		result = weir_eal_init(config, false, error);
	program->has_eal = result == 0;
	if (result == 0)
		result = create_dataplane(program, program->peer->mtu, error);
	if (result == 0)
		result = weir_takeover_release(program->peer, error);
	if (result == 0)
		result = weir_eal_add_devices(config, error);
	if (result == 0)
		result = find_ports(program, &mtu, error);
	if (result == 0)
		result = start_ports(program, error);
	if (result == 0) {
		gateway->dataplane->slots = &program->peer->slots;
		result = apply_config(program, error);
	}
	if (result == 0)
		result = open_control(program, error);
	if (result == 0) {
		weir_takeover_inherit(program->peer, gateway);
		weir_takeover_finish(program->peer);
	}
	return result;
}

static int start(struct program *program, struct weir_error *error)
{
	int result = give_up_privileges(program, error);

	weir_machine_allowed_cpus(&program->gateway.cpus);

	if (result == 0)
		result = open_loop(program, error);
	if (result == 0)
		result = weir_versions_open(&program->config, &program->gateway.versions, error);
	if (result == 0)
		result = program->options.takes_over ? prepare_takeover(program, error)
						     : prepare(program, error);
	if (result == 0)
		result = start_state(program, error);
	if (result == 0)
		result = weir_dataplane_start(program->gateway.dataplane, error);
	if (result == 0) {
		weir_takeover_report(program->peer);
		weir_gateway_sync(&program->gateway);
		weir_gateway_take_ports(&program->gateway);
		program->gateway.started_ns = weir_loop_clock_ns();
		result = open_socket(program, error);
	}
	if (result == 0 && !program->options.no_sandbox)
		result = weir_confine_finish(&program->gateway, error);
	return result;
}

/* What another gateway has taken over is its own to end. */
static void stop_delivery(struct program *program)
{
	struct weir_gateway *gateway = &program->gateway;

	if (weir_takeover_is_done(gateway->takeover)) {
		weir_checkpoint_abandon(gateway->checkpoint);
		return;
	}
	if (gateway->sessions != NULL)
		weir_sessions_leave_all(gateway->sessions);
	if (gateway->dataplane != NULL) {
		if (gateway->dataplane->is_running)
			weir_gateway_release_ports(gateway);
		weir_dataplane_stop(gateway->dataplane, DRAIN_MS);
		weir_gateway_report_rest(gateway);
	}
	weir_checkpoint_close(gateway->checkpoint);
	weir_versions_close(gateway->versions);
}

static void stop(struct program *program)
{
	struct weir_gateway *gateway = &program->gateway;

	weir_notify_stopping(program->notify);
	weir_server_close(gateway->server);
	gateway->server = NULL; /* nobody is told of events any more */
	weir_telemetry_destroy(gateway->telemetry);
	weir_drift_destroy(gateway->drift);
	weir_capacities_destroy(gateway->capacities);
	weir_elastic_destroy(gateway->elastic);
	weir_trials_destroy(gateway->trials);
	weir_watch_destroy(gateway->alerts);
	weir_watchdog_destroy(gateway->watchdog);
	weir_health_destroy(gateway->health);
	weir_chaos_destroy(gateway->chaos);
	stop_delivery(program);
	weir_captures_destroy(gateway->captures);
	weir_tracer_destroy(gateway->tracer);
	weir_quarantine_destroy(gateway->quarantine);
	weir_reach_destroy(gateway->reach);
	weir_sessions_destroy(gateway->sessions);
	weir_twins_destroy(gateway->twins);
	weir_takeover_destroy(gateway->takeover);
	weir_takeover_close(program->peer);
	weir_notify_destroy(program->notify);
	weir_rpc_destroy(gateway->rpc);
	weir_host_close(gateway->host);
	close_ports(program);
	weir_dataplane_destroy(gateway->dataplane);
	weir_config_free(program->config);
	if (program->has_eal)
		weir_eal_cleanup();
	weir_loop_destroy(gateway->loop);
}

int main(int argc, char **argv)
{
	struct program *program = calloc(1, sizeof(*program));
	struct weir_error error = {0};
	int status;

	if (program == NULL)
		return 1;
	if (weir_options_parse(argc, argv, &program->options, &status) < 0) {
		free(program);
		return status;
	}
	if (program->options.print_methods) {
		free(program);
		return weir_methods_print() < 0;
	}
	if (weir_config_load(program->options.config, &program->config, &error) < 0) {
		free(program);
		return report(&error);
	}
	if (program->options.check_only) {
		printf("%s is sound\n", program->options.config);
		weir_preflight(program->config, stdout);
		weir_config_free(program->config);
		free(program);
		return 0;
	}
	if (program->options.unload) {
		status = weir_ports_unload(program->config, &error) < 0 ? report(&error) : 0;
		weir_config_free(program->config);
		free(program);
		return status;
	}
	weir_gateway_follow_log(program->config);
	status = 0;
	if (start(program, &error) < 0)
		status = report(&error);
	if (status == 0) {
		weir_log_notice("weir", "version %s is running with %u workers", WEIR_VERSION,
			atomic_load(&program->gateway.dataplane->staying));
		weir_notify_ready(program->notify);
		status = weir_loop_run(program->gateway.loop) < 0 ||
			 weir_takeover_has_failed(program->gateway.takeover);
	}
	stop(program);
	free(program);
	return status;
}
