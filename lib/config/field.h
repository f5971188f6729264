/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/value.h"

/*
 * One table describes each kind of object: its keys, where their values go, and what they may
 * be. Reading, unknown keys, hints and the comparison of two configurations all use the table.
 * Defaults are whatever the structure holds before it is read.
 */
struct weir_field {
	const char *key;
	/* Checks the value and stores it; `target` is the structure plus `offset`. */
	int (*read)(const struct weir_value *value, const struct weir_field *field, void *target);
	uint16_t offset;
	uint16_t size;    /* of the member; 0: `read` gets the structure (offset 0) */
	uint64_t minimum; /* for numbers, inclusive */
	uint64_t maximum;
	const char *const *names; /* for weir_read_name: NULL-ended, in the enum's order */
	const char *hint;         /* for texts: what would be right */
	bool required;
};

/* A member, and its key where that is another word. */
#define WEIR_MEMBER_AS(name, type, member)                                                         \
	.key = name, .offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)
#define WEIR_MEMBER(type, member) WEIR_MEMBER_AS(#member, type, member)

/*
 * Read an object into `target` by its table. Missing required keys, unknown keys and values out
 * of range are errors. 0 or a negative errno.
 */
int weir_fields_read(const struct weir_value *object, const struct weir_field *fields, size_t count,
	void *target);
/* The first field whose member differs between two structures, or NULL. Skips size 0. */
const struct weir_field *weir_fields_differ(
	const struct weir_field *fields, size_t count, const void *a, const void *b);

/* Readers for tables. Numbers take the member's size: 1, 2, 4 or 8 bytes. */
int weir_read_number(const struct weir_value *value, const struct weir_field *field, void *target);
/* As weir_read_number; also text with a suffix: "20k" is 20,000. */
int weir_read_rate_number(
	const struct weir_value *value, const struct weir_field *field, void *target);
/* As weir_read_number; also text with a suffix: "64k" is 65,536 bytes. */
int weir_read_bytes(const struct weir_value *value, const struct weir_field *field, void *target);
int weir_read_bool(const struct weir_value *value, const struct weir_field *field, void *target);
/* One of `names`, stored as its position in 4 bytes. */
int weir_read_name(const struct weir_value *value, const struct weir_field *field, void *target);

/* "a, b, c" of a NULL-ended list. Returns `text`. */
const char *weir_names_list(const char *const *names, char *text, size_t size);
/* The name nearest to what was written, or NULL when none is near. */
const char *weir_names_nearest(const char *const *names, const char *written);
