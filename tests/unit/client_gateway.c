/* SPDX-License-Identifier: BSD-3-Clause */
#include "client_gateway.h"

#include <stdlib.h>
#include <string.h>

#include "wire/frame_data.h"

#define DATAGRAM 1400

static int client_sends(void *context, const void *data, size_t length)
{
	struct gateway *gateway = context;

	if (!gateway->is_deaf)
		gateway_take(gateway, data, length);
	return 0;
}

uint64_t gateway_random(void *context)
{
	struct gateway *gateway = context;

	gateway->random ^= gateway->random << 13;
	gateway->random ^= gateway->random >> 7;
	gateway->random ^= gateway->random << 17;
	return gateway->random;
}

void gateway_open(struct gateway *gateway, struct weir_consumer_options options)
{
	struct weir_session_io io = {gateway, client_sends, gateway_random};

	memset(gateway, 0, sizeof(*gateway));
	gateway->random = 88172645463325252u;
	gateway->now_ns = 1000 * GATEWAY_MS;
	gateway->payload = 100;
	options.group = "billing";
	options.name = "c1";
	if (weir_session_create(&options, &io, gateway->now_ns, &gateway->client) != 0)
		abort();
	weir_session_tick(gateway->client, gateway->now_ns);
}

void gateway_close(struct gateway *gateway)
{
	weir_session_destroy(gateway->client);
	gateway->client = NULL;
}

static void hello_take(struct gateway *gateway, const struct weir_frame_hello *hello)
{
	gateway->hellos++;
	gateway->nonce = weir_be64(hello->nonce);
	if (hello->cookie[0] == 0xc0)
		gateway->cookies++;
}

static void credit_take(struct gateway *gateway, const struct weir_frame_credit *credit)
{
	uint64_t messages = weir_be64(credit->limit_messages);
	uint64_t bytes = weir_be64(credit->limit_bytes);

	gateway->credits++;
	gateway->consumed_messages = weir_be64(credit->consumed_messages);
	if (messages > gateway->limit_messages)
		gateway->limit_messages = messages;
	if (bytes > gateway->limit_bytes)
		gateway->limit_bytes = bytes;
}

void gateway_take(struct gateway *gateway, const void *data, size_t length)
{
	const struct weir_frame_header *frame;
	const struct weir_frame_pause *pause;
	struct weir_frame_cursor cursor;

	if (weir_datagram_open(&cursor, WEIR_END_GATEWAY, data, length) != WEIR_REASON_NONE) {
		gateway->wrong++;
		return;
	}
	if (cursor.session != 0 && cursor.session != gateway->session)
		return;
	while ((frame = weir_frame_next(&cursor)) != NULL) {
		if (frame->type == WEIR_FRAME_HELLO)
			hello_take(gateway, (const void *)frame);
		else if (frame->type == WEIR_FRAME_SUBSCRIBE)
			gateway->subscribes++;
		else if (frame->type == WEIR_FRAME_CREDIT)
			credit_take(gateway, (const void *)frame);
		else if (frame->type == WEIR_FRAME_LEAVE)
			gateway->leaves++;
		if (frame->type != WEIR_FRAME_PAUSE)
			continue;
		pause = (const void *)frame;
		gateway->pauses++;
		gateway->pause_counter = weir_be32(pause->counter);
		gateway->pause_scope = pause->scope;
	}
}

void gateway_send(struct gateway *gateway, const struct weir_writer *writer)
{
	uint64_t changes = gateway->is_lying ? gateway_random(gateway) % 4 : 0;

	while (changes-- > 0) {
		uint64_t dice = gateway_random(gateway);

		writer->data[WEIR_DATAGRAM_HEADER +
			     dice % (writer->length - WEIR_DATAGRAM_HEADER)] =
			(uint8_t)(dice >> 32);
	}
	weir_session_receive(gateway->client, writer->data, writer->length, gateway->now_ns);
}

void gateway_wait(struct gateway *gateway, uint64_t ms)
{
	uint64_t end = gateway->now_ns + ms * GATEWAY_MS;

	while (weir_session_deadline_ns(gateway->client) <= end) {
		uint64_t deadline = weir_session_deadline_ns(gateway->client);

		if (deadline > gateway->now_ns)
			gateway->now_ns = deadline;
		weir_session_tick(gateway->client, gateway->now_ns);
	}
	gateway->now_ns = end;
}

void gateway_cookie(struct gateway *gateway)
{
	uint8_t buffer[DATAGRAM];
	struct weir_frame_cookie *cookie;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), 0);
	cookie = weir_writer_add(&writer, WEIR_FRAME_COOKIE, 0, sizeof(*cookie));
	cookie->nonce = weir_be64(gateway->nonce);
	memset(cookie->cookie, 0xc0, sizeof(cookie->cookie));
	gateway_send(gateway, &writer);
}

void gateway_welcome(struct gateway *gateway)
{
	uint8_t buffer[DATAGRAM];
	struct weir_frame_welcome *welcome;
	struct weir_writer writer;

	gateway->session = gateway_random(gateway) | 1;
	gateway->limit_messages = gateway->limit_bytes = 0;
	gateway->sent_messages = gateway->sent_bytes = 0;
	gateway->pause_counter = 0;
	memset(gateway->lanes, 0, sizeof(gateway->lanes));
	weir_writer_begin(&writer, buffer, sizeof(buffer), 0);
	welcome = weir_writer_add(&writer, WEIR_FRAME_WELCOME, 0, sizeof(*welcome));
	welcome->version = WEIR_FRAME_VERSION;
	welcome->max_datagram = weir_be16(DATAGRAM);
	welcome->nonce = weir_be64(gateway->nonce);
	welcome->session = weir_be64(gateway->session);
	welcome->heartbeat_ms = weir_be32(GATEWAY_HEART_MS);
	welcome->liveness_ms = weir_be32(GATEWAY_LIVE_MS);
	gateway_send(gateway, &writer);
}

