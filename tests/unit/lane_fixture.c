/* SPDX-License-Identifier: BSD-3-Clause */
#include "lane_fixture.h"

#include <stdarg.h>
#include <string.h>

#include <CUnit/CUnit.h>

struct weir_delivery_record records[RING];
struct weir_delivery_rules rules;
struct weir_delivery lane;
uint64_t now;

void begin(void)
{
	memset(records, 0, sizeof(records));
	rules = (struct weir_delivery_rules){.retry_cost = 64, .attempts = 4};
	weir_delivery_init(&lane, records, RING - 1, &rules, FIRST);
	now = 5000000;
}

void send_some(unsigned int count)
{
	while (count-- > 0)
		weir_delivery_sent(&lane, LENGTH, now);
}

int ack(uint64_t next, uint64_t done, unsigned int count, ...)
{
	uint8_t space[sizeof(struct weir_frame_ack) + 8 * sizeof(struct weir_frame_range)] = {0};
	struct weir_frame_ack *frame = (void *)space;
	va_list list;

	frame->next_seq = weir_be64(FIRST + next);
	frame->done_seq = weir_be64(FIRST + done);
	frame->newest_seq = weir_be64(lane.next - 1);
	frame->count = weir_be16((uint16_t)count);
	va_start(list, count);
	for (unsigned int i = 0; i < count; i++) {
		frame->ranges[i].first = weir_be64(FIRST + va_arg(list, unsigned int));
		frame->ranges[i].end = weir_be64(FIRST + va_arg(list, unsigned int));
	}
	va_end(list);
	return weir_delivery_ack(&lane, frame, now);
}

int nack(uint64_t first, uint64_t end)
{
	uint8_t space[sizeof(struct weir_frame_nack) + sizeof(struct weir_frame_range)] = {0};
	struct weir_frame_nack *frame = (void *)space;

	frame->count = weir_be16(1);
	frame->ranges[0].first = weir_be64(FIRST + first);
	frame->ranges[0].end = weir_be64(FIRST + end);
	return weir_delivery_nack(&lane, frame, now);
}

unsigned int settle_all(enum weir_delivery_state wanted)
{
	enum weir_delivery_state state;
	unsigned int count = 0;
	uint16_t length;

	while ((state = weir_delivery_settle(&lane, &length)) != WEIR_DELIVERY_UNSENT)
		count += state == wanted;
	return count;
}

unsigned int resend_all(void)
{
	unsigned int count = 0;
	uint64_t seq = 0;

	while ((seq = weir_delivery_again(&lane, seq)) != WEIR_DELIVERY_NONE) {
		weir_delivery_resent(&lane, seq++, now);
		count++;
	}
	return count;
}

void check_flying(uint64_t messages)
{
	CU_ASSERT_EQUAL(lane.flying.messages, messages);
	CU_ASSERT_EQUAL(lane.flying.bytes, messages * LENGTH);
}
