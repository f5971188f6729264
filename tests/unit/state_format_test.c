/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <CUnit/Basic.h>

#include "state/format.h"
#include "state/state.h"
#include "state_fixture.h"

static double clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Encode, decode, compare. Returns the bytes' number. */
static size_t round_trip(const struct weir_state *state)
{
	struct weir_state *read = NULL;
	struct weir_error error = {0};
	uint8_t *bytes;
	size_t length;

	CU_ASSERT_EQUAL_FATAL(weir_state_encode(state, &bytes, &length), 0);
	CU_ASSERT_EQUAL_FATAL(weir_state_decode(bytes, length, "here", &read, &error), 0);
	CU_ASSERT_TRUE(state_is_equal(state, read));
	weir_state_free(read);
	free(bytes);
	return length;
}

static void test_round_trip(void)
{
	struct weir_state *state = weir_state_create();

	CU_ASSERT_EQUAL(round_trip(state), WEIR_STATE_HEADER + WEIR_STATE_CHECKSUM);
	weir_state_free(state);
	for (uint64_t number = 1; number <= 200; number++) {
		state = state_sample(number);
		round_trip(state);
		weir_state_free(state);
	}
}

/* Differences of every size and sign, around the ends of 64 bits. */
static void test_extremes(void)
{
	struct weir_state *state = weir_state_create();
	struct weir_state_stream *stream;
	uint64_t *done;

	CU_ASSERT_EQUAL_FATAL(weir_state_set_stream(state, "s", 64 * 6, UINT64_MAX, &stream), 0);
	CU_ASSERT_EQUAL_FATAL(weir_state_set_group(stream, "g", &done), 0);
	for (uint32_t i = 0; i < stream->partitions; i++) {
		uint64_t power = 1ull << i / 6;
		uint64_t values[] = {0, power - 1, power, power + 1, 0 - power, UINT64_MAX};

		stream->heads[i] = values[i % 6];
		done[stream->partitions - 1 - i] = values[i % 6];
	}
	state->incarnation = state->wall_ns = UINT64_MAX;
	round_trip(state);
	weir_state_free(state);
}

/* `gap`: how far apart neighbours are at most. */
static void fill(struct weir_state *state, uint32_t streams, uint32_t partitions, uint32_t groups,
	uint64_t gap)
{
	struct weir_state_stream *stream;
	char name[WEIR_STATE_NAME_SIZE];
	uint64_t *done;

	for (uint32_t s = 0; s < streams; s++) {
		snprintf(name, sizeof(name), "stream-with-a-name-as-long-%04u", s);
		CU_ASSERT_EQUAL_FATAL(
			weir_state_set_stream(state, name, partitions, s, &stream), 0);
		for (uint32_t p = 0; p < partitions; p++)
			stream->heads[p] = 1700000000000000000 + state_mix(s + p) % gap;
		for (uint32_t g = 0; g < groups; g++) {
			snprintf(name, sizeof(name), "group-with-a-name-as-long-.%04u", g);
			CU_ASSERT_EQUAL_FATAL(weir_state_set_group(stream, name, &done), 0);
			for (uint32_t p = 0; p < partitions; p++)
				done[p] = stream->heads[p] - state_mix(p * g) % gap;
		}
	}
}

static void measure(uint32_t streams, uint32_t partitions, uint32_t groups, double limit_ms)
{
	struct weir_state *state = weir_state_create();
	double start_ms = clock_ms();
	double filled_ms;
	double encoded_ms;
	uint8_t *bytes;
	size_t length;

	fill(state, streams, partitions, groups, 100000);
	filled_ms = clock_ms() - start_ms;
	CU_ASSERT_EQUAL_FATAL(weir_state_encode(state, &bytes, &length), 0);
	encoded_ms = clock_ms() - start_ms - filled_ms;
	free(bytes);
	CU_ASSERT_EQUAL(round_trip(state), length);
	weir_state_free(state);
	printf("\n    %u streams x %u partitions, %u groups each: made in %.1f ms, encoded in "
	       "%.1f ms, %.1f MB ",
		streams, partitions, groups, filled_ms, encoded_ms, (double)length / 1e6);
	CU_ASSERT_TRUE(encoded_ms < limit_ms);
	CU_ASSERT_TRUE(filled_ms < 20 * limit_ms);
}

