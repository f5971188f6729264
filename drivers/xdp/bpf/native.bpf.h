/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include "deliver.bpf.h"

/*
 * Native consumers of a gateway that is dead: each message is a DATA frame of its own, within the
 * credit, by what the gateway has left of its sessions and lanes (dataplane/will.h).
 */

#define WEIR_SEQUENCE_BEGIN_NS 1577836800000000000ull /* as WEIR_SEQUENCE_ORIGIN_NS */
#define WEIR_NUMBERS_APART     65536u                 /* what a worker may give out while it dies */
#define WEIR_NATIVE_LEAST      512u                   /* as WEIR_DATAGRAM_MIN */

/* Datagram header, DATA frame and message of wire/frame.h; big endian. */
struct weir_native_head {
	__u16 magic;
	__u8 version;
	__u8 datagram_flags;
	__u16 frame_count;
	__u16 reserved1;
	__u64 session;
	__u8 type;
	__u8 frame_flags;
	__u16 frame_length;
	__u16 stream;
	__u16 partition;
	__u32 epoch;
	__u32 covered;
	__u64 seq;
	__u64 first;
	__u64 messages;
	__u64 bytes;
	__u64 ingest_ns;
	__u32 time_left_us;
	__u16 count;
	__u16 reserved2;
	__u16 length;
	__u16 seq_delta;
	__u32 ingest_delta_us;
	__u16 source_port;
	__u8 flags;
	__u8 tos;
	__u32 source[4];
	__u32 padding;
};

#define WEIR_NATIVE_FIXED 92u /* of it, without an address */

/* A datagram on its way: its head, and the sum of all that the checksum covers besides. */
struct weir_native_out {
	struct weir_native_head head;
	struct weir_old old;
	__u32 head_size;
	__u32 padding;     /* behind the payload */
	__u64 orphaned_ns; /* struct weir_xdp_current */
	__s64 wall_offset;
};

/* One at a time on each CPU; on the stack it would be too large. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weir_native_out);
} native_outs SEC(".maps");

static __always_inline struct weir_native_out *weir_new_out(void)
{
	struct weir_xdp_current *now;
	struct weir_native_out *out;
	__u32 zero = 0;

	now = bpf_map_lookup_elem(&current, &zero);
	out = bpf_map_lookup_elem(&native_outs, &zero);
	if (now == NULL || out == NULL)
		return NULL;
	__builtin_memset(out, 0, sizeof(*out));
	out->orphaned_ns = now->orphaned_ns;
	out->wall_offset = now->wall_offset;
	return out;
}

/* A group's lane of a partition, by its attachment's line; NULL: there is none. */
static __always_inline struct weir_xdp_will_lane *weir_lane_of(
	void *lines, __u32 line, __u32 partition)
{
	union weir_xdp_line *at = weir_line(lines, line);
	__u32 place;

	if (at == NULL || at->attachment.will == 0)
		return NULL;
	place = at->attachment.will - 1 + partition;
	return bpf_map_lookup_elem(&will_lanes, &place);
}

/* The first number to give out in a partition: above all that the gateway can have given out. */
__attribute__((noinline)) int weir_stage_begin(
	__u32 bank, __u32 key, __u32 partition, __u32 attachments, __u32 count)
{
	struct weir_xdp_current *now;
	struct weir_xdp_missed *entry;
	__u64 begin, wall;
	__u32 zero = 0;
	void *lines;

	now = bpf_map_lookup_elem(&current, &zero);
	entry = bpf_map_lookup_elem(&missed, &key);
	lines = bpf_map_lookup_elem(&generations, &bank);
	if (now == NULL || entry == NULL || lines == NULL)
		return 0;
	wall = bpf_ktime_get_ns() + (__u64)now->wall_offset;
	begin = wall > WEIR_SEQUENCE_BEGIN_NS ? (wall - WEIR_SEQUENCE_BEGIN_NS) >> 7 : 1;
	for (__u32 i = 0; i < WEIR_XDP_MAX_COPIES && i < count; i++) {
		struct weir_xdp_will_lane *lane = weir_lane_of(lines, attachments + i, partition);

		if (lane != NULL && lane->next + WEIR_NUMBERS_APART > begin)
			begin = lane->next + WEIR_NUMBERS_APART;
	}
	__sync_val_compare_and_swap(&entry->begin, 0, begin);
	begin = *(volatile __u64 *)&entry->begin;
	for (__u32 i = 0; i < WEIR_XDP_MAX_COPIES && i < count; i++) {
		struct weir_xdp_will_lane *lane = weir_lane_of(lines, attachments + i, partition);

		if (lane != NULL)
			*(volatile __u64 *)&lane->begin = begin;
	}
	return 0;
}

