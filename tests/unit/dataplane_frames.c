/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane_frames.h"

#include <string.h>

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* One's complement sum of big-endian words, RFC 1071, the plain way. */
static uint32_t add_words(uint32_t sum, const uint8_t *bytes, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t udp_sum(
	const uint8_t *addresses, uint32_t address_bytes, const uint8_t *udp, uint32_t length)
{
	uint32_t sum = add_words(0, addresses, address_bytes);

	return add_words(sum + 17 + length, udp, length);
}

static uint8_t *put_ipv4(const struct frame_spec *spec, uint8_t *ip, uint32_t udp_length)
{
	uint32_t header = 20u + 4u * spec->extra_words;

	memset(ip, 1, header); /* options: no-operation */
	ip[0] = (uint8_t)(0x40 | header / 4);
	ip[1] = spec->tos;
	put16(ip + 2, header + udp_length);
	put16(ip + 4, 0x1234);
	put16(ip + 6, 0x4000);
	ip[8] = 61;
	ip[9] = 17;
	put16(ip + 10, 0);
	memcpy(ip + 12, spec->source.bytes, 4);
	memcpy(ip + 16, spec->destination.bytes, 4);
	put16(ip + 10, ~add_words(0, ip, header));
	return ip + header;
}

static uint8_t *put_ipv6(const struct frame_spec *spec, uint8_t *ip, uint32_t udp_length)
{
	uint32_t extension = spec->extra_words != 0 ? 8 : 0;

	memset(ip, 0, 48);
	ip[0] = (uint8_t)(0x60 | spec->tos >> 4);
	ip[1] = (uint8_t)(spec->tos << 4);
	put16(ip + 4, extension + udp_length);
	ip[6] = extension != 0 ? 60 : 17; /* destination options */
	ip[7] = 61;
	memcpy(ip + 8, spec->source.bytes, 16);
	memcpy(ip + 24, spec->destination.bytes, 16);
	if (extension != 0) {
		ip[40] = 17;
		ip[42] = 1; /* PadN */
		ip[43] = 4;
	}
	return ip + 40 + extension;
}

uint32_t frame_build(const struct frame_spec *spec, uint8_t frame[FRAME_MAX])
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	uint32_t udp_length = 8u + spec->payload_length;
	uint8_t *ip = frame + 14;
	uint8_t addresses[32];
	uint32_t address_bytes = spec->version == 4 ? 4 : 16;
	uint32_t sum;
	uint8_t *udp;

	memcpy(frame, macs, sizeof(macs));
	if (spec->vlan != 0) {
		put16(frame + 12, 0x8100);
		put16(frame + 14, spec->vlan);
		ip += 4;
	}
	put16(ip - 2, spec->version == 4 ? 0x0800 : 0x86dd);
	udp = spec->version == 4 ? put_ipv4(spec, ip, udp_length) : put_ipv6(spec, ip, udp_length);
	put16(udp, spec->source_port);
	put16(udp + 2, spec->destination_port);
	put16(udp + 4, udp_length);
	put16(udp + 6, 0);
	memcpy(udp + 8, spec->payload, spec->payload_length);
	memcpy(addresses, spec->source.bytes, address_bytes);
	memcpy(addresses + address_bytes, spec->destination.bytes, address_bytes);
	sum = ~udp_sum(addresses, 2 * address_bytes, udp, udp_length) & 0xffff;
	if (!spec->no_checksum)
		put16(udp + 6, sum != 0 ? sum : 0xffff);
	if (spec->bad_checksum)
		put16(udp + 6, sum + 1);
	return (uint32_t)(udp + udp_length - frame);
}

static bool read_ip(const uint8_t *ip, uint32_t length, struct frame_view *view)
{
	bool is_ipv4 = (ip[0] >> 4) == 4;
	uint32_t bytes = is_ipv4 ? 4 : 16;
	const uint8_t *source = ip + (is_ipv4 ? 12 : 8);

	view->version = ip[0] >> 4;
	view->tos = is_ipv4 ? ip[1] : (uint8_t)(get16(ip) >> 4);
	view->ttl = is_ipv4 ? ip[8] : ip[7];
	view->source.family = view->version;
	view->destination.family = view->version;
	memcpy(view->source.bytes, source, bytes);
	memcpy(view->destination.bytes, source + bytes, bytes);
	view->ip_checksum_is_right =
		is_ipv4 ? add_words(0, ip, 20) == 0xffff && get16(ip + 2) == length
			: get16(ip + 4) + 40u == length;
	return is_ipv4 ? ip[0] == 0x45 && ip[9] == 17 : view->version == 6 && ip[6] == 17;
}

bool frame_read(const uint8_t *frame, uint32_t length, struct frame_view *view)
{
	const uint8_t *ip = frame + 14;
	uint32_t address_bytes;
	const uint8_t *udp;
	uint32_t rest;

	memset(view, 0, sizeof(*view));
	memcpy(view->destination_mac, frame, 6);
	if (get16(frame + 12) == 0x8100) {
		view->vlan = get16(frame + 14);
		ip += 4;
	}
	rest = length - (uint32_t)(ip - frame);
	if (rest > length || !read_ip(ip, rest, view) ||
		get16(ip - 2) != (view->version == 4 ? 0x0800 : 0x86dd))
		return false;
	address_bytes = view->version == 4 ? 8 : 32;
	udp = ip + (view->version == 4 ? 20 : 40);
	rest -= view->version == 4 ? 20 : 40;
	view->source_port = get16(udp);
	view->destination_port = get16(udp + 2);
	view->ip_checksum_is_right &= get16(udp + 4) == rest;
	view->has_checksum = get16(udp + 6) != 0;
	view->checksum_is_right =
		!view->has_checksum ||
		udp_sum(ip + (view->version == 4 ? 12 : 8), address_bytes, udp, rest) == 0xffff;
	view->payload = udp + 8;
	view->payload_length = (uint16_t)(rest - 8);
	return true;
}
