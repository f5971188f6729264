/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include "native.bpf.h"

/*
 * What native consumers say to a gateway that is dead. CREDIT counts, PAUSE and LEAVE too; all else
 * is for nobody. CREDIT is answered by a HEARTBEAT, so that the client does not take the session
 * for lost while frames of it come.
 */

#define WEIR_CREDIT_FRAMES 8           /* of a datagram that are looked at */
#define WEIR_CREDIT_PIECE  32          /* bytes summed at once */
#define WEIR_CREDIT_PIECES 48          /* so of datagrams of 1,500 bytes */
#define WEIR_VALUE_MAX     (~0ull / 4) /* as WEIR_FRAME_VALUE_MAX */
#define WEIR_HEARTBEAT     40u         /* a datagram with no lanes */

struct weir_credit_frame {
	__u8 type;
	__u8 flags;
	__u16 length;
	__u32 counter;
	__u64 limit_messages;
	__u64 limit_bytes;
};

/* Whether the packet comes from where the session's consumer is. */
static __always_inline int weir_is_peer(struct xdp_md *context, const struct weir_found *found,
	const struct weir_xdp_consumer *consumer)
{
	__u32 six = found->headers.ip_version == 6, udp = consumer->header_length - WEIR_UDP_SIZE;
	const __u8 *header = consumer->header;
	__u32 words[4] = {0}, size = six ? 16 : 4;
	__u16 port;

	if (consumer->ip_version != found->headers.ip_version || udp < 34 || udp > 58)
		return 0;
	if (bpf_xdp_load_bytes(context, found->headers.l4_offset, &port, sizeof(port)) != 0 ||
		bpf_xdp_load_bytes(
			context, found->headers.l3_offset + (six ? 8 : 12), words, size) != 0)
		return 0;
	if (port != *(const weir_quarter *)(header + udp + 2))
		return 0;
	for (__u32 i = 0; i < 4; i++)
		if ((six || i == 0) &&
			words[i] != *(const weir_half *)(header + udp - size + i * 4))
			return 0;
	return 1;
}

/* A datagram while it is summed. */
struct weir_summing {
	struct xdp_md *context;
	__u64 sum;
	__u32 at;
	__u32 rest;
	__u32 words[WEIR_CREDIT_PIECE / 4];
};

static long weir_sum_piece(__u32 index, void *context)
{
	struct weir_summing *summing = context;
	__u32 size = summing->rest < WEIR_CREDIT_PIECE ? summing->rest : WEIR_CREDIT_PIECE;

	__builtin_memset(summing->words, 0, sizeof(summing->words));
	WEIR_STEPPING(size);
	if (size == 0 || size > WEIR_CREDIT_PIECE ||
		bpf_xdp_load_bytes(summing->context, summing->at, summing->words, size) != 0)
		return 1;
	summing->sum += (__u32)bpf_csum_diff(NULL, 0, summing->words, WEIR_CREDIT_PIECE, 0);
	summing->at += size;
	summing->rest -= size;
	return 0;
}

/* RFC 768: the datagram is as it was sent; without a checksum too. */
static __always_inline int weir_sum_is_right(struct xdp_md *context, const struct weir_found *found)
{
	__u32 six = found->headers.ip_version == 6;
	__u32 addresses = found->headers.l3_offset + (six ? 8 : 12);
	struct weir_summing summing = {
		.context = context,
		.at = found->headers.l4_offset,
		.rest = found->headers.payload_length + WEIR_UDP_SIZE,
	};
	__u16 checksum = 0;

	if (bpf_xdp_load_bytes(context, summing.at + 6, &checksum, sizeof(checksum)) != 0 ||
		bpf_xdp_load_bytes(context, addresses, summing.words, six ? 32 : 8) != 0)
		return 0;
	if (checksum == 0)
		return !six;
	summing.sum = (__u64)weir_swap(WEIR_PROTOCOL_UDP) + weir_swap(summing.rest) +
		      (__u32)bpf_csum_diff(NULL, 0, summing.words, WEIR_CREDIT_PIECE, 0);
	bpf_loop(WEIR_CREDIT_PIECES, weir_sum_piece, &summing, 0);
	return summing.rest == 0 && weir_sum_fold(summing.sum) == 0xffff;
}

static __always_inline void weir_raise(__u64 *limit, __u64 to)
{
	__u64 old = *(volatile __u64 *)limit;

	for (int i = 0; i < 4 && (__s64)(to - old) > 0; i++) {
		__u64 seen = __sync_val_compare_and_swap(limit, old, to);

		if (seen == old)
			return;
		old = seen;
	}
}

