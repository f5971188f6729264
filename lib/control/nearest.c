/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/nearest.h"

#include <string.h>

#define WORD_MAX 64

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t smaller = a < b ? a : b;

	return smaller < c ? smaller : c;
}

/* Levenshtein's distance, one row of the table at a time. Both words are at most WORD_MAX. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t b_length = strlen(b);

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_length; j++) {
			size_t above = row[j + 1];

			row[j + 1] = min3(above + 1, row[j] + 1, diagonal + (a[i] != b[j]));
			diagonal = above;
		}
	}
	return row[b_length];
}

void weir_nearest_start(struct weir_nearest *nearest, const char *word)
{
	/* Up to a third of the letters wrong: beyond that a suggestion misleads. */
	*nearest = (struct weir_nearest){.word = word, .distance = strlen(word) / 3 + 2};
}

void weir_nearest_offer(struct weir_nearest *nearest, const char *name)
{
	size_t distance;

	if (strlen(nearest->word) > WORD_MAX || strlen(name) > WORD_MAX)
		return;
	distance = edit_distance(nearest->word, name);
	if (distance < nearest->distance) {
		nearest->distance = distance;
		nearest->name = name;
	}
}
