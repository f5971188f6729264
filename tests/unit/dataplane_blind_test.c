/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "dataplane_fixture.h"
#include "dataplane_tests.h"

#define STREAM "[{'name':'s','partitions':1}]"
#define TO(name, address, source)                                                                  \
	"{'name':'g" name "','streams':'s','consumers':[{'name':'" name "','address':'" address    \
	"','port':9995,'source':'" source "'}]}"

/* One group each, so every datagram is copied to most and rewritten in place for the last. */
#define REWRITE "[" TO("c4", "198.51.100.7", "rewrite") "," TO("c6", "2001:db8:9::7", "rewrite") "]"
#define KEEP    "[" TO("c4", "198.51.100.7", "keep") "," TO("c6", "2001:db8:9::7", "keep") "]"
#define LAST6   REWRITE
#define LAST4   "[" TO("c6", "2001:db8:9::7", "rewrite") "," TO("c4", "198.51.100.7", "rewrite") "]"

static uint8_t payload[FRAME_MAX];

static struct frame_spec spec_of(uint8_t version, uint16_t length)
{
	struct frame_spec spec = {.version = version,
		.tos = 0x2e,
		.source_port = 2055,
		.destination_port = 4739,
		.payload = payload,
		.payload_length = length};

	for (uint32_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 31 + length);
	weir_address_parse(version == 4 ? "10.1.2.3" : "2001:db8:1::3", &spec.source);
	weir_address_parse(version == 4 ? "192.0.2.1" : "2001:db8:2::1", &spec.destination);
	return spec;
}

static void check_sent(struct plane *plane, uint32_t index, const struct frame_spec *spec,
	const struct weir_route_spec *route)
{
	struct frame_view view = plane_view(plane, index);
	const struct weir_address *source = route->keep_source ? &spec->source : &route->source;
	bool wants_sum = !spec->no_checksum || view.version == 6;

	CU_ASSERT_EQUAL(memcmp(view.destination_mac, route->next_hop_mac, 6), 0);
	CU_ASSERT_EQUAL(view.vlan, route->vlan);
	CU_ASSERT_EQUAL(view.version, route->destination.family);
	CU_ASSERT_EQUAL(view.tos, spec->tos);
	CU_ASSERT_EQUAL(view.ttl, WEIR_ROUTE_TTL);
	CU_ASSERT_TRUE(weir_address_equal(&view.source, source));
	CU_ASSERT_TRUE(weir_address_equal(&view.destination, &route->destination));
	CU_ASSERT_EQUAL(
		view.source_port, route->keep_source ? spec->source_port : route->source_port);
	CU_ASSERT_EQUAL(view.destination_port, 9995);
	CU_ASSERT_TRUE(view.ip_checksum_is_right);
	CU_ASSERT_TRUE(view.checksum_is_right);
	CU_ASSERT_EQUAL(view.has_checksum, wants_sum);
	CU_ASSERT_EQUAL_FATAL(view.payload_length, spec->payload_length);
	CU_ASSERT_EQUAL(memcmp(view.payload, spec->payload, spec->payload_length), 0);
}

/* Send one datagram in every variation and check what each consumer gets. */
static void vary(
	struct plane *plane, const struct weir_route_spec *four, const struct weir_route_spec *six)
{
	static const uint16_t lengths[] = {0, 1, 17, 512, 513, 1400};

	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(lengths[0]) * 16; i++) {
		struct frame_spec spec = spec_of(i & 1 ? 6 : 4, lengths[i / 16]);
		uint32_t expected = 0;

		spec.vlan = i & 2 ? 100 : 0;
		spec.extra_words = i & 4 ? 3 : 0;
		spec.no_checksum = (i & 8) && spec.version == 4;
		plane_receive(plane, &spec);
		plane_deliver(plane);
		for (uint32_t sent = 0; sent < plane->sent_count; sent++) {
			bool is_six = plane_view(plane, sent).version == 6;

			check_sent(plane, sent, &spec, is_six ? six : four);
			expected |= is_six ? 2 : 1;
		}
		if (four->keep_source)
			CU_ASSERT_EQUAL(expected, spec.version == 6 ? 2 : 1);
		if (!four->keep_source)
			CU_ASSERT_EQUAL(expected, 3);
		plane_forget_sent(plane);
	}
}

static void run_varied(const char *groups, bool multi_segment, uint16_t vlan)
{
	struct plane_options options = {.multi_segment = multi_segment};
	struct plane *plane = plane_open_with(STREAM, groups, &options);
	struct weir_route_spec four = plane_route_spec(plane, "c4");
	struct weir_route_spec six = plane_route_spec(plane, "c6");

	four.vlan = vlan;
	six.vlan = vlan;
	plane_route(plane, "c4", &four);
	plane_route(plane, "c6", &six);
	vary(plane, &four, &six);
	plane_close(plane);
}

static void test_rewrite(void)
{
	run_varied(LAST6, false, 0);
	run_varied(LAST4, false, 0);
}

