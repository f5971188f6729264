/* SPDX-License-Identifier: BSD-3-Clause */
#include "client_producer_gateway.h"

#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "wire/frame_produce.h"

uint64_t next_random(void *context)
{
	struct gateway *gateway = context;

	gateway->random ^= gateway->random << 13;
	gateway->random ^= gateway->random >> 7;
	gateway->random ^= gateway->random << 17;
	return gateway->random;
}

static uint64_t utc(void *context)
{
	return UINT64_C(1700000000000000000) + ((struct gateway *)context)->now_ns;
}

static void take_produce(struct gateway *gateway, const struct weir_frame_produce *frame)
{
	struct weir_produce_cursor cursor;
	struct weir_produce_item item;

	gateway->epoch = weir_be32(frame->producer_epoch);
	if (gateway->epoch != gateway->known_epoch) {
		gateway->known_epoch = gateway->epoch;
		gateway->next = weir_be64(frame->oldest);
		gateway->newest = gateway->next - 1;
	}
	gateway->oldest = weir_be64(frame->oldest);
	gateway->time_left_us = weir_be32(frame->time_left_us);
	gateway->tier = frame->tier;
	weir_produce_open(&cursor, frame);
	while (weir_produce_next(&cursor, &item)) {
		CU_ASSERT_TRUE_FATAL(item.counter < NUMBERS);
		gateway->messages++;
		gateway->twice += gateway->has[item.counter];
		gateway->has[item.counter] = true;
		gateway->latest = item.counter;
		if (item.context != NULL) {
			gateway->contexts++;
			gateway->span = item.context->span_id[0];
		}
		if (item.length != 0)
			gateway->first_byte[item.counter] = item.payload[0];
		if (item.counter > gateway->newest)
			gateway->newest = item.counter;
	}
	while (gateway->next <= gateway->newest &&
		(gateway->has[gateway->next] || gateway->next < gateway->oldest))
		gateway->next++;
}

static int client_sends(void *context, const void *data, size_t length)
{
	struct gateway *gateway = context;
	const struct weir_frame_header *frame;
	struct weir_frame_cursor cursor;

	gateway->datagrams++;
	if (gateway->lose != 0) {
		gateway->lose--;
		return 0;
	}
	if (weir_datagram_open(&cursor, WEIR_END_GATEWAY, data, length) != WEIR_REASON_NONE) {
		gateway->wrong++;
		return 0;
	}
	while ((frame = weir_frame_next(&cursor)) != NULL) {
		if (frame->type == WEIR_FRAME_HELLO) {
			gateway->hellos++;
			gateway->nonce = weir_be64(((const struct weir_frame_hello *)frame)->nonce);
		} else if (cursor.session != gateway->session) {
			gateway->wrong++;
		} else if (frame->type == WEIR_FRAME_PRODUCE) {
			take_produce(gateway, (const void *)frame);
		}
		gateway->credits += frame->type == WEIR_FRAME_CREDIT;
		gateway->leaves += frame->type == WEIR_FRAME_LEAVE;
	}
	return 0;
}

static void deliver(struct gateway *gateway, const struct weir_writer *writer)
{
	uint64_t changes = gateway->is_lying ? 1 + next_random(gateway) % 4 : 0;

	while (changes-- > 0) {
		uint64_t dice = next_random(gateway);

		writer->data[WEIR_DATAGRAM_HEADER +
			     dice % (writer->length - WEIR_DATAGRAM_HEADER)] =
			(uint8_t)(dice >> 32);
	}
	weir_producer_session_receive(
		gateway->client, writer->data, writer->length, gateway->now_ns);
}

void answer(struct gateway *gateway, uint16_t flags)
{
	uint8_t buffer[1400];
	struct weir_frame_produce_ack *ack;
	struct weir_frame_pace *pace;
	struct weir_writer writer;
	uint64_t number = gateway->next;
	uint16_t count = 0;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	while (number <= gateway->newest && count < WEIR_PRODUCE_ACK_RANGES_MAX) {
		count += !gateway->has[number] &&
			 (number == gateway->next || gateway->has[number - 1]);
		number++;
	}
	ack = weir_writer_add(&writer, WEIR_FRAME_PRODUCE_ACK, 0,
		(uint32_t)(sizeof(*ack) + count * sizeof(ack->ranges[0])));
	ack->producer_epoch = weir_be32(gateway->known_epoch);
	ack->next = weir_be64(gateway->next);
	ack->newest = weir_be64(gateway->newest);
	ack->flags = weir_be16(flags);
	ack->count = weir_be16(count);
	number = gateway->next;
	for (uint16_t i = 0; i < count; i++) {
		while (gateway->has[number])
			number++;
		ack->ranges[i].first = weir_be64(number);
		while (number <= gateway->newest && !gateway->has[number])
			number++;
		ack->ranges[i].end = weir_be64(number);
	}
	pace = weir_writer_add(&writer, WEIR_FRAME_PACE, 0, sizeof(*pace));
	pace->counter = weir_be32(++gateway->pace_counter);
	pace->limit_messages = weir_be64(gateway->limit);
	pace->limit_bytes = weir_be64(1u << 30);
	pace->reason = weir_be16(gateway->reason);
	deliver(gateway, &writer);
}

