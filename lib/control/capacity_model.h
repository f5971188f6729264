/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * How far the load can grow. Of each resource: what is used now, what of that does not grow with
 * the load, and what there is. The rest is taken to grow in proportion, so it is used up at
 * (limit - fixed) / (now - fixed) times the present load. Pure; any thread.
 */

#define WEIR_CAPACITY_KINDS_TABLE(X)                                                               \
	X(WORKER, "worker")                                                                        \
	X(POOL, "pool")                                                                            \
	X(STREAM, "stream")                                                                        \
	X(PORT, "port")                                                                            \
	X(CONSUMER, "consumer")

enum weir_capacity_kind {
#define X(id, name) WEIR_CAPACITY_##id,
	WEIR_CAPACITY_KINDS_TABLE(X)
#undef X
		WEIR_CAPACITY_KINDS
};

struct weir_capacity {
	enum weir_capacity_kind kind;
	char name[40];
	const char *what; /* that is used up; static */
	const char *unit; /* of `now`, `fixed` and `limit`; static */
	double now, fixed, limit;
	double cycles_per_message; /* of a worker; 0: unknown */
};

/* Times the present load; INFINITY: it does not grow with it. */
double weir_capacity_factor(const struct weir_capacity *capacity);
/* Used at so many times the present load, in percent of what there is; above 100: too much. */
double weir_capacity_used_percent(const struct weir_capacity *capacity, double factor);
/* For qsort: what is used up first comes first. */
int weir_capacity_compare(const void *a, const void *b);
const char *weir_capacity_kind_name(enum weir_capacity_kind kind);

/* How fast a counter grows: half of what it was, half of what is new. */
struct weir_capacity_rate {
	uint64_t seen;
	double per_s;
	bool is_begun;  /* `seen` is a look's */
	bool has_grown; /* `per_s` is two looks' */
};
void weir_capacity_follow(struct weir_capacity_rate *rate, uint64_t now, double seconds);
