/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/session_private.h"

/* The number of a stream's name; -ENOMEM without memory or when there are too many. */
static int name_intern(struct weir_session *session, const char *name)
{
	char **names;

	for (size_t i = 0; i < session->name_count; i++)
		if (strcmp(session->names[i], name) == 0)
			return (int)i;
	if (session->name_count >= SESSION_NAMES_MAX)
		return -ENOMEM;
	names = reallocarray(session->names, session->name_count + 1, sizeof(*names));
	if (names == NULL)
		return -ENOMEM;
	session->names = names;
	names[session->name_count] = strdup(name);
	if (names[session->name_count] == NULL)
		return -ENOMEM;
	return (int)session->name_count++;
}

static int stream_learn(struct weir_session *session,
	const struct weir_frame_subscribed_stream *told, uint16_t edition)
{
	uint16_t id = weir_be16(told->stream);
	int name = name_intern(session, told->name);
	struct session_stream *stream = NULL;

	if (name < 0)
		return -ENOMEM;
	for (size_t i = 0; i < session->stream_count && stream == NULL; i++)
		if (session->streams[i].id == id)
			stream = &session->streams[i];
	if (stream == NULL) {
		struct session_stream *streams;

		if (session->stream_count >= WEIR_SUBSCRIBED_MAX)
			return -ENOMEM;
		streams =
			reallocarray(session->streams, session->stream_count + 1, sizeof(*streams));
		if (streams == NULL)
			return -ENOMEM;
		session->streams = streams;
		stream = &streams[session->stream_count++];
	}
	*stream = (struct session_stream){
		id, weir_be16(told->partitions), (uint16_t)name, edition, false};
	return 0;
}

/* Everything that belongs to one session; what the application has not taken yet stays. */
static void state_forget(struct weir_session *session)
{
	session->pulled -= session->pulled < session->position.messages
				   ? session->pulled
				   : session->position.messages;
	session->position = (struct session_amount){0};
	session->limit = (struct session_amount){0};
	session->credit_counter = 0;
	session->subscribe_counter = 0;
	session->subscribes = 0;
	/* A new session starts with nothing paused, so a pause is told to it again. */
	session->pause_counter = session->is_paused ? 1 : 0;
	session->pause_seen = 0;
	session->stream_count = 0;
	session->is_list_old = false;
	session->edition = 0;
	session->arriving = 0;
	session->arrived = 0;
	session->missing = (struct weir_client_debt){0};
	for (size_t i = 0; i < session->lanes.count; i++)
		weir_session_drop_repair(session, &session->lanes.items[i]);
	weir_client_lanes_forget(&session->lanes);
	session->revoked = 0;
	weir_session_renew_seeks(session);
	session->rtt_ns = 0;
	session->reorder_ns = 0;
	session->nack_at = UINT64_MAX;
	session->ack_at = UINT64_MAX;
	session->ack_gate = 0;
}

/*
 * Where to begin. Only the first session is asked for a place: those that follow go on where the
 * group stands.
 */
static void start_set(const struct weir_session *session, struct weir_frame_subscribe *subscribe)
{
	subscribe->start = session->start;
	subscribe->start_value = weir_be64(session->start_value);
	if (session->stats.sessions > 0) {
		subscribe->start = WEIR_START_RESUME;
		subscribe->start_value = 0;
	}
	/* Not granted: a place that was asked for is asked for all the same, and refused. */
	if (!session->can_seek && subscribe->start == WEIR_START_RESUME)
		subscribe->start = WEIR_START_LATEST;
}

void weir_session_greet(struct weir_session *session, uint64_t at_ns)
{
	state_forget(session);
	session->phase = SESSION_GREETING;
	session->refused = 0;
	weir_greeting_begin(&session->greeting, &session->link, at_ns);
}

void weir_session_lose(struct weir_session *session, uint16_t code, uint64_t now_ns)
{
	struct weir_event *event = weir_session_event(session, WEIR_EVENT_LOST);

	event->code = code;
	snprintf(event->text, sizeof(event->text), "%s", weir_frame_error_text(code));
	weir_session_greet(
		session, now_ns + weir_io_jitter_ns(&session->link.io, WEIR_GREETING_BACKOFF_MS));
}

/* No credit with it: data must not overtake the list of streams that it belongs to. */
void weir_session_send_subscribe(struct weir_session *session, uint64_t now_ns)
{
	uint8_t buffer[WEIR_DATAGRAM_MIN + WEIR_LINK_SPARE];
	struct weir_frame_subscribe *subscribe;
	struct weir_writer writer;

	session->send_at = now_ns + session->heartbeat_ms * SESSION_NS_PER_MS;
	weir_link_begin(&session->link, &writer, buffer, sizeof(buffer));
	subscribe = weir_writer_add(&writer, WEIR_FRAME_SUBSCRIBE, 0,
		(uint32_t)sizeof(*subscribe) +
			session->wanted_count * (uint32_t)WEIR_FRAME_NAME_SIZE);
	if (subscribe == NULL)
		return;
	session->subscribe_counter = 1;
	session->subscribes++;
	session->subscribed_at = now_ns;
	subscribe->counter = weir_be32(session->subscribe_counter);
	start_set(session, subscribe);
	subscribe->count = weir_be16(session->wanted_count);
	for (uint16_t i = 0; i < session->wanted_count; i++)
		weir_frame_set_name(subscribe->names[i], session->wanted[i]);
	weir_link_send(&session->link, &writer);
}

