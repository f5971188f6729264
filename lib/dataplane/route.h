/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>

#include "base/address.h"
#include "wire/bytes.h"
#include "wire/sum.h"

/*
 * The way to a consumer: headers ready to be copied in front of a payload, and the checksums of
 * what is constant in them. Immutable; replaced as a whole by the control thread and freed
 * after a quiescent state.
 */

#define WEIR_ROUTE_HEADER 80 /* room for Ethernet, two tags, IPv6 and UDP */
#define WEIR_ROUTE_SHORT  48 /* Ethernet, a tag, IPv4 and UDP */
#define WEIR_ROUTE_TTL    64

struct weir_route {
	uint8_t header[WEIR_ROUTE_HEADER]; /* ends where the payload begins */
	uint8_t header_length;
	uint8_t ip_version;
	bool keep_source;
	uint16_t port;        /* index of the egress port */
	uint16_t max_payload; /* UDP payload that fits the egress MTU */
	uint32_t ip_sum;      /* of the IPv4 header's constant words behind the first 8 bytes */
	uint64_t address_sum; /* of the constant addresses and ports */
	/* With keep_source, what makes weir_four's sums those of the new headers. */
	uint32_t four_ip_sum;
	uint32_t four_udp_sum;
};

/* What a route is made from. */
struct weir_route_spec {
	uint16_t port;
	uint16_t mtu;  /* layer-3 bytes */
	uint16_t vlan; /* 0: untagged */
	uint8_t source_mac[6];
	uint8_t next_hop_mac[6];
	bool keep_source;
	struct weir_address source; /* the gateway's; unused with keep_source */
	struct weir_address destination;
	uint16_t source_port;
	uint16_t destination_port;
};

/* 0, or -EINVAL when the addresses are not of one family. */
int weir_route_build(const struct weir_route_spec *spec, struct weir_route *route);

static inline uint16_t weir_load16(const uint8_t *bytes)
{
	uint16_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static inline void weir_store16(uint8_t *bytes, uint16_t value)
{
	memcpy(bytes, &value, sizeof(value));
}

static inline void weir_store32(uint8_t *bytes, uint32_t value)
{
	memcpy(bytes, &value, sizeof(value));
}

/* Sum of an address as 32-bit words; length 4 or 16. */
static inline uint64_t weir_sum_address(const uint8_t *address, uint32_t length)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < length; i += 4)
		sum += weir_load32(address + i);
	return sum;
}

/* Of the first 8 bytes of an IPv4 header: TOS, id, and the flag against fragments. */
#define WEIR_IPV4_KEPT(bytes)  ((bytes)&RTE_BE64(0x00ff0000ffff4000))
#define WEIR_IPV4_DONT_SPLIT   RTE_BE64(0x4000)
#define WEIR_IPV4_TOS(tos)     rte_cpu_to_be_64((uint64_t)(tos) << 48)
#define WEIR_IPV4_TOS_OF(kept) ((uint8_t)(rte_be_to_cpu_64(kept) >> 48))

/* IPv4 fields that vary from packet to packet, network order. */
struct weir_ipv4_fields {
	uint64_t kept;   /* of the first 8 bytes; the others are 0 */
	uint32_t source; /* with keep_source */
};

static inline uint8_t *weir_route_write_ipv4(const struct weir_route *route, uint8_t *payload,
	uint16_t payload_length, const struct weir_ipv4_fields *fields)
{
	uint8_t *udp = payload - 8;
	uint8_t *ip = udp - 20;
	uint32_t udp_length = payload_length + 8u;
	uint64_t first = fields->kept | RTE_BE64(0x4500000000000000) |
			 rte_cpu_to_be_64((uint64_t)(udp_length + 20) << 32);
	uint64_t sum = (uint64_t)route->ip_sum + (uint32_t)first + (first >> 32);

	/* A fixed length is a few wide stores. */
	memcpy(payload - WEIR_ROUTE_SHORT, route->header + WEIR_ROUTE_HEADER - WEIR_ROUTE_SHORT,
		WEIR_ROUTE_SHORT);
	memcpy(ip, &first, sizeof(first));
	weir_store16(udp + 4, rte_cpu_to_be_16((uint16_t)udp_length));
	if (route->keep_source) {
		weir_store32(ip + 12, fields->source);
		sum += fields->source;
	}
	weir_store16(ip + 10, (uint16_t)~weir_sum_fold(sum));
	return payload - route->header_length;
}

static inline uint8_t *weir_route_write_ipv6(const struct weir_route *route, uint8_t *payload,
	uint16_t payload_length, const struct weir_ipv4_fields *fields)
{
	uint8_t *udp = payload - 8;
	uint8_t *ip = udp - 40;
	uint16_t udp_length = rte_cpu_to_be_16((uint16_t)(payload_length + 8));

	memcpy(payload - WEIR_ROUTE_HEADER, route->header, WEIR_ROUTE_HEADER);
	weir_store16(udp + 4, udp_length);
	weir_store32(
		ip, rte_cpu_to_be_32(0x60000000u | (uint32_t)WEIR_IPV4_TOS_OF(fields->kept) << 20));
	weir_store16(ip + 4, udp_length);
	return payload - route->header_length;
}

/*
 * Put the route's headers in front of `payload`, which has WEIR_ROUTE_HEADER writable bytes
 * before it. The UDP checksum is the caller's; source address and port with keep_source too for
 * IPv6, the port for IPv4.
 */
static inline uint8_t *weir_route_write(const struct weir_route *route, uint8_t *payload,
	uint16_t payload_length, const struct weir_ipv4_fields *fields)
{
	return route->ip_version == 4
		       ? weir_route_write_ipv4(route, payload, payload_length, fields)
		       : weir_route_write_ipv6(route, payload, payload_length, fields);
}

/* UDP checksum over a payload behind the route's headers as written; never 0. */
uint16_t weir_route_checksum(
	const struct weir_route *route, const uint8_t *payload, uint16_t payload_length);
