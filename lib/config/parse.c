/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/parts.h"

enum { MAX_DEPTH = 16 };

static const struct weir_field config_fields[] = {
	{WEIR_MEMBER(struct weir_config, workers), .read = weir_read_workers},
	{WEIR_MEMBER(struct weir_config, memory), .read = weir_read_memory},
	{.key = "control", .read = weir_read_control},
	{WEIR_MEMBER(struct weir_config, tiers), .read = weir_read_tiers},
	{WEIR_MEMBER(struct weir_config, native), .read = weir_read_native},
	{WEIR_MEMBER(struct weir_config, reach), .read = weir_read_reach},
	{WEIR_MEMBER(struct weir_config, state), .read = weir_read_state},
	{WEIR_MEMBER(struct weir_config, quarantine), .read = weir_read_quarantine},
	{WEIR_MEMBER(struct weir_config, health), .read = weir_read_health},
	{WEIR_MEMBER(struct weir_config, failover), .read = weir_read_failover},
	{WEIR_MEMBER(struct weir_config, telemetry), .read = weir_read_telemetry},
	{WEIR_MEMBER(struct weir_config, log), .read = weir_read_log},
	{WEIR_MEMBER(struct weir_config, watchdog), .read = weir_read_watchdog},
	{WEIR_MEMBER(struct weir_config, alerts), .read = weir_read_alerts},
	{WEIR_MEMBER(struct weir_config, elastic), .read = weir_read_elastic},
	{WEIR_MEMBER(struct weir_config, features), .read = weir_read_features},
	{WEIR_MEMBER(struct weir_config, capture), .read = weir_read_capture},
	{WEIR_MEMBER(struct weir_config, chaos), .read = weir_read_chaos},
	{WEIR_MEMBER(struct weir_config, trace), .read = weir_read_trace},
	{.key = "ports",
		.read = weir_read_ports,
		.hint = "[{\"name\": \"up0\", \"driver\": \"af_packet\", \"interface\": \"eth0\"}]",
		.required = true},
	{.key = "streams", .read = weir_read_streams},
	{.key = "groups", .read = weir_read_groups},
};

static const struct weir_config defaults = {
	.workers = {.cpus = {0},
		.count = 1,
		.idle = WEIR_IDLE_AUTO,
		.stall_ms = 1000,
		.long_loop_us = 1000},
	.memory = {.hugepages = true, .buffers = 32768, .buffer_bytes = 2048},
	.control_socket = "/run/weir/weir.sock",
	.tiers = {.standard_weight = 4, .bulk_weight = 1},
	.native = {.udp_port = 4150,
		.heartbeat_ms = 200,
		.liveness_ms = 1000,
		.max_frame = 9000,
		.queue_ms = 100},
	.reach = {.probe_ms = 1000, .hold_ms = 1500},
	.state = {.interval_ms = 1000},
	.quarantine = {.messages = 1024, .bytes = 16 * 1048576},
	.health = {.throttled_percent = 50, .park_ms = 1000, .catch_up_ms = 1000},
	.failover = {.enabled = true, .pins = "/sys/fs/bpf/weir", .heartbeat_ms = 50},
	.telemetry = {.address = {4, {127, 0, 0, 1}},
		.port = 9464,
		.interval_ms = 1000,
		.partitions = 1024,
		.consumers = 1024},
	.log = {.per_minute = 60},
	.watchdog =
		{.act = true, .per_hour = 6, .pool_percent = 10, .disk_ms = 1000, .clock_ms = 1000},
	.alerts = {.short_s = 60, .long_s = 900, .deviation = 4},
	.elastic = {.least = 1,
		.wake_percent = 75,
		.park_percent = 50,
		.wake_ms = 1000,
		.park_ms = 30000},
	.features = {[0 ... WEIR_FEATURE_COUNT - 1] = {.is_on = true, .share_percent = 100}},
	.capture = {.bytes = 100 * 1048576},
	.trace = {.keep = 256, .contexts_per_s = 100},
};

/* Before the parser, which would recurse as deep as it is told to. */
static int check_depth(const char *text, size_t length, struct weir_error *error)
{
	unsigned int depth = 0, line = 1;
	bool in_text = false;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\n')
			line++;
		if (in_text && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_text = !in_text;
		else if (!in_text && (text[i] == '[' || text[i] == '{'))
			depth++;
		else if (!in_text && (text[i] == ']' || text[i] == '}') && depth > 0)
			depth--;
		if (depth > MAX_DEPTH)
			return weir_error_set(error, -EINVAL, "$",
				"a configuration nests five deep; close a bracket or brace",
				"nested deeper than %u at line %u", MAX_DEPTH, line);
	}
	return 0;
}

static int refuse_no_memory(const char *path, struct weir_error *error)
{
	return weir_error_set(error, -ENOMEM, path, "free memory on this machine",
		"no memory for the configuration");
}

