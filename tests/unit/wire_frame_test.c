/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <CUnit/Basic.h>

#include "wire/frame_data.h"
#include "wire/frame_produce.h"
#include "wire_frame_samples.h"
#include "wire_guard.h"

static uint64_t bytes_sum(const uint8_t *bytes, size_t length)
{
	uint64_t sum = 0;

	while (length-- > 0)
		sum += *bytes++;
	return sum;
}

static uint64_t data_walk(const struct weir_frame_data *frame)
{
	struct weir_data_cursor messages;
	struct weir_data_item item;
	uint64_t sum = 0;

	weir_data_open(&messages, frame);
	while (weir_data_next(&messages, &item))
		sum += bytes_sum(item.payload, item.length) +
		       bytes_sum(item.source, weir_message_address(item.flags));
	return sum;
}

static uint64_t produce_walk(const struct weir_frame_produce *frame)
{
	struct weir_produce_cursor messages;
	struct weir_produce_item item;
	uint64_t sum = 0;

	weir_produce_open(&messages, frame);
	while (weir_produce_next(&messages, &item))
		sum += bytes_sum(item.key, item.key_length) + bytes_sum(item.payload, item.length);
	return sum;
}

/* Read everything that an opened datagram offers; returns a sum so that nothing is left out. */
static uint64_t datagram_walk(struct weir_frame_cursor *cursor)
{
	const struct weir_frame_header *frame;
	uint64_t sum = 0;

	while ((frame = weir_frame_next(cursor)) != NULL) {
		sum += bytes_sum((const uint8_t *)frame, weir_be16(frame->length));
		if (frame->type == WEIR_FRAME_DATA)
			sum += data_walk((const void *)frame);
		if (frame->type == WEIR_FRAME_PRODUCE)
			sum += produce_walk((const void *)frame);
	}
	return sum;
}

static void test_what_is_written_is_read(void)
{
	for (unsigned int i = 0; i < WIRE_FRAME_SAMPLES; i++) {
		const struct wire_frame_sample *sample = &wire_frame_samples[i];
		uint8_t data[SAMPLE_SIZE];
		size_t length = wire_frame_sample_build(sample, data);
		struct weir_frame_cursor cursor;

		CU_ASSERT_EQUAL(weir_datagram_open(&cursor, sample->end, data, length), 0);
		CU_ASSERT(datagram_walk(&cursor) > 0);
		CU_ASSERT_PTR_NULL(weir_frame_next(&cursor));
	}
}

static void test_data_comes_back_as_it_went(void)
{
	uint8_t data[SAMPLE_SIZE];
	size_t length = wire_frame_sample_build(wire_frame_sample_named("data"), data);
	const struct weir_frame_data *frame;
	struct weir_data_cursor messages;
	struct weir_frame_cursor cursor;
	struct weir_data_item item = {0};

	CU_ASSERT_EQUAL_FATAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, data, length), 0);
	CU_ASSERT_EQUAL(cursor.session, SAMPLE_SESSION);
	CU_ASSERT_EQUAL(weir_session_slot(cursor.session), 3);
	frame = (const void *)weir_frame_next(&cursor);
	CU_ASSERT_EQUAL(weir_be64(frame->seq), 1000);
	CU_ASSERT_EQUAL(weir_be32(frame->covered), 4);
	CU_ASSERT_EQUAL(weir_be64(frame->lane_messages), 10);
	CU_ASSERT_EQUAL(weir_be64(frame->lane_bytes), 640);
	CU_ASSERT_EQUAL(frame->header.flags, WEIR_DATA_MORE);
	weir_data_open(&messages, frame);
	CU_ASSERT_TRUE_FATAL(weir_data_next(&messages, &item));
	CU_ASSERT_EQUAL(item.seq, 1000);
	CU_ASSERT_EQUAL(item.ingest_ns, SAMPLE_TIME_NS);
	CU_ASSERT_EQUAL(item.source_port, 2055);
	CU_ASSERT_EQUAL(item.length, 3);
	CU_ASSERT_EQUAL(memcmp(item.payload, "abc", 3), 0);
	CU_ASSERT_EQUAL(item.source[3], 1);
	CU_ASSERT_TRUE_FATAL(weir_data_next(&messages, &item));
	CU_ASSERT_EQUAL(item.seq, 1002);
	CU_ASSERT_EQUAL(item.ingest_ns, SAMPLE_TIME_NS + 250000);
	CU_ASSERT_EQUAL(item.tos, 0x28);
	CU_ASSERT_EQUAL(item.source[0], 0x20);
	CU_ASSERT_EQUAL(memcmp(item.payload, "hello", 5), 0);
	CU_ASSERT_FALSE(weir_data_next(&messages, &item));
}

