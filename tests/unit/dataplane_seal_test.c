/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "dataplane_client.h"
#include "dataplane_tests.h"

/* Sessions with a key: what does not prove to be the client's, or comes again, does nothing. */

#define STREAM "[{'name':'s','key':'source','partitions':1}]"
#define GROUP  "[{'name':'n','class':'native','streams':'s'}]"

static const struct client_options sealed = {.is_reliable = true, .has_key = true};

static uint64_t refused(const struct plane *plane, enum weir_reason reason)
{
	return plane->worker->native_dropped[reason];
}

/* A CREDIT of 100 messages, begun but not tagged. */
static void write_credit(struct client *client, struct weir_writer *writer, uint8_t *payload)
{
	struct weir_frame_credit *credit;

	weir_writer_begin(writer, payload, 512, client->consumer->session);
	credit = weir_writer_add(writer, WEIR_FRAME_CREDIT, 0, sizeof(*credit));
	credit->counter = weir_be32(++client->credit_counter);
	credit->limit_messages = weir_be64(100);
	credit->limit_bytes = weir_be64(100000);
}

static struct plane *open_waiting(struct client *client)
{
	struct plane *plane = plane_open(STREAM, GROUP);

	client_join(client, plane, &sealed);
	plane_receive_numbered(plane, 1, 0, 5, 100);
	return plane;
}

static void test_untagged(void)
{
	struct client client;
	struct plane *plane = open_waiting(&client);
	struct weir_writer writer;
	uint8_t payload[512];

	write_credit(&client, &writer, payload);
	client_send(&client, &writer, NULL);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	CU_ASSERT_EQUAL(refused(plane, WEIR_REASON_FRAME_TAG), 1);
	plane_close(plane);
}

static void test_wrong_tag(void)
{
	struct client client;
	struct plane *plane = open_waiting(&client);
	uint64_t heard = client.consumer->last_heard;
	struct weir_writer writer;
	uint8_t payload[512];

	plane_advance(plane, 1000);
	for (uint32_t at = WEIR_DATAGRAM_HEADER + 8; at < 96; at += 9) {
		write_credit(&client, &writer, payload);
		CU_ASSERT_EQUAL(weir_seal_add(&client.seal, &writer), 0);
		payload[at] ^= 0x10;
		client_send(&client, &writer, NULL);
	}
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	CU_ASSERT_TRUE(refused(plane, WEIR_REASON_FRAME_TAG) >= 6);
	CU_ASSERT_EQUAL(
		refused(plane, WEIR_REASON_FRAME_TAG) + refused(plane, WEIR_REASON_FRAME_MALFORMED),
		8);
	CU_ASSERT_EQUAL(client.consumer->last_heard, heard); /* it keeps no session alive */
	write_credit(&client, &writer, payload);
	client_send(&client, &writer, &client.seal);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 5));
	plane_close(plane);
}

static void test_replayed(void)
{
	struct client client;
	struct plane *plane = open_waiting(&client);
	struct weir_writer writer;
	uint8_t payload[512];

	write_credit(&client, &writer, payload);
	CU_ASSERT_EQUAL(weir_seal_add(&client.seal, &writer), 0);
	client_send(&client, &writer, NULL);
	client_send(&client, &writer, NULL);
	CU_ASSERT_EQUAL(refused(plane, WEIR_REASON_FRAME_REPLAY), 1);
	for (uint32_t i = 0; i < WEIR_SEAL_WINDOW; i++)
		client_grant(&client, 1, 1);
	client_send(&client, &writer, NULL); /* below the window */
	CU_ASSERT_EQUAL(refused(plane, WEIR_REASON_FRAME_REPLAY), 2);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 5));
	plane_close(plane);
}

static void test_tag_without_key(void)
{
	struct client client;
	struct plane *plane = plane_open(STREAM, GROUP);
	struct weir_writer writer;
	struct weir_seal seal;
	uint8_t payload[512], key[WEIR_SEAL_KEY_SIZE] = {1};

	client_join(&client, plane, &(struct client_options){.is_reliable = true});
	weir_seal_start(&seal, key, key);
	write_credit(&client, &writer, payload);
	client_send(&client, &writer, &seal);
	CU_ASSERT_EQUAL(refused(plane, WEIR_REASON_FRAME_TAG), 1);
	plane_close(plane);
}

static void test_what_is_tagged(void)
{
	struct client client;
	struct plane *plane = open_waiting(&client);

	client_grant_all(&client);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 5));
	CU_ASSERT_EQUAL(client.tagged, 0);
	plane_advance(plane, 300000);
	plane_tick(plane);
	client_take(&client);
	CU_ASSERT_EQUAL(client.heartbeats, 1);
	CU_ASSERT_EQUAL(client.tagged, 1);
	/* A gap goes with data, and takes the tag along; repair alone has none. */
	plane_receive_numbered(plane, 1, 5, 1, 1400);
	plane_receive_numbered(plane, 1, 6, 1, 100);
	client_forget(&client);
	client_collect(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{5, 6}}, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client.gap_count >= 1);
	CU_ASSERT_TRUE(client.tagged >= 1);
	CU_ASSERT_EQUAL(client.untagged_not_data, 0);
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{0, 2}}, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 2));
	CU_ASSERT_EQUAL(client.tagged, 0);
	client_ack(&client, 0, 7, 7);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 6);
	plane_close(plane);
}

/* A datagram that is full of data, and then gets a frame to be tagged, still fits. */
static void test_room_for_tag(void)
{
	struct client client;
	struct plane *plane = open_waiting(&client);

	client_grant_all(&client);
	client_collect(&client);
	for (uint16_t length = 8; length < 1260; length += 4) {
		uint32_t seq = (uint32_t)client.lanes[0].next_seq;

		plane_receive_numbered(plane, 1, seq, 1, 1400);
		client_collect(&client);
		plane_receive_numbered(plane, 1, seq + 1, 2, length);
		client_ack(&client, 0, seq, seq);
		client_nack(&client, 0, (const uint64_t[][2]){{seq, seq + 1}}, 1);
		client_collect(&client);
		CU_ASSERT_TRUE(client.gap_count >= 1);
		CU_ASSERT_EQUAL(client.untagged_not_data, 0);
		client_ack(&client, 0, seq + 3, seq + 3);
		client_forget(&client);
	}
	plane_close(plane);
}

CU_TestInfo dataplane_seal_tests[] = {
	{"an untagged datagram is dropped", test_untagged},
	{"a wrong tag is dropped, and keeps nothing alive", test_wrong_tag},
	{"a datagram is taken once", test_replayed},
	{"a tag without a key is dropped", test_tag_without_key},
	{"all but data is tagged", test_what_is_tagged},
	{"the tag has room in every datagram", test_room_for_tag},
	CU_TEST_INFO_NULL,
};
