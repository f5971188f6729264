/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "control/chaos.h"
#include "control/present.h"

/* Faults: begun, ended, shown. */

#define PERCENT_MOST 50 /* of packets; buffers may all go */
#define SEED_MOST    (INT64_C(1) << 53)

static const char *const fault_names[] = {
#define X(id, name, takes, text) name,
	WEIR_CHAOS_FAULTS(X)
#undef X
		NULL,
};

/* Parameters that not every fault takes. */
static const struct {
	const char *name;
	uint8_t bit;
	bool is_optional;
} parameters[] = {
	{"percent", WEIR_CHAOS_PERCENT, false},
	{"seconds", WEIR_CHAOS_SECONDS, false},
	{"ms", WEIR_CHAOS_MS, false},
	{"port", WEIR_CHAOS_PORT, true},
	{"consumer", WEIR_CHAOS_CONSUMER, true},
	{"worker", WEIR_CHAOS_WORKER, false},
};

static enum weir_chaos_kind find_fault(const json_t *params)
{
	const char *name = json_string_value(json_object_get(params, "fault"));
	int kind = 0;

	while (name != NULL && kind < WEIR_CHAOS_COUNT && strcmp(fault_names[kind], name) != 0)
		kind++;
	return name != NULL ? (enum weir_chaos_kind)kind : WEIR_CHAOS_COUNT;
}

/* What the fault takes is there, and nothing else is. */
static int check_presence(enum weir_chaos_kind kind, const json_t *params, struct weir_error *error)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++) {
		bool is_there = json_object_get(params, parameters[i].name) != NULL;
		bool is_taken = weir_chaos_about[kind].takes & parameters[i].bit;
		char path[32];

		if (is_there == is_taken || (is_taken && parameters[i].is_optional))
			continue;
		snprintf(path, sizeof(path), "$.params.%s", parameters[i].name);
		return weir_error_set(error, -EINVAL, path, "chaos_show says what each fault is",
			is_there ? "%s does not take it" : "%s needs it", fault_names[kind]);
	}
	return 0;
}

static int read_objects(struct weir_gateway *gateway, const json_t *params,
	struct weir_chaos_terms *terms, struct weir_error *error)
{
	const char *port = json_string_value(json_object_get(params, "port"));
	const char *name = json_string_value(json_object_get(params, "consumer"));
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);

	if (port != NULL) {
		int index = weir_config_find_port(config, port);

		if (index < 0)
			return weir_error_set(error, -ENOENT, "$.params.port",
				"port_list lists those there are", "no such port");
		terms->port = (uint16_t)index;
	}
	if (name != NULL) {
		const struct weir_consumer *consumer = weir_consumer_find(gateway->dataplane, name);

		if (consumer == NULL)
			return weir_error_set(error, -ENOENT, "$.params.consumer",
				"consumer_list lists those there are", "no such consumer");
		terms->consumer = (uint16_t)consumer->slot;
	}
	return 0;
}

static int read_terms(struct weir_gateway *gateway, enum weir_chaos_kind kind, const json_t *params,
	struct weir_chaos_terms *terms, struct weir_error *error)
{
	const json_t *seed = json_object_get(params, "seed");
	int result = check_presence(kind, params, error);

	*terms = (struct weir_chaos_terms){
		.percent = json_number_value(json_object_get(params, "percent")),
		.seconds = (uint32_t)json_integer_value(json_object_get(params, "seconds")),
		.ms = (uint32_t)json_integer_value(json_object_get(params, "ms")),
		.seed = seed != NULL ? (uint64_t)json_integer_value(seed) : randombytes_random(),
		.port = WEIR_CHAOS_ANY,
		.consumer = WEIR_CHAOS_ANY,
		.worker = (uint16_t)json_integer_value(json_object_get(params, "worker"))};
	if (result == 0 && (weir_chaos_about[kind].takes & WEIR_CHAOS_PERCENT) &&
		!(terms->percent > 0 &&
			(kind == WEIR_CHAOS_EXHAUST || terms->percent <= PERCENT_MOST)))
		return weir_error_set(error, -ERANGE, "$.params.percent",
			"above 0, and up to 50 of packets or 100 of buffers", "out of range");
	if (result == 0 && terms->worker >= atomic_load(&gateway->dataplane->staying))
		return weir_error_set(error, -ENOENT, "$.params.worker",
			"worker_list lists those there are", "no such worker");
	return result == 0 ? read_objects(gateway, params, terms, error) : result;
}

static json_t *present_if(bool is_shown, json_int_t value)
{
	return is_shown ? json_integer(value) : json_null();
}

