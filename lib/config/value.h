/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * A JSON value that knows where in the document it stands. Each one lies on the stack of the
 * function that reads it and points at its parent there, so a path such as
 * "$.streams[2].match.destination[0]" costs nothing until an error needs it.
 *
 * `json` is borrowed from the document. One thread.
 */
struct weir_value {
	json_t *json;
	const struct weir_value *parent; /* NULL: the whole document, "$" */
	const char *key;                 /* member of the parent; NULL: its element `index` */
	size_t index;
	struct weir_error *error; /* filled by weir_value_fail; may be NULL */
};

/* Find a member of an object; false and `member` untouched when there is none. */
bool weir_value_member(const struct weir_value *object, const char *key, struct weir_value *member);
/* Element `index` of an array, or a lone value read as a list of one. */
struct weir_value weir_value_element(const struct weir_value *array, size_t index);
/* Elements of an array; 1 for a value that is not an array. */
size_t weir_value_count(const struct weir_value *value);

/* Write the JSON path; cut when `size` is too small. Returns `path`. */
const char *weir_value_path(const struct weir_value *value, char *path, size_t size);
/*
 * Write the value as an operator would recognise it: ASCII JSON, cut after some 60 characters;
 * "an object" or "an array" for those. Returns `text`.
 */
const char *weir_value_quote(const struct weir_value *value, char *text, size_t size);

/*
 * Fill the error with the value's path and return -EINVAL. The text of the reason must be ASCII:
 * pass bytes of the document through weir_value_quote.
 */
int weir_value_fail(const struct weir_value *value, const char *hint, const char *reason, ...)
	__attribute__((format(printf, 3, 4)));
/* Fail with the reason "<the value> is <complaint>". */
int weir_value_refuse(const struct weir_value *value, const char *hint, const char *complaint);
/* Fail with -ENOMEM. */
int weir_value_no_memory(const struct weir_value *value);
