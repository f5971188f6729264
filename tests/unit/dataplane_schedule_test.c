/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

#define MESSAGES 2000 /* of each stream */

#define STREAM(name, source, tier)                                                                 \
	"{'name':'" name "','match':{'source':'10.0.0." source "/32'},'partitions':1,"             \
	"'tier':'" tier "','ring':{'messages':2048}}"
#define GROUP(name, stream, address)                                                               \
	"{'name':'" name "','streams':'" stream "','consumers':[" CONSUMER("c-" name, address) "]" \
											       "}"
#define GROUPS "[" GROUP("a", "s", "198.51.100.7") "," GROUP("b", "t", "198.51.100.8") "]"

/* Which of the first `count` packets are consumer 198.51.100.7's. */
static uint32_t count_first(struct plane *plane, uint32_t count)
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < count; i++)
		found += plane_view(plane, i).destination.bytes[3] == 7;
	return found;
}

static struct plane *backlog(const char *streams, const char *more, uint16_t length)
{
	struct plane_options options = {.more = more};
	struct plane *plane = plane_open_with(streams, GROUPS, &options);

	plane_reach_all(plane);
	plane_receive_numbered(plane, 2, 0, MESSAGES, length);
	plane_receive_numbered(plane, 1, 0, MESSAGES, length);
	return plane;
}

static void test_critical_first(void)
{
	struct plane *plane =
		backlog("[" STREAM("s", "1", "critical") "," STREAM("t", "2", "bulk") "]", "", 100);

	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 2 * MESSAGES);
	CU_ASSERT_EQUAL(count_first(plane, MESSAGES), MESSAGES);
	plane_close(plane);
}

/* Above its meter critical shares like standard, so nothing starves. */
static void test_critical_metered(void)
{
	struct plane *plane =
		backlog("[" STREAM("s", "1", "critical") "," STREAM("t", "2", "standard") "]",
			"'tiers':{'critical':{'packets_per_s':1000}},", 1000);
	uint32_t first;

	for (int i = 0; i < 3; i++)
		plane_turn(plane);
	first = count_first(plane, plane->sent_count);
	CU_ASSERT_TRUE(first > plane->sent_count * 4 / 10);
	CU_ASSERT_TRUE(first < plane->sent_count * 6 / 10);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 2 * MESSAGES);
	plane_close(plane);
}

/* The meter counts bits of IP packets, as every rate does: of these, 7 in 8 are headers'. */
static void test_meter_bits(void)
{
	struct plane *plane =
		backlog("[" STREAM("s", "1", "critical") "," STREAM("t", "2", "bulk") "]",
			"'tiers':{'critical':{'bits_per_s':1000},'standard_weight':1,"
			"'bulk_weight':1},",
			4);
	uint32_t first;

	/* A burst of 32 full packets, which is 1,500 of these; the rest is shared. */
	for (int i = 0; i < 4; i++)
		plane_turn(plane);
	first = count_first(plane, plane->sent_count);
	CU_ASSERT_TRUE(first >= 1500);
	CU_ASSERT_TRUE(first < 1900);
	plane_deliver(plane);
	plane_close(plane);
}

static void test_shares(void)
{
	struct plane *plane =
		backlog("[" STREAM("s", "1", "standard") "," STREAM("t", "2", "bulk") "]",
			"'tiers':{'standard_weight':3,'bulk_weight':1},", 1000);
	uint32_t first;

	for (int i = 0; i < 4; i++)
		plane_turn(plane);
	first = count_first(plane, plane->sent_count);
	CU_ASSERT_TRUE(fabs(first / (double)plane->sent_count - 0.75) < 0.02);
	plane_deliver(plane);
	plane_close(plane);
}

/* Shares are of bytes: small packets do not count for less. */
static void test_shares_bytes(void)
{
	struct plane *plane = plane_open(
		"[" STREAM("s", "1", "standard") "," STREAM("t", "2", "standard") "]", GROUPS);
	double bytes[2] = {0};

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, MESSAGES, 1400);
	plane_receive_numbered(plane, 2, 0, MESSAGES, 200);
	for (int i = 0; i < 3; i++)
		plane_turn(plane);
	for (uint32_t i = 0; i < plane->sent_count; i++) {
		struct frame_view view = plane_view(plane, i);

		bytes[view.destination.bytes[3] - 7] += view.payload_length + 28;
	}
	CU_ASSERT_TRUE(fabs(bytes[0] / (bytes[0] + bytes[1]) - 0.5) < 0.02);
	plane_close(plane);
}

/* Another outlet's datagrams may take all the room that is kept; waiting for it must end. */
static void test_waiting_ends(void)
{
	struct plane *plane = backlog(
		"[" STREAM("s", "1", "standard") "," STREAM("t", "2", "standard") "]", "", 100);
	struct weir_tx *tx = &plane->worker->tx[1];

	plane->worker->open_count = WEIR_TX_SIZE;
	plane_turn(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 0);
	CU_ASSERT_EQUAL(tx->count, 0);
	plane->worker->open_count = 0;
	plane_turn(plane);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 2 * MESSAGES);
	plane_close(plane);
}

CU_TestInfo dataplane_schedule_tests[] = {
	{"critical goes before bulk", test_critical_first},
	{"critical above its meter shares", test_critical_metered},
	{"critical above its meter in bits shares", test_meter_bits},
	{"tiers share by weight", test_shares},
	{"equal weights share bytes, not packets", test_shares_bytes},
	{"who waits for room in an empty queue is woken", test_waiting_ends},
	CU_TEST_INFO_NULL,
};
