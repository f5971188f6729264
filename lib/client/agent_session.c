/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/agent_session.h"

#include <errno.h>
#include <string.h>

#include "wire/frame_delivery.h"

#define NS_PER_MS   UINT64_C(1000000)
#define BUSY_NS     (1000 * NS_PER_MS) /* looked at every interval for so long after a change */
#define STUCK_NS    (10 * NS_PER_MS)   /* queue that nobody reads: look so often */
#define MISSING_NS  (20 * NS_PER_MS)   /* no socket: look for it so often */
#define UNWANTED_MS 5000               /* reports are not taken: ask again */

static void tell(struct weir_agent_session *session, const struct weir_agent_event *event)
{
	if (session->options.tell != NULL)
		session->options.tell(session->options.context, event);
}

static void tell_news(struct weir_agent_session *session, enum weir_agent_news news)
{
	tell(session, &(struct weir_agent_event){.news = news});
}

static void greet(struct weir_agent_session *session, uint64_t at_ns)
{
	session->phase = WEIR_AGENT_GREETING;
	session->is_asked = false;
	session->echo_ns = 0;
	session->counter = 0;
	weir_greeting_begin(&session->greeting, &session->link, at_ns);
}

static void lose(struct weir_agent_session *session, uint16_t code, uint64_t now_ns)
{
	greet(session, now_ns + weir_io_jitter_ns(&session->link.io, WEIR_GREETING_BACKOFF_MS));
	tell(session, &(struct weir_agent_event){.news = WEIR_AGENT_LOST, .code = code});
}

static void welcomed(
	struct weir_agent_session *session, const struct weir_welcome *welcome, uint64_t now_ns)
{
	if (!(welcome->options & WEIR_OPTION_LOAD)) {
		greet(session, now_ns + weir_io_jitter_ns(&session->link.io, UNWANTED_MS));
		tell_news(session, WEIR_AGENT_UNWANTED);
		return;
	}
	session->phase = WEIR_AGENT_REPORTING;
	session->heartbeat_ns = welcome->heartbeat_ms * NS_PER_MS;
	session->liveness_ns = welcome->liveness_ms * NS_PER_MS;
	session->heard_at = now_ns;
	session->look_at = now_ns;
	session->report_at = now_ns;
	session->busy_until = now_ns;
	tell_news(session, WEIR_AGENT_JOINED);
}

static void take_greeting(
	struct weir_agent_session *session, const struct weir_frame_header *frame, uint64_t now_ns)
{
	struct weir_greeting_answer answer;

	if (session->phase != WEIR_AGENT_GREETING)
		return;
	switch (weir_greeting_take(&session->greeting, &session->link, frame, now_ns, &answer)) {
	case WEIR_GREETING_AGAIN:
		weir_greeting_send(&session->greeting, &session->link, now_ns);
		break;
	case WEIR_GREETING_WELCOMED:
		welcomed(session, &answer.welcome, now_ns);
		break;
	case WEIR_GREETING_REFUSED:
		tell(session, &(struct weir_agent_event){.news = WEIR_AGENT_REFUSED,
				      .code = answer.code,
				      .text = answer.text});
		break;
	case WEIR_GREETING_NOTHING:
	case WEIR_GREETING_FOREIGN:
	case WEIR_GREETING_MALFORMED:
		break;
	}
}

static void take_heartbeat(struct weir_agent_session *session,
	const struct weir_frame_heartbeat *frame, uint64_t now_ns)
{
	uint64_t clock_ns = weir_be64(frame->clock_ns);

	/* One that was overtaken is older than what we know. */
	if (clock_ns <= session->echo_ns)
		return;
	session->echo_ns = clock_ns;
	if (!(frame->header.flags & WEIR_HEARTBEAT_STARVED))
		return;
	session->is_asked = true;
	session->busy_until = now_ns + BUSY_NS;
	if (!session->reading.is_missing)
		session->look_at = now_ns;
}