static void test_rewrite_chained(void)
{
	run_varied(LAST6, true, 0);
	run_varied(LAST4, true, 0);
}

static void test_rewrite_tagged(void)
{
	run_varied(LAST6, false, 5);
	run_varied(LAST4, true, 4094);
}

static void test_keep(void)
{
	run_varied(KEEP, false, 0);
	run_varied(KEEP, true, 7);
}

static void test_keep_family(void)
{
	struct plane *plane = plane_open(STREAM, KEEP);
	struct frame_spec spec = spec_of(6, 100);

	plane_reach_all(plane);
	plane_receive(plane, &spec);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane->sent_count, 1);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "gc4").dropped[WEIR_REASON_FAMILY], 1);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "gc6").delivered, 1);
	plane_close(plane);
}

/* The checksum follows the headers, so damage to the payload still shows at the receiver. */
static void test_damage_shows(void)
{
	struct plane *plane = plane_open(STREAM, REWRITE);
	struct frame_spec spec = spec_of(4, 333);

	spec.bad_checksum = true;
	plane_reach_all(plane);
	plane_receive(plane, &spec);
	plane_deliver(plane);
	CU_ASSERT_EQUAL_FATAL(plane->sent_count, 2);
	for (uint32_t i = 0; i < 2; i++) {
		CU_ASSERT_TRUE(plane_view(plane, i).ip_checksum_is_right);
		CU_ASSERT_FALSE(plane_view(plane, i).checksum_is_right);
	}
	plane_close(plane);
}

static void test_too_big(void)
{
	struct plane *plane = plane_open(STREAM, REWRITE);
	struct weir_route_spec four = plane_route_spec(plane, "c4");
	struct frame_spec spec = spec_of(4, 1000 - 28);

	plane_reach(plane, "c6");
	four.mtu = 1000;
	plane_route(plane, "c4", &four);
	plane_receive(plane, &spec);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "gc4").delivered, 1);
	spec.payload_length++;
	plane_receive(plane, &spec);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "gc4").delivered, 1);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "gc4").dropped[WEIR_REASON_TOO_BIG], 1);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "gc6").delivered, 2);
	plane_close(plane);
}

/* Frames as large as nine thousand bytes pass whole, copied, chained and in place. */
static void test_jumbo(void)
{
	for (int chained = 0; chained < 2; chained++) {
		struct plane_options options = {.mtu = 9000, .multi_segment = chained};
		struct plane *plane = plane_open_with(STREAM, REWRITE, &options);
		struct weir_route_spec four = plane_route_spec(plane, "c4");
		struct weir_route_spec six = plane_route_spec(plane, "c6");
		struct frame_spec spec = spec_of(4, 9000 - 48);

		plane_reach_all(plane);
		plane_receive(plane, &spec);
		plane_deliver(plane);
		CU_ASSERT_EQUAL_FATAL(plane->sent_count, 2);
		for (uint32_t i = 0; i < 2; i++)
			check_sent(
				plane, i, &spec, plane_view(plane, i).version == 6 ? &six : &four);
		plane_close(plane);
	}
}

/* Without a buffer for a copy the group waits, and loses nothing. */
static void test_no_buffer(void)
{
	struct plane *plane = plane_open(STREAM, REWRITE);
	struct rte_mempool *pool = plane->dataplane->copies;
	uint32_t size = pool->size, taken = 0;
	struct frame_spec spec = spec_of(4, 100);
	struct rte_mbuf **all = calloc(size, sizeof(*all));

	CU_ASSERT_PTR_NOT_NULL_FATAL(all);
	plane_reach_all(plane);
	while (taken < size && (all[taken] = rte_pktmbuf_alloc(pool)) != NULL)
		taken++;
	for (int i = 0; i < 10; i++)
		plane_receive(plane, &spec);
	plane_deliver(plane);
	CU_ASSERT_NOT_EQUAL(plane_consumer(plane, "c4").stats.closed[WEIR_GATE_NO_BUFFER], 0);
	for (uint32_t i = 0; i < taken; i++)
		rte_pktmbuf_free(all[i]);
	free(all);
	plane_advance(plane, 1000);
	plane_deliver(plane);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "gc4").delivered, 10);
	CU_ASSERT_EQUAL(plane_group(plane, "s", "gc6").delivered, 10);
	plane_close(plane);
}

CU_TestInfo dataplane_blind_tests[] = {
	{"every family to every family, headers and checksums right", test_rewrite},
	{"and with chained copies", test_rewrite_chained},
	{"and behind a VLAN tag", test_rewrite_tagged},
	{"a kept source is the exporter's", test_keep},
	{"a source that cannot be kept is counted", test_keep_family},
	{"damage to a datagram still shows", test_damage_shows},
	{"what exceeds the egress MTU is counted", test_too_big},
	{"jumbo frames pass", test_jumbo},
	{"without buffers a group waits", test_no_buffer},
	CU_TEST_INFO_NULL,
};
