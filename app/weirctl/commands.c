/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "weirctl.h"

static int usage(const char *problem)
{
	fprintf(stderr, "weirctl: %s\n  hint: see \"weirctl --help\"\n", problem);
	return WEIRCTL_USAGE;
}

static void print_result(
	const struct weirctl_client *client, const char *method, const json_t *result)
{
	struct weirctl_text text = {0};

	if (client->options->is_json) {
		json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
		putchar('\n');
		return;
	}
	if (strcmp(method, "trace_show") == 0)
		weirctl_waterfall(&text, result);
	else
		weirctl_render(&text, result);
	if (text.bytes != NULL)
		fputs(text.bytes, stdout);
	free(text.bytes);
}

/* Takes `params`. */
static int call_and_print(struct weirctl_client *client, const char *method, json_t *params)
{
	json_t *result = NULL;
	int rc = weirctl_call(client, method, params, &result);

	if (rc == 0)
		print_result(client, method, result);
	json_decref(result);
	return rc;
}

/* The method and parameters that `words` say; `name` is a copy to free. */
static int resolve(
	struct weirctl_client *client, char *const *words, int count, char **name, json_t **params)
{
	json_t *methods = NULL;
	const json_t *method = NULL;
	int used = 0;
	int rc = weirctl_fetch_methods(client, &methods);

	if (rc == 0) {
		method = weirctl_find_method(methods, words, count, &used);
		rc = method == NULL ? WEIRCTL_USAGE : 0;
	}
	if (rc == 0)
		rc = weirctl_make_params(method, words + used, count - used, params);
	if (rc == 0) {
		*name = strdup(json_string_value(json_object_get(method, "name")));
		rc = *name == NULL ? usage("not enough memory") : 0;
	}
	json_decref(methods);
	return rc;
}

static int run_method(struct weirctl_client *client, char *const *words, int count)
{
	char *name = NULL;
	json_t *params = NULL;
	int rc = resolve(client, words, count, &name, &params);

	if (rc == 0)
		rc = call_and_print(client, name, params);
	free(name);
	return rc;
}

static int run_rpc(struct weirctl_client *client, char *const *words, int count)
{
	json_t *params = NULL;
	json_error_t where;

	if (count < 1 || count > 2)
		return usage("rpc takes METHOD [JSON]");
	if (count == 2) {
		params = json_loads(words[1], JSON_REJECT_DUPLICATES, &where);
		if (params == NULL) {
			fprintf(stderr, "weirctl: parameters: line %d, column %d: %s\n", where.line,
				where.column, where.text);
			return WEIRCTL_USAGE;
		}
	}
	return call_and_print(client, words[0], params);
}

static int run_help(struct weirctl_client *client, char *const *words, int count)
{
	json_t *methods = NULL;
	const json_t *method;
	int used;
	int rc = weirctl_fetch_methods(client, &methods);

	if (rc != 0)
		return rc;
	if (count == 0) {
		weirctl_print_methods(methods, client->options->is_names_only);
	} else {
		method = weirctl_find_method(methods, words, count, &used);
		if (method != NULL)
			weirctl_print_method(method);
		else
			rc = WEIRCTL_USAGE;
	}
	json_decref(methods);
	return rc;
}

static int run_watch(struct weirctl_client *client, char *const *words, int count)
{
	const struct weirctl_options *options = client->options;
	const struct timespec pause = {.tv_sec = (time_t)options->interval_s,
		.tv_nsec =
			(long)((options->interval_s - (double)(time_t)options->interval_s) * 1e9)};
	char *name = NULL;
	json_t *params = NULL;
	int rc;

	if (count == 0)
		return usage("watch takes a command");
	rc = resolve(client, words, count, &name, &params);
	for (int round = 0; rc == 0; round++) {
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout); /* cursor home, erase the screen */
		printf("%s, every %g s\n\n", name, options->interval_s);
		rc = call_and_print(client, name, json_incref(params));
		fflush(stdout);
		if (options->count > 0 && round + 1 >= options->count)
			break;
		if (rc == 0)
			nanosleep(&pause, NULL);
	}
	json_decref(params);
	free(name);
	return rc;
}

