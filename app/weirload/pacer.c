/* SPDX-License-Identifier: BSD-3-Clause */
#include "pacer.h"

#define NO_LIMIT_BURST 64

static uint64_t time_of(const struct load_pacer *pacer, uint64_t packets)
{
	return pacer->start_ns + (uint64_t)((double)packets * 1e9 / pacer->rate);
}

void load_pacer_init(struct load_pacer *pacer, double rate, uint64_t burst, uint64_t start_ns)
{
	uint64_t natural = (uint64_t)(rate / 1000);

	if (rate == 0 || natural > NO_LIMIT_BURST)
		natural = NO_LIMIT_BURST;
	else if (natural == 0)
		natural = 1;
	*pacer = (struct load_pacer){
		.rate = rate,
		.burst = burst == 0 ? natural : burst,
		.start_ns = start_ns,
		.catch_up_ns = LOAD_PACER_CATCH_UP_NS,
	};
}

uint64_t load_pacer_due(struct load_pacer *pacer, uint64_t now_ns)
{
	uint64_t next, bursts;

	if (pacer->rate == 0)
		return pacer->burst;
	next = load_pacer_next(pacer);
	if (now_ns < next)
		return 0;
	if (now_ns - next > pacer->catch_up_ns) {
		uint64_t slip = now_ns - next - pacer->catch_up_ns;

		pacer->start_ns += slip;
		pacer->slipped_ns += slip;
	}
	bursts = (uint64_t)((double)(now_ns - pacer->start_ns) * pacer->rate / 1e9) / pacer->burst;
	/* Rounding must not find a burst missing whose time has come. */
	if ((bursts + 1) * pacer->burst <= pacer->sent)
		return pacer->burst - pacer->sent % pacer->burst;
	return (bursts + 1) * pacer->burst - pacer->sent;
}

uint64_t load_pacer_next(const struct load_pacer *pacer)
{
	if (pacer->rate == 0)
		return 0;
	return time_of(pacer, pacer->sent / pacer->burst * pacer->burst);
}
