/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/baseline.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY    240.0 /* values that the mean spans: four weeks of an hour's minutes */
#define CAUTION   8     /* what is odd counts by so much less */
#define LEAST     0.05  /* spread, as a share of the mean: less is not told from noise */
#define HOUR_MS   3600000ll
#define MONDAY_MS (4 * 24 * HOUR_MS) /* the first one after 1970-01-01, a Thursday */
#define BOUND     1e15               /* no rate is beyond */

/* Streams and groups: what comes and what goes. And how busy workers are. */
static const enum weir_metric watched[] = {
	WEIR_METRIC_ID_STREAM_RECEIVED, WEIR_METRIC_ID_GROUP_DELIVERED, WEIR_METRIC_ID_WORKER_DUTY};

uint32_t weir_baseline_hour_of(int64_t wall_ms)
{
	int64_t week_ms = WEIR_BASELINE_HOURS * HOUR_MS;
	int64_t into = (wall_ms - MONDAY_MS) % week_ms;

	return (uint32_t)((into < 0 ? into + week_ms : into) / HOUR_MS);
}

void weir_baselines_free(struct weir_baselines *baselines)
{
	free(baselines->list);
	memset(baselines, 0, sizeof(*baselines));
}

static struct weir_baseline *add(struct weir_baselines *baselines)
{
	if (baselines->count == baselines->room) {
		uint32_t room = baselines->room != 0 ? baselines->room * 2 : 16;
		struct weir_baseline *list;

		if (baselines->count >= WEIR_BASELINE_SERIES)
			return NULL;
		list = realloc(baselines->list, room * sizeof(*list));
		if (list == NULL)
			return NULL;
		baselines->list = list;
		baselines->room = room;
	}
	memset(&baselines->list[baselines->count], 0, sizeof(*baselines->list));
	return &baselines->list[baselines->count++];
}

static struct weir_baseline *find(struct weir_baselines *baselines,
	const struct weir_samples *samples, const struct weir_sample *sample)
{
	uint64_t series = weir_sample_series(samples, sample);
	struct weir_baseline *made;

	for (uint32_t i = 0; i < baselines->count; i++)
		if (baselines->list[i].series == series)
			return &baselines->list[i];
	made = add(baselines);
	if (made == NULL)
		return NULL;
	made->series = series;
	made->is_rate = weir_metric_descriptors[sample->metric].type == WEIR_METRIC_COUNTER;
	weir_sample_name(samples, sample, made->name, sizeof(made->name));
	return made;
}

const struct weir_baseline *weir_baseline_find(
	const struct weir_baselines *baselines, const char *name)
{
	for (uint32_t i = 0; i < baselines->count; i++)
		if (strcmp(baselines->list[i].name, name) == 0)
			return &baselines->list[i];
	return NULL;
}

static double score(const struct weir_baseline_hour *hour, double value)
{
	double spread = sqrt(hour->variance), least = fabs(hour->mean) * LEAST + 1e-3;

	if (hour->values < WEIR_BASELINE_TRUST)
		return 0;
	return (value - hour->mean) / (spread > least ? spread : least);
}

void weir_baseline_learn(
	struct weir_baseline *baseline, uint32_t hour_number, double value, double odd_score)
{
	struct weir_baseline_hour *hour = &baseline->hours[hour_number];
	double weight, away;

	if (!(fabs(value) < BOUND))
		return;
	baseline->now = value;
	baseline->score = score(hour, value);
	weight = hour->values < MEMORY ? 1 / (double)(hour->values + 1) : 1 / MEMORY;
	if (fabs(baseline->score) > odd_score)
		weight /= CAUTION;
	away = value - hour->mean;
	hour->mean += (float)(weight * away);
	hour->variance = (float)((1 - weight) * (hour->variance + weight * away * away));
	hour->values++;
}

static void learn_sample(
	struct weir_baseline *baseline, double value, int64_t wall_ms, double odd_score)
{
	uint32_t hour = weir_baseline_hour_of(wall_ms);
	double elapsed_s = (double)(wall_ms - baseline->before_ms) / 1000;
	bool is_usable = baseline->has_before && value >= baseline->before && elapsed_s > 0;

