/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/exposition.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define BUCKETS_STEP 2 /* buckets of ours to one that is shown: two an octave */

static void print_escaped(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			fputs("\\n", out);
		else {
			if (*text == '"' || *text == '\\')
				putc('\\', out);
			putc(*text, out);
		}
	}
}

/* Labels of the sample, and one more unless its key is NULL. */
static void print_labels(FILE *out, const struct weir_samples *samples,
	const struct weir_sample *sample, const char *key, const char *value)
{
	const char *before = "{";

	for (uint32_t i = 0; i < sample->label_count; i++) {
		const struct weir_label *label = &samples->labels[sample->labels + i];

		fprintf(out, "%s%s=\"", before, label->key);
		print_escaped(out, samples->texts + label->value);
		putc('"', out);
		before = ",";
	}
	if (key != NULL)
		fprintf(out, "%s%s=\"%s\"", before, key, value);
	if (sample->label_count != 0 || key != NULL)
		putc('}', out);
	putc(' ', out);
}

/* Whole numbers exactly: counters are. */
static void print_value(FILE *out, double value)
{
	if (fabs(value) < 9007199254740992.0 && value == floor(value))
		fprintf(out, "%lld\n", (long long)value);
	else
		fprintf(out, "%.15g\n", value);
}

static void print_histogram(FILE *out, const struct weir_samples *samples,
	const struct weir_sample *sample, const char *name)
{
	const struct weir_latency *histogram = &samples->histograms[sample->histogram];
	uint64_t seen = 0;
	char limit[32];

	for (uint32_t i = 0; i < WEIR_LATENCY_BUCKETS - 1; i++) {
		seen += histogram->buckets[i];
		if (i % BUCKETS_STEP != 0)
			continue;
		snprintf(limit, sizeof(limit), "%.9g", (double)weir_latency_limit(i) / 1e9);
		fprintf(out, "%s_bucket", name);
		print_labels(out, samples, sample, "le", limit);
		print_value(out, (double)seen);
	}
	seen += histogram->buckets[WEIR_LATENCY_BUCKETS - 1];
	fprintf(out, "%s_bucket", name);
	print_labels(out, samples, sample, "le", "+Inf");
	print_value(out, (double)seen);
	fprintf(out, "%s_sum", name);
	print_labels(out, samples, sample, NULL, NULL);
	print_value(out, (double)histogram->sum_ns / 1e9);
	fprintf(out, "%s_count", name);
	print_labels(out, samples, sample, NULL, NULL);
	print_value(out, (double)seen);
}

static void print_family(FILE *out, const struct weir_samples *samples,
	const struct weir_metric_descriptor *metric, int32_t first)
{
	const char *suffix = metric->type == WEIR_METRIC_COUNTER ? "_total"
			     : metric->type == WEIR_METRIC_INFO  ? "_info"
								 : "";

	fprintf(out, "# TYPE %s %s\n", metric->name, weir_metric_type_name(metric->type));
	if (metric->unit[0] != '\0')
		fprintf(out, "# UNIT %s %s\n", metric->name, metric->unit);
	fprintf(out, "# HELP %s %s\n", metric->name, metric->help);
	for (int32_t i = first; i >= 0; i = samples->list[i].next) {
		const struct weir_sample *sample = &samples->list[i];

		if (sample->histogram >= 0) {
			print_histogram(out, samples, sample, metric->name);
			continue;
		}
		fprintf(out, "%s%s", metric->name, suffix);
		print_labels(out, samples, sample, NULL, NULL);
		print_value(out, sample->value);
	}
}

int weir_exposition_print(const struct weir_samples *samples, char **text, size_t *length)
{
	FILE *out = open_memstream(text, length);
	bool has_failed;

	if (out == NULL)
		return -ENOMEM;
	for (int metric = 0; metric < WEIR_METRIC_COUNT; metric++)
		if (samples->first[metric] >= 0)
			print_family(out, samples, &weir_metric_descriptors[metric],
				samples->first[metric]);
	fputs("# EOF\n", out);
	has_failed = ferror(out) != 0;
	if (fclose(out) == 0 && !has_failed)
		return 0;
	free(*text);
	*text = NULL;
	return -ENOMEM;
}