/* The lane is the session's, which lives and wants to be sent something. False: counted. */
static __always_inline int weir_may_go_on(const struct weir_xdp_will_lane *lane,
	struct weir_xdp_will_session *session, __u32 slot, const struct weir_native_out *out,
	struct weir_xdp_group_counters *counters, struct weir_xdp_consumer_counters *own)
{
	__u64 number = *(volatile const __u64 *)&lane->session, heard;

	heard = *(volatile __u64 *)&session->heard_ns;
	if (heard < out->orphaned_ns)
		heard = out->orphaned_ns;
	if (number == 0 || number != *(volatile __u64 *)&session->session ||
		lane->consumer != slot ||
		(__s64)(bpf_ktime_get_ns() - heard) > (__s64)session->liveness_ns) {
		counters->native++;
		return 0;
	}
	if (session->is_paused) {
		counters->closed++;
		own->closed++;
		return 0;
	}
	return 1;
}

/* One message of so many bytes within what the consumer has granted. */
static __always_inline int weir_take_credit(struct weir_xdp_will_session *session, __u64 bytes)
{
	__u64 used = __sync_fetch_and_add(&session->leased_messages, 1);

	if ((__s64)(*(volatile __u64 *)&session->limit_messages - used) < 1) {
		__sync_fetch_and_add(&session->leased_messages, -1ull);
		return 0;
	}
	used = __sync_fetch_and_add(&session->leased_bytes, bytes);
	if ((__s64)(*(volatile __u64 *)&session->limit_bytes - used) >= (__s64)bytes)
		return 1;
	__sync_fetch_and_add(&session->leased_bytes, -bytes);
	__sync_fetch_and_add(&session->leased_messages, -1ull);
	return 0;
}

/*
 * What goes into the new datagram of the old headers. The payload's sum is the old checksum less
 * what it covered besides; without one there is none in the new datagram either.
 */
static __always_inline int weir_read_native(struct xdp_md *context,
	const struct weir_packet *headers, int wants_source, struct weir_native_out *out)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	const __u8 *end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	const __u8 *ip = data + WEIR_BOUND(headers->l3_offset);
	const __u8 *udp = data + WEIR_BOUND(headers->l4_offset);
	struct weir_native_head *head = &out->head;
	__u64 sum;

	if (udp + WEIR_UDP_SIZE > end)
		return 0;
	out->old.checksum = *(const weir_quarter *)(udp + 6);
	head->source_port = wants_source ? *(const weir_quarter *)udp : 0;
	sum = (__u16)~out->old.checksum;
	sum += (__u16) ~*(const weir_quarter *)udp;
	sum += (__u16) ~*(const weir_quarter *)(udp + 2);
	sum += 2ull * (__u16) ~*(const weir_quarter *)(udp + 4);
	sum += (__u16)~weir_swap(WEIR_PROTOCOL_UDP);
	if (headers->ip_version == 6) {
		if (ip + WEIR_IPV6_SIZE > end)
			return 0;
		head->tos = (__u8)(weir_load16be(ip) >> 4);
		for (int i = 0; i < 4; i++) {
			head->source[i] = *(const weir_half *)(ip + 8 + i * 4);
			sum += (__u32)~head->source[i];
			sum += (__u32) ~*(const weir_half *)(ip + 24 + i * 4);
		}
	} else {
		if (ip + WEIR_IPV4_SIZE > end)
			return 0;
		head->tos = ip[1];
		head->source[0] = *(const weir_half *)(ip + 12);
		sum += (__u32)~head->source[0];
		sum += (__u32) ~*(const weir_half *)(ip + 16);
	}
	out->old.changed = sum;
	return 1;
}

