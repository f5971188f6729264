/* SPDX-License-Identifier: BSD-3-Clause */
#include "client_gateway.h"

#include <CUnit/Basic.h>
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
	const struct weir_session_io io = {
		.context = gateway, .send = client_sends, .random = gateway_random};

	memset(gateway, 0, sizeof(*gateway));
	gateway->random = 88172645463325252u;
	gateway->now_ns = 1000 * GATEWAY_MS;
	gateway->payload = 100;
	gateway->stream = GATEWAY_STREAM;
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
	gateway->options = weir_be32(hello->options);
	if (hello->cookie[0] == 0xc0)
		gateway->cookies++;
}

static void credit_take(struct gateway *gateway, const struct weir_frame_credit *credit)
{
	uint64_t messages = weir_be64(credit->limit_messages);
	uint64_t bytes = weir_be64(credit->limit_bytes);

	gateway->credits++;
	gateway->consumed_messages = weir_be64(credit->consumed_messages);
	gateway->queue = weir_be32(credit->queue);
	gateway->service_ns = weir_be32(credit->service_ns);
	gateway->edition = weir_be16(credit->edition);
	if (messages > gateway->limit_messages)
		gateway->limit_messages = messages;
	if (bytes > gateway->limit_bytes)
		gateway->limit_bytes = bytes;
}

/* NULL for a lane that there is none of, which a client believes in only after a lie. */
static struct gateway_heard *lane_heard(
	struct gateway *gateway, uint16_t stream, uint16_t partition)
{
	if (weir_be16(stream) != gateway->stream || weir_be16(partition) >= GATEWAY_LANES)
		return NULL;
	return &gateway->heard[weir_be16(partition)];
}

static void ack_take(struct gateway *gateway, const struct weir_frame_ack *ack)
{
	struct gateway_heard *heard = lane_heard(gateway, ack->stream, ack->partition);

	if (heard == NULL ||
		gateway->lanes[weir_be16(ack->partition)].epoch != weir_be32(ack->epoch))
		return;
	heard->acks++;
	heard->epoch = weir_be32(ack->epoch);
	heard->delay = weir_be16(ack->delay);
	heard->next_seq = weir_be64(ack->next_seq);
	heard->done_seq = weir_be64(ack->done_seq);
	heard->newest_seq = weir_be64(ack->newest_seq);
	heard->ack_ranges = weir_be16(ack->count);
	for (unsigned int i = 0; i < heard->ack_ranges; i++) {
		heard->ack_range[i][0] = weir_be64(ack->ranges[i].first);
		heard->ack_range[i][1] = weir_be64(ack->ranges[i].end);
	}
}

static void nack_take(struct gateway *gateway, const struct weir_frame_nack *nack)
{
	struct gateway_heard *heard = lane_heard(gateway, nack->stream, nack->partition);

	if (heard == NULL ||
		gateway->lanes[weir_be16(nack->partition)].epoch != weir_be32(nack->epoch))
		return;
	heard->nacks++;
	for (unsigned int i = 0; i < weir_be16(nack->count); i++) {
		uint64_t *range = heard->nack_range[heard->nack_ranges++ % GATEWAY_RANGES];

		range[0] = weir_be64(nack->ranges[i].first);
		range[1] = weir_be64(nack->ranges[i].end);
	}
}

static void subscribe_take(struct gateway *gateway, const struct weir_frame_subscribe *subscribe)
{
	gateway->subscribes++;
	gateway->start = subscribe->start;
	gateway->start_value = weir_be64(subscribe->start_value);
}

static void pause_take(struct gateway *gateway, const struct weir_frame_pause *pause)
{
	gateway->pauses++;
	gateway->pause_counter = weir_be32(pause->counter);
	gateway->pause_scope = pause->scope;
}

static void seek_take(struct gateway *gateway, const struct weir_frame_seek *seek)
{
	gateway->seeks++;
	gateway->seek = *seek;
}

static void frame_take(struct gateway *gateway, const struct weir_frame_header *frame)
{
	switch ((enum weir_frame_type)frame->type) {
	case WEIR_FRAME_HELLO:
		hello_take(gateway, (const void *)frame);
		break;
	case WEIR_FRAME_SUBSCRIBE:
		subscribe_take(gateway, (const void *)frame);
		break;
	case WEIR_FRAME_CREDIT:
		credit_take(gateway, (const void *)frame);
		break;
	case WEIR_FRAME_PAUSE:
		pause_take(gateway, (const void *)frame);
		break;
	case WEIR_FRAME_ACK:
		ack_take(gateway, (const void *)frame);
		break;
	case WEIR_FRAME_NACK:
		nack_take(gateway, (const void *)frame);
		break;
	case WEIR_FRAME_RELEASE:
		gateway->releases++;
		gateway->release = *(const struct weir_frame_handover *)(const void *)frame;
		break;
	case WEIR_FRAME_SEEK:
		seek_take(gateway, (const void *)frame);
		break;
	case WEIR_FRAME_LEAVE:
		gateway->leaves++;
		break;
	default:
		gateway->wrong++;
	}
}

