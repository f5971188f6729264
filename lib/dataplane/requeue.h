/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/* The workers' side of messages that come back out of quarantine. Private to lib/dataplane. */

/* From the control thread to the owner of the message's partition. */
struct weir_return {
	struct weir_message_slot message; /* `partition` holds; `ingest` is the worker's to fill */
	uint16_t group;                   /* slot number of the one that gets it */
};

/* Put what came back into its ring; returns how many. Look first whether there is any. */
uint32_t weir_returns_poll(struct weir_worker *worker);
/* A message out of quarantine for a partition that is ours, and the group of slot only - 1. */
void weir_return_append(
	struct weir_worker *worker, const struct weir_message_slot *message, uint16_t only);
/* The worker has ended: what it did not come to. Control thread. */
void weir_returns_free(struct weir_worker *worker);