static void take_session_frame(
	struct weir_agent_session *session, const struct weir_frame_header *frame, uint64_t now_ns)
{
	switch (frame->type) {
	case WEIR_FRAME_HEARTBEAT:
		take_heartbeat(session, (const void *)frame, now_ns);
		break;
	case WEIR_FRAME_LEAVE:
		lose(session,
			weir_be16(((const struct weir_frame_leave *)(const void *)frame)->reason),
			now_ns);
		break;
	case WEIR_FRAME_ERROR:
		if (weir_be16(((const struct weir_frame_error *)(const void *)frame)->code) ==
			WEIR_ERROR_SESSION)
			lose(session, WEIR_ERROR_SESSION, now_ns);
		break;
	default:
		break;
	}
}

static void send_load(struct weir_agent_session *session, uint64_t now_ns)
{
	uint8_t buffer[WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_load) + WEIR_LINK_SPARE];
	struct weir_frame_load *load;
	struct weir_writer writer;

	weir_link_begin(&session->link, &writer, buffer, sizeof(buffer));
	load = weir_writer_add(&writer, WEIR_FRAME_LOAD, 0, sizeof(*load));
	if (load == NULL)
		return;
	load->counter = weir_be32(++session->counter);
	weir_address_map(&session->options.address, load->address);
	load->port = weir_be16(session->options.port);
	load->queue_bytes = weir_be32(session->reading.queue_bytes);
	load->limit_bytes = weir_be32(session->reading.limit_bytes);
	load->drops = weir_be64(session->drops);
	load->echo_ns = weir_be64(session->echo_ns);
	weir_link_send(&session->link, &writer);
	session->reports++;
	session->is_asked = false;
	session->report_at = now_ns + session->heartbeat_ns;
}

static bool is_above_half(const struct weir_agent_reading *reading)
{
	return reading->queue_bytes > reading->limit_bytes / 2;
}

/* What has changed since the last look; true when the gateway is to know it at once. */
static bool compare(
	struct weir_agent_session *session, const struct weir_agent_reading *next, uint64_t now_ns)
{
	const struct weir_agent_reading *last = &session->reading;
	uint64_t dropped;

	if (!session->has_reading) {
		/* What was lost before we came is not ours to tell as new. */
		session->drops = next->drops;
		if (next->is_missing)
			tell_news(session, WEIR_AGENT_SOCKET_GONE);
		return true;
	}
	/* Another socket counts from 0 again. */
	dropped = next->drops >= last->drops ? next->drops - last->drops : next->drops;
	session->drops += dropped;
	if (next->queue_bytes != last->queue_bytes || dropped != 0)
		session->busy_until = now_ns + BUSY_NS;
	if (dropped != 0)
		tell(session,
			&(struct weir_agent_event){.news = WEIR_AGENT_DROPPED, .count = dropped});
	if (next->is_missing != last->is_missing)
		tell_news(session,
			next->is_missing ? WEIR_AGENT_SOCKET_GONE : WEIR_AGENT_SOCKET_FOUND);
	return dropped != 0 || next->is_missing != last->is_missing ||
	       next->limit_bytes != last->limit_bytes || is_above_half(next) != is_above_half(last);
}

static uint64_t pause_ns(const struct weir_agent_session *session, uint64_t now_ns)
{
	uint64_t interval_ns = (uint64_t)session->options.interval_us * 1000;
	uint64_t pause = session->heartbeat_ns;

	if (session->reading.is_missing)
		pause = MISSING_NS;
	else if (now_ns < session->busy_until)
		pause = interval_ns;
	else if (session->reading.queue_bytes != 0)
		pause = STUCK_NS;
	if (pause > session->heartbeat_ns)
		pause = session->heartbeat_ns;
	return pause > interval_ns ? pause : interval_ns;
}

