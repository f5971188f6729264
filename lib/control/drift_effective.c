/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "base/feature_text.h"
#include "config/feature.h"
#include "control/drift_facts.h"
#include "control/drift_list.h"
#include "control/elastic.h"
#include "dataplane/report.h"
#include "dataplane/setting.h"
#include "host/machine.h"

struct pass {
	struct weir_gateway *gateway;
	bool is_whole;
	weir_drift_fact fact;
	void *context;
};

static void give_number(const struct pass *pass, const char *kind, const char *of, const char *what,
	uint64_t intended, uint64_t actual)
{
	char name[WEIR_DRIFT_NAME], texts[2][24];

	snprintf(name, sizeof(name), "%s.%s.%s", kind, of, what);
	snprintf(texts[0], sizeof(texts[0]), "%llu", (unsigned long long)intended);
	snprintf(texts[1], sizeof(texts[1]), "%llu", (unsigned long long)actual);
	pass->fact(pass->context, name, texts[0], texts[1]);
}

static void give_flag(
	const struct pass *pass, const char *kind, const char *of, const char *what, bool actual)
{
	char name[WEIR_DRIFT_NAME];

	snprintf(name, sizeof(name), "%s.%s.%s", kind, of, what);
	pass->fact(pass->context, name, "no", actual ? "yes" : "no");
}

static bool is_as_configured(const struct weir_consumer_setting *setting)
{
	return !setting->is_paused && !setting->is_drained &&
	       setting->weight == setting->configured_weight &&
	       setting->rate.packets_per_s == setting->configured_rate.packets_per_s &&
	       setting->rate.bits_per_s == setting->configured_rate.bits_per_s;
}

static void look_at_consumer(void *context, const struct weir_consumer_setting *setting)
{
	const struct pass *pass = context;

	if (!pass->is_whole && is_as_configured(setting))
		return;
	give_number(pass, "consumer", setting->name, "packets_per_s",
		setting->configured_rate.packets_per_s, setting->rate.packets_per_s);
	give_number(pass, "consumer", setting->name, "bits_per_s",
		setting->configured_rate.bits_per_s, setting->rate.bits_per_s);
	give_number(pass, "consumer", setting->name, "weight", setting->configured_weight,
		setting->weight);
	give_flag(pass, "consumer", setting->name, "paused", setting->is_paused);
	give_flag(pass, "consumer", setting->name, "drained", setting->is_drained);
}

static void look_at_worker(void *context, const struct weir_worker_report *worker)
{
	const struct pass *pass = context;
	char of[8], name[WEIR_DRIFT_NAME], intended[8], actual[WEIR_DRIFT_TEXT];
	cpu_set_t cpus;

	snprintf(of, sizeof(of), "%u", worker->id);
	/* One that does not come round is told of before long; others are only on their way. */
	give_number(pass, "worker", of, "generation",
		worker->is_stalled ? pass->gateway->dataplane->generation : worker->generation,
		worker->generation);
	/* What the load parks is as configured. */
	give_flag(pass, "worker", of, "parked",
		worker->is_parked &&
			!(weir_elastic_parked(pass->gateway->elastic) >> worker->id & 1));
	if (worker->thread == 0 || weir_machine_thread_cpus(worker->thread, &cpus) < 0)
		return;
	snprintf(name, sizeof(name), "worker.%u.cpus", worker->id);
	snprintf(intended, sizeof(intended), "%u", worker->cpu);
	weir_cpu_list_format(&cpus, actual, sizeof(actual));
	pass->fact(pass->context, name, intended, actual);
}

static void describe(const struct weir_config_feature *setting, char *text, size_t size)
{
	int used = snprintf(
		text, size, "%s for %u %%", setting->is_on ? "on" : "off", setting->share_percent);

	if (setting->stream_count != 0)
		snprintf(text + used, size - (size_t)used, " of %u streams, %s first",
			setting->stream_count, setting->streams[0]);
}

static void look_at_feature(const struct pass *pass, enum weir_feature feature)
{
	const struct weir_dataplane *dataplane = pass->gateway->dataplane;
	const struct weir_config_feature *intended =
		&weir_dataplane_config(dataplane)->features[feature];
	const struct weir_config_feature *actual = weir_feature_setting(dataplane, feature);
	char name[WEIR_DRIFT_NAME], texts[2][WEIR_DRIFT_TEXT + 32];

	snprintf(name, sizeof(name), "feature.%s", weir_feature_name(feature));
	describe(intended, texts[0], sizeof(texts[0]));
	describe(actual, texts[1], sizeof(texts[1]));
	/* Other streams, and by chance as many. */
	if (!weir_config_feature_equal(intended, actual) && strcmp(texts[0], texts[1]) == 0)
		strcat(texts[1], ", others");
	pass->fact(pass->context, name, texts[0], texts[1]);
}

void weir_drift_effective(
	struct weir_gateway *gateway, bool is_whole, weir_drift_fact fact, void *context)
{
	struct pass pass = {gateway, is_whole, fact, context};

	weir_workers_report(gateway->dataplane, look_at_worker, &pass);
	weir_consumer_settings(gateway->dataplane, look_at_consumer, &pass);
	for (int i = 0; i < WEIR_FEATURE_COUNT; i++)
		look_at_feature(&pass, (enum weir_feature)i);
}
