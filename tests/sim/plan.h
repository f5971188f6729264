/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "random.h"

/*
 * What a seed means: how many streams, groups and consumers, how the network and the consumers
 * behave, and which faults happen when. Drawn once, before the run; times are nanoseconds from
 * its start.
 */

#define SIM_MS         UINT64_C(1000000)
#define SIM_NAMES      3
#define SIM_CHANGES    2 /* of a stream's number of partitions, in a run */
#define SIM_STREAMS    (SIM_NAMES + SIM_CHANGES)
#define SIM_PARTITIONS 16 /* of all streams together */
#define SIM_GROUPS     2
#define SIM_MEMBERS    4 /* consumers of a group */
#define SIM_CONSUMERS  (SIM_GROUPS * SIM_MEMBERS)
#define SIM_KEYS       16  /* of a stream */
#define SIM_RING       256 /* messages that a partition holds at most */
#define SIM_PAYLOAD    480
#define SIM_FAULTS     24

enum sim_fault_kind {
	SIM_FAULT_CUT,     /* nothing comes through between consumer and gateway */
	SIM_FAULT_DEAF,    /* nothing from the gateway to the consumer */
	SIM_FAULT_MUTE,    /* nothing from the consumer to the gateway */
	SIM_FAULT_STALL,   /* the application takes nothing */
	SIM_FAULT_FREEZE,  /* the whole process stands still */
	SIM_FAULT_CRASH,   /* the process ends, another begins later */
	SIM_FAULT_LEAVE,   /* the application says good-bye, and comes back later */
	SIM_FAULT_PAUSE,   /* the application asks for nothing */
	SIM_FAULT_DRAIN,   /* the operator wants it to have no partitions */
	SIM_FAULT_MOVE,    /* the operator gives it one */
	SIM_FAULT_RESTART, /* the gateway ends and begins anew */
	SIM_FAULT_WEIGH,   /* the operator gives it another weight */
	SIM_FAULT_KINDS,
	SIM_FAULT_CHANGE = SIM_FAULT_KINDS, /* a stream has another number of partitions */
};

struct sim_fault {
	enum sim_fault_kind kind;
	uint32_t consumer;
	uint32_t partition; /* of a move */
	uint32_t weight;
	uint32_t stream; /* that takes its predecessor's place */
	uint64_t from_ns;
	uint64_t until_ns;
};

/* A stream that is made anew is another under the same name. */
struct sim_stream_plan {
	uint32_t name;
	int predecessor;   /* -1: none */
	uint32_t drain_ms; /* that its predecessor has */
	uint32_t partitions;
	uint32_t first;       /* index of its first partition among all */
	uint64_t pause_ns;    /* mean time between messages */
	uint32_t burst;       /* messages at once, at most */
	uint32_t most;        /* messages in all */
	uint16_t length;      /* payload, at most */
	uint64_t deadline_ns; /* after ingest; 0: none */
	uint32_t ring;        /* messages held a partition; power of two */
	uint64_t first_seq[SIM_PARTITIONS];
};

struct sim_group_plan {
	uint32_t members;
	uint32_t leave_out; /* one key of so many is filtered out; 0: none */
	uint32_t attempts;
	uint32_t retry_cost;   /* 1/256 */
	uint32_t cap_messages; /* of each consumer */
	uint32_t cap_bytes;
	uint32_t lane_messages;
	uint32_t lane_bytes;
	uint64_t packets_per_s; /* of each consumer; 0: no limit */
	uint32_t moves;         /* partitions that are drained at a time */
	uint32_t drain_ms;      /* longest; 0: not at all */
};

struct sim_consumer_plan {
	bool is_used;
	bool is_liar;
	bool is_unreliable; /* at most once: it acknowledges nothing */
	bool is_pull;
	bool is_manual;
	bool renames; /* another name after a crash */
	uint32_t window_messages;
	uint32_t window_bytes;
	uint16_t max_datagram;
	uint64_t service_ns; /* mean time per message */
};

struct sim_network_plan {
	uint64_t delay_ns; /* one way */
	uint64_t jitter_ns;
	uint32_t loss; /* of 10,000 datagrams */
	uint32_t duplicate;
	uint32_t reorder;
};

struct sim_plan {
	uint64_t faults_end_ns; /* then the network and everybody behave, and nothing is produced */
	uint32_t heartbeat_ms;
	uint32_t liveness_ms;
	uint32_t name_count; /* the streams at the beginning; those that follow come after them */
	uint32_t stream_count;
	uint32_t partition_count;
	uint32_t group_count;
	uint32_t fault_count;
	struct sim_stream_plan streams[SIM_STREAMS];
	struct sim_group_plan groups[SIM_GROUPS];
	struct sim_consumer_plan consumers[SIM_CONSUMERS];
	struct sim_network_plan network;
	struct sim_fault faults[SIM_FAULTS]; /* by from_ns */
};

void sim_plan_draw(struct sim_plan *plan, uint64_t seed);
/* The stream of a partition, by its index among all. */
uint32_t sim_plan_stream(const struct sim_plan *plan, uint32_t partition);
/* The one of the same number in the stream before; SIM_PARTITIONS: there is none. */
uint32_t sim_plan_before(const struct sim_plan *plan, uint32_t partition);
/* The partition, among all, that a key of a stream's name has in this stream. */
uint32_t sim_plan_partition(const struct sim_plan *plan, uint32_t stream, uint32_t key);
/* The stream that takes this one's place; UINT32_MAX: none. */
uint32_t sim_plan_successor(const struct sim_plan *plan, uint32_t stream);
