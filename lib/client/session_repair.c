/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "client/session_private.h"

/* One DATA frame on its way in. */
struct intake {
	struct weir_session *session;
	struct weir_client_lane *lane;
	struct weir_data_cursor cursor;
	bool is_again; /* RETRANSMIT */
	uint64_t now_ns;
	struct session_amount carried;
	struct session_amount arrived; /* of them, for the first time */
};

static bool has_item(const struct intake *in, uint64_t end)
{
	return in->cursor.left > 0 && weir_data_seq(&in->cursor) < end;
}

/* Past the next message, which there is; its bytes. */
static uint16_t item_pass(struct intake *in)
{
	uint16_t length = weir_data_pass(&in->cursor);

	in->carried.messages++;
	in->carried.bytes += length;
	return length;
}

static void items_arrived(struct intake *in, uint64_t messages, uint64_t bytes)
{
	in->arrived.messages += messages;
	in->arrived.bytes += bytes;
	if (in->is_again)
		in->session->stats.repaired += messages;
}

/* They were queued or kept. */
static void items_taken(struct intake *in, uint64_t messages, uint64_t bytes)
{
	in->carried.messages += messages;
	in->carried.bytes += bytes;
	items_arrived(in, messages, bytes);
}

/* Delivered by an earlier session: they are acknowledged, and their credit is free. */
static void items_refuse(struct intake *in, uint64_t end)
{
	while (has_item(in, end) && weir_data_seq(&in->cursor) < in->lane->floor) {
		in->session->stats.duplicates++;
		in->session->pulled++;
		items_arrived(in, 1, item_pass(in));
	}
}

/* Messages below `end` have come before. */
static void items_skip(struct intake *in, uint64_t end)
{
	while (has_item(in, end)) {
		in->session->stats.duplicates++;
		(void)item_pass(in);
	}
}

/* In order: straight to the application. How far it came: less than `end` without room. */
static uint64_t items_queue(struct intake *in, uint64_t end)
{
	items_refuse(in, end);
	while (has_item(in, end)) {
		struct session_amount queued =
			weir_session_queue(in->session, in->lane, &in->cursor, end, in->now_ns);

		if (queued.messages == 0)
			return weir_data_seq(&in->cursor);
		items_taken(in, queued.messages, queued.bytes);
	}
	return end;
}

/* The same above a gap: kept. Nothing is taken when a new range would be one too many. */
static uint64_t items_keep(struct intake *in, uint32_t i, uint64_t first, uint64_t end)
{
	struct weir_repair *repair = in->lane->repair;
	struct weir_kept_list list = {0};
	bool is_alone = (i == 0 || repair->ranges[i - 1].end != first) &&
			(i == repair->count || repair->ranges[i].first != end);

	if (is_alone && repair->count == WEIR_REPAIR_RANGES) {
		in->session->stats.unkept++;
		return first;
	}
	items_refuse(in, end);
	while (has_item(in, end)) {
		struct weir_kept *kept =
			weir_session_keep(in->session, in->lane, &in->cursor, end, in->now_ns);

		if (kept == NULL) {
			end = weir_data_seq(&in->cursor);
			break;
		}
		weir_kept_append(&list, kept);
		items_taken(in, kept->run->count, kept->run->bytes);
	}
	/* Cut short it may stand alone after all: there is no message then that would be lost. */
	if (end > first && !weir_repair_insert(repair, i, first, end, list)) {
		while (list.head != NULL) {
			struct weir_kept *kept = list.head;

			list.head = kept->next;
			in->session->held.messages -= kept->run->count;
			in->session->held.bytes -= kept->run->bytes;
			in->arrived.messages -= kept->run->count;
			in->arrived.bytes -= kept->run->bytes;
			free(kept);
		}
		return first;
	}
	return end;
}

