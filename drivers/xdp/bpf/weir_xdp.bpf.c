/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#include "fan.bpf.h"
#include "gate.bpf.h"
#include "session.bpf.h"

/*
 * The program of an XDP port. What is not for a stream is the kernel's; what is goes to the gateway
 * while it lives (gate.bpf.h), and is delivered here while it does not.
 */

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, WEIR_XDP_MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_MAX_QUEUES);
	__type(key, __u32);
	__type(value, struct weir_xdp_queue_state);
} queues SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weir_xdp_settings);
} settings SEC(".maps");

/* Where a packet stands, besides what is found in it. */
struct weir_way {
	struct weir_xdp_current *now;
	volatile struct weir_xdp_queue_state *state;
};

/*
 * The gateway that wrote the tables had the queue, and is dead. Not so while it stalls: when it
 * goes on it has messages in hand under numbers that would be given out here too.
 */
static __always_inline int weir_is_orphaned(
	struct weir_xdp_current *now, volatile struct weir_xdp_queue_state *state)
{
	__u32 armed = state->armed;

	if (armed == 0 || armed != state->tripped ||
		state->instance != *(volatile __u32 *)&now->instance || !weir_gate_is_dead(state))
		return 0;
	if (*(volatile __u64 *)&now->orphaned_ns == 0)
		*(volatile __u64 *)&now->orphaned_ns = bpf_ktime_get_ns();
	return 1;
}

/* True: the gateway has the packet. */
static __always_inline int weir_goes_up(volatile struct weir_xdp_queue_state *state, __u32 queue)
{
	volatile const struct weir_xdp_settings *port;
	__u32 zero = 0;

	port = bpf_map_lookup_elem(&settings, &zero);
	if (port == NULL || !weir_gate_admits(state, port))
		return 0;
	if (bpf_redirect_map(&xsks, queue, XDP_DROP) == XDP_REDIRECT) {
		state->redirected++;
		return 1;
	}
	weir_gate_trip(state, state->armed, WEIR_XDP_TRIP_SOCKET);
	return 0;
}

static __always_inline int weir_drop_malformed(__u32 reason)
{
	__u64 *counter = bpf_map_lookup_elem(&drop_counters, &reason);

	if (counter != NULL)
		(*counter)++;
	return XDP_DROP;
}

static __always_inline void weir_count_key(struct weir_xdp_stream_counters *counters, int reason)
{
	if (reason == WEIR_REASON_KEY_TRUNCATED)
		counters->key_truncated++;
	else if (reason == WEIR_REASON_KEY_VERSION)
		counters->key_version++;
	else
		counters->key_malformed++;
}

#define WEIR_ONE_COPY (-1)

/*
 * To several groups' consumers. An XDP verdict, or, when only one of them has a consumer, that
 * `copy` is to be delivered.
 */
static __always_inline int weir_to_groups(struct xdp_md *context, struct weir_found *found,
	void *lines, const struct weir_xdp_stream *stream, __u32 lanes, struct weir_copy *copy)
{
	struct weir_xdp_note note = {
		.magic = WEIR_XDP_NOTE,
		.bank = found->bank,
		.lanes = lanes + 1,
		.attachments = stream->attachments,
		.count = stream->attachment_count,
		.l3_offset = found->headers.l3_offset,
		.l4_offset = found->headers.l4_offset,
		.payload_length = found->headers.payload_length,
		.ip_version = found->headers.ip_version,
		.seq = copy->seq,
		.partition = copy->partition,
	};
	struct weir_expected expected = {0};
	__u32 map = weir_target(lines, lanes), live;

	live = weir_count_groups(
		lines, &note, map != 0 && weir_is_linear(context, found->length), copy, &expected);
	if (live == 0)
		return XDP_DROP;
	if (live == 1)
		return WEIR_ONE_COPY;
	return weir_fan_out(context, &note,
		found->bank * WEIR_XDP_COPY_MAPS + (map - 1) % WEIR_XDP_COPY_MAPS, &expected);
}

/*
 * The message's number, when the gateway is dead; else 0, and native consumers are told later that
 * they missed it. Queues on several CPUs feed a partition.
 */
static __always_inline __u64 weir_number(const struct weir_found *found, const struct weir_way *way,
	const struct weir_xdp_stream *stream, __u32 partition)
{
	__u32 key = stream->missed - 1 + partition;
	struct weir_xdp_missed *entry;
	__u64 begin;

	if (stream->missed == 0)
		return 0;
	entry = bpf_map_lookup_elem(&missed, &key);
	if (entry == NULL)
		return 0;
	if (weir_is_orphaned(way->now, way->state)) {
		begin = *(volatile __u64 *)&entry->begin;
		if (begin == 0) {
			weir_stage_begin(found->bank, key, partition, stream->attachments,
				stream->attachment_count);
			begin = *(volatile __u64 *)&entry->begin;
		}
		if (begin != 0)
			return begin + __sync_fetch_and_add(&entry->given, 1);
	}
	__sync_fetch_and_add(&entry->count, 1);
	return 0;
}

