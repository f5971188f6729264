/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/producer_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/producer_private.h"

#define EPOCH_NS (UINT64_C(1) << 23) /* 8 ms, of UTC */

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Nothing of the bytes that a client has from its system tells two starts apart but the time. It
 * begins at the start of an epoch, and sends nothing before: who had its name has begun in an
 * earlier one.
 */
static void choose_epoch(struct weir_producer_session *session, uint64_t now_ns)
{
	const struct weir_session_io *io = &session->link.io;
	uint64_t utc_ns = io->utc_ns != NULL ? io->utc_ns(io->context) : 0;

	if (utc_ns == 0) {
		session->epoch = (uint32_t)io->random(io->context);
	} else {
		session->epoch = (uint32_t)(utc_ns / EPOCH_NS + 1);
		now_ns += EPOCH_NS - utc_ns % EPOCH_NS;
	}
	if (session->epoch == 0)
		session->epoch = 1;
	weir_producer_session_greet(session, now_ns);
}

int weir_producer_session_create(const struct weir_producer_options *options,
	const struct weir_session_io *io, uint64_t now_ns, struct weir_producer_session **result)
{
	uint32_t messages = options->window_messages != 0 ? options->window_messages
							  : WEIR_PRODUCER_WINDOW_MESSAGES;
	uint32_t bytes =
		options->window_bytes != 0 ? options->window_bytes : WEIR_PRODUCER_WINDOW_BYTES;
	struct weir_producer_session *session = calloc(1, sizeof(*session));
	int error;

	*result = NULL;
	if (session == NULL)
		return -ENOMEM;
	session->link.io = *io;
	error = weir_producer_session_set_options(session, options);
	if (error == 0)
		error = weir_produce_store_open(&session->store, messages, bytes);
	if (error != 0) {
		weir_producer_session_destroy(session);
		return error;
	}
	choose_epoch(session, now_ns);
	*result = session;
	return 0;
}

void weir_producer_session_destroy(struct weir_producer_session *session)
{
	if (session == NULL)
		return;
	weir_produce_store_close(&session->store);
	weir_guard_close(&session->link.guard);
	free(session);
}

static void refused(struct weir_producer_session *session, enum weir_reason reason)
{
	switch (reason) {
	case WEIR_REASON_FRAME_SESSION:
		session->stats.foreign++;
		return;
	case WEIR_REASON_FRAME_TAG:
	case WEIR_REASON_FRAME_REPLAY:
		session->stats.unauthentic++;
		return;
	default:
		session->stats.malformed++;
	}
}

static void on_error(struct weir_producer_session *session, const struct weir_frame_error *frame,
	uint64_t now_ns)
{
	uint16_t code = weir_be16(frame->code);

	if (code == WEIR_ERROR_SESSION)
		weir_producer_session_lose(session, code, now_ns);
	else
		session->stats.code = code;
}

/* False: the session has ended, the rest of the datagram is nobody's. */
static bool take_frame(struct weir_producer_session *session, const struct weir_frame_header *frame,
	uint64_t now_ns, bool *is_ours)
{
	switch ((enum weir_frame_type)frame->type) {
	case WEIR_FRAME_PRODUCE_ACK:
		*is_ours = weir_producer_on_ack(session, (const void *)frame, now_ns);
		break;
	case WEIR_FRAME_PACE:
		if (*is_ours)
			weir_producer_on_pace(session, (const void *)frame);
		break;
	case WEIR_FRAME_ERROR:
		on_error(session, (const void *)frame, now_ns);
		break;
	case WEIR_FRAME_LEAVE:
		weir_producer_session_lose(session,
			weir_be16(((const struct weir_frame_leave *)frame)->reason), now_ns);
		break;
	default:
		break;
	}
	return session->phase == PRODUCER_JOINED;
}

void weir_producer_session_receive(
	struct weir_producer_session *session, const void *data, size_t length, uint64_t now_ns)
{
	const struct weir_frame_header *frame;
	struct weir_frame_cursor cursor;
	enum weir_reason reason;
	bool is_ours = false;

