/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * Where a worker's cycles go: meson's option `cycles` builds this in, for measurements; otherwise
 * none of it is there. The time stamp counter is read where one stage ends and the next begins, for
 * a burst, four packets of it or a partition's part of it, never for each packet. What the reading
 * itself takes is measured when the worker begins, and taken off. Loops without work do not count,
 * nor such as something interrupted.
 *
 * A stage has what its name says and whatever comes before it since the end of the last.
 */

#define WEIR_CYCLES_STAGES(X)                                                                      \
	X(RECEIVE, "receive") /* the driver's receive call */                                      \
	X(PARSE, "parse")     /* headers, four packets at a time */                                \
	X(MATCH, "match")     /* the stream of a port */                                           \
	X(KEY, "key")         /* key, hash, templates, samples for hot keys */                     \
	X(SINGLE, "single")   /* packets unlike those beside them: all of these, one by one */     \
	X(GATE, "gate")       /* whether the consumer can take it; its route */                    \
	X(REWRITE, "rewrite") /* past the ring: partition, new headers, the port's queue */        \
	X(RING, "ring")       /* the same four messages, when one of them goes into a ring */      \
	X(SETTLE, "settle")   /* numbers and counters of what passed the ring */                   \
	X(MESH, "mesh")       /* messages and packets of other workers */                          \
	X(SEND, "send")       /* out of the rings: lanes, new headers or frames, port's queue */   \
	X(TX, "tx")           /* the driver's transmit call */                                     \
	X(LOOP, "loop")       /* the rest */

enum weir_cycles_stage {
#define X(id, name) WEIR_CYCLES_##id,
	WEIR_CYCLES_STAGES(X)
#undef X
		WEIR_CYCLES_COUNT
};

#ifdef WEIR_CYCLES

#include <stdbool.h>
#include <string.h>

#include <rte_cycles.h>

#define WEIR_CYCLES_INTERRUPTED_US 100

struct weir_cycles_stages {
	uint64_t cycles[WEIR_CYCLES_COUNT];
	uint64_t laps[WEIR_CYCLES_COUNT]; /* times that a stage ended */
	uint64_t packets;                 /* received */
};

/* The worker's own; control reads `all` and `lap_cycles`. */
struct weir_cycles {
	uint64_t began;                 /* TSC, the loop */
	uint64_t mark;                  /* TSC, the newest end of a stage */
	uint64_t lap_cycles;            /* that ending a stage takes */
	bool is_ring;                   /* of the four messages under way */
	struct weir_cycles_stages loop; /* this one */
	struct weir_cycles_stages all;  /* of those that count */
	uint64_t interrupted;           /* loops */
};

static inline void weir_cycles_lap(struct weir_cycles *cycles, enum weir_cycles_stage stage)
{
	uint64_t now = rte_rdtsc();

	if (cycles->is_ring && stage == WEIR_CYCLES_REWRITE) {
		stage = WEIR_CYCLES_RING;
		cycles->is_ring = false;
	}
	cycles->loop.cycles[stage] += now - cycles->mark;
	cycles->loop.laps[stage]++;
	cycles->mark = now;
}

static inline void weir_cycles_loop(struct weir_cycles *cycles, uint64_t now)
{
	memset(&cycles->loop, 0, sizeof(cycles->loop));
	cycles->began = cycles->mark = now;
}

static inline void weir_cycles_loop_end(
	struct weir_cycles *cycles, uint32_t work, uint64_t cycles_per_us)
{
	const uint64_t *from = (const uint64_t *)&cycles->loop;
	uint64_t *to = (uint64_t *)&cycles->all;

	if (work == 0)
		return;
	weir_cycles_lap(cycles, WEIR_CYCLES_LOOP);
	if (cycles->mark - cycles->began > WEIR_CYCLES_INTERRUPTED_US * cycles_per_us) {
		cycles->interrupted++;
		return;
	}
	for (size_t i = 0; i < sizeof(cycles->all) / sizeof(*to); i++)
		to[i] += from[i];
}

/* The least of what a lap takes in a row of them, some rows. */
static inline void weir_cycles_begin(struct weir_cycles *cycles)
{
	cycles->lap_cycles = UINT64_MAX;
	for (int row = 0; row < 100; row++) {
		weir_cycles_loop(cycles, rte_rdtsc());
		for (int lap = 0; lap < 100; lap++)
			weir_cycles_lap(cycles, (enum weir_cycles_stage)(lap % WEIR_CYCLES_COUNT));
		cycles->lap_cycles =
			RTE_MIN(cycles->lap_cycles, (cycles->mark - cycles->began) / 100);
	}
}

/* Without what it took to find out. */
static inline uint64_t weir_cycles_net(
	const struct weir_cycles *cycles, enum weir_cycles_stage stage)
{
	uint64_t gross = cycles->all.cycles[stage];
	uint64_t reading = cycles->all.laps[stage] * cycles->lap_cycles;

	return gross > reading ? gross - reading : 0;
}

#define WEIR_CYCLES_LAP(worker, stage)      weir_cycles_lap(&(worker)->cycles, WEIR_CYCLES_##stage)
#define WEIR_CYCLES_IS_RING(worker)         ((worker)->cycles.is_ring = true)
#define WEIR_CYCLES_RECEIVED(worker, count) ((worker)->cycles.loop.packets += (count))
#define WEIR_CYCLES_BEGIN(worker)           weir_cycles_begin(&(worker)->cycles)
#define WEIR_CYCLES_LOOP_BEGIN(worker)      weir_cycles_loop(&(worker)->cycles, (worker)->now)
#define WEIR_CYCLES_LOOP_END(worker, work)                                                         \
	weir_cycles_loop_end(&(worker)->cycles, work, (worker)->cycles_per_us)

#else

#define WEIR_CYCLES_LAP(worker, stage)      ((void)0)
#define WEIR_CYCLES_IS_RING(worker)         ((void)0)
#define WEIR_CYCLES_RECEIVED(worker, count) ((void)0)
#define WEIR_CYCLES_BEGIN(worker)           ((void)0)
#define WEIR_CYCLES_LOOP_BEGIN(worker)      ((void)0)
#define WEIR_CYCLES_LOOP_END(worker, work)  ((void)0)

#endif
