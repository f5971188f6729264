/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane/delivery.h"

#include <string.h>

#include "lane/record.h"

#define FIRST_TOKENS (64 * RECORD_TOKEN)

static void record_gone(struct weir_delivery_record *record, enum weir_gap_reason reason)
{
	record->state = (uint8_t)(WEIR_DELIVERY_GONE + reason * RECORD_STATES);
}

/* `received` follows what is settled or has arrived. */
static void follow(struct weir_delivery *delivery)
{
	if (delivery->received < delivery->done)
		delivery->received = delivery->done;
	if (delivery->client_done < delivery->done)
		delivery->client_done = delivery->done;
	if (delivery->lost_from < delivery->done)
		delivery->lost_from = delivery->done;
}

/* The oldest gaps are put together: both are below `done`, where nothing is outstanding. */
static void gap_make_room(struct weir_delivery *delivery)
{
	struct weir_delivery_gap *gaps = delivery->gaps;

	gaps[0].end = gaps[1].end;
	gaps[0].messages += gaps[1].messages;
	gaps[0].bytes += gaps[1].bytes;
	gaps[0].reason = gaps[1].reason;
	delivery->gap_count--;
	memmove(&gaps[1], &gaps[2], (delivery->gap_count - 1u) * sizeof(gaps[0]));
}

/* The message at `done` becomes part of a gap. What was left out is what no gap speaks of. */
static void gap_add(struct weir_delivery *delivery, const struct weir_delivery_record *record,
	enum weir_gap_reason reason)
{
	struct weir_delivery_gap *last =
		delivery->gap_count != 0 ? &delivery->gaps[delivery->gap_count - 1] : NULL;

	if (reason == WEIR_GAP_LEFT_OUT)
		return;
	if (last == NULL || last->end != delivery->done || last->reason != reason) {
		if (delivery->gap_count == WEIR_DELIVERY_GAPS)
			gap_make_room(delivery);
		last = &delivery->gaps[delivery->gap_count++];
		*last = (struct weir_delivery_gap){
			.first = delivery->done, .reason = (uint8_t)reason};
	}
	last->end = delivery->done + 1;
	if (record->attempts != 0) {
		last->messages++;
		last->bytes += record->length;
	}
}

/* On to the next message; the record is as new for the sequence that will use it. */
static void step(struct weir_delivery *delivery, struct weir_delivery_record *record)
{
	memset(record, 0, sizeof(*record));
	delivery->done++;
	if (delivery->next < delivery->done)
		delivery->next = delivery->done;
	follow(delivery);
}

void weir_delivery_init(struct weir_delivery *delivery, struct weir_delivery_record *records,
	uint64_t mask, const struct weir_delivery_rules *rules, uint64_t seq)
{
	*delivery = (struct weir_delivery){
		.records = records,
		.mask = mask,
		.rules = rules,
		.done = seq,
		.received = seq,
		.next = seq,
		.client_done = seq,
		.redeliver = seq,
		.lost_from = seq,
		.sampled = seq,
		.tokens = FIRST_TOKENS,
	};
}

void weir_delivery_rewind(struct weir_delivery *delivery)
{
	for (uint64_t seq = delivery->done; seq != delivery->next; seq++) {
		struct weir_delivery_record *record = record_at(delivery, seq);

		record_land(delivery, record);
		if (record_state(record) != WEIR_DELIVERY_GONE)
			memset(record, 0, sizeof(*record));
		record->attempts = 0;
	}
	/* The next session was sent nothing yet: a gap takes none of its credit. */
	for (uint8_t i = 0; i < delivery->gap_count; i++)
		delivery->gaps[i].messages = delivery->gaps[i].bytes = 0;
	delivery->redeliver = range_most(delivery->redeliver, delivery->next);
	delivery->next = delivery->done;
	delivery->received = delivery->done;
	delivery->client_done = delivery->done;
	delivery->lost_from = delivery->done;
	delivery->sampled = delivery->done;
	delivery->tokens = FIRST_TOKENS;
	delivery->srtt_us = 0;
	delivery->probes = 0;
}

void weir_delivery_reopen(struct weir_delivery *delivery, uint64_t seq)
{
	weir_delivery_rewind(delivery);
	for (uint64_t gone = delivery->done; delivery->settled != 0; gone++) {
		struct weir_delivery_record *record = record_at(delivery, gone);

		if (record_state(record) != WEIR_DELIVERY_GONE)
			continue;
		memset(record, 0, sizeof(*record));
		delivery->settled--;
	}
	delivery->done = delivery->received = delivery->next = seq;
	delivery->client_done = delivery->lost_from = delivery->sampled = seq;
	delivery->gap_count = 0;
}

