/* SPDX-License-Identifier: BSD-3-Clause */
#include <sodium.h>
#include <stdlib.h>

#include "control/sessions_private.h"

/*
 * The streams of a session, by their numbers. A stream that is made anew has a new number: whoever
 * has it is told before its first message. Until a session has said that it knows the list, or has
 * not answered in time, it is given no partition of what is new in it; they wait in their rings.
 */

#define PAGE_STREAMS 24 /* in one SUBSCRIBED frame of the smallest datagram size: less fit */
#define LOOK_MS      2  /* between looks whether answers have come */
#define AGAIN_MS     20 /* to the second announcement; doubled from one to the next */

static uint16_t edition_of(struct weir_session *session)
{
	while (session->edition == 0)
		randombytes_buf(&session->edition, sizeof(session->edition));
	return session->edition;
}

static int begin(struct weir_sessions *sessions, const struct weir_request *request,
	const struct weir_session *session, struct weir_reply *reply)
{
	struct weir_dataplane *dataplane = sessions->gateway->dataplane;
	struct weir_consumer *consumer = session->consumer;

	if (request == NULL)
		return weir_reply_to_session(dataplane, consumer, reply);
	return weir_reply_begin(dataplane, request->packet, &request->headers, consumer->session,
		consumer->max_datagram, &consumer->seal, reply);
}

/* Streams from `first` on, as many as fit. Returns how many. */
static uint32_t add_page(struct weir_reply *reply, struct weir_session *session,
	const struct weir_session_stream *streams, uint32_t first, uint32_t total)
{
	struct weir_frame_subscribed *frame;
	uint32_t count = RTE_MIN(total - first, (uint32_t)PAGE_STREAMS);

	count = RTE_MIN(
		count, (reply->writer.size - WEIR_DATAGRAM_HEADER - (uint32_t)sizeof(*frame)) /
			       (uint32_t)sizeof(frame->streams[0]));
	frame = weir_writer_add(&reply->writer, WEIR_FRAME_SUBSCRIBED, 0,
		(uint32_t)(sizeof(*frame) + count * sizeof(frame->streams[0])));
	frame->counter = weir_be32(session->subscribe_counter);
	frame->total = weir_be16((uint16_t)total);
	frame->first = weir_be16((uint16_t)first);
	frame->count = weir_be16((uint16_t)count);
	frame->edition = weir_be16(edition_of(session));
	for (uint32_t i = 0; i < count; i++) {
		frame->streams[i].stream = weir_be16(streams[first + i].slot);
		frame->streams[i].partitions = weir_be16(streams[first + i].partitions);
		weir_frame_set_name(frame->streams[i].name, streams[first + i].name);
	}
	return count;
}

void weir_sessions_list_streams(struct weir_sessions *sessions, const struct weir_request *request,
	struct weir_session *session)
{
	struct weir_dataplane *dataplane = sessions->gateway->dataplane;
	struct weir_session_stream *streams = calloc(WEIR_MAX_STREAMS, sizeof(*streams));
	uint32_t total, first = 0;

	if (streams == NULL)
		return;
	total = weir_session_streams(dataplane, session->consumer, streams, WEIR_MAX_STREAMS);
	session->listed = total;
	while (first < total) {
		struct weir_reply reply;

		if (begin(sessions, request, session, &reply) < 0)
			break;
		first += add_page(&reply, session, streams, first, total);
		weir_reply_send(dataplane, &reply);
	}
	free(streams);
}

/* It has said that it knows the list; or it says nothing, and is told as one that asks. */
static void settle(struct weir_sessions *sessions, struct weir_session *session, uint64_t now_ns)
{
	if (atomic_load(&session->consumer->edition) != session->edition &&
		now_ns < session->announce_until)
		return;
	session->is_announcing = false;
	session->consumer->knows = RTE_MAX(session->consumer->knows, session->announced);
	sessions->has_answers = true;
}

static void tell_again(
	struct weir_sessions *sessions, struct weir_session *session, uint64_t now_ns)
{
	if (now_ns < session->announce_at)
		return;
	weir_sessions_list_streams(sessions, NULL, session);
	session->announce_at = now_ns + session->announce_wait;
	session->announce_wait *= 2;
}

static bool is_waiting(struct weir_sessions *sessions, uint64_t now_ns)
{
	bool is_one = false;

	weir_list_for_each (node, &sessions->list) {
		struct weir_session *session = weir_list_entry(node, struct weir_session, link);

		if (session->is_announcing)
			settle(sessions, session, now_ns);
		if (session->is_announcing)
			tell_again(sessions, session, now_ns);
		is_one |= session->is_announcing;
	}
	return is_one;
}

/* Armed anew only while there is something to wait for. */
static void look(void *context, uint64_t now_ns)
{
	struct weir_sessions *sessions = context;
	struct weir_gateway *gateway = sessions->gateway;
	bool goes_on = is_waiting(sessions, now_ns);

	if (sessions->has_answers && weir_dataplane_republish(gateway->dataplane) == 0)
		sessions->has_answers = false;
	if ((!goes_on && !sessions->has_answers) ||
		weir_loop_timer_arm(gateway->loop, &sessions->announce, LOOK_MS * WEIR_MS_NS, 0) ==
			0)
		return;
	/* Without memory for a timer nobody is waited for. */
	(void)is_waiting(sessions, UINT64_MAX);
	(void)weir_dataplane_republish(gateway->dataplane);
}

void weir_sessions_announce_init(struct weir_sessions *sessions)
{
	weir_loop_timer_init(&sessions->announce, look, sessions);
}

/* Whoever has never named an edition may not know the field: a heartbeat is enough. */
static uint64_t patience_ms(const struct weir_config *config, const struct weir_session *session)
{
	return atomic_load(&session->consumer->edition) != 0 ? config->native.liveness_ms
							     : config->native.heartbeat_ms;
}

void weir_session_announce_begin(struct weir_sessions *sessions, struct weir_session *session)
{
	const struct weir_dataplane *dataplane = sessions->gateway->dataplane;
	uint64_t now_ns = weir_loop_clock_ns();

	session->announced = dataplane->generation;
	session->announce_at = now_ns;
	session->announce_wait = AGAIN_MS * WEIR_MS_NS;
	session->announce_until =
		now_ns + patience_ms(weir_dataplane_config(dataplane), session) * WEIR_MS_NS;
	session->is_announcing = true;
}

/* It has streams that it does not know, or was told of some that are no more. */
static bool has_news(const struct weir_dataplane *dataplane, const struct weir_session *session)
{
	if (!session->consumer->is_subscribed)
		return false;
	return weir_session_is_behind(dataplane, session->consumer,
		       RTE_MAX(session->consumer->knows, session->announced)) ||
	       weir_session_streams(dataplane, session->consumer, NULL, 0) < session->listed;
}

void weir_sessions_announce(struct weir_sessions *sessions)
{
	const struct weir_dataplane *dataplane = sessions->gateway->dataplane;

	weir_list_for_each (node, &sessions->list) {
		struct weir_session *session = weir_list_entry(node, struct weir_session, link);

		if (!has_news(dataplane, session))
			continue;
		/* The first one is at random, whatever another gateway has told. */
		session->edition = (uint16_t)(edition_of(session) + 1);
		(void)edition_of(session);
		weir_session_announce_begin(sessions, session);
	}
	look(sessions, weir_loop_clock_ns());
}
