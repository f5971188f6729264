/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/rte.h"

#include <ctype.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_telemetry.h>

#define NAME_SIZE    128 /* RTE_TEL_MAX_STRING_LEN */
#define ENTRIES_MOST 255

/* Commands cannot be taken back: they find the publisher here, under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir_publisher *source;

static bool is_whole(const struct weir_metric_descriptor *metric)
{
	return strcmp(metric->unit, "seconds") != 0 && strcmp(metric->unit, "ratio") != 0;
}

/* DPDK's names have letters, digits, '_' and '/': name/value of a label/value of the next. */
static void path_of(const struct weir_samples *samples, const struct weir_sample *sample,
	char *path, size_t size)
{
	const struct weir_metric_descriptor *metric = &weir_metric_descriptors[sample->metric];
	int used = snprintf(path, size, "%s%s%s", metric->name,
		metric->type == WEIR_METRIC_COUNTER ? "_total" : "",
		is_whole(metric) ? "" : "_micro");

	for (uint32_t i = 0; i < sample->label_count && used > 0 && (size_t)used < size; i++)
		used += snprintf(path + used, size - (size_t)used, "/%s",
			samples->texts + samples->labels[sample->labels + i].value);
	for (; *path != '\0'; path++)
		if (!isalnum((unsigned char)*path) && *path != '/')
			*path = '_';
}

static int add_sample(struct rte_tel_data *data, const struct weir_samples *samples,
	const struct weir_sample *sample)
{
	double value =
		sample->value * (is_whole(&weir_metric_descriptors[sample->metric]) ? 1 : 1e6);
	char name[NAME_SIZE];

	path_of(samples, sample, name, sizeof(name));
	return rte_tel_data_add_dict_u64(data, name, value > 0 ? (uint64_t)llround(value) : 0);
}

static void add_samples(
	struct rte_tel_data *data, const struct weir_samples *samples, const char *prefix)
{
	unsigned int count = 0;

	for (int metric = 0; metric < WEIR_METRIC_COUNT; metric++) {
		const char *name = weir_metric_descriptors[metric].name;
		int32_t i = samples->first[metric];

		if (prefix != NULL && strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		for (; i >= 0 && count < ENTRIES_MOST; i = samples->list[i].next)
			if (samples->list[i].histogram < 0 &&
				add_sample(data, samples, &samples->list[i]) == 0)
				count++;
	}
}

static int on_metrics(const char *command, const char *prefix, struct rte_tel_data *data)
{
	const struct weir_samples *samples = NULL;

	(void)command;
	rte_tel_data_start_dict(data);
	pthread_mutex_lock(&lock);
	if (source != NULL)
		samples = weir_publisher_borrow(source);
	if (samples != NULL) {
		add_samples(data, samples, prefix);
		weir_publisher_return(source, samples);
	}
	pthread_mutex_unlock(&lock);
	return 0;
}

static int on_names(const char *command, const char *prefix, struct rte_tel_data *data)
{
	(void)command;
	(void)prefix;
	rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
	for (int metric = 0; metric < WEIR_METRIC_COUNT; metric++)
		rte_tel_data_add_array_string(data, weir_metric_descriptors[metric].name);
	return 0;
}

int weir_rte_telemetry_open(struct weir_publisher *publisher)
{
	int rc;

	pthread_mutex_lock(&lock);
	source = publisher;
	pthread_mutex_unlock(&lock);
	rc = rte_telemetry_register_cmd(
		"/weir/metrics", on_metrics, "Figures. Parameter: what their names begin with");
	if (rc == 0)
		rc = rte_telemetry_register_cmd("/weir/names", on_names, "Names of all figures");
	return rc;
}

void weir_rte_telemetry_close(void)
{
	pthread_mutex_lock(&lock);
	source = NULL;
	pthread_mutex_unlock(&lock);
}
