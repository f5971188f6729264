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
 * wrong) is decided here, with few branches for all that could be wrong; any other packet is
 * parsed again from its start by the patient walk in parse_headers.h, which finds the reason.
 */

/* RFC 1071 sum of an IPv4 header without options: words of 8, 8 and 4 bytes, as in memory. */
WEIR_INLINE int weir_parse_ipv4_sum_is_right(uint64_t first, uint64_t second, uint32_t third)
{
	uint64_t sum = first + second;
	uint32_t half;

	sum += sum < first;
	sum += third;
	sum += sum < third;
	/* Adding a number to itself with its halves swapped leaves the end-around sum on top. */
	half = (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);
	return (uint16_t)((half + (half << 16 | half >> 16)) >> 16) == 0xffff;
}

/*
 * Whether the frame is a flawless IPv4 header without options, and a UDP header, at `l3_offset`,
 * behind a tag when that is not 14; `packet` is filled then. The other arguments as for
 * weir_parse_frame.
 */
WEIR_INLINE int weir_parse_plain_at(const uint8_t *data, const uint8_t *end, uint32_t length,
	uint16_t l3_offset, unsigned int flags, struct weir_packet *packet)
{
	const uint8_t *ip = data + l3_offset;
	const uint8_t *udp = ip + WEIR_IPV4_SIZE;
	int32_t total, udp_length;
	uint32_t octet;

	if (ip + WEIR_IPV4_SIZE + WEIR_UDP_SIZE > end ||
		weir_load16be(ip - 2) != WEIR_ETHERTYPE_IPV4)
		return 0;
	if (ip[0] != 0x45 || (weir_load16be(ip + 6) & WEIR_IPV4_FRAGMENT_BITS) != 0 ||
		ip[9] != WEIR_PROTOCOL_UDP)
		return 0;
	total = weir_load16be(ip + 2);
	udp_length = weir_load16be(udp + 4);
	/* A length that is too short, or promises more than there is, makes one of these negative.
	 */
	if ((((int32_t)(length - l3_offset) - total) | (total - WEIR_IPV4_SIZE - udp_length) |
		    (udp_length - WEIR_UDP_SIZE)) < 0)
		return 0;
	octet = ip[12]; /* as weir_parse_ipv4_is_martian */
	if (octet - 1 >= 223 || octet == 127)
		return 0;
	if (!(flags & WEIR_PARSE_IP_CHECKSUM_DONE) &&
		!weir_parse_ipv4_sum_is_right(
			weir_load64(ip), weir_load64(ip + 8), weir_load32(ip + 16)))
		return 0;
	packet->l3_offset = l3_offset;
	packet->l4_offset = (uint16_t)(l3_offset + WEIR_IPV4_SIZE);
	packet->payload_length = (uint16_t)(udp_length - WEIR_UDP_SIZE);
	packet->vlan = 0;
	packet->outer_vlan = 0;
	packet->source_port = weir_load16be(udp);
	packet->destination_port = weir_load16be(udp + 2);
	packet->ip_version = 4;
	return 1;
}

/* The same behind one tag. */
WEIR_INLINE int weir_parse_plain_tagged(const uint8_t *data, const uint8_t *end, uint32_t length,
	unsigned int flags, struct weir_packet *packet)
{
	if (data + WEIR_ETHER_SIZE + WEIR_VLAN_SIZE > end ||
		weir_load16be(data + WEIR_ETHER_SIZE - 2) != WEIR_ETHERTYPE_VLAN ||
		!weir_parse_plain_at(
			data, end, length, WEIR_ETHER_SIZE + WEIR_VLAN_SIZE, flags, packet))
		return 0;
	packet->vlan = weir_load16be(data + WEIR_ETHER_SIZE) & WEIR_VLAN_VID;
	return 1;
}

/* True: the frame is as nearly all are, nothing in it is wrong, and `packet` is filled. */
WEIR_INLINE int weir_parse_plain(const uint8_t *data, const uint8_t *end, uint32_t length,
	unsigned int flags, struct weir_packet *packet)
{
	return weir_parse_plain_at(data, end, length, WEIR_ETHER_SIZE, flags, packet) ||
	       weir_parse_plain_tagged(data, end, length, flags, packet);
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
