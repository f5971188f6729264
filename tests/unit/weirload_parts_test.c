/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <errno.h>
#include <string.h>

#include "course.h"
#include "histogram.h"
#include "meter.h"
#include "options.h"
#include "pacer.h"
#include "payload.h"

/* The pure parts of weirload besides its verifier. */

#define MS 1000000ull
#define S  (1000 * MS)

static void every_type_carries_the_record(void)
{
	static const size_t sizes[] = {0, 61, 512, 1400};
	static uint8_t buffer[LOAD_MAX_PAYLOAD];
	struct load_record sent = {0x01020304, 0xfedc, 0x1122334455667788, 0xaabbccddee}, got;

	for (int type = 0; type < LOAD_TYPES; type++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			size_t size = load_payload_fit((enum load_type)type, sizes[i]);

			CU_ASSERT(size >= sizes[i] && size > 0);
			CU_ASSERT_EQUAL(load_payload_fit((enum load_type)type, size), size);
			load_payload_prepare((enum load_type)type, buffer, size);
			load_payload_stamp((enum load_type)type, buffer, size, &sent, 1);
			memset(&got, 0, sizeof(got));
			CU_ASSERT_TRUE(load_record_get(buffer, size, &got));
			CU_ASSERT_EQUAL(memcmp(&sent, &got, sizeof(sent)), 0);
			CU_ASSERT_FALSE(load_record_get(buffer, size - 1, &got));
		}
	}
}

static void a_size_beyond_the_type_is_refused(void)
{
	CU_ASSERT_EQUAL(load_payload_fit(LOAD_IPFIX, LOAD_MAX_PAYLOAD), LOAD_MAX_PAYLOAD);
	CU_ASSERT_EQUAL(load_payload_fit(LOAD_NETFLOW5, 24 + 30 * 48), 24 + 30 * 48);
	CU_ASSERT_EQUAL(load_payload_fit(LOAD_NETFLOW5, 24 + 30 * 48 + 1), 0);
	CU_ASSERT_EQUAL(load_payload_fit(LOAD_SFLOW5, LOAD_MAX_PAYLOAD), 0);
}

static void what_carries_no_record_is_foreign(void)
{
	uint8_t bytes[64] = {0};
	struct load_record record;

	for (size_t length = 0; length <= sizeof(bytes); length++)
		CU_ASSERT_FALSE(load_record_get(bytes, length, &record));
	memset(bytes, 'f', sizeof(bytes));
	CU_ASSERT_FALSE(load_record_get(bytes, sizeof(bytes), &record));
}

static void a_quantile_is_right_within_three_percent(void)
{
	static struct load_histogram histogram;
	static const unsigned int per_mille[] = {1, 100, 500, 990, 999, 1000};

	CU_ASSERT_EQUAL(load_histogram_quantile(&histogram, 500), 0);
	for (uint64_t value = 1; value <= 100000; value++)
		load_histogram_add(&histogram, value * 1000);
	for (size_t i = 0; i < sizeof(per_mille) / sizeof(per_mille[0]); i++) {
		double exact = per_mille[i] * 100000.0;
		double found = (double)load_histogram_quantile(&histogram, per_mille[i]);

		CU_ASSERT(found >= exact && found <= exact * 1.032);
	}
	CU_ASSERT_EQUAL(histogram.lowest, 1000);
	CU_ASSERT_EQUAL(load_histogram_quantile(&histogram, 1000), 100000000);
}

static void the_largest_value_has_a_bucket(void)
{
	static struct load_histogram histogram;

	load_histogram_add(&histogram, UINT64_MAX);
	load_histogram_add(&histogram, 0);
	CU_ASSERT_EQUAL(load_histogram_quantile(&histogram, 1000), UINT64_MAX);
	CU_ASSERT_EQUAL(load_histogram_quantile(&histogram, 500), 0);
}

/* 1000 packets/s of 100 bytes for 10 s, with a thin first second; then a run so long that the
 * bins have to grow. */
