/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/route.h"

#include <errno.h>

#include <rte_ether.h>

#define ETHER_TYPE_VLAN 0x8100
#define ETHER_TYPE_IPV4 0x0800
#define ETHER_TYPE_IPV6 0x86dd
#define PROTOCOL_UDP    17

static void put16(uint8_t **at, uint16_t value)
{
	weir_store16(*at, rte_cpu_to_be_16(value));
	*at += 2;
}

static void put_bytes(uint8_t **at, const uint8_t *bytes, size_t length)
{
	memcpy(*at, bytes, length);
	*at += length;
}

static void put_ethernet(uint8_t **at, const struct weir_route_spec *spec, uint16_t type)
{
	put_bytes(at, spec->next_hop_mac, 6);
	put_bytes(at, spec->source_mac, 6);
	if (spec->vlan != 0) {
		put16(at, ETHER_TYPE_VLAN);
		put16(at, spec->vlan);
	}
	put16(at, type);
}

/* Source is left zero when the packet's own is kept. */
static void put_ip(uint8_t **at, const struct weir_route_spec *spec)
{
	static const uint8_t unset[16];
	const uint8_t *source = spec->keep_source ? unset : spec->source.bytes;
	uint8_t *ip = *at;

	if (spec->destination.family == 4) {
		memset(ip, 0, 20);
		ip[0] = 0x45;
		ip[8] = WEIR_ROUTE_TTL;
		ip[9] = PROTOCOL_UDP;
		memcpy(ip + 12, source, 4);
		memcpy(ip + 16, spec->destination.bytes, 4);
		*at += 20;
		return;
	}
	memset(ip, 0, 40);
	ip[0] = 0x60;
	ip[6] = PROTOCOL_UDP;
	ip[7] = WEIR_ROUTE_TTL;
	memcpy(ip + 8, source, 16);
	memcpy(ip + 24, spec->destination.bytes, 16);
	*at += 40;
}

int weir_route_build(const struct weir_route_spec *spec, struct weir_route *route)
{
	bool is_ipv4 = spec->destination.family == 4;
	uint32_t l3_length = is_ipv4 ? 20 : 40;
	uint32_t address_length = is_ipv4 ? 4 : 16;
	uint8_t *at;

	if (!spec->keep_source && spec->source.family != spec->destination.family)
		return -EINVAL;
	if (spec->mtu <= l3_length + 8)
		return -EINVAL;
	memset(route, 0, sizeof(*route));
	route->header_length = (uint8_t)(14 + (spec->vlan != 0 ? 4 : 0) + l3_length + 8);
	route->ip_version = spec->destination.family;
	route->keep_source = spec->keep_source;
	route->port = spec->port;
	route->max_payload = (uint16_t)(spec->mtu - l3_length - 8);
	at = route->header + WEIR_ROUTE_HEADER - route->header_length;
	put_ethernet(&at, spec, is_ipv4 ? ETHER_TYPE_IPV4 : ETHER_TYPE_IPV6);
	put_ip(&at, spec);
	if (is_ipv4)
		for (uint32_t i = 8; i < 20; i += 2)
			route->ip_sum += weir_load16(at - 20 + i);
	/* The destination's complement, and what of the header is not the packet's. */
	if (is_ipv4 && spec->keep_source) {
		route->four_ip_sum =
			weir_load16(at - 4) + weir_load16(at - 2) + weir_load16(at - 12);
		route->four_udp_sum = 3 * 0xffff - weir_load16(at - 4) - weir_load16(at - 2) -
				      rte_cpu_to_be_16(spec->destination_port);
	}
	put16(&at, spec->keep_source ? 0 : spec->source_port);
	put16(&at, spec->destination_port);
	route->address_sum = weir_sum_address(spec->destination.bytes, address_length) +
			     rte_cpu_to_be_16(spec->destination_port);
	if (!spec->keep_source)
		route->address_sum += weir_sum_address(spec->source.bytes, address_length) +
				      rte_cpu_to_be_16(spec->source_port);
	return 0;
}

uint16_t weir_route_checksum(
	const struct weir_route *route, const uint8_t *payload, uint16_t payload_length)
{
	const uint8_t *udp = payload - 8;
	uint32_t address_length = route->ip_version == 4 ? 4 : 16;
	uint64_t sum = weir_sum_address(udp - 2 * address_length, 2 * address_length);
	uint16_t checksum;

	sum += rte_cpu_to_be_16(PROTOCOL_UDP);
	sum += weir_load16(udp + 4);
	sum += (uint64_t)weir_load16(udp) + weir_load16(udp + 2) + weir_load16(udp + 4);
	sum += weir_sum_bytes(payload, payload_length);
	checksum = (uint16_t)~weir_sum_fold(sum);
	return checksum != 0 ? checksum : 0xffff;
}
