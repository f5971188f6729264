/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/feature.h"

#include <string.h>

#include "dataplane_client.h"
#include "dataplane_tests.h"

/* Behaviour that is on for some partitions, and what is counted of both sides. */

#define PARTITIONS 16
#define SOURCES    40
#define STREAMS                                                                                    \
	"[{'name':'s','key':'source','partitions':16},"                                            \
	"{'name':'t','match':{'udp_port':9},'key':'source','partitions':8}]"
#define STREAM "[{'name':'s','key':'source','partitions':16}]"
#define GROUP  "[{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.9") "]}]"
#define NATIVE "[{'name':'n','class':'native','streams':'s'}]"

static char only_t[1][WEIR_NAME_SIZE] = {"t"};

static void follow(struct plane *plane)
{
	for (uint16_t id = 0; id < plane->dataplane->worker_count; id++)
		plane_follow(plane, id);
}

static void set(struct plane *plane, enum weir_feature feature, bool is_on, uint32_t percent)
{
	const struct weir_config_feature setting = {is_on, percent, NULL, 0};

	CU_ASSERT_EQUAL(weir_feature_set(plane->dataplane, feature, &setting, NULL), 0);
	follow(plane);
}

/* Bit a partition of the stream where the feature is on, as its worker has it. */
static uint64_t where(struct plane *plane, uint32_t stream, enum weir_feature feature)
{
	const struct weir_stream *object = plane->dataplane->published->streams[stream].stream;
	uint64_t set = 0;

	for (uint16_t p = 0; p < object->partition_count; p++)
		set |= (uint64_t)(object->partitions[p].features >> feature & 1) << p;
	return set;
}

static void test_share(void)
{
	struct plane *plane = plane_open(STREAMS, GROUP);
	uint64_t before = 0, all = (1u << PARTITIONS) - 1, half, third;

	CU_ASSERT_EQUAL(where(plane, 0, WEIR_FEATURE_RUNS), all);
	for (uint32_t percent = 0; percent <= 100; percent += 5) {
		set(plane, WEIR_FEATURE_RUNS, true, percent);
		half = where(plane, 0, WEIR_FEATURE_RUNS);
		CU_ASSERT_EQUAL(__builtin_popcountll(half), (PARTITIONS * percent + 99) / 100);
		CU_ASSERT_EQUAL(half & before, before);
		before = half;
	}
	CU_ASSERT_EQUAL(where(plane, 0, WEIR_FEATURE_BATCHING), all);
	/* On for half is off for the other half. */
	set(plane, WEIR_FEATURE_RUNS, true, 50);
	half = where(plane, 0, WEIR_FEATURE_RUNS);
	set(plane, WEIR_FEATURE_RUNS, false, 50);
	CU_ASSERT_EQUAL(where(plane, 0, WEIR_FEATURE_RUNS), half);
	set(plane, WEIR_FEATURE_RUNS, false, 75);
	third = where(plane, 0, WEIR_FEATURE_RUNS);
	CU_ASSERT_EQUAL(__builtin_popcountll(third), 4);
	CU_ASSERT_EQUAL(third & half, third);
	plane_close(plane);
}

static void test_streams(void)
{
	struct plane *plane = plane_open(STREAMS, GROUP);
	const struct weir_config_feature off = {false, 100, only_t, 1}, on = {true, 50, only_t, 1};

	CU_ASSERT_EQUAL(weir_feature_set(plane->dataplane, WEIR_FEATURE_RUNS, &off, NULL), 0);
	follow(plane);
	CU_ASSERT_EQUAL(where(plane, 0, WEIR_FEATURE_RUNS), (1u << PARTITIONS) - 1);
	CU_ASSERT_EQUAL(where(plane, 1, WEIR_FEATURE_RUNS), 0);
	CU_ASSERT_EQUAL(weir_feature_set(plane->dataplane, WEIR_FEATURE_RUNS, &on, NULL), 0);
	follow(plane);
	CU_ASSERT_EQUAL(where(plane, 0, WEIR_FEATURE_RUNS), 0);
	CU_ASSERT_EQUAL(__builtin_popcountll(where(plane, 1, WEIR_FEATURE_RUNS)), 4);
	plane_close(plane);
}

static struct weir_feature_report report_of(struct plane *plane, enum weir_feature feature)
{
	struct weir_feature_report report;

