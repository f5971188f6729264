/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/*
 * Receive queues and producers' sessions go from one worker to another. Who has one stops taking
 * anything from it, waits until every other worker has taken from the mesh what it had sent by
 * then, and passes it on (tenure.h). Who gets it begins when it has applied the snapshot that the
 * other had: of each key all goes one way after the other. Packets wait in their queue meanwhile; a
 * producer says again what nobody took.
 */

/* A receive queue; a worker that is to have it polls it. */
struct weir_rx_queue {
	struct weir_port *port;
	void *queue; /* the driver's */
	int wait_fd; /* for sleeping; -1: none */
	struct weir_tenure tenure;
};

/* Control thread. Ports are attached: whose queues are whose at first. 0 or -ENOMEM. */
int weir_reassign_create(struct weir_dataplane *dataplane);
void weir_reassign_destroy(struct weir_dataplane *dataplane);
/* Say anew who is to have what, moving little; workers follow with the next snapshot. */
void weir_reassign_plan(struct weir_dataplane *dataplane);
/* The worker has nothing, and is to get nothing. */
bool weir_reassign_is_clear(const struct weir_dataplane *dataplane, uint16_t worker);

/* Worker: a snapshot was applied; something may be for it to do. */
void weir_reassign_sync(struct weir_worker *worker);
/* Once a loop while `is_reassigning`, before it receives. */
void weir_reassign_step(struct weir_worker *worker);
