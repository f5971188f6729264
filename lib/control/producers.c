/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/producers.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/sessions_private.h"
#include "control/tracer.h"
#include "dataplane/producer.h"

struct producer_session {
	struct weir_list link;
	struct weir_producer *producer;
	uint64_t nonce;
	uint64_t hello_ns; /* the client's time in its HELLO; with a key */
	struct weir_frame_key key;
};

static struct producer_session *session_of(struct weir_list *node)
{
	return weir_list_entry(node, struct producer_session, link);
}

static bool is_from(const struct producer_session *session, const struct weir_request *request)
{
	return session->producer->peer_port == request->headers.source_port &&
	       weir_address_equal(&session->producer->peer, &request->peer);
}

static void send_leave(
	struct weir_sessions *sessions, struct producer_session *session, enum weir_frame_code why)
{
	struct weir_producer *producer = session->producer;
	struct weir_frame_leave *frame;
	struct weir_reply reply;

	if (weir_reply_by_route(sessions->gateway->dataplane, &producer->route, producer->session,
		    producer->max_datagram, &producer->seal, &reply) < 0)
		return;
	frame = weir_writer_add(&reply.writer, WEIR_FRAME_LEAVE, 0, sizeof(*frame));
	if (frame != NULL)
		frame->reason = weir_be16(why);
	weir_reply_send(sessions->gateway->dataplane, &reply);
}

static void end(struct weir_sessions *sessions, struct producer_session *session,
	enum weir_frame_code why, bool tell)
{
	weir_log_info("session", "producer %s: %s", session->producer->name,
		weir_sessions_code_text(why));
	if (tell)
		send_leave(sessions, session, why);
	weir_list_remove(&session->link);
	weir_producer_remove(sessions->gateway->dataplane, session->producer);
	free(session);
}

static void welcome(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	struct producer_session *session)
{
	const struct weir_welcome_spec spec = {
		.session = session->producer->session,
		.max_datagram = session->producer->max_datagram,
		.guarantee = WEIR_GUARANTEE_AT_LEAST_ONCE,
		.options = session->producer->has_contexts ? WEIR_OPTION_TRACE : 0,
		.seal = &session->producer->seal,
		.key = &session->key,
	};

	weir_sessions_welcome(sessions, applicant, &spec);
}

static enum weir_frame_code code_of(int error)
{
	switch (error) {
	case -ENOENT:
		return WEIR_ERROR_NO_STREAM;
	case -EACCES:
		return WEIR_ERROR_NOT_PERMITTED;
	case -EUSERS:
		return WEIR_ERROR_GROUP_FULL;
	case -EEXIST:
		return WEIR_ERROR_NAME_TAKEN;
	default:
		return WEIR_ERROR_BUSY;
	}
}

/* 0, -EPERM and it has been refused, or another error. */
static int make_producer(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	struct producer_session *session)
{
	struct weir_dataplane *dataplane = sessions->gateway->dataplane;
	const struct weir_config *config = weir_dataplane_config(dataplane);
	const struct weir_request *request = applicant->request;
	struct weir_route route;
	struct weir_producer_spec spec = {.stream = applicant->group,
		.name = applicant->name,
		.peer = request->peer,
		.peer_port = request->headers.source_port,
		.local = request->local,
		.local_port = request->headers.destination_port,
		.has_contexts = weir_be32(applicant->hello->options) & WEIR_OPTION_TRACE,
		.route = &route};
	int result = weir_reply_route(dataplane, request->packet, &request->headers, &route);

	if (result < 0)
		return result;
	randombytes_buf(&spec.random, sizeof(spec.random));
	spec.max_datagram =
		RTE_MIN(weir_be16(applicant->hello->max_datagram), config->native.max_frame);
	/* Datagrams in fragments would not be taken: they are no longer than the port's MTU. */
	spec.max_datagram = RTE_MIN(spec.max_datagram, route.max_payload);
	if (spec.max_datagram < WEIR_DATAGRAM_MIN)
		return -EINVAL;
	result = weir_producer_prepare(dataplane, &spec, &session->producer);
	if (result < 0)
		return result;
	if (!weir_sessions_agree(sessions, applicant, session->producer->session, &session->key,
		    &session->producer->seal)) {
		weir_producer_abandon(session->producer);
		return -EPERM;
	}
	return weir_producer_add(dataplane, session->producer);
}

