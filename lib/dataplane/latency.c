/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/latency.h"

uint64_t weir_latency_total(const struct weir_latency *latency)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < WEIR_LATENCY_BUCKETS; i++)
		total += latency->buckets[i];
	return total;
}

uint64_t weir_latency_quantile_ns(const struct weir_latency *latency, double share)
{
	double wanted = (double)weir_latency_total(latency) * share;
	uint64_t seen = 0;

	for (uint32_t i = 0; i < WEIR_LATENCY_BUCKETS - 1; i++) {
		seen += latency->buckets[i];
		if (seen != 0 && (double)seen >= wanted)
			return weir_latency_limit(i);
	}
	return seen == weir_latency_total(latency) ? 0
						   : weir_latency_limit(WEIR_LATENCY_BUCKETS - 2);
}
