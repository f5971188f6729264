/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "control/present.h"
#include "control/versions.h"

/* The configuration: checked, shown, taken over. Paths in its errors begin at its own root. */

int weir_present_parse(
	const json_t *document, struct weir_config **config, struct weir_error *error)
{
	char *text = json_dumps(document, JSON_COMPACT);
	int code;

	if (text == NULL)
		return weir_error_set(error, -ENOMEM, "", "", "no memory for the configuration");
	code = weir_config_parse(text, strlen(text), config, error);
	free(text);
	return code;
}

static unsigned int count_consumers(const struct weir_config *config)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < config->group_count; i++)
		count += config->groups[i].consumer_count;
	return count;
}

static int on_check(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_config *config;
	const char *restart;
	json_t *answer;
	int code = weir_present_parse(json_object_get(params, "config"), &config, error);

	if (code < 0)
		return code;
	restart = weir_config_needs_restart(weir_dataplane_config(gateway->dataplane), config,
		gateway->dataplane->worker_count);
	answer = json_pack("{s:s, s:i, s:i, s:i, s:i, s:o}", "digest", config->digest, "ports",
		config->port_count, "streams", config->stream_count, "groups", config->group_count,
		"consumers", count_consumers(config), "needs_restart", weir_present_text(restart));
	weir_config_free(config);
	return weir_present_answer(answer, result, error);
}

/* Who has not taken the newest generation over yet; nobody is waited for. */
static json_t *present_behind(const struct weir_dataplane *dataplane)
{
	uint64_t behind = weir_dataplane_behind(dataplane);
	json_t *list = json_array();

	for (uint32_t id = 0; list != NULL && id < dataplane->worker_count; id++)
		if ((behind >> id & 1) != 0 && json_array_append_new(list, json_integer(id)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int on_get(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);

	(void)params;
	return weir_present_answer(
		json_pack("{s:I, s:I, s:s, s:o, s:o, s:o}", "generation",
			weir_present_count(gateway->dataplane->generation), "version",
			weir_present_count(weir_versions_running(gateway->versions)), "digest",
			config->digest, "trial", weir_present_trial(gateway), "workers_behind",
			present_behind(gateway->dataplane), "config",
			json_loads(config->json, 0, NULL)),
		result, error);
}

/* Names of one kind, before and after. */
struct change {
	unsigned int added;
	unsigned int removed;
	unsigned int kept;
};

static bool has_consumer(const struct weir_config *config, const char *name)
{
	for (unsigned int i = 0; i < config->group_count; i++)
		for (unsigned int j = 0; j < config->groups[i].consumer_count; j++)
			if (strcmp(config->groups[i].consumers[j].name, name) == 0)
				return true;
	return false;
}

static struct change compare_streams(const struct weir_config *old, const struct weir_config *next)
{
	struct change change = {0};

	for (unsigned int i = 0; i < next->stream_count; i++)
		change.kept += weir_config_find_stream(old, next->streams[i].name) >= 0;
	change.added = next->stream_count - change.kept;
	change.removed = old->stream_count - change.kept;
	return change;
}

static struct change compare_groups(const struct weir_config *old, const struct weir_config *next)
{
	struct change change = {0};

	for (unsigned int i = 0; i < next->group_count; i++)
		change.kept += weir_config_find_group(old, next->groups[i].name) >= 0;
	change.added = next->group_count - change.kept;
	change.removed = old->group_count - change.kept;
	return change;
}

static struct change compare_consumers(
	const struct weir_config *old, const struct weir_config *next)
{
	struct change change = {0};

	for (unsigned int i = 0; i < next->group_count; i++)
		for (unsigned int j = 0; j < next->groups[i].consumer_count; j++)
			change.kept += has_consumer(old, next->groups[i].consumers[j].name);
	change.added = count_consumers(next) - change.kept;
	change.removed = count_consumers(old) - change.kept;
	return change;
}

static json_t *present_change(struct change change)
{
	return json_pack("{s:i, s:i, s:i}", "added", change.added, "removed", change.removed,
		"kept", change.kept);
}

static json_t *present_changes(const struct weir_config *old, const struct weir_config *next)
{
	return json_pack("{s:b, s:o, s:o, s:o}", "any", strcmp(old->digest, next->digest) != 0,
		"streams", present_change(compare_streams(old, next)), "groups",
		present_change(compare_groups(old, next)), "consumers",
		present_change(compare_consumers(old, next)));
}

/* The answer is made first: once the configuration is taken over, nothing may fail any more. */
static int apply(struct weir_gateway *gateway, const json_t *params, struct weir_config *config,
	json_t **answer, struct weir_error *error)
{
	const struct weir_config *running = weir_dataplane_config(gateway->dataplane);
	const char *comment = json_string_value(json_object_get(params, "comment"));
	json_int_t confirm_s = json_integer_value(json_object_get(params, "confirm_s"));
	int code;

	*answer = json_pack("{s:I, s:I, s:s, s:I, s:o}", "generation", weir_present_count(0),
		"version", weir_present_count(0), "digest", config->digest, "confirm_s", confirm_s,
		"changed", present_changes(running, config));
	if (*answer == NULL)
		return weir_error_set(error, -ENOMEM, "", "", "no memory for the answer");
	code = weir_versions_apply(gateway->versions, config, comment != NULL ? comment : "",
		(uint32_t)confirm_s, error);
	if (code < 0) {
		json_decref(*answer);
		*answer = NULL;
	}
	return code;
}

static int on_apply(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_config *config;
	int code = weir_present_check_comment(params, error);

	if (code == 0)
		code = weir_present_parse(json_object_get(params, "config"), &config, error);
	if (code < 0)
		return code;
	code = apply(gateway, params, config, result, error);
	if (code < 0) {
		weir_config_free(config);
		return code;
	}
	json_integer_set(json_object_get(*result, "generation"),
		weir_present_count(gateway->dataplane->generation));
	json_integer_set(json_object_get(*result, "version"),
		weir_present_count(weir_versions_running(gateway->versions)));
	return 0;
}

static const struct weir_rpc_param config_params[] = {
	{.name = "config",
		.type = WEIR_RPC_OBJECT,
		.is_required = true,
		.help = "the whole configuration, as in the file"},
	{NULL},
};

static const struct weir_rpc_param apply_params[] = {
	{.name = "config",
		.type = WEIR_RPC_OBJECT,
		.is_required = true,
		.help = "the whole configuration, as in the file"},
	{.name = "confirm_s",
		.type = WEIR_RPC_INTEGER,
		.help = "on trial: goes back by itself unless config_confirm comes within so many "
			"seconds; left out: for good",
		.minimum = 1,
		.maximum = 86400},
	{.name = "comment",
		.type = WEIR_RPC_STRING,
		.help = "why, for config_history; at most 127 bytes"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"config_check", "check a configuration without changing anything", WEIR_RPC_READ,
		config_params, "digest, counts, and the first part that needs a restart, or null",
		on_check},
	{"config_get", "show the running configuration", WEIR_RPC_READ, NULL,
		"generation, version, digest, the trial or null, the workers that have not taken "
		"the generation over yet, config",
		on_get},
	{"config_apply", "take a configuration over, whole or not at all, for good or on trial",
		WEIR_RPC_WRITE, apply_params, "generation, version, digest, and what changed",
		on_apply},
};

int weir_methods_config_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
