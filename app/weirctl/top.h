/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "weirctl.h"

/*
 * weirctl top: two samples of what the gateway says of itself (stats_get, partition_list) become a
 * page of rows, and a page is drawn on a terminal or printed. Rates are differences of counters
 * between the samples, over the gateway's own time. One thread.
 */
#define TOP_COLUMNS   9
#define TOP_CELL      36
#define TOP_MAP_WIDTH 32 /* partitions in a row of the heat map */
#define TOP_NAME_MAX  35

enum top_view { TOP_STREAMS, TOP_PARTITIONS, TOP_CONSUMERS, TOP_WORKERS, TOP_VIEW_COUNT };

enum top_tone { TOP_PLAIN, TOP_GOOD, TOP_ODD, TOP_BAD };

/* Both hold references. `stats` NULL: there is none. */
struct top_sample {
	json_t *stats;
	json_t *partitions; /* {stream: rows of partition_list} */
	double uptime_s;
};

struct top_samples {
	struct top_sample before;
	struct top_sample now;
	double seconds; /* between them; 0: no rates yet, also after a restart of the gateway */
};

struct top_column {
	const char *name;
	uint8_t width; /* the first column's grows with its names */
	bool is_text;
	bool is_map; /* heat, a character a partition */
};

struct top_cell {
	char text[TOP_CELL]; /* printable ASCII */
	double number;       /* sorts */
};

struct top_row {
	struct top_cell cells[TOP_COLUMNS];
	uint32_t used; /* cells set so far */
	enum top_tone tone;
};

struct top_page {
	enum top_view view;
	const struct top_column *columns;
	uint32_t column_count;
	struct top_row *rows;
	size_t row_count;
	size_t capacity;
};

struct top_order {
	uint32_t column;
	bool is_ascending;
};

/* top_sample.c */
/* Ask; what was `now` becomes `before`. WEIRCTL_OK, or what weirctl_call returned. */
int top_sample_take(
	struct weirctl_client *client, bool has_partitions, struct top_samples *samples);
void top_samples_free(struct top_samples *samples);
/* The row of `list` (of the sample before) with the same members `keys`; NULL ends them. */
const json_t *top_find(const json_t *list, size_t hint, const json_t *row, const char *const *keys);
double top_number(const json_t *object, const char *member);
/* Of a counter; NAN while there is none. `before` NULL: the object is new, and began at 0. */
double top_rate(const struct top_samples *samples, const json_t *now, const json_t *before,
	const char *member);
/* The member of `now` that grew most, of an object of counters. `sum`: a second, of them all. */
const char *top_most(const struct top_samples *samples, const json_t *now, const json_t *before,
	double *most, double *sum);

/* top_page.c */
void top_page_add(struct top_page *page, const struct top_row *row);
void top_row_text(struct top_row *row, const char *text);
/* NAN: not known. */
void top_row_number(struct top_row *row, double number);
void top_row_percent(struct top_row *row, double percent);
void top_page_sort(struct top_page *page, struct top_order order);
/* The widest the first column should be. */
size_t top_page_name_width(const struct top_page *page, size_t spare);
/* `row` NULL: the names of the columns. The line has no end. */
void top_page_line(struct weirctl_text *text, const struct top_page *page,
	const struct top_row *row, size_t name_width);
/* Columns before the map's, and its index; -1: the page has none. */
int top_page_map(const struct top_page *page, size_t name_width, size_t *at);
void top_page_free(struct top_page *page);
/* 12.3k */
void top_short(char *text, size_t size, double number);

/* top_views.c */
extern const char *const top_view_names[TOP_VIEW_COUNT];
extern const char top_heat[]; /* from cold to hot */
struct top_order top_view_order(enum top_view view);
void top_view_make(struct top_page *page, enum top_view view, const struct top_samples *samples);
/* One line over all views. */
void top_summary(struct weirctl_text *text, const struct top_samples *samples);

/* top_screen.c */
int top_screen_run(struct weirctl_client *client, enum top_view view);
