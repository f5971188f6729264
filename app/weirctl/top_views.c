/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "top.h"

const char *const top_view_names[TOP_VIEW_COUNT] = {
	"streams", "partitions", "consumers", "workers"};
const char top_heat[] = ".:-=+*#%@";

static const struct top_column stream_columns[] = {
	{"STREAM", 16, .is_text = true},
	{"TIER", 8, .is_text = true},
	{"IN/S", 7},
	{"BIT/S", 7},
	{"OUT/S", 7},
	{"HELD", 7},
	{"LOST/S", 7},
	{"WHY", 13, .is_text = true},
};
static const struct top_column partition_columns[] = {
	{"STREAM", 16, .is_text = true},
	{"FROM", 4},
	{"LOAD", TOP_MAP_WIDTH, .is_text = true, .is_map = true},
	{"IN/S", 7},
	{"HOTTEST", 7},
	{"SHARE", 6},
};
static const struct top_column consumer_columns[] = {
	{"CONSUMER", 12, .is_text = true},
	{"GROUP", 9, .is_text = true},
	{"STATE", 11, .is_text = true},
	{"OUT/S", 6},
	{"WAITING", 7},
	{"WINDOW", 6},
	{"FLYING", 6},
	{"CREDIT", 6},
	{"HELD BACK", 9, .is_text = true},
};
static const struct top_column worker_columns[] = {
	{"WORKER", 6, .is_text = true},
	{"CPU", 4},
	{"STATE", 8, .is_text = true},
	{"PARTS", 6},
	{"DUTY", 6},
	{"HEADROOM", 8},
	{"LONGEST US", 10},
	{"MESH FULL", 9},
	{"SHED", 6},
};

static const struct {
	const struct top_column *columns;
	uint32_t count;
	struct top_order order;
} views[TOP_VIEW_COUNT] = {
#define COLUMNS(array) array, sizeof(array) / sizeof(array[0])
	[TOP_STREAMS] = {COLUMNS(stream_columns), {.column = 2}},
	[TOP_PARTITIONS] = {COLUMNS(partition_columns), {.column = 0, .is_ascending = true}},
	[TOP_CONSUMERS] = {COLUMNS(consumer_columns), {.column = 3}},
	[TOP_WORKERS] = {COLUMNS(worker_columns), {.column = 4}},
#undef COLUMNS
};

