/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * How much may be under way, found out from how long it takes to be acknowledged. While messages
 * are acknowledged as fast as ever the window grows, doubling at first; when acknowledgements
 * take longer than usual a queue stands somewhere, and the window shrinks in the proportion of
 * usual to measured time, never by more than half at once. It grows only while it is what limits.
 *
 * One decision a round trip. Pure: microseconds from any origin. One thread's.
 */

#define WEIR_WINDOW_FLOOR     16u
#define WEIR_WINDOW_FIRST     256u
#define WEIR_WINDOW_CEILING   (1u << 20)
#define WEIR_WINDOW_SLACK_US  5000
#define WEIR_WINDOW_MEMORY_US 10000000 /* how long the usual time is believed */

struct weir_window {
	uint32_t limit;       /* messages under way */
	uint32_t good;        /* newest limit that was no queue's fault */
	uint32_t usual_us;    /* shortest acknowledgement time of late: no queue */
	uint32_t shortest_us; /* of this round trip; 0: no sample yet */
	uint32_t peak;        /* most under way in this round trip */
	uint64_t round_us;    /* when this round trip began */
	uint64_t usual_until; /* when `usual_us` is to be found anew */
	uint32_t next_usual_us;
	bool is_starting; /* doubling */
};

static inline void weir_window_init(struct weir_window *window, uint32_t first, uint64_t now_us)
{
	*window =
		(struct weir_window){.limit = first < WEIR_WINDOW_FLOOR ? WEIR_WINDOW_FLOOR : first,
			.good = first,
			.round_us = now_us,
			.is_starting = true};
}

/*
 * Start again after `idle_us` without anything under way: from the last good window, halved for
 * every second.
 */
static inline void weir_window_resume(struct weir_window *window, uint64_t idle_us, uint64_t now_us)
{
	uint64_t halvings = idle_us / 1000000;
	uint32_t first = halvings < 20 ? window->good >> halvings : 0;
	uint32_t usual = window->usual_us;

	if (halvings == 0)
		return;
	weir_window_init(window, first, now_us);
	window->usual_us = usual;
	window->usual_until = now_us + WEIR_WINDOW_MEMORY_US;
}

static inline void weir_window_usual(struct weir_window *window, uint64_t now_us)
{
	if (window->usual_us == 0 || window->shortest_us < window->usual_us)
		window->usual_us = window->shortest_us;
	if (window->next_usual_us == 0 || window->shortest_us < window->next_usual_us)
		window->next_usual_us = window->shortest_us;
	if ((int64_t)(now_us - window->usual_until) < 0)
		return;
	/* A path may have become longer: forget what was measured more than 10 s ago. */
	window->usual_us = window->next_usual_us;
	window->next_usual_us = 0;
	window->usual_until = now_us + WEIR_WINDOW_MEMORY_US;
}

/* The end of a round trip: shrink, or grow if the window was what limited. */
static inline void weir_window_decide(struct weir_window *window)
{
	/* Half as long again is noise, and so are the few milliseconds of a scheduler's slice. */
	uint32_t tolerated = window->usual_us + window->usual_us / 2 + WEIR_WINDOW_SLACK_US;
	uint32_t limit = window->limit;

	if (window->shortest_us > tolerated) {
		uint64_t shrunk = (uint64_t)limit * tolerated / window->shortest_us;

		limit = shrunk < limit / 2 ? limit / 2 : (uint32_t)shrunk;
		window->is_starting = false;
	} else {
		window->good = limit;
		if (window->peak >= limit / 2)
			limit += window->is_starting ? limit : limit / 16 + 4;
	}
	if (limit < WEIR_WINDOW_FLOOR)
		limit = WEIR_WINDOW_FLOOR;
	if (limit > WEIR_WINDOW_CEILING)
		limit = WEIR_WINDOW_CEILING;
	window->limit = limit;
}

/* An acknowledgement took `sample_us`; `flying` messages were under way before it. */
static inline void weir_window_sample(
	struct weir_window *window, uint32_t sample_us, uint64_t flying, uint64_t now_us)
{
	uint32_t sample = sample_us != 0 ? sample_us : 1;

	if (window->shortest_us == 0 || sample < window->shortest_us)
		window->shortest_us = sample;
	if (flying > window->peak)
		window->peak = flying < UINT32_MAX ? (uint32_t)flying : UINT32_MAX;
	if (now_us - window->round_us < sample)
		return;
	weir_window_usual(window, now_us);
	weir_window_decide(window);
	window->round_us = now_us;
	window->shortest_us = 0;
	window->peak = 0;
}
