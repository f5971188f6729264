/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/session_private.h"

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

int weir_session_next_event(struct weir_session *session, struct weir_event *event)
{
	if (session->event_count == 0)
		return 0;
	*event = session->events[session->event_first];
	session->event_first = (session->event_first + 1) % SESSION_EVENTS;
	session->event_count--;
	return 1;
}
