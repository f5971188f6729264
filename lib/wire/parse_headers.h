/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/bytes.h"
#include "wire/packet.h"

/*
 * The header walk that knows every case and names every fault; see parse.h for who calls it. In
 * it `room` is what is left of the enclosing length (frame, IP total length), and `end` is where
 * the readable bytes stop. Bytes within `room` but beyond `end` are in another buffer.
 */

#define WEIR_ETHER_SIZE         14
#define WEIR_ETHERTYPE_LOWEST   1536 /* below it is an 802.3 length */
#define WEIR_ETHERTYPE_IPV4     0x0800
#define WEIR_ETHERTYPE_IPV6     0x86dd
#define WEIR_ETHERTYPE_VLAN     0x8100
#define WEIR_ETHERTYPE_QINQ     0x88a8
#define WEIR_ETHERTYPE_QINQ_OLD 0x9100 /* what was used before 802.1ad */
#define WEIR_VLAN_SIZE          4
#define WEIR_VLAN_VID           0xfff
#define WEIR_VLAN_TAGS_MAX      2

#define WEIR_IPV4_SIZE          20
#define WEIR_IPV4_FRAGMENT_BITS 0x3fff /* more fragments, and the offset */
#define WEIR_IPV6_SIZE          40
#define WEIR_IPV6_EXTENSION_MIN 8
#define WEIR_IPV6_EXTENSION_MAX 8 /* headers; no honest sender needs more */
#define WEIR_UDP_SIZE           8

#define WEIR_PROTOCOL_HOPOPTS     0
#define WEIR_PROTOCOL_UDP         17
#define WEIR_PROTOCOL_ROUTING     43
#define WEIR_PROTOCOL_FRAGMENT    44
#define WEIR_PROTOCOL_AH          51
#define WEIR_PROTOCOL_DESTINATION 60
#define WEIR_PROTOCOL_MOBILITY    135
#define WEIR_PROTOCOL_HIP         139
#define WEIR_PROTOCOL_SHIM6       140

#define WEIR_PORT_DHCP_SERVER 67
#define WEIR_PORT_DHCP_CLIENT 68

/* A place in the frame: the next header to read. */
struct weir_parse_at {
	const uint8_t *next;
	const uint8_t *end;
	uint32_t room; /* bytes from `next` that the enclosing length promises */
};

WEIR_INLINE enum weir_parse_result weir_parse_drop(enum weir_reason *reason, enum weir_reason why)
{
	*reason = why;
	return WEIR_PARSE_DROP;
}

/* Why `size` bytes at this place cannot be read, or NONE. */
WEIR_INLINE enum weir_reason weir_parse_lacks(
	const struct weir_parse_at *at, uint32_t size, enum weir_reason truncated)
{
	if (at->room < size)
		return truncated;
	return at->next + size > at->end ? WEIR_REASON_SEGMENTED : WEIR_REASON_NONE;
}

WEIR_INLINE void weir_parse_skip(struct weir_parse_at *at, uint32_t size)
{
	at->next += size;
	at->room -= size;
}

/* 0.0.0.0/8, 127/8 (RFC 1122 3.2.1.3), multicast and the reserved rest (RFC 1112 4). */
WEIR_INLINE int weir_parse_ipv4_is_martian(const uint8_t *ip)
{
	uint8_t first = ip[12];

	return (first == 0) | (first == 127) | (first >= 224);
}

/* The unspecified address, the loopback address (RFC 4291 2.5.2, 2.5.3) and multicast. */
WEIR_INLINE int weir_parse_ipv6_is_martian(const uint8_t *ip)
{
	if (ip[8] == 0xff)
		return 1;
	return weir_load64be(ip + 8) == 0 && weir_load64be(ip + 16) <= 1;
}

/* The UDP header; what it does not claim of the IP payload is padding (RFC 768). */
WEIR_INLINE enum weir_parse_result weir_parse_udp(
	const struct weir_parse_at *at, struct weir_packet *packet, enum weir_reason *reason)
{
	enum weir_reason lacks = weir_parse_lacks(at, WEIR_UDP_SIZE, WEIR_REASON_UDP_TRUNCATED);
	uint16_t length;

	if (lacks != WEIR_REASON_NONE)
		return weir_parse_drop(reason, lacks);
	length = weir_load16be(at->next + 4);
	if (length < WEIR_UDP_SIZE || length > at->room)
		return weir_parse_drop(reason, WEIR_REASON_UDP_LENGTH);
	packet->payload_length = (uint16_t)(length - WEIR_UDP_SIZE);
	packet->source_port = weir_load16be(at->next);
	packet->destination_port = weir_load16be(at->next + 2);
	return WEIR_PARSE_UDP;
}

