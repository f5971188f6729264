/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "lane/delivery.h"
#include "lane/record.h"

/* What clients say of what they have and miss. */

/* It paid for a part of a retransmission; one that was sent again for itself and a quarter. */
static void earn(struct weir_delivery *delivery, const struct weir_delivery_record *record)
{
	int32_t most =
		(int32_t)((delivery->mask + 1 < 4096 ? delivery->mask + 1 : 4096) * RECORD_TOKEN);

	delivery->tokens += (int32_t)delivery->rules->retry_cost;
	if (record->attempts > 1)
		delivery->tokens += RECORD_TOKEN;
	if (delivery->tokens > most)
		delivery->tokens = most;
}

static bool take_range(struct weir_delivery *delivery, uint64_t first, uint64_t end)
{
	bool is_news = false;

	for (uint64_t seq = range_most(first, delivery->received); seq < end; seq++) {
		struct weir_delivery_record *record = record_at(delivery, seq);

		if (!record_is_flying(record))
			continue;
		earn(delivery, record);
		record_land(delivery, record);
		record->state = WEIR_DELIVERY_RECEIVED;
		is_news = true;
	}
	return is_news;
}

/* RFC 6298 section 2, from messages that were sent once only (Karn's algorithm). */
static void sample(
	struct weir_delivery *delivery, uint64_t newest, uint32_t delay_us, uint64_t now_us)
{
	const struct weir_delivery_record *record = record_at(delivery, newest);
	uint32_t rtt = (uint32_t)now_us - record->sent_us;
	uint32_t error;

	if (newest < range_most(delivery->sampled, delivery->done) || record->attempts != 1 ||
		record_state(record) == WEIR_DELIVERY_GONE)
		return;
	delivery->sampled = newest + 1;
	delivery->rtt_us = rtt > delay_us ? rtt - delay_us : 1;
	if (delivery->srtt_us == 0) {
		delivery->srtt_us = rtt;
		delivery->rttvar_us = rtt / 2;
		return;
	}
	error = rtt > delivery->srtt_us ? rtt - delivery->srtt_us : delivery->srtt_us - rtt;
	delivery->rttvar_us = (uint32_t)((3 * (uint64_t)delivery->rttvar_us + error) / 4);
	delivery->srtt_us = (uint32_t)((7 * (uint64_t)delivery->srtt_us + rtt) / 8);
	if (delivery->srtt_us == 0)
		delivery->srtt_us = 1;
}

static bool ranges_were_sent(
	const struct weir_delivery *delivery, const struct weir_frame_range *ranges, uint16_t count)
{
	return count == 0 || weir_be64(ranges[count - 1].end) <= delivery->next;
}

static void heard(struct weir_delivery *delivery, uint64_t now_us)
{
	delivery->heard_us = now_us;
	delivery->probes = 0;
}

/* Gaps that the client has passed need not be told again. */
static void forget_gaps(struct weir_delivery *delivery)
{
	uint8_t passed = 0;

	while (passed < delivery->gap_count && delivery->gaps[passed].end <= delivery->received)
		passed++;
	if (passed == 0)
		return;
	delivery->gap_count -= passed;
	for (uint8_t i = 0; i < delivery->gap_count; i++)
		delivery->gaps[i] = delivery->gaps[i + passed];
}

int weir_delivery_ack(
	struct weir_delivery *delivery, const struct weir_frame_ack *ack, uint64_t now_us)
{
	uint16_t count = weir_be16(ack->count);
	uint64_t next = weir_be64(ack->next_seq);
	uint64_t client_done = weir_be64(ack->done_seq);
	uint64_t newest = weir_be64(ack->newest_seq);
	bool is_news;

	if (next > delivery->next || client_done > next ||
		!ranges_were_sent(delivery, ack->ranges, count))
		return -EINVAL;
	is_news = take_range(delivery, delivery->received, next);
	for (uint16_t i = 0; i < count; i++)
		is_news |= take_range(
			delivery, weir_be64(ack->ranges[i].first), weir_be64(ack->ranges[i].end));
	if (newest < delivery->next)
		sample(delivery, newest, (uint32_t)weir_be16(ack->delay) * 16, now_us);
	if (next > delivery->received)
		delivery->received = next;
	if (client_done > delivery->client_done)
		delivery->client_done = client_done;
	if (next >= delivery->done)
		forget_gaps(delivery);
	if (is_news)
		heard(delivery, now_us);
	return 0;
}

/* A repeat within a round trip is about what is on its way already. */
static bool miss(struct weir_delivery *delivery, uint64_t seq, uint64_t now_us)
{
	struct weir_delivery_record *record = record_at(delivery, seq);

	if (record_state(record) != WEIR_DELIVERY_FLYING)
		return false;
	if (record->attempts > 1 &&
		(uint32_t)now_us - record->sent_us < delivery->srtt_us - delivery->srtt_us / 8)
		return false;
	record->state = WEIR_DELIVERY_LOST;
	if (seq < delivery->lost_from || delivery->lost == 0)
		delivery->lost_from = seq;
	delivery->lost++;
	return true;
}

int weir_delivery_nack(
	struct weir_delivery *delivery, const struct weir_frame_nack *nack, uint64_t now_us)
{
	uint16_t count = weir_be16(nack->count);
	bool is_news = false;

	if (!ranges_were_sent(delivery, nack->ranges, count))
		return -EINVAL;
	for (uint16_t i = 0; i < count; i++) {
		uint64_t end = weir_be64(nack->ranges[i].end);

		for (uint64_t seq =
				range_most(weir_be64(nack->ranges[i].first), delivery->received);
			seq < end; seq++)
			is_news |= miss(delivery, seq, now_us);
	}
	/* A repeat puts no probe off: where the retry budget is used up, probes alone go on. */
	if (is_news)
		heard(delivery, now_us);
	return 0;
}

/* Below `done`: what is known, else that it was settled. */
static void settled_gap(const struct weir_delivery *delivery, uint64_t from, uint64_t end,
	struct weir_delivery_gap *gap)
{
	*gap = (struct weir_delivery_gap){.first = from, .end = range_least(end, delivery->done)};
	for (uint8_t i = 0; i < delivery->gap_count; i++) {
		const struct weir_delivery_gap *known = &delivery->gaps[i];

		if (known->end <= from)
			continue;
		if (known->first > from) {
			gap->end = range_least(gap->end, known->first);
			return;
		}
		*gap = *known;
		return;
	}
}

bool weir_delivery_gap(const struct weir_delivery *delivery, uint64_t from, uint64_t end,
	struct weir_delivery_gap *gap)
{
	end = range_least(end, delivery->next);
	if (from >= end)
		return false;
	if (from < delivery->done) {
		settled_gap(delivery, from, end, gap);
		return true;
	}
	while (from != end && record_state(record_at(delivery, from)) != WEIR_DELIVERY_GONE)
		from++;
	if (from == end)
		return false;
	*gap = (struct weir_delivery_gap){
		.first = from, .reason = (uint8_t)record_reason(record_at(delivery, from))};
	for (; from != end; from++) {
		const struct weir_delivery_record *record = record_at(delivery, from);

		if (record_state(record) != WEIR_DELIVERY_GONE ||
			record_reason(record) != (enum weir_gap_reason)gap->reason)
			break;
		if (record->attempts != 0) {
			gap->messages++;
			gap->bytes += record->length;
		}
	}
	gap->end = from;
	return true;
}