void welcome(struct gateway *gateway)
{
	uint8_t buffer[1400];
	struct weir_frame_welcome *frame;
	struct weir_writer writer;

	gateway->session = next_random(gateway) | 1;
	weir_writer_begin(&writer, buffer, sizeof(buffer), 0);
	frame = weir_writer_add(&writer, WEIR_FRAME_WELCOME, 0, sizeof(*frame));
	frame->version = WEIR_FRAME_VERSION;
	frame->guarantee = WEIR_GUARANTEE_AT_LEAST_ONCE;
	frame->max_datagram = weir_be16(gateway->max_datagram);
	frame->nonce = weir_be64(gateway->nonce);
	frame->session = weir_be64(gateway->session);
	frame->options = weir_be32(gateway->options);
	frame->heartbeat_ms = weir_be32(HEART);
	frame->liveness_ms = weir_be32(LIVE);
	deliver(gateway, &writer);
}

void end_session(struct gateway *gateway)
{
	uint8_t buffer[512];
	struct weir_frame_leave *leave;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	leave = weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(*leave));
	leave->reason = weir_be16(WEIR_ERROR_SHUTDOWN);
	deliver(gateway, &writer);
}

void pass(struct gateway *gateway, uint64_t us)
{
	uint64_t end = gateway->now_ns + us * 1000;
	unsigned int turns = 0;

	while (weir_producer_session_deadline_ns(gateway->client) <= end) {
		uint64_t at = weir_producer_session_deadline_ns(gateway->client);

		if (at > gateway->now_ns)
			gateway->now_ns = at;
		weir_producer_session_tick(gateway->client, gateway->now_ns);
		CU_ASSERT_TRUE_FATAL(++turns < 10000);
	}
	gateway->now_ns = end;
}

struct gateway *open_with(const struct weir_producer_options *more)
{
	struct weir_producer_options options = *more;
	struct gateway *gateway = calloc(1, sizeof(*gateway));
	struct weir_session_io io = {gateway, client_sends, next_random, utc};

	if (gateway == NULL)
		abort();
	gateway->random = 88172645463325252u;
	gateway->now_ns = 1000 * MS;
	gateway->limit = NUMBERS;
	gateway->max_datagram =
		options.max_datagram != 0 ? options.max_datagram : WEIR_PRODUCER_DATAGRAM;
	gateway->next = 1;
	options.stream = "events";
	options.name = "p1";
	if (weir_producer_session_create(&options, &io, gateway->now_ns, &gateway->client) != 0)
		abort();
	gateway->now_ns = weir_producer_session_deadline_ns(gateway->client); /* its epoch begins */
	return gateway;
}

struct gateway *join(const struct weir_producer_options *options)
{
	struct gateway *gateway = open_with(options);

	weir_producer_session_tick(gateway->client, gateway->now_ns);
	gateway->now_ns += MS;
	welcome(gateway);
	answer(gateway, 0);
	return gateway;
}

void finish(struct gateway *gateway)
{
	CU_ASSERT_EQUAL(gateway->wrong, 0);
	weir_producer_session_destroy(gateway->client);
	free(gateway);
}

struct weir_producer_stats stats_of(const struct gateway *gateway)
{
	struct weir_producer_stats stats;

	weir_producer_session_stats(gateway->client, &stats);
	return stats;
}

static uint8_t count_sent;

int send_deadline(struct gateway *gateway, uint32_t deadline_ms, enum weir_held_by *held_by)
{
	uint8_t data[100];
	const struct weir_produced message = {.key = "key",
		.key_length = 3,
		.data = data,
		.length = sizeof(data),
		.deadline_ms = deadline_ms};

	memset(data, ++count_sent, sizeof(data));
	return weir_producer_session_send(gateway->client, &message, gateway->now_ns, held_by);
}

unsigned int send_many(struct gateway *gateway, unsigned int count)
{
	unsigned int sent = 0;

	while (sent < count && send_deadline(gateway, 0, NULL) == WEIR_SENT)
		sent++;
	weir_producer_session_flush(gateway->client, gateway->now_ns);
	return sent;
}
