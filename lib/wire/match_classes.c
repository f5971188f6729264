/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/match_classes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/hash.h"

#define SLOTS_FIRST 256

static void find_span(const uint64_t *bitmap, unsigned int words, uint32_t span[2])
{
	span[0] = 0;
	span[1] = words;
	while (span[0] < span[1] && bitmap[span[0]] == 0)
		span[0]++;
	while (span[1] > span[0] && bitmap[span[1] - 1] == 0)
		span[1]--;
}

static uint64_t hash_span(const uint64_t *bitmap, const uint32_t span[2])
{
	uint64_t hash = weir_hash_word(WEIR_HASH_START, span[0]);

	for (uint32_t word = span[0]; word < span[1]; word++)
		hash = weir_hash_word(hash, bitmap[word]);
	return weir_hash_finish(hash);
}

/* The slot that has the bitmap, or the empty one where it belongs. */
static uint32_t find_slot(
	const struct weir_classes *classes, const uint64_t *bitmap, const uint32_t span[2])
{
	uint32_t slot = (uint32_t)hash_span(bitmap, span) & classes->slot_mask;

	while (classes->slots[slot] != 0) {
		uint32_t class = classes->slots[slot] - 1;
		const uint32_t *other = &classes->spans[class * 2];

		if (other[0] == span[0] && other[1] == span[1] &&
			memcmp(weir_classes_bitmap(classes, class) + span[0], bitmap + span[0],
				(span[1] - span[0]) * sizeof(*bitmap)) == 0)
			break;
		slot = (slot + 1) & classes->slot_mask;
	}
	return slot;
}

static int grow_slots(struct weir_classes *classes)
{
	uint32_t size = classes->slots == NULL ? SLOTS_FIRST : (classes->slot_mask + 1) * 2;
	uint32_t *slots = calloc(size, sizeof(*slots));

	if (slots == NULL)
		return -ENOMEM;
	free(classes->slots);
	classes->slots = slots;
	classes->slot_mask = size - 1;
	for (uint32_t class = 0; class < classes->count; class ++)
		slots[find_slot(classes, weir_classes_bitmap(classes, class),
			&classes->spans[class * 2])] = class + 1;
	return 0;
}

static int grow_bitmaps(struct weir_classes *classes)
{
	uint32_t capacity = classes->capacity == 0 ? 64 : classes->capacity * 2;
	size_t row = classes->words * sizeof(uint64_t);
	void *bitmaps = realloc(classes->bitmaps, capacity * row);
	void *spans;

	if (bitmaps == NULL)
		return -ENOMEM;
	classes->bitmaps = bitmaps;
	spans = realloc(classes->spans, capacity * 2 * sizeof(uint32_t));
	if (spans == NULL)
		return -ENOMEM;
	classes->spans = spans;
	classes->capacity = capacity;
	return 0;
}

void weir_classes_init(struct weir_classes *classes, unsigned int words)
{
	*classes = (struct weir_classes){.words = words};
}

void weir_classes_free(struct weir_classes *classes)
{
	free(classes->bitmaps);
	free(classes->spans);
	free(classes->slots);
	weir_classes_init(classes, classes->words);
}

int weir_classes_intern(struct weir_classes *classes, const uint64_t *bitmap)
{
	uint32_t span[2], slot;
	int status = 0;

	if (classes->slots == NULL || classes->count * 2 > classes->slot_mask)
		status = grow_slots(classes);
	if (status < 0)
		return status;
	find_span(bitmap, classes->words, span);
	slot = find_slot(classes, bitmap, span);
	if (classes->slots[slot] != 0)
		return (int)classes->slots[slot] - 1;
	if (classes->count == WEIR_CLASSES_MAX)
		return -E2BIG;
	if (classes->count == classes->capacity)
		status = grow_bitmaps(classes);
	if (status < 0)
		return status;
	memcpy(classes->bitmaps + (size_t)classes->count * classes->words, bitmap,
		classes->words * sizeof(*bitmap));
	memcpy(&classes->spans[classes->count * 2], span, sizeof(span));
	classes->slots[slot] = ++classes->count;
	return (int)classes->count - 1;
}

const uint64_t *weir_classes_bitmap(const struct weir_classes *classes, uint32_t class)
{
	return classes->bitmaps + (size_t) class * classes->words;
}

int weir_classes_common(const struct weir_classes *a, uint32_t class_a,
	const struct weir_classes *b, uint32_t class_b, uint64_t *out)
{
	const uint64_t *bits_a = weir_classes_bitmap(a, class_a);
	const uint64_t *bits_b = weir_classes_bitmap(b, class_b);
	const uint32_t *span_a = &a->spans[class_a * 2], *span_b = &b->spans[class_b * 2];
	uint32_t from = span_a[0] > span_b[0] ? span_a[0] : span_b[0];
	uint32_t to = span_a[1] < span_b[1] ? span_a[1] : span_b[1];
	int first = -1;

	memset(out, 0, a->words * sizeof(*out));
	for (uint32_t word = from; word < to; word++) {
		out[word] = bits_a[word] & bits_b[word];
		if (first < 0 && out[word] != 0)
			first = (int)(word * 64) + __builtin_ctzll(out[word]);
	}
	return first;
}

void weir_bits_set(uint64_t *bitmap, unsigned int bit)
{
	bitmap[bit / 64] |= 1ull << bit % 64;
}

void weir_bits_clear(uint64_t *bitmap, unsigned int bit)
{
	bitmap[bit / 64] &= ~(1ull << bit % 64);
}

void weir_bits_and(uint64_t *bitmap, const uint64_t *other, unsigned int words)
{
	for (unsigned int word = 0; word < words; word++)
		bitmap[word] &= other[word];
}

int weir_bits_first(const uint64_t *bitmap, const uint64_t *mask, unsigned int words)
{
	for (unsigned int word = 0; word < words; word++) {
		uint64_t bits = mask == NULL ? bitmap[word] : bitmap[word] & mask[word];

		if (bits != 0)
			return (int)(word * 64) + __builtin_ctzll(bits);
	}
	return -1;
}

void weir_bits_cut(uint64_t *bitmap, const uint64_t *mask, unsigned int words)
{
	int first = weir_bits_first(bitmap, mask, words);
	unsigned int word;

	if (first < 0)
		return;
	word = (unsigned int)first / 64;
	bitmap[word] &= ~0ull >> (63 - (unsigned int)first % 64);
	if (++word < words)
		memset(bitmap + word, 0, (words - word) * sizeof(*bitmap));
}
