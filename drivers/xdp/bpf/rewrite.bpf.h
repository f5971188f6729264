/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include "classify.bpf.h"

#include "wire/sum.h"

/*
 * New headers under a datagram, as dataplane/blind.h writes them: the UDP checksum is changed by
 * what changed under it, never computed anew.
 */

typedef __u64 __attribute__((may_alias)) weir_word;
typedef __u32 __attribute__((may_alias)) weir_half;
typedef __u16 __attribute__((may_alias)) weir_quarter;

/* What the new headers need of the old ones. */
struct weir_old {
	__u8 source[16];
	__u64 changed; /* sum of the words that the route replaces, complemented */
	__u16 source_port;
	__u16 checksum; /* of UDP; 0: none */
	__u16 id;
	__u16 fragment;
	__u8 tos;
	__u8 pad[7];
};

static __always_inline __u16 weir_swap(__u32 value)
{
	return __builtin_bswap16((__u16)value);
}

/* Whether all of the packet is in one buffer. */
static __always_inline int weir_is_linear(struct xdp_md *context, __u32 length)
{
	__u32 data = *(volatile __u32 *)&context->data;

	return *(volatile __u32 *)&context->data_end - data == length;
}

static __always_inline int weir_read_old(struct xdp_md *context, const struct weir_packet *headers,
	int keeps_source, struct weir_old *old)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	const __u8 *end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	const __u8 *ip = data + WEIR_BOUND(headers->l3_offset);
	const __u8 *udp = data + WEIR_BOUND(headers->l4_offset);

	if (udp + WEIR_UDP_SIZE > end)
		return 0;
	old->source_port = *(const weir_quarter *)udp;
	old->checksum = *(const weir_quarter *)(udp + 6);
	old->changed = (__u16) ~*(const weir_quarter *)(udp + 2);
	if (!keeps_source)
		old->changed += (__u16)~old->source_port;
	if (headers->ip_version == 6) {
		if (ip + WEIR_IPV6_SIZE > end)
			return 0;
		old->tos = (__u8)(weir_load16be(ip) >> 4);
		old->fragment = weir_swap(0x4000);
		for (int i = 0; i < 4; i++) {
			__u32 source = *(const weir_half *)(ip + 8 + i * 4);

			((weir_half *)old->source)[i] = source;
			old->changed += (__u32) ~*(const weir_half *)(ip + 24 + i * 4);
			if (!keeps_source)
				old->changed += (__u32)~source;
		}
		return 1;
	}
	if (ip + WEIR_IPV4_SIZE > end)
		return 0;
	old->tos = ip[1];
	old->id = *(const weir_quarter *)(ip + 4);
	old->fragment = *(const weir_quarter *)(ip + 6) & weir_swap(0x4000);
	*(weir_half *)old->source = *(const weir_half *)(ip + 12);
	old->changed += (__u32) ~*(const weir_half *)(ip + 16);
	if (!keeps_source)
		old->changed += (__u32) ~*(const weir_half *)(ip + 12);
	return 1;
}

static __always_inline void weir_write_ipv4(__u8 *ip, const struct weir_xdp_consumer *consumer,
	const struct weir_old *old, __u32 payload_length)
{
	__u16 total = weir_swap(payload_length + WEIR_UDP_SIZE + WEIR_IPV4_SIZE);
	__u64 sum = consumer->ip_sum;

	ip[1] = old->tos;
	*(weir_quarter *)(ip + 2) = total;
	*(weir_quarter *)(ip + 4) = old->id;
	*(weir_quarter *)(ip + 6) = old->fragment;
	sum += (__u64)weir_swap(old->tos) + total + old->id + old->fragment;
	if (consumer->keeps_source) {
		__u32 source = *(const weir_half *)old->source;

		*(weir_half *)(ip + 12) = source;
		sum += source;
	}
	*(weir_quarter *)(ip + 10) = (__u16)~weir_sum_fold(sum);
}

