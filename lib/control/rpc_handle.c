/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/nearest.h"
#include "control/rpc_private.h"

/* JSON-RPC 2.0 section 4: string, number or null. */
static bool is_id(const json_t *id)
{
	return json_is_string(id) || json_is_number(id) || json_is_null(id);
}

static int check_members(const json_t *request, struct weir_error *error)
{
	static const char *const members[] = {"jsonrpc", "method", "params", "id"};
	const char *name;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)request, name, value) {
		struct weir_nearest nearest;
		char path[sizeof(error->path)];
		bool is_known = false;

		weir_nearest_start(&nearest, name);
		for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
			is_known = is_known || strcmp(members[i], name) == 0;
			weir_nearest_offer(&nearest, members[i]);
		}
		if (is_known)
			continue;
		snprintf(path, sizeof(path), "$.%s", name);
		return weir_error_set(error, -EINVAL, path,
			nearest.name != NULL ? nearest.name : "jsonrpc, method, params and id",
			"unknown member of a request");
	}
	return 0;
}

static int check_request(const json_t *request, struct weir_error *error)
{
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const json_t *id = json_object_get(request, "id");

	if (!json_is_object(request))
		return weir_error_set(error, -EINVAL, "$",
			"{\"jsonrpc\": \"2.0\", \"method\": ..., \"params\": {...}, \"id\": ...}",
			"a request is an object");
	if (id != NULL && !is_id(id))
		return weir_error_set(
			error, -EINVAL, "$.id", "a string, a number or null", "id of a wrong type");
	if (version == NULL || strcmp(version, "2.0") != 0)
		return weir_error_set(
			error, -EINVAL, "$.jsonrpc", "\"2.0\"", "not marked as JSON-RPC 2.0");
	if (!json_is_string(json_object_get(request, "method")))
		return weir_error_set(
			error, -EINVAL, "$.method", "a string", "method missing or not a string");
	return check_members(request, error);
}

static int refuse_method(const struct weir_rpc *rpc, const char *name, struct weir_error *error)
{
	char hint[sizeof(error->hint)] = "rpc_methods lists the methods";
	struct weir_nearest nearest;

	weir_nearest_start(&nearest, name);
	for (size_t i = 0; i < rpc->count; i++)
		weir_nearest_offer(&nearest, rpc->entries[i].method->name);
	if (nearest.name != NULL)
		snprintf(hint, sizeof(hint), "did you mean \"%s\"?", nearest.name);
	weir_error_set(error, -ENOSYS, "$.method", hint, "no method \"%s\"", name);
	return WEIR_RPC_METHOD_NOT_FOUND;
}

static int run_handler(const struct weir_rpc_entry *entry, const json_t *params,
	const struct weir_rpc_peer *peer, json_t **result, struct weir_error *error)
{
	const struct weir_rpc_method *method = entry->method;
	int rc = method->handler(entry->context, params, result, error);

	if (method->role == WEIR_RPC_WRITE)
		weir_log_info("control", "uid %d pid %d called %s: %s", (int)peer->uid,
			(int)peer->pid, method->name, rc < 0 ? error->reason : "done");
	if (rc >= 0) {
		if (*result == NULL)
			*result = json_object();
		return 0;
	}
	json_decref(*result);
	*result = NULL;
	error->code = rc;
	if (error->reason[0] == '\0')
		weir_error_set(error, rc, "", "", "%s", strerrordesc_np(-rc));
	return weir_rpc_code_of(rc);
}

/* 0 and `result`, or the code of the refusal and `error`. */
static int call(const struct weir_rpc *rpc, const json_t *request, const struct weir_rpc_peer *peer,
	json_t **result, struct weir_error *error)
{
	const char *name = json_string_value(json_object_get(request, "method"));
	const struct weir_rpc_entry *entry = weir_rpc_find(rpc, name);
	json_t *given = json_object_get(request, "params");
	json_t *params;
	int code;

	if (entry == NULL)
		return refuse_method(rpc, name, error);
	if (rpc->prefix != NULL && strncmp(name, rpc->prefix, strlen(rpc->prefix)) != 0) {
		weir_error_set(error, -EBUSY, "", "ask again in a moment",
			"this gateway only answers the one that takes over from it");
		return WEIR_RPC_BUSY;
	}
	if (entry->method->role > peer->role) {
		weir_error_set(error, -EPERM, "$.method", "be root or a member of group weir",
			"%s changes the gateway, and uid %d may only read", name, (int)peer->uid);
		return WEIR_RPC_DENIED;
	}
	if (given != NULL && !json_is_object(given)) {
		weir_error_set(error, -EINVAL, "$.params", "an object: parameters go by name",
			"params are not an object");
		return WEIR_RPC_INVALID_PARAMS;
	}
	if (weir_rpc_check_params(entry->method->params, given, error) < 0)
		return WEIR_RPC_INVALID_PARAMS;
	params = given != NULL ? json_incref(given) : json_object();
	if (params == NULL) {
		weir_error_set(error, -ENOMEM, "", "", "no memory");
		return WEIR_RPC_INTERNAL_ERROR;
	}
	code = run_handler(entry, params, peer, result, error);
	json_decref(params);
	return code;
}

