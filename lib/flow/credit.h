/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Absolute credit: the receiver names positions up to which it is ready, counted from the start
 * of its session. A grant that is lost, repeated or overtaken by a newer one changes nothing,
 * since the position only ever moves forward.
 *
 * Workers lease positions from `leased` in chunks and return what they do not use, so that the
 * sum sent never passes the limit by a single message, whoever sends. Pure and lock-free.
 */
struct weir_credit_line {
	_Atomic uint64_t limit;  /* the worker that receives a grant; read by senders */
	_Atomic uint64_t leased; /* senders; never above `limit` */
};

/* Messages and payload bytes. */
struct weir_credit_account {
	struct weir_credit_line messages;
	struct weir_credit_line bytes;
};

/* A new grant. True when it moved the limit. */
static inline bool weir_credit_grant(struct weir_credit_line *line, uint64_t limit)
{
	uint64_t old = atomic_load_explicit(&line->limit, memory_order_relaxed);

	while ((int64_t)(limit - old) > 0)
		if (atomic_compare_exchange_weak(&line->limit, &old, limit))
			return true;
	return false;
}

/* Lease up to `want` positions, and none when fewer than `least` are left. */
static inline uint64_t weir_credit_lease(
	struct weir_credit_line *line, uint64_t least, uint64_t want)
{
	uint64_t old = atomic_load_explicit(&line->leased, memory_order_relaxed);
	uint64_t room;

	do {
		room = atomic_load_explicit(&line->limit, memory_order_acquire) - old;
		if ((int64_t)room < (int64_t)least)
			return 0;
		if (room > want)
			room = want;
	} while (!atomic_compare_exchange_weak_explicit(
		&line->leased, &old, old + room, memory_order_relaxed, memory_order_relaxed));
	return room;
}

static inline void weir_credit_return(struct weir_credit_line *line, uint64_t unused)
{
	if (unused != 0)
		atomic_fetch_sub_explicit(&line->leased, unused, memory_order_relaxed);
}
