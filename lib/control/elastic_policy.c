/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/elastic_policy.h"

#include <string.h>

static bool is_high(const struct weir_config_elastic *config, const struct weir_elastic_look *look)
{
	return look->can_wake && look->busy * 100 >= (double)config->wake_percent * look->awake;
}

static bool is_low(const struct weir_config_elastic *config, const struct weir_elastic_look *look)
{
	return look->can_park && look->awake > config->least &&
	       look->busy * 100 <= (double)config->park_percent * (look->awake - 1);
}

/* For how long it has been so; 0 when it is not. */
static uint64_t follow(bool is, bool *was, uint64_t *since_ms, uint64_t now_ms)
{
	if (!is || !*was)
		*since_ms = now_ms;
	*was = is;
	return now_ms - *since_ms;
}

enum weir_elastic_decision weir_elastic_decide(struct weir_elastic_state *state,
	const struct weir_config_elastic *config, const struct weir_elastic_look *look)
{
	uint64_t high_ms, low_ms;

	if (!look->is_settled) {
		weir_elastic_restart(state);
		return WEIR_ELASTIC_KEEP;
	}
	/* Fewer than there are to be: at once. */
	if (look->awake < config->least && look->can_wake)
		return WEIR_ELASTIC_WAKE;
	high_ms =
		follow(is_high(config, look), &state->is_high, &state->high_since_ms, look->now_ms);
	low_ms = follow(is_low(config, look), &state->is_low, &state->low_since_ms, look->now_ms);
	if (state->is_high && high_ms >= config->wake_ms)
		return WEIR_ELASTIC_WAKE;
	if (state->is_low && low_ms >= config->park_ms)
		return WEIR_ELASTIC_PARK;
	return WEIR_ELASTIC_KEEP;
}

void weir_elastic_restart(struct weir_elastic_state *state)
{
	memset(state, 0, sizeof(*state));
}
