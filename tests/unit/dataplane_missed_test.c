/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/missed.h"
#include "dataplane/model.h"
#include "dataplane_client.h"
#include "dataplane_tests.h"

/* What a port's program took without the gateway. The program's part is done by hand. */

#define STREAM "[{'name':'s','key':'source','partitions':1,'ring':{'messages':64}}]"
#define NATIVE "{'name':'n','class':'native','streams':'s'}"
#define GROUPS                                                                                     \
	"[" NATIVE ",{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.9") "]}]"

static const struct client_options reliable = {.is_reliable = true};
static struct weir_missed missed[1];

static struct plane *open_both(struct client *client)
{
	struct plane *plane = plane_open(STREAM, GROUPS);

	missed[0] = (struct weir_missed){0};
	atomic_store(&plane->dataplane->model->streams[0].object->missed, missed);
	plane_reach_all(plane);
	client_join(client, plane, &reliable);
	client_grant_all(client);
	return plane;
}

static void program_takes(uint64_t count)
{
	missed[0].count += count;
	atomic_fetch_add(&weir_missed_changes, 1);
}

static uint64_t head_of(const struct plane *plane)
{
	return plane->dataplane->model->streams[0].object->partitions[0].head;
}

static void test_a_number_for_each_and_a_gap_before_what_comes_later(void)
{
	struct client client;
	struct plane *plane = open_both(&client);

	plane_receive_numbered(plane, 1, 0, 3, 100);
	program_takes(5);
	CU_ASSERT_TRUE(weir_missed_is_due(plane->worker));
	weir_missed_look(plane->worker);
	CU_ASSERT_FALSE(weir_missed_is_due(plane->worker));
	plane_receive_numbered(plane, 1, 3, 2, 100);
	CU_ASSERT_EQUAL(head_of(plane), 10);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 5);
	CU_ASSERT_EQUAL(client.messages[2].seq, 2);
	CU_ASSERT_EQUAL(client.messages[3].seq, 8);
	CU_ASSERT_EQUAL_FATAL(client.gap_count, 1);
	CU_ASSERT_EQUAL(client.gaps[0].first, 3);
	CU_ASSERT_EQUAL(client.gaps[0].end, 8);
	CU_ASSERT_EQUAL(client.gaps[0].reason, WEIR_GAP_FAILOVER);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").missed, 5);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_FAILOVER], 5);
	/* The program has delivered to the other group. */
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 5);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").dropped[WEIR_REASON_ELSEWHERE], 5);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_close(plane);
}

static void test_told_once_also_when_it_is_counted_late(void)
{
	struct client client;
	struct plane *plane = open_both(&client);

	program_takes(2);
	weir_missed_look(plane->worker);
	weir_missed_tick(plane->worker);
	CU_ASSERT_EQUAL(head_of(plane), 2);
	missed[0].count++; /* of a packet that was under way in the program */
	weir_missed_tick(plane->worker);
	CU_ASSERT_EQUAL(head_of(plane), 3);
	plane_advance(plane, 200000);
	weir_missed_tick(plane->worker);
	missed[0].count++;
	weir_missed_tick(plane->worker); /* it is long over */
	CU_ASSERT_EQUAL(head_of(plane), 3);
	program_takes(0);
	weir_missed_look(plane->worker);
	CU_ASSERT_EQUAL(head_of(plane), 4);
	plane_close(plane);
}

/* However much it was, what the ring holds is not pushed out for it. */
static void test_a_long_time_costs_no_message_that_is_held(void)
{
	struct client client;
	struct plane *plane = open_both(&client);

	plane_receive_numbered(plane, 1, 0, 24, 100);
	program_takes(1000000);
	weir_missed_look(plane->worker);
	CU_ASSERT_EQUAL(head_of(plane), 24 + (64 - 24) / 4);
	CU_ASSERT_EQUAL(missed[0].told, 1000000);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 24));
	CU_ASSERT_EQUAL(client.gap_count, 1);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_close(plane);
}

static void test_a_full_ring_has_a_place_for_one(void)
{
	struct client client;
	struct plane *plane = open_both(&client);

	plane_receive_numbered(plane, 1, 0, 64, 100);
	program_takes(7);
	weir_missed_look(plane->worker);
	CU_ASSERT_EQUAL(head_of(plane), 65);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_close(plane);
}

/* What waited in the socket is in order for native consumers alone. */
static void test_what_is_stale_goes_to_native_consumers(void)
{
	struct client client;
	struct plane *plane = open_both(&client);
	struct weir_partition *partition =
		&plane->dataplane->model->streams[0].object->partitions[0];

	plane_receive_numbered(plane, 1, 0, 4, 100);
	for (uint64_t seq = 1; seq < 3; seq++)
		weir_slot(partition, seq)->flags |= WEIR_SLOT_STALE;
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 4));
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 2);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").dropped[WEIR_REASON_FAILOVER], 2);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_close(plane);
}

CU_TestInfo dataplane_missed_tests[] = {
	{"a number for each, and a gap before what comes later",
		test_a_number_for_each_and_a_gap_before_what_comes_later},
	{"told once, also when it is counted late", test_told_once_also_when_it_is_counted_late},
	{"a long time costs no message that is held",
		test_a_long_time_costs_no_message_that_is_held},
	{"a full ring has a place for one", test_a_full_ring_has_a_place_for_one},
	{"what is stale goes to native consumers", test_what_is_stale_goes_to_native_consumers},
	CU_TEST_INFO_NULL,
};
