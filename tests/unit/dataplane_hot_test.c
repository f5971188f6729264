/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_cycles.h>

#include "dataplane/hot.h"
#include "dataplane/load.h"
#include "dataplane_fixture.h"
#include "dataplane_tests.h"

/* Which keys and partitions have most to do. */

#define STREAM "[{'name':'s','key':'source','partitions':8}]"
#define GROUP  "[{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.9") "]}]"

/* Half of all are the first source's; the others have equal shares. Both workers receive. */
static void receive_skewed(struct plane *plane, uint32_t rounds)
{
	for (uint32_t round = 0; round < rounds; round++) {
		plane->worker = &plane->dataplane->workers[round % plane->dataplane->worker_count];
		plane_receive_numbered(plane, 1, round * 50, 50, 60);
		for (uint8_t source = 2; source <= 51; source++)
			plane_receive_numbered(plane, source, round, 1, 60);
		plane_deliver(plane);
		plane_forget_sent(plane);
	}
	plane->worker = &plane->dataplane->workers[0];
}

static void test_found(void)
{
	struct plane *plane = plane_open_with(STREAM, GROUP, &(struct plane_options){.workers = 2});
	struct weir_hot_report report;
	char text[WEIR_KEY_TEXT];
	uint16_t partitions;
	double share, sure;

	plane_reach_all(plane);
	CU_ASSERT_EQUAL(weir_hot_report(plane->dataplane, "t", &report, &partitions), -ENOENT);
	CU_ASSERT_EQUAL(weir_hot_report(plane->dataplane, "s", &report, &partitions), 0);
	CU_ASSERT_EQUAL(report.count, 0);
	receive_skewed(plane, 2000);
	CU_ASSERT_EQUAL(weir_hot_report(plane->dataplane, "s", &report, &partitions), 0);
	CU_ASSERT_EQUAL(partitions, 8);
	/* 200,000 packets, one in 64. */
	CU_ASSERT_TRUE(report.samples > 2700 && report.samples < 3600);
	CU_ASSERT_TRUE_FATAL(report.count > 1);
	CU_ASSERT_STRING_EQUAL(weir_key_show(&report.keys[0].key, text, sizeof(text)), "10.0.0.1");
	share = (double)report.keys[0].count / (double)report.samples;
	sure = (double)(report.keys[0].count - report.keys[0].error) / (double)report.samples;
	CU_ASSERT_TRUE(share > 0.45 && share < 0.6);
	CU_ASSERT_TRUE(sure > 0.4 && sure <= share);
	CU_ASSERT_TRUE((double)report.keys[1].count < 0.1 * (double)report.samples);
	plane_close(plane);
}

/* What was hot a minute ago is not what is hot. */
static void test_forgotten(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct weir_hot_report report;
	char text[WEIR_KEY_TEXT];
	uint16_t partitions;

	plane_reach_all(plane);
	receive_skewed(plane, 500);
	plane_advance(plane, 60000000);
	for (uint32_t i = 0; i < 200; i++) {
		plane_receive_numbered(plane, 77, i * 50, 50, 60);
		plane_deliver(plane);
		plane_forget_sent(plane);
	}
	weir_hot_report(plane->dataplane, "s", &report, &partitions);
	CU_ASSERT_TRUE_FATAL(report.count > 0);
	CU_ASSERT_STRING_EQUAL(weir_key_show(&report.keys[0].key, text, sizeof(text)), "10.0.0.77");
	plane_close(plane);
}

static void test_loads(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct weir_stream_load load;

	plane_reach_all(plane);
	CU_ASSERT_EQUAL(weir_stream_load(plane->dataplane, "t", &load), -ENOENT);
	receive_skewed(plane, 100);
	plane->dataplane->measured_at = rte_rdtsc() - 2 * rte_get_tsc_hz();
	weir_load_measure(plane->dataplane);
	CU_ASSERT_EQUAL(weir_stream_load(plane->dataplane, "s", &load), 0);
	/* 10,000 in two seconds, and half of it as it is new. */
	CU_ASSERT_TRUE(load.messages_per_s > 2000 && load.messages_per_s < 2600);
	CU_ASSERT_DOUBLE_EQUAL(load.bytes_per_s, 60 * load.messages_per_s, 1);
	CU_ASSERT_TRUE(load.hottest_percent > 50);
	CU_ASSERT_DOUBLE_EQUAL(load.skew, load.hottest_percent * 8 / 100, 0.01);
	/* At once, there is nothing to measure. */
	weir_load_measure(plane->dataplane);
	CU_ASSERT_TRUE(load.messages_per_s > 2000);
	plane_close(plane);
}

CU_TestInfo dataplane_hot_tests[] = {
	{"a hot key is found, and its share", test_found},
	{"what was hot is forgotten", test_forgotten},
	{"a partition's load and the skew are measured", test_loads},
	CU_TEST_INFO_NULL,
};
