/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * At-least-once delivery on the worker that owns the lane: what lib/lane decides is done here to
 * messages, windows and frames. A lane's hold on the ring begins at what its client's application
 * is not done with. Private to lib/dataplane.
 */

/* ACK and NACK, of a lane that is ours. The frames have been checked. */
void weir_reliable_ack(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_ack *ack);
void weir_reliable_nack(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_nack *nack);

/* The lane's next message was sent for the first time. */
void weir_reliable_sent(
	struct weir_worker *worker, struct weir_lane *lane, const struct weir_message_slot *slot);
/* The lane's next message is not sent. It is counted under `reason`, and told as gap. */
void weir_reliable_pass(
	struct weir_worker *worker, struct weir_lane *lane, enum weir_reason reason);
/* As weir_lane_skip(). */
void weir_reliable_skip(struct weir_worker *worker, struct weir_lane *lane, uint64_t until,
	enum weir_reason reason);
/* Before the lane gets another consumer: what is not settled will be sent again. */
void weir_reliable_rewind(struct weir_worker *worker, struct weir_lane *lane);
/* Go back to `seq`, or to the oldest message still held without a hole. */
void weir_reliable_reopen(struct weir_worker *worker, struct weir_lane *lane, uint64_t seq);
/* Its partition leaves this worker: nothing of it is due here any more. */
void weir_reliable_detach(struct weir_worker *worker, struct weir_lane *lane);
/* Its partition has come: what is in flight counts here; then, what is due is due here. */
void weir_reliable_attach(struct weir_lane *lane);
void weir_reliable_go_on(struct weir_worker *worker, struct weir_lane *lane);
/* True when neither the lane's window nor the adaptive one of its outlet is full. */
static inline bool weir_reliable_has_room(const struct weir_lane *lane, uint32_t payload)
{
	const struct weir_delivery *delivery = lane->delivery;
	const struct weir_config_window *window = lane->window;

	if (delivery->flying.messages == 0)
		return true;
	return (window->messages == 0 || delivery->flying.messages < window->messages) &&
	       (window->bytes == 0 || delivery->flying.bytes + payload <= window->bytes);
}

/* Send what the lane has to send again, and tell its gaps. True when nothing is left. */
bool weir_reliable_again(
	struct weir_worker *worker, struct weir_lane *lane, const struct weir_route *route);

/* again.c: the lane has something to send again, or to tell: it gets a turn in weir_again_run(). */
void weir_again_add(struct weir_worker *worker, struct weir_lane *lane);
/* The outlet's gate was opened. */
void weir_again_open(struct weir_worker *worker, struct weir_outlet *outlet);
/* Before new data. Returns how many consumers there was something to do for. */
uint32_t weir_again_run(struct weir_worker *worker);
/* Silence on lanes that has lasted too long. */
void weir_reliable_tick(struct weir_worker *worker);

/* native_again.c: add a message to a RETRANSMIT frame; false when there is no room now. */
bool weir_native_add_again(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, const struct weir_lane *lane, uint64_t seq,
	const struct weir_message_slot *slot);
/* The lane has no more to send again now: close its frame. */
void weir_native_end_again(struct weir_outlet *outlet);
/* A GAP frame; false when there is no room for it now. */
bool weir_native_add_gap(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, const struct weir_lane *lane,
	const struct weir_delivery_gap *gap);

/* quarantine.c: a copy for the operator, by the control thread; without a buffer there is none. */
void weir_quarantine_put(struct weir_worker *worker, const struct weir_lane *lane, uint64_t seq,
	const struct weir_message_slot *slot);
