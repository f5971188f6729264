/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "wire/frame_context.h"

/*
 * Frames between a producer and the gateway, as docs/protocol.md specifies them. Read and
 * written as those of frame.h; the messages of a PRODUCE by weir_produce_open() and _next().
 */

#define WEIR_PRODUCE_ACK_RANGES_MAX 8
#define WEIR_PRODUCE_REFUSED        0x01 /* PRODUCE_ACK: some below `next` was not retained */
#define WEIR_PRODUCE_CONTEXT        0x01 /* message: a trace context precedes its key */

/* What holds a producer back. Number, stable name, text. */
#define WEIR_PACE_REASONS(X)                                                                       \
	X(NONE, 0, "none", "nothing")                                                              \
	X(RATE, 1, "rate", "the producer's rate limit")                                            \
	X(WINDOW, 2, "window", "messages not acknowledged yet")                                    \
	X(RING_FULL, 3, "ring_full", "the stream's rings or buffers are full")                     \
	X(NO_OWNER, 4, "no_owner", "no group takes the stream")                                    \
	X(SHED, 5, "shed", "its tier is being shed")

enum weir_pace_reason {
#define X(id, number, name, text) WEIR_PACE_##id = number,
	WEIR_PACE_REASONS(X)
#undef X
		WEIR_PACE_REASON_COUNT
};

struct weir_frame_produce {
	struct weir_frame_header header;
	uint32_t producer_epoch; /* chosen at start; a higher one begins at counter 1 again */
	uint64_t counter;        /* number of the first message, from 1 */
	uint16_t count;          /* messages, at least 1 */
	uint8_t tier;            /* 0 critical, 1 standard, 2 bulk */
	uint8_t reserved1;
	uint32_t time_left_us; /* of all its messages to their deadline; 0: they have none */
	uint64_t clock_ns;     /* the producer's, when sent */
	uint64_t oldest;       /* below it nothing comes any more: retained, or given up */
	uint8_t messages[];
} WEIR_PACKED;

struct weir_frame_produce_message {
	uint16_t length;        /* payload, bytes */
	uint8_t key_length;     /* 0: the stream's own key, of the payload */
	uint8_t flags;          /* WEIR_PRODUCE_CONTEXT */
	uint16_t counter_delta; /* its number = counter + this; strictly rising, first is 0 */
	uint16_t reserved;
	/* then the trace context if there is one, the key, the payload, zeros up to a multiple
	   of 4 */
} WEIR_PACKED;

struct weir_frame_produce_range {
	uint64_t first;
	uint64_t end;
} WEIR_PACKED;

struct weir_frame_produce_ack {
	struct weir_frame_header header;
	uint32_t producer_epoch;
	uint64_t next;  /* all below were retained or refused */
	uint16_t count; /* ranges */
	uint16_t flags; /* WEIR_PRODUCE_REFUSED */
	uint32_t reserved;
	uint64_t newest; /* highest number seen */
	struct weir_frame_produce_range
		ranges[]; /* missing, at or above next; rising, not touching */
} WEIR_PACKED;

struct weir_frame_pace {
	struct weir_frame_header header;
	uint32_t counter;
	uint64_t limit_messages; /* highest number that may be sent; only grows */
	uint64_t limit_bytes;    /* payload sent so far may reach this; only grows */
	uint32_t rate_pps;       /* 0: no limit */
	uint32_t rate_kbps;
	uint16_t reason; /* enum weir_pace_reason */
	uint16_t reserved;
	uint32_t retry_ms;
} WEIR_PACKED;

_Static_assert(sizeof(struct weir_frame_produce) == 40, "PRODUCE");
_Static_assert(sizeof(struct weir_frame_produce_message) == 8, "PRODUCE message");
_Static_assert(sizeof(struct weir_frame_produce_ack) == 32, "PRODUCE_ACK");
_Static_assert(sizeof(struct weir_frame_pace) == 40, "PACE");

/* One message, host order. Pointers into the datagram. */
struct weir_produce_item {
	uint64_t counter;
	const struct weir_frame_context *context; /* NULL: none */
	const uint8_t *key;
	const uint8_t *payload;
	uint16_t length;
	uint8_t key_length;
};

struct weir_produce_cursor {
	const uint8_t *next;
	uint64_t counter;
	uint16_t left;
};

/* Bytes of trace context that flags announce. */
static inline uint32_t weir_produce_context(uint8_t flags)
{
	return flags & WEIR_PRODUCE_CONTEXT ? (uint32_t)sizeof(struct weir_frame_context) : 0;
}

/* Bytes that a message takes in a frame. */
static inline uint32_t weir_produce_size(uint16_t length, uint8_t key_length, uint8_t flags)
{
	return ((uint32_t)sizeof(struct weir_frame_produce_message) + weir_produce_context(flags) +
		       key_length + length + 3) &
	       ~UINT32_C(3);
}

static inline void weir_produce_open(
	struct weir_produce_cursor *cursor, const struct weir_frame_produce *frame)
{
	cursor->next = frame->messages;
	cursor->counter = weir_be64(frame->counter);
	cursor->left = weir_be16(frame->count);
}

/* The next message; false after the last. */
static inline bool weir_produce_next(
	struct weir_produce_cursor *cursor, struct weir_produce_item *item)
{
	const struct weir_frame_produce_message *message;

	if (cursor->left == 0)
		return false;
	cursor->left--;
	message = (const struct weir_frame_produce_message *)(const void *)cursor->next;
	item->counter = cursor->counter + weir_be16(message->counter_delta);
	item->length = weir_be16(message->length);
	item->key_length = message->key_length;
	item->context = message->flags & WEIR_PRODUCE_CONTEXT
				? (const void *)(cursor->next + sizeof(*message))
				: NULL;
	item->key = cursor->next + sizeof(*message) + weir_produce_context(message->flags);
	item->payload = item->key + item->key_length;
	cursor->next += weir_produce_size(item->length, item->key_length, message->flags);
	return true;
}
