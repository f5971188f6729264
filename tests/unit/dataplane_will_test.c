/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/missed.h"
#include "dataplane/model.h"
#include "dataplane/will.h"
#include "dataplane_client.h"
#include "dataplane_tests.h"

/*
 * What is left for a port's program to go on with, and what is told of it afterwards. The program's
 * part, and the driver's memory, are by hand.
 */

#define STREAM "[{'name':'s','key':'source','partitions':1,'ring':{'messages':64}}]"
#define GROUPS                                                                                     \
	"[{'name':'n','class':'native','streams':'s'},{'name':'m','class':'native','streams':'s'}" \
	"]"
#define SLOTS 64

static const struct client_options first_client = {.is_reliable = true};
static const struct client_options second_client = {
	.is_reliable = true, .group = "m", .name = "second", .host = 8};
static struct weir_will_session sessions[SLOTS];
static struct weir_will_lane lanes[2];
static struct weir_missed missed[1];
static uint64_t highest;

static struct weir_will_session *session_at(void *context, uint16_t slot)
{
	(void)context;
	memset(&sessions[slot], 0, sizeof(sessions[slot]));
	return slot < SLOTS ? &sessions[slot] : NULL;
}

static uint64_t above(void *context, const char *stream, uint16_t partition)
{
	(void)context;
	return strcmp(stream, "s") == 0 && partition == 0 ? highest : 0;
}

static const struct weir_will_store store = {.session = session_at, .above = above};

static struct weir_lane *lane_of(const struct plane *plane, uint32_t group)
{
	return &plane->dataplane->model->streams[0].attachments[group]->lanes[0];
}

static struct plane *open_both(struct client *first, struct client *second)
{
	struct plane *plane = plane_open(STREAM, GROUPS);

	memset(lanes, 0, sizeof(lanes));
	missed[0] = (struct weir_missed){0};
	atomic_store(&plane->dataplane->model->streams[0].object->missed, missed);
	for (uint32_t i = 0; i < 2; i++)
		atomic_store(&lane_of(plane, i)->will, &lanes[i]);
	plane->dataplane->wills = &store;
	client_join(first, plane, &first_client);
	client_join(second, plane, &second_client);
	client_grant_all(first);
	client_grant_all(second);
	return plane;
}

static void expect_lane(
	const struct weir_will_lane *will, const struct client *client, uint64_t messages)
{
	CU_ASSERT_EQUAL(will->session, client->consumer->session);
	CU_ASSERT_EQUAL(will->consumer, client->consumer->slot);
	CU_ASSERT_EQUAL(will->stream, client->stream);
	CU_ASSERT_EQUAL(will->partition, 0);
	CU_ASSERT_EQUAL(will->messages, messages);
	CU_ASSERT_EQUAL(will->bytes, messages * 100);
	CU_ASSERT_EQUAL(will->epoch, client->lanes[0].epoch);
	CU_ASSERT_EQUAL(will->first, client->lanes[0].first);
}

static void test_a_lane_says_where_it_stands(void)
{
	struct client first, second;
	struct plane *plane = open_both(&first, &second);
	struct weir_will_session *will;

	plane_receive_numbered(plane, 1, 0, 3, 100);
	client_collect(&first);
	client_collect(&second);
	expect_lane(&lanes[0], &first, 3);
	expect_lane(&lanes[1], &second, 3);
	CU_ASSERT_EQUAL(lanes[0].next, 3);
	will = &sessions[first.consumer->slot];
	CU_ASSERT_EQUAL(will->session, first.consumer->session);
	CU_ASSERT_EQUAL(will->max_datagram, 1400);
	CU_ASSERT_EQUAL(will->wants_source, 1);
	CU_ASSERT_NOT_EQUAL(will->liveness_ns, 0);
	/* Credit is one account, whoever draws from it. */
	CU_ASSERT_PTR_EQUAL(first.consumer->credit, &will->credit);
	CU_ASSERT_EQUAL(will->credit.messages.leased, 3);
	CU_ASSERT_EQUAL(will->credit.bytes.leased, 300);
	client_pause(&first, WEIR_PAUSE_ALL, 1);
	CU_ASSERT_EQUAL(will->is_paused, 1);
	client_pause(&first, WEIR_PAUSE_NONE, 2);
	CU_ASSERT_EQUAL(will->is_paused, 0);
	/* Its session has ended: nobody may go on with it. */
	client_leave(&first);
	CU_ASSERT_EQUAL(will->session, 0);
	CU_ASSERT_EQUAL(lanes[0].session, 0);
	CU_ASSERT_EQUAL(lanes[1].session, second.consumer->session);
	plane_close(plane);
}

