/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * The gates between a consumer's lanes and the wire: token buckets, credit, closed by an
 * operator or the peer, no way to reach it. What a gate grants is leased in chunks for one
 * turn and returned at its end, so several workers can serve one consumer. An outlet whose gate
 * is closed leaves the schedule, and costs nothing until something opens it again.
 */

/* Limits that apply to an outlet in this turn. */
#define WEIR_LIMIT_PACKETS 0x1
#define WEIR_LIMIT_BITS    0x2
#define WEIR_LIMIT_CREDIT  0x4
#define WEIR_LIMIT_FLIGHT  0x8 /* at least once: windows */

/*
 * Before a turn: OPEN and *route, or the outlet has been closed and its gate is returned.
 */
enum weir_gate weir_gate_enter(
	struct weir_worker *worker, struct weir_outlet *outlet, const struct weir_route **route);
/* Lease what one message needs. False: the outlet has been closed. Only when limits != 0. */
bool weir_gate_admit(struct weir_worker *worker, struct weir_outlet *outlet, uint32_t l3_bytes,
	uint32_t payload_bytes);
/* The message was sent. Only when limits != 0. */
static inline void weir_gate_charge(
	struct weir_outlet *outlet, uint32_t l3_bytes, uint32_t payload_bytes)
{
	if (outlet->limits & WEIR_LIMIT_PACKETS)
		outlet->packets--;
	if (outlet->limits & WEIR_LIMIT_BITS)
		outlet->bits -= l3_bytes * 8;
	if (outlet->limits & WEIR_LIMIT_CREDIT) {
		outlet->credit_messages--;
		outlet->credit_bytes -= payload_bytes + outlet->credit_extra;
	}
	if (outlet->limits & WEIR_LIMIT_FLIGHT) {
		outlet->flight_messages--;
		outlet->flight_bytes -= payload_bytes;
	}
}
/* A message was sent again: rates count it, if need be into debt. */
void weir_gate_charge_again(
	struct weir_worker *worker, struct weir_outlet *outlet, uint32_t l3_bytes);
/* Messages have arrived or were given up: the windows have room again. */
void weir_flight_landed(
	struct weir_worker *worker, struct weir_outlet *outlet, uint64_t messages, uint64_t bytes);
/* After a turn: return what was leased and not used. */
void weir_gate_leave(struct weir_outlet *outlet);

/* Close for want of room in the egress port's queue, or of a buffer. */
void weir_gate_wait_tx(struct weir_worker *worker, struct weir_outlet *outlet, struct weir_tx *tx);
void weir_gate_wait_buffer(struct weir_worker *worker, struct weir_outlet *outlet);

/* By a PAUSE that lists the stream. */
static inline bool weir_gate_is_paused(
	const struct weir_consumer *consumer, const struct weir_stream *stream)
{
	return unlikely(atomic_load_explicit(&consumer->has_paused, memory_order_relaxed)) &&
	       (atomic_load_explicit(&consumer->paused[stream->slot / 64], memory_order_relaxed) >>
			       (stream->slot % 64) &
		       1);
}

/* Now as the token buckets count it. */
static inline uint64_t weir_worker_ticks(const struct weir_worker *worker)
{
	return (uint64_t)(((unsigned __int128)worker->now * worker->ticks_per_cycle) >> 32);
}
