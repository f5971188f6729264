/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/session_private.h"

static bool has_room(const struct weir_session *session, uint16_t length)
{
	return session->held.messages < session->window.messages &&
	       session->held.bytes + length <= session->window.bytes;
}

static void put_trace(uint8_t *place, const struct weir_frame_context *wire)
{
	struct weir_trace_context context = {.flags = wire->flags};

	memcpy(context.trace_id, wire->trace_id, sizeof(context.trace_id));
	memcpy(context.span_id, wire->span_id, sizeof(context.span_id));
	memcpy(place, &context, sizeof(context));
}

static void entry_fill(struct weir_inbox_entry *entry, const struct weir_client_lane *lane,
	const struct weir_data_item *item, uint64_t now_ns)
{
	entry->stream = lane->stream;
	entry->stream_id = lane->stream_id;
	entry->partition = lane->partition;
	entry->epoch = lane->epoch;
	entry->lane = lane->index;
	entry->seq = item->seq;
	entry->ingest_ns = item->ingest_ns;
	entry->expires_at =
		item->time_left_us != 0 ? now_ns + (uint64_t)item->time_left_us * 1000 : 0;
	entry->source_port = item->source_port;
	entry->source_family = 0;
	memset(entry->source, 0, sizeof(entry->source));
	if (item->source != NULL) {
		entry->source_family = item->flags & WEIR_MESSAGE_IPV6 ? 6 : 4;
		memcpy(entry->source, item->source, weir_message_address(item->flags));
	}
	entry->flags = item->flags & (WEIR_FLAG_DEGRADED | WEIR_FLAG_REDELIVERED);
	entry->tos = item->tos;
	memcpy(entry->data, item->payload, item->length);
	if (item->context != NULL)
		put_trace(entry->data + item->length, item->context);
}

static void entry_queued(
	struct weir_session *session, struct weir_client_lane *lane, struct weir_inbox_entry *entry)
{
	entry->life = lane->life;
	entry->missed = lane->missed;
	lane->missed = 0;
	if (lane->queued++ == 0)
		lane->done_seq = entry->seq;
	session->stats.messages++;
	session->stats.bytes += entry->length;
}

static void entry_held(struct weir_session *session, uint16_t length)
{
	session->held.messages++;
	session->held.bytes += length;
}

/* The application has no more use for it. `is_next`: nor for anything of the lane before it. */
static void message_done(struct weir_session *session, const struct session_taken *message,
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
	weir_session_look_revoked(session, lane, now_ns);
}

/* The application has worked on `messages` since busy_at. */
static void service_learn(struct weir_session *session, uint32_t messages, uint64_t now_ns)
{
	uint64_t sample = (now_ns - session->busy_at) / messages;

	session->busy_at = now_ns;
	if (session->service_ns == 0)
		session->service_ns = sample;
	else
		session->service_ns = session->service_ns - session->service_ns / 16 + sample / 16;
}

static void held_free(struct weir_session *session, uint64_t messages, uint64_t bytes)
{
	session->held.messages -= messages;
	session->held.bytes -= bytes;
}

void weir_session_give_back(struct weir_session *session, uint64_t now_ns)
{
	const struct weir_inbox_entry *entry = weir_inbox_peek(&session->inbox);

	if (!session->has_taken)
		return;
	session->has_taken = false;
	if (!session->manual) {
		const struct session_taken message = {entry->lane, entry->life, entry->seq};

		message_done(session, &message, true, now_ns);
		held_free(session, 1, entry->length);
		service_learn(session, 1, now_ns);
	}
	weir_inbox_pop(&session->inbox);
	weir_session_offer_credit(session, now_ns);
}

/* The oldest is past its deadline. */
static void drop_expired(struct weir_session *session, uint64_t now_ns)
{
	const struct weir_inbox_entry *entry = weir_inbox_peek(&session->inbox);
	const struct session_taken message = {entry->lane, entry->life, entry->seq};

	session->lanes.items[entry->lane].expired += entry->missed + 1;
	session->stats.expired++;
	session->pulled++; /* what was asked for is still wanted */
	message_done(session, &message, session->taken.messages == 0, now_ns);
	held_free(session, 1, entry->length);
	weir_inbox_pop(&session->inbox);
	weir_session_offer_credit(session, now_ns);
}

/* Its lane was released before the application was given it: another consumer gets it. */
static bool was_let_go(const struct weir_session *session, const struct weir_inbox_entry *entry)
{
	const struct weir_client_lane *lane = &session->lanes.items[entry->lane];

	return lane->has_released && entry->life != lane->life &&
	       entry->epoch <= lane->released_epoch;
}

static void drop_let_go(struct weir_session *session, uint64_t now_ns)
{
	const struct weir_inbox_entry *entry = weir_inbox_peek(&session->inbox);

	session->stats.stale++;
	session->pulled++; /* what was asked for is still wanted */
	held_free(session, 1, entry->length);
	weir_inbox_pop(&session->inbox);
	weir_session_offer_credit(session, now_ns);
}

