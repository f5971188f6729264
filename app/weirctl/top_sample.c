/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <string.h>

#include "top.h"

static void free_sample(struct top_sample *sample)
{
	json_decref(sample->stats);
	json_decref(sample->partitions);
	*sample = (struct top_sample){0};
}

/* A stream may end between two calls: then it has no partitions, and that is all. */
static int take_partitions(struct weirctl_client *client, struct top_sample *sample)
{
	size_t i;
	json_t *stream;

	sample->partitions = json_object();
	json_array_foreach (json_object_get(sample->stats, "streams"), i, stream) {
		json_t *name = json_object_get(stream, "name");
		json_t *result = NULL;
		int rc = weirctl_call(
			client, "partition_list", json_pack("{s:O}", "stream", name), &result);

		if (rc == WEIRCTL_UNREACHABLE)
			return rc;
		if (rc == 0 && json_is_string(name))
			json_object_set(sample->partitions, json_string_value(name),
				json_object_get(result, "partitions"));
		json_decref(result);
	}
	return WEIRCTL_OK;
}

int top_sample_take(struct weirctl_client *client, bool has_partitions, struct top_samples *samples)
{
	struct top_sample sample = {0};
	int rc = weirctl_call(client, "stats_get", NULL, &sample.stats);

	if (rc == WEIRCTL_OK && has_partitions)
		rc = take_partitions(client, &sample);
	if (rc != WEIRCTL_OK) {
		free_sample(&sample);
		return rc;
	}
	sample.uptime_s = top_number(sample.stats, "uptime_s");
	free_sample(&samples->before);
	samples->before = samples->now;
	samples->now = sample;
	/* A gateway that started anew has counters of its own. */
	samples->seconds =
		samples->before.stats != NULL ? sample.uptime_s - samples->before.uptime_s : 0;
	if (samples->seconds < 0)
		samples->seconds = 0;
	return WEIRCTL_OK;
}

void top_samples_free(struct top_samples *samples)
{
	free_sample(&samples->before);
	free_sample(&samples->now);
}

static bool is_same(const json_t *a, const json_t *b, const char *const *keys)
{
	for (; *keys != NULL; keys++)
		if (!json_equal(json_object_get(a, *keys), json_object_get(b, *keys)))
			return false;
	return true;
}

const json_t *top_find(const json_t *list, size_t hint, const json_t *row, const char *const *keys)
{
	const json_t *guess = json_array_get(list, hint);
	size_t i;
	json_t *one;

	if (guess != NULL && is_same(guess, row, keys))
		return guess;
	json_array_foreach (list, i, one)
		if (is_same(one, row, keys))
			return one;
	return NULL;
}

double top_number(const json_t *object, const char *member)
{
	const json_t *value = json_object_get(object, member);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* A counter of an object that was made anew is smaller than before: it began at 0. */
static double grown(double now, double before)
{
	if (isnan(now))
		return 0;
	return isnan(before) || before > now ? now : now - before;
}

double top_rate(const struct top_samples *samples, const json_t *now, const json_t *before,
	const char *member)
{
	if (samples->seconds <= 0)
		return NAN;
	return grown(top_number(now, member), top_number(before, member)) / samples->seconds;
}

const char *top_most(const struct top_samples *samples, const json_t *now, const json_t *before,
	double *most, double *sum)
{
	const char *found = NULL;
	const char *name;
	json_t *value;

	*most = 0;
	*sum = samples->seconds > 0 ? 0 : NAN;
	json_object_foreach ((json_t *)(uintptr_t)now, name, value) {
		double rate = top_rate(samples, now, before, name);

		*sum += rate;
		if (rate > *most) {
			*most = rate;
			found = name;
		}
	}
	return found;
}