/* The parser's own words, which repeat bytes of the document, as plain ASCII. */
static int refuse_syntax(const json_error_t *syntax, struct weir_error *error)
{
	char words[JSON_ERROR_TEXT_LENGTH];
	bool is_duplicate = json_error_code(syntax) == json_error_duplicate_key;

	/* Where jansson runs out of memory, it may leave no words at all. */
	if (json_error_code(syntax) == json_error_out_of_memory || syntax->text[0] == '\0')
		return refuse_no_memory("$", error);
	snprintf(words, sizeof(words), "%s", syntax->text);
	for (char *at = words; *at != '\0'; at++)
		if (*at < ' ' || *at > '~')
			*at = '?';
	return weir_error_set(error, -EINVAL, "$",
		is_duplicate ? "a key may be in an object once; remove or rename one"
			     : "one JSON object: keys and texts in double quotes, a comma between "
			       "members and none after the last, no comments",
		"line %d, column %d: %s", syntax->line, syntax->column, words);
}

/* Canonical: what was written, in one spelling, so that equal intent has equal digests. */
static int keep_text(const struct weir_value *root, struct weir_config *config)
{
	unsigned char hash[crypto_hash_sha256_BYTES];

	config->json = json_dumps(root->json, JSON_COMPACT | JSON_SORT_KEYS);
	if (config->json == NULL)
		return weir_value_no_memory(root);
	crypto_hash_sha256(hash, (const unsigned char *)config->json, strlen(config->json));
	sodium_bin2hex(config->digest, sizeof(config->digest), hash, sizeof(hash));
	return 0;
}

static int build(json_t *json, struct weir_config *config, struct weir_error *error)
{
	struct weir_value root = {.json = json, .error = error};
	int rc;

	*config = defaults;
	rc = weir_fields_read(
		&root, config_fields, sizeof(config_fields) / sizeof(config_fields[0]), config);
	if (rc == 0)
		rc = weir_check_names(config, &root);
	if (rc == 0)
		rc = weir_check_buffers(config, &root);
	if (rc == 0)
		rc = keep_text(&root, config);
	return rc;
}

static int refuse_file(const char *path, const char *doing, struct weir_error *error)
{
	int code = -errno;

	return weir_error_set(error, code, path, "name a readable JSON file", "cannot %s: %s",
		doing, strerror(-code));
}

int weir_config_parse(
	const char *text, size_t length, struct weir_config **config, struct weir_error *error)
{
	struct weir_config *made;
	json_error_t syntax = {0};
	json_t *json;
	int rc;

	*config = NULL;
	if (length > WEIR_CONFIG_MAX_BYTES)
		return weir_error_set(
			error, -E2BIG, "$", "at most 8 MiB", "%zu bytes of text", length);
	rc = check_depth(text, length, error);
	if (rc < 0)
		return rc;
	json = json_loadb(text, length, JSON_REJECT_DUPLICATES, &syntax);
	if (json == NULL)
		return refuse_syntax(&syntax, error);
	made = malloc(sizeof(*made));
	if (made == NULL)
		rc = refuse_no_memory("$", error);
	else
		rc = build(json, made, error);
	json_decref(json);
	if (rc < 0) {
		weir_config_free(made);
		return rc;
	}
	*config = made;
	return 0;
}

int weir_config_load(const char *path, struct weir_config **config, struct weir_error *error)
{
	size_t capacity = WEIR_CONFIG_MAX_BYTES + 1, length;
	FILE *file = fopen(path, "re");
	char *text;
	int rc;

	*config = NULL;
	if (file == NULL)
		return refuse_file(path, "open it", error);
	text = malloc(capacity);
	if (text == NULL) {
		fclose(file);
		return refuse_no_memory(path, error);
	}
	length = fread(text, 1, capacity, file);
	if (ferror(file))
		rc = refuse_file(path, "read it", error);
	else
		rc = weir_config_parse(text, length, config, error);
	free(text);
	fclose(file);
	return rc;
}

void weir_config_free(struct weir_config *config)
{
	if (config == NULL)
		return;
	for (unsigned int i = 0; i < WEIR_FEATURE_COUNT; i++)
		free(config->features[i].streams);
	for (unsigned int i = 0; i < config->port_count; i++)
		free(config->ports[i].twin.addresses);
	for (unsigned int i = 0; i < config->stream_count; i++) {
		free(config->streams[i].match.destinations);
		free(config->streams[i].match.sources);
		free(config->streams[i].match.udp_ports);
	}
	for (unsigned int i = 0; i < config->group_count; i++) {
		free(config->groups[i].streams);
		free(config->groups[i].sources);
		free(config->groups[i].consumers);
		free(config->groups[i].weights);
	}
	free(config->ports);
	free(config->streams);
	free(config->groups);
	free(config->json);
	free(config);
}

int weir_config_find_port(const struct weir_config *config, const char *name)
{
	for (unsigned int i = 0; i < config->port_count; i++)
		if (strcmp(config->ports[i].name, name) == 0)
			return (int)i;
	return -1;
}

int weir_config_find_stream(const struct weir_config *config, const char *name)
{
	for (unsigned int i = 0; i < config->stream_count; i++)
		if (strcmp(config->streams[i].name, name) == 0)
			return (int)i;
	return -1;
}

int weir_config_find_group(const struct weir_config *config, const char *name)
{
	for (unsigned int i = 0; i < config->group_count; i++)
		if (strcmp(config->groups[i].name, name) == 0)
			return (int)i;
	return -1;
}
