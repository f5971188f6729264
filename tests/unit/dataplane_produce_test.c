/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "dataplane/produce.h"
#include "dataplane_maker.h"
#include "dataplane_tests.h"

#define STREAM_MORE(more)                                                                          \
	"[{'name':'s','key':'source','partitions':4,'producers':{'max':2}" more "}]"
#define STREAM STREAM_MORE("")
#define GROUP                                                                                      \
	"[{'name':'b','class':'blind','streams':'s','consumers':[" CONSUMER(                       \
		"c", "198.51.100.9") "]}]"

/* The epoch is known and the limits are told. */
static struct maker begin(struct plane *plane)
{
	struct maker maker = maker_join(plane, "maker", 0x1234567890abcdef);

	plane_reach_all(plane);
	maker_turn(&maker, 0);
	CU_ASSERT_EQUAL(maker.answers, 1);
	CU_ASSERT_EQUAL(maker.told_epoch, 0);
	maker_produce(&maker, 1, 1);
	maker_assert(maker_turn(&maker, 0), 1, 1);
	CU_ASSERT_EQUAL(maker.told_epoch, 7);
	CU_ASSERT_EQUAL(maker.next, 2);
	CU_ASSERT_EQUAL(maker.limit, 1 + WEIR_PRODUCE_WINDOW);
	CU_ASSERT_EQUAL(maker.reason, WEIR_PACE_NONE);
	return maker;
}

static void test_becomes_a_datagram(void)
{
	struct plane *plane = plane_open(STREAM,
		"[{'name':'b','class':'blind','streams':'s','consumers':[{'name':'c',"
		"'address':'198.51.100.9','port':9995,'source':'keep'}]}]");
	struct maker maker = maker_join(plane, "maker", 0x1234567890abcdef);
	struct weir_stream_stats stats;
	struct frame_view view;

	plane_reach_all(plane);
	maker_produce_every(&maker, 1, 1, 1, NULL);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 1);
	view = plane_view(plane, 0);
	CU_ASSERT_TRUE(view.has_checksum && view.checksum_is_right && view.ip_checksum_is_right);
	CU_ASSERT_EQUAL(view.source.bytes[3], 77);
	CU_ASSERT_EQUAL(view.source_port, 5001);
	CU_ASSERT_EQUAL(plane_number(plane, 0), 1);
	stats = plane_stream(plane, "s");
	CU_ASSERT_EQUAL(stats.received, 1);
	CU_ASSERT_EQUAL(stats.received_bytes, 4);
	CU_ASSERT_EQUAL(stats.appended, 1);
	plane_close(plane);
}

static void test_order_over_a_loss(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct maker maker = begin(plane);
	uint32_t count;

	maker_produce(&maker, 2, 10);
	maker_produce(&maker, 15, 10); /* 12 to 14 are lost */
	count = maker_turn(&maker, 0);
	maker_assert(count, 2, 11);
	CU_ASSERT_EQUAL(maker.next, 12);
	CU_ASSERT_EQUAL(maker.newest, 24);
	CU_ASSERT_EQUAL(maker.missing, 1);
	CU_ASSERT_EQUAL(maker.first_missing, 12);
	maker_produce(&maker, 13, 2);
	CU_ASSERT_EQUAL(maker_turn(&maker, 0), 0);
	maker_produce(&maker, 12, 1);
	maker_assert(maker_turn(&maker, 0), 12, 24);
	CU_ASSERT_EQUAL(maker.next, 25);
	CU_ASSERT_EQUAL(maker.missing, 0);
	CU_ASSERT_EQUAL(plane->worker->produce_held, 0);
	plane_close(plane);
}

static void test_duplicates(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct maker maker = begin(plane);

	maker_produce(&maker, 2, 20);
	maker_produce(&maker, 2, 20);
	maker_produce_every(&maker, 30, 10, 2, "key");
	maker_produce_every(&maker, 30, 10, 2, "key");
	maker_assert(maker_turn(&maker, 0), 2, 21);
	CU_ASSERT_EQUAL(maker.producer->record->stats.duplicates, 30);
	CU_ASSERT_EQUAL(maker.missing, WEIR_PRODUCE_ACK_RANGES_MAX);
	maker_produce(&maker, 22, 30);
	maker_assert(maker_turn(&maker, 0), 22, 51);
	plane_close(plane);
}

