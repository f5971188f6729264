/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include <rte_common.h>

#include "base/reason.h"
#include "wire/template_cache.h"

/*
 * Counters. Each block is written by one worker alone and never reset. The conservation law
 * is stated on them, for the sum over workers:
 *
 *   stream:          received + requeued + missed = appended + dropped{STREAM reasons}
 *                                                   + (handed - taken_over)
 *   stream x group:  received = delivered + dropped{GROUP reasons} + held
 *
 * where a group has received what was appended since it was attached and what was replayed, and
 * holds what lies between its cursors and the heads of the rings: what was appended and what is
 * held are not counted for it, so the law is more than an identity. To a session that acknowledges,
 * a message is delivered when the application has it; a group's cursor is what is settled. A worker
 * copies its blocks to their `census` twins between two loops when it is asked to, so a reader sees
 * sums that belong together.
 */

struct weir_stream_stats {
	uint64_t received;       /* packets that matched the stream */
	uint64_t received_bytes; /* their UDP payload */
	uint64_t appended;       /* entered a ring of this worker */
	uint64_t handed;         /* put into the mesh for the owner */
	uint64_t taken_over;     /* taken from the mesh */
	uint64_t requeued;       /* back out of quarantine, for one group */
	uint64_t missed;         /* numbers given away for what a port's program took */
	struct weir_template_counts templates;
	uint64_t dropped[WEIR_REASON_COUNT];
} __rte_cache_aligned;

struct weir_group_stats {
	uint64_t is_used;       /* not 0: lanes have counted here */
	uint64_t begun;         /* not 0: `joined` is set */
	uint64_t joined;        /* the stream's `appended` when the group was attached */
	uint64_t received;      /* in a census only */
	uint64_t held;          /* in a census only */
	uint64_t replayed;      /* taken a second time: a seek went back over them */
	uint64_t moves;         /* lanes that went from one consumer to another, or to nobody */
	uint64_t moves_drained; /* of them with all that was sent worked off */
	uint64_t moves_overdue; /* of them when drain_ms were over */
	uint64_t delivered;
	uint64_t delivered_bytes; /* UDP payload */
	/* Beside the law: */
	uint64_t template_replayed;  /* templates put before messages that may need them */
	uint64_t options_replayed;   /* records of options data, likewise */
	uint64_t template_messages;  /* messages that they went in front of, in one datagram */
	uint64_t template_datagrams; /* datagrams that they had for themselves */
	uint64_t template_bytes;     /* UDP payload of both */
	uint64_t template_unsent;    /* too large for any datagram to the consumer */
	uint64_t dropped[WEIR_REASON_COUNT];
} __rte_cache_aligned;

/* One worker's view of one port. */
struct weir_port_stats {
	uint64_t received;
	uint64_t received_bytes; /* frames, without FCS */
	uint64_t matched;        /* counted in a stream */
	uint64_t kernel;         /* for the kernel */
	uint64_t native;         /* stream-protocol datagrams */
	uint64_t sent;
	uint64_t sent_bytes;
	uint64_t tx_full; /* bursts that the port did not take whole */
	uint64_t dropped[WEIR_REASON_COUNT];
} __rte_cache_aligned;

/* What held an outlet's messages back. One name each, as in JSON. */
#define WEIR_GATES(X)                                                                              \
	X(OPEN, "open")                                                                            \
	X(PACKET_RATE, "packet_rate")                                                              \
	X(BIT_RATE, "bit_rate")                                                                    \
	X(CREDIT_MESSAGES, "credit_messages")                                                      \
	X(CREDIT_BYTES, "credit_bytes")                                                            \
	X(PAUSED, "paused")                                                                        \
	X(UNREACHABLE, "unreachable")                                                              \
	X(WINDOW, "window")                                                                        \
	X(PORT_FULL, "port_full")                                                                  \
	X(NO_BUFFER, "no_buffer")

enum weir_gate {
#define X(id, name) WEIR_GATE_##id,
	WEIR_GATES(X)
#undef X
		WEIR_GATE_COUNT
};

/* One worker's view of one consumer. */
struct weir_consumer_stats {
	uint64_t delivered;
	uint64_t delivered_bytes; /* UDP payload */
	uint64_t datagrams;       /* sent to it; fewer than messages when batched */
	uint64_t retransmitted;   /* messages sent again */
	uint64_t retransmitted_bytes;
	uint64_t acks;
	uint64_t nacks;
	uint64_t probes;                  /* silences that made a lane ask */
	uint64_t closed[WEIR_GATE_COUNT]; /* times this gate stopped it */
} __rte_cache_aligned;

/* Duty cycle of a worker; times in TSC cycles. */
#define WEIR_DUTY_BUCKETS 32

struct weir_worker_stats {
	uint64_t loops;
	uint64_t busy_loops; /* that found something to do */
	uint64_t busy_cycles;
	uint64_t sleeps;                            /* times it gave the core away */
	uint64_t asleep_cycles;                     /* meanwhile */
	uint64_t longest_loop;                      /* of the busy ones */
	uint64_t long_loops;                        /* over the configured threshold */
	uint64_t loop_histogram[WEIR_DUTY_BUCKETS]; /* by log2 of cycles */
	uint64_t mesh_full;                         /* bursts that found a mesh ring full */
	uint64_t stray;   /* from the mesh, for a partition that is gone */
	uint64_t applied; /* configuration generations applied */
} __rte_cache_aligned;
