/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/session_private.h"

/* Frames of the session itself; COOKIE and WELCOME make one, ERROR may answer either. */
static bool frame_is_ours(const struct weir_session *session, uint8_t type, uint64_t id)
{
	if (type == WEIR_FRAME_COOKIE || type == WEIR_FRAME_WELCOME)
		return true;
	return id == session->id;
}

static void frame_take(
	struct weir_session *session, const struct weir_frame_header *frame, uint64_t now_ns)
{
	bool is_joined = session->phase == SESSION_JOINED;
	uint16_t reason;

	switch ((enum weir_frame_type)frame->type) {
	case WEIR_FRAME_COOKIE:
		weir_session_on_cookie(session, (const void *)frame, now_ns);
		return;
	case WEIR_FRAME_WELCOME:
		weir_session_on_welcome(session, (const void *)frame, now_ns);
		return;
	case WEIR_FRAME_ERROR:
		weir_session_on_error(session, (const void *)frame, now_ns);
		return;
	case WEIR_FRAME_LEAVE:
		reason = weir_be16(((const struct weir_frame_leave *)(const void *)frame)->reason);
		weir_session_lose(
			session, reason, weir_frame_error_text(reason), SESSION_BACKOFF_MS, now_ns);
		return;
	case WEIR_FRAME_SUBSCRIBED:
		weir_session_on_subscribed(session, (const void *)frame, now_ns);
		return;
	case WEIR_FRAME_DATA:
		if (is_joined)
			weir_session_on_data(session, (const void *)frame);
		return;
	case WEIR_FRAME_HEARTBEAT:
		if (is_joined)
			weir_session_on_heartbeat(session, (const void *)frame, now_ns);
		return;
	default:
		return;
	}
}

static void give_back(struct weir_session *session, uint64_t now_ns)
{
	const struct weir_inbox_entry *entry = weir_inbox_peek(&session->inbox);

	session->has_taken = false;
	if (!session->manual) {
		session->held.messages--;
		session->held.bytes -= entry->length;
	}
	weir_inbox_pop(&session->inbox);
	weir_session_offer_credit(session, now_ns);
}

void weir_session_send(struct weir_session *session, const struct weir_writer *writer)
{
	if (session->io.send(session->io.context, writer->data, writer->length) != 0)
		session->stats.send_errors++;
}

uint64_t weir_session_jitter_ns(struct weir_session *session, uint32_t ms)
{
	uint64_t ns = ms * SESSION_NS_PER_MS;

	return ns - ns / 4 + session->io.random(session->io.context) % (ns / 2 + 1);
}

int weir_session_create(const struct weir_consumer_options *options,
	const struct weir_session_io *io, uint64_t now_ns, struct weir_session **result)
{
	struct weir_session *session = calloc(1, sizeof(*session));
	int error;

	*result = NULL;
	if (session == NULL)
		return -ENOMEM;
	session->io = *io;
	error = weir_session_set_options(session, options);
	/* One more than the window: a message may be consumed while it is still in hand. */
	if (error == 0)
		error = weir_inbox_open(&session->inbox, (uint32_t)session->window.messages + 1,
			(uint32_t)session->window.bytes + session->max_datagram,
			session->max_datagram);
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
	weir_client_lanes_close(&session->lanes);
	weir_inbox_close(&session->inbox);
	free(session);
}

void weir_session_receive(
	struct weir_session *session, const void *data, size_t length, uint64_t now_ns)
{
	const struct weir_frame_header *frame;
	struct weir_frame_cursor cursor;

	if (session->phase == SESSION_CLOSED)
		return;
	session->stats.datagrams++;
	if (weir_datagram_open(&cursor, WEIR_END_CLIENT, data, length) != WEIR_REASON_NONE) {
		session->stats.malformed++;
		return;
	}
	while ((frame = weir_frame_next(&cursor)) != NULL) {
		if (!frame_is_ours(session, frame->type, cursor.session)) {
			session->stats.foreign++;
			return;
		}
		if (cursor.session != 0)
			session->heard_at = now_ns;
		frame_take(session, frame, now_ns);
	}
}