static void test_full_ring_waits(void)
{
	struct plane *plane = plane_open(STREAM_MORE(",'ring':{'messages':64}"), GROUP);
	struct maker maker = begin(plane);
	uint64_t limit;

	plane_unreach(plane, "c");
	for (uint64_t first = 2; first < 202; first += 20)
		maker_produce(&maker, first, 20);
	CU_ASSERT_EQUAL(maker_turn(&maker, 0), 0);
	CU_ASSERT_EQUAL(maker.next, 66);
	CU_ASSERT_EQUAL(maker.missing, 0);
	CU_ASSERT_EQUAL(maker.reason, WEIR_PACE_RING_FULL);
	limit = maker.limit;
	plane_advance(plane, 500000);
	maker_turn(&maker, 0);
	CU_ASSERT_EQUAL(maker.limit, limit);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "b").dropped[WEIR_REASON_LAPPED], 0);
	/* Plain datagrams go on as ever, into the room that they make themselves. */
	plane_receive_numbered(plane, 1, 1000, 1, 100);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").appended, 66);
	plane_reach(plane, "c");
	weir_produce_tick(plane->worker);
	plane_deliver(plane);
	plane_forget_sent(plane);
	for (uint32_t ms = 0; ms < 10 && maker.next < 202; ms++)
		maker_turn(&maker, 0);
	CU_ASSERT_EQUAL(maker.next, 202);
	CU_ASSERT_EQUAL(maker.reason, WEIR_PACE_NONE);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").appended, 202);
	CU_ASSERT_TRUE(plane_group(plane, "s", "b").dropped[WEIR_REASON_LAPPED] <= 1);
	plane_close(plane);
}

/* What all groups have, and is kept for replay alone, makes way. */
static void test_retention_makes_way(void)
{
	struct plane *plane =
		plane_open(STREAM_MORE(",'ring':{'messages':64,'retain_ms':5000}"), GROUP);
	struct maker maker = begin(plane);
	uint32_t count = 0;

	for (uint64_t first = 2; first < 302; first += 20) {
		maker_produce(&maker, first, 20);
		count = maker_turn(&maker, count);
	}
	maker_assert(count, 2, 301);
	CU_ASSERT_EQUAL(maker.next, 302);
	plane_close(plane);
}

static void test_limit_is_enforced(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct maker maker = maker_join(plane, "maker", 0x1234567890abcdef);

	plane_reach_all(plane);
	for (uint64_t first = 1; first <= 30; first++)
		maker_produce(&maker, first, 1);
	maker_assert(maker_turn(&maker, 0), 1, WEIR_PRODUCE_FIRST);
	CU_ASSERT_EQUAL(maker.producer->record->stats.beyond, 30 - WEIR_PRODUCE_FIRST);
	maker_produce(&maker, maker.limit + 1, 1);
	CU_ASSERT_EQUAL(maker.producer->record->newest, WEIR_PRODUCE_FIRST);
	plane_close(plane);
}

static void test_record_outlives_its_session(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct maker maker = begin(plane);
	struct maker other;

	maker_produce(&maker, 2, 10);
	maker_produce(&maker, 20, 5); /* held back, and not acknowledged: forgotten */
	maker_assert(maker_turn(&maker, 0), 2, 11);
	maker_leave(&maker);
	CU_ASSERT_EQUAL(plane->worker->produce_held, 0);
	other = maker_join(plane, "other", 0x777700000000);
	maker = maker_join(plane, "maker", 0x888800000000);
	weir_produce_flush(plane->worker);
	weir_tx_flush_all(plane->worker);
	plane_forget_sent(plane);
	CU_ASSERT_NOT_EQUAL(other.producer->index, maker.producer->index);
	maker_produce(&maker, 2, 30);
	maker_assert(maker_turn(&maker, 0), 12, 31);
	CU_ASSERT_EQUAL(maker.told_epoch, 7);
	CU_ASSERT_EQUAL(maker.next, 32);
	/* A restart begins anew, an earlier life is over. */
	maker.epoch = 8;
	maker_produce(&maker, 1, 3);
	maker.epoch = 7;
	maker_produce(&maker, 32, 3);
	maker_assert(maker_turn(&maker, 0), 1, 3);
	maker_leave(&other);
	plane_close(plane);
}

