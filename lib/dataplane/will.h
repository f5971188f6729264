/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow/credit.h"

/*
 * What a port's program must know to go on for native consumers when this process dies: a session's
 * credit, and where each of its lanes stands. It lies in memory of a driver that outlives the
 * gateway. The program looks at it, and writes, only after that; so what a worker writes here is in
 * no other's way. A lane or a session with number 0 is nobody's: it is so while it is written, for
 * a death may come in between.
 *
 * Sessions with a key leave nothing: the program could not tell whose CREDIT it reads.
 */

struct weir_consumer;
struct weir_dataplane;
struct weir_lane;
struct weir_worker;

struct weir_will_session {
	_Atomic uint64_t session; /* control thread */
	struct weir_credit_account credit;
	uint64_t liveness_ns;      /* control thread */
	_Atomic uint64_t heard_ns; /* the program */
	uint16_t max_datagram;     /* control thread */
	uint8_t wants_source;      /* control thread */
	_Atomic uint8_t is_paused; /* some stream is; the worker that hears it, then the program */
	uint8_t reserved[4];
};

struct weir_will_lane {
	/* The lane's owner. */
	_Atomic uint64_t session;
	uint64_t first; /* struct weir_data_lane */
	uint64_t messages;
	uint64_t bytes;
	uint64_t next; /* above the numbers that were given out, as of the last frame */
	uint32_t epoch;
	uint16_t stream;
	uint16_t partition;
	uint32_t deadline_us; /* of its messages; 0: none */
	uint16_t consumer;    /* slot */
	uint8_t reserved[10];
	/* The program; the owner once it has told of it. */
	uint64_t sent; /* messages, on top of those above */
	uint64_t sent_bytes;
	uint64_t end;   /* one after the highest number sent; 0: none was */
	uint64_t begin; /* the first number that was given out in the partition; 0: none was */
	uint64_t spare[4];
};

/* A driver's memory for sessions, by the consumer's slot. Control thread. */
struct weir_will_store {
	void *context;
	struct weir_will_session *(*session)(void *context, uint16_t slot);
	/*
	 * A number above all that the program gave out in a partition of the stream since an
	 * earlier gateway died; 0: it gave out none.
	 */
	uint64_t (*above)(void *context, const char *stream, uint16_t partition);
};

/* Control thread: the session has all that it needs. */
void weir_will_open(const struct weir_dataplane *dataplane, struct weir_consumer *consumer);
/* Owner: the lane has another consumer, epoch or place, or may not be sent to. */
void weir_will_write(const struct weir_worker *worker, const struct weir_lane *lane);
