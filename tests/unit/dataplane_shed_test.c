/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/shed.h"

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

#define TIER(name, port)                                                                           \
	"{'name':'" name "','match':{'udp_port':" port "},'key':'source','tier':'" name "'}"
#define STREAMS                                                                                    \
	"[" TIER("critical", "1001") "," TIER("standard", "1002") "," TIER("bulk", "1003") "]"
#define GROUP                                                                                      \
	"[{'name':'g','class':'blind','streams':['critical','standard','bulk'],'consumers':"       \
	"[" CONSUMER("c", "198.51.100.9") "]}]"

static const char *const names[] = {"critical", "standard", "bulk"};

/* A millisecond in which so many packets of each tier come, and the queues are so full. */
static void millisecond(struct plane *plane, const uint32_t packets[WEIR_TIERS], uint32_t filled)
{
	static const uint8_t payload[64];
	struct frame_spec spec = {.version = 4,
		.source = {4, {10, 0, 0, 1}},
		.destination = {4, {192, 0, 2, 1}},
		.source_port = 2055,
		.payload = payload,
		.payload_length = sizeof(payload)};

	for (uint16_t tier = 0; tier < WEIR_TIERS; tier++)
		for (uint32_t i = 0; i < packets[tier]; i++) {
			spec.destination_port = (uint16_t)(1001 + tier);
			plane_receive(plane, &spec);
		}
	for (uint32_t loop = 0; loop < 4; loop++)
		weir_shed_note(&plane->worker->shed, filled);
	plane_advance(plane, 1000);
	weir_shed_tick(plane->worker);
	plane_deliver(plane);
	plane_forget_sent(plane);
}

static uint64_t shed_of(struct plane *plane, enum weir_tier tier)
{
	return plane_stream(plane, names[tier]).dropped[WEIR_REASON_SHED];
}

static void test_bulk_first(void)
{
	static const uint32_t packets[WEIR_TIERS] = {8, 8, 8};
	struct plane *plane = plane_open(STREAMS, GROUP);
	const uint32_t *share = plane->worker->shed.share;
	uint64_t before;

	plane_reach_all(plane);
	for (uint32_t ms = 0; ms < 9; ms++) {
		millisecond(plane, packets, WEIR_BURST);
		CU_ASSERT_EQUAL(share[WEIR_TIER_STANDARD], 0);
	}
	CU_ASSERT_EQUAL(share[WEIR_TIER_BULK], WEIR_SHED_ALL);
	CU_ASSERT_TRUE(shed_of(plane, WEIR_TIER_BULK) > 20);
	CU_ASSERT_EQUAL(shed_of(plane, WEIR_TIER_STANDARD), 0);
	/* That was not enough: standard as well, and all of bulk. */
	before = shed_of(plane, WEIR_TIER_BULK);
	for (uint32_t ms = 0; ms < 20; ms++)
		millisecond(plane, packets, WEIR_BURST);
	CU_ASSERT_EQUAL(share[WEIR_TIER_STANDARD], WEIR_SHED_ALL);
	CU_ASSERT_EQUAL(shed_of(plane, WEIR_TIER_BULK) - before, 160);
	CU_ASSERT_TRUE(shed_of(plane, WEIR_TIER_STANDARD) > 80);
	/* Critical lost nothing, and its share stays. */
	CU_ASSERT_EQUAL(share[WEIR_TIER_CRITICAL], 0);
	CU_ASSERT_EQUAL(plane_stream(plane, "critical").appended, 29 * 8);
	CU_ASSERT_EQUAL(plane_group(plane, "critical", "g").delivered, 29 * 8);
	plane_close(plane);
}

