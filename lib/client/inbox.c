/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 8
/* Of a message in a run of its own: all but the payload, at most. */
#define BESIDE                                                                                     \
	(sizeof(struct weir_inbox_run) + sizeof(struct weir_frame_message) + 16 +                  \
		sizeof(struct weir_frame_context) + 2 * ALIGN)

static size_t run_size(size_t data)
{
	return (sizeof(struct weir_inbox_run) + data + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

/* Where a run of that size goes, NULL: nowhere. */
static struct weir_inbox_run *place(struct weir_inbox *inbox, size_t size)
{
	if (inbox->runs == 0) {
		inbox->head = inbox->tail = 0;
		inbox->wrap = inbox->size;
	}
	if (inbox->runs > 0 && inbox->tail <= inbox->head) {
		if (size > inbox->head - inbox->tail)
			return NULL;
	} else if (size > inbox->size - inbox->tail) {
		if (size > inbox->head)
			return NULL;
		inbox->wrap = inbox->tail;
		inbox->tail = 0;
	}
	return (struct weir_inbox_run *)(void *)(inbox->memory + inbox->tail);
}

size_t weir_inbox_run_size(const struct weir_inbox_slice *slice)
{
	return run_size(slice->size);
}

void weir_inbox_run_fill(struct weir_inbox_run *run, const struct weir_inbox_slice *slice)
{
	run->size = (uint32_t)run_size(slice->size);
	run->bytes = slice->bytes;
	run->count = slice->count;
	run->waiting = slice->at;
	run->waiting.next = run->data;
	run->waiting.left = slice->count;
	memcpy(run->data, slice->at.next, slice->size);
}

int weir_inbox_open(struct weir_inbox *inbox, uint32_t messages, uint32_t bytes, uint32_t longest)
{
	/*
	 * A run does not wrap, so up to one of them is wasted at the end; the oldest is there to
	 * its end however much of it was taken; and a full ring is told from an empty one by
	 * `runs`.
	 */
	*inbox = (struct weir_inbox){.size = BESIDE * messages + bytes + 2 * run_size(longest)};
	inbox->size = (inbox->size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	inbox->wrap = inbox->size;
	inbox->memory = malloc(inbox->size);
	return inbox->memory != NULL ? 0 : -ENOMEM;
}

void weir_inbox_close(struct weir_inbox *inbox)
{
	free(inbox->memory);
	inbox->memory = NULL;
}

struct weir_inbox_run *weir_inbox_push(
	struct weir_inbox *inbox, const struct weir_inbox_slice *slice)
{
	struct weir_inbox_run *run = place(inbox, run_size(slice->size));

	if (run == NULL)
		return NULL;
	weir_inbox_run_fill(run, slice);
	inbox->tail += run->size;
	inbox->runs++;
	inbox->timed += run->waiting.time_left_us != 0;
	inbox->count += run->count;
	return run;
}

void weir_inbox_pop(struct weir_inbox *inbox)
{
	const struct weir_inbox_run *run = (const void *)(inbox->memory + inbox->head);

	inbox->runs--;
	inbox->timed -= run->waiting.time_left_us != 0;
	inbox->head += run->size;
	if (inbox->head == inbox->wrap) {
		inbox->head = 0;
		inbox->wrap = inbox->size;
	}
}