	if (session->phase == PRODUCER_CLOSED)
		return;
	reason = weir_link_open(&session->link, &cursor, data, length);
	if (reason != WEIR_REASON_NONE) {
		refused(session, reason);
		return;
	}
	if (cursor.session != session->link.session) {
		session->stats.foreign++;
		return;
	}
	if (cursor.session == 0) {
		while ((frame = weir_frame_next(&cursor)) != NULL)
			weir_producer_session_on_greeting(session, frame, now_ns);
		return;
	}
	session->heard_at = now_ns;
	while ((frame = weir_frame_next(&cursor)) != NULL)
		if (!take_frame(session, frame, now_ns, &is_ours))
			return;
	weir_producer_transmit(session, now_ns);
}

uint64_t weir_producer_session_deadline_ns(const struct weir_producer_session *session)
{
	uint64_t at = lower(
		session->heard_at + session->liveness_ns, session->said_at + session->heartbeat_ns);

	if (session->phase == PRODUCER_CLOSED)
		return UINT64_MAX;
	if (session->phase == PRODUCER_GREETING)
		return weir_greeting_deadline_ns(&session->greeting);
	if (weir_producer_has_something(session))
		at = session->is_answered ? 0 : lower(at, session->wait_until);
	if (weir_producer_expects(session))
		at = lower(at, session->probe_at);
	return at;
}

void weir_producer_session_tick(struct weir_producer_session *session, uint64_t now_ns)
{
	if (session->phase == PRODUCER_CLOSED)
		return;
	if (session->phase == PRODUCER_JOINED && now_ns >= session->heard_at + session->liveness_ns)
		weir_producer_session_lose(session, WEIR_ERROR_SILENT, now_ns);
	if (session->phase == PRODUCER_GREETING) {
		if (now_ns >= weir_greeting_deadline_ns(&session->greeting))
			weir_producer_session_hello(session, now_ns);
		return;
	}
	if (!session->is_answered && now_ns >= session->wait_until)
		session->is_answered = true;
	if (weir_producer_expects(session) && now_ns >= session->probe_at)
		weir_producer_probe(session, now_ns);
	weir_producer_transmit(session, now_ns);
	if (now_ns >= session->said_at + session->heartbeat_ns)
		weir_producer_say(session, now_ns);
}

/* What is in the way of the next message; NOTHING when there is room for it. */
static enum weir_held_by find_gate(
	const struct weir_producer_session *session, const struct weir_produced *message)
{
	static const enum weir_held_by reasons[WEIR_PACE_REASON_COUNT] = {
		[WEIR_PACE_NONE] = WEIR_HELD_BY_WINDOW,
		[WEIR_PACE_RATE] = WEIR_HELD_BY_RATE,
		[WEIR_PACE_WINDOW] = WEIR_HELD_BY_WINDOW,
		[WEIR_PACE_RING_FULL] = WEIR_HELD_BY_RING_FULL,
		[WEIR_PACE_NO_OWNER] = WEIR_HELD_BY_NO_OWNER,
		[WEIR_PACE_SHED] = WEIR_HELD_BY_SHED,
	};

	if (session->phase != PRODUCER_JOINED)
		return WEIR_HELD_BY_CLOSED;
	if (session->store.next > weir_producer_limit(session) ||
		(session->is_known && session->bytes + message->length > session->limit_bytes) ||
		weir_produce_count(&session->store) >= session->store.max_messages)
		return reasons[session->pace_reason];
	return WEIR_HELD_BY_NOTHING;
}

static int hold(
	struct weir_producer_session *session, enum weir_held_by why, enum weir_held_by *held_by)
{
	session->stats.held[why]++;
	if (held_by != NULL)
		*held_by = why;
	return 0;
}

static uint8_t *put_context(uint8_t *bytes, const struct weir_trace_context *context)
{
	struct weir_frame_context wire = {.flags = context->flags};

	memcpy(wire.trace_id, context->trace_id, sizeof(wire.trace_id));
	memcpy(wire.span_id, context->span_id, sizeof(wire.span_id));
	memcpy(bytes, &wire, sizeof(wire));
	return bytes + sizeof(wire);
}