uint64_t weir_session_deadline_ns(const struct weir_session *session)
{
	uint64_t dead_at = session->heard_at + session->liveness_ns;

	if (session->phase == SESSION_CLOSED)
		return UINT64_MAX;
	if (session->phase == SESSION_GREETING || session->send_at < dead_at)
		return session->send_at;
	return dead_at;
}

void weir_session_tick(struct weir_session *session, uint64_t now_ns)
{
	if (session->phase == SESSION_CLOSED)
		return;
	if (session->phase != SESSION_GREETING &&
		now_ns >= session->heard_at + session->liveness_ns)
		weir_session_lose(session, WEIR_ERROR_SILENT,
			weir_frame_error_text(WEIR_ERROR_SILENT), SESSION_BACKOFF_MS, now_ns);
	if (now_ns < session->send_at)
		return;
	if (session->phase == SESSION_GREETING) {
		weir_session_send_hello(session, now_ns);
		return;
	}
	if (session->phase == SESSION_SUBSCRIBING || session->is_list_old)
		weir_session_send_subscribe(session, now_ns);
	if (session->phase == SESSION_JOINED)
		weir_session_send_credit(session, now_ns);
}

int weir_session_next(struct weir_session *session, struct weir_message *message, uint64_t now_ns)
{
	const struct weir_inbox_entry *entry;

	if (session->has_taken)
		give_back(session, now_ns);
	entry = weir_inbox_peek(&session->inbox);
	if (entry == NULL)
		return 0;
	session->has_taken = true;
	session->stats.taken++;
	if (session->manual) {
		session->taken.messages++;
		session->taken.bytes += entry->length;
	}
	*message = (struct weir_message){
		.stream = entry->stream,
		.data = entry->data,
		.length = entry->length,
		.stream_id = entry->stream_id,
		.partition = entry->partition,
		.source_port = entry->source_port,
		.epoch = entry->epoch,
		.source_family = entry->source_family,
		.flags = entry->flags,
		.tos = entry->tos,
		.sequence = entry->seq,
		.missed = entry->missed,
		.ingest_ns = entry->ingest_ns,
	};
	memcpy(message->source, entry->source, sizeof(message->source));
	return 1;
}

int weir_session_consume(
	struct weir_session *session, uint32_t messages, uint32_t bytes, uint64_t now_ns)
{
	if (!session->manual || messages > session->taken.messages || bytes > session->taken.bytes)
		return -EINVAL;
	session->taken.messages -= messages;
	session->taken.bytes -= bytes;
	session->held.messages -= messages;
	session->held.bytes -= bytes;
	weir_session_offer_credit(session, now_ns);
	return 0;
}

int weir_session_grant(struct weir_session *session, uint32_t messages, uint64_t now_ns)
{
	if (!session->pull)
		return -EINVAL;
	if (session->pulled < session->position.messages)
		session->pulled = session->position.messages;
	session->pulled += messages;
	if (session->phase == SESSION_JOINED)
		weir_session_send_credit(session, now_ns);
	return 0;
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
	stats->session = session->id;
	stats->session_position = session->position.messages;
	stats->session_limit = session->limit.messages;
	stats->held_messages = (uint32_t)session->held.messages;
	stats->held_bytes = (uint32_t)session->held.bytes;
}

size_t weir_session_waiting(const struct weir_session *session)
{
	return session->inbox.count - (session->has_taken ? 1 : 0) + session->event_count;
}

void weir_session_leave(struct weir_session *session)
{
	uint8_t buffer[WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_leave)];
	struct weir_frame_leave *leave;
	struct weir_writer writer;

	if (session->phase == SESSION_SUBSCRIBING || session->phase == SESSION_JOINED) {
		weir_writer_begin(&writer, buffer, sizeof(buffer), session->id);
		leave = weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(*leave));
		if (leave != NULL) {
			leave->reason = weir_be16(WEIR_ERROR_CLOSED);
			weir_session_send(session, &writer);
		}
	}
	session->phase = SESSION_CLOSED;
	session->id = 0;
}
