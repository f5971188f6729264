/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pacer.h"

/*
 * The course of a receiver: how fast it may take messages, when it pauses, when it ends. Times
 * are of load_clock_ns(). Pure; one thread.
 */
struct load_course_plan {
	uint64_t count;     /* end after so many messages; 0: no */
	uint64_t rate;      /* messages a second at most; 0: no limit */
	double seconds;     /* end after, from the start; 0: no */
	double idle;        /* end after so long without a message; 0: no */
	double pause_after; /* from the first message */
	double pause_for;   /* 0: no pause */
};

struct load_course {
	struct load_course_plan plan;
	struct load_pacer pacer;
	uint64_t start_ns;
	uint64_t first_ns; /* first message; 0: none yet */
	uint64_t last_ns;  /* last message, or the start */
	uint64_t taken;
};

void load_course_init(
	struct load_course *course, const struct load_course_plan *plan, uint64_t now_ns);
/* Messages that may be taken now, at most `most`. */
uint64_t load_course_room(struct load_course *course, uint64_t now_ns, uint64_t most);
/* Messages were taken. */
void load_course_note(struct load_course *course, uint64_t now_ns, uint64_t messages);
bool load_course_is_over(const struct load_course *course, uint64_t now_ns);
bool load_course_is_paused(const struct load_course *course, uint64_t now_ns);
/* When something of the above may change without a message; UINT64_MAX: never. */
uint64_t load_course_next(const struct load_course *course, uint64_t now_ns);
