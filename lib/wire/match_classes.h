/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * Sets of rules, each known by a small number, its class: the same set always gets the same one.
 * A set is a bitmap with one bit a rule; bit 0 is the rule that goes first. Used while the
 * tables of wire/match.h are made.
 */

#define WEIR_CLASSES_MAX 65535 /* a class is stored in 16 bits */

struct weir_classes {
	unsigned int words; /* 64-bit words of a bitmap */
	uint32_t count;
	uint32_t capacity; /* of bitmaps and spans */
	uint64_t *bitmaps; /* [count][words] */
	uint32_t *spans;   /* [count][2]: first non-zero word, and the one after the last */
	uint32_t *slots;   /* open addressing: class + 1, 0 for empty */
	uint32_t slot_mask;
};

/* Empty; allocates nothing. */
void weir_classes_init(struct weir_classes *classes, unsigned int words);
void weir_classes_free(struct weir_classes *classes);
/* The class of the bitmap, which is copied when new. Or -E2BIG, -ENOMEM. */
int weir_classes_intern(struct weir_classes *classes, const uint64_t *bitmap);
const uint64_t *weir_classes_bitmap(const struct weir_classes *classes, uint32_t class);

/* out = what both classes have; `out` has as many words. Returns its first rule, or -1. */
int weir_classes_common(const struct weir_classes *a, uint32_t class_a,
	const struct weir_classes *b, uint32_t class_b, uint64_t *out);

/* Helpers on plain bitmaps. */
void weir_bits_set(uint64_t *bitmap, unsigned int bit);
void weir_bits_clear(uint64_t *bitmap, unsigned int bit);
void weir_bits_and(uint64_t *bitmap, const uint64_t *other, unsigned int words);
/* Lowest bit of bitmap & mask (`mask` may be NULL), or -1. */
int weir_bits_first(const uint64_t *bitmap, const uint64_t *mask, unsigned int words);
/* Leave out all bits above the lowest that is in `mask` too. */
void weir_bits_cut(uint64_t *bitmap, const uint64_t *mask, unsigned int words);