static void welcomed(
	struct weir_session *session, const struct weir_welcome *welcome, uint64_t now_ns)
{
	session->phase = SESSION_SUBSCRIBING;
	session->heartbeat_ms = welcome->heartbeat_ms;
	session->liveness_ns = welcome->liveness_ms * SESSION_NS_PER_MS;
	session->max_datagram = welcome->max_datagram;
	session->is_reliable = welcome->options & WEIR_OPTION_RELIABLE;
	session->can_seek = welcome->options & WEIR_OPTION_SEEK;
	session->heard_at = now_ns;
	weir_session_send_subscribe(session, now_ns);
}

void weir_session_on_greeting(
	struct weir_session *session, const struct weir_frame_header *frame, uint64_t now_ns)
{
	struct weir_greeting_answer answer;
	struct weir_event *event;

	if (frame->type == WEIR_FRAME_KEY)
		return; /* the link has used it */
	if (session->phase != SESSION_GREETING) {
		session->stats.foreign++;
		return;
	}
	switch (weir_greeting_take(&session->greeting, &session->link, frame, now_ns, &answer)) {
	case WEIR_GREETING_NOTHING:
		break;
	case WEIR_GREETING_AGAIN:
		weir_greeting_send(&session->greeting, &session->link, now_ns);
		break;
	case WEIR_GREETING_WELCOMED:
		welcomed(session, &answer.welcome, now_ns);
		break;
	case WEIR_GREETING_REFUSED:
		event = weir_session_event(session, WEIR_EVENT_ERROR);
		event->code = answer.code;
		memcpy(event->text, answer.text, sizeof(event->text));
		break;
	case WEIR_GREETING_FOREIGN:
		session->stats.foreign++;
		break;
	case WEIR_GREETING_MALFORMED:
		session->stats.malformed++;
		break;
	}
}

void weir_session_on_refused(struct weir_session *session, enum weir_reason reason)
{
	struct weir_event *event;

	switch (reason) {
	case WEIR_REASON_FRAME_SESSION:
		session->stats.foreign++;
		return;
	case WEIR_REASON_FRAME_TAG:
	case WEIR_REASON_FRAME_REPLAY:
		session->stats.unauthentic++;
		break;
	default:
		session->stats.malformed++;
		return;
	}
	/* Most likely it has another key, or none for this group: said once, as its own refusal. */
	if (session->phase != SESSION_GREETING ||
		session->greeting.refused == WEIR_ERROR_NOT_PERMITTED)
		return;
	session->greeting.refused = WEIR_ERROR_NOT_PERMITTED;
	event = weir_session_event(session, WEIR_EVENT_ERROR);
	event->code = WEIR_ERROR_NOT_PERMITTED;
	snprintf(event->text, sizeof(event->text), "the gateway did not prove that it has our key");
}

/* The last page of a list has come, and all before it, in their order. */
static bool is_list_whole(struct weir_session *session, const struct weir_frame_subscribed *frame)
{
	uint16_t edition = weir_be16(frame->edition);
	uint16_t first = weir_be16(frame->first);

	if (first == 0) {
		session->arriving = edition;
		session->arrived = 0;
	}
	if (edition != session->arriving || first != session->arrived)
		return false;
	session->arrived += weir_be16(frame->count);
	return session->arrived == weir_be16(frame->total);
}

/*
 * A whole list has come: what is not in it any more has ended. Editions rise by one, but lists may
 * overtake each other, and another gateway begins anywhere: only a later one says so.
 */
static void list_take(struct weir_session *session, uint16_t edition)
{
	bool is_later = session->edition != 0 && (int16_t)(edition - session->edition) > 0;

	session->edition = edition;
	for (size_t i = 0; is_later && i < session->stream_count; i++) {
		struct session_stream *stream = &session->streams[i];

		if (stream->edition == edition || stream->is_over)
			continue;
		stream->is_over = true;
		weir_session_end_stream(session, stream->id);
	}
}

void weir_session_on_subscribed(
	struct weir_session *session, const struct weir_frame_subscribed *frame, uint64_t now_ns)
{
	uint16_t count = weir_be16(frame->count);
	bool is_whole;

	if (weir_be32(frame->counter) != session->subscribe_counter) {
		session->stats.foreign++;
		return;
	}
	/* Without memory the list stays incomplete, and is asked for again. */
	for (uint16_t i = 0; i < count; i++)
		if (stream_learn(session, &frame->streams[i], weir_be16(frame->edition)) != 0)
			return;
	is_whole = is_list_whole(session, frame);
	if (is_whole)
		list_take(session, weir_be16(frame->edition));
	if (session->stream_count < weir_be16(frame->total))
		return;
	session->is_list_old = false;
	if (session->phase == SESSION_JOINED) {
		/* The gateway waits for the news that we know it. */
		if (is_whole && session->edition != 0)
			weir_session_send_credit(session, now_ns);
		return;
	}
	/* Asked once: no doubt which question this answers. */
	if (session->subscribes == 1)
		weir_session_rtt(session, now_ns - session->subscribed_at);
	session->phase = SESSION_JOINED;
	session->refused = 0;
	session->stats.sessions++;
	weir_session_event(session, WEIR_EVENT_JOINED);
	weir_session_send_credit(session, now_ns);
}

void weir_session_on_error(
	struct weir_session *session, const struct weir_frame_error *frame, uint64_t now_ns)
{
	uint16_t code = weir_be16(frame->code);
	uint16_t length = weir_be16(frame->text_length);
	struct weir_event *event;

	if (code == WEIR_ERROR_SESSION) {
		weir_session_lose(session, code, now_ns);
		return;
	}
	if (session->refused == code)
		return;
	session->refused = code;
	event = weir_session_event(session, WEIR_EVENT_ERROR);
	event->code = code;
	memcpy(event->text, frame->text, length);
}
