/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sessions.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/producers.h"
#include "control/agents.h"
#include "control/reach.h"
#include "control/sessions_private.h"
#include "wire/parse.h"

#define WATCH_MS      50
#define ANSWERS_PER_S 1000

const char *weir_sessions_code_text(enum weir_frame_code code)
{
	switch (code) {
#define X(id, number, name, text)                                                                  \
	case WEIR_ERROR_##id:                                                                      \
		return text;
		WEIR_FRAME_ERRORS(X)
#undef X
	}
	return "unknown";
}

void weir_sessions_end(struct weir_sessions *sessions, struct weir_session *session,
	enum weir_frame_code reason, bool tell)
{
	struct weir_dataplane *dataplane = sessions->gateway->dataplane;
	struct weir_frame_leave *frame;
	struct weir_reply reply;

	weir_log_info("session", "consumer %s: %s", session->consumer->name,
		weir_sessions_code_text(reason));
	if (tell && weir_reply_to_session(dataplane, session->consumer, &reply) == 0) {
		frame = weir_writer_add(&reply.writer, WEIR_FRAME_LEAVE, 0, sizeof(*frame));
		frame->reason = weir_be16(reason);
		weir_reply_send(dataplane, &reply);
	}
	weir_list_remove(&session->link);
	weir_windows_keep(&sessions->windows, session->consumer, dataplane->worker_count);
	weir_session_remove(dataplane, session->consumer);
	free(session);
	weir_reach_sync(sessions->gateway->reach);
}

static void watch(void *context, uint64_t now_ns)
{
	struct weir_sessions *sessions = context;
	const struct weir_config *config = weir_dataplane_config(sessions->gateway->dataplane);
	struct weir_list *node = sessions->list.next;

	(void)now_ns;
	while (node != &sessions->list) {
		struct weir_session *session = weir_list_entry(node, struct weir_session, link);

		node = node->next;
		if (weir_session_silent_ms(session->consumer) < config->native.liveness_ms)
			continue;
		sessions->counters.silent++;
		weir_sessions_end(sessions, session, WEIR_ERROR_SILENT, true);
	}
	weir_producer_sessions_watch(sessions);
	weir_agents_watch(sessions);
}

int weir_sessions_create(struct weir_gateway *gateway, struct weir_sessions **out)
{
	struct weir_sessions *sessions = calloc(1, sizeof(*sessions));
	uint64_t now = weir_loop_clock_ns() * WEIR_TICKS_PER_NS;

	if (sessions == NULL)
		return -ENOMEM;
	if (sodium_init() < 0) {
		free(sessions);
		return -EIO;
	}
	sessions->gateway = gateway;
	sessions->keys = weir_keys_create();
	if (sessions->keys == NULL) {
		free(sessions);
		return -ENOMEM;
	}
	weir_list_init(&sessions->list);
	weir_list_init(&sessions->producers);
	weir_list_init(&sessions->agents);
	randombytes_buf(sessions->key, sizeof(sessions->key));
	randombytes_buf(&sessions->incarnation, sizeof(sessions->incarnation));
	weir_bucket_init(&sessions->answers, ANSWERS_PER_S, ANSWERS_PER_S / 4, now);
	weir_loop_timer_init(&sessions->watch, watch, sessions);
	weir_sessions_announce_init(sessions);
	if (weir_loop_timer_arm(gateway->loop, &sessions->watch, WATCH_MS * WEIR_MS_NS,
		    WATCH_MS * WEIR_MS_NS) < 0) {
		weir_keys_destroy(sessions->keys);
		free(sessions);
		return -ENOMEM;
	}
	*out = sessions;
	return 0;
}

