/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/feature.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/feature_text.h"
#include "base/reason_text.h"
#include "dataplane/model.h"
#include "dataplane/publish.h"
#include "dataplane/worker.h"
#include "place/share.h"

int weir_features_adopt(const struct weir_model *old, struct weir_model *model)
{
	for (int i = 0; i < WEIR_FEATURE_COUNT; i++) {
		const struct weir_config_feature *configured = &model->config->features[i];
		bool goes_on = old != NULL &&
			       weir_config_feature_equal(&old->config->features[i], configured);

		if (weir_config_feature_copy(
			    goes_on ? &old->features[i] : configured, &model->features[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Those of the lowest ranks are on; `count` of them. */
static int choose_ranked(
	enum weir_feature feature, const struct weir_stream *stream, uint16_t count, uint8_t *words)
{
	uint64_t *keys = calloc(stream->partition_count, sizeof(*keys));
	uint16_t *ranks = calloc(stream->partition_count, sizeof(*ranks));

	if (keys != NULL && ranks != NULL) {
		weir_share_rank(weir_feature_name(feature), stream->name, stream->partition_count,
			ranks, keys);
		for (uint16_t i = 0; i < count; i++)
			words[ranks[i]] |= WEIR_FEATURE_BIT(feature);
	}
	free(keys);
	count = keys != NULL && ranks != NULL;
	free(ranks);
	return count != 0 ? 0 : -ENOMEM;
}

static int choose(enum weir_feature feature, const struct weir_config_feature *setting,
	const struct weir_stream *stream, uint8_t *words)
{
	bool is_meant =
		setting->stream_count == 0 || weir_config_feature_names(setting, stream->name);
	uint16_t share =
		is_meant ? weir_share_count(stream->partition_count, setting->share_percent) : 0;
	uint16_t on = setting->is_on ? share : (uint16_t)(stream->partition_count - share);

	if (on != 0 && on != stream->partition_count)
		return choose_ranked(feature, stream, on, words);
	for (uint16_t i = 0; i < on; i++)
		words[i] |= WEIR_FEATURE_BIT(feature);
	return 0;
}

int weir_features_choose(const struct weir_config_feature *settings,
	const struct weir_stream *stream, uint8_t *words)
{
	int result = 0;

	memset(words, 0, stream->partition_count);
	for (int i = 0; result == 0 && i < WEIR_FEATURE_COUNT; i++)
		result = choose((enum weir_feature)i, &settings[i], stream, words);
	return result;
}

int weir_feature_set(struct weir_dataplane *dataplane, enum weir_feature feature,
	const struct weir_config_feature *setting, struct weir_error *error)
{
	struct weir_config_feature *place = &dataplane->model->features[feature];
	struct weir_config_feature before = *place;
	int result = weir_config_feature_copy(setting, place);

	if (result < 0)
		weir_error_set(error, result, "", "free some memory and try again",
			"not enough memory for the feature's setting");
	else
		result = weir_publish(dataplane, dataplane->model, error);
	if (result < 0) {
		weir_config_feature_free(place);
		*place = before;
		return result;
	}
	weir_config_feature_free(&before);
	return 0;
}

/* Left out on purpose, by the group's own rules or somebody's order, is not lost. */
static bool is_loss(enum weir_reason reason)
{
	switch (reason) {
	case WEIR_REASON_SKIPPED:
	case WEIR_REASON_FAILOVER:
	case WEIR_REASON_ELSEWHERE:
	case WEIR_REASON_SAMPLED:
	case WEIR_REASON_FILTERED:
	case WEIR_REASON_REMOVED:
	case WEIR_REASON_SHUTDOWN:
		return false;
	default:
		return weir_reason_stage(reason) == WEIR_STAGE_GROUP;
	}
}

static void count(const struct weir_group_stats *stats, struct weir_feature_counts *counts)
{
	counts->delivered += stats->delivered;
	counts->delivered_bytes += stats->delivered_bytes;
	for (int reason = 0; reason < WEIR_REASON_COUNT; reason++)
		if (is_loss((enum weir_reason)reason))
			counts->lost += stats->dropped[reason];
}

/* What has come since the last time, of the attachment's blocks or their census. */
static void fold(struct weir_attachment *attachment, const struct weir_group_stats *blocks)
{
	for (uint32_t word = 0; word < WEIR_FEATURE_WORDS; word++) {
		struct weir_feature_counts *folded = &attachment->folded[word];
		struct weir_feature_counts *sum = &attachment->sums[word];
		struct weir_feature_counts now = {0};

		for (uint32_t id = 0; id < attachment->worker_count; id++)
			count(&blocks[id * WEIR_FEATURE_WORDS + word], &now);
		sum->delivered += now.delivered - folded->delivered;
		sum->delivered_bytes += now.delivered_bytes - folded->delivered_bytes;
		sum->lost += now.lost - folded->lost;
		*folded = now;
	}
}

void weir_features_forget(struct weir_attachment *attachment)
{
	fold(attachment, attachment->stats);
}

void weir_features_fold(struct weir_dataplane *dataplane)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		for (uint32_t j = 0; j < model->streams[i].attachment_count; j++)
			fold(model->streams[i].attachments[j],
				model->streams[i].attachments[j]->census);
}

static void add_latency(const struct weir_latency *from, struct weir_latency *sum)
{
	sum->sum_ns += __atomic_load_n(&from->sum_ns, __ATOMIC_RELAXED);
	for (int i = 0; i < WEIR_LATENCY_BUCKETS; i++)
		sum->buckets[i] += __atomic_load_n(&from->buckets[i], __ATOMIC_RELAXED);
}

static void add_word(
	const struct weir_dataplane *dataplane, uint32_t word, struct weir_feature_side *side)
{
	const struct weir_feature_counts *counts = &dataplane->feature_sums[word];

	side->counts.delivered += counts->delivered;
	side->counts.delivered_bytes += counts->delivered_bytes;
	side->counts.lost += counts->lost;
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		for (int tier = 0; tier < WEIR_TIERS; tier++)
			add_latency(&dataplane->workers[id]
					     .latencies[word][WEIR_LATENCY_SEND_CRITICAL + tier],
				&side->send);
}

void weir_feature_report(const struct weir_dataplane *dataplane, enum weir_feature feature,
	struct weir_feature_report *report)
{
	const struct weir_snapshot *snapshot = dataplane->published;

	memset(report, 0, sizeof(*report));
	report->setting = &dataplane->model->features[feature];
	for (uint32_t word = 0; word < WEIR_FEATURE_WORDS; word++)
		add_word(dataplane, word, &report->sides[word >> feature & 1]);
	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		for (uint16_t p = 0; p < snapshot->streams[i].stream->partition_count; p++)
			report->sides[snapshot->streams[i].features[p] >> feature & 1].partitions++;
}
