/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What plans are weighed by: how much each partition carries and how fast each member works,
 * measured over some ten looks, so that neither a burst nor a pause moves anything. Pure; one
 * thread's.
 */

/* How much a partition carries; starts as zeros. */
struct weir_place_meter {
	uint64_t seen; /* messages that had come in at the last look */
	double rate;   /* a second, damped */
	bool is_begun;
};

/* `messages` have come in so far, `interval_s` after the last look. */
void weir_place_meter_look(struct weir_place_meter *meter, uint64_t messages, double interval_s);
/*
 * From the meters of all partitions to loads for a plan: an eighth of the mean is added to each,
 * since an idle partition may not stay so. All alike while nothing has come in.
 */
void weir_place_loads(const struct weir_place_meter *meters, uint32_t count, uint32_t *loads);

/* How fast a member works, as it reports; starts as zeros. */
struct weir_place_pace {
	double service_ns; /* a message, damped; 0: it does not say */
	uint32_t weight;   /* that plans use; 0: not set yet */
};

/* `service_ns` is the newest report; 0: none. */
void weir_place_pace_look(struct weir_place_pace *pace, uint32_t service_ns);
/*
 * The weight of a member whose configured one is `base`, where the usual service time of its group
 * is `usual_ns` (0: unknown): in proportion, from a quarter of `base` to four times it. A new one
 * is taken over when it differs by a quarter from the one in use.
 */
uint32_t weir_place_pace_weight(struct weir_place_pace *pace, uint32_t base, double usual_ns);
/* The usual service time: the geometric mean of those that say one; 0 when less than two do. */
double weir_place_pace_usual(const struct weir_place_pace *const *paces, uint32_t count);