	for (uint16_t id = 0; id < plane->dataplane->worker_count; id++)
		weir_worker_census(&plane->dataplane->workers[id]);
	weir_features_fold(plane->dataplane);
	weir_feature_report(plane->dataplane, feature, &report);
	return report;
}

static void receive_all(struct plane *plane, uint32_t first, uint32_t count)
{
	for (uint8_t source = 1; source <= SOURCES; source++)
		plane_receive_numbered(plane, source, source * 1000u + first, count, 60);
}

/* Messages that partitions have had where the feature is on (or off). */
static uint64_t messages(struct plane *plane, enum weir_feature feature, bool is_on)
{
	const struct weir_stream *stream = plane->dataplane->published->streams[0].stream;
	uint64_t sum = 0;

	for (uint16_t p = 0; p < stream->partition_count; p++)
		if ((stream->partitions[p].features >> feature & 1) == is_on)
			sum += stream->partitions[p].head - stream->partitions[p].first;
	return sum;
}

static void test_sides(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct weir_feature_report report;
	uint64_t on, off;

	plane_reach_all(plane);
	set(plane, WEIR_FEATURE_RUNS, true, 50);
	receive_all(plane, 0, 10);
	plane_deliver(plane);
	on = messages(plane, WEIR_FEATURE_RUNS, true);
	off = messages(plane, WEIR_FEATURE_RUNS, false);
	CU_ASSERT_TRUE(on != 0 && off != 0 && on + off == SOURCES * 10);
	report = report_of(plane, WEIR_FEATURE_RUNS);
	for (int is_on = 0; is_on < 2; is_on++) {
		const struct weir_feature_side *side = &report.sides[is_on];

		CU_ASSERT_EQUAL(side->partitions, PARTITIONS / 2);
		CU_ASSERT_EQUAL(side->counts.delivered, is_on ? on : off);
		CU_ASSERT_EQUAL(side->counts.delivered_bytes, 60 * (is_on ? on : off));
		CU_ASSERT_EQUAL(side->counts.lost, 0);
		CU_ASSERT_EQUAL(weir_latency_total(&side->send), is_on ? on : off);
	}
	/* The other feature is on for all of them. */
	report = report_of(plane, WEIR_FEATURE_BATCHING);
	CU_ASSERT_EQUAL(report.sides[1].counts.delivered, SOURCES * 10);
	CU_ASSERT_EQUAL(report.sides[0].counts.delivered, 0);
	CU_ASSERT_EQUAL(plane->sent_count, SOURCES * 10);
	plane_close(plane);
}

static void test_loss(void)
{
	struct plane *plane =
		plane_open("[{'name':'s','key':'source','partitions':16,'ring':{'messages':16}}]",
			"[{'name':'g','streams':'s','sample':2,'consumers':[" CONSUMER(
				"c", "198.51.100.9") "]}]");
	struct weir_feature_report report;
	uint64_t on;

	set(plane, WEIR_FEATURE_RUNS, true, 25);
	receive_all(plane, 0, 20);
	on = messages(plane, WEIR_FEATURE_RUNS, true);
	plane_reach_all(plane);
	plane_deliver(plane);
	report = report_of(plane, WEIR_FEATURE_RUNS);
	/* Of each ring of 16 that came round, the rest was lapped; what sampling leaves out is not.
	 */
	CU_ASSERT_TRUE(report.sides[1].counts.lost != 0 && report.sides[1].counts.lost < on);
	CU_ASSERT_EQUAL(report.sides[0].counts.lost + report.sides[1].counts.lost,
		plane_group(plane, "s", "g").dropped[WEIR_REASON_LAPPED]);
	CU_ASSERT_TRUE(plane_group(plane, "s", "g").dropped[WEIR_REASON_SAMPLED] != 0);
	plane_close(plane);
}

/* A partition goes from one side to the other with what it holds, and no count goes back. */
static void test_change(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct weir_feature_report before, after;

	plane_reach_all(plane);
	for (uint32_t round = 0; round < 20; round++) {
		receive_all(plane, round, 1);
		if (round % 3 != 0)
			plane_deliver(plane);
		before = report_of(plane, WEIR_FEATURE_RUNS);
		set(plane, WEIR_FEATURE_RUNS, round % 2 == 0, 5 * round);
		after = report_of(plane, WEIR_FEATURE_RUNS);
		for (int side = 0; side < 2; side++)
			CU_ASSERT_EQUAL(before.sides[side].counts.delivered,
				after.sides[side].counts.delivered);
		CU_ASSERT_TRUE(plane_law_holds(plane));
	}
	plane_deliver(plane);
	after = report_of(plane, WEIR_FEATURE_RUNS);
	CU_ASSERT_EQUAL(
		after.sides[0].counts.delivered + after.sides[1].counts.delivered, SOURCES * 20);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, SOURCES * 20);
	/* What an attachment has counted stays counted when it is gone. */
	plane_apply(plane, STREAM, "[]");
	weir_dataplane_reclaim(plane->dataplane);
	before = report_of(plane, WEIR_FEATURE_RUNS);
	CU_ASSERT_EQUAL(
		before.sides[0].counts.delivered + before.sides[1].counts.delivered, SOURCES * 20);
	plane_close(plane);
}

