/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include "maps.bpf.h"

#include "wire/key.h"
#include "wire/parse.h"

/*
 * From a packet to a stream and a partition, by the headers that the gateway uses too. The rules'
 * tables are those of wire/match.h, laid out in lines.
 */

#define WEIR_MATCH_NOTHING 0xffffu /* as WEIR_MATCH_NONE */
#define WEIR_MATCH_FURTHER 0xfffeu /* as WEIR_MATCH_MORE */
#define WEIR_MATCH_ROOM    8       /* for a class of each field, as WEIR_MATCH_FIELDS */

/* What is known of a packet; on the stack. */
struct weir_found {
	struct weir_packet headers;
	__u32 length; /* of the frame, all its buffers */
	__u32 bank;
	__u32 rule;
	__u32 reason; /* enum weir_reason */
	__u64 hash;
	__s64 ticks_offset;
	__u32 classes[WEIR_MATCH_ROOM];
};

static __always_inline union weir_xdp_line *weir_line(void *lines, __u32 number)
{
	return bpf_map_lookup_elem(lines, &number);
}

static __always_inline union weir_xdp_line *weir_front(__u32 bank, __u32 number)
{
	__u32 key = bank * WEIR_XDP_FRONT + number;

	return bpf_map_lookup_elem(&front, &key);
}

static __always_inline __u32 weir_port_rule(__u32 bank, __u32 port)
{
	union weir_xdp_line *at =
		weir_front(bank, WEIR_XDP_FRONT_PORTS + port / WEIR_XDP_LINE_CELLS);

	return at != NULL ? at->cells[port % WEIR_XDP_LINE_CELLS] : WEIR_MATCH_NOTHING;
}

static __always_inline __u32 weir_cell(void *lines, __u32 line, __u32 index)
{
	union weir_xdp_line *at = weir_line(lines, line + index / WEIR_XDP_LINE_CELLS);

	return at != NULL ? at->cells[index % WEIR_XDP_LINE_CELLS] : 0;
}

/*
 * The stages are functions of their own, which the verifier looks at once each: what it knows of
 * the packet after all the ways through one does not multiply with those through the next.
 */

/*
 * The usual packet, as weir_parse_frame() knows it, whole in the first buffer. UDP, or anything
 * else: walk. No function of its own: for most packets the call would cost more than what it does.
 */
static __always_inline int weir_parse_usual(struct xdp_md *context, struct weir_found *found)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	const __u8 *end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	__u32 length = *(volatile __u32 *)&context->data_end - *(volatile __u32 *)&context->data;

	if (!weir_parse_plain(data, end, length, 0, &found->headers))
		return WEIR_PARSE_KERNEL;
	return WEIR_PARSE_UDP;
}

/* The walk of parse_headers.h in pieces. enum weir_parse_result. */
__attribute__((noinline)) int weir_stage_walk4(struct xdp_md *context, struct weir_found *found)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	const __u8 *end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	enum weir_reason reason = WEIR_REASON_NONE;
	struct weir_packet headers;
	struct weir_parse_at at;
	int result;

	if (found == NULL)
		return WEIR_PARSE_KERNEL;
	headers = found->headers;
	at.next = data + WEIR_BOUND(headers.l3_offset);
	at.end = end;
	at.room = found->length - WEIR_BOUND(headers.l3_offset);
	headers.ip_version = 4;
	result = weir_parse_ipv4(&at, 0, &headers, &reason);
	headers.l4_offset = (__u16)(at.next - data);
	found->headers = headers;
	found->reason = reason;
	return result;
}

/* A place behind the fixed IPv6 header, in memory so that the verifier takes it as it comes. */
struct weir_chain {
	__u32 offset; /* in the frame */
	__u32 room;
	__u32 fragment_bits;
	__u32 reason;
	__u8 protocol;
	__u8 pad[7];
};

