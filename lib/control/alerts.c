/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/alerts.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/events.h"
#include "control/gateway.h"
#include "control/present.h"
#include "state/writer.h"
#include "telemetry/alert.h"
#include "telemetry/baseline.h"

#define LEARN_LOOKS 60  /* a value is learned each so many looks: a minute by default */
#define SAVE_LOOKS  600 /* and kept each so many */
#define STOP_MS     2000
#define FILE_MAX    (2u << 20)

struct weir_watch {
	struct weir_gateway *gateway;
	struct weir_alerts *alerts;
	struct weir_baselines baselines;
	struct weir_state_writer *writer; /* NULL: nothing is kept */
	uint64_t looks;
};

static void load(struct weir_watch *watch, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat about;
	uint8_t *bytes;

	if (fd < 0)
		return;
	if (fstat(fd, &about) < 0 || !S_ISREG(about.st_mode) || about.st_size > FILE_MAX) {
		close(fd);
		return;
	}
	bytes = malloc((size_t)about.st_size + 1);
	if (bytes == NULL || read(fd, bytes, (size_t)about.st_size) != about.st_size ||
		weir_baselines_decode(&watch->baselines, bytes, (size_t)about.st_size) < 0)
		weir_log_warning("alerts", "%s: not whole; baselines are learned anew", path);
	free(bytes);
	close(fd);
}

int weir_watch_create(struct weir_gateway *gateway, struct weir_watch **out)
{
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);
	struct weir_watch *watch = calloc(1, sizeof(*watch));
	char path[sizeof(config->state.file) + 16];
	int rc;

	*out = watch;
	if (watch == NULL)
		return -ENOMEM;
	watch->gateway = gateway;
	rc = weir_alerts_create(&watch->alerts);
	if (rc < 0 || config->state.file[0] == '\0')
		return rc;
	snprintf(path, sizeof(path), "%s.baseline", config->state.file);
	load(watch, path);
	return weir_state_writer_start(path, -1, &watch->writer);
}

void weir_watch_save(struct weir_watch *watch)
{
	uint8_t *bytes;
	size_t length;

	if (watch->writer != NULL && weir_baselines_encode(&watch->baselines, &bytes, &length) == 0)
		weir_state_writer_offer(watch->writer, bytes, length);
}

void weir_watch_suspend(struct weir_watch *watch)
{
	if (watch->writer != NULL)
		weir_state_writer_stop(watch->writer, 0, NULL);
	watch->writer = NULL;
}

void weir_watch_destroy(struct weir_watch *watch)
{
	if (watch == NULL)
		return;
	weir_watch_save(watch);
	if (watch->writer != NULL && weir_state_writer_stop(watch->writer, STOP_MS, NULL) < 0)
		weir_log_warning("alerts", "the baselines could not be written");
	weir_alerts_destroy(watch->alerts);
	weir_baselines_free(&watch->baselines);
	free(watch);
}

static void changed(
	void *context, const struct weir_alert *alert, const struct weir_alert_descriptor *about)
{
	struct weir_watch *watch = context;
	bool is_active = alert->state == WEIR_ALERT_ACTIVE;
	char text[256];

	snprintf(text, sizeof(text), "%s; see docs/runbooks/%s.md", about->summary, about->name);
	weir_event_emit(watch->gateway,
		&(struct weir_event){.kind = is_active ? WEIR_EVENT_ALERT : WEIR_EVENT_ALERT_OVER,
			.subject = alert->subject,
			.reason = about->name,
			.count = -1,
			.text = text});
}

static void add_baselines(
	const struct weir_watch *watch, uint32_t odd_score, struct weir_samples *samples)
{
	for (uint32_t i = 0; i < watch->baselines.count; i++) {
		const struct weir_baseline *baseline = &watch->baselines.list[i];

		if (!baseline->has_before)
			continue;
		weir_samples_label(samples, 0, "series", baseline->name);
		weir_samples_add(samples, WEIR_METRIC_ID_BASELINE_SCORE, baseline->score);
		weir_samples_add(
			samples, WEIR_METRIC_ID_BASELINE_ODD, fabs(baseline->score) > odd_score);
	}
	weir_samples_unlabel(samples, 0);
}

void weir_watch_look(struct weir_watch *watch, uint64_t now_ns, struct weir_samples *samples)
{
	const struct weir_config_alerts *config =
		&weir_dataplane_config(watch->gateway->dataplane)->alerts;

	if (samples->has_failed)
		return;
	if (watch->looks % LEARN_LOOKS == 0)
		weir_baselines_look(&watch->baselines, samples, config->deviation);
	if (++watch->looks % SAVE_LOOKS == 0)
		weir_watch_save(watch);
	add_baselines(watch, config->deviation, samples);
	weir_alerts_set_windows(watch->alerts, config->short_s, config->long_s);
	weir_alerts_look(watch->alerts, samples, (int64_t)(now_ns / WEIR_MS_NS), changed, watch);
	for (int id = 0; id < WEIR_ALERT_COUNT; id++) {
		weir_samples_label(samples, 0, "alert", weir_alert_descriptors[id].name);
		weir_samples_label(samples, 1, "severity", weir_alert_descriptors[id].severity);
		weir_samples_add(samples, WEIR_METRIC_ID_ALERTS,
			weir_alerts_active(watch->alerts, (enum weir_alert_id)id));
	}
	weir_samples_unlabel(samples, 0);
}

