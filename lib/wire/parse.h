/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/parse_headers.h"

/*
 * One pass over the headers of a packet: Ethernet, up to two VLAN tags (802.1Q, 802.1ad), IPv4
 * with options (RFC 791) or IPv6 with extension headers (RFC 8200), UDP (RFC 768). Freestanding:
 * the same text is compiled for the gateway, its tests and BPF. Reads nothing outside
 * [data, end).
 *
 * What nearly every packet looks like (one VLAN tag or none, IPv4 without options, UDP, nothing
 * wrong) is decided here, with one branch for all that could be wrong; any other packet is
 * parsed again from its start by the patient walk in parse_headers.h, which finds the reason.
 */

/* RFC 1071 sum of an IPv4 header without options: all ones when its checksum is right. */
WEIR_INLINE int weir_parse_ipv4_sum_is_right(const uint8_t *ip)
{
	uint64_t first = weir_load64(ip);
	uint64_t sum = first + weir_load64(ip + 8);
	uint32_t half;

	sum += sum < first;
	sum += weir_load32(ip + 16);
	sum += sum < weir_load32(ip + 16);
	/* Adding a number to itself with its halves swapped leaves the end-around sum on top. */
	half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);
	return (uint16_t)((half + (half << 16 | half >> 16)) >> 16) == 0xffff;
}

/* Whether the 28 bytes at `ip`, of `room` in the frame, are a flawless IPv4 and UDP header. */
WEIR_INLINE int weir_parse_ipv4_is_plain(const uint8_t *ip, uint32_t room, unsigned int flags)
{
	uint32_t total = weir_load16be(ip + 2);
	uint32_t udp_length = weir_load16be(ip + WEIR_IPV4_SIZE + 4);
	int plain = ip[0] == 0x45;

	plain &= ip[9] == WEIR_PROTOCOL_UDP;
	plain &= (weir_load16be(ip + 6) & WEIR_IPV4_FRAGMENT_BITS) == 0;
	plain &= total <= room;
	plain &= udp_length >= WEIR_UDP_SIZE;
	plain &= udp_length + WEIR_IPV4_SIZE <= total;
	plain &= !weir_parse_ipv4_is_martian(ip);
	if (!(flags & WEIR_PARSE_IP_CHECKSUM_DONE))
		plain &= weir_parse_ipv4_sum_is_right(ip);
	return plain;
}

/* True: the frame is as nearly all are, nothing in it is wrong, and `packet` is filled. */
WEIR_INLINE int weir_parse_plain(const uint8_t *data, const uint8_t *end, uint32_t length,
	unsigned int flags, struct weir_packet *packet)
{
	const uint8_t *ip = data + WEIR_ETHER_SIZE;
	uint16_t type, vlan = 0;

	if (ip + WEIR_IPV4_SIZE + WEIR_UDP_SIZE > end)
		return 0;
	type = weir_load16be(ip - 2);
	if (type == WEIR_ETHERTYPE_VLAN) {
		vlan = weir_load16be(ip) & WEIR_VLAN_VID;
		ip += WEIR_VLAN_SIZE;
		type = weir_load16be(ip - 2);
		if (ip + WEIR_IPV4_SIZE + WEIR_UDP_SIZE > end)
			return 0;
	}
	if (type != WEIR_ETHERTYPE_IPV4 ||
		!weir_parse_ipv4_is_plain(ip, length - (uint32_t)(ip - data), flags))
		return 0;
	packet->l3_offset = (uint16_t)(ip - data);
	packet->l4_offset = (uint16_t)(ip - data + WEIR_IPV4_SIZE);
	packet->payload_length = (uint16_t)(weir_load16be(ip + WEIR_IPV4_SIZE + 4) - WEIR_UDP_SIZE);
	packet->vlan = vlan;
	packet->outer_vlan = 0;
	packet->source_port = weir_load16be(ip + WEIR_IPV4_SIZE);
	packet->destination_port = weir_load16be(ip + WEIR_IPV4_SIZE + 2);
	packet->ip_version = 4;
	return 1;
}

/*
 * The same as weir_parse for a frame of `length` bytes of which only those up to `end` can be
 * read here, the rest being in further buffers; `flags` as in enum weir_parse_flags. Headers that
 * are not within the readable bytes make a drop with reason SEGMENTED.
 */
WEIR_INLINE enum weir_parse_result weir_parse_frame(const uint8_t *data, const uint8_t *end,
	uint32_t length, unsigned int flags, struct weir_packet *packet, enum weir_reason *reason)
{
	if (weir_parse_plain(data, end, length, flags, packet))
		return WEIR_PARSE_UDP;
	return weir_parse_headers(data, end, length, flags, packet, reason);
}

/*
 * Parse the frame [data, end). `packet` is filled only for WEIR_PARSE_UDP, `reason` is set only
 * for WEIR_PARSE_DROP.
 */
static inline enum weir_parse_result weir_parse(const uint8_t *data, const uint8_t *end,
	struct weir_packet *packet, enum weir_reason *reason)
{
	return weir_parse_frame(data, end, (uint32_t)(end - data), 0, packet, reason);
}
