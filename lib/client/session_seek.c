/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "client/session_private.h"

#define SEEK_REPEATS_MIN 3  /* lanes that we have not heard of cannot be waited for */
#define SEEK_REPEATS_MAX 50 /* nor those that are another's by now */

static bool lane_is_meant(const struct session_seek *seek, const struct weir_client_lane *lane)
{
	return (seek->is_all || seek->name == lane->name) &&
	       (seek->partition == WEIR_SEEK_ALL || seek->partition == lane->partition);
}

/* Every lane meant has begun a higher epoch, as far as can be known. */
static bool seek_is_over(const struct weir_session *session, const struct session_seek *seek)
{
	if (seek->repeats < SEEK_REPEATS_MIN)
		return false;
	if (seek->repeats >= SEEK_REPEATS_MAX)
		return true;
	for (size_t i = 0; i < session->lanes.count; i++)
		if (session->lanes.items[i].is_seeking &&
			lane_is_meant(seek, &session->lanes.items[i]))
			return false;
	return true;
}

static void seek_add(struct session_out *out, const struct session_seek *seek, uint16_t stream_id)
{
	struct weir_frame_seek *frame = weir_session_out_add(out, WEIR_FRAME_SEEK, sizeof(*frame));

	if (frame == NULL)
		return;
	frame->counter = weir_be32(seek->counter);
	frame->stream = weir_be16(stream_id);
	frame->partition = weir_be16(seek->partition);
	frame->start = seek->start;
	frame->value = weir_be64(seek->value);
}

/* What was to be repeated of lanes that this one is for as well. */
static bool seek_covers(const struct session_seek *newer, const struct session_seek *older)
{
	return (newer->is_all || (!older->is_all && newer->name == older->name)) &&
	       (newer->partition == WEIR_SEEK_ALL || newer->partition == older->partition);
}

static void seek_remove(struct weir_session *session, unsigned int i)
{
	session->seek_count--;
	memmove(&session->seeks[i], &session->seeks[i + 1],
		(session->seek_count - i) * sizeof(session->seeks[0]));
}

static int name_find(const struct weir_session *session, const char *stream, uint16_t *name)
{
	for (size_t i = 0; i < session->stream_count; i++) {
		*name = session->streams[i].name;
		if (strcmp(session->names[*name], stream) == 0)
			return 0;
	}
	return -ENOENT;
}

void weir_session_add_seeks(struct weir_session *session, struct session_out *out)
{
	for (unsigned int i = 0; i < session->seek_count;) {
		struct session_seek *seek = &session->seeks[i];

		if (!session->can_seek || seek_is_over(session, seek)) {
			seek_remove(session, i);
			continue;
		}
		if (seek->counter == 0)
			seek->counter = ++session->seek_counter;
		seek->repeats++;
		for (size_t j = 0; j < session->stream_count; j++)
			if (seek->is_all || seek->name == session->streams[j].name)
				seek_add(out, seek, session->streams[j].id);
		i++;
	}
}

void weir_session_sought(struct weir_client_lane *lane)
{
	if (lane->is_seeking)
		weir_session_forget_lane(lane);
	lane->is_seeking = false;
}

void weir_session_renew_seeks(struct weir_session *session)
{
	session->seek_counter = 0;
	for (unsigned int i = 0; i < session->seek_count; i++) {
		session->seeks[i].counter = 0;
		session->seeks[i].repeats = 0;
		/* Which epoch a lane shows first in the new session says nothing of the seek. */
		for (size_t j = 0; j < session->lanes.count; j++)
			if (lane_is_meant(&session->seeks[i], &session->lanes.items[j]))
				weir_session_forget_lane(&session->lanes.items[j]);
	}
}

int weir_session_seek(struct weir_session *session, const char *stream, int partition,
	enum weir_from from, uint64_t value, uint64_t now_ns)
{
	struct session_seek seek = {.is_all = stream == NULL,
		.partition = partition >= 0 ? (uint16_t)partition : WEIR_SEEK_ALL,
		.value = value};
	int start = weir_session_start(from);

	if (start < 0 || from == WEIR_FROM_RESUME || partition < -1 || partition >= WEIR_SEEK_ALL ||
		value > WEIR_FRAME_VALUE_MAX)
		return -EINVAL;
	if (session->phase != SESSION_JOINED)
		return -ENOTCONN;
	if (!session->can_seek)
		return -EOPNOTSUPP;
	if (stream != NULL && name_find(session, stream, &seek.name) != 0)
		return -ENOENT;
	seek.start = (uint8_t)start;
	for (unsigned int i = session->seek_count; i-- > 0;)
		if (seek_covers(&seek, &session->seeks[i]))
			seek_remove(session, i);
	if (session->seek_count == SESSION_SEEKS)
		return -EBUSY;
	session->seeks[session->seek_count++] = seek;
	for (size_t i = 0; i < session->lanes.count; i++) {
		struct weir_client_lane *lane = &session->lanes.items[i];

		if (!lane_is_meant(&seek, lane))
			continue;
		lane->is_seeking = lane->is_known;
		if (!lane->is_known)
			weir_session_forget_lane(lane);
	}
	weir_session_send_credit(session, now_ns);
	return 0;
}
