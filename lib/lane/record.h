/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "lane/delivery.h"

/* What the files of a delivery share: its records, and how they leave flight. Private to lib/lane.
 */

#define RECORD_TOKEN  256 /* of the retry budget: one message */
#define RECORD_STATES 16

static inline struct weir_delivery_record *record_at(
	const struct weir_delivery *delivery, uint64_t seq)
{
	return &delivery->records[seq & delivery->mask];
}

static inline enum weir_delivery_state record_state(const struct weir_delivery_record *record)
{
	return (enum weir_delivery_state)(record->state % RECORD_STATES);
}

static inline enum weir_gap_reason record_reason(const struct weir_delivery_record *record)
{
	return (enum weir_gap_reason)(record->state / RECORD_STATES);
}

static inline bool record_is_flying(const struct weir_delivery_record *record)
{
	enum weir_delivery_state state = record_state(record);

	return state >= WEIR_DELIVERY_FLYING && state <= WEIR_DELIVERY_KNOCK;
}

/* It waits no longer to be sent again. */
static inline void record_not_lost(
	struct weir_delivery *delivery, const struct weir_delivery_record *record)
{
	enum weir_delivery_state state = record_state(record);

	if (state >= WEIR_DELIVERY_LOST && state <= WEIR_DELIVERY_KNOCK)
		delivery->lost--;
}

/* It is in flight no longer. */
static inline void record_land(
	struct weir_delivery *delivery, const struct weir_delivery_record *record)
{
	if (!record_is_flying(record))
		return;
	record_not_lost(delivery, record);
	delivery->flying.messages--;
	delivery->flying.bytes -= record->length;
	delivery->landed.messages++;
	delivery->landed.bytes += record->length;
}

static inline uint64_t range_least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t range_most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}
