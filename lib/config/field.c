/* SPDX-License-Identifier: BSD-3-Clause */
#include "config/field.h"

#include <stdio.h>
#include <string.h>

enum { MAX_FIELDS = 32, HINT_SIZE = 256 };

static void keys_of(const struct weir_field *fields, size_t count, const char **keys)
{
	size_t used = 0;

	for (; used < count && used < MAX_FIELDS; used++)
		keys[used] = fields[used].key;
	keys[used] = NULL;
}

static int refuse_unknown(const struct weir_value *object, const char *key,
	const struct weir_field *fields, size_t count)
{
	const char *keys[MAX_FIELDS + 1];
	struct weir_value name, member;
	char list[HINT_SIZE], hint[HINT_SIZE + 64], quote[48];
	json_t *text = json_string(key);
	const char *nearest;

	name = (struct weir_value){.json = text, .error = object->error};
	if (text == NULL || !weir_value_member(object, key, &member)) {
		json_decref(text);
		return weir_value_no_memory(object);
	}
	keys_of(fields, count, keys);
	weir_names_list(keys, list, sizeof(list));
	nearest = weir_names_nearest(keys, key);
	if (nearest != NULL)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"? known here: %s", nearest, list);
	else
		snprintf(hint, sizeof(hint), "known here: %s", list);
	weir_value_quote(&name, quote, sizeof(quote));
	json_decref(text);
	return weir_value_fail(&member, hint, "unknown key %s", quote);
}

static int check_keys(
	const struct weir_value *object, const struct weir_field *fields, size_t count)
{
	const char *key;
	json_t *member;

	json_object_foreach (object->json, key, member) {
		size_t i = 0;

		while (i < count && strcmp(fields[i].key, key) != 0)
			i++;
		if (i == count)
			return refuse_unknown(object, key, fields, count);
	}
	return 0;
}

static int refuse_missing(const struct weir_value *object, const struct weir_field *field)
{
	char hint[HINT_SIZE], list[HINT_SIZE / 2];

	if (field->names != NULL)
		snprintf(hint, sizeof(hint), "add \"%s\": %s", field->key,
			weir_names_list(field->names, list, sizeof(list)));
	else if (field->hint != NULL)
		snprintf(hint, sizeof(hint), "add \"%s\": %s", field->key, field->hint);
	else
		snprintf(hint, sizeof(hint), "add \"%s\": an integer from %llu to %llu", field->key,
			(unsigned long long)field->minimum, (unsigned long long)field->maximum);
	return weir_value_fail(object, hint, "\"%s\" is missing", field->key);
}

int weir_fields_read(const struct weir_value *object, const struct weir_field *fields, size_t count,
	void *target)
{
	struct weir_value member;
	int rc;

	if (!json_is_object(object->json)) {
		const char *keys[MAX_FIELDS + 1];
		char list[HINT_SIZE - 32], hint[HINT_SIZE];

		keys_of(fields, count, keys);
		snprintf(hint, sizeof(hint), "give an object with %s",
			weir_names_list(keys, list, sizeof(list)));
		return weir_value_refuse(object, hint, "not an object");
	}
	rc = check_keys(object, fields, count);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < count; i++) {
		const struct weir_field *field = &fields[i];

		if (weir_value_member(object, field->key, &member))
			rc = field->read(&member, field, (char *)target + field->offset);
		else if (field->required)
			rc = refuse_missing(object, field);
		if (rc < 0)
			return rc;
	}
	return 0;
}

const struct weir_field *weir_fields_differ(
	const struct weir_field *fields, size_t count, const void *a, const void *b)
{
	for (size_t i = 0; i < count; i++)
		if (memcmp((const char *)a + fields[i].offset, (const char *)b + fields[i].offset,
			    fields[i].size) != 0)
			return &fields[i];
	return NULL;
}

int weir_read_bool(const struct weir_value *value, const struct weir_field *field, void *target)
{
	bool is_true = json_is_true(value->json);

	if (!json_is_boolean(value->json))
		return weir_value_refuse(
			value, "give true or false, without quotes", "not a boolean");
	memcpy(target, &is_true, field->size);
	return 0;
}

int weir_read_name(const struct weir_value *value, const struct weir_field *field, void *target)
{
	const char *text = json_string_value(value->json);
	char list[HINT_SIZE / 2], hint[HINT_SIZE];
	const char *nearest;

	for (unsigned int i = 0; text != NULL && field->names[i] != NULL; i++) {
		if (strcmp(field->names[i], text) == 0) {
			memcpy(target, &i, field->size);
			return 0;
		}
	}
	weir_names_list(field->names, list, sizeof(list));
	nearest = text != NULL ? weir_names_nearest(field->names, text) : NULL;
	if (nearest != NULL)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"? one of: %s", nearest, list);
	else
		snprintf(hint, sizeof(hint), "one of: %s", list);
	snprintf(list, sizeof(list), "no known %s", field->key);
	return weir_value_refuse(value, hint, list);
}
