/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "dataplane/blind.h"
#include "wire/parse.h"

static void die(const char *what, int code)
{
	fprintf(stderr, "%s: %s\n", what, strerror(code < 0 ? -code : code));
	exit(1);
}

bool xdp_fixture_open(struct xdp_fixture *fixture)
{
	int result;

	*fixture = (struct xdp_fixture){0};
	fixture->skeleton = weir_xdp__open();
	if (fixture->skeleton == NULL)
		die("open the program", errno);
	result = weir_xdp_shared_size(fixture->skeleton->obj);
	if (result == 0)
		result = weir_xdp__load(fixture->skeleton);
	if (result == -EPERM) {
		weir_xdp__destroy(fixture->skeleton);
		return false;
	}
	if (result < 0)
		die("the verifier refuses the program", result);
	result = weir_xdp_shared_open(&fixture->shared, fixture->skeleton->obj);
	if (result == 0)
		result = weir_xdp_shared_port(&fixture->shared, 0, XDP_IFINDEX);
	if (result < 0)
		die("open the maps", result);
	return true;
}

void xdp_fixture_close(struct xdp_fixture *fixture)
{
	weir_xdp_shared_close(&fixture->shared);
	weir_xdp__destroy(fixture->skeleton);
}

void xdp_fixture_publish(struct xdp_fixture *fixture, const struct weir_match_rule *rules,
	const struct weir_xdp_plan_stream *streams, unsigned int count)
{
	struct weir_match *match;
	struct weir_xdp_plan plan;
	int result = weir_match_build(rules, count, &match);

	if (result < 0)
		die("build the rules", result);
	weir_xdp_plan_begin(
		&plan, ++fixture->generation, match, count, fixture->own, fixture->native_port);
	for (unsigned int i = 0; i < count; i++)
		weir_xdp_plan_add(&plan, &streams[i]);
	result = weir_xdp_plan_publish(&plan, fixture->shared.generations_fd, fixture->shared.front,
		fixture->shared.current);
	if (result < 0)
		die("publish the tables", result);
	weir_xdp_plan_free(&plan);
	weir_match_free(match);
}

void xdp_fixture_run(const struct xdp_fixture *fixture, const uint8_t *frame, uint32_t length,
	struct xdp_result *result)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length,
		.data_out = result->bytes, .data_size_out = sizeof(result->bytes), .repeat = 1);
	int status = bpf_prog_test_run_opts(
		bpf_program__fd(fixture->skeleton->progs.weir_ingress), &options);

	if (status < 0)
		die("run the program", errno);
	result->verdict = options.retval;
	result->length = options.data_size_out;
}

double xdp_fixture_time(int program_fd, const uint8_t *frame, uint32_t length, uint32_t rounds)
{
	uint32_t best = UINT32_MAX;

	for (uint32_t i = 0; i < rounds; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length,
			.repeat = 100000);

		if (bpf_prog_test_run_opts(program_fd, &options) < 0)
			die("time the program", errno);
		best = options.duration < best ? options.duration : best;
	}
	return best;
}

struct weir_route xdp_route(uint16_t slot, uint8_t ip_version, uint16_t vlan, bool keep_source)
{
	struct weir_route_spec spec = {
		.mtu = 1500,
		.vlan = vlan,
		.source_mac = {2, 0, 0, 0, 0, 1},
		.next_hop_mac = {2, 0, 0, 0, 0, 2},
		.keep_source = keep_source,
		.source = {.family = ip_version, .bytes = {10, 9, 8, 7}},
		.destination = {.family = ip_version, .bytes = {10, 1, 2, 3}},
		.source_port = 4000,
		.destination_port = slot,
	};
	struct weir_route route;

	if (ip_version == 6) {
		memcpy(spec.source.bytes, "\xfd\x00\x00\x01", 4);
		spec.source.bytes[15] = 7;
		memcpy(spec.destination.bytes, "\xfd\x00\x00\x02", 4);
		spec.destination.bytes[15] = 3;
	}
	if (weir_route_build(&spec, &route) < 0)
		die("build a route", EINVAL);
	return route;
}

bool xdp_expect(const struct weir_route *route, const uint8_t *frame, uint32_t length,
	struct xdp_result *result)
{
	uint8_t room[RTE_PKTMBUF_HEADROOM + XDP_ROOM] = {0};
	struct rte_mbuf packet = {.buf_addr = room,
		.data_off = RTE_PKTMBUF_HEADROOM,
		.buf_len = sizeof(room),
		.nb_segs = 1};
	struct weir_message_slot slot = {.mbuf = &packet};
	enum weir_reason reason;
	struct weir_packet headers;

	memcpy(room + RTE_PKTMBUF_HEADROOM, frame, length);
	packet.data_len = (uint16_t)length;
	packet.pkt_len = length;
	if (weir_parse(frame, frame + length, &headers, &reason) != WEIR_PARSE_UDP)
		return false;
	slot.payload_length = headers.payload_length;
	slot.l3_offset = (uint8_t)headers.l3_offset;
	slot.l4_offset = headers.l4_offset;
	slot.flags = headers.ip_version == 6 ? WEIR_SLOT_IPV6 : 0;
	if (weir_blind_check(route, &slot) != WEIR_REASON_NONE)
		return false;
	if (weir_blind_make(NULL, route, &slot, true) != &packet)
		return false;
	result->length = packet.pkt_len;
	memcpy(result->bytes, rte_pktmbuf_mtod(&packet, void *), packet.pkt_len);
	return true;
}
