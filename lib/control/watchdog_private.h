/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "config/config.h"
#include "control/watchdog.h"

/* Shared by watchdog.c (troubles and what is done about them) and watchdog_look.c (what is wrong).
 */

enum weir_outcome {
	WEIR_OUTCOME_DONE,
	WEIR_OUTCOME_REPORTED, /* only: remedies are off */
	WEIR_OUTCOME_LIMITED,
	WEIR_OUTCOME_FAILED,
	WEIR_OUTCOMES
};

/* What is, or was, wrong with one subject. */
struct weir_trouble {
	enum weir_watchdog_kind kind;
	char subject[80];
	char reason[96];
	bool is_on;
	bool was_found;    /* in this look */
	uint64_t since_ns; /* of the last change */
	uint64_t hour_ns;  /* when the hour of `actions` began */
	uint32_t actions;
};

struct weir_watchdog {
	struct weir_gateway *gateway;
	struct weir_trouble *list;
	uint32_t count;
	uint32_t *keys;    /* of the list: most comparisons end here */
	uint32_t left_out; /* of the last look: there was no room for them */
	bool looks_again;  /* at routes, when this look is over */
	uint64_t outcomes[WEIR_WATCHDOG_COUNT][WEIR_OUTCOMES];
	/* Of the look before, to see what grew. */
	double port_errors[WEIR_MAX_PORTS], port_full[WEIR_MAX_PORTS], port_sent[WEIR_MAX_PORTS];
	uint64_t hot_ns[WEIR_MAX_WORKERS]; /* since when each is busy all the time; 0: it is not */
	bool has_before;
	int64_t wall_offset_ns; /* wall clock minus monotonic */
	uint64_t stepped_ns;    /* 0: not of late */
	bool sheds;
};

/* Something is wrong in this look; at its begin it is told, and met. */
void weir_watchdog_found(struct weir_watchdog *watchdog, enum weir_watchdog_kind kind,
	uint64_t now_ns, const char *subject, const char *reason);
void weir_watchdog_shed(struct weir_watchdog *watchdog, bool on);
/* watchdog_look.c: find all that is wrong. */
void weir_watchdog_look_at_all(
	struct weir_watchdog *watchdog, uint64_t now_ns, const struct weir_samples *samples);
