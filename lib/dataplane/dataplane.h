/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>

#include "base/error.h"
#include "config/config.h"
#include "dataplane/agent.h"
#include "dataplane/capture.h"
#include "dataplane/chaos.h"
#include "dataplane/consumer.h"
#include "dataplane/feature.h"
#include "dataplane/heat.h"
#include "dataplane/move.h"
#include "dataplane/port.h"
#include "dataplane/stats.h"
#include "dataplane/trace.h"
#include "wire/packet.h"

/*
 * The data plane as the control thread sees it. It is made once, given its ports, started, and
 * then changed by applying configurations; workers follow by themselves. Nothing here waits for
 * a worker, but `stop`. Control thread only, except where a function says otherwise.
 */

#define WEIR_MAX_ADDRESSES 64 /* of the gateway's own that it follows */

struct weir_worker;
struct weir_rx_queue;
struct weir_model;
struct weir_snapshot;
struct weir_retired;
struct weir_stream;
struct weir_producers;
struct weir_slot_plan;

/* Marks a packet from a worker, in its mbuf's hash.usr field. mbuf->port is the port's index. */
enum weir_to_control {
	WEIR_TO_KERNEL,  /* for the kernel, or only to be looked at when the port has no twin */
	WEIR_TO_SESSION, /* datagram of the stream protocol, not of a session that the worker knows
			  */
	WEIR_TO_SESSION_CHECKED, /* of one that it knows: address and tag are the session's */
	WEIR_TO_QUARANTINE       /* struct weir_quarantined and a payload */
};

/*
 * Where numbering and groups go on after a restart; asked when streams and attachments are made.
 * WEIR_POSITION_UNKNOWN when there is no answer. Control thread.
 */
#define WEIR_POSITION_UNKNOWN UINT64_MAX

/*
 * Sequence numbers that begin at a time: one each 128 ns since 2020, faster than any partition
 * takes messages in the long run. So whatever was numbered before a time lies below its number.
 * Until 2056 they are below 2^53: what reads JSON numbers as doubles has them exactly (RFC 8259 6).
 */
#define WEIR_SEQUENCE_ORIGIN_NS (UINT64_C(1577836800) * 1000000000)

static inline uint64_t weir_sequence_at(uint64_t wall_ns)
{
	return wall_ns > WEIR_SEQUENCE_ORIGIN_NS ? (wall_ns - WEIR_SEQUENCE_ORIGIN_NS) >> 7 : 0;
}

struct weir_positions {
	void *context;
	uint64_t (*stream)(void *context, const struct weir_stream *stream, uint16_t partition);
	uint64_t (*group)(void *context, const char *group, const struct weir_stream *stream,
		uint16_t partition);
	/* Templates of a stream's exporters, which it calls weir_templates_restore for. May be
	 * NULL.
	 */
	void (*templates)(void *context, struct weir_stream *stream);
};

struct weir_dataplane {
	uint32_t worker_count; /* there is room for; immutable */
	struct weir_worker *workers;
	_Atomic uint32_t staying; /* the first so many are the configuration's; control writes */
	uint32_t rx_count;        /* immutable after attach */
	struct weir_rx_queue *rx; /* of all ports; see reassign.h */
	uint32_t port_count;      /* immutable after attach */
	struct weir_port *ports[WEIR_MAX_PORTS];
	struct rte_mempool *buffers; /* receive */
	struct rte_mempool *copies;  /* what is sent beside the received buffers */
	struct rte_mempool *large; /* datagrams for native consumers, before they are fragmented */
	_Atomic(const struct weir_snapshot *) snapshot; /* control writes, workers read */
	_Atomic bool control_sleeps; /* control sets before it sleeps; a worker clears */
	int control_fd;              /* eventfd that wakes the control thread */
	struct rte_rcu_qsbr *qsbr;
	uint64_t stall_cycles;
	_Atomic uint64_t long_loop_cycles;
	enum weir_idle idle;
	_Atomic bool shed_bulk; /* all of it, whatever comes; control sets, workers read */
	/* Control thread's own. */
	struct weir_model *model;
	struct weir_snapshot *published;
	struct weir_retired *retired;
	struct weir_address addresses[WEIR_MAX_ADDRESSES]; /* the gateway's own */
	uint32_t address_count;
	struct weir_agent *agents[WEIR_MAX_AGENTS];                  /* by slot; NULL: free */
	struct weir_feature_counts feature_sums[WEIR_FEATURE_WORDS]; /* by partitions' words */
	uint64_t generation;
	uint32_t epoch;
	const struct weir_positions *positions; /* the caller's; NULL: nothing is known */
	bool numbers_by_clock; /* partitions that nothing is known of begin at the clock, not at 0
				*/
	uint16_t next_slot;    /* search for a free slot begins here */
	uint64_t present; /* bit a worker that has a thread, or had when all ended; see staff.h */
	uint64_t leaving; /* of them, those that were told to end */
	bool is_unplaced; /* what was planned has not been published */
	struct weir_moves moves;
	struct weir_heat heat;
	uint64_t measured_at;             /* TSC; see load.h */
	struct weir_producers *producers; /* NULL until the first comes */
	bool is_running;
	uint64_t changes; /* of snapshot, owners, routes and closed bits: whoever copies them
			     compares */
	uint64_t handed;  /* times that a partition's owner changed without a snapshot */
	const struct weir_token_store *tokens; /* a driver's; NULL: consumers have their own */
	const struct weir_will_store *wills;   /* likewise; NULL: nothing outlives us */
	const struct weir_slot_plan *slots;    /* the caller's, while it takes over; else NULL */
	struct weir_capture_rule captures[WEIR_CAPTURE_RULES]; /* see there */
	_Atomic uint32_t capture_points; /* of those that are on; workers read */
	_Atomic uint64_t capture_since;  /* TSC; packets received later know their port */
	_Atomic(const struct weir_chaos_plan *) chaos; /* control writes, workers read; see there */
	void **chaos_taken;                            /* buffers, by `exhaust` */
	uint32_t chaos_taken_count;
	struct weir_trace_rule traces[WEIR_TRACE_RULES]; /* see there */
	_Atomic uint32_t trace_rules;                    /* bit one that is on; workers read */
	struct weir_trace_contexts trace_contexts;       /* likewise */
	_Atomic bool leaves_estate;                      /* set before the workers' `stop` */
};

