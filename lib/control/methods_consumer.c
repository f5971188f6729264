/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/present.h"
#include "control/reach.h"
#include "dataplane/report.h"

/* Consumers as an operator sees them. */

struct rows {
	struct weir_present_rows rows;
	const char *only;     /* NULL: all of them */
	uint32_t *partitions; /* by slot */
};

static const char *guarantee(const struct weir_consumer *consumer)
{
	if (consumer->class != WEIR_CLASS_NATIVE)
		return atomic_load(&consumer->agent) != 0 ? "at most once, without overrun"
							  : "at most once";
	return consumer->is_reliable ? "at least once" : "at most once, losses reported";
}

/* {gate: times} of those that ever closed. */
static json_t *present_gates(const uint64_t *closed)
{
	static const char *const names[] = {
#define X(id, name) [WEIR_GATE_##id] = name,
		WEIR_GATES(X)
#undef X
	};
	json_t *object = json_object();

	for (int gate = WEIR_GATE_OPEN + 1; object != NULL && gate < WEIR_GATE_COUNT; gate++)
		if (closed[gate] != 0 &&
			json_object_set_new(object, names[gate],
				json_integer(weir_present_count(closed[gate]))) < 0) {
			json_decref(object);
			return NULL;
		}
	return object;
}

static json_t *present_rate(const struct weir_config_rate *rate)
{
	return json_pack("{s:I, s:I, s:I, s:I}", "packets_per_s",
		weir_present_count(rate->packets_per_s), "bits_per_s",
		weir_present_count(rate->bits_per_s), "burst_packets",
		weir_present_count(rate->burst_packets), "burst_bytes",
		weir_present_count(rate->burst_bytes));
}

static json_t *present_credit(
	const struct weir_consumer *consumer, const struct weir_consumer_report *report)
{
	if (consumer->class != WEIR_CLASS_NATIVE)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I}", "limit_messages",
		weir_present_count(report->limit_messages), "used_messages",
		weir_present_count(report->used_messages), "limit_bytes",
		weir_present_count(report->limit_bytes), "used_bytes",
		weir_present_count(report->used_bytes));
}

static const char *state(
	uint8_t class, uint32_t closed, const struct weir_reach_status *reach, const char **why)
{
	*why = reach->reason;
	if (closed & WEIR_CLOSED_PAUSED) {
		*why = "by an operator";
		return "paused";
	}
	if (closed & WEIR_CLOSED_PEER) {
		*why = class == WEIR_CLASS_NATIVE ? "by the consumer" : "nobody has its socket";
		return "paused";
	}
	return reach->state_name;
}

static json_t *present_way(
	const struct weir_gateway *gateway, const struct weir_reach_status *reach)
{
	bool has_port = reach->port >= 0 && (uint32_t)reach->port < gateway->dataplane->port_count;
	char next_hop[WEIR_ADDRESS_TEXT] = "", mac[24] = "";

	if (reach->next_hop.family != 0)
		weir_address_format(&reach->next_hop, next_hop, sizeof(next_hop));
	if (reach->has_mac)
		weir_mac_format(reach->mac, mac, sizeof(mac));
	return json_pack("{s:o, s:o, s:o, s:i}", "egress",
		weir_present_text(has_port ? gateway->dataplane->ports[reach->port]->name : NULL),
		"next_hop", weir_present_text(next_hop), "mac", weir_present_text(mac), "vlan",
		reach->vlan);
}

/* What comes behind the first columns; its members go into the row itself. */
static json_t *present_more(struct weir_gateway *gateway, const struct weir_consumer *consumer,
	const struct weir_consumer_report *report, const struct weir_reach_status *reach)
{
	bool is_native = consumer->class == WEIR_CLASS_NATIVE;
	json_t *silent =
		is_native ? json_integer(weir_present_count(weir_session_silent_ms(consumer)))
			  : json_null();
	json_t *more = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s}",
		"dropped", weir_present_dropped(report->dropped), "health",
		weir_present_health(gateway, consumer), "delivery",
		weir_present_delivery(gateway, consumer, &report->stats), "gate",
		present_gates(report->stats.closed), "rate", present_rate(&report->rate), "credit",
		present_credit(consumer, report), "place", weir_present_place(gateway, consumer),
		"agent", weir_present_agent(gateway, consumer), "silent_ms", silent,
		"became_unreachable", weir_present_count(reach->changes), "guarantee",
		guarantee(consumer));
	json_t *way = present_way(gateway, reach);

	if (more != NULL && (way == NULL || json_object_update(more, way) < 0)) {
		json_decref(more);
		more = NULL;
	}
	json_decref(way);
	return more;
}