static void test_a_place_that_comes_later_is_filled(void)
{
	struct client first, second;
	struct plane *plane = open_both(&first, &second);
	static struct weir_will_lane other;

	plane_receive_numbered(plane, 1, 0, 3, 100);
	client_collect(&first);
	other = (struct weir_will_lane){.sent = 4, .sent_bytes = 5};
	atomic_store(&lane_of(plane, 0)->will, &other);
	atomic_fetch_add(&weir_missed_changes, 1);
	weir_missed_look(plane->worker);
	expect_lane(&other, &first, 3);
	CU_ASSERT_EQUAL(other.sent, 0);
	CU_ASSERT_EQUAL(other.sent_bytes, 0);
	plane_close(plane);
}

static void test_a_session_with_a_key_leaves_nothing(void)
{
	const struct client_options with_key = {.is_reliable = true, .has_key = true};
	struct plane *plane = plane_open(STREAM, GROUPS);
	struct client client;

	memset(lanes, 0, sizeof(lanes));
	memset(sessions, 0, sizeof(sessions));
	atomic_store(&lane_of(plane, 0)->will, &lanes[0]);
	plane->dataplane->wills = &store;
	client_join(&client, plane, &with_key);
	CU_ASSERT_EQUAL(sessions[client.consumer->slot].session, 0);
	CU_ASSERT_EQUAL(lanes[0].session, 0);
	plane_close(plane);
}

/* The program gave out ten numbers; one group had the first four of them, the other the first. */
static void test_each_group_is_told_what_it_was_not_sent(void)
{
	struct client first, second;
	struct plane *plane = open_both(&first, &second);

	missed[0] = (struct weir_missed){.count = 2, .begin = 1000, .given = 10};
	lanes[0].end = 1004;
	lanes[1].end = 1001;
	lanes[0].begin = 1000;
	atomic_fetch_add(&weir_missed_changes, 1);
	weir_missed_look(plane->worker);
	plane_receive_numbered(plane, 1, 0, 2, 100);
	client_collect(&first);
	client_collect(&second);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").missed, 6 + 3 + 2);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_FAILOVER], 6 + 2);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_ELSEWHERE], 3);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "m").dropped[WEIR_REASON_FAILOVER], 6 + 3 + 2);
	CU_ASSERT_EQUAL(first.message_count, 2);
	CU_ASSERT_EQUAL(second.message_count, 2);
	CU_ASSERT_EQUAL(first.messages[0].seq, 11);
	CU_ASSERT_EQUAL(missed[0].begin, 0);
	CU_ASSERT_EQUAL(missed[0].given, 0);
	CU_ASSERT_EQUAL(missed[0].told, 2);
	CU_ASSERT_EQUAL(lanes[0].end | lanes[1].end | lanes[0].begin, 0);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	/* Once. */
	weir_missed_look(plane->worker);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").missed, 11);
	plane_close(plane);
}

/* All had everything: nothing is told. */
static void test_nothing_is_told_of_what_all_had(void)
{
	struct client first, second;
	struct plane *plane = open_both(&first, &second);

	missed[0] = (struct weir_missed){.begin = 1000, .given = 10};
	lanes[0].end = lanes[1].end = 1010;
	weir_missed_look(plane->worker);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").missed, 0);
	CU_ASSERT_EQUAL(missed[0].begin, 0);
	plane_close(plane);
}

/* Numbering begins above what the program has given out, also when nobody else knows of it. */
static void test_numbers_go_on_above_the_program(void)
{
	struct plane *plane = plane_open(STREAM, GROUPS);
	struct weir_stream *stream;

	highest = UINT64_C(1) << 60;
	plane->dataplane->wills = &store;
	stream = weir_stream_create(
		plane->dataplane, &weir_dataplane_config(plane->dataplane)->streams[0], 5);
	CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
	CU_ASSERT_EQUAL(stream->partitions[0].head, highest);
	weir_stream_free(stream);
	highest = 0;
	plane_close(plane);
}

CU_TestInfo dataplane_will_tests[] = {
	{"a lane says where it stands", test_a_lane_says_where_it_stands},
	{"a place that comes later is filled", test_a_place_that_comes_later_is_filled},
	{"a session with a key leaves nothing", test_a_session_with_a_key_leaves_nothing},
	{"each group is told what it was not sent", test_each_group_is_told_what_it_was_not_sent},
	{"nothing is told of what all had", test_nothing_is_told_of_what_all_had},
	{"numbers go on above the program", test_numbers_go_on_above_the_program},
	CU_TEST_INFO_NULL,
};
