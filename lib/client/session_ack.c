/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session_private.h"

#define NACK_PAUSE_MIN (2 * SESSION_NS_PER_MS)
#define NACK_PAUSE_MAX (200 * SESSION_NS_PER_MS)
#define ACK_PAUSE_MIN  (SESSION_NS_PER_MS / 5) /* for each datagram of ACKs */
#define ACK_TURNS      4 /* lanes a keepalive: one day every lost ACK is made up for */

/* How long to wait for the answer to a NACK, the first and each further time. */
static uint64_t nack_pause(const struct weir_session *session, const struct weir_repair_gap *gap)
{
	uint64_t pause = session->rtt_ns + session->rtt_ns / 2;

	if (gap->nacks > 0)
		pause = gap->pause_ns * 2;
	if (pause < NACK_PAUSE_MIN)
		pause = NACK_PAUSE_MIN;
	return pause < NACK_PAUSE_MAX ? pause : NACK_PAUSE_MAX;
}

/* Ranges that a NACK of its own datagram can hold. */
static uint32_t nack_room(const struct session_out *out)
{
	uint32_t room = (out->writer.size - WEIR_DATAGRAM_HEADER - sizeof(struct weir_frame_nack)) /
			sizeof(struct weir_frame_range);

	return room < WEIR_NACK_RANGES_MAX ? room : WEIR_NACK_RANGES_MAX;
}

static void nack_add(struct session_out *out, const struct weir_client_lane *lane,
	const struct weir_frame_range *ranges, uint32_t count)
{
	struct weir_frame_nack *nack;

	if (count == 0)
		return;
	nack = weir_session_out_add(
		out, WEIR_FRAME_NACK, (uint32_t)(sizeof(*nack) + count * sizeof(ranges[0])));
	if (nack == NULL)
		return;
	nack->stream = weir_be16(lane->stream_id);
	nack->partition = weir_be16(lane->partition);
	nack->epoch = weir_be32(lane->epoch);
	nack->count = weir_be16((uint16_t)count);
	__builtin_memcpy(nack->ranges, ranges, count * sizeof(ranges[0]));
	out->session->stats.nacks_sent++;
}

/* The lane's gaps that are due, in as few frames as hold them. True when there was one. */
static bool lane_nack(struct session_out *out, struct weir_client_lane *lane, uint64_t now_ns)
{
	struct weir_frame_range ranges[WEIR_NACK_RANGES_MAX];
	struct weir_session *session = out->session;
	struct weir_repair *repair = lane->repair;
	uint32_t room = nack_room(out);
	uint32_t count = 0;
	bool is_due = false;

	for (uint32_t i = 0; i <= repair->count; i++) {
		struct weir_repair_gap *gap = &repair->gaps[i];
		uint64_t first = weir_repair_gap_first(repair, lane->next_seq, i);
		uint64_t end = weir_repair_gap_end(repair, lane->next_seq, lane->top, i);

		if (first == end)
			continue;
		if (gap->nack_at <= now_ns) {
			ranges[count++] =
				(struct weir_frame_range){weir_be64(first), weir_be64(end)};
			gap->pause_ns = nack_pause(session, gap);
			gap->nacks++;
			gap->nacked_at = now_ns;
			gap->nack_at = now_ns + gap->pause_ns;
			is_due = true;
		}
		if (gap->nack_at < session->nack_at)
			session->nack_at = gap->nack_at;
		if (count == room) {
			nack_add(out, lane, ranges, count);
			count = 0;
		}
	}
	nack_add(out, lane, ranges, count);
	return is_due;
}

static uint16_t ack_delay(const struct weir_client_lane *lane, uint64_t now_ns)
{
	uint64_t units = lane->newest_at != 0 ? (now_ns - lane->newest_at) / 16000 : UINT16_MAX;

	return units < UINT16_MAX ? (uint16_t)units : UINT16_MAX;
}

static void ack_add(struct session_out *out, const struct weir_client_lane *lane, uint64_t now_ns)
{
	uint32_t count = lane->repair != NULL ? lane->repair->count : 0;
	struct weir_frame_ack *ack;

	if (count > WEIR_ACK_RANGES_MAX)
		count = WEIR_ACK_RANGES_MAX;
	ack = weir_session_out_add(
		out, WEIR_FRAME_ACK, (uint32_t)(sizeof(*ack) + count * sizeof(ack->ranges[0])));
	if (ack == NULL)
		return;
	ack->stream = weir_be16(lane->stream_id);
	ack->partition = weir_be16(lane->partition);
	ack->epoch = weir_be32(lane->epoch);
	ack->count = weir_be16((uint16_t)count);
	ack->delay = weir_be16(ack_delay(lane, now_ns));
	ack->next_seq = weir_be64(lane->next_seq);
	ack->done_seq = weir_be64(weir_session_done(lane));
	ack->newest_seq = weir_be64(lane->newest_seq);
	for (uint32_t i = 0; i < count; i++) {
		ack->ranges[i].first = weir_be64(lane->repair->ranges[i].first);
		ack->ranges[i].end = weir_be64(lane->repair->ranges[i].end);
	}
	out->session->stats.acks_sent++;
}