/* Ranges that next_seq has reached go to the application. */
static void repair_absorb(struct weir_session *session, struct weir_client_lane *lane)
{
	struct weir_repair *repair = lane->repair;

	while (repair != NULL && repair->count > 0 && repair->ranges[0].first <= lane->next_seq) {
		uint64_t end = repair->ranges[0].end;
		struct weir_kept *kept = weir_repair_shift(repair).head;

		while (kept != NULL) {
			struct weir_kept *next = kept->next;

			weir_session_release(session, lane, kept);
			kept = next;
		}
		lane->next_seq = end;
	}
	if (lane->next_seq > lane->floor)
		lane->floor = lane->next_seq;
}

/* Something of a gap came: what that tells of the path. */
static void gap_learn(const struct intake *in, const struct weir_repair_gap *gap)
{
	struct weir_session *session = in->session;
	uint64_t most = session->rtt_ns != 0 ? session->rtt_ns / 2 : SESSION_NS_PER_MS / 2;
	uint64_t late = in->now_ns - gap->seen_at;

	if (gap->nacks == 0)
		return;
	if (in->is_again) {
		/* Asked for once: no doubt which request was answered. */
		if (gap->nacks == 1)
			weir_session_rtt(session, in->now_ns - gap->nacked_at);
		session->reorder_ns -= (session->reorder_ns + 7) / 8;
		return;
	}
	/* It was only late: to wait a little would have saved the question. */
	session->stats.reordered++;
	if (late > session->reorder_ns)
		session->reorder_ns = late < most ? late : most;
}

/* The part of [first, end) that was missing, one gap after another. How far it came. */
static uint64_t frame_take(struct intake *in, uint64_t first, uint64_t end)
{
	struct weir_client_lane *lane = in->lane;
	uint64_t at = first > lane->next_seq ? first : lane->next_seq;

	items_skip(in, at);
	while (at < end) {
		struct weir_repair *repair = lane->repair;
		uint32_t i = repair != NULL ? weir_repair_find(repair, at) : 0;
		bool has_range = repair != NULL && i < repair->count;
		uint64_t stop = end;
		uint64_t reached;

		if (has_range && repair->ranges[i].first <= at) {
			at = repair->ranges[i].end;
			items_skip(in, at);
			continue;
		}
		if (has_range && repair->ranges[i].first < end)
			stop = repair->ranges[i].first;
		if (repair != NULL && at < lane->top)
			gap_learn(in, &repair->gaps[i]);
		if (at == lane->next_seq) {
			reached = items_queue(in, stop);
			lane->next_seq = reached;
			repair_absorb(in->session, lane);
		} else {
			reached = items_keep(in, i, at, stop);
		}
		if (reached < stop)
			return reached;
		/* What was kept behind the gap may have moved next_seq further. */
		at = stop > lane->next_seq ? stop : lane->next_seq;
		items_skip(in, at);
	}
	return end;
}

void weir_session_repair(struct weir_session *session, struct weir_client_lane *lane,
	const struct weir_frame_data *frame, uint64_t now_ns)
{
	struct intake in = {.session = session,
		.lane = lane,
		.is_again = frame->header.flags & WEIR_DATA_RETRANSMIT,
		.now_ns = now_ns};
	uint64_t first = weir_be64(frame->seq);
	uint64_t end = first + weir_be32(frame->covered);
	struct session_amount position, grown = {0};

	/* Without memory to remember a gap, the frame did not come. */
	if (weir_session_extend(session, lane, first, now_ns) != 0)
		return;
	weir_data_open(&in.cursor, frame);
	if (frame_take(&in, first, end) < end)
		while (in.cursor.left > 0)
			(void)item_pass(&in);
	if (!in.is_again) {
		position.messages = weir_be64(frame->lane_messages) + in.carried.messages;
		position.bytes = weir_be64(frame->lane_bytes) + in.carried.bytes;
		grown = weir_session_advance(session, lane, position);
	}
	weir_session_arrived(session, lane, (int64_t)in.arrived.messages - (int64_t)grown.messages,
		(int64_t)in.arrived.bytes - (int64_t)grown.bytes);
	(void)weir_session_extend(session, lane, end, now_ns);
	if (!in.is_again && end > lane->newest_seq) {
		lane->newest_seq = end - 1;
		lane->newest_at = now_ns;
	}
	weir_session_settle(session, lane);
	weir_session_ack_by(session, lane, weir_session_ack_time(session, now_ns));
	weir_session_offer_credit(session, now_ns);
}

