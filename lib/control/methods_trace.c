/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "control/present.h"
#include "control/trace_json.h"
#include "control/tracer.h"
#include "dataplane/model.h"

/* Tracing: begun, ended, listed, shown. */

#define SAMPLE_MOST     1000000000
#define COUNT_DEFAULT   100
#define COUNT_MOST      1000000
#define SECONDS_DEFAULT 60
#define SECONDS_MOST    86400
#define LIST_DEFAULT    20
#define LIST_MOST       4096

static uint64_t number(const json_t *params, const char *key, uint64_t otherwise)
{
	const json_t *value = json_object_get(params, key);

	return value != NULL ? (uint64_t)json_integer_value(value) : otherwise;
}

static int refuse(const char *key, struct weir_error *error)
{
	char path[32];

	snprintf(path, sizeof(path), "$.params.%s", key);
	return weir_error_set(error, -ENOENT, path, "see the list of them", "no such %s", key);
}

static int read_key(const struct weir_config *config, int stream, const char *text,
	struct weir_tracer_rule *wanted, struct weir_error *error)
{
	struct weir_trace_rule *rule = &wanted->rule;

	if (stream < 0)
		return weir_error_set(error, -EINVAL, "$.params.key", "name its stream too",
			"a key is one of a stream");
	if (strlen(text) >= sizeof(wanted->key) ||
		weir_key_read(&config->streams[stream].key, text, &rule->key) < 0)
		return weir_error_set(error, -EINVAL, "$.params.key",
			"written as stream_hotkeys shows keys of this stream",
			"not a key of this stream");
	memcpy(wanted->key, text, strlen(text) + 1);
	rule->has_key = true;
	return 0;
}

static int read_rule(struct weir_gateway *gateway, const json_t *params,
	struct weir_tracer_rule *wanted, struct weir_error *error)
{
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);
	const char *stream = json_string_value(json_object_get(params, "stream"));
	const char *consumer = json_string_value(json_object_get(params, "consumer"));
	const char *key = json_string_value(json_object_get(params, "key"));
	int index = stream != NULL ? weir_config_find_stream(config, stream) : -1;

	wanted->rule.sample = (uint32_t)number(params, "sample", 1);
	wanted->count = (uint32_t)number(params, "count", COUNT_DEFAULT);
	if (stream != NULL && index < 0)
		return refuse("stream", error);
	if (consumer != NULL && weir_consumer_find(gateway->dataplane, consumer) == NULL)
		return refuse("consumer", error);
	if (stream != NULL)
		memcpy(wanted->rule.stream, stream, strlen(stream) + 1);
	if (consumer != NULL)
		memcpy(wanted->rule.consumer, consumer, strlen(consumer) + 1);
	return key != NULL ? read_key(config, index, key, wanted, error) : 0;
}

static json_t *present_rule(struct weir_gateway *gateway, const struct weir_tracer_rule *rule)
{
	uint64_t now = weir_loop_clock_ns();
	bool is_ending = rule->is_on && !rule->is_configured;
	int64_t left = weir_tracer_left(gateway->tracer, rule);

	return json_pack("{s:I, s:b, s:o, s:I, s:o, s:o, s:o, s:o, s:o}", "id",
		weir_present_count(rule->id), "on", rule->is_on, "ended_by",
		weir_present_text(rule->ended_by), "sample", weir_present_count(rule->rule.sample),
		"stream", weir_present_text(rule->rule.stream), "key", weir_present_text(rule->key),
		"consumer", weir_present_text(rule->rule.consumer), "left",
		rule->is_configured ? json_null() : json_integer(left), "seconds_left",
		is_ending ? json_integer(rule->until_ns > now
						 ? (json_int_t)((rule->until_ns - now) / WEIR_S_NS)
						 : 0)
			  : json_null());
}

static const struct weir_tracer_rule *find_rule(struct weir_gateway *gateway, uint32_t id)
{
	const struct weir_tracer_rule *rules = weir_tracer_rules(gateway->tracer);

	for (uint32_t i = 0; i < WEIR_TRACE_RULES; i++)
		if (rules[i].id == id)
			return &rules[i];
	return NULL;
}

static int on_start(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_tracer_rule wanted = {0};
	uint32_t id = 0;
	int code = read_rule(gateway, params, &wanted, error);

	if (code == 0)
		code = weir_tracer_start(gateway->tracer, &wanted,
			number(params, "seconds", SECONDS_DEFAULT), &id, error);
	if (code < 0)
		return code;
	return weir_present_answer(present_rule(gateway, find_rule(gateway, id)), result, error);
}

static json_t *present_rules(struct weir_gateway *gateway)
{
	const struct weir_tracer_rule *rules = weir_tracer_rules(gateway->tracer);
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	for (uint32_t i = 0; i < WEIR_TRACE_RULES; i++)
		if (rules[i].id != 0)
			weir_present_add(&rows, present_rule(gateway, &rules[i]));
	return weir_present_end(&rows);
}

