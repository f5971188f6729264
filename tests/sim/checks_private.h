/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "checks.h"
#include "world.h"

/*
 * The books of the checks, shared by
 *   checks_wire.c   what the gateway sends and hears
 *   checks_lane.c   what it decides: owners, messages given up and settled
 *   checks_place.c  plans, and streams that take another's place
 *   checks_app.c    what the applications get
 *   checks_end.c    everything accounted for
 */

/* What has become of a message in a group's lane. */
enum {
	FATE_PASSED = 0x001,   /* sent in the lane's epoch */
	FATE_FLYING = 0x002,   /* of those, nothing heard of */
	FATE_AGAIN = 0x004,    /* sent more than once in the epoch */
	FATE_TAKEN = 0x008,    /* an application had it */
	FATE_DONE = 0x010,     /* and was done with it */
	FATE_TOLD = 0x020,     /* an application was told that it does not come */
	FATE_SETTLED = 0x040,  /* the gateway counts it as delivered */
	FATE_GONE = 0x080,     /* the gateway gave it up */
	FATE_LIED = 0x100,     /* in a liar's hands: nobody can tell */
	FATE_LAPPED = 0x200,   /* overwritten after it was received, before it was worked on */
	FATE_ENDED = 0x400,    /* the gateway ended with it */
	FATE_SENT = 0x1000,    /* to anybody */
	FATE_CRASHED = 0x2000, /* its only holder may have been a process that ended */
	FATE_LATE = 0x800,     /* dropped by a client, past its deadline */
	FATE_HELD = 0x4000,    /* an application had it, in the lane's present epoch */
};

struct check_fate {
	uint16_t flags;
	uint8_t reason; /* with FATE_GONE */
};

struct check_amount {
	uint64_t messages;
	uint64_t bytes;
};

struct check_session {
	uint64_t id; /* 0: none */
	uint32_t consumer;
	bool is_dead;   /* its process has ended */
	bool is_untold; /* it may be sent what it was not told of */
	struct check_amount limit;
	struct check_amount sent;
	struct check_amount flying;
	struct check_amount cap;
	struct check_amount lane_cap;
	struct check_amount lanes[SIM_PARTITIONS];
};

struct check_lane {
	uint32_t epoch; /* newest seen on the wire */
	bool has_epoch;
	uint64_t epoch_session;
	int owner;     /* session slot; -1: none */
	bool has_sent; /* data, since it changed hands */
	bool is_draining;
	bool is_past; /* nothing comes any more, and all is settled or given up */
	uint64_t drain_since_ns;
	struct check_amount flying;
	uint64_t begun;  /* index where the gateway's present life began */
	uint64_t settle; /* index of the next to be settled */
	uint64_t passed; /* above the highest that was sent in this epoch */
	int64_t budget;  /* 1/256 messages */
	struct check_fate fates[SIM_SEQUENCES];
};

struct check_partition {
	uint64_t first_seq;
	uint64_t head;                              /* index */
	struct sim_content contents[SIM_SEQUENCES]; /* random 0: no such message */
};

struct sim_checks {
	struct check_session sessions[SIM_CONSUMERS];
	struct check_partition partitions[SIM_PARTITIONS];
	struct check_lane lanes[SIM_GROUPS][SIM_PARTITIONS];
	uint64_t late;       /* messages that clients say they dropped, past their deadline */
	uint64_t transit_ns; /* a datagram takes no longer */
};

static inline bool check_is_left_out(
	const struct sim_world *world, uint32_t group, const struct sim_content *content)
{
	uint32_t out = world->plan.groups[group].leave_out;

	return out != 0 && content->key % out == 0;
}

/* Its owner lies, or acknowledges nothing: what becomes of its messages nobody can tell. */
static inline bool check_is_excused(const struct sim_world *world, const struct check_lane *lane)
{
	const struct sim_consumer_plan *plan;

	if (lane->owner < 0)
		return false;
	plan = &world->plan.consumers[world->checks->sessions[lane->owner].consumer];
	return plan->is_liar || plan->is_unreliable;
}

/* Index of a sequence in its partition's books; false when there is none. */
static inline bool check_index(
	const struct sim_checks *checks, uint32_t partition, uint64_t seq, uint64_t *index)
{
	*index = seq - checks->partitions[partition].first_seq;
	return *index < SIM_SEQUENCES;
}

/* checks_place.c: a new message goes out; those of its key before it must have been dealt with. */
void check_succession(struct sim_world *world, uint32_t group, const struct sim_content *content);

/*
 * checks_lane.c: what a liar may have acknowledged without reason is nobody's fault; nor what was
 * lost on the way to one who acknowledges nothing. So too what the lane told of those before it.
 */
void check_excuse(struct sim_world *world, uint32_t group, uint32_t partition);
/* checks_lane.c: it is in flight no longer. */
void check_land(
	struct sim_checks *checks, struct check_lane *lane, uint32_t partition, uint64_t index);
