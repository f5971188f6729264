/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>

#include "base/list.h"
#include "config/config.h"
#include "dataplane/route.h"
#include "dataplane/stats.h"
#include "flow/bucket.h"
#include "flow/credit.h"
#include "flow/wheel.h"
#include "flow/window.h"
#include "secure/seal.h"
#include "wire/frame_data.h"

/*
 * A consumer and the way to it. `struct weir_consumer` is shared: each field says who writes it.
 * Each worker has its own `struct weir_outlet` for each consumer, with the lanes that have
 * something for it.
 */

#define WEIR_FLIGHT_UNLIMITED (UINT64_MAX / 4) /* window of a consumer without a cap */
#define WEIR_NATIVE_FRAGMENTS 20 /* of one datagram: 9,000 bytes over the smallest MTU */

/* Why a consumer is not sent to; a bit each in weir_consumer.closed. */
#define WEIR_CLOSED_PAUSED      0x1 /* by an operator; control thread */
#define WEIR_CLOSED_PEER        0x2 /* by its PAUSE, or no socket; the worker that hears it */
#define WEIR_CLOSED_UNREACHABLE 0x4 /* control thread */

/*
 * Where a driver keeps token buckets that outlive this process, and that others draw from too. True
 * when they go on with the tokens that this consumer, by name, had before. Control thread.
 */
struct weir_token_store {
	void *context;
	bool (*take)(void *context, uint16_t slot, const char *name, struct weir_bucket **packets,
		struct weir_bucket **bits);
};

struct weir_will_session;

struct weir_consumer {
	char name[WEIR_NAME_SIZE];
	uint16_t slot;                      /* immutable */
	uint16_t group;                     /* immutable; slot number */
	uint8_t class;                      /* immutable; enum weir_class */
	_Atomic(struct weir_route *) route; /* control thread; NULL: none yet */
	_Atomic uint32_t closed;            /* WEIR_CLOSED_ bits */
	_Atomic uint32_t absences;          /* times it may have begun anew since: what it was told
					       may be lost. Whoever closes it */
	struct weir_bucket *packets; /* immutable; own_buckets, or a driver's: weir_token_store */
	struct weir_bucket *bits;    /* likewise */
	struct weir_bucket own_buckets[2];
	struct weir_config_rate rate; /* what the buckets are set to; control thread */
	bool has_tokens; /* control thread; the buckets go on from before this process */
	/* Native consumers. */
	uint64_t session;          /* immutable */
	struct weir_address peer;  /* immutable; only frames from here are the session's */
	uint16_t peer_port;        /* immutable */
	struct weir_address local; /* immutable; the gateway's address that it speaks to */
	uint16_t max_datagram;     /* immutable; UDP payload bytes */
	bool wants_source;         /* immutable; source addresses in DATA */
	bool wants_batches;        /* immutable; several messages a datagram */
	bool wants_contexts;       /* immutable; trace contexts in DATA */
	bool is_reliable;          /* immutable; acknowledges */
	bool may_seek;             /* immutable */
	bool may_assign;           /* immutable; is told what it is given and what is taken */
	uint8_t start;             /* enum weir_start; control thread, before lanes are given */
	uint64_t start_value;
	struct weir_seal seal; /* of its datagrams, with a key; any worker and control */
	struct weir_credit_account *credit; /* immutable; own_credit, or in `will` */
	struct weir_credit_account own_credit;
	struct weir_will_session *will; /* immutable; in a driver's memory, NULL: there is none */
	struct weir_credit_account
		flight;                   /* what may be sent beyond what has arrived: its limit is
					     the window's cap and all that has landed; any worker */
	struct weir_config_window window; /* that cap; control thread. 0: none */
	_Atomic uint64_t pace_limit; /* position up to which its queue stays short; the worker that
					receives CREDIT. UINT64_MAX: does not count */
	_Atomic uint32_t queue;      /* as it reports: messages that wait in it */
	_Atomic uint32_t service_ns; /* for each */
	_Atomic uint32_t capacity;   /* that it can hold */
	_Atomic uint64_t report_counter; /* of the newest CREDIT */
	_Atomic uint64_t last_heard;     /* the worker that receives; TSC */
	_Atomic uint16_t edition; /* of its streams' list, as it says in CREDIT, 0: never; worker
				     that receives it */
	uint64_t knows;           /* generation up to whose streams it has been told their numbers,
				     UINT64_MAX: of all; control thread */
	_Atomic uint64_t *paused; /* bit a stream slot, by PAUSE with a list; the worker that
				     receives it. WEIR_MAX_STREAMS bits, native only */
	_Atomic bool has_paused;  /* some bit is set */
	_Atomic uint32_t pause_changes;     /* PAUSEs that took effect; the worker that receives */
	_Atomic uint64_t pause_counter;     /* newest PAUSE seen, 0: none; worker that receives */
	_Atomic uint32_t subscribe_counter; /* SUBSCRIBE that holds; control thread */
	_Atomic uint64_t waiting;           /* bit a worker: wants to be woken when `closed`, credit
					       or route change. Set by it, taken by whoever wakes */
	_Atomic uint32_t agent; /* assisted: its agent's slot + 1, 0: none; control thread */
	bool is_subscribed;     /* control thread */
	char (*streams)[WEIR_NAME_SIZE]; /* control thread; names subscribed to */
	uint32_t stream_count;           /* control thread; 0: all of the group */
	struct weir_outlet *outlets;     /* one a worker */
};