static void test_moves(void)
{
	struct plane *plane = plane_open_with(STREAM, GROUP, &(struct plane_options){.workers = 2});
	struct weir_feature_report report;
	uint64_t on;

	plane_reach_all(plane);
	set(plane, WEIR_FEATURE_RUNS, true, 50);
	on = where(plane, 0, WEIR_FEATURE_RUNS);
	for (uint16_t p = 0; p < PARTITIONS; p++) {
		receive_all(plane, p, 1);
		if (p % 2 == 0)
			plane_deliver(plane);
		CU_ASSERT_EQUAL(weir_partition_set_worker(plane->dataplane, "s", p, p % 3 == 0), 0);
		plane_arrive(plane);
		CU_ASSERT_TRUE(plane_law_holds(plane));
	}
	plane_deliver(plane);
	CU_ASSERT_EQUAL(where(plane, 0, WEIR_FEATURE_RUNS), on);
	report = report_of(plane, WEIR_FEATURE_RUNS);
	CU_ASSERT_EQUAL(report.sides[1].counts.delivered, messages(plane, WEIR_FEATURE_RUNS, true));
	CU_ASSERT_EQUAL(
		report.sides[0].counts.delivered, messages(plane, WEIR_FEATURE_RUNS, false));
	plane_close(plane);
}

static uint32_t frames_at(uint32_t percent)
{
	struct plane *plane = plane_open(STREAM, NATIVE);
	struct client client;
	uint32_t frames;

	client_join(&client, plane, &(struct client_options){0});
	client_grant_all(&client);
	set(plane, WEIR_FEATURE_BATCHING, true, percent);
	receive_all(plane, 0, 20);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, SOURCES * 20);
	CU_ASSERT_EQUAL(client.jumped, 0);
	frames = client.frames;
	plane_close(plane);
	return frames;
}

static void test_batching(void)
{
	uint32_t all = frames_at(100), half = frames_at(50), none = frames_at(0);

	CU_ASSERT_EQUAL(none, SOURCES * 20);
	CU_ASSERT_TRUE(all * 4 < none);
	CU_ASSERT_TRUE(half > all * 2 && half < none);
}

static void test_configuration(void)
{
	struct plane *plane = plane_open_with(STREAM, GROUP,
		&(struct plane_options){
			.more = "'features':{'runs':{'state':'on','share_percent':25}},"});

	CU_ASSERT_EQUAL(__builtin_popcountll(where(plane, 0, WEIR_FEATURE_RUNS)), 4);
	/* The same as before of the one, nothing of the other. */
	set(plane, WEIR_FEATURE_BATCHING, true, 50);
	set(plane, WEIR_FEATURE_RUNS, true, 75);
	plane_republish(plane);
	CU_ASSERT_EQUAL(__builtin_popcountll(where(plane, 0, WEIR_FEATURE_RUNS)), 12);
	plane_apply(plane, STREAM, "[]");
	CU_ASSERT_EQUAL(__builtin_popcountll(where(plane, 0, WEIR_FEATURE_RUNS)), 16);
	CU_ASSERT_EQUAL(__builtin_popcountll(where(plane, 0, WEIR_FEATURE_BATCHING)), 8);
	plane_close(plane);
}

CU_TestInfo dataplane_feature_tests[] = {
	{"a larger share has the partitions of a smaller one", test_share},
	{"named streams have it, the others the opposite", test_streams},
	{"what is delivered is counted on its partition's side", test_sides},
	{"what is lost is, and what is left out is no loss", test_loss},
	{"a partition changes sides, and no count goes back", test_change},
	{"a partition takes its side along to another worker", test_moves},
	{"without batching a datagram leaves with each message", test_batching},
	{"a configuration that says something else sets it", test_configuration},
	CU_TEST_INFO_NULL,
};