/* To the partition's consumers. An XDP verdict. */
static __always_inline int weir_to_partition(struct xdp_md *context, struct weir_found *found,
	void *lines, const struct weir_way *way, const struct weir_xdp_stream *stream,
	struct weir_xdp_stream_counters *counters)
{
	__u32 partition = (__u32)((found->hash >> 32) * stream->partitions >> 32);
	struct weir_copy copy = {.redirects = 1, .partition = (__u16)partition};
	__u32 count = stream->attachment_count, lanes;
	int verdict = WEIR_ONE_COPY;

	counters->unserved += stream->unserved;
	copy.seq = weir_number(found, way, stream, partition);
	if (count == 0) {
		counters->no_group++;
		return XDP_DROP;
	}
	lanes = stream->lanes * WEIR_XDP_LINE_WORDS + partition * (count + 1);
	if (count == 1) {
		copy.attachment = stream->first;
		copy.consumer = weir_target(lines, lanes + 1);
		copy.is_only = 1;
	} else {
		verdict = weir_to_groups(context, found, lines, stream, lanes, &copy);
	}
	if (verdict == WEIR_ONE_COPY)
		verdict = weir_is_native(&copy) ? weir_deliver_native(context, found, &copy)
						: weir_stage_deliver(context, found, &copy);
	if (verdict == XDP_REDIRECT)
		counters->forwarded++;
	else
		counters->refused++;
	return verdict;
}

static __always_inline int weir_to_stream(struct xdp_md *context, struct weir_found *found,
	void *lines, const struct weir_way *way, const union weir_xdp_line *line)
{
	struct weir_xdp_stream_counters *counters;
	__u32 slot, kind;
	int reason;

	slot = line->stream.slot;
	counters = bpf_map_lookup_elem(&stream_counters, &slot);
	if (counters == NULL)
		return XDP_DROP;
	counters->received++;
	counters->received_bytes += found->headers.payload_length;
	kind = (__u32)line->stream.key_kind << 8 | line->stream.key_length;
	reason = found->headers.ip_version == 6
			 ? weir_stage_key6(context, found, kind, line->stream.key_offset)
			 : weir_stage_key4(context, found, kind, line->stream.key_offset);
	if (reason != WEIR_REASON_NONE) {
		weir_count_key(counters, reason);
		return XDP_DROP;
	}
	return weir_to_partition(context, found, lines, way, &line->stream, counters);
}

SEC("xdp.frags")
int weir_ingress(struct xdp_md *context)
{
	__u32 queue = context->rx_queue_index, zero = 0;
	volatile struct weir_xdp_queue_state *state;
	struct weir_xdp_current *now;
	struct weir_found found = {0};
	union weir_xdp_line *line;
	struct weir_way way;
	int result, is_own = 0, stays = 0;
	void *lines;

	now = bpf_map_lookup_elem(&current, &zero);
	state = bpf_map_lookup_elem(&queues, &queue);
	if (now == NULL || state == NULL)
		return XDP_PASS;
	found.bank = *(volatile __u32 *)&now->bank;
	found.ticks_offset = now->ticks_offset;
	line = weir_front(found.bank, WEIR_XDP_FRONT_HEAD);
	if (line == NULL)
		return XDP_PASS;
	result = weir_parse_stages(context, &found);
	if (result == WEIR_PARSE_UDP) {
		is_own = weir_match(context, &found, &line->head);
		if (!is_own) {
			if (found.rule == WEIR_MATCH_NOTHING)
				return XDP_PASS;
			line = weir_front(found.bank, WEIR_XDP_FRONT_STREAMS + found.rule);
			if (line == NULL)
				return XDP_PASS;
			stays = line->stream.in_kernel;
		}
	} else if (result == WEIR_PARSE_KERNEL) {
		return XDP_PASS;
	}
	if (!stays && weir_goes_up(state, queue))
		return XDP_REDIRECT;
	if (result == WEIR_PARSE_DROP)
		return weir_drop_malformed(found.reason);
	found.length = (__u32)bpf_xdp_get_buff_len(context);
	if (is_own)
		return weir_is_orphaned(now, state) ? weir_stage_session(context, &found)
						    : XDP_PASS;
	lines = bpf_map_lookup_elem(&generations, &found.bank);
	if (lines == NULL)
		return XDP_PASS;
	state->in_kernel++;
	way.now = now;
	way.state = state;
	return weir_to_stream(context, &found, lines, &way, line);
}

SEC("xdp.frags/devmap")
int weir_egress(struct xdp_md *context)
{
	int verdict = weir_leave(context);
	__u32 zero = 0;
	__u64 *kept;

	if (verdict == XDP_DROP) {
		kept = bpf_map_lookup_elem(&kept_back, &zero);
		if (kept != NULL)
			(*kept)++;
	}
	return verdict;
}

char _license[] SEC("license") = "Dual BSD/GPL";
