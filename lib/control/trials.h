/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/feature.h"
#include "config/feature.h"
#include "control/gateway.h"
#include "telemetry/trial.h"

/*
 * Features as an operator sets them: for good, or on trial against an objective. Whenever figures
 * are taken (telemetry.interval_ms) each trial is judged: violated, the setting of before comes
 * back by itself; kept to the end, the new one stays. What was set lasts as long as the gateway
 * runs, so a trial that a restart cuts short has reverted: the configuration says what is on.
 * Control thread only.
 */
struct weir_trials;

int weir_trials_create(struct weir_gateway *gateway, struct weir_trials **trials);
/* NULL is fine. */
void weir_trials_destroy(struct weir_trials *trials);

struct weir_feature_terms {
	uint32_t seconds;
	struct weir_objective objective;
};
/*
 * `terms` NULL: for good, which ends a trial of the feature. 0; -EBUSY: it is on trial already;
 * -EALREADY: what is to be tried is so already; -ENOMEM.
 */
int weir_trials_set(struct weir_trials *trials, enum weir_feature feature,
	const struct weir_config_feature *setting, const struct weir_feature_terms *terms,
	struct weir_error *error);
/* The trial of the feature that runs, or NULL; *left_ms of it. */
const struct weir_trial *weir_trials_running(
	const struct weir_trials *trials, enum weir_feature feature, uint64_t *left_ms);
/* Figures were taken: judge. */
void weir_trials_look(struct weir_trials *trials, uint64_t now_ns);
/* A configuration was applied: where it has set a feature that was on trial, the trial is over. */
void weir_trials_sync(struct weir_trials *trials);
