/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/address.h"

/*
 * Destination unreachable, of ICMP (RFC 792, RFC 1812 5.2.7.1) and ICMPv6 (RFC 4443 3.1): which
 * UDP datagram did not arrive, and why. Freestanding, pure, reads nothing outside [packet, end).
 *
 * Anybody can forge such a message. Checksums and shape are verified here; that the datagram
 * inside is one that was sent (its source ours, its destination a consumer) is for the caller to
 * check, who then doubts the consumer, not more.
 */

enum weir_icmp_cause {
	WEIR_ICMP_PORT,       /* the host is there, nobody listens */
	WEIR_ICMP_HOST,       /* no way to the host or its network */
	WEIR_ICMP_PROHIBITED, /* a filter on the way refused it */
};

struct weir_icmp_unreachable {
	enum weir_icmp_cause cause;
	uint8_t code;                 /* as on the wire */
	struct weir_address reporter; /* who sent the message */
	/* Of the datagram that did not arrive. */
	struct weir_address source;
	struct weir_address destination;
	uint16_t source_port; /* host order */
	uint16_t destination_port;
};

static inline uint16_t weir_icmp_read16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

/* Ones' complement sum (RFC 1071) of [bytes, end), added to `sum`; at most 64 KiB. */
static inline uint32_t weir_icmp_sum(uint32_t sum, const uint8_t *bytes, const uint8_t *end)
{
	for (; end - bytes >= 2; bytes += 2)
		sum += weir_icmp_read16(bytes);
	if (bytes < end)
		sum += (uint32_t)bytes[0] << 8;
	return sum;
}

/* A sum over data that holds its own checksum is all ones. */
static inline bool weir_icmp_sum_is_right(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

/* The first eight bytes of the datagram inside, which every sender must return. */
static inline bool weir_icmp_udp(
	const uint8_t *udp, const uint8_t *end, struct weir_icmp_unreachable *out)
{
	if (end - udp < 8)
		return false;
	out->source_port = weir_icmp_read16(udp);
	out->destination_port = weir_icmp_read16(udp + 2);
	return true;
}

/* Its lengths are not checked against what is here: the tail is cut by design. */
static inline bool weir_icmp_inner4(
	const uint8_t *inner, const uint8_t *end, struct weir_icmp_unreachable *out)
{
	int header;

	if (end - inner < 20 || inner[0] >> 4 != 4)
		return false;
	header = (inner[0] & 0xf) * 4;
	if (header < 20 || end - inner < header)
		return false;
	/* Only the first fragment has the ports. */
	if (inner[9] != 17 || (weir_icmp_read16(inner + 6) & 0x1fff) != 0)
		return false;
	weir_address_read(&out->source, 4, inner + 12);
	weir_address_read(&out->destination, 4, inner + 16);
	return weir_icmp_udp(inner + header, end, out);
}

/* Past up to eight extension headers (RFC 8200 4). */
static inline bool weir_icmp_inner6(
	const uint8_t *inner, const uint8_t *end, struct weir_icmp_unreachable *out)
{
	const uint8_t *at;
	uint8_t next;

	if (end - inner < 40 || inner[0] >> 4 != 6)
		return false;
	at = inner + 40;
	next = inner[6];
	for (int i = 0; i < 8 && (next == 0 || next == 43 || next == 44 || next == 60); i++) {
		int length;

		if (end - at < 8)
			return false;
		if (next == 44 && (weir_icmp_read16(at + 2) & 0xfff8) != 0)
			return false;
		length = next == 44 ? 8 : (at[1] + 1) * 8;
		if (end - at < length)
			return false;
		next = at[0];
		at += length;
	}
	if (next != 17)
		return false;
	weir_address_read(&out->source, 6, inner + 8);
	weir_address_read(&out->destination, 6, inner + 24);
	return weir_icmp_udp(at, end, out);
}

/* Code 4 asks for a smaller datagram, which is no refusal; codes above 15 are not assigned. */
static inline bool weir_icmp_cause4(uint8_t code, enum weir_icmp_cause *cause)
{
	if (code == 4 || code > 15)
		return false;
	if (code == 2 || code == 3)
		*cause = WEIR_ICMP_PORT;
	else if (code == 9 || code == 10 || code == 13)
		*cause = WEIR_ICMP_PROHIBITED;
	else
		*cause = WEIR_ICMP_HOST;
	return true;
}

/* RFC 4443 assigns 0 to 6; what came later (RFC 8883 and on) is no plain refusal. */
static inline bool weir_icmp_cause6(uint8_t code, enum weir_icmp_cause *cause)
{
	if (code > 6)
		return false;
	if (code == 4)
		*cause = WEIR_ICMP_PORT;
	else if (code == 1 || code == 5)
		*cause = WEIR_ICMP_PROHIBITED;
	else
		*cause = WEIR_ICMP_HOST;
	return true;
}

static inline bool weir_icmp_parse4(
	const uint8_t *packet, const uint8_t *end, struct weir_icmp_unreachable *out)
{
	const uint8_t *icmp;
	int header, total;

	if (end - packet < 20)
		return false;
	header = (packet[0] & 0xf) * 4;
	total = weir_icmp_read16(packet + 2);
	if (header < 20 || total < header + 8 || end - packet < total)
		return false;
	if (packet[9] != 1 || (weir_icmp_read16(packet + 6) & 0x3fff) != 0)
		return false;
	icmp = packet + header;
	end = packet + total; /* what follows is Ethernet's padding */
	if (icmp[0] != 3 || !weir_icmp_cause4(icmp[1], &out->cause))
		return false;
	if (!weir_icmp_sum_is_right(weir_icmp_sum(0, packet, icmp)) ||
		!weir_icmp_sum_is_right(weir_icmp_sum(0, icmp, end)))
		return false;
	out->code = icmp[1];
	weir_address_read(&out->reporter, 4, packet + 12);
	return weir_icmp_inner4(icmp + 8, end, out);
}

/* Without extension headers, as hosts and routers send it. */
static inline bool weir_icmp_parse6(
	const uint8_t *packet, const uint8_t *end, struct weir_icmp_unreachable *out)
{
	const uint8_t *icmp;
	uint32_t length, sum;

	if (end - packet < 48 || packet[6] != 58)
		return false;
	icmp = packet + 40;
	length = weir_icmp_read16(packet + 4);
	if (length < 8 || (uint32_t)(end - icmp) < length)
		return false;
	end = icmp + length;
	if (icmp[0] != 1 || !weir_icmp_cause6(icmp[1], &out->cause))
		return false;
	/* Pseudo-header of RFC 8200 8.1: addresses, length, next header. */
	sum = weir_icmp_sum(length + 58, packet + 8, packet + 40);
	if (!weir_icmp_sum_is_right(weir_icmp_sum(sum, icmp, end)))
		return false;
	out->code = icmp[1];
	weir_address_read(&out->reporter, 6, packet + 8);
	return weir_icmp_inner6(icmp + 8, end, out);
}

/*
 * `packet` starts at its IP header; bytes after the IP packet are ignored. True when it is a sound
 * destination unreachable about a UDP datagram: `out` is filled. Else `out` holds nothing.
 */
static inline bool weir_icmp_parse(
	const uint8_t *packet, const uint8_t *end, struct weir_icmp_unreachable *out)
{
	if (end - packet < 1)
		return false;
	if (packet[0] >> 4 == 4)
		return weir_icmp_parse4(packet, end, out);
	if (packet[0] >> 4 == 6)
		return weir_icmp_parse6(packet, end, out);
	return false;
}