static void fill(struct weir_producer_session *session, const struct weir_produced *message,
	struct produce_entry *entry, uint8_t *bytes, uint64_t now_ns)
{
	entry->tier = message->tier == WEIR_PRODUCE_DEFAULT
			      ? session->tier
			      : (uint8_t)(message->tier - WEIR_PRODUCE_CRITICAL);
	if (message->deadline_ms != 0)
		entry->deadline_ns = now_ns + message->deadline_ms * PRODUCER_NS_PER_MS;
	if (message->context != NULL)
		bytes = put_context(bytes, message->context);
	if (message->key_length != 0)
		memcpy(bytes, message->key, message->key_length);
	if (message->length != 0)
		memcpy(bytes + message->key_length, message->data, message->length);
	session->stats.taken++;
	session->stats.taken_bytes += message->length;
	session->bytes += message->length;
}

int weir_producer_session_send(struct weir_producer_session *session,
	const struct weir_produced *message, uint64_t now_ns, enum weir_held_by *held_by)
{
	bool has_context = message->context != NULL;
	uint32_t size = weir_produce_size(message->length, message->key_length,
		weir_producer_flags(session, message->length, message->key_length, has_context));
	uint32_t room = weir_producer_room(session->max_datagram);
	enum weir_held_by why = find_gate(session, message);
	struct produce_entry *entry;
	uint8_t *bytes;

	if ((unsigned int)message->tier > WEIR_PRODUCE_BULK)
		return -EINVAL;
	if (size > room)
		return -EMSGSIZE;
	if (why != WEIR_HELD_BY_NOTHING)
		return hold(session, why, held_by);
	/* It goes by its own, and what came before as it is. */
	if (session->gathered != 0 && session->gathered + size > room)
		weir_producer_transmit(session, now_ns);
	entry = weir_produce_add(
		&session->store, message->length, message->key_length, has_context, &bytes);
	if (entry == NULL)
		return hold(session, WEIR_HELD_BY_WINDOW, held_by);
	fill(session, message, entry, bytes, now_ns);
	session->gathered += size;
	if (held_by != NULL)
		*held_by = WEIR_HELD_BY_NOTHING;
	return WEIR_SENT;
}

void weir_producer_session_flush(struct weir_producer_session *session, uint64_t now_ns)
{
	if (session->phase == PRODUCER_JOINED)
		weir_producer_transmit(session, now_ns);
}

void weir_producer_session_stats(
	const struct weir_producer_session *session, struct weir_producer_stats *stats)
{
	uint64_t limit = weir_producer_limit(session);

	*stats = session->stats;
	stats->state = session->phase == PRODUCER_CLOSED   ? WEIR_PRODUCER_CLOSED
		       : session->phase == PRODUCER_JOINED ? WEIR_PRODUCER_JOINED
							   : WEIR_PRODUCER_CONNECTING;
	stats->session = session->link.session;
	stats->send_errors = session->link.send_errors;
	stats->outstanding = stats->taken - stats->acknowledged - stats->expired - stats->too_big;
	stats->allowed = session->phase == PRODUCER_JOINED && limit >= session->store.next
				 ? limit + 1 - session->store.next
				 : 0;
	stats->rtt_us = (uint32_t)(session->rtt_ns / 1000);
}

void weir_producer_session_leave(struct weir_producer_session *session)
{
	uint8_t buffer[WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_leave) + WEIR_LINK_SPARE];
	struct weir_frame_leave *leave;
	struct weir_writer writer;

	if (session->phase == PRODUCER_JOINED) {
		weir_link_begin(&session->link, &writer, buffer, sizeof(buffer));
		leave = weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(*leave));
		if (leave != NULL) {
			leave->reason = weir_be16(WEIR_ERROR_CLOSED);
			weir_link_send(&session->link, &writer);
		}
	}
	session->phase = PRODUCER_CLOSED;
	session->link.session = 0;
}
