/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session_private.h"

#define SAME(id) _Static_assert((int)WEIR_GONE_##id == (int)WEIR_GAP_##id, #id)
SAME(LAPPED);
SAME(EXPIRED);
SAME(TOO_BIG);
SAME(QUARANTINED);
SAME(REMOVED);
SAME(RESTART);
SAME(CHECKSUM);
SAME(SKIPPED);
SAME(FAILOVER);

const char *weir_gone_name(uint16_t reason)
{
	static const char *const names[] = {
#define X(id, number, name, text) [number] = (name),
		WEIR_GAP_REASONS(X)
#undef X
	};

	if (reason == WEIR_GONE_LOST)
		return "lost";
	return reason < sizeof(names) / sizeof(names[0]) ? names[reason] : "unknown";
}

struct weir_event *weir_session_event(struct weir_session *session, enum weir_event_kind kind)
{
	struct weir_event *event;

	/* When nobody takes them the newest are what matters: the oldest goes. */
	if (session->event_count == SESSION_EVENTS) {
		session->event_first = (session->event_first + 1) % SESSION_EVENTS;
		session->event_count--;
		session->stats.events_lost++;
	}
	event = &session->events[(session->event_first + session->event_count) % SESSION_EVENTS];
	*event = (struct weir_event){.kind = kind};
	session->event_count++;
	return event;
}

void weir_session_tell_gap(struct weir_session *session, struct weir_client_lane *lane,
	uint64_t first, uint64_t end, uint16_t reason)
{
	struct weir_event *event;

	/* An earlier session delivered it: it is gone for others only. */
	if (first < lane->floor)
		first = lane->floor;
	if (first >= end)
		return;
	event = weir_session_event(session, WEIR_EVENT_GAP);
	event->stream = lane->stream;
	event->partition = lane->partition;
	event->epoch = lane->epoch;
	event->reason = reason;
	event->first = first;
	event->count = end - first;
	session->stats.gaps++;
	session->stats.gap_sequences += end - first;
	lane->missed += end - first;
}

int weir_session_next_event(struct weir_session *session, struct weir_event *event)
{
	if (session->event_count == 0)
		return 0;
	*event = session->events[session->event_first];
	session->event_first = (session->event_first + 1) % SESSION_EVENTS;
	session->event_count--;
	return 1;
}
