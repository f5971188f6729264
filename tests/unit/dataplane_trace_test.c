/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "dataplane/direct.h"
#include "dataplane/trace.h"
#include "dataplane_fixture.h"
#include "dataplane_tests.h"

/* Which messages workers follow, and what they tell of them; what becomes of that is
 * t_tracing.sh's. */

#define STREAMS                                                                                    \
	"[{'name':'s','key':'source','partitions':4,'ring':{'age_ms':50,'messages':1024}},"        \
	"{'name':'t','key':'source','partitions':2,'match':{'udp_port':9999}}]"
#define GROUPS                                                                                     \
	"[{'name':'g','streams':'s','consumers':[" CONSUMER(                                       \
		"c", "198.51.100.9") "]},"                                                         \
				     "{'name':'h','streams':'s','consumers':[" CONSUMER(           \
					     "d", "198.51.100.10") "]}]"

static struct weir_trace_rule *begin(struct plane *plane, uint32_t sample, int64_t count)
{
	struct weir_trace_rule *rule = &plane->dataplane->traces[0];

	CU_ASSERT_EQUAL_FATAL(weir_trace_prepare(plane->dataplane), 0);
	weir_trace_switch(plane->dataplane, 0, false);
	memset(rule->stream, 0, sizeof(rule->stream));
	memset(rule->consumer, 0, sizeof(rule->consumer));
	rule->has_key = false;
	rule->number++;
	rule->sample = sample;
	atomic_store(&rule->left, count);
	weir_trace_switch(plane->dataplane, 0, true);
	return rule;
}

/* Take all events; how many there are of each kind. */
static uint32_t take(
	struct plane *plane, uint32_t kinds[WEIR_TRACE_DROPPED + 1], struct weir_trace_event *last)
{
	struct weir_trace_event event = {0};
	uint32_t count = 0;

	memset(kinds, 0, (WEIR_TRACE_DROPPED + 1) * sizeof(kinds[0]));
	while (weir_trace_take(plane->worker, &event, 1) == 1) {
		kinds[event.kind]++;
		count++;
		if (last != NULL)
			*last = event;
	}
	return count;
}

/* Off: nothing is told, whatever was asked for before. */
static void test_off(void)
{
	struct plane *plane = plane_open(STREAMS, GROUPS);
	uint32_t kinds[WEIR_TRACE_DROPPED + 1];

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 100, 60);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(take(plane, kinds, NULL), 0);
	begin(plane, 1, 100);
	weir_trace_switch(plane->dataplane, 0, false);
	plane_receive_numbered(plane, 1, 100, 100, 60);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(take(plane, kinds, NULL), 0);
	CU_ASSERT_EQUAL(plane->sent_count, 400);
	plane_close(plane);
}

/* Each stage of each group once, in a run of messages that are not followed. */
static void test_stages(void)
{
	struct plane *plane = plane_open(STREAMS, GROUPS);
	uint32_t kinds[WEIR_TRACE_DROPPED + 1];
	struct weir_trace_event event = {0};

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 10, 60);
	begin(plane, 1, 3);
	plane_receive_numbered(plane, 1, 10, 10, 60);
	CU_ASSERT_EQUAL(take(plane, kinds, &event), 9);
	CU_ASSERT_EQUAL(kinds[WEIR_TRACE_APPENDED], 3);
	CU_ASSERT_EQUAL(kinds[WEIR_TRACE_WAITS], 6);
	CU_ASSERT_EQUAL(event.bytes, 60);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(take(plane, kinds, &event), 12);
	CU_ASSERT_EQUAL(kinds[WEIR_TRACE_TAKEN], 6);
	CU_ASSERT_EQUAL(kinds[WEIR_TRACE_SENT], 6);
	CU_ASSERT_FALSE(event.is_reliable);
	/* Followed or not, they have left in their order. */
	for (uint32_t i = 0, next[2] = {0}; i < plane->sent_count; i++) {
		uint32_t length, to = plane_sent(plane, i, &length)[33] == 10;

		CU_ASSERT_EQUAL(plane_number(plane, i), next[to]++);
	}
	CU_ASSERT_EQUAL(plane->sent_count, 40);
	plane_close(plane);
}

static void test_share(void)
{
	struct plane *plane = plane_open(STREAMS, GROUPS);
	uint32_t kinds[WEIR_TRACE_DROPPED + 1], all = 0;

	plane_reach_all(plane);
	begin(plane, 20, WEIR_TRACE_ENDLESS);
	for (uint32_t round = 0; round < 40; round++) {
		plane_receive_numbered(plane, 1, 0, 100, 60);
		plane_deliver(plane);
		plane_forget_sent(plane);
		take(plane, kinds, NULL);
		CU_ASSERT_EQUAL(kinds[WEIR_TRACE_SENT], 2 * kinds[WEIR_TRACE_APPENDED]);
		all += kinds[WEIR_TRACE_APPENDED];
	}
	CU_ASSERT_TRUE(all > 140 && all < 260);
	plane_close(plane);
}

