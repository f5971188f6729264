/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/frame_data.h"

/*
 * Messages received and not yet taken: one block of memory, used as a ring of runs. A run is
 * messages of a lane that followed one another in a frame, with the bytes that they came in: they
 * are copied together, and each is looked into when it is taken. Sized so that one window of
 * messages and bytes always fits, whatever their lengths and however they are cut into runs; what
 * does not fit was sent without credit. Pure; one thread.
 */

struct weir_inbox_run {
	uint32_t size;  /* of the whole record, a multiple of 8 */
	uint32_t bytes; /* payload of all its messages */
	uint32_t lane;  /* index, and the lane's life when it was queued */
	uint32_t life;
	uint32_t epoch;
	uint16_t stream_id;
	uint16_t count;                  /* messages, taken or not */
	uint64_t missed;                 /* sequences lost just before the next one */
	uint64_t received_at;            /* deadlines count from then on */
	struct weir_data_cursor waiting; /* those not taken, in `data` */
	uint8_t data[];
};

struct weir_inbox {
	uint8_t *memory; /* owned */
	size_t size;
	size_t head;  /* where the oldest run is */
	size_t tail;  /* where the next one goes */
	size_t wrap;  /* runs end here when tail has wrapped, else `size` */
	size_t runs;  /* the oldest may have been taken to its end */
	size_t timed; /* of them, those whose messages have deadlines */
	size_t count; /* messages not taken */
};

/* Messages of a frame that follow one another, to be copied. */
struct weir_inbox_slice {
	struct weir_data_cursor at; /* before the first */
	uint32_t size;              /* of all, in the frame */
	uint32_t bytes;             /* payload */
	uint16_t count;             /* not 0 */
};

/* Bytes of a run of these messages. */
size_t weir_inbox_run_size(const struct weir_inbox_slice *slice);
/* `run` has that size, and all that tells of the lane is the caller's to set. */
void weir_inbox_run_fill(struct weir_inbox_run *run, const struct weir_inbox_slice *slice);

/* 0 or -ENOMEM. `longest` is the largest datagram. */
int weir_inbox_open(struct weir_inbox *inbox, uint32_t messages, uint32_t bytes, uint32_t longest);
void weir_inbox_close(struct weir_inbox *inbox);
/* Messages at the end, filled as above; NULL: full. */
struct weir_inbox_run *weir_inbox_push(
	struct weir_inbox *inbox, const struct weir_inbox_slice *slice);
/* Let go of the oldest run, which was taken to its end. */
void weir_inbox_pop(struct weir_inbox *inbox);
/*
 * The run that the oldest message not taken is in, NULL when there is none. Whatever was taken of
 * the runs before is gone.
 */
static inline struct weir_inbox_run *weir_inbox_peek(struct weir_inbox *inbox)
{
	struct weir_inbox_run *run;

	while (inbox->runs > 0) {
		run = (struct weir_inbox_run *)(void *)(inbox->memory + inbox->head);
		if (run->waiting.left > 0)
			return run;
		weir_inbox_pop(inbox);
	}
	return NULL;
}
/* Take the oldest message of the run, weir_inbox_peek(). It stays in place until the next peek. */
static inline void weir_inbox_take(
	struct weir_inbox *inbox, struct weir_inbox_run *run, struct weir_data_item *item)
{
	weir_data_take(&run->waiting, item);
	inbox->count--;
}
