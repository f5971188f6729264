/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include "layout.h"

#include <bpf/bpf_helpers.h>

/*
 * Whether a packet may go to the gateway. Once it may not, it may not until the gateway arms again:
 * nothing flaps, and no stale backlog mixes with what the program has delivered since.
 */

static __always_inline void weir_gate_trip(
	volatile struct weir_xdp_queue_state *state, __u32 armed, __u32 reason)
{
	state->trip_reason = reason;
	state->tripped_ns = bpf_ktime_get_ns();
	state->trips++;
	state->tripped = armed;
}

static __always_inline int weir_gate_has_owner(volatile struct weir_xdp_queue_state *state)
{
	return (state->owner & WEIR_XDP_OWNER_MASK) != 0;
}

/* Looked at twice: a worker that takes the queue over is the owner before it has stopped moving. */
static __always_inline int weir_gate_is_dead(volatile struct weir_xdp_queue_state *state)
{
	return !weir_gate_has_owner(state) && state->is_moving == 0 && !weir_gate_has_owner(state);
}

/* True: hand the packet to the socket. */
static __always_inline int weir_gate_admits(volatile struct weir_xdp_queue_state *state,
	volatile const struct weir_xdp_settings *settings)
{
	__u32 armed = state->armed;
	__u32 reason = WEIR_XDP_TRIP_NONE;

	if (armed == 0 || armed == state->tripped || armed == state->ended)
		return 0;
	if (state->is_ending != 0 && state->redirected == state->consumed) {
		state->ended = armed;
		return 0;
	}
	if (weir_gate_is_dead(state))
		reason = WEIR_XDP_TRIP_OWNER;
	else if (settings->gate != 0 &&
		 (__s64)(state->redirected - state->consumed) >= (__s64)settings->gate)
		reason = WEIR_XDP_TRIP_BACKLOG;
	else if (settings->heartbeat_limit_ns != 0) {
		__s64 age = (__s64)(bpf_ktime_get_ns() - state->heartbeat_ns);

		/* Negative when the worker stamped after the clock was read here. */
		if (age > (__s64)settings->heartbeat_limit_ns)
			reason = WEIR_XDP_TRIP_HEARTBEAT;
	}
	if (reason == WEIR_XDP_TRIP_NONE)
		return 1;
	weir_gate_trip(state, armed, reason);
	return 0;
}
