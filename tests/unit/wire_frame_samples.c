/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire_frame_samples.h"

#include <string.h>

#include "wire/frame_data.h"
#include "wire/frame_delivery.h"
#include "wire/frame_produce.h"

static void cookie_fill(uint8_t cookie[WEIR_FRAME_COOKIE_SIZE])
{
	for (uint8_t i = 0; i < WEIR_FRAME_COOKIE_SIZE; i++)
		cookie[i] = (uint8_t)(0xc0 + i);
}

static void build_hello(struct weir_writer *writer)
{
	struct weir_frame_hello *hello =
		weir_writer_add(writer, WEIR_FRAME_HELLO, 0, sizeof(*hello));

	hello->version_min = 1;
	hello->version_max = 1;
	hello->max_datagram = weir_be16(1400);
	hello->nonce = weir_be64(SAMPLE_NONCE);
	hello->options = weir_be32(WEIR_OPTION_SOURCE | WEIR_OPTION_BATCH);
	weir_frame_set_name(hello->group, "billing");
	weir_frame_set_name(hello->name, "c1");
}

static void build_cookie(struct weir_writer *writer)
{
	struct weir_frame_cookie *cookie =
		weir_writer_add(writer, WEIR_FRAME_COOKIE, 0, sizeof(*cookie));

	cookie->nonce = weir_be64(SAMPLE_NONCE);
	cookie_fill(cookie->cookie);
}

static void build_welcome(struct weir_writer *writer)
{
	struct weir_frame_welcome *welcome =
		weir_writer_add(writer, WEIR_FRAME_WELCOME, 0, sizeof(*welcome));

	welcome->version = 1;
	welcome->guarantee = WEIR_GUARANTEE_AT_MOST_ONCE;
	welcome->max_datagram = weir_be16(1400);
	welcome->nonce = weir_be64(SAMPLE_NONCE);
	welcome->session = weir_be64(SAMPLE_SESSION);
	welcome->incarnation = weir_be64(42);
	welcome->clock_ns = weir_be64(SAMPLE_TIME_NS);
	welcome->options = weir_be32(WEIR_OPTION_SOURCE | WEIR_OPTION_BATCH);
	welcome->heartbeat_ms = weir_be32(100);
	welcome->liveness_ms = weir_be32(3000);
}

static void build_error(struct weir_writer *writer)
{
	(void)weir_writer_add_error(writer, WEIR_ERROR_GROUP_FULL, SAMPLE_NONCE, 1000,
		"group billing has all its 4 consumers");
}

static void build_subscribe(struct weir_writer *writer)
{
	struct weir_frame_subscribe *subscribe = weir_writer_add(
		writer, WEIR_FRAME_SUBSCRIBE, 0, sizeof(*subscribe) + WEIR_FRAME_NAME_SIZE);

	subscribe->counter = weir_be32(1);
	subscribe->start = WEIR_START_LATEST;
	subscribe->count = weir_be16(1);
	weir_frame_set_name(subscribe->names[0], "netflow");
}

static void build_subscribed(struct weir_writer *writer)
{
	struct weir_frame_subscribed *subscribed = weir_writer_add(writer, WEIR_FRAME_SUBSCRIBED, 0,
		sizeof(*subscribed) + sizeof(subscribed->streams[0]));

	subscribed->counter = weir_be32(1);
	subscribed->total = weir_be16(1);
	subscribed->count = weir_be16(1);
	subscribed->streams[0].stream = weir_be16(7);
	subscribed->streams[0].partitions = weir_be16(16);
	weir_frame_set_name(subscribed->streams[0].name, "netflow");
}

