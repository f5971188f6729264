/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/match.h"
#include "wire/match_classes.h"

/*
 * First half of compiling a match: for each field of the packet the classes of its values, and
 * the table that maps one to the other. Second half: match_plane.h.
 */

struct weir_match_input {
	const struct weir_match_rule *rules;
	unsigned int count;
	unsigned int words;               /* of a bitmap with a bit a rule */
	uint64_t *any[WEIR_MATCH_FIELDS]; /* rules that take every value of the field */
	struct weir_classes classes[WEIR_MATCH_FIELDS];
};

/* Whether the rule takes every value of the field. */
bool weir_match_takes_any(const struct weir_match_rule *rule, enum weir_match_field field);
/* 0 or -EINVAL. */
int weir_match_check(const struct weir_match_rule *rules, unsigned int count);

/* 0, -ENOMEM or -E2BIG. What was taken until then is given back by weir_match_input_free. */
int weir_match_input_init(
	struct weir_match_input *input, const struct weir_match_rule *rules, unsigned int count);
void weir_match_input_free(struct weir_match_input *input);
/* Fill the classes of all fields, and the class tables and tries of `match`. Errors the same. */
int weir_match_classify(struct weir_match_input *input, struct weir_match *match);
