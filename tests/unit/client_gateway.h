/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/session.h"
#include "wire/frame.h"
#include "wire/frame_delivery.h"

/*
 * A gateway in memory for the client's tests: it records what the client sends, and sends what
 * the test tells it to. Virtual time; nothing happens by itself.
 */

#define GATEWAY_LANES    4 /* partitions of the one stream, "netflow", number 7 at first */
#define GATEWAY_STREAM   7
#define GATEWAY_HEART_MS 100
#define GATEWAY_LIVE_MS  1000
#define GATEWAY_MS       UINT64_C(1000000)

#define GATEWAY_RANGES 128

struct gateway_lane {
	uint32_t epoch;
	uint64_t first;
	uint64_t next_seq;
	uint64_t messages;
	uint64_t bytes;
};

/* What the client said of a lane; of an ended epoch nothing is taken. */
struct gateway_heard {
	unsigned int acks;
	uint32_t epoch;
	uint16_t delay;
	uint64_t next_seq;
	uint64_t done_seq;
	uint64_t newest_seq;
	unsigned int ack_ranges;
	uint64_t ack_range[GATEWAY_RANGES][2];
	/* NACKs; ranges of all of them since the test last set nack_ranges to 0. */
	unsigned int nacks;
	unsigned int nack_ranges;
	uint64_t nack_range[GATEWAY_RANGES][2];
};

struct gateway {
	struct weir_session *client;
	/* Takes what goes to the client in its stead; NULL: it arrives at once. */
	void (*network)(struct gateway *gateway, const void *data, size_t length);
	uint64_t now_ns;
	uint64_t random;  /* state */
	uint64_t session; /* given with WELCOME */
	bool is_deaf;     /* what the client sends is lost */
	bool is_lying;    /* bytes of what it sends are changed at random, past the header */
	/* What the client said last, and how often. */
	unsigned int hellos;
	unsigned int cookies; /* hellos with the right cookie */
	unsigned int subscribes;
	unsigned int credits;
	uint16_t edition; /* that the newest named */
	unsigned int pauses;
	unsigned int leaves;
	unsigned int wrong; /* datagrams that no gateway would take */
	uint64_t nonce;
	uint64_t limit_messages;
	uint64_t limit_bytes;
	uint64_t consumed_messages;
	uint32_t pause_counter;
	uint8_t pause_scope;
	uint32_t queue;
	uint32_t service_ns;
	uint8_t start; /* of the newest SUBSCRIBE */
	uint64_t start_value;
	unsigned int releases;
	struct weir_frame_handover release; /* newest, as it came */
	unsigned int seeks;
	struct weir_frame_seek seek; /* newest, as it came */
	unsigned int datagrams;      /* from the client */
	uint32_t options;            /* asked for */
	uint32_t grant;              /* options given with WELCOME, if asked for */
	uint32_t time_left_us;       /* in the DATA frames */
	uint8_t flags;               /* of the DATA frames */
	bool with_contexts;          /* of traces; the span's first byte is the sequence's last */
	struct gateway_heard heard[GATEWAY_LANES];
	/* Of this session: what has been sent. */
	struct gateway_lane lanes[GATEWAY_LANES];
	uint64_t sent_messages;
	uint64_t sent_bytes;
	uint16_t stream;  /* its number */
	uint16_t listed;  /* edition of the list that gateway_subscribed() sends */
	uint16_t payload; /* bytes of each message that gateway_data() makes */
};

/* With default options where `options` leaves zeros; group and name are filled in. */
void gateway_open(struct gateway *gateway, struct weir_consumer_options options);
void gateway_close(struct gateway *gateway);
/* The client's side of the wire. */
void gateway_take(struct gateway *gateway, const void *data, size_t length);
/* Hand a finished datagram to the client. */
void gateway_send(struct gateway *gateway, const struct weir_writer *writer);
/* Let time pass, running what falls due on the way. */
void gateway_wait(struct gateway *gateway, uint64_t ms);

void gateway_cookie(struct gateway *gateway);
/* A new session. */
void gateway_welcome(struct gateway *gateway);
void gateway_subscribed(struct gateway *gateway);
/* From HELLO to credit. */
void gateway_join(struct gateway *gateway);
void gateway_error(
	struct gateway *gateway, uint64_t session, enum weir_frame_code code, uint32_t retry_ms);
void gateway_leave(struct gateway *gateway, enum weir_frame_code reason);
/* `count` messages at the end of a lane in one frame, delivered or lost on the way. */
void gateway_data(struct gateway *gateway, uint16_t partition, uint16_t count, bool is_lost);
/* A frame as it is said, with lane positions as they are; nothing is counted. */
void gateway_data_raw(struct gateway *gateway, uint16_t partition, const struct gateway_lane *lane,
	uint64_t seq, uint32_t covered, uint16_t count);
/* Sequences again, as RETRANSMIT frames are: with positions of now. */
void gateway_again(struct gateway *gateway, uint16_t partition, uint64_t seq, uint16_t count);
/* Sequences will not come; `messages` of them had been sent. */
void gateway_gap(struct gateway *gateway, uint16_t partition, uint64_t first, uint64_t end,
	enum weir_gap_reason reason, uint32_t messages);
/* All lanes that were sent to. */
void gateway_heartbeat(struct gateway *gateway, uint8_t flags);
/* Messages that may still be sent. */
uint64_t gateway_credit(const struct gateway *gateway);
uint64_t gateway_random(void *context);
/* The client's, now. */
struct weir_consumer_stats gateway_stats(const struct gateway *gateway);
/* Open, and join a group that acknowledges. */
void gateway_open_reliable(struct gateway *gateway, struct weir_consumer_options options);
/* Take all messages, which are sequences `from` and up, nothing missed; how many. */
unsigned int gateway_take_from(struct gateway *gateway, uint64_t from);
/* The next event of that kind, others dropped; false when there is none. */
bool gateway_event(struct gateway *gateway, enum weir_event_kind kind, struct weir_event *event);
