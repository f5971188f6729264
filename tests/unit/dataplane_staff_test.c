/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "dataplane/model.h"
#include "dataplane/reassign.h"
#include "dataplane/staff.h"
#include "dataplane/transit.h"
#include "dataplane_maker.h"
#include "dataplane_tests.h"

/* Workers come and go, with what they have: partitions, receive queues and producers. */

#define STREAM  "[{'name':'s','key':'source','partitions':8,'producers':{'max':2}}]"
#define BLIND   "[{'name':'g','streams':'s','consumers':[" CONSUMER("c", "198.51.100.9") "]}]"
#define SOURCES 40

static const struct plane_options room = {.workers = 1, .most = 3};
static const struct plane_options two = {.workers = 2};

static uint32_t count_owned(const struct plane *plane, uint16_t worker)
{
	const struct weir_stream *stream = plane->dataplane->model->streams[0].object;
	uint32_t count = 0;

	for (uint16_t p = 0; p < stream->partition_count; p++)
		count += weir_stream_owner(stream, p) == worker;
	return count;
}

static void receive_all(struct plane *plane, uint32_t first, uint32_t count)
{
	for (uint8_t source = 1; source <= SOURCES; source++)
		plane_receive_numbered(plane, source, source * 100000u + first, count, 60);
}

static void expect_in_order(struct plane *plane, uint32_t count)
{
	uint32_t next[SOURCES + 1] = {0};
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < plane->sent_count; i++) {
		uint32_t number = plane_number(plane, i), source = number / 100000;

		if (source == 0 || source > SOURCES || number % 100000 != next[source]++)
			wrong++;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	for (uint32_t source = 1; source <= SOURCES; source++)
		CU_ASSERT_EQUAL(next[source], count);
}

/* Until all is where it is to be. */
static void settle(struct plane *plane)
{
	for (int i = 0; i < 8; i++) {
		plane_arrive(plane);
		for (uint16_t id = 0; id < plane->dataplane->worker_count; id++)
			plane_follow(plane, id);
		plane_turn(plane);
	}
}

static void test_come_and_go(void)
{
	struct plane *plane = plane_open_with(STREAM, BLIND, &room);
	struct weir_dataplane *dataplane = plane->dataplane;

	CU_ASSERT_EQUAL(dataplane->worker_count, 3);
	CU_ASSERT_EQUAL(dataplane->present, 1);
	CU_ASSERT_EQUAL(count_owned(plane, 0), 8);
	receive_all(plane, 0, 3);
	plane_staff(plane, STREAM, BLIND, 3);
	receive_all(plane, 3, 1);
	settle(plane);
	CU_ASSERT_EQUAL(dataplane->present, 7);
	for (uint16_t id = 0; id < 3; id++)
		CU_ASSERT_TRUE(count_owned(plane, id) >= 2);
	CU_ASSERT_EQUAL(dataplane->workers[0].rx_count + dataplane->workers[1].rx_count +
				dataplane->workers[2].rx_count,
		2);
	CU_ASSERT_EQUAL(dataplane->workers[0].rx_count, 1);
	receive_all(plane, 4, 2);
	plane_staff(plane, STREAM, BLIND, 1);
	receive_all(plane, 6, 1);
	CU_ASSERT_EQUAL(dataplane->present, 7);
	settle(plane);
	CU_ASSERT_EQUAL(dataplane->present, 1);
	CU_ASSERT_EQUAL(count_owned(plane, 0), 8);
	CU_ASSERT_EQUAL(dataplane->workers[0].rx_count, 2);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	receive_all(plane, 7, 1);
	plane_reach_all(plane);
	plane_deliver(plane);
	expect_in_order(plane, 8);
	plane_close(plane);
}

/* While it still has something it goes on; one that is wanted again stays. */
static void test_stays_after_all(void)
{
	struct plane *plane = plane_open_with(STREAM, BLIND, &two);
	struct weir_dataplane *dataplane = plane->dataplane;

	receive_all(plane, 0, 2);
	plane_staff(plane, STREAM, BLIND, 1);
	weir_staff_step(dataplane);
	CU_ASSERT_EQUAL(dataplane->present, 3);
	CU_ASSERT_EQUAL(weir_worker_park(dataplane, 1), -ENXIO);
	CU_ASSERT_EQUAL(weir_partition_set_worker(dataplane, "s", 0, 1), -ENXIO);
	plane_staff(plane, STREAM, BLIND, 2);
	settle(plane);
	CU_ASSERT_EQUAL(dataplane->present, 3);
	CU_ASSERT_TRUE(count_owned(plane, 0) >= 3 && count_owned(plane, 1) >= 3);
	plane_reach_all(plane);
	plane_deliver(plane);
	expect_in_order(plane, 2);
	plane_close(plane);
}

