/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane_client.h"

#include <string.h>

#include <CUnit/Basic.h>

#include "dataplane_tests.h"

#define PORT 5000

static const struct weir_address gateway = {4, {192, 0, 2, 9}};

static void route(struct client *client)
{
	struct weir_route_spec spec = {.port = 1,
		.mtu = 1500,
		.source = gateway,
		.destination = client->address,
		.source_port = WEIR_FRAME_PORT,
		.destination_port = PORT};

	plane_route(client->plane, client->consumer->name, &spec);
}

static void start_seals(struct client *client)
{
	uint8_t up[WEIR_SEAL_KEY_SIZE], down[WEIR_SEAL_KEY_SIZE];

	memset(up, 1, sizeof(up));
	memset(down, 2, sizeof(down));
	weir_seal_start(&client->seal, up, down);
	weir_seal_start(&client->consumer->seal, down, up);
}

void client_join(struct client *client, struct plane *plane, const struct client_options *options)
{
	uint8_t host = options->host != 0 ? options->host : 7;
	struct weir_session_spec spec = {.group = options->group != NULL ? options->group : "n",
		.name = options->name != NULL ? options->name : "client",
		.peer = {4, {198, 51, 100, host}},
		.peer_port = PORT,
		.local = gateway,
		.max_datagram = 1400,
		.wants_source = true,
		.wants_batches = !options->single,
		.wants_contexts = options->wants_contexts,
		.is_reliable = options->is_reliable,
		.may_seek = options->may_seek,
		.may_assign = options->may_assign,
		.random = 0x123456789abc0000 + (++plane->sessions << 16)};

	memset(client, 0, sizeof(*client));
	client->plane = plane;
	client->address = spec.peer;
	client->stream = plane->dataplane->published->streams[0].stream->slot;
	CU_ASSERT_EQUAL(weir_dataplane_set_addresses(plane->dataplane, &gateway, 1), 0);
	CU_ASSERT_EQUAL_FATAL(weir_session_prepare(plane->dataplane, &spec, &client->consumer), 0);
	if (options->start != 0) {
		client->consumer->start = options->start - 1;
		client->consumer->start_value = options->start_value;
	}
	if (options->has_key)
		start_seals(client);
	CU_ASSERT_EQUAL_FATAL(weir_session_add(plane->dataplane, client->consumer), 0);
	route(client);
}

void client_leave(struct client *client)
{
	weir_session_remove(client->plane->dataplane, client->consumer);
	plane_republish(client->plane);
	client->consumer = NULL;
}

void client_send(struct client *client, struct weir_writer *writer, struct weir_seal *seal)
{
	struct frame_spec spec = {.version = 4,
		.source = client->address,
		.destination = gateway,
		.source_port = PORT,
		.destination_port = WEIR_FRAME_PORT,
		.payload = writer->data};

	if (seal != NULL)
		CU_ASSERT_EQUAL(weir_seal_add(seal, writer), 0);
	spec.payload_length = (uint16_t)writer->length;
	plane_receive(client->plane, &spec);
}

static void send_credit(struct client *client, const struct weir_frame_credit *told)
{
	uint8_t payload[512];
	struct weir_writer writer;
	struct weir_frame_credit *credit;

	weir_writer_begin(&writer, payload, sizeof(payload), client->consumer->session);
	credit = weir_writer_add(&writer, WEIR_FRAME_CREDIT, 0, sizeof(*credit));
	credit->counter = weir_be32(++client->credit_counter);
	credit->limit_messages = told->limit_messages;
	credit->limit_bytes = told->limit_bytes;
	credit->consumed_messages = told->consumed_messages;
	credit->service_ns = told->service_ns;
	client_send(client, &writer, &client->seal);
}

void client_grant(struct client *client, uint64_t messages, uint64_t bytes)
{
	send_credit(client, &(const struct weir_frame_credit){.limit_messages = weir_be64(messages),
				    .limit_bytes = weir_be64(bytes)});
}

void client_grant_all(struct client *client)
{
	client_grant(client, UINT64_C(1) << 40, UINT64_C(1) << 40);
}

void client_report(struct client *client, uint64_t consumed, uint32_t service_ns)
{
	send_credit(client,
		&(const struct weir_frame_credit){.limit_messages = weir_be64(UINT64_C(1) << 40),
			.limit_bytes = weir_be64(UINT64_C(1) << 40),
			.consumed_messages = weir_be64(consumed),
			.service_ns = weir_be32(service_ns)});
}