	if (!baseline->is_rate)
		weir_baseline_learn(baseline, hour, value, odd_score);
	else if (is_usable)
		weir_baseline_learn(
			baseline, hour, (value - baseline->before) / elapsed_s, odd_score);
	baseline->before = value;
	baseline->before_ms = wall_ms;
	baseline->has_before = true;
}

void weir_baselines_look(
	struct weir_baselines *baselines, const struct weir_samples *samples, double odd_score)
{
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		for (int32_t j = samples->first[watched[i]]; j >= 0; j = samples->list[j].next) {
			struct weir_baseline *baseline =
				find(baselines, samples, &samples->list[j]);

			if (baseline != NULL)
				learn_sample(baseline, samples->list[j].value, samples->wall_ms,
					odd_score);
		}
}

/* What is kept of each: host's byte order, the machine's own file. */
struct kept {
	char name[WEIR_BASELINE_NAME];
	uint64_t series;
	uint64_t is_rate;
	struct weir_baseline_hour hours[WEIR_BASELINE_HOURS];
};

struct head {
	char magic[8];
	uint32_t version;
	uint32_t count;
	uint64_t sum; /* of what follows */
};

static const char magic[8] = "weirbase";
#define VERSION 1

static uint64_t sum_of(const uint8_t *bytes, size_t length)
{
	uint64_t state = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < length; i++)
		state = (state ^ bytes[i]) * 0x100000001b3ull;
	return state;
}

int weir_baselines_encode(const struct weir_baselines *baselines, uint8_t **bytes, size_t *length)
{
	struct head head = {.version = VERSION, .count = baselines->count};
	size_t body = baselines->count * sizeof(struct kept);
	uint8_t *made = calloc(1, sizeof(head) + body);

	if (made == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < baselines->count; i++) {
		const struct weir_baseline *baseline = &baselines->list[i];
		struct kept *kept = (struct kept *)(made + sizeof(head)) + i;

		memcpy(kept->name, baseline->name, sizeof(kept->name));
		kept->series = baseline->series;
		kept->is_rate = baseline->is_rate;
		memcpy(kept->hours, baseline->hours, sizeof(kept->hours));
	}
	memcpy(head.magic, magic, sizeof(magic));
	head.sum = sum_of(made + sizeof(head), body);
	memcpy(made, &head, sizeof(head));
	*bytes = made;
	*length = sizeof(head) + body;
	return 0;
}

static bool is_sound(const struct kept *kept)
{
	if (memchr(kept->name, '\0', sizeof(kept->name)) == NULL)
		return false;
	for (int i = 0; i < WEIR_BASELINE_HOURS; i++)
		if (!(fabsf(kept->hours[i].mean) < BOUND) || !(kept->hours[i].variance >= 0) ||
			!isfinite(kept->hours[i].variance))
			return false;
	return true;
}

int weir_baselines_decode(struct weir_baselines *baselines, const uint8_t *bytes, size_t length)
{
	struct head head;

	if (length < sizeof(head))
		return -EBADMSG;
	memcpy(&head, bytes, sizeof(head));
	if (memcmp(head.magic, magic, sizeof(magic)) != 0 || head.version != VERSION ||
		head.count > WEIR_BASELINE_SERIES ||
		length != sizeof(head) + head.count * sizeof(struct kept) ||
		head.sum != sum_of(bytes + sizeof(head), length - sizeof(head)))
		return -EBADMSG;
	weir_baselines_free(baselines);
	for (uint32_t i = 0; i < head.count; i++) {
		struct weir_baseline *baseline = add(baselines);
		struct kept kept;

		memcpy(&kept, bytes + sizeof(head) + i * sizeof(kept), sizeof(kept));
		if (baseline == NULL || !is_sound(&kept)) {
			weir_baselines_free(baselines);
			return baseline == NULL ? -ENOMEM : -EBADMSG;
		}
		memcpy(baseline->name, kept.name, sizeof(kept.name));
		baseline->series = kept.series;
		baseline->is_rate = kept.is_rate != 0;
		memcpy(baseline->hours, kept.hours, sizeof(kept.hours));
	}
	return 0;
}
