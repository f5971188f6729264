/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session_private.h"

/*
 * Lanes that come and go. A lane that is to go to another consumer is worked off first: when the
 * application is done with all that was sent, or its time is over, it is let go by RELEASE. What
 * the application has not been given by then it will not be: whoever has the lane next gets it.
 */

static void send_release(struct weir_session *session, const struct weir_client_lane *lane)
{
	struct weir_frame_handover *frame;
	struct session_out out;

	weir_session_out_begin(&out, session);
	frame = weir_session_out_add(&out, WEIR_FRAME_RELEASE, sizeof(*frame));
	if (frame != NULL) {
		frame->stream = weir_be16(lane->stream_id);
		frame->partition = weir_be16(lane->partition);
		frame->epoch = weir_be32(lane->released_epoch);
		frame->seq = weir_be64(lane->released_seq);
	}
	weir_session_out_end(&out);
}

void weir_session_unrevoke(struct weir_session *session, struct weir_client_lane *lane)
{
	session->revoked -= lane->is_revoked;
	lane->is_revoked = false;
}

static void release(struct weir_session *session, struct weir_client_lane *lane, uint64_t seq)
{
	weir_session_write_off_epoch(session, lane);
	weir_session_look_at_credit(session);
	weir_session_unrevoke(session, lane);
	weir_session_forget_lane(lane);
	lane->floor = seq;
	weir_session_keep_taken(session, lane);
	lane->next_seq = seq;
	lane->top = seq;
	session->is_letting_go = true;
	lane->is_released = true;
	lane->has_released = true;
	lane->released_epoch = lane->epoch;
	lane->released_seq = seq;
	send_release(session, lane);
}

void weir_session_look_revoked(
	struct weir_session *session, struct weir_client_lane *lane, uint64_t now_ns)
{
	uint64_t done = weir_session_done(lane);

	if (!lane->is_revoked)
		return;
	if (done >= lane->revoked_seq)
		release(session, lane, lane->revoked_seq);
	else if (now_ns >= lane->revoke_at)
		release(session, lane, done);
}

void weir_session_tick_revoked(struct weir_session *session, uint64_t now_ns)
{
	for (size_t i = 0; session->revoked != 0 && i < session->lanes.count; i++)
		weir_session_look_revoked(session, &session->lanes.items[i], now_ns);
}

uint64_t weir_session_revoke_at(const struct weir_session *session)
{
	uint64_t at = UINT64_MAX;

	for (size_t i = 0; session->revoked != 0 && i < session->lanes.count; i++)
		if (session->lanes.items[i].is_revoked && session->lanes.items[i].revoke_at < at)
			at = session->lanes.items[i].revoke_at;
	return at;
}

static void revoke(struct weir_session *session, const struct weir_frame_handover *frame,
	const struct session_news *news, uint64_t now_ns)
{
	struct weir_client_lane *lane =
		weir_client_lanes_find(&session->lanes, news->stream, news->partition);
	uint64_t at = now_ns + weir_be32(frame->deadline_ms) * SESSION_NS_PER_MS;

	/* Of an epoch not heard of yet nothing has come: there is nothing to work off. */
	if (lane == NULL || news->epoch != lane->epoch)
		return;
	if (weir_client_lane_is_over(lane, news->epoch)) {
		send_release(session, lane);
		return;
	}
	weir_session_take_news(session, news, now_ns);
	if (!lane->is_revoked || at < lane->revoke_at)
		lane->revoke_at = at;
	session->revoked += !lane->is_revoked;
	lane->is_revoked = true;
	lane->revoked_seq = news->seq;
	weir_session_look_revoked(session, lane, now_ns);
}

void weir_session_on_handover(
	struct weir_session *session, const struct weir_frame_handover *frame, uint64_t now_ns)
{
	const struct session_news news = {
		.stream = weir_be16(frame->stream),
		.partition = weir_be16(frame->partition),
		.epoch = weir_be32(frame->epoch),
		.first = weir_be64(frame->seq),
		.seq = weir_be64(frame->seq),
		.before = {weir_be64(frame->lane_messages), weir_be64(frame->lane_bytes)},
	};

	if (!session->is_reliable)
		return;
	if (frame->header.type == WEIR_FRAME_REVOKE)
		revoke(session, frame, &news, now_ns);
	else
		weir_session_take_news(session, &news, now_ns);
}
