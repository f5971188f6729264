/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "top.h"

void top_page_add(struct top_page *page, const struct top_row *row)
{
	if (page->row_count == page->capacity) {
		size_t capacity = page->capacity * 2 + 16;
		struct top_row *rows = reallocarray(page->rows, capacity, sizeof(*rows));

		if (rows == NULL)
			return;
		page->rows = rows;
		page->capacity = capacity;
	}
	page->rows[page->row_count++] = *row;
}

/* Names may come from anywhere; a terminal gets nothing that could steer it. */
void top_row_text(struct top_row *row, const char *text)
{
	struct top_cell *cell = &row->cells[row->used++];
	size_t i = 0;

	if (text == NULL || text[0] == '\0')
		text = "-";
	for (; text[i] != '\0' && i < TOP_NAME_MAX; i++)
		cell->text[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	cell->text[i] = '\0';
}

void top_short(char *text, size_t size, double number)
{
	static const struct {
		double from;
		char unit;
	} units[] = {{1e12, 'T'}, {1e9, 'G'}, {1e6, 'M'}, {1e3, 'k'}};

	if (!isfinite(number)) {
		snprintf(text, size, "-");
		return;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (number >= units[i].from) {
			double scaled = number / units[i].from;

			snprintf(text, size, scaled >= 100 ? "%.0f%c" : "%.1f%c", scaled,
				units[i].unit);
			return;
		}
	snprintf(text, size, number >= 10 || number == rint(number) ? "%.0f" : "%.1f", number);
}

void top_row_number(struct top_row *row, double number)
{
	struct top_cell *cell = &row->cells[row->used++];

	top_short(cell->text, sizeof(cell->text), number);
	cell->number = number;
}

void top_row_percent(struct top_row *row, double percent)
{
	struct top_cell *cell = &row->cells[row->used++];

	if (isnan(percent))
		snprintf(cell->text, sizeof(cell->text), "-");
	else
		snprintf(cell->text, sizeof(cell->text), "%.1f%%", percent);
	cell->number = percent;
}

struct sorting {
	const struct top_page *page;
	struct top_order order;
};

static int compare(const void *a, const void *b, void *context)
{
	const struct sorting *sorting = context;
	uint32_t column = sorting->order.column;
	const struct top_cell *left = &((const struct top_row *)a)->cells[column];
	const struct top_cell *right = &((const struct top_row *)b)->cells[column];
	/* What is not known comes last of what falls. */
	double x = isnan(left->number) ? -1 : left->number;
	double y = isnan(right->number) ? -1 : right->number;
	int result = sorting->page->columns[column].is_text ? strcmp(left->text, right->text)
							    : (x > y) - (x < y);

	if (result != 0)
		return sorting->order.is_ascending ? result : -result;
	result = strcmp(((const struct top_row *)a)->cells[0].text,
		((const struct top_row *)b)->cells[0].text);
	x = ((const struct top_row *)a)->cells[1].number;
	y = ((const struct top_row *)b)->cells[1].number;
	return result != 0 ? result : (x > y) - (x < y);
}

void top_page_sort(struct top_page *page, struct top_order order)
{
	struct sorting sorting = {.page = page, .order = order};

	if (page->row_count > 1)
		qsort_r(page->rows, page->row_count, sizeof(*page->rows), compare, &sorting);
}

size_t top_page_name_width(const struct top_page *page, size_t spare)
{
	size_t least = page->columns[0].width;
	size_t widest = least;

	for (size_t i = 0; i < page->row_count; i++) {
		size_t width = strlen(page->rows[i].cells[0].text);

		widest = width > widest ? width : widest;
	}
	return widest > least + spare ? least + spare : widest;
}

void top_page_line(struct weirctl_text *text, const struct top_page *page,
	const struct top_row *row, size_t name_width)
{
	for (uint32_t i = 0; i < page->column_count; i++) {
		const struct top_column *column = &page->columns[i];
		const char *cell = row != NULL ? row->cells[i].text : column->name;
		size_t width = i == 0 ? name_width : column->width;
		bool is_open = column->is_text && i + 1 == page->column_count;
		size_t length = is_open || strlen(cell) < width ? strlen(cell) : width;

		if (i > 0)
			weirctl_text_add(text, " ", 1);
		if (!column->is_text)
			weirctl_text_pad(text, width - length);
		weirctl_text_add(text, cell, length);
		if (column->is_text && !is_open)
			weirctl_text_pad(text, width - length);
	}
}

int top_page_map(const struct top_page *page, size_t name_width, size_t *at)
{
	*at = 0;
	for (uint32_t i = 0; i < page->column_count; i++) {
		if (page->columns[i].is_map)
			return (int)i;
		*at += (i == 0 ? name_width : page->columns[i].width) + 1;
	}
	return -1;
}

void top_page_free(struct top_page *page)
{
	free(page->rows);
	*page = (struct top_page){0};
}
