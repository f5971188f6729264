/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "wire/frame_data.h"
#include "wire/frame_delivery.h"
#include "wire/frame_produce.h"
#include "wire_frame_samples.h"

/* Delivery, replay, producers, agents, deadlines and trailers. The frames of wire_frame_test.c. */

static enum weir_reason writer_open(const struct weir_writer *writer, enum weir_frame_end end)
{
	struct weir_frame_cursor cursor;

	return weir_datagram_open(&cursor, end, writer->data, writer->length);
}

static const struct wire_frame_fault faults[] = {
	{"ack", 29, 1, WEIR_REASON_FRAME_MALFORMED},    /* more ranges than it says */
	{"ack", 29, 3, WEIR_REASON_FRAME_MALFORMED},    /* fewer */
	{"ack", 28, 1, WEIR_REASON_FRAME_MALFORMED},    /* 258 */
	{"ack", 40, 1, WEIR_REASON_FRAME_MALFORMED},    /* done with what was not received */
	{"ack", 47, 0xed, WEIR_REASON_FRAME_MALFORMED}, /* by one */
	{"ack", 47, 0xec, WEIR_REASON_NONE},            /* done with all of it */
	{"ack", 48, 0x40, WEIR_REASON_FRAME_MALFORMED}, /* newest sequence 2^62 */
	{"ack", 63, 0xec, WEIR_REASON_FRAME_MALFORMED}, /* a range at next_seq: it has that */
	{"ack", 63, 0xed, WEIR_REASON_NONE},
	{"ack", 71, 0xee, WEIR_REASON_FRAME_MALFORMED}, /* an empty range */
	{"ack", 71, 0xed, WEIR_REASON_FRAME_MALFORMED}, /* one that ends before it begins */
	{"ack", 79, 0xf1, WEIR_REASON_FRAME_MALFORMED}, /* ranges that overlap */
	{"ack", 79, 0xf2, WEIR_REASON_FRAME_MALFORMED}, /* that touch */
	{"ack", 79, 0xf3, WEIR_REASON_NONE},
	{"ack", 79, 0xed, WEIR_REASON_FRAME_MALFORMED}, /* that fall */
	{"ack", 80, 0x40, WEIR_REASON_FRAME_MALFORMED}, /* to 2^62 */
	{"ack", 19, 0x20, WEIR_REASON_FRAME_TRUNCATED}, /* shorter than its fixed part */
	{"nack", 29, 1, WEIR_REASON_FRAME_MALFORMED},
	{"nack", 29, 3, WEIR_REASON_FRAME_MALFORMED},
	{"nack", 29, 0, WEIR_REASON_FRAME_MALFORMED},
	{"nack", 32, 0x40, WEIR_REASON_FRAME_MALFORMED},
	{"nack", 47, 0xec, WEIR_REASON_FRAME_MALFORMED}, /* empty */
	{"nack", 55, 0xee, WEIR_REASON_FRAME_MALFORMED}, /* touching */
	{"nack", 55, 0xef, WEIR_REASON_NONE},
	{"nack", 56, 0x40, WEIR_REASON_FRAME_MALFORMED},
	{"nack", 63, 0xf1, WEIR_REASON_FRAME_MALFORMED}, /* ends before it begins */
	{"gap", 29, WEIR_GAP_REASON_COUNT, WEIR_REASON_FRAME_MALFORMED},
	{"gap", 29, WEIR_GAP_REASON_COUNT - 1, WEIR_REASON_NONE},
	{"gap", 28, 1, WEIR_REASON_FRAME_MALFORMED},
	{"gap", 47, 0xf2, WEIR_REASON_FRAME_MALFORMED},             /* empty */
	{"gap", 39, 0xf5, WEIR_REASON_FRAME_MALFORMED},             /* begins after its end */
	{"gap", 40, 0x40, WEIR_REASON_FRAME_MALFORMED},             /* to 2^62 */
	{"revoke", 32, 0x40, WEIR_REASON_FRAME_MALFORMED},          /* sequence 2^62 */
	{"revoke", 40, 0x40, WEIR_REASON_FRAME_MALFORMED},          /* messages */
	{"revoke", 48, 0x40, WEIR_REASON_FRAME_MALFORMED},          /* bytes */
	{"revoke", 19, 0x20, WEIR_REASON_FRAME_TRUNCATED},          /* shorter */
	{"revoke", 16, WEIR_FRAME_ASSIGN, WEIR_REASON_NONE},        /* the same layout */
	{"revoke", 16, WEIR_FRAME_RELEASE, WEIR_REASON_FRAME_TYPE}, /* not for this end */
	{"release", 16, WEIR_FRAME_REVOKE, WEIR_REASON_FRAME_TYPE}, /* likewise */
	{"release", 32, 0x40, WEIR_REASON_FRAME_MALFORMED},         /* sequence 2^62 */
	{"seek", 23, 0, WEIR_REASON_FRAME_MALFORMED},               /* counter 0 */
	{"seek", 28, WEIR_START_RESUME, WEIR_REASON_FRAME_MALFORMED},
	{"seek", 28, WEIR_STARTS, WEIR_REASON_FRAME_MALFORMED},
	{"seek", 28, WEIR_START_LATEST, WEIR_REASON_NONE},
	{"seek", 28, WEIR_START_TIME, WEIR_REASON_NONE},
	{"seek", 32, 0x40, WEIR_REASON_FRAME_MALFORMED},
	{"load", 23, 0, WEIR_REASON_FRAME_MALFORMED},
	{"load", 19, 0x30, WEIR_REASON_FRAME_TRUNCATED},
	{"produce", 31, 0, WEIR_REASON_FRAME_MALFORMED},    /* numbers begin at 1 */
	{"produce", 24, 0x40, WEIR_REASON_FRAME_MALFORMED}, /* 2^62 */
	{"produce", 33, 0, WEIR_REASON_FRAME_MALFORMED},    /* no messages */
	{"produce", 33, 1, WEIR_REASON_FRAME_MALFORMED},    /* fewer than there are */
	{"produce", 33, 3, WEIR_REASON_FRAME_MALFORMED},    /* more */
	{"produce", 34, 3, WEIR_REASON_FRAME_MALFORMED},    /* tier */
	{"produce", 34, 2, WEIR_REASON_NONE},
	{"produce", 56, 0xff, WEIR_REASON_FRAME_MALFORMED}, /* payload beyond the frame */
	{"produce", 59, 2, WEIR_REASON_FRAME_MALFORMED},    /* flags */
	{"produce", 59, 1, WEIR_REASON_FRAME_MALFORMED},    /* a context that is not there */
	{"produce-context", 59, 0, WEIR_REASON_FRAME_MALFORMED},
	{"produce-context", 59, 3, WEIR_REASON_FRAME_MALFORMED},
	{"produce", 61, 1, WEIR_REASON_FRAME_MALFORMED}, /* the first is not the counter's */
	{"produce", 73, 9, WEIR_REASON_FRAME_MALFORMED}, /* payload one byte too long */
	{"produce", 73, 8, WEIR_REASON_NONE},
	{"produce", 74, 4, WEIR_REASON_FRAME_MALFORMED}, /* a key likewise */
	{"produce", 75, 0x80, WEIR_REASON_FRAME_MALFORMED},
	{"produce", 77, 0, WEIR_REASON_FRAME_MALFORMED}, /* the same number twice */
	{"produce-ack", 24, 0x40, WEIR_REASON_FRAME_MALFORMED},
	{"produce-ack", 31, 7, WEIR_REASON_FRAME_MALFORMED}, /* missing what is below next */
	{"produce-ack", 31, 6, WEIR_REASON_NONE},
	{"produce-ack", 33, 0, WEIR_REASON_FRAME_MALFORMED},
	{"produce-ack", 33, 2, WEIR_REASON_FRAME_MALFORMED},
	{"produce-ack", 40, 0x40, WEIR_REASON_FRAME_MALFORMED},
	{"produce-ack", 56, 0x40, WEIR_REASON_FRAME_MALFORMED},
	{"produce-ack", 63, 6, WEIR_REASON_FRAME_MALFORMED},
	{"pace", 24, 0x40, WEIR_REASON_FRAME_MALFORMED},
	{"pace", 32, 0x40, WEIR_REASON_FRAME_MALFORMED},
	{"pace", 48, 1, WEIR_REASON_FRAME_MALFORMED},
	{"pace", 49, WEIR_PACE_REASON_COUNT, WEIR_REASON_FRAME_MALFORMED},
	{"pace", 49, WEIR_PACE_REASON_COUNT - 1, WEIR_REASON_NONE},
	{"key", 3, 0, WEIR_REASON_FRAME_MALFORMED},     /* a trailer that is not announced */
	{"key", 3, 3, WEIR_REASON_FRAME_MALFORMED},     /* another flag besides */
	{"key", 5, 1, WEIR_REASON_FRAME_MALFORMED},     /* KEY not counted */
	{"key", 5, 3, WEIR_REASON_FRAME_TRUNCATED},     /* the trailer counted as a frame */
	{"key", 8, 1, WEIR_REASON_FRAME_MALFORMED},     /* with a session */
	{"key", 75, 0x38, WEIR_REASON_FRAME_TRUNCATED}, /* a frame into the trailer */
	{"key", 75, 0x28, WEIR_REASON_FRAME_TRUNCATED},
};

