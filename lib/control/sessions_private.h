/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "control/gateway.h"
#include "control/sessions.h"

/* Shared by sessions.c (life of a session) and sessions_hello.c (admission). */

struct weir_session {
	struct weir_list link;
	struct weir_consumer *consumer;
	uint64_t nonce;
	uint32_t subscribe_counter; /* 0: none came yet */
	bool is_seen;
};

struct weir_sessions {
	struct weir_gateway *gateway;
	struct weir_list list;
	struct weir_loop_timer watch;
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
