/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"

struct column {
	const char *name; /* of a member of the first row that has it */
	size_t width;
	bool is_numeric;
};

struct table {
	json_t *rows; /* flattened */
	struct column *columns;
	size_t column_count;
};

static int flatten_into(json_t *flat, const char *prefix, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value) {
		char *name = NULL;
		int rc;

		if (asprintf(&name, "%s%s%s", prefix, prefix[0] != '\0' ? "." : "", key) < 0)
			return -1;
		rc = json_is_object(value) && json_object_size(value) > 0
			     ? flatten_into(flat, name, value)
			     : json_object_set(flat, name, value);
		free(name);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void format_real(char *text, size_t size, double number)
{
	size_t length = (size_t)snprintf(text, size, "%.3f", number);

	if (length >= size) { /* a huge number: the exponent is more use than its digits */
		snprintf(text, size, "%g", number);
		return;
	}
	while (text[length - 1] == '0')
		text[--length] = '\0';
	if (text[length - 1] == '.')
		text[--length] = '\0';
}

static void render_array(struct weirctl_text *text, const json_t *array)
{
	size_t i;
	json_t *item;

	if (json_array_size(array) == 0)
		weirctl_text_add(text, "-", 1);
	json_array_foreach (array, i, item) {
		weirctl_text_add(text, ",", i > 0);
		weirctl_render_scalar(text, item);
	}
}

static struct column *find_column(const struct table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcmp(table->columns[i].name, name) == 0)
			return &table->columns[i];
	return NULL;
}

static size_t cell_width(const json_t *value)
{
	struct weirctl_text text = {0};
	size_t width;

	weirctl_render_scalar(&text, value);
	width = text.bytes != NULL ? weirctl_width(text.bytes) : 0;
	free(text.bytes);
	return width;
}

static struct column *add_column(struct table *table, const char *name)
{
	struct column *columns =
		reallocarray(table->columns, table->column_count + 1, sizeof(*columns));

	if (columns == NULL)
		return NULL;
	table->columns = columns;
	columns[table->column_count] =
		(struct column){.name = name, .width = weirctl_width(name), .is_numeric = true};
	return &columns[table->column_count++];
}

static void measure(struct table *table)
{
	size_t i;
	json_t *row;
	const char *key;
	json_t *value;

	json_array_foreach (table->rows, i, row) {
		json_object_foreach (row, key, value) {
			struct column *column = find_column(table, key);
			size_t width = cell_width(value);

			if (column == NULL)
				column = add_column(table, key);
			if (column == NULL)
				return;
			if (width > column->width)
				column->width = width;
			column->is_numeric = column->is_numeric &&
					     (json_is_number(value) || json_is_null(value));
		}
	}
}

static void add_cell(
	struct weirctl_text *text, const struct column *column, const char *cell, bool is_last)
{
	size_t width = weirctl_width(cell);
	size_t padding = column->width > width ? column->width - width : 0;

	if (column->is_numeric)
		weirctl_text_pad(text, padding);
	weirctl_text_add(text, cell, strlen(cell));
	if (!is_last) {
		weirctl_text_pad(text, column->is_numeric ? 0 : padding);
		weirctl_text_add(text, "  ", 2);
	}
}

/* `row` NULL: the head. */
static void add_row(struct weirctl_text *text, const struct table *table, const json_t *row)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];
		const json_t *value = json_object_get(row, column->name);
		struct weirctl_text cell = {0};

		if (row == NULL)
			weirctl_text_add_safe(&cell, column->name);
		else
			weirctl_render_scalar(&cell, value);
		add_cell(text, column, cell.bytes != NULL ? cell.bytes : "",
			i + 1 == table->column_count);
		free(cell.bytes);
	}
	weirctl_text_add(text, "\n", 1);
}

void weirctl_render_table(struct weirctl_text *text, const json_t *rows)
{
	struct table table = {.rows = json_array()};
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row)
		json_array_append_new(table.rows, weirctl_flatten(row));
	measure(&table);
	add_row(text, &table, NULL);
	json_array_foreach (table.rows, i, row)
		add_row(text, &table, row);
	free(table.columns);
	json_decref(table.rows);
}

void weirctl_render_scalar(struct weirctl_text *text, const json_t *value)
{
	char number[32];

	if (json_is_string(value)) {
		weirctl_text_add_safe(text, json_string_value(value));
	} else if (json_is_integer(value)) {
		weirctl_text_add(text, number,
			(size_t)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
				json_integer_value(value)));
	} else if (json_is_real(value)) {
		format_real(number, sizeof(number), json_real_value(value));
		weirctl_text_add(text, number, strlen(number));
	} else if (json_is_boolean(value)) {
		weirctl_text_add_safe(text, json_is_true(value) ? "true" : "false");
	} else if (json_is_array(value)) {
		render_array(text, value);
	} else if (json_is_object(value) && json_object_size(value) > 0) {
		char *dump = json_dumps(value, JSON_COMPACT);

		weirctl_text_add_safe(text, dump != NULL ? dump : "{...}");
		free(dump);
	} else {
		weirctl_text_add(text, "-", 1);
	}
}

size_t weirctl_width(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

json_t *weirctl_flatten(const json_t *object)
{
	json_t *flat = json_object();

	if (flat != NULL && flatten_into(flat, "", object) == 0)
		return flat;
	json_decref(flat);
	return NULL;
}
