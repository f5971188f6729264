/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/trial.h"

void weir_trial_begin(struct weir_trial *trial, const struct weir_objective *objective,
	uint64_t end_ns, const struct weir_feature_side *side)
{
	trial->objective = *objective;
	trial->end_ns = end_ns;
	trial->first = *side;
	trial->base = *side;
}

/* Where the bucket begins that the quantile lies in: what is above that was above for sure. */
static uint64_t p99_ns(const struct weir_latency *from, const struct weir_latency *to)
{
	struct weir_latency since = {.sum_ns = to->sum_ns - from->sum_ns};
	uint64_t limit;
	uint32_t bucket;

	for (int i = 0; i < WEIR_LATENCY_BUCKETS; i++)
		since.buckets[i] = to->buckets[i] - from->buckets[i];
	limit = weir_latency_quantile_ns(&since, 0.99);
	bucket = limit != 0 ? weir_latency_bucket(limit - 1) : 0;
	return bucket != 0 ? weir_latency_limit(bucket - 1) : 0;
}

static void measure(const struct weir_feature_side *from, const struct weir_feature_side *to,
	struct weir_trial_figures *figures)
{
	uint64_t lost = to->counts.lost - from->counts.lost;

	figures->messages = to->counts.delivered - from->counts.delivered + lost;
	figures->loss_ratio = figures->messages != 0 ? (double)lost / (double)figures->messages : 0;
	figures->p99_us = p99_ns(&from->send, &to->send) / 1000;
}

static enum weir_verdict compare(
	const struct weir_objective *objective, const struct weir_trial_figures *figures)
{
	if (objective->loss_ratio >= 0 && figures->loss_ratio > objective->loss_ratio)
		return WEIR_VERDICT_LOSS;
	if (objective->p99_us != 0 && figures->p99_us >= objective->p99_us)
		return WEIR_VERDICT_P99;
	return WEIR_VERDICT_OPEN;
}

enum weir_verdict weir_trial_judge(struct weir_trial *trial, uint64_t now_ns,
	const struct weir_feature_side *side, struct weir_trial_figures *figures)
{
	bool is_over = now_ns >= trial->end_ns;
	enum weir_verdict verdict = WEIR_VERDICT_OPEN;

	measure(&trial->base, side, figures);
	if (figures->messages >= WEIR_TRIAL_MESSAGES) {
		trial->base = *side;
		verdict = compare(&trial->objective, figures);
	}
	if (verdict != WEIR_VERDICT_OPEN || !is_over)
		return verdict;
	measure(&trial->first, side, figures);
	if (figures->messages == 0)
		return WEIR_VERDICT_SILENT;
	verdict = compare(&trial->objective, figures);
	return verdict == WEIR_VERDICT_OPEN ? WEIR_VERDICT_HELD : verdict;
}