static __always_inline void weir_write_ipv6(__u8 *ip, const struct weir_xdp_consumer *consumer,
	const struct weir_old *old, __u32 payload_length)
{
	*(weir_half *)ip = __builtin_bswap32(0x60000000u | (__u32)old->tos << 20);
	*(weir_quarter *)(ip + 4) = weir_swap(payload_length + WEIR_UDP_SIZE);
	if (consumer->keeps_source)
		for (int i = 0; i < 4; i++)
			((weir_half *)(ip + 8))[i] = ((const weir_half *)old->source)[i];
}

/* Put headers of `length` bytes, a constant, at the packet's start. False: they do not fit. */
static __always_inline int weir_write_headers(struct xdp_md *context,
	const struct weir_xdp_consumer *consumer, const struct weir_old *old, __u32 payload_length,
	const int length)
{
	__u8 *data = (__u8 *)(long)*(volatile __u32 *)&context->data;
	const __u8 *end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	const int words = length / 8;
	__u8 *udp = data + length - WEIR_UDP_SIZE;
	__u64 sum;

	if (data + length > end)
		return 0;
	for (int i = 0; i < words; i++)
		((weir_word *)data)[i] = ((const weir_word *)consumer->header)[i];
	if (length % 8 >= 4)
		*(weir_half *)(data + words * 8) =
			*(const weir_half *)(consumer->header + words * 8);
	if (length % 4 == 2)
		*(weir_quarter *)(data + length - 2) =
			*(const weir_quarter *)(consumer->header + length - 2);
	*(weir_quarter *)(udp + 4) = weir_swap(payload_length + WEIR_UDP_SIZE);
	if (consumer->keeps_source)
		*(weir_quarter *)udp = old->source_port;
	if (length < 54)
		weir_write_ipv4(udp - WEIR_IPV4_SIZE, consumer, old, payload_length);
	else
		weir_write_ipv6(udp - WEIR_IPV6_SIZE, consumer, old, payload_length);
	if (old->checksum == 0) {
		*(weir_quarter *)(udp + 6) = 0;
		return 1;
	}
	sum = (__u64)(__u16)~old->checksum + old->changed + consumer->address_sum;
	sum = (__u16)~weir_sum_fold(sum);
	*(weir_quarter *)(udp + 6) = sum != 0 ? (__u16)sum : 0xffff;
	return 1;
}

/* Cut the frame to the payload, and make it begin where the new headers will. 0 or negative. */
static __always_inline long weir_fit(struct xdp_md *context, __u32 length,
	const struct weir_packet *headers, __u32 header_length)
{
	__u32 payload = (__u32)WEIR_BOUND(headers->l4_offset) + WEIR_UDP_SIZE;
	__u32 wanted = payload + headers->payload_length;
	long status = 0;

	if (length > wanted)
		status = bpf_xdp_adjust_tail(context, -(int)(length - wanted));
	if (status == 0 && payload != header_length)
		status = bpf_xdp_adjust_head(context, (int)payload - (int)header_length);
	return status;
}

/*
 * The datagram of a frame of `frame_length` under the consumer's headers. False: not possible, the
 * packet is spoilt.
 */
static __always_inline int weir_rewrite(struct xdp_md *context, __u32 frame_length,
	const struct weir_packet *headers, const struct weir_xdp_consumer *consumer)
{
	struct weir_old old = {0};
	__u32 length = consumer->header_length;

	if (!weir_read_old(context, headers, consumer->keeps_source, &old) ||
		weir_fit(context, frame_length, headers, length) != 0)
		return 0;
	switch (length) { /* Ethernet, a tag or none, IPv4 or IPv6, UDP */
	case 42:
		return weir_write_headers(context, consumer, &old, headers->payload_length, 42);
	case 46:
		return weir_write_headers(context, consumer, &old, headers->payload_length, 46);
	case 62:
		return weir_write_headers(context, consumer, &old, headers->payload_length, 62);
	case 66:
		return weir_write_headers(context, consumer, &old, headers->payload_length, 66);
	default:
		return 0;
	}
}
