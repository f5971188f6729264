/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "client/session_private.h"

static const struct session_stream *stream_find(const struct weir_session *session, uint16_t id)
{
	for (size_t i = 0; i < session->stream_count; i++)
		if (session->streams[i].id == id)
			return &session->streams[i];
	return NULL;
}

#define ASK_AGAIN (20 * SESSION_NS_PER_MS) /* for the list of streams */

/* Its stream is not in the list, which is old then: it is asked for before the next heartbeat. */
static void list_want(struct weir_session *session)
{
	uint64_t at = session->subscribed_at + ASK_AGAIN;

	session->is_list_old = true;
	if (at < session->send_at)
		session->send_at = at;
}

static void lane_end(struct weir_client_lane *lane)
{
	lane->is_released = true;
	lane->released_epoch = lane->epoch;
}

static struct weir_client_lane *lane_get(
	struct weir_session *session, const struct session_news *news)
{
	struct weir_client_lane *lane =
		weir_client_lanes_find(&session->lanes, news->stream, news->partition);
	const struct session_stream *stream;

	if (lane != NULL)
		return lane;
	stream = stream_find(session, news->stream);
	if (stream == NULL || news->partition >= stream->partitions) {
		list_want(session);
		return NULL;
	}
	lane = weir_client_lanes_enter(&session->lanes, news->stream, news->partition, stream->name,
		session->names[stream->name]);
	if (lane == NULL)
		return NULL;
	lane->epoch = news->epoch;
	lane->next_seq = news->first;
	lane->top = news->first;
	/* A late frame: nothing is waited for. */
	if (stream->is_over)
		lane_end(lane);
	return lane;
}

/* What was sent in the epoch before and has not come belongs to whoever has the lane next. */
void weir_session_write_off_epoch(struct weir_session *session, struct weir_client_lane *lane)
{
	int64_t messages = lane->missing.messages > 0 ? lane->missing.messages : 0;
	int64_t bytes = lane->missing.bytes > 0 ? lane->missing.bytes : 0;

	weir_session_drop_repair(session, lane);
	weir_session_arrived(session, lane, messages, bytes);
	session->pulled += (uint64_t)messages;
}

static void epoch_begin(struct weir_session *session, struct weir_client_lane *lane,
	const struct session_news *news)
{
	weir_session_write_off_epoch(session, lane);
	weir_session_unrevoke(session, lane);
	weir_session_sought(lane);
	lane->epoch = news->epoch;
	lane->next_seq = news->first;
	lane->top = news->first;
	lane->newest_seq = 0;
	lane->newest_at = 0;
}

void weir_session_end_stream(struct weir_session *session, uint16_t stream)
{
	for (size_t i = 0; i < session->lanes.count; i++) {
		struct weir_client_lane *lane = &session->lanes.items[i];

		if (!lane->is_known || lane->stream_id != stream)
			continue;
		weir_session_write_off_epoch(session, lane);
		weir_session_unrevoke(session, lane);
		weir_session_sought(lane);
		lane_end(lane);
	}
}

static int repair_begin(struct weir_session *session, struct weir_client_lane *lane)
{
	struct weir_client_lanes *lanes = &session->lanes;

	lane->repair = calloc(1, sizeof(*lane->repair));
	if (lane->repair == NULL)
		return -ENOMEM;
	lane->broken_at = (uint32_t)lanes->broken_count;
	lanes->broken[lanes->broken_count++] = lane->index;
	return 0;
}

static void repair_end(struct weir_session *session, struct weir_client_lane *lane)
{
	struct weir_client_lanes *lanes = &session->lanes;
	uint32_t last = lanes->broken[--lanes->broken_count];

	lanes->items[last].broken_at = lane->broken_at;
	lanes->broken[lane->broken_at] = last;
	free(lane->repair);
	lane->repair = NULL;
}

struct weir_client_lane *weir_session_lane(
	struct weir_session *session, const struct session_news *news)
{
	struct weir_client_lane *lane = NULL;