static void test_no_part_of_a_datagram_is_taken_for_the_whole(void)
{
	struct guard guard = guard_make();

	for (unsigned int i = 0; i < WIRE_FRAME_SAMPLES; i++) {
		const struct wire_frame_sample *sample = &wire_frame_samples[i];
		uint8_t data[SAMPLE_SIZE + 8] = {0};
		size_t length = wire_frame_sample_build(sample, data);
		struct weir_frame_cursor cursor;

		for (size_t cut = 0; cut < length; cut++)
			CU_ASSERT_EQUAL(weir_datagram_open(&cursor, sample->end,
						guard_place(&guard, data, cut), cut),
				WEIR_REASON_FRAME_TRUNCATED);
		for (size_t more = 1; more <= 8; more++) {
			memset(data + length, 0, more);
			CU_ASSERT_EQUAL(
				weir_datagram_open(&cursor, sample->end,
					guard_place(&guard, data, length + more), length + more),
				WEIR_REASON_FRAME_MALFORMED);
		}
	}
	guard_free(&guard);
}

/* Whatever is taken can be walked to its end without leaving it. */
static void test_garbage_is_never_read_outside(void)
{
	struct guard guard = guard_make();
	uint64_t random = 88172645463325252u;
	unsigned int taken = 0;

	for (unsigned int round = 0; round < 200000; round++) {
		const struct wire_frame_sample *sample =
			&wire_frame_samples[guard_random(&random) % WIRE_FRAME_SAMPLES];
		uint8_t data[SAMPLE_SIZE];
		size_t length = wire_frame_sample_build(sample, data);
		unsigned int changes = 1 + guard_random(&random) % 3;
		struct weir_frame_cursor cursor;
		uint8_t *place;

		while (changes-- > 0)
			data[guard_random(&random) % length] = (uint8_t)guard_random(&random);
		place = guard_place(&guard, data, length);
		if (weir_datagram_open(&cursor, sample->end, place, length) == WEIR_REASON_NONE) {
			taken++;
			(void)datagram_walk(&cursor);
		}
	}
	CU_ASSERT(taken > 1000);
	CU_ASSERT(taken < 199000);
	guard_free(&guard);
}

