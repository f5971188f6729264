/* SPDX-License-Identifier: BSD-3-Clause */
#include "impair.h"

#include "clock.h"

/* What a random number is for. */
enum draw { DRAW_LOSS, DRAW_DUPLICATE, DRAW_REORDER, DRAW_JITTER, DRAWS };

/* The finalizer of the SplitMix64 generator: each bit of the result depends on each of `bits`. */
static uint64_t mix(uint64_t bits)
{
	bits = (bits ^ bits >> 30) * 0xbf58476d1ce4e5b9ull;
	bits = (bits ^ bits >> 27) * 0x94d049bb133111ebull;
	return bits ^ bits >> 31;
}

/* Even in [0, 1), for the packet at hand. */
static double draw(const struct load_impair *impair, enum draw what)
{
	uint64_t count = impair->packets * DRAWS + what + 1;

	return (double)(mix(impair->key + count * 0x9e3779b97f4a7c15ull) >> 11) * 0x1p-53;
}

/*
 * Gilbert's channel: in a run of losses all is lost, outside nothing. A run ends with chance
 * 1/burst after each loss, so it has the length `burst` in the mean; it begins so often that
 * the share of time in runs is `loss`.
 */
static bool is_lost(struct load_impair *impair)
{
	const struct load_impair_plan *plan = &impair->plan;
	double number = draw(impair, DRAW_LOSS);
	double burst = (double)plan->burst;

	if (plan->burst == 0 || plan->loss >= 1)
		return number < plan->loss;
	if (impair->is_losing)
		impair->is_losing = number >= 1 / burst;
	else
		impair->is_losing = number < plan->loss / (burst * (1 - plan->loss));
	return impair->is_losing;
}

/* Signed: a packet may have come before the start. */
static bool is_cut(const struct load_impair *impair, uint64_t now_ns)
{
	const struct load_span *cut = &impair->plan.cut;
	int64_t since = (int64_t)(now_ns - impair->start_ns - cut->at_ns);

	return since >= 0 && (uint64_t)since < cut->for_ns;
}

/* When the rate has let the packet through; false: it would have to wait too long. */
static bool pass_rate(struct load_impair *impair, size_t bytes, uint64_t *time_ns)
{
	const struct load_impair_plan *plan = &impair->plan;
	uint64_t begin = *time_ns > impair->free_ns ? *time_ns : impair->free_ns;

	if (plan->rate_bps == 0)
		return true;
	if (begin - *time_ns > plan->queue_ns)
		return false;
	impair->free_ns = begin + (uint64_t)bytes * 8 * LOAD_NS_PER_S / plan->rate_bps;
	*time_ns = impair->free_ns;
	return true;
}

/* When a packet leaves that the rate let through at `time_ns`. */
static uint64_t leave(struct load_impair *impair, uint64_t time_ns)
{
	const struct load_impair_plan *plan = &impair->plan;

	time_ns += plan->delay_ns + (uint64_t)(draw(impair, DRAW_JITTER) * (double)plan->jitter_ns);
	if (time_ns < impair->latest_ns)
		time_ns = impair->latest_ns;
	if (draw(impair, DRAW_REORDER) < plan->reorder) {
		impair->stats.reordered++;
		return time_ns + plan->hold_ns;
	}
	impair->latest_ns = time_ns;
	return time_ns;
}

static unsigned int decide(
	struct load_impair *impair, uint64_t now_ns, size_t bytes, uint64_t *due_ns)
{
	bool is_lost_by_chance = is_lost(impair);
	uint64_t time_ns = now_ns;

	if (is_cut(impair, now_ns)) {
		impair->stats.cut++;
		return 0;
	}
	if (is_lost_by_chance) {
		impair->stats.lost++;
		return 0;
	}
	if (!pass_rate(impair, bytes, &time_ns)) {
		impair->stats.queue_full++;
		return 0;
	}
	*due_ns = leave(impair, time_ns);
	impair->stats.delayed += *due_ns > now_ns;
	if (draw(impair, DRAW_DUPLICATE) < impair->plan.duplicate) {
		impair->stats.duplicated++;
		return 2;
	}
	return 1;
}

const char *load_impair_fault(const struct load_impair_plan *plan)
{
	double burst = (double)plan->burst;

	/* At least one packet gets through between two runs. */
	if (plan->burst > 0 && plan->loss < 1 && plan->loss > burst * (1 - plan->loss))
		return "so much loss needs a longer --burst";
	if (plan->burst > 0 && plan->loss == 0)
		return "--burst needs --loss";
	return NULL;
}

void load_impair_init(struct load_impair *impair, const struct load_impair_plan *plan,
	uint64_t seed, unsigned int way, uint64_t start_ns)
{
	*impair = (struct load_impair){
		.plan = *plan,
		.start_ns = start_ns,
		.key = mix(mix(seed) + way),
	};
}

unsigned int load_impair_decide(
	struct load_impair *impair, uint64_t now_ns, size_t bytes, uint64_t *due_ns)
{
	unsigned int copies = decide(impair, now_ns, bytes, due_ns);

	impair->packets++;
	return copies;
}