static void test_every_fault_has_its_reason(void)
{
	struct guard guard = guard_make();

	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		enum weir_reason reason = wire_frame_fault_open(&faults[i], &guard);

		if (reason != faults[i].reason)
			printf("fault %zu: %s at %zu: reason %d\n", i, faults[i].sample,
				faults[i].offset, reason);
		CU_ASSERT_EQUAL(reason, faults[i].reason);
	}
	guard_free(&guard);
}

/* Zeros after what a frame says it has, counted in its length. */
static void test_a_frame_longer_than_its_contents_is_malformed(void)
{
	static const char *const names[] = {"ack", "nack", "gap", "revoke", "release", "seek",
		"load", "produce", "produce-ack", "pace"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct wire_frame_sample *sample = wire_frame_sample_named(names[i]);
		uint8_t data[SAMPLE_SIZE] = {0};
		size_t length = wire_frame_sample_build(sample, data);
		struct weir_frame_cursor cursor;

		memset(data + length, 0, WEIR_FRAME_ALIGN);
		data[19] = (uint8_t)(data[19] + WEIR_FRAME_ALIGN);
		CU_ASSERT_EQUAL(
			weir_datagram_open(&cursor, sample->end, data, length + WEIR_FRAME_ALIGN),
			WEIR_REASON_FRAME_MALFORMED);
	}
}