void weir_delivery_sent(struct weir_delivery *delivery, uint16_t length, uint64_t now_us)
{
	struct weir_delivery_record *record = record_at(delivery, delivery->next);

	record->sent_us = (uint32_t)now_us;
	record->length = length;
	record->attempts = 1;
	record->state = WEIR_DELIVERY_FLYING;
	/* Silence is counted from when there is something to hear of. */
	if (delivery->flying.messages == 0) {
		delivery->heard_us = now_us;
		delivery->probes = 0;
	}
	delivery->flying.messages++;
	delivery->flying.bytes += length;
	delivery->sent_us = now_us;
	delivery->next++;
}

void weir_delivery_pass(struct weir_delivery *delivery, enum weir_gap_reason reason)
{
	struct weir_delivery_record *record = record_at(delivery, delivery->next);

	record->attempts = 0;
	record->length = 0;
	record_gone(record, reason);
	delivery->settled++;
	delivery->next++;
}

void weir_delivery_give_up(
	struct weir_delivery *delivery, uint64_t seq, enum weir_gap_reason reason)
{
	struct weir_delivery_record *record = record_at(delivery, seq);

	record_land(delivery, record);
	record_gone(record, reason);
	delivery->settled++;
}

bool weir_delivery_is_gone(
	const struct weir_delivery *delivery, uint64_t seq, enum weir_gap_reason *reason)
{
	const struct weir_delivery_record *record = record_at(delivery, seq);

	*reason = record_reason(record);
	return record_state(record) == WEIR_DELIVERY_GONE;
}

void weir_delivery_skip_gone(struct weir_delivery *delivery)
{
	uint64_t end = delivery->done + delivery->mask + 1;

	while (delivery->settled != 0 && delivery->next != end &&
		record_state(record_at(delivery, delivery->next)) == WEIR_DELIVERY_GONE)
		delivery->next++;
}

void weir_delivery_trust(struct weir_delivery *delivery)
{
	for (uint64_t seq = delivery->received; seq != delivery->next; seq++) {
		struct weir_delivery_record *record = record_at(delivery, seq);

		if (!record_is_flying(record))
			continue;
		record_land(delivery, record);
		record->state = WEIR_DELIVERY_RECEIVED;
	}
	delivery->received = delivery->next;
	delivery->client_done = delivery->next;
	/* Nobody will say that they were heard of; the jump in sequence tells them. */
	delivery->gap_count = 0;
}

enum weir_delivery_state weir_delivery_settle(struct weir_delivery *delivery, uint16_t *length)
{
	struct weir_delivery_record *record = record_at(delivery, delivery->done);
	enum weir_delivery_state state = record_state(record);

	if (state == WEIR_DELIVERY_GONE) {
		gap_add(delivery, record, record_reason(record));
		delivery->settled--;
	} else if (state != WEIR_DELIVERY_RECEIVED || delivery->done >= delivery->client_done) {
		return WEIR_DELIVERY_UNSENT;
	}
	*length = record->length;
	step(delivery, record);
	return state;
}

enum weir_delivery_state weir_delivery_drop(
	struct weir_delivery *delivery, enum weir_gap_reason reason)
{
	struct weir_delivery_record *record = record_at(delivery, delivery->done);
	enum weir_delivery_state state = record_state(record);

	if (state == WEIR_DELIVERY_GONE) {
		gap_add(delivery, record, record_reason(record));
		delivery->settled--;
	} else if (state != WEIR_DELIVERY_RECEIVED) {
		gap_add(delivery, record, reason);
		record_land(delivery, record);
	}
	step(delivery, record);
	return state;
}

void weir_delivery_missing(
	struct weir_delivery *delivery, uint64_t first, uint64_t end, enum weir_gap_reason reason)
{
	if (first >= end)
		return;
	if (delivery->gap_count == WEIR_DELIVERY_GAPS)
		gap_make_room(delivery);
	delivery->gaps[delivery->gap_count++] =
		(struct weir_delivery_gap){.first = first, .end = end, .reason = (uint8_t)reason};
}

void weir_delivery_inherit(
	struct weir_delivery *delivery, uint64_t first, enum weir_gap_reason reason)
{
	uint64_t end = delivery->gap_count != 0 ? delivery->gaps[0].first : delivery->done;

	if (first >= end)
		return;
	if (delivery->gap_count == WEIR_DELIVERY_GAPS)
		gap_make_room(delivery);
	memmove(&delivery->gaps[1], &delivery->gaps[0],
		delivery->gap_count * sizeof(delivery->gaps[0]));
	delivery->gap_count++;
	delivery->gaps[0] =
		(struct weir_delivery_gap){.first = first, .end = end, .reason = (uint8_t)reason};
}
