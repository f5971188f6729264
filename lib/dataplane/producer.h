/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "dataplane/dataplane.h"
#include "dataplane/message.h"
#include "dataplane/route.h"
#include "dataplane/tenure.h"
#include "flow/bucket.h"
#include "secure/seal.h"
#include "wire/frame_produce.h"

/*
 * A producer that speaks the stream protocol, in two parts. `struct weir_producer` is a session: it
 * is made and retired as sessions come and go. `struct weir_produce_record` is what is known of
 * the numbers that the producer of that name has sent; it outlives the session, so that a producer
 * that comes back learns what had arrived. Records are as many as sessions: the one unused for
 * longest makes way.
 *
 * Both belong to one worker at a time; what another worker receives is handed over to it.
 */

#define WEIR_MAX_PRODUCERS    1024
#define WEIR_SLOT_PRODUCERS   WEIR_MAX_CONSUMERS /* session slots from here on are producers' */
#define WEIR_PRODUCE_WINDOW   1024               /* numbers, from the first that is not settled */
#define WEIR_PRODUCE_FIRST    16 /* numbers that an epoch may use before the first PACE */
#define WEIR_PRODUCE_NO_LIMIT (WEIR_FRAME_VALUE_MAX)

static inline bool weir_slot_is_producer(uint16_t slot)
{
	return slot >= WEIR_SLOT_PRODUCERS && slot < WEIR_SLOT_PRODUCERS + WEIR_MAX_PRODUCERS;
}

/* Read by the control thread while they run. */
struct weir_producer_stats {
	uint64_t datagrams;
	uint64_t retained;
	uint64_t retained_bytes; /* payload */
	uint64_t duplicates;
	uint64_t refused; /* will never be retained */
	uint64_t beyond;  /* above what PACE allowed, or no room to hold them back: come again */
	uint64_t settled; /* given up by the producer before they had come */
};

/* All fields are the owning worker's, but those marked. */
struct weir_produce_record {
	char stream[WEIR_NAME_SIZE]; /* immutable */
	char name[WEIR_NAME_SIZE];   /* immutable */
	uint16_t index;              /* immutable */
	uint16_t worker;             /* control thread; that had its last session */
	uint64_t closed_at;          /* control thread; TSC when its last session ended */
	bool has_session;            /* control thread */
	uint32_t epoch;              /* the producer's; 0: nothing has come yet */
	uint64_t next;               /* all below are retained, refused or given up */
	uint64_t newest;             /* highest number seen; next - 1 at least */
	uint64_t oldest;             /* the producer has told that it knows of all below */
	uint64_t refused;            /* the highest number that was refused */
	uint64_t limit;              /* highest number that PACE has allowed */
	struct weir_producer_stats stats;
	uint32_t held_count;                         /* buffers in `held` */
	uint64_t received[WEIR_PRODUCE_WINDOW / 64]; /* bit number % window, from `next` on */
	uint32_t hashes[WEIR_PRODUCE_WINDOW];        /* of their keys, upper half */
	struct weir_message_slot held[WEIR_PRODUCE_WINDOW]; /* without a buffer: refused, and
							       `reserved` says why */
};

struct weir_producer {
	char stream[WEIR_NAME_SIZE]; /* immutable, as all down to `last_heard` */
	char name[WEIR_NAME_SIZE];
	uint16_t index;
	uint64_t session;
	struct weir_address peer; /* only frames from here are the session's */
	uint16_t peer_port;
	struct weir_address local;
	uint16_t max_datagram;
	bool has_contexts;       /* of traces, with its messages */
	struct weir_route route; /* back to it: the way that its HELLO came */
	struct weir_route built; /* headers of its messages: from it to us */
	struct weir_produce_record *record;
	struct weir_seal seal;       /* set before it is added */
	_Atomic uint64_t last_heard; /* TSC; the worker that receives */
	struct weir_tenure tenure;   /* with the worker that has it, and its record */
	struct weir_bucket packets;  /* control thread sets, owner takes */
	struct weir_bucket bits;     /* of payload */
	_Atomic uint32_t rate_pps;   /* control thread; 0: no limit */
	_Atomic uint32_t rate_kbps;
	_Atomic uint32_t burst; /* messages that it may send at once */
	/* The owning worker's. */
	struct weir_list link;    /* in worker->producers */
	struct weir_list touched; /* in worker->produced while an answer is due */
	bool is_urgent;           /* the answer is due at once */
	uint8_t blocked;          /* enum weir_pace_reason: `next` is there and has no place */
	_Atomic uint8_t reason;   /* enum weir_pace_reason, as told last; control reads */
	uint64_t told_limit;
	uint64_t told_next;
	uint64_t last_answer; /* TSC */
	uint64_t last_heartbeat;
	uint32_t pace_counter;
};

/* As a snapshot has it. */
struct weir_producer_view {
	struct weir_producer *producer;
	const struct weir_stream_view *stream;
};

/*
 * Sessions; control thread. `stream` must be one that takes producers. The session's route is the
 * way back of `reply`, which the caller has begun in answer to the HELLO.
 */
struct weir_producer_spec {
	const char *stream;
	const char *name;
	struct weir_address peer;
	uint16_t peer_port;
	struct weir_address local;
	uint16_t local_port;
	uint16_t max_datagram;
	bool has_contexts;
	const struct weir_route *route;
	uint64_t random; /* for the session's number */
};
/*
 * Make it; no worker knows it yet: add or abandon it before another is prepared. -ENOENT no such
 * stream, -EACCES it takes no producers, -EUSERS it has them all, -EEXIST name taken, -ENOSPC,
 * -ENOMEM.
 */
int weir_producer_prepare(struct weir_dataplane *dataplane, const struct weir_producer_spec *spec,
	struct weir_producer **producer);
void weir_producer_abandon(struct weir_producer *producer);
/* 0, or -ENOMEM and it is gone. */
int weir_producer_add(struct weir_dataplane *dataplane, struct weir_producer *producer);
void weir_producer_remove(struct weir_dataplane *dataplane, struct weir_producer *producer);
/* Its stream is configured, and takes producers. */
bool weir_producer_is_wanted(
	const struct weir_dataplane *dataplane, const struct weir_producer *producer);
/* A configuration was applied: every session's rate follows its stream's. */
void weir_producers_set_rates(struct weir_dataplane *dataplane);
uint64_t weir_producer_silent_ms(const struct weir_producer *producer);

typedef void (*weir_producer_visit)(void *context, struct weir_producer *producer);
void weir_producers_visit(
	struct weir_dataplane *dataplane, weir_producer_visit visit, void *context);

/* For snapshot.c: fill in what there is. For publish.c: workers have ended, free everything. */
struct weir_producers;
void weir_producers_view(const struct weir_dataplane *dataplane,
	const struct weir_stream_view *streams, uint32_t stream_count,
	struct weir_producer_view *views);
void weir_producers_destroy(struct weir_dataplane *dataplane);