static const struct wire_frame_fault faults[] = {
	{"credit", 0, 0x58, WEIR_REASON_FRAME_VERSION},     /* magic */
	{"credit", 2, 2, WEIR_REASON_FRAME_VERSION},        /* version */
	{"credit", 3, 2, WEIR_REASON_FRAME_MALFORMED},      /* unknown flag */
	{"credit", 3, 1, WEIR_REASON_FRAME_TRUNCATED},      /* no room for a trailer */
	{"credit", 5, 0, WEIR_REASON_FRAME_MALFORMED},      /* no frame */
	{"credit", 5, 2, WEIR_REASON_FRAME_TRUNCATED},      /* one frame more than there is */
	{"pause-leave", 5, 1, WEIR_REASON_FRAME_MALFORMED}, /* one frame less */
	{"credit", 16, 200, WEIR_REASON_FRAME_TYPE},        /* unknown */
	{"credit", 16, 0, WEIR_REASON_FRAME_TYPE},
	{"credit", 16, WEIR_FRAME_ASSIGN, WEIR_REASON_FRAME_TYPE},   /* not for this end */
	{"credit", 16, WEIR_FRAME_ACK, WEIR_REASON_FRAME_MALFORMED}, /* no sound ACK */
	{"credit", 16, WEIR_FRAME_DATA, WEIR_REASON_FRAME_TYPE},     /* not for this end */
	{"credit", 19, 0x30, WEIR_REASON_FRAME_TRUNCATED}, /* shorter than its fixed part */
	{"credit", 19, 0x3c, WEIR_REASON_FRAME_MALFORMED}, /* length no multiple of 8 */
	{"credit", 19, 0, WEIR_REASON_FRAME_MALFORMED},
	{"credit", 19, 0x40, WEIR_REASON_FRAME_TRUNCATED}, /* beyond the datagram */
	{"credit", 24, 0x40, WEIR_REASON_FRAME_MALFORMED}, /* limit of 2^62 */
	{"credit", 32, 0xff, WEIR_REASON_FRAME_MALFORMED},
	{"credit", 69, 1, WEIR_REASON_FRAME_MALFORMED},  /* a lane that is not there */
	{"hello", 8, 1, WEIR_REASON_FRAME_MALFORMED},    /* with a session */
	{"hello", 20, 0, WEIR_REASON_FRAME_MALFORMED},   /* version 0 */
	{"hello", 20, 2, WEIR_REASON_FRAME_MALFORMED},   /* lowest above highest */
	{"hello", 22, 1, WEIR_REASON_FRAME_MALFORMED},   /* 376 bytes: less than everyone takes */
	{"hello", 36, 3, WEIR_REASON_FRAME_MALFORMED},   /* role */
	{"hello", 72, 0, WEIR_REASON_FRAME_MALFORMED},   /* no group */
	{"hello", 74, '/', WEIR_REASON_FRAME_MALFORMED}, /* character of a path */
	{"hello", 90, 'x', WEIR_REASON_FRAME_MALFORMED}, /* bytes after the name's end */
	{"hello", 104, 0, WEIR_REASON_FRAME_MALFORMED},  /* no name */
	{"welcome", 20, 0, WEIR_REASON_NONE},            /* the session checks the version */
	{"welcome", 22, 0, WEIR_REASON_FRAME_MALFORMED}, /* max_datagram 120 */
	{"welcome", 22, 0x30, WEIR_REASON_FRAME_MALFORMED}, /* above 9,000 */
	{"welcome", 63, 4, WEIR_REASON_FRAME_MALFORMED},    /* heartbeat 4 ms */
	{"welcome", 66, 0, WEIR_REASON_NONE},               /* liveness 184 ms */
	{"welcome", 65, 0x0f, WEIR_REASON_FRAME_MALFORMED}, /* liveness above 10 minutes */
	{"error", 22, 1, WEIR_REASON_FRAME_MALFORMED},      /* text longer than the frame */
	{"error", 40, 0x1b, WEIR_REASON_FRAME_MALFORMED},   /* escape character */
	{"error", 40, 0, WEIR_REASON_FRAME_MALFORMED},
	{"subscribe", 23, 0, WEIR_REASON_FRAME_MALFORMED},    /* counter 0 */
	{"subscribe", 24, 5, WEIR_REASON_FRAME_MALFORMED},    /* start */
	{"subscribe", 32, 0x40, WEIR_REASON_FRAME_MALFORMED}, /* value 2^62 */
	{"subscribe", 27, 2, WEIR_REASON_FRAME_MALFORMED},    /* two names, one there */
	{"subscribe", 8, 0xff, WEIR_REASON_NONE},             /* another session: not seen here */
	{"subscribed", 25, 0, WEIR_REASON_FRAME_MALFORMED},   /* total 0 */
	{"subscribed", 27, 1, WEIR_REASON_FRAME_MALFORMED},   /* first + count above total */
	{"subscribed", 29, 0, WEIR_REASON_FRAME_MALFORMED},   /* count 0 */
	{"subscribed", 35, 0, WEIR_REASON_FRAME_MALFORMED},   /* no partitions */
	{"data", 31, 0, WEIR_REASON_FRAME_MALFORMED},         /* covers nothing */
	{"data", 31, 2, WEIR_REASON_FRAME_MALFORMED},         /* a message beyond what is covered */
	{"data", 32, 0x40, WEIR_REASON_FRAME_MALFORMED},      /* sequence of 2^62 */
	{"data", 46, 4, WEIR_REASON_FRAME_MALFORMED},         /* lane begins after the frame */
	{"data", 48, 0x80, WEIR_REASON_FRAME_MALFORMED},      /* position */
	{"data", 77, 3, WEIR_REASON_FRAME_MALFORMED},         /* more messages than there are */
	{"data", 77, 1, WEIR_REASON_FRAME_MALFORMED},         /* fewer */
	{"data", 80, 0xff, WEIR_REASON_FRAME_MALFORMED},      /* payload beyond the frame */
	{"data", 83, 2, WEIR_REASON_FRAME_MALFORMED},         /* sequences that do not rise */
	{"data", 90, 2, WEIR_REASON_FRAME_MALFORMED},         /* kind of address without one */
	{"data-context", 90, 0x11 | 2,
		WEIR_REASON_FRAME_MALFORMED},                 /* no room for so long an address */
	{"data-context", 90, 1, WEIR_REASON_FRAME_MALFORMED}, /* bytes that are no context */
	{"data", 90, 0x11, WEIR_REASON_FRAME_MALFORMED},      /* no room for a context */
	{"heartbeat", 21, 2, WEIR_REASON_FRAME_MALFORMED},    /* a lane that is not there */
	{"heartbeat", 62, 4, WEIR_REASON_FRAME_MALFORMED},    /* begins after its next sequence */
	{"heartbeat", 64, 0x40, WEIR_REASON_FRAME_MALFORMED},
	{"pause-leave", 23, 0, WEIR_REASON_FRAME_MALFORMED}, /* counter 0 */
	{"pause-leave", 24, 3, WEIR_REASON_FRAME_MALFORMED}, /* scope */
	{"pause-leave", 24, 1, WEIR_REASON_FRAME_MALFORMED}, /* all, but with a list */
	{"pause-leave", 27, 0, WEIR_REASON_FRAME_MALFORMED}, /* a list without streams */
	{"pause-leave", 27, 5, WEIR_REASON_FRAME_MALFORMED}, /* longer than the frame */
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

static void test_the_wrong_end_takes_nothing(void)
{
	for (unsigned int i = 0; i < WIRE_FRAME_SAMPLES; i++) {
		const struct wire_frame_sample *sample = &wire_frame_samples[i];
		uint8_t data[SAMPLE_SIZE];
		size_t length = wire_frame_sample_build(sample, data);
		struct weir_frame_cursor cursor;

		CU_ASSERT_EQUAL(
			weir_datagram_open(&cursor,
				sample->end == WEIR_END_CLIENT ? WEIR_END_GATEWAY : WEIR_END_CLIENT,
				data, length),
			WEIR_REASON_FRAME_TYPE);
	}
}

/* Zeros of `length` bytes at `offset` of a sample. */
static enum weir_reason open_cleared(const char *name, size_t offset, size_t length)
{
	const struct wire_frame_sample *sample = wire_frame_sample_named(name);
	struct weir_frame_cursor cursor;
	uint8_t data[SAMPLE_SIZE];
	size_t size = wire_frame_sample_build(sample, data);

	memset(data + offset, 0, length);
	return weir_datagram_open(&cursor, sample->end, data, size);
}

static void test_a_trace_context_comes_back_and_names_a_trace_and_a_span(void)
{
	uint8_t data[SAMPLE_SIZE];
	size_t length = wire_frame_sample_build(wire_frame_sample_named("data-context"), data);
	struct weir_data_cursor messages;
	struct weir_frame_cursor cursor;
	struct weir_data_item item = {0};

	CU_ASSERT_EQUAL_FATAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, data, length), 0);
	weir_data_open(&messages, (const void *)weir_frame_next(&cursor));
	CU_ASSERT_TRUE_FATAL(weir_data_next(&messages, &item));
	CU_ASSERT_PTR_NOT_NULL_FATAL(item.context);
	CU_ASSERT_EQUAL(item.context->trace_id[15], 0x1f);
	CU_ASSERT_EQUAL(item.context->span_id[0], 0x71);
	CU_ASSERT_EQUAL(item.context->flags, WEIR_CONTEXT_SAMPLED);
	CU_ASSERT_EQUAL(item.source[3], 1);
	CU_ASSERT_EQUAL(memcmp(item.payload, "abc", 3), 0);
	/* Identities of zeros are none, whoever sends them; flags and reserved bytes may be. */
	CU_ASSERT_EQUAL(open_cleared("data-context", 96, 16), WEIR_REASON_FRAME_MALFORMED);
	CU_ASSERT_EQUAL(open_cleared("data-context", 112, 8), WEIR_REASON_FRAME_MALFORMED);
	CU_ASSERT_EQUAL(open_cleared("data-context", 120, 4), WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(open_cleared("produce-context", 64, 16), WEIR_REASON_FRAME_MALFORMED);
	CU_ASSERT_EQUAL(open_cleared("produce-context", 80, 8), WEIR_REASON_FRAME_MALFORMED);
	CU_ASSERT_EQUAL(open_cleared("produce-context", 88, 4), WEIR_REASON_NONE);
}