static void the_rate_is_that_of_the_middle(void)
{
	static struct load_meter meter, long_meter;
	struct load_rate rate;

	for (uint64_t ms = 0; ms < 1000; ms += 10)
		load_meter_add(&meter, 5 * S + ms * MS, 1, 100);
	for (uint64_t ms = 1000; ms < 10000; ms++)
		load_meter_add(&meter, 5 * S + ms * MS, 1, 100);
	rate = load_meter_rate(&meter);
	CU_ASSERT_DOUBLE_EQUAL(rate.packets_per_s, 1000, 1);
	CU_ASSERT_DOUBLE_EQUAL(rate.bits_per_s, 800000, 800);

	for (uint64_t ms = 0; ms < 100000; ms++)
		load_meter_add(&long_meter, 1 + ms * MS, 2, 0);
	CU_ASSERT_EQUAL(long_meter.width_ns, 8 * MS);
	CU_ASSERT_DOUBLE_EQUAL(load_meter_rate(&long_meter).packets_per_s, 2000, 2);
}

static void a_rate_needs_a_span_of_time(void)
{
	static struct load_meter meter;

	CU_ASSERT_EQUAL(load_meter_rate(&meter).packets_per_s, 0);
	load_meter_add(&meter, 1, 100, 1);
	CU_ASSERT_EQUAL(load_meter_rate(&meter).packets_per_s, 0);
}

static void the_pacer_keeps_its_rate_whatever_the_delays(void)
{
	struct load_pacer pacer;
	uint64_t now = 100 * S;

	load_pacer_init(&pacer, 20000, 0, now);
	CU_ASSERT_EQUAL(pacer.burst, 20);
	CU_ASSERT_EQUAL(load_pacer_due(&pacer, now), 20);
	while (now < 110 * S) {
		pacer.sent += load_pacer_due(&pacer, now);
		CU_ASSERT(load_pacer_next(&pacer) > now);
		CU_ASSERT_EQUAL(load_pacer_due(&pacer, now), 0);
		/* Woken late by up to 15 ms. */
		now = load_pacer_next(&pacer) + now * 7919 % (15 * MS);
	}
	CU_ASSERT_EQUAL(pacer.slipped_ns, 0);
	CU_ASSERT((double)pacer.sent >= 20000 * 9.99 && (double)pacer.sent <= 20000 * 10.02);
}

static void a_stopped_sender_does_not_flood_afterwards(void)
{
	struct load_pacer pacer;

	load_pacer_init(&pacer, 1000, 1, S);
	pacer.sent += load_pacer_due(&pacer, S);
	CU_ASSERT(load_pacer_due(&pacer, 11 * S) <= 22);
	CU_ASSERT(pacer.slipped_ns > 9 * S && pacer.slipped_ns < 10 * S);
	load_pacer_init(&pacer, 1000, 1, S);
	pacer.catch_up_ns = 3 * MS;
	CU_ASSERT(load_pacer_due(&pacer, 11 * S) <= 4);
}

static void a_burst_may_leave_in_parts(void)
{
	struct load_pacer pacer;

	load_pacer_init(&pacer, 1000, 100, S);
	pacer.sent += 30;
	CU_ASSERT_EQUAL(load_pacer_due(&pacer, S + 1), 70);
	pacer.sent += 70;
	CU_ASSERT_EQUAL(load_pacer_due(&pacer, S + 99 * MS), 0);
	CU_ASSERT_EQUAL(load_pacer_next(&pacer), S + 100 * MS);
	CU_ASSERT_EQUAL(load_pacer_due(&pacer, S + 100 * MS), 100);
}

