/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/weir.h"

/*
 * Messages received and not yet taken: one block of memory, used as a ring of records of
 * different lengths. Sized so that one window of messages and bytes always fits, whatever
 * their lengths; what does not fit was sent without credit. Pure; one thread.
 */

struct weir_inbox_entry {
	uint32_t size; /* of the record, this structure included */
	uint16_t length;
	uint16_t stream_id;
	const char *stream; /* interned by the session */
	uint64_t seq;
	uint64_t missed;
	uint64_t ingest_ns;
	uint64_t expires_at; /* not to be handed out from then on; 0: never */
	uint32_t lane;       /* index, and the lane's life when it was queued */
	uint32_t life;
	uint32_t epoch;
	uint16_t partition;
	uint16_t source_port;
	uint8_t source[16];
	uint8_t source_family;
	uint8_t flags;
	uint8_t tos;
	bool has_trace;
	uint8_t data[]; /* the payload, and behind it the trace context if there is one */
};

struct weir_inbox {
	uint8_t *memory; /* owned */
	size_t size;
	size_t head;  /* where the oldest record is */
	size_t tail;  /* where the next one goes */
	size_t wrap;  /* records end here when tail has wrapped, else `size` */
	size_t count; /* records */
};

/* 0 or -ENOMEM. `longest` is the largest payload of one message. */
int weir_inbox_open(struct weir_inbox *inbox, uint32_t messages, uint32_t bytes, uint32_t longest);
void weir_inbox_close(struct weir_inbox *inbox);
/*
 * Room for a message of `length` bytes at the end; NULL: full. `size`, `length` and `has_trace`
 * are set.
 */
struct weir_inbox_entry *weir_inbox_push(struct weir_inbox *inbox, uint16_t length, bool has_trace);
/* Bytes of `data`. */
static inline size_t weir_inbox_data(uint16_t length, bool has_trace)
{
	return length + (has_trace ? sizeof(struct weir_trace_context) : 0);
}
/* The oldest message, NULL when empty. Stays until weir_inbox_pop(). */
struct weir_inbox_entry *weir_inbox_peek(const struct weir_inbox *inbox);
/* Drop the oldest; there is one. */
void weir_inbox_pop(struct weir_inbox *inbox);
