/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/guard.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include <rte_common.h>

#include "dataplane/missed.h"

#define BEAT_US     100
#define WEIR_GUARDS (32 * WEIR_XDP_MAX_QUEUES)
#define REARM_MS    50  /* after a trip: no queue goes over and back many times a second */
#define DISARM_MS   100 /* for the socket to be empty once */
#define IDLE_MS     2   /* without a packet, for the program to have done with the last one */

_Static_assert(sizeof(pthread_mutex_t) <= WEIR_XDP_LINE, "the owner's line is too short");

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* All guards of the process; changed while no worker runs. */
static struct weir_guard *guards[WEIR_GUARDS];
static unsigned int guard_count;

bool weir_guard_has_stale(void)
{
	for (unsigned int i = 0; i < guard_count; i++)
		if (unlikely(weir_guard_is_tripped(guards[i])) && !guards[i]->has_seen_trip)
			return true;
	return false;
}

static bool has_all_left(void)
{
	for (unsigned int i = 0; i < guard_count; i++)
		if (guards[i]->tx_given != NULL &&
			__atomic_load_n(guards[i]->tx_left, __ATOMIC_ACQUIRE) !=
				__atomic_load_n(guards[i]->tx_given, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

bool weir_guard_may_tell(const struct weir_guard *guard)
{
	return likely(guard->disarm_by == 0) || has_all_left();
}

/* The mutex is of this process's making, at the place where the program looks for the futex. */
static pthread_mutex_t *owner_of(struct weir_xdp_queue_state *state)
{
	return (pthread_mutex_t *)(void *)&state->owner;
}

int weir_guard_open(struct weir_guard *guard, struct weir_xdp_queue_state *state)
{
	pthread_mutexattr_t attributes;
	int result;

	memset(guard, 0, sizeof(*guard));
	guard->state = state;
	guard->number = RTE_MAX(state->armed, RTE_MAX(state->tripped, state->ended));
	guard->beat_cycles = rte_get_tsc_hz() / 1000000 * BEAT_US;
	guard->idle_cycles = rte_get_tsc_hz() / 1000 * IDLE_MS;
	atomic_store((_Atomic uint32_t *)&state->armed, 0);
	guard->base = state->redirected;
	state->consumed = guard->base;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	state->is_moving = 0;
	state->is_ending = 0;
	memset(&state->owner, 0, WEIR_XDP_LINE);
	result = pthread_mutex_init(owner_of(state), &attributes);
	pthread_mutexattr_destroy(&attributes);
	if (result == 0 && guard_count == WEIR_GUARDS)
		result = ENOSPC;
	if (result == 0)
		guards[guard_count++] = guard;
	return -result;
}

void weir_guard_close(struct weir_guard *guard)
{
	for (unsigned int i = 0; i < guard_count; i++)
		if (guards[i] == guard)
			guards[i] = guards[--guard_count];
}

static void arm(struct weir_guard *guard)
{
	struct weir_xdp_queue_state *state = guard->state;

	guard->has_seen_trip = false;
	guard->base += state->redirected - state->consumed;
	state->consumed = state->redirected;
	/* Workers look at what the program took before anything that comes from now on. */
	atomic_fetch_add(&weir_missed_changes, 1);
	/* All that the program compares must be there before the number is. */
	atomic_store((_Atomic uint32_t *)&state->armed, ++guard->number);
}

static void look_at_trip(struct weir_guard *guard, uint64_t now, bool is_empty)
{
	if (!guard->has_seen_trip) {
		guard->has_seen_trip = true;
		guard->arm_after = now + rte_get_tsc_hz() / 1000 * REARM_MS;
	} else if (is_empty && (int64_t)(now - guard->arm_after) >= 0 &&
		   guard->state->trip_reason != WEIR_XDP_TRIP_OPERATOR) {
		arm(guard);
	}
}

static void note_idle(struct weir_guard *guard, uint64_t now)
{
	guard->idle_seen = guard->state->redirected;
	guard->idle_by = now + guard->idle_cycles;
}

/*
 * At a moment when nothing is under way to the gateway or in it, which would come behind what the
 * program delivers from then on. The program chooses it at its next packet; when none comes nothing
 * can be overtaken.
 */
static void disarm(struct weir_guard *guard, uint64_t now)
{
	volatile struct weir_xdp_queue_state *state = guard->state;

	if (state->armed == 0)
		return;
	if (guard->disarm_by == 0) {
		guard->disarm_by = now + rte_get_tsc_hz() / 1000 * DISARM_MS;
		note_idle(guard, now);
		guard->next_beat = now;
		return;
	}
	/* What was told before the end came may not have left yet. */
	if (state->is_ending == 0 && has_all_left())
		atomic_store((_Atomic uint32_t *)&guard->state->is_ending, 1);
	if (state->redirected != guard->idle_seen || state->redirected != state->consumed)
		note_idle(guard, now);
	if (state->ended == state->armed || weir_guard_is_tripped(guard) ||
		(int64_t)(now - guard->idle_by) >= 0 || (int64_t)(now - guard->disarm_by) >= 0)
		atomic_store((_Atomic uint32_t *)&guard->state->armed, 0);
	else
		guard->next_beat = now;
}

static void say_alive(struct weir_xdp_queue_state *state)
{
	atomic_store_explicit(
		(_Atomic uint64_t *)&state->heartbeat_ns, monotonic_ns(), memory_order_relaxed);
}

void weir_guard_leave(struct weir_guard *guard, uint64_t now)
{
	struct weir_xdp_queue_state *state = guard->state;

	guard->next_beat = now;
	if (!guard->is_owner)
		return;
	guard->is_owner = false;
	say_alive(state);
	/* The program looks at the owner first: it must not find none without this. */
	atomic_store((_Atomic uint32_t *)&state->is_moving, 1);
	(void)pthread_mutex_unlock(owner_of(state));
}

void weir_guard_beat_now(struct weir_guard *guard, uint64_t now, bool is_empty)
{
	struct weir_xdp_queue_state *state = guard->state;
	bool wants_armed = atomic_load_explicit(&guard->wants_armed, memory_order_relaxed);

	guard->next_beat = now + guard->beat_cycles;
	if (unlikely(!guard->is_owner)) {
		(void)pthread_mutex_lock(owner_of(state));
		guard->is_owner = true;
		atomic_store((_Atomic uint32_t *)&state->is_moving, 0);
	}
	say_alive(state);
	if (!wants_armed) {
		disarm(guard, now);
		return;
	}
	if (unlikely(guard->disarm_by != 0)) {
		guard->disarm_by = 0;
		atomic_store((_Atomic uint32_t *)&state->is_ending, 0);
	}
	if (state->armed == 0 || state->armed == state->ended)
		arm(guard);
	else if (weir_guard_is_tripped(guard))
		look_at_trip(guard, now, is_empty);
}

void weir_guard_set(struct weir_guard *guard, bool is_armed)
{
	struct weir_xdp_queue_state *state = guard->state;

	if (is_armed && state->trip_reason == WEIR_XDP_TRIP_OPERATOR)
		state->trip_reason = WEIR_XDP_TRIP_NONE;
	atomic_store(&guard->wants_armed, is_armed);
}

void weir_guard_trip(struct weir_guard *guard)
{
	struct weir_xdp_queue_state *state = guard->state;

	state->trip_reason = WEIR_XDP_TRIP_OPERATOR;
	state->tripped_ns = monotonic_ns();
	state->trips++;
	atomic_store((_Atomic uint32_t *)&state->tripped, state->armed);
}
