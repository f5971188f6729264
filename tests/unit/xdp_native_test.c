/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <linux/bpf.h>
#include <string.h>

#include "dataplane/dataplane.h"
#include "wire/frame_data.h"
#include "xdp_frames.h"
#include "xdp_orphan.h"

/*
 * What the program does for native consumers of a gateway that is dead: DATA frames within their
 * credit, byte by byte those that a gateway would write.
 */

static uint32_t make_frame(uint8_t *frame, uint8_t ip_version, uint32_t payload)
{
	uint8_t bytes[XDP_ROOM];
	uint32_t length;

	for (uint32_t i = 0; i < payload; i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	length = xdp_frame_of(frame, ip_version, XDP_FIRST_PORT, bytes, payload);
	if (ip_version == 4)
		frame[15] = 0xb8; /* TOS; the header's checksum is not looked at for it */
	if (ip_version == 4)
		xdp_frame_put16(frame + 24, weir_load16be(frame + 24) - 0xb8);
	orphan_seal(frame, 14);
	return length;
}

/* What a gateway would write, but for what the program alone decides: number and time. */
static uint32_t expect(uint8_t *out, const struct weir_route *route, const uint8_t *frame,
	uint8_t ip_version, uint16_t payload, uint64_t sent, uint64_t sent_bytes,
	const struct weir_frame_data *given)
{
	static const struct weir_ipv4_fields fields = {.kept = WEIR_IPV4_DONT_SPLIT};
	const struct weir_data_lane wire = {
		4, 0, 9, orphan_missed->begin, 1000 + sent, 50000 + sent_bytes};
	uint8_t room[WEIR_ROUTE_HEADER + XDP_ROOM], *start = room + WEIR_ROUTE_HEADER;
	uint32_t header = ip_version == 4 ? 42 : 62;
	struct weir_data_item item = {.seq = weir_be64(given->seq),
		.ingest_ns = weir_be64(given->ingest_ns),
		.length = payload,
		.flags = WEIR_MESSAGE_DEGRADED,
		.time_left_us = orphan_session->wants_source ? 5000 : 0,
		.tos = ip_version == 4 ? 0xb8 : 0};
	struct weir_data_writer data;
	struct weir_writer writer;
	uint8_t *place;

	if (orphan_session->wants_source) {
		item.flags |= WEIR_MESSAGE_ADDRESS | (ip_version == 6 ? WEIR_MESSAGE_IPV6 : 0);
		item.source = frame + 14 + (ip_version == 4 ? 12 : 8);
		item.source_port = 1000;
	}
	weir_writer_begin(&writer, start, XDP_ROOM, SESSION);
	weir_data_begin(&data, &writer, &wire, item.seq);
	place = weir_data_add(&data, &item);
	memcpy(place, frame + header, payload);
	weir_data_end(&data, item.seq + 1, WEIR_DATA_DEGRADED);
	place = weir_route_write(route, start, (uint16_t)writer.length, &fields);
	weir_store16(start - 2, weir_route_checksum(route, start, (uint16_t)writer.length));
	memcpy(out, place, route->header_length + writer.length);
	return route->header_length + writer.length;
}

static void expect_frames(uint8_t consumer, uint8_t packet, uint16_t vlan, bool wants_source)
{
	struct weir_route route = orphan_begin(consumer, vlan);
	uint64_t sent = 0, bytes = 0, number = 0, before, now;
	static uint8_t frame[XDP_ROOM], expected[XDP_ROOM];
	struct xdp_result result;

	orphan_session->wants_source = wants_source;
	orphan_lane->deadline_us = wants_source ? 5000 : 0;
	before = weir_sequence_at(orphan_clock_ns(CLOCK_REALTIME));
	for (uint16_t payload = 0; payload < 1200; payload = (uint16_t)(payload * 2 + 1)) {
		uint32_t length = make_frame(frame, packet, payload), wanted;
		const struct weir_frame_data *data;

		memset(frame + length, 0xee, 9); /* as a short frame is padded */
		xdp_fixture_run(&orphan_fixture, frame, payload < 9 ? length + 9 : length, &result);
		CU_ASSERT_EQUAL_FATAL(result.verdict, XDP_REDIRECT);
		data = (const void *)(result.bytes + route.header_length + 16);
		wanted = expect(expected, &route, frame, packet, payload, sent, bytes, data);
		CU_ASSERT_EQUAL(result.length, wanted);
		CU_ASSERT_EQUAL(memcmp(result.bytes, expected, wanted), 0);
		CU_ASSERT_TRUE(number == 0 || weir_be64(data->seq) == number + 1);
		number = weir_be64(data->seq);
		now = orphan_clock_ns(CLOCK_REALTIME);
		CU_ASSERT_TRUE(weir_be64(data->ingest_ns) < now + 1000000000 &&
			       weir_be64(data->ingest_ns) > now - 1000000000);
		sent++;
		bytes += payload;
	}
	CU_ASSERT_TRUE(orphan_missed->begin >= before - 1000000);
	CU_ASSERT_EQUAL(orphan_missed->given, sent);
	CU_ASSERT_EQUAL(orphan_missed->count, 0);
	CU_ASSERT_EQUAL(orphan_lane->end, number + 1);
	CU_ASSERT_EQUAL(orphan_lane->sent, sent);
	CU_ASSERT_EQUAL(orphan_session->leased_messages, 1500 + sent);
	CU_ASSERT_EQUAL(orphan_session->leased_bytes, 60000 + bytes);
	CU_ASSERT_EQUAL(orphan_counters(GROUP).delivered, sent);
	CU_ASSERT_EQUAL(orphan_counters(GROUP).received, sent);
	CU_ASSERT_EQUAL(orphan_counters(GROUP).delivered_bytes, bytes);
}

static void test_frames_are_those_of_a_gateway(void)
{
	expect_frames(4, 4, 0, true);
	expect_frames(4, 4, 12, false);
	expect_frames(4, 6, 0, true);
	expect_frames(6, 6, 12, true);
	expect_frames(6, 4, 0, true);
	expect_frames(6, 4, 0, false);
}

static void test_nothing_is_sent_beyond_the_credit(void)
{
	static uint8_t frame[XDP_ROOM];
	struct xdp_result result;
	uint32_t length = make_frame(frame, 4, 100);

	orphan_begin(4, 0);
	orphan_session->limit_messages = 1503;
	for (int i = 0; i < 5; i++) {
		xdp_fixture_run(&orphan_fixture, frame, length, &result);
		CU_ASSERT_EQUAL(result.verdict, i < 3 ? XDP_REDIRECT : XDP_DROP);
	}
	CU_ASSERT_EQUAL(orphan_session->leased_messages, 1503);
	CU_ASSERT_EQUAL(orphan_session->leased_bytes, 60300);
	CU_ASSERT_EQUAL(orphan_counters(GROUP).credit, 2);
	/* They have numbers all the same: the consumer sees what it did not get. */
	CU_ASSERT_EQUAL(orphan_missed->given, 5);
	CU_ASSERT_EQUAL(orphan_lane->end, orphan_missed->begin + 3);
	orphan_session->limit_messages = 1600;
	orphan_session->limit_bytes = 60399;
	xdp_fixture_run(&orphan_fixture, frame, length, &result);
	CU_ASSERT_EQUAL(result.verdict, XDP_DROP);
	CU_ASSERT_EQUAL(orphan_session->leased_messages, 1503);
	CU_ASSERT_EQUAL(orphan_session->leased_bytes, 60300);
	orphan_session->limit_bytes = 60400;
	xdp_fixture_run(&orphan_fixture, frame, length, &result);
	CU_ASSERT_EQUAL(result.verdict, XDP_REDIRECT);
	CU_ASSERT_EQUAL(orphan_lane->end, orphan_missed->begin + 7);
}

/* A stall, an end in order, another gateway's queue: as it was, and told later. */
static void test_only_after_a_death(void)
{
	static const struct {
		uint32_t armed, tripped, owner, instance;
	} cases[] = {{3, 3, 1, 7}, {0, 3, 0, 7}, {3, 2, 0, 8}, {3, 3, 0, 8}};
	static uint8_t frame[XDP_ROOM];
	uint32_t length = make_frame(frame, 4, 100);
	struct xdp_result result;

	orphan_begin(4, 0);
	for (unsigned int i = 0; i < 4; i++) {
		orphan_queue(cases[i].armed, cases[i].tripped, cases[i].owner, cases[i].instance);
		xdp_fixture_run(&orphan_fixture, frame, length, &result);
		CU_ASSERT_EQUAL(result.verdict, XDP_DROP);
		CU_ASSERT_EQUAL(orphan_missed->count, i + 1);
	}
	CU_ASSERT_EQUAL(orphan_missed->given, 0);
	CU_ASSERT_EQUAL(orphan_missed->begin, 0);
	CU_ASSERT_EQUAL(orphan_counters(GROUP).native, 4);
}

static void expect_refusal(const uint8_t *frame, uint32_t length)
{
	struct weir_xdp_will_lane before = *orphan_lane;
	struct xdp_result result;

	xdp_fixture_run(&orphan_fixture, frame, length, &result);
	CU_ASSERT_EQUAL(result.verdict, XDP_DROP);
	before.begin = orphan_lane->begin;
	CU_ASSERT_EQUAL(memcmp(&before, orphan_lane, sizeof(before)), 0);
	CU_ASSERT_EQUAL(orphan_session->leased_messages, 1500);
}

static void test_who_cannot_be_served_is_not(void)
{
	static uint8_t frame[XDP_ROOM];
	uint32_t length = make_frame(frame, 4, 100);

	orphan_begin(4, 0);
	orphan_lane->session = 0;
	expect_refusal(frame, length);
	orphan_lane->session = SESSION + 0x10000;
	expect_refusal(frame, length);
	orphan_lane->session = SESSION;
	orphan_lane->consumer = OTHER;
	expect_refusal(frame, length);
	orphan_lane->consumer = SLOT;
	orphan_session->liveness_ns = 1;
	expect_refusal(frame, length);
	CU_ASSERT_EQUAL(orphan_counters(GROUP).native, 4);
	orphan_session->liveness_ns = LIVENESS_NS;
	orphan_session->is_paused = 1;
	expect_refusal(frame, length);
	CU_ASSERT_EQUAL(orphan_counters(GROUP).closed, 1);
	orphan_session->is_paused = 0;
	length = make_frame(frame, 4, 1320);
	expect_refusal(frame, length);
	CU_ASSERT_EQUAL(orphan_counters(GROUP).too_big, 1);
	orphan_begin(6, 0);
	length = make_frame(frame, 4, 100);
	xdp_frame_put16(frame + 40, 0);
	expect_refusal(frame, length);
	CU_ASSERT_EQUAL(orphan_counters(GROUP).checksum, 1);
}

/* Numbers begin above all that the gateway can have given out, also with a clock set back. */
static void test_numbers_are_above_those_of_the_gateway(void)
{
	static uint8_t frame[XDP_ROOM];
	uint32_t length = make_frame(frame, 4, 100);
	struct xdp_result result;

	orphan_begin(4, 0);
	orphan_lane->next = UINT64_C(1) << 60;
	xdp_fixture_run(&orphan_fixture, frame, length, &result);
	CU_ASSERT_EQUAL(orphan_missed->begin, (UINT64_C(1) << 60) + 65536);
	CU_ASSERT_EQUAL(orphan_lane->end, orphan_missed->begin + 1);
	CU_ASSERT_EQUAL(orphan_lane->begin, orphan_missed->begin);
}

/* Who was never sent anything of the lane has to be told where it began. */
static void test_a_lane_that_nothing_was_sent_on_begins_where_it_did(void)
{
	static uint8_t frame[XDP_ROOM];
	uint32_t length = make_frame(frame, 4, 100);
	struct weir_route route = orphan_begin(4, 0);
	const struct weir_frame_data *data;
	struct xdp_result result;

	orphan_lane->messages = 0;
	for (uint64_t i = 0; i < 2; i++) {
		xdp_fixture_run(&orphan_fixture, frame, length, &result);
		data = (const void *)(result.bytes + route.header_length + 16);
		CU_ASSERT_EQUAL(weir_be64(data->lane_first), 77);
		CU_ASSERT_EQUAL(weir_be64(data->lane_messages), i);
	}
}

/* One number for all groups; each clone gets it with the note in front of it. */
static void test_groups_are_told_the_same_number(void)
{
	struct weir_route other = xdp_route(OTHER, 4, 0, false);
	static uint8_t frame[XDP_ROOM];
	uint32_t length = make_frame(frame, 4, 100);
	struct weir_xdp_note note;
	struct xdp_result result;

	orphan_begin(4, 0);
	weir_xdp_shared_route(
		&orphan_fixture.shared, OTHER, &other, XDP_IFINDEX, WEIR_CLASS_NATIVE, 0);
	orphan_use_stream(2, OTHER);
	for (uint32_t i = 0; i < 3; i++) {
		xdp_fixture_run(&orphan_fixture, frame, length, &result);
		memcpy(&note, result.bytes, sizeof(note));
		CU_ASSERT_EQUAL(note.magic, WEIR_XDP_NOTE);
		CU_ASSERT_EQUAL(note.seq, orphan_missed->begin + i);
		CU_ASSERT_EQUAL(note.partition, 0);
	}
	/* The second has nobody: the first needs no clone. */
	orphan_use_stream(2, WEIR_XDP_NOBODY);
	xdp_fixture_run(&orphan_fixture, frame, length, &result);
	CU_ASSERT_EQUAL(result.verdict, XDP_REDIRECT);
	CU_ASSERT_EQUAL(orphan_lane->end, orphan_missed->begin + 4);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"frames are those of a gateway", test_frames_are_those_of_a_gateway},
		{"nothing is sent beyond the credit", test_nothing_is_sent_beyond_the_credit},
		{"only after a death", test_only_after_a_death},
		{"who cannot be served is not", test_who_cannot_be_served_is_not},
		{"numbers are above those of the gateway",
			test_numbers_are_above_those_of_the_gateway},
		{"a lane that nothing was sent on begins where it did",
			test_a_lane_that_nothing_was_sent_on_begins_where_it_did},
		{"groups are told the same number", test_groups_are_told_the_same_number},
		CU_TEST_INFO_NULL,
	};

	return orphan_run("xdp native", tests);
}
