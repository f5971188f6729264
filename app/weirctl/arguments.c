/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"

static int usage(const char *name, const char *problem, const char *text)
{
	fprintf(stderr, "weirctl: %s: %s%s%s\n", name, problem, text[0] != '\0' ? ": " : "", text);
	return WEIRCTL_USAGE;
}

static const char *param_name(const json_t *param)
{
	const char *name = json_string_value(json_object_get(param, "name"));

	return name != NULL ? name : "";
}

static const json_t *find_param(const json_t *method, const char *name, size_t length)
{
	size_t i;
	json_t *param;

	json_array_foreach (json_object_get(method, "params"), i, param)
		if (strlen(param_name(param)) == length &&
			memcmp(param_name(param), name, length) == 0)
			return param;
	return NULL;
}

/* The first required parameter that has no value yet. */
static const json_t *next_required(const json_t *method, const json_t *params)
{
	size_t i;
	json_t *param;

	json_array_foreach (json_object_get(method, "params"), i, param)
		if (json_is_true(json_object_get(param, "required")) &&
			json_object_get(params, param_name(param)) == NULL)
			return param;
	return NULL;
}

static bool starts_json(const char *text)
{
	return text[strspn(text, " \t\n")] == '{' || text[strspn(text, " \t\n")] == '[';
}

static int parse_text(const char *name, const char *text, json_t **value)
{
	json_error_t where;

	*value = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
	if (*value != NULL)
		return 0;
	fprintf(stderr, "weirctl: %s: line %d, column %d: %s\n", name, where.line, where.column,
		where.text);
	return WEIRCTL_USAGE;
}

static json_t *parse_boolean(const char *text)
{
	static const char *const words[] = {
		"false", "true", "no", "yes", "off", "on", "0", "1", NULL};

	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(text, words[i]) == 0)
			return json_boolean(i % 2);
	return NULL;
}

/* ANY: JSON when it reads as JSON, else the string itself. */
static json_t *parse_any(const char *text)
{
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

	return value != NULL ? value : json_string(text);
}

static int parse_value(const json_t *param, const char *text, json_t **value)
{
	const char *name = param_name(param);
	const char *type = json_string_value(json_object_get(param, "type"));

	if (type == NULL || strcmp(type, "any") == 0)
		*value = parse_any(text);
	else if (strcmp(type, "object") == 0 || strcmp(type, "array") == 0)
		return starts_json(text) ? parse_text(name, text, value)
					 : weirctl_load_file(text, value);
	else if (strcmp(type, "integer") == 0 || strcmp(type, "number") == 0)
		*value = weirctl_parse_number(text);
	else if (strcmp(type, "boolean") == 0)
		*value = parse_boolean(text);
	else
		*value = json_string(text);
	if (*value != NULL)
		return 0;
	fprintf(stderr, "weirctl: %s: \"%s\" is not of type %s\n", name, text,
		type != NULL ? type : "any");
	return WEIRCTL_USAGE;
}

/* Not every '=' is one behind a name: series have labels. */
static const char *find_equals(const char *word)
{
	const char *end = word + strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	return end != word && *end == '=' ? end : NULL;
}

static int add_word(const json_t *method, const char *word, json_t *params)
{
	const char *command = param_name(method);
	const char *equals = find_equals(word);
	const json_t *param;
	json_t *value = NULL;
	int rc;

	if (equals != NULL && !starts_json(word)) {
		param = find_param(method, word, (size_t)(equals - word));
		if (param == NULL)
			return usage(command, "it has no such parameter", word);
		if (json_object_get(params, param_name(param)) != NULL)
			return usage(command, "given twice", param_name(param));
		word = equals + 1;
	} else {
		param = next_required(method, params);
		if (param == NULL)
			return usage(
				command, "one argument too many (others are name=value)", word);
	}
	rc = parse_value(param, word, &value);
	if (rc == 0 && json_object_set_new(params, param_name(param), value) < 0)
		return usage(command, "not enough memory", "");
	return rc;
}

int weirctl_make_params(const json_t *method, char *const *words, int count, json_t **result)
{
	json_t *params = json_object();
	const json_t *missing;
	int rc = 0;

	for (int i = 0; i < count && rc == 0; i++)
		rc = add_word(method, words[i], params);
	missing = rc == 0 ? next_required(method, params) : NULL;
	if (missing != NULL)
		rc = usage(param_name(method), "argument missing", param_name(missing));
	if (rc == 0)
		*result = params;
	else
		json_decref(params);
	return rc;
}

int weirctl_load_file(const char *path, json_t **value)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	json_error_t where;

	if (file == NULL)
		return usage(path, strerror(errno), "");
	*value = json_loadf(file, JSON_REJECT_DUPLICATES, &where);
	if (!is_stdin)
		fclose(file);
	if (*value != NULL)
		return 0;
	fprintf(stderr, "weirctl: %s:%d:%d: %s\n", is_stdin ? "stdin" : path, where.line,
		where.column, where.text);
	return WEIRCTL_USAGE;
}

json_t *weirctl_parse_number(const char *text)
{
	static const char letters[] = "kKMGT";
	static const int powers[] = {1, 1, 2, 3, 4};
	const char *letter;
	char *end;
	double number;
	long long whole;

	errno = 0;
	whole = strtoll(text, &end, 10);
	if (end != text && *end == '\0' && errno == 0)
		return json_integer(whole);
	errno = 0;
	number = strtod(text, &end);
	if (end == text || errno != 0 || !isfinite(number))
		return NULL;
	letter = *end != '\0' ? strchr(letters, *end) : NULL;
	if (letter != NULL) {
		bool is_binary = end[1] == 'i';

		number *= pow(is_binary ? 1024 : 1000, powers[letter - letters]);
		end += is_binary ? 2 : 1;
	}
	if (*end != '\0')
		return NULL;
	/* 2^63: beyond it a double no longer fits an integer. */
	if (number == rint(number) && fabs(number) < 9223372036854775808.0)
		return json_integer((json_int_t)number);
	return json_real(number);
}
