/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * Log-linear histogram of nanoseconds: 32 buckets an octave, so a quantile is right within 3 %
 * from 1 ns to centuries. Pure; one thread.
 */
#define LOAD_HISTOGRAM_BUCKETS 1920

struct load_histogram {
	uint64_t count;
	uint64_t lowest;
	uint64_t highest;
	uint64_t buckets[LOAD_HISTOGRAM_BUCKETS];
};

void load_histogram_add(struct load_histogram *histogram, uint64_t value);
/* The value that `per_mille` of a thousand do not exceed (999: p99.9); 0 when empty. */
uint64_t load_histogram_quantile(const struct load_histogram *histogram, unsigned int per_mille);
