/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/agents.h"
#include "control/sessions_private.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "control/producers.h"

/*
 * Admission. Nothing is stored for a client before it has returned a cookie, which proves that
 * it receives at the address that it sends from. A cookie is a keyed hash of the address, port,
 * nonce and time.
 */

#define COOKIE_PERIOD_NS (10 * WEIR_S_NS) /* good in its own period and the next */
#define OPTIONS                                                                                    \
	(WEIR_OPTION_SOURCE | WEIR_OPTION_BATCH | WEIR_OPTION_RELIABLE | WEIR_OPTION_SEEK |        \
		WEIR_OPTION_LOAD | WEIR_OPTION_ASSIGN | WEIR_OPTION_TRACE)

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
			0, WEIR_DATAGRAM_MIN, NULL, &reply) < 0) {
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
			session, size, NULL, &reply) < 0) {
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

bool weir_sessions_authorize(
	struct weir_sessions *sessions, struct weir_applicant *applicant, const char *key_file)
{
	const struct weir_secrets *secrets;
	struct timespec now;

	if (key_file[0] == '\0')
		return true;
	clock_gettime(CLOCK_REALTIME, &now);
	secrets = weir_keys_get(sessions->keys, key_file);
	if (secrets == NULL || weir_handshake_verify(secrets, applicant->hello,
				       (uint64_t)now.tv_sec * WEIR_S_NS + (uint64_t)now.tv_nsec,
				       WEIR_HANDSHAKE_SKEW_NS, &applicant->secret) != 0) {
		weir_sessions_refuse(sessions, applicant, WEIR_ERROR_NOT_PERMITTED);
		return false;
	}
	applicant->hello_ns = weir_be64(applicant->hello->authentication.timestamp_ns);
	return true;
}

bool weir_sessions_agree(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	uint64_t session, struct weir_frame_key *key, struct weir_seal *seal)
{
	uint8_t random[WEIR_HANDSHAKE_KEY_SIZE];
	struct timespec now;
	int result;

	if (applicant->secret == NULL)
		return true;
	clock_gettime(CLOCK_REALTIME, &now);
	randombytes_buf(random, sizeof(random));
	result = weir_handshake_answer(applicant->secret, applicant->hello, session,
		(uint64_t)now.tv_sec * WEIR_S_NS + (uint64_t)now.tv_nsec, random, key, seal);
	sodium_memzero(random, sizeof(random));
	if (result < 0)
		weir_sessions_refuse(sessions, applicant, WEIR_ERROR_NOT_PERMITTED);
	return result == 0;
}

static void add_key(struct weir_writer *writer, const struct weir_frame_key *key)
{
	struct weir_frame_key *frame = weir_writer_add(writer, WEIR_FRAME_KEY, 0, sizeof(*frame));

	if (frame == NULL)
		return;
	frame->timestamp_ns = key->timestamp_ns;
	memcpy(frame->public_key, key->public_key, sizeof(frame->public_key));
}

void weir_sessions_welcome(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	const struct weir_welcome_spec *spec)
{
	const struct weir_request *request = applicant->request;
	const struct weir_config *config = weir_dataplane_config(sessions->gateway->dataplane);
	struct weir_frame_welcome *frame;
	struct weir_reply reply;
	struct timespec now;

	if (weir_reply_begin(sessions->gateway->dataplane, request->packet, &request->headers, 0,
		    WEIR_DATAGRAM_MIN, spec->seal, &reply) < 0) {
		sessions->counters.dropped++;
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	frame = weir_writer_add(&reply.writer, WEIR_FRAME_WELCOME, 0, sizeof(*frame));
	frame->version = WEIR_FRAME_VERSION;
	frame->guarantee = spec->guarantee;
	frame->max_datagram = weir_be16(spec->max_datagram);
	frame->nonce = applicant->hello->nonce;
	frame->session = weir_be64(spec->session);
	frame->incarnation = weir_be64(sessions->incarnation);
	frame->clock_ns = weir_be64((uint64_t)now.tv_sec * WEIR_S_NS + (uint64_t)now.tv_nsec);
	frame->options = weir_be32(spec->options);
	frame->heartbeat_ms = weir_be32(config->native.heartbeat_ms);
	frame->liveness_ms = weir_be32(config->native.liveness_ms);
	if (spec->seal != NULL && spec->seal->is_on)
		add_key(&reply.writer, spec->key);
	weir_reply_send(sessions->gateway->dataplane, &reply);
}

void weir_sessions_refuse(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	enum weir_frame_code code)
{
	sessions->counters.refused++;
	send_error(sessions, applicant->request, 0, applicant->nonce, code);
}

static void welcome_consumer(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	struct weir_session *session)
{
	const struct weir_welcome_spec spec = {
		.session = session->consumer->session,
		.max_datagram = session->consumer->max_datagram,
		.guarantee = session->consumer->is_reliable ? WEIR_GUARANTEE_AT_LEAST_ONCE
							    : WEIR_GUARANTEE_AT_MOST_ONCE,
		.options = session->options,
		.seal = &session->consumer->seal,
		.key = &session->key,
	};

	weir_sessions_welcome(sessions, applicant, &spec);
}

static struct weir_session *find_peer(
	struct weir_sessions *sessions, const struct weir_applicant *applicant)
{
	const struct weir_request *request = applicant->request;

	weir_list_for_each (node, &sessions->list) {
		struct weir_session *session = weir_list_entry(node, struct weir_session, link);
		const struct weir_consumer *consumer = session->consumer;

		if (strcmp(consumer->name, applicant->name) == 0 &&
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

/* A consumer that is admitted is known to workers from here on: its keys are set before. */
static int make_consumer(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	struct weir_session *session)
{
	const struct weir_config *config = weir_dataplane_config(sessions->gateway->dataplane);
	const struct weir_request *request = applicant->request;
	uint32_t options = weir_be32(applicant->hello->options) & OPTIONS;
	struct weir_session_spec spec = {.group = applicant->group,
		.name = applicant->name,
		.peer = request->peer,
		.peer_port = request->headers.source_port,
		.local = request->local,
		.max_datagram = RTE_MIN(
			weir_be16(applicant->hello->max_datagram), config->native.max_frame),
		.wants_source = options & WEIR_OPTION_SOURCE,
		.wants_batches = options & WEIR_OPTION_BATCH,
		.wants_contexts = options & WEIR_OPTION_TRACE,
		.is_reliable = options & WEIR_OPTION_RELIABLE,
		.may_seek = options & WEIR_OPTION_SEEK,
		.may_assign = options & WEIR_OPTION_ASSIGN};
	int result = weir_session_prepare(sessions->gateway->dataplane, &spec, &session->consumer);

	if (result < 0)
		return result;
	session->options = options & ~(session->consumer->is_reliable ? 0u : WEIR_OPTION_RELIABLE);
	if (!weir_sessions_agree(sessions, applicant, session->consumer->session, &session->key,
		    &session->consumer->seal)) {
		weir_session_abandon(session->consumer);
		return -EPERM;
	}
	weir_windows_restore(
		&sessions->windows, session->consumer, sessions->gateway->dataplane->worker_count);
	return weir_session_add(sessions->gateway->dataplane, session->consumer);
}

static void admit(struct weir_sessions *sessions, const struct weir_applicant *applicant)
{
	struct weir_session *session = calloc(1, sizeof(*session));
	int result;

	if (session == NULL)
		return;
	result = make_consumer(sessions, applicant, session);
	if (result < 0) {
		free(session);
		if (result != -EPERM)
			weir_sessions_refuse(sessions, applicant, code_of(result));
		return;
	}
	session->nonce = applicant->nonce;
	session->hello_ns = applicant->hello_ns;
	weir_list_add_tail(&sessions->list, &session->link);
	sessions->counters.admitted++;
	weir_log_info("session", "consumer %s joined group %s", applicant->name, applicant->group);
	welcome_consumer(sessions, applicant, session);
}

static const char *key_file_of(const struct weir_sessions *sessions, const char *group)
{
	const struct weir_config *config = weir_dataplane_config(sessions->gateway->dataplane);

	for (unsigned int i = 0; i < config->group_count; i++)
		if (strcmp(config->groups[i].name, group) == 0)
			return config->groups[i].key_file;
	return "";
}

static void consumer_hello(struct weir_sessions *sessions, struct weir_applicant *applicant)
{
	struct weir_session *known;

	if (!weir_sessions_authorize(sessions, applicant, key_file_of(sessions, applicant->group)))
		return;
	known = find_peer(sessions, applicant);
	if (known != NULL && known->nonce == applicant->nonce) {
		welcome_consumer(sessions, applicant, known);
		return;
	}
	/* A HELLO that was recorded ends no session. */
	if (known != NULL && applicant->secret != NULL && applicant->hello_ns <= known->hello_ns) {
		sessions->counters.dropped++;
		return;
	}
	if (known != NULL)
		weir_sessions_end(sessions, known, WEIR_ERROR_REPLACED, false);
	admit(sessions, applicant);
}

void weir_sessions_hello(struct weir_sessions *sessions, const struct weir_request *request,
	const struct weir_frame_hello *hello)
{
	struct weir_applicant applicant = {
		.request = request, .hello = hello, .nonce = weir_be64(hello->nonce)};

	sessions->counters.hellos++;
	if (hello->version_min > WEIR_FRAME_VERSION || hello->version_max < WEIR_FRAME_VERSION) {
		sessions->counters.refused++;
		if (weir_sessions_may_answer(sessions))
			send_error(sessions, request, 0, applicant.nonce, WEIR_ERROR_VERSION);
		return;
	}
	if (!is_good_cookie(sessions, request, hello)) {
		if (!sodium_is_zero(hello->cookie, sizeof(hello->cookie)))
			sessions->counters.bad_cookies++;
		send_cookie(sessions, request, hello);
		return;
	}
	/* Both end with a zero: checked with the datagram. */
	memcpy(applicant.group, hello->group, sizeof(applicant.group));
	memcpy(applicant.name, hello->name, sizeof(applicant.name));
	switch ((enum weir_role)hello->role) {
	case WEIR_ROLE_CONSUMER:
		consumer_hello(sessions, &applicant);
		return;
	case WEIR_ROLE_PRODUCER:
		weir_producer_sessions_hello(sessions, &applicant);
		return;
	case WEIR_ROLE_AGENT:
		weir_agents_hello(sessions, &applicant);
		return;
	default:
		weir_sessions_refuse(sessions, &applicant, WEIR_ERROR_UNSUPPORTED);
	}
}
