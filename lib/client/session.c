/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/session_private.h"

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void frame_take(
	struct weir_session *session, const struct weir_frame_header *frame, uint64_t now_ns)
{
	bool is_joined = session->phase == SESSION_JOINED;
	uint16_t reason;

	switch ((enum weir_frame_type)frame->type) {
	case WEIR_FRAME_ERROR:
		weir_session_on_error(session, (const void *)frame, now_ns);
		return;
	case WEIR_FRAME_LEAVE:
		reason = weir_be16(((const struct weir_frame_leave *)(const void *)frame)->reason);
		weir_session_lose(session, reason, now_ns);
		return;
	case WEIR_FRAME_SUBSCRIBED:
		weir_session_on_subscribed(session, (const void *)frame, now_ns);
		return;
	case WEIR_FRAME_DATA:
		if (is_joined)
			weir_session_on_data(session, (const void *)frame, now_ns);
		return;
	case WEIR_FRAME_HEARTBEAT:
		if (is_joined)
			weir_session_on_heartbeat(session, (const void *)frame, now_ns);
		return;
	case WEIR_FRAME_ASSIGN:
	case WEIR_FRAME_REVOKE:
		if (is_joined)
			weir_session_on_handover(session, (const void *)frame, now_ns);
		return;
	case WEIR_FRAME_GAP:
		if (is_joined)
			weir_session_on_gap(session, (const void *)frame, now_ns);
		return;
	default:
		return;
	}
}

int weir_session_create(const struct weir_consumer_options *options,
	const struct weir_session_io *io, uint64_t now_ns, struct weir_session **result)
{
	struct weir_session *session = calloc(1, sizeof(*session));
	int error;

	*result = NULL;
	if (session == NULL)
		return -ENOMEM;
	session->link.io = *io;
	error = weir_session_set_options(session, options);
	/* One more than the window: a message may be consumed while it is still in hand. */
	if (error == 0)
		error = weir_inbox_open(&session->inbox, (uint32_t)session->window.messages + 1,
			(uint32_t)session->window.bytes + session->greeting.max_datagram,
			session->greeting.max_datagram);
	if (error == 0 && session->manual) {
		session->ring_size = (uint32_t)session->window.messages;
		session->ring = calloc(session->ring_size, sizeof(*session->ring));
		error = session->ring != NULL ? 0 : -ENOMEM;
	}
	if (error != 0) {
		weir_session_destroy(session);
		return error;
	}
	weir_session_greet(session, now_ns);
	*result = session;
	return 0;
}

void weir_session_destroy(struct weir_session *session)
{
	if (session == NULL)
		return;
	for (size_t i = 0; i < session->name_count; i++)
		free(session->names[i]);
	free(session->names);
	free(session->streams);
	free(session->ring);
	for (size_t i = 0; i < session->lanes.count; i++)
		weir_session_drop_repair(session, &session->lanes.items[i]);
	weir_client_lanes_close(&session->lanes);
	weir_inbox_close(&session->inbox);
	weir_guard_close(&session->link.guard);
	free(session);
}

void weir_session_receive(
	struct weir_session *session, const void *data, size_t length, uint64_t now_ns)
{
	const struct weir_frame_header *frame;
	struct weir_frame_cursor cursor;
	enum weir_reason reason;

	if (session->phase == SESSION_CLOSED)
		return;
	session->stats.datagrams++;
	reason = weir_link_open(&session->link, &cursor, data, length);
	if (reason != WEIR_REASON_NONE) {
		weir_session_on_refused(session, reason);
		return;
	}
	while ((frame = weir_frame_next(&cursor)) != NULL) {
		if (cursor.session == 0) {
			weir_session_on_greeting(session, frame, now_ns);
			continue;
		}
		if (cursor.session != session->link.session) {
			session->stats.foreign++;
			return;
		}
		session->heard_at = now_ns;
		frame_take(session, frame, now_ns);
	}
	weir_session_look_at_credit(session);
	weir_session_tick_revoked(session, now_ns);
}