static void test_a_key_is_of_its_size(void)
{
	uint8_t data[SAMPLE_SIZE];
	struct weir_writer writer;

	weir_writer_begin(&writer, data, sizeof(data), 0);
	(void)weir_writer_add(&writer, WEIR_FRAME_KEY, 0, sizeof(struct weir_frame_key));
	CU_ASSERT_EQUAL(writer_open(&writer, WEIR_END_CLIENT), WEIR_REASON_NONE);
	weir_writer_begin(&writer, data, sizeof(data), 0);
	(void)weir_writer_add(&writer, WEIR_FRAME_KEY, 0, sizeof(struct weir_frame_key) + 8);
	CU_ASSERT_EQUAL(writer_open(&writer, WEIR_END_CLIENT), WEIR_REASON_FRAME_MALFORMED);
}

static void test_a_session_is_there_when_it_must_be_and_only_then(void)
{
	for (unsigned int i = 0; i < WIRE_FRAME_SAMPLES; i++) {
		struct wire_frame_sample sample = wire_frame_samples[i];
		uint8_t data[SAMPLE_SIZE];
		struct weir_frame_cursor cursor;
		size_t length;

		if (strcmp(sample.name, "error") == 0)
			continue;
		sample.session = sample.session == 0 ? SAMPLE_SESSION : 0;
		length = wire_frame_sample_build(&sample, data);
		CU_ASSERT_EQUAL(weir_datagram_open(&cursor, sample.end, data, length),
			WEIR_REASON_FRAME_MALFORMED);
	}
}

static void ranges_fill(struct weir_frame_range *ranges, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		ranges[i].first = weir_be64(UINT64_C(10) + i * 2);
		ranges[i].end = weir_be64(UINT64_C(11) + i * 2);
	}
}

static enum weir_reason ack_open(uint8_t *data, uint16_t count)
{
	struct weir_writer writer;
	struct weir_frame_ack *ack;

	weir_writer_begin(&writer, data, 1400, SAMPLE_SESSION);
	ack = weir_writer_add(
		&writer, WEIR_FRAME_ACK, 0, sizeof(*ack) + count * sizeof(ack->ranges[0]));
	ack->count = weir_be16(count);
	ranges_fill(ack->ranges, count);
	return writer_open(&writer, WEIR_END_GATEWAY);
}

static enum weir_reason nack_open(uint8_t *data, uint16_t count)
{
	struct weir_writer writer;
	struct weir_frame_nack *nack;

