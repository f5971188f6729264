/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/session_private.h"

/*
 * Messages below `end` that follow one another, as many as there is room for: the cursor, at one of
 * them, goes behind them. False, counted, when there is no room for any.
 */
static bool slice_take(struct weir_session *session, struct weir_data_cursor *cursor, uint64_t end,
	struct weir_inbox_slice *slice)
{
	uint64_t messages = session->window.messages - session->held.messages;
	uint64_t bytes = session->window.bytes - session->held.bytes;
	struct weir_data_cursor at = *cursor;
	uint32_t taken = 0;
	uint16_t left = at.left > messages ? (uint16_t)(at.left - messages) : 0;

	while (at.left > left && weir_data_seq(&at) < end) {
		struct weir_data_cursor behind = at;
		uint16_t length = weir_data_pass(&behind);

		if (taken + length > bytes)
			break;
		taken += length;
		at = behind;
	}
	slice->at = *cursor;
	slice->size = (uint32_t)(at.next - cursor->next);
	slice->bytes = taken;
	slice->count = cursor->left - at.left;
	*cursor = at;
	session->stats.overruns += slice->count == 0;
	return slice->count > 0;
}

static void run_fill(
	struct weir_inbox_run *run, const struct weir_client_lane *lane, uint64_t now_ns)
{
	run->lane = lane->index;
	run->epoch = lane->epoch;
	run->stream_id = lane->stream_id;
	run->received_at = now_ns;
}

static void run_queued(
	struct weir_session *session, struct weir_client_lane *lane, struct weir_inbox_run *run)
{
	run->life = lane->life;
	run->missed = lane->missed;
	lane->missed = 0;
	if (lane->queued == 0)
		lane->done_seq = weir_data_seq(&run->waiting);
	lane->queued += run->count;
	session->stats.messages += run->count;
	session->stats.bytes += run->bytes;
}

static void run_held(struct weir_session *session, const struct weir_inbox_run *run)
{
	session->held.messages += run->count;
	session->held.bytes += run->bytes;
}

/* The application has no more use for it. `is_next`: nor for anything of the lane before it. */
static inline void message_done(struct weir_session *session, const struct session_taken *message,
	bool is_next, uint64_t now_ns)
{
	struct weir_client_lane *lane = &session->lanes.items[message->lane];

	if (lane->life != message->life)
		return;
	lane->queued--;
	if (is_next && message->seq >= lane->done_seq)
		lane->done_seq = message->seq + 1;
	if (session->is_reliable && lane->is_known && !weir_client_lane_is_over(lane, lane->epoch))
		weir_session_ack_by(session, lane, now_ns + SESSION_ACK_MAX);
	if (lane->is_revoked)
		weir_session_look_revoked(session, lane, now_ns);
}

/* The application has worked on what it is done with since busy_at. */
static void service_learn(struct weir_session *session, uint64_t now_ns)
{
	uint64_t sample, weight = session->worked < 16 ? session->worked : 16;

	if (session->worked == 0)
		return;
	sample = (now_ns - session->busy_at) / session->worked;
	session->worked = 0;
	session->busy_at = now_ns;
	if (session->service_ns == 0)
		session->service_ns = sample;
	else
		session->service_ns += sample * weight / 16 - session->service_ns * weight / 16;
}

static void held_free(struct weir_session *session, struct session_amount amount)
{
	session->held.messages -= amount.messages;
	session->held.bytes -= amount.bytes;
}

/* Unless it is known not to be due yet. */
static void offer_credit(struct weir_session *session, uint64_t now_ns)
{
	if (!weir_session_is_credit_far(
		    session, session->held.messages, session->held.bytes, now_ns))
		weir_session_offer_credit(session, now_ns);
}

static void give_back(struct weir_session *session, uint64_t now_ns)
{
	session->has_taken = false;
	if (session->manual) {
		offer_credit(session, now_ns);
		return;
	}
	message_done(session, &session->hand, true, now_ns);
	session->worked++;
	if (now_ns != session->busy_at) /* else the time was not looked at since */
		service_learn(session, now_ns);
	held_free(session, session->hand_amount);
	offer_credit(session, now_ns);
}

void weir_session_give_back(struct weir_session *session, uint64_t now_ns)
{
	if (session->has_taken)
		give_back(session, now_ns);
}

/* The application is not given the message in hand. */
static void drop(struct weir_session *session, uint64_t now_ns)
{
	session->pulled++; /* what was asked for is still wanted */
	held_free(session, session->hand_amount);
	offer_credit(session, now_ns);
}