/* NULL: a notification, or no memory for the answer, which `rc` tells. */
static json_t *answer_request(
	struct weir_rpc *rpc, const json_t *request, const struct weir_rpc_peer *peer, int *rc)
{
	struct weir_error error = {0};
	const json_t *id = json_object_get(request, "id");
	json_t *result = NULL;
	json_t *answer;
	int code;

	if (check_request(request, &error) < 0) {
		rpc->refused++;
		answer = weir_rpc_answer_error(
			id != NULL && is_id(id) ? id : NULL, WEIR_RPC_INVALID_REQUEST, &error);
	} else {
		code = call(rpc, request, peer, &result, &error);
		rpc->answered += code == 0;
		rpc->refused += code != 0;
		if (id == NULL) {
			json_decref(result);
			return NULL;
		}
		answer = code == 0 ? weir_rpc_answer_result(id, result)
				   : weir_rpc_answer_error(id, (enum weir_rpc_code)code, &error);
	}
	if (answer == NULL)
		*rc = -ENOMEM;
	return answer;
}

static json_t *answer_batch(
	struct weir_rpc *rpc, const json_t *batch, const struct weir_rpc_peer *peer, int *rc)
{
	struct weir_error error = {0};
	size_t count = json_array_size(batch);
	json_t *answers;

	if (count == 0 || count > WEIR_RPC_BATCH_MAX) {
		weir_error_set(
			&error, -E2BIG, "$", "1 to 64 requests", "a batch of %zu requests", count);
		return weir_rpc_answer_error(NULL, WEIR_RPC_INVALID_REQUEST, &error);
	}
	answers = json_array();
	if (answers == NULL)
		*rc = -ENOMEM;
	for (size_t i = 0; i < count && *rc == 0; i++) {
		json_t *answer = answer_request(rpc, json_array_get(batch, i), peer, rc);

		if (answer != NULL && json_array_append_new(answers, answer) < 0)
			*rc = -ENOMEM;
	}
	if (*rc == 0 && json_array_size(answers) > 0)
		return answers;
	json_decref(answers);
	return NULL;
}

/* Replace an answer that no client may be sent by one that says so. */
static int print_bounded(json_t *answer, char **text, size_t *length)
{
	struct weir_error error = {0};
	json_t *id = json_incref(json_object_get(answer, "id"));
	int rc = weir_rpc_print(answer, text, length);

	if (rc == 0 && *length > WEIR_RPC_ANSWER_MAX) {
		weir_error_set(&error, -EMSGSIZE, "", "ask for less at a time",
			"the answer has %zu bytes, more than %u", *length, WEIR_RPC_ANSWER_MAX);
		free(*text);
		*text = NULL;
		answer = weir_rpc_answer_error(id, WEIR_RPC_NO_SPACE, &error);
		rc = answer == NULL ? -ENOMEM : weir_rpc_print(answer, text, length);
	}
	json_decref(id);
	return rc;
}

int weir_rpc_handle(struct weir_rpc *rpc, const char *text, size_t length,
	const struct weir_rpc_peer *peer, char **answer, size_t *answer_length)
{
	const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
	struct weir_error error = {0};
	json_error_t where;
	json_t *message;
	json_t *reply;
	int rc = 0;

	*answer = NULL;
	*answer_length = 0;
	if (weir_rpc_check_shape(text, length, &error) < 0)
		return weir_rpc_refuse(WEIR_RPC_INVALID_REQUEST, &error, answer, answer_length);
	message = json_loadb(text, length, flags, &where);
	if (message == NULL) {
		weir_error_set(&error, -EBADMSG, "", "one JSON value a line, UTF-8",
			"column %d: %s", where.column, where.text);
		return weir_rpc_refuse(WEIR_RPC_PARSE_ERROR, &error, answer, answer_length);
	}
	reply = json_is_array(message) ? answer_batch(rpc, message, peer, &rc)
				       : answer_request(rpc, message, peer, &rc);
	json_decref(message);
	return reply == NULL ? rc : print_bounded(reply, answer, answer_length);
}

void weir_rpc_counters(const struct weir_rpc *rpc, uint64_t *answered, uint64_t *refused)
{
	*answered = rpc->answered;
	*refused = rpc->refused;
}

int weir_rpc_refuse(enum weir_rpc_code code, const struct weir_error *error, char **answer,
	size_t *answer_length)
{
	json_t *reply = weir_rpc_answer_error(NULL, code, error);

	return reply == NULL ? -ENOMEM : weir_rpc_print(reply, answer, answer_length);
}
