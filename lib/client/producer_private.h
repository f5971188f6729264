/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "client/greeting.h"
#include "client/link.h"
#include "client/produce_store.h"
#include "client/producer_session.h"
#include "wire/frame_produce.h"

/*
 * Inside a producer's session:
 *	producer_session.c  the public functions: time, taking messages
 *	producer_join.c     from HELLO to a session, and its end
 *	producer_send.c     what is due, into datagrams
 *	producer_answer.c   what the gateway has, misses and allows
 */

#define PRODUCER_FIRST     16 /* numbers that may be used before the gateway's first PACE */
#define PRODUCER_NS_PER_MS UINT64_C(1000000)

enum producer_phase { PRODUCER_GREETING, PRODUCER_JOINED, PRODUCER_CLOSED };

struct weir_producer_session {
	struct weir_link link;
	struct weir_greeting greeting;
	enum producer_phase phase;
	uint8_t tier; /* on the wire, of messages that do not say */
	uint32_t epoch;
	struct produce_store store;
	uint64_t rtt_ns;   /* smoothed; 0: unknown */
	uint64_t hello_at; /* when the newest HELLO went */
	/* Of this session. */
	uint16_t max_datagram;
	bool takes_contexts; /* of traces, with messages */
	uint64_t heartbeat_ns;
	uint64_t liveness_ns;
	uint64_t heard_at;
	uint64_t said_at;
	uint64_t wait_until; /* with sending, for the gateway's first answer */
	bool is_answered;    /* it has come */
	bool is_known;       /* the gateway knows our epoch: its limits are ours */
	uint64_t limit_messages;
	uint64_t limit_bytes;
	uint64_t bytes;  /* payload of messages that were or will be sent first in it */
	uint64_t unsent; /* the first number that was not sent in it */
	uint64_t newest; /* highest number that the gateway has seen */
	uint64_t next;   /* the gateway has all below */
	uint32_t missing;
	uint32_t due;      /* entries that are */
	uint32_t gathered; /* bytes of frames that wait for more, to leave together */
	uint64_t probe_at; /* when silence is taken for loss */
	uint32_t probes;   /* in a row */
	uint32_t pace_counter;
	uint16_t pace_reason; /* enum weir_pace_reason */
	uint32_t credit_counter;
	struct weir_producer_stats stats;
};

/* producer_join.c */
int weir_producer_session_set_options(
	struct weir_producer_session *session, const struct weir_producer_options *options);
void weir_producer_session_greet(struct weir_producer_session *session, uint64_t at_ns);
void weir_producer_session_hello(struct weir_producer_session *session, uint64_t now_ns);
/* A frame of a datagram without a session. */
void weir_producer_session_on_greeting(struct weir_producer_session *session,
	const struct weir_frame_header *frame, uint64_t now_ns);
/* The session is gone: a new one is opened after a pause. */
void weir_producer_session_lose(
	struct weir_producer_session *session, uint16_t code, uint64_t now_ns);

/* producer_send.c */
/* Longest key and payload together in a datagram of that size. */
uint32_t weir_producer_room(uint16_t max_datagram);
/* Of a message: with its context where the gateway takes it, and it makes nothing too long. */
uint8_t weir_producer_flags(const struct weir_producer_session *session, uint16_t length,
	uint8_t key_length, bool has_context);
/* Highest number that may be sent now. */
uint64_t weir_producer_limit(const struct weir_producer_session *session);
bool weir_producer_has_something(const struct weir_producer_session *session);
/* Send all that is due or new, within the limit. */
void weir_producer_transmit(struct weir_producer_session *session, uint64_t now_ns);
/* CREDIT of zeros: we are here. */
void weir_producer_say(struct weir_producer_session *session, uint64_t now_ns);
/* Have an entry sent again. */
void weir_producer_set_due(
	struct weir_producer_session *session, struct produce_entry *entry, bool is_due);

/* producer_answer.c */
/* True: it is of our epoch, so the PACE behind it is for us. */
bool weir_producer_on_ack(struct weir_producer_session *session,
	const struct weir_frame_produce_ack *frame, uint64_t now_ns);
void weir_producer_on_pace(
	struct weir_producer_session *session, const struct weir_frame_pace *frame);
/* Silence: have something sent again that makes the gateway answer. */
void weir_producer_probe(struct weir_producer_session *session, uint64_t now_ns);
/* Something is on its way or missing: an answer is expected. */
bool weir_producer_expects(const struct weir_producer_session *session);
void weir_producer_arm_probe(struct weir_producer_session *session, uint64_t now_ns);
