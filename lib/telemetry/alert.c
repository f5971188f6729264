/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/alert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORGET_WINDOWS 2 /* a series that is not seen for so many long windows is forgotten */

const struct weir_alert_descriptor weir_alert_descriptors[WEIR_ALERT_COUNT] = {
#define X(id, name, severity, metric, label, value, test, threshold, whole, by, shorter, longer,   \
	summary)                                                                                   \
	[WEIR_ALERT_ID_##id] = {name, severity, WEIR_METRIC_ID_##metric, label, value,             \
		WEIR_ALERT_##test, threshold, WEIR_METRIC_ID_##whole, by, shorter, longer,         \
		summary},
	WEIR_ALERTS(X)
#undef X
};

const char *weir_alert_state_name(enum weir_alert_state state)
{
	static const char *const names[] = {"quiet", "pending", "active"};

	return names[state];
}

int weir_alerts_create(struct weir_alerts **out)
{
	struct weir_alerts *alerts = calloc(1, sizeof(*alerts));

	*out = alerts;
	if (alerts == NULL)
		return -ENOMEM;
	alerts->place_count = WEIR_ALERT_SERIES * 2;
	alerts->places = calloc(alerts->place_count, sizeof(*alerts->places));
	return alerts->places == NULL ? -ENOMEM : 0;
}

void weir_alerts_destroy(struct weir_alerts *alerts)
{
	if (alerts == NULL)
		return;
	free(alerts->places);
	free(alerts->list);
	free(alerts);
}

void weir_alerts_set_windows(struct weir_alerts *alerts, uint32_t short_s, uint32_t long_s)
{
	if (alerts->short_ms == short_s * 1000 && alerts->long_ms == long_s * 1000)
		return;
	alerts->short_ms = short_s * 1000;
	alerts->long_ms = long_s * 1000;
	alerts->count = 0;
	memset(alerts->places, 0, alerts->place_count * sizeof(*alerts->places));
}

bool weir_alert_admits(const char *filter, const char *value)
{
	bool is_excluded = filter[0] == '!';
	size_t length = strlen(value);

	for (const char *at = filter + is_excluded; *at != '\0';) {
		size_t word = strcspn(at, "|");

		if (word == length && strncmp(at, value, word) == 0)
			return !is_excluded;
		at += word + (at[word] == '|');
	}
	return is_excluded;
}

static uint64_t mix(uint64_t state, const char *text)
{
	for (; *text != '\0'; text++)
		state = (state ^ (uint8_t)*text) * 0x100000001b3ull;
	return (state ^ 0xff) * 0x100000001b3ull;
}

/* The labels of `by` as "key=value key=value", and their key. */
static uint64_t name_series(const struct weir_samples *samples, const struct weir_sample *sample,
	enum weir_alert_id id, char subject[WEIR_ALERT_SUBJECT])
{
	uint64_t key = mix(0xcbf29ce484222325ull + id, "");
	const char *by = weir_alert_descriptors[id].by;
	size_t used = 0;

	subject[0] = '\0';
	while (*by != '\0') {
		size_t length = strcspn(by, ",");
		char label[32];
		const char *value;

		snprintf(label, sizeof(label), "%.*s", (int)length, by);
		value = weir_sample_label(samples, sample, label);
		key = mix(key, value != NULL ? value : "");
		if (used < WEIR_ALERT_SUBJECT)
			used += (size_t)snprintf(subject + used, WEIR_ALERT_SUBJECT - used,
				"%s%s=%s", used != 0 ? " " : "", label, value != NULL ? value : "");
		by += length;
		by += strspn(by, ", ");
	}
	return key;
}

static uint32_t *find_place(struct weir_alerts *alerts, uint64_t key)
{
	uint32_t place = (uint32_t)(key % alerts->place_count);

	while (alerts->places[place] != 0 && alerts->list[alerts->places[place] - 1].key != key)
		place = (place + 1) % alerts->place_count;
	return &alerts->places[place];
}

