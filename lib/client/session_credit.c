/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session_private.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * What may be sent in all: what was sent, plus the part of the window that is free. Credit in
 * use by messages of a session before this one takes its share of the window too, so the inbox
 * never holds more than one window.
 */
static struct session_amount limit_now(const struct weir_session *session)
{
	struct session_amount limit = {
		session->position.messages + session->window.messages -
			least(session->held.messages, session->window.messages),
		session->position.bytes + session->window.bytes -
			least(session->held.bytes, session->window.bytes)};

	if (session->pull)
		limit.messages = least(limit.messages, session->pulled);
	if (limit.messages < session->limit.messages)
		limit.messages = session->limit.messages;
	if (limit.bytes < session->limit.bytes)
		limit.bytes = session->limit.bytes;
	return limit;
}

/* Absolute: the whole state, repeated until a HEARTBEAT confirms its counter. */
static void add_pause(const struct weir_session *session, struct weir_writer *writer)
{
	struct weir_frame_pause *pause =
		weir_writer_add(writer, WEIR_FRAME_PAUSE, 0, sizeof(*pause));

	if (pause == NULL)
		return;
	pause->counter = weir_be32(session->pause_counter);
	pause->scope = session->is_paused ? WEIR_PAUSE_ALL : WEIR_PAUSE_NONE;
}

void weir_session_send_credit(struct weir_session *session, uint64_t now_ns)
{
	uint8_t buffer[WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_credit) +
		       sizeof(struct weir_frame_pause)];
	struct session_amount held = {least(session->held.messages, session->position.messages),
		least(session->held.bytes, session->position.bytes)};
	struct weir_frame_credit *credit;
	struct weir_writer writer;

	session->limit = limit_now(session);
	weir_writer_begin(&writer, buffer, sizeof(buffer), session->id);
	credit = weir_writer_add(&writer, WEIR_FRAME_CREDIT, 0, sizeof(*credit));
	if (credit == NULL)
		return;
	credit->counter = weir_be32(++session->credit_counter);
	credit->limit_messages = weir_be64(session->limit.messages);
	credit->limit_bytes = weir_be64(session->limit.bytes);
	credit->consumed_messages = weir_be64(session->position.messages - held.messages);
	credit->consumed_bytes = weir_be64(session->position.bytes - held.bytes);
	credit->queue = weir_be32((uint32_t)session->inbox.count);
	credit->capacity = weir_be32((uint32_t)session->window.messages);
	if (session->pause_counter != session->pause_seen)
		add_pause(session, &writer);
	session->send_at = now_ns + session->heartbeat_ms * SESSION_NS_PER_MS;
	session->stats.credits_sent++;
	weir_session_send(session, &writer);
}

void weir_session_offer_credit(struct weir_session *session, uint64_t now_ns)
{
	struct session_amount limit;

	if (session->phase != SESSION_JOINED)
		return;
	limit = limit_now(session);
	if ((limit.messages - session->limit.messages) * 4 >= session->window.messages ||
		(limit.bytes - session->limit.bytes) * 4 >= session->window.bytes)
		weir_session_send_credit(session, now_ns);
}