/* The law: received = delivered + dropped{reason} + held, for every stream and group. */
static int run_check(struct weirctl_client *client, char *const *words, int count)
{
	json_t *result = NULL;
	const json_t *law;
	const json_t *holds;
	int rc;

	(void)words;
	if (count > 0)
		return usage("check takes no arguments");
	rc = weirctl_call(client, "stats_get", NULL, &result);
	if (rc != 0)
		return rc;
	law = json_object_get(result, "law");
	holds = json_object_get(law, "holds");
	if (!json_is_boolean(holds)) {
		fprintf(stderr, "weirctl: stats_get says nothing about the law\n");
		rc = WEIRCTL_UNREACHABLE;
	} else {
		print_result(client, "stats_get", law);
		rc = json_is_true(holds) ? WEIRCTL_OK : WEIRCTL_REFUSED;
	}
	json_decref(result);
	return rc;
}

/* It must have an answer above all when the gateway has none. */
static bool is_failover_show(char *const *words, int count)
{
	return (count == 1 && strcmp(words[0], "failover_show") == 0) ||
	       (count == 2 && strcmp(words[0], "failover") == 0 && strcmp(words[1], "show") == 0);
}

static int run_failover_show(struct weirctl_client *client)
{
	json_t *result = NULL;
	int rc;

	client->is_quiet = true;
	rc = weirctl_call(client, "failover_show", NULL, &result);
	client->is_quiet = false;
	if (rc == WEIRCTL_UNREACHABLE)
		rc = weirctl_failover_from_pins(&result);
	if (result != NULL)
		print_result(client, "failover_show", result);
	json_decref(result);
	return rc;
}

/* The newest trace, or one by its number; else a method like all others. */
static int run_trace(struct weirctl_client *client, char *const *words, int count)
{
	char number[32];
	char *const shown[] = {"trace", "show", number};

	if (count > 2 || (count != 0 && strcmp(words[0], "show") != 0) ||
		(count == 2 && strchr(words[1], '=') != NULL))
		return run_method(client, words - 1, count + 1);
	if (count == 2)
		snprintf(number, sizeof(number), "trace=%s", words[1]);
	return run_method(client, shown, count == 2 ? 3 : 2);
}

/* What events are to be printed, and how. */
struct following {
	bool is_json;
	int left; /* 0: no end */
};

static void print_event(const json_t *event)
{
	time_t seconds = (time_t)(json_integer_value(json_object_get(event, "time_ms")) / 1000);
	struct weirctl_text text = {0};
	struct tm parts;

	localtime_r(&seconds, &parts);
	for (const char *const *key =
			(const char *const[]){"level", "event", "subject", "reason", "text", NULL};
		*key != NULL; key++) {
		const char *value = json_string_value(json_object_get(event, *key));

		weirctl_text_add_safe(&text, " ");
		weirctl_text_add_safe(&text, value != NULL ? value : "-");
	}
	printf("%02d:%02d:%02d%s\n", parts.tm_hour, parts.tm_min, parts.tm_sec,
		text.bytes != NULL ? text.bytes : "");
	free(text.bytes);
}

static bool take_event(void *context, const json_t *notification)
{
	struct following *following = context;
	const char *method = json_string_value(json_object_get(notification, "method"));
	const json_t *params = json_object_get(notification, "params");

	if (following->is_json) {
		json_dumpf(notification, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (method != NULL && strcmp(method, "event") == 0) {
		print_event(params);
	} else {
		printf("%lld events were lost: they came faster than they were read\n",
			(long long)json_integer_value(json_object_get(params, "count")));
	}
	fflush(stdout);
	return !ferror(stdout) && (following->left == 0 || --following->left > 0);
}

static int run_events(struct weirctl_client *client, char *const *words, int count)
{
	struct following following = {
		.is_json = client->options->is_json, .left = client->options->count};

	(void)words;
	if (count > 0)
		return usage("events takes no arguments");
	return weirctl_follow(client, "event_subscribe", take_event, &following);
}

static const struct {
	const char *name;
	int (*run)(struct weirctl_client *client, char *const *words, int count);
} commands[] = {
	{"help", run_help},
	{"rpc", run_rpc},
	{"watch", run_watch},
	{"check", run_check},
	{"events", run_events},
	{"top", weirctl_top},
	{"trace", run_trace},
};

int weirctl_run(struct weirctl_client *client, char *const *words, int count)
{
	if (count == 0)
		return usage("no command");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(words[0], commands[i].name) == 0)
			return commands[i].run(client, words + 1, count - 1);
	if (is_failover_show(words, count))
		return run_failover_show(client);
	return run_method(client, words, count);
}