static __always_inline int weir_put_headers(struct xdp_md *context,
	const struct weir_xdp_consumer *consumer, const struct weir_old *old, __u32 payload_length)
{
	switch (consumer->header_length) {
	case 42:
		return weir_write_headers(context, consumer, old, payload_length, 42);
	case 46:
		return weir_write_headers(context, consumer, old, payload_length, 46);
	case 62:
		return weir_write_headers(context, consumer, old, payload_length, 62);
	case 66:
		return weir_write_headers(context, consumer, old, payload_length, 66);
	default:
		return 0;
	}
}

/*
 * The consumer's headers and the head in front of what follows the first `begin` bytes of the
 * packet; behind that nothing is left but padding. `total`: of the datagram. False: spoilt.
 */
static __always_inline int weir_put(
	struct xdp_md *context, struct weir_native_out *out, __u32 slot, __u32 begin, __u32 total)
{
	struct weir_xdp_consumer *consumer;
	__u32 size, length;

	if (out == NULL)
		return 0;
	consumer = bpf_map_lookup_elem(&consumers, &slot);
	if (consumer == NULL)
		return 0;
	size = out->head_size;
	length = consumer->header_length;
	if (length > WEIR_XDP_HEADER)
		return 0;
	/* It is so already; the verifier has to see it. */
	size = ((size - 4) & 0x7c) + 4;
	WEIR_STEPPING(size);
	if (out->padding != 0 && bpf_xdp_adjust_tail(context, (int)out->padding) != 0)
		return 0;
	if (bpf_xdp_adjust_head(context, (int)begin - (int)(length + size)) != 0)
		return 0;
	if (out->old.checksum != 0) {
		out->old.changed +=
			(__u32)bpf_csum_diff(NULL, 0, (__be32 *)(void *)&out->head, size, 0);
		out->old.changed += weir_swap(WEIR_PROTOCOL_UDP);
		out->old.changed += 2ull * weir_swap(total + WEIR_UDP_SIZE);
		out->old.checksum = 0xffff; /* of nothing: all is in `changed` */
	}
	out->old.fragment = weir_swap(0x4000);
	return weir_put_headers(context, consumer, &out->old, total) &&
	       bpf_xdp_store_bytes(context, length, &out->head, size) == 0;
}

static __always_inline void weir_fill_head(struct weir_native_head *head,
	const struct weir_xdp_will_lane *lane, const struct weir_xdp_will_session *session,
	const struct weir_found *found)
{
	head->magic = weir_swap(0x5752);
	head->version = 1;
	head->frame_count = weir_swap(1);
	head->session = __builtin_bswap64(session->session);
	head->type = 8;           /* WEIR_FRAME_DATA */
	head->frame_flags = 0x02; /* WEIR_DATA_DEGRADED */
	head->stream = weir_swap(lane->stream);
	head->partition = weir_swap(lane->partition);
	head->epoch = __builtin_bswap32(lane->epoch);
	head->covered = __builtin_bswap32(1);
	/* Who knows the lane sees where the gateway's numbers end. */
	head->first = __builtin_bswap64(
		lane->messages != 0 && lane->begin != 0 ? lane->begin : lane->first);
	head->time_left_us = __builtin_bswap32(lane->deadline_us);
	head->count = weir_swap(1);
	head->length = weir_swap(found->headers.payload_length);
	head->flags = 0x04; /* WEIR_MESSAGE_DEGRADED */
	if (session->wants_source)
		head->flags |= found->headers.ip_version == 6 ? 0x03 : 0x01;
}

