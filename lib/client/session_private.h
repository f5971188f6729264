/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "client/inbox.h"
#include "client/lanes.h"
#include "client/session.h"
#include "wire/frame.h"

/*
 * Parts of the session that its files share:
 *   session.c        life, timers, what the application calls
 *   session_join.c   from HELLO to the list of streams, and back after a loss
 *   session_data.c   DATA and HEARTBEAT: lanes, positions, gaps
 *   session_credit.c limits, CREDIT, PAUSE
 *   session_event.c  the queue of events
 *   session_options.c  checking and copying what the application asked for
 */

#define SESSION_EVENTS      256
#define SESSION_NAMES_MAX   8192 /* stream names met in the life of a consumer */
#define SESSION_NS_PER_MS   UINT64_C(1000000)
#define SESSION_BACKOFF_MS  100 /* between HELLOs, doubled each time */
#define SESSION_BACKOFF_MAX 5000
#define SESSION_RETRY_MAX   60000 /* longest wait that an ERROR may impose */

enum session_phase {
	SESSION_GREETING,    /* HELLO sent again and again */
	SESSION_SUBSCRIBING, /* welcomed; SUBSCRIBE sent until the list is whole */
	SESSION_JOINED,
	SESSION_CLOSED,
};

struct session_stream {
	uint16_t id;
	uint16_t partitions;
	const char *name;
};

/* Messages and payload bytes, counted together everywhere. */
struct session_amount {
	uint64_t messages;
	uint64_t bytes;
};

struct weir_session {
	struct weir_session_io io;
	/* What was asked for; strings are owned. */
	char group[WEIR_FRAME_NAME_SIZE];
	char name[WEIR_FRAME_NAME_SIZE];
	char wanted[WEIR_SUBSCRIBE_MAX][WEIR_FRAME_NAME_SIZE];
	uint16_t wanted_count;
	uint16_t max_datagram;
	bool want_source;
	bool pull;
	bool manual;
	struct session_amount window;

	enum session_phase phase;
	uint64_t id; /* of the session; 0 in GREETING */
	uint64_t nonce;
	uint8_t cookie[WEIR_FRAME_COOKIE_SIZE];
	bool has_cookie;
	uint32_t backoff_ms;
	uint32_t heartbeat_ms;
	uint64_t liveness_ns;
	uint64_t send_at;  /* next HELLO, SUBSCRIBE or CREDIT, by phase */
	uint64_t heard_at; /* last datagram of this session */
	uint16_t refused;  /* code already told to the application in this phase; 0: none */

	uint32_t subscribe_counter;
	struct session_stream *streams; /* owned; as the gateway told them, by its identifiers */
	size_t stream_count;
	bool is_list_old; /* data came of a stream not in it: to be asked for again */
	char **names;     /* owned, and each string; interned, they live as long as the consumer */
	size_t name_count;

	struct weir_client_lanes lanes;
	struct session_amount position; /* known to have been sent, all lanes */
	struct session_amount limit;    /* last granted */
	uint64_t pulled;                /* with pull: position up to which messages are asked for */
	uint32_t credit_counter;
	uint32_t pause_counter; /* 0: never paused in this session */
	uint32_t pause_seen;    /* confirmed by the gateway */
	bool is_paused;

	struct weir_inbox inbox;
	bool has_taken;              /* the oldest in the inbox is in the application's hands */
	struct session_amount held;  /* credit in use: in the inbox, or taken and not given back */
	struct session_amount taken; /* with manual: the part of it that is taken */

	struct weir_event events[SESSION_EVENTS];
	unsigned int event_first;
	unsigned int event_count;
	struct weir_consumer_stats stats; /* counters; the rest is filled when asked for */
};

/* session.c */
/* Send what the writer holds; a failure is counted. */
void weir_session_send(struct weir_session *session, const struct weir_writer *writer);
/* Milliseconds, varied by a quarter either way, as nanoseconds. */
uint64_t weir_session_jitter_ns(struct weir_session *session, uint32_t ms);

/* session_options.c: 0 or -EINVAL. */
int weir_session_set_options(
	struct weir_session *session, const struct weir_consumer_options *options);

/* session_join.c */
void weir_session_greet(struct weir_session *session, uint64_t now_ns);
/* The session is gone: tell the application, start again after about `delay_ms`. */
void weir_session_lose(struct weir_session *session, uint16_t code, const char *text,
	uint32_t delay_ms, uint64_t now_ns);
void weir_session_send_hello(struct weir_session *session, uint64_t now_ns);
void weir_session_send_subscribe(struct weir_session *session, uint64_t now_ns);
void weir_session_on_cookie(
	struct weir_session *session, const struct weir_frame_cookie *frame, uint64_t now_ns);
void weir_session_on_welcome(
	struct weir_session *session, const struct weir_frame_welcome *frame, uint64_t now_ns);
void weir_session_on_subscribed(
	struct weir_session *session, const struct weir_frame_subscribed *frame, uint64_t now_ns);
void weir_session_on_error(
	struct weir_session *session, const struct weir_frame_error *frame, uint64_t now_ns);

/* session_data.c */
void weir_session_on_data(struct weir_session *session, const struct weir_frame_data *frame);
void weir_session_on_heartbeat(
	struct weir_session *session, const struct weir_frame_heartbeat *frame, uint64_t now_ns);

/* session_credit.c */
/* Send CREDIT, and PAUSE while it is not confirmed. It also shows that we live. */
void weir_session_send_credit(struct weir_session *session, uint64_t now_ns);
/* Send it if a quarter of the window has come back. */
void weir_session_offer_credit(struct weir_session *session, uint64_t now_ns);

/* session_event.c: the caller fills what it returns; never NULL. */
struct weir_event *weir_session_event(struct weir_session *session, enum weir_event_kind kind);
