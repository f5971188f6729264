/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * A lane on its way from one consumer to another, on the worker that owns it. Who is to have it
 * stands in its attachment, written by the control thread. The lane follows: at once when nothing
 * is under way to the consumer that has it, or nobody is there; else it is drained first. Nothing
 * new is sent then, what is in flight is repaired as ever, and when the application is done with
 * all of it, or drain_ms are over, the lane goes on in a higher epoch. Private to lib/dataplane.
 */

/* The lane's owner may have changed; apply.c and orders call this. */
void weir_handover_follow(struct weir_worker *worker, struct weir_lane *lane);
/* An acknowledgement came, or time went by: it may be drained by now. */
void weir_handover_look(struct weir_worker *worker, struct weir_lane *lane);
/* The lane is drained no more: it is gone, or stays where it is. */
void weir_handover_end(struct weir_lane *lane);
/* Its partition goes to another worker, and has come to it. */
void weir_handover_detach(struct weir_lane *lane);
void weir_handover_attach(struct weir_worker *worker, struct weir_lane *lane);
/* Once a millisecond. */
void weir_handover_tick(struct weir_worker *worker);
/* Lanes that the control thread wants looked at; returns how many. */
uint32_t weir_orders_poll(struct weir_worker *worker);

/* native_handover.c: tell the consumer that the lane is its own now, or that it is drained. */
void weir_native_assign(struct weir_worker *worker, struct weir_lane *lane);
void weir_native_revoke(struct weir_worker *worker, struct weir_lane *lane);
/* It lets a lane of ours go. The frame has been checked. */
void weir_native_release(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_handover *release);

/* An order: which lane. It names no address, so a lane that is gone by then is not found. */
struct weir_order {
	uint16_t stream; /* slots */
	uint16_t group;
	uint16_t partition;
	uint16_t unused;
};