/* The worker that tends what is numbered so. */
static inline uint32_t weir_home_of(const struct weir_dataplane *dataplane, uint32_t number)
{
	return number % atomic_load_explicit(&dataplane->staying, memory_order_relaxed);
}

/*
 * Memory, workers and rings as the configuration says; EAL is up. `largest_mtu` sizes buffers.
 * The caller frees with weir_dataplane_destroy.
 */
int weir_dataplane_create(const struct weir_config *config, uint16_t largest_mtu,
	struct weir_dataplane **dataplane, struct weir_error *error);
void weir_dataplane_destroy(struct weir_dataplane *dataplane);
/* Ports that have been started, in the configuration's order; they outlive the data plane. */
int weir_dataplane_attach(struct weir_dataplane *dataplane, struct weir_port **ports,
	uint32_t count, struct weir_error *error);
/* Launch the workers. A configuration must have been applied. */
int weir_dataplane_start(struct weir_dataplane *dataplane, struct weir_error *error);
/* Stop receiving, deliver for up to `drain_ms`, drop the rest as `shutdown`, join. */
void weir_dataplane_stop(struct weir_dataplane *dataplane, uint32_t drain_ms);
/* The same, but what is not delivered then is kept: for weir_estate_write(), or _resume(). */
void weir_dataplane_halt(struct weir_dataplane *dataplane, uint32_t drain_ms);
/* After _halt(): go on as before. */
int weir_dataplane_resume(struct weir_dataplane *dataplane, struct weir_error *error);

/*
 * Go over to a configuration, which the data plane takes over on success. On failure nothing has
 * changed.
 */
int weir_dataplane_apply(struct weir_dataplane *dataplane, const struct weir_config *config,
	struct weir_error *error);
const struct weir_config *weir_dataplane_config(const struct weir_dataplane *dataplane);
/* The gateway's own addresses: where the stream protocol is spoken. */
int weir_dataplane_set_addresses(
	struct weir_dataplane *dataplane, const struct weir_address *addresses, uint32_t count);
/* Now, as token buckets count it. */
uint64_t weir_dataplane_ticks(const struct weir_dataplane *dataplane);
/* Free what no worker uses any more, and streams that have drained. Call now and then. */
void weir_dataplane_reclaim(struct weir_dataplane *dataplane);

/* Bit a worker that has not come round for longer than workers.stall_ms. */
uint64_t weir_dataplane_stalled(const struct weir_dataplane *dataplane);
/* Bit a worker that has not gone over to the newest generation yet. */
uint64_t weir_dataplane_behind(const struct weir_dataplane *dataplane);

/* Consumers. Pointers stay good until the consumer is removed. */
typedef void (*weir_consumer_visit)(void *context, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config);
/* `config` is NULL for native consumers. */
void weir_consumers_visit(
	struct weir_dataplane *dataplane, weir_consumer_visit visit, void *context);
struct weir_consumer *weir_consumer_find(struct weir_dataplane *dataplane, const char *name);
/* Takes over the route; NULL: none. */
void weir_consumer_set_route(
	struct weir_dataplane *dataplane, struct weir_consumer *consumer, struct weir_route *route);