/* One extension header. enum weir_parse_result: UDP to go on. */
__attribute__((noinline)) int weir_stage_extension(struct xdp_md *context, struct weir_chain *chain)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	enum weir_reason reason = WEIR_REASON_NONE;
	unsigned int fragment_bits;
	struct weir_parse_at at;
	uint8_t protocol;
	int result;

	if (chain == NULL)
		return WEIR_PARSE_KERNEL;
	at.next = data + WEIR_BOUND(chain->offset);
	at.end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	at.room = chain->room;
	protocol = chain->protocol;
	fragment_bits = chain->fragment_bits;
	result = weir_parse_extension(&at, &protocol, &fragment_bits, &reason);
	chain->offset = (__u32)(at.next - data);
	chain->room = at.room;
	chain->protocol = protocol;
	chain->fragment_bits = fragment_bits;
	chain->reason = reason;
	return result;
}

/* The fixed header. enum weir_parse_result. */
__attribute__((noinline)) int weir_stage_ipv6(
	struct xdp_md *context, struct weir_found *found, struct weir_chain *chain)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	struct weir_parse_at at;
	const __u8 *ip;

	if (found == NULL || chain == NULL)
		return WEIR_PARSE_KERNEL;
	at.end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	at.next = ip = data + WEIR_BOUND(found->headers.l3_offset);
	at.room = found->length - WEIR_BOUND(found->headers.l3_offset);
	found->reason = weir_parse_ipv6_header(&at);
	if (found->reason != WEIR_REASON_NONE)
		return WEIR_PARSE_DROP;
	if (ip + WEIR_IPV6_SIZE > at.end)
		return WEIR_PARSE_KERNEL;
	chain->offset = (__u32)(at.next - data);
	chain->room = at.room;
	chain->protocol = ip[6];
	return WEIR_PARSE_UDP;
}

/* The UDP header at the chain's end. enum weir_parse_result. */
__attribute__((noinline)) int weir_stage_udp6(
	struct xdp_md *context, struct weir_found *found, struct weir_chain *chain)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	enum weir_reason reason = WEIR_REASON_NONE;
	struct weir_packet headers;
	struct weir_parse_at at;
	const __u8 *ip;
	int result;

	if (found == NULL || chain == NULL)
		return WEIR_PARSE_KERNEL;
	headers = found->headers;
	at.end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	ip = data + WEIR_BOUND(headers.l3_offset);
	at.next = data + WEIR_BOUND(chain->offset);
	WEIR_STEPPING(at.next);
	at.room = chain->room;
	if (ip + WEIR_IPV6_SIZE > at.end)
		return WEIR_PARSE_KERNEL;
	result = weir_parse_udp6(ip, &at, 0, &headers, &reason);
	headers.l4_offset = (__u16)chain->offset;
	headers.ip_version = 6;
	found->headers = headers;
	found->reason = reason;
	return result;
}

/* weir_parse_ipv6(), in steps. */
static __always_inline int weir_walk6(struct xdp_md *context, struct weir_found *found)
{
	struct weir_chain chain = {0};
	int result = weir_stage_ipv6(context, found, &chain);

	for (int count = 0; count < WEIR_IPV6_EXTENSION_MAX && result == WEIR_PARSE_UDP; count++) {
		if (!weir_parse_is_extension(chain.protocol))
			break;
		if (chain.protocol == WEIR_PROTOCOL_HOPOPTS && count > 0) {
			found->reason = WEIR_REASON_IPV6_EXTENSION;
			return WEIR_PARSE_DROP;
		}
		result = weir_stage_extension(context, &chain);
		found->reason = chain.reason;
	}
	if (result != WEIR_PARSE_UDP)
		return result;
	if (weir_parse_is_extension(chain.protocol)) {
		found->reason = WEIR_REASON_IPV6_EXTENSION_COUNT;
		return WEIR_PARSE_DROP;
	}
	if (chain.protocol != WEIR_PROTOCOL_UDP)
		return WEIR_PARSE_KERNEL;
	if (chain.fragment_bits != 0) {
		found->reason = WEIR_REASON_IPV6_FRAGMENT;
		return WEIR_PARSE_DROP;
	}
	return weir_stage_udp6(context, found, &chain);
}

