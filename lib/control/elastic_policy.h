/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

/*
 * How many workers the load takes. Another is woken when those that are awake have been busy for
 * wake_percent of the time, on average, for wake_ms; one is parked when the others would be busy
 * for no more than park_percent with its work, and that has held for park_ms. What begins anew
 * after each change, and park_percent being the smaller, keeps it from going to and fro. Pure: the
 * time is passed in. One thread.
 */

enum weir_elastic_decision { WEIR_ELASTIC_KEEP, WEIR_ELASTIC_PARK, WEIR_ELASTIC_WAKE };

struct weir_elastic_state {
	bool is_high, is_low; /* of the newest look */
	uint64_t high_since_ms;
	uint64_t low_since_ms;
};

struct weir_elastic_look {
	uint64_t now_ms;
	uint32_t awake;
	double busy; /* workers' worth: the sum of their busy shares */
	bool can_wake;
	bool can_park;
	bool is_settled; /* no partition is on its way: loads can be judged */
};

/* Whoever follows the decision calls weir_elastic_restart. */
enum weir_elastic_decision weir_elastic_decide(struct weir_elastic_state *state,
	const struct weir_config_elastic *config, const struct weir_elastic_look *look);
void weir_elastic_restart(struct weir_elastic_state *state);
