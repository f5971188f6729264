/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/nearest.h"
#include "weirctl.h"

#define NAME_WORDS 4
#define NAME_SIZE  128

static const char *text_of(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text != NULL ? text : "";
}

static const json_t *find_name(const json_t *methods, const char *name)
{
	size_t i;
	json_t *method;

	json_array_foreach (methods, i, method)
		if (strcmp(text_of(method, "name"), name) == 0)
			return method;
	return NULL;
}

/* "consumer", "set-rate" -> "consumer_set_rate". False: does not fit, so it is no name. */
static bool join(char *const *words, int count, char *name)
{
	size_t used = 0;

	for (int i = 0; i < count; i++) {
		size_t length = strlen(words[i]);

		if (used + length + 2 > NAME_SIZE)
			return false;
		if (i > 0)
			name[used++] = '_';
		memcpy(name + used, words[i], length + 1);
		used += length;
	}
	for (char *c = name; *c != '\0'; c++)
		if (*c == '-')
			*c = '_';
	return true;
}

static void tell_unknown(const json_t *methods, char *const *words, int count)
{
	char name[NAME_SIZE] = "";
	struct weir_nearest nearest;
	size_t i;
	json_t *method;

	if (!join(words, count > 1 && strchr(words[1], '=') == NULL ? 2 : 1, name))
		name[0] = '\0';
	weir_nearest_start(&nearest, name);
	json_array_foreach (methods, i, method)
		weir_nearest_offer(&nearest, text_of(method, "name"));
	fprintf(stderr, "weirctl: no command \"%s%s%s\"\n", words[0], count > 1 ? " " : "",
		count > 1 ? words[1] : "");
	if (nearest.name != NULL)
		fprintf(stderr, "  hint: did you mean \"%s\"?\n", nearest.name);
	else
		fprintf(stderr, "  hint: \"weirctl help\" lists the commands\n");
}

static void print_range(const json_t *param)
{
	const json_t *maximum = json_object_get(param, "maximum");
	size_t i;
	json_t *choice;

	if (maximum != NULL && json_integer_value(maximum) == INT64_MAX)
		printf(" (at least %" JSON_INTEGER_FORMAT ")",
			json_integer_value(json_object_get(param, "minimum")));
	else if (maximum != NULL)
		printf(" (%" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT ")",
			json_integer_value(json_object_get(param, "minimum")),
			json_integer_value(maximum));
	json_array_foreach (json_object_get(param, "choices"), i, choice)
		printf("%s%s", i == 0 ? " (" : ", ", json_string_value(choice));
	if (i > 0)
		putchar(')');
}

int weirctl_fetch_methods(struct weirctl_client *client, json_t **methods)
{
	json_t *result = NULL;
	int rc = weirctl_call(client, "rpc_methods", NULL, &result);

	if (rc != 0)
		return rc;
	*methods = json_incref(json_object_get(result, "methods"));
	json_decref(result);
	if (json_is_array(*methods))
		return 0;
	json_decref(*methods);
	*methods = NULL;
	fprintf(stderr, "weirctl: the gateway's rpc_methods has no list\n");
	return WEIRCTL_UNREACHABLE;
}

const json_t *weirctl_find_method(const json_t *methods, char *const *words, int count, int *used)
{
	char name[NAME_SIZE];

	for (int n = count < NAME_WORDS ? count : NAME_WORDS; n > 0; n--) {
		const json_t *method = join(words, n, name) ? find_name(methods, name) : NULL;

		if (method != NULL) {
			*used = n;
			return method;
		}
	}
	tell_unknown(methods, words, count);
	return NULL;
}

void weirctl_print_method(const json_t *method)
{
	const json_t *params = json_object_get(method, "params");
	size_t i;
	json_t *param;

	printf("%s: %s (%s)\n", text_of(method, "name"), text_of(method, "help"),
		text_of(method, "role"));
	json_array_foreach (params, i, param) {
		printf("  %s=%s%s  %s", text_of(param, "name"), text_of(param, "type"),
			json_is_true(json_object_get(param, "required")) ? ", required" : "",
			text_of(param, "help"));
		print_range(param);
		putchar('\n');
	}
	printf("  result: %s\n", text_of(method, "result"));
}

void weirctl_print_methods(const json_t *methods, bool is_names_only)
{
	int width = 0;
	size_t i;
	json_t *method;

	json_array_foreach (methods, i, method) {
		int length = (int)strlen(text_of(method, "name"));

		width = length > width ? length : width;
	}
	json_array_foreach (methods, i, method) {
		if (is_names_only)
			puts(text_of(method, "name"));
		else
			printf("  %-*s  %s\n", width, text_of(method, "name"),
				text_of(method, "help"));
	}
}