	weir_writer_begin(&writer, data, 1400, SAMPLE_SESSION);
	nack = weir_writer_add(
		&writer, WEIR_FRAME_NACK, 0, sizeof(*nack) + count * sizeof(nack->ranges[0]));
	nack->count = weir_be16(count);
	ranges_fill(nack->ranges, count);
	return writer_open(&writer, WEIR_END_GATEWAY);
}

static enum weir_reason produce_ack_open(uint8_t *data, uint16_t count)
{
	struct weir_writer writer;
	struct weir_frame_produce_ack *ack;

	weir_writer_begin(&writer, data, 1400, SAMPLE_SESSION);
	ack = weir_writer_add(
		&writer, WEIR_FRAME_PRODUCE_ACK, 0, sizeof(*ack) + count * sizeof(ack->ranges[0]));
	ack->count = weir_be16(count);
	ranges_fill((void *)ack->ranges, count);
	return writer_open(&writer, WEIR_END_CLIENT);
}

static void test_no_frame_has_more_ranges_than_it_may(void)
{
	uint8_t data[1400];

	CU_ASSERT_EQUAL(ack_open(data, 0), WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(ack_open(data, WEIR_ACK_RANGES_MAX), WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(ack_open(data, WEIR_ACK_RANGES_MAX + 1), WEIR_REASON_FRAME_MALFORMED);
	CU_ASSERT_EQUAL(nack_open(data, 0), WEIR_REASON_FRAME_MALFORMED);
	CU_ASSERT_EQUAL(nack_open(data, WEIR_NACK_RANGES_MAX), WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(nack_open(data, WEIR_NACK_RANGES_MAX + 1), WEIR_REASON_FRAME_MALFORMED);
	CU_ASSERT_EQUAL(produce_ack_open(data, 0), WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(produce_ack_open(data, WEIR_PRODUCE_ACK_RANGES_MAX), WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(produce_ack_open(data, WEIR_PRODUCE_ACK_RANGES_MAX + 1),
		WEIR_REASON_FRAME_MALFORMED);
}

static void test_positions_are_bounded_without_ranges_too(void)
{
	struct weir_frame_produce_ack *produce_ack;
	uint8_t data[SAMPLE_SIZE];
	struct weir_writer writer;
	struct weir_frame_ack *ack;

	weir_writer_begin(&writer, data, sizeof(data), SAMPLE_SESSION);
	ack = weir_writer_add(&writer, WEIR_FRAME_ACK, 0, sizeof(*ack));
	ack->next_seq = weir_be64(WEIR_FRAME_VALUE_MAX);
	CU_ASSERT_EQUAL(writer_open(&writer, WEIR_END_GATEWAY), WEIR_REASON_NONE);
	ack->next_seq = weir_be64(WEIR_FRAME_VALUE_MAX + 1);
	CU_ASSERT_EQUAL(writer_open(&writer, WEIR_END_GATEWAY), WEIR_REASON_FRAME_MALFORMED);
	weir_writer_begin(&writer, data, sizeof(data), SAMPLE_SESSION);
	produce_ack = weir_writer_add(&writer, WEIR_FRAME_PRODUCE_ACK, 0, sizeof(*produce_ack));
	produce_ack->next = weir_be64(WEIR_FRAME_VALUE_MAX);
	CU_ASSERT_EQUAL(writer_open(&writer, WEIR_END_CLIENT), WEIR_REASON_NONE);
	produce_ack->next = weir_be64(WEIR_FRAME_VALUE_MAX + 1);
	CU_ASSERT_EQUAL(writer_open(&writer, WEIR_END_CLIENT), WEIR_REASON_FRAME_MALFORMED);
}

static void test_a_produce_has_a_message(void)
{
	struct weir_frame_produce *produce;
	uint8_t data[SAMPLE_SIZE];
	struct weir_writer writer;

	weir_writer_begin(&writer, data, sizeof(data), SAMPLE_SESSION);
	produce = weir_writer_add(&writer, WEIR_FRAME_PRODUCE, 0, sizeof(*produce));
	produce->counter = weir_be64(1);
	CU_ASSERT_EQUAL(writer_open(&writer, WEIR_END_GATEWAY), WEIR_REASON_FRAME_MALFORMED);
}

static void test_produced_messages_come_back_as_they_went(void)
{
	uint8_t data[SAMPLE_SIZE];
	size_t length = wire_frame_sample_build(wire_frame_sample_named("produce"), data);
	struct weir_produce_cursor messages;
	struct weir_frame_cursor cursor;
	struct weir_produce_item item = {0};

	CU_ASSERT_EQUAL_FATAL(weir_datagram_open(&cursor, WEIR_END_GATEWAY, data, length), 0);
	CU_ASSERT_FALSE(cursor.is_tagged);
	weir_produce_open(&messages, (const void *)weir_frame_next(&cursor));
	CU_ASSERT_TRUE_FATAL(weir_produce_next(&messages, &item));
	CU_ASSERT_EQUAL(item.counter, 5);
	CU_ASSERT_EQUAL(item.key_length, 2);
	CU_ASSERT_EQUAL(memcmp(item.key, "k1", 2), 0);
	CU_ASSERT_EQUAL(item.length, 3);
	CU_ASSERT_EQUAL(memcmp(item.payload, "abc", 3), 0);
	CU_ASSERT_TRUE_FATAL(weir_produce_next(&messages, &item));
	CU_ASSERT_EQUAL(item.counter, 7);
	CU_ASSERT_EQUAL(item.key_length, 0);
	CU_ASSERT_EQUAL(item.length, 5);
	CU_ASSERT_EQUAL(memcmp(item.payload, "hello", 5), 0);
	CU_ASSERT_FALSE(weir_produce_next(&messages, &item));
}

/* A DATA frame of two messages with these times left, the second `later_ns` younger. */
static bool deadlines_write(struct weir_writer *writer, uint8_t *bytes, uint32_t first_us,
	uint32_t second_us, uint64_t later_ns)
{
	const struct weir_data_lane lane = {.stream = 1};
	struct weir_data_item item = {.ingest_ns = SAMPLE_TIME_NS, .time_left_us = first_us};
	struct weir_data_writer data = {0};
	bool is_taken;

	weir_writer_begin(writer, bytes, SAMPLE_SIZE, SAMPLE_SESSION);
	CU_ASSERT_TRUE_FATAL(weir_data_begin(&data, writer, &lane, 0));
	CU_ASSERT_PTR_NOT_NULL_FATAL(weir_data_add(&data, &item));
	item.seq = 1;
	item.ingest_ns += later_ns;
	item.time_left_us = second_us;
	is_taken = weir_data_add(&data, &item) != NULL;
	weir_data_end(&data, 2, 0);
	return is_taken;
}

static uint32_t deadline_read(const struct weir_writer *writer, unsigned int index)
{
	struct weir_data_item item = {.time_left_us = UINT32_MAX - 1};
	struct weir_data_cursor messages;
	struct weir_frame_cursor cursor;

	CU_ASSERT_EQUAL_FATAL(
		weir_datagram_open(&cursor, WEIR_END_CLIENT, writer->data, writer->length), 0);
	weir_data_open(&messages, (const void *)weir_frame_next(&cursor));
	for (unsigned int i = 0; i <= index; i++)
		CU_ASSERT_TRUE_FATAL(weir_data_next(&messages, &item));
	return item.time_left_us;
}

static void test_deadlines_follow_from_the_first_message_s(void)
{
	uint8_t bytes[SAMPLE_SIZE];
	struct weir_writer writer;

	CU_ASSERT_TRUE(deadlines_write(&writer, bytes, 5000, 7000, 2000000));
	CU_ASSERT_EQUAL(deadline_read(&writer, 0), 5000);
	CU_ASSERT_EQUAL(deadline_read(&writer, 1), 7000);
	CU_ASSERT_TRUE(deadlines_write(&writer, bytes, 5000, 8000, 2000000));
	CU_ASSERT_EQUAL(deadline_read(&writer, 1), 7000);
	CU_ASSERT_TRUE(deadlines_write(&writer, bytes, 5000, 6000, 2000000));
	CU_ASSERT_TRUE(deadlines_write(&writer, bytes, 0, 0, 2000000));
	CU_ASSERT_EQUAL(deadline_read(&writer, 0), 0);
	CU_ASSERT_EQUAL(deadline_read(&writer, 1), 0);
	CU_ASSERT_TRUE(deadlines_write(&writer, bytes, UINT32_MAX - 10, UINT32_MAX, 2000000));
	CU_ASSERT_EQUAL(deadline_read(&writer, 1), UINT32_MAX);
}

static void test_a_deadline_that_does_not_follow_begins_another_frame(void)
{
	uint8_t bytes[SAMPLE_SIZE];
	struct weir_writer writer;

	CU_ASSERT_FALSE(deadlines_write(&writer, bytes, 5000, 8001, 2000000));
	CU_ASSERT_EQUAL(deadline_read(&writer, 0), 5000);
	CU_ASSERT_FALSE(deadlines_write(&writer, bytes, 5000, 5999, 2000000));
	CU_ASSERT_FALSE(deadlines_write(&writer, bytes, 0, 1, 0));
	CU_ASSERT_FALSE(deadlines_write(&writer, bytes, 1, 0, 0));
	CU_ASSERT_FALSE(deadlines_write(&writer, bytes, 1000, 0, 0));
}

/* Nor that of the frame that the same writer wrote before. */
static void test_a_frame_without_messages_has_no_deadline(void)
{
	const struct weir_data_item item = {.time_left_us = 5000};
	const struct weir_data_lane lane = {.stream = 1};
	struct weir_data_writer data = {0};
	struct weir_writer writer;
	uint8_t bytes[SAMPLE_SIZE];

	weir_writer_begin(&writer, bytes, sizeof(bytes), SAMPLE_SESSION);
	CU_ASSERT_TRUE_FATAL(weir_data_begin(&data, &writer, &lane, 0));
	CU_ASSERT_PTR_NOT_NULL(weir_data_add(&data, &item));
	weir_data_end(&data, 1, 0);
	CU_ASSERT_EQUAL(weir_be32(data.frame->time_left_us), 5000);
	CU_ASSERT_TRUE_FATAL(weir_data_begin(&data, &writer, &lane, 1));
	weir_data_end(&data, 2, 0);
	CU_ASSERT_EQUAL(data.frame->time_left_us, 0);
	CU_ASSERT_EQUAL(writer_open(&writer, WEIR_END_CLIENT), WEIR_REASON_NONE);
}

static void test_a_trailer_ends_the_datagram_and_is_no_frame(void)
{
	struct weir_datagram_trailer *trailer;
	struct weir_frame_cursor cursor;
	struct weir_writer writer;
	uint8_t data[48];

	weir_writer_begin(&writer, data, sizeof(data), SAMPLE_SESSION);
	(void)weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(struct weir_frame_leave));
	trailer = weir_writer_add_trailer(&writer, 77);
	CU_ASSERT_PTR_EQUAL_FATAL(trailer, data + 24);
	CU_ASSERT_EQUAL(weir_be64(trailer->number), 77);
	CU_ASSERT_EQUAL(writer.length, 48);
	CU_ASSERT_PTR_NULL(weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, 8));
	CU_ASSERT_PTR_NULL(weir_writer_add_trailer(&writer, 78));
	CU_ASSERT_EQUAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, data, writer.length), 0);
	CU_ASSERT_TRUE(cursor.is_tagged);
	CU_ASSERT_PTR_NOT_NULL(weir_frame_next(&cursor));
	CU_ASSERT_PTR_NULL(weir_frame_next(&cursor));
	weir_writer_begin(&writer, data, 24 + WEIR_DATAGRAM_TRAILER - 1, SAMPLE_SESSION);
	(void)weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(struct weir_frame_leave));
	CU_ASSERT_PTR_NULL(weir_writer_add_trailer(&writer, 79));
	CU_ASSERT_EQUAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, data, writer.length), 0);
	CU_ASSERT_FALSE(cursor.is_tagged);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"every fault has its reason", test_every_fault_has_its_reason},
		{"a frame longer than its contents is malformed",
			test_a_frame_longer_than_its_contents_is_malformed},
		{"a key is of its size", test_a_key_is_of_its_size},
		{"a session is there when it must be, and only then",
			test_a_session_is_there_when_it_must_be_and_only_then},
		{"no frame has more ranges than it may", test_no_frame_has_more_ranges_than_it_may},
		{"positions are bounded without ranges too",
			test_positions_are_bounded_without_ranges_too},
		{"a PRODUCE has a message", test_a_produce_has_a_message},
		{"produced messages come back as they went",
			test_produced_messages_come_back_as_they_went},
		{"deadlines follow from the first message's",
			test_deadlines_follow_from_the_first_message_s},
		{"a deadline that does not follow begins another frame",
			test_a_deadline_that_does_not_follow_begins_another_frame},
		{"a frame without messages has no deadline",
			test_a_frame_without_messages_has_no_deadline},
		{"a trailer ends the datagram and is no frame",
			test_a_trailer_ends_the_datagram_and_is_no_frame},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"frames of delivery", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