/* The limits are an order of magnitude above what it takes: a busy machine is no failure. */
static void test_large(void)
{
	measure(64, 4096, 2, 200);
	measure(WEIR_STATE_MAX_STREAMS, 4, WEIR_STATE_STREAM_GROUPS, 500);
	measure(WEIR_STATE_MAX_STREAMS, WEIR_STATE_MAX_PARTITIONS, 0, 5000);
}

static void test_too_large(void)
{
	struct weir_state *state = weir_state_create();
	uint8_t *bytes;
	size_t length;

	fill(state, 112, WEIR_STATE_MAX_PARTITIONS, WEIR_STATE_STREAM_GROUPS, UINT64_MAX);
	CU_ASSERT_EQUAL(weir_state_encode(state, &bytes, &length), -EFBIG);
	CU_ASSERT_PTR_NULL(bytes);
	weir_state_free(state);
}

static void test_find(void)
{
	struct weir_state *state = weir_state_create();
	struct weir_state_stream *stream;
	struct weir_state_stream *again;
	uint64_t *done;
	uint64_t *same;

	CU_ASSERT_EQUAL(weir_state_set_stream(state, "s", 4, 7, &stream), 0);
	stream->heads[3] = 9;
	CU_ASSERT_EQUAL(weir_state_set_group(stream, "g", &done), 0);
	CU_ASSERT_EQUAL(weir_state_set_group(stream, "g", &same), 0);
	CU_ASSERT_PTR_EQUAL(done, same);
	CU_ASSERT_PTR_EQUAL(weir_state_find_group(stream, "g"), done);
	CU_ASSERT_PTR_NULL(weir_state_find_group(stream, "G"));
	CU_ASSERT_EQUAL(weir_state_set_stream(state, "s", 4, 7, &again), 0);
	CU_ASSERT_EQUAL(again->heads[3], 9);
	CU_ASSERT_PTR_EQUAL(weir_state_find_stream(state, "s", 4, 7), stream);
	CU_ASSERT_PTR_NULL(weir_state_find_stream(state, "s", 5, 7));
	CU_ASSERT_PTR_NULL(weir_state_find_stream(state, "s", 4, 8));
	CU_ASSERT_PTR_NULL(weir_state_find_stream(state, "t", 4, 7));
	CU_ASSERT_PTR_EQUAL(weir_state_find_named(state, "s"), stream);
	CU_ASSERT_PTR_NULL(weir_state_find_named(state, "t"));

	CU_ASSERT_EQUAL(weir_state_set_stream(state, "s", 4, 8, &again), 0);
	CU_ASSERT_EQUAL(again->heads[3], 0);
	CU_ASSERT_EQUAL(again->group_count, 0);
	CU_ASSERT_EQUAL(state->stream_count, 1);
	CU_ASSERT_PTR_NULL(weir_state_find_stream(state, "s", 4, 7));
	CU_ASSERT_PTR_EQUAL(weir_state_find_stream(state, "s", 4, 8), again);
	weir_state_free(state);
}

static void test_limits(void)
{
	static const char *const names[] = {
		"", "12345678901234567890123456789012", "a b", "a/b", "\xc3\xa9"};
	struct weir_state *state = weir_state_create();
	struct weir_state_stream *stream;
	uint64_t *done;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		CU_ASSERT_EQUAL(weir_state_set_stream(state, names[i], 1, 0, &stream), -EINVAL);
		CU_ASSERT_PTR_NULL(stream);
	}
	CU_ASSERT_EQUAL(weir_state_set_stream(state, "s", 0, 0, &stream), -EINVAL);
	CU_ASSERT_EQUAL(weir_state_set_stream(state, "s", 4097, 0, &stream), -EINVAL);
	CU_ASSERT_EQUAL(state->stream_count, 0);
	fill(state, WEIR_STATE_MAX_STREAMS, 1, 0, 10);
	CU_ASSERT_EQUAL(weir_state_set_stream(state, "one-more", 1, 0, &stream), -ENOSPC);
	CU_ASSERT_EQUAL(
		weir_state_set_stream(state, "stream-with-a-name-as-long-4095", 2, 0, &stream), 0);
	weir_state_free(state);

	state = weir_state_create();
	fill(state, 1, 1, WEIR_STATE_STREAM_GROUPS, 10);
	CU_ASSERT_EQUAL(weir_state_set_group(&state->streams[0], "one-more", &done), -ENOSPC);
	CU_ASSERT_EQUAL(weir_state_set_group(&state->streams[0], "a b", &done), -EINVAL);
	weir_state_free(state);
}