void weir_sessions_leave_all(struct weir_sessions *sessions)
{
	weir_producer_sessions_leave_all(sessions);
	weir_agents_leave_all(sessions);
	weir_list_for_each (node, &sessions->list) {
		struct weir_session *session = weir_list_entry(node, struct weir_session, link);
		struct weir_dataplane *dataplane = sessions->gateway->dataplane;
		struct weir_frame_leave *frame;
		struct weir_reply reply;

		if (weir_reply_to_session(dataplane, session->consumer, &reply) < 0)
			continue;
		frame = weir_writer_add(&reply.writer, WEIR_FRAME_LEAVE, 0, sizeof(*frame));
		frame->reason = weir_be16(WEIR_ERROR_SHUTDOWN);
		weir_reply_send(dataplane, &reply);
	}
}

void weir_sessions_destroy(struct weir_sessions *sessions)
{
	if (sessions == NULL)
		return;
	weir_loop_timer_cancel(sessions->gateway->loop, &sessions->watch);
	weir_loop_timer_cancel(sessions->gateway->loop, &sessions->announce);
	weir_producer_sessions_free(sessions);
	while (!weir_list_is_empty(&sessions->list)) {
		struct weir_list *node = sessions->list.next;

		weir_list_remove(node);
		free(weir_list_entry(node, struct weir_session, link));
	}
	weir_agents_destroy(sessions);
	weir_keys_destroy(sessions->keys);
	free(sessions);
}

static void mark_seen(void *context, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config)
{
	struct weir_sessions *sessions = context;

	(void)group;
	(void)config;
	weir_list_for_each (node, &sessions->list) {
		struct weir_session *session = weir_list_entry(node, struct weir_session, link);

		if (session->consumer == consumer)
			session->is_seen = true;
	}
}

void weir_sessions_sync(struct weir_sessions *sessions)
{
	struct weir_list *node = sessions->list.next;

	weir_agents_sync(sessions);
	weir_producer_sessions_sync(sessions);
	weir_list_for_each (each, &sessions->list)
		weir_list_entry(each, struct weir_session, link)->is_seen = false;
	weir_consumers_visit(sessions->gateway->dataplane, mark_seen, sessions);
	while (node != &sessions->list) {
		struct weir_session *session = weir_list_entry(node, struct weir_session, link);

		node = node->next;
		if (session->is_seen)
			continue;
		/* Its consumer is retired, not freed yet: LEAVE will come as ERROR to its next
		 * frame.
		 */
		weir_list_remove(&session->link);
		free(session);
	}
	weir_sessions_announce(sessions);
}

static int take_subscription(struct weir_sessions *sessions, struct weir_session *session,
	const struct weir_frame_subscribe *frame)
{
	struct weir_consumer *consumer = session->consumer;
	char names[WEIR_SUBSCRIBE_MAX][WEIR_NAME_SIZE];
	uint16_t count = weir_be16(frame->count);
	int result;

	if (frame->start != WEIR_START_LATEST && frame->start != WEIR_START_RESUME &&
		!consumer->may_seek)
		return -EOPNOTSUPP;
	memcpy(names, frame->names, (size_t)count * WEIR_NAME_SIZE);
	result = weir_session_subscribe(sessions->gateway->dataplane, consumer,
		(const char(*)[WEIR_NAME_SIZE])names, count);
	if (result < 0)
		return result;
	/* Who may not choose goes on where the group stands. */
	consumer->start = consumer->may_seek ? frame->start : (uint8_t)WEIR_START_RESUME;
	consumer->start_value = weir_be64(frame->start_value);
	session->subscribe_counter = weir_be32(frame->counter);
	atomic_store(&consumer->subscribe_counter, session->subscribe_counter);
	weir_credit_grant(&consumer->credit->messages, weir_be64(frame->limit_messages));
	weir_credit_grant(&consumer->credit->bytes, weir_be64(frame->limit_bytes));
	consumer->is_subscribed = true;
	consumer->knows = sessions->gateway->dataplane->generation;
	weir_reach_sync(sessions->gateway->reach);
	/* A change of the set alone moves partitions without a change of state. */
	weir_dataplane_republish(sessions->gateway->dataplane);
	weir_consumer_wake(sessions->gateway->dataplane, consumer);
	return 0;
}

static void subscribe(struct weir_sessions *sessions, const struct weir_request *request,
	struct weir_session *session, const struct weir_frame_subscribe *frame)
{
	uint32_t counter = weir_be32(frame->counter);
	int result = 0;

