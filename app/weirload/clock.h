/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>
#include <time.h>

#define LOAD_NS_PER_S 1000000000ull

/* The clock of every schedule and of the records: the same in all namespaces of a machine. */
static inline uint64_t load_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * LOAD_NS_PER_S + (uint64_t)now.tv_nsec;
}

static inline uint64_t load_clock_from_seconds(double seconds)
{
	return (uint64_t)(seconds * 1e9);
}

static inline struct timespec load_clock_timespec(uint64_t ns)
{
	return (struct timespec){
		.tv_sec = (time_t)(ns / LOAD_NS_PER_S),
		.tv_nsec = (long)(ns % LOAD_NS_PER_S),
	};
}