static struct weir_alert *add_series(struct weir_alerts *alerts, uint32_t *place)
{
	if (alerts->count == alerts->room) {
		uint32_t room = alerts->room != 0 ? alerts->room * 2 : 64;
		struct weir_alert *list;

		if (alerts->count >= WEIR_ALERT_SERIES)
			return NULL;
		list = realloc(alerts->list, room * sizeof(*list));
		if (list == NULL)
			return NULL;
		alerts->list = list;
		alerts->room = room;
	}
	*place = ++alerts->count;
	memset(&alerts->list[alerts->count - 1], 0, sizeof(*alerts->list));
	return &alerts->list[alerts->count - 1];
}

static struct weir_alert *series_of(struct weir_alerts *alerts, const struct weir_samples *samples,
	const struct weir_sample *sample, enum weir_alert_id id, int64_t now_ms)
{
	char subject[WEIR_ALERT_SUBJECT];
	uint64_t key = name_series(samples, sample, id, subject);
	uint32_t *place = find_place(alerts, key);
	struct weir_alert *alert =
		*place != 0 ? &alerts->list[*place - 1] : add_series(alerts, place);

	if (alert == NULL)
		return NULL;
	if (alert->key == 0) {
		alert->key = key;
		alert->id = (uint16_t)id;
		memcpy(alert->subject, subject, sizeof(subject));
	}
	if (alert->seen_ms != now_ms) {
		alert->seen_ms = now_ms;
		alert->bad = 0;
		alert->whole = 0;
	}
	return alert;
}

/* One look's part of a series: for counters their sums, else 0 or 1. */
static void take(struct weir_alerts *alerts, const struct weir_samples *samples,
	enum weir_alert_id id, int64_t now_ms)
{
	const struct weir_alert_descriptor *about = &weir_alert_descriptors[id];
	bool is_ratio = about->test == WEIR_ALERT_RATIO;

	for (int32_t i = samples->first[about->metric]; i >= 0; i = samples->list[i].next) {
		const struct weir_sample *sample = &samples->list[i];
		const char *value = about->label[0] != '\0'
					    ? weir_sample_label(samples, sample, about->label)
					    : NULL;
		struct weir_alert *alert;

		if (about->label[0] != '\0' &&
			(value == NULL || !weir_alert_admits(about->value, value)))
			continue;
		alert = series_of(alerts, samples, sample, id, now_ms);
		if (alert == NULL)
			continue;
		if (is_ratio) {
			alert->bad += sample->value;
			continue;
		}
		alert->whole = 1;
		if (about->test == WEIR_ALERT_ABOVE ? sample->value > about->threshold
						    : sample->value < about->threshold)
			alert->bad = 1;
	}
	for (int32_t i = samples->first[about->whole]; is_ratio && i >= 0;
		i = samples->list[i].next) {
		struct weir_alert *alert =
			series_of(alerts, samples, &samples->list[i], id, now_ms);

		if (alert != NULL)
			alert->whole += samples->list[i].value;
	}
}

/* Counters to what they grew by; one that fell began anew. */
static void take_growth(struct weir_alert *alert)
{
	double bad = alert->bad - alert->bad_before, whole = alert->whole - alert->whole_before;

	alert->bad_before = alert->bad;
	alert->whole_before = alert->whole;
	alert->bad = alert->has_before && bad > 0 ? bad : 0;
	alert->whole = alert->has_before && whole > 0 ? whole : 0;
	alert->has_before = true;
}

