/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "base/reason_text.h"
#include "control/capture.h"
#include "control/nearest.h"
#include "control/present.h"

/* Packet captures: begun, ended, listed. */

#define PACKETS_DEFAULT 10000
#define PACKETS_MOST    100000000
#define SECONDS_DEFAULT 60
#define SECONDS_MOST    86400
#define SNAP_LEAST      64
#define WORD_SIZE       48

static const char *const point_names[] = {"rx", "drop", "tx"};
static const char *const state_names[] = {"free", "running", "ending", "ended"};

#define POINTS (sizeof(point_names) / sizeof(point_names[0]))

/* Each word of a list that commas separate; false: it is empty or too long. */
static bool next_word(const char **list, char word[WORD_SIZE])
{
	size_t length = strcspn(*list, ",");

	if (length == 0 || length >= WORD_SIZE)
		return false;
	memcpy(word, *list, length);
	word[length] = '\0';
	*list += length + ((*list)[length] == ',');
	return true;
}

static int read_points(const char *list, uint8_t *points, struct weir_error *error)
{
	char word[WORD_SIZE];

	do {
		uint32_t i = 0;

		if (!next_word(&list, word))
			word[0] = '\0';
		while (i < POINTS && strcmp(point_names[i], word) != 0)
			i++;
		if (i == POINTS)
			return weir_error_set(error, -EINVAL, "$.params.points",
				"some of rx, drop and tx, with commas between them",
				"no such point");
		*points |= (uint8_t)(1u << i);
	} while (*list != '\0');
	return 0;
}

static int refuse_reason(const char *word, struct weir_error *error)
{
	struct weir_nearest nearest;

	weir_nearest_start(&nearest, word);
	for (int i = 1; i < WEIR_REASON_COUNT; i++)
		weir_nearest_offer(&nearest, weir_reason_name((enum weir_reason)i));
	return weir_error_set(error, -EINVAL, "$.params.reasons",
		nearest.name != NULL ? nearest.name : "names of drop reasons, as in stats_get",
		"no such reason");
}

static int read_reasons(const char *list, uint64_t *reasons, struct weir_error *error)
{
	char word[WORD_SIZE];

	do {
		int i = 1;

		if (!next_word(&list, word))
			return refuse_reason("", error);
		while (i < WEIR_REASON_COUNT &&
			strcmp(weir_reason_name((enum weir_reason)i), word) != 0)
			i++;
		if (i == WEIR_REASON_COUNT)
			return refuse_reason(word, error);
		*reasons |= UINT64_C(1) << i;
	} while (*list != '\0');
	return 0;
}

static int read_name(
	const json_t *params, const char *key, bool exists, char *name, struct weir_error *error)
{
	const char *text = json_string_value(json_object_get(params, key));
	char path[32];

	if (text == NULL)
		return 0;
	if (exists && strlen(text) < WEIR_NAME_SIZE) {
		memcpy(name, text, strlen(text) + 1);
		return 0;
	}
	snprintf(path, sizeof(path), "$.params.%s", key);
	return weir_error_set(error, -ENOENT, path, "see the list of them", "no such %s", key);
}

static int read_objects(struct weir_gateway *gateway, const json_t *params,
	struct weir_capture_rule *rule, struct weir_error *error)
{
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);
	const char *port = json_string_value(json_object_get(params, "port"));
	const char *stream = json_string_value(json_object_get(params, "stream"));
	const char *consumer = json_string_value(json_object_get(params, "consumer"));
	int code = read_name(params, "port",
		port != NULL && weir_config_find_port(config, port) >= 0, rule->port, error);

	if (code == 0)
		code = read_name(params, "stream",
			stream != NULL && weir_config_find_stream(config, stream) >= 0,
			rule->stream, error);
	if (code == 0)
		code = read_name(params, "consumer",
			consumer != NULL &&
				weir_consumer_find(gateway->dataplane, consumer) != NULL,
			rule->consumer, error);
	return code;
}

