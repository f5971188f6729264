/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_cycles.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "dataplane/cycles.h"
#include "dataplane/dataplane.h"
#include "dataplane/latency.h"
#include "dataplane/missed.h"
#include "dataplane/port.h"
#include "dataplane/shed.h"
#include "dataplane/snapshot.h"
#include "dataplane/trace.h"
#include "dataplane/will.h"
#include "flow/wheel.h"
#include "wire/packet.h"

/*
 * A worker: one pinned thread that polls its receive queues, owns its partitions, and delivers
 * them. Private to lib/dataplane. Everything here is the worker's alone unless it says otherwise.
 */

#define WEIR_BURST        128 /* packets at a time from a queue */
#define WEIR_TX_SIZE      512 /* packets that wait for one port */
#define WEIR_MESH_SIZE    4096
#define WEIR_CONTROL_SIZE 1024
#define WEIR_WAKE_SIZE    1024
#define WEIR_DELIVER_MAX  512 /* a loop, beside what came in it: receive is never far away */

/* Who waits until what was sent has left; see settle.h. */
enum weir_settle_use {
	WEIR_SETTLE_MOVE,       /* partitions that go to another worker */
	WEIR_SETTLE_SUCCESSION, /* lanes whose stream another took the place of */
	WEIR_SETTLE_USES
};

enum weir_settle_stage {
	WEIR_SETTLE_QUEUES,   /* of this worker's ports */
	WEIR_SETTLE_HANDOFFS, /* rings to the workers that send for it */
	WEIR_SETTLE_DEVICES
};

struct weir_settle {
	uint64_t at;   /* TSC, in the last stage */
	uint8_t stage; /* enum weir_settle_stage */
};

struct weir_tx_mark {
	uint64_t passed;  /* of the packets that have left, ever */
	uint32_t handoff; /* place in that ring */
};

/* Packets on their way out of one port. */
struct weir_tx {
	struct weir_port *port;
	void *queue;              /* the driver's; NULL: another worker sends for us */
	struct rte_ring *handoff; /* to that worker, when `queue` is NULL */
	uint32_t count;
	uint64_t passed; /* packets that have left, ever */
	struct weir_tx_mark marks[WEIR_SETTLE_USES];
	struct rte_mbuf *packets[WEIR_TX_SIZE];
	struct weir_tx_owner owners[WEIR_TX_SIZE];
	struct weir_list waiting; /* outlets stopped by PORT_FULL */
	struct weir_port_stats *stats;
};

/* Messages for another worker, collected during a burst. */
struct weir_mesh_out {
	struct rte_ring *ring;
	uint32_t fence; /* place in it; see reassign.h */
	uint32_t count;
	struct weir_message_slot messages[WEIR_BURST];
};

/* The burst that is classified: what of it was sent at once; see direct.h. */
struct weir_direct_burst {
	uint64_t number;              /* of no other burst, of any worker */
	struct weir_partition *first; /* of those that may send, by direct.next */
	uint32_t sent;                /* and not noted as latency yet */
	uint8_t features;             /* of them */
	uint8_t tier;
	bool may_send; /* nothing else waits, in this loop */
};

struct weir_worker {
	uint16_t id;
	uint16_t cpu; /* control; read when its thread begins */
	unsigned int lcore;
	_Atomic int thread; /* the kernel's number of it; set once, anyone reads */
	struct weir_dataplane *dataplane;
	const struct weir_snapshot *snapshot;
	uint32_t capture_points;             /* the data plane's, in this loop */
	uint32_t trace_rules;                /* likewise */
	const struct weir_chaos_plan *chaos; /* likewise; NULL: no faults are injected */
	uint64_t now;                        /* TSC at the start of this loop */
	uint64_t now_us;                     /* the same in microseconds */
	uint64_t cycles_per_us;
	uint64_t us_per_cycle;    /* << 64 */
	uint64_t ticks_per_cycle; /* token buckets' time; << 32 */
	uint64_t cycles_per_tick; /* << 32 */
	uint64_t wall_ns;         /* Unix time at wall_tsc; renewed each tick */
	uint64_t wall_tsc;
	struct weir_direct_burst direct;

	uint32_t rx_count; /* control reads */
	struct weir_rx_queue **rx;
	bool is_reassigning;        /* queues or producers come or go; see reassign.h */
	struct weir_tx *tx;         /* by port index */
	struct rte_ring **handoffs; /* from workers without a queue of their own */
	uint16_t *handoff_ports;
	uint32_t handoff_count;

	struct weir_mesh_out *mesh_out; /* by worker */
	struct rte_ring **mesh_in;      /* by worker; NULL for itself */

