/* SPDX-License-Identifier: BSD-3-Clause */
#include "place/share.h"

#include <stdio.h>
#include <stdlib.h>

#include "place/place.h"

#define TEXT_SIZE   128
#define INDEX_SHIFT 16

static int by_key(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

void weir_share_rank(
	const char *topic, const char *stream, uint16_t count, uint16_t *ranks, uint64_t *keys)
{
	for (uint16_t i = 0; i < count; i++) {
		char text[TEXT_SIZE];

		snprintf(text, sizeof(text), "%u %s %s", i, topic, stream);
		/* The index decides between equals, and says whose it is. */
		keys[i] = weir_place_identity(text) >> INDEX_SHIFT << INDEX_SHIFT | i;
	}
	qsort(keys, count, sizeof(*keys), by_key);
	for (uint16_t i = 0; i < count; i++)
		ranks[i] = (uint16_t)keys[i];
}
