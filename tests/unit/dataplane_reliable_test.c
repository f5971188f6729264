/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_mempool.h>

#include "dataplane/quarantine.h"
#include "dataplane_client.h"
#include "dataplane_tests.h"

/* What is kept, what is repaired, and what is told instead. */

#define STREAM "[{'name':'s','key':'source','partitions':1}]"
#define GROUP  "[{'name':'n','class':'native','streams':'s'}]"

static const struct client_options reliable = {.is_reliable = true};

static uint32_t buffers_used(const struct plane *plane)
{
	return rte_mempool_in_use_count(plane->dataplane->buffers);
}

static const struct weir_delivery *delivery_of(const struct plane *plane)
{
	return plane->dataplane->published->streams[0].stream->partitions[0].lanes[0]->delivery;
}

static uint64_t refused(const struct plane *plane, enum weir_reason reason)
{
	return plane->worker->native_dropped[reason];
}

/* A client that was sent `count` messages of 100 bytes, 0 and up, without a round trip yet. */
static struct plane *open_sent(
	struct client *client, const char *stream, const char *group, uint32_t count)
{
	struct plane *plane = plane_open(stream, group);

	client_join(client, plane, &reliable);
	client_grant_all(client);
	plane_receive_numbered(plane, 1, 0, count, 100);
	client_collect(client);
	return plane;
}

/* As many round trips of `us`: what varies at first has settled. Returns the next sequence. */
static uint64_t warm_up(struct client *client, uint64_t us)
{
	uint64_t seq = client->lanes[0].next_seq;

	for (uint32_t round = 0; round < 40; round++) {
		plane_receive_numbered(client->plane, 1, (uint32_t)seq, 1, 100);
		client_collect(client);
		plane_advance(client->plane, us);
		seq++;
		client_ack(client, 0, seq, seq);
	}
	client_forget(client);
	return seq;
}

static void test_held_until_done(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 10);

	CU_ASSERT_TRUE(client_has(&client, 0, 10));
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").held, 10);
	client_ack(&client, 0, 10, 0);
	CU_ASSERT_EQUAL(delivery_of(plane)->flying.messages, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 0);
	CU_ASSERT_EQUAL(buffers_used(plane), 10);
	client_ack(&client, 0, 10, 4);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 4);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered_bytes, 400);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").held, 6);
	CU_ASSERT_EQUAL(buffers_used(plane), 6);
	client_ack(&client, 0, 9, 3); /* overtaken by the newer: takes nothing back */
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 4);
	client_ack(&client, 0, 10, 10);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 10);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").stats.delivered, 10);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").stats.acks, 4);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_close(plane);
}

static void test_ranges(void)
{
	static const uint64_t ranges[][2] = {{3, 5}, {7, 10}};
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 10);

	client_ack_ranges(&client, 0, 2, 2, ranges, 2);
	CU_ASSERT_EQUAL(delivery_of(plane)->flying.messages, 3);
	CU_ASSERT_EQUAL(delivery_of(plane)->flying.bytes, 300);
	CU_ASSERT_EQUAL(buffers_used(plane), 8);
	/* What came above a gap is not sent again, nor let go before the gap is closed. */
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{2, 10}}, 1);
	client_collect(&client);
	CU_ASSERT_EQUAL_FATAL(client.message_count, 3);
	CU_ASSERT_EQUAL(client.messages[0].seq, 2);
	CU_ASSERT_EQUAL(client.messages[1].seq, 5);
	CU_ASSERT_EQUAL(client.messages[2].seq, 6);
	client_ack(&client, 0, 10, 10);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_close(plane);
}

static void test_nack(void)
{
	static const uint64_t missing[][2] = {{2, 3}, {5, 7}};
	static const uint32_t expected[] = {2, 5, 6, 10, 11, 12};
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 10);

	client_forget(&client);
	plane_receive_numbered(plane, 1, 10, 3, 100);
	client_nack(&client, 0, missing, 2);
	client_collect(&client);
	CU_ASSERT_EQUAL_FATAL(client.message_count, 6);
	for (uint32_t i = 0; i < 6; i++) {
		CU_ASSERT_EQUAL(client.messages[i].seq, expected[i]);
		CU_ASSERT_EQUAL(client.messages[i].number, expected[i]);
		CU_ASSERT_EQUAL(client.messages[i].is_retransmit, i < 3);
		CU_ASSERT_EQUAL(client.messages[i].flags & WEIR_MESSAGE_REDELIVERED, 0);
	}
	/* Positions are those of the moment, and do not count what is sent again. */
	CU_ASSERT_EQUAL(client.lanes[0].again_told, 10);
	CU_ASSERT_EQUAL(client.lanes[0].messages, 13);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").used_messages, 13);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").stats.retransmitted, 3);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").stats.retransmitted_bytes, 300);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").stats.nacks, 1);
	plane_close(plane);
}