static void build_data(struct weir_writer *writer)
{
	static const uint8_t ipv4[4] = {192, 0, 2, 1};
	static const uint8_t ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	const struct weir_data_lane lane = {7, 5, 2, 990, 10, 640};
	const struct weir_data_item first = {.seq = 1000,
		.ingest_ns = SAMPLE_TIME_NS,
		.source = ipv4,
		.length = 3,
		.source_port = 2055,
		.flags = WEIR_MESSAGE_ADDRESS};
	const struct weir_data_item second = {.seq = 1002,
		.ingest_ns = SAMPLE_TIME_NS + 250000,
		.source = ipv6,
		.length = 5,
		.source_port = 4739,
		.flags = WEIR_MESSAGE_ADDRESS | WEIR_MESSAGE_IPV6,
		.tos = 0x28};
	struct weir_data_writer data;

	if (!weir_data_begin(&data, writer, &lane, 1000))
		return;
	memcpy(weir_data_add(&data, &first), "abc", 3);
	memcpy(weir_data_add(&data, &second), "hello", 5);
	weir_data_end(&data, 1004, WEIR_DATA_MORE);
}

static void build_heartbeat(struct weir_writer *writer)
{
	struct weir_frame_heartbeat *heartbeat = weir_writer_add(writer, WEIR_FRAME_HEARTBEAT,
		WEIR_HEARTBEAT_STARVED, sizeof(*heartbeat) + sizeof(heartbeat->lanes[0]));

	heartbeat->count = weir_be16(1);
	heartbeat->subscribe_counter = weir_be32(1);
	heartbeat->pause_counter = weir_be32(0);
	heartbeat->clock_ns = weir_be64(SAMPLE_TIME_NS + 1000000);
	heartbeat->lanes[0].stream = weir_be16(7);
	heartbeat->lanes[0].partition = weir_be16(5);
	heartbeat->lanes[0].epoch = weir_be32(2);
	heartbeat->lanes[0].next_seq = weir_be64(1004);
	heartbeat->lanes[0].lane_first = weir_be64(990);
	heartbeat->lanes[0].lane_messages = weir_be64(12);
	heartbeat->lanes[0].lane_bytes = weir_be64(648);
}

static void build_credit(struct weir_writer *writer)
{
	struct weir_frame_credit *credit =
		weir_writer_add(writer, WEIR_FRAME_CREDIT, 0, sizeof(*credit));

	credit->counter = weir_be32(9);
	credit->limit_messages = weir_be64(4108);
	credit->limit_bytes = weir_be64(4194952);
	credit->consumed_messages = weir_be64(12);
	credit->consumed_bytes = weir_be64(648);
	credit->capacity = weir_be32(4096);
}

static void build_pause_leave(struct weir_writer *writer)
{
	struct weir_frame_leave *leave;
	struct weir_frame_pause *pause =
		weir_writer_add(writer, WEIR_FRAME_PAUSE, 0, sizeof(*pause) + 2);

	pause->counter = weir_be32(3);
	pause->scope = WEIR_PAUSE_LIST;
	pause->count = weir_be16(1);
	pause->streams[0] = weir_be16(7);
	leave = weir_writer_add(writer, WEIR_FRAME_LEAVE, 0, sizeof(*leave));
	leave->reason = weir_be16(WEIR_ERROR_CLOSED);
}

static void range_set(struct weir_frame_range *range, uint64_t first, uint64_t end)
{
	range->first = weir_be64(first);
	range->end = weir_be64(end);
}

static void build_ack(struct weir_writer *writer)
{
	struct weir_frame_ack *ack = weir_writer_add(
		writer, WEIR_FRAME_ACK, 0, sizeof(*ack) + 2 * sizeof(ack->ranges[0]));

	ack->stream = weir_be16(7);
	ack->partition = weir_be16(5);
	ack->epoch = weir_be32(2);
	ack->count = weir_be16(2);
	ack->delay = weir_be16(25);
	ack->next_seq = weir_be64(1004);
	ack->done_seq = weir_be64(1002);
	ack->newest_seq = weir_be64(1020);
	range_set(&ack->ranges[0], 1006, 1010);
	range_set(&ack->ranges[1], 1012, 1021);
}

static void build_nack(struct weir_writer *writer)
{
	struct weir_frame_nack *nack = weir_writer_add(
		writer, WEIR_FRAME_NACK, 0, sizeof(*nack) + 2 * sizeof(nack->ranges[0]));

	nack->stream = weir_be16(7);
	nack->partition = weir_be16(5);
	nack->epoch = weir_be32(2);
	nack->count = weir_be16(2);
	range_set(&nack->ranges[0], 1004, 1006);
	range_set(&nack->ranges[1], 1010, 1012);
}