static const char *text_of(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

static bool is_equal(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* What the groups of a stream (NULL: of all) were given, lost and wait for. */
struct outcome {
	double out, held, lost;
	double most; /* lost for `why` */
	const char *why;
};

static void add_outcome(
	const struct top_samples *samples, const char *stream, struct outcome *outcome)
{
	static const char *const keys[] = {"stream", "name", NULL};
	const json_t *before = json_object_get(samples->before.stats, "groups");
	size_t i;
	json_t *group;

	json_array_foreach (json_object_get(samples->now.stats, "groups"), i, group) {
		const json_t *was = top_find(before, i, group, keys);
		double most, lost;
		const char *why;

		if (stream != NULL && !is_equal(text_of(group, "stream"), stream))
			continue;
		why = top_most(samples, json_object_get(group, "dropped"),
			json_object_get(was, "dropped"), &most, &lost);
		outcome->out += top_rate(samples, group, was, "delivered");
		outcome->held += top_number(group, "held");
		outcome->lost += lost;
		if (why != NULL && most > outcome->most) {
			outcome->most = most;
			outcome->why = why;
		}
	}
}

static void make_streams(struct top_page *page, const struct top_samples *samples)
{
	static const char *const keys[] = {"name", NULL};
	const json_t *before = json_object_get(samples->before.stats, "streams");
	size_t i;
	json_t *stream;

	json_array_foreach (json_object_get(samples->now.stats, "streams"), i, stream) {
		const json_t *was = top_find(before, i, stream, keys);
		struct outcome outcome = {0};
		struct top_row row = {0};

		outcome.why = top_most(samples, json_object_get(stream, "dropped"),
			json_object_get(was, "dropped"), &outcome.most, &outcome.lost);
		add_outcome(samples, text_of(stream, "name"), &outcome);
		row.tone = outcome.lost > 0 ? TOP_BAD : TOP_PLAIN;
		top_row_text(&row, text_of(stream, "name"));
		top_row_text(&row, text_of(stream, "tier"));
		top_row_number(&row, top_rate(samples, stream, was, "received"));
		top_row_number(&row, 8 * top_rate(samples, stream, was, "received_bytes"));
		top_row_number(&row, outcome.out);
		top_row_number(&row, outcome.held);
		top_row_number(&row, outcome.lost);
		top_row_text(&row, outcome.why);
		top_page_add(page, &row);
	}
}

/* A row of the map: partitions `from` and the next ones. */
struct stretch {
	double rates[TOP_MAP_WIDTH];
	double from;
	uint32_t count;
};

static void add_stretch(struct top_page *page, const char *stream, const struct stretch *stretch,
	double most, double all)
{
	struct top_row row = {0};
	char map[TOP_MAP_WIDTH + 1] = "";
	double sum = 0, hottest = 0, hot = 0;

	for (uint32_t i = 0; i < stretch->count; i++) {
		double rate = stretch->rates[i];
		size_t level = rate > 0 && most > 0
				       ? (size_t)(rate / most * (sizeof(top_heat) - 2) + 0.5)
				       : 0;

		/* A blank is a partition where nothing comes. */
		map[i] = rate > 0 ? top_heat[level] : ' ';
		sum += rate;
		if (rate > hot) {
			hot = rate;
			hottest = stretch->from + i;
		}
	}
	top_row_text(&row, stream);
	row.cells[row.used].number = stretch->from;
	snprintf(row.cells[row.used].text, TOP_CELL, "%.0f", stretch->from);
	row.used++;
	top_row_text(&row, map);
	top_row_number(&row, sum);
	top_row_number(&row, hot > 0 ? hottest : NAN);
	top_row_percent(&row, all > 0 ? 100 * hot / all : NAN);
	top_page_add(page, &row);
}

/* Calls `stretch` full; rows of one partition follow each other, one a group. */
static void make_stream_map(struct top_page *page, const struct top_samples *samples,
	const char *stream, const json_t *list, double *most, double *all)
{
	static const char *const keys[] = {"partition", NULL};
	const json_t *before = json_object_get(samples->before.partitions, stream);
	struct stretch stretch = {0};
	double last = NAN, highest = 0, total = 0;
	size_t i;
	json_t *row;

	json_array_foreach (list, i, row) {
		double index = top_number(row, "partition");
		double rate;

		if (index == last)
			continue;
		last = index;
		rate = top_rate(samples, row, top_find(before, i, row, keys), "messages");
		highest = rate > highest ? rate : highest;
		total += rate;
		if (stretch.count == TOP_MAP_WIDTH) {
			if (page != NULL)
				add_stretch(page, stream, &stretch, *most, *all);
			stretch.count = 0;
		}
		if (stretch.count == 0)
			stretch.from = index;
		stretch.rates[stretch.count++] = rate;
	}
	if (page != NULL && stretch.count != 0)
		add_stretch(page, stream, &stretch, *most, *all);
	*most = highest;
	*all = total;
}

static void make_partitions(struct top_page *page, const struct top_samples *samples)
{
	const char *stream;
	json_t *list;

	json_object_foreach (samples->now.partitions, stream, list) {
		double most = 0, all = 0;

		make_stream_map(NULL, samples, stream, list, &most, &all);
		make_stream_map(page, samples, stream, list, &most, &all);
	}
}

/* Which gate held it back, and for what share of the time. */
static void add_gate(struct top_row *row, const struct top_samples *samples, const json_t *health,
	const json_t *was)
{
	double most, sum;
	const char *gate = top_most(samples, json_object_get(health, "limited_s"),
		json_object_get(json_object_get(was, "health"), "limited_s"), &most, &sum);
	char text[TOP_CELL] = "-";

	if (gate != NULL)
		snprintf(text, sizeof(text), "%.24s %.0f%%", gate, 100 * (most < 1 ? most : 1));
	top_row_text(row, text);
	row->cells[row->used - 1].number = most;
}

static enum top_tone tone_of(const char *state)
{
	if (is_equal(state, "healthy"))
		return TOP_GOOD;
	return is_equal(state, "gone") || is_equal(state, "unreachable") ? TOP_BAD : TOP_ODD;
}

static void make_consumers(struct top_page *page, const struct top_samples *samples)
{
	static const char *const keys[] = {"name", "group", NULL};
	const json_t *before = json_object_get(samples->before.stats, "consumers");
	size_t i;
	json_t *consumer;

	json_array_foreach (json_object_get(samples->now.stats, "consumers"), i, consumer) {
		const json_t *was = top_find(before, i, consumer, keys);
		const json_t *health = json_object_get(consumer, "health");
		const json_t *delivery = json_object_get(consumer, "delivery");
		const json_t *credit = json_object_get(consumer, "credit");
		const char *state = text_of(health, "state");
		struct top_row row = {0};

		if (state == NULL)
			state = text_of(consumer, "state");
		row.tone = tone_of(state);
		top_row_text(&row, text_of(consumer, "name"));
		top_row_text(&row, text_of(consumer, "group"));
		top_row_text(&row, state);
		top_row_number(&row, top_rate(samples, consumer, was, "delivered"));
		top_row_number(&row, top_number(health, "waiting"));
		top_row_number(&row, top_number(delivery, "window"));
		top_row_number(&row, top_number(delivery, "in_flight"));
		top_row_number(&row,
			top_number(credit, "limit_messages") - top_number(credit, "used_messages"));
		add_gate(&row, samples, health, was);
		top_page_add(page, &row);
	}
}

static double shed_of(const json_t *worker)
{
	double most = 0;
	const char *tier;
	json_t *percent;

	json_object_foreach (json_object_get(worker, "shed_percent"), tier, percent)
		most = json_number_value(percent) > most ? json_number_value(percent) : most;
	return most;
}

static void make_workers(struct top_page *page, const struct top_samples *samples)
{
	static const char *const keys[] = {"worker", NULL};
	const json_t *before = json_object_get(samples->before.stats, "workers");
	size_t i;
	json_t *worker;

	json_array_foreach (json_object_get(samples->now.stats, "workers"), i, worker) {
		const json_t *was = top_find(before, i, worker, keys);
		double duty = top_rate(samples, worker, was, "busy_us") / 1e6 * 100;
		const char *state = text_of(worker, "state");
		struct top_row row = {0};
		char number[16];

		duty = duty > 100 ? 100 : duty;
		row.tone = is_equal(state, "stalled") ? TOP_BAD : duty > 90 ? TOP_ODD : TOP_PLAIN;
		snprintf(number, sizeof(number), "%.0f", top_number(worker, "worker"));
		top_row_text(&row, number);
		top_row_number(&row, top_number(worker, "cpu"));
		top_row_text(&row, state);
		top_row_number(&row, top_number(worker, "partitions"));
		top_row_percent(&row, duty);
		top_row_percent(&row, 100 - duty);
		top_row_number(&row, top_number(worker, "longest_loop_us"));
		top_row_number(&row, top_rate(samples, worker, was, "mesh_full"));
		top_row_percent(&row, shed_of(worker));
		top_page_add(page, &row);
	}
}

struct top_order top_view_order(enum top_view view)
{
	return views[view].order;
}

void top_view_make(struct top_page *page, enum top_view view, const struct top_samples *samples)
{
	static void (*const makers[TOP_VIEW_COUNT])(
		struct top_page *, const struct top_samples *) = {
		make_streams, make_partitions, make_consumers, make_workers};

	page->view = view;
	page->columns = views[view].columns;
	page->column_count = views[view].count;
	page->row_count = 0;
	makers[view](page, samples);
}

void top_summary(struct weirctl_text *text, const struct top_samples *samples)
{
	static const char *const keys[] = {"name", NULL};
	const json_t *law = json_object_get(json_object_get(samples->now.stats, "law"), "holds");
	const json_t *before = json_object_get(samples->before.stats, "streams");
	double in = samples->seconds > 0 ? 0 : NAN;
	struct outcome outcome = {0};
	char line[160], ins[16], outs[16], losts[16];
	size_t i;
	json_t *stream;
	int length;

	json_array_foreach (json_object_get(samples->now.stats, "streams"), i, stream) {
		const json_t *was = top_find(before, i, stream, keys);
		double most, lost;

		in += top_rate(samples, stream, was, "received");
		top_most(samples, json_object_get(stream, "dropped"),
			json_object_get(was, "dropped"), &most, &lost);
		outcome.lost += lost;
	}
	add_outcome(samples, NULL, &outcome);
	top_short(ins, sizeof(ins), in);
	top_short(outs, sizeof(outs), samples->seconds > 0 ? outcome.out : NAN);
	top_short(losts, sizeof(losts), samples->seconds > 0 ? outcome.lost : NAN);
	length = snprintf(line, sizeof(line),
		"weir up %.0f s  in %s/s  out %s/s  lost %s/s  law %s", samples->now.uptime_s, ins,
		outs, losts, json_is_true(law) ? "holds" : "BROKEN");
	if (length > 0)
		weirctl_text_add(text, line,
			(size_t)length < sizeof(line) ? (size_t)length : sizeof(line) - 1);
}
