/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include "maps.bpf.h"

/*
 * The token buckets of flow/bucket.h, on the same numbers in the same memory: what the gateway has
 * taken the program finds taken, and the other way round.
 */

#define WEIR_BUCKET_FRACTION 20 /* as WEIR_BUCKET_SHIFT */
#define WEIR_BUCKET_TRIES    8

/* cost * units >> FRACTION, of which the product alone would not fit. */
static __always_inline __u64 weir_price(__u64 cost, __u64 units)
{
	const __u64 mask = (1ull << WEIR_BUCKET_FRACTION) - 1;

	return (cost >> WEIR_BUCKET_FRACTION) * units +
	       ((cost & mask) * units >> WEIR_BUCKET_FRACTION);
}

/* weir_bucket_take(): 1 when granted. After so many lost races it is taken into debt. */
static __always_inline int weir_take(struct weir_xdp_bucket *bucket, __u64 units, __u64 now)
{
	__u64 cost = *(volatile __u64 *)&bucket->cost, burst, price, needed, old, from;

	if (cost == 0)
		return 1;
	burst = *(volatile __u64 *)&bucket->burst;
	price = weir_price(cost, units);
	needed = price < burst ? price : burst;
	old = *(volatile __u64 *)&bucket->paid_until;
	for (int i = 0; i < WEIR_BUCKET_TRIES; i++) {
		__u64 found;

		from = (__s64)(now - burst - old) > 0 ? now - burst : old;
		if ((__s64)(from + needed - now) > 0)
			return 0;
		found = __sync_val_compare_and_swap(&bucket->paid_until, old, from + price);
		if (found == old)
			return 1;
		old = found;
	}
	__sync_fetch_and_add(&bucket->paid_until, price);
	return 1;
}

static __always_inline void weir_give_back(struct weir_xdp_bucket *bucket, __u64 units)
{
	__u64 cost = *(volatile __u64 *)&bucket->cost;

	if (cost != 0)
		__sync_fetch_and_add(&bucket->paid_until, -weir_price(cost, units));
}

static __always_inline int weir_take_both(struct weir_xdp_buckets *pair, __u32 bytes, __u64 now)
{
	if (!weir_take(&pair->packets, 1, now))
		return 0;
	if (weir_take(&pair->bits, (__u64)bytes * 8, now))
		return 1;
	weir_give_back(&pair->packets, 1);
	return 0;
}

/*
 * One packet of `bytes` of IP: 1 when both buckets grant it. What was there at the kernel's last
 * tick is there now, so most packets do without the clock, a seventh of what a delivery costs.
 */
static __always_inline int weir_take_packet(
	struct weir_xdp_buckets *pair, __u32 bytes, __s64 ticks_offset)
{
	if ((pair->packets.cost | pair->bits.cost) == 0)
		return 1;
	return weir_take_both(pair, bytes, bpf_ktime_get_coarse_ns() * 16 + (__u64)ticks_offset) ||
	       weir_take_both(pair, bytes, bpf_ktime_get_ns() * 16 + (__u64)ticks_offset);
}