static void build_retransmit(struct weir_writer *writer)
{
	const struct weir_data_lane lane = {7, 5, 2, 990, 29, 1310};
	const struct weir_data_item item = {.seq = 1004,
		.ingest_ns = SAMPLE_TIME_NS + 400000,
		.length = 4,
		.time_left_us = 30000,
		.flags = WEIR_MESSAGE_REDELIVERED};
	struct weir_data_writer data;

	if (!weir_data_begin(&data, writer, &lane, 1004))
		return;
	memcpy(weir_data_add(&data, &item), "lost", 4);
	weir_data_end(&data, 1006, WEIR_DATA_RETRANSMIT);
}

static void build_gap(struct weir_writer *writer)
{
	struct weir_frame_gap *gap = weir_writer_add(writer, WEIR_FRAME_GAP, 0, sizeof(*gap));

	gap->stream = weir_be16(7);
	gap->partition = weir_be16(5);
	gap->epoch = weir_be32(2);
	gap->reason = weir_be16(WEIR_GAP_EXPIRED);
	gap->first = weir_be64(1010);
	gap->end = weir_be64(1012);
	gap->messages = weir_be32(2);
	gap->bytes = weir_be32(128);
}

static void build_handover(
	struct weir_writer *writer, enum weir_frame_type type, uint32_t deadline_ms, uint64_t seq)
{
	struct weir_frame_handover *handover = weir_writer_add(writer, type, 0, sizeof(*handover));

	handover->stream = weir_be16(7);
	handover->partition = weir_be16(5);
	handover->epoch = weir_be32(2);
	handover->deadline_ms = weir_be32(deadline_ms);
	handover->seq = weir_be64(seq);
	if (type == WEIR_FRAME_RELEASE)
		return;
	handover->lane_messages = weir_be64(29);
	handover->lane_bytes = weir_be64(1310);
}

static void build_revoke(struct weir_writer *writer)
{
	build_handover(writer, WEIR_FRAME_REVOKE, 375, 1021);
}

static void build_release(struct weir_writer *writer)
{
	build_handover(writer, WEIR_FRAME_RELEASE, 0, 1021);
}

static void build_seek(struct weir_writer *writer)
{
	struct weir_frame_seek *seek = weir_writer_add(writer, WEIR_FRAME_SEEK, 0, sizeof(*seek));

	seek->counter = weir_be32(2);
	seek->stream = weir_be16(7);
	seek->partition = weir_be16(5);
	seek->start = WEIR_START_SEQUENCE;
	seek->value = weir_be64(900);
}

static void build_load(struct weir_writer *writer)
{
	static const uint8_t address[16] = {[10] = 0xff, 0xff, 192, 0, 2, 7};
	struct weir_frame_load *load = weir_writer_add(writer, WEIR_FRAME_LOAD, 0, sizeof(*load));

	load->counter = weir_be32(6);
	memcpy(load->address, address, sizeof(address));
	load->port = weir_be16(9995);
	load->queue_bytes = weir_be32(65536);
	load->limit_bytes = weir_be32(212992);
	load->capacity_messages = weir_be32(166);
	load->drops = weir_be64(3);
	load->echo_ns = weir_be64(SAMPLE_TIME_NS + 1000000);
}

static void produced_set(struct weir_frame_produce *produce, uint32_t offset, const char *key,
	const char *payload, uint16_t delta)
{
	struct weir_frame_produce_message *message = (void *)(produce->messages + offset);
	size_t key_length = strlen(key), length = strlen(payload);

	message->length = weir_be16((uint16_t)length);
	message->key_length = (uint8_t)key_length;
	message->counter_delta = weir_be16(delta);
	memcpy(message + 1, key, key_length);
	memcpy((uint8_t *)(message + 1) + key_length, payload, length);
}

