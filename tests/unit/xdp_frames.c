/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp_frames.h"

#include <stdbool.h>
#include <string.h>

#include "wire/key.h"
#include "wire/parse.h"
#include "wire_guard.h"

static uint64_t random_state = 0x9e3779b97f4a7c15ull;

static uint32_t pick(uint32_t below)
{
	return guard_random(&random_state) % below;
}

void xdp_frame_put16(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* What begins like a message of the kind, more often than not. */
static void fill_payload(unsigned int kind, uint8_t *payload, uint32_t length)
{
	static const uint8_t starts[WEIR_KEY_KINDS][4] = {[WEIR_KEY_FLOW] = {0, 10},
		[WEIR_KEY_IPFIX] = {0, 9},
		[WEIR_KEY_NETFLOW5] = {0, 5, 0, 1},
		[WEIR_KEY_SFLOW5] = {0, 0, 0, 5},
		[WEIR_KEY_GTPU] = {0x34, 255},
		[WEIR_KEY_UDP_NOTIF] = {0x21, 12},
		[WEIR_KEY_RTP] = {0x90}};

	for (uint32_t i = 0; i < length; i++)
		payload[i] = (uint8_t)pick(4) == 0 ? (uint8_t)pick(256) : (uint8_t)pick(3);
	if (pick(8) == 0 || length < 16)
		return;
	memcpy(payload, starts[kind], 4);
	if (kind == WEIR_KEY_FLOW)
		payload[1] = (uint8_t[]){5, 9, 10, 10}[pick(4)];
	if (kind == WEIR_KEY_FLOW || kind == WEIR_KEY_UDP_NOTIF)
		xdp_frame_put16(payload + 2, pick(4) == 0 ? pick(length + 4) : length);
	if (kind == WEIR_KEY_GTPU)
		xdp_frame_put16(payload + 2, length - 8);
	if (kind == WEIR_KEY_GTPU)
		payload[0] = (uint8_t)(0x30 | pick(8));
	if (kind == WEIR_KEY_SFLOW5)
		payload[7] = (uint8_t)(1 + pick(2));
}

/* The IPv4 header checksum, so that most frames get past it. */
static void seal_ipv4(uint8_t *ip)
{
	uint32_t sum = 0, size = (ip[0] & 0xf) * 4u;

	xdp_frame_put16(ip + 10, 0);
	for (uint32_t i = 0; i < size; i += 2)
		sum += weir_load16be(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	xdp_frame_put16(ip + 10, ~sum & 0xffff);
}

/* An IPv4 header, with options now and then. Where what it carries begins. */
static uint8_t *make_ipv4(uint8_t *ip, uint32_t payload)
{
	uint32_t words = 5 + (pick(8) == 0 ? pick(11) : 0);

	for (uint32_t i = 0; i < words * 4; i++)
		ip[i] = (uint8_t)pick(256);
	ip[0] = (uint8_t)(0x40 | words);
	xdp_frame_put16(ip + 2, words * 4 + 8 + payload);
	xdp_frame_put16(ip + 6, pick(32) == 0 ? pick(65536) : pick(2) * 0x4000);
	ip[9] = pick(32) == 0 ? 6 : 17;
	return ip + words * 4;
}

/* Likewise an IPv6 header, with a chain of extension headers now and then. */
static uint8_t *make_ipv6(uint8_t *ip, uint32_t payload)
{
	static const uint8_t extensions[] = {0, 43, 44, 51, 60, 135};
	uint32_t chain = pick(4) == 0 ? pick(10) : 0;
	uint8_t *next = ip + 6, *at = ip + 40;

	for (uint32_t i = 0; i < 40; i++)
		ip[i] = (uint8_t)pick(256);
	ip[0] = 0x60;
	for (uint32_t i = 0; i < chain; i++) {
		uint32_t units = pick(8) == 0 ? 1 + pick(2) : 0, size;

		*next = i == 0 ? 0 : extensions[pick(sizeof(extensions))];
		size = *next == 44 ? 8 : 8 + units * 8;
		for (uint32_t j = 0; j < size; j++)
			at[j] = (uint8_t)(pick(8) == 0 ? pick(256) : 0);
		at[1] = (uint8_t)(*next == 51 ? size / 4 - 2 : units);
		if (pick(8) != 0)
			at[3] = 0;
		next = at;
		at += size;
	}
	*next = pick(32) == 0 ? 58 : 17;
	xdp_frame_put16(ip + 4, (uint32_t)(at - ip) - 40 + 8 + payload);
	return at;
}

/* A frame of either version with 0 to 3 tags; sometimes damaged, cut or padded. */
uint32_t xdp_frame_random(uint8_t *bytes)
{
	uint32_t tags = pick(8) < 5 ? 0 : 1 + pick(pick(16) == 0 ? 3 : 2);
	uint32_t kind = pick(WEIR_KEY_KINDS), payload = pick(4) == 0 ? pick(24) : 12 + pick(120);
	bool is_ipv6 = pick(2) != 0;
	uint8_t *at = bytes, *ip;

	for (uint32_t i = 0; i < 12; i++)
		*at++ = (uint8_t)pick(256);
	for (uint32_t i = 0; i < tags; i++, at += 4) {
		xdp_frame_put16(at, (uint32_t[]){0x8100, 0x8100, 0x88a8, 0x9100}[pick(4)]);
		xdp_frame_put16(at + 2, pick(65536));
	}
	xdp_frame_put16(at, is_ipv6 ? 0x86dd : 0x0800);
	ip = at + 2;
	at = is_ipv6 ? make_ipv6(ip, payload) : make_ipv4(ip, payload);
	xdp_frame_put16(at, pick(65536));
	xdp_frame_put16(at + 2, pick(16) == 0 ? pick(65536) : XDP_FIRST_PORT + kind);
	xdp_frame_put16(at + 4, 8 + payload);
	xdp_frame_put16(at + 6, pick(8) == 0 ? 0 : pick(65536));
	fill_payload(kind, at + 8, payload);
	at += 8 + payload;
	if (pick(8) == 0)
		bytes[pick((uint32_t)(at - bytes))] = (uint8_t)pick(256);
	if (!is_ipv6 && pick(16) != 0 && (ip[0] & 0xf) >= 5)
		seal_ipv4(ip);
	if (pick(16) == 0)
		at -= pick((uint32_t)(at - bytes) - 14);
	else if (pick(8) == 0)
		at += pick(20);
	return (uint32_t)(at - bytes);
}

uint32_t xdp_frame_of(
	uint8_t *bytes, uint8_t version, uint16_t port, const uint8_t *payload, uint32_t length)
{
	uint32_t ip_size = version == 4 ? 20 : 40;
	uint8_t *ip = bytes + 14, *udp = ip + ip_size;

	memset(bytes, 0, 14 + ip_size + 8);
	memset(bytes, 2, 12);
	xdp_frame_put16(bytes + 12, version == 4 ? 0x0800 : 0x86dd);
	memset(ip + (version == 4 ? 12 : 8), 10, version == 4 ? 8 : 32);
	if (version == 4) {
		ip[0] = 0x45;
		xdp_frame_put16(ip + 2, 28 + length);
		ip[9] = 17;
		seal_ipv4(ip);
	} else {
		ip[0] = 0x60;
		xdp_frame_put16(ip + 4, 8 + length);
		ip[6] = 17;
	}
	xdp_frame_put16(udp, 1000);
	xdp_frame_put16(udp + 2, port);
	xdp_frame_put16(udp + 4, 8 + length);
	xdp_frame_put16(udp + 6, 0x1234);
	memcpy(udp + 8, payload, length);
	return 14 + ip_size + 8 + length;
}