static uint64_t number(const json_t *params, const char *key, uint64_t otherwise)
{
	const json_t *value = json_object_get(params, key);

	return value != NULL ? (uint64_t)json_integer_value(value) : otherwise;
}

static int read_rule(struct weir_gateway *gateway, const json_t *params,
	struct weir_capture_rule *rule, struct weir_error *error)
{
	const char *reasons = json_string_value(json_object_get(params, "reasons"));
	int code = read_points(
		json_string_value(json_object_get(params, "points")), &rule->points, error);

	rule->snap = (uint32_t)number(params, "snap", WEIR_CAPTURE_SNAP_MAX);
	if (code == 0 && reasons != NULL)
		code = read_reasons(reasons, &rule->reasons, error);
	if (code < 0)
		return code;
	if (reasons != NULL && !(rule->points & WEIR_CAPTURE_DROP))
		return weir_error_set(error, -EINVAL, "$.params.reasons",
			"add the point drop, or leave reasons out",
			"what is received or sent has no reason");
	code = read_objects(gateway, params, rule, error);
	if (code < 0)
		return code;
	if (rule->consumer[0] != '\0' && (rule->points & WEIR_CAPTURE_RX))
		return weir_error_set(error, -EINVAL, "$.params.consumer",
			"what is received is nobody's yet: capture tx or drop, or leave it out",
			"no consumer at the point rx");
	return 0;
}

static json_t *present_points(uint8_t points)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < POINTS; i++)
		if (points >> i & 1)
			json_array_append_new(list, json_string(point_names[i]));
	return list;
}

static json_t *present_reasons(uint64_t reasons)
{
	json_t *list = json_array();

	for (int i = 1; i < WEIR_REASON_COUNT; i++)
		if (reasons >> i & 1)
			json_array_append_new(
				list, json_string(weir_reason_name((enum weir_reason)i)));
	return list;
}

static json_t *present_capture(const struct weir_capture_report *report)
{
	const struct weir_capture_rule *rule = &report->rule;

	return json_pack("{s:I, s:s, s:s, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:I, "
			 "s:I, s:I, s:o}",
		"id", weir_present_count(report->id), "file", report->file, "state",
		state_names[report->state], "ended_by", weir_present_text(report->ended_by),
		"packets", weir_present_count(report->packets), "bytes",
		weir_present_count(report->bytes), "lost", weir_present_count(report->lost),
		"points", present_points(rule->points), "reasons", present_reasons(rule->reasons),
		"port", weir_present_text(rule->port), "stream", weir_present_text(rule->stream),
		"consumer", weir_present_text(rule->consumer), "max_packets",
		weir_present_count(report->bounds.packets), "max_bytes",
		weir_present_count(report->bounds.bytes), "max_seconds",
		weir_present_count(report->bounds.seconds), "snap", weir_present_count(rule->snap),
		"error", weir_present_text(report->error != 0 ? strerror(-report->error) : NULL));
}

static int answer_one(
	struct weir_gateway *gateway, uint32_t id, json_t **result, struct weir_error *error)
{
	struct weir_capture_report report;

	if (!weir_capture_report_of(gateway->captures, id, &report))
		return weir_error_set(
			error, -ENOENT, "$.params.id", "see capture_list", "no such capture");
	return weir_present_answer(present_capture(&report), result, error);
}

static int on_start(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const struct weir_config_capture *config =
		&weir_dataplane_config(gateway->dataplane)->capture;
	const char *file = json_string_value(json_object_get(params, "file"));
	struct weir_capture_bounds bounds = {
		.packets = number(params, "packets", PACKETS_DEFAULT),
		.bytes = number(params, "bytes", config->bytes),
		.seconds = number(params, "seconds", SECONDS_DEFAULT),
	};
	struct weir_capture_rule rule = {0};
	uint32_t id;
	int code;

	if (config->directory[0] == '\0')
		return weir_error_set(error, -EPERM, "$.capture.directory",
			"name a directory for the files in the configuration",
			"captures are not configured");
	if (bounds.bytes > config->bytes)
		return weir_error_set(error, -ERANGE, "$.params.bytes",
			"capture.bytes in the configuration bounds it", "more than %llu",
			(unsigned long long)config->bytes);
	code = read_rule(gateway, params, &rule, error);
	if (code == 0)
		code = weir_capture_start(gateway->captures, config->directory,
			file != NULL ? file : "", &rule, &bounds, &id, error);
	return code < 0 ? code : answer_one(gateway, id, result, error);
}