static void test_ends(void)
{
	static const uint32_t packets[WEIR_TIERS] = {8, 8, 8};
	struct plane *plane = plane_open(STREAMS, GROUP);
	uint64_t standard, bulk;

	plane_reach_all(plane);
	for (uint32_t ms = 0; ms < 40; ms++)
		millisecond(plane, packets, WEIR_BURST);
	/* Standard comes back first. */
	for (uint32_t ms = 0; ms < 16; ms++) {
		millisecond(plane, packets, 10);
		CU_ASSERT_EQUAL(plane->worker->shed.share[WEIR_TIER_BULK], WEIR_SHED_ALL);
	}
	CU_ASSERT_EQUAL(plane->worker->shed.share[WEIR_TIER_STANDARD], 0);
	for (uint32_t ms = 0; ms < 16; ms++)
		millisecond(plane, packets, 10);
	CU_ASSERT_FALSE(plane->worker->shed.is_on);
	standard = shed_of(plane, WEIR_TIER_STANDARD);
	bulk = shed_of(plane, WEIR_TIER_BULK);
	for (uint32_t ms = 0; ms < 10; ms++)
		millisecond(plane, packets, 10);
	CU_ASSERT_EQUAL(shed_of(plane, WEIR_TIER_STANDARD), standard);
	CU_ASSERT_EQUAL(shed_of(plane, WEIR_TIER_BULK), bulk);
	plane_close(plane);
}

static void test_only_for_a_higher_tier(void)
{
	static const uint32_t only_bulk[WEIR_TIERS] = {0, 0, 24};
	static const uint32_t no_critical[WEIR_TIERS] = {0, 12, 12};
	struct plane *plane = plane_open(STREAMS, GROUP);

	plane_reach_all(plane);
	for (uint32_t ms = 0; ms < 20; ms++)
		millisecond(plane, only_bulk, WEIR_BURST);
	CU_ASSERT_EQUAL(shed_of(plane, WEIR_TIER_BULK), 0);
	for (uint32_t ms = 0; ms < 20; ms++)
		millisecond(plane, no_critical, WEIR_BURST);
	CU_ASSERT_TRUE(shed_of(plane, WEIR_TIER_BULK) > 0);
	CU_ASSERT_EQUAL(shed_of(plane, WEIR_TIER_STANDARD), 0);
	plane_close(plane);
}

static void test_one_burst_is_no_overload(void)
{
	static const uint32_t packets[WEIR_TIERS] = {8, 8, 8};
	struct plane *plane = plane_open(STREAMS, GROUP);

	plane_reach_all(plane);
	for (uint32_t ms = 0; ms < 20; ms++)
		millisecond(plane, packets, ms % 2 == 0 ? WEIR_BURST : 8);
	CU_ASSERT_EQUAL(shed_of(plane, WEIR_TIER_BULK), 0);
	plane_close(plane);
}

static void test_share_is_exact(void)
{
	struct weir_shed shed = {.is_on = true, .share = {0, 0, 96}};
	uint32_t dropped = 0;

	for (uint32_t i = 0; i < 256; i++) {
		CU_ASSERT_FALSE(weir_shed_drops(&shed, WEIR_TIER_CRITICAL));
		dropped += weir_shed_drops(&shed, WEIR_TIER_BULK);
	}
	CU_ASSERT_EQUAL(dropped, 96);
}

/* The pool is nearly empty, and nothing else is wrong. */
static void test_all_bulk_when_told(void)
{
	static const uint32_t packets[WEIR_TIERS] = {8, 8, 8};
	struct plane *plane = plane_open(STREAMS, GROUP);
	uint64_t before;

	plane_reach_all(plane);
	atomic_store(&plane->worker->dataplane->shed_bulk, true);
	millisecond(plane, packets, 1);
	before = shed_of(plane, WEIR_TIER_BULK);
	millisecond(plane, packets, 1);
	CU_ASSERT_EQUAL(shed_of(plane, WEIR_TIER_BULK) - before, 8);
	CU_ASSERT_EQUAL(shed_of(plane, WEIR_TIER_STANDARD), 0);
	atomic_store(&plane->worker->dataplane->shed_bulk, false);
	for (uint32_t ms = 0; ms < 2000 && plane->worker->shed.is_on; ms++)
		millisecond(plane, packets, 1);
	before = shed_of(plane, WEIR_TIER_BULK);
	millisecond(plane, packets, 1);
	CU_ASSERT_EQUAL(shed_of(plane, WEIR_TIER_BULK), before);
	plane_close(plane);
}

CU_TestInfo dataplane_shed_tests[] = {
	{"bulk is shed first, then standard, critical never", test_bulk_first},
	{"shedding ends, standard first", test_ends},
	{"nothing is shed but for a higher tier", test_only_for_a_higher_tier},
	{"one burst is no overload", test_one_burst_is_no_overload},
	{"a share is kept to the packet", test_share_is_exact},
	{"all of bulk is shed when it is told so", test_all_bulk_when_told},
	CU_TEST_INFO_NULL,
};