void gateway_subscribed(struct gateway *gateway)
{
	uint8_t buffer[DATAGRAM];
	struct weir_frame_subscribed *subscribed;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	subscribed = weir_writer_add(&writer, WEIR_FRAME_SUBSCRIBED, 0,
		sizeof(*subscribed) + sizeof(subscribed->streams[0]));
	subscribed->counter = weir_be32(1);
	subscribed->total = weir_be16(1);
	subscribed->count = weir_be16(1);
	subscribed->streams[0].stream = weir_be16(GATEWAY_STREAM);
	subscribed->streams[0].partitions = weir_be16(GATEWAY_LANES);
	weir_frame_set_name(subscribed->streams[0].name, "netflow");
	gateway_send(gateway, &writer);
}

void gateway_join(struct gateway *gateway)
{
	gateway_cookie(gateway);
	gateway_welcome(gateway);
	gateway_subscribed(gateway);
}

void gateway_error(
	struct gateway *gateway, uint64_t session, enum weir_frame_code code, uint32_t retry_ms)
{
	uint8_t buffer[DATAGRAM];
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), session);
	(void)weir_writer_add_error(&writer, code, session == 0 ? gateway->nonce : 0, retry_ms,
		weir_frame_error_text((uint16_t)code));
	gateway_send(gateway, &writer);
}

void gateway_leave(struct gateway *gateway, enum weir_frame_code reason)
{
	uint8_t buffer[DATAGRAM];
	struct weir_frame_leave *leave;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	leave = weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(*leave));
	leave->reason = weir_be16((uint16_t)reason);
	gateway_send(gateway, &writer);
}

void gateway_data_raw(struct gateway *gateway, uint16_t partition, const struct gateway_lane *lane,
	uint64_t seq, uint32_t covered, uint16_t count)
{
	const struct weir_data_lane wire = {
		GATEWAY_STREAM, partition, lane->epoch, lane->first, lane->messages, lane->bytes};
	uint8_t buffer[WEIR_DATAGRAM_MAX];
	struct weir_data_writer data;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	if (!weir_data_begin(&data, &writer, &wire, seq))
		abort();
	for (uint16_t i = 0; i < count; i++) {
		const struct weir_data_item item = {
			.seq = seq + i, .ingest_ns = gateway->now_ns, .length = gateway->payload};
		uint8_t *payload = weir_data_add(&data, &item);

		if (payload == NULL)
			abort();
		memset(payload, (int)(seq + i), gateway->payload);
	}
	weir_data_end(&data, seq + covered, 0);
	gateway_send(gateway, &writer);
}

void gateway_data(struct gateway *gateway, uint16_t partition, uint16_t count, bool is_lost)
{
	struct gateway_lane *lane = &gateway->lanes[partition];

	if (!is_lost)
		gateway_data_raw(gateway, partition, lane, lane->next_seq, count, count);
	lane->next_seq += count;
	lane->messages += count;
	lane->bytes += (uint64_t)count * gateway->payload;
	gateway->sent_messages += count;
	gateway->sent_bytes += (uint64_t)count * gateway->payload;
}

void gateway_heartbeat(struct gateway *gateway, uint8_t flags)
{
	uint8_t buffer[DATAGRAM];
	struct weir_frame_heartbeat *heartbeat;
	struct weir_writer writer;
	uint16_t count = 0;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	for (unsigned int i = 0; i < GATEWAY_LANES; i++)
		count += gateway->lanes[i].messages != 0;
	heartbeat = weir_writer_add(&writer, WEIR_FRAME_HEARTBEAT, flags,
		(uint32_t)(sizeof(*heartbeat) + count * sizeof(heartbeat->lanes[0])));
	heartbeat->count = weir_be16(count);
	heartbeat->pause_counter = weir_be32(gateway->pause_counter);
	for (unsigned int i = 0, entry = 0; i < GATEWAY_LANES; i++) {
		const struct gateway_lane *lane = &gateway->lanes[i];

		if (lane->messages == 0)
			continue;
		heartbeat->lanes[entry].stream = weir_be16(GATEWAY_STREAM);
		heartbeat->lanes[entry].partition = weir_be16((uint16_t)i);
		heartbeat->lanes[entry].epoch = weir_be32(lane->epoch);
		heartbeat->lanes[entry].next_seq = weir_be64(lane->next_seq);
		heartbeat->lanes[entry].lane_first = weir_be64(lane->first);
		heartbeat->lanes[entry].lane_messages = weir_be64(lane->messages);
		heartbeat->lanes[entry++].lane_bytes = weir_be64(lane->bytes);
	}
	gateway_send(gateway, &writer);
}

uint64_t gateway_credit(const struct gateway *gateway)
{
	uint64_t messages = gateway->limit_messages - gateway->sent_messages;
	uint64_t bytes = (gateway->limit_bytes - gateway->sent_bytes) / gateway->payload;

	return messages < bytes ? messages : bytes;
}