static void test_forgotten_producer_goes_on(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct maker maker = maker_join(plane, "maker", 0x1234567890abcdef);

	plane_reach_all(plane);
	maker.oldest = 5001;
	maker_produce(&maker, 5001, 10);
	maker_assert(maker_turn(&maker, 0), 5001, 5010);
	CU_ASSERT_EQUAL(maker.next, 5011);
	CU_ASSERT_EQUAL(maker.limit, 5010 + WEIR_PRODUCE_WINDOW);
	plane_close(plane);
}

static void test_given_up_is_waited_for_no_more(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct maker maker = begin(plane);

	maker_produce(&maker, 5, 5);
	CU_ASSERT_EQUAL(maker_turn(&maker, 0), 0);
	maker.oldest = 4;
	maker_produce(&maker, 9, 1);
	CU_ASSERT_EQUAL(maker_turn(&maker, 0), 0);
	CU_ASSERT_EQUAL(maker.next, 4);
	maker.oldest = 5;
	maker_produce(&maker, 9, 1);
	maker_assert(maker_turn(&maker, 0), 5, 9);
	/* And beyond what has come. */
	maker.oldest = 1000;
	maker_produce(&maker, 1000, 2);
	maker_assert(maker_turn(&maker, 0), 1000, 1001);
	CU_ASSERT_EQUAL(maker.producer->record->stats.settled, 3 + 990);
	plane_close(plane);
}

static void test_no_group(void)
{
	struct plane *plane = plane_open(STREAM, "[]");
	struct maker maker = maker_join(plane, "maker", 0x1234567890abcdef);

	maker_produce(&maker, 1, 10);
	maker_turn(&maker, 0);
	CU_ASSERT_EQUAL(maker.next, 1);
	CU_ASSERT_EQUAL(maker.newest, 10);
	CU_ASSERT_EQUAL(maker.reason, WEIR_PACE_NO_OWNER);
	CU_ASSERT_EQUAL(maker.limit, WEIR_PRODUCE_FIRST);
	plane_apply(plane, STREAM, GROUP);
	plane_reach_all(plane);
	maker_turn(&maker, 0);
	CU_ASSERT_EQUAL(maker.next, 11);
	plane_close(plane);
}

static void test_rate(void)
{
	struct plane *plane = plane_open("[{'name':'s','key':'source','producers':{'max':2,"
					 "'rate':{'packets_per_s':1000,'burst_packets':50}}}]",
		GROUP);
	struct maker maker = maker_join(plane, "maker", 0x1234567890abcdef);
	uint64_t sent = 0;

	plane_reach_all(plane);
	for (uint32_t ms = 0; ms < 1000; ms++) {
		maker_turn(&maker, 0);
		for (uint32_t i = 0; i < 10 && sent < RTE_MAX(maker.limit, 1ull); i++)
			maker_produce(&maker, ++sent, 1);
	}
	CU_ASSERT_TRUE(sent >= 950 && sent <= 1070);
	CU_ASSERT_EQUAL(maker.reason, WEIR_PACE_RATE);
	CU_ASSERT_EQUAL(maker.producer->record->stats.beyond, 0);
	plane_close(plane);
}

static void test_stranger(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct maker maker = begin(plane);

	maker.port = 5002;
	maker_produce(&maker, 2, 1);
	CU_ASSERT_EQUAL(maker_turn(&maker, 0), 0);
	CU_ASSERT_EQUAL(plane->worker->native_dropped[WEIR_REASON_FRAME_SESSION], 1);
	plane_close(plane);
}

