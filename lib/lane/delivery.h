/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "wire/frame_delivery.h"

/*
 * At-least-once delivery of one lane: what was sent and has not arrived, what has, what is given
 * up. The messages themselves are the caller's; here each sequence has a record of eight bytes,
 * in a ring as large as the one that holds the messages.
 *
 *        done             received              next            head of the ring
 *   ------|==================|=====================|-----------------|
 *   passed  received, not yet   sent, some of it      not sent yet
 *           worked on           acknowledged
 *
 * Below `done` everything is settled, and the caller may let go of it. The caller settles (see
 * weir_delivery_settle()) and counts: what was RECEIVED is delivered, what is given up is counted
 * under its reason the moment it is given up.
 *
 * Pure: times are passed in, in microseconds from any origin. One thread's. No call fails for want
 * of memory, and none costs more than the range that it is about.
 */

enum weir_delivery_state {
	WEIR_DELIVERY_UNSENT,
	WEIR_DELIVERY_FLYING,   /* sent, nothing heard of it */
	WEIR_DELIVERY_LOST,     /* to be sent again, as the retry budget allows */
	WEIR_DELIVERY_PROBE,    /* to be sent again at once, to hear whether anything arrives */
	WEIR_DELIVERY_KNOCK,    /* the same, to a client that is silent: no attempt */
	WEIR_DELIVERY_RECEIVED, /* acknowledged; the application may not be done with it */
	WEIR_DELIVERY_GONE,     /* given up or left out: the client is told, not sent */
};

struct weir_delivery_record {
	uint32_t sent_us; /* low half of the time it was sent last */
	uint16_t length;  /* payload */
	uint8_t attempts; /* times sent, not counting those into silence; saturates */
	uint8_t state;    /* enum weir_delivery_state in the low half, gap reason in the high */
};

struct weir_delivery_amount {
	uint64_t messages;
	uint64_t bytes;
};

/* A range below `done` of which something never arrived. */
struct weir_delivery_gap {
	uint64_t first;
	uint64_t end;
	uint32_t messages; /* of them sent before, in this session */
	uint32_t bytes;
	uint8_t reason; /* enum weir_gap_reason */
};

#define WEIR_DELIVERY_GAPS 8
#define WEIR_DELIVERY_NONE UINT64_MAX

/* What the caller decides; may change at any time. */
struct weir_delivery_rules {
	uint32_t retry_cost; /* acknowledged messages that pay for one sent again, in 1/256 */
	uint8_t attempts;    /* times a message is sent at most, the first included */
};

struct weir_delivery {
	struct weir_delivery_record *records; /* the caller's; mask + 1 of them */
	uint64_t mask;
	const struct weir_delivery_rules *rules;
	uint64_t done;        /* settled below */
	uint64_t received;    /* the client has, or was told it will not get, all below */
	uint64_t next;        /* first that has not been sent in this session */
	uint64_t client_done; /* the client's application is done with all below */
	uint64_t redeliver;   /* below: another session may have had it */
	uint64_t lost_from;   /* no record below waits to be sent again */
	uint32_t lost;        /* records LOST, PROBE or KNOCK */
	uint32_t settled;     /* records GONE between done and next */
	struct weir_delivery_amount flying; /* FLYING or to be sent again: what windows limit */
	struct weir_delivery_amount landed; /* left `flying` since the caller last cleared this */
	int32_t tokens;                     /* retry budget, 1/256 messages */
	uint64_t sampled;                   /* highest sequence that gave a round-trip sample */
	uint32_t srtt_us;                   /* smoothed; 0: no sample yet */
	uint32_t rttvar_us;
	uint32_t rtt_us;   /* newest sample */
	uint64_t heard_us; /* of this lane: newest ACK or NACK that was news */
	uint64_t sent_us;  /* newest first transmission */
	uint64_t probe_us; /* newest probe */
	uint8_t probes;    /* since something was heard */
	uint8_t gap_count;
	struct weir_delivery_gap gaps[WEIR_DELIVERY_GAPS]; /* rising; below `done` */
};

/* Records must be zero. The lane begins at `seq`, with nothing sent. */
void weir_delivery_init(struct weir_delivery *delivery, struct weir_delivery_record *records,
	uint64_t mask, const struct weir_delivery_rules *rules, uint64_t seq);
/*
 * Another session takes the lane, or the same one anew: everything that is not settled will be
 * sent again. Everything in flight lands.
 */
void weir_delivery_rewind(struct weir_delivery *delivery);
/*
 * Go back to `seq`, below `done`: what lies between is to be sent (again). Everything from `seq`
 * up to the ring's head must still be held. Gaps that were told of it are forgotten.
 */
