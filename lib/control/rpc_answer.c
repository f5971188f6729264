/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc_private.h"

static const char *code_message(enum weir_rpc_code code)
{
	switch (code) {
	case WEIR_RPC_PARSE_ERROR:
		return "Parse error";
	case WEIR_RPC_INVALID_REQUEST:
		return "Invalid Request";
	case WEIR_RPC_METHOD_NOT_FOUND:
		return "Method not found";
	case WEIR_RPC_INVALID_PARAMS:
		return "Invalid params";
	case WEIR_RPC_INTERNAL_ERROR:
		return "Internal error";
	case WEIR_RPC_INVALID_VALUE:
		return "Invalid value";
	case WEIR_RPC_NOT_FOUND:
		return "Not found";
	case WEIR_RPC_EXISTS:
		return "Already exists";
	case WEIR_RPC_BUSY:
		return "Busy";
	case WEIR_RPC_DENIED:
		return "Permission denied";
	case WEIR_RPC_UNSUPPORTED:
		return "Not supported";
	case WEIR_RPC_TIMEOUT:
		return "Timed out";
	case WEIR_RPC_NO_SPACE:
		return "Limit exceeded";
	case WEIR_RPC_NO_WAY_BACK:
		return "Roll-back failed";
	case WEIR_RPC_FAILED:
		break;
	}
	return "Failed";
}

/* json_object_set_new frees the value when it fails, and fails when the value is NULL. */
static json_t *envelope(const json_t *id, const char *member, json_t *value)
{
	json_t *answer = json_object();
	json_t *id_value = id != NULL ? json_incref((json_t *)(uintptr_t)id) : json_null();

	if (json_object_set_new(answer, "jsonrpc", json_string("2.0")) < 0 ||
		json_object_set(answer, "id", id_value) < 0) {
		json_decref(id_value);
		json_decref(value);
		json_decref(answer);
		return NULL;
	}
	json_decref(id_value);
	if (json_object_set_new(answer, member, value) == 0)
		return answer;
	json_decref(answer);
	return NULL;
}

static json_t *error_data(const struct weir_error *error)
{
	const char *name = strerrorname_np(-error->code);
	json_t *data = json_object();

	if (json_object_set_new(data, "path", weir_rpc_text(error->path)) == 0 &&
		json_object_set_new(data, "reason", weir_rpc_text(error->reason)) == 0 &&
		json_object_set_new(data, "hint", weir_rpc_text(error->hint)) == 0 &&
		json_object_set_new(data, "errno", json_string(name != NULL ? name : "EIO")) == 0)
		return data;
	json_decref(data);
	return NULL;
}

json_t *weir_rpc_text(const char *text)
{
	json_t *string = json_string(text);
	char *copy;

	if (string != NULL)
		return string;
	copy = strdup(text);
	if (copy == NULL)
		return NULL;
	for (char *c = copy; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

enum weir_rpc_code weir_rpc_code_of(int error_number)
{
	switch (error_number < 0 ? -error_number : error_number) {
	case EINVAL:
	case ERANGE:
		return WEIR_RPC_INVALID_VALUE;
	case ENOENT:
	case ENODEV:
	case ESRCH:
		return WEIR_RPC_NOT_FOUND;
	case EEXIST:
	case EALREADY:
		return WEIR_RPC_EXISTS;
	case EBUSY:
	case EAGAIN:
		return WEIR_RPC_BUSY;
	case EPERM:
	case EACCES:
		return WEIR_RPC_DENIED;
	case EOPNOTSUPP:
	case ENOSYS:
		return WEIR_RPC_UNSUPPORTED;
	case ETIMEDOUT:
		return WEIR_RPC_TIMEOUT;
	case ENOSPC:
	case E2BIG:
	case EMSGSIZE:
		return WEIR_RPC_NO_SPACE;
	case ENOTRECOVERABLE:
		return WEIR_RPC_NO_WAY_BACK;
	case ENOMEM:
		return WEIR_RPC_INTERNAL_ERROR;
	default:
		return WEIR_RPC_FAILED;
	}
}

json_t *weir_rpc_answer_result(const json_t *id, json_t *result)
{
	return envelope(id, "result", result);
}

json_t *weir_rpc_answer_error(
	const json_t *id, enum weir_rpc_code code, const struct weir_error *error)
{
	json_t *body = json_object();

	if (json_object_set_new(body, "code", json_integer(code)) == 0 &&
		json_object_set_new(body, "message", json_string(code_message(code))) == 0 &&
		json_object_set_new(body, "data", error_data(error)) == 0)
		return envelope(id, "error", body);
	json_decref(body);
	return NULL;
}

int weir_rpc_print(json_t *answer, char **text, size_t *length)
{
	char *line = json_dumps(answer, JSON_COMPACT);
	char *longer;
	size_t size;

	json_decref(answer);
	if (line == NULL)
		return -ENOMEM;
	size = strlen(line);
	longer = realloc(line, size + 2);
	if (longer == NULL) {
		free(line);
		return -ENOMEM;
	}
	longer[size] = '\n';
	longer[size + 1] = '\0';
	*text = longer;
	*length = size + 1;
	return 0;
}
