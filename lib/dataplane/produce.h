/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/producer.h"
#include "dataplane/worker.h"

/*
 * What workers do for producers: messages are taken by number, held back above a hole so that a key
 * keeps its order, and go into the ring of their partition as if they had been received as plain
 * datagrams. Nothing is overwritten for them: when a ring or the stream's budget is full they wait
 * in front of it, and the producer is told to. Private to lib/dataplane.
 *
 * Receive runs on any worker; all the rest on the owner of the producer.
 */

#define WEIR_PRODUCE_HELD 2048 /* buffers that a worker holds back, at most */

/* produce.c: a checked datagram of a producer's session came in. Takes the mbuf. */
void weir_produce_receive(struct weir_worker *worker, struct weir_port *port,
	struct rte_mbuf *packet, const struct weir_packet *headers,
	struct weir_frame_cursor *cursor);
/* The same datagram, handed over by the worker that received it. */
void weir_produce_take(struct weir_worker *worker, struct weir_frame_cursor *cursor);
/* Move on to a new snapshot's sessions. */
void weir_produce_sync(struct weir_worker *worker, const struct weir_snapshot *old,
	const struct weir_snapshot *next);
/* Before the thread ends: what is held back is let go. */
void weir_produce_purge(struct weir_worker *worker);
/* Each millisecond: what had no place is tried again, limits grow, heartbeats. */
void weir_produce_tick(struct weir_worker *worker);

/* produce_window.c */
struct weir_produce_arrival {
	const struct weir_frame_produce *frame;
	const struct weir_produce_item *item;
};
/* A new epoch, or the producer has settled more: the window follows. False: an old epoch. */
bool weir_produce_begin(struct weir_worker *worker, struct weir_producer *producer,
	const struct weir_frame_produce *frame);
void weir_produce_message(struct weir_worker *worker, const struct weir_producer_view *view,
	const struct weir_produce_arrival *arrival);
/* Put what is next into the rings, as far as it goes. */
void weir_produce_release(struct weir_worker *worker, const struct weir_producer_view *view);
/* Let go what is held back, as if it had not come. */
void weir_produce_forget(struct weir_worker *worker, struct weir_produce_record *record);

static inline bool weir_produce_has(const struct weir_produce_record *record, uint64_t number)
{
	uint64_t bit = number % WEIR_PRODUCE_WINDOW;

	return record->received[bit / 64] >> (bit % 64) & 1;
}

/* produce_build.c */
/* The hash of a key's bytes: the same as that of a stream keyed by such bytes. */
uint64_t weir_produce_key(const uint8_t *key, uint8_t length);
/*
 * Make the message: a datagram from the producer to the gateway. NONE, and *hash is of its key, or
 * why it can never be one; without a buffer NONE and slot->mbuf is NULL.
 */
enum weir_reason weir_produce_build(struct weir_worker *worker,
	const struct weir_producer_view *view, const struct weir_produce_arrival *arrival,
	struct weir_message_slot *slot, uint64_t *hash);

/* produce_answer.c */
/* An answer is due: at the end of the loop, or when it has been a while. */
void weir_produce_touch(struct weir_worker *worker, struct weir_producer *producer, bool is_urgent);
/* Send the answers that are due; returns how many wait for their time. */
uint32_t weir_produce_flush(struct weir_worker *worker);
/* Let the limit grow as far as room and rate allow. True when the producer should be told now. */
bool weir_produce_grant(struct weir_worker *worker, const struct weir_producer_view *view);
/* PRODUCE_ACK, PACE and HEARTBEAT. False without a buffer. */
bool weir_produce_answer(struct weir_worker *worker, struct weir_producer *producer);
