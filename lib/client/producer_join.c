/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "client/producer_private.h"

#define FIRST_RTT_NS  (10 * PRODUCER_NS_PER_MS) /* until one has been measured */
#define FIRST_WAIT_NS (5 * PRODUCER_NS_PER_MS)  /* besides a round trip, for the first answer */

int weir_producer_session_set_options(
	struct weir_producer_session *session, const struct weir_producer_options *options)
{
	struct weir_greeting *greeting = &session->greeting;
	uint32_t max_datagram =
		options->max_datagram != 0 ? options->max_datagram : WEIR_PRODUCER_DATAGRAM;
	uint32_t bytes =
		options->window_bytes != 0 ? options->window_bytes : WEIR_PRODUCER_WINDOW_BYTES;

	if (weir_greeting_set_name(greeting->group, options->stream) != 0 ||
		weir_greeting_set_name(greeting->name, options->name) != 0 ||
		max_datagram < WEIR_DATAGRAM_MIN || max_datagram > WEIR_DATAGRAM_MAX ||
		options->window_messages > WEIR_PRODUCER_WINDOW_MAX ||
		bytes > WEIR_PRODUCER_BYTES_MAX || bytes < 4 * max_datagram ||
		(unsigned int)options->tier > WEIR_PRODUCE_BULK)
		return -EINVAL;
	greeting->role = WEIR_ROLE_PRODUCER;
	greeting->max_datagram = (uint16_t)max_datagram;
	greeting->options = WEIR_OPTION_TRACE;
	session->max_datagram = greeting->max_datagram;
	session->tier = options->tier != WEIR_PRODUCE_DEFAULT
				? (uint8_t)(options->tier - WEIR_PRODUCE_CRITICAL)
				: WEIR_PRODUCE_STANDARD - WEIR_PRODUCE_CRITICAL;
	if (options->key_file == NULL)
		return 0;
	return weir_guard_load(
		&session->link.guard, options->key_file, options->key_id, greeting->name);
}

void weir_producer_session_greet(struct weir_producer_session *session, uint64_t at_ns)
{
	session->phase = PRODUCER_GREETING;
	session->hello_at = 0;
	weir_greeting_begin(&session->greeting, &session->link, at_ns);
}

void weir_producer_session_hello(struct weir_producer_session *session, uint64_t now_ns)
{
	session->hello_at = now_ns;
	weir_greeting_send(&session->greeting, &session->link, now_ns);
}

/* Nothing was sent in this session yet. */
static void forget_sending(struct weir_producer_session *session)
{
	struct produce_store *store = &session->store;

	session->bytes = 0;
	for (uint64_t number = store->oldest; number != store->next; number++) {
		struct produce_entry *entry = weir_produce_entry(store, number);

		entry->sent_ns = 0;
		entry->tries = 0;
		entry->is_due = false;
		entry->is_received = false;
		session->bytes += entry->length;
	}
	session->due = 0;
	session->missing = 0;
	session->gathered = 0;
	session->unsent = store->oldest;
	session->next = store->oldest;
	session->newest = store->oldest - 1;
	session->probes = 0;
}

static void welcomed(
	struct weir_producer_session *session, const struct weir_welcome *welcome, uint64_t now_ns)
{
	if (session->rtt_ns == 0)
		session->rtt_ns = session->hello_at != 0 && now_ns > session->hello_at
					  ? now_ns - session->hello_at
					  : FIRST_RTT_NS;
	session->phase = PRODUCER_JOINED;
	session->max_datagram = welcome->max_datagram;
	session->takes_contexts = welcome->options & WEIR_OPTION_TRACE;
	session->heartbeat_ns = welcome->heartbeat_ms * PRODUCER_NS_PER_MS;
	session->liveness_ns = welcome->liveness_ms * PRODUCER_NS_PER_MS;
	session->heard_at = now_ns;
	session->said_at = now_ns;
	session->wait_until = now_ns + session->rtt_ns + FIRST_WAIT_NS;
	session->is_answered = false;
	session->is_known = false;
	session->limit_messages = 0;
	session->limit_bytes = 0;
	session->pace_counter = 0;
	session->pace_reason = WEIR_PACE_NONE;
	session->stats.sessions++;
	session->stats.code = 0;
	forget_sending(session);
}

void weir_producer_session_on_greeting(struct weir_producer_session *session,
	const struct weir_frame_header *frame, uint64_t now_ns)
{
	struct weir_greeting_answer answer;

	if (session->phase != PRODUCER_GREETING) {
		session->stats.foreign++;
		return;
	}
	switch (weir_greeting_take(&session->greeting, &session->link, frame, now_ns, &answer)) {
	case WEIR_GREETING_NOTHING:
		break;
	case WEIR_GREETING_AGAIN:
		weir_producer_session_hello(session, now_ns);
		break;
	case WEIR_GREETING_WELCOMED:
		welcomed(session, &answer.welcome, now_ns);
		break;
	case WEIR_GREETING_REFUSED:
		session->stats.code = answer.code;
		break;
	case WEIR_GREETING_FOREIGN:
		session->stats.foreign++;
		break;
	case WEIR_GREETING_MALFORMED:
		session->stats.malformed++;
		break;
	}
}

void weir_producer_session_lose(
	struct weir_producer_session *session, uint16_t code, uint64_t now_ns)
{
	weir_producer_session_greet(
		session, now_ns + weir_io_jitter_ns(&session->link.io, WEIR_GREETING_BACKOFF_MS));
	session->stats.code = code;
}