static void build_produce(struct weir_writer *writer)
{
	const uint32_t first = weir_produce_size(3, 2, 0), second = weir_produce_size(5, 0, 0);
	struct weir_frame_produce *produce = weir_writer_add(
		writer, WEIR_FRAME_PRODUCE, 0, (uint32_t)sizeof(*produce) + first + second);

	produce->producer_epoch = weir_be32(23);
	produce->counter = weir_be64(5);
	produce->count = weir_be16(2);
	produce->tier = 1;
	produce->time_left_us = weir_be32(50000);
	produce->clock_ns = weir_be64(SAMPLE_TIME_NS);
	produced_set(produce, 0, "k1", "abc", 0);
	produced_set(produce, first, "", "hello", 2);
}

static void build_produce_ack(struct weir_writer *writer)
{
	struct weir_frame_produce_ack *ack = weir_writer_add(
		writer, WEIR_FRAME_PRODUCE_ACK, 0, sizeof(*ack) + sizeof(ack->ranges[0]));

	ack->producer_epoch = weir_be32(23);
	ack->next = weir_be64(5);
	ack->count = weir_be16(1);
	ack->flags = weir_be16(WEIR_PRODUCE_REFUSED);
	ack->newest = weir_be64(9);
	ack->ranges[0].first = weir_be64(6);
	ack->ranges[0].end = weir_be64(8);
}

static void build_pace(struct weir_writer *writer)
{
	struct weir_frame_pace *pace = weir_writer_add(writer, WEIR_FRAME_PACE, 0, sizeof(*pace));

	pace->counter = weir_be32(3);
	pace->limit_messages = weir_be64(1000);
	pace->limit_bytes = weir_be64(1000000);
	pace->rate_pps = weir_be32(20000);
	pace->reason = weir_be16(WEIR_PACE_RING_FULL);
	pace->retry_ms = weir_be32(10);
}

static struct weir_frame_context sample_context(uint8_t span)
{
	struct weir_frame_context context = {.flags = WEIR_CONTEXT_SAMPLED};

	for (uint8_t i = 0; i < 16; i++)
		context.trace_id[i] = (uint8_t)(0x10 + i);
	memset(context.span_id, span, sizeof(context.span_id));
	return context;
}

static void build_produce_context(struct weir_writer *writer)
{
	const struct weir_frame_context context = sample_context(0x70);
	struct weir_frame_produce *produce = weir_writer_add(writer, WEIR_FRAME_PRODUCE, 0,
		(uint32_t)sizeof(*produce) + weir_produce_size(3, 2, WEIR_PRODUCE_CONTEXT));
	struct weir_frame_produce_message *message = (void *)produce->messages;

	produce->producer_epoch = weir_be32(23);
	produce->counter = weir_be64(5);
	produce->count = weir_be16(1);
	produce->tier = 1;
	produce->clock_ns = weir_be64(SAMPLE_TIME_NS);
	message->length = weir_be16(3);
	message->key_length = 2;
	message->flags = WEIR_PRODUCE_CONTEXT;
	memcpy(message + 1, &context, sizeof(context));
	memcpy((uint8_t *)(message + 1) + sizeof(context), "k1abc", 5);
}

static void build_data_context(struct weir_writer *writer)
{
	static const uint8_t ipv4[4] = {192, 0, 2, 1};
	const struct weir_frame_context context = sample_context(0x71);
	const struct weir_data_lane lane = {7, 5, 2, 990, 10, 640};
	const struct weir_data_item item = {.seq = 1000,
		.ingest_ns = SAMPLE_TIME_NS,
		.source = ipv4,
		.context = &context,
		.length = 3,
		.source_port = 5001,
		.flags = WEIR_MESSAGE_ADDRESS | WEIR_MESSAGE_CONTEXT};
	struct weir_data_writer data;

	if (!weir_data_begin(&data, writer, &lane, 1000))
		return;
	memcpy(weir_data_add(&data, &item), "abc", 3);
	weir_data_end(&data, 1001, 0);
}