static json_t *present_fault(const struct weir_gateway *gateway, enum weir_chaos_kind kind)
{
	const struct weir_chaos_about *about = &weir_chaos_about[kind];
	struct weir_chaos_report report;
	uint8_t shown;

	weir_chaos_report(gateway->chaos, kind, &report);
	shown = report.was_on ? about->takes : 0;
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:o, s:I, s:I, s:o, s:s}", "fault",
		about->name, "state", report.is_on ? "on" : "off", "percent",
		shown & WEIR_CHAOS_PERCENT ? json_real(report.terms.percent) : json_null(),
		"seconds", present_if(shown & WEIR_CHAOS_SECONDS, report.terms.seconds), "ms",
		present_if(shown & WEIR_CHAOS_MS, report.terms.ms), "seed",
		present_if(report.was_on, (json_int_t)report.terms.seed), "left_ms",
		weir_present_count(report.left_ms), "worker",
		present_if(shown & WEIR_CHAOS_WORKER, report.terms.worker), "injected",
		weir_present_count(report.injected), "total", weir_present_count(report.total),
		"ended_by", weir_present_text(report.ended_by), "text", about->text);
}

static int answer(struct weir_gateway *gateway, json_t **result, struct weir_error *error)
{
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	for (int kind = 0; kind < WEIR_CHAOS_COUNT; kind++)
		weir_present_add(&rows, present_fault(gateway, (enum weir_chaos_kind)kind));
	return weir_present_answer(
		json_pack("{s:b, s:I, s:o}", "allowed",
			weir_dataplane_config(gateway->dataplane)->chaos.allow, "held",
			weir_present_count(weir_chaos_held(gateway->dataplane)), "faults",
			weir_present_end(&rows)),
		result, error);
}

static int on_start(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	enum weir_chaos_kind kind = find_fault(params);
	struct weir_chaos_terms terms;
	int code;

	if (!weir_dataplane_config(gateway->dataplane)->chaos.allow)
		return weir_error_set(error, -EPERM, "$.chaos.allow",
			"set it in the configuration of a gateway that may suffer",
			"faults are not allowed");
	code = read_terms(gateway, kind, params, &terms, error);
	if (code == 0)
		code = weir_chaos_start(gateway->chaos, kind, &terms, error);
	return code < 0 ? code : answer(gateway, result, error);
}

static int on_stop(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	enum weir_chaos_kind only = find_fault(params);

	for (int kind = 0; kind < WEIR_CHAOS_COUNT; kind++)
		if (only == WEIR_CHAOS_COUNT || (int)only == kind)
			weir_chaos_stop(gateway->chaos, (enum weir_chaos_kind)kind);
	return answer(gateway, result, error);
}

static int on_show(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)params;
	return answer(context, result, error);
}

static const struct weir_rpc_param start_params[] = {
	{.name = "fault",
		.type = WEIR_RPC_STRING,
		.is_required = true,
		.choices = fault_names,
		.help = "what is to go wrong"},
	{.name = "percent",
		.type = WEIR_RPC_NUMBER,
		.minimum = 0,
		.maximum = 100,
		.help = "of packets, up to 50; exhaust: of all receive buffers"},
	{.name = "seconds",
		.type = WEIR_RPC_INTEGER,
		.minimum = 1,
		.maximum = 600,
		.help = "it ends after so many"},
	{.name = "ms",
		.type = WEIR_RPC_INTEGER,
		.minimum = 1,
		.maximum = 10000,
		.help = "delay: that a packet is held back; stall: how long it is"},
	{.name = "worker", .type = WEIR_RPC_INTEGER, .maximum = 63, .help = "stall: which one"},
	{.name = "port", .type = WEIR_RPC_STRING, .help = "only of this port"},
	{.name = "consumer",
		.type = WEIR_RPC_STRING,
		.help = "lose: only what is sent to this consumer"},
	{.name = "seed",
		.type = WEIR_RPC_INTEGER,
		.maximum = SEED_MOST,
		.help = "of its choices; a random one when not given"},
	{NULL},
};

static const struct weir_rpc_param stop_params[] = {
	{.name = "fault",
		.type = WEIR_RPC_STRING,
		.choices = fault_names,
		.help = "left out: all that are on"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"chaos_start", "inject a fault for a time, where chaos.allow is set", WEIR_RPC_WRITE,
		start_params, "as chaos_show", on_start},
	{"chaos_stop", "end injected faults before their time", WEIR_RPC_WRITE, stop_params,
		"as chaos_show", on_stop},
	{"chaos_show", "show the faults that can be injected, which are on, and what they have hit",
		WEIR_RPC_READ, NULL, "allowed, held, faults", on_show},
};

int weir_methods_chaos_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
