/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dataplane/estate.h"
#include "dataplane/trace.h"
#include "dataplane_client.h"
#include "dataplane_maker.h"
#include "dataplane_tests.h"

/* A producer's trace context with its messages: to consumers, and into what workers tell. */

#define STREAM "[{'name':'s','key':'source','partitions':1,'producers':{'max':2}}]"
#define NATIVE "{'name':'n','class':'native','streams':'s'}"
#define BOTH                                                                                       \
	"[" NATIVE ",{'name':'b','streams':'s','consumers':[" CONSUMER("c", "198.51.100.9") "]}]"

static const struct client_options telling = {.is_reliable = true, .wants_contexts = true};

/* What one native consumer was sent. */
struct sent {
	uint32_t messages;
	uint32_t contexts;
	uint32_t again; /* of the contexts, in RETRANSMIT frames */
	uint32_t epoch; /* of the newest frame */
	struct weir_frame_context newest;
};

static struct weir_frame_context context_of(uint8_t flags)
{
	struct weir_frame_context context = {.flags = flags, .reserved = {1, 2, 3}};

	memset(context.trace_id, 0xaa, sizeof(context.trace_id));
	memset(context.span_id, 0xbb, sizeof(context.span_id));
	return context;
}

static void take_frame(struct sent *sent, const struct weir_frame_data *frame)
{
	struct weir_data_cursor cursor;
	struct weir_data_item item;

	sent->epoch = weir_be32(frame->epoch);
	weir_data_open(&cursor, frame);
	while (weir_data_next(&cursor, &item)) {
		CU_ASSERT_EQUAL(item.length, 4);
		sent->messages++;
		if (item.context == NULL)
			continue;
		sent->contexts++;
		sent->again += (frame->header.flags & WEIR_DATA_RETRANSMIT) != 0;
		sent->newest = *item.context;
	}
}

/* All that left goes; blind consumers were sent payloads alone. */
static struct sent take_sent(struct plane *plane)
{
	const struct weir_frame_header *frame;
	struct weir_frame_cursor cursor;
	struct sent sent = {0};

	plane_deliver(plane);
	weir_tx_flush_all(plane->worker);
	for (uint32_t i = 0; i < plane->sent_count; i++) {
		struct frame_view view = plane_view(plane, i);

		CU_ASSERT_TRUE(view.ip_checksum_is_right && view.checksum_is_right);
		if (view.destination.bytes[3] == 9)
			CU_ASSERT_EQUAL(view.payload_length, 4);
		if (view.destination.bytes[3] != 7)
			continue;
		CU_ASSERT_EQUAL_FATAL(weir_datagram_open(&cursor, WEIR_END_CLIENT, view.payload,
					      view.payload_length),
			WEIR_REASON_NONE);
		while ((frame = weir_frame_next(&cursor)) != NULL)
			if (frame->type == WEIR_FRAME_DATA)
				take_frame(&sent, (const void *)frame);
	}
	plane_forget_sent(plane);
	return sent;
}

/* Events of a kind; the newest of them, others are dropped. */
static uint32_t take_events(
	struct plane *plane, enum weir_trace_kind kind, struct weir_trace_event *newest)
{
	struct weir_trace_event event;
	uint32_t count = 0;

	while (weir_trace_take(plane->worker, &event, 1) == 1)
		if (event.kind == kind) {
			*newest = event;
			count++;
		}
	return count;
}

struct scene {
	struct plane *plane;
	struct maker maker;
	struct client client;
};

/* Its messages have the context. */
static void begin(struct scene *scene, const struct client_options *options, uint32_t per_s,
	const struct weir_frame_context *context)
{
	scene->plane = plane_open(STREAM, BOTH);
	plane_reach_all(scene->plane);
	client_join(&scene->client, scene->plane, options);
	client_grant_all(&scene->client);
	scene->maker = maker_join(scene->plane, "maker", 0x1234567890abcdef);
	scene->maker.context = context;
	take_sent(scene->plane);
	CU_ASSERT_EQUAL_FATAL(weir_trace_prepare(scene->plane->dataplane), 0);
	weir_trace_follow(scene->plane->dataplane, per_s);
}