static void test_once_a_round_trip(void)
{
	static const uint64_t missing[][2] = {{0, 4}};
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 10);

	plane_advance(plane, 4000);
	client_ack_ranges(&client, 0, 0, 0, (const uint64_t[][2]){{4, 10}}, 1);
	client_forget(&client);
	for (uint32_t round = 0; round < 8; round++) {
		client_nack(&client, 0, missing, 1);
		client_collect(&client);
		CU_ASSERT_EQUAL(client.again_count, round < 7 ? 4 : 8);
		plane_advance(plane, 500);
	}
	plane_close(plane);
}

static void test_budget(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 200);

	client_forget(&client);
	/* A lane begins with 64, and 100 that arrive earn a quarter each. */
	client_ack(&client, 0, 100, 100);
	client_nack(&client, 0, (const uint64_t[][2]){{100, 200}}, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 100, 89));
	client_ack(&client, 0, 104, 104); /* each sent again earns itself and a quarter */
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 100, 94));
	client_ack(&client, 0, 110, 110);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 100, 100));
	plane_close(plane);
}

static void check_gap(const struct client *client, uint32_t index, uint64_t first, uint64_t end,
	enum weir_gap_reason reason, uint32_t messages)
{
	const struct client_gap *gap = &client->gaps[index];

	CU_ASSERT_TRUE_FATAL(index < client->gap_count);
	CU_ASSERT_EQUAL(gap->first, first);
	CU_ASSERT_EQUAL(gap->end, end);
	CU_ASSERT_EQUAL(gap->reason, reason);
	CU_ASSERT_EQUAL(gap->messages, messages);
	CU_ASSERT_EQUAL(gap->bytes, messages * 100);
	CU_ASSERT_EQUAL(gap->epoch, client->lanes[0].epoch);
}

static void test_lapped(void)
{
	struct plane *plane = plane_open(
		"[{'name':'s','key':'source','partitions':1,'ring':{'messages':16}}]", GROUP);
	struct client client;

	client_join(&client, plane, &reliable);
	client_grant(&client, 8, 100000);
	plane_receive_numbered(plane, 1, 0, 16, 100);
	client_collect(&client);
	client_ack(&client, 0, 2, 2);
	plane_receive_numbered(plane, 1, 16, 20, 100);
	client_collect(&client); /* told at once, though there is no credit */
	CU_ASSERT_EQUAL(client.gap_count, 1);
	check_gap(&client, 0, 2, 20, WEIR_GAP_LAPPED, 6);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_LAPPED], 18);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 2);
	client_forget(&client);
	client_grant_all(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{2, 8}}, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 20, 16));
	CU_ASSERT_EQUAL(client.jumped, 12);
	check_gap(&client, 0, 2, 20, WEIR_GAP_LAPPED, 6);
	client_forget(&client);
	client_ack(&client, 0, 36, 36);
	client_nack(&client, 0, (const uint64_t[][2]){{2, 20}}, 1);
	client_collect(&client); /* passed by the client, and so forgotten */
	check_gap(&client, 0, 2, 20, WEIR_GAP_LEFT_OUT, 0);
	plane_close(plane);
}

/* What its client has already is delivered, though the ring takes it before it is done. */
static void test_lapped_after_received(void)
{
	struct client client;
	struct plane *plane = open_sent(&client,
		"[{'name':'s','key':'source','partitions':1,'ring':{'messages':16}}]", GROUP, 16);

	client_ack_ranges(&client, 0, 4, 0, (const uint64_t[][2]){{6, 10}}, 1);
	plane_receive_numbered(plane, 1, 16, 16, 100);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 8);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_LAPPED], 8);
	client_forget(&client);
	client_collect(&client);
	check_gap(&client, 0, 4, 6, WEIR_GAP_LAPPED, 2);
	check_gap(&client, 1, 10, 16, WEIR_GAP_LAPPED, 6);
	plane_close(plane);
}

static void test_expired(void)
{
	struct client client;
	struct plane *plane = open_sent(
		&client, "[{'name':'s','key':'source','partitions':1,'deadline_ms':50}]", GROUP, 4);

	CU_ASSERT_TRUE(client.messages[0].time_left_us > 49000);
	CU_ASSERT_TRUE(client.messages[0].time_left_us <= 50000);
	plane_advance(plane, 20000);
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{0, 1}}, 1);
	client_collect(&client);
	CU_ASSERT_EQUAL_FATAL(client.message_count, 1);
	CU_ASSERT_TRUE(client.messages[0].time_left_us > 29000);
	CU_ASSERT_TRUE(client.messages[0].time_left_us <= 30000);
	client_ack_ranges(&client, 0, 0, 0, (const uint64_t[][2]){{3, 4}}, 1);
	plane_receive_numbered(plane, 1, 4, 2, 100);
	plane_advance(plane, 60000);
	plane_receive_numbered(plane, 1, 6, 1, 100);
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{0, 3}}, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 6, 1));
	CU_ASSERT_EQUAL(client.jumped, 2);
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{0, 3}, {4, 6}}, 2);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	check_gap(&client, 0, 0, 3, WEIR_GAP_EXPIRED, 3);
	check_gap(&client, 1, 4, 6, WEIR_GAP_EXPIRED, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_EXPIRED], 5);
	plane_close(plane);
}