	struct weir_list critical;        /* queues that may send: the critical tier */
	struct weir_list shared;          /* the others, in deficit round robin */
	struct weir_list behind;          /* catching up: what the others leave */
	struct weir_list again;           /* outlets with something to send again */
	struct weir_bucket meter_packets; /* what critical may take before it must share */
	struct weir_bucket meter_bits;
	struct weir_wheel wheel;      /* outlets that wait for tokens; unit TSC */
	struct weir_wheel lane_wheel; /* lanes with something in flight; unit TSC */
	struct weir_list blocked;     /* outlets that wait for credit or for being opened */
	struct weir_list open;        /* native outlets with a datagram begun */
	uint32_t open_count;          /* packets to come of them: each has a place kept for it */
	uint32_t fragment_id;         /* of the next datagram that is fragmented */
	uint32_t due;                 /* deliveries, of what has come since the last turn */
	struct weir_list sessions;    /* native outlets */
	struct weir_list producers;   /* sessions of producers that are ours */
	struct weir_list produced;    /* of them, those that an answer is due to */
	uint32_t produce_held;        /* buffers that they hold back */
	struct weir_shed shed;
	struct weir_list draining; /* lanes that are drained before they change hands */
	struct weir_list holding;  /* partitions with messages, oldest look first */
	/* Partitions on their way to or from here; see transit.h. */
	struct weir_list leaving;    /* let go, and not passed on yet */
	struct weir_limbo *limbo;    /* messages for those on their way here, as they came */
	struct rte_ring *takings;    /* struct weir_taking; any worker */
	uint32_t *mesh_fence;        /* by worker: place in `mesh_in` */
	uint64_t transit_generation; /* the snapshot that moves them; 0: none has */
	uint32_t limbo_count;
	uint8_t transit_phase;    /* enum weir_transit_phase */
	uint64_t next_tick;       /* TSC */
	bool has_succession;      /* a stream takes another's place; see succession.h */
	bool is_ending;           /* lanes wait until what was sent has left */
	uint64_t next_succession; /* TSC */
	struct weir_settle settles[WEIR_SETTLE_USES];
	uint32_t missed_seen;  /* of weir_missed_changes */
	uint64_t missed_until; /* TSC; looked at again at each tick, 0: not */

	struct rte_mempool *copies;    /* for what is sent beside the received mbuf */
	struct rte_mempool *large;     /* for datagrams on their way into fragments */
	struct rte_ring *to_control;   /* mbufs: for the kernel, or protocol frames */
	struct rte_ring *from_control; /* mbufs to send; mbuf->port is the port's index */
	struct rte_ring *frames;  /* datagrams of sessions that concern our lanes; any worker */
	struct rte_ring *wakes;   /* consumer slots + 1; any worker and control enqueue */
	struct rte_ring *orders;  /* struct weir_order: lanes whose owner is another now; control */
	struct rte_ring *returns; /* struct weir_return: messages out of quarantine; control */
	_Atomic bool wakes_lost;  /* a wake did not fit; all are looked at. Any thread sets */

	struct weir_port_stats *port_stats;  /* by port index */
	struct weir_port_stats *port_census; /* copied on request, read by control */
	struct weir_worker_stats stats;
	struct weir_latency latencies[WEIR_FEATURE_WORDS][WEIR_LATENCY_COUNT];
	uint64_t native_dropped[WEIR_REASON_COUNT];
	struct weir_capture_ring capture;
	uint64_t capture_ends[WEIR_TX_SIZE];  /* of what is handed to a port: place in the ring */
	uint8_t capture_missed[WEIR_TX_SIZE]; /* and rules that it was lost to */
	struct weir_chaos_state *chaos_state; /* NULL until faults are injected; control makes it */

	_Atomic uint64_t applied;       /* generation in use; control reads */
	_Atomic uint64_t heartbeat;     /* TSC of the newest loop; control reads */
	_Atomic uint32_t census_wanted; /* control */
	_Atomic uint32_t census_done;   /* this worker */
	_Atomic bool stop;              /* control */
	_Atomic uint64_t drain_until;   /* control, before `stop`; TSC */
	bool is_draining;               /* no longer receives */
	_Atomic bool is_running;        /* this worker */
	_Atomic bool is_parked;         /* control: it has no partitions, and may sleep */
	bool has_interrupts;            /* sleeps on those of its queues, at `waits` */
	struct pollfd *waits;           /* by place in `rx` */
	_Atomic bool may_sleep;         /* control */
	uint64_t idle_since;
	/* Control thread's own, see load.h. */
	double busy_rate; /* cycles a second */
	uint64_t busy_seen;
	struct weir_trace_worker trace;
#ifdef WEIR_CYCLES
	struct weir_cycles cycles;
#endif
} __rte_cache_aligned;

