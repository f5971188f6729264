/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"

static bool is_table(const json_t *value)
{
	size_t i;
	json_t *row;

	json_array_foreach (value, i, row)
		if (!json_is_object(row))
			return false;
	return json_array_size(value) > 0;
}

static void add_line(struct weirctl_text *text, const char *key, size_t width, const json_t *value)
{
	size_t start = weirctl_width(key);

	weirctl_text_add_safe(text, key);
	weirctl_text_add(text, ":", 1);
	weirctl_text_pad(text, width - start + 1);
	weirctl_render_scalar(text, value);
	weirctl_text_add(text, "\n", 1);
}

/* The members that are not tables, aligned; then the tables, each under its name unless the
 * object is nothing but one table. */
static void render_object(struct weirctl_text *text, const json_t *object)
{
	json_t *flat = weirctl_flatten(object);
	size_t width = 0;
	const char *key;
	json_t *value;

	json_object_foreach (flat, key, value)
		if (!is_table(value) && weirctl_width(key) > width)
			width = weirctl_width(key);
	json_object_foreach (flat, key, value) {
		bool is_empty_list = json_is_array(value) && json_array_size(value) == 0;

		if (is_table(value) || (is_empty_list && json_object_size(flat) == 1))
			continue;
		add_line(text, key, width, value);
	}
	json_object_foreach (flat, key, value) {
		if (!is_table(value))
			continue;
		if (json_object_size(flat) > 1) {
			weirctl_text_add(text, "\n", text->length > 0);
			weirctl_text_add_safe(text, key);
			weirctl_text_add(text, ":\n", 2);
		}
		weirctl_render_table(text, value);
	}
	json_decref(flat);
}

void weirctl_text_add(struct weirctl_text *text, const char *bytes, size_t length)
{
	if (text->length + length + 1 > text->capacity) {
		size_t capacity = (text->length + length + 1) * 2;
		char *longer = realloc(text->bytes, capacity);

		if (longer == NULL)
			return;
		text->bytes = longer;
		text->capacity = capacity;
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
}

void weirctl_text_add_safe(struct weirctl_text *text, const char *string)
{
	const unsigned char *c = (const unsigned char *)string;

	for (; *c != '\0'; c++) {
		char escaped[8];
		/* C0, DEL, and C1, which UTF-8 writes as C2 80 to C2 9F */
		bool is_c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;

		if (*c >= 0x20 && *c != 0x7f && !is_c1) {
			weirctl_text_add(text, (const char *)c, 1);
			continue;
		}
		c += is_c1;
		weirctl_text_add(
			text, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\x%02x", *c));
	}
}

void weirctl_text_pad(struct weirctl_text *text, size_t width)
{
	while (width-- > 0)
		weirctl_text_add(text, " ", 1);
}

void weirctl_render(struct weirctl_text *text, const json_t *value)
{
	size_t i;
	json_t *item;

	if (json_is_object(value)) {
		render_object(text, value);
	} else if (is_table(value)) {
		weirctl_render_table(text, value);
	} else if (json_is_array(value)) {
		json_array_foreach (value, i, item) {
			weirctl_render_scalar(text, item);
			weirctl_text_add(text, "\n", 1);
		}
	} else {
		weirctl_render_scalar(text, value);
		weirctl_text_add(text, "\n", 1);
	}
}
