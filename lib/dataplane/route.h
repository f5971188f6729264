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
	uint32_t ip_sum;      /* of the constant IPv4 header words, network order */
	uint64_t address_sum; /* of the constant addresses and ports */
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

/* IPv4 fields that vary from packet to packet, network order. */
struct weir_ipv4_fields {
	uint16_t id;
	uint16_t fragment; /* flags; offset is 0 */
	uint32_t source;   /* with keep_source */
	uint8_t tos;
};

/*
 * Put the route's headers in front of `payload`, which has WEIR_ROUTE_HEADER writable bytes
 * before it. The UDP checksum is the caller's; source address and port with keep_source too for
 * IPv6, the port for IPv4.
 */
static inline uint8_t *weir_route_write(const struct weir_route *route, uint8_t *payload,
	uint16_t payload_length, const struct weir_ipv4_fields *fields)
{
	uint8_t *udp = payload - 8;
	uint16_t udp_length = (uint16_t)(payload_length + 8);

	/* A fixed length is a few wide stores; most headers fit the shorter. */
	if (likely(route->header_length <= WEIR_ROUTE_SHORT))
		memcpy(payload - WEIR_ROUTE_SHORT,
			route->header + WEIR_ROUTE_HEADER - WEIR_ROUTE_SHORT, WEIR_ROUTE_SHORT);
	else
		memcpy(payload - WEIR_ROUTE_HEADER, route->header, WEIR_ROUTE_HEADER);
	weir_store16(udp + 4, rte_cpu_to_be_16(udp_length));
	if (route->ip_version == 4) {
		uint8_t *ip = udp - 20;
		uint16_t total = rte_cpu_to_be_16((uint16_t)(udp_length + 20));
		uint64_t sum = route->ip_sum;

		ip[1] = fields->tos;
		weir_store16(ip + 2, total);
		weir_store16(ip + 4, fields->id);
		weir_store16(ip + 6, fields->fragment);
		sum += rte_cpu_to_be_16(fields->tos) + (uint32_t)total + fields->id +
		       fields->fragment;
		if (route->keep_source) {
			weir_store32(ip + 12, fields->source);
			sum += fields->source;
		}
		weir_store16(ip + 10, (uint16_t)~weir_sum_fold(sum));
	} else {
		uint8_t *ip = udp - 40;

		weir_store32(ip, rte_cpu_to_be_32(0x60000000u | ((uint32_t)fields->tos << 20)));
		weir_store16(ip + 4, rte_cpu_to_be_16(udp_length));
	}
	return payload - route->header_length;
}

/* UDP checksum over a payload behind the route's headers as written; never 0. */
uint16_t weir_route_checksum(
	const struct weir_route *route, const uint8_t *payload, uint16_t payload_length);
