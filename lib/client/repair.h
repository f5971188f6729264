/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/inbox.h"

/*
 * What is missing on one lane, and what came above it:
 *
 *	next_seq      ranges[0]      ranges[1]            top
 *	   |--gaps[0]--|======|--gaps[1]--|======|--gaps[2]--|
 *
 * Ranges rise and never touch, so every gap but the last has something in it. The last lies
 * between the last range, or next_seq, and the lane's top; it may be empty. Kept messages wait in
 * their range, in order, until the gaps before it are filled. Pure; one thread.
 */

#define WEIR_REPAIR_RANGES 64

/* Messages above a gap, or sequences that were told never to come. One block of memory. */
struct weir_kept {
	struct weir_kept *next;
	struct weir_inbox_run *run; /* in the same block; NULL: told never to come */
	uint64_t first;             /* of those */
	uint64_t end;
	uint16_t reason;
};

struct weir_kept_list {
	struct weir_kept *head;
	struct weir_kept *tail;
};

struct weir_repair_range {
	uint64_t first;
	uint64_t end;
	struct weir_kept_list kept; /* owned */
};

struct weir_repair_gap {
	uint64_t seen_at;
	uint64_t nacked_at; /* last */
	uint64_t nack_at;   /* next */
	uint64_t pause_ns;
	uint32_t nacks; /* sent since it was seen, or grew */
};

struct weir_repair {
	uint32_t count; /* ranges */
	struct weir_repair_range ranges[WEIR_REPAIR_RANGES];
	struct weir_repair_gap gaps[WEIR_REPAIR_RANGES + 1];
};

static inline void weir_kept_append(struct weir_kept_list *list, struct weir_kept *kept)
{
	kept->next = NULL;
	if (list->head == NULL)
		list->head = kept;
	else
		list->tail->next = kept;
	list->tail = kept;
}

/* Messages, filled by weir_inbox_run_fill(); NULL without memory. Freed by free(). */
struct weir_kept *weir_kept_run(const struct weir_inbox_slice *slice);
/* Sequences that will not come; NULL without memory. */
struct weir_kept *weir_kept_gap(uint64_t first, uint64_t end, uint16_t reason);

/* Where gap i begins; where it ends (the last one: at `top`, if that is not before). */
uint64_t weir_repair_gap_first(const struct weir_repair *repair, uint64_t next_seq, uint32_t i);
uint64_t weir_repair_gap_end(
	const struct weir_repair *repair, uint64_t next_seq, uint64_t top, uint32_t i);
/* Index of the first range that ends after `seq`: it has seq, or else gap i does. */
uint32_t weir_repair_find(const struct weir_repair *repair, uint64_t seq);
/*
 * [first, end), all of it in gap i and not at its very beginning unless i > 0, has come: `kept`
 * is the repair's now. False when there are too many ranges: nothing has changed.
 */
bool weir_repair_insert(struct weir_repair *repair, uint32_t i, uint64_t first, uint64_t end,
	struct weir_kept_list kept);
/* Remove the first range; what was kept in it is the caller's. There is one. */
struct weir_kept_list weir_repair_shift(struct weir_repair *repair);