void client_pause(struct client *client, uint8_t scope, uint32_t counter)
{
	uint8_t payload[512];
	struct weir_writer writer;
	struct weir_frame_pause *frame;
	uint32_t list = scope == WEIR_PAUSE_LIST ? 2 : 0;

	weir_writer_begin(&writer, payload, sizeof(payload), client->consumer->session);
	frame = weir_writer_add(&writer, WEIR_FRAME_PAUSE, 0, (uint32_t)sizeof(*frame) + list);
	frame->counter = weir_be32(counter);
	frame->scope = scope;
	if (list != 0) {
		frame->count = weir_be16(1);
		frame->streams[0] = weir_be16(client->stream);
	}
	client_send(client, &writer, &client->seal);
}

static void set_ranges(struct weir_frame_range *to, const uint64_t (*ranges)[2], uint16_t count)
{
	for (uint16_t i = 0; i < count; i++) {
		to[i].first = weir_be64(ranges[i][0]);
		to[i].end = weir_be64(ranges[i][1]);
	}
}

void client_ack_ranges(struct client *client, uint16_t partition, uint64_t next, uint64_t done,
	const uint64_t (*ranges)[2], uint16_t count)
{
	uint64_t newest = count != 0 ? ranges[count - 1][1] - 1 : next - 1;
	uint8_t payload[512];
	struct weir_writer writer;
	struct weir_frame_ack *ack;

	weir_writer_begin(&writer, payload, sizeof(payload), client->consumer->session);
	ack = weir_writer_add(&writer, WEIR_FRAME_ACK, 0,
		(uint32_t)(sizeof(*ack) + count * sizeof(ack->ranges[0])));
	ack->stream = weir_be16(client->stream);
	ack->partition = weir_be16(partition);
	ack->epoch = weir_be32(client->lanes[partition].epoch);
	ack->count = weir_be16(count);
	ack->delay = weir_be16(client->ack_delay);
	ack->next_seq = weir_be64(next);
	ack->done_seq = weir_be64(done);
	ack->newest_seq = weir_be64(newest < WEIR_FRAME_VALUE_MAX ? newest : 0);
	set_ranges(ack->ranges, ranges, count);
	client_send(client, &writer, &client->seal);
}

void client_release(struct client *client, uint16_t partition, uint64_t seq)
{
	struct weir_frame_handover *release;
	struct weir_writer writer;
	uint8_t payload[512];

	weir_writer_begin(&writer, payload, sizeof(payload), client->consumer->session);
	release = weir_writer_add(&writer, WEIR_FRAME_RELEASE, 0, sizeof(*release));
	release->stream = weir_be16(client->stream);
	release->partition = weir_be16(partition);
	release->epoch = weir_be32(client->lanes[partition].epoch);
	release->seq = weir_be64(seq);
	client_send(client, &writer, &client->seal);
}

void client_ack(struct client *client, uint16_t partition, uint64_t next, uint64_t done)
{
	client_ack_ranges(client, partition, next, done, NULL, 0);
}

void client_nack(
	struct client *client, uint16_t partition, const uint64_t (*ranges)[2], uint16_t count)
{
	uint8_t payload[1024];
	struct weir_writer writer;
	struct weir_frame_nack *nack;

	weir_writer_begin(&writer, payload, sizeof(payload), client->consumer->session);
	nack = weir_writer_add(&writer, WEIR_FRAME_NACK, 0,
		(uint32_t)(sizeof(*nack) + count * sizeof(nack->ranges[0])));
	nack->stream = weir_be16(client->stream);
	nack->partition = weir_be16(partition);
	nack->epoch = weir_be32(client->lanes[partition].epoch);
	nack->count = weir_be16(count);
	set_ranges(nack->ranges, ranges, count);
	client_send(client, &writer, &client->seal);
}

void client_seek(struct client *client, uint16_t partition, enum weir_start start, uint64_t value)
{
	uint8_t payload[512];
	struct weir_writer writer;
	struct weir_frame_seek *seek;

	weir_writer_begin(&writer, payload, sizeof(payload), client->consumer->session);
	seek = weir_writer_add(&writer, WEIR_FRAME_SEEK, 0, sizeof(*seek));
	seek->counter = weir_be32(++client->seek_counter);
	seek->stream = weir_be16(client->stream);
	seek->partition = weir_be16(partition);
	seek->start = (uint8_t)start;
	seek->value = weir_be64(value);
	client_send(client, &writer, &client->seal);
}