static void test_too_big(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 2);

	client_forget(&client);
	plane_receive_numbered(plane, 1, 2, 1, 1400);
	plane_receive_numbered(plane, 1, 3, 1, 100);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 3, 1));
	CU_ASSERT_EQUAL(client.jumped, 1);
	client_ack_ranges(&client, 0, 2, 2, (const uint64_t[][2]){{3, 4}}, 1);
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{2, 3}}, 1);
	client_collect(&client);
	check_gap(&client, 0, 2, 3, WEIR_GAP_TOO_BIG, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_TOO_BIG], 1);
	client_ack(&client, 0, 4, 4);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 3);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_close(plane);
}

/* Steps of 100 us until something is sent again; returns how long that took. */
static uint32_t wait_for_probe(struct client *client)
{
	uint32_t us = 0;

	client_forget(client);
	while (client->again_count == 0 && us < 1000000) {
		plane_advance(client->plane, 100);
		us += 100;
		client_collect(client);
	}
	return us;
}

static void test_tail_probe(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 1);
	uint64_t seq = warm_up(&client, 4000);
	uint32_t first, second, third;

	plane_receive_numbered(plane, 1, (uint32_t)seq, 3, 100);
	client_collect(&client);
	first = wait_for_probe(&client);
	CU_ASSERT_TRUE(first >= 4000 && first <= 8000);
	CU_ASSERT_TRUE(client_has(&client, seq + 2, 1));
	second = wait_for_probe(&client);
	CU_ASSERT_EQUAL(client.again_count, 2);
	CU_ASSERT_EQUAL(client.messages[0].seq, seq);
	CU_ASSERT_EQUAL(client.messages[1].seq, seq + 2);
	third = wait_for_probe(&client);
	CU_ASSERT_TRUE(second + 200 >= 2 * first && second <= 2 * first + 200);
	CU_ASSERT_TRUE(third + 200 >= 2 * second && third <= 2 * second + 200);
	for (uint32_t i = 0; i < 4; i++)
		third = wait_for_probe(&client);
	CU_ASSERT_TRUE(third >= 199000 && third <= 201000);
	/* One answer, and silence is a matter of a round trip again. */
	client_ack(&client, 0, seq + 1, seq + 1);
	CU_ASSERT_TRUE(wait_for_probe(&client) <= 8000);
	CU_ASSERT_EQUAL(plane_consumer(plane, "client").stats.probes, 8);
	client_ack(&client, 0, seq + 3, seq + 3);
	CU_ASSERT_EQUAL(wait_for_probe(&client), 1000000);
	plane_close(plane);
}

#define THREE_ATTEMPTS "[{'name':'n','class':'native','streams':'s','attempts':3}]"

static void check_quarantined(struct plane *plane, uint64_t seq)
{
	struct weir_quarantined note;
	struct rte_mbuf *packet = NULL;
	uint32_t number;

	CU_ASSERT_EQUAL_FATAL(weir_control_receive(plane->dataplane, &packet, 1), 1);
	CU_ASSERT_EQUAL(packet->hash.usr, WEIR_TO_QUARANTINE);
	CU_ASSERT_EQUAL_FATAL(packet->data_len, sizeof(note) + 100);
	memcpy(&note, rte_pktmbuf_mtod(packet, void *), sizeof(note));
	memcpy(&number, rte_pktmbuf_mtod_offset(packet, void *, sizeof(note)), sizeof(number));
	CU_ASSERT_EQUAL(note.seq, seq);
	CU_ASSERT_EQUAL(number, seq);
	CU_ASSERT_EQUAL(note.length, 100);
	CU_ASSERT_EQUAL(note.attempts, 3);
	CU_ASSERT_EQUAL(note.source_port, 2055);
	CU_ASSERT_EQUAL(note.source_family, 4);
	CU_ASSERT_EQUAL(note.source[0], 10);
	rte_pktmbuf_free(packet);
}