/* Followed: the producer's trace is ours, its span before ours, and ours before the consumer's. */
static void test_followed(void)
{
	const struct weir_frame_context context = context_of(WEIR_CONTEXT_SAMPLED);
	struct weir_trace_event event = {0};
	struct scene scene;
	struct sent sent;

	begin(&scene, &telling, 10, &context);
	maker_produce(&scene.maker, 1, 1);
	sent = take_sent(scene.plane);
	CU_ASSERT_EQUAL(sent.messages, 1);
	CU_ASSERT_EQUAL_FATAL(sent.contexts, 1);
	CU_ASSERT_EQUAL_FATAL(take_events(scene.plane, WEIR_TRACE_APPENDED, &event), 1);
	CU_ASSERT_TRUE_FATAL(event.has_context);
	CU_ASSERT_EQUAL(memcmp(event.context.wire.trace_id, context.trace_id, 16), 0);
	CU_ASSERT_EQUAL(memcmp(event.context.parent, context.span_id, 8), 0);
	CU_ASSERT_NOT_EQUAL(memcmp(event.context.wire.span_id, context.span_id, 8), 0);
	CU_ASSERT_EQUAL(memcmp(&sent.newest, &event.context.wire, sizeof(sent.newest)), 0);
	CU_ASSERT_TRUE(weir_context_is_valid(&sent.newest));
	CU_ASSERT_EQUAL(sent.newest.reserved[0], 0);
	CU_ASSERT_EQUAL(sent.newest.flags, WEIR_CONTEXT_SAMPLED);
	plane_close(scene.plane);
}

/* Who does not record its spans asks for none of ours: its own is carried on. */
static void test_unsampled(void)
{
	const struct weir_frame_context context = context_of(0xf0);
	struct weir_trace_event event;
	struct scene scene;
	struct sent sent;

	begin(&scene, &telling, 10, &context);
	maker_produce(&scene.maker, 1, 3);
	scene.maker.context = NULL;
	maker_produce(&scene.maker, 4, 3);
	sent = take_sent(scene.plane);
	CU_ASSERT_EQUAL(sent.messages, 6);
	CU_ASSERT_EQUAL(sent.contexts, 3);
	CU_ASSERT_EQUAL(memcmp(sent.newest.span_id, context.span_id, 8), 0);
	CU_ASSERT_EQUAL(sent.newest.flags, 0xf0);
	CU_ASSERT_EQUAL(take_events(scene.plane, WEIR_TRACE_APPENDED, &event), 0);
	plane_close(scene.plane);
}

/* A producer that says so of everything has its budget followed, and everything carried. */
static void test_flood(void)
{
	const struct weir_frame_context context = context_of(WEIR_CONTEXT_SAMPLED);
	struct weir_trace_event event;
	struct scene scene;
	struct sent sent;

	begin(&scene, &telling, 4, &context);
	maker_produce(&scene.maker, 1, 10);
	sent = take_sent(scene.plane);
	CU_ASSERT_EQUAL(sent.contexts, 10);
	CU_ASSERT_EQUAL(memcmp(sent.newest.span_id, context.span_id, 8), 0);
	CU_ASSERT_EQUAL(take_events(scene.plane, WEIR_TRACE_APPENDED, &event), 4);
	plane_advance(scene.plane, 300000);
	maker_produce(&scene.maker, 11, 5);
	take_sent(scene.plane);
	CU_ASSERT_EQUAL(take_events(scene.plane, WEIR_TRACE_APPENDED, &event), 1);
	scene.client.lanes[0].epoch = sent.epoch;
	client_ack(&scene.client, 0, 15, 15);
	weir_trace_follow(scene.plane->dataplane, 0);
	plane_advance(scene.plane, 1000000);
	maker_produce(&scene.maker, 16, 1);
	CU_ASSERT_EQUAL(take_sent(scene.plane).contexts, 1);
	CU_ASSERT_EQUAL(take_events(scene.plane, WEIR_TRACE_APPENDED, &event), 0);
	plane_close(scene.plane);
}

