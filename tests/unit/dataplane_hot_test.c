/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_cycles.h>

#include "dataplane/hot.h"
#include "dataplane/load.h"
#include "dataplane/model.h"
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

static struct plane *open_heated(void)
{
	struct plane *plane = plane_open_with(STREAM, GROUP, &(struct plane_options){.workers = 2});
	struct weir_config *config =
		(struct weir_config *)(uintptr_t)plane->dataplane->model->config;
	struct weir_partition_load *loads = plane->dataplane->model->streams[0].object->loads;

	config->workers.isolate_percent = 40;
	for (uint32_t p = 0; p < 8; p++)
		loads[p].messages_per_s = p == 3 ? 3000 : 300;
	return plane;
}

/* The newest change, and how many there were. */
struct heat_changes {
	struct weir_heat_change last;
	uint32_t count;
};

static void note_change(void *context, const struct weir_heat_change *change)
{
	struct heat_changes *changes = context;

	changes->last = *change;
	changes->count++;
}

static void look_often(struct plane *plane, uint32_t times, struct heat_changes *changes)
{
	for (uint32_t i = 0; i < times; i++)
		weir_heat_look(plane->dataplane, note_change, changes);
}

static void test_a_worker_for_what_stays_hot(void)
{
	struct plane *plane = open_heated();
	struct weir_stream *stream = plane->dataplane->model->streams[0].object;
	struct heat_changes changes = {0};

	look_often(plane, WEIR_HEAT_HOT_LOOKS - 1, &changes);
	stream->loads[3].messages_per_s = 300; /* in between it is not */
	look_often(plane, 1, &changes);
	stream->loads[3].messages_per_s = 3000;
	look_often(plane, WEIR_HEAT_HOT_LOOKS - 1, &changes);
	CU_ASSERT_EQUAL(changes.count, 0);
	look_often(plane, 1, &changes);
	CU_ASSERT_EQUAL(changes.count, 1);
	CU_ASSERT_TRUE(changes.last.is_alone && changes.last.partition == 3);
	CU_ASSERT_TRUE(weir_partition_is_alone(plane->dataplane, stream, 3));
	/* The next one would leave no worker for the rest. */
	stream->loads[4].messages_per_s = 9000;
	look_often(plane, 2 * WEIR_HEAT_HOT_LOOKS, &changes);
	CU_ASSERT_EQUAL(changes.count, 1);
	plane_arrive(plane);
	plane_close(plane);
}

static void test_it_shares_again_when_it_has_cooled(void)
{
	struct plane *plane = open_heated();
	struct weir_stream *stream = plane->dataplane->model->streams[0].object;
	struct heat_changes changes = {0};

	look_often(plane, WEIR_HEAT_HOT_LOOKS, &changes);
	stream->loads[3].messages_per_s = 700; /* a quarter of all: above half of 40 percent */
	look_often(plane, 2 * WEIR_HEAT_COOL_LOOKS, &changes);
	CU_ASSERT_EQUAL(changes.count, 1);
	stream->loads[3].messages_per_s = 100;
	look_often(plane, WEIR_HEAT_COOL_LOOKS - 1, &changes);
	CU_ASSERT_EQUAL(changes.count, 1);
	look_often(plane, 1, &changes);
	CU_ASSERT_EQUAL(changes.count, 2);
	CU_ASSERT_FALSE(changes.last.is_alone);
	CU_ASSERT_FALSE(weir_partition_is_alone(plane->dataplane, stream, 3));
	plane_arrive(plane);
	plane_close(plane);
}

/* What an operator has given a worker keeps it, however cool it is; little traffic has no hot part.
 */
static void test_what_an_operator_has_done_stays(void)
{
	struct plane *plane = open_heated();
	struct weir_stream *stream = plane->dataplane->model->streams[0].object;
	struct heat_changes changes = {0};

	CU_ASSERT_EQUAL(weir_partition_isolate(plane->dataplane, "s", 5), 0);
	look_often(plane, 4 * WEIR_HEAT_COOL_LOOKS, &changes);
	CU_ASSERT_EQUAL(changes.count, 0);
	CU_ASSERT_EQUAL(weir_partition_rejoin(plane->dataplane, "s", 5), 0);
	for (uint32_t p = 0; p < 8; p++)
		stream->loads[p].messages_per_s = p == 3 ? 500 : 1;
	look_often(plane, 4 * WEIR_HEAT_HOT_LOOKS, &changes);
	CU_ASSERT_EQUAL(changes.count, 0);
	plane_arrive(plane);
	plane_close(plane);
}

static void set_isolation(struct plane *plane, bool is_on)
{
	const struct weir_config_feature setting = {is_on, 100, NULL, 0};

	CU_ASSERT_EQUAL(
		weir_feature_set(plane->dataplane, WEIR_FEATURE_ISOLATION, &setting, NULL), 0);
	plane_turn(plane);
}

static void test_only_where_the_feature_is_on(void)
{
	struct plane *plane = open_heated();
	struct weir_stream *stream = plane->dataplane->model->streams[0].object;
	struct heat_changes changes = {0};

	set_isolation(plane, false);
	look_often(plane, 2 * WEIR_HEAT_HOT_LOOKS, &changes);
	CU_ASSERT_EQUAL(changes.count, 0);
	set_isolation(plane, true);
	look_often(plane, WEIR_HEAT_HOT_LOOKS, &changes);
	CU_ASSERT_EQUAL(changes.count, 1);
	CU_ASSERT_TRUE(weir_partition_is_alone(plane->dataplane, stream, 3));
	/* As hot as it is, it shares as soon as it is switched off. */
	set_isolation(plane, false);
	look_often(plane, 1, &changes);
	CU_ASSERT_EQUAL(changes.count, 2);
	CU_ASSERT_FALSE(weir_partition_is_alone(plane->dataplane, stream, 3));
	plane_arrive(plane);
	plane_close(plane);
}

CU_TestInfo dataplane_hot_tests[] = {
	{"a hot key is found, and its share", test_found},
	{"what was hot is forgotten", test_forgotten},
	{"a partition's load and the skew are measured", test_loads},
	{"what stays hot gets a worker to itself", test_a_worker_for_what_stays_hot},
	{"it shares again when it has cooled", test_it_shares_again_when_it_has_cooled},
	{"only where the feature is on", test_only_where_the_feature_is_on},
	{"what an operator has done stays", test_what_an_operator_has_done_stays},
	CU_TEST_INFO_NULL,
};