static void test_shed_is_refused(void)
{
	struct plane *plane = plane_open(STREAM, GROUP);
	struct maker maker = begin(plane);

	plane->worker->shed.is_on = true;
	plane->worker->shed.share[WEIR_TIER_BULK] = WEIR_SHED_ALL;
	maker.tier = WEIR_TIER_BULK;
	maker_produce(&maker, 2, 4);
	maker.tier = WEIR_TIER_STANDARD;
	maker_produce(&maker, 6, 4);
	maker_assert(maker_turn(&maker, 0), 6, 9);
	CU_ASSERT_EQUAL(maker.next, 10);
	CU_ASSERT_EQUAL(maker.flags, WEIR_PRODUCE_REFUSED);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").dropped[WEIR_REASON_SHED], 4);
	CU_ASSERT_EQUAL(plane_stream(plane, "s").received, 9);
	/* Until the producer knows. */
	maker.oldest = 10;
	maker_produce(&maker, 10, 1);
	maker_turn(&maker, 0);
	CU_ASSERT_EQUAL(maker.flags, 0);
	plane_close(plane);
}

static void test_who_may_produce(void)
{
	struct plane *plane = plane_open("[{'name':'s','key':'source','producers':{'max':1}},"
					 "{'name':'t','match':{'udp_port':1},'key':'source',"
					 "'producers':{'max':0}}]",
		GROUP);
	struct maker maker = maker_join(plane, "maker", 0x1234567890abcdef);
	struct weir_route route = maker.producer->route;
	struct weir_producer_spec spec = {.stream = "s",
		.name = "second",
		.peer = maker.producer->peer,
		.peer_port = 9,
		.local = maker_own,
		.local_port = 4150,
		.max_datagram = 1400,
		.route = &route};
	struct weir_producer *producer;

	CU_ASSERT_EQUAL(weir_producer_prepare(plane->dataplane, &spec, &producer), -EUSERS);
	spec.name = "maker";
	CU_ASSERT_EQUAL(weir_producer_prepare(plane->dataplane, &spec, &producer), -EEXIST);
	spec.name = "c";
	CU_ASSERT_EQUAL(weir_producer_prepare(plane->dataplane, &spec, &producer), -EEXIST);
	spec.name = "other";
	spec.stream = "t";
	CU_ASSERT_EQUAL(weir_producer_prepare(plane->dataplane, &spec, &producer), -EACCES);
	spec.stream = "u";
	CU_ASSERT_EQUAL(weir_producer_prepare(plane->dataplane, &spec, &producer), -ENOENT);
	plane_close(plane);
}

/* Keys of the protocol and of the packet agree where they are the same bytes. */
static void test_key(void)
{
	uint8_t frame[FRAME_MAX];
	const struct frame_spec spec = {.version = 4,
		.source = {4, {10, 0, 0, 1}},
		.destination = maker_own,
		.payload = (const uint8_t *)"0123456789abcdef",
		.payload_length = 16};
	uint32_t length = frame_build(&spec, frame);

	for (uint8_t bytes = 1; bytes <= 16; bytes++) {
		const struct weir_key_spec key = {.kind = WEIR_KEY_BYTES, .length = bytes};
		const struct weir_packet packet = {
			.l3_offset = 14, .l4_offset = 34, .payload_length = 16, .ip_version = 4};
		uint64_t hash = 0;

		CU_ASSERT_EQUAL(weir_key_hash(&key, frame, frame + length, &packet, &hash),
			WEIR_REASON_NONE);
		CU_ASSERT_EQUAL(weir_produce_key(spec.payload, bytes), hash);
	}
}

CU_TestInfo dataplane_produce_tests[] = {
	{"a produced message becomes a datagram of its producer", test_becomes_a_datagram},
	{"order is kept over a loss", test_order_over_a_loss},
	{"a number is retained once", test_duplicates},
	{"a full ring makes the producer wait, and laps nobody", test_full_ring_waits},
	{"what is kept for replay alone makes way", test_retention_makes_way},
	{"no more is taken than was allowed", test_limit_is_enforced},
	{"numbers are known over sessions", test_record_outlives_its_session},
	{"a producer that was forgotten goes on", test_forgotten_producer_goes_on},
	{"what was given up is waited for no more", test_given_up_is_waited_for_no_more},
	{"without a group nothing is taken from the producer", test_no_group},
	{"the rate is kept", test_rate},
	{"a stranger produces nothing", test_stranger},
	{"what is shed is refused, and told", test_shed_is_refused},
	{"only those may produce that the stream takes", test_who_may_produce},
	{"keys hash as the same bytes of a packet", test_key},
	CU_TEST_INFO_NULL,
};
