/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "breaks.h"
#include "consumer.h"
#include "log.h"
#include "network.h"
#include "plan.h"

/*
 * One run of the simulator: everything that a seed makes, and the virtual clock. Time stands still
 * while anybody works; it jumps to whatever happens next.
 */

struct sim_gateway;
struct sim_checks;

struct sim_world {
	uint64_t seed;
	uint64_t now_ns;
	struct sim_plan plan;
	struct sim_log log;
	struct sim_network network;
	struct sim_random chance; /* producers and consumers */
	struct sim_gateway *gateway;
	struct sim_checks *checks;
	struct sim_consumer consumers[SIM_CONSUMERS];
	uint32_t streams[SIM_NAMES]; /* the one that has the name now */
	uint64_t produce_at[SIM_NAMES];
	uint32_t produced[SIM_NAMES];
	uint32_t fault_next; /* first that has not begun */
	bool is_fault_active[SIM_FAULTS];
	uint64_t busy_frames; /* DATA, GAP and NACK sent so far: when it is quiet there are none */
};

struct sim_result {
	uint64_t digest;
	uint64_t events;
	const char *promise; /* broken; NULL: none */
};

/* Runs a seed to its end. Prints what was broken, and how to see it again, if `is_loud`. */
struct sim_result sim_world_run(uint64_t seed, bool is_loud, bool is_verbose);

void sim_event(struct sim_world *world, enum sim_event_kind kind, uint32_t who, uint32_t lane,
	uint64_t a, uint64_t b);
#define sim_fail(world, ...) sim_log_fail(&(world)->log, __VA_ARGS__)
_Noreturn void sim_no_memory(void);
void *sim_alloc(size_t size);
