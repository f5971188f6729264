/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "control/gateway.h"
#include "control/keys.h"
#include "control/sessions.h"
#include "control/windows.h"
#include "secure/handshake.h"

/*
 * Shared by sessions.c (life of a session), sessions_hello.c (admission) and sessions_streams.c
 * (what streams it has).
 */

struct weir_session {
	struct weir_list link;
	struct weir_consumer *consumer;
	uint64_t nonce;
	uint64_t hello_ns;          /* the client's time in its HELLO; with a key */
	struct weir_frame_key key;  /* ours in the answer; with a key */
	uint32_t options;           /* granted */
	uint32_t subscribe_counter; /* 0: none came yet */
	uint16_t edition;           /* of the list of streams that it is sent; 0: none yet */
	uint64_t announced;         /* generation of that list; as weir_consumer.knows */
	uint64_t announce_at;       /* when it is sent again; ns */
	uint64_t announce_wait;     /* from then to the next time */
	uint64_t announce_until;    /* when its answer is not waited for any longer */
	bool is_announcing;         /* it is to answer */
	uint32_t listed;            /* streams in the list that it was sent last */
	bool is_seen;
};

struct weir_sessions {
	struct weir_gateway *gateway;
	struct weir_list list;
	struct weir_list producers; /* producers.c */
	struct weir_list agents;    /* agents.c */
	struct weir_loop_timer watch;
	struct weir_loop_timer announce; /* while a session is to answer */
	bool has_answers;                /* some have, and no snapshot says so yet */
	struct weir_keys *keys;
	struct weir_windows windows;
	struct weir_sessions_counters counters;
	uint8_t key[32];            /* of the cookies; new at each start */
	uint64_t incarnation;       /* tells clients that the gateway was restarted */
	struct weir_bucket answers; /* ERRORs and COOKIEs to strangers, per second */
};

/* A datagram and what was learned of it, while it is being answered. */
struct weir_request {
	const struct rte_mbuf *packet;
	struct weir_packet headers;
	struct weir_address peer;
	struct weir_address local;
};

/*
 * A HELLO whose cookie is good: whose address it comes from is sure, who it is may have to be
 * proved.
 */
struct weir_applicant {
	const struct weir_request *request;
	const struct weir_frame_hello *hello;
	char group[WEIR_FRAME_NAME_SIZE]; /* a producer's stream */
	char name[WEIR_FRAME_NAME_SIZE];
	uint64_t nonce;
	const struct weir_secret *secret; /* proved by _authorize(); NULL: none is asked for */
	uint64_t hello_ns;                /* with a secret: the client's time */
};

/*
 * Check the proof against the keys of a file; "" asks for none. False: it has been refused, in one
 * way for all that can be wrong.
 */
bool weir_sessions_authorize(
	struct weir_sessions *sessions, struct weir_applicant *applicant, const char *key_file);
/* A new session's own keys, if the applicant has proved one. False: refused. */
bool weir_sessions_agree(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	uint64_t session, struct weir_frame_key *key, struct weir_seal *seal);

/* What WELCOME says. `seal` and `key` are the session's; NULL: it has none. */
struct weir_welcome_spec {
	uint64_t session;
	uint16_t max_datagram;
	uint8_t guarantee; /* enum weir_guarantee */
	uint32_t options;  /* granted */
	struct weir_seal *seal;
	const struct weir_frame_key *key;
};
void weir_sessions_welcome(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	const struct weir_welcome_spec *spec);
/* ERROR in answer to a HELLO. */
void weir_sessions_refuse(struct weir_sessions *sessions, const struct weir_applicant *applicant,
	enum weir_frame_code code);

/* SUBSCRIBED: all streams of the session, in answer to the request, or unasked when it is NULL. */
void weir_sessions_list_streams(struct weir_sessions *sessions, const struct weir_request *request,
	struct weir_session *session);
void weir_sessions_announce_init(struct weir_sessions *sessions);
/*
 * Sessions that have streams which they do not know are told, and are given them then; so are those
 * that know of some which are no more, and wait for nothing of them then.
 */
void weir_sessions_announce(struct weir_sessions *sessions);
/* This one is told of its streams until it answers; look() goes on with it. */
void weir_session_announce_begin(struct weir_sessions *sessions, struct weir_session *session);

/* Cookies, COOKIE, WELCOME, ERROR. */
void weir_sessions_hello(struct weir_sessions *sessions, const struct weir_request *request,
	const struct weir_frame_hello *hello);
/* ERROR outside of HELLO; `session` is echoed in the header. */
void weir_sessions_error(struct weir_sessions *sessions, const struct weir_request *request,
	uint64_t session, enum weir_frame_code code);
/* False when strangers have had their share of answers for now. */
bool weir_sessions_may_answer(struct weir_sessions *sessions);
/* For people; "unknown" outside the table. */
const char *weir_sessions_code_text(enum weir_frame_code code);
void weir_sessions_end(struct weir_sessions *sessions, struct weir_session *session,
	enum weir_frame_code reason, bool tell);
