/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Measures a rate over the middle eight tenths of a run, between the first and the last event,
 * so that a slow start and a thin end do not blur it. Events are counted in bins of time that
 * double their width when the run outgrows them; memory is constant. Pure; one thread.
 */
#define LOAD_METER_BINS 16384

struct load_meter {
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t width_ns; /* of a bin; 0 before the first event */
	uint64_t packets[LOAD_METER_BINS];
	uint64_t bytes[LOAD_METER_BINS];
};

struct load_rate {
	double packets_per_s;
	double bits_per_s;
};

/* Times must not run backwards; one that does counts at the first. */
void load_meter_add(struct load_meter *meter, uint64_t now_ns, uint64_t packets, uint64_t bytes);
/* Of fewer than ten bins: over the whole run. 0 when there is no span of time. */
struct load_rate load_meter_rate(const struct load_meter *meter);
