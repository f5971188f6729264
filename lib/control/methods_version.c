/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/config_diff.h"
#include "control/present.h"
#include "control/versions.h"

/* Versions of the configuration: listed, compared, confirmed, taken back. */

static json_t *present_time(uint64_t wall_ns)
{
	char text[32];
	time_t seconds = (time_t)(wall_ns / WEIR_S_NS);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return json_null();
	return json_string(text);
}

static json_t *present_failure(const struct weir_error *failure)
{
	char text[sizeof(failure->path) + sizeof(failure->reason) + 2];

	if (failure->code == 0)
		return json_null();
	snprintf(text, sizeof(text), "%s: %s", failure->path, failure->reason);
	return json_string(text);
}

json_t *weir_present_trial(const struct weir_gateway *gateway)
{
	struct weir_versions_report report;

	weir_versions_report(gateway->versions, &report);
	if (!report.is_on_trial)
		return json_null();
	return json_pack("{s:I, s:I, s:f, s:o}", "version",
		weir_present_count(report.history->running), "back_to",
		weir_present_count(report.history->back), "left_s", (double)report.left_ms / 1000,
		"failure", present_failure(&report.failure));
}

int weir_present_check_comment(const json_t *params, struct weir_error *error)
{
	const char *comment = json_string_value(json_object_get(params, "comment"));

	if (comment == NULL || strlen(comment) < WEIR_HISTORY_COMMENT)
		return 0;
	return weir_error_set(
		error, -EINVAL, "$.comment", "at most 127 bytes", "%zu bytes", strlen(comment));
}

static const char *state_of(const struct weir_history *history, const struct weir_version *version)
{
	if (version->number == history->running)
		return history->back != 0 ? "on trial" : "running";
	return version->is_reverted ? "not confirmed" : "kept";
}

static json_t *present_version(
	const struct weir_history *history, const struct weir_version *version)
{
	return json_pack("{s:I, s:s, s:o, s:s, s:o, s:o, s:s}", "version",
		weir_present_count(version->number), "state", state_of(history, version), "since",
		present_time(version->wall_ns), "by",
		version->is_from_start ? "start" : "config_apply", "before",
		version->before != 0 ? json_integer(weir_present_count(version->before))
				     : json_null(),
		"comment", weir_present_text(version->comment), "digest", version->digest);
}

static int on_history(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_versions_report report;
	struct weir_present_rows rows;

	(void)params;
	weir_versions_report(gateway->versions, &report);
	weir_present_begin(&rows, gateway);
	for (uint32_t i = 0; i < report.history->count; i++)
		weir_present_add(
			&rows, present_version(report.history, report.history->versions[i]));
	return weir_present_answer(
		json_pack("{s:I, s:o, s:o, s:o}", "running",
			weir_present_count(report.history->running), "trial",
			weir_present_trial(gateway), "saved",
			report.is_kept ? json_boolean(report.is_saved) : json_null(), "versions",
			weir_present_end(&rows)),
		result, error);
}

/* The document of a version; a new reference, or NULL with `error` filled. */
static json_t *load_version(const struct weir_version *version, const char *path, json_int_t number,
	struct weir_error *error)
{
	json_t *document;

	if (version == NULL) {
		weir_error_set(error, -ENOENT, path, "config_history lists those there are",
			"no version %lld", (long long)number);
		return NULL;
	}
	document = json_loads(version->json, 0, NULL);
	if (document == NULL)
		weir_error_set(error, -ENOMEM, path, "", "no memory for the configuration");
	return document;
}

/* What is compared: named by number, or the one before the running one by default. */
static json_t *load_from(const struct weir_history *history, const json_t *params,
	const json_t *candidate, struct weir_error *error)
{
	json_int_t number = json_integer_value(json_object_get(params, "from"));
	const struct weir_version *version;

	if (number != 0)
		version = weir_history_find(history, (uint64_t)number);
	else if (candidate != NULL || json_object_get(params, "to") != NULL)
		version = weir_history_running(history);
	else
		version = history->back != 0 ? weir_history_find(history, history->back)
					     : weir_history_before(history);
	if (version == NULL && number == 0) {
		weir_error_set(error, -ENOENT, "$.from", "name two versions, or a configuration",
			"there is no version before the running one");
		return NULL;
	}
	return load_version(version, "$.from", number, error);
}

