/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include "bucket.bpf.h"
#include "rewrite.bpf.h"

/* Delivery without the gateway: to the consumer of one group, or a copy to that of each. */

#define WEIR_CLASS_OF_NATIVE 2 /* as WEIR_CLASS_NATIVE */

/* One group's copy of a packet; the packet's own part is in struct weir_found. */
struct weir_copy {
	struct weir_xdp_attachment attachment;
	__u32 consumer; /* slot */
	__u8 redirects; /* choose the egress device too; else the packet is there already */
	__u8 is_only;   /* of its packet, so it was not counted as received */
	__u16 partition;
	__u64 seq; /* struct weir_xdp_note */
};

/* A native consumer's, and there is no gateway: weir_stage_native() is for it. */
static __always_inline int weir_is_native(const struct weir_copy *copy)
{
	return copy->attachment.class == WEIR_CLASS_OF_NATIVE && copy->seq != 0;
}

/* Sampling and the filter of sources. False: counted. */
static __always_inline int weir_is_wanted(struct xdp_md *context, struct weir_found *found,
	const struct weir_xdp_attachment *attachment, struct weir_xdp_group_counters *counters)
{
	int six = found->headers.ip_version == 6;

	if (attachment->sample > 1 && counters->seen++ % attachment->sample != 0) {
		counters->sampled++;
		return 0;
	}
	if (weir_trie(context, found, six ? attachment->filter6 : attachment->filter4,
		    six ? 8 : 12) != 0)
		return 1;
	counters->filtered++;
	return 0;
}

/* weir_blind_check(), and what cannot be done here. False: counted. */
static __always_inline int weir_fits(const struct weir_found *found, int has_checksum,
	const struct weir_xdp_consumer *consumer, struct weir_xdp_group_counters *counters,
	struct weir_xdp_consumer_counters *own)
{
	if (found->headers.payload_length > consumer->max_payload) {
		counters->too_big++;
		own->too_big++;
		return 0;
	}
	if (consumer->keeps_source && found->headers.ip_version != consumer->ip_version) {
		counters->family++;
		own->family++;
		return 0;
	}
	if (!has_checksum && consumer->ip_version == 6) {
		counters->checksum++;
		own->checksum++;
		return 0;
	}
	return 1;
}

static __always_inline int weir_has_checksum(struct xdp_md *context, const struct weir_found *found)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	const __u8 *end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	const __u8 *udp = data + WEIR_BOUND(found->headers.l4_offset);

	return udp + WEIR_UDP_SIZE <= end && *(const weir_quarter *)(udp + 6) != 0;
}

/* Open, with a route that nobody is writing. False: counted. */
static __always_inline int weir_is_open(const struct weir_xdp_consumer *consumer, __u32 version,
	int serves_native, struct weir_xdp_group_counters *counters,
	struct weir_xdp_consumer_counters *own)
{
	if (consumer->header_length == 0) {
		counters->no_consumer++;
	} else if (consumer->closed != 0) {
		counters->closed++;
		own->closed++;
	} else if (version & 1) {
		counters->failed++;
		own->failed++;
	} else if (consumer->class == WEIR_CLASS_OF_NATIVE && !serves_native) {
		counters->native++;
	} else {
		return 1;
	}
	return 0;
}

static __always_inline void weir_count_delivered(__u32 bytes,
	struct weir_xdp_group_counters *counters, struct weir_xdp_consumer_counters *own)
{
	counters->delivered++;
	counters->delivered_bytes += bytes;
	own->delivered++;
	own->delivered_bytes += bytes;
}

/* One copy: gates, tokens, headers, counters. XDP_REDIRECT or XDP_PASS when done, else XDP_DROP. */
__attribute__((noinline)) int weir_stage_deliver(
	struct xdp_md *context, struct weir_found *found, struct weir_copy *copy)
{
	struct weir_xdp_consumer_counters *own;
	struct weir_xdp_group_counters *counters;
	struct weir_xdp_consumer *consumer;
	struct weir_xdp_buckets *tokens;
	struct weir_packet headers;
	__u32 key, version, bytes;

	if (found == NULL || copy == NULL)
		return XDP_DROP;
	key = copy->attachment.slot;
	counters = bpf_map_lookup_elem(&group_counters, &key);
	if (counters == NULL)
		return XDP_DROP;
	counters->received += copy->is_only;
	key = copy->consumer;
	consumer = bpf_map_lookup_elem(&consumers, &key);
	tokens = bpf_map_lookup_elem(&buckets, &key);
	key += bpf_get_smp_processor_id() * WEIR_XDP_CONSUMERS;
	own = bpf_map_lookup_elem(&consumer_counters, &key);
	if (consumer != NULL && !weir_is_wanted(context, found, &copy->attachment, counters))
		return XDP_DROP;
	if (consumer == NULL || tokens == NULL || own == NULL) {
		counters->no_consumer++;
		return XDP_DROP;
	}
	version = *(volatile __u32 *)&consumer->version;
	if (!weir_is_open(consumer, version, 0, counters, own) ||
		!weir_fits(found, weir_has_checksum(context, found), consumer, counters, own))
		return XDP_DROP;
	if (copy->redirects &&
		bpf_redirect_map(&tx_ports, consumer->port, XDP_DROP) != XDP_REDIRECT) {
		counters->no_consumer++;
		return XDP_DROP;
	}
	/* As it was received: weir_message_l3_bytes(). */
	bytes = found->headers.payload_length + WEIR_UDP_SIZE +
		(found->headers.l4_offset - found->headers.l3_offset);
	if (!weir_take_packet(tokens, bytes, found->ticks_offset)) {
		counters->rate++;
		own->rate++;
		return XDP_DROP;
	}
	headers = found->headers;
	if (!weir_rewrite(context, found->length, &headers, consumer) ||
		*(volatile __u32 *)&consumer->version != version) {
		counters->failed++;
		own->failed++;
		return XDP_DROP;
	}
	weir_count_delivered(headers.payload_length, counters, own);
	return copy->redirects ? XDP_REDIRECT : XDP_PASS;
}
