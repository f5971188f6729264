/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/sessions_private.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

/*
 * Admission. Nothing is stored for a client before it has returned a cookie, which proves that
 * it receives at the address that it sends from. A cookie is a keyed hash of the address, port,
 * nonce and time.
 */

#define COOKIE_PERIOD_NS (10 * WEIR_S_NS) /* good in its own period and the next */
#define OPTIONS          (WEIR_OPTION_SOURCE | WEIR_OPTION_BATCH)

bool weir_sessions_may_answer(struct weir_sessions *sessions)
{
	uint64_t ticks = weir_loop_clock_ns() * WEIR_TICKS_PER_NS;

	return weir_bucket_take(&sessions->answers, 1, ticks) == 0;
}

static void make_cookie(const struct weir_sessions *sessions, const struct weir_request *request,
	uint64_t nonce, uint64_t period, uint8_t cookie[WEIR_FRAME_COOKIE_SIZE])
{
	uint8_t text[16 + 1 + 2 + 8 + 8];

	memcpy(text, request->peer.bytes, 16);
	text[16] = request->peer.family;
	memcpy(text + 17, &request->headers.source_port, 2);
	memcpy(text + 19, &nonce, 8);
	memcpy(text + 27, &period, 8);
	crypto_generichash(cookie, WEIR_FRAME_COOKIE_SIZE, text, sizeof(text), sessions->key,
		sizeof(sessions->key));
}

static bool is_good_cookie(const struct weir_sessions *sessions, const struct weir_request *request,
	const struct weir_frame_hello *hello)
{
	uint64_t period = weir_loop_clock_ns() / COOKIE_PERIOD_NS;
	uint8_t cookie[WEIR_FRAME_COOKIE_SIZE];

	for (uint64_t back = 0; back < 2; back++) {
		make_cookie(sessions, request, weir_be64(hello->nonce), period - back, cookie);
		if (sodium_memcmp(cookie, hello->cookie, sizeof(cookie)) == 0)
			return true;
	}
	return false;
}

static void send_cookie(struct weir_sessions *sessions, const struct weir_request *request,
	const struct weir_frame_hello *hello)
{
	struct weir_frame_cookie *frame;
	struct weir_reply reply;

	if (!weir_sessions_may_answer(sessions) ||
		weir_reply_begin(sessions->gateway->dataplane, request->packet, &request->headers,
			0, WEIR_DATAGRAM_MIN, &reply) < 0) {
		sessions->counters.dropped++;
		return;
	}
	frame = weir_writer_add(&reply.writer, WEIR_FRAME_COOKIE, 0, sizeof(*frame));
	frame->nonce = hello->nonce;
	make_cookie(sessions, request, weir_be64(hello->nonce),
		weir_loop_clock_ns() / COOKIE_PERIOD_NS, frame->cookie);
	weir_reply_send(sessions->gateway->dataplane, &reply);
	sessions->counters.cookies++;
}

static void send_error(struct weir_sessions *sessions, const struct weir_request *request,
	uint64_t session, uint64_t nonce, enum weir_frame_code code)
{
	/* Never larger than what it answers. */
	uint16_t size = request->headers.payload_length;
	struct weir_reply reply;

	if (size < WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_error) ||
		weir_reply_begin(sessions->gateway->dataplane, request->packet, &request->headers,
			session, size, &reply) < 0) {
		sessions->counters.dropped++;
		return;
	}
	if (weir_writer_add_error(&reply.writer, code, nonce, 0, weir_sessions_code_text(code)) < 0)
		weir_writer_add_error(&reply.writer, code, nonce, 0, "");
	if (code == WEIR_ERROR_VERSION)
		((struct weir_frame_error *)(void *)(reply.writer.data + WEIR_DATAGRAM_HEADER))
			->detail = weir_be32(WEIR_FRAME_VERSION << 8 | WEIR_FRAME_VERSION);
	weir_reply_send(sessions->gateway->dataplane, &reply);
}

void weir_sessions_error(struct weir_sessions *sessions, const struct weir_request *request,
	uint64_t session, enum weir_frame_code code)
{
	send_error(sessions, request, session, 0, code);
}

