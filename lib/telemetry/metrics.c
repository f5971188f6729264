/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct weir_metric_descriptor weir_metric_descriptors[WEIR_METRIC_COUNT] = {
#define X(id, type, name, unit, help)                                                              \
	[WEIR_METRIC_ID_##id] = {WEIR_METRIC_##type, name, unit, help},
	WEIR_METRICS(X)
#undef X
};

const char *weir_metric_type_name(enum weir_metric_type type)
{
	static const char *const names[] = {"counter", "gauge", "histogram", "info"};

	return names[type];
}

void weir_samples_reset(struct weir_samples *samples)
{
	samples->count = 0;
	samples->label_count = 0;
	samples->text_length = 0;
	samples->histogram_count = 0;
	samples->current_count = 0;
	samples->shared = -1;
	samples->has_failed = false;
	for (int i = 0; i < WEIR_METRIC_COUNT; i++)
		samples->first[i] = samples->last[i] = -1;
}

void weir_samples_free(struct weir_samples *samples)
{
	free(samples->list);
	free(samples->labels);
	free(samples->texts);
	memset(samples, 0, sizeof(*samples));
}

/* Make room for `more` elements; false without memory. */
static bool grow(void **array, size_t *room, size_t used, size_t more, size_t size)
{
	size_t wanted = *room != 0 ? *room : 256;
	void *grown;

	if (used + more <= *room)
		return true;
	while (wanted < used + more)
		wanted *= 2;
	grown = realloc(*array, wanted * size);
	if (grown == NULL)
		return false;
	*array = grown;
	*room = wanted;
	return true;
}

static uint32_t add_text(struct weir_samples *samples, const char *text)
{
	size_t length = strlen(text) + 1;
	uint32_t place = (uint32_t)samples->text_length;

	if (!grow((void **)&samples->texts, &samples->text_room, samples->text_length, length, 1)) {
		samples->has_failed = true;
		return 0;
	}
	memcpy(samples->texts + place, text, length);
	samples->text_length += length;
	return place;
}

void weir_samples_label(
	struct weir_samples *samples, uint16_t depth, const char *key, const char *value)
{
	if (depth >= WEIR_SAMPLE_LABELS || depth > samples->current_count) {
		samples->has_failed = true;
		return;
	}
	samples->current[depth] = (struct weir_label){key, add_text(samples, value)};
	samples->current_count = (uint16_t)(depth + 1);
	samples->shared = -1;
}

void weir_samples_label_number(
	struct weir_samples *samples, uint16_t depth, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	weir_samples_label(samples, depth, key, text);
}

void weir_samples_unlabel(struct weir_samples *samples, uint16_t depth)
{
	samples->current_count = depth;
	samples->shared = -1;
}

/* The current labels as a run of their own, which samples with the same labels share. */
static bool place_labels(struct weir_samples *samples, uint32_t *place)
{
	if (samples->shared >= 0) {
		*place = (uint32_t)samples->shared;
		return true;
	}
	if (!grow((void **)&samples->labels, &samples->label_room, samples->label_count,
		    WEIR_SAMPLE_LABELS, sizeof(*samples->labels)))
		return false;
	memcpy(&samples->labels[samples->label_count], samples->current,
		samples->current_count * sizeof(*samples->labels));
	*place = (uint32_t)samples->label_count;
	samples->shared = *place;
	samples->label_count += samples->current_count;
	return true;
}

static struct weir_sample *add(struct weir_samples *samples, enum weir_metric metric)
{
	struct weir_sample *sample;
	uint32_t labels;

	if (samples->has_failed || !place_labels(samples, &labels) ||
		!grow((void **)&samples->list, &samples->room, samples->count, 1,
			sizeof(*samples->list))) {
		samples->has_failed = true;
		return NULL;
	}
	sample = &samples->list[samples->count];
	*sample = (struct weir_sample){.metric = (uint16_t)metric,
		.label_count = samples->current_count,
		.labels = labels,
		.histogram = -1,
		.next = -1};
	if (samples->last[metric] < 0)
		samples->first[metric] = (int32_t)samples->count;
	else
		samples->list[samples->last[metric]].next = (int32_t)samples->count;
	samples->last[metric] = (int32_t)samples->count;
	samples->count++;
	return sample;
}

void weir_samples_add(struct weir_samples *samples, enum weir_metric metric, double value)
{
	struct weir_sample *sample = add(samples, metric);

	if (sample != NULL)
		sample->value = value;
}

void weir_samples_add_with(struct weir_samples *samples, enum weir_metric metric, const char *key,
	const char *text, double value)
{
	uint16_t depth = samples->current_count;

	weir_samples_label(samples, depth, key, text);
	weir_samples_add(samples, metric, value);
	weir_samples_unlabel(samples, depth);
}

void weir_samples_add_histogram(
	struct weir_samples *samples, enum weir_metric metric, const struct weir_latency *histogram)
{
	struct weir_sample *sample = NULL;

	if (samples->histogram_count < WEIR_SAMPLE_HISTOGRAMS)
		sample = add(samples, metric);
	if (sample == NULL)
		return;
	sample->histogram = (int32_t)samples->histogram_count;
	samples->histograms[samples->histogram_count++] = *histogram;
}

const char *weir_sample_label(
	const struct weir_samples *samples, const struct weir_sample *sample, const char *key)
{
	for (uint32_t i = 0; i < sample->label_count; i++)
		if (strcmp(samples->labels[sample->labels + i].key, key) == 0)
			return samples->texts + samples->labels[sample->labels + i].value;
	return NULL;
}

/* FNV-1a, 64 bits. */
static uint64_t hash(uint64_t state, const char *text)
{
	do
		state = (state ^ (uint8_t)*text) * 0x100000001b3ull;
	while (*text++ != '\0');
	return state;
}

uint64_t weir_sample_series(const struct weir_samples *samples, const struct weir_sample *sample)
{
	uint64_t state = hash(0xcbf29ce484222325ull, weir_metric_descriptors[sample->metric].name);

	for (uint32_t i = 0; i < sample->label_count; i++) {
		const struct weir_label *label = &samples->labels[sample->labels + i];

		state = hash(hash(state, label->key), samples->texts + label->value);
	}
	return state;
}

char *weir_sample_name(const struct weir_samples *samples, const struct weir_sample *sample,
	char *text, size_t size)
{
	const struct weir_metric_descriptor *metric = &weir_metric_descriptors[sample->metric];
	int used = snprintf(text, size, "%s%s", metric->name,
		metric->type == WEIR_METRIC_COUNTER ? "_total" : "");

	for (uint32_t i = 0; i < sample->label_count && used > 0 && (size_t)used < size; i++) {
		const struct weir_label *label = &samples->labels[sample->labels + i];

		used += snprintf(text + used, size - (size_t)used, "%s%s=\"%s\"%s",
			i == 0 ? "{" : ",", label->key, samples->texts + label->value,
			i + 1u == sample->label_count ? "}" : "");
	}
	return text;
}
