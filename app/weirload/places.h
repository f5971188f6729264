/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "record.h"

/*
 * The numbers that a gateway gives to messages, held against what the sender wrote into them. Of a
 * consumer that is alone in its group:
 *
 * - a number of a partition never stands for two messages, not over restarts either (`conflicts`);
 * - numbers rise one by one, unless what is between was told as missed (`silent`);
 * - where messages of the sender are missing, the partition told of a gap (`unexplained`).
 *
 * All that came is remembered, about 100 bytes a message. Pure; one thread.
 */
#define LOAD_PLACES_MAX (1u << 24) /* messages remembered */

struct load_place {
	const char *stream;
	uint16_t partition;
	uint32_t epoch;
	uint64_t sequence;
	uint64_t missed; /* told just before */
};

struct load_places_total {
	uint64_t lanes;       /* partitions that something came of */
	uint64_t told;        /* sequences told as missed */
	uint64_t silent;      /* sequences left out and not told */
	uint64_t back;        /* times that a lane went back, but by a seek */
	uint64_t repeats;     /* messages that came under the same number again */
	uint64_t conflicts;   /* messages under a number that another had */
	uint64_t unexplained; /* the sender's, missing without a gap told in their partition */
	uint64_t holes;       /* that they were in: whether the gateway ever had them, time tells */
	uint64_t untracked;   /* messages that could not be remembered */
};

#define LOAD_PLACES_HOLES 4096 /* remembered */

struct load_places_hole {
	uint64_t until_ns; /* when the message behind it was sent, CLOCK_MONOTONIC */
	uint64_t messages;
};

struct load_places;

/* NULL without memory. The caller destroys it. */
struct load_places *load_places_create(void);
void load_places_destroy(struct load_places *places);
/* A message, in the order taken. */
void load_places_take(struct load_places *places, const struct load_place *place,
	const struct load_record *record);
/* A seek was asked for: what lanes of a higher epoch begin with is no jump. */
void load_places_seek(struct load_places *places);
void load_places_total(const struct load_places *places, struct load_places_total *total);
/* The holes in the order found; NULL from `index` = number of those remembered on. */
const struct load_places_hole *load_places_hole(const struct load_places *places, size_t index);