/*
 * A gateway that does not know where the group stood begins at 0: to who had nothing of the lane,
 * nothing is missing.
 */
static bool is_told(const struct weir_client_lane *lane, uint16_t reason, uint64_t first)
{
	return reason != WEIR_GAP_LEFT_OUT &&
	       (reason != WEIR_GAP_RESTART || first != 0 || lane->floor != 0);
}

/* The missing part of [first, end) will not come. How many sequences of it were missing. */
static uint64_t gap_settle(struct weir_session *session, struct weir_client_lane *lane,
	uint64_t first, uint64_t end, uint16_t reason)
{
	uint64_t at = first > lane->next_seq ? first : lane->next_seq;
	uint64_t settled = 0;

	while (at < end) {
		struct weir_repair *repair = lane->repair;
		uint32_t i = repair != NULL ? weir_repair_find(repair, at) : 0;
		uint64_t stop = repair != NULL && i < repair->count && repair->ranges[i].first < end
					? repair->ranges[i].first
					: end;

		if (stop <= at) {
			at = repair->ranges[i].end;
			continue;
		}
		if (at == lane->next_seq) {
			if (is_told(lane, reason, at))
				weir_session_tell_gap(session, lane, at, stop, reason);
			lane->next_seq = stop;
			repair_absorb(session, lane);
		} else {
			struct weir_kept *kept = weir_kept_gap(at, stop, reason);

			/* No memory, no place: the gateway will say it again. */
			if (kept == NULL || !weir_repair_insert(repair, i, at, stop,
						    (struct weir_kept_list){kept, kept})) {
				free(kept);
				return settled;
			}
		}
		settled += stop - at;
		at = stop > lane->next_seq ? stop : lane->next_seq;
	}
	return settled;
}

void weir_session_give_up(
	struct weir_session *session, struct weir_client_lane *lane, uint64_t seq, uint16_t reason)
{
	if (seq > lane->next_seq)
		(void)gap_settle(session, lane, lane->next_seq, seq, reason);
}

void weir_session_on_gap(
	struct weir_session *session, const struct weir_frame_gap *frame, uint64_t now_ns)
{
	struct weir_client_lane *lane = weir_client_lanes_find(
		&session->lanes, weir_be16(frame->stream), weir_be16(frame->partition));
	uint64_t first = weir_be64(frame->first), end = weir_be64(frame->end);
	uint64_t messages = weir_be32(frame->messages), bytes = weir_be32(frame->bytes);
	uint64_t last, settled;
	bool is_known;

	if (!session->is_reliable || lane == NULL || weir_be32(frame->epoch) != lane->epoch ||
		weir_client_lane_is_over(lane, lane->epoch))
		return;
	last = lane->repair != NULL
		       ? weir_repair_gap_first(lane->repair, lane->next_seq, lane->repair->count)
		       : lane->next_seq;
	if (lane->top > last)
		last = lane->top;
	/* What lies between is not known to have been sent. It is told again. */
	if (first > last)
		return;
	is_known = end <= lane->top;
	settled = gap_settle(session, lane, first, end, weir_be16(frame->reason));
	/*
	 * Their credit is free when it is sure that they were sent, and that their position is
	 * known; else when nothing is missing any more.
	 */
	if (is_known && settled == end - first)
		weir_session_write_off(session, lane, messages, bytes);
	weir_session_settle(session, lane);
	weir_session_ack_by(session, lane, weir_session_ack_time(session, now_ns));
	weir_session_offer_credit(session, now_ns);
}

void weir_session_rtt(struct weir_session *session, uint64_t sample_ns)
{
	uint64_t sample = sample_ns != 0 ? sample_ns : 1;

	if (session->rtt_ns == 0)
		session->rtt_ns = sample;
	else if (sample < session->rtt_ns) /* waiting only adds: believe the shorter sooner */
		session->rtt_ns -= (session->rtt_ns - sample) / 2;
	else
		session->rtt_ns += (sample - session->rtt_ns) / 8;
}
