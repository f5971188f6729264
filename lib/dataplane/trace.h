/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/reason.h"
#include "config/config.h"
#include "dataplane/context.h"
#include "dataplane/message.h"
#include "dataplane/stats.h"
#include "flow/bucket.h"
#include "wire/key_show.h"

/*
 * Tracing, the workers' half. A message that a rule picks when it is received has a flag in its
 * slot; what becomes of it is written as events into a ring of each worker's own, from which the
 * control thread puts traces together (telemetry/trace.h). A full ring is a counted loss of the
 * trace and of nothing else. While no rule is on all this costs a branch a burst: a message's flag
 * is looked at only where others of its flags are looked at anyway.
 *
 * A message is known by the time it was received and its buffer, until the last of it has left.
 */

#define WEIR_TRACE_RULES     4    /* that are on at the same time */
#define WEIR_TRACE_RING_SIZE 4096 /* events a worker */
#define WEIR_TRACE_SENDS     64   /* traced messages of a worker on their way to a port */
#define WEIR_TRACE_ENDLESS   INT64_MAX

struct rte_mbuf;
struct weir_dataplane;
struct weir_lane;
struct weir_outlet;
struct weir_partition;
struct weir_stream;
struct weir_worker;

enum weir_trace_kind {
	WEIR_TRACE_HANDED,   /* on its way to the partition's owner */
	WEIR_TRACE_REFUSED,  /* dropped before it was in a ring */
	WEIR_TRACE_APPENDED, /* in the ring */
	WEIR_TRACE_WAITS,    /* a lane: it is there to be sent; one for each, after APPENDED */
	WEIR_TRACE_TAKEN,    /* a lane: every gate let it pass, it is being sent */
	WEIR_TRACE_SENT,     /* a lane: the port has it, or the worker that sends for this one */
	WEIR_TRACE_AGAIN,    /* a lane: it was sent again */
	WEIR_TRACE_DONE,     /* a lane: its consumer's application is done with it */
	WEIR_TRACE_DROPPED,  /* a lane: it does not get it */
};

/* What keeps a lane from its queue, beside its consumer's gates. */
enum weir_trace_state {
	WEIR_TRACE_QUEUED,
	WEIR_TRACE_NO_CONSUMER,
	WEIR_TRACE_HANDOVER, /* it is drained before it changes hands */
	WEIR_TRACE_PAUSED,   /* its stream is */
};

struct weir_trace_event {
	uint64_t ingest; /* TSC; with `buffer`: which message */
	uint64_t buffer;
	uint64_t time; /* TSC */
	uint64_t sequence;
	uint32_t bytes; /* of payload */
	uint16_t stream;
	uint16_t partition;
	uint16_t group;    /* of a lane; likewise */
	uint16_t consumer; /* slot + 1; 0: none */
	uint16_t worker;
	uint8_t kind;     /* enum weir_trace_kind */
	uint8_t reason;   /* REFUSED, DROPPED: enum weir_reason */
	uint8_t lanes;    /* APPENDED: how many there are */
	uint8_t state;    /* WAITS: enum weir_trace_state */
	bool is_reliable; /* a lane: DONE or DROPPED ends it, else SENT */
	bool has_context; /* HANDED, REFUSED, APPENDED: its producer's, below */
	uint8_t reserved[4];
	union {
		/* WAITS, TAKEN, DROPPED: how long each gate has ever been closed, in TSC cycles. */
		uint64_t held[WEIR_GATE_COUNT];
		struct weir_message_context context;
	};
};

_Static_assert(sizeof(struct weir_trace_event) % 8 == 0, "an element of a ring");

/*
 * Which messages. Written while it is off and no worker has looked at it since it was on; names
 * are compared, so that it follows an object that is made anew.
 */
struct weir_trace_rule {
	_Atomic bool is_on;
	_Atomic int64_t left;          /* messages yet to be traced; workers count down */
	uint32_t number;               /* another for each use of the rule */
	uint32_t sample;               /* one in so many of those that it is for, on the average */
	char stream[WEIR_NAME_SIZE];   /* "": any; likewise below */
	char consumer[WEIR_NAME_SIZE]; /* that the message is for at the moment */
	bool has_key;
	struct weir_key_value key;
};

/* Messages that are followed because their producer's trace context says so. */
struct weir_trace_contexts {
	_Atomic bool is_on;        /* control sets */
	uint64_t seed;             /* of our spans; set before workers run */
	struct weir_bucket budget; /* messages; any worker */
};

/* A traced message between its lane and the port. */
struct weir_trace_send {
	struct weir_trace_event event; /* as it is going to be written */
	uint16_t port;
	uint64_t after; /* it has left when so many packets have; 0: not known yet */
};

/* A worker's own. */
struct weir_trace_worker {
	struct rte_ring *ring; /* of events; NULL until tracing was on once. Control sets */
	uint64_t lost;         /* events without room; others read */
	uint32_t numbers[WEIR_TRACE_RULES];   /* of the rules that `distances` are of */
	uint32_t distances[WEIR_TRACE_RULES]; /* messages up to the next that is traced */
	uint32_t random;
	uint32_t send_count;
	struct weir_trace_send sends[WEIR_TRACE_SENDS];
};

/* Control side, one thread. */

/* A ring for each worker, once; 0 or -ENOMEM. */
int weir_trace_prepare(struct weir_dataplane *dataplane);
void weir_trace_free(struct weir_dataplane *dataplane);
/* Set or clear a rule's `is_on`, and what workers look for. */
void weir_trace_switch(struct weir_dataplane *dataplane, uint32_t rule, bool on);
/* Follow at most so many messages a second for their producers' sake; 0: none. */
void weir_trace_follow(struct weir_dataplane *dataplane, uint32_t per_s);
/* Take up to `most` events of a worker; returns how many. */
uint32_t weir_trace_take(
	struct weir_worker *worker, struct weir_trace_event *events, uint32_t most);
/* Events that were lost so far. */
uint64_t weir_trace_lost(const struct weir_dataplane *dataplane);

/* Workers, while a rule is on: mark what is to be traced, of a burst. */
void weir_trace_receive(
	struct weir_worker *worker, struct rte_mbuf *const *packets, uint32_t count);
/* The same for a producer's message; the hash is of its key. */
void weir_trace_produce(struct weir_worker *worker, const struct weir_stream *stream,
	struct weir_message_slot *message, uint64_t hash);

/* One more may be followed for its producer's sake. */
bool weir_trace_may_follow(struct weir_worker *worker);

/* Workers, for a message with the flag. */
void weir_trace_handed(struct weir_worker *worker, const struct weir_message_slot *message);
/* It is the next of the partition. */
void weir_trace_appended(struct weir_worker *worker, const struct weir_partition *partition,
	const struct weir_message_slot *message);
/* A packet that is dropped, and a message on its way to its ring. */
void weir_trace_refused(struct weir_worker *worker, const struct rte_mbuf *packet, uint64_t ingest,
	const struct weir_stream *stream, uint16_t partition, enum weir_reason reason);
void weir_trace_message_refused(struct weir_worker *worker, const struct weir_message_slot *message,
	enum weir_reason reason);
/* What becomes of it in a lane. */
void weir_trace_lane(struct weir_worker *worker, const struct weir_lane *lane, uint64_t sequence,
	enum weir_trace_kind kind, enum weir_reason reason);
/* Before ports are handed what waits for them, and after, when there is something on its way. */
void weir_trace_mark_sends(struct weir_worker *worker);
void weir_trace_end_sends(struct weir_worker *worker);