__attribute__((noinline)) int weir_stage_walk(struct xdp_md *context, struct weir_found *found)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	const __u8 *end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	struct weir_packet headers = {0};
	struct weir_parse_at at = {data, end, 0};
	uint16_t type = 0;

	if (found == NULL)
		return WEIR_PARSE_KERNEL;
	at.room = found->length;
	found->reason = weir_parse_link(&at, &headers, &type);
	if (found->reason != WEIR_REASON_NONE)
		return WEIR_PARSE_DROP;
	headers.l3_offset = (__u16)(at.next - data);
	found->headers = headers;
	if (type == WEIR_ETHERTYPE_IPV4)
		return 4 << 8;
	return type == WEIR_ETHERTYPE_IPV6 ? 6 << 8 : WEIR_PARSE_KERNEL;
}

/* The plain packet of parse.h, or the walk. enum weir_parse_result. */
static __always_inline int weir_parse_stages(struct xdp_md *context, struct weir_found *found)
{
	int result;

	result = weir_parse_usual(context, found);
	if (result == WEIR_PARSE_UDP)
		return result;
	found->length = (__u32)bpf_xdp_get_buff_len(context);
	result = weir_stage_walk(context, found);
	if (result == 4 << 8)
		return weir_stage_walk4(context, found);
	if (result == 6 << 8)
		return weir_walk6(context, found);
	return result;
}

/* The value at the longest prefix of the address at `offset` in the IP header. */
__attribute__((noinline)) int weir_stage_trie(
	struct xdp_md *context, struct weir_found *found, __u32 entry, __u32 offset)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	const __u8 *end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	const __u8 *address;
	void *lines;
	__u32 bank;

	if (found == NULL)
		return 0;
	bank = found->bank;
	lines = bpf_map_lookup_elem(&generations, &bank);
	if (lines == NULL)
		return 0;
	address = data + WEIR_BOUND(found->headers.l3_offset + offset);
	for (int i = 0; i < 16 && !(entry & WEIR_XDP_LEAF); i++) {
		union weir_xdp_line *at;
		__u32 byte;

		WEIR_STEPPING(address);
		if (address + 1 > end)
			return 0;
		byte = *address++;
		at = weir_line(lines, entry + byte / WEIR_XDP_LINE_WORDS);
		if (at == NULL)
			return 0;
		entry = at->words[byte % WEIR_XDP_LINE_WORDS];
	}
	return (int)(entry & ~WEIR_XDP_LEAF);
}

/* A leaf needs no walk. */
static __always_inline __u32 weir_trie(
	struct xdp_md *context, struct weir_found *found, __u32 entry, __u32 offset)
{
	if (entry & WEIR_XDP_LEAF)
		return entry & ~WEIR_XDP_LEAF;
	return (__u32)weir_stage_trie(context, found, entry, offset);
}

/* Where the planes' steps stand. */
struct weir_walk {
	struct weir_found *found;
	__u32 first;
	__u32 result; /* class of the fields so far */
	__u32 best;   /* lowest rule so far */
};

/* One step: the class so far and that of the step's field, to the class of both. */
static long weir_step(__u32 index, void *context)
{
	struct weir_walk *walk = context;
	__u32 bank = walk->found->bank, class;
	const struct weir_xdp_step *step;
	union weir_xdp_line *at;
	void *lines;

	lines = bpf_map_lookup_elem(&generations, &bank);
	if (lines == NULL)
		return 1;
	at = weir_line(lines, walk->first + index / WEIR_XDP_LINE_STEPS);
	if (at == NULL)
		return 1;
	step = &at->steps[index % WEIR_XDP_LINE_STEPS];
	class = walk->found->classes[step->field % WEIR_MATCH_ROOM];
	if (step->map != 0)
		class = weir_cell(lines, step->map, class);
	if (step->table != 0)
		class = weir_cell(lines, step->table, walk->result * step->width + class);
	walk->result = class;
	if (step->is_last && class < walk->best)
		walk->best = class;
	return 0;
}

