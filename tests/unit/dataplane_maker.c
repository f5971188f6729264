/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane_maker.h"

#include <string.h>

#include <CUnit/Basic.h>

#include "dataplane/produce.h"

const struct weir_address maker_own = {4, {192, 0, 2, 9}};
uint32_t maker_numbers[PLANE_SENT];

struct maker maker_join(struct plane *plane, const char *name, uint64_t random)
{
	const struct weir_address peer = {4, {10, 0, 0, 77}};
	struct weir_route_spec back = {.port = 1,
		.mtu = 1500,
		.source = maker_own,
		.destination = peer,
		.source_port = 4150,
		.destination_port = 5001};
	struct weir_route route;
	struct weir_producer_spec spec = {.stream = "s",
		.name = name,
		.peer = peer,
		.peer_port = 5001,
		.local = maker_own,
		.local_port = 4150,
		.max_datagram = 1400,
		.has_contexts = true,
		.route = &route,
		.random = random};
	struct maker maker = {.plane = plane, .epoch = 7, .port = 5001, .tier = 1};

	CU_ASSERT_EQUAL(weir_dataplane_set_addresses(plane->dataplane, &maker_own, 1), 0);
	CU_ASSERT_EQUAL_FATAL(weir_route_build(&back, &route), 0);
	CU_ASSERT_EQUAL_FATAL(weir_producer_prepare(plane->dataplane, &spec, &maker.producer), 0);
	CU_ASSERT_EQUAL_FATAL(weir_producer_add(plane->dataplane, maker.producer), 0);
	plane_republish(plane);
	return maker;
}

void maker_leave(struct maker *maker)
{
	weir_producer_remove(maker->plane->dataplane, maker->producer);
	weir_worker_apply(maker->plane->worker, maker->plane->dataplane->published);
	weir_dataplane_reclaim(maker->plane->dataplane);
}

void maker_produce_every(
	struct maker *maker, uint64_t first, uint16_t count, uint16_t step, const char *key)
{
	uint8_t key_length = key != NULL ? (uint8_t)strlen(key) : 0;
	uint8_t flags = maker->context != NULL ? WEIR_PRODUCE_CONTEXT : 0;
	uint32_t size = weir_produce_size(4, key_length, flags);
	uint8_t payload[1472];
	struct frame_spec spec = {.version = 4,
		.source = {4, {10, 0, 0, 77}},
		.destination = maker_own,
		.source_port = maker->port,
		.destination_port = 4150,
		.payload = payload};
	struct weir_frame_produce *frame;
	struct weir_writer writer;

	weir_writer_begin(&writer, payload, sizeof(payload), maker->producer->session);
	frame = weir_writer_add(
		&writer, WEIR_FRAME_PRODUCE, 0, (uint32_t)sizeof(*frame) + count * size);
	CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
	frame->producer_epoch = weir_be32(maker->epoch);
	frame->counter = weir_be64(first);
	frame->count = weir_be16(count);
	frame->tier = maker->tier;
	frame->time_left_us = weir_be32(maker->time_left_us);
	frame->oldest = weir_be64(maker->oldest);
	for (uint16_t i = 0; i < count; i++) {
		uint8_t *at = frame->messages + i * size;
		struct weir_frame_produce_message *message = (void *)at;
		uint32_t number = (uint32_t)(first + (uint64_t)i * step);

		message->length = weir_be16(4);
		message->key_length = key_length;
		message->flags = flags;
		message->counter_delta = weir_be16((uint16_t)(i * step));
		at += sizeof(*message);
		if (maker->context != NULL)
			memcpy(at, maker->context, sizeof(*maker->context));
		at += weir_produce_context(flags);
		if (key != NULL)
			memcpy(at, key, key_length);
		memcpy(at + key_length, &number, 4);
	}
	spec.payload_length = (uint16_t)writer.length;
	plane_receive(maker->plane, &spec);
}

void maker_produce(struct maker *maker, uint64_t first, uint16_t count)
{
	maker_produce_every(maker, first, count, 1, "key");
}

static void take_answer(struct maker *maker, const struct frame_view *view)
{
	const struct weir_frame_header *frame;
	struct weir_frame_cursor cursor;

	CU_ASSERT_EQUAL_FATAL(
		weir_datagram_open(&cursor, WEIR_END_CLIENT, view->payload, view->payload_length),
		WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(cursor.session, maker->producer->session);
	maker->answers++;
	while ((frame = weir_frame_next(&cursor)) != NULL) {
		const struct weir_frame_produce_ack *ack = (const void *)frame;
		const struct weir_frame_pace *pace = (const void *)frame;

		if (frame->type == WEIR_FRAME_PRODUCE_ACK) {
			maker->told_epoch = weir_be32(ack->producer_epoch);
			maker->next = weir_be64(ack->next);
			maker->newest = weir_be64(ack->newest);
			maker->flags = weir_be16(ack->flags);
			maker->missing = weir_be16(ack->count);
			maker->first_missing =
				maker->missing != 0 ? weir_be64(ack->ranges[0].first) : 0;
		} else if (frame->type == WEIR_FRAME_PACE) {
			maker->limit = weir_be64(pace->limit_messages);
			maker->reason = weir_be16(pace->reason);
		}
	}
}

uint32_t maker_turn(struct maker *maker, uint32_t count)
{
	struct plane *plane = maker->plane;

	plane_advance(plane, 1000);
	weir_produce_tick(plane->worker);
	weir_produce_flush(plane->worker);
	plane_deliver(plane);
	weir_tx_flush_all(plane->worker);
	for (uint32_t i = 0; i < plane->sent_count; i++) {
		struct frame_view view = plane_view(plane, i);

		CU_ASSERT_TRUE(view.ip_checksum_is_right && view.checksum_is_right);
		if (view.destination_port == 5001) {
			take_answer(maker, &view);
		} else {
			CU_ASSERT_TRUE(view.has_checksum);
			CU_ASSERT_EQUAL_FATAL(view.payload_length, 4);
			memcpy(&maker_numbers[count++], view.payload, 4);
		}
	}
	plane_forget_sent(plane);
	return count;
}

void maker_assert(uint32_t count, uint32_t first, uint32_t last)
{
	CU_ASSERT_EQUAL_FATAL(count, last - first + 1);
	for (uint32_t i = 0; i < count; i++)
		CU_ASSERT_EQUAL(maker_numbers[i], first + i);
}