void gateway_take(struct gateway *gateway, const void *data, size_t length)
{
	const struct weir_frame_header *frame;
	struct weir_frame_cursor cursor;

	gateway->datagrams++;
	if (weir_datagram_open(&cursor, WEIR_END_GATEWAY, data, length) != WEIR_REASON_NONE) {
		gateway->wrong++;
		return;
	}
	if (cursor.session != 0 && cursor.session != gateway->session)
		return;
	while ((frame = weir_frame_next(&cursor)) != NULL)
		frame_take(gateway, frame);
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
	if (gateway->network != NULL)
		gateway->network(gateway, writer->data, writer->length);
	else
		weir_session_receive(
			gateway->client, writer->data, writer->length, gateway->now_ns);
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
	memset(gateway->heard, 0, sizeof(gateway->heard));
	weir_writer_begin(&writer, buffer, sizeof(buffer), 0);
	welcome = weir_writer_add(&writer, WEIR_FRAME_WELCOME, 0, sizeof(*welcome));
	welcome->version = WEIR_FRAME_VERSION;
	welcome->max_datagram = weir_be16(DATAGRAM);
	welcome->nonce = weir_be64(gateway->nonce);
	welcome->session = weir_be64(gateway->session);
	welcome->options = weir_be32(gateway->grant & gateway->options);
	welcome->guarantee = weir_be32(welcome->options) & WEIR_OPTION_RELIABLE
				     ? WEIR_GUARANTEE_AT_LEAST_ONCE
				     : WEIR_GUARANTEE_AT_MOST_ONCE;
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
	subscribed->edition = weir_be16(gateway->listed);
	subscribed->streams[0].stream = weir_be16(gateway->stream);
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
		gateway->stream, partition, lane->epoch, lane->first, lane->messages, lane->bytes};
	uint8_t buffer[WEIR_DATAGRAM_MAX];
	struct weir_data_writer data;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	if (!weir_data_begin(&data, &writer, &wire, seq))
		abort();
	for (uint16_t i = 0; i < count; i++) {
		const struct weir_frame_context context = {
			.trace_id = {1}, .span_id = {(uint8_t)(seq + i), 1}, .flags = 3};
		const struct weir_data_item item = {.seq = seq + i,
			.ingest_ns = gateway->now_ns,
			.time_left_us = gateway->time_left_us,
			.context = &context,
			.length = gateway->payload,
			.flags = gateway->with_contexts ? WEIR_MESSAGE_CONTEXT : 0};
		uint8_t *payload = weir_data_add(&data, &item);

		if (payload == NULL)
			abort();
		memset(payload, (int)(seq + i), gateway->payload);
	}
	weir_data_end(&data, seq + covered, gateway->flags);
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

void gateway_again(struct gateway *gateway, uint16_t partition, uint64_t seq, uint16_t count)
{
	uint8_t flags = gateway->flags;

	gateway->flags = WEIR_DATA_RETRANSMIT;
	gateway_data_raw(gateway, partition, &gateway->lanes[partition], seq, count, count);
	gateway->flags = flags;
}

void gateway_gap(struct gateway *gateway, uint16_t partition, uint64_t first, uint64_t end,
	enum weir_gap_reason reason, uint32_t messages)
{
	uint8_t buffer[DATAGRAM];
	struct weir_frame_gap *gap;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), gateway->session);
	gap = weir_writer_add(&writer, WEIR_FRAME_GAP, 0, sizeof(*gap));
	gap->stream = weir_be16(gateway->stream);
	gap->partition = weir_be16(partition);
	gap->epoch = weir_be32(gateway->lanes[partition].epoch);
	gap->reason = weir_be16((uint16_t)reason);
	gap->first = weir_be64(first);
	gap->end = weir_be64(end);
	gap->messages = weir_be32(messages);
	gap->bytes = weir_be32(messages * gateway->payload);
	gateway_send(gateway, &writer);
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
		heartbeat->lanes[entry].stream = weir_be16(gateway->stream);
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

struct weir_consumer_stats gateway_stats(const struct gateway *gateway)
{
	struct weir_consumer_stats stats;

	weir_session_stats(gateway->client, &stats);
	return stats;
}

void gateway_open_reliable(struct gateway *gateway, struct weir_consumer_options options)
{
	gateway_open(gateway, options);
	gateway->grant =
		WEIR_OPTION_RELIABLE | WEIR_OPTION_SEEK | WEIR_OPTION_BATCH | WEIR_OPTION_ASSIGN;
	gateway_join(gateway);
}

unsigned int gateway_take_from(struct gateway *gateway, uint64_t from)
{
	struct weir_message message;
	unsigned int count = 0;

	while (weir_session_next(gateway->client, &message, gateway->now_ns) == 1) {
		CU_ASSERT_EQUAL(message.sequence, from + count);
		CU_ASSERT_EQUAL(message.missed, 0);
		CU_ASSERT_EQUAL(message.data[0], (uint8_t)message.sequence);
		count++;
	}
	return count;
}

bool gateway_event(struct gateway *gateway, enum weir_event_kind kind, struct weir_event *event)
{
	while (weir_session_next_event(gateway->client, event) == 1)
		if (event->kind == kind)
			return true;
	return false;
}