/* A rule's conditions all hold for what it picks. */
static void test_conditions(void)
{
	struct plane *plane = plane_open(STREAMS, GROUPS);
	uint32_t kinds[WEIR_TRACE_DROPPED + 1];
	const struct weir_key_spec spec = {.kind = WEIR_KEY_SOURCE};
	struct weir_trace_rule *rule;
	char key[WEIR_KEY_TEXT];
	struct weir_trace_event event = {0};

	plane_reach_all(plane);
	rule = begin(plane, 1, 100);
	snprintf(rule->stream, sizeof(rule->stream), "t");
	plane_receive_numbered(plane, 1, 0, 5, 60);
	CU_ASSERT_EQUAL(take(plane, kinds, NULL), 0);
	snprintf(rule->stream, sizeof(rule->stream), "s");
	snprintf(rule->consumer, sizeof(rule->consumer), "nobody");
	plane_receive_numbered(plane, 1, 0, 5, 60);
	CU_ASSERT_EQUAL(take(plane, kinds, NULL), 0);
	snprintf(rule->consumer, sizeof(rule->consumer), "d");
	plane_receive_numbered(plane, 1, 0, 5, 60);
	take(plane, kinds, NULL);
	CU_ASSERT_EQUAL(kinds[WEIR_TRACE_APPENDED], 5);
	snprintf(key, sizeof(key), "10.0.0.2");
	CU_ASSERT_EQUAL(weir_key_read(&spec, key, &rule->key), 0);
	rule->has_key = true;
	plane_receive_numbered(plane, 1, 0, 5, 60);
	CU_ASSERT_EQUAL(take(plane, kinds, NULL), 0);
	plane_receive_numbered(plane, 2, 0, 5, 60);
	take(plane, kinds, &event);
	CU_ASSERT_EQUAL(kinds[WEIR_TRACE_APPENDED], 5);
	plane_close(plane);
}

/* What is dropped says why; how long gates were closed stands beside it. */
static void test_dropped(void)
{
	struct plane *plane = plane_open(STREAMS, GROUPS);
	uint32_t kinds[WEIR_TRACE_DROPPED + 1];
	struct weir_trace_event event = {0};
	uint64_t hz = rte_get_tsc_hz();

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 1, 60);
	plane_deliver(plane);
	plane_unreach(plane, "c");
	plane_unreach(plane, "d");
	begin(plane, 1, 1);
	plane_receive_numbered(plane, 1, 1, 1, 60);
	plane_deliver(plane);
	take(plane, kinds, NULL);
	plane_advance(plane, 100000);
	plane_tick(plane);
	CU_ASSERT_EQUAL(take(plane, kinds, &event), 2);
	CU_ASSERT_EQUAL(kinds[WEIR_TRACE_DROPPED], 2);
	CU_ASSERT_EQUAL(event.reason, WEIR_REASON_EXPIRED);
	if (event.consumer != 0)
		CU_ASSERT_TRUE(event.held[WEIR_GATE_UNREACHABLE] >= hz / 10);
	plane_close(plane);
}

/* A ring that nobody empties loses events, and no message. */
static void test_full(void)
{
	struct plane *plane = plane_open(STREAMS, GROUPS);
	uint32_t kinds[WEIR_TRACE_DROPPED + 1], count;

	plane_reach_all(plane);
	begin(plane, 1, WEIR_TRACE_ENDLESS);
	for (uint32_t round = 0; round < 10; round++) {
		plane_receive_numbered(plane, 1, 0, 100, 60);
		plane_deliver(plane);
	}
	CU_ASSERT_EQUAL(plane->sent_count, 2000);
	count = take(plane, kinds, NULL);
	CU_ASSERT_EQUAL(count, WEIR_TRACE_RING_SIZE - 1);
	CU_ASSERT_EQUAL(count + weir_trace_lost(plane->dataplane), 7000);
	plane_close(plane);
}

/* Those before it have passed their ring, those behind it keep their place. */
static void test_past_the_ring(void)
{
	struct plane *plane = plane_open("[{'name':'s','key':'source','partitions':1}]",
		"[{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.9") "]}]");
	uint32_t kinds[WEIR_TRACE_DROPPED + 1];

	plane_reach_all(plane);
	weir_direct_allow(plane->worker);
	plane_receive_numbered(plane, 1, 0, 5, 60);
	CU_ASSERT_EQUAL(plane->worker->tx[1].count, 5);
	begin(plane, 1, 2);
	plane_receive_numbered(plane, 1, 5, 5, 60);
	plane_deliver(plane);
	take(plane, kinds, NULL);
	CU_ASSERT_EQUAL(kinds[WEIR_TRACE_APPENDED], 2);
	CU_ASSERT_EQUAL(kinds[WEIR_TRACE_TAKEN], 2);
	CU_ASSERT_EQUAL(kinds[WEIR_TRACE_SENT], 2);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 10);
	for (uint32_t i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), i);
	plane_close(plane);
}

CU_TestInfo dataplane_trace_tests[] = {
	{"off, nothing is followed", test_off},
	{"each stage is told once", test_stages},
	{"one in so many is followed", test_share},
	{"what a rule asks for holds", test_conditions},
	{"one is followed among those that pass their ring", test_past_the_ring},
	{"a drop has its reason and what held it", test_dropped},
	{"a full ring loses what is counted, and nothing else", test_full},
	CU_TEST_INFO_NULL,
};
