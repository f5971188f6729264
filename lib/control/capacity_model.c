/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/capacity_model.h"

#include <math.h>

double weir_capacity_factor(const struct weir_capacity *capacity)
{
	double grows = capacity->now - capacity->fixed;
	double factor;

	if (!(grows > 0))
		return INFINITY;
	factor = (capacity->limit - capacity->fixed) / grows;
	return factor > 0 ? factor : 0;
}

double weir_capacity_used_percent(const struct weir_capacity *capacity, double factor)
{
	double grows = capacity->now > capacity->fixed ? capacity->now - capacity->fixed : 0;
	double rest = capacity->now - grows;

	return capacity->limit > 0 ? 100 * (rest + grows * factor) / capacity->limit : 0;
}

int weir_capacity_compare(const void *a, const void *b)
{
	double left = weir_capacity_factor(a), right = weir_capacity_factor(b);

	return (left > right) - (left < right);
}

const char *weir_capacity_kind_name(enum weir_capacity_kind kind)
{
	static const char *const names[] = {
#define X(id, name) [WEIR_CAPACITY_##id] = name,
		WEIR_CAPACITY_KINDS_TABLE(X)
#undef X
	};

	return names[kind];
}

void weir_capacity_follow(struct weir_capacity_rate *rate, uint64_t now, double seconds)
{
	double per_s;

	if (!rate->is_begun || now < rate->seen) {
		*rate = (struct weir_capacity_rate){.seen = now, .is_begun = true};
		return;
	}
	per_s = (double)(now - rate->seen) / seconds;
	rate->per_s = rate->has_grown ? (rate->per_s + per_s) / 2 : per_s;
	rate->has_grown = true;
	rate->seen = now;
}