	if (counter < session->subscribe_counter) {
		sessions->counters.dropped++;
		return;
	}
	if (counter > session->subscribe_counter)
		result = take_subscription(sessions, session, frame);
	if (result == 0)
		weir_sessions_list_streams(sessions, request, session);
	else
		weir_sessions_error(sessions, request, session->consumer->session,
			result == -EOPNOTSUPP ? WEIR_ERROR_UNSUPPORTED : WEIR_ERROR_NO_STREAM);
}

static struct weir_session *find(
	struct weir_sessions *sessions, const struct weir_request *request, uint64_t id)
{
	weir_list_for_each (node, &sessions->list) {
		struct weir_session *session = weir_list_entry(node, struct weir_session, link);
		const struct weir_consumer *consumer = session->consumer;

		if (consumer->session == id &&
			consumer->peer_port == request->headers.source_port &&
			weir_address_equal(&consumer->peer, &request->peer))
			return session;
	}
	return NULL;
}

static void session_frames(struct weir_sessions *sessions, const struct weir_request *request,
	struct weir_session *session, struct weir_frame_cursor *cursor)
{
	const struct weir_frame_header *frame;

	while ((frame = weir_frame_next(cursor)) != NULL) {
		if (frame->type == WEIR_FRAME_SUBSCRIBE)
			subscribe(sessions, request, session,
				(const struct weir_frame_subscribe *)frame);
		if (frame->type == WEIR_FRAME_LEAVE) {
			sessions->counters.left++;
			weir_sessions_end(sessions, session, WEIR_ERROR_CLOSED, false);
			return;
		}
	}
}

static void handle(
	struct weir_sessions *sessions, const struct weir_request *request, const uint8_t *payload)
{
	struct weir_frame_cursor cursor;
	const struct weir_frame_header *frame;
	struct weir_session *session;

	if (weir_datagram_open(&cursor, WEIR_END_GATEWAY, payload,
		    request->headers.payload_length) != WEIR_REASON_NONE)
		return;
	if (cursor.session == 0) {
		while ((frame = weir_frame_next(&cursor)) != NULL)
			if (frame->type == WEIR_FRAME_HELLO)
				weir_sessions_hello(
					sessions, request, (const struct weir_frame_hello *)frame);
		return;
	}
	if (weir_agents_datagram(sessions, request, &cursor))
		return;
	if (weir_producer_sessions_frames(sessions, request, &cursor,
		    request->packet->hash.usr == WEIR_TO_SESSION_CHECKED))
		return;
	session = find(sessions, request, cursor.session);
	/* A worker that did not know the session yet has not checked its tag: it will be said
	 * again. */
	if (session != NULL && session->consumer->seal.is_on &&
		request->packet->hash.usr != WEIR_TO_SESSION_CHECKED) {
		sessions->counters.dropped++;
		return;
	}
	if (session != NULL) {
		session_frames(sessions, request, session, &cursor);
		return;
	}
	sessions->counters.unknown++;
	if (weir_sessions_may_answer(sessions))
		weir_sessions_error(sessions, request, cursor.session, WEIR_ERROR_SESSION);
}

void weir_sessions_packet(struct weir_sessions *sessions, struct rte_mbuf *packet)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	struct weir_request request = {.packet = packet};
	enum weir_reason reason;

	if (weir_parse(frame, frame + packet->data_len, &request.headers, &reason) ==
		WEIR_PARSE_UDP) {
		uint8_t family = request.headers.ip_version;
		const uint8_t *ip = frame + request.headers.l3_offset;

		weir_address_read(&request.peer, family, ip + (family == 4 ? 12 : 8));
		weir_address_read(&request.local, family, ip + (family == 4 ? 16 : 24));
		handle(sessions, &request, frame + request.headers.l4_offset + 8);
	}
	rte_pktmbuf_free(packet);
}

const struct weir_sessions_counters *weir_sessions_counters(const struct weir_sessions *sessions)
{
	return &sessions->counters;
}