/*
 * With a right checksum: refused, or there is a state with just these bytes, for every state has
 * but one way to be written. Returns whether it was accepted.
 */
static bool judge(uint8_t *bytes, size_t length)
{
	struct weir_state *state = NULL;
	struct weir_error error = {0};
	uint8_t *again = NULL;
	size_t length_again;
	uint8_t *tight = malloc(length); /* so that a sanitizer sees what is read beyond */
	int rc;

	state_seal(bytes, length);
	memcpy(tight, bytes, length);
	rc = weir_state_decode(tight, length, "here", &state, &error);
	if (rc < 0) {
		CU_ASSERT_TRUE(rc == -EBADMSG || rc == -ENOTSUP);
		CU_ASSERT_PTR_NULL(state);
		CU_ASSERT_EQUAL(error.code, rc);
		CU_ASSERT_STRING_EQUAL(error.path, "here");
		CU_ASSERT_NOT_EQUAL(error.reason[0], '\0');
	} else {
		CU_ASSERT_EQUAL_FATAL(weir_state_encode(state, &again, &length_again), 0);
		CU_ASSERT_TRUE(length_again == length && memcmp(again, bytes, length) == 0);
	}
	weir_state_free(state);
	free(again);
	free(tight);
	return rc == 0;
}

static void test_forged(void)
{
	struct weir_state *state = state_sample(9);
	unsigned int accepted = 0;
	uint8_t *bytes;
	uint8_t *forged;
	size_t length;

	CU_ASSERT_EQUAL_FATAL(weir_state_encode(state, &bytes, &length), 0);
	forged = malloc(length);
	for (size_t cut = WEIR_STATE_HEADER + WEIR_STATE_CHECKSUM; cut < length; cut++) {
		memcpy(forged, bytes, length);
		CU_ASSERT_FALSE(judge(forged, cut));
	}
	for (size_t at = 0; at < length - WEIR_STATE_CHECKSUM; at++)
		for (unsigned int bit = 0; bit < 8; bit++) {
			memcpy(forged, bytes, length);
			forged[at] ^= (uint8_t)(1u << bit);
			accepted += judge(forged, length);
		}
	for (uint64_t round = 1; round <= 20000; round++) {
		memcpy(forged, bytes, length);
		for (uint64_t i = 0; i < 1 + round % 8; i++)
			forged[state_mix(round * 8 + i) % length] = (uint8_t)state_mix(round + i);
		accepted += judge(forged, length);
	}
	CU_ASSERT_TRUE(accepted > length); /* most are only other numbers */
	free(forged);
	free(bytes);
	weir_state_free(state);
}

