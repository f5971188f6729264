/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "telemetry/metrics.h"

/*
 * What is usual: for each series, mean and spread of its rate in each hour of the week (UTC, from
 * Monday), learned from one value a minute, the newest weeks counting most. What is odd is learned
 * from little. Pure: times are passed in. One thread.
 */
#define WEIR_BASELINE_HOURS  168
#define WEIR_BASELINE_SERIES 512
#define WEIR_BASELINE_NAME   128
#define WEIR_BASELINE_TRUST  30 /* values that an hour has seen before it judges */

struct weir_baseline_hour {
	float mean;
	float variance;
	uint32_t values;
};

struct weir_baseline {
	char name[WEIR_BASELINE_NAME]; /* weir_sample_name */
	uint64_t series;
	bool is_rate; /* of a counter, per second; else the value itself */
	bool has_before;
	double before;
	int64_t before_ms;
	double now;   /* newest value */
	double score; /* standard deviations from the mean; 0: not known */
	struct weir_baseline_hour hours[WEIR_BASELINE_HOURS];
};

struct weir_baselines {
	struct weir_baseline *list;
	uint32_t count, room;
};

/* Hour of the week of a Unix time. */
uint32_t weir_baseline_hour_of(int64_t wall_ms);
void weir_baselines_free(struct weir_baselines *baselines);
/* Learn a set, and judge it: about once a minute. */
void weir_baselines_look(
	struct weir_baselines *baselines, const struct weir_samples *samples, double odd_score);
/* Enter a value by hand: what `look` does for each series. */
void weir_baseline_learn(
	struct weir_baseline *baseline, uint32_t hour, double value, double odd_score);
/* NULL: not known. */
const struct weir_baseline *weir_baseline_find(
	const struct weir_baselines *baselines, const char *name);

/* As bytes to keep, and back. *bytes is malloc'ed. 0, -ENOMEM; -EBADMSG: not whole or not ours. */
int weir_baselines_encode(const struct weir_baselines *baselines, uint8_t **bytes, size_t *length);
int weir_baselines_decode(struct weir_baselines *baselines, const uint8_t *bytes, size_t length);
