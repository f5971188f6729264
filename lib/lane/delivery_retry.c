/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane/delivery.h"
#include "lane/record.h"

/* What is sent again, and when silence is taken for loss. */

#define PROBE_MIN_US  1000
#define PROBE_MAX_US  200000
#define SLACK_US      4000
#define FIRST_RTT_US  20000 /* before the first sample */
#define BACKOFF_SHIFT 8     /* doublings at most */

uint64_t weir_delivery_again(struct weir_delivery *delivery, uint64_t from)
{
	uint64_t seq = range_most(from, delivery->lost_from);
	bool is_first = seq == delivery->lost_from;

	if (delivery->lost == 0)
		return WEIR_DELIVERY_NONE;
	for (; seq < delivery->next; seq++) {
		enum weir_delivery_state state = record_state(record_at(delivery, seq));

		if (state == WEIR_DELIVERY_PROBE || state == WEIR_DELIVERY_KNOCK)
			return seq;
		if (state != WEIR_DELIVERY_LOST)
			continue;
		if (is_first) {
			delivery->lost_from = seq;
			is_first = false;
		}
		if (delivery->tokens >= RECORD_TOKEN)
			return seq;
	}
	return WEIR_DELIVERY_NONE;
}

void weir_delivery_resent(struct weir_delivery *delivery, uint64_t seq, uint64_t now_us)
{
	struct weir_delivery_record *record = record_at(delivery, seq);
	enum weir_delivery_state state = record_state(record);

	if (state == WEIR_DELIVERY_LOST)
		delivery->tokens -= RECORD_TOKEN;
	record_not_lost(delivery, record);
	record->state = WEIR_DELIVERY_FLYING;
	record->sent_us = (uint32_t)now_us;
	/* Though it counts as no attempt, which of the two is acknowledged cannot be known. */
	if (state == WEIR_DELIVERY_KNOCK)
		delivery->sampled = range_most(delivery->sampled, seq + 1);
	else if (record->attempts != UINT8_MAX)
		record->attempts++;
}

bool weir_delivery_is_exhausted(const struct weir_delivery *delivery, uint64_t seq)
{
	const struct weir_delivery_record *record = record_at(delivery, seq);

	return record->attempts >= delivery->rules->attempts &&
	       record_state(record) != WEIR_DELIVERY_KNOCK;
}

/*
 * One to two round trips, doubled with each probe that brought nothing. On a short path it is the
 * scheduler of the client's host that makes acknowledgements late: milliseconds, not round trips.
 */
static uint64_t patience_us(const struct weir_delivery *delivery)
{
	uint64_t srtt = delivery->srtt_us != 0 ? delivery->srtt_us : FIRST_RTT_US;
	uint64_t slack = range_most(4 * (uint64_t)delivery->rttvar_us, srtt / 4);
	uint64_t wait = srtt + range_least(slack, range_most(srtt, SLACK_US));

	wait = range_most(wait, PROBE_MIN_US);
	wait <<= range_least(delivery->probes, BACKOFF_SHIFT);
	return range_least(wait, range_most(PROBE_MAX_US, 2 * srtt));
}

uint64_t weir_delivery_deadline_us(const struct weir_delivery *delivery)
{
	uint64_t since = range_most(delivery->heard_us, delivery->sent_us);

	if (delivery->flying.messages == 0)
		return UINT64_MAX;
	return range_most(since, delivery->probe_us) + patience_us(delivery);
}

static void probe_with(struct weir_delivery *delivery, uint64_t seq, bool is_attempt)
{
	struct weir_delivery_record *record = record_at(delivery, seq);

	record_not_lost(delivery, record);
	record->state = is_attempt ? WEIR_DELIVERY_PROBE : WEIR_DELIVERY_KNOCK;
	if (seq < delivery->lost_from || delivery->lost == 0)
		delivery->lost_from = seq;
	delivery->lost++;
}

static uint64_t newest_flying(const struct weir_delivery *delivery)
{
	uint64_t seq = delivery->next - 1;

	while (!record_is_flying(record_at(delivery, seq)))
		seq--;
	return seq;
}

static uint64_t oldest_flying(const struct weir_delivery *delivery)
{
	uint64_t seq = delivery->done;

	while (!record_is_flying(record_at(delivery, seq)))
		seq++;
	return seq;
}

void weir_delivery_tick(struct weir_delivery *delivery, bool is_alive, uint64_t now_us)
{
	uint64_t newest, oldest;

	if ((int64_t)(now_us - weir_delivery_deadline_us(delivery)) < 0 ||
		delivery->flying.messages == 0)
		return;
	newest = newest_flying(delivery);
	oldest = oldest_flying(delivery);
	probe_with(delivery, newest, is_alive);
	if (delivery->probes != 0 && oldest != newest)
		probe_with(delivery, oldest, is_alive);
	if (delivery->tokens < RECORD_TOKEN)
		delivery->tokens += RECORD_TOKEN;
	delivery->probe_us = now_us;
	if (delivery->probes != UINT8_MAX)
		delivery->probes++;
}