/* Where the lane's consumer stands now: the program has sent it all up to here, and no more. */
static __always_inline void weir_note_end(struct weir_xdp_will_lane *lane, __u64 end)
{
	__u64 old = *(volatile __u64 *)&lane->end;

	for (int i = 0; i < 4 && old < end; i++) {
		__u64 seen = __sync_val_compare_and_swap(&lane->end, old, end);

		if (seen == old)
			return;
		old = seen;
	}
}

/* Fits a packet, and a datagram of the session; how long that is, else 0 and counted. */
static __always_inline __u32 weir_native_total(const struct weir_found *found,
	const struct weir_xdp_consumer *consumer, const struct weir_xdp_will_session *session,
	struct weir_native_out *out, struct weir_xdp_group_counters *counters,
	struct weir_xdp_consumer_counters *own)
{
	__u32 length = found->headers.payload_length, total;

	out->head_size = WEIR_NATIVE_FIXED;
	if (session->wants_source)
		out->head_size += found->headers.ip_version == 6 ? 16 : 4;
	total = (out->head_size + length + 7) & ~7u;
	out->padding = total - out->head_size - length;
	if (total > session->max_datagram || total > consumer->max_payload ||
		consumer->max_payload < WEIR_NATIVE_LEAST) {
		counters->too_big++;
		own->too_big++;
		return 0;
	}
	return total;
}

/* The frame of a packet that may be sent, has its credit and its device. 1: as it goes. */
static __always_inline int weir_native_frame(struct xdp_md *context, struct weir_found *found,
	const struct weir_copy *copy, struct weir_xdp_will_lane *lane,
	struct weir_xdp_will_session *session, struct weir_native_out *out, __u32 total)
{
	__u32 begin = (__u32)WEIR_BOUND(found->headers.l4_offset) + WEIR_UDP_SIZE;
	__u32 length = found->headers.payload_length, end = begin + length;

	if (found->length > end && bpf_xdp_adjust_tail(context, -(int)(found->length - end)) != 0)
		return 0;
	weir_fill_head(&out->head, lane, session, found);
	out->head.frame_length = weir_swap(total - 16);
	out->head.seq = __builtin_bswap64(copy->seq);
	out->head.ingest_ns = __builtin_bswap64(bpf_ktime_get_ns() + (__u64)out->wall_offset);
	out->head.messages =
		__builtin_bswap64(lane->messages + __sync_fetch_and_add(&lane->sent, 1));
	out->head.bytes =
		__builtin_bswap64(lane->bytes + __sync_fetch_and_add(&lane->sent_bytes, length));
	return weir_put(context, out, copy->consumer, begin, total);
}

/* Counted as received, and let through by sampling and filter: 1. A stage for the stack's sake. */
__attribute__((noinline)) int weir_stage_wanted(
	struct xdp_md *context, struct weir_found *found, struct weir_copy *copy)
{
	struct weir_xdp_group_counters *counters;
	__u32 key;

	if (found == NULL || copy == NULL)
		return 0;
	key = copy->attachment.slot;
	counters = bpf_map_lookup_elem(&group_counters, &key);
	if (counters == NULL)
		return 0;
	counters->received += copy->is_only;
	if (copy->consumer == WEIR_XDP_NOBODY) {
		counters->no_consumer++;
		return 0;
	}
	return weir_is_wanted(context, found, &copy->attachment, counters);
}

/*
 * Before any of it is spent: the packet's own headers can be read, and what is to be sent of it can
 * be. How long the datagram will be; 0: counted.
 */
static __always_inline __u32 weir_native_check(struct xdp_md *context,
	const struct weir_found *found, const struct weir_xdp_consumer *consumer,
	const struct weir_xdp_will_session *session, struct weir_native_out *out,
	struct weir_xdp_group_counters *counters, struct weir_xdp_consumer_counters *own)
{
	__u32 total;

