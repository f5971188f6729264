/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire_frame_samples.h"

#include <string.h>

#include "wire/frame_data.h"

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

const struct wire_frame_sample wire_frame_samples[WIRE_FRAME_SAMPLES] = {
	{"hello", WEIR_END_GATEWAY, build_hello},
	{"cookie", WEIR_END_CLIENT, build_cookie},
	{"welcome", WEIR_END_CLIENT, build_welcome},
	{"error", WEIR_END_CLIENT, build_error},
	{"subscribe", WEIR_END_GATEWAY, build_subscribe},
	{"subscribed", WEIR_END_CLIENT, build_subscribed},
	{"data", WEIR_END_CLIENT, build_data},
	{"heartbeat", WEIR_END_CLIENT, build_heartbeat},
	{"credit", WEIR_END_GATEWAY, build_credit},
	{"pause-leave", WEIR_END_GATEWAY, build_pause_leave},
};

size_t wire_frame_sample_build(const struct wire_frame_sample *sample, uint8_t *data)
{
	bool has_session = sample->build != build_hello && sample->build != build_cookie &&
			   sample->build != build_welcome && sample->build != build_error;
	struct weir_writer writer;

	weir_writer_begin(&writer, data, SAMPLE_SIZE, has_session ? SAMPLE_SESSION : 0);
	sample->build(&writer);
	return writer.length;
}
