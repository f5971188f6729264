/* SPDX-License-Identifier: BSD-3-Clause */
#include "methods.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/methods_log.h"
#include "control/takeover.h"

int weir_methods_create(struct weir_gateway *gateway)
{
	return weir_rpc_create(&gateway->rpc) < 0 || weir_methods_log_register(gateway->rpc) < 0 ||
			       weir_methods_config_register(gateway) < 0 ||
			       weir_methods_version_register(gateway) < 0 ||
			       weir_methods_stream_register(gateway) < 0 ||
			       weir_methods_consumer_register(gateway) < 0 ||
			       weir_methods_producer_register(gateway) < 0 ||
			       weir_methods_port_register(gateway) < 0 ||
			       weir_methods_worker_register(gateway) < 0 ||
			       weir_methods_failover_register(gateway) < 0 ||
			       weir_methods_stats_register(gateway) < 0 ||
			       weir_methods_quarantine_register(gateway) < 0 ||
			       weir_methods_takeover_register(gateway) < 0 ||
			       weir_methods_metric_register(gateway) < 0 ||
			       weir_methods_place_register(gateway) < 0 ||
			       weir_methods_event_register(gateway) < 0 ||
			       weir_methods_health_register(gateway) < 0 ||
			       weir_methods_alert_register(gateway) < 0 ||
			       weir_methods_feature_register(gateway) < 0 ||
			       weir_methods_capture_register(gateway) < 0 ||
			       weir_methods_template_register(gateway) < 0 ||
			       weir_methods_drift_register(gateway) < 0 ||
			       weir_methods_chaos_register(gateway) < 0 ||
			       weir_methods_trace_register(gateway) < 0 ||
			       weir_methods_capacity_register(gateway) < 0
		       ? -ENOMEM
		       : 0;
}

int weir_methods_print(void)
{
	static const char request[] =
		"{\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"rpc_methods\"}";
	const struct weir_rpc_peer peer = {.role = WEIR_RPC_READ};
	struct weir_gateway gateway = {0};
	char *text = NULL;
	size_t length = 0;
	json_t *answer = NULL;
	int result = weir_methods_create(&gateway);

	if (result == 0)
		result = weir_rpc_handle(
			gateway.rpc, request, strlen(request), &peer, &text, &length);
	if (result == 0 && text != NULL)
		answer = json_loadb(text, length, 0, NULL);
	result = json_dumpf(json_object_get(answer, "result"), stdout, JSON_INDENT(1)) < 0 ? -EIO
											   : 0;
	putchar('\n');
	json_decref(answer);
	free(text);
	weir_rpc_destroy(gateway.rpc);
	return result;
}