static void test_quarantined(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, THREE_ATTEMPTS, 5);

	plane_advance(plane, 4000);
	client_ack_ranges(&client, 0, 2, 2, (const uint64_t[][2]){{3, 5}}, 1);
	client_forget(&client);
	for (uint32_t attempt = 2; attempt <= 4; attempt++) {
		CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_QUARANTINED], 0);
		client_nack(&client, 0, (const uint64_t[][2]){{2, 3}}, 1);
		client_collect(&client);
		CU_ASSERT_EQUAL(client.message_count, RTE_MIN(attempt, 3u) - 1);
		plane_advance(plane, 4000);
	}
	CU_ASSERT_EQUAL(client.gap_count, 1);
	check_gap(&client, 0, 2, 3, WEIR_GAP_QUARANTINED, 1);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_QUARANTINED], 1);
	CU_ASSERT_EQUAL(delivery_of(plane)->flying.messages, 0);
	check_quarantined(plane, 2);
	client_ack(&client, 0, 5, 5);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 4);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_close(plane);
}

/* `alive`: it goes on saying something else meanwhile. Returns what was given up in 3 s. */
static uint64_t quarantined_while(struct client *client, bool alive)
{
	struct plane *plane = client->plane;

	for (uint32_t ms = 0; ms < 3000; ms += 5) {
		plane_advance(plane, 5000);
		if (alive)
			client_grant_all(client);
		client_collect(client);
	}
	return plane_group(plane, "s", "n").dropped[WEIR_REASON_QUARANTINED];
}

static void test_silence(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, THREE_ATTEMPTS, 2);

	client_forget(&client);
	CU_ASSERT_EQUAL(quarantined_while(&client, false), 0);
	CU_ASSERT_TRUE(plane_consumer(plane, "client").stats.probes >= 10);
	/* It was stopped: what was sent into its silence is as if it had not been. */
	client_forget(&client);
	client_nack(&client, 0, (const uint64_t[][2]){{0, 2}}, 1);
	client_collect(&client);
	CU_ASSERT_TRUE(client_has(&client, 0, 2));
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").dropped[WEIR_REASON_QUARANTINED], 0);
	plane_close(plane);
}

static void test_alive_and_deaf(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, THREE_ATTEMPTS, 2);

	CU_ASSERT_EQUAL(quarantined_while(&client, true), 2);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").held, 0);
	CU_ASSERT_EQUAL(buffers_used(plane), 0);
	plane_close(plane);
}

static void test_never_sent(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 10);
	struct weir_delivery before = *delivery_of(plane);

	client_ack(&client, 0, 11, 0);
	client_ack_ranges(&client, 0, 5, 5, (const uint64_t[][2]){{6, 11}}, 1);
	client_nack(&client, 0, (const uint64_t[][2]){{0, 2}, {9, 11}}, 1 + 1);
	CU_ASSERT_EQUAL(refused(plane, WEIR_REASON_FRAME_MALFORMED), 3);
	CU_ASSERT_EQUAL(memcmp(&before, delivery_of(plane), sizeof(before)), 0);
	client_forget(&client);
	client_collect(&client);
	CU_ASSERT_EQUAL(client.message_count, 0);
	client_ack(&client, 0, 10, 10); /* the session goes on */
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 10);
	plane_close(plane);
}

static void test_stale(void)
{
	struct client client;
	struct plane *plane = open_sent(&client, STREAM, GROUP, 10);

	client.lanes[0].epoch--;
	client_ack(&client, 0, 10, 10);
	client_nack(&client, 0, (const uint64_t[][2]){{0, 5}}, 1);
	client.lanes[0].epoch += 2;
	client_ack(&client, 0, 10, 10);
	client_ack(&client, 3, 10, 10); /* no such partition */
	CU_ASSERT_EQUAL(refused(plane, WEIR_REASON_FRAME_STALE), 4);
	CU_ASSERT_EQUAL(delivery_of(plane)->flying.messages, 10);
	CU_ASSERT_EQUAL(delivery_of(plane)->lost, 0);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "n").delivered, 0);
	plane_close(plane);
}

CU_TestInfo dataplane_reliable_tests[] = {
	{"a message is held until its client is done with it", test_held_until_done},
	{"what came above a gap is named by ranges", test_ranges},
	{"what is missing comes again, before what is new", test_nack},
	{"a repeated NACK is answered once a round trip", test_once_a_round_trip},
	{"what is sent again stays within its budget", test_budget},
	{"what the ring has overwritten is told", test_lapped},
	{"what has arrived is delivered, though it is overwritten", test_lapped_after_received},
	{"nothing is sent past its deadline", test_expired},
	{"what is too big is told", test_too_big},
	{"a lost tail is sent again without being asked for", test_tail_probe},
	{"what has used up its attempts goes to quarantine", test_quarantined},
	{"silence uses up no attempt", test_silence},
	{"a client that takes and does not acknowledge loses its messages", test_alive_and_deaf},
	{"an answer about what was never sent changes nothing", test_never_sent},
	{"an answer about another epoch is ignored", test_stale},
	CU_TEST_INFO_NULL,
};
