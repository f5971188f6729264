/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What differs from what was meant, look by look. Each look gives all facts; a fact whose two
 * values differ is a difference from then on, until a look finds them the same or does not name the
 * fact any more. Pure: the time is passed in. One thread.
 */

#define WEIR_DRIFT_SIDES_TABLE(X)                                                                  \
	X(EFFECTIVE, "effective") /* what the data plane runs with, by the configuration */        \
	X(HOST, "host")           /* what it stands on, by what it was at the start */

enum weir_drift_side {
#define X(id, name) WEIR_DRIFT_##id,
	WEIR_DRIFT_SIDES_TABLE(X)
#undef X
		WEIR_DRIFT_SIDES
};

#define WEIR_DRIFT_MAX  256 /* differences that are told apart; more are counted */
#define WEIR_DRIFT_NAME 96
#define WEIR_DRIFT_TEXT 64 /* of a value; what is longer is cut */

struct weir_drift_difference {
	enum weir_drift_side side;
	char name[WEIR_DRIFT_NAME];
	char intended[WEIR_DRIFT_TEXT];
	char actual[WEIR_DRIFT_TEXT];
	uint64_t since_ns; /* when it was found */
	bool is_in_look;
};

/* One that has begun, has another value now, or has ended. */
typedef void (*weir_drift_changed)(
	void *context, const struct weir_drift_difference *difference, bool is_over);

struct weir_drift_list {
	struct weir_drift_difference list[WEIR_DRIFT_MAX];
	uint32_t count;
	uint32_t counts[WEIR_DRIFT_SIDES]; /* differences of the newest look, all of them */
	uint32_t left_out;                 /* of it, without room in the list */
	weir_drift_changed changed;
	void *context;
};

void weir_drift_begin(struct weir_drift_list *drift);
/* The fact differs if its values do. */
void weir_drift_take(struct weir_drift_list *drift, enum weir_drift_side side, uint64_t now_ns,
	const char *name, const char *intended, const char *actual);
void weir_drift_end(struct weir_drift_list *drift);
const char *weir_drift_side_name(enum weir_drift_side side);