static void test_an_unknown_frame_is_skipped_only_when_it_may_be(void)
{
	uint8_t data[SAMPLE_SIZE];
	const struct weir_frame_header *frame;
	struct weir_frame_header *unknown;
	struct weir_frame_cursor cursor;
	struct weir_writer writer;

	weir_writer_begin(&writer, data, sizeof(data), SAMPLE_SESSION);
	unknown = weir_writer_add(&writer, (enum weir_frame_type)99, WEIR_FRAME_IGNORABLE, 24);
	(void)weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(struct weir_frame_leave));
	CU_ASSERT_EQUAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, data, writer.length), 0);
	frame = weir_frame_next(&cursor);
	CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
	CU_ASSERT_EQUAL(frame->type, WEIR_FRAME_LEAVE);
	CU_ASSERT_PTR_NULL(weir_frame_next(&cursor));
	unknown->flags = 0;
	CU_ASSERT_EQUAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, data, writer.length),
		WEIR_REASON_FRAME_TYPE);
}

static void test_a_frame_is_filled_to_the_brim_and_never_over_it(void)
{
	const struct weir_data_lane lane = {.stream = 1};
	static const uint8_t address[16];
	struct guard guard = guard_make();

	for (uint32_t size = WEIR_DATAGRAM_MIN; size <= 1400; size += 37) {
		uint8_t *place = guard.end - size;
		uint32_t most = weir_data_max_payload(size);
		struct weir_data_item item = {.source = address,
			.flags = WEIR_MESSAGE_ADDRESS | WEIR_MESSAGE_IPV6,
			.length = (uint16_t)(most + 8)};
		struct weir_frame_cursor cursor;
		struct weir_data_writer data;
		struct weir_writer writer;
		uint8_t *payload;

		weir_writer_begin(&writer, place, size, SAMPLE_SESSION);
		CU_ASSERT_TRUE_FATAL(weir_data_begin(&data, &writer, &lane, 0));
		CU_ASSERT_PTR_NULL(weir_data_add(&data, &item));
		item.length = (uint16_t)most;
		payload = weir_data_add(&data, &item);
		CU_ASSERT_PTR_NOT_NULL_FATAL(payload);
		memset(payload, 0xff, most);
		item.seq = 1;
		item.length = 0;
		item.flags = 0;
		(void)weir_data_add(&data, &item);
		weir_data_end(&data, 2, 0);
		CU_ASSERT(writer.length <= size);
		CU_ASSERT_EQUAL(
			weir_datagram_open(&cursor, WEIR_END_CLIENT, place, writer.length), 0);
		CU_ASSERT_PTR_NULL(weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, size));
	}
	guard_free(&guard);
}

