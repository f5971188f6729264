/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/latency.h"

#include <rte_cycles.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

/* Each value lies below its bucket's limit, and not below that of the one before. */
static void test_buckets_have_no_holes(void)
{
	for (uint64_t ns = 1; ns < 1ull << 40; ns += ns / 7 + 1) {
		uint32_t bucket = weir_latency_bucket(ns);

		CU_ASSERT_FATAL(bucket < WEIR_LATENCY_BUCKETS);
		CU_ASSERT_TRUE(ns < weir_latency_limit(bucket));
		if (bucket != 0)
			CU_ASSERT_TRUE(ns >= weir_latency_limit(bucket - 1));
	}
	CU_ASSERT_EQUAL(weir_latency_bucket(0), 0);
	CU_ASSERT_EQUAL(weir_latency_bucket(UINT64_MAX), WEIR_LATENCY_BUCKETS - 1);
}

static void test_quantile_is_within_a_quarter(void)
{
	struct weir_latency latency = {0};

	CU_ASSERT_EQUAL(weir_latency_quantile_ns(&latency, 0.5), 0);
	for (uint64_t i = 1; i <= 1000; i++)
		weir_latency_add(&latency, i * 1000, 1);
	for (double share = 0.1; share < 1; share += 0.1) {
		double found = (double)weir_latency_quantile_ns(&latency, share);

		CU_ASSERT_TRUE(found >= share * 1e6);
		CU_ASSERT_TRUE(found <= share * 1e6 * 1.26);
	}
	CU_ASSERT_EQUAL(weir_latency_total(&latency), 1000);
	CU_ASSERT_EQUAL(latency.sum_ns, 500500000);
}

/* What was delivered is in the histogram of its tier, and in no other. */
static void test_messages_are_counted_in_their_stage(void)
{
	static const uint8_t payload[64];
	struct plane *plane =
		plane_open("[{'name':'s','match':{'udp_port':1001},'key':'source','tier':'bulk'}]",
			"[{'name':'g','class':'blind','streams':['s'],'consumers':[" CONSUMER(
				"c", "198.51.100.9") "]}]");
	struct frame_spec spec = {.version = 4,
		.source = {4, {10, 0, 0, 1}},
		.destination = {4, {192, 0, 2, 1}},
		.source_port = 2055,
		.destination_port = 1001,
		.payload = payload,
		.payload_length = sizeof(payload)};
	struct weir_latency latencies[WEIR_LATENCY_COUNT];

	plane_reach_all(plane);
	for (uint32_t i = 0; i < 5; i++)
		plane_receive(plane, &spec);
	weir_latencies_report(plane->dataplane, latencies);
	CU_ASSERT_EQUAL(weir_latency_total(&latencies[WEIR_LATENCY_RING]), 5);
	CU_ASSERT_EQUAL(weir_latency_total(&latencies[WEIR_LATENCY_SEND_BULK]), 0);
	rte_delay_us(2000);
	plane_deliver(plane);
	weir_latencies_report(plane->dataplane, latencies);
	CU_ASSERT_EQUAL(weir_latency_total(&latencies[WEIR_LATENCY_SEND_BULK]), 5);
	CU_ASSERT_TRUE(latencies[WEIR_LATENCY_SEND_BULK].sum_ns >= 5 * 2000000ull);
	CU_ASSERT_TRUE(latencies[WEIR_LATENCY_SEND_BULK].sum_ns < 5 * 10000000000ull);
	CU_ASSERT_EQUAL(weir_latency_total(&latencies[WEIR_LATENCY_SEND_STANDARD]), 0);
	CU_ASSERT_EQUAL(weir_latency_total(&latencies[WEIR_LATENCY_ACKNOWLEDGE]), 0);
	plane_forget_sent(plane);
	plane_close(plane);
}

CU_TestInfo dataplane_latency_tests[] = {
	{"buckets have no holes", test_buckets_have_no_holes},
	{"a quantile is right within a quarter", test_quantile_is_within_a_quarter},
	{"messages are counted in their stage", test_messages_are_counted_in_their_stage},
	CU_TEST_INFO_NULL,
};
