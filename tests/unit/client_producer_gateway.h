/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/producer_session.h"

/*
 * A gateway in memory, as far as a producer sees one: it keeps what comes in a window, and answers
 * when the test says so. Virtual time; nothing happens by itself.
 */

#define MS      UINT64_C(1000000)
#define NUMBERS 8192
#define HEART   200
#define LIVE    1000

struct gateway {
	struct weir_producer_session *client;
	uint64_t now_ns;
	uint64_t random;
	uint64_t session;
	uint64_t nonce;
	unsigned int lose; /* so many of the next datagrams */
	bool is_lying;     /* bytes of its answers are changed at random, past the header */
	unsigned int datagrams;
	unsigned int hellos;
	unsigned int credits;
	unsigned int leaves;
	unsigned int wrong;
	unsigned int twice;    /* messages that it had already */
	unsigned int messages; /* that came */
	uint32_t epoch;        /* of the newest PRODUCE */
	uint32_t known_epoch;  /* of the window; 0: none */
	uint64_t next;
	uint64_t newest;
	uint64_t oldest;
	uint64_t limit;
	uint16_t max_datagram;
	uint32_t options;      /* given with WELCOME */
	unsigned int contexts; /* messages that came with one */
	uint8_t span;          /* first byte of the newest of them */
	uint32_t pace_counter;
	uint16_t reason;
	uint32_t time_left_us; /* of the newest frame */
	uint8_t tier;
	uint64_t latest; /* number of the newest message that came, in order of coming */
	bool has[NUMBERS];
	uint8_t first_byte[NUMBERS];
};

/* A client with these options and nothing else; finish() frees it all. */
struct gateway *open_with(const struct weir_producer_options *options);
/* With a session, of which the gateway has said that it knows nothing. */
struct gateway *join(const struct weir_producer_options *options);
void finish(struct gateway *gateway);
/* A message with a key, as weir_producer_session_send(); likewise `count` of them, flushed: taken.
 */
int send_deadline(struct gateway *gateway, uint32_t deadline_ms, enum weir_held_by *held_by);
unsigned int send_many(struct gateway *gateway, unsigned int count);
void welcome(struct gateway *gateway);
/* PRODUCE_ACK and PACE: the window as it is. */
void answer(struct gateway *gateway, uint16_t flags);
/* LEAVE. */
void end_session(struct gateway *gateway);
/* Let time pass, running what falls due on the way. */
void pass(struct gateway *gateway, uint64_t us);
struct weir_producer_stats stats_of(const struct gateway *gateway);
uint64_t next_random(void *gateway);