static void test_a_frame_holds_what_its_deltas_can_say(void)
{
	const struct weir_data_lane lane = {.stream = 1};
	struct weir_data_item item = {.seq = 5, .ingest_ns = 1000000};
	uint8_t bytes[SAMPLE_SIZE];
	struct weir_data_cursor messages;
	struct weir_frame_cursor cursor;
	struct weir_data_writer data;
	struct weir_writer writer;

	weir_writer_begin(&writer, bytes, sizeof(bytes), SAMPLE_SESSION);
	CU_ASSERT_TRUE_FATAL(weir_data_begin(&data, &writer, &lane, 5));
	CU_ASSERT_PTR_NOT_NULL(weir_data_add(&data, &item));
	item.seq = 5 + UINT16_MAX + 1;
	CU_ASSERT_PTR_NULL(weir_data_add(&data, &item));
	item.seq = 5 + UINT16_MAX;
	item.ingest_ns = 999999; /* older than the first: a delta cannot be negative */
	CU_ASSERT_PTR_NOT_NULL(weir_data_add(&data, &item));
	weir_data_end(&data, 5 + UINT16_MAX + 1, 0);
	CU_ASSERT_EQUAL_FATAL(
		weir_datagram_open(&cursor, WEIR_END_CLIENT, bytes, writer.length), 0);
	weir_data_open(&messages, (const void *)weir_frame_next(&cursor));
	(void)weir_data_next(&messages, &item);
	(void)weir_data_next(&messages, &item);
	CU_ASSERT_EQUAL(item.seq, 5 + UINT16_MAX);
	CU_ASSERT_EQUAL(item.ingest_ns, 1000000);
	CU_ASSERT_EQUAL(weir_data_delta_us(0, UINT64_MAX), UINT32_MAX);
}

