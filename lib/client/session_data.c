/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session_private.h"

static struct session_amount data_amount(const struct weir_frame_data *frame)
{
	struct session_amount amount = {weir_be16(frame->count), 0};
	struct weir_data_cursor cursor;

	weir_data_open(&cursor, frame);
	while (cursor.left > 0)
		amount.bytes += weir_data_pass(&cursor);
	return amount;
}

/* Without repair what the position jumped over is lost, and its credit free. */
static void position_lose(
	struct weir_session *session, struct weir_client_lane *lane, struct session_amount before)
{
	struct session_amount lost = weir_session_advance(session, lane, before);

	session->stats.lost_messages += lost.messages;
	session->stats.lost_bytes += lost.bytes;
	session->pulled += lost.messages; /* what was asked for is still wanted */
}

/* Everything below `seq` that did not come is missing, and told once. */
static void lane_skip(
	struct weir_session *session, struct weir_client_lane *lane, uint64_t seq, uint16_t reason)
{
	if (seq <= lane->next_seq)
		return;
	weir_session_tell_gap(session, lane, lane->next_seq, seq, reason);
	lane->next_seq = seq;
}

static void lane_give_up_to(
	struct weir_session *session, struct weir_client_lane *lane, uint64_t seq, uint16_t reason)
{
	if (session->is_reliable)
		weir_session_give_up(session, lane, seq, reason);
	else
		lane_skip(session, lane, seq, reason);
}

/*
 * A port's program sends, for the gateway is dead: what is missing below `seq` will not come, and
 * nobody is there to be asked for it. First what the gateway had, then what the program left out.
 */
static void lane_give_up(struct weir_session *session, struct weir_client_lane *lane,
	const struct session_news *news)
{
	/* Of all that was sent on it nothing came: so much at least is missing. */
	if (lane->messages == 0 && lane->next_seq == news->first && !lane->is_degraded) {
		uint64_t sent = news->before.messages;

		lane->next_seq -= sent < news->first ? sent : news->first;
	}
	if (news->first > lane->next_seq)
		lane_give_up_to(session, lane, news->first, WEIR_GONE_RESTART);
	else if (!lane->is_degraded)
		lane_give_up_to(session, lane, news->seq, WEIR_GONE_RESTART);
	lane->is_degraded = true;
	lane_give_up_to(session, lane, news->seq, WEIR_GONE_FAILOVER);
}

static void data_take(struct weir_session *session, struct weir_client_lane *lane,
	const struct weir_frame_data *frame, uint64_t now_ns)
{
	uint64_t end = weir_be64(frame->seq) + weir_be32(frame->covered);
	struct weir_data_cursor cursor;

	lane_skip(session, lane, weir_be64(frame->seq), WEIR_GONE_LOST);
	weir_data_open(&cursor, frame);
	while (cursor.left > 0) {
		bool is_new = weir_data_seq(&cursor) >= lane->next_seq;

		if (is_new && weir_session_queue(session, lane, &cursor, end, now_ns).messages > 0)
			continue;
		(void)weir_data_pass(&cursor);
		if (is_new)
			lane->missed++;
		else
			session->stats.duplicates++;
	}
	if (end > lane->next_seq)
		lane->next_seq = end;
}

void weir_session_on_data(
	struct weir_session *session, const struct weir_frame_data *frame, uint64_t now_ns)
{
	const struct session_news news = {
		.stream = weir_be16(frame->stream),
		.partition = weir_be16(frame->partition),
		.epoch = weir_be32(frame->epoch),
		.first = weir_be64(frame->lane_first),
		.seq = weir_be64(frame->seq),
		.before = {weir_be64(frame->lane_messages), weir_be64(frame->lane_bytes)},
	};
	bool is_again = frame->header.flags & WEIR_DATA_RETRANSMIT;
	struct session_amount carried, position, grown = {0};
	struct weir_client_lane *lane;

	/* Retransmission was not asked for. */
	if (is_again && !session->is_reliable) {
		session->stats.malformed++;
		return;
	}
	lane = weir_session_lane(session, &news);
	if (lane == NULL)
		return;
	if ((frame->header.flags & WEIR_DATA_DEGRADED) &&
		!weir_client_lane_is_over(lane, news.epoch))
		lane_give_up(session, lane, &news);
	if (session->is_reliable && !weir_client_lane_is_over(lane, news.epoch)) {
		weir_session_repair(session, lane, frame, now_ns);
		return;
	}
	carried = data_amount(frame);
	position.messages = news.before.messages + carried.messages;
	position.bytes = news.before.bytes + carried.bytes;
	if (!session->is_reliable)
		position_lose(session, lane, news.before);
	if (!is_again)
		grown = weir_session_advance(session, lane, position);
	if (weir_client_lane_is_over(lane, news.epoch)) {
		session->stats.stale += carried.messages;
		session->pulled += grown.messages; /* what was asked for is still wanted */
	} else
		data_take(session, lane, frame, now_ns);
}

void weir_session_take_news(
	struct weir_session *session, const struct session_news *news, uint64_t now_ns)
{
	struct weir_client_lane *lane = weir_session_lane(session, news);
	struct session_amount grown;

	if (lane == NULL)
		return;
	if (!session->is_reliable) {
		position_lose(session, lane, news->before);
		if (news->epoch == lane->epoch)
			lane_skip(session, lane, news->seq, WEIR_GONE_LOST);
		return;
	}
	grown = weir_session_advance(session, lane, news->before);
	if (weir_client_lane_is_over(lane, news->epoch)) {
		session->pulled += grown.messages;
		return;
	}
	weir_session_arrived(session, lane, -(int64_t)grown.messages, -(int64_t)grown.bytes);
	if (weir_session_extend(session, lane, news->seq, now_ns) == 0)
		weir_session_settle(session, lane);
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
		const struct session_news news = {
			.stream = weir_be16(entry->stream),
			.partition = weir_be16(entry->partition),
			.epoch = weir_be32(entry->epoch),
			.first = weir_be64(entry->lane_first),
			.seq = weir_be64(entry->next_seq),
			.before = {weir_be64(entry->lane_messages), weir_be64(entry->lane_bytes)},
		};

		weir_session_take_news(session, &news, now_ns);
	}
	/* The last CREDIT may have been lost: then both sides would wait for the next keepalive. */
	if (frame->header.flags & WEIR_HEARTBEAT_STARVED)
		weir_session_send_credit(session, now_ns);
}
