/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "checks.h"
#include "flow/bucket.h"
#include "flow/credit.h"
#include "flow/window.h"
#include "gateway.h"
#include "lane/delivery.h"
#include "place/place.h"
#include "wire/frame_data.h"
#include "world.h"

/*
 * Parts of the gateway that its files share:
 *   gateway.c           life, timers, datagrams in, the restart
 *   gateway_session.c   from HELLO to SUBSCRIBED, and the end of a session
 *   gateway_place.c     who is to have which lane
 *   gateway_handover.c  how it gets there
 *   gateway_succession.c  streams that take another's place
 *   gateway_list.c      what sessions are told of that
 *   gateway_ring.c      messages in, messages out of the ring
 *   gateway_send.c      what goes out when: retransmission, then new data, within the windows
 *   gateway_answer.c    ACK and NACK, and GAP in answer
 *   gateway_heartbeat.c heartbeats
 */

#define GATEWAY_SESSIONS    SIM_CONSUMERS
#define GATEWAY_QUARANTINED 64
#define GATEWAY_NONE        (-1)
#define GATEWAY_UNSAVED     UINT64_MAX

struct gateway_message {
	struct sim_content content;
	uint8_t payload[SIM_PAYLOAD];
};

struct gateway_ring {
	uint64_t head; /* next sequence */
	uint64_t mask;
	struct gateway_message messages[SIM_RING];
};

struct gateway_lane {
	struct weir_delivery delivery;
	struct weir_delivery_record records[SIM_RING];
	struct weir_delivery_rules rules;
	int owner;         /* session slot */
	int planned;       /* likewise; whoever is to have it */
	bool is_following; /* nothing is sent until those before it are over */
	bool is_over;      /* of a stream whose place another took: it has passed all it had */
	bool is_draining;
	bool is_released; /* by its owner, meanwhile */
	uint64_t drain_since_ns;
	uint64_t revoked_ns; /* its owner was told last */
	uint32_t epoch;
	uint64_t first; /* sequence at which the epoch began */
	uint64_t told;  /* all below is dealt with by a frame, or given up */
	uint64_t begun; /* sequence at which this life of the gateway began */
	bool is_starved;
	uint64_t delivered;
	uint64_t dropped[WEIR_GAP_REASON_COUNT];
	uint64_t saved_done; /* as on disk, or GATEWAY_UNSAVED */
};

struct gateway_session {
	uint64_t id; /* 0: free */
	uint64_t nonce;
	struct sim_address address;
	uint32_t group;
	char name[WEIR_FRAME_NAME_SIZE];
	uint16_t max_datagram;
	bool is_subscribed;
	uint8_t members; /* a bit a stream: it was in the plan that was made last */
	uint8_t knows;   /* likewise: it may be sent what is of the stream */
	bool is_reliable;
	bool is_announcing; /* waiting for its answer to the newest list */
	bool has_answered;  /* to any */
	uint16_t edition;
	uint64_t announce_at;
	uint64_t announce_wait_ns;
	uint64_t announce_until;
	uint32_t subscribe_counter;
	uint32_t pause_counter;
	uint8_t paused; /* streams, a bit each */
	struct weir_credit_account credit;
	uint64_t credit_seen; /* only for the rule that is broken on purpose */
	struct weir_bucket packets;
	struct weir_window window;
	struct weir_delivery_amount sent[SIM_PARTITIONS];
	bool is_told[SIM_PARTITIONS]; /* of the lane, by any frame */
	uint64_t heard_at;
	uint64_t heartbeat_at;
	uint64_t sent_at;
	uint64_t open_at; /* the rate limit lets something through again; 0: it does now */
	uint64_t flew_at; /* something was in flight last */
	bool has_news;    /* sent since the last heartbeat */
	uint64_t answers[SIM_PARTITIONS]; /* datagrams heard when the lane was last probed */
	uint64_t heard;                   /* datagrams of this session */
	/* The datagram that is being made. */
	struct weir_writer writer;
	uint8_t buffer[SIM_DATAGRAM];
};

enum gateway_life {
	GATEWAY_UNBORN,
	GATEWAY_LIVE,
	GATEWAY_DRAINING, /* another has its place: it delivers what it holds */
	GATEWAY_OVER,
};

struct gateway_stream {
	enum gateway_life life;
	uint64_t drain_until; /* then what is left is dropped */
};

struct gateway_quarantined {
	uint32_t group;
	struct sim_content content;
};

struct sim_gateway {
	struct sim_world *world;
	bool is_up;
	uint64_t incarnation;
	uint32_t turn; /* lane that goes first */
	uint64_t save_at;
	struct sim_random random;
	struct gateway_stream streams[SIM_STREAMS];
	struct gateway_ring rings[SIM_PARTITIONS];
	struct gateway_lane lanes[SIM_GROUPS][SIM_PARTITIONS];
	struct gateway_session sessions[GATEWAY_SESSIONS];
	struct gateway_quarantined quarantine[GATEWAY_QUARANTINED];
	uint64_t quarantined; /* in all; the newest are kept */
};