uint64_t weir_session_deadline_ns(const struct weir_session *session)
{
	uint64_t dead_at = session->heard_at + session->liveness_ns;

	if (session->phase == SESSION_CLOSED)
		return UINT64_MAX;
	if (session->phase == SESSION_GREETING)
		return weir_greeting_deadline_ns(&session->greeting);
	return least(least(least(session->send_at, dead_at), weir_session_revoke_at(session)),
		least(session->nack_at, session->ack_at));
}

void weir_session_tick(struct weir_session *session, uint64_t now_ns)
{
	if (session->phase == SESSION_CLOSED)
		return;
	if (session->phase != SESSION_GREETING &&
		now_ns >= session->heard_at + session->liveness_ns)
		weir_session_lose(session, WEIR_ERROR_SILENT, now_ns);
	if (session->phase == SESSION_GREETING) {
		if (now_ns >= weir_greeting_deadline_ns(&session->greeting))
			weir_greeting_send(&session->greeting, &session->link, now_ns);
		return;
	}
	weir_session_tick_revoked(session, now_ns);
	if (now_ns < session->send_at) {
		if (now_ns >= session->nack_at || now_ns >= session->ack_at)
			weir_session_flush(session, false, now_ns);
		return;
	}
	if (session->phase == SESSION_SUBSCRIBING || session->is_list_old)
		weir_session_send_subscribe(session, now_ns);
	if (session->phase == SESSION_JOINED) {
		weir_session_repeat_acks(session, now_ns);
		weir_session_send_credit(session, now_ns);
	}
}

int weir_session_pause(struct weir_session *session, bool paused, uint64_t now_ns)
{
	if (session->is_paused == paused)
		return 0;
	session->is_paused = paused;
	session->pause_counter++;
	if (session->phase == SESSION_JOINED)
		weir_session_send_credit(session, now_ns);
	return 0;
}

void weir_session_stats(const struct weir_session *session, struct weir_consumer_stats *stats)
{
	*stats = session->stats;
	stats->state = session->phase == SESSION_CLOSED   ? WEIR_CONSUMER_CLOSED
		       : session->phase == SESSION_JOINED ? WEIR_CONSUMER_JOINED
							  : WEIR_CONSUMER_CONNECTING;
	stats->session = session->link.session;
	stats->send_errors = session->link.send_errors;
	stats->is_reliable = session->phase == SESSION_JOINED && session->is_reliable;
	stats->rtt_us = (uint32_t)least(session->rtt_ns / 1000, UINT32_MAX);
	stats->reorder_us = (uint32_t)least(session->reorder_ns / 1000, UINT32_MAX);
	stats->missing_messages =
		session->missing.messages > 0 ? (uint64_t)session->missing.messages : 0;
	stats->session_position = session->position.messages;
	stats->session_limit = session->limit.messages;
	stats->held_messages = (uint32_t)session->held.messages;
	stats->held_bytes = (uint32_t)session->held.bytes;
}

void weir_session_leave(struct weir_session *session, uint64_t now_ns)
{
	uint8_t buffer[WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_leave) + WEIR_LINK_SPARE];
	struct weir_frame_leave *leave;
	struct weir_writer writer;

	weir_session_give_back(session, now_ns);
	if (session->phase == SESSION_JOINED)
		weir_session_flush(session, true, now_ns);
	if (session->phase == SESSION_SUBSCRIBING || session->phase == SESSION_JOINED) {
		weir_link_begin(&session->link, &writer, buffer, sizeof(buffer));
		leave = weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(*leave));
		if (leave != NULL) {
			leave->reason = weir_be16(WEIR_ERROR_CLOSED);
			weir_link_send(&session->link, &writer);
		}
	}
	session->phase = SESSION_CLOSED;
	session->link.session = 0;
}
