/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Faults that an operator injects, to see that alerts, remedies and guarantees hold. What is on is
 * a plan, immutable, behind one pointer that workers load once a loop; it is NULL nearly always,
 * and then all this costs a branch a burst. A plan that is replaced is retired as snapshots are.
 *
 * Each fault has a share, a port or consumer where it makes sense, and a time after which workers
 * themselves leave it alone. Its choices come from a seed, by worker and fault: the same packets in
 * the same order meet the same fate, whatever else is on.
 *
 * The law holds all the time: what is dropped has a reason of its own, a copy counts as received,
 * and what is held back is received when it is let go.
 */
#define WEIR_CHAOS_FAULTS(X)                                                                       \
	X(DROP, "drop", WEIR_CHAOS_PACKETS, "received packets are dropped as chaos_drop")          \
	X(DUPLICATE, "duplicate", WEIR_CHAOS_PACKETS, "received packets come twice")               \
	X(REORDER, "reorder", WEIR_CHAOS_PACKETS,                                                  \
		"received packets come after the one that follows them")                           \
	X(DELAY, "delay", WEIR_CHAOS_PACKETS | WEIR_CHAOS_MS,                                      \
		"received packets are held back for a time, and others overtake them")             \
	X(LOSE, "lose", WEIR_CHAOS_PACKETS | WEIR_CHAOS_CONSUMER,                                  \
		"packets are thrown away when they are sent, after they were numbered")            \
	X(BLOCK, "block", WEIR_CHAOS_PERCENT | WEIR_CHAOS_SECONDS,                                 \
		"bursts for another worker find the mesh to it full")                              \
	X(STALL, "stall", WEIR_CHAOS_MS | WEIR_CHAOS_WORKER,                                       \
		"a worker does not come round for a time")                                         \
	X(EXHAUST, "exhaust", WEIR_CHAOS_PERCENT | WEIR_CHAOS_SECONDS,                             \
		"free receive buffers are taken away, up to a share of all")                       \
	X(KILL, "kill", 0, "the gateway is killed, as by SIGKILL")

/* What a fault takes besides a seed; all but the port and the consumer must be given. */
#define WEIR_CHAOS_PERCENT  0x01
#define WEIR_CHAOS_SECONDS  0x02
#define WEIR_CHAOS_PORT     0x04
#define WEIR_CHAOS_CONSUMER 0x08
#define WEIR_CHAOS_WORKER   0x10
#define WEIR_CHAOS_MS       0x20
#define WEIR_CHAOS_PACKETS  (WEIR_CHAOS_PERCENT | WEIR_CHAOS_SECONDS | WEIR_CHAOS_PORT)

enum weir_chaos_kind {
#define X(id, name, takes, text) WEIR_CHAOS_##id,
	WEIR_CHAOS_FAULTS(X)
#undef X
		WEIR_CHAOS_COUNT
};

struct weir_chaos_about {
	const char *name;
	uint8_t takes;
	const char *text;
};
extern const struct weir_chaos_about weir_chaos_about[WEIR_CHAOS_COUNT];

#define WEIR_CHAOS_HELD 512        /* packets that a worker holds back at most */
#define WEIR_CHAOS_ANY  UINT16_MAX /* as a port or consumer */
#define WEIR_CHAOS_ALL  (UINT64_C(1) << 32)

struct rte_mbuf;
struct weir_dataplane;
struct weir_port;
struct weir_tx;
struct weir_worker;

struct weir_chaos_fault {
	uint32_t id; /* of this time; choices begin anew with another. 0: off */
	uint64_t seed;
	uint64_t share;    /* of WEIR_CHAOS_ALL */
	uint64_t until;    /* TSC; over then */
	uint64_t cycles;   /* that a packet is held back, or a worker stalls */
	uint16_t port;     /* index, or WEIR_CHAOS_ANY */
	uint16_t consumer; /* slot, or WEIR_CHAOS_ANY */
	uint16_t worker;
};

struct weir_chaos_plan {
	struct weir_chaos_fault faults[WEIR_CHAOS_COUNT];
};

struct weir_chaos_packet {
	struct rte_mbuf *packet;
	struct weir_port *port; /* that it came by */
	uint64_t until;         /* TSC */
};

/* A worker's own; made by the control thread before there is a plan. */
struct weir_chaos_state {
	uint32_t ids[WEIR_CHAOS_COUNT];
	uint64_t random[WEIR_CHAOS_COUNT];
	uint64_t counts[WEIR_CHAOS_COUNT]; /* others read */
	uint32_t stalled;                  /* id of the stall that is over */
	uint32_t first;                    /* of those held back, a ring: the oldest */
	_Atomic uint32_t held;             /* others read */
	struct weir_chaos_packet ring[WEIR_CHAOS_HELD];
	struct weir_chaos_packet aside; /* it comes after the next */
	uint64_t *drawn; /* by port: packets up to this one, of all ever, have been chosen from */
};

/* Control thread. */

/* A fault goes on, or off with `fault` NULL; workers follow. 0 or -ENOMEM: nothing has changed. */
int weir_chaos_set(struct weir_dataplane *dataplane, enum weir_chaos_kind kind,
	const struct weir_chaos_fault *fault);
/* Since the gateway began: packets, stalls. */
uint64_t weir_chaos_count(const struct weir_dataplane *dataplane, enum weir_chaos_kind kind);
/* Packets that are held back. */
uint64_t weir_chaos_held(const struct weir_dataplane *dataplane);
/* Take free receive buffers, so many percent of all; returns how many there were. */
uint32_t weir_chaos_take(struct weir_dataplane *dataplane, double percent);
void weir_chaos_give_back(struct weir_dataplane *dataplane);
/* Workers have ended. */
void weir_chaos_free(struct weir_dataplane *dataplane);

/* Workers. */

/* Go over to another plan, NULL: none; what is held back for what is over is let go. */
void weir_chaos_follow(struct weir_worker *worker, const struct weir_chaos_plan *plan);
/* With a plan, in each loop: stalls, and lets go what was held back for long enough. Returns how
 * much there is to do.
 */
uint32_t weir_chaos_turn(struct weir_worker *worker);
/* With a plan, in place of weir_classify(). */
void weir_chaos_receive(struct weir_worker *worker, struct weir_port *port,
	struct rte_mbuf *const *packets, uint32_t count);
/* With a plan, before so many messages are handed to another worker: whether its ring of the mesh
 * is to be full.
 */
bool weir_chaos_blocks(struct weir_worker *worker, uint32_t messages);
/* With a plan, before packets are handed to the port. */
void weir_chaos_send(struct weir_worker *worker, struct weir_tx *tx);