static void remember_taken(struct weir_session *session, const struct weir_inbox_entry *entry)
{
	uint32_t at = (session->ring_first + session->ring_count++) % session->ring_size;

	session->ring[at] = (struct session_taken){entry->lane, entry->life, entry->seq};
	session->taken.messages++;
	session->taken.bytes += entry->length;
}

static uint32_t time_left_us(const struct weir_inbox_entry *entry, uint64_t now_ns)
{
	uint64_t us;

	if (entry->expires_at == 0)
		return 0;
	us = (entry->expires_at - now_ns + 999) / 1000;
	return us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
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
	struct weir_inbox_entry *entry = weir_inbox_peek(&session->inbox);

	for (uint32_t i = 0; i < session->ring_count; i++) {
		struct session_taken *taken =
			&session->ring[(session->ring_first + i) % session->ring_size];

		if (taken->lane == lane->index)
			keep(lane, &taken->life, taken->seq);
	}
	if (session->has_taken && !session->manual && entry->lane == lane->index)
		keep(lane, &entry->life, entry->seq);
}

bool weir_session_queue(struct weir_session *session, struct weir_client_lane *lane,
	const struct weir_data_item *item, uint64_t now_ns)
{
	struct weir_inbox_entry *entry = NULL;

	if (has_room(session, item->length))
		entry = weir_inbox_push(&session->inbox, item->length, item->context != NULL);
	if (entry == NULL) {
		session->stats.overruns++;
		return false;
	}
	entry_fill(entry, lane, item, now_ns);
	entry_queued(session, lane, entry);
	entry_held(session, item->length);
	return true;
}

struct weir_kept *weir_session_keep(struct weir_session *session, struct weir_client_lane *lane,
	const struct weir_data_item *item, uint64_t now_ns)
{
	struct weir_kept *kept;

	if (!has_room(session, item->length)) {
		session->stats.overruns++;
		return NULL;
	}
	kept = weir_kept_message(item->length, item->context != NULL);
	if (kept == NULL)
		return NULL;
	entry_fill(kept->entry, lane, item, now_ns);
	entry_held(session, item->length);
	return kept;
}

void weir_session_release(
	struct weir_session *session, struct weir_client_lane *lane, struct weir_kept *kept)
{
	struct weir_inbox_entry *entry;
	uint32_t size;

	if (kept->entry == NULL) {
		if (kept->reason != WEIR_GAP_LEFT_OUT)
			weir_session_tell_gap(session, lane, kept->first, kept->end, kept->reason);
		free(kept);
		return;
	}
	entry = weir_inbox_push(&session->inbox, kept->entry->length, kept->entry->has_trace);
	if (entry == NULL) { /* never: what is held fits */
		session->stats.overruns++;
		lane->missed++;
		held_free(session, 1, kept->entry->length);
		free(kept);
		return;
	}
	size = entry->size;
	memcpy(entry, kept->entry,
		offsetof(struct weir_inbox_entry, data) +
			weir_inbox_data(kept->entry->length, kept->entry->has_trace));
	entry->size = size;
	entry_queued(session, lane, entry);
	free(kept);
}

uint64_t weir_session_done(const struct weir_client_lane *lane)
{
	if (lane->queued == 0 || lane->done_seq > lane->next_seq)
		return lane->next_seq;
	return lane->done_seq;
}

int weir_session_next(struct weir_session *session, struct weir_message *message, uint64_t now_ns)
{
	const struct weir_inbox_entry *entry;
	struct weir_client_lane *lane;

	weir_session_give_back(session, now_ns);
	weir_session_tick_revoked(session, now_ns);
	while ((entry = weir_inbox_peek(&session->inbox)) != NULL) {
		if (was_let_go(session, entry))
			drop_let_go(session, now_ns);
		else if (entry->expires_at != 0 && entry->expires_at <= now_ns)
			drop_expired(session, now_ns);
		else
			break;
	}
	if (entry == NULL)
		return 0;
	session->has_taken = true;
	session->stats.taken++;
	if (session->taken.messages == 0)
		session->busy_at = now_ns;
	if (session->manual)
		remember_taken(session, entry);
	lane = &session->lanes.items[entry->lane];
	*message = (struct weir_message){
		.stream = entry->stream,
		.data = entry->data,
		.length = entry->length,
		.stream_id = entry->stream_id,
		.partition = entry->partition,
		.source_port = entry->source_port,
		.epoch = entry->epoch,
		.source_family = entry->source_family,
		.flags = entry->flags,
		.tos = entry->tos,
		.time_left_us = time_left_us(entry, now_ns),
		.sequence = entry->seq,
		.missed = entry->missed + lane->expired,
		.ingest_ns = entry->ingest_ns,
		.trace = entry->has_trace ? (const void *)(entry->data + entry->length) : NULL,
	};
	memcpy(message->source, entry->source, sizeof(message->source));
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
		session->ring_first = (session->ring_first + 1) % session->ring_size;
		session->ring_count--;
	}
	if (messages > 0)
		service_learn(session, messages, now_ns);
	session->taken.messages -= messages;
	session->taken.bytes -= bytes;
	held_free(session, messages, bytes);
	weir_session_offer_credit(session, now_ns);
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
	return session->inbox.count - (session->has_taken ? 1 : 0) + session->event_count;
}
