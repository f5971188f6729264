/* SPDX-License-Identifier: BSD-3-Clause */
#include <CUnit/Basic.h>
#include <linux/bpf.h>
#include <string.h>

#include "wire/frame_data.h"
#include "wire/frame_delivery.h"
#include "xdp_frames.h"
#include "xdp_orphan.h"

/* What native consumers say to a gateway that is dead. */

/* From the client's address to the gateway's. Its length. */
static uint32_t make_said(uint8_t *frame, uint8_t ip_version, const struct weir_writer *writer)
{
	uint32_t length =
		xdp_frame_of(frame, ip_version, NATIVE_PORT, writer->data, writer->length);
	uint8_t *ip = frame + 14;

	if (ip_version == 4) {
		memcpy(ip + 12, "\x0a\x01\x02\x03", 4);
		xdp_frame_put16(ip + 10, 0);
		xdp_frame_put16(ip + 10,
			(uint16_t)~rte_be_to_cpu_16(weir_sum_fold(weir_sum_bytes(ip, 20))));
		xdp_frame_put16(frame + 34, SLOT);
	} else {
		memset(ip + 8, 0, 16);
		memcpy(ip + 8, "\xfd\x00\x00\x02", 4);
		ip[23] = 3;
		xdp_frame_put16(frame + 54, SLOT);
	}
	orphan_seal(frame, 14);
	return length;
}

static void add_credit(struct weir_writer *writer, uint64_t messages, uint64_t bytes)
{
	struct weir_frame_credit *credit =
		weir_writer_add(writer, WEIR_FRAME_CREDIT, 0, sizeof(*credit));

	credit->limit_messages = weir_be64(messages);
	credit->limit_bytes = weir_be64(bytes);
}

static void expect_answer(uint8_t ip_version)
{
	static const struct weir_ipv4_fields fields = {.kept = WEIR_IPV4_DONT_SPLIT};
	struct weir_route route = orphan_begin(ip_version, 0);
	uint8_t said[600], frame[XDP_ROOM], room[WEIR_ROUTE_HEADER + 64] = {0};
	uint8_t *start = room + WEIR_ROUTE_HEADER, *place;
	struct weir_frame_heartbeat *heartbeat;
	struct weir_writer writer;
	struct xdp_result result;
	uint32_t length;

	weir_writer_begin(&writer, said, sizeof(said), SESSION);
	add_credit(&writer, 5000, 2000000);
	length = make_said(frame, ip_version, &writer);
	xdp_fixture_run(&orphan_fixture, frame, length, &result);
	CU_ASSERT_EQUAL_FATAL(result.verdict, XDP_REDIRECT);
	CU_ASSERT_EQUAL(orphan_session->limit_messages, 5000);
	CU_ASSERT_EQUAL(orphan_session->limit_bytes, 2000000);
	CU_ASSERT_NOT_EQUAL(orphan_session->heard_ns, 0);
	weir_writer_begin(&writer, start, 64, SESSION);
	heartbeat = weir_writer_add(&writer, WEIR_FRAME_HEARTBEAT, 0, sizeof(*heartbeat));
	heartbeat->clock_ns =
		((const struct weir_frame_heartbeat *)(const void *)(result.bytes +
								     route.header_length + 16))
			->clock_ns;
	place = weir_route_write(&route, start, 40, &fields);
	weir_store16(start - 2, weir_route_checksum(&route, start, 40));
	CU_ASSERT_EQUAL(result.length, route.header_length + 40u);
	CU_ASSERT_EQUAL(memcmp(result.bytes, place, result.length), 0);
	/* Limits only grow. */
	weir_writer_begin(&writer, said, sizeof(said), SESSION);
	add_credit(&writer, 4000, 3000000);
	length = make_said(frame, ip_version, &writer);
	xdp_fixture_run(&orphan_fixture, frame, length, &result);
	CU_ASSERT_EQUAL(orphan_session->limit_messages, 5000);
	CU_ASSERT_EQUAL(orphan_session->limit_bytes, 3000000);
}