/* Set or clear a WEIR_CLOSED_ bit. Unreachable moves partitions; see weir_dataplane_republish. */
void weir_consumer_set_closed(
	struct weir_dataplane *dataplane, struct weir_consumer *consumer, uint32_t bit, bool on);
void weir_consumer_limit(struct weir_dataplane *dataplane, struct weir_consumer *consumer,
	const struct weir_config_rate *rate);
/* Wake the workers that wait for this consumer. Any thread. */
void weir_consumer_wake(struct weir_dataplane *dataplane, struct weir_consumer *consumer);
/* Place partitions anew over the consumers that are reachable. */
int weir_dataplane_republish(struct weir_dataplane *dataplane);

/*
 * A native consumer joins `group`. It gets partitions once it is no longer closed as
 * WEIR_CLOSED_UNREACHABLE.
 */
struct weir_session_spec {
	const char *group;
	const char *name;
	struct weir_address peer;
	uint16_t peer_port;
	struct weir_address local;
	uint16_t max_datagram;
	bool wants_source;
	bool wants_batches;
	bool wants_contexts;
	bool is_reliable; /* asks for it: granted if the group is */
	bool may_seek;
	bool may_assign;
	uint64_t random; /* for the session's number */
	uint64_t number; /* of a session that goes on, with its consumer's slot; 0: a new one */
};
/*
 * Make its consumer, which nobody knows yet: -ENOENT no such native group, -EUSERS group full,
 * -EEXIST name taken, -ENOSPC, -ENOMEM. Then _add() it, which frees it when it fails, or
 * _abandon() it.
 */
int weir_session_prepare(struct weir_dataplane *dataplane, const struct weir_session_spec *spec,
	struct weir_consumer **consumer);
int weir_session_add(struct weir_dataplane *dataplane, struct weir_consumer *consumer);
void weir_session_abandon(struct weir_consumer *consumer);
void weir_session_remove(struct weir_dataplane *dataplane, struct weir_consumer *consumer);
/* The TSC time at which a worker last heard of it, as age in ms. */
uint64_t weir_session_silent_ms(const struct weir_consumer *consumer);

/*
 * Streams of the session's group that it asks for, by name; 0: all. -ENOENT when one is not of
 * the group. Takes effect with the next republish.
 */
int weir_session_subscribe(struct weir_dataplane *dataplane, struct weir_consumer *consumer,
	const char (*names)[WEIR_NAME_SIZE], uint32_t count);
/* Streams that a session gets, as it knows them. Returns how many there are. */
struct weir_session_stream {
	uint16_t slot;
	uint16_t partitions;
	char name[WEIR_NAME_SIZE];
};
uint32_t weir_session_streams(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_session_stream *streams, uint32_t most);
/* Some of them have come after the generation. */
bool weir_session_is_behind(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, uint64_t generation);

/*
 * A datagram of the stream protocol from the control thread: begin, add frames to `writer`, send.
 * A reply takes the way back that the request came, so it needs no neighbour to be known.
 */
struct weir_reply {
	struct rte_mbuf *packet;
	struct weir_route route;
	struct weir_writer writer;
	struct weir_seal *seal; /* of the session that it belongs to; NULL: none */
};
/* The way back that a request came. 0 or -EINVAL. */
int weir_reply_route(const struct weir_dataplane *dataplane, const struct rte_mbuf *request,
	const struct weir_packet *headers, struct weir_route *route);
/* `size` bounds the UDP payload; with a seal it is tagged when sent. 0, -ENOBUFS or -EINVAL. */
int weir_reply_begin(struct weir_dataplane *dataplane, const struct rte_mbuf *request,
	const struct weir_packet *headers, uint64_t session, uint16_t size, struct weir_seal *seal,
	struct weir_reply *reply);
/* To a session, by its route; -ENETUNREACH while it has none. */
int weir_reply_to_session(
	struct weir_dataplane *dataplane, struct weir_consumer *consumer, struct weir_reply *reply);
/* To a session whose way back is known. */
int weir_reply_by_route(struct weir_dataplane *dataplane, const struct weir_route *route,
	uint64_t session, uint16_t size, struct weir_seal *seal, struct weir_reply *reply);
int weir_reply_send(struct weir_dataplane *dataplane, struct weir_reply *reply);

/* Packets between the control thread and the workers. */
uint32_t weir_control_receive(
	struct weir_dataplane *dataplane, struct rte_mbuf **packets, uint32_t most);
/* Set before sleeping; true when there is something already. */
bool weir_control_arm(struct weir_dataplane *dataplane);
struct rte_mbuf *weir_control_alloc(struct weir_dataplane *dataplane);
/* Send a whole frame out of a port. Takes the mbuf; 0 or -ENOBUFS. */
int weir_control_send(struct weir_dataplane *dataplane, uint16_t port, struct rte_mbuf *packet);
