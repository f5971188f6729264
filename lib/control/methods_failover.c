/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "control/failover_view.h"
#include "control/present.h"
#include "dataplane/report.h"

/* Who has the packets of ports that go on without the gateway. */

static json_t *view_port(const struct weir_port *port)
{
	struct weir_failover_queue queues[WEIR_PORT_MAX_QUEUES];
	uint32_t count = port->ops->failover(port->driver, queues, WEIR_PORT_MAX_QUEUES);

	return weir_failover_view(port->interface, queues, count);
}

static int on_show(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	const struct weir_gateway *gateway = context;
	struct weir_failover_answer answer;

	(void)params;
	weir_failover_answer_begin(&answer);
	for (uint32_t i = 0; i < gateway->dataplane->port_count; i++)
		if (gateway->dataplane->ports[i]->ops->failover != NULL)
			json_array_append_new(
				answer.ports, view_port(gateway->dataplane->ports[i]));
	weir_dataplane_flows(gateway->dataplane, weir_failover_answer_add, &answer);
	return weir_present_answer(weir_failover_answer_end(&answer, true), result, error);
}

/* Do it to the named port, or to all that can. */
static int for_ports(
	struct weir_gateway *gateway, const json_t *params, bool is_armed, struct weir_error *error)
{
	const char *name = json_string_value(json_object_get(params, "interface"));
	uint32_t found = 0;

	for (uint32_t i = 0; i < gateway->dataplane->port_count; i++) {
		const struct weir_port *port = gateway->dataplane->ports[i];

		if (port->ops->failover == NULL ||
			(name != NULL && strcmp(name, port->interface) != 0))
			continue;
		found++;
		if (is_armed)
			port->ops->take(port->driver, true);
		else
			port->ops->trip(port->driver);
	}
	if (found == 0)
		return weir_error_set(error, -ENOENT, name != NULL ? "$.interface" : "",
			"failover_show lists those that there are",
			"no port that goes on without the gateway%s%s", name != NULL ? ": " : "",
			name != NULL ? name : "");
	return 0;
}

static int on_trip(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	int code = for_ports(context, params, false, error);

	return code < 0 ? code : on_show(context, params, result, error);
}

static int on_arm(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	int code = for_ports(context, params, true, error);

	return code < 0 ? code : on_show(context, params, result, error);
}

static const struct weir_rpc_param port_params[] = {
	{.name = "interface", .type = WEIR_RPC_STRING, .help = "of one port; left out: all"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"failover_show", "show who has the packets of xdp ports: the gateway or the kernel",
		WEIR_RPC_READ, NULL, "the ports", on_show},
	{"failover_trip", "let the kernel deliver, until failover_arm or a restart", WEIR_RPC_WRITE,
		port_params, "the ports", on_trip},
	{"failover_arm", "let the gateway deliver again after failover_trip", WEIR_RPC_WRITE,
		port_params, "the ports", on_arm},
};

int weir_methods_failover_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
