/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/field.h"

/* What one step of the suffixes k, M, G is worth; 0: no suffixes. */
enum { NO_SUFFIX = 0, DECIMAL = 1000, BINARY = 1024 };

enum { HINT_SIZE = 256 };

/* The first value beyond every maximum: what a number that fits nowhere is read as. */
#define TOO_LARGE UINT64_MAX

static void store(void *target, uint16_t size, uint64_t number)
{
	switch (size) {
	case 1:
		*(uint8_t *)target = (uint8_t)number;
		break;
	case 2:
		*(uint16_t *)target = (uint16_t)number;
		break;
	case 4:
		*(uint32_t *)target = (uint32_t)number;
		break;
	default:
		*(uint64_t *)target = number;
		break;
	}
}

/* Decimal digits, then nothing or one of k, M, G. */
static int parse_suffixed(const char *text, uint64_t step, uint64_t *number)
{
	static const char suffixes[] = "kMG";
	const char *suffix;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	*number = strtoull(text, &end, 10); /* TOO_LARGE when it does not fit */
	if (*end == '\0')
		return 0;
	suffix = strchr(suffixes, *end);
	if (suffix == NULL || end[1] != '\0')
		return -EINVAL;
	for (const char *s = suffixes; s <= suffix; s++)
		*number = *number > TOO_LARGE / step ? TOO_LARGE : *number * step;
	return 0;
}

static void describe(const struct weir_field *field, uint64_t step, char *hint)
{
	int used = snprintf(hint, HINT_SIZE, "give an integer from %llu to %llu",
		(unsigned long long)field->minimum, (unsigned long long)field->maximum);

	if (step != NO_SUFFIX)
		snprintf(hint + used, HINT_SIZE - (size_t)used,
			", or text with a suffix, such as \"%lluk\" (k, M, G: powers of %llu)",
			(unsigned long long)((field->minimum + step - 1) / step + 1),
			(unsigned long long)step);
}

static int read_integer(
	const struct weir_value *value, const struct weir_field *field, uint64_t step, void *target)
{
	const char *text = json_string_value(value->json);
	uint64_t number = 0;
	char hint[HINT_SIZE], complaint[96];

	describe(field, step, hint);
	if (json_is_integer(value->json)) {
		json_int_t given = json_integer_value(value->json);

		number = given < 0 ? TOO_LARGE : (uint64_t)given;
	} else if (step == NO_SUFFIX || text == NULL) {
		return weir_value_refuse(value, hint, "not an integer");
	} else if (parse_suffixed(text, step, &number) < 0) {
		return weir_value_refuse(value, hint, "not a number with a suffix k, M or G");
	}
	if (number < field->minimum || number > field->maximum) {
		snprintf(complaint, sizeof(complaint), "outside %llu..%llu",
			(unsigned long long)field->minimum, (unsigned long long)field->maximum);
		return weir_value_refuse(value, hint, complaint);
	}
	store(target, field->size, number);
	return 0;
}

int weir_read_number(const struct weir_value *value, const struct weir_field *field, void *target)
{
	return read_integer(value, field, NO_SUFFIX, target);
}

int weir_read_rate_number(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	return read_integer(value, field, DECIMAL, target);
}

int weir_read_bytes(const struct weir_value *value, const struct weir_field *field, void *target)
{
	return read_integer(value, field, BINARY, target);
}
