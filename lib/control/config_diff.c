/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/config_diff.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define PATH_BYTES 512 /* longer ones are cut: depth and names are bounded */

/* The list that grows, and whether memory was short. */
struct diff {
	json_t *changes;
	bool has_failed;
};

static void compare(struct diff *diff, const char *path, const json_t *old, const json_t *next);

static json_t *or_null(const json_t *value)
{
	return value != NULL ? json_incref((json_t *)(uintptr_t)value) : json_null();
}

static void add(struct diff *diff, const char *path, json_t *old, json_t *next)
{
	json_t *change = json_pack("{s:s, s:o, s:o}", "path", path, "old", old, "new", next);

	if (json_array_append_new(diff->changes, change) < 0)
		diff->has_failed = true;
}

static const char *name_of(const json_t *member)
{
	return json_string_value(json_object_get(member, "name"));
}

static const json_t *find_named(const json_t *list, const char *name)
{
	size_t i;
	json_t *member;

	json_array_foreach (list, i, member)
		if (name_of(member) != NULL && strcmp(name_of(member), name) == 0)
			return member;
	return NULL;
}

/* All members are objects with a name; an empty list may be taken for one. */
static bool is_named(const json_t *list)
{
	size_t i;
	json_t *member;

	if (!json_is_array(list))
		return false;
	json_array_foreach (list, i, member)
		if (name_of(member) == NULL)
			return false;
	return true;
}

/* Names of `list` that `other` has too, in the order of `list`. */
static json_t *common_names(const json_t *list, const json_t *other)
{
	json_t *names = json_array();
	size_t i;
	json_t *member;

	json_array_foreach (list, i, member)
		if (find_named(other, name_of(member)) != NULL &&
			json_array_append_new(names, json_string(name_of(member))) < 0) {
			json_decref(names);
			return NULL;
		}
	return names;
}

static void compare_order(
	struct diff *diff, const char *path, const json_t *old, const json_t *next)
{
	json_t *before = common_names(old, next);
	json_t *after = common_names(next, old);

	if (before == NULL || after == NULL)
		diff->has_failed = true;
	else if (!json_equal(before, after))
		add(diff, path, json_incref(before), json_incref(after));
	json_decref(before);
	json_decref(after);
}

static void compare_named(
	struct diff *diff, const char *path, const json_t *old, const json_t *next)
{
	char below[PATH_BYTES];
	size_t i;
	json_t *member;

	json_array_foreach (old, i, member) {
		snprintf(below, sizeof(below), "%s[\"%s\"]", path, name_of(member));
		compare(diff, below, member, find_named(next, name_of(member)));
	}
	json_array_foreach (next, i, member) {
		if (find_named(old, name_of(member)) != NULL)
			continue;
		snprintf(below, sizeof(below), "%s[\"%s\"]", path, name_of(member));
		compare(diff, below, NULL, member);
	}
	compare_order(diff, path, old, next);
}

static void compare_objects(
	struct diff *diff, const char *path, const json_t *old, const json_t *next)
{
	char below[PATH_BYTES];
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)old, key, value) {
		snprintf(below, sizeof(below), "%s.%s", path, key);
		compare(diff, below, value, json_object_get(next, key));
	}
	json_object_foreach ((json_t *)(uintptr_t)next, key, value) {
		if (json_object_get(old, key) != NULL)
			continue;
		snprintf(below, sizeof(below), "%s.%s", path, key);
		compare(diff, below, NULL, value);
	}
}

static void compare(struct diff *diff, const char *path, const json_t *old, const json_t *next)
{
	if (old != NULL && next != NULL && json_equal(old, next))
		return;
	if (json_is_object(old) && json_is_object(next))
		compare_objects(diff, path, old, next);
	else if (is_named(old) && is_named(next))
		compare_named(diff, path, old, next);
	else
		add(diff, path, or_null(old), or_null(next));
}

json_t *weir_config_diff(const json_t *old, const json_t *next)
{
	struct diff diff = {.changes = json_array()};

	if (diff.changes == NULL || old == NULL || next == NULL) {
		json_decref(diff.changes);
		return NULL;
	}
	compare(&diff, "$", old, next);
	if (!diff.has_failed)
		return diff.changes;
	json_decref(diff.changes);
	return NULL;
}
