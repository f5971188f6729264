/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

#define STREAM "[{'name':'s','partitions':1}]"
#define TWO_GROUPS                                                                                 \
	"[{'name':'g','streams':'s','consumers':[" CONSUMER(                                       \
		"c", "198.51.100.7") "]},"                                                         \
				     "{'name':'h','streams':'s','consumers':[" CONSUMER(           \
					     "d", "198.51.100.8") "]}]"

static void test_blocked_group(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);
	struct weir_group_stats blocked;

	plane_reach(plane, "c");
	for (uint32_t i = 0; i < 10; i++) {
		plane_receive_numbered(plane, 1, i * 100, 100, 100);
		CU_ASSERT_EQUAL(plane_deliver(plane), 100);
	}
	for (uint32_t i = 0; i < 1000; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), i);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 1000);
	blocked = plane_group(plane, "s", "h");
	CU_ASSERT_EQUAL(blocked.delivered, 0);
	CU_ASSERT_EQUAL(blocked.held, 1000);
	plane_forget_sent(plane);
	plane_reach(plane, "d");
	CU_ASSERT_EQUAL(plane_deliver(plane), 1000);
	CU_ASSERT_EQUAL(plane_number(plane, 999), 999);
	plane_close(plane);
}

/* A group whose ring space is used up by itself does not lap the other. */
static void test_lapped_alone(void)
{
	struct plane *plane =
		plane_open("[{'name':'s','partitions':1,'ring':{'messages':16}}]", TWO_GROUPS);

	plane_reach(plane, "c");
	for (uint32_t i = 0; i < 100; i++) {
		plane_receive_numbered(plane, 1, i, 1, 100);
		plane_deliver(plane);
	}
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 100);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").dropped[WEIR_REASON_LAPPED], 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").dropped[WEIR_REASON_LAPPED], 84);
	plane_close(plane);
}

static void test_paused(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);
	struct weir_consumer *consumer = weir_consumer_find(plane->dataplane, "c");

	plane_reach_all(plane);
	weir_consumer_set_closed(plane->dataplane, consumer, WEIR_CLOSED_PAUSED, true);
	plane_receive_numbered(plane, 1, 0, 100, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").delivered, 100);
	CU_ASSERT_EQUAL(plane_consumer(plane, "c").stats.closed[WEIR_GATE_PAUSED], 1);
	CU_ASSERT_EQUAL(plane_consumer(plane, "c").gate, WEIR_GATE_PAUSED);
	weir_consumer_set_closed(plane->dataplane, consumer, WEIR_CLOSED_PAUSED, false);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 100);
	plane_close(plane);
}

static void test_sampling(void)
{
	struct plane *plane =
		plane_open(STREAM, "[{'name':'g','streams':'s','sample':10,'consumers':[" CONSUMER(
					   "c", "198.51.100.7") "]}]");
	struct weir_group_stats group;

	plane_reach_all(plane);
	for (uint32_t i = 0; i < 1000; i += 37) {
		plane_receive_numbered(plane, 1, i, i + 37 <= 1000 ? 37 : 1000 - i, 100);
		plane_deliver(plane);
	}
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 100);
	for (uint32_t i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), i * 10);
	group = plane_group(plane, "s", "g");
	CU_ASSERT_EQUAL(group.delivered, 100);
	CU_ASSERT_EQUAL(group.dropped[WEIR_REASON_SAMPLED], 900);
	plane_close(plane);
}

static void test_filter(void)
{
	struct plane *plane =
		plane_open(STREAM, "[{'name':'g','streams':'s','source':['10.0.0.4/30','2001:db8::/"
				   "32'],'consumers':[" CONSUMER("c", "198.51.100.7") "]}]");
	uint8_t payload[8] = {0};
	struct frame_spec six = {.version = 6,
		.source_port = 1,
		.destination_port = 4739,
		.payload = payload,
		.payload_length = sizeof(payload)};

	weir_address_parse("2001:db8::5", &six.source);
	weir_address_parse("2001:db8::6", &six.destination);
	plane_reach_all(plane);
	for (uint8_t source = 1; source <= 10; source++)
		plane_receive_numbered(plane, source, source, 1, 100);
	plane_receive(plane, &six);
	weir_address_parse("2001:db9::5", &six.source);
	plane_receive(plane, &six);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 5);
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(plane_number(plane, i), 4 + i);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").dropped[WEIR_REASON_FILTERED], 7);
	plane_close(plane);
}

