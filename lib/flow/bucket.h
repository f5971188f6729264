/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A token bucket that several workers draw from without a lock. Its whole state is one number,
 * the time at which everything taken so far will have been paid for (the theoretical arrival
 * time of the generic cell rate algorithm, ITU-T I.371 annex A). The bucket is full when that
 * time is a burst in the past and empty when it is now. One compare-and-swap takes a chunk.
 *
 * Pure: the caller passes the time. Times are in ticks of 1/16 ns and wrap; only differences
 * of less than 18 years are ever formed, because an idle bucket is moved along by `take`.
 */

#define WEIR_TICKS_PER_NS 16
#define WEIR_BUCKET_SHIFT 20 /* fraction bits of `cost` */

struct weir_bucket {
	_Atomic uint64_t paid_until; /* any worker that takes; ticks */
	_Atomic uint64_t cost;       /* control thread; ticks << SHIFT a unit; 0: no limit */
	_Atomic uint64_t burst;      /* control thread; ticks */
};

static inline uint64_t weir_bucket_price(uint64_t cost, uint64_t units)
{
	return (uint64_t)(((unsigned __int128)cost * units) >> WEIR_BUCKET_SHIFT);
}

/* Set or change the rate. Tokens already there stay, up to the new burst. */
static inline void weir_bucket_set(
	struct weir_bucket *bucket, uint64_t units_per_s, uint64_t burst_units)
{
	uint64_t second = 1000000000ull * WEIR_TICKS_PER_NS;
	uint64_t cost = 0;

	if (units_per_s != 0) {
		unsigned __int128 scaled = (unsigned __int128)second << WEIR_BUCKET_SHIFT;

		cost = (uint64_t)((scaled + units_per_s / 2) / units_per_s);
	}
	atomic_store(&bucket->burst, weir_bucket_price(cost, burst_units));
	atomic_store(&bucket->cost, cost);
}

/*
 * A debt was run up at a price that holds no more, and could bar the bucket for hours: let it go.
 */
static inline void weir_bucket_forgive(struct weir_bucket *bucket, uint64_t now)
{
	uint64_t old = atomic_load(&bucket->paid_until);

	while ((int64_t)(old - now) > 0)
		if (atomic_compare_exchange_weak(&bucket->paid_until, &old, now))
			return;
}

/* A new bucket, full. */
static inline void weir_bucket_init(
	struct weir_bucket *bucket, uint64_t units_per_s, uint64_t burst_units, uint64_t now)
{
	weir_bucket_set(bucket, units_per_s, burst_units);
	atomic_store(&bucket->paid_until, now - atomic_load(&bucket->burst));
}

/*
 * Take `units` at time `now`. 0 when they are granted; else the ticks until they will be
 * there, and nothing is taken. More than a burst at once is granted from a full bucket, and
 * paid for afterwards: a packet longer than the burst must not wait for ever.
 */
static inline uint64_t weir_bucket_take(struct weir_bucket *bucket, uint64_t units, uint64_t now)
{
	uint64_t cost = atomic_load_explicit(&bucket->cost, memory_order_relaxed);
	uint64_t burst = atomic_load_explicit(&bucket->burst, memory_order_relaxed);
	uint64_t price = weir_bucket_price(cost, units);
	uint64_t needed = price < burst ? price : burst;
	uint64_t old = atomic_load_explicit(&bucket->paid_until, memory_order_relaxed);
	uint64_t from;

	if (cost == 0)
		return 0;
	do {
		from = (int64_t)(now - burst - old) > 0 ? now - burst : old;
		if ((int64_t)(from + needed - now) > 0)
			return from + needed - now;
	} while (!atomic_compare_exchange_weak_explicit(&bucket->paid_until, &old, from + price,
		memory_order_relaxed, memory_order_relaxed));
	return 0;
}

/* True when the bucket can ever hold so much: taking it is no debt. */
static inline bool weir_bucket_can_hold(const struct weir_bucket *bucket, uint64_t units)
{
	return weir_bucket_price(atomic_load_explicit(&bucket->cost, memory_order_relaxed),
		       units) <= atomic_load_explicit(&bucket->burst, memory_order_relaxed);
}

/* Give back units that were taken and not used. */
static inline void weir_bucket_return(struct weir_bucket *bucket, uint64_t units)
{
	uint64_t cost = atomic_load_explicit(&bucket->cost, memory_order_relaxed);

	atomic_fetch_sub_explicit(
		&bucket->paid_until, weir_bucket_price(cost, units), memory_order_relaxed);
}

/* Take units whether they are there or not: the bucket may go into debt. */
static inline void weir_bucket_charge(struct weir_bucket *bucket, uint64_t units, uint64_t now)
{
	uint64_t cost = atomic_load_explicit(&bucket->cost, memory_order_relaxed);
	uint64_t burst = atomic_load_explicit(&bucket->burst, memory_order_relaxed);
	uint64_t old = atomic_load_explicit(&bucket->paid_until, memory_order_relaxed);
	uint64_t from;

	if (cost == 0)
		return;
	do
		from = (int64_t)(now - burst - old) > 0 ? now - burst : old;
	while (!atomic_compare_exchange_weak_explicit(&bucket->paid_until, &old,
		from + weir_bucket_price(cost, units), memory_order_relaxed, memory_order_relaxed));
}

/* True unless the bucket is in debt. */
static inline bool weir_bucket_is_paid(struct weir_bucket *bucket, uint64_t now)
{
	return atomic_load_explicit(&bucket->cost, memory_order_relaxed) == 0 ||
	       (int64_t)(now - atomic_load_explicit(&bucket->paid_until, memory_order_relaxed)) >=
		       0;
}

static inline bool weir_bucket_is_limited(const struct weir_bucket *bucket)
{
	return atomic_load_explicit(&bucket->cost, memory_order_relaxed) != 0;
}
