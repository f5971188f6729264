/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * How long messages take, by stage: a log-linear histogram each, four buckets an octave from
 * 256 ns to a minute, so a value is known to a quarter at worst.
 *
 *   ring         from receive to the partition ring; across the mesh it has the way between workers
 *   send         from receive to the egress port's queue, by tier
 *   acknowledge  from sending to the acknowledgement of an acknowledged consumer
 *
 * Sampled, so that it costs little enough to stay on: one clock reading a receive burst, a mesh
 * burst and a turn of a queue stands for all messages of it; an acknowledgement for itself. Written
 * by its worker alone, read by the control thread word for word.
 */
#define WEIR_LATENCY_FIRST   8 /* log2 of ns: the first bucket is below */
#define WEIR_LATENCY_OCTAVES 28
#define WEIR_LATENCY_SPLIT   4 /* buckets an octave */
#define WEIR_LATENCY_BUCKETS (2 + WEIR_LATENCY_OCTAVES * WEIR_LATENCY_SPLIT)

#define WEIR_LATENCIES(X)                                                                          \
	X(RING, "ring", "")                                                                        \
	X(SEND_CRITICAL, "send", "critical")                                                       \
	X(SEND_STANDARD, "send", "standard")                                                       \
	X(SEND_BULK, "send", "bulk")                                                               \
	X(ACKNOWLEDGE, "acknowledge", "")

enum weir_latency_id {
#define X(id, stage, tier) WEIR_LATENCY_##id,
	WEIR_LATENCIES(X)
#undef X
		WEIR_LATENCY_COUNT
};

struct weir_latency {
	uint64_t sum_ns; /* of values times messages */
	uint64_t buckets[WEIR_LATENCY_BUCKETS];
};

static inline uint32_t weir_latency_bucket(uint64_t ns)
{
	uint32_t log, bucket;

	if (ns < 1ull << WEIR_LATENCY_FIRST)
		return 0;
	log = 63 - (uint32_t)__builtin_clzll(ns);
	bucket = 1 + (log - WEIR_LATENCY_FIRST) * WEIR_LATENCY_SPLIT +
		 (uint32_t)(ns >> (log - 2)) % WEIR_LATENCY_SPLIT;
	return bucket < WEIR_LATENCY_BUCKETS - 1 ? bucket : WEIR_LATENCY_BUCKETS - 1;
}

/* What every value of the bucket is below, in ns; of the last: UINT64_MAX. */
static inline uint64_t weir_latency_limit(uint32_t bucket)
{
	uint32_t octave = (bucket - 1) / WEIR_LATENCY_SPLIT;
	uint32_t part = (bucket - 1) % WEIR_LATENCY_SPLIT;

	if (bucket == 0)
		return 1ull << WEIR_LATENCY_FIRST;
	if (bucket >= WEIR_LATENCY_BUCKETS - 1)
		return UINT64_MAX;
	return (uint64_t)(WEIR_LATENCY_SPLIT + part + 1) << (WEIR_LATENCY_FIRST + octave - 2);
}

/* Like so many messages that took that long. */
static inline void weir_latency_add(struct weir_latency *latency, uint64_t ns, uint64_t messages)
{
	latency->sum_ns += ns * messages;
	latency->buckets[weir_latency_bucket(ns)] += messages;
}

/* How many there are. */
uint64_t weir_latency_total(const struct weir_latency *latency);
/* The limit that a share of them is below, 0 to 1; 0 when there is none. Of the last bucket: where
 * it begins. */
uint64_t weir_latency_quantile_ns(const struct weir_latency *latency, double share);
