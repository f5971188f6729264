/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "control/present.h"
#include "control/telemetry.h"
#include "dataplane/report.h"
#include "telemetry/metrics.h"

/* The figures that /metrics has, as JSON. */

static json_t *present_labels(const struct weir_samples *samples, const struct weir_sample *sample)
{
	json_t *object = json_object();

	for (uint32_t i = 0; object != NULL && i < sample->label_count; i++) {
		const struct weir_label *label = &samples->labels[sample->labels + i];

		if (json_object_set_new(
			    object, label->key, json_string(samples->texts + label->value)) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static void add_family(
	struct weir_present_rows *rows, const struct weir_samples *samples, int metric)
{
	const struct weir_metric_descriptor *about = &weir_metric_descriptors[metric];

	for (int32_t i = samples->first[metric]; i >= 0; i = samples->list[i].next) {
		const struct weir_sample *sample = &samples->list[i];

		if (sample->histogram < 0)
			weir_present_add(rows,
				json_pack("{s:s, s:s, s:s, s:o, s:f}", "metric", about->name,
					"type", weir_metric_type_name(about->type), "unit",
					about->unit, "labels", present_labels(samples, sample),
					"value", sample->value));
	}
}

static int on_metric_list(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const struct weir_samples *samples = weir_telemetry_newest(gateway->telemetry);
	const char *prefix = json_string_value(json_object_get(params, "name"));
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	for (int metric = 0; samples != NULL && metric < WEIR_METRIC_COUNT; metric++)
		if (prefix == NULL ||
			strncmp(weir_metric_descriptors[metric].name, prefix, strlen(prefix)) == 0)
			add_family(&rows, samples, metric);
	return weir_present_answer(
		json_pack("{s:I, s:o}", "taken_ms",
			weir_present_count(samples != NULL ? samples->wall_ms : 0), "metrics",
			weir_present_end(&rows)),
		result, error);
}

json_t *weir_present_latency(struct weir_gateway *gateway)
{
	static const char *const names[][2] = {
#define X(id, stage, tier) {stage, tier},
		WEIR_LATENCIES(X)
#undef X
	};
	struct weir_latency latencies[WEIR_LATENCY_COUNT];
	struct weir_present_rows rows;

	weir_latencies_report(gateway->dataplane, latencies);
	weir_present_begin(&rows, gateway);
	for (int i = 0; i < WEIR_LATENCY_COUNT; i++) {
		const struct weir_latency *latency = &latencies[i];

		weir_present_add(&rows,
			json_pack("{s:s, s:o, s:I, s:f, s:f, s:f}", "stage", names[i][0], "tier",
				weir_present_text(names[i][1]), "messages",
				weir_present_count(weir_latency_total(latency)), "p50_us",
				(double)weir_latency_quantile_ns(latency, 0.5) / 1000, "p99_us",
				(double)weir_latency_quantile_ns(latency, 0.99) / 1000, "p999_us",
				(double)weir_latency_quantile_ns(latency, 0.999) / 1000));
	}
	return weir_present_end(&rows);
}

static const struct weir_rpc_param list_params[] = {
	{.name = "name", .type = WEIR_RPC_STRING, .help = "what their names begin with"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"metric_list", "show the newest figures, as /metrics has them", WEIR_RPC_READ, list_params,
		"taken_ms (Unix time), metrics (metric, type, unit, labels, value)",
		on_metric_list},
};

int weir_methods_metric_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
