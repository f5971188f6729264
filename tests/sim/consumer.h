/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "client/session.h"
#include "network.h"

/*
 * A consumer process: libweir's session, and an application that takes messages one after another.
 * It may stand still, end and begin again; a liar adds false statements to what the session says.
 */

#define SIM_SEQUENCES 1024 /* of a partition in a run */
#define SIM_SOCKET    64   /* datagrams that wait while the process stands still */

struct sim_world;

/* What an application has seen of a partition in the life of its process. */
struct sim_seen {
	uint64_t next;    /* above the last message taken */
	uint64_t session; /* of the last message */
	uint32_t epoch;
	uint8_t taken[SIM_SEQUENCES / 8];
	uint8_t told[SIM_SEQUENCES / 8]; /* as gap */
};

struct sim_consumer {
	struct sim_address address;
	const struct sim_consumer_plan *plan;
	struct weir_session *session; /* NULL: no process */
	char name[16];
	char group[16];
	bool has_message; /* the application is at work */
	struct weir_message message;
	uint32_t partition; /* of it, among all */
	uint64_t busy_until;
	uint32_t stalls; /* in force */
	uint32_t freezes;
	uint32_t pauses;
	uint32_t drains;
	uint32_t weight; /* the operator's; 0: the usual one */
	bool was_frozen;
	bool has_joined;
	struct sim_packet *socket[SIM_SOCKET];
	uint32_t socket_count;
	uint32_t names;      /* used so far */
	uint64_t session_id; /* newest seen in what was sent */
	uint64_t lie_at;
	struct sim_seen *seen;                    /* one a partition */
	uint32_t key_counts[SIM_NAMES][SIM_KEYS]; /* above the newest taken of each */
	struct sim_world *world;
};

void sim_consumer_start(struct sim_world *world, uint32_t index);
/* The process ends without a word, or with a good-bye. */
void sim_consumer_stop(struct sim_world *world, uint32_t index, bool says_goodbye);
void sim_consumer_receive(struct sim_world *world, struct sim_packet *packet);
uint64_t sim_consumer_deadline_ns(const struct sim_consumer *consumer);
/* Whatever is due: the session's timers, the application. */
void sim_consumer_run(struct sim_world *world, uint32_t index);

/* liar.c: what a liar says besides, now and then. */
void sim_lie(struct sim_world *world, struct sim_consumer *consumer);
