/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "client/session_private.h"
#include "wire/frame_data.h"

/* What DATA and HEARTBEAT both tell of a lane. */
struct lane_news {
	uint16_t stream;
	uint16_t partition;
	uint32_t epoch;
	uint64_t first;                /* where it began in this epoch */
	uint64_t seq;                  /* everything below was sent or given up */
	struct session_amount before;  /* sent on the lane when `seq` was reached */
	struct session_amount carried; /* sent with this frame itself */
};

static const struct session_stream *stream_find(const struct weir_session *session, uint16_t id)
{
	for (size_t i = 0; i < session->stream_count; i++)
		if (session->streams[i].id == id)
			return &session->streams[i];
	return NULL;
}

static struct weir_client_lane *lane_get(struct weir_session *session, const struct lane_news *news)
{
	struct weir_client_lane *lane =
		weir_client_lanes_find(&session->lanes, news->stream, news->partition);
	const struct session_stream *stream;

	if (lane != NULL)
		return lane;
	stream = stream_find(session, news->stream);
	if (stream == NULL || news->partition >= stream->partitions) {
		session->is_list_old = true;
		return NULL;
	}
	lane = weir_client_lanes_add(&session->lanes, news->stream, news->partition, stream->name);
	if (lane == NULL)
		return NULL;
	lane->epoch = news->epoch;
	lane->next_seq = news->first;
	return lane;
}

/* Positions only grow: an overtaken frame changes nothing. False: they grow beyond all bounds. */
static bool lane_advance(
	struct weir_session *session, struct weir_client_lane *lane, const struct lane_news *news)
{
	struct session_amount now = {news->before.messages + news->carried.messages,
		news->before.bytes + news->carried.bytes};
	struct session_amount grown = {
		now.messages > lane->messages ? now.messages - lane->messages : 0,
		now.bytes > lane->bytes ? now.bytes - lane->bytes : 0};
	uint64_t lost;

	if (session->position.messages + grown.messages > WEIR_FRAME_VALUE_MAX / 2 ||
		session->position.bytes + grown.bytes > WEIR_FRAME_VALUE_MAX / 2)
		return false;
	if (news->before.messages > lane->messages) {
		lost = news->before.messages - lane->messages;
		session->stats.lost_messages += lost;
		session->pulled += lost; /* what was asked for is still wanted */
	}
	if (news->before.bytes > lane->bytes)
		session->stats.lost_bytes += news->before.bytes - lane->bytes;
	lane->messages += grown.messages;
	lane->bytes += grown.bytes;
	session->position.messages += grown.messages;
	session->position.bytes += grown.bytes;
	return true;
}

/* Everything below `seq` that did not come is missing, and told once. */
static void lane_skip(struct weir_session *session, struct weir_client_lane *lane, uint64_t seq)
{
	struct weir_event *event;

	if (seq <= lane->next_seq)
		return;
	event = weir_session_event(session, WEIR_EVENT_GAP);
	event->stream = lane->stream;
	event->partition = lane->partition;
	event->epoch = lane->epoch;
	event->first = lane->next_seq;
	event->count = seq - lane->next_seq;
	session->stats.gaps++;
	session->stats.gap_sequences += event->count;
	lane->missed += event->count;
	lane->next_seq = seq;
}

/* The lane brought up to the news, or NULL when they are not to be believed. */
static struct weir_client_lane *lane_update(
	struct weir_session *session, const struct lane_news *news)
{
	struct weir_client_lane *lane = lane_get(session, news);

	if (lane == NULL || !lane_advance(session, lane, news)) {
		session->stats.malformed++;
		return NULL;
	}
	if (news->epoch > lane->epoch) {
		lane->epoch = news->epoch;
		lane->next_seq = news->first;
	}
	if (news->epoch == lane->epoch)
		lane_skip(session, lane, news->seq);
	return lane;
}

static void message_queue(struct weir_session *session, struct weir_client_lane *lane,
	const struct weir_data_item *item)
{
	struct weir_inbox_entry *entry = NULL;

	if (session->held.messages < session->window.messages &&
		session->held.bytes + item->length <= session->window.bytes)
		entry = weir_inbox_push(&session->inbox, item->length);
	if (entry == NULL) {
		session->stats.overruns++;
		lane->missed++;
		return;
	}
	entry->stream = lane->stream;
	entry->stream_id = lane->stream_id;
	entry->partition = lane->partition;
	entry->epoch = lane->epoch;
	entry->seq = item->seq;
	entry->missed = lane->missed;
	entry->ingest_ns = item->ingest_ns;
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
	lane->missed = 0;
	session->held.messages++;
	session->held.bytes += item->length;
	session->stats.messages++;
	session->stats.bytes += item->length;
}

static struct session_amount data_amount(const struct weir_frame_data *frame)
{
	struct session_amount amount = {weir_be16(frame->count), 0};
	struct weir_data_cursor cursor;
	struct weir_data_item item;

	weir_data_open(&cursor, frame);
	while (weir_data_next(&cursor, &item))
		amount.bytes += item.length;
	return amount;
}

void weir_session_on_data(struct weir_session *session, const struct weir_frame_data *frame)
{
	struct lane_news news = {
		.stream = weir_be16(frame->stream),
		.partition = weir_be16(frame->partition),
		.epoch = weir_be32(frame->epoch),
		.first = weir_be64(frame->lane_first),
		.seq = weir_be64(frame->seq),
		.before = {weir_be64(frame->lane_messages), weir_be64(frame->lane_bytes)},
		.carried = data_amount(frame),
	};
	uint64_t end = news.seq + weir_be32(frame->covered);
	struct weir_client_lane *lane;
	struct weir_data_cursor cursor;
	struct weir_data_item item;

	/* Retransmission was not asked for. */
	if (frame->header.flags & WEIR_DATA_RETRANSMIT) {
		session->stats.malformed++;
		return;
	}
	lane = lane_update(session, &news);
	if (lane == NULL)
		return;
	if (news.epoch < lane->epoch) {
		session->stats.stale += news.carried.messages;
		return;
	}
	weir_data_open(&cursor, frame);
	while (weir_data_next(&cursor, &item)) {
		if (item.seq < lane->next_seq)
			session->stats.duplicates++;
		else
			message_queue(session, lane, &item);
	}
	if (end > lane->next_seq)
		lane->next_seq = end;
}

void weir_session_on_heartbeat(
	struct weir_session *session, const struct weir_frame_heartbeat *frame, uint64_t now_ns)
{
	uint32_t confirmed = weir_be32(frame->pause_counter);
	uint16_t count = weir_be16(frame->count);

	if (confirmed == session->pause_counter)
		session->pause_seen = confirmed;
	for (uint16_t i = 0; i < count; i++) {
		const struct weir_frame_heartbeat_lane *entry = &frame->lanes[i];
		struct lane_news news = {
			.stream = weir_be16(entry->stream),
			.partition = weir_be16(entry->partition),
			.epoch = weir_be32(entry->epoch),
			.first = weir_be64(entry->lane_first),
			.seq = weir_be64(entry->next_seq),
			.before = {weir_be64(entry->lane_messages), weir_be64(entry->lane_bytes)},
		};

		lane_update(session, &news);
	}
	/* The last CREDIT may have been lost: then both sides would wait for the next keepalive. */
	if (frame->header.flags & WEIR_HEARTBEAT_STARVED)
		weir_session_send_credit(session, now_ns);
}
