/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"

/*
 * What the data plane runs with beside what the configuration says: limits, weights and features
 * can be set while it runs, until the next configuration says something else. Control thread only.
 */

struct weir_consumer_setting {
	const char *name; /* lent */
	struct weir_config_rate configured_rate;
	struct weir_config_rate rate;
	uint32_t configured_weight;
	uint32_t weight;
	bool is_paused; /* by an operator; the configuration never does */
	bool is_drained;
};

typedef void (*weir_consumer_setting_visit)(
	void *context, const struct weir_consumer_setting *setting);
void weir_consumer_settings(
	const struct weir_dataplane *dataplane, weir_consumer_setting_visit visit, void *context);
/* Where a feature is on now; lent until it is set again. */
const struct weir_config_feature *weir_feature_setting(
	const struct weir_dataplane *dataplane, enum weir_feature feature);
