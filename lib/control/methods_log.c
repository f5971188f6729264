/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/methods_log.h"

#include <errno.h>

#include "base/log.h"

static int on_get_level(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)context;
	(void)params;
	*result = json_pack("{s:s}", "level", weir_log_level_name(weir_log_get_level()));
	if (*result == NULL)
		return weir_error_set(error, -ENOMEM, "", "", "no memory for the answer");
	return 0;
}

static int on_set_level(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	int level = weir_log_level_parse(json_string_value(json_object_get(params, "level")));

	if (level < 0)
		return weir_error_set(
			error, level, "$.params.level", "see rpc_methods", "no such level");
	weir_log_set_level((enum weir_log_level)level);
	return on_get_level(context, params, result, error);
}

static const char *const levels[] = {"error", "warning", "notice", "info", "debug", NULL};

static const struct weir_rpc_param set_level_params[] = {
	{.name = "level",
		.type = WEIR_RPC_STRING,
		.is_required = true,
		.help = "the least important level that is still logged",
		.choices = levels},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"log_get_level", "show how much is logged", WEIR_RPC_READ, NULL, "level", on_get_level},
	{"log_set_level", "set how much is logged, until the next start", WEIR_RPC_WRITE,
		set_level_params, "level", on_set_level},
};

int weir_methods_log_register(struct weir_rpc *rpc)
{
	return weir_rpc_register(rpc, methods, sizeof(methods) / sizeof(methods[0]), NULL);
}