static json_t *present_alert(const struct weir_alert *alert)
{
	const struct weir_alert_descriptor *about = &weir_alert_descriptors[alert->id];
	uint64_t now_ms = weir_loop_clock_ns() / WEIR_MS_NS;

	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:f, s:f, s:b, s:s, s:s}", "alert", about->name,
		"severity", about->severity, "state",
		weir_alert_state_name((enum weir_alert_state)alert->state), "subject",
		alert->subject, "for_ms", weir_present_count(now_ms - (uint64_t)alert->since_ms),
		"short", alert->ratios[0], "long", alert->ratios[1], "acknowledged",
		alert->is_acknowledged, "runbook", about->name, "summary", about->summary);
}

static int on_alert_list(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const struct weir_alerts *alerts = gateway->alerts->alerts;
	struct weir_present_rows rows;

	(void)params;
	weir_present_begin(&rows, gateway);
	for (uint32_t i = 0; i < alerts->count; i++)
		if (alerts->list[i].state != WEIR_ALERT_QUIET)
			weir_present_add(&rows, present_alert(&alerts->list[i]));
	return weir_present_answer(
		json_pack("{s:I, s:o}", "raised", weir_present_count(alerts->raised), "alerts",
			weir_present_end(&rows)),
		result, error);
}

static int on_alert_ack(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	struct weir_alerts *alerts = gateway->alerts->alerts;
	const char *name = json_string_value(json_object_get(params, "alert"));
	const char *subject = json_string_value(json_object_get(params, "subject"));
	int count = 0;

	for (uint32_t i = 0; i < alerts->count; i++) {
		struct weir_alert *alert = &alerts->list[i];

		if (alert->state != WEIR_ALERT_ACTIVE ||
			strcmp(weir_alert_descriptors[alert->id].name, name) != 0 ||
			(subject != NULL && strcmp(alert->subject, subject) != 0))
			continue;
		alert->is_acknowledged = true;
		count++;
	}
	if (count == 0)
		return weir_error_set(error, -ENOENT, "$.params.alert", "see alert_list",
			"no such alert is active");
	return weir_present_answer(json_pack("{s:i}", "acknowledged", count), result, error);
}

static json_t *present_hour(uint32_t number, const struct weir_baseline_hour *hour)
{
	return json_pack("{s:i, s:f, s:f, s:I}", "hour", (int)number, "mean", hour->mean, "spread",
		sqrt(hour->variance), "values", weir_present_count(hour->values));
}

static int on_baseline_show(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const char *name = json_string_value(json_object_get(params, "series"));
	const struct weir_baseline *baseline =
		weir_baseline_find(&gateway->alerts->baselines, name);
	struct weir_present_rows rows;

	if (baseline == NULL)
		return weir_error_set(error, -ENOENT, "$.params.series", "see baseline_compare",
			"no baseline of that name");
	weir_present_begin(&rows, gateway);
	for (uint32_t i = 0; i < WEIR_BASELINE_HOURS; i++)
		if (baseline->hours[i].values != 0)
			weir_present_add(&rows, present_hour(i, &baseline->hours[i]));
	return weir_present_answer(json_pack("{s:s, s:b, s:o}", "series", baseline->name, "rate",
					   baseline->is_rate, "hours", weir_present_end(&rows)),
		result, error);
}

static int on_baseline_compare(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	struct weir_gateway *gateway = context;
	const struct weir_baselines *baselines = &gateway->alerts->baselines;
	uint32_t hour = weir_baseline_hour_of((int64_t)time(NULL) * 1000);
	struct weir_present_rows rows;

	(void)params;
	weir_present_begin(&rows, gateway);
	for (uint32_t i = 0; i < baselines->count; i++) {
		const struct weir_baseline *baseline = &baselines->list[i];
		const struct weir_baseline_hour *usual = &baseline->hours[hour];

		weir_present_add(
			&rows, json_pack("{s:s, s:f, s:f, s:f, s:f, s:b}", "series", baseline->name,
				       "now", baseline->now, "usual", usual->mean, "spread",
				       sqrt(usual->variance), "score", baseline->score, "known",
				       usual->values >= WEIR_BASELINE_TRUST));
	}
	return weir_present_answer(
		json_pack("{s:i, s:o}", "hour", (int)hour, "baselines", weir_present_end(&rows)),
		result, error);
}

static const struct weir_rpc_param ack_params[] = {
	{.name = "alert", .type = WEIR_RPC_STRING, .is_required = true, .help = "its name"},
	{.name = "subject", .type = WEIR_RPC_STRING, .help = "of this series alone"},
	{NULL},
};

static const struct weir_rpc_param show_params[] = {
	{.name = "series",
		.type = WEIR_RPC_STRING,
		.is_required = true,
		.help = "as baseline_compare names it"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"alert_list", "show alerts that are pending or active", WEIR_RPC_READ, NULL,
		"raised, alerts (short, long: bad share over each window)", on_alert_list},
	{"alert_ack", "say that somebody looks at an active alert, until it ends", WEIR_RPC_WRITE,
		ack_params, "acknowledged", on_alert_ack},
	{"baseline_show", "show what is usual for a series, by hour of the week (UTC, from Monday)",
		WEIR_RPC_READ, show_params, "series, rate, hours", on_baseline_show},
	{"baseline_compare", "show each series beside what is usual at this hour of the week",
		WEIR_RPC_READ, NULL, "hour, baselines", on_baseline_compare},
};

int weir_methods_alert_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
