/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for a quoted key or value within a reason, and for the path of a deep one. */
enum { QUOTE_SIZE = 72, PATH_SIZE = sizeof(((struct weir_error *)NULL)->path) };

static bool is_identifier(const char *key)
{
	if (!isalpha((unsigned char)key[0]) && key[0] != '_')
		return false;
	for (; *key != '\0'; key++)
		if (!isalnum((unsigned char)*key) && *key != '_')
			return false;
	return true;
}

/* What fits of a text that is written piece by piece. */
struct cut {
	char *text;
	size_t size;
	size_t used;   /* of `text`, below size */
	size_t length; /* of the whole, with what did not fit */
};

static int keep_piece(const char *piece, size_t length, void *into)
{
	struct cut *cut = into;
	size_t room = cut->size - 1 - cut->used;
	size_t kept = length < room ? length : room;

	memcpy(cut->text + cut->used, piece, kept);
	cut->used += kept;
	cut->length += length;
	return 0;
}

/* Escaped to ASCII, so that cutting it anywhere leaves valid UTF-8. */
static void quote_scalar(const json_t *json, char *text, size_t size)
{
	struct cut cut = {.text = text, .size = size};

	json_dump_callback(json, keep_piece, &cut,
		JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(12));
	text[cut.used] = '\0';
	if (cut.length > cut.used)
		memcpy(text + size - 4, "...", 3);
}

static void quote_key(const char *key, char *text, size_t size)
{
	json_t *json = json_string(key);

	if (json == NULL)
		snprintf(text, size, "%s", "\"?\"");
	else
		quote_scalar(json, text, size);
	json_decref(json);
}

bool weir_value_member(const struct weir_value *object, const char *key, struct weir_value *member)
{
	json_t *json = json_object_get(object->json, key);

	if (json == NULL)
		return false;
	*member = (struct weir_value){
		.json = json, .parent = object, .key = key, .error = object->error};
	return true;
}

struct weir_value weir_value_element(const struct weir_value *array, size_t index)
{
	if (!json_is_array(array->json))
		return *array;
	return (struct weir_value){.json = json_array_get(array->json, index),
		.parent = array,
		.index = index,
		.error = array->error};
}

size_t weir_value_count(const struct weir_value *value)
{
	return json_is_array(value->json) ? json_array_size(value->json) : 1;
}

const char *weir_value_path(const struct weir_value *value, char *path, size_t size)
{
	char key[QUOTE_SIZE];
	size_t used;

	if (value->parent == NULL) {
		snprintf(path, size, "$");
		return path;
	}
	weir_value_path(value->parent, path, size);
	used = strlen(path);
	if (value->key == NULL) {
		snprintf(path + used, size - used, "[%zu]", value->index);
	} else if (is_identifier(value->key)) {
		snprintf(path + used, size - used, ".%s", value->key);
	} else {
		quote_key(value->key, key, sizeof(key));
		snprintf(path + used, size - used, "[%s]", key);
	}
	return path;
}

const char *weir_value_quote(const struct weir_value *value, char *text, size_t size)
{
	if (json_is_object(value->json))
		snprintf(text, size, "an object");
	else if (json_is_array(value->json))
		snprintf(text, size, "an array");
	else
		quote_scalar(value->json, text, size);
	return text;
}

int weir_value_fail(const struct weir_value *value, const char *hint, const char *reason, ...)
{
	char text[sizeof(value->error->reason)];
	char path[PATH_SIZE];
	va_list args;

	va_start(args, reason);
	vsnprintf(text, sizeof(text), reason, args);
	va_end(args);
	weir_value_path(value, path, sizeof(path));
	return weir_error_set(value->error, -EINVAL, path, hint, "%s", text);
}

int weir_value_refuse(const struct weir_value *value, const char *hint, const char *complaint)
{
	char quote[QUOTE_SIZE];

	weir_value_quote(value, quote, sizeof(quote));
	return weir_value_fail(value, hint, "%s is %s", quote, complaint);
}

int weir_value_no_memory(const struct weir_value *value)
{
	char path[PATH_SIZE];

	weir_value_path(value, path, sizeof(path));
	return weir_error_set(value->error, -ENOMEM, path, "free memory on this machine",
		"no memory for the configuration");
}
