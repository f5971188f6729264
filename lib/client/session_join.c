/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/session_private.h"

/* The one copy of a stream's name; NULL without memory or when there are too many. */
static const char *name_intern(struct weir_session *session, const char *name)
{
	char **names;

	for (size_t i = 0; i < session->name_count; i++)
		if (strcmp(session->names[i], name) == 0)
			return session->names[i];
	if (session->name_count >= SESSION_NAMES_MAX)
		return NULL;
	names = reallocarray(session->names, session->name_count + 1, sizeof(*names));
	if (names == NULL)
		return NULL;
	session->names = names;
	names[session->name_count] = strdup(name);
	if (names[session->name_count] == NULL)
		return NULL;
	return names[session->name_count++];
}

static int stream_learn(
	struct weir_session *session, const struct weir_frame_subscribed_stream *told)
{
	uint16_t id = weir_be16(told->stream);
	const char *name = name_intern(session, told->name);
	struct session_stream *stream = NULL;

	if (name == NULL)
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
	*stream = (struct session_stream){id, weir_be16(told->partitions), name};
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
	/* A new session starts with nothing paused, so a pause is told to it again. */
	session->pause_counter = session->is_paused ? 1 : 0;
	session->pause_seen = 0;
	session->stream_count = 0;
	session->is_list_old = false;
	weir_client_lanes_clear(&session->lanes);
}

void weir_session_greet(struct weir_session *session, uint64_t now_ns)
{
	state_forget(session);
	session->phase = SESSION_GREETING;
	session->id = 0;
	session->has_cookie = false;
	memset(session->cookie, 0, sizeof(session->cookie));
	session->backoff_ms = SESSION_BACKOFF_MS;
	session->refused = 0;
	session->send_at = now_ns;
	do
		session->nonce = session->io.random(session->io.context);
	while (session->nonce == 0);
}

void weir_session_lose(struct weir_session *session, uint16_t code, const char *text,
	uint32_t delay_ms, uint64_t now_ns)
{
	struct weir_event *event = weir_session_event(session, WEIR_EVENT_LOST);

	event->code = code;
	snprintf(event->text, sizeof(event->text), "%s", text);
	weir_session_greet(session, now_ns);
	session->send_at = now_ns + weir_session_jitter_ns(session, delay_ms);
}

void weir_session_send_hello(struct weir_session *session, uint64_t now_ns)
{
	uint8_t buffer[WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_hello)];
	struct weir_frame_hello *hello;
	struct weir_writer writer;

	session->send_at = now_ns + weir_session_jitter_ns(session, session->backoff_ms);
	session->backoff_ms = session->backoff_ms * 2 < SESSION_BACKOFF_MAX
				      ? session->backoff_ms * 2
				      : SESSION_BACKOFF_MAX;
	weir_writer_begin(&writer, buffer, sizeof(buffer), 0);
	hello = weir_writer_add(&writer, WEIR_FRAME_HELLO, 0, sizeof(*hello));
	if (hello == NULL)
		return;
	hello->version_min = WEIR_FRAME_VERSION;
	hello->version_max = WEIR_FRAME_VERSION;
	hello->max_datagram = weir_be16(session->max_datagram);
	hello->nonce = weir_be64(session->nonce);
	hello->options =
		weir_be32(WEIR_OPTION_BATCH | (session->want_source ? WEIR_OPTION_SOURCE : 0));
	hello->role = WEIR_ROLE_CONSUMER;
	memcpy(hello->cookie, session->cookie, sizeof(hello->cookie));
	weir_frame_set_name(hello->group, session->group);
	weir_frame_set_name(hello->name, session->name);
	weir_session_send(session, &writer);
}

