/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

/*
 * "Did you mean...?": of several names, the one that a mistyped word most likely meant, by edit
 * distance. Feed the candidates one by one. Any thread.
 */
struct weir_nearest {
	const char *word;
	const char
		*name; /* the nearest so far, or NULL: nothing is near enough to be worth saying */
	size_t distance;
};

void weir_nearest_start(struct weir_nearest *nearest, const char *word);
/* `name` must outlast `nearest`. */
void weir_nearest_offer(struct weir_nearest *nearest, const char *name);
