/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/feature.h"

/*
 * A feature on trial: what is counted on the side that the trial is about is held against an
 * objective at each look, and over the whole trial at its end. No clock: time is passed in.
 */

#define WEIR_TRIAL_MESSAGES 1000 /* that a judgement before the end is made of, at least */

struct weir_objective {
	uint64_t p99_us;   /* receive to the egress port's queue; 0: any will do */
	double loss_ratio; /* lost, of lost and delivered; negative: any will do */
};

enum weir_verdict {
	WEIR_VERDICT_OPEN,   /* too early to say, or well so far */
	WEIR_VERDICT_HELD,   /* the trial is over, and the objective was kept */
	WEIR_VERDICT_P99,    /* violated */
	WEIR_VERDICT_LOSS,   /* likewise */
	WEIR_VERDICT_SILENT, /* the trial is over, and there was no message to judge by */
};

/* What a verdict was made of. */
struct weir_trial_figures {
	uint64_t messages; /* delivered and lost */
	uint64_t p99_us;   /* it was not below this; a histogram's bucket, see latency.h */
	double loss_ratio;
};

struct weir_trial {
	struct weir_objective objective;
	uint64_t end_ns;
	struct weir_feature_side first; /* when it began */
	struct weir_feature_side base;  /* at the last judgement */
};

void weir_trial_begin(struct weir_trial *trial, const struct weir_objective *objective,
	uint64_t end_ns, const struct weir_feature_side *side);
enum weir_verdict weir_trial_judge(struct weir_trial *trial, uint64_t now_ns,
	const struct weir_feature_side *side, struct weir_trial_figures *figures);