void weir_delivery_reopen(struct weir_delivery *delivery, uint64_t seq);

/* Sending. `next` was sent for the first time, or is passed without being sent. */
void weir_delivery_sent(struct weir_delivery *delivery, uint16_t length, uint64_t now_us);
void weir_delivery_pass(struct weir_delivery *delivery, enum weir_gap_reason reason);
/*
 * After _rewind(): what was given up before is not sent now. Call before looking at `next`.
 */
void weir_delivery_skip_gone(struct weir_delivery *delivery);
/* The session acknowledges nothing: all that was sent counts as received and worked on. */
void weir_delivery_trust(struct weir_delivery *delivery);
/* True when the message at `next` was sent in a session before. */
static inline bool weir_delivery_is_again(const struct weir_delivery *delivery, uint64_t seq)
{
	return seq < delivery->redeliver;
}

/*
 * The next message to send again, WEIR_DELIVERY_NONE when there is none or the budget is used up
 * (then an acknowledgement or weir_delivery_tick() brings more). The caller sends it and calls
 * _resent(), or gives it up. `from`: look at or after this sequence.
 */
uint64_t weir_delivery_again(struct weir_delivery *delivery, uint64_t from);
/* Of the message as it was sent; it is in flight. */
static inline uint16_t weir_delivery_length(const struct weir_delivery *delivery, uint64_t seq)
{
	return delivery->records[seq & delivery->mask].length;
}
void weir_delivery_resent(struct weir_delivery *delivery, uint64_t seq, uint64_t now_us);
/* True when the message has been sent as often as the rules allow. */
bool weir_delivery_is_exhausted(const struct weir_delivery *delivery, uint64_t seq);
/*
 * A message at or above done will not be sent (again): above next too, before anything was sent,
 * for what an earlier holder of the lane had given up. Not for one RECEIVED or GONE.
 */
void weir_delivery_give_up(
	struct weir_delivery *delivery, uint64_t seq, enum weir_gap_reason reason);
/* True when the message was given up and is not settled yet. */
bool weir_delivery_is_gone(
	const struct weir_delivery *delivery, uint64_t seq, enum weir_gap_reason *reason);

/*
 * What a client said. -EINVAL when it speaks of what was never sent: nothing has changed. Frames
 * of another epoch are not for here. Values in the frame's byte order.
 */
int weir_delivery_ack(
	struct weir_delivery *delivery, const struct weir_frame_ack *ack, uint64_t now_us);
int weir_delivery_nack(
	struct weir_delivery *delivery, const struct weir_frame_nack *nack, uint64_t now_us);
/*
 * The first gap in [from, end) that the client has to be told of; false when there is none. What
 * lies below `done` and is no known gap was settled, and is told as LEFT_OUT.
 */
bool weir_delivery_gap(const struct weir_delivery *delivery, uint64_t from, uint64_t end,
	struct weir_delivery_gap *gap);

/*
 * When weir_delivery_tick() has something to do; UINT64_MAX: nothing is in flight. The tick marks
 * what to probe with: the newest message in flight, so that a lost tail is noticed after one to
 * two round trips; then the oldest too, with doubling pauses. `is_alive`: the session was heard
 * of since the last probe; a probe to a client that is silent is no attempt.
 */
uint64_t weir_delivery_deadline_us(const struct weir_delivery *delivery);
void weir_delivery_tick(struct weir_delivery *delivery, bool is_alive, uint64_t now_us);

/*
 * Take the message at `done` if it is settled: RECEIVED and worked on, or GONE; then `done` has
 * moved on by one and the state it was in is returned. Else UNSENT, and nothing has changed.
 */
enum weir_delivery_state weir_delivery_settle(struct weir_delivery *delivery, uint16_t *length);
/*
 * The message at `done` is about to be overwritten: settle it whatever its state, which is
 * returned. Unless RECEIVED or GONE it becomes a gap of that reason.
 */
enum weir_delivery_state weir_delivery_drop(
	struct weir_delivery *delivery, enum weir_gap_reason reason);
/* A range below `done` that was never there for this lane: after a restart. */
void weir_delivery_missing(
	struct weir_delivery *delivery, uint64_t first, uint64_t end, enum weir_gap_reason reason);
/*
 * Likewise from `first` up to where the lane began, which has sent nothing yet: what the lane
 * whose place it takes was not told of.
 */
void weir_delivery_inherit(
	struct weir_delivery *delivery, uint64_t first, enum weir_gap_reason reason);
