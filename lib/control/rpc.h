/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * JSON-RPC 2.0 without a transport: text in, text out. A method is one entry of a table, beside
 * its handler: name, help, role and parameters. Help, completion, validation and the
 * list that `rpc_methods` returns all come from that entry, so they cannot disagree.
 *
 * Parameters are passed by name. They are checked before the handler runs: an unknown one, one
 * of a wrong type or out of its range, or a missing one is refused with its JSON path, the
 * reason and a hint.
 *
 * A refusal is {code, message, data: {path, reason, hint, errno}}. `code`, `message` and `errno`
 * are for programs and stay stable; `reason` and `hint` are for people and may change. In a
 * batch, a path is relative to its own request.
 *
 * Thread: the control thread only.
 */

#define WEIR_RPC_API         1               /* of `version`: rises when a method changes */
#define WEIR_RPC_BATCH_MAX   64              /* requests */
#define WEIR_RPC_DEPTH_MAX   64              /* of nested arrays and objects in a message */
#define WEIR_RPC_VALUES_MAX  524288          /* in a message: bounds the memory it parses to */
#define WEIR_RPC_ANSWER_MAX  (15 * 1048576U) /* bytes */
#define WEIR_RPC_NAME_LENGTH 63              /* of methods and parameters */

/* JSON-RPC 2.0 section 5.1; below -32000 are the gateway's own. */
enum weir_rpc_code {
	WEIR_RPC_PARSE_ERROR = -32700,
	WEIR_RPC_INVALID_REQUEST = -32600,
	WEIR_RPC_METHOD_NOT_FOUND = -32601,
	WEIR_RPC_INVALID_PARAMS = -32602,
	WEIR_RPC_INTERNAL_ERROR = -32603,
	WEIR_RPC_FAILED = -32000,        /* any errno that has no code of its own */
	WEIR_RPC_INVALID_VALUE = -32001, /* EINVAL, ERANGE: found by the handler */
	WEIR_RPC_NOT_FOUND = -32002,     /* ENOENT, ENODEV, ESRCH */
	WEIR_RPC_EXISTS = -32003,        /* EEXIST, EALREADY */
	WEIR_RPC_BUSY = -32004,          /* EBUSY, EAGAIN */
	WEIR_RPC_DENIED = -32005,        /* EPERM, EACCES */
	WEIR_RPC_UNSUPPORTED = -32006,   /* EOPNOTSUPP, ENOSYS */
	WEIR_RPC_TIMEOUT = -32007,       /* ETIMEDOUT */
	WEIR_RPC_NO_SPACE = -32008,      /* ENOSPC, E2BIG, EMSGSIZE */
	WEIR_RPC_NO_WAY_BACK = -32009,   /* ENOTRECOVERABLE: a roll-back itself failed */
};

enum weir_rpc_role {
	WEIR_RPC_READ,
	WEIR_RPC_WRITE, /* includes read */
};

enum weir_rpc_type {
	WEIR_RPC_STRING,
	WEIR_RPC_INTEGER,
	WEIR_RPC_NUMBER, /* integer or real */
	WEIR_RPC_BOOLEAN,
	WEIR_RPC_OBJECT,
	WEIR_RPC_ARRAY,
	WEIR_RPC_ANY,
	WEIR_RPC_TYPES,
};

struct weir_rpc_param {
	const char *name; /* [a-z0-9_]; NULL ends the table */
	enum weir_rpc_type type;
	bool is_required;
	const char *help;
	int64_t minimum; /* integers and numbers; both 0: any value */
	int64_t maximum;
	const char *const *choices; /* strings: the only ones allowed, then NULL; NULL: any */
};

/*
 * `params` is an object, checked against the table; never NULL, and only lent. On success set
 * `result` to a new reference, which the caller takes; left NULL it becomes {}. On
 * failure return negative errno and fill `error`; the errno decides the answer's code.
 */
typedef int (*weir_rpc_handler_fn)(
	void *context, const json_t *params, json_t **result, struct weir_error *error);

struct weir_rpc_method {
	const char *name; /* object_verb, [a-z0-9_] */
	const char *help; /* one line */
	enum weir_rpc_role role;
	const struct weir_rpc_param *params; /* NULL: none */
	const char *result_help;
	weir_rpc_handler_fn handler;
};

/* Who asks, as the transport knows it. */
struct weir_rpc_peer {
	enum weir_rpc_role role;
	uid_t uid;
	pid_t pid;
};

struct weir_rpc;

/* With the built-in methods `version` and `rpc_methods`. 0 or -ENOMEM. */
int weir_rpc_create(struct weir_rpc **rpc);
void weir_rpc_destroy(struct weir_rpc *rpc);
/*
 * Add all of `methods` or none; the table must outlast `rpc`. -EEXIST: a name is taken; -EINVAL:
 * a name is malformed or a handler is missing.
 */
int weir_rpc_register(
	struct weir_rpc *rpc, const struct weir_rpc_method *methods, size_t count, void *context);
/* From now on refuse every method whose name does not begin with `prefix`, which is lent. */
void weir_rpc_restrict(struct weir_rpc *rpc, const char *prefix);
/* A word that `version` lists, for clients to test for. */
int weir_rpc_add_capability(struct weir_rpc *rpc, const char *capability);
/* Requests carried out, and refused. */
void weir_rpc_counters(const struct weir_rpc *rpc, uint64_t *answered, uint64_t *refused);
/*
 * Carry out one message, single or batch. `answer` becomes the text to send with its newline,
 * malloc'ed, or NULL when there is nothing to answer (notifications). 0 or -ENOMEM.
 */
int weir_rpc_handle(struct weir_rpc *rpc, const char *text, size_t length,
	const struct weir_rpc_peer *peer, char **answer, size_t *answer_length);
/* The answer to what never became a message, `id` null. Same ownership. 0 or -ENOMEM. */
int weir_rpc_refuse(enum weir_rpc_code code, const struct weir_error *error, char **answer,
	size_t *answer_length);
