/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "wire/frame_context.h"

/*
 * DATA frames, written and read. The gateway writes them straight into packet memory: begin,
 * add a message at a time and copy its payload to the address returned, end. Freestanding, as
 * frame.h.
 */

/* How far a deadline as read may lie from the one that was written. */
#define WEIR_DATA_DEADLINE_US 1000

/* One lane of one session as its worker keeps it, host order. */
struct weir_data_lane {
	uint16_t stream;
	uint16_t partition;
	uint32_t epoch;
	uint64_t first;    /* sequence at which the lane began in this epoch */
	uint64_t messages; /* sent before this frame, in this session */
	uint64_t bytes;
};

/* One message, host order: what is written, and what is read. */
struct weir_data_item {
	uint64_t seq;
	uint64_t ingest_ns;
	const uint8_t *source; /* 4 or 16 bytes by `flags`; NULL without WEIR_MESSAGE_ADDRESS */
	const struct weir_frame_context *context; /* NULL without WEIR_MESSAGE_CONTEXT */
	const uint8_t *payload; /* set by weir_data_next(); weir_data_add() does not use it */
	uint16_t length;
	uint16_t source_port;
	uint32_t time_left_us; /* from now to its deadline, at least 1; 0: it has none */
	uint8_t flags;         /* WEIR_MESSAGE_* */
	uint8_t tos;
};

struct weir_data_writer {
	struct weir_writer *writer;
	struct weir_frame_data *frame;
	uint64_t seq;
	uint64_t ingest_ns;    /* of the first message */
	uint32_t time_left_us; /* likewise */
	uint32_t used;         /* bytes of the frame so far */
	uint32_t room;         /* of the frame at most */
	uint32_t bytes;        /* payload so far */
	uint16_t count;
};

/* Source address bytes that flags announce. */
static inline uint32_t weir_message_address(uint8_t flags)
{
	if (!(flags & WEIR_MESSAGE_ADDRESS))
		return 0;
	return flags & WEIR_MESSAGE_IPV6 ? 16 : 4;
}

/* Trace context bytes likewise. */
static inline uint32_t weir_message_context(uint8_t flags)
{
	return flags & WEIR_MESSAGE_CONTEXT ? (uint32_t)sizeof(struct weir_frame_context) : 0;
}

/* Bytes that a message takes in a frame, with so many behind its fixed part. */
static inline uint32_t weir_message_padded(uint32_t behind)
{
	return ((uint32_t)sizeof(struct weir_frame_message) + behind + 3) & ~UINT32_C(3);
}

/* The same. Most have neither address nor context. */
static inline uint32_t weir_message_size(uint16_t length, uint8_t flags)
{
	uint32_t behind = length;

	if (flags & (WEIR_MESSAGE_ADDRESS | WEIR_MESSAGE_CONTEXT))
		behind += weir_message_address(flags) + weir_message_context(flags);
	return weir_message_padded(behind);
}

/*
 * Largest payload that fits a datagram of `max_datagram` bytes alone in its frame, whatever its
 * source address.
 */
static inline uint32_t weir_data_max_payload(uint32_t max_datagram)
{
	uint32_t frame = (max_datagram - WEIR_DATAGRAM_HEADER) & ~(uint32_t)(WEIR_FRAME_ALIGN - 1);

	return frame -
	       (uint32_t)(sizeof(struct weir_frame_data) + sizeof(struct weir_frame_message)) - 16;
}

/*
 * Start a frame whose first covered sequence is `seq`: where the lane's last frame ended, unless
 * something between was given up. False when not even an empty frame fits. Nothing is appended
 * before weir_data_end().
 */