/* The tag is no real one: the codec does not know the key. */
static void build_key(struct weir_writer *writer)
{
	struct weir_datagram_trailer *trailer;
	struct weir_frame_key *key;

	build_welcome(writer);
	key = weir_writer_add(writer, WEIR_FRAME_KEY, 0, sizeof(*key));
	key->timestamp_ns = weir_be64(SAMPLE_TIME_NS);
	memset(key->public_key, 0x9e, sizeof(key->public_key));
	trailer = weir_writer_add_trailer(writer, 1);
	memset(trailer->tag, 0x7a, sizeof(trailer->tag));
}

const struct wire_frame_sample wire_frame_samples[WIRE_FRAME_SAMPLES] = {
	{"hello", WEIR_END_GATEWAY, 0, build_hello},
	{"cookie", WEIR_END_CLIENT, 0, build_cookie},
	{"welcome", WEIR_END_CLIENT, 0, build_welcome},
	{"error", WEIR_END_CLIENT, 0, build_error},
	{"subscribe", WEIR_END_GATEWAY, SAMPLE_SESSION, build_subscribe},
	{"subscribed", WEIR_END_CLIENT, SAMPLE_SESSION, build_subscribed},
	{"data", WEIR_END_CLIENT, SAMPLE_SESSION, build_data},
	{"heartbeat", WEIR_END_CLIENT, SAMPLE_SESSION, build_heartbeat},
	{"credit", WEIR_END_GATEWAY, SAMPLE_SESSION, build_credit},
	{"pause-leave", WEIR_END_GATEWAY, SAMPLE_SESSION, build_pause_leave},
	{"ack", WEIR_END_GATEWAY, SAMPLE_SESSION, build_ack},
	{"nack", WEIR_END_GATEWAY, SAMPLE_SESSION, build_nack},
	{"retransmit", WEIR_END_CLIENT, SAMPLE_SESSION, build_retransmit},
	{"gap", WEIR_END_CLIENT, SAMPLE_SESSION, build_gap},
	{"revoke", WEIR_END_CLIENT, SAMPLE_SESSION, build_revoke},
	{"release", WEIR_END_GATEWAY, SAMPLE_SESSION, build_release},
	{"seek", WEIR_END_GATEWAY, SAMPLE_SESSION, build_seek},
	{"load", WEIR_END_GATEWAY, SAMPLE_SESSION, build_load},
	{"produce", WEIR_END_GATEWAY, SAMPLE_SESSION, build_produce},
	{"produce-ack", WEIR_END_CLIENT, SAMPLE_SESSION, build_produce_ack},
	{"pace", WEIR_END_CLIENT, SAMPLE_SESSION, build_pace},
	{"key", WEIR_END_CLIENT, 0, build_key},
	{"produce-context", WEIR_END_GATEWAY, SAMPLE_SESSION, build_produce_context},
	{"data-context", WEIR_END_CLIENT, SAMPLE_SESSION, build_data_context},
};

const struct wire_frame_sample *wire_frame_sample_named(const char *name)
{
	for (unsigned int i = 0; i < WIRE_FRAME_SAMPLES; i++)
		if (strcmp(wire_frame_samples[i].name, name) == 0)
			return &wire_frame_samples[i];
	return NULL;
}

size_t wire_frame_sample_build(const struct wire_frame_sample *sample, uint8_t *data)
{
	struct weir_writer writer;

	weir_writer_begin(&writer, data, SAMPLE_SIZE, sample->session);
	sample->build(&writer);
	return writer.length;
}

enum weir_reason wire_frame_fault_open(
	const struct wire_frame_fault *fault, const struct guard *guard)
{
	const struct wire_frame_sample *sample = wire_frame_sample_named(fault->sample);
	struct weir_frame_cursor cursor;
	uint8_t data[SAMPLE_SIZE];
	size_t length;

	if (sample == NULL)
		abort();
	length = wire_frame_sample_build(sample, data);
	if (fault->offset >= length || data[fault->offset] == fault->value)
		abort();
	data[fault->offset] = fault->value;
	return weir_datagram_open(&cursor, sample->end, guard_place(guard, data, length), length);
}
