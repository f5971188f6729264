/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire_frames.h"

#include <string.h>

static void put16(uint8_t *at, unsigned int value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t sum(const uint8_t *bytes, size_t length, uint32_t start)
{
	for (size_t i = 0; i < length; i++)
		start += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	return start;
}

static uint16_t fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

static size_t put_link(const struct frame_spec *spec, uint8_t *bytes)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	size_t at = sizeof(macs);

	memcpy(bytes, macs, sizeof(macs));
	for (unsigned int tag = spec->tags; tag > 0; tag--) {
		put16(bytes + at, tag == 1 ? 0x8100 : 0x88a8);
		put16(bytes + at + 2, tag * 100);
		at += 4;
	}
	put16(bytes + at, spec->version == 4 ? 0x0800 : 0x86dd);
	return at + 2;
}

/* From 192.0.2.1 to 198.51.100.1. */
static size_t put_ipv4(const struct frame_spec *spec, uint8_t *ip)
{
	size_t size = 20 + spec->options * 4u;

	ip[0] = (uint8_t)(0x40 | size / 4);
	put16(ip + 2, (unsigned int)size + 8 + FRAME_PAYLOAD);
	put16(ip + 4, 0x1234);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, (const uint8_t[]){192, 0, 2, 1, 198, 51, 100, 1}, 8);
	memset(ip + 20, 1, spec->options * 4u); /* no operation */
	return size;
}

/* From 2001:db8::1 to 2001:db8::2. */
static size_t put_ipv6(const struct frame_spec *spec, uint8_t *ip)
{
	static const uint8_t site[4] = {0x20, 0x01, 0x0d, 0xb8};
	size_t at = 40;
	uint8_t *next = ip + 6;

	ip[0] = 0x60;
	ip[7] = 64;
	memcpy(ip + 8, site, sizeof(site));
	ip[23] = 1;
	memcpy(ip + 24, site, sizeof(site));
	ip[39] = 2;
	for (unsigned int i = 0; i < spec->chain_count; i++) {
		bool is_ah = spec->chain[i] == 51;

		*next = spec->chain[i];
		next = ip + at;
		next[1] = is_ah ? 4 : 0;
		if (spec->chain[i] == 0 || spec->chain[i] == 60)
			next[2] = 1, next[3] = 4; /* PadN over the rest */
		at += is_ah ? 24 : 8;
	}
	*next = 17;
	put16(ip + 4, (unsigned int)(at - 40 + 8 + FRAME_PAYLOAD));
	return at;
}

/* An IPFIX message of observation domain 7, with one empty-looking data set. */
static size_t put_udp(uint8_t *udp)
{
	uint8_t *message = udp + 8;

	put16(udp, 50000);
	put16(udp + 2, FRAME_PORT);
	put16(udp + 4, 8 + FRAME_PAYLOAD);
	put16(message, 10);
	put16(message + 2, FRAME_PAYLOAD);
	message[15] = 7;
	put16(message + 16, 256);
	put16(message + 18, 8);
	return 8 + FRAME_PAYLOAD;
}

static size_t place(const struct frame *frame, uint16_t at)
{
	size_t offset = at & 0xfff;

	switch (at >> 12) {
	case 1:
		return offset;
	case 2:
		return frame->l3 + offset;
	case 3:
		return frame->l3 + 40 + offset;
	default:
		return frame->l4 + offset;
	}
}

static void fix_checksums(const struct frame_spec *spec, struct frame *frame)
{
	uint8_t *ip = frame->bytes + frame->l3, *udp = frame->bytes + frame->l4;
	unsigned int length = udp[4] << 8 | udp[5];
	uint32_t total = 17 + length;
	uint16_t check;

	if (spec->version == 4) {
		put16(ip + 10, 0);
		put16(ip + 10, fold(sum(ip, 20 + spec->options * 4u, 0)));
		total = sum(ip + 12, 8, total);
	} else {
		total = sum(ip + 8, 32, total);
	}
	if (length < 8 || frame->l4 + length > frame->length)
		return;
	put16(udp + 6, 0);
	check = fold(sum(udp, length, total));
	put16(udp + 6, check == 0 ? 0xffff : check);
}

void frame_make(const struct frame_spec *spec, struct frame *frame)
{
	memset(frame, 0, sizeof(*frame));
	frame->l3 = put_link(spec, frame->bytes);
	frame->l4 = frame->l3 + (spec->version == 4 ? put_ipv4(spec, frame->bytes + frame->l3)
						    : put_ipv6(spec, frame->bytes + frame->l3));
	frame->length = frame->l4 + put_udp(frame->bytes + frame->l4) + spec->padding;
	if (spec->is_raw)
		fix_checksums(spec, frame);
	for (unsigned int i = 0; i < FRAME_PATCHES && spec->patches[i].at != 0; i++) {
		const struct frame_patch *patch = &spec->patches[i];
		uint8_t *at = frame->bytes + place(frame, patch->at);

		if (patch->size == 2)
			put16(at, patch->value);
		else
			*at = (uint8_t)patch->value;
	}
	if (!spec->is_raw)
		fix_checksums(spec, frame);
	if (spec->cut != 0)
		frame->length = place(frame, spec->cut);
}
