/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/reassign.h"
#include "dataplane/succession.h"
#include "dataplane/transit.h"
#include "dataplane_fixture.h"

/* The workers' loops of the fixture. */

#define ROUNDS 100000 /* turns after which delivery is taken to be stuck */

static void give_up(const char *what)
{
	fprintf(stderr, "fixture: %s\n", what);
	abort();
}

/* What several workers have for each other; returns how much. */
static uint32_t turn_mesh(struct weir_worker *worker)
{
	uint32_t taken = weir_transit_take(worker);

	if (worker->is_reassigning)
		weir_reassign_step(worker);
	weir_mesh_flush(worker);
	return taken + weir_mesh_poll(worker) + weir_tx_poll_handoffs(worker) +
	       weir_frames_poll(worker);
}

static uint32_t turn_worker(struct weir_worker *worker)
{
	uint32_t taken = worker->dataplane->worker_count > 1 ? turn_mesh(worker) : 0;

	weir_wakes_poll(worker);
	worker->next_succession = 0; /* time stands still meanwhile */
	if (worker->has_succession)
		weir_succession_run(worker);
	taken += weir_schedule(worker);
	weir_tx_flush_all(worker);
	weir_transit_leave(worker);
	return taken;
}

uint32_t plane_turn_worker(struct plane *plane, uint16_t worker)
{
	return turn_worker(&plane->dataplane->workers[worker]);
}

void plane_follow(struct plane *plane, uint16_t worker)
{
	weir_worker_apply(&plane->dataplane->workers[worker], plane->dataplane->published);
}

void plane_arrive(struct plane *plane)
{
	for (uint32_t round = 0; round < 10000; round++) {
		weir_dataplane_reclaim(plane->dataplane);
		if (plane->dataplane->moves.count == 0 && !plane->dataplane->moves.is_wanted)
			return;
		for (uint16_t id = 0; id < plane->dataplane->worker_count; id++)
			plane_follow(plane, id);
		plane_turn(plane);
		plane_advance(plane, 10);
	}
	give_up("moves do not end");
}

uint32_t plane_turn(struct plane *plane)
{
	uint32_t taken = 0;

	plane_moves(plane, 1);
	for (uint32_t id = 0; id < plane->dataplane->worker_count; id++)
		taken += turn_worker(&plane->dataplane->workers[id]);
	return taken;
}

void plane_tick(struct plane *plane)
{
	for (uint32_t id = 0; id < plane->dataplane->worker_count; id++) {
		weir_partition_sweep(&plane->dataplane->workers[id]);
		weir_native_tick(&plane->dataplane->workers[id]);
		weir_tx_flush_all(&plane->dataplane->workers[id]);
	}
}

/* What was sent of a stream's old rings is to have left: time passes. */
static bool is_settling(struct plane *plane)
{
	for (uint32_t id = 0; id < plane->dataplane->worker_count; id++)
		if (plane->dataplane->workers[id].is_ending) {
			plane_advance(plane, 10);
			return true;
		}
	return false;
}

/* What is sent again is sent, and not taken. */
uint32_t plane_deliver(struct plane *plane)
{
	uint32_t taken, sent, total = 0;
	uint32_t round = 0;

	do {
		if (round++ == ROUNDS)
			give_up("delivery does not end");
		sent = plane->sent_count;
		taken = plane_turn(plane);
		total += taken;
	} while (taken != 0 || plane->sent_count != sent || is_settling(plane));
	return total;
}
