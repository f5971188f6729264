/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "weirctl.h"

/* A trace as a waterfall: a line for each stage, its bar to scale, and what held it. */

#define BAR 40 /* columns */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text != NULL ? text : "";
}

static double number_of(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static const char *format_us(double us, char *text, size_t size)
{
	if (us >= 1e6)
		snprintf(text, size, "%.3f s", us / 1e6);
	else if (us >= 1e3)
		snprintf(text, size, "%.3f ms", us / 1e3);
	else
		snprintf(text, size, "%.1f us", us);
	return text;
}

static void add_padded(struct weirctl_text *text, const char *cell, size_t width, bool is_right)
{
	size_t used = weirctl_width(cell);
	size_t padding = width > used ? width - used : 0;

	weirctl_text_pad(text, is_right ? padding : 0);
	weirctl_text_add_safe(text, cell);
	weirctl_text_pad(text, is_right ? 2 : padding + 2);
}

/* Who it is about: a consumer, or a worker. */
static const char *subject_of(const json_t *span, char *place, size_t size)
{
	const char *consumer = text_of(span, "consumer");
	const char *group = text_of(span, "group");

	if (group[0] != '\0' && consumer[0] == '\0')
		snprintf(place, size, "group %s", group);
	else if (consumer[0] != '\0')
		snprintf(place, size, "%s", consumer);
	else
		snprintf(place, size, "worker %d", (int)number_of(span, "worker"));
	return place;
}

static void add_bar(struct weirctl_text *text, const json_t *span, double whole_us)
{
	double start = number_of(span, "start_us"), duration = number_of(span, "duration_us");
	double scale = whole_us > 0 ? BAR / whole_us : 0;
	int first = (int)(start * scale), length = (int)(duration * scale + 0.5);
	char bar[BAR + 1];

	first = first < BAR ? first : BAR - 1;
	first = first > 0 ? first : 0;
	length = length > 1 ? length : 1;
	length = length < BAR - first ? length : BAR - first;
	memset(bar, ' ', BAR);
	memset(bar + first, '=', (size_t)length);
	if (json_is_true(json_object_get(span, "open")))
		bar[first + length - 1] = '>';
	weirctl_text_add(text, "|", 1);
	weirctl_text_add(text, bar, BAR);
	weirctl_text_add(text, "|", 1);
}

static void add_note(struct weirctl_text *text, const json_t *span)
{
	const char *gate = text_of(span, "gate"), *reason = text_of(span, "reason");
	char number[32], note[96];

	if (gate[0] != '\0') {
		snprintf(note, sizeof(note), "  %s %s", gate,
			format_us(number_of(span, "held_us"), number, sizeof(number)));
		weirctl_text_add_safe(text, note);
	}
	if (strcmp(text_of(span, "name"), "acknowledge") == 0 && number_of(span, "sends") > 1) {
		snprintf(note, sizeof(note), "  sent %d times", (int)number_of(span, "sends"));
		weirctl_text_add_safe(text, note);
	}
	if (reason[0] != '\0') {
		snprintf(note, sizeof(note), "  dropped: %s", reason);
		weirctl_text_add_safe(text, note);
	}
}

static void add_head(struct weirctl_text *text, const json_t *trace)
{
	json_int_t ns = json_integer_value(json_object_get(trace, "received_ns"));
	time_t seconds = (time_t)(ns / 1000000000);
	char line[256], duration[32];
	struct tm parts;

	gmtime_r(&seconds, &parts);
	snprintf(line, sizeof(line), "trace %lld, %s%s%s\n",
		(long long)json_integer_value(json_object_get(trace, "trace")),
		text_of(trace, "id"), text_of(trace, "parent")[0] != '\0' ? ", for span " : "",
		text_of(trace, "parent"));
	weirctl_text_add(text, line, strlen(line));
	weirctl_text_add_safe(text, text_of(trace, "stream"));
	if (json_is_integer(json_object_get(trace, "partition")))
		snprintf(line, sizeof(line), "/%d sequence %lld, %d bytes, ",
			(int)number_of(trace, "partition"),
			(long long)json_integer_value(json_object_get(trace, "sequence")),
			(int)number_of(trace, "bytes"));
	else
		snprintf(line, sizeof(line), ", %d bytes, ", (int)number_of(trace, "bytes"));
	weirctl_text_add(text, line, strlen(line));
	snprintf(line, sizeof(line), "received %04d-%02d-%02dT%02d:%02d:%02d.%06dZ, %s%s\n\n",
		parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
		parts.tm_sec, (int)(ns % 1000000000 / 1000),
		format_us(number_of(trace, "duration_us"), duration, sizeof(duration)),
		json_is_true(json_object_get(trace, "open")) ? " so far" : "");
	weirctl_text_add(text, line, strlen(line));
}

void weirctl_waterfall(struct weirctl_text *text, const json_t *trace)
{
	double whole_us = number_of(trace, "duration_us");
	size_t widths[2] = {0};
	char cell[96];
	size_t i;
	json_t *span;

	add_head(text, trace);
	json_array_foreach (json_object_get(trace, "spans"), i, span) {
		size_t name = weirctl_width(text_of(span, "name"));
		size_t subject = weirctl_width(subject_of(span, cell, sizeof(cell)));

		widths[0] = name > widths[0] ? name : widths[0];
		widths[1] = subject > widths[1] ? subject : widths[1];
	}
	json_array_foreach (json_object_get(trace, "spans"), i, span) {
		add_padded(text, text_of(span, "name"), widths[0], false);
		add_padded(text, subject_of(span, cell, sizeof(cell)), widths[1], false);
		add_padded(
			text, format_us(number_of(span, "start_us"), cell, sizeof(cell)), 10, true);
		add_padded(text, format_us(number_of(span, "duration_us"), cell, sizeof(cell)), 10,
			true);
		add_bar(text, span, whole_us);
		add_note(text, span);
		weirctl_text_add(text, "\n", 1);
	}
}