	if (!weir_is_linear(context, found->length)) {
		counters->copies++;
		return 0;
	}
	total = weir_native_total(found, consumer, session, out, counters, own);
	if (total == 0)
		return 0;
	if (!weir_read_native(context, &found->headers, session->wants_source, out)) {
		counters->failed++;
		return 0;
	}
	if (out->old.checksum == 0 && consumer->ip_version == 6) {
		counters->checksum++;
		own->checksum++;
		return 0;
	}
	return total;
}

/* Its rate and its credit. False: counted. */
static __always_inline int weir_native_pay(const struct weir_found *found,
	struct weir_xdp_buckets *tokens, struct weir_xdp_will_session *session,
	struct weir_xdp_group_counters *counters, struct weir_xdp_consumer_counters *own)
{
	__u32 bytes = found->headers.payload_length + WEIR_UDP_SIZE +
		      (found->headers.l4_offset - found->headers.l3_offset);

	if (!weir_take_packet(tokens, bytes, found->ticks_offset)) {
		counters->rate++;
		own->rate++;
		return 0;
	}
	if (weir_take_credit(session, found->headers.payload_length))
		return 1;
	counters->credit++;
	return 0;
}

/* The rest of weir_stage_deliver() for a native consumer. */
__attribute__((noinline)) int weir_stage_native(
	struct xdp_md *context, struct weir_found *found, struct weir_copy *copy)
{
	struct weir_native_out *out = weir_new_out();
	struct weir_xdp_consumer_counters *own;
	struct weir_xdp_group_counters *counters;
	struct weir_xdp_will_session *session;
	struct weir_xdp_consumer *consumer;
	struct weir_xdp_will_lane *lane;
	struct weir_xdp_buckets *tokens;
	__u32 key, version, total;

	if (found == NULL || copy == NULL || out == NULL)
		return XDP_DROP;
	key = copy->attachment.slot;
	counters = bpf_map_lookup_elem(&group_counters, &key);
	key = copy->consumer;
	consumer = bpf_map_lookup_elem(&consumers, &key);
	tokens = bpf_map_lookup_elem(&buckets, &key);
	session = bpf_map_lookup_elem(&will_sessions, &key);
	key += bpf_get_smp_processor_id() * WEIR_XDP_CONSUMERS;
	own = bpf_map_lookup_elem(&consumer_counters, &key);
	if (counters == NULL || consumer == NULL || tokens == NULL || own == NULL ||
		session == NULL)
		return XDP_DROP;
	key = copy->attachment.will - 1 + copy->partition;
	lane = copy->attachment.will != 0 ? bpf_map_lookup_elem(&will_lanes, &key) : NULL;
	if (lane == NULL) {
		counters->native++;
		return XDP_DROP;
	}
	version = *(volatile __u32 *)&consumer->version;
	if (!weir_is_open(consumer, version, 1, counters, own) ||
		!weir_may_go_on(lane, session, copy->consumer, out, counters, own))
		return XDP_DROP;
	total = weir_native_check(context, found, consumer, session, out, counters, own);
	if (total == 0)
		return XDP_DROP;
	if (copy->redirects &&
		bpf_redirect_map(&tx_ports, consumer->port, XDP_DROP) != XDP_REDIRECT) {
		counters->no_consumer++;
		return XDP_DROP;
	}
	if (!weir_native_pay(found, tokens, session, counters, own))
		return XDP_DROP;
	if (!weir_native_frame(context, found, copy, lane, session, out, total) ||
		*(volatile __u32 *)&consumer->version != version) {
		counters->failed++;
		own->failed++;
		return XDP_DROP;
	}
	weir_note_end(lane, copy->seq + 1);
	weir_count_delivered(found->headers.payload_length, counters, own);
	return copy->redirects ? XDP_REDIRECT : XDP_PASS;
}

static __always_inline int weir_deliver_native(
	struct xdp_md *context, struct weir_found *found, struct weir_copy *copy)
{
	return weir_stage_wanted(context, found, copy) ? weir_stage_native(context, found, copy)
						       : XDP_DROP;
}