static void a_receiver_pauses_once_and_the_pause_is_no_silence(void)
{
	struct load_course_plan plan = {.pause_after = 1, .pause_for = 5, .idle = 2};
	struct load_course course;

	load_course_init(&course, &plan, 10 * S);
	CU_ASSERT_EQUAL(load_course_room(&course, 11 * S, 8), 8);
	load_course_note(&course, 11 * S, 1);
	load_course_note(&course, 12 * S - 1, 1);
	CU_ASSERT_EQUAL(load_course_next(&course, 12 * S - 1), 12 * S);
	CU_ASSERT_TRUE(load_course_is_paused(&course, 12 * S));
	CU_ASSERT_EQUAL(load_course_room(&course, 16 * S, 8), 0);
	CU_ASSERT_EQUAL(load_course_next(&course, 16 * S), 17 * S);
	CU_ASSERT_FALSE(load_course_is_over(&course, 18 * S));
	CU_ASSERT_EQUAL(load_course_room(&course, 17 * S, 8), 8);
	CU_ASSERT_TRUE(load_course_is_over(&course, 19 * S));
}

static void a_receiver_keeps_its_service_rate(void)
{
	struct load_course_plan plan = {.rate = 1000, .count = 2000};
	struct load_course course;
	uint64_t now = S;

	load_course_init(&course, &plan, now);
	while (!load_course_is_over(&course, now)) {
		load_course_note(&course, now, load_course_room(&course, now, 1024));
		if (!load_course_is_over(&course, now))
			now = load_course_next(&course, now);
	}
	CU_ASSERT_EQUAL(course.taken, 2000);
	CU_ASSERT(now >= S + 1990 * MS && now <= S + 2010 * MS);
}

static void an_endpoint_is_read_in_all_its_forms(void)
{
	static const struct {
		const char *text;
		int family; /* 0: refused */
		uint16_t port;
	} cases[] = {
		{"192.0.2.1:4739", AF_INET, 4739},
		{"192.0.2.1", AF_INET, 0},
		{"[2001:db8::1]:65535", AF_INET6, 65535},
		{"[2001:db8::1]", AF_INET6, 0},
		{"2001:db8::1", AF_INET6, 0},
		{"192.0.2.1:65536", 0, 0},
		{"192.0.2.1:", 0, 0},
		{"192.0.2.1:-1", 0, 0},
		{"192.0.2.1:1x", 0, 0},
		{"[192.0.2.1", 0, 0},
		{"[2001:db8::1]4", 0, 0},
		{"host:1", 0, 0},
		{"", 0, 0},
	};
	struct load_endpoint endpoint;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int result = load_endpoint_parse(cases[i].text, &endpoint);

		CU_ASSERT_EQUAL(result, cases[i].family != 0 ? 0 : -EINVAL);
		if (result == 0) {
			CU_ASSERT_EQUAL(endpoint.address.ss_family, cases[i].family);
			CU_ASSERT_EQUAL(load_endpoint_port(&endpoint), cases[i].port);
		}
	}
}

int main(void)
{
	CU_pSuite suite;

	if (CU_initialize_registry() != CUE_SUCCESS)
		return 1;
	suite = CU_add_suite("weirload's parts", NULL, NULL);
	CU_ADD_TEST(suite, every_type_carries_the_record);
	CU_ADD_TEST(suite, a_size_beyond_the_type_is_refused);
	CU_ADD_TEST(suite, what_carries_no_record_is_foreign);
	CU_ADD_TEST(suite, a_quantile_is_right_within_three_percent);
	CU_ADD_TEST(suite, the_largest_value_has_a_bucket);
	CU_ADD_TEST(suite, the_rate_is_that_of_the_middle);
	CU_ADD_TEST(suite, a_rate_needs_a_span_of_time);
	CU_ADD_TEST(suite, the_pacer_keeps_its_rate_whatever_the_delays);
	CU_ADD_TEST(suite, a_stopped_sender_does_not_flood_afterwards);
	CU_ADD_TEST(suite, a_burst_may_leave_in_parts);
	CU_ADD_TEST(suite, a_receiver_pauses_once_and_the_pause_is_no_silence);
	CU_ADD_TEST(suite, a_receiver_keeps_its_service_rate);
	CU_ADD_TEST(suite, an_endpoint_is_read_in_all_its_forms);
	if (CU_get_error() != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