/* No credit with it: data must not overtake the list of streams that it belongs to. */
void weir_session_send_subscribe(struct weir_session *session, uint64_t now_ns)
{
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_frame_subscribe *subscribe;
	struct weir_writer writer;

	session->send_at = now_ns + session->heartbeat_ms * SESSION_NS_PER_MS;
	weir_writer_begin(&writer, buffer, sizeof(buffer), session->id);
	subscribe = weir_writer_add(&writer, WEIR_FRAME_SUBSCRIBE, 0,
		(uint32_t)sizeof(*subscribe) +
			session->wanted_count * (uint32_t)WEIR_FRAME_NAME_SIZE);
	if (subscribe == NULL)
		return;
	session->subscribe_counter = 1;
	subscribe->counter = weir_be32(session->subscribe_counter);
	subscribe->start = WEIR_START_LATEST;
	subscribe->count = weir_be16(session->wanted_count);
	for (uint16_t i = 0; i < session->wanted_count; i++)
		weir_frame_set_name(subscribe->names[i], session->wanted[i]);
	weir_session_send(session, &writer);
}

void weir_session_on_cookie(
	struct weir_session *session, const struct weir_frame_cookie *frame, uint64_t now_ns)
{
	if (session->phase != SESSION_GREETING || weir_be64(frame->nonce) != session->nonce) {
		session->stats.foreign++;
		return;
	}
	memcpy(session->cookie, frame->cookie, sizeof(session->cookie));
	/* At once only for the first: a gateway that keeps refusing must not make a loop. */
	if (!session->has_cookie)
		weir_session_send_hello(session, now_ns);
	session->has_cookie = true;
}

void weir_session_on_welcome(
	struct weir_session *session, const struct weir_frame_welcome *frame, uint64_t now_ns)
{
	if (session->phase != SESSION_GREETING || weir_be64(frame->nonce) != session->nonce) {
		session->stats.foreign++;
		return;
	}
	if (frame->version != WEIR_FRAME_VERSION ||
		weir_be16(frame->max_datagram) > session->max_datagram) {
		session->stats.malformed++;
		return;
	}
	session->phase = SESSION_SUBSCRIBING;
	session->id = weir_be64(frame->session);
	session->heartbeat_ms = weir_be32(frame->heartbeat_ms);
	session->liveness_ns = weir_be32(frame->liveness_ms) * SESSION_NS_PER_MS;
	session->heard_at = now_ns;
	session->refused = 0;
	weir_session_send_subscribe(session, now_ns);
}

void weir_session_on_subscribed(
	struct weir_session *session, const struct weir_frame_subscribed *frame, uint64_t now_ns)
{
	uint16_t count = weir_be16(frame->count);

	if (weir_be32(frame->counter) != session->subscribe_counter) {
		session->stats.foreign++;
		return;
	}
	/* Without memory the list stays incomplete, and is asked for again. */
	for (uint16_t i = 0; i < count; i++)
		if (stream_learn(session, &frame->streams[i]) != 0)
			return;
	if (session->stream_count < weir_be16(frame->total))
		return;
	session->is_list_old = false;
	if (session->phase == SESSION_JOINED)
		return;
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
	uint32_t retry_ms = weir_be32(frame->retry_ms);
	struct weir_event *event;

	if (session->phase == SESSION_GREETING && weir_be64(frame->nonce) != session->nonce) {
		session->stats.foreign++;
		return;
	}
	if (session->phase != SESSION_GREETING && code == WEIR_ERROR_SESSION) {
		weir_session_lose(
			session, code, weir_frame_error_text(code), SESSION_BACKOFF_MS, now_ns);
		return;
	}
	if (session->phase == SESSION_GREETING && retry_ms != 0) {
		uint32_t wait_ms = retry_ms < SESSION_RETRY_MAX ? retry_ms : SESSION_RETRY_MAX;
		uint64_t at = now_ns + weir_session_jitter_ns(session, wait_ms);

		session->send_at = at > session->send_at ? at : session->send_at;
	}
	if (session->refused == code)
		return;
	session->refused = code;
	event = weir_session_event(session, WEIR_EVENT_ERROR);
	event->code = code;
	memcpy(event->text, frame->text, length);
}
