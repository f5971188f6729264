/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/events.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/gateway.h"
#include "control/present.h"

static const struct {
	const char *name;
	enum weir_log_level level;
} kinds[WEIR_EVENT_COUNT] = {
#define X(id, name, level, help) [WEIR_EVENT_##id] = {name, WEIR_LOG_##level},
	WEIR_EVENTS(X)
#undef X
};

const char *weir_event_name(enum weir_event_kind kind)
{
	return kinds[kind].name;
}

static void log_event(const struct weir_event *event)
{
	struct weir_log_field fields[4];
	size_t count = 0;

	fields[count++] = (struct weir_log_field){"event", kinds[event->kind].name, 0};
	fields[count++] = (struct weir_log_field){"subject", event->subject, 0};
	if (event->reason != NULL)
		fields[count++] = (struct weir_log_field){"reason", event->reason, 0};
	if (event->count >= 0)
		fields[count++] = (struct weir_log_field){"count", NULL, event->count};
	weir_log_fields(kinds[event->kind].level, "event", kinds[event->kind].name, event->text,
		fields, count);
}

static json_t *describe(const struct weir_gateway *gateway, const struct weir_event *event)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return json_pack("{s:s, s:s, s:{s:I, s:I, s:s, s:s, s:s, s:o, s:o, s:s}}", "jsonrpc", "2.0",
		"method", "event", "params", "number", weir_present_count(gateway->events_emitted),
		"time_ms", (json_int_t)now.tv_sec * 1000 + now.tv_nsec / 1000000, "event",
		kinds[event->kind].name, "level", weir_log_level_name(kinds[event->kind].level),
		"subject", event->subject, "reason", weir_present_text(event->reason), "count",
		event->count >= 0 ? json_integer(event->count) : json_null(), "text", event->text);
}

void weir_event_emit(struct weir_gateway *gateway, const struct weir_event *event)
{
	json_t *notification;
	char *text;

	gateway->events[event->kind]++;
	gateway->events_emitted++;
	log_event(event);
	if (gateway->server == NULL || !weir_server_has_subscribers(gateway->server))
		return;
	notification = describe(gateway, event);
	text = notification != NULL ? json_dumps(notification, JSON_COMPACT) : NULL;
	json_decref(notification);
	weir_server_notify(gateway->server, text);
	free(text);
}

static int on_subscribe(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;

	(void)params;
	weir_server_subscribe(gateway->server);
	return weir_present_answer(
		json_pack("{s:I}", "number", weir_present_count(gateway->events_emitted)), result,
		error);
}

static const struct weir_rpc_method methods[] = {
	{"event_subscribe",
		"be told each event from now on, as notifications \"event\" on this connection",
		WEIR_RPC_READ, NULL,
		"number of the newest event; who reads too slowly is told \"events_lost\"",
		on_subscribe},
};

int weir_methods_event_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