static void admit(struct weir_sessions *sessions, const struct weir_applicant *applicant)
{
	struct producer_session *session = calloc(1, sizeof(*session));
	int result;

	if (session == NULL)
		return;
	result = make_producer(sessions, applicant, session);
	if (result < 0) {
		free(session);
		if (result != -EPERM)
			weir_sessions_refuse(sessions, applicant, code_of(result));
		return;
	}
	session->nonce = applicant->nonce;
	session->hello_ns = applicant->hello_ns;
	weir_list_add_tail(&sessions->producers, &session->link);
	sessions->counters.admitted++;
	if (session->producer->has_contexts)
		weir_tracer_expect_contexts(sessions->gateway->tracer);
	weir_log_info("session", "producer %s of stream %s", applicant->name, applicant->group);
	welcome(sessions, applicant, session);
}

static struct producer_session *find_peer(
	struct weir_sessions *sessions, const struct weir_applicant *applicant)
{
	weir_list_for_each (node, &sessions->producers)
		if (strcmp(session_of(node)->producer->name, applicant->name) == 0 &&
			is_from(session_of(node), applicant->request))
			return session_of(node);
	return NULL;
}

static const char *key_file_of(const struct weir_sessions *sessions, const char *stream)
{
	const struct weir_config *config = weir_dataplane_config(sessions->gateway->dataplane);
	int index = weir_config_find_stream(config, stream);

	return index >= 0 ? config->streams[index].producers.key_file : "";
}

void weir_producer_sessions_hello(struct weir_sessions *sessions, struct weir_applicant *applicant)
{
	struct producer_session *known;

	if (!weir_sessions_authorize(sessions, applicant, key_file_of(sessions, applicant->group)))
		return;
	known = find_peer(sessions, applicant);
	if (known != NULL && known->nonce == applicant->nonce) {
		welcome(sessions, applicant, known);
		return;
	}
	/* A HELLO that was recorded ends no session. */
	if (known != NULL && applicant->secret != NULL && applicant->hello_ns <= known->hello_ns) {
		sessions->counters.dropped++;
		return;
	}
	if (known != NULL)
		end(sessions, known, WEIR_ERROR_REPLACED, false);
	admit(sessions, applicant);
}

bool weir_producer_sessions_frames(struct weir_sessions *sessions,
	const struct weir_request *request, struct weir_frame_cursor *cursor, bool is_checked)
{
	const struct weir_frame_header *frame;
	struct producer_session *session = NULL;

	weir_list_for_each (node, &sessions->producers)
		if (session_of(node)->producer->session == cursor->session &&
			is_from(session_of(node), request))
			session = session_of(node);
	if (session == NULL)
		return false;
	/* A worker that did not know the session yet has not checked it: it will be said again. */
	if (!is_checked) {
		sessions->counters.dropped++;
		return true;
	}
	while ((frame = weir_frame_next(cursor)) != NULL)
		if (frame->type == WEIR_FRAME_LEAVE) {
			sessions->counters.left++;
			end(sessions, session, WEIR_ERROR_CLOSED, false);
			break;
		}
	return true;
}

void weir_producer_sessions_watch(struct weir_sessions *sessions)
{
	const struct weir_config *config = weir_dataplane_config(sessions->gateway->dataplane);
	struct weir_list *node = sessions->producers.next;

	while (node != &sessions->producers) {
		struct producer_session *session = session_of(node);

		node = node->next;
		if (weir_producer_silent_ms(session->producer) < config->native.liveness_ms)
			continue;
		sessions->counters.silent++;
		end(sessions, session, WEIR_ERROR_SILENT, true);
	}
}

void weir_producer_sessions_sync(struct weir_sessions *sessions)
{
	struct weir_list *node = sessions->producers.next;

	while (node != &sessions->producers) {
		struct producer_session *session = session_of(node);

		node = node->next;
		if (!weir_producer_is_wanted(sessions->gateway->dataplane, session->producer))
			end(sessions, session, WEIR_ERROR_REMOVED, true);
	}
}

void weir_producer_sessions_leave_all(struct weir_sessions *sessions)
{
	weir_list_for_each (node, &sessions->producers)
		send_leave(sessions, session_of(node), WEIR_ERROR_SHUTDOWN);
}

void weir_producer_sessions_free(struct weir_sessions *sessions)
{
	while (!weir_list_is_empty(&sessions->producers)) {
		struct weir_list *node = sessions->producers.next;

		weir_list_remove(node);
		free(session_of(node));
	}
}
