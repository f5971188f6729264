/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc_private.h"

static int compare_entries(const void *a, const void *b)
{
	const struct weir_rpc_entry *left = a;
	const struct weir_rpc_entry *right = b;

	return strcmp(left->method->name, right->method->name);
}

static bool is_name(const char *name)
{
	size_t length = name != NULL ? strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;

	return length > 0 && length <= WEIR_RPC_NAME_LENGTH && name[length] == '\0';
}

static int check_method(const struct weir_rpc_method *method)
{
	if (!is_name(method->name) || method->help == NULL || method->result_help == NULL ||
		method->handler == NULL)
		return -EINVAL;
	for (const struct weir_rpc_param *param = method->params;
		param != NULL && param->name != NULL; param++)
		if (!is_name(param->name) || param->help == NULL ||
			(unsigned int)param->type >= WEIR_RPC_TYPES)
			return -EINVAL;
	return 0;
}

static int add_choices(json_t *object, const char *const *choices)
{
	json_t *list = json_array();

	for (; *choices != NULL; choices++) {
		if (json_array_append_new(list, json_string(*choices)) == 0)
			continue;
		json_decref(list);
		return -ENOMEM;
	}
	return json_object_set_new(object, "choices", list) < 0 ? -ENOMEM : 0;
}

static json_t *describe_param(const struct weir_rpc_param *param)
{
	json_t *object = json_pack("{s:s, s:s, s:b, s:s}", "name", param->name, "type",
		weir_rpc_type_name(param->type), "required", param->is_required, "help",
		param->help);
	int rc = object == NULL ? -ENOMEM : 0;

	if (rc == 0 && (param->minimum != 0 || param->maximum != 0)) {
		rc |= json_object_set_new(object, "minimum", json_integer(param->minimum));
		rc |= json_object_set_new(object, "maximum", json_integer(param->maximum));
	}
	if (rc == 0 && param->choices != NULL)
		rc = add_choices(object, param->choices);
	if (rc == 0)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *describe_method(const struct weir_rpc_method *method)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:[]}", "name", method->name, "help",
		method->help, "role", method->role == WEIR_RPC_WRITE ? "write" : "read", "result",
		method->result_help, "params");
	json_t *params = json_object_get(object, "params");

	for (const struct weir_rpc_param *param = method->params;
		param != NULL && param->name != NULL; param++) {
		if (json_array_append_new(params, describe_param(param)) == 0)
			continue;
		json_decref(object);
		return NULL;
	}
	return object;
}

static int on_rpc_methods(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	const struct weir_rpc *rpc = context;
	json_t *list = json_array();

	(void)params;
	for (size_t i = 0; i < rpc->count; i++) {
		if (json_array_append_new(list, describe_method(rpc->entries[i].method)) == 0)
			continue;
		json_decref(list);
		return weir_error_set(error, -ENOMEM, "", "", "no memory for the answer");
	}
	*result = json_pack("{s:o}", "methods", list);
	return 0;
}

static int on_version(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	const struct weir_rpc *rpc = context;

	(void)params;
	*result = json_pack("{s:s, s:s, s:i, s:O}", "name", "weir", "version", WEIR_VERSION, "api",
		WEIR_RPC_API, "capabilities", rpc->capabilities);
	if (*result == NULL)
		return weir_error_set(error, -ENOMEM, "", "", "no memory for the answer");
	return 0;
}

static const struct weir_rpc_method builtin_methods[] = {
	{"version", "what this gateway is and can do", WEIR_RPC_READ, NULL,
		"name, version, api (of the control protocol), capabilities", on_version},
	{"rpc_methods", "every method with its parameters", WEIR_RPC_READ, NULL,
		"methods: name, help, role, params, result", on_rpc_methods},
};

const struct weir_rpc_entry *weir_rpc_find(const struct weir_rpc *rpc, const char *name)
{
	const struct weir_rpc_method wanted = {.name = name};
	const struct weir_rpc_entry key = {.method = &wanted};

	return bsearch(&key, rpc->entries, rpc->count, sizeof(key), compare_entries);
}

int weir_rpc_create(struct weir_rpc **result)
{
	struct weir_rpc *rpc = calloc(1, sizeof(*rpc));

	if (rpc == NULL)
		return -ENOMEM;
	rpc->capabilities = json_array();
	if (rpc->capabilities == NULL || weir_rpc_add_capability(rpc, "batch") < 0 ||
		weir_rpc_register(rpc, builtin_methods,
			sizeof(builtin_methods) / sizeof(builtin_methods[0]), rpc) < 0) {
		weir_rpc_destroy(rpc);
		return -ENOMEM;
	}
	*result = rpc;
	return 0;
}

void weir_rpc_destroy(struct weir_rpc *rpc)
{
	if (rpc == NULL)
		return;
	json_decref(rpc->capabilities);
	free(rpc->entries);
	free(rpc);
}

int weir_rpc_register(
	struct weir_rpc *rpc, const struct weir_rpc_method *methods, size_t count, void *context)
{
	struct weir_rpc_entry *entries;

	for (size_t i = 0; i < count; i++) {
		if (check_method(&methods[i]) < 0)
			return -EINVAL;
		if (rpc->count > 0 && weir_rpc_find(rpc, methods[i].name) != NULL)
			return -EEXIST;
		for (size_t j = 0; j < i; j++)
			if (strcmp(methods[i].name, methods[j].name) == 0)
				return -EEXIST;
	}
	entries = reallocarray(rpc->entries, rpc->count + count + 1, sizeof(*entries));
	if (entries == NULL)
		return -ENOMEM;
	rpc->entries = entries;
	for (size_t i = 0; i < count; i++)
		entries[rpc->count++] =
			(struct weir_rpc_entry){.method = &methods[i], .context = context};
	qsort(entries, rpc->count, sizeof(*entries), compare_entries);
	return 0;
}

int weir_rpc_add_capability(struct weir_rpc *rpc, const char *capability)
{
	return json_array_append_new(rpc->capabilities, json_string(capability)) < 0 ? -ENOMEM : 0;
}

void weir_rpc_restrict(struct weir_rpc *rpc, const char *prefix)
{
	rpc->prefix = prefix;
}
