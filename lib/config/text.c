/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/parts.h"

enum { HINT_SIZE = 256 };

#define LETTERS  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS   "0123456789"
#define NAME_SET LETTERS DIGITS "_.-"

/* Copy into the member, or say that it is no text, empty or too long. */
static int read_text(const struct weir_value *value, const struct weir_field *field,
	const char *hint, char *target)
{
	const char *text = json_string_value(value->json);
	char complaint[64];

	if (text == NULL)
		return weir_value_refuse(value, hint, "not a text");
	if (text[0] == '\0')
		return weir_value_refuse(value, hint, "empty");
	if (strlen(text) >= field->size) {
		snprintf(complaint, sizeof(complaint), "longer than %u bytes", field->size - 1u);
		return weir_value_refuse(value, hint, complaint);
	}
	memset(target, 0, field->size);
	memcpy(target, text, strlen(text));
	return 0;
}

int weir_read_object_name(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const char hint[] = "1 to 31 of A-Z a-z 0-9 _ . -, such as \"edge-1\"";
	int rc = read_text(value, field, hint, target);

	if (rc == 0 && ((char *)target)[strspn(target, NAME_SET)] != '\0')
		rc = weir_value_refuse(value, hint, "not a name");
	return rc;
}

int weir_read_stream_names(
	const struct weir_value *value, char (**names)[WEIR_NAME_SIZE], unsigned int *count)
{
	static const struct weir_list_rule rule = {.size = WEIR_NAME_SIZE,
		.maximum = WEIR_MAX_STREAMS,
		.may_be_lone = true,
		.hint = "1 to 4096 names of streams"};
	static const struct weir_field name = {.key = "name", .size = WEIR_NAME_SIZE};
	void *array = NULL;
	int rc = weir_read_list(value, &rule, &array, count);

	*names = array;
	for (unsigned int i = 0; rc == 0 && i < *count; i++) {
		struct weir_value element = weir_value_element(value, i);

		rc = weir_read_object_name(&element, &name, (*names)[i]);
	}
	return rc;
}

/*
 * The kernel would take more characters, but a comma or a bracket has a meaning in EAL's device
 * arguments, which these texts become part of.
 */
int weir_read_interface(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const char hint[] =
		"an interface's name, 1 to 15 of A-Z a-z 0-9 _ . -, such as \"eth0\"";
	int rc = read_text(value, field, hint, target);

	if (rc < 0)
		return rc;
	if (((char *)target)[strspn(target, NAME_SET)] != '\0' || strcmp(target, ".") == 0 ||
		strcmp(target, "..") == 0)
		return weir_value_refuse(value, hint, "not an interface's name");
	return 0;
}

int weir_read_file(const struct weir_value *value, const struct weir_field *field, void *target)
{
	char hint[HINT_SIZE];
	int rc;

	snprintf(hint, sizeof(hint),
		"a path of up to %u bytes, without comma, bracket or control "
		"character",
		field->size - 1u);
	rc = read_text(value, field, hint, target);
	if (rc < 0)
		return rc;
	for (const char *at = target; *at != '\0'; at++)
		if (strchr(",[]", *at) != NULL || iscntrl((unsigned char)*at))
			return weir_value_refuse(value, hint, "not a usable path");
	return 0;
}

int weir_read_absolute_path(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	int rc = weir_read_file(value, field, target);

	if (rc == 0 && *(const char *)target != '/')
		rc = weir_value_refuse(value,
			"begin with \"/\": the gateway has no working directory of its own",
			"not an absolute path");
	return rc;
}

/* domain:bus:device.function, in full: the form that the kernel and DPDK both print. */
static bool is_pci(const char *text)
{
	size_t domain = strspn(text, DIGITS "abcdefABCDEF");
	const char *rest = text + domain;

	if (domain < 4 || domain > 8 || strlen(rest) != 8)
		return false;
	return rest[0] == ':' && isxdigit((unsigned char)rest[1]) &&
	       isxdigit((unsigned char)rest[2]) && rest[3] == ':' &&
	       (rest[4] == '0' || rest[4] == '1') && isxdigit((unsigned char)rest[5]) &&
	       rest[6] == '.' && rest[7] >= '0' && rest[7] <= '7';
}

int weir_read_pci(const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const char hint[] =
		"domain:bus:device.function as lspci -D prints it, such as \"0000:03:00.0\"";
	int rc = read_text(value, field, hint, target);

	if (rc == 0 && !is_pci(target))
		rc = weir_value_refuse(value, hint, "not a PCI address");
	return rc;
}