/* The end-around sum of an IPv4 header of `words` 32-bit words; NONE when it is all ones. */
WEIR_INLINE enum weir_reason weir_parse_ipv4_checksum(
	const struct weir_parse_at *at, unsigned int words)
{
	const uint8_t *next = at->next;
	uint64_t sum = 0;

	for (unsigned int word = 0; word < 15 && word < words; word++) {
		WEIR_STEPPING(next);
		if (next + 4 > at->end)
			return WEIR_REASON_SEGMENTED;
		sum += weir_load32(next);
		next += 4;
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff ? WEIR_REASON_NONE : WEIR_REASON_IPV4_CHECKSUM;
}

/* Check the IPv4 header and cut `room` down to its total length; NONE when it is sound. */
WEIR_INLINE enum weir_reason weir_parse_ipv4_header(
	struct weir_parse_at *at, unsigned int flags, uint32_t *size)
{
	enum weir_reason lacks = weir_parse_lacks(at, 1, WEIR_REASON_IPV4_TRUNCATED);
	uint16_t total;

	if (lacks != WEIR_REASON_NONE)
		return lacks;
	if (at->next[0] >> 4 != 4)
		return WEIR_REASON_IPV4_VERSION;
	*size = (at->next[0] & 0xf) * 4u;
	if (*size < WEIR_IPV4_SIZE)
		return WEIR_REASON_IPV4_HEADER_LENGTH;
	lacks = weir_parse_lacks(at, WEIR_IPV4_SIZE, WEIR_REASON_IPV4_TRUNCATED);
	if (lacks == WEIR_REASON_NONE)
		lacks = weir_parse_lacks(at, *size, WEIR_REASON_IPV4_TRUNCATED);
	if (lacks != WEIR_REASON_NONE)
		return lacks;
	total = weir_load16be(at->next + 2);
	if (total < *size || total > at->room)
		return WEIR_REASON_IPV4_TOTAL_LENGTH;
	at->room = total;
	if (flags & WEIR_PARSE_IP_CHECKSUM_DONE)
		return WEIR_REASON_NONE;
	return weir_parse_ipv4_checksum(at, *size / 4);
}

WEIR_INLINE enum weir_parse_result weir_parse_ipv4(struct weir_parse_at *at, unsigned int flags,
	struct weir_packet *packet, enum weir_reason *reason)
{
	const uint8_t *ip = at->next;
	uint32_t size = WEIR_IPV4_SIZE;
	enum weir_reason fault = weir_parse_ipv4_header(at, flags, &size);
	enum weir_parse_result result;

	if (fault != WEIR_REASON_NONE)
		return weir_parse_drop(reason, fault);
	if (ip + WEIR_IPV4_SIZE > at->end) /* known, but the BPF verifier must read it here */
		return weir_parse_drop(reason, WEIR_REASON_SEGMENTED);
	if (ip[9] != WEIR_PROTOCOL_UDP)
		return WEIR_PARSE_KERNEL;
	if (weir_load16be(ip + 6) & WEIR_IPV4_FRAGMENT_BITS)
		return weir_parse_drop(reason, WEIR_REASON_IPV4_FRAGMENT);
	weir_parse_skip(at, size);
	result = weir_parse_udp(at, packet, reason);
	if (result != WEIR_PARSE_UDP || !weir_parse_ipv4_is_martian(ip))
		return result;
	/* A host that has no address yet asks for one from 0.0.0.0 (RFC 2131 4.1). */
	if (packet->destination_port == WEIR_PORT_DHCP_SERVER ||
		packet->destination_port == WEIR_PORT_DHCP_CLIENT)
		return WEIR_PARSE_KERNEL;
	return weir_parse_drop(reason, WEIR_REASON_SOURCE_ADDRESS);
}

/* Two masks rather than a switch: fewer ways for the BPF verifier to follow. */
WEIR_INLINE int weir_parse_is_extension(uint8_t protocol)
{
	const uint64_t low = 1ull << WEIR_PROTOCOL_HOPOPTS | 1ull << WEIR_PROTOCOL_ROUTING |
			     1ull << WEIR_PROTOCOL_FRAGMENT | 1ull << WEIR_PROTOCOL_AH |
			     1ull << WEIR_PROTOCOL_DESTINATION;
	const uint64_t high = 1ull << (WEIR_PROTOCOL_MOBILITY - 128) |
			      1ull << (WEIR_PROTOCOL_HIP - 128) |
			      1ull << (WEIR_PROTOCOL_SHIM6 - 128);

	if (protocol < 64)
		return (int)(low >> protocol & 1);
	return protocol >= 128 && protocol < 192 && (high >> (protocol - 128) & 1);
}

/* Size of the extension header at `bytes`; 0 when it cannot be (AH has at least 12: RFC 4302). */
WEIR_INLINE uint32_t weir_parse_extension_size(const uint8_t *bytes, uint8_t protocol)
{
	if (protocol == WEIR_PROTOCOL_FRAGMENT)
		return WEIR_IPV6_EXTENSION_MIN;
	if (protocol == WEIR_PROTOCOL_AH)
		return bytes[1] == 0 ? 0 : (bytes[1] + 2u) * 4;
	return (bytes[1] + 1u) * 8;
}

/*
 * Step over one extension header. UDP: go on with *protocol. A source route that is not at its
 * end is forwarding, so the kernel's (RFC 8200 4.4); so is a later fragment of anything but UDP.
 */
WEIR_INLINE enum weir_parse_result weir_parse_extension(struct weir_parse_at *at, uint8_t *protocol,
	unsigned int *fragment_bits, enum weir_reason *reason)
{
	enum weir_reason lacks =
		weir_parse_lacks(at, WEIR_IPV6_EXTENSION_MIN, WEIR_REASON_IPV6_EXTENSION);
	const uint8_t *header = at->next;
	uint32_t size;

	if (lacks != WEIR_REASON_NONE)
		return weir_parse_drop(reason, lacks);
	size = weir_parse_extension_size(header, *protocol);
	if (size == 0 || size > at->room)
		return weir_parse_drop(reason, WEIR_REASON_IPV6_EXTENSION);
	if (*protocol == WEIR_PROTOCOL_ROUTING && header[3] != 0)
		return WEIR_PARSE_KERNEL;
	if (*protocol == WEIR_PROTOCOL_FRAGMENT) {
		uint16_t bits = weir_load16be(header + 2);

		/* Offset 0 and no more to come: the whole datagram after all (RFC 6946). */
		*fragment_bits |= bits & 0xfff9;
		if ((bits & 0xfff8) != 0 && header[0] != WEIR_PROTOCOL_UDP)
			return WEIR_PARSE_KERNEL;
	}
	*protocol = header[0];
	weir_parse_skip(at, size);
	return WEIR_PARSE_UDP;
}

/* Walk the chain of extension headers. UDP: the upper layer, *protocol, begins at `at`. */
WEIR_INLINE enum weir_parse_result weir_parse_extensions(struct weir_parse_at *at,
	uint8_t *protocol, unsigned int *fragment_bits, enum weir_reason *reason)
{
	for (unsigned int count = 0; count < WEIR_IPV6_EXTENSION_MAX; count++) {
		enum weir_parse_result result;

		if (!weir_parse_is_extension(*protocol))
			return WEIR_PARSE_UDP;
		if (*protocol == WEIR_PROTOCOL_HOPOPTS && count > 0) /* first or not at all */
			return weir_parse_drop(reason, WEIR_REASON_IPV6_EXTENSION);
		result = weir_parse_extension(at, protocol, fragment_bits, reason);
		if (result != WEIR_PARSE_UDP)
			return result;
	}
	if (weir_parse_is_extension(*protocol))
		return weir_parse_drop(reason, WEIR_REASON_IPV6_EXTENSION_COUNT);
	return WEIR_PARSE_UDP;
}

/* Check the fixed IPv6 header and cut `room` down to its payload. */
WEIR_INLINE enum weir_reason weir_parse_ipv6_header(struct weir_parse_at *at)
{
	enum weir_reason lacks = weir_parse_lacks(at, 1, WEIR_REASON_IPV6_TRUNCATED);
	uint16_t length;

	if (lacks != WEIR_REASON_NONE)
		return lacks;
	if (at->next[0] >> 4 != 6)
		return WEIR_REASON_IPV6_VERSION;
	lacks = weir_parse_lacks(at, WEIR_IPV6_SIZE, WEIR_REASON_IPV6_TRUNCATED);
	if (lacks != WEIR_REASON_NONE)
		return lacks;
	length = weir_load16be(at->next + 4);
	weir_parse_skip(at, WEIR_IPV6_SIZE);
	if (length > at->room)
		return WEIR_REASON_IPV6_PAYLOAD_LENGTH;
	at->room = length;
	return WEIR_REASON_NONE;
}

/* The UDP header behind the IPv6 header at `ip` and its extensions. */
WEIR_INLINE enum weir_parse_result weir_parse_udp6(const uint8_t *ip,
	const struct weir_parse_at *at, unsigned int flags, struct weir_packet *packet,
	enum weir_reason *reason)
{
	enum weir_parse_result result = weir_parse_udp(at, packet, reason);

	if (result != WEIR_PARSE_UDP)
		return result;
	if (weir_parse_ipv6_is_martian(ip))
		return weir_parse_drop(reason, WEIR_REASON_SOURCE_ADDRESS);
	if (!(flags & WEIR_PARSE_ZERO_CHECKSUM) && at->next[6] == 0 && at->next[7] == 0)
		return weir_parse_drop(reason, WEIR_REASON_UDP_CHECKSUM);
	return WEIR_PARSE_UDP;
}

WEIR_INLINE enum weir_parse_result weir_parse_ipv6(struct weir_parse_at *at, unsigned int flags,
	struct weir_packet *packet, enum weir_reason *reason)
{
	const uint8_t *ip = at->next;
	enum weir_reason fault = weir_parse_ipv6_header(at);
	enum weir_parse_result result;
	unsigned int fragment_bits = 0;
	uint8_t protocol;

	if (fault != WEIR_REASON_NONE)
		return weir_parse_drop(reason, fault);
	if (ip + WEIR_IPV6_SIZE > at->end) /* known, but the BPF verifier must read it here */
		return weir_parse_drop(reason, WEIR_REASON_SEGMENTED);
	protocol = ip[6];
	result = weir_parse_extensions(at, &protocol, &fragment_bits, reason);
	if (result != WEIR_PARSE_UDP)
		return result;
	if (protocol != WEIR_PROTOCOL_UDP)
		return WEIR_PARSE_KERNEL;
	if (fragment_bits != 0)
		return weir_parse_drop(reason, WEIR_REASON_IPV6_FRAGMENT);
	return weir_parse_udp6(ip, at, flags, packet, reason);
}

/* Step over the Ethernet header and the tags; *type is what follows. */
WEIR_INLINE enum weir_reason weir_parse_link(
	struct weir_parse_at *at, struct weir_packet *packet, uint16_t *type)
{
	enum weir_reason lacks = weir_parse_lacks(at, WEIR_ETHER_SIZE, WEIR_REASON_ETHER_TRUNCATED);

	if (lacks != WEIR_REASON_NONE)
		return lacks;
	*type = weir_load16be(at->next + 12);
	weir_parse_skip(at, WEIR_ETHER_SIZE);
	packet->vlan = 0;
	packet->outer_vlan = 0;
	for (unsigned int tags = 0; *type == WEIR_ETHERTYPE_VLAN || *type == WEIR_ETHERTYPE_QINQ ||
				    *type == WEIR_ETHERTYPE_QINQ_OLD;
		tags++) {
		if (tags == WEIR_VLAN_TAGS_MAX)
			return WEIR_REASON_VLAN_DEPTH;
		lacks = weir_parse_lacks(at, WEIR_VLAN_SIZE, WEIR_REASON_VLAN_TRUNCATED);
		if (lacks != WEIR_REASON_NONE)
			return lacks;
		packet->outer_vlan = packet->vlan;
		packet->vlan = weir_load16be(at->next) & WEIR_VLAN_VID;
		*type = weir_load16be(at->next + 2);
		weir_parse_skip(at, WEIR_VLAN_SIZE);
	}
	return WEIR_REASON_NONE;
}

WEIR_SLOW enum weir_parse_result weir_parse_headers(const uint8_t *data, const uint8_t *end,
	uint32_t length, unsigned int flags, struct weir_packet *packet, enum weir_reason *reason)
{
	struct weir_parse_at at = {data, end, length};
	uint16_t type = 0;
	enum weir_reason fault = weir_parse_link(&at, packet, &type);
	enum weir_parse_result result;

	if (fault != WEIR_REASON_NONE)
		return weir_parse_drop(reason, fault);
	packet->l3_offset = (uint16_t)(at.next - data);
	if (type == WEIR_ETHERTYPE_IPV4) {
		packet->ip_version = 4;
		result = weir_parse_ipv4(&at, flags, packet, reason);
	} else if (type == WEIR_ETHERTYPE_IPV6) {
		packet->ip_version = 6;
		result = weir_parse_ipv6(&at, flags, packet, reason);
	} else {
		return WEIR_PARSE_KERNEL;
	}
	packet->l4_offset = (uint16_t)(at.next - data);
	return result;
}
