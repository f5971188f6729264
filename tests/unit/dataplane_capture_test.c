/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "dataplane/capture.h"
#include "dataplane_fixture.h"
#include "dataplane_tests.h"

/* What workers put into their capture rings; what becomes of it is t_pcapng.sh's. */

#define STREAM "[{'name':'s','key':'source','partitions':1,'ring':{'age_ms':10}}]"
#define GROUP  "[{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.9") "]}]"

/* The rule number 0, as workers see it in their next loop. */
static struct weir_capture_rule *begin(struct plane *plane, uint8_t points)
{
	struct weir_capture_rule *rule = &plane->dataplane->captures[0];

	CU_ASSERT_EQUAL_FATAL(weir_capture_prepare(plane->dataplane), 0);
	rule->points = points;
	rule->snap = WEIR_CAPTURE_SNAP_MAX;
	weir_capture_switch(plane->dataplane, 0, true);
	plane->worker->capture_points = atomic_load(&plane->dataplane->capture_points);
	return rule;
}

/* Takes the oldest record; false: there is none. */
static bool take(struct plane *plane, struct weir_capture_record *record, uint32_t *number)
{
	const struct weir_capture_record *oldest = weir_capture_peek(&plane->worker->capture);
	const uint8_t *bytes;

	if (oldest == NULL)
		return false;
	*record = *oldest;
	bytes = (const uint8_t *)(oldest + 1);
	if (oldest->captured >= 46)
		memcpy(number, bytes + 42, sizeof(*number));
	weir_capture_pass(&plane->worker->capture, oldest);
	return true;
}

static struct rte_mbuf *numbered(struct plane *plane, uint32_t number, uint16_t length)
{
	struct rte_mbuf *packet = rte_pktmbuf_alloc(plane->dataplane->buffers);
	char *bytes = rte_pktmbuf_append(packet, length);

	memset(bytes, 0, length);
	memcpy(bytes + 42, &number, sizeof(number));
	return packet;
}

/* The ring takes what fits, in order, over its end; what does not fit is counted, and no more. */
static void test_ring(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	uint32_t sent = 0, seen = 0, taken = 0, number = 0;
	struct weir_capture_record record;

	begin(plane, WEIR_CAPTURE_RX);
	for (uint32_t round = 0; round < 3; round++) {
		uint64_t lost = weir_capture_lost(plane->dataplane, 0);
		uint32_t count = 0;

		/* Odd lengths: records end in different places each time round. */
		while (weir_capture_lost(plane->dataplane, 0) < lost + 5) {
			struct rte_mbuf *packet =
				numbered(plane, sent, (uint16_t)(100 + sent % 1300));

			weir_capture_rx(plane->worker, &plane->ports[0], &packet, 1);
			rte_pktmbuf_free(packet);
			sent++;
			count++;
		}
		while (take(plane, &record, &number)) {
			CU_ASSERT_TRUE(taken == 0 || number > seen);
			CU_ASSERT_EQUAL(record.length, 100 + number % 1300);
			CU_ASSERT_EQUAL(record.captured, record.length);
			seen = number;
			taken++;
		}
		CU_ASSERT_TRUE(count > 1000);
		CU_ASSERT_EQUAL(taken + weir_capture_lost(plane->dataplane, 0), sent);
	}
	plane_close(plane);
}

/* A packet that the port does not take yet is captured when it does, once. */
static void test_sent_once(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct weir_capture_record record;
	uint32_t number, count = 0;

	plane_reach_all(plane);
	begin(plane, WEIR_CAPTURE_TX);
	plane->accepts = 3;
	plane_receive_numbered(plane, 1, 0, 10, 60);
	plane_turn(plane);
	while (take(plane, &record, &number))
		count++;
	CU_ASSERT_EQUAL(count, 3);
	plane->accepts = UINT32_MAX;
	plane_deliver(plane);
	while (take(plane, &record, &number)) {
		CU_ASSERT_EQUAL(record.point, WEIR_CAPTURE_TX);
		CU_ASSERT_STRING_EQUAL(record.stream, "s");
		CU_ASSERT_EQUAL(record.partition, 0);
		CU_ASSERT_STRING_EQUAL(record.consumer, "c");
		CU_ASSERT_EQUAL(record.length, 14 + 28 + 60);
		count++;
	}
	CU_ASSERT_EQUAL(count, 10);
	CU_ASSERT_EQUAL(plane->sent_count, 10);
	plane_close(plane);
}

/* What a lane drops has its reason, place and consumer; other reasons are left out. */
static void test_dropped(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct weir_capture_rule *rule;
	struct weir_capture_record record;
	uint32_t number, count = 0;

	plane_reach_all(plane);
	rule = begin(plane, WEIR_CAPTURE_DROP);
	rule->reasons = UINT64_C(1) << WEIR_REASON_EXPIRED;
	rule->snap = 64;
	plane_receive_numbered(plane, 1, 0, 4, 60);
	plane_advance(plane, 20000);
	plane_deliver(plane);
	while (take(plane, &record, &number)) {
		CU_ASSERT_EQUAL(record.reason, WEIR_REASON_EXPIRED);
		CU_ASSERT_TRUE(record.is_dropped_at_lane);
		CU_ASSERT_STRING_EQUAL(record.stream, "s");
		CU_ASSERT_STRING_EQUAL(record.consumer, "c");
		CU_ASSERT_EQUAL(record.captured, 64);
		CU_ASSERT_EQUAL(record.length, 14 + 28 + 60);
		count++;
	}
	CU_ASSERT_EQUAL(count, 4);
	rule->reasons = UINT64_C(1) << WEIR_REASON_LAPPED;
	plane_receive_numbered(plane, 1, 0, 4, 60);
	plane_advance(plane, 20000);
	plane_deliver(plane);
	CU_ASSERT_FALSE(take(plane, &record, &number));
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").dropped[WEIR_REASON_EXPIRED], 8);
	plane_close(plane);
}

CU_TestInfo dataplane_capture_tests[] = {
	{"a full ring loses what is counted, and nothing else", test_ring},
	{"a packet that the port refuses is captured once", test_sent_once},
	{"a drop has its reason and whose it was", test_dropped},
	CU_TEST_INFO_NULL,
};