static double enter(struct weir_alert_window *window, uint32_t length_ms, int64_t now_ms,
	double bad, double whole)
{
	int64_t slice = now_ms / (length_ms / WEIR_ALERT_SLICES);
	double bad_sum = 0, whole_sum = 0;

	if (slice - window->slice >= WEIR_ALERT_SLICES)
		window->slice = slice - WEIR_ALERT_SLICES;
	while (window->slice < slice) {
		window->slice++;
		window->bad[window->slice % WEIR_ALERT_SLICES] = 0;
		window->whole[window->slice % WEIR_ALERT_SLICES] = 0;
	}
	window->bad[slice % WEIR_ALERT_SLICES] += (float)bad;
	window->whole[slice % WEIR_ALERT_SLICES] += (float)whole;
	for (int i = 0; i < WEIR_ALERT_SLICES; i++) {
		bad_sum += window->bad[i];
		whole_sum += window->whole[i];
	}
	if (whole_sum > 0)
		return bad_sum / whole_sum;
	return bad_sum > 0 ? 1 : 0;
}

static void judge(struct weir_alerts *alerts, struct weir_alert *alert, int64_t now_ms,
	weir_alert_changed changed, void *context)
{
	const struct weir_alert_descriptor *about = &weir_alert_descriptors[alert->id];
	bool is_over =
		alert->ratios[0] > about->short_limit && alert->ratios[1] > about->long_limit;
	uint8_t before = alert->state;

	if (!is_over) {
		alert->state = WEIR_ALERT_QUIET;
		alert->is_acknowledged = false;
	} else if (before == WEIR_ALERT_QUIET) {
		alert->state = WEIR_ALERT_PENDING;
		alert->since_ms = now_ms;
	} else if (before == WEIR_ALERT_PENDING &&
		   now_ms - alert->since_ms >= alerts->short_ms / 2) {
		alert->state = WEIR_ALERT_ACTIVE;
		alert->since_ms = now_ms;
		alerts->raised++;
	}
	if ((alert->state == WEIR_ALERT_ACTIVE) != (before == WEIR_ALERT_ACTIVE))
		changed(context, alert, about);
}

/* Series of what is gone; indices change, so the places are made anew. */
static void forget(struct weir_alerts *alerts, int64_t now_ms)
{
	int64_t patience_ms = (int64_t)FORGET_WINDOWS * alerts->long_ms;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < alerts->count; i++)
		if (now_ms - alerts->list[i].seen_ms <= patience_ms)
			alerts->list[kept++] = alerts->list[i];
	if (kept == alerts->count)
		return;
	alerts->count = kept;
	memset(alerts->places, 0, alerts->place_count * sizeof(*alerts->places));
	for (uint32_t i = 0; i < kept; i++)
		*find_place(alerts, alerts->list[i].key) = i + 1;
}

void weir_alerts_look(struct weir_alerts *alerts, const struct weir_samples *samples,
	int64_t now_ms, weir_alert_changed changed, void *context)
{
	for (int id = 0; id < WEIR_ALERT_COUNT; id++)
		take(alerts, samples, (enum weir_alert_id)id, now_ms);
	for (uint32_t i = 0; i < alerts->count; i++) {
		struct weir_alert *alert = &alerts->list[i];

		/* A series that is gone is as good as a good one. */
		if (alert->seen_ms != now_ms) {
			alert->bad = 0;
			alert->whole =
				weir_alert_descriptors[alert->id].test == WEIR_ALERT_RATIO ? 0 : 1;
		} else if (weir_alert_descriptors[alert->id].test == WEIR_ALERT_RATIO) {
			take_growth(alert);
		}
		alert->ratios[0] = enter(
			&alert->windows[0], alerts->short_ms, now_ms, alert->bad, alert->whole);
		alert->ratios[1] = enter(
			&alert->windows[1], alerts->long_ms, now_ms, alert->bad, alert->whole);
		judge(alerts, alert, now_ms, changed, context);
	}
	forget(alerts, now_ms);
}

uint32_t weir_alerts_active(const struct weir_alerts *alerts, enum weir_alert_id id)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < alerts->count; i++)
		count += alerts->list[i].id == id && alerts->list[i].state == WEIR_ALERT_ACTIVE;
	return count;
}