static json_t *present_consumer(struct rows *rows, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config)
{
	struct weir_gateway *gateway = rows->rows.gateway;
	struct weir_reach_status reach = {.state_name = "resolving", .port = -1};
	struct weir_consumer_report report;
	char address[WEIR_ADDRESS_TEXT];
	const char *why;
	const char *now;
	json_t *row, *more;

	weir_reach_status(gateway->reach, consumer, &reach);
	weir_consumer_report(gateway->dataplane, consumer, &report);
	now = state(consumer->class, report.closed, &reach, &why);
	weir_address_format(
		config != NULL ? &config->address : &consumer->peer, address, sizeof(address));
	row = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:o, s:I, s:I, s:I, s:I}", "name",
		consumer->name, "group", group->name, "class", weir_class_name(consumer->class),
		"address", address, "port", config != NULL ? config->port : consumer->peer_port,
		"state", now, "reason", weir_present_text(why), "partitions",
		weir_present_count(rows->partitions[consumer->slot]), "delivered",
		weir_present_count(report.stats.delivered), "bytes",
		weir_present_count(report.stats.delivered_bytes), "datagrams",
		weir_present_count(report.stats.datagrams));
	more = present_more(gateway, consumer, &report, &reach);
	if (row != NULL && (more == NULL || json_object_update(row, more) < 0)) {
		json_decref(row);
		row = NULL;
	}
	json_decref(more);
	return row;
}

static void add_consumer(void *context, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config)
{
	struct rows *rows = context;

	if (rows->only == NULL || strcmp(rows->only, consumer->name) == 0)
		weir_present_add(&rows->rows, present_consumer(rows, consumer, group, config));
}

static json_t *list_consumers(struct weir_gateway *gateway, const char *only)
{
	struct rows rows = {.only = only};

	rows.partitions = calloc(WEIR_MAX_CONSUMERS, sizeof(*rows.partitions));
	if (rows.partitions == NULL)
		return NULL;
	weir_placement_count(gateway->dataplane, rows.partitions);
	weir_present_begin(&rows.rows, gateway);
	weir_consumers_visit(gateway->dataplane, add_consumer, &rows);
	free(rows.partitions);
	return weir_present_end(&rows.rows);
}

json_t *weir_present_consumers(struct weir_gateway *gateway)
{
	return list_consumers(gateway, NULL);
}

static int on_list(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)params;
	return weir_present_answer(
		json_pack("{s:o}", "consumers", list_consumers(context, NULL)), result, error);
}

static int on_show(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	const struct weir_consumer *consumer = weir_present_consumer(context, params, error);
	json_t *list, *row;

	if (consumer == NULL)
		return -ENOENT;
	list = list_consumers(context, consumer->name);
	row = json_incref(json_array_get(list, 0));
	json_decref(list);
	return weir_present_answer(row, result, error);
}

static int set_paused(
	void *context, const json_t *params, bool on, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_consumer *consumer = weir_present_consumer(gateway, params, error);

	if (consumer == NULL)
		return -ENOENT;
	weir_consumer_set_closed(gateway->dataplane, consumer, WEIR_CLOSED_PAUSED, on);
	return on_show(context, params, result, error);
}

static int on_pause(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	return set_paused(context, params, true, result, error);
}

static int on_resume(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	return set_paused(context, params, false, result, error);
}

static int on_set_rate(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_consumer *consumer = weir_present_consumer(gateway, params, error);
	struct weir_config_rate rate;
	int code;

	if (consumer == NULL)
		return -ENOENT;
	rate = consumer->rate;
	code = weir_present_read_rate(params, &rate, error);
	if (code < 0)
		return code;
	weir_consumer_limit(gateway->dataplane, consumer, &rate);
	return on_show(context, params, result, error);
}

#define NAME                                                                                       \
	{                                                                                          \
		.name = "name", .type = WEIR_RPC_STRING, .is_required = true,                      \
		.help = "the consumer's name"                                                      \
	}

static const struct weir_rpc_param name_params[] = {NAME, {NULL}};

static const struct weir_rpc_param set_rate_params[] = {
	NAME,
	{.name = "packets_per_s",
		.type = WEIR_RPC_ANY,
		.help = "packets a second, such as 5000 or \"5k\"; 0: no limit"},
	{.name = "bits_per_s",
		.type = WEIR_RPC_ANY,
		.help = "bits a second of IP packets, such as \"10M\"; 0: no limit"},
	{.name = "burst_packets",
		.type = WEIR_RPC_ANY,
		.help = "packets that may go at once; 0: 10 ms worth, at least 32"},
	{.name = "burst_bytes",
		.type = WEIR_RPC_ANY,
		.help = "bytes that may go at once, such as \"64k\"; 0: 10 ms worth"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"consumer_list", "show the consumers: state, what they got, what held it back",
		WEIR_RPC_READ, NULL, "consumers", on_list},
	{"consumer_show", "show one consumer", WEIR_RPC_READ, name_params, "the consumer", on_show},
	{"consumer_set_rate",
		"limit a consumer until the next config_apply or restart; what is not given stays",
		WEIR_RPC_WRITE, set_rate_params, "the consumer", on_set_rate},
	{"consumer_pause", "send a consumer nothing; its partitions wait", WEIR_RPC_WRITE,
		name_params, "the consumer", on_pause},
	{"consumer_resume", "send to a paused consumer again", WEIR_RPC_WRITE, name_params,
		"the consumer", on_resume},
};

int weir_methods_consumer_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
