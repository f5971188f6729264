/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The operator's command line. It knows no method: what the gateway's rpc_methods says
 * decides which words make a method, how arguments become parameters and what help says.
 *
 * One thread, one connection. Functions that fail have told the user on stderr and return the exit
 * code; 0 is success.
 */
enum weirctl_exit {
	WEIRCTL_OK = 0,
	WEIRCTL_REFUSED = 1,     /* the gateway answered with an error */
	WEIRCTL_USAGE = 2,       /* wrong arguments, or a file that is not JSON */
	WEIRCTL_UNREACHABLE = 3, /* no connection, no answer in time, or not a JSON-RPC answer */
};

struct weirctl_options {
	const char *socket_path;
	double timeout_s;  /* for one call, connection included */
	double interval_s; /* watch, top */
	int count;         /* watch, top: times to show; 0: until interrupted */
	bool is_json;
	bool is_names_only; /* help */
	bool is_batch;      /* top: print, no terminal */
};

/* A connection; made by the first call. Zeroed with fd -1 and the options set is ready to use. */
struct weirctl_client {
	const struct weirctl_options *options;
	int fd;
	int next_id;
	bool is_quiet; /* tell nothing on stderr: the caller can do without an answer */
};

/* client.c */
/* Call `method`; takes `params` (NULL: none). `result` becomes a new reference. */
int weirctl_call(
	struct weirctl_client *client, const char *method, json_t *params, json_t **result);
/*
 * Call `method`, which subscribes, then hand each notification over until `take` returns false.
 */
typedef bool (*weirctl_take)(void *context, const json_t *notification);
int weirctl_follow(
	struct weirctl_client *client, const char *method, weirctl_take take, void *context);
void weirctl_disconnect(struct weirctl_client *client);

/* methods.c: `methods` is the array that rpc_methods returns. */
int weirctl_fetch_methods(struct weirctl_client *client, json_t **methods);
/*
 * The method that the first of `words` name: "stream list", "stream_list" and "consumer
 * set-rate" all do. `used` becomes how many words that took. NULL: none, and the user was told.
 */
const json_t *weirctl_find_method(const json_t *methods, char *const *words, int count, int *used);
void weirctl_print_method(const json_t *method);
void weirctl_print_methods(const json_t *methods, bool is_names_only);

/* arguments.c */
/*
 * Make the parameters of `method` from the words after its name: name=value, and bare words for
 * the required parameters in the order of the table. New reference.
 */
int weirctl_make_params(const json_t *method, char *const *words, int count, json_t **params);
/* Read a JSON file; "-" is stdin. Faults are told with line and column. */
int weirctl_load_file(const char *path, json_t **value);
/* "10M", "1.5k", "64Ki", "-3": an integer when it is whole, else a real. NULL: not a number. */
json_t *weirctl_parse_number(const char *text);

/* commands.c */
int weirctl_run(struct weirctl_client *client, char *const *words, int count);

/* top.c */
int weirctl_top(struct weirctl_client *client, char *const *words, int count);

/* failover.c: what failover_show answers, from the pins. New reference; or an exit code. */
int weirctl_failover_from_pins(json_t **result);

/* render.c */
struct weirctl_text {
	char *bytes; /* NUL ended; NULL while empty or when memory ran out */
	size_t length;
	size_t capacity;
};

void weirctl_text_add(struct weirctl_text *text, const char *bytes, size_t length);
/* `string` with what could steer a terminal escaped: it may come from anywhere. */
void weirctl_text_add_safe(struct weirctl_text *text, const char *string);
/* Show any result for people: objects as key: value, arrays of objects as tables. */
void weirctl_render(struct weirctl_text *text, const json_t *value);

/* waterfall.c: what trace_show answers. */
void weirctl_waterfall(struct weirctl_text *text, const json_t *trace);

/* table.c */
/* `rows` is a non-empty array of objects: one line each, nested objects as columns a.b. */
void weirctl_render_table(struct weirctl_text *text, const json_t *rows);
/* One value on one line. */
void weirctl_render_scalar(struct weirctl_text *text, const json_t *value);
/* Columns that `text` takes on a terminal, one for each UTF-8 character. */
size_t weirctl_width(const char *text);
void weirctl_text_pad(struct weirctl_text *text, size_t width);
/* `object` with its nested objects flattened to members a.b. New reference, or NULL. */
json_t *weirctl_flatten(const json_t *object);
