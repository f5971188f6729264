/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "base/address.h"
#include "base/log.h"
#include "control/present.h"
#include "control/twins.h"
#include "dataplane/port_restart.h"
#include "dataplane/report.h"

/* Ports, and what went between them and the kernel. */

static json_t *driver_counters(const struct weir_port_counters *counters)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "rx_packets",
		weir_present_count(counters->rx_packets), "rx_bytes",
		weir_present_count(counters->rx_bytes), "rx_missed",
		weir_present_count(counters->rx_missed), "rx_errors",
		weir_present_count(counters->rx_errors), "rx_no_buffer",
		weir_present_count(counters->rx_no_buffer), "tx_packets",
		weir_present_count(counters->tx_packets), "tx_bytes",
		weir_present_count(counters->tx_bytes), "tx_errors",
		weir_present_count(counters->tx_errors));
}

/* What went between the port and its twin; null without one. */
static json_t *twin_counters(const struct weir_gateway *gateway, uint32_t port)
{
	uint64_t to_kernel, from_kernel, dropped;

	if (!weir_twins_counters(gateway->twins, port, &to_kernel, &from_kernel, &dropped))
		return json_null();
	return json_pack("{s:I, s:I, s:I}", "to_kernel", weir_present_count(to_kernel),
		"from_kernel", weir_present_count(from_kernel), "dropped",
		weir_present_count(dropped));
}

static void add_port(void *context, const struct weir_port_report *report)
{
	const struct weir_present_rows *rows = context;
	const struct weir_port_stats *stats = &report->stats;
	const struct weir_port *port = report->port;
	char mac[24];

	weir_mac_format(port->mac, mac, sizeof(mac));
	weir_present_add(context,
		json_pack("{s:s, s:s, s:s, s:s, s:i, s:o, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:I, "
			  "s:I, s:I, s:o, s:o}",
			"name", port->name, "link", report->is_up ? "up" : "down", "driver",
			port->driver_name, "mac", mac, "mtu", port->mtu, "twin",
			twin_counters(rows->gateway, port->index), "rx_queues", port->rx_queues,
			"tx_queues", port->tx_queues, "received",
			weir_present_count(stats->received), "received_bytes",
			weir_present_count(stats->received_bytes), "matched",
			weir_present_count(stats->matched), "kernel",
			weir_present_count(stats->kernel), "native",
			weir_present_count(stats->native), "sent", weir_present_count(stats->sent),
			"sent_bytes", weir_present_count(stats->sent_bytes), "tx_full",
			weir_present_count(stats->tx_full), "dropped",
			weir_present_dropped(stats->dropped), "device",
			driver_counters(&report->counters)));
}

json_t *weir_present_ports(struct weir_gateway *gateway)
{
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	weir_ports_report(gateway->dataplane, add_port, &rows);
	return weir_present_end(&rows);
}

static int on_port_list(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	int code = weir_present_census(context, error);

	(void)params;
	if (code < 0)
		return code;
	return weir_present_answer(
		json_pack("{s:o}", "ports", weir_present_ports(context)), result, error);
}

static int on_port_restart(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const char *name = json_string_value(json_object_get(params, "name"));
	struct weir_port *port = weir_port_named(gateway->dataplane, name);
	int code = port != NULL ? weir_port_restart(gateway->dataplane, port) : -ENOENT;

	switch (code) {
	case 0:
		weir_log_notice("port", "%s was restarted", name);
		return weir_present_answer(json_pack("{s:s}", "name", name), result, error);
	case -ENOENT:
		return weir_error_set(
			error, code, "$.params.name", "see port_list", "no such port");
	case -ENOTSUP:
		return weir_error_set(error, code, "$.params.name",
			"take its interface down and up: ip link set DEV down",
			"the kernel has this port's device");
	case -EBUSY:
		return weir_error_set(error, code, "$.params.name", "see worker_list",
			"a worker does not come round, and may be in the port");
	default:
		return weir_error_set(error, code, "$.params.name", "try again, or restart",
			"the device did not start: %s", strerror(-code));
	}
}

static const struct weir_rpc_param restart_params[] = {
	{.name = "name", .type = WEIR_RPC_STRING, .is_required = true, .help = "the port"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"port_list",
		"show the ports: link, what they received and sent, and the device's counters",
		WEIR_RPC_READ, NULL, "ports", on_port_list},
	{"port_restart",
		"stop a port's device and start it again (drivers pci, tap, memif); what is to "
		"leave waits",
		WEIR_RPC_WRITE, restart_params, "name", on_port_restart},
};

int weir_methods_port_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