static void send_welcome(struct weir_sessions *sessions, const struct weir_request *request,
	const struct weir_consumer *consumer, const struct weir_frame_hello *hello)
{
	const struct weir_config *config = weir_dataplane_config(sessions->gateway->dataplane);
	struct weir_frame_welcome *frame;
	struct weir_reply reply;
	struct timespec now;

	if (weir_reply_begin(sessions->gateway->dataplane, request->packet, &request->headers, 0,
		    WEIR_DATAGRAM_MIN, &reply) < 0) {
		sessions->counters.dropped++;
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	frame = weir_writer_add(&reply.writer, WEIR_FRAME_WELCOME, 0, sizeof(*frame));
	frame->version = WEIR_FRAME_VERSION;
	frame->guarantee = WEIR_GUARANTEE_AT_MOST_ONCE;
	frame->max_datagram = weir_be16(consumer->max_datagram);
	frame->nonce = hello->nonce;
	frame->session = weir_be64(consumer->session);
	frame->incarnation = weir_be64(sessions->incarnation);
	frame->clock_ns = weir_be64((uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec);
	frame->options = weir_be32(weir_be32(hello->options) & OPTIONS);
	frame->heartbeat_ms = weir_be32(config->native.heartbeat_ms);
	frame->liveness_ms = weir_be32(config->native.liveness_ms);
	weir_reply_send(sessions->gateway->dataplane, &reply);
}

static struct weir_session *find_peer(
	struct weir_sessions *sessions, const struct weir_request *request, const char *name)
{
	weir_list_for_each (node, &sessions->list) {
		struct weir_session *session = weir_list_entry(node, struct weir_session, link);
		const struct weir_consumer *consumer = session->consumer;

		if (strcmp(consumer->name, name) == 0 &&
			consumer->peer_port == request->headers.source_port &&
			weir_address_equal(&consumer->peer, &request->peer))
			return session;
	}
	return NULL;
}

static enum weir_frame_code code_of(int error)
{
	switch (error) {
	case -ENOENT:
		return WEIR_ERROR_NO_GROUP;
	case -EUSERS:
		return WEIR_ERROR_GROUP_FULL;
	case -EEXIST:
		return WEIR_ERROR_NAME_TAKEN;
	default:
		return WEIR_ERROR_BUSY;
	}
}

static int admit(struct weir_sessions *sessions, const struct weir_request *request,
	const struct weir_frame_hello *hello, const char *group, const char *name)
{
	const struct weir_config *config = weir_dataplane_config(sessions->gateway->dataplane);
	struct weir_session *session = calloc(1, sizeof(*session));
	uint32_t options = weir_be32(hello->options);
	struct weir_session_spec spec = {.group = group,
		.name = name,
		.peer = request->peer,
		.peer_port = request->headers.source_port,
		.local = request->local,
		.max_datagram = RTE_MIN(weir_be16(hello->max_datagram), config->native.max_frame),
		.wants_source = options & WEIR_OPTION_SOURCE,
		.wants_batches = options & WEIR_OPTION_BATCH};
	int result;

	if (session == NULL)
		return -ENOMEM;
	randombytes_buf(&spec.random, sizeof(spec.random));
	result = weir_session_add(sessions->gateway->dataplane, &spec, &session->consumer);
	if (result < 0) {
		free(session);
		return result;
	}
	session->nonce = weir_be64(hello->nonce);
	weir_list_add_tail(&sessions->list, &session->link);
	sessions->counters.admitted++;
	weir_log_info("session", "consumer %s joined group %s", name, group);
	send_welcome(sessions, request, session->consumer, hello);
	return 0;
}

void weir_sessions_hello(struct weir_sessions *sessions, const struct weir_request *request,
	const struct weir_frame_hello *hello)
{
	char group[WEIR_FRAME_NAME_SIZE], name[WEIR_FRAME_NAME_SIZE];
	uint64_t nonce = weir_be64(hello->nonce);
	struct weir_session *known;
	int result;

	sessions->counters.hellos++;
	if (hello->version_min > WEIR_FRAME_VERSION || hello->version_max < WEIR_FRAME_VERSION) {
		sessions->counters.refused++;
		if (weir_sessions_may_answer(sessions))
			send_error(sessions, request, 0, nonce, WEIR_ERROR_VERSION);
		return;
	}
	if (!is_good_cookie(sessions, request, hello)) {
		if (!sodium_is_zero(hello->cookie, sizeof(hello->cookie)))
			sessions->counters.bad_cookies++;
		send_cookie(sessions, request, hello);
		return;
	}
	/* Both end with a zero: checked with the datagram. */
	memcpy(group, hello->group, sizeof(group));
	memcpy(name, hello->name, sizeof(name));
	known = find_peer(sessions, request, name);
	if (known != NULL && known->nonce == nonce) {
		send_welcome(sessions, request, known->consumer, hello);
		return;
	}
	if (known != NULL)
		weir_sessions_end(sessions, known, WEIR_ERROR_REPLACED, false);
	if (hello->role != WEIR_ROLE_CONSUMER) {
		sessions->counters.refused++;
		send_error(sessions, request, 0, nonce, WEIR_ERROR_UNSUPPORTED);
		return;
	}
	result = admit(sessions, request, hello, group, name);
	if (result < 0) {
		sessions->counters.refused++;
		send_error(sessions, request, 0, nonce, code_of(result));
	}
}