	/* The bounds leave room for what the frame itself covers and carries. */
	if (news->seq <= WEIR_FRAME_VALUE_MAX / 2 &&
		news->before.messages <= WEIR_FRAME_VALUE_MAX / 4 &&
		news->before.bytes <= WEIR_FRAME_VALUE_MAX / 4 &&
		session->position.messages <= WEIR_FRAME_VALUE_MAX / 4 &&
		session->position.bytes <= WEIR_FRAME_VALUE_MAX / 4)
		lane = lane_get(session, news);
	if (lane == NULL)
		session->stats.malformed++;
	else if (news->epoch > lane->epoch)
		epoch_begin(session, lane, news);
	return lane;
}

struct session_amount weir_session_advance(
	struct weir_session *session, struct weir_client_lane *lane, struct session_amount position)
{
	struct session_amount grown = {0};

	if (position.messages > lane->messages)
		grown.messages = position.messages - lane->messages;
	if (position.bytes > lane->bytes)
		grown.bytes = position.bytes - lane->bytes;
	lane->messages += grown.messages;
	lane->bytes += grown.bytes;
	session->position.messages += grown.messages;
	session->position.bytes += grown.bytes;
	return grown;
}

int weir_session_extend(
	struct weir_session *session, struct weir_client_lane *lane, uint64_t seq, uint64_t now_ns)
{
	struct weir_repair *repair = lane->repair;
	struct weir_repair_gap *gap;
	uint64_t last;

	if (seq <= lane->top || seq <= lane->next_seq)
		return 0;
	if (repair == NULL) {
		if (repair_begin(session, lane) != 0)
			return -ENOMEM;
		repair = lane->repair;
	}
	last = weir_repair_gap_first(repair, lane->next_seq, repair->count);
	if (seq <= last)
		return 0;
	gap = &repair->gaps[repair->count];
	/* A gap that grows is asked for anew, but what is known of its age stays. */
	if (lane->top <= last)
		*gap = (struct weir_repair_gap){.seen_at = now_ns};
	gap->nacks = 0;
	gap->nack_at = now_ns + session->reorder_ns;
	if (gap->nack_at < session->nack_at)
		session->nack_at = gap->nack_at;
	lane->top = seq;
	return 0;
}

void weir_session_arrived(struct weir_session *session, struct weir_client_lane *lane,
	int64_t messages, int64_t bytes)
{
	lane->missing.messages -= messages;
	lane->missing.bytes -= bytes;
	session->missing.messages -= messages;
	session->missing.bytes -= bytes;
}

void weir_session_write_off(struct weir_session *session, struct weir_client_lane *lane,
	uint64_t messages, uint64_t bytes)
{
	int64_t most_messages = lane->missing.messages > 0 ? lane->missing.messages : 0;
	int64_t most_bytes = lane->missing.bytes > 0 ? lane->missing.bytes : 0;

	if (messages > (uint64_t)most_messages)
		messages = (uint64_t)most_messages;
	if (bytes > (uint64_t)most_bytes)
		bytes = (uint64_t)most_bytes;
	if ((messages | bytes) == 0)
		return;
	weir_session_arrived(session, lane, (int64_t)messages, (int64_t)bytes);
	session->stats.lost_messages += messages;
	session->stats.lost_bytes += bytes;
	session->pulled += messages; /* what was asked for is still wanted */
}

void weir_session_settle(struct weir_session *session, struct weir_client_lane *lane)
{
	if (lane->next_seq < lane->top || (lane->repair != NULL && lane->repair->count > 0))
		return;
	if (lane->repair != NULL)
		repair_end(session, lane);
	/* A negative debt is what came by repair before its position was told. It is kept. */
	weir_session_write_off(session, lane, UINT64_MAX, UINT64_MAX);
}

void weir_session_drop_repair(struct weir_session *session, struct weir_client_lane *lane)
{
	if (lane->repair == NULL)
		return;
	while (lane->repair->count > 0) {
		struct weir_kept *kept = weir_repair_shift(lane->repair).head;

		while (kept != NULL) {
			struct weir_kept *next = kept->next;

			if (kept->run != NULL) {
				session->held.messages -= kept->run->count;
				session->held.bytes -= kept->run->bytes;
				/* What was asked for is still wanted. */
				session->pulled += kept->run->count;
			}
			free(kept);
			kept = next;
		}
	}
	repair_end(session, lane);
}

void weir_session_forget_lane(struct weir_client_lane *lane)
{
	lane->life++;
	lane->queued = 0;
	lane->floor = 0;
	lane->done_seq = 0;
}