/* Run the planes over the classes; the lowest rule wins. Into found->rule. */
__attribute__((noinline)) int weir_stage_steps(struct weir_found *found, __u32 first, __u32 count)
{
	struct weir_walk walk = {.found = found, .first = first};

	if (found == NULL)
		return 0;
	walk.best = found->rule;
	if (count == 1)
		weir_step(0, &walk);
	else
		bpf_loop(count < WEIR_XDP_MAX_STEPS ? count : WEIR_XDP_MAX_STEPS, weir_step, &walk,
			0);
	found->rule = walk.best;
	return 0;
}

/* By the planes of classes; into found->rule. */
static __always_inline void weir_match_planes(
	struct xdp_md *context, struct weir_found *found, const struct weir_xdp_head *head)
{
	__u32 six = found->headers.ip_version == 6;
	__u32 destination = six ? 24 : 16, source = six ? 8 : 12, bank = found->bank;
	void *lines = bpf_map_lookup_elem(&generations, &bank);

	found->rule = WEIR_MATCH_NOTHING;
	if (lines == NULL)
		return;
	found->classes[0] = head->port_classes == 0 ? 0
						    : weir_cell(lines, head->port_classes,
							      found->headers.destination_port);
	found->classes[1] = head->vlan_classes == 0
				    ? 0
				    : weir_cell(lines, head->vlan_classes, found->headers.vlan);
	found->classes[2] =
		head->outer_vlan_classes == 0
			? 0
			: weir_cell(lines, head->outer_vlan_classes, found->headers.outer_vlan);
	found->classes[3] = weir_trie(
		context, found, six ? head->destination6 : head->destination4, destination);
	found->classes[4] = weir_trie(context, found, six ? head->source6 : head->source4, source);
	found->rule = head->always;
	if (head->step_count != 0)
		weir_stage_steps(found, head->steps, head->step_count);
}

/* The stream's index, or WEIR_MATCH_NOTHING; into found->rule. 1: for an own address. */
static __always_inline int weir_match(
	struct xdp_md *context, struct weir_found *found, const struct weir_xdp_head *head)
{
	__u32 six = found->headers.ip_version == 6;

	if (head->native_port != 0 && found->headers.destination_port == head->native_port &&
		weir_trie(context, found, six ? head->own6 : head->own4, six ? 24 : 16) != 0)
		return 1;
	found->rule = weir_port_rule(found->bank, found->headers.destination_port);
	if (found->rule == WEIR_MATCH_FURTHER)
		weir_match_planes(context, found, head);
	return 0;
}

static __always_inline int weir_key(struct xdp_md *context, struct weir_found *found,
	__u32 kind_length, __u32 offset, const __u8 version)
{
	const __u8 *data = (const __u8 *)(long)*(volatile __u32 *)&context->data;
	const __u8 *end = (const __u8 *)(long)*(volatile __u32 *)&context->data_end;
	struct weir_key_spec spec = {
		.kind = (__u8)(kind_length >> 8),
		.length = (__u8)kind_length,
		.offset = (__u16)offset,
	};
	struct weir_packet headers;
	uint64_t hash = 0;
	int reason;

	if (found == NULL)
		return WEIR_REASON_KEY_TRUNCATED;
	headers = found->headers;
	headers.ip_version = version;
	reason = weir_key_hash(&spec, data, end, &headers, &hash);
	found->hash = hash;
	return reason;
}

/*
 * enum weir_reason; the hash into found->hash. One function for each version, or the verifier loses
 * sight of which header it has seen.
 */
__attribute__((noinline)) int weir_stage_key4(
	struct xdp_md *context, struct weir_found *found, __u32 kind_length, __u32 offset)
{
	return weir_key(context, found, kind_length, offset, 4);
}

__attribute__((noinline)) int weir_stage_key6(
	struct xdp_md *context, struct weir_found *found, __u32 kind_length, __u32 offset)
{
	return weir_key(context, found, kind_length, offset, 6);
}