int weir_agent_start(struct weir_agent_session *session, const struct weir_agent_options *options,
	const struct weir_session_io *io, uint64_t now_ns)
{
	if (options->port == 0 || (options->address.family != 4 && options->address.family != 6) ||
		weir_greeting_set_name(session->greeting.group, options->group) != 0 ||
		weir_greeting_set_name(session->greeting.name, options->name) != 0)
		return -EINVAL;
	session->link.io = *io;
	session->options = *options;
	session->options.group = session->greeting.group;
	session->options.name = session->greeting.name;
	if (session->options.interval_us == 0)
		session->options.interval_us = WEIR_AGENT_INTERVAL_US;
	session->greeting.role = WEIR_ROLE_AGENT;
	session->greeting.max_datagram = WEIR_DATAGRAM_MIN;
	session->greeting.options = WEIR_OPTION_LOAD;
	greet(session, now_ns);
	return 0;
}

void weir_agent_receive(
	struct weir_agent_session *session, const void *data, size_t length, uint64_t now_ns)
{
	const struct weir_frame_header *frame;
	struct weir_frame_cursor cursor;
	uint64_t mine = session->link.session;

	if (session->phase == WEIR_AGENT_CLOSED ||
		weir_link_open(&session->link, &cursor, data, length) != WEIR_REASON_NONE)
		return;
	if (cursor.session != 0 && cursor.session != mine)
		return;
	if (cursor.session != 0)
		session->heard_at = now_ns;
	/* A frame that ended the session ends the datagram for us too. */
	while (session->link.session == mine && (frame = weir_frame_next(&cursor)) != NULL) {
		if (cursor.session == 0)
			take_greeting(session, frame, now_ns);
		else
			take_session_frame(session, frame, now_ns);
	}
}

bool weir_agent_tick(struct weir_agent_session *session, uint64_t now_ns)
{
	if (session->phase == WEIR_AGENT_GREETING &&
		now_ns >= weir_greeting_deadline_ns(&session->greeting))
		weir_greeting_send(&session->greeting, &session->link, now_ns);
	if (session->phase != WEIR_AGENT_REPORTING)
		return false;
	if (now_ns >= session->heard_at + session->liveness_ns) {
		lose(session, WEIR_ERROR_SILENT, now_ns);
		return false;
	}
	if (now_ns >= session->look_at || now_ns >= session->report_at)
		return true;
	/* Without a socket there is nothing to look at for an answer. */
	if (session->is_asked)
		send_load(session, now_ns);
	return false;
}

void weir_agent_looked(struct weir_agent_session *session, const struct weir_agent_reading *reading,
	uint64_t now_ns)
{
	bool is_news;

	if (session->phase != WEIR_AGENT_REPORTING)
		return;
	is_news = compare(session, reading, now_ns);
	session->reading = *reading;
	session->has_reading = true;
	session->looks++;
	if (is_news || session->is_asked || now_ns >= session->report_at)
		send_load(session, now_ns);
	session->look_at = now_ns + pause_ns(session, now_ns);
}

uint64_t weir_agent_deadline_ns(const struct weir_agent_session *session)
{
	uint64_t deadline;

	switch (session->phase) {
	case WEIR_AGENT_GREETING:
		return weir_greeting_deadline_ns(&session->greeting);
	case WEIR_AGENT_REPORTING:
		if (session->is_asked)
			return 0;
		deadline = session->heard_at + session->liveness_ns;
		if (session->look_at < deadline)
			deadline = session->look_at;
		return session->report_at < deadline ? session->report_at : deadline;
	case WEIR_AGENT_CLOSED:
		break;
	}
	return UINT64_MAX;
}

void weir_agent_leave(struct weir_agent_session *session)
{
	uint8_t buffer[WEIR_DATAGRAM_HEADER + sizeof(struct weir_frame_leave) + WEIR_LINK_SPARE];
	struct weir_frame_leave *leave;
	struct weir_writer writer;

	if (session->phase == WEIR_AGENT_REPORTING) {
		weir_link_begin(&session->link, &writer, buffer, sizeof(buffer));
		leave = weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(*leave));
		if (leave != NULL) {
			leave->reason = weir_be16(WEIR_ERROR_CLOSED);
			weir_link_send(&session->link, &writer);
		}
	}
	session->phase = WEIR_AGENT_CLOSED;
}
