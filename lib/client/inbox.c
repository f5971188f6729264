/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/inbox.h"

#include <errno.h>
#include <stdlib.h>

#define ALIGN 8

static size_t record_size(size_t length)
{
	return (offsetof(struct weir_inbox_entry, data) + length + ALIGN - 1) &
	       ~(size_t)(ALIGN - 1);
}

int weir_inbox_open(struct weir_inbox *inbox, uint32_t messages, uint32_t bytes, uint32_t longest)
{
	/* A record does not wrap, so up to one of them is wasted at the end; and a full ring is
	 * told from an empty one by `count`. */
	*inbox = (struct weir_inbox){
		.size = record_size(weir_inbox_data(0, true)) * messages +
			(size_t)ALIGN * messages + bytes +
			record_size(longest + sizeof(struct weir_trace_context))};
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

struct weir_inbox_entry *weir_inbox_push(struct weir_inbox *inbox, uint16_t length, bool has_trace)
{
	size_t size = record_size(weir_inbox_data(length, has_trace));
	struct weir_inbox_entry *entry;

	if (inbox->count == 0) {
		inbox->head = inbox->tail = 0;
		inbox->wrap = inbox->size;
	}
	if (inbox->count > 0 && inbox->tail <= inbox->head) {
		if (size > inbox->head - inbox->tail)
			return NULL;
	} else if (size > inbox->size - inbox->tail) {
		if (size > inbox->head)
			return NULL;
		inbox->wrap = inbox->tail;
		inbox->tail = 0;
	}
	entry = (struct weir_inbox_entry *)(void *)(inbox->memory + inbox->tail);
	entry->size = (uint32_t)size;
	entry->length = length;
	entry->has_trace = has_trace;
	inbox->tail += size;
	inbox->count++;
	return entry;
}

struct weir_inbox_entry *weir_inbox_peek(const struct weir_inbox *inbox)
{
	if (inbox->count == 0)
		return NULL;
	return (struct weir_inbox_entry *)(void *)(inbox->memory + inbox->head);
}

void weir_inbox_pop(struct weir_inbox *inbox)
{
	inbox->head += weir_inbox_peek(inbox)->size;
	inbox->count--;
	if (inbox->head == inbox->wrap) {
		inbox->head = 0;
		inbox->wrap = inbox->size;
	}
}
