/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a bad wire does to the packets of one direction: for each, in the order in which they
 * come, whether it gets through, how often, and when it leaves. Pure: no clock, no randomness
 * but the seed's.
 *
 * The fate of packet n is drawn from numbers that depend on the seed and n alone, and each
 * impairment draws its own: the same packets are lost whether or not there is a delay as well.
 *
 * Times are nanoseconds of the caller's clock. One thread.
 */
struct load_span {
	uint64_t at_ns;
	uint64_t for_ns;
};

struct load_impair_plan {
	double loss;          /* share of packets, 0 to 1 */
	uint64_t burst;       /* mean packets of a run of losses; 0: each packet for itself */
	double duplicate;     /* share of packets that leave twice */
	double reorder;       /* share of packets that are held back, so that later ones overtake */
	uint64_t hold_ns;     /* for how long, beyond their delay */
	uint64_t delay_ns;    /* of every packet */
	uint64_t jitter_ns;   /* delay besides, even from 0 to this; takes no packet out of order */
	uint64_t rate_bps;    /* bits of frames a second; 0: no limit */
	uint64_t queue_ns;    /* a packet that would wait longer for the rate is dropped */
	struct load_span cut; /* nothing gets in, from so long after the start; for 0: never */
};

/* Counted in packets. */
struct load_impair_stats {
	uint64_t lost;       /* by chance */
	uint64_t cut;        /* while the wire was cut */
	uint64_t queue_full; /* for the rate */
	uint64_t reordered;  /* held back; whether one overtook depends on the traffic */
	uint64_t duplicated;
	uint64_t delayed; /* left later than they came */
};

struct load_impair {
	struct load_impair_plan plan;
	struct load_impair_stats stats;
	uint64_t start_ns;
	uint64_t key;       /* of the random numbers */
	uint64_t packets;   /* decided on */
	uint64_t latest_ns; /* when the latest packet leaves that is not held back */
	uint64_t free_ns;   /* when the rate lets the next packet leave */
	bool is_losing;     /* in a run of losses */
};

/* Why the plan cannot be kept, NULL when it can. */
const char *load_impair_fault(const struct load_impair_plan *plan);
/* `way` tells the directions of a wire apart that have one seed. The plan is without fault. */
void load_impair_init(struct load_impair *impair, const struct load_impair_plan *plan,
	uint64_t seed, unsigned int way, uint64_t start_ns);
/* Decide on a packet that comes now. How many of it leave (0 to 2), all at `due_ns`. */
unsigned int load_impair_decide(
	struct load_impair *impair, uint64_t now_ns, size_t bytes, uint64_t *due_ns);