/* Past the stream's deadline, its own, or the ring's age limit. */
static inline bool weir_message_is_expired(const struct weir_worker *worker,
	const struct weir_partition *partition, const struct weir_message_slot *slot)
{
	uint64_t limit = partition->limit;

	if (unlikely(slot->time_left_us != 0)) {
		uint64_t own = (uint64_t)slot->time_left_us * worker->cycles_per_us;

		limit = limit == 0 ? own : RTE_MIN(limit, own);
	}
	return limit != 0 && (int64_t)(worker->now - slot->ingest - limit) > 0;
}

static inline uint64_t weir_worker_ns(const struct weir_worker *worker, uint64_t cycles)
{
	return (uint64_t)(((unsigned __int128)cycles * worker->us_per_cycle) >> 44) * 1000 >> 20;
}

/*
 * So many messages have come to the end of a stage that began at `since` (TSC), in partitions with
 * these features; 0 where that makes no difference.
 */
static inline void weir_latency_note(struct weir_worker *worker, uint8_t features,
	enum weir_latency_id id, uint64_t since, uint64_t messages)
{
	int64_t cycles = (int64_t)(rte_rdtsc() - since);

	if (likely(messages != 0))
		weir_latency_add(&worker->latencies[features][id],
			weir_worker_ns(worker, cycles > 0 ? (uint64_t)cycles : 0), messages);
}

/* A capture wants packets at one of these points. */
static inline bool weir_captures(const struct weir_worker *worker, uint32_t points)
{
	return unlikely((worker->capture_points & points) != 0);
}

static inline bool weir_is_traced(const struct weir_message_slot *message)
{
	return unlikely(message->flags & WEIR_SLOT_TRACED);
}

/* It is dropped on its way to its ring. */
static inline void weir_trace_message_drop(struct weir_worker *worker,
	const struct weir_message_slot *message, enum weir_reason reason)
{
	if (weir_is_traced(message))
		weir_trace_message_refused(worker, message, reason);
}

/* A port may have its packets again: weir_missed_look(). */
static inline bool weir_missed_is_due(const struct weir_worker *worker)
{
	return atomic_load_explicit(&weir_missed_changes, memory_order_acquire) !=
	       worker->missed_seen;
}

/* The consumer's lane of a partition that is this worker's, NULL when there is none. */
struct weir_lane *weir_lane_of(const struct weir_worker *worker,
	const struct weir_consumer *consumer, uint16_t stream, uint16_t partition);

/* Its window has room, or is another's. */
static inline void weir_lane_end_full(const struct weir_worker *worker, struct weir_lane *lane)
{
	if (lane->is_full)
		lane->full_cycles += worker->now - lane->full_at;
	lane->is_full = false;
}

/* Wake the control thread, if it sleeps, for what is in `to_control`. */
void weir_control_notify(struct weir_worker *worker);

/* classify.c: parse, match, key; local messages are appended, others go to the mesh. */
void weir_classify(struct weir_worker *worker, struct weir_port *port, struct rte_mbuf **packets,
	uint32_t count);

/* mesh.c */
/* Room for a message to that worker; the caller fills it at once. */
struct weir_message_slot *weir_mesh_place(struct weir_worker *worker, uint16_t owner);
void weir_mesh_flush(struct weir_worker *worker);
/* A message of another worker's for a partition that is ours. Takes the mbuf. */
void weir_mesh_append(struct weir_worker *worker, const struct weir_message_slot *message);
/* Append what other workers received; returns how many. */
uint32_t weir_mesh_poll(struct weir_worker *worker);

/* schedule.c */
void weir_lane_ready(struct weir_worker *worker, struct weir_lane *lane);
void weir_lane_idle(struct weir_lane *lane);
/* Queue every lane of the outlet that has something: what kept it out may be over. */
void weir_outlet_rescan(struct weir_worker *worker, struct weir_outlet *outlet);
/* Put the outlet's queues that have something on the schedule, or take all off it. */
void weir_queues_activate(struct weir_worker *worker, struct weir_outlet *outlet);
void weir_queues_deactivate(struct weir_outlet *outlet);
/* gate.c: What stopped the outlet may be over: look again when it is its turn. */
void weir_outlet_open(struct weir_worker *worker, struct weir_outlet *outlet);
/* Returns how much there was to do: messages taken from rings, consumers repaired. */
uint32_t weir_schedule(struct weir_worker *worker);
uint32_t weir_wakes_poll(struct weir_worker *worker);

/* native.c */
enum weir_reason weir_native_check(const struct weir_outlet *outlet, const struct weir_route *route,
	struct weir_message_slot *slot);
/* Add the lane's next message to the outlet's datagram. 0, or the gate that is in the way. */
enum weir_gate weir_native_add(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, struct weir_lane *lane,
	const struct weir_message_slot *slot);
/* The lane's turn is over: close its DATA frame. */
void weir_native_end(
	struct weir_worker *worker, struct weir_outlet *outlet, struct weir_lane *lane);
