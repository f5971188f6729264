/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"

/*
 * Sessions of native consumers (docs/protocol.md, sections 4 and 5): admission by cookie,
 * subscription, leaving, liveness. Credit and pause never come here; workers take them.
 */
struct weir_sessions;
struct weir_gateway;
struct weir_estate_session;

struct weir_sessions_counters {
	uint64_t hellos;
	uint64_t cookies; /* COOKIE frames sent */
	uint64_t admitted;
	uint64_t refused;     /* ERROR in answer to a HELLO */
	uint64_t left;        /* by LEAVE */
	uint64_t silent;      /* ended by liveness */
	uint64_t unknown;     /* frames of sessions that are not */
	uint64_t bad_cookies; /* wrong or too old; a new one was sent */
	uint64_t dropped;     /* not answered: stale frames, too many answers, no buffer */
};

int weir_sessions_create(struct weir_gateway *gateway, struct weir_sessions **sessions);
/* Tells producers and agents, whose sessions do not go on in another gateway, that this one stops.
 */
void weir_sessions_leave_guests(struct weir_sessions *sessions);
/* Another gateway has the sessions: end none of them for being silent. */
void weir_sessions_freeze(struct weir_sessions *sessions);
/* What another gateway must know to go on with the consumers' sessions; the caller frees. */
int weir_sessions_describe(
	struct weir_sessions *sessions, struct weir_estate_session **list, uint32_t *count);
/* Go on with a session of another gateway. -ENOENT, -EEXIST, -EUSERS, -ENOMEM: it has ended. */
int weir_sessions_adopt(struct weir_sessions *sessions, const struct weir_estate_session *estate,
	const char (*names)[WEIR_NAME_SIZE]);
/* Tells every client that the gateway stops; workers must still be running to send it. */
void weir_sessions_leave_all(struct weir_sessions *sessions);
void weir_sessions_destroy(struct weir_sessions *sessions);
/* Another configuration holds, or a stream has drained: sessions of groups that are gone have
 * ended. */
void weir_sessions_sync(struct weir_sessions *sessions);
/* A protocol datagram from a worker, already checked as a whole. Takes the mbuf. */
void weir_sessions_packet(struct weir_sessions *sessions, struct rte_mbuf *packet);
const struct weir_sessions_counters *weir_sessions_counters(const struct weir_sessions *sessions);