/* Every group but the last gets a copy; the last gets the received buffer itself. */
static void test_copies(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);
	uint32_t originals = 0;

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 50, 1000);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 100);
	for (uint32_t i = 0; i < 100; i++) {
		struct frame_view view = plane_view(plane, i);

		CU_ASSERT_TRUE(view.checksum_is_right && view.ip_checksum_is_right);
		CU_ASSERT_EQUAL(view.payload_length, 1000);
		CU_ASSERT_EQUAL(view.payload[999], 0xa5);
		originals += plane->sent[i]->pool == plane->dataplane->buffers;
	}
	CU_ASSERT_EQUAL(originals, 50);
	plane_close(plane);
}

/* Chained copies share the payload: a later in-place rewrite must not show in them. */
static void test_shared_payload(void)
{
	static const struct plane_options chained = {.multi_segment = true};
	struct plane *plane = plane_open_with(STREAM, TWO_GROUPS, &chained);
	uint32_t per_consumer[2] = {0};

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 50, 1000);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 100);
	for (uint32_t i = 0; i < 100; i++) {
		struct frame_view view = plane_view(plane, i);

		CU_ASSERT_TRUE(view.has_checksum && view.checksum_is_right);
		CU_ASSERT_TRUE(view.ip_checksum_is_right);
		CU_ASSERT_EQUAL(
			plane_number(plane, i), per_consumer[view.destination.bytes[3] - 7]++);
	}
	CU_ASSERT_EQUAL(per_consumer[0], 50);
	CU_ASSERT_EQUAL(per_consumer[1], 50);
	plane_close(plane);
}

static void test_port_full(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);

	plane_reach_all(plane);
	plane->accepts = 10;
	plane_receive_numbered(plane, 1, 0, 1000, 100);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 10);
	CU_ASSERT_NOT_EQUAL(plane_consumer(plane, "c").stats.closed[WEIR_GATE_PORT_FULL], 0);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	for (uint32_t i = 0; i < 1000; i++) {
		plane->accepts = 7;
		plane_turn(plane);
	}
	CU_ASSERT_EQUAL(plane->sent_count, 2000);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 1000);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").delivered, 1000);
	plane_close(plane);
}

/* What was counted as delivered and never left is taken back. */
static void test_port_gone(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);
	struct weir_group_stats group;

	plane_reach(plane, "c");
	plane->accepts = 10;
	plane_receive_numbered(plane, 1, 0, 100, 100);
	plane_deliver(plane);
	weir_worker_purge(plane->worker);
	group = plane_group(plane, "s", "g");
	CU_ASSERT_EQUAL(group.delivered, 10);
	CU_ASSERT_EQUAL(group.delivered_bytes, 1000);
	CU_ASSERT_EQUAL(group.dropped[WEIR_REASON_TX_FAILED], 90);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").dropped[WEIR_REASON_SHUTDOWN], 100);
	plane_close(plane);
}

CU_TestInfo dataplane_group_tests[] = {
	{"a group that cannot be reached does not hold up another", test_blocked_group},
	{"a group that falls behind is lapped alone", test_lapped_alone},
	{"a paused consumer gets nothing, then everything", test_paused},
	{"sampling takes exactly every Nth", test_sampling},
	{"a source filter lets only its prefixes pass", test_filter},
	{"groups get copies, the last one the original", test_copies},
	{"copies that share a payload stay whole", test_shared_payload},
	{"a port that takes little loses nothing", test_port_full},
	{"what never left the port is not counted as delivered", test_port_gone},
	CU_TEST_INFO_NULL,
};