static void test_credit_counts_and_is_answered(void)
{
	expect_answer(4);
	expect_answer(6);
}

static void expect_ignored(uint8_t *frame, uint32_t length, uint32_t verdict)
{
	struct xdp_result result;

	xdp_fixture_run(&orphan_fixture, frame, length, &result);
	CU_ASSERT_EQUAL(result.verdict, verdict);
	CU_ASSERT_EQUAL(orphan_session->limit_messages, 2000);
	CU_ASSERT_EQUAL(orphan_session->limit_bytes, 1000000);
	CU_ASSERT_EQUAL(orphan_session->heard_ns, 0);
}

static void test_what_others_say_is_ignored(void)
{
	uint8_t said[600], frame[XDP_ROOM];
	struct weir_writer writer;
	uint32_t length;

	orphan_begin(4, 0);
	weir_writer_begin(&writer, said, sizeof(said), SESSION + 0x10000);
	add_credit(&writer, 5000, 2000000);
	length = make_said(frame, 4, &writer);
	expect_ignored(frame, length, XDP_PASS); /* another session of the slot */
	weir_writer_begin(&writer, said, sizeof(said), SESSION);
	add_credit(&writer, 5000, 2000000);
	length = make_said(frame, 4, &writer);
	frame[29]++; /* another address */
	orphan_seal(frame, 14);
	xdp_frame_put16(frame + 24, weir_load16be(frame + 24) - 1);
	expect_ignored(frame, length, XDP_DROP);
	length = make_said(frame, 4, &writer);
	xdp_frame_put16(frame + 34, SLOT + 1); /* another port */
	orphan_seal(frame, 14);
	expect_ignored(frame, length, XDP_DROP);
	length = make_said(frame, 4, &writer);
	frame[70] ^= 1; /* damaged */
	expect_ignored(frame, length, XDP_DROP);
	orphan_die(false);
	length = make_said(frame, 4, &writer);
	expect_ignored(frame, length, XDP_PASS); /* the gateway's own to take */
}

static void test_pause_and_leave_hold(void)
{
	uint8_t said[600], frame[XDP_ROOM];
	struct weir_frame_pause *pause;
	struct weir_writer writer;
	struct xdp_result result;

	orphan_begin(4, 0);
	weir_writer_begin(&writer, said, sizeof(said), SESSION);
	weir_writer_add(&writer, WEIR_FRAME_ACK, 0, sizeof(struct weir_frame_ack));
	pause = weir_writer_add(&writer, WEIR_FRAME_PAUSE, 0, sizeof(*pause));
	pause->scope = WEIR_PAUSE_ALL;
	xdp_fixture_run(&orphan_fixture, frame, make_said(frame, 4, &writer), &result);
	CU_ASSERT_EQUAL(result.verdict, XDP_DROP); /* nothing that asks for an answer */
	CU_ASSERT_EQUAL(orphan_session->is_paused, 1);
	pause->scope = WEIR_PAUSE_NONE;
	add_credit(&writer, 0, 0);
	xdp_fixture_run(&orphan_fixture, frame, make_said(frame, 4, &writer), &result);
	CU_ASSERT_EQUAL(result.verdict, XDP_REDIRECT);
	CU_ASSERT_EQUAL(orphan_session->is_paused, 0);
	weir_writer_begin(&writer, said, sizeof(said), SESSION);
	weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(struct weir_frame_leave));
	xdp_fixture_run(&orphan_fixture, frame, make_said(frame, 4, &writer), &result);
	CU_ASSERT_EQUAL(orphan_session->session, 0);
}

int main(void)
{
	CU_TestInfo tests[] = {
		{"credit counts, and is answered", test_credit_counts_and_is_answered},
		{"what others say is ignored", test_what_others_say_is_ignored},
		{"pause and leave hold", test_pause_and_leave_hold},
		CU_TEST_INFO_NULL,
	};

	return orphan_run("xdp session", tests);
}
