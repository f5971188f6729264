/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/* What a message passes on its way out, for those that send in a lane's turn. Private to
 * lib/dataplane. */

/* Windows, the port's queue, gates. False: the turn is over. */
bool weir_lane_may_send(struct weir_worker *worker, struct weir_lane *lane, struct weir_tx *tx,
	uint32_t l3_bytes, uint32_t payload);
/* It was sent. */
void weir_lane_charge(struct weir_queue *queue, uint32_t l3_bytes, uint32_t payload);
/* The lane's next message was delivered, at most once; `took`: with the slot's own mbuf. */
void weir_lane_sent(struct weir_worker *worker, struct weir_lane *lane,
	struct weir_message_slot *slot, bool took);
