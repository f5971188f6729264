/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "client/weir.h"
#include "payload.h"
#include "place/place.h"
#include "plan.h"
#include "wire/frame_data.h"
#include "wire/frame_delivery.h"

/*
 * The promises. The checks watch what is produced, every datagram that the gateway sends and every
 * answer that it takes, what it settles, and what the applications get; they keep books of their
 * own, and break off the run at the first thing that is not as promised:
 *
 *	content       what arrives is what was produced; a number never has two contents
 *	order         a key's messages reach an application in order
 *	duplicate     none reaches it twice while its process lives
 *	gap           what does not come is told, and what is told does not come
 *	grant         no more is sent than the highest limit that the gateway has heard
 *	position      frames tell truly how much was sent on their lane
 *	cap           what is in flight keeps within the windows of consumer and lane
 *	epoch         an epoch has one owner
 *	place         plans move what they may, and nobody is left above its bound
 *	succession    a key's messages keep their order when its stream is made anew
 *	fence         an owner of before is not heard
 *	drain         nothing new is sent to an owner that is to let go
 *	repeat        what was worked on is not sent again, to whomever; what moves by plan is
 *	              worked off before it moves
 *	deadline      nothing is sent, or taken, past its time
 *	given-up      what was given up is not sent again
 *	budget        no more is sent again than was earned
 *	settled       what counts as delivered is what an application was done with
 *	conservation  received = delivered + dropped + held
 *	flight        the lane's books of what is in flight are right
 *	refused       nothing that an honest end says is refused
 *	overrun       nothing comes that there was no credit for
 *	quiet         after the faults all is delivered or told, and nothing but heartbeats is sent
 */

struct sim_world;
struct sim_checks;

struct sim_checks *sim_checks_open(struct sim_world *world);
void sim_checks_close(struct sim_checks *checks);

/* Producers. */
void sim_checks_produced(struct sim_world *world, const struct sim_content *content);

/* The gateway's wire. A group's lane is named by group and partition among all. */
void sim_checks_session(struct sim_world *world, uint32_t slot, uint64_t id, uint32_t consumer,
	const uint32_t *caps);
void sim_checks_sent(struct sim_world *world, const void *data, size_t length);
void sim_checks_limit(struct sim_world *world, uint32_t slot, uint64_t messages, uint64_t bytes);
void sim_checks_ack(struct sim_world *world, uint32_t group, uint32_t partition, int64_t slot,
	const struct weir_frame_ack *ack, int error);
void sim_checks_nack(struct sim_world *world, uint32_t group, uint32_t partition, int error);

/* What the gateway decides. */
/* A plan of a group and stream. Partitions are the stream's own; owners are members or none. */
struct sim_place {
	uint32_t group;
	uint32_t stream;
	enum weir_place_goal goal;
	uint32_t count; /* members */
	int slots[SIM_CONSUMERS];
	bool joins[SIM_CONSUMERS];
	uint32_t before[SIM_PARTITIONS];
	uint32_t after[SIM_PARTITIONS];
};
void sim_checks_planned(struct sim_world *world, const struct sim_place *place);
/* As the operator gave it to the session's consumer. */
uint32_t sim_consumer_weight(const struct sim_world *world, int slot);
/* The lane has passed all it had. `is_untold`: in time nobody said that it knows its gaps. */
void sim_checks_over(struct sim_world *world, uint32_t group, uint32_t partition, bool is_untold);
/* A gateway that begins does not have the stream any more. */
void sim_checks_gone(struct sim_world *world, uint32_t stream);
/* The session did not answer to a list in time. */
void sim_checks_untold(struct sim_world *world, uint32_t slot);
void sim_checks_draining(struct sim_world *world, uint32_t group, uint32_t partition);
/* `was_alive`: the session that had it is. */
void sim_checks_moved(
	struct sim_world *world, uint32_t group, uint32_t partition, int slot, bool was_alive);
void sim_checks_given_up(struct sim_world *world, uint32_t group, uint32_t partition, uint64_t seq,
	enum weir_gap_reason reason);
/* As received: `was_lapped` before its consumer was done with it. */
void sim_checks_settled(
	struct sim_world *world, uint32_t group, uint32_t partition, uint64_t seq, bool was_lapped);
/* Its owner acknowledges nothing: all in flight counts as received and worked on. */
void sim_checks_trusted(struct sim_world *world, uint32_t group, uint32_t partition);
void sim_checks_ticked(struct sim_world *world, uint32_t group, uint32_t partition);
/* The gateway ends: what it holds is gone, from `done` on. */
void sim_checks_ended(struct sim_world *world, uint32_t group, uint32_t partition, uint64_t done);
/* Its books against ours. */
void sim_checks_books(struct sim_world *world, uint32_t group, uint32_t partition,
	uint64_t flying_messages, uint64_t flying_bytes);

/* Applications. */
struct sim_consumer;
uint32_t sim_checks_taken(
	struct sim_world *world, struct sim_consumer *consumer, const struct weir_message *message);
void sim_checks_done(struct sim_world *world, const struct sim_consumer *consumer,
	uint32_t partition, uint64_t seq);
void sim_checks_told(
	struct sim_world *world, struct sim_consumer *consumer, const struct weir_event *event);
/* Its session, before it ends or at the end of the run. */
void sim_checks_client(struct sim_world *world, const struct sim_consumer *consumer);

/* A process ends, with what it had not worked on. */
void sim_checks_crashed(struct sim_world *world, const struct sim_consumer *consumer);

/* At the end of the run: everything is accounted for. */
void sim_checks_end(struct sim_world *world);
/* Which messages count towards a group's lane: for the gateway's counters at the end. */
struct sim_counts {
	uint64_t received;
	uint64_t delivered;
	uint64_t dropped[WEIR_GAP_REASON_COUNT];
	uint64_t held;
};
void sim_checks_counts(struct sim_world *world, uint32_t group, uint32_t partition,
	const struct sim_counts *counts);