/* The lanes of one tier that have something for one consumer. One worker's. */
struct weir_queue {
	struct weir_list link;  /* in worker->critical or worker->shared while it may send */
	struct weir_list lanes; /* lanes with data */
	struct weir_outlet *outlet;
	int64_t deficit; /* bytes */
	uint8_t tier;
	bool is_active;
	bool is_behind;  /* catching up: goes into worker->behind */
	uint64_t oldest; /* TSC; receive time of what it looked at last; of a run, of its first */
};

/* One worker's end of a consumer. All fields: that worker; `stats` is read by control. */
struct weir_outlet {
	struct weir_consumer *consumer;
	struct weir_queue queues[WEIR_TIERS];
	uint8_t gate;   /* enum weir_gate; what it waits for; OPEN: nothing */
	uint8_t limits; /* bit a limit that applies: see schedule.c */
	uint16_t worker;
	uint64_t direct_burst;                 /* that the route holds in; see direct.h */
	const struct weir_route *direct_route; /* NULL: by the rings */
	struct weir_timer timer;               /* while a rate gate is closed; unit TSC */
	struct weir_list blocked;              /* in worker->blocked or a tx queue's waiting list */
	/* Leased and not used yet. */
	uint32_t packets;
	uint64_t bits;
	uint16_t credit_extra; /* that a message counts beside its payload, with an agent */
	uint64_t credit_messages;
	uint64_t credit_bytes;
	uint64_t flight_messages; /* room in the window, for at least once */
	uint64_t flight_bytes;
	/* At least once: */
	struct weir_window window;   /* adaptive */
	uint64_t flying;             /* messages of its lanes that were sent and have not arrived */
	uint64_t idle_us;            /* when `flying` became 0 */
	struct weir_list again;      /* lanes with something to send again or to tell */
	struct weir_list again_link; /* in worker->again */
	bool needs_tag;     /* the datagram has more than DATA: with a key it is authenticated */
	uint64_t again_end; /* where the open RETRANSMIT frame ends; 0: none is open */
	bool is_beginning;  /* got lanes in this snapshot */
	bool has_left;      /* lanes have gone to others, and it is to be told where they ended */
	bool has_begun;     /* and in an earlier one: its choice of a start is behind it */
	/* Stream protocol: the datagram being filled, and the DATA frame in it. */
	struct rte_mbuf *datagram; /* NULL: none begun */
	struct weir_list open;     /* in worker->open while there is one */
	struct weir_writer writer;
	struct weir_data_writer data;
	const struct weir_lane *data_lane;                 /* whose frame is open; NULL: none */
	struct rte_mbuf *fragments[WEIR_NATIVE_FRAGMENTS]; /* for a datagram beyond the MTU */
	uint16_t fragment_count;
	const struct weir_route *datagram_route; /* of `datagram`; good for this loop */
	uint32_t pause_seen;                     /* of the consumer's pause_changes */
	uint32_t absences_seen;
	struct weir_list sessions; /* in worker->sessions, native only */
	struct weir_list reports;  /* lanes sent on since the last heartbeat */
	uint64_t last_sent;        /* TSC of the last datagram */
	uint64_t last_heartbeat;   /* TSC */
	uint64_t l3_bytes;         /* sent so far, as the critical tier's meter counts */
	uint64_t l3_packets;       /* likewise */
	struct weir_consumer_stats stats;
	uint64_t closed_at;             /* TSC since which `gate` is closed */
	uint64_t held[WEIR_GATE_COUNT]; /* TSC cycles that it was, by gate */
} __rte_cache_aligned;
