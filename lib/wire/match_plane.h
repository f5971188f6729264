/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/match_fields.h"

/* Second half of compiling a match: from classes of single fields to the rule. */

/*
 * Compile the rules in `members` into *plane (zeroed), with at most *cells entries in its
 * tables; those used are taken off. 0, -E2BIG or -ENOMEM; either way weir_match_plane_free
 * gives back what *plane holds.
 */
int weir_match_plane_build(const struct weir_match_input *input, const uint64_t *members,
	struct weir_match_plane *plane, uint64_t *cells);
void weir_match_plane_free(struct weir_match_plane *plane);
