/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "dataplane/model.h"
#include "dataplane/quarantine.h"
#include "dataplane/requeue.h"
#include "dataplane_fixture.h"
#include "dataplane_tests.h"

#define STREAM "[{'name':'s','partitions':4}]"
#define GROUP(name, sample, consumer, address)                                                     \
	"{'name':'" name "','streams':'s','sample':" sample ",'consumers':["                       \
	"{'name':'" consumer "','address':'" address "','port':9995,'source':'keep'}]}"
#define TWO_GROUPS                                                                                 \
	"[" GROUP("g", "1", "c", "198.51.100.7") "," GROUP("h", "1", "d", "198.51.100.8") "]"
#define ONE_GROUP "[" GROUP("h", "1", "d", "198.51.100.8") "]"

static const uint8_t payload[] = {0x2a, 0, 0, 0, 'p', 'o', 'i', 's', 'o', 'n', '!'};

/* As a worker would describe a message of partition 2 that group `group` of the model gave up. */
static struct weir_quarantined note_of(struct plane *plane, uint32_t group)
{
	const struct weir_model *model = plane->dataplane->model;
	struct weir_quarantined note = {.seq = 7,
		.stream = model->streams[0].object->slot,
		.group = model->groups[group].slot,
		.consumer = model->groups[group].consumers[0].object->slot,
		.partition = 2,
		.length = sizeof(payload),
		.source_port = 2055,
		.source = {10, 1, 2, 3},
		.source_family = 4,
		.tos = 0x28,
		.attempts = 3};

	return note;
}

static int requeue(struct plane *plane, const struct weir_quarantined *note)
{
	struct weir_quarantined_names names;

	weir_quarantined_names(plane->dataplane, note, &names);
	return weir_requeue(plane->dataplane, note, &names, payload);
}

static void test_only_its_group(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);
	struct weir_quarantined note = note_of(plane, 0);
	struct frame_view view;

	plane_reach_all(plane);
	CU_ASSERT_EQUAL(requeue(plane, &note), 0);
	CU_ASSERT_EQUAL(weir_returns_poll(plane->worker), 1);
	CU_ASSERT_EQUAL(weir_returns_poll(plane->worker), 0);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 1);
	view = plane_view(plane, 0);
	CU_ASSERT_TRUE(view.ip_checksum_is_right && view.checksum_is_right && view.has_checksum);
	CU_ASSERT_EQUAL(view.destination.bytes[3], 7);
	CU_ASSERT_EQUAL(view.source.bytes[3], 3);
	CU_ASSERT_EQUAL(view.source_port, 2055);
	CU_ASSERT_EQUAL(view.tos, 0x28);
	CU_ASSERT_EQUAL_FATAL(view.payload_length, sizeof(payload));
	CU_ASSERT_EQUAL(memcmp(view.payload, payload, sizeof(payload)), 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 1);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").delivered, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").dropped[WEIR_REASON_ELSEWHERE], 1);
	CU_ASSERT_EQUAL(plane->dataplane->model->streams[0].object->partitions[2].head, 1);
	plane_close(plane);
}

static void test_counted_apart(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);
	struct weir_quarantined note = note_of(plane, 1);
	struct weir_stream_stats stats;

	plane_reach_all(plane);
	plane_receive_numbered(plane, 1, 0, 10, 100);
	for (int i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(requeue(plane, &note), 0);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	CU_ASSERT_EQUAL(weir_returns_poll(plane->worker), 3);
	stats = plane_stream(plane, "s");
	CU_ASSERT_EQUAL(stats.received, 10);
	CU_ASSERT_EQUAL(stats.requeued, 3);
	CU_ASSERT_EQUAL(stats.appended, 13);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "g").delivered, 10);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "h").delivered, 13);
	plane_close(plane);
}

static void test_ipv6(void)
{
	struct plane *plane = plane_open(STREAM, "[" GROUP("g", "1", "c", "2001:db8::7") "]");
	struct weir_quarantined note = note_of(plane, 0);
	struct frame_view view;

	note.source_family = 6;
	memcpy(note.source, (uint8_t[]){0x20, 1, 0x0d, 0xb8, 0, 9}, 6);
	note.source[15] = 1;
	plane_reach_all(plane);
	CU_ASSERT_EQUAL(requeue(plane, &note), 0);
	CU_ASSERT_EQUAL(weir_returns_poll(plane->worker), 1);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 1);
	view = plane_view(plane, 0);
	CU_ASSERT_TRUE(view.checksum_is_right && view.has_checksum);
	CU_ASSERT_EQUAL(memcmp(view.source.bytes, note.source, 16), 0);
	CU_ASSERT_EQUAL(view.payload_length, sizeof(payload));
	plane_close(plane);
}

