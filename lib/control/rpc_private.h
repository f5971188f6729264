/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "control/rpc.h"

/* One registered method. */
struct weir_rpc_entry {
	const struct weir_rpc_method *method;
	void *context;
};

struct weir_rpc {
	struct weir_rpc_entry *entries; /* sorted by name */
	size_t count;
	json_t *capabilities; /* array of strings */
	const char *prefix;   /* only methods that begin so are served; NULL: all */
	uint64_t answered;    /* requests, notifications included */
	uint64_t refused;
};

/* rpc.c */
const struct weir_rpc_entry *weir_rpc_find(const struct weir_rpc *rpc, const char *name);

/* rpc_check.c */
const char *weir_rpc_type_name(enum weir_rpc_type type);
/* Hold `params` against the table. 0, or -EINVAL with `error` filled. */
int weir_rpc_check_params(
	const struct weir_rpc_param *table, const json_t *params, struct weir_error *error);
/* Refuse a message that is nested too deep or has too many values, before memory is spent on
 * parsing it. 0, or -E2BIG with `error` filled. */
int weir_rpc_check_shape(const char *text, size_t length, struct weir_error *error);

/* rpc_answer.c: the functions return a new reference, or NULL when memory is short; `id` is
 * lent. */
/* Text as JSON even when it was cut in the middle of a UTF-8 sequence. */
json_t *weir_rpc_text(const char *text);
enum weir_rpc_code weir_rpc_code_of(int error_number);
json_t *weir_rpc_answer_result(const json_t *id, json_t *result); /* takes `result` */
json_t *weir_rpc_answer_error(
	const json_t *id, enum weir_rpc_code code, const struct weir_error *error);
/* Print `answer` on one line, with its newline; takes it. 0 or -ENOMEM. */
int weir_rpc_print(json_t *answer, char **text, size_t *length);
