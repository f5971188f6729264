/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session_private.h"

#define CREDIT_PAUSE (10 * SESSION_NS_PER_MS) /* between two that tell of work done */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t above(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/*
 * Credit in use, of what was sent in this session and before: messages that are here, and those
 * that are missing and will still come. What came by repair before its position was told makes
 * the second part negative.
 */
static uint64_t credit_used(uint64_t held, int64_t missing, uint64_t most)
{
	if (missing < 0)
		return held > (uint64_t)-missing ? least(held - (uint64_t)-missing, most) : 0;
	return least(held + (uint64_t)missing, most);
}

/*
 * What may be sent in all: what was sent, plus the part of the window that is free. Credit in
 * use by messages of a session before this one takes its share of the window too, so the inbox
 * never holds more than one window.
 */
static struct session_amount limit_now(const struct weir_session *session)
{
	struct session_amount limit = {
		session->position.messages + session->window.messages -
			credit_used(session->held.messages, session->missing.messages,
				session->window.messages),
		session->position.bytes + session->window.bytes -
			credit_used(session->held.bytes, session->missing.bytes,
				session->window.bytes)};

	if (session->pull)
		limit.messages = least(limit.messages, session->pulled);
	if (limit.messages < session->limit.messages)
		limit.messages = session->limit.messages;
	if (limit.bytes < session->limit.bytes)
		limit.bytes = session->limit.bytes;
	return limit;
}

/* Absolute: the whole state, repeated until a HEARTBEAT confirms its counter. */
static void pause_add(const struct weir_session *session, struct session_out *out)
{
	struct weir_frame_pause *pause =
		weir_session_out_add(out, WEIR_FRAME_PAUSE, sizeof(*pause));

	if (pause == NULL)
		return;
	pause->counter = weir_be32(session->pause_counter);
	pause->scope = session->is_paused ? WEIR_PAUSE_ALL : WEIR_PAUSE_NONE;
}

static void credit_add(struct weir_session *session, struct session_out *out)
{
	struct session_amount used = {credit_used(session->held.messages, session->missing.messages,
					      session->position.messages),
		credit_used(session->held.bytes, session->missing.bytes, session->position.bytes)};
	struct weir_frame_credit *credit =
		weir_session_out_add(out, WEIR_FRAME_CREDIT, sizeof(*credit));

	if (credit == NULL)
		return;
	session->limit = limit_now(session);
	credit->counter = weir_be32(++session->credit_counter);
	credit->limit_messages = weir_be64(session->limit.messages);
	credit->limit_bytes = weir_be64(session->limit.bytes);
	credit->consumed_messages = weir_be64(session->position.messages - used.messages);
	credit->consumed_bytes = weir_be64(session->position.bytes - used.bytes);
	credit->queue = weir_be32((uint32_t)session->inbox.count);
	credit->service_ns = weir_be32((uint32_t)least(session->service_ns, UINT32_MAX));
	credit->capacity = weir_be32((uint32_t)session->window.messages);
	credit->edition = weir_be16(session->edition);
	session->stats.credits_sent++;
	if (session->pause_counter != session->pause_seen)
		pause_add(session, out);
	weir_session_add_seeks(session, out);
}

/*
 * The gateway may send no more ahead of the application than it can do in a short time, however
 * large the window: tell it when half of that is done, before the rest is. True when that is now.
 */
static bool is_half_done(struct weir_session *session, uint64_t now_ns)
{
	uint64_t due = session->credit_at + CREDIT_PAUSE;

	if (session->held.messages > session->most_held)
		session->most_held = session->held.messages;
	if (session->held.messages * 2 > session->most_held || session->most_held == 0)
		return false;
	if (due > now_ns)
		session->send_at = least(session->send_at, due);
	return due <= now_ns;
}

/* When to look again, if the application gives back one message after another. */
static void credit_measure(struct weir_session *session, struct session_amount grown)
{
	struct session_amount quarter = {
		(session->window.messages + 3) / 4, (session->window.bytes + 3) / 4};
	uint64_t half = session->most_held / 2;

	session->credit_below = (struct session_amount){
		above(session->held.messages + grown.messages, quarter.messages),
		above(session->held.bytes + grown.bytes, quarter.bytes)};
	session->credit_look_at = UINT64_MAX;
	if (session->most_held == 0)
		return;
	if (session->held.messages <= half)
		session->credit_look_at = session->credit_at + CREDIT_PAUSE;
	else if (session->credit_below.messages < half)
		session->credit_below.messages = half;
}

void weir_session_flush(struct weir_session *session, bool has_credit, uint64_t now_ns)
{
	struct session_out out;

	weir_session_out_begin(&out, session);
	if (has_credit) {
		session->send_at = now_ns + session->heartbeat_ms * SESSION_NS_PER_MS;
		session->credit_at = now_ns;
		session->most_held = session->held.messages;
		credit_add(session, &out);
		weir_session_look_at_credit(session);
	}
	weir_session_add_nacks(session, &out, now_ns);
	if (has_credit || session->ack_at <= now_ns)
		weir_session_add_acks(session, &out, now_ns);
	weir_session_out_end(&out);
}

void weir_session_send_credit(struct weir_session *session, uint64_t now_ns)
{
	weir_session_flush(session, true, now_ns);
}

void weir_session_offer_credit(struct weir_session *session, uint64_t now_ns)
{
	struct session_amount grown;

	if (session->phase != SESSION_JOINED)
		return;
	grown = limit_now(session);
	grown.messages -= session->limit.messages;
	grown.bytes -= session->limit.bytes;
	if (grown.messages * 4 >= session->window.messages ||
		grown.bytes * 4 >= session->window.bytes || is_half_done(session, now_ns)) {
		weir_session_send_credit(session, now_ns);
		grown = (struct session_amount){0};
	}
	credit_measure(session, grown);
}