/* One stream "s" of one partition with a group "g", and what a forger makes of it. */
static void test_forgeries(void)
{
	static const struct {
		size_t at; /* from the end of the header */
		uint8_t bytes[2];
		uint8_t count;
		const char *reason;
	} forgeries[] = {
		{0, {0}, 1, "a name in it is not a name"},
		{0, {32}, 1, "a name in it is too long"},
		{1, {0}, 1, "a name in it is not a name"},
		{1, {'/'}, 1, "a stream in it is out of range"},
		{2, {0, 0}, 2, "a stream in it is out of range"},
		{2, {0x10, 0x01}, 2, "it ends within a stream"},
		{12, {0}, 1, "it goes on after its last stream"},
		{12, {2}, 1, "it ends within a stream"},
		{13, {0x80, 0x00}, 2, "a number in it is not written as it should be"},
		{15, {'/'}, 1, "a group in it is out of range"},
	};
	struct weir_state *state = weir_state_create();
	struct weir_state_stream *stream;
	struct weir_state *read;
	struct weir_error error;
	uint64_t *done;
	uint8_t *bytes;
	size_t length;

	CU_ASSERT_EQUAL_FATAL(weir_state_set_stream(state, "s", 1, 0, &stream), 0);
	CU_ASSERT_EQUAL_FATAL(weir_state_set_group(stream, "g", &done), 0);
	for (size_t i = 0; i < sizeof(forgeries) / sizeof(*forgeries); i++) {
		CU_ASSERT_EQUAL_FATAL(weir_state_encode(state, &bytes, &length), 0);
		memcpy(bytes + WEIR_STATE_HEADER + forgeries[i].at, forgeries[i].bytes,
			forgeries[i].count);
		state_seal(bytes, length);
		CU_ASSERT_EQUAL(weir_state_decode(bytes, length, "here", &read, &error), -EBADMSG);
		CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, forgeries[i].reason));
		free(bytes);
	}
	weir_state_free(state);
}

/* Two streams, the second renamed to be the first; the same with groups. */
static void test_twice(void)
{
	for (int is_group = 0; is_group < 2; is_group++) {
		struct weir_state *state = weir_state_create();
		struct weir_state_stream *stream;
		struct weir_state *read;
		struct weir_error error;
		uint64_t *done;
		uint8_t *bytes;
		size_t length;

		weir_state_set_stream(state, "aa", 1, 0, &stream);
		if (is_group) {
			weir_state_set_group(stream, "gg", &done);
			weir_state_set_group(stream, "zz", &done);
		} else {
			weir_state_set_stream(state, "zz", 1, 0, &stream);
		}
		CU_ASSERT_EQUAL_FATAL(weir_state_encode(state, &bytes, &length), 0);
		memcpy(memmem(bytes, length, "zz", 2), is_group ? "gg" : "aa", 2);
		state_seal(bytes, length);
		CU_ASSERT_EQUAL(weir_state_decode(bytes, length, "here", &read, &error), -EBADMSG);
		CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "twice"));
		weir_state_free(state);
		free(bytes);
	}
}

static void test_versions(void)
{
	struct weir_state *state = state_sample(1);
	struct weir_state *read;
	struct weir_error error;
	uint8_t *bytes;
	size_t length;

	CU_ASSERT_EQUAL_FATAL(weir_state_encode(state, &bytes, &length), 0);
	bytes[WEIR_STATE_AT_VERSION + 3] = WEIR_STATE_VERSION + 1;
	CU_ASSERT_EQUAL(weir_state_decode(bytes, length, "here", &read, &error), -EBADMSG);
	state_seal(bytes, length);
	CU_ASSERT_EQUAL(weir_state_decode(bytes, length, "here", &read, &error), -ENOTSUP);
	CU_ASSERT_PTR_NOT_NULL(strstr(error.reason, "version 2"));
	CU_ASSERT_NOT_EQUAL(error.hint[0], '\0');
	bytes[WEIR_STATE_AT_VERSION + 3] = 0;
	state_seal(bytes, length);
	CU_ASSERT_EQUAL(weir_state_decode(bytes, length, "here", &read, &error), -EBADMSG);
	weir_state_free(state);
	free(bytes);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"what was written is read", test_round_trip},
		{"every 64-bit number is kept", test_extremes},
		{"the largest state is quickly written", test_large},
		{"more than a file may hold is refused", test_too_large},
		{"a stream is found by name, key and partitions", test_find},
		{"limits hold", test_limits},
		{"whatever the bytes, they are refused or mean one state", test_forged},
		{"each forgery is refused for what it is", test_forgeries},
		{"nothing is there twice", test_twice},
		{"a newer version is told from damage", test_versions},
		CU_TEST_INFO_NULL,
	};
	CU_SuiteInfo suites[] = {
		{"state format", NULL, NULL, NULL, NULL, tests},
		CU_SUITE_INFO_NULL,
	};
	unsigned int failures;

	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures != 0;
}
