/* SPDX-License-Identifier: BSD-3-Clause */
#include "histogram.h"

#define OCTAVE_BITS 5 /* 32 buckets */

static unsigned int bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < 2u << OCTAVE_BITS)
		return (unsigned int)value;
	shift = 63 - (unsigned int)__builtin_clzll(value) - OCTAVE_BITS;
	return (shift << OCTAVE_BITS) + (unsigned int)(value >> shift);
}

/* The highest value that falls into the bucket. */
static uint64_t bucket_top(unsigned int bucket)
{
	unsigned int shift;
	uint64_t mantissa;

	if (bucket < 2u << OCTAVE_BITS)
		return bucket;
	shift = (bucket >> OCTAVE_BITS) - 1;
	mantissa = bucket - (shift << OCTAVE_BITS);
	return (mantissa << shift) + ((1ull << shift) - 1);
}

void load_histogram_add(struct load_histogram *histogram, uint64_t value)
{
	if (histogram->count == 0 || value < histogram->lowest)
		histogram->lowest = value;
	if (value > histogram->highest)
		histogram->highest = value;
	histogram->count++;
	histogram->buckets[bucket_of(value)]++;
}

uint64_t load_histogram_quantile(const struct load_histogram *histogram, unsigned int per_mille)
{
	/* Of `count` values in order, the rank of the wanted one, from 1, rounded up. */
	uint64_t rank = histogram->count / 1000 * per_mille +
			(histogram->count % 1000 * per_mille + 999) / 1000;
	uint64_t passed = 0;

	for (unsigned int bucket = 0; bucket < LOAD_HISTOGRAM_BUCKETS; bucket++) {
		uint64_t top = bucket_top(bucket);

		passed += histogram->buckets[bucket];
		if (passed >= rank && passed > 0)
			return top < histogram->highest ? top : histogram->highest;
	}
	return histogram->highest;
}