/* The datagram's frames. True: CREDIT is among them. */
static __always_inline int weir_take_frames(struct xdp_md *context, const struct weir_found *found,
	struct weir_xdp_will_session *session)
{
	__u32 start = found->headers.l4_offset + WEIR_UDP_SIZE;
	__u32 at = 16;
	int has_credit = 0;

	for (int i = 0; i < WEIR_CREDIT_FRAMES && at + 8 <= found->headers.payload_length; i++) {
		struct weir_credit_frame frame = {0};
		__u8 scope = 0;

		if (bpf_xdp_load_bytes(context, start + at, &frame, 8) != 0)
			break;
		if (frame.type == 10) { /* WEIR_FRAME_CREDIT */
			if (bpf_xdp_load_bytes(context, start + at, &frame, sizeof(frame)) != 0)
				break;
			frame.limit_messages = __builtin_bswap64(frame.limit_messages);
			frame.limit_bytes = __builtin_bswap64(frame.limit_bytes);
			if (frame.limit_messages > WEIR_VALUE_MAX ||
				frame.limit_bytes > WEIR_VALUE_MAX)
				break;
			weir_raise(&session->limit_messages, frame.limit_messages);
			weir_raise(&session->limit_bytes, frame.limit_bytes);
			has_credit = 1;
		} else if (frame.type == 11) { /* WEIR_FRAME_PAUSE */
			if (bpf_xdp_load_bytes(context, start + at + 8, &scope, 1) != 0)
				break;
			session->is_paused = scope != 0;
		} else if (frame.type == 5) { /* WEIR_FRAME_LEAVE */
			*(volatile __u64 *)&session->session = 0;
			return 0;
		}
		at += weir_swap(frame.length);
	}
	return has_credit;
}

/* A HEARTBEAT in the place of the datagram. An XDP verdict. */
static __always_inline int weir_answer(struct xdp_md *context, const struct weir_found *found,
	const struct weir_xdp_will_session *session, const struct weir_xdp_consumer *consumer,
	__u32 slot)
{
	__u32 begin = (__u32)WEIR_BOUND(found->headers.l4_offset) + WEIR_UDP_SIZE;
	struct weir_native_out *out = weir_new_out();
	struct weir_native_head *head;
	__u32 port = consumer->port;

	if (out == NULL || consumer->header_length == 0 ||
		(found->length > begin &&
			bpf_xdp_adjust_tail(context, -(int)(found->length - begin)) != 0))
		return XDP_DROP;
	out->head_size = WEIR_HEARTBEAT;
	out->old.checksum = 0xffff;
	head = &out->head;
	head->magic = weir_swap(0x5752);
	head->version = 1;
	head->frame_count = weir_swap(1);
	head->session = __builtin_bswap64(session->session);
	head->type = 9; /* WEIR_FRAME_HEARTBEAT: no lanes, and the counters of nothing */
	head->frame_length = weir_swap(WEIR_HEARTBEAT - 16);
	/* Where DATA has its sequence a HEARTBEAT has the clock. */
	head->seq = __builtin_bswap64(bpf_ktime_get_ns() + (__u64)out->wall_offset);
	if (!weir_put(context, out, slot, begin, WEIR_HEARTBEAT))
		return XDP_DROP;
	return (int)bpf_redirect_map(&tx_ports, port, XDP_DROP);
}

/* A datagram for the gateway's protocol port. An XDP verdict. */
__attribute__((noinline)) int weir_stage_session(struct xdp_md *context, struct weir_found *found)
{
	struct weir_xdp_will_session *session;
	struct weir_xdp_consumer *consumer;
	struct {
		__u16 magic;
		__u8 version;
		__u8 flags;
		__u16 frame_count;
		__u16 reserved;
		__u64 session;
	} header = {0};
	__u32 slot;

	if (found == NULL)
		return XDP_PASS;
	if (found->headers.payload_length < 24 ||
		bpf_xdp_load_bytes(context, found->headers.l4_offset + WEIR_UDP_SIZE, &header,
			sizeof(header)) != 0)
		return XDP_PASS;
	header.session = __builtin_bswap64(header.session);
	slot = (__u16)header.session;
	session = bpf_map_lookup_elem(&will_sessions, &slot);
	consumer = bpf_map_lookup_elem(&consumers, &slot);
	if (session == NULL || consumer == NULL || header.session == 0 ||
		*(volatile __u64 *)&session->session != header.session ||
		header.magic != weir_swap(0x5752) || header.version != 1 || header.flags != 0)
		return XDP_PASS;
	if (!weir_is_peer(context, found, consumer) || !weir_sum_is_right(context, found))
		return XDP_DROP;
	*(volatile __u64 *)&session->heard_ns = bpf_ktime_get_ns();
	if (!weir_take_frames(context, found, session))
		return XDP_DROP;
	return weir_answer(context, found, session, consumer, slot);
}
