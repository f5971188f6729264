/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "impair.h"

static int parse_number(const struct load_option *option, const char *text)
{
	uint64_t scale = 1, number;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno != 0)
		return -ERANGE;
	if (*end == 'k')
		scale = 1000;
	else if (*end == 'M')
		scale = 1000000;
	else if (*end == 'G')
		scale = 1000000000;
	if (scale != 1)
		end++;
	if (*end != '\0')
		return -EINVAL;
	if (__builtin_mul_overflow(number, scale, &number) || number < option->least ||
		(option->most != 0 && number > option->most))
		return -ERANGE;
	*(uint64_t *)option->value = number;
	return 0;
}

static int parse_seconds(const struct load_option *option, const char *text)
{
	double seconds;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	seconds = strtod(text, &end);
	if (*end != '\0' || !isfinite(seconds))
		return -EINVAL;
	/* A year: beyond that, the times in nanoseconds of this program could overflow. */
	if (seconds > 366.0 * 86400)
		return -ERANGE;
	*(double *)option->value = seconds;
	return 0;
}

static int parse_share(const struct load_option *option, const char *text)
{
	double share;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	share = strtod(text, &end);
	if (*end == '%') {
		share /= 100;
		end++;
	}
	if (*end != '\0' || !isfinite(share))
		return -EINVAL;
	if (share > 1)
		return -ERANGE;
	*(double *)option->value = share;
	return 0;
}

/* What follows the duration is left at `end`. */
static int parse_duration(
	const struct load_option *option, const char *text, uint64_t *ns, const char **end)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"", 1e9}};
	double duration;
	char *unit;
	size_t i = 0;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	duration = strtod(text, &unit);
	/* The last of them begins every text. */
	while (strncmp(unit, units[i].name, strlen(units[i].name)) != 0)
		i++;
	duration *= units[i].ns;
	*end = unit + strlen(units[i].name);
	if (!isfinite(duration))
		return -EINVAL;
	if (duration < (double)option->least || duration > (double)option->most)
		return -ERANGE;
	*ns = (uint64_t)duration;
	return 0;
}

static int parse_time(const struct load_option *option, const char *text)
{
	const char *end;
	uint64_t ns;
	int error = parse_duration(option, text, &ns, &end);

	if (error == 0 && *end != '\0')
		error = -EINVAL;
	if (error == 0)
		*(uint64_t *)option->value = ns;
	return error;
}

static int parse_span(const struct load_option *option, const char *text)
{
	struct load_span span;
	const char *end;
	int error = parse_duration(option, text, &span.at_ns, &end);

	if (error == 0 && *end != ',')
		error = -EINVAL;
	if (error == 0)
		error = parse_duration(option, end + 1, &span.for_ns, &end);
	if (error == 0 && *end != '\0')
		error = -EINVAL;
	if (error == 0)
		*(struct load_span *)option->value = span;
	return error;
}

static int parse_value(const struct load_option *option, const char *text)
{
	struct load_endpoints *endpoints;

	switch (option->kind) {
	case LOAD_OPTION_NUMBER:
		return parse_number(option, text);
	case LOAD_OPTION_SECONDS:
		return parse_seconds(option, text);
	case LOAD_OPTION_SHARE:
		return parse_share(option, text);
	case LOAD_OPTION_DURATION:
		return parse_time(option, text);
	case LOAD_OPTION_SPAN:
		return parse_span(option, text);
	case LOAD_OPTION_TEXT:
		*(const char **)option->value = text;
		return 0;
	case LOAD_OPTION_ENDPOINT:
		return load_endpoint_parse(text, option->value);
	case LOAD_OPTION_ENDPOINTS:
		endpoints = option->value;
		if (endpoints->count == LOAD_MAX_ENDPOINTS)
			return -ERANGE;
		return load_endpoint_parse(text, &endpoints->list[endpoints->count++]);
	default:
		return -EINVAL;
	}
}

static void print_help(const char *usage, const struct load_option *options, size_t count)
{
	printf("%s\n", usage);
	for (size_t i = 0; i < count; i++)
		if (options[i].help != NULL)
			printf("  --%-16s %-12s %s\n", options[i].name,
				options[i].argument != NULL ? options[i].argument : "",
				options[i].help);
}

static const struct load_option *find(
	const struct load_option *options, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

static int complain(const struct load_option *option, const char *text, int error)
{
	fprintf(stderr, "weirload: --%s %s: ", option->name, text);
	if (error == -ERANGE && option->kind == LOAD_OPTION_ENDPOINTS)
		fprintf(stderr, "more than %d of them\n", LOAD_MAX_ENDPOINTS);
	else if (error == -ERANGE && option->kind == LOAD_OPTION_NUMBER && option->most != 0)
		fprintf(stderr, "not between %llu and %llu\n", (unsigned long long)option->least,
			(unsigned long long)option->most);
	else if (error == -ERANGE)
		fprintf(stderr, "out of range\n");
	else
		fprintf(stderr, "is no %s\n", option->argument);
	return -EINVAL;
}

int load_options_parse(
	const char *usage, const struct load_option *options, size_t count, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		const struct load_option *option;
		int error;

		if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
			print_help(usage, options, count);
			return 1;
		}
		option = strncmp(name, "--", 2) == 0 ? find(options, count, name + 2) : NULL;
		if (option == NULL) {
			fprintf(stderr, "weirload: unknown argument '%s', see --help\n", name);
			return -EINVAL;
		}
		if (option->kind == LOAD_OPTION_FLAG) {
			*(bool *)option->value = true;
			continue;
		}
		if (i + 1 == argc) {
			fprintf(stderr, "weirload: %s needs %s\n", name, option->argument);
			return -EINVAL;
		}
		error = parse_value(option, argv[++i]);
		if (error < 0)
			return complain(option, argv[i], error);
	}
	return 0;
}
