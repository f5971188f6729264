/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * How many lines of each kind were let through in the last minute. A small table: a kind that finds
 * its place taken by one whose minute is over takes it, and one that finds no place is not limited.
 * Not for several threads at once. Pure.
 */
#define WEIR_LOG_KINDS 128

struct weir_log_kind {
	const void *kind; /* NULL: the place is free */
	uint64_t since_ns;
	uint32_t lines;
	uint32_t left_out; /* in this minute and those before, not told yet */
};

struct weir_log_limit {
	struct weir_log_kind kinds[WEIR_LOG_KINDS];
};

/*
 * Whether a line of the kind may be written now; *left_out is how many were not before it, which it
 * has to tell.
 */
bool weir_log_limit_admits(struct weir_log_limit *limit, const void *kind, uint32_t per_minute,
	uint64_t now_ns, uint32_t *left_out);