/* Those that are left take partitions, parked or taken by a hot one before. */
static void test_somebody_is_left(void)
{
	struct plane *plane = plane_open_with(STREAM, BLIND, &two);

	CU_ASSERT_EQUAL(weir_worker_park(plane->dataplane, 0), 0);
	settle(plane);
	CU_ASSERT_EQUAL(count_owned(plane, 1), 8);
	plane_staff(plane, STREAM, BLIND, 1);
	settle(plane);
	CU_ASSERT_EQUAL(plane->dataplane->present, 1);
	CU_ASSERT_EQUAL(count_owned(plane, 0), 8);
	plane_close(plane);
}

/* Who gets the queue would overtake what is on its way through the mesh. */
static void test_queue_waits_for_the_mesh(void)
{
	struct plane *plane = plane_open_with(STREAM, BLIND, &two);
	struct weir_dataplane *dataplane = plane->dataplane;
	struct weir_worker *first = &dataplane->workers[0], *second = &dataplane->workers[1];

	CU_ASSERT_EQUAL(first->rx_count, 1);
	CU_ASSERT_EQUAL(second->rx_count, 1);
	plane->worker = second;
	receive_all(plane, 0, 1);
	weir_mesh_flush(second);
	CU_ASSERT_EQUAL(weir_worker_park(dataplane, 1), 0);
	plane_follow(plane, 0);
	plane_follow(plane, 1);
	CU_ASSERT_TRUE(first->is_reassigning && second->is_reassigning);
	weir_reassign_step(second);
	CU_ASSERT_EQUAL(second->rx_count, 0);
	for (int i = 0; i < 3; i++) {
		weir_reassign_step(second);
		weir_reassign_step(first);
		CU_ASSERT_EQUAL(first->rx_count, 1);
	}
	weir_mesh_poll(first);
	weir_reassign_step(second);
	weir_reassign_step(first);
	CU_ASSERT_EQUAL(first->rx_count, 2);
	CU_ASSERT_FALSE(first->is_reassigning || second->is_reassigning);
	plane->worker = first;
	receive_all(plane, 1, 1);
	settle(plane);
	CU_ASSERT_EQUAL(weir_worker_wake(dataplane, 1), 0);
	settle(plane);
	CU_ASSERT_EQUAL(first->rx_count, 1);
	CU_ASSERT_EQUAL(second->rx_count, 1);
	plane_reach_all(plane);
	plane_deliver(plane);
	expect_in_order(plane, 2);
	plane_close(plane);
}

/* Messages that it was sent may go by a snapshot which the other does not have yet. */
static void test_queue_waits_for_the_snapshot(void)
{
	struct plane *plane = plane_open_with(STREAM, BLIND, &two);
	struct weir_dataplane *dataplane = plane->dataplane;
	struct weir_worker *first = &dataplane->workers[0], *second = &dataplane->workers[1];

	CU_ASSERT_EQUAL(weir_worker_park(dataplane, 1), 0);
	plane_follow(plane, 0);
	plane_republish(plane); /* as both have it */
	CU_ASSERT_EQUAL(weir_dataplane_republish(dataplane), 0);
	plane_follow(plane, 1);
	weir_reassign_step(second);
	weir_reassign_step(second);
	weir_reassign_step(first);
	CU_ASSERT_EQUAL(first->rx_count, 1);
	plane_follow(plane, 0);
	weir_reassign_step(first);
	CU_ASSERT_EQUAL(first->rx_count, 2);
	plane_close(plane);
}

