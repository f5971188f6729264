/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/address.h"
#include "client/greeting.h"
#include "client/link.h"

/*
 * An agent's session: it tells the gateway how full the socket of a collector is that does not
 * speak the stream protocol (docs/protocol.md, 8.4). Which socket, and how it is looked at, is its
 * owner's business; when to look and what to say is decided here. One session a socket.
 *
 *	weir_agent_start()
 *	for ever: until weir_agent_deadline_ns(), or a datagram: weir_agent_receive()
 *	          weir_agent_tick(); when it wants to know: look, weir_agent_looked()
 *	weir_agent_leave()
 *
 * It looks every interval while the queue moves or the gateway asks, else only as often as it has
 * to report; and it goes on for ever: without a gateway it greets, without the socket it says so,
 *and the gateway keeps what it has for it. Pure; times are monotonic nanoseconds. One thread.
 */

#define WEIR_AGENT_INTERVAL_US 1000 /* from one look to the next while there is traffic */

/* What was seen. */
struct weir_agent_reading {
	bool is_missing; /* nobody has the socket; all else is 0 */
	uint32_t queue_bytes;
	uint32_t limit_bytes;
	uint64_t drops; /* of the socket; may fall when it is another one */
};

enum weir_agent_news {
	WEIR_AGENT_JOINED,
	WEIR_AGENT_REFUSED,      /* by `code`, `text`; it goes on asking */
	WEIR_AGENT_UNWANTED,     /* welcomed, but reports are not taken; it asks again */
	WEIR_AGENT_LOST,         /* the session; by `code` */
	WEIR_AGENT_SOCKET_GONE,  /* nobody has it */
	WEIR_AGENT_SOCKET_FOUND, /* somebody has it again */
	WEIR_AGENT_DROPPED,      /* it lost `count` more */
};

struct weir_agent_event {
	enum weir_agent_news news;
	uint16_t code; /* enum weir_frame_code */
	const char *text;
	uint64_t count;
};

struct weir_agent_options {
	const char *group;
	const char *name;
	struct weir_address address; /* of the socket, as the gateway's group has it */
	uint16_t port;
	uint32_t interval_us; /* 0: WEIR_AGENT_INTERVAL_US */
	/* Told in the calls below; it must not call back. NULL: nobody. */
	void (*tell)(void *context, const struct weir_agent_event *event);
	void *context;
};

enum weir_agent_phase { WEIR_AGENT_GREETING, WEIR_AGENT_REPORTING, WEIR_AGENT_CLOSED };

struct weir_agent_session {
	struct weir_link link; /* its key is loaded into link.guard by the owner */
	struct weir_greeting greeting;
	struct weir_agent_options options;
	enum weir_agent_phase phase;
	uint64_t heartbeat_ns;
	uint64_t liveness_ns;
	uint64_t heard_at;
	uint64_t look_at;    /* next look, at the latest */
	uint64_t report_at;  /* next LOAD, at the latest */
	uint64_t busy_until; /* something moved; looked at every interval */
	bool is_asked;       /* STARVED came; the answer is due */
	uint64_t echo_ns;    /* clock of the newest HEARTBEAT; 0: none */
	uint32_t counter;    /* of the newest LOAD */
	bool has_reading;
	struct weir_agent_reading reading; /* the newest */
	uint64_t drops;                    /* seen so far, over all sockets that were there */
	uint64_t looks;
	uint64_t reports;
};

/* 0, or -EINVAL for a name or address that is none. What it points to is copied, but `tell`. */
int weir_agent_start(struct weir_agent_session *session, const struct weir_agent_options *options,
	const struct weir_session_io *io, uint64_t now_ns);
/* A datagram came from the gateway. */
void weir_agent_receive(
	struct weir_agent_session *session, const void *data, size_t length, uint64_t now_ns);
/* Whatever is due. True: look at the socket now, and call weir_agent_looked(). */
bool weir_agent_tick(struct weir_agent_session *session, uint64_t now_ns);
/* `now_ns`: before the look. Sends LOAD if there is reason to. */
void weir_agent_looked(struct weir_agent_session *session, const struct weir_agent_reading *reading,
	uint64_t now_ns);
/* When to call weir_agent_tick() at the latest. */
uint64_t weir_agent_deadline_ns(const struct weir_agent_session *session);
/* Tell the gateway that we go. */
void weir_agent_leave(struct weir_agent_session *session);