static inline uint64_t now_us(const struct sim_world *world)
{
	return world->now_ns / 1000 + 1000000;
}

static inline struct gateway_message *message_at(struct gateway_ring *ring, uint64_t seq)
{
	return &ring->messages[seq & ring->mask];
}

static inline bool stream_is_there(const struct sim_gateway *gateway, uint32_t stream)
{
	return gateway->streams[stream].life == GATEWAY_LIVE ||
	       gateway->streams[stream].life == GATEWAY_DRAINING;
}

static inline bool partition_is_there(const struct sim_world *world, uint32_t partition)
{
	return stream_is_there(world->gateway, sim_plan_stream(&world->plan, partition));
}

/* gateway.c */
void gateway_lane_begin(struct sim_world *world, uint32_t group, uint32_t partition, uint64_t seq);
void gateway_lane_count(struct sim_world *world, uint32_t group, uint32_t partition);

/* gateway_session.c */
void gateway_send_now(struct sim_world *world, struct gateway_session *session);
/* Start a datagram, or go on with the one begun, so that `room` bytes more fit. */
struct weir_writer *gateway_writer(
	struct sim_world *world, struct gateway_session *session, uint32_t room);
/* A datagram outside of any session's buffer. */
void gateway_post(
	struct sim_world *world, struct sim_address address, const struct weir_writer *writer);
void gateway_hello(
	struct sim_world *world, struct sim_address address, const struct weir_frame_hello *hello);
void gateway_subscribe(struct sim_world *world, struct gateway_session *session,
	const struct weir_frame_subscribe *subscribe);
void gateway_forget(struct sim_world *world, struct gateway_session *session);
void gateway_expel(
	struct sim_world *world, struct gateway_session *session, enum weir_frame_code reason);
void gateway_no_session(struct sim_world *world, struct sim_address address, uint64_t id);
void gateway_grant(struct sim_world *world, struct gateway_session *session, uint64_t messages,
	uint64_t bytes);

/* gateway_list.c */
void gateway_list(struct sim_world *world, struct gateway_session *session);
/* All sessions are told the list, until they say that they know it. */
void gateway_announce(struct sim_world *world);
void gateway_announce_run(struct sim_world *world);
uint64_t gateway_announce_ns(const struct gateway_session *session);
void gateway_list_named(struct sim_world *world, struct gateway_session *session, uint16_t edition);

/* gateway_succession.c */
/* Lanes that have passed all end, those that waited for them begin. */
void gateway_succeed(struct sim_world *world);
uint64_t gateway_succession_ns(const struct sim_world *world);
/* Up to where a group is done, for a lane that waits as well: as its predecessor's. */
uint64_t gateway_position(const struct sim_world *world, uint32_t group, uint32_t partition);
/* Where it stands on disk: of a stream made anew the place that the one before had, if it is new.
 */
uint64_t gateway_saved(const struct sim_world *world, uint32_t group, uint32_t partition);

/* gateway_place.c */
void gateway_place(struct sim_world *world, uint32_t group, enum weir_place_goal goal);
struct weir_delivery_amount gateway_flying(
	const struct sim_gateway *gateway, const struct gateway_session *session);

/* gateway_handover.c */
/* The lane goes on with whom it is planned for, from where its work is not finished. */
void gateway_hand_over(struct sim_world *world, uint32_t group, uint32_t partition);
/* Whatever is drained goes on, whatever has its turn is drained. */
void gateway_moves(struct sim_world *world);
uint64_t gateway_moves_ns(const struct sim_world *world);

/* gateway_ring.c */
/* A message is given up: counted now, told when it is asked for, or by the next heartbeat. */
void gateway_give_up(struct sim_world *world, uint32_t group, uint32_t partition, uint64_t seq,
	enum weir_gap_reason reason);
void gateway_pass(
	struct sim_world *world, uint32_t group, uint32_t partition, enum weir_gap_reason reason);
void gateway_settle(struct sim_world *world, uint32_t group, uint32_t partition);
/* The oldest message goes, whatever has become of it. */
void gateway_lap(
	struct sim_world *world, uint32_t group, uint32_t partition, enum weir_gap_reason reason);
/* What is past its deadline and was never sent is given up, even if nobody asks for it. */
void gateway_sweep(struct sim_world *world);

/* gateway_send.c */
void gateway_pump(struct sim_world *world);

/* gateway_answer.c */
void gateway_ack(struct sim_world *world, struct gateway_session *session,
	const struct weir_frame_ack *frame);
void gateway_release(struct sim_world *world, struct gateway_session *session,
	const struct weir_frame_handover *frame);
void gateway_nack(struct sim_world *world, struct gateway_session *session,
	const struct weir_frame_nack *frame);
void gateway_tell_gap(struct sim_world *world, struct gateway_session *session, uint32_t partition,
	const struct weir_delivery_gap *gap);

/* gateway_heartbeat.c */
uint64_t gateway_heartbeat_ns(const struct sim_world *world, const struct gateway_session *session);
void gateway_heartbeat(struct sim_world *world, struct gateway_session *session);