/* Its lane was released before the application was given it: another consumer gets it. */
static bool was_let_go(const struct weir_client_lane *lane, const struct weir_inbox_run *run)
{
	return lane->has_released && run->life != lane->life && run->epoch <= lane->released_epoch;
}

/* When its deadline is; 0: never. */
static uint64_t expires_at(const struct weir_inbox_run *run, const struct weir_data_item *item)
{
	return item->time_left_us != 0 ? run->received_at + (uint64_t)item->time_left_us * 1000 : 0;
}

/* The next message of the lane's run is in hand. False when the application does not get it. */
static bool hand_take(struct weir_session *session, struct weir_client_lane *lane,
	struct weir_inbox_run *run, struct weir_data_item *item, uint64_t now_ns)
{
	weir_inbox_take(&session->inbox, run, item);
	session->hand = (struct session_taken){run->lane, run->life, item->seq};
	session->hand_amount = (struct session_amount){1, item->length};
	if (was_let_go(lane, run)) {
		session->stats.stale++;
		drop(session, now_ns);
		return false;
	}
	lane->expired += run->missed;
	run->missed = 0;
	if (item->time_left_us != 0 && expires_at(run, item) <= now_ns) {
		lane->expired++;
		session->stats.expired++;
		message_done(session, &session->hand, session->taken.messages == 0, now_ns);
		drop(session, now_ns);
		return false;
	}
	return true;
}

static uint32_t ring_at(const struct weir_session *session, uint32_t i)
{
	uint32_t at = session->ring_first + i;

	return at < session->ring_size ? at : at - session->ring_size;
}

static void remember_taken(struct weir_session *session)
{
	session->ring[ring_at(session, session->ring_count++)] = session->hand;
	session->taken.messages++;
	session->taken.bytes += session->hand_amount.bytes;
}

/* Its life is the lane's new one: the lane may come back with it, and it is not taken twice. */
static void keep(struct weir_client_lane *lane, uint32_t *life, uint64_t seq)
{
	if (*life + 1 != lane->life)
		return;
	*life = lane->life;
	if (lane->queued++ == 0)
		lane->done_seq = seq;
	if (lane->floor <= seq)
		lane->floor = seq + 1;
}

void weir_session_keep_taken(struct weir_session *session, struct weir_client_lane *lane)
{
	for (uint32_t i = 0; i < session->ring_count; i++) {
		struct session_taken *taken = &session->ring[ring_at(session, i)];

		if (taken->lane == lane->index)
			keep(lane, &taken->life, taken->seq);
	}
	if (session->has_taken && !session->manual && session->hand.lane == lane->index)
		keep(lane, &session->hand.life, session->hand.seq);
}

struct session_amount weir_session_queue(struct weir_session *session,
	struct weir_client_lane *lane, struct weir_data_cursor *cursor, uint64_t end,
	uint64_t now_ns)
{
	struct weir_data_cursor first = *cursor;
	struct weir_inbox_slice slice;
	struct weir_inbox_run *run;

	if (!slice_take(session, cursor, end, &slice))
		return (struct session_amount){0};
	run = weir_inbox_push(&session->inbox, &slice);
	if (run == NULL) { /* never: what is held fits */
		session->stats.overruns++;
		*cursor = first;
		return (struct session_amount){0};
	}
	run_fill(run, lane, now_ns);
	run_queued(session, lane, run);
	run_held(session, run);
	return (struct session_amount){run->count, run->bytes};
}

struct weir_kept *weir_session_keep(struct weir_session *session, struct weir_client_lane *lane,
	struct weir_data_cursor *cursor, uint64_t end, uint64_t now_ns)
{
	struct weir_data_cursor first = *cursor;
	struct weir_inbox_slice slice;
	struct weir_kept *kept;

	if (!slice_take(session, cursor, end, &slice))
		return NULL;
	kept = weir_kept_run(&slice);
	if (kept == NULL) {
		*cursor = first;
		return NULL;
	}
	run_fill(kept->run, lane, now_ns);
	run_held(session, kept->run);
	return kept;
}

void weir_session_release(
	struct weir_session *session, struct weir_client_lane *lane, struct weir_kept *kept)
{
	const struct weir_inbox_run *from = kept->run;
	struct weir_inbox_slice slice;
	struct weir_inbox_run *run;

	if (from == NULL) {
		if (kept->reason != WEIR_GAP_LEFT_OUT)
			weir_session_tell_gap(session, lane, kept->first, kept->end, kept->reason);
		free(kept);
		return;
	}
	slice = (struct weir_inbox_slice){
		from->waiting, from->size - (uint32_t)sizeof(*from), from->bytes, from->count};
	run = weir_inbox_push(&session->inbox, &slice);
	if (run != NULL) {
		run_fill(run, lane, from->received_at);
		run_queued(session, lane, run);
	} else { /* never: what is held fits */
		session->stats.overruns++;
		lane->missed += from->count;
		held_free(session, (struct session_amount){from->count, from->bytes});
	}
	free(kept);
}