static void datagram_begin(struct session_out *out)
{
	uint32_t most = out->session->max_datagram;

	weir_link_begin(&out->session->link, &out->writer, out->buffer,
		most < SESSION_DATAGRAM ? most : SESSION_DATAGRAM);
}

void weir_session_out_begin(struct session_out *out, struct weir_session *session)
{
	out->session = session;
	out->sent = 0;
	datagram_begin(out);
}

void *weir_session_out_add(struct session_out *out, enum weir_frame_type type, uint32_t length)
{
	void *frame = weir_writer_add(&out->writer, type, 0, length);

	if (frame != NULL || out->writer.frames == 0)
		return frame;
	weir_session_out_end(out);
	datagram_begin(out);
	return weir_writer_add(&out->writer, type, 0, length);
}

void weir_session_out_end(struct session_out *out)
{
	out->sent += out->writer.frames != 0;
	weir_link_send(&out->session->link, &out->writer);
}

void weir_session_dirty(struct weir_session *session, struct weir_client_lane *lane)
{
	struct weir_client_lanes *lanes = &session->lanes;

	lane->is_dirty = true;
	lanes->dirty[lanes->dirty_count++] = lane->index;
}

uint64_t weir_session_ack_time(const struct weir_session *session, uint64_t now_ns)
{
	return session->ack_gate > now_ns ? session->ack_gate : now_ns;
}

void weir_session_add_nacks(struct weir_session *session, struct session_out *out, uint64_t now_ns)
{
	struct weir_client_lanes *lanes = &session->lanes;

	if (session->nack_at > now_ns)
		return;
	session->nack_at = UINT64_MAX;
	for (size_t i = 0; i < lanes->broken_count; i++) {
		struct weir_client_lane *lane = &lanes->items[lanes->broken[i]];

		if (lane_nack(out, lane, now_ns))
			weir_session_ack_by(session, lane, now_ns);
	}
}

void weir_session_add_acks(struct weir_session *session, struct session_out *out, uint64_t now_ns)
{
	struct weir_client_lanes *lanes = &session->lanes;
	unsigned int sent = out->sent;
	uint64_t pause = session->rtt_ns / 4;
	uint64_t least;

	session->ack_at = UINT64_MAX;
	if (lanes->dirty_count == 0)
		return;
	for (size_t i = 0; i < lanes->dirty_count; i++) {
		struct weir_client_lane *lane = &lanes->items[lanes->dirty[i]];

		lane->is_dirty = false;
		ack_add(out, lane, now_ns);
		if (!lane->is_told)
			lanes->told[lanes->told_count++] = lane->index;
		lane->is_told = true;
	}
	lanes->dirty_count = 0;
	/* Of many lanes each is acknowledged less often. */
	least = (1 + out->sent - sent) * ACK_PAUSE_MIN;
	if (pause < least)
		pause = least;
	session->ack_gate = now_ns + (pause < SESSION_ACK_MAX ? pause : SESSION_ACK_MAX);
}

void weir_session_repeat_acks(struct weir_session *session, uint64_t now_ns)
{
	struct weir_client_lanes *lanes = &session->lanes;
	size_t kept = 0;

	if (!session->is_reliable)
		return;
	for (size_t i = 0; i < lanes->told_count; i++) {
		struct weir_client_lane *lane = &lanes->items[lanes->told[i]];

		lane->is_told = lane->repeats > 0;
		if (!lane->is_told)
			continue;
		lane->repeats--;
		if (!lane->is_dirty)
			weir_session_dirty(session, lane);
		lanes->told[kept++] = lane->index;
	}
	lanes->told_count = kept;
	for (unsigned int i = 0; i < ACK_TURNS && i < lanes->count; i++) {
		struct weir_client_lane *lane = &lanes->items[session->round++ % lanes->count];

		if (lane->is_known && !lane->is_dirty)
			weir_session_dirty(session, lane);
	}
	session->ack_at = now_ns;
}
