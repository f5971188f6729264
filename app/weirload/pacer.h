/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * A schedule of bursts at absolute times, so that a late one does not delay those after it. A
 * thread that was stopped for long does not make up for it in one flood: the schedule slips, and
 * by how much is counted. Pure; one thread.
 */
#define LOAD_PACER_CATCH_UP_NS 20000000 /* unless the caller says otherwise */

struct load_pacer {
	double rate;    /* packets a second; 0: no limit */
	uint64_t burst; /* packets that leave together */
	uint64_t start_ns;
	uint64_t catch_up_ns; /* later than this is not made up for */
	uint64_t sent;
	uint64_t slipped_ns;
};

/* `burst` 0: what is due in a millisecond, 1 to 64. The first burst is due at `start_ns`. */
void load_pacer_init(struct load_pacer *pacer, double rate, uint64_t burst, uint64_t start_ns);
/* Packets that may leave now; the caller adds what it sent to `sent`. */
uint64_t load_pacer_due(struct load_pacer *pacer, uint64_t now_ns);
/* When the next burst is due. */
uint64_t load_pacer_next(const struct load_pacer *pacer);