static int on_stop(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	uint32_t id = (uint32_t)json_integer_value(json_object_get(params, "id"));

	if (weir_capture_stop(gateway->captures, id) < 0)
		return weir_error_set(error, -ENOENT, "$.params.id", "see capture_list",
			"no capture of this number runs");
	return answer_one(gateway, id, result, error);
}

static int on_list(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_capture_report reports[WEIR_CAPTURE_LIST];
	struct weir_gateway *gateway = context;
	struct weir_present_rows rows;
	uint32_t count = weir_capture_reports(gateway->captures, reports);

	(void)params;
	weir_present_begin(&rows, gateway);
	for (uint32_t i = 0; i < count; i++)
		weir_present_add(&rows, present_capture(&reports[i]));
	return weir_present_answer(
		json_pack("{s:o, s:o}", "directory",
			weir_present_text(
				weir_dataplane_config(gateway->dataplane)->capture.directory),
			"captures", weir_present_end(&rows)),
		result, error);
}

static const struct weir_rpc_param start_params[] = {
	{.name = "points",
		.type = WEIR_RPC_STRING,
		.is_required = true,
		.help = "where: some of rx, drop and tx, with commas between them"},
	{.name = "file",
		.type = WEIR_RPC_STRING,
		.help = "its name in capture.directory; one is made up when not given"},
	{.name = "reasons",
		.type = WEIR_RPC_STRING,
		.help = "drops: only for these reasons, with commas between them"},
	{.name = "port", .type = WEIR_RPC_STRING, .help = "only of this port"},
	{.name = "stream", .type = WEIR_RPC_STRING, .help = "only of this stream"},
	{.name = "consumer", .type = WEIR_RPC_STRING, .help = "only what is for this consumer"},
	{.name = "packets",
		.type = WEIR_RPC_INTEGER,
		.minimum = 1,
		.maximum = PACKETS_MOST,
		.help = "ends after so many; 10000 when not given"},
	{.name = "bytes",
		.type = WEIR_RPC_INTEGER,
		.minimum = 4096,
		.maximum = INT64_C(1) << 40,
		.help = "largest file; capture.bytes when not given, and at most"},
	{.name = "seconds",
		.type = WEIR_RPC_INTEGER,
		.minimum = 1,
		.maximum = SECONDS_MOST,
		.help = "ends after so many; 60 when not given"},
	{.name = "snap",
		.type = WEIR_RPC_INTEGER,
		.minimum = SNAP_LEAST,
		.maximum = WEIR_CAPTURE_SNAP_MAX,
		.help = "bytes kept of a packet; all when not given"},
	{NULL},
};

static const struct weir_rpc_param stop_params[] = {
	{.name = "id",
		.type = WEIR_RPC_INTEGER,
		.is_required = true,
		.minimum = 1,
		.maximum = UINT32_MAX,
		.help = "the capture's number"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"capture_start", "write packets that are received, dropped or sent to a pcapng file",
		WEIR_RPC_WRITE, start_params, "the capture, as in capture_list", on_start},
	{"capture_stop", "end a capture", WEIR_RPC_WRITE, stop_params,
		"the capture, as in capture_list", on_stop},
	{"capture_list", "show the captures that run and the latest that have ended", WEIR_RPC_READ,
		NULL,
		"directory, captures: id, file, state, ended_by, packets, bytes, lost, bounds",
		on_list},
};

int weir_methods_capture_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