uint64_t weir_session_done(const struct weir_client_lane *lane)
{
	if (lane->queued == 0 || lane->done_seq > lane->next_seq)
		return lane->next_seq;
	return lane->done_seq;
}

/* To its deadline, which is still to come, rounded up; 0: it has none. */
static uint32_t time_left_us(uint64_t expires_at, uint64_t now_ns)
{
	uint64_t us = expires_at != 0 ? (expires_at - now_ns + 999) / 1000 : 0;

	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static const struct weir_trace_context *trace_take(
	struct weir_session *session, const struct weir_frame_context *wire)
{
	session->hand_trace = (struct weir_trace_context){.flags = wire->flags};
	memcpy(session->hand_trace.trace_id, wire->trace_id, sizeof(wire->trace_id));
	memcpy(session->hand_trace.span_id, wire->span_id, sizeof(wire->span_id));
	return &session->hand_trace;
}

/* Field by field: a compound literal is cleared first, which takes as long again. */
static void message_fill(struct weir_message *message, const struct weir_client_lane *lane,
	const struct weir_inbox_run *run, const struct weir_data_item *item)
{
	message->stream = lane->stream;
	message->data = item->payload;
	message->length = item->length;
	message->stream_id = run->stream_id;
	message->partition = lane->partition;
	message->source_port = item->source_port;
	message->epoch = run->epoch;
	message->source_family = 0;
	memset(message->source, 0, sizeof(message->source));
	if (item->source != NULL) {
		message->source_family = item->flags & WEIR_MESSAGE_IPV6 ? 6 : 4;
		memcpy(message->source, item->source, weir_message_address(item->flags));
	}
	message->flags = item->flags & (WEIR_FLAG_DEGRADED | WEIR_FLAG_REDELIVERED);
	message->tos = item->tos;
	message->sequence = item->seq;
	message->missed = lane->expired;
	message->ingest_ns = item->ingest_ns;
	memset(message->reserved, 0, sizeof(message->reserved));
}

bool weir_session_needs_time(const struct weir_session *session, uint64_t latest_ns)
{
	/* Work on what has come begins or ends: how long it takes is learnt. */
	if (!session->has_taken || session->inbox.count == 0)
		return true;
	return session->inbox.timed != 0 || session->revoked != 0 || session->is_letting_go ||
	       !weir_session_is_credit_far(session,
		       session->held.messages - session->hand_amount.messages,
		       session->held.bytes - session->hand_amount.bytes, latest_ns);
}

int weir_session_next(struct weir_session *session, struct weir_message *message, uint64_t now_ns)
{
	struct weir_client_lane *lane;
	struct weir_data_item item;
	struct weir_inbox_run *run;

	if (session->has_taken)
		give_back(session, now_ns);
	if (session->revoked != 0)
		weir_session_tick_revoked(session, now_ns);
	do {
		run = weir_inbox_peek(&session->inbox);
		if (run == NULL) {
			service_learn(session, now_ns);
			session->is_letting_go = false;
			return 0;
		}
		lane = &session->lanes.items[run->lane];
	} while (!hand_take(session, lane, run, &item, now_ns));
	session->has_taken = true;
	session->stats.taken++;
	if (session->taken.messages == 0)
		session->busy_at = now_ns;
	if (session->manual)
		remember_taken(session);
	message_fill(message, lane, run, &item);
	message->time_left_us = time_left_us(expires_at(run, &item), now_ns);
	message->trace = item.context != NULL ? trace_take(session, item.context) : NULL;
	lane->expired = 0;
	return 1;
}

int weir_session_consume(
	struct weir_session *session, uint32_t messages, uint32_t bytes, uint64_t now_ns)
{
	if (!session->manual || messages > session->taken.messages || bytes > session->taken.bytes)
		return -EINVAL;
	for (uint32_t i = 0; i < messages; i++) {
		message_done(session, &session->ring[session->ring_first], true, now_ns);
		session->ring_first = ring_at(session, 1);
		session->ring_count--;
	}
	session->worked += messages;
	service_learn(session, now_ns);
	session->taken.messages -= messages;
	session->taken.bytes -= bytes;
	held_free(session, (struct session_amount){messages, bytes});
	offer_credit(session, now_ns);
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

size_t weir_session_waiting(const struct weir_session *session)
{
	return session->inbox.count + session->event_count;
}