/* Send every datagram that is still open: the burst is over. */
void weir_native_flush(struct weir_worker *worker);
/* native_heartbeat.c: heartbeats that are due. */
void weir_native_tick(struct weir_worker *worker);
/* native_receive.c */
/* A datagram for the gateway's protocol port. Takes the mbuf. */
void weir_native_receive(struct weir_worker *worker, struct weir_port *port,
	struct rte_mbuf *packet, const struct weir_packet *headers);

/* Frames that other workers received, for lanes of ours; returns how many datagrams. */
uint32_t weir_frames_poll(struct weir_worker *worker);

/* tx.c */
static inline uint32_t weir_tx_room(const struct weir_tx *tx)
{
	return WEIR_TX_SIZE - tx->count;
}
static inline void weir_tx_add_for(struct weir_tx *tx, struct rte_mbuf *packet,
	struct weir_group_stats *stats, uint16_t bytes, struct weir_capture_tag tag)
{
	tx->packets[tx->count] = packet;
	tx->owners[tx->count] = (struct weir_tx_owner){stats, bytes, tag};
	tx->count++;
}
/* Whose message it is. */
static inline struct weir_capture_tag weir_lane_tag(const struct weir_lane *lane)
{
	return (struct weir_capture_tag){.stream = (uint16_t)(lane->partition->stream->slot + 1),
		.partition = lane->partition->index,
		.consumer = (uint16_t)(lane->outlet->consumer->slot + 1)};
}
/* Nobody's message. */
static inline void weir_tx_add(struct weir_tx *tx, struct rte_mbuf *packet)
{
	weir_tx_add_for(tx, packet, NULL, 0, (struct weir_capture_tag){0});
}
/* A datagram of a session's. */
static inline void weir_tx_add_datagram(
	struct weir_tx *tx, struct rte_mbuf *packet, const struct weir_consumer *consumer)
{
	weir_tx_add_for(tx, packet, NULL, 0,
		(struct weir_capture_tag){.consumer = (uint16_t)(consumer->slot + 1)});
}
void weir_tx_flush(struct weir_worker *worker, struct weir_tx *tx);
void weir_tx_flush_all(struct weir_worker *worker);
uint32_t weir_tx_poll_handoffs(struct weir_worker *worker);
/* Throw away what waits; charged to its owners as tx_failed. */
void weir_tx_discard(struct weir_worker *worker);
/* The blocks of a group's counters, from the first on, are about to go away. */
void weir_tx_forget(struct weir_worker *worker, const struct weir_group_stats *stats);

/* apply.c: what a session had been sent on the lane before it went to another; zeros: nothing. */
struct weir_position weir_lane_position(const struct weir_lane *lane, uint64_t session);
/*
 * How often it is still to be told, as it may not have heard of the last that it was sent; NULL: it
 * was sent nothing.
 */
uint8_t *weir_lane_tells(const struct weir_lane *lane, uint64_t session);
/* Make a partition agree with the snapshot. */
void weir_partition_sync(struct weir_worker *worker, struct weir_partition *partition,
	const struct weir_stream_view *view);
/* Drop everything that the partition holds and take it off the worker's lists. */
void weir_partition_purge(
	struct weir_worker *worker, struct weir_partition *partition, enum weir_reason reason);
/* A lane that was following its stream's predecessor is given to its consumer. */
void weir_lane_release(
	struct weir_worker *worker, const struct weir_attachment *attachment, uint16_t partition);
/* The lane of a predecessor is over: an acknowledged consumer hears no more of it. */
void weir_lane_finish(struct weir_worker *worker, struct weir_lane *lane);
/* Go on to the newest snapshot, if it is another than the worker's; true then. */
bool weir_worker_follow(struct weir_worker *worker);
/* The lane goes to another consumer, or to nobody, in a higher epoch. It is in no queue. */
void weir_lane_set_consumer(
	struct weir_worker *worker, struct weir_lane *lane, struct weir_outlet *outlet);
/* Go on to a new snapshot. */
void weir_worker_apply(struct weir_worker *worker, const struct weir_snapshot *next);
/* Before the thread ends: everything still held is dropped as `shutdown`. */
void weir_worker_purge(struct weir_worker *worker);
/* The same, but that what the rings hold stays there for the next gateway (estate.h). */
void weir_worker_halt(struct weir_worker *worker);
void weir_worker_census(struct weir_worker *worker);

/* idle.c: after an empty loop. */
void weir_worker_idle(struct weir_worker *worker);

/* worker.c: before the thread begins, take the configuration over. Control thread. */
void weir_worker_begin(struct weir_worker *worker);
/*
 * A worker without a thread has nothing, but goes along: the control thread does for it what its
 * loop would, whenever it has published something, and now and then.
 */
void weir_worker_stand_in(struct weir_worker *worker);
/* The thread; argument is the worker. */
int weir_worker_main(void *argument);