static void test_a_frame_may_cover_without_a_message(void)
{
	const struct weir_data_lane lane = {.stream = 1};
	uint8_t bytes[SAMPLE_SIZE];
	struct weir_frame_cursor cursor;
	struct weir_data_writer data;
	struct weir_writer writer;

	weir_writer_begin(&writer, bytes, sizeof(bytes), SAMPLE_SESSION);
	CU_ASSERT_TRUE_FATAL(weir_data_begin(&data, &writer, &lane, 10));
	weir_data_end(&data, 10 + UINT64_C(0xffffffff), 0);
	CU_ASSERT_EQUAL_FATAL(
		weir_datagram_open(&cursor, WEIR_END_CLIENT, bytes, writer.length), 0);
	CU_ASSERT_EQUAL(
		weir_be32(((const struct weir_frame_data *)(const void *)weir_frame_next(&cursor))
				  ->covered),
		UINT32_MAX);
}

static void test_an_error_text_is_cut_and_cleaned(void)
{
	char text[200];
	uint8_t data[SAMPLE_SIZE];
	struct weir_frame_cursor cursor;
	struct weir_writer writer;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	weir_writer_begin(&writer, data, sizeof(data), 0);
	CU_ASSERT_EQUAL(weir_writer_add_error(&writer, WEIR_ERROR_BUSY, 1, 0, text), 0);
	CU_ASSERT_EQUAL(writer.length, 16 + 24 + WEIR_FRAME_ERROR_TEXT);
	CU_ASSERT_EQUAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, data, writer.length), 0);
	weir_writer_begin(&writer, data, sizeof(data), 0);
	CU_ASSERT_EQUAL(weir_writer_add_error(&writer, WEIR_ERROR_BUSY, 1, 0, "ab\ncd"), 0);
	CU_ASSERT_EQUAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, data, writer.length), 0);
	weir_writer_begin(&writer, data, 40, 0);
	CU_ASSERT_EQUAL(weir_writer_add_error(&writer, WEIR_ERROR_BUSY, 1, 0, "x"), -1);
	CU_ASSERT_EQUAL(writer.length, WEIR_DATAGRAM_HEADER);
}

static void test_no_answer_to_hello_is_larger_than_it(void)
{
	CU_ASSERT(sizeof(struct weir_frame_hello) >= sizeof(struct weir_frame_cookie));
	CU_ASSERT(sizeof(struct weir_frame_hello) >= sizeof(struct weir_frame_welcome));
	CU_ASSERT(sizeof(struct weir_frame_hello) >=
		  sizeof(struct weir_frame_error) + WEIR_FRAME_ERROR_TEXT);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what is written is read", test_what_is_written_is_read},
		{"data comes back as it went", test_data_comes_back_as_it_went},
		{"no part is taken for the whole",
			test_no_part_of_a_datagram_is_taken_for_the_whole},
		{"garbage is never read outside", test_garbage_is_never_read_outside},
		{"every fault has its reason", test_every_fault_has_its_reason},
		{"the wrong end takes nothing", test_the_wrong_end_takes_nothing},
		{"a trace context comes back, and names a trace and a span",
			test_a_trace_context_comes_back_and_names_a_trace_and_a_span},
		{"unknown frames are skipped only when they may be",
			test_an_unknown_frame_is_skipped_only_when_it_may_be},
		{"a frame is filled to the brim and never over it",
			test_a_frame_is_filled_to_the_brim_and_never_over_it},
		{"a frame holds what its deltas can say",
			test_a_frame_holds_what_its_deltas_can_say},
		{"a frame may cover without a message", test_a_frame_may_cover_without_a_message},
		{"an error text is cut and cleaned", test_an_error_text_is_cut_and_cleaned},
		{"no answer to HELLO is larger than it", test_no_answer_to_hello_is_larger_than_it},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"frames", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 2;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	if (CU_basic_run_tests() != CUE_SUCCESS)
		return 2;
	return CU_get_number_of_failures() != 0;
}
