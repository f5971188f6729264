/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane_fixture.h"
#include "wire/frame_data.h"
#include "wire/frame_delivery.h"

/*
 * A native consumer that does only what the test says. It keeps what it was sent, in the order in
 * which it came, and answers nothing by itself: what the test does not acknowledge may as well have
 * been lost. Its messages are those of plane_receive_numbered().
 */

#define CLIENT_MESSAGES 2048 /* kept; more are only counted */
#define CLIENT_GAPS     64
#define CLIENT_LANES    32 /* partitions of its one stream */

struct client_message {
	uint64_t seq;
	uint32_t number; /* its first four bytes */
	uint32_t epoch;
	uint32_t time_left_us;
	uint16_t partition;
	uint16_t length;
	uint8_t flags;      /* WEIR_MESSAGE_* */
	uint8_t source;     /* last byte of whence it came */
	bool is_retransmit; /* came in such a frame */
};

struct client_gap {
	uint64_t first;
	uint64_t end;
	uint32_t messages;
	uint32_t bytes;
	uint32_t epoch;
	uint16_t partition;
	uint16_t reason;
};

/* A lane as the newest frame or heartbeat has told it. */
struct client_lane {
	bool is_known;
	uint32_t epoch;
	uint64_t first;
	uint64_t next_seq;     /* after the newest frame without RETRANSMIT, or heartbeat */
	uint64_t messages;     /* position there */
	uint64_t heard;        /* of the newest heartbeat */
	uint64_t again_told;   /* position that the newest RETRANSMIT frame told */
	uint64_t epoch_jumped; /* sequences that no frame of the epoch covered */
};

struct client_options {
	const char *name;  /* NULL: "client" */
	const char *group; /* NULL: "n" */
	uint8_t host;      /* last byte of its address; 0: 7 */
	bool is_reliable;
	bool may_seek;
	bool may_assign;
	bool wants_contexts;
	bool single;   /* one message a datagram */
	uint8_t start; /* enum weir_start + 1; 0: where the group stands */
	uint64_t start_value;
	bool has_key;
};

struct client {
	struct plane *plane;
	struct weir_consumer *consumer;
	struct weir_address address;
	struct weir_seal seal; /* the client's end, with a key */
	uint16_t stream;       /* slot number */
	uint32_t message_count;
	uint64_t bytes;
	uint32_t again_count; /* of the messages, in RETRANSMIT frames */
	uint32_t frames;      /* DATA */
	uint32_t heartbeats;
	uint32_t tagged;            /* datagrams */
	uint32_t untagged_not_data; /* datagrams with more than DATA and no tag */
	uint32_t assigns;
	uint32_t revokes;
	uint64_t revoked_seq; /* of the newest REVOKE */
	uint32_t revoked_ms;
	uint32_t gap_count;
	uint64_t jumped; /* sequences that no DATA frame covered, over all lanes */
	uint32_t credit_counter;
	uint32_t seek_counter;
	uint16_t ack_delay; /* in ACKs, units of 16 us */
	struct client_lane lanes[CLIENT_LANES];
	struct client_gap gaps[CLIENT_GAPS];
	struct client_message messages[CLIENT_MESSAGES];
};

/* Joins for the stream "s"; its partitions are its own at once. */
void client_join(struct client *client, struct plane *plane, const struct client_options *options);
/* It is gone; what it was not done with waits for the next. */
void client_leave(struct client *client);
/* The first of its name takes the one message that waits, and goes; this is the next. */
void client_join_second(
	struct client *client, struct plane *plane, const struct client_options *options);
/* What was collected, all of lane 0, did not come: asked for and collected again. */
void client_collect_again(struct client *client, struct plane *plane);

/* Frames to the gateway's front door, each in a datagram of its own. */
void client_grant(struct client *client, uint64_t messages, uint64_t bytes);
/* More than any test needs. */
void client_grant_all(struct client *client);
/* The same with a load report: done with so many, and needs so long for one. */
void client_report(struct client *client, uint64_t consumed, uint32_t service_ns);
void client_pause(struct client *client, uint8_t scope, uint32_t counter);
/* Received below `next`, done with below `done`; the newest is `next` - 1. */
void client_ack(struct client *client, uint16_t partition, uint64_t next, uint64_t done);
void client_ack_ranges(struct client *client, uint16_t partition, uint64_t next, uint64_t done,
	const uint64_t (*ranges)[2], uint16_t count);
void client_nack(
	struct client *client, uint16_t partition, const uint64_t (*ranges)[2], uint16_t count);
/* It lets the partition go, done with all below `seq`. */
void client_release(struct client *client, uint16_t partition, uint64_t seq);
/* With the next higher counter. */
void client_seek(struct client *client, uint16_t partition, enum weir_start start, uint64_t value);
/* A datagram as begun, from the client's address; `seal`: with a tag of its key. */
void client_send(struct client *client, struct weir_writer *writer, struct weir_seal *seal);

/* Deliver, and take every datagram that was sent to it. */
void client_collect(struct client *client);
/* Take what was sent, without a turn. */
void client_take(struct client *client);
/* Forget messages, gaps and counts, not lanes. */
void client_forget(struct client *client);
/* True when the messages kept are exactly `count` from `first` on, in order, on one lane. */
bool client_has(const struct client *client, uint64_t first, uint32_t count);
