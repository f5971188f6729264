/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

#define STREAM "[{'name':'s','partitions':1,'ring':{'messages':4096}}]"
#define GROUP(rate)                                                                                \
	"[{'name':'g','streams':'s','consumers':[{'name':'c','address':'198.51.100.7',"            \
	"'port':9995,'rate':" rate "}]}]"

#define STEP_US 50

/* Offer more than the limit for a while; returns packets sent. */
static uint32_t offer(struct plane *plane, uint32_t us, uint32_t per_step, uint16_t length)
{
	uint32_t before = 0, total = 0;

	for (uint32_t at = 0; at < us; at += STEP_US) {
		plane_receive_numbered(plane, 1, 0, per_step, length);
		plane_advance(plane, STEP_US);
		before = plane->sent_count;
		plane_deliver(plane);
		total += plane->sent_count - before;
		plane_forget_sent(plane);
	}
	return total;
}

static bool is_near(double value, double wanted)
{
	return fabs(value - wanted) <= wanted * 0.02;
}

static void test_packets(void)
{
	struct plane *plane = plane_open(STREAM, GROUP("{'packets_per_s':'10k'}"));

	plane_reach_all(plane);
	offer(plane, 100000, 2, 100); /* the burst is used up */
	CU_ASSERT_TRUE(is_near(offer(plane, 1000000, 2, 100), 10000));
	CU_ASSERT_NOT_EQUAL(plane_consumer(plane, "c").stats.closed[WEIR_GATE_PACKET_RATE], 0);
	plane_close(plane);
}

static void test_bits(void)
{
	struct plane *plane = plane_open(STREAM, GROUP("{'bits_per_s':'50M'}"));
	double bits;

	plane_reach_all(plane);
	offer(plane, 100000, 2, 500);
	bits = offer(plane, 1000000, 2, 500) * (500.0 + 28) * 8;
	CU_ASSERT_TRUE(is_near(bits, 50e6));
	CU_ASSERT_NOT_EQUAL(plane_consumer(plane, "c").stats.closed[WEIR_GATE_BIT_RATE], 0);
	plane_close(plane);
}

static void test_both(void)
{
	struct plane *plane =
		plane_open(STREAM, GROUP("{'packets_per_s':'5k','bits_per_s':'50M'}"));

	plane_reach_all(plane);
	offer(plane, 100000, 2, 500);
	CU_ASSERT_TRUE(is_near(offer(plane, 1000000, 2, 500), 5000));
	plane_close(plane);
}

/* Below the chunk that a turn leases the burst is still the burst. */
static void test_small_burst(void)
{
	struct plane *plane = plane_open(STREAM, GROUP("{'packets_per_s':1000,'burst_packets':4}"));

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 1000, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 4);
	plane_advance(plane, 100000);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 8);
	plane_close(plane);
}

static void test_small_burst_bytes(void)
{
	struct plane *plane = plane_open(STREAM, GROUP("{'bits_per_s':'1M','burst_bytes':2112}"));

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 100, 500);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 2112 / 528);
	plane_close(plane);
}

static void test_unlimited_passes(void)
{
	struct plane *plane = plane_open(STREAM, GROUP("{}"));

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 2000, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 2000);
	plane_close(plane);
}

/* A consumer that waits for hours at the old rate goes on at the new one. */
static void test_raised(void)
{
	static const struct weir_config_rate fast = {.bits_per_s = 1000000000};
	struct plane *plane = plane_open(STREAM, GROUP("{'bits_per_s':1,'burst_bytes':2048}"));

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 100, 1000);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 1);
	weir_consumer_limit(plane->dataplane, weir_consumer_find(plane->dataplane, "c"), &fast);
	plane->worker->now = rte_rdtsc();
	plane_advance(plane, 10000);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 100);
	CU_ASSERT_EQUAL(plane_consumer(plane, "c").rate.bits_per_s, 1000000000);
	plane_close(plane);
}

/* The two limits of one group's consumer say nothing about another's. */
static void test_alone(void)
{
	struct plane *plane = plane_open(STREAM,
		"[{'name':'g','streams':'s','consumers':[{'name':'c','address':'198.51.100.7',"
		"'port':1,'rate':{'packets_per_s':100}}]},"
		"{'name':'h','streams':'s','consumers':[" CONSUMER("d", "198.51.100.8") "]}]");

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 1000, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 32);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").delivered, 1000);
	plane_close(plane);
}

CU_TestInfo dataplane_rate_tests[] = {
	{"a limit in packets is held within 2 %", test_packets},
	{"a limit in bits is held within 2 %", test_bits},
	{"of two limits the tighter one holds", test_both},
	{"a small burst of packets is not exceeded", test_small_burst},
	{"a small burst of bytes is not exceeded", test_small_burst_bytes},
	{"without a limit nothing waits", test_unlimited_passes},
	{"a raised limit takes effect at once", test_raised},
	{"a limited consumer does not slow another", test_alone},
	CU_TEST_INFO_NULL,
};