static void keep(struct client *client, const struct client_message *message)
{
	if (client->message_count < CLIENT_MESSAGES)
		client->messages[client->message_count] = *message;
	client->message_count++;
	client->again_count += message->is_retransmit;
	client->bytes += message->length;
}

/* What plane_receive_numbered() gave it, from where it said. */
static void take_messages(struct client *client, const struct weir_frame_data *frame)
{
	uint64_t end = weir_be64(frame->seq) + weir_be32(frame->covered);
	struct client_message message = {.epoch = weir_be32(frame->epoch),
		.partition = weir_be16(frame->partition),
		.is_retransmit = frame->header.flags & WEIR_DATA_RETRANSMIT};
	struct weir_data_cursor cursor;
	struct weir_data_item item;

	weir_data_open(&cursor, frame);
	while (weir_data_next(&cursor, &item)) {
		CU_ASSERT_TRUE(item.seq >= weir_be64(frame->seq) && item.seq < end);
		CU_ASSERT_EQUAL_FATAL(item.flags & WEIR_MESSAGE_ADDRESS, WEIR_MESSAGE_ADDRESS);
		CU_ASSERT_EQUAL(item.source[0], 10);
		CU_ASSERT_EQUAL(item.source_port, 2055);
		CU_ASSERT_EQUAL(item.payload[item.length - 1], 0xa5);
		memcpy(&message.number, item.payload, sizeof(message.number));
		message.source = item.source[3];
		message.seq = item.seq;
		message.length = item.length;
		message.flags = item.flags;
		message.time_left_us = item.time_left_us;
		keep(client, &message);
	}
}

/* A lane goes up only; what it tells of an earlier epoch comes from before. */
static void follow_lane(struct client *client, struct client_lane *lane, uint32_t epoch,
	uint64_t first, uint64_t seq)
{
	if (!lane->is_known || epoch != lane->epoch) {
		CU_ASSERT_TRUE(!lane->is_known || epoch > lane->epoch);
		*lane = (struct client_lane){.is_known = true, .epoch = epoch, .first = first};
		lane->next_seq = first;
	}
	CU_ASSERT_EQUAL(lane->first, first);
	CU_ASSERT_TRUE(seq >= lane->next_seq);
	if (seq > lane->next_seq) {
		client->jumped += seq - lane->next_seq;
		lane->epoch_jumped += seq - lane->next_seq;
		lane->next_seq = seq;
	}
}

static void take_data(struct client *client, const struct weir_frame_data *frame)
{
	uint16_t partition = weir_be16(frame->partition);
	uint64_t seq = weir_be64(frame->seq);
	struct client_lane *lane;

	CU_ASSERT_TRUE_FATAL(partition < CLIENT_LANES);
	CU_ASSERT_EQUAL(weir_be16(frame->stream), client->stream);
	lane = &client->lanes[partition];
	client->frames++;
	if (frame->header.flags & WEIR_DATA_RETRANSMIT) {
		CU_ASSERT_TRUE(seq + weir_be32(frame->covered) <= lane->next_seq);
		lane->again_told = weir_be64(frame->lane_messages);
	} else {
		follow_lane(
			client, lane, weir_be32(frame->epoch), weir_be64(frame->lane_first), seq);
		lane->next_seq = seq + weir_be32(frame->covered);
		lane->messages = weir_be64(frame->lane_messages) + weir_be16(frame->count);
	}
	take_messages(client, frame);
}

static void take_gap(struct client *client, const struct weir_frame_gap *frame)
{
	CU_ASSERT_TRUE_FATAL(client->gap_count < CLIENT_GAPS);
	CU_ASSERT_EQUAL(weir_be16(frame->stream), client->stream);
	client->gaps[client->gap_count++] = (struct client_gap){.first = weir_be64(frame->first),
		.end = weir_be64(frame->end),
		.messages = weir_be32(frame->messages),
		.bytes = weir_be32(frame->bytes),
		.epoch = weir_be32(frame->epoch),
		.partition = weir_be16(frame->partition),
		.reason = weir_be16(frame->reason)};
}

static void take_heartbeat(struct client *client, const struct weir_frame_heartbeat *frame)
{
	client->heartbeats++;
	for (uint16_t i = 0; i < weir_be16(frame->count); i++) {
		const struct weir_frame_heartbeat_lane *entry = &frame->lanes[i];
		uint16_t partition = weir_be16(entry->partition);

		CU_ASSERT_TRUE_FATAL(partition < CLIENT_LANES);
		follow_lane(client, &client->lanes[partition], weir_be32(entry->epoch),
			weir_be64(entry->lane_first), weir_be64(entry->next_seq));
		client->lanes[partition].heard = weir_be64(entry->lane_messages);
	}
}

