/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_cycles.h>

#include "xdp/bpf/layout.h"

/*
 * The worker's side of the fail-over of one receive queue. The loop that polls the queue is what
 * says that it is alive; a thread of its own would also say so for a loop that is wedged.
 *
 *     control: wants_armed -> worker: armed -> program: hands over ... -> program: tripped
 *     worker: sees it, takes what is in the socket as stale, waits a moment, arms again
 */

struct weir_guard {
	struct weir_xdp_queue_state *state;
	uint64_t next_beat; /* TSC */
	uint64_t beat_cycles;
	uint64_t idle_cycles;
	uint64_t arm_after; /* TSC; while tripped, not before */
	uint64_t disarm_by; /* TSC; 0: not to be disarmed */
	uint64_t idle_by;   /* TSC; to be disarmed then, if no packet has come */
	uint64_t idle_seen; /* redirected, as it was then */
	uint64_t base;      /* of state->consumed: what was before this socket */
	uint64_t lost;      /* in front of the socket, since it is there */
	/* Frames that the queue was given to send, and that have left; NULL: none ever. */
	const uint32_t *tx_given;
	const uint32_t *tx_left;
	uint32_t number; /* of the newest arming */
	bool is_owner;   /* this thread holds state->owner */
	bool has_seen_trip;
	_Atomic bool wants_armed; /* control */
};

/* Workers have ended. */
void weir_guard_close(struct weir_guard *guard);
/* Before a worker polls the queue: disarmed, without an owner. What was counted stays. */
int weir_guard_open(struct weir_guard *guard, struct weir_xdp_queue_state *state);

/* Worker: look and say that the loop runs; `is_empty`: nothing is in the socket. */
void weir_guard_beat_now(struct weir_guard *guard, uint64_t now, bool is_empty);

/*
 * Worker: another thread is to poll the queue. It stays armed, and what comes meanwhile waits in
 * the socket; if nobody takes the queue the heartbeat grows old.
 */
void weir_guard_leave(struct weir_guard *guard, uint64_t now);

/* Worker: it is time to. */
static inline bool weir_guard_is_due(const struct weir_guard *guard)
{
	return (int64_t)(rte_rdtsc() - guard->next_beat) >= 0;
}

/* Worker: the program has taken over, so what is in the socket comes too late. */
static inline bool weir_guard_is_tripped(const struct weir_guard *guard)
{
	const volatile struct weir_xdp_queue_state *state = guard->state;

	return state->tripped == state->armed && state->armed != 0;
}

/*
 * Any worker, before it sends: the program has taken a queue over and its worker has not come by
 * since, so what is about to be sent is older than what the program has sent.
 */
bool weir_guard_has_stale(void);

/*
 * Worker: it may say what it has taken. At an orderly end that is what has left all ports again,
 * for then the program's packets come behind.
 */
bool weir_guard_may_tell(const struct weir_guard *guard);

/* Worker: so many packets were taken from this socket in all. */
static inline void weir_guard_consumed(struct weir_guard *guard, uint64_t taken)
{
	__atomic_store_n(
		&guard->state->consumed, guard->base + guard->lost + taken, __ATOMIC_RELEASE);
}

/* Control: arm or disarm; the worker does it at its next beat. */
void weir_guard_set(struct weir_guard *guard, bool is_armed);
/* Control: over to the program at once, until armed again. */
void weir_guard_trip(struct weir_guard *guard);