/* It was on its way when it was wanted back. */
static void test_queue_goes_back(void)
{
	struct plane *plane = plane_open_with(STREAM, BLIND, &two);
	struct weir_dataplane *dataplane = plane->dataplane;
	struct weir_worker *first = &dataplane->workers[0], *second = &dataplane->workers[1];

	CU_ASSERT_EQUAL(weir_worker_park(dataplane, 1), 0);
	plane_follow(plane, 1);
	weir_reassign_step(second);
	weir_reassign_step(second);
	CU_ASSERT_EQUAL(second->rx_count, 0);
	CU_ASSERT_EQUAL(weir_worker_wake(dataplane, 1), 0);
	settle(plane);
	CU_ASSERT_EQUAL(first->rx_count, 1);
	CU_ASSERT_EQUAL(second->rx_count, 1);
	plane_close(plane);
}

/* What is held back for a hole goes along, and nobody else takes its messages meanwhile. */
static void test_producer_goes_along(void)
{
	struct plane *plane = plane_open_with(STREAM, BLIND, &two);
	struct weir_dataplane *dataplane = plane->dataplane;
	struct maker maker = maker_join(plane, "maker", 0x1234567890abcdef);
	struct weir_worker *first = &dataplane->workers[0], *second = &dataplane->workers[1];
	uint32_t count;

	plane_follow(plane, 1);
	plane_reach_all(plane);
	CU_ASSERT_TRUE(weir_tenure_is_used(&maker.producer->tenure, 0));
	maker_produce(&maker, 1, 5);
	maker_produce(&maker, 8, 3);
	count = maker_turn(&maker, 0);
	maker_assert(count, 1, 5);
	CU_ASSERT_EQUAL(first->produce_held, 3);
	CU_ASSERT_EQUAL(weir_worker_park(dataplane, 0), 0);
	plane_follow(plane, 0);
	weir_reassign_step(first);
	maker_produce(&maker, 6, 1);
	CU_ASSERT_EQUAL(first->native_dropped[WEIR_REASON_FRAME_QUEUE], 1);
	settle(plane);
	CU_ASSERT_TRUE(weir_tenure_is_used(&maker.producer->tenure, 1));
	CU_ASSERT_EQUAL(first->produce_held, 0);
	CU_ASSERT_EQUAL(second->produce_held, 3);
	plane->worker = second;
	maker_produce(&maker, 6, 2);
	count = maker_turn(&maker, 0);
	maker_assert(count, 6, 10);
	CU_ASSERT_EQUAL(second->produce_held, 0);
	plane_close(plane);
}

/* A session that ends on its way takes what was held for it along, and leaves its record. */
static void test_producer_leaves_on_its_way(void)
{
	struct plane *plane = plane_open_with(STREAM, BLIND, &two);
	struct weir_dataplane *dataplane = plane->dataplane;
	struct maker maker = maker_join(plane, "maker", 0x1234567890abcdef);
	struct weir_worker *first = &dataplane->workers[0], *second = &dataplane->workers[1];

	plane_follow(plane, 1);
	plane_reach_all(plane);
	maker_produce(&maker, 1, 5);
	maker_produce(&maker, 8, 3);
	maker_turn(&maker, 0);
	CU_ASSERT_EQUAL(weir_worker_park(dataplane, 0), 0);
	plane_follow(plane, 0);
	weir_reassign_step(first);
	weir_reassign_step(first);
	CU_ASSERT_EQUAL(first->produce_held, 0);
	CU_ASSERT_EQUAL(weir_tenure_owner(&maker.producer->tenure), 1 | WEIR_TENURE_PASSED);
	maker_leave(&maker);
	settle(plane);
	CU_ASSERT_EQUAL(second->produce_held, 0);
	maker = maker_join(plane, "maker", 0xfedcba0987654321);
	settle(plane);
	CU_ASSERT_TRUE(weir_tenure_is_used(&maker.producer->tenure, 1));
	CU_ASSERT_EQUAL(maker.producer->record->next, 6);
	plane_close(plane);
}

CU_TestInfo dataplane_staff_tests[] = {
	{"workers come and go with the configuration, and nothing is lost or out of order",
		test_come_and_go},
	{"a worker that is wanted again stays", test_stays_after_all},
	{"who is left takes partitions, whatever was said before", test_somebody_is_left},
	{"a receive queue goes on when what came of it has been taken",
		test_queue_waits_for_the_mesh},
	{"and when the next one knows as much", test_queue_waits_for_the_snapshot},
	{"a receive queue may go back", test_queue_goes_back},
	{"a producer goes along with what is held for it", test_producer_goes_along},
	{"and may end on its way", test_producer_leaves_on_its_way},
	CU_TEST_INFO_NULL,
};