static void test_not_sampled(void)
{
	struct plane *plane = plane_open(STREAM, "[" GROUP("g", "10", "c", "198.51.100.7") "]");
	struct weir_quarantined note = note_of(plane, 0);

	plane_reach_all(plane);
	for (int i = 0; i < 5; i++) {
		CU_ASSERT_EQUAL(requeue(plane, &note), 0);
		CU_ASSERT_EQUAL(weir_returns_poll(plane->worker), 1);
	}
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 5);
	plane_close(plane);
}

static void test_gone(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);
	struct weir_quarantined note = note_of(plane, 0), other = note_of(plane, 0);
	struct weir_quarantined_names names;

	weir_quarantined_names(plane->dataplane, &note, &names);
	CU_ASSERT_STRING_EQUAL(names.stream, "s");
	CU_ASSERT_STRING_EQUAL(names.group, "g");
	CU_ASSERT_STRING_EQUAL(names.consumer, "c");
	other.partition = 4;
	CU_ASSERT_EQUAL(requeue(plane, &other), -ENOENT);
	other = note;
	other.length = UINT16_MAX;
	CU_ASSERT_EQUAL(requeue(plane, &other), -EMSGSIZE);
	plane_apply(plane, STREAM, ONE_GROUP);
	CU_ASSERT_EQUAL(weir_requeue(plane->dataplane, &note, &names, payload), -ESRCH);
	/* Another configuration of the stream is another stream: its partitions are not ours. */
	plane_apply(plane, "[{'name':'s','partitions':8}]", TWO_GROUPS);
	CU_ASSERT_EQUAL(weir_requeue(plane->dataplane, &note, &names, payload), -ENOENT);
	other = note;
	other.stream = WEIR_MAX_STREAMS - 1;
	other.group = WEIR_MAX_GROUPS - 1;
	weir_quarantined_names(plane->dataplane, &other, &names);
	CU_ASSERT_STRING_EQUAL(names.stream, "?");
	CU_ASSERT_STRING_EQUAL(names.group, "?");
	CU_ASSERT_STRING_EQUAL(names.consumer, "?");
	plane_close(plane);
}

/* The session that gave it up has left, and its slot is another consumer's. */
static void test_slot_of_another(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);
	struct weir_quarantined note = note_of(plane, 0);
	struct weir_quarantined_names names;

	note.session = 4711;
	weir_quarantined_names(plane->dataplane, &note, &names);
	CU_ASSERT_STRING_EQUAL(names.group, "g");
	CU_ASSERT_STRING_EQUAL(names.consumer, "?");
	plane_close(plane);
}

static void test_overtaken_by_removal(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);
	struct weir_quarantined note = note_of(plane, 0);

	CU_ASSERT_EQUAL(requeue(plane, &note), 0);
	plane_apply(plane, "[{'name':'t','partitions':1}]", "[]");
	plane_republish(plane); /* it has drained */
	plane_republish(plane);
	CU_ASSERT_EQUAL(weir_returns_poll(plane->worker), 1);
	CU_ASSERT_EQUAL(plane->worker->snapshot->by_slot[note.stream], NULL);
	CU_ASSERT_EQUAL(plane->worker->stats.stray, 1);
	plane_close(plane);
}

static void test_no_room(void)
{
	struct plane *plane = plane_open(STREAM, TWO_GROUPS);
	struct weir_quarantined note = note_of(plane, 0);
	uint32_t count = 0;
	int result;

	while ((result = requeue(plane, &note)) == 0 && count < 1000000)
		count++;
	CU_ASSERT_EQUAL(result, -EAGAIN);
	CU_ASSERT_TRUE(count >= 512);
	CU_ASSERT_TRUE(plane_law_holds(plane));
	CU_ASSERT_EQUAL(weir_returns_poll(plane->worker), WEIR_BURST);
	CU_ASSERT_EQUAL(requeue(plane, &note), 0);
	/* What a worker that has ended did not come to. */
	weir_returns_free(plane->worker);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").requeued, WEIR_BURST);
	plane_close(plane);
}

CU_TestInfo dataplane_requeue_tests[] = {
	{"what comes back goes to its group alone, as it was", test_only_its_group},
	{"what comes back is counted apart, and the law holds", test_counted_apart},
	{"IPv6 comes back with a right checksum", test_ipv6},
	{"what comes back is not left out by sampling", test_not_sampled},
	{"a stream or group that is gone is told", test_gone},
	{"a consumer whose slot is another's is not named", test_slot_of_another},
	{"a stream that goes while a message comes back takes it along", test_overtaken_by_removal},
	{"no more comes back than the worker can remember", test_no_room},
	CU_TEST_INFO_NULL,
};
