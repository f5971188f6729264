/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/nearest.h"
#include "control/rpc_private.h"

static const char *const type_names[WEIR_RPC_TYPES] = {
	[WEIR_RPC_STRING] = "string",
	[WEIR_RPC_INTEGER] = "integer",
	[WEIR_RPC_NUMBER] = "number",
	[WEIR_RPC_BOOLEAN] = "boolean",
	[WEIR_RPC_OBJECT] = "object",
	[WEIR_RPC_ARRAY] = "array",
	[WEIR_RPC_ANY] = "any",
};

static const char *given_type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a real number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		break;
	}
	return "null";
}

static bool has_type(const json_t *value, enum weir_rpc_type type)
{
	switch (type) {
	case WEIR_RPC_STRING:
		return json_is_string(value);
	case WEIR_RPC_INTEGER:
		return json_is_integer(value);
	case WEIR_RPC_NUMBER:
		return json_is_number(value);
	case WEIR_RPC_BOOLEAN:
		return json_is_boolean(value);
	case WEIR_RPC_OBJECT:
		return json_is_object(value);
	case WEIR_RPC_ARRAY:
		return json_is_array(value);
	case WEIR_RPC_ANY:
	case WEIR_RPC_TYPES:
		break;
	}
	return true;
}

static bool is_in_range(const struct weir_rpc_param *param, const json_t *value)
{
	if (!json_is_number(value) || (param->minimum == 0 && param->maximum == 0))
		return true;
	if (json_is_integer(value)) {
		int64_t number = json_integer_value(value);

		return number >= param->minimum && number <= param->maximum;
	}
	return json_real_value(value) >= (double)param->minimum &&
	       json_real_value(value) <= (double)param->maximum;
}

static int check_range(const struct weir_rpc_param *param, const char *path, const json_t *value,
	struct weir_error *error)
{
	char hint[160];
	char number[64];

	if (is_in_range(param, value))
		return 0;
	if (json_is_integer(value))
		snprintf(
			number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		snprintf(number, sizeof(number), "%g", json_real_value(value));
	if (param->maximum == INT64_MAX)
		snprintf(hint, sizeof(hint), "at least %" PRId64, param->minimum);
	else
		snprintf(hint, sizeof(hint), "%" PRId64 " to %" PRId64, param->minimum,
			param->maximum);
	return weir_error_set(error, -EINVAL, path, hint, "%s is out of range", number);
}

static int check_choice(const struct weir_rpc_param *param, const char *path, const json_t *value,
	struct weir_error *error)
{
	const char *text = json_string_value(value);
	char hint[sizeof(error->hint)] = "one of";
	size_t used = strlen(hint);

	if (param->choices == NULL || text == NULL)
		return 0;
	for (const char *const *choice = param->choices; *choice != NULL; choice++) {
		if (strcmp(*choice, text) == 0)
			return 0;
		snprintf(hint + used, sizeof(hint) - used, " %s", *choice);
		used = strlen(hint);
	}
	return weir_error_set(error, -EINVAL, path, hint, "\"%s\" is not a choice", text);
}

static int check_value(
	const struct weir_rpc_param *param, const json_t *value, struct weir_error *error)
{
	char path[sizeof(error->path)];
	int rc;

	snprintf(path, sizeof(path), "$.params.%s", param->name);
	if (!has_type(value, param->type))
		return weir_error_set(error, -EINVAL, path, param->help,
			"%s where type %s is wanted", given_type_name(value),
			weir_rpc_type_name(param->type));
	rc = check_range(param, path, value, error);
	return rc < 0 ? rc : check_choice(param, path, value, error);
}

static int refuse_unknown(
	const struct weir_rpc_param *table, const char *name, struct weir_error *error)
{
	char path[sizeof(error->path)];
	char hint[sizeof(error->hint)] = "this method takes no parameters";
	struct weir_nearest nearest;
	size_t used = 0;

	weir_nearest_start(&nearest, name);
	for (const struct weir_rpc_param *param = table; param->name != NULL; param++)
		weir_nearest_offer(&nearest, param->name);
	if (nearest.name != NULL) {
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", nearest.name);
	} else {
		for (const struct weir_rpc_param *param = table; param->name != NULL; param++) {
			snprintf(hint + used, sizeof(hint) - used, "%s%s",
				used == 0 ? "it takes " : ", ", param->name);
			used = strlen(hint);
		}
	}
	snprintf(path, sizeof(path), "$.params.%s", name);
	return weir_error_set(error, -EINVAL, path, hint, "unknown parameter");
}

static const struct weir_rpc_param *find_param(const struct weir_rpc_param *table, const char *name)
{
	for (; table->name != NULL; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

const char *weir_rpc_type_name(enum weir_rpc_type type)
{
	return (unsigned int)type < WEIR_RPC_TYPES ? type_names[type] : "any";
}

int weir_rpc_check_params(
	const struct weir_rpc_param *table, const json_t *params, struct weir_error *error)
{
	static const struct weir_rpc_param none[] = {{NULL}};
	const char *name;
	json_t *value;

	if (table == NULL)
		table = none;
	json_object_foreach ((json_t *)(uintptr_t)params, name, value) {
		const struct weir_rpc_param *param = find_param(table, name);
		int rc = param == NULL ? refuse_unknown(table, name, error)
				       : check_value(param, value, error);

		if (rc < 0)
			return rc;
	}
	for (; table->name != NULL; table++) {
		char path[sizeof(error->path)];

		if (!table->is_required || json_object_get(params, table->name) != NULL)
			continue;
		snprintf(path, sizeof(path), "$.params.%s", table->name);
		return weir_error_set(error, -EINVAL, path, table->help,
			"missing; type %s is wanted", weir_rpc_type_name(table->type));
	}
	return 0;
}

int weir_rpc_check_shape(const char *text, size_t length, struct weir_error *error)
{
	bool is_in_string = false;
	size_t depth = 0;
	size_t values = 1;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (is_in_string) {
			i += c == '\\'; /* the escaped character ends nothing */
			is_in_string = c != '"';
			continue;
		}
		is_in_string = c == '"';
		depth += c == '[' || c == '{';
		depth -= (c == ']' || c == '}') && depth > 0;
		values += c == ',' || c == '[' || c == '{';
		if (depth > WEIR_RPC_DEPTH_MAX)
			return weir_error_set(error, -E2BIG, "$", "flatten the message",
				"nested deeper than %d at byte %zu", WEIR_RPC_DEPTH_MAX, i);
		if (values > WEIR_RPC_VALUES_MAX)
			return weir_error_set(error, -E2BIG, "$", "split the message",
				"more than %d values", WEIR_RPC_VALUES_MAX);
	}
	return 0;
}
