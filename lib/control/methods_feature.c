/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "base/feature_text.h"
#include "config/field.h"
#include "control/trials.h"
#include "control/nearest.h"
#include "control/present.h"
#include "dataplane/report.h"

/* Features: where they are on, what comes of it, and setting them. */

static json_t *present_streams(const struct weir_config_feature *setting)
{
	json_t *list = json_array();

	for (unsigned int i = 0; list != NULL && i < setting->stream_count; i++)
		if (json_array_append_new(list, json_string(setting->streams[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *present_trial(const struct weir_gateway *gateway, enum weir_feature feature)
{
	uint64_t left_ms;
	const struct weir_trial *trial = weir_trials_running(gateway->trials, feature, &left_ms);

	if (trial == NULL)
		return json_null();
	return json_pack("{s:f, s:o, s:o}", "left_s", (double)left_ms / 1000, "p99_us",
		trial->objective.p99_us != 0
			? json_integer(weir_present_count(trial->objective.p99_us))
			: json_null(),
		"loss_ratio",
		trial->objective.loss_ratio >= 0 ? json_real(trial->objective.loss_ratio)
						 : json_null());
}

static json_t *present_setting(const struct weir_gateway *gateway, enum weir_feature feature,
	const struct weir_feature_report *report)
{
	const struct weir_config_feature *setting = report->setting;

	return json_pack("{s:s, s:s, s:I, s:o, s:I, s:I, s:o}", "feature",
		weir_feature_name(feature), "state", setting->is_on ? "on" : "off", "share_percent",
		weir_present_count(setting->share_percent), "streams", present_streams(setting),
		"partitions_on", weir_present_count(report->sides[1].partitions), "partitions_off",
		weir_present_count(report->sides[0].partitions), "trial",
		present_trial(gateway, feature));
}

static json_t *present_side(const struct weir_feature_report *report, bool is_on)
{
	const struct weir_feature_side *side = &report->sides[is_on];

	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f}", "state",
		is_on ? "on" : "off", "partitions", weir_present_count(side->partitions),
		"delivered", weir_present_count(side->counts.delivered), "bytes",
		weir_present_count(side->counts.delivered_bytes), "dropped",
		weir_present_count(side->counts.lost), "sent",
		weir_present_count(weir_latency_total(&side->send)), "p50_us",
		(double)weir_latency_quantile_ns(&side->send, 0.5) / 1000, "p99_us",
		(double)weir_latency_quantile_ns(&side->send, 0.99) / 1000, "p999_us",
		(double)weir_latency_quantile_ns(&side->send, 0.999) / 1000);
}

static json_t *present_feature(
	const struct weir_gateway *gateway, enum weir_feature feature, bool is_whole)
{
	struct weir_feature_report report;
	json_t *row;

	weir_feature_report(gateway->dataplane, feature, &report);
	row = present_setting(gateway, feature, &report);
	if (row == NULL || !is_whole)
		return row;
	if (json_object_set_new(row, "text", json_string(weir_feature_text(feature))) < 0 ||
		json_object_set_new(row, "sides",
			json_pack("[o, o]", present_side(&report, true),
				present_side(&report, false))) < 0) {
		json_decref(row);
		return NULL;
	}
	return row;
}

static int find(const json_t *params, enum weir_feature *feature, struct weir_error *error)
{
	const char *name = json_string_value(json_object_get(params, "name"));
	char hint[sizeof(error->hint)] = "feature_list lists those there are";
	struct weir_nearest nearest;

	*feature = weir_feature_find(name);
	if (*feature != WEIR_FEATURE_COUNT)
		return 0;
	weir_nearest_start(&nearest, name);
	for (int i = 0; i < WEIR_FEATURE_COUNT; i++)
		weir_nearest_offer(&nearest, weir_feature_name((enum weir_feature)i));
	if (nearest.name != NULL)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", nearest.name);
	return weir_error_set(error, -ENOENT, "$.params.name", hint, "no such feature");
}

static int on_list(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_present_rows rows;

	(void)params;
	weir_present_begin(&rows, gateway);
	for (int i = 0; i < WEIR_FEATURE_COUNT; i++)
		weir_present_add(&rows, present_feature(gateway, (enum weir_feature)i, false));
	return weir_present_answer(
		json_pack("{s:o}", "features", weir_present_end(&rows)), result, error);
}

static int answer(struct weir_gateway *gateway, enum weir_feature feature, json_t **result,
	struct weir_error *error)
{
	int rc = weir_present_census(gateway, error);

	if (rc < 0)
		return rc;
	weir_features_fold(gateway->dataplane);
	return weir_present_answer(present_feature(gateway, feature, true), result, error);
}

static int on_show(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	enum weir_feature feature;
	int rc = find(params, &feature, error);

	return rc < 0 ? rc : answer(context, feature, result, error);
}

static int read_ratio(const struct weir_value *value, const struct weir_field *field, void *target)
{
	double ratio = json_number_value(value->json);

	(void)field;
	if (!json_is_number(value->json) || !(ratio >= 0 && ratio <= 1))
		return weir_value_refuse(value, "0 to 1: lost, of all messages", "not a ratio");
	memcpy(target, &ratio, sizeof(ratio));
	return 0;
}

static int read_objective(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const struct weir_field fields[] = {
		{WEIR_MEMBER(struct weir_objective, p99_us), .read = weir_read_number, .minimum = 1,
			.maximum = 60000000},
		{WEIR_MEMBER(struct weir_objective, loss_ratio), .read = read_ratio},
	};
	const struct weir_objective *objective = target;
	int rc = weir_fields_read(value, fields, sizeof(fields) / sizeof(fields[0]), target);

	(void)field;
	if (rc == 0 && objective->p99_us == 0 && objective->loss_ratio < 0)
		rc = weir_value_fail(value, "give p99_us, loss_ratio or both", "no objective");
	return rc;
}

static int read_terms(const struct weir_value *params, struct weir_feature_terms *terms)
{
	static const struct weir_field fields[] = {
		{WEIR_MEMBER(struct weir_feature_terms, seconds), .read = weir_read_number,
			.minimum = 1, .maximum = 86400, .required = true,
			.hint = "how long the trial is"},
		{WEIR_MEMBER(struct weir_feature_terms, objective), .read = read_objective,
			.required = true, .hint = "{\"p99_us\": 500, \"loss_ratio\": 0.001}"},
	};
	struct weir_value trial;

	*terms = (struct weir_feature_terms){.objective = {.loss_ratio = -1}};
	if (!weir_value_member(params, "trial", &trial))
		return 0;
	return weir_fields_read(&trial, fields, sizeof(fields) / sizeof(fields[0]), terms);
}

/* What of the request is as in the configuration; a new reference, or NULL. */
static json_t *pick_setting(const json_t *params)
{
	static const char *const keys[] = {"state", "share_percent", "streams"};
	json_t *setting = json_object();

	for (size_t i = 0; setting != NULL && i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(params, keys[i]);

		if (value != NULL && json_object_set(setting, keys[i], value) < 0) {
			json_decref(setting);
			return NULL;
		}
	}
	return setting;
}

static int set(struct weir_gateway *gateway, enum weir_feature feature, const json_t *params,
	struct weir_error *error)
{
	struct weir_value root = {.error = error};
	struct weir_value value = {.json = (json_t *)(uintptr_t)params,
		.parent = &root,
		.key = "params",
		.error = error};
	struct weir_config_feature setting = {0};
	struct weir_feature_terms terms;
	int rc = read_terms(&value, &terms);

	if (rc < 0)
		return rc;
	value.json = pick_setting(params);
	rc = value.json == NULL
		     ? weir_error_set(error, -ENOMEM, "$", "", "no memory for the setting")
		     : weir_config_feature_parse(
			       &value, weir_dataplane_config(gateway->dataplane), &setting);
	if (rc == 0)
		rc = weir_trials_set(gateway->trials, feature, &setting,
			terms.seconds != 0 ? &terms : NULL, error);
	weir_config_feature_free(&setting);
	json_decref(value.json);
	return rc;
}

static int on_set(void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_error failure = {0};
	enum weir_feature feature;
	int rc = find(params, &feature, error);

	if (rc == 0)
		rc = set(context, feature, params, &failure);
	if (rc < 0 && failure.code != 0)
		*error = failure;
	return rc < 0 ? rc : answer(context, feature, result, error);
}

static const char *const states[] = {"on", "off", NULL};

static const struct weir_rpc_param name_params[] = {
	{.name = "name",
		.type = WEIR_RPC_STRING,
		.is_required = true,
		.help = "the feature's name"},
	{NULL},
};

static const struct weir_rpc_param set_params[] = {
	{.name = "name",
		.type = WEIR_RPC_STRING,
		.is_required = true,
		.help = "the feature's name"},
	{.name = "state",
		.type = WEIR_RPC_STRING,
		.is_required = true,
		.choices = states,
		.help = "what it is to be; the opposite elsewhere"},
	{.name = "streams",
		.type = WEIR_RPC_ARRAY,
		.help = "in these streams alone; left out: in all"},
	{.name = "share_percent",
		.type = WEIR_RPC_INTEGER,
		.minimum = 0,
		.maximum = 100,
		.help = "of each stream's partitions; left out: 100"},
	{.name = "trial",
		.type = WEIR_RPC_OBJECT,
		.help = "{seconds, objective: {p99_us, loss_ratio}}: revert if it is not kept"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"feature_list", "list features, and in how many partitions each is on", WEIR_RPC_READ,
		NULL, "features", on_list},
	{"feature_show", "show what comes of messages where a feature is on, and where it is off",
		WEIR_RPC_READ, name_params, "the feature; sides: partitions, counts and latency",
		on_show},
	{"feature_set",
		"set where a feature is on, for good or on trial, until the next restart or a "
		"configuration that sets it",
		WEIR_RPC_WRITE, set_params, "the feature, as feature_show", on_set},
};

int weir_methods_feature_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