static int on_stop(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;

	if (weir_tracer_stop(gateway->tracer, (uint32_t)number(params, "id", 0)) < 0)
		return weir_error_set(error, -ENOENT, "$.params.id", "see trace_list",
			"no rule of this number is on");
	return weir_present_answer(
		json_pack("{s:o}", "rules", present_rules(gateway)), result, error);
}

static json_t *present_counters(struct weir_gateway *gateway)
{
	const struct weir_tracer_counters counters = weir_tracer_counters(gateway->tracer);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:{s:I, s:I, s:I}}", "begun",
		weir_present_count(counters.traces.begun), "finished",
		weir_present_count(counters.traces.finished), "unfinished",
		weir_present_count(counters.traces.unfinished), "open",
		weir_present_count(counters.traces.open), "lost_events",
		weir_present_count(counters.lost), "documents", "sent",
		weir_present_count(counters.post.sent), "failed",
		weir_present_count(counters.post.failed), "discarded",
		weir_present_count(counters.post.full));
}

static int on_list(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const struct weir_traces *traces = weir_tracer_look(gateway->tracer);
	uint64_t limit = number(params, "limit", LIST_DEFAULT);
	const struct weir_trace *trace = NULL;
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	for (uint64_t i = 0; traces != NULL && i < limit; i++) {
		trace = weir_traces_before(traces, trace);
		if (trace == NULL)
			break;
		weir_present_add(&rows, weir_trace_summary(traces, trace));
	}
	return weir_present_answer(
		json_pack("{s:o, s:o, s:o}", "rules", present_rules(gateway), "traces",
			weir_present_end(&rows), "counters", present_counters(gateway)),
		result, error);
}

static int on_show(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const struct weir_traces *traces = weir_tracer_look(gateway->tracer);
	uint32_t wanted = (uint32_t)number(params, "trace", 0);
	const struct weir_trace *trace = traces != NULL ? weir_traces_find(traces, wanted) : NULL;

	if (trace == NULL)
		return weir_error_set(error, -ENOENT, "$.params.trace", "see trace_list",
			wanted != 0 ? "no trace of this number is kept" : "there is no trace");
	return weir_present_answer(weir_trace_present(traces, trace), result, error);
}

static const struct weir_rpc_param start_params[] = {
	{.name = "sample",
		.type = WEIR_RPC_INTEGER,
		.minimum = 1,
		.maximum = SAMPLE_MOST,
		.help = "one message in so many, on the average; 1 when not given: each"},
	{.name = "stream", .type = WEIR_RPC_STRING, .help = "only of this stream"},
	{.name = "key",
		.type = WEIR_RPC_STRING,
		.help = "only of this key of the stream, written as stream_hotkeys shows it"},
	{.name = "consumer",
		.type = WEIR_RPC_STRING,
		.help = "only of partitions that this consumer has"},
	{.name = "count",
		.type = WEIR_RPC_INTEGER,
		.minimum = 1,
		.maximum = COUNT_MOST,
		.help = "ends after so many messages; 100 when not given"},
	{.name = "seconds",
		.type = WEIR_RPC_INTEGER,
		.minimum = 1,
		.maximum = SECONDS_MOST,
		.help = "ends after so many; 60 when not given"},
	{NULL},
};

static const struct weir_rpc_param stop_params[] = {
	{.name = "id",
		.type = WEIR_RPC_INTEGER,
		.minimum = 1,
		.maximum = UINT32_MAX,
		.help = "the rule's number; all but the configuration's when not given"},
	{NULL},
};

static const struct weir_rpc_param list_params[] = {
	{.name = "limit",
		.type = WEIR_RPC_INTEGER,
		.minimum = 1,
		.maximum = LIST_MOST,
		.help = "traces to show at most, newest first; 20 if not given"},
	{NULL},
};

static const struct weir_rpc_param show_params[] = {
	{.name = "trace",
		.type = WEIR_RPC_INTEGER,
		.minimum = 1,
		.maximum = UINT32_MAX,
		.help = "its number; the newest when not given"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"trace_start", "follow single messages through every stage", WEIR_RPC_WRITE, start_params,
		"the rule, as in trace_list", on_start},
	{"trace_stop", "pick no more messages to follow", WEIR_RPC_WRITE, stop_params,
		"rules, as in trace_list", on_stop},
	{"trace_list", "show which messages are followed, and those that were", WEIR_RPC_READ,
		list_params, "rules, traces: what each was held by longest; counters", on_list},
	{"trace_show", "show the stages of one message, and what held it", WEIR_RPC_READ,
		show_params,
		"the trace, spans: name, consumer, start_us, duration_us, gate, reason", on_show},
};

int weir_methods_trace_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