/* Nobody is sent, and from nobody is taken, what was not agreed on. */
static void test_options(void)
{
	static const struct client_options plain = {.is_reliable = true};
	const struct weir_frame_context context = context_of(WEIR_CONTEXT_SAMPLED);
	struct weir_trace_event event;
	struct scene scene;
	struct sent sent;

	begin(&scene, &plain, 10, &context);
	maker_produce(&scene.maker, 1, 2);
	sent = take_sent(scene.plane);
	CU_ASSERT_EQUAL(sent.messages, 2);
	CU_ASSERT_EQUAL(sent.contexts, 0);
	CU_ASSERT_EQUAL(take_events(scene.plane, WEIR_TRACE_APPENDED, &event), 2);
	plane_close(scene.plane);
	begin(&scene, &telling, 10, &context);
	scene.maker.producer->has_contexts = false;
	maker_produce(&scene.maker, 1, 2);
	sent = take_sent(scene.plane);
	CU_ASSERT_EQUAL(sent.messages, 2);
	CU_ASSERT_EQUAL(sent.contexts, 0);
	CU_ASSERT_EQUAL(take_events(scene.plane, WEIR_TRACE_APPENDED, &event), 0);
	plane_close(scene.plane);
}

static void test_sent_again(void)
{
	const struct weir_frame_context context = context_of(WEIR_CONTEXT_SAMPLED);
	struct scene scene;
	struct sent sent, again;

	begin(&scene, &telling, 10, &context);
	maker_produce(&scene.maker, 1, 3);
	sent = take_sent(scene.plane);
	scene.client.lanes[0].epoch = sent.epoch;
	client_nack(&scene.client, 0, (const uint64_t[][2]){{2, 3}}, 1);
	again = take_sent(scene.plane);
	CU_ASSERT_EQUAL(sent.contexts, 3);
	CU_ASSERT_EQUAL(again.again, 1);
	CU_ASSERT_EQUAL(memcmp(&again.newest, &sent.newest, sizeof(sent.newest)), 0);
	plane_close(scene.plane);
}

/* What a gateway leaves to the next has it still. */
static void test_take_over(void)
{
	const struct weir_frame_context context = context_of(WEIR_CONTEXT_SAMPLED);
	int fd = memfd_create("estate", MFD_CLOEXEC);
	struct weir_error error = {0};
	struct weir_estate estate;
	struct client client;
	struct scene scene;
	struct sent sent, after;

	begin(&scene, &telling, 10, &context);
	maker_produce(&scene.maker, 1, 2);
	sent = take_sent(scene.plane);
	CU_ASSERT_EQUAL_FATAL(weir_estate_write(scene.plane->dataplane, NULL, 0, 1, fd), 0);
	plane_close(scene.plane);
	CU_ASSERT_EQUAL_FATAL(weir_estate_open(fd, &estate, &error), 0);
	scene.plane = plane_open_with(STREAM, BOTH, &(struct plane_options){.estate = &estate});
	weir_estate_close(&estate);
	client_join(&client, scene.plane, &telling);
	client_grant_all(&client);
	CU_ASSERT_EQUAL(memcmp(sent.newest.trace_id, context.trace_id, 16), 0);
	after = take_sent(scene.plane);
	CU_ASSERT_EQUAL(after.messages, 2);
	CU_ASSERT_EQUAL(after.contexts, 2);
	CU_ASSERT_EQUAL(memcmp(&after.newest, &sent.newest, sizeof(sent.newest)), 0);
	plane_close(scene.plane);
	close(fd);
}

CU_TestInfo dataplane_context_tests[] = {
	{"one that is sampled is followed under its producer's trace", test_followed},
	{"one that is not is carried as it came", test_unsampled},
	{"a flood is carried, and followed as far as the budget goes", test_flood},
	{"nobody has to do with what was not agreed on", test_options},
	{"what is sent again has it again", test_sent_again},
	{"a take-over keeps it", test_take_over},
	CU_TEST_INFO_NULL,
};