/* A candidate is checked as by config_apply, and written as the gateway writes it. */
static json_t *load_candidate(const json_t *candidate, struct weir_error *error)
{
	struct weir_config *config;
	json_t *document = NULL;

	if (weir_present_parse(candidate, &config, error) < 0)
		return NULL;
	document = json_loads(config->json, 0, NULL);
	weir_config_free(config);
	if (document == NULL)
		weir_error_set(error, -ENOMEM, "", "", "no memory for the configuration");
	return document;
}

static json_t *load_to(const struct weir_history *history, const json_t *params,
	const json_t *candidate, struct weir_error *error)
{
	json_int_t number = json_integer_value(json_object_get(params, "to"));

	if (candidate != NULL)
		return load_candidate(candidate, error);
	return load_version(number != 0 ? weir_history_find(history, (uint64_t)number)
					: weir_history_running(history),
		"$.to", number, error);
}

static int on_diff(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const json_t *candidate = json_object_get(params, "config");
	struct weir_versions_report report;
	struct weir_error failure = {0};
	json_t *changes, *from, *to = NULL;

	if (candidate != NULL && json_object_get(params, "to") != NULL)
		return weir_error_set(error, -EINVAL, "$.to", "leave one of the two out",
			"either a version or a configuration");
	weir_versions_report(gateway->versions, &report);
	from = load_from(report.history, params, candidate, &failure);
	if (from != NULL)
		to = load_to(report.history, params, candidate, &failure);
	if (to == NULL) {
		json_decref(from);
		*error = failure;
		return failure.code;
	}
	changes = weir_config_diff(from, to);
	json_decref(from);
	json_decref(to);
	return weir_present_answer(
		json_pack("{s:i, s:o}", "count", (int)json_array_size(changes), "changes", changes),
		result, error);
}

static int answer_running(
	const struct weir_gateway *gateway, json_t **result, struct weir_error *error)
{
	return weir_present_answer(
		json_pack("{s:I, s:I, s:s, s:o}", "generation",
			weir_present_count(gateway->dataplane->generation), "version",
			weir_present_count(weir_versions_running(gateway->versions)), "digest",
			weir_dataplane_config(gateway->dataplane)->digest, "trial",
			weir_present_trial(gateway)),
		result, error);
}

static int on_confirm(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	int code = weir_versions_confirm(gateway->versions, error);

	(void)params;
	return code < 0 ? code : answer_running(gateway, result, error);
}

static int on_rollback(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	int code = weir_versions_rollback(gateway->versions,
		(uint64_t)json_integer_value(json_object_get(params, "version")),
		(uint32_t)json_integer_value(json_object_get(params, "confirm_s")), error);

	return code < 0 ? code : answer_running(gateway, result, error);
}

static const struct weir_rpc_param diff_params[] = {
	{.name = "from",
		.type = WEIR_RPC_INTEGER,
		.help = "version; left out: the running one, or without the others the one before",
		.minimum = 1,
		.maximum = INT64_MAX},
	{.name = "to",
		.type = WEIR_RPC_INTEGER,
		.help = "version; left out: the running one",
		.minimum = 1,
		.maximum = INT64_MAX},
	{.name = "config",
		.type = WEIR_RPC_OBJECT,
		.help = "a configuration to compare with, instead of `to`"},
	{NULL},
};

static const struct weir_rpc_param rollback_params[] = {
	{.name = "version",
		.type = WEIR_RPC_INTEGER,
		.help = "where to; left out: the one before the running one, or before the trial",
		.minimum = 1,
		.maximum = INT64_MAX},
	{.name = "confirm_s",
		.type = WEIR_RPC_INTEGER,
		.help = "on trial, as with config_apply; left out: for good",
		.minimum = 1,
		.maximum = 86400},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"config_history", "list the versions of the configuration that ran", WEIR_RPC_READ, NULL,
		"running, trial, saved (null: not kept in a file), versions", on_history},
	{"config_diff", "show what differs between two versions, or from a configuration",
		WEIR_RPC_READ, diff_params, "count, and changes: path, old, new", on_diff},
	{"config_confirm", "keep the configuration that is on trial", WEIR_RPC_WRITE, NULL,
		"generation, version, digest, trial", on_confirm},
	{"config_rollback", "go back to an earlier version of the configuration", WEIR_RPC_WRITE,
		rollback_params, "generation, version, digest, trial", on_rollback},
};

int weir_methods_version_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