static void take_handover(struct client *client, const struct weir_frame_handover *frame)
{
	CU_ASSERT_TRUE(client->consumer->may_assign);
	if (frame->header.type == WEIR_FRAME_ASSIGN) {
		client->assigns++;
		return;
	}
	CU_ASSERT_EQUAL(frame->header.type, WEIR_FRAME_REVOKE);
	client->revokes++;
	client->revoked_seq = weir_be64(frame->seq);
	client->revoked_ms = weir_be32(frame->deadline_ms);
}

static void take_frames(struct client *client, struct weir_frame_cursor *cursor)
{
	const struct weir_frame_header *frame;
	bool is_data_only = true;

	while ((frame = weir_frame_next(cursor)) != NULL) {
		is_data_only &= frame->type == WEIR_FRAME_DATA;
		if (frame->type == WEIR_FRAME_DATA)
			take_data(client, (const struct weir_frame_data *)frame);
		else if (frame->type == WEIR_FRAME_GAP)
			take_gap(client, (const struct weir_frame_gap *)frame);
		else if (frame->type == WEIR_FRAME_HEARTBEAT)
			take_heartbeat(client, (const struct weir_frame_heartbeat *)frame);
		else
			take_handover(client, (const struct weir_frame_handover *)frame);
	}
	client->tagged += cursor->is_tagged;
	client->untagged_not_data += !is_data_only && !cursor->is_tagged;
}

static void take_datagram(struct client *client, uint32_t index)
{
	struct frame_view view = plane_view(client->plane, index);
	struct weir_frame_cursor cursor;

	CU_ASSERT_TRUE(view.ip_checksum_is_right && view.checksum_is_right);
	CU_ASSERT_TRUE(view.has_checksum && view.payload_length <= 1400);
	CU_ASSERT_EQUAL_FATAL(
		weir_datagram_open(&cursor, WEIR_END_CLIENT, view.payload, view.payload_length),
		WEIR_REASON_NONE);
	CU_ASSERT_EQUAL(cursor.session, client->consumer->session);
	if (cursor.is_tagged)
		CU_ASSERT_EQUAL(
			weir_seal_check(&client->seal, view.payload, view.payload_length), 0);
	take_frames(client, &cursor);
}

/* What was sent to others stays, in its order. */
void client_take(struct client *client)
{
	struct plane *plane = client->plane;
	uint32_t left = 0;

	for (uint32_t i = 0; i < plane->sent_count; i++) {
		if (plane_view(plane, i).destination.bytes[3] == client->address.bytes[3]) {
			take_datagram(client, i);
			rte_pktmbuf_free(plane->sent[i]);
		} else {
			plane->sent[left++] = plane->sent[i];
		}
	}
	plane->sent_count = left;
}

void client_collect(struct client *client)
{
	plane_deliver(client->plane);
	client_take(client);
}

void client_forget(struct client *client)
{
	client->message_count = client->again_count = client->gap_count = 0;
	client->frames = client->heartbeats = client->tagged = client->untagged_not_data = 0;
	client->bytes = client->jumped = 0;
}

bool client_has(const struct client *client, uint64_t first, uint32_t count)
{
	if (client->message_count != count || count > CLIENT_MESSAGES)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (client->messages[i].seq != first + i)
			return false;
	return true;
}

void client_join_second(
	struct client *client, struct plane *plane, const struct client_options *options)
{
	uint64_t end;

	client_join(client, plane, options);
	client_grant_all(client);
	client_collect(client);
	CU_ASSERT_EQUAL_FATAL(client->message_count, 1);
	end = client->messages[0].seq + 1;
	client_ack(client, 0, end, end);
	client_leave(client);
	client_join(client, plane, options);
	client_grant_all(client);
}

void client_collect_again(struct client *client, struct plane *plane)
{
	uint32_t count = client->message_count;
	uint64_t lost[1][2] = {{client->messages[0].seq, client->messages[0].seq + count}};

	client_forget(client);
	plane_advance(plane, 100000);
	client_nack(client, 0, lost, 1);
	client_collect(client);
	CU_ASSERT_EQUAL_FATAL(client->message_count, count);
	CU_ASSERT_TRUE(client->messages[0].is_retransmit);
}