static inline bool weir_data_begin(struct weir_data_writer *data, struct weir_writer *writer,
	const struct weir_data_lane *lane, uint64_t seq)
{
	uint32_t room = (writer->size - writer->length) & ~(uint32_t)(WEIR_FRAME_ALIGN - 1);
	struct weir_frame_data *frame =
		(struct weir_frame_data *)(void *)(writer->data + writer->length);

	if (room < sizeof(*frame))
		return false;
	data->writer = writer;
	data->frame = frame;
	data->seq = seq;
	data->ingest_ns = 0;
	data->time_left_us = 0;
	data->used = sizeof(*frame);
	data->room = room < UINT16_MAX ? room : UINT16_MAX - (WEIR_FRAME_ALIGN - 1);
	data->bytes = 0;
	data->count = 0;
	frame->stream = weir_be16(lane->stream);
	frame->partition = weir_be16(lane->partition);
	frame->epoch = weir_be32(lane->epoch);
	frame->seq = weir_be64(seq);
	frame->lane_first = weir_be64(lane->first);
	frame->lane_messages = weir_be64(lane->messages);
	frame->lane_bytes = weir_be64(lane->bytes);
	frame->reserved = 0;
	return true;
}

/* Microseconds from the first message's arrival; never negative, saturates. */
static inline uint32_t weir_data_delta_us(uint64_t first_ns, uint64_t ingest_ns)
{
	uint64_t us = ingest_ns > first_ns ? (ingest_ns - first_ns) / 1000 : 0;

	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

/* A message's time left: its frame's first has `first_us`, and it arrived `delta_us` later. */
static inline uint32_t weir_data_time_left_us(uint32_t first_us, uint32_t delta_us)
{
	if (first_us == 0)
		return 0;
	return first_us < UINT32_MAX - delta_us ? first_us + delta_us : UINT32_MAX;
}

/* True when a reader will find the message's deadline, give or take a millisecond. */
static inline bool weir_data_deadline_follows(
	const struct weir_data_writer *data, const struct weir_data_item *item)
{
	uint32_t found_us;

	if ((data->time_left_us | item->time_left_us) == 0 || data->count == 0)
		return true;
	if (data->time_left_us == 0 || item->time_left_us == 0)
		return false;
	found_us = weir_data_time_left_us(
		data->time_left_us, weir_data_delta_us(data->ingest_ns, item->ingest_ns));
	return (found_us > item->time_left_us
			       ? found_us - item->time_left_us
			       : item->time_left_us - found_us) <= WEIR_DATA_DEADLINE_US;
}

/*
 * Append a message; sequences must rise. Returns where its `length` bytes of payload go (the
 * caller writes all of them), or NULL when it does not fit, lies 65,536 or more sequences after
 * the frame's first, or its deadline does not follow from the first one's: then end this frame
 * and begin another.
 */
static inline uint8_t *weir_data_add(
	struct weir_data_writer *data, const struct weir_data_item *item)
{
	uint32_t address = weir_message_address(item->flags);
	uint32_t context = weir_message_context(item->flags);
	uint32_t size = weir_message_padded(address + context + item->length);
	uint8_t *place = (uint8_t *)data->frame + data->used;
	struct weir_frame_message *message = (struct weir_frame_message *)(void *)place;
	uint64_t delta = item->seq - data->seq;

	if (size > data->room - data->used || delta > UINT16_MAX || data->count == UINT16_MAX ||
		!weir_data_deadline_follows(data, item))
		return NULL;
	if (data->count == 0) {
		data->ingest_ns = item->ingest_ns;
		data->time_left_us = item->time_left_us;
	}
	__builtin_memset(place + size - 4, 0, 4);
	message->length = weir_be16(item->length);
	message->seq_delta = weir_be16((uint16_t)delta);
	message->ingest_delta_us = weir_be32(weir_data_delta_us(data->ingest_ns, item->ingest_ns));
	message->source_port = weir_be16(item->source_port);
	message->flags = item->flags;
	message->tos = item->tos;
	place += sizeof(*message);
	if (address != 0)
		__builtin_memcpy(place, item->source, address);
	if (context != 0)
		__builtin_memcpy(place + address, item->context, context);
	data->used += size;
	data->bytes += item->length;
	data->count++;
	return place + address + context;
}

/*
 * Close the frame: it covers the sequences up to, not including, `end_seq`; those without a
 * message were left out for this group. `end_seq` is after the last message and at most 2^32 - 1
 * after the first sequence. `flags` are WEIR_DATA_*.
 */
static inline void weir_data_end(struct weir_data_writer *data, uint64_t end_seq, uint8_t flags)
{
	struct weir_writer *writer = data->writer;
	struct weir_frame_data *frame = data->frame;
	uint32_t length = weir_frame_padded(data->used);

	if (length != data->used)
		__builtin_memset((uint8_t *)frame + data->used, 0, length - data->used);
	frame->header.type = WEIR_FRAME_DATA;
	frame->header.flags = flags;
	frame->header.length = weir_be16((uint16_t)length);
	frame->covered = weir_be32((uint32_t)(end_seq - data->seq));
	frame->ingest_ns = weir_be64(data->ingest_ns);
	frame->time_left_us = weir_be32(data->time_left_us);
	frame->count = weir_be16(data->count);
	writer->length += length;
	writer->frames++;
	((struct weir_datagram_header *)(void *)writer->data)->frame_count =
		weir_be16(writer->frames);
}

/* Messages of a DATA frame from an opened datagram; borrows it. */
struct weir_data_cursor {
	const uint8_t *next;
	uint64_t seq;
	uint64_t ingest_ns;
	uint32_t time_left_us; /* of the first message */
	uint16_t left;
};

static inline void weir_data_open(
	struct weir_data_cursor *cursor, const struct weir_frame_data *frame)
{
	cursor->next = frame->messages;
	cursor->seq = weir_be64(frame->seq);
	cursor->ingest_ns = weir_be64(frame->ingest_ns);
	cursor->time_left_us = weir_be32(frame->time_left_us);
	cursor->left = weir_be16(frame->count);
}

/* The sequence of the next message; there is one. */
static inline uint64_t weir_data_seq(const struct weir_data_cursor *cursor)
{
	const struct weir_frame_message *message = (const void *)cursor->next;

	return cursor->seq + weir_be16(message->seq_delta);
}

/* Past the next message, which there is; the length of its payload. */
static inline uint16_t weir_data_pass(struct weir_data_cursor *cursor)
{
	const struct weir_frame_message *message = (const void *)cursor->next;
	uint16_t length = weir_be16(message->length);

	cursor->next += weir_message_size(length, message->flags);
	cursor->left--;
	return length;
}

/* The next message, which there is. Its pointers point into the datagram. */
static inline void weir_data_take(struct weir_data_cursor *cursor, struct weir_data_item *item)
{
	const struct weir_frame_message *message = (const void *)cursor->next;
	const uint8_t *behind = (const uint8_t *)(message + 1);
	uint32_t delta_us = weir_be32(message->ingest_delta_us);

	item->seq = weir_data_seq(cursor);
	item->ingest_ns = cursor->ingest_ns + (uint64_t)delta_us * 1000;
	item->time_left_us = weir_data_time_left_us(cursor->time_left_us, delta_us);
	item->length = weir_be16(message->length);
	item->source_port = weir_be16(message->source_port);
	item->flags = message->flags;
	item->tos = message->tos;
	item->source = NULL;
	item->context = NULL;
	if (item->flags & WEIR_MESSAGE_ADDRESS) {
		item->source = behind;
		behind += weir_message_address(item->flags);
	}
	if (item->flags & WEIR_MESSAGE_CONTEXT) {
		item->context = (const void *)behind;
		behind += sizeof(*item->context);
	}
	item->payload = behind;
	cursor->next += (behind - cursor->next + item->length + 3) & ~3;
	cursor->left--;
}

/* The same; false after the last. */
static inline bool weir_data_next(struct weir_data_cursor *cursor, struct weir_data_item *item)
{
	if (cursor->left == 0)
		return false;
	weir_data_take(cursor, item);
	return true;
}
