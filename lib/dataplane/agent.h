/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "config/config.h"
#include "dataplane/route.h"
#include "secure/seal.h"
#include "wire/frame_delivery.h"

/*
 * An agent: it watches the socket of an assisted consumer, and its reports become the consumer's
 * credit, so that the socket's queue stays short and nothing is sent that it would drop.
 *
 * The unit is the memory that the receiving kernel charges, which only it knows. Each message
 *counts as its payload and WEIR_AGENT_EXTRA. With each HEARTBEAT to the agent the consumer's
 *position (all that was sent, so counted) is noted. A report says which HEARTBEAT it answers and
 *what the queue held after that had come:
 *
 *	limit = position noted with the HEARTBEAT + target - queue
 *
 * All that was sent before was in the queue or had been read, what was sent since counts against
 * the new limit. The target is half of what the queue may hold: so it does not overflow unless the
 * kernel charges more than twice what is counted here.
 *
 * Control makes and removes agents, and binds them to consumers; workers send HEARTBEATs and take
 * reports, never the control thread. Like all objects they are found by workers through the
 *snapshot.
 */

#define WEIR_MAX_AGENTS  4096
#define WEIR_SLOT_AGENTS 17408 /* first slot of agents' sessions, behind all others */
#define WEIR_AGENT_MARKS 8     /* HEARTBEATs that a report may still answer */
#define WEIR_AGENT_EXTRA 2304  /* bytes charged with a message, beside its payload */
#define WEIR_AGENT_LEAST 16384 /* room of an empty queue, however small: the largest datagram */

struct weir_dataplane;
struct weir_worker;
struct weir_outlet;
struct weir_consumer;
struct weir_packet;
struct weir_frame_cursor;

/* What was true when a HEARTBEAT was sent. Whoever sends it writes, who takes its answer reads. */
struct weir_agent_mark {
	_Atomic uint64_t clock_ns; /* that it carried; 0: being written */
	_Atomic uint64_t position; /* of the consumer's credit in bytes */
	_Atomic uint64_t sent;     /* TSC */
};

struct weir_agent {
	char name[WEIR_NAME_SIZE];  /* immutable, and so on */
	char group[WEIR_NAME_SIZE]; /* whose consumer it watches */
	uint16_t slot;              /* in the snapshot's agents */
	uint64_t session;
	struct weir_address peer;
	uint16_t peer_port;
	struct weir_route route; /* the way its HELLO came */
	struct weir_seal seal;   /* with a key; any worker and control */
	/* Control; the address before `consumer` is stored for the first time, never after. */
	struct weir_address address; /* of the socket; family 0: not told yet */
	uint16_t port;
	_Atomic uint32_t consumer; /* its slot + 1; 0: bound to none */
	/* Any worker. */
	_Atomic uint64_t last_heard;     /* TSC */
	_Atomic uint64_t last_heartbeat; /* TSC */
	_Atomic uint64_t last_clock;     /* ns; of the newest HEARTBEAT: they rise */
	_Atomic uint32_t mark_count;
	struct weir_agent_mark marks[WEIR_AGENT_MARKS];
	/*
	 * Questions (STARVED): one a round trip, again when the answer fails to come, and with
	 * growing pauses while answers give no credit.
	 */
	_Atomic uint64_t ask_at;   /* TSC; not before */
	_Atomic uint64_t asked_ns; /* clock of the newest question; 0: it was answered */
	_Atomic uint64_t pause;    /* TSC cycles; after an answer without credit */
	_Atomic uint64_t rtt;      /* TSC cycles, smoothed; 0: unknown */
	_Atomic bool is_starved;   /* messages wait for its answer */
	/* The newest report; the worker that receives it. */
	_Atomic uint64_t counter; /* 0: none came */
	_Atomic uint64_t reports;
	_Atomic uint64_t drops;
	_Atomic uint32_t queue_bytes;
	_Atomic uint32_t limit_bytes; /* 0: nobody has the socket */
};

/* For workers (agent_load.c, agent_ask.c). */

/*
 * A checked datagram of a session with an agent's number. True: the control thread is to have it
 * too, and *is_known says whether the session and its seal were checked. Takes nothing.
 */
bool weir_agent_take(struct weir_worker *worker, struct weir_frame_cursor *cursor,
	const uint8_t *frame, const struct weir_packet *headers, bool *is_known);
/* A turn of an assisted consumer is over: ask for credit when it is used up, or half of it. */
void weir_agent_turn_over(struct weir_worker *worker, struct weir_outlet *outlet);
/* HEARTBEATs that are due, and questions that wait. */
void weir_agents_tick(struct weir_worker *worker);

/* For the control thread (agent.c). */

struct weir_agent_spec {
	const char *group;
	const char *name;
	struct weir_address peer;
	uint16_t peer_port;
	struct weir_route route;
	uint64_t random; /* for the session's number */
};

/*
 * An agent with its session's number, that nobody knows yet: the caller may start its seal, then
 * adds or frees it. -ENOENT no such assisted group, -EEXIST name taken, -ENOSPC, -ENOMEM.
 */
int weir_agent_prepare(struct weir_dataplane *dataplane, const struct weir_agent_spec *spec,
	struct weir_agent **agent);
/* Workers know it from here on, and it is the data plane's. 0 or -ENOMEM. */
int weir_agent_add(struct weir_dataplane *dataplane, struct weir_agent *agent);
void weir_agent_free(void *agent);
/* 0, or -ENOMEM: it stays, unbound; try again. */
int weir_agent_remove(struct weir_dataplane *dataplane, struct weir_agent *agent);
/*
 * Its consumer is the one of its group with that address and port. From then on that is only sent
 * to as reports allow. -ENOENT: there is none; -EBUSY: another agent has it; -EINVAL: it told
 * another address before.
 */
int weir_agent_bind(struct weir_dataplane *dataplane, struct weir_agent *agent,
	const struct weir_address *address, uint16_t port);
/* Its consumer, if it has one, is served as a blind one again. */
void weir_agent_unbind(struct weir_dataplane *dataplane, struct weir_agent *agent);
/* NULL: it is bound to none, or to one that is gone. */
struct weir_consumer *weir_agent_consumer(
	const struct weir_dataplane *dataplane, const struct weir_agent *agent);
/* The agent that is bound to the consumer; NULL: none. */
struct weir_agent *weir_agent_of(
	const struct weir_dataplane *dataplane, const struct weir_consumer *consumer);
uint64_t weir_agent_silent_ms(const struct weir_agent *agent);
