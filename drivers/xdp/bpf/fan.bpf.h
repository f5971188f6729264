/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include "native.bpf.h"

/*
 * A packet for several groups: XDP can clone one only by broadcasting it to all devices of a map.
 * So each generation has a few maps with the devices that its partitions' consumers are behind, one
 * entry for each of them. A device runs one program for all that is sent to it in a burst, so each
 * device has the same one, in every map. It knows a clone by the note in front of it. The clones of
 * a packet come to a device one after another, so the j-th is for the j-th consumer behind it.
 */

#define WEIR_COPY_MAP(name)                                                                        \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_DEVMAP);                                                 \
		__uint(max_entries, WEIR_XDP_COPY_ENTRIES);                                        \
		__type(key, __u32);                                                                \
		__type(value, struct bpf_devmap_val);                                              \
	} name SEC(".maps")

WEIR_COPY_MAP(copies_0);
WEIR_COPY_MAP(copies_1);
WEIR_COPY_MAP(copies_2);
WEIR_COPY_MAP(copies_3);
WEIR_COPY_MAP(copies_4);
WEIR_COPY_MAP(copies_5);
WEIR_COPY_MAP(copies_6);
WEIR_COPY_MAP(copies_7);

static __always_inline long weir_broadcast(__u32 map)
{
	switch (map) {
	case 0:
		return bpf_redirect_map(&copies_0, 0, BPF_F_BROADCAST);
	case 1:
		return bpf_redirect_map(&copies_1, 0, BPF_F_BROADCAST);
	case 2:
		return bpf_redirect_map(&copies_2, 0, BPF_F_BROADCAST);
	case 3:
		return bpf_redirect_map(&copies_3, 0, BPF_F_BROADCAST);
	case 4:
		return bpf_redirect_map(&copies_4, 0, BPF_F_BROADCAST);
	case 5:
		return bpf_redirect_map(&copies_5, 0, BPF_F_BROADCAST);
	case 6:
		return bpf_redirect_map(&copies_6, 0, BPF_F_BROADCAST);
	default:
		return bpf_redirect_map(&copies_7, 0, BPF_F_BROADCAST);
	}
}

static __always_inline __u32 weir_target(void *lines, __u32 index)
{
	union weir_xdp_line *at = weir_line(lines, index / WEIR_XDP_LINE_WORDS);

	return at != NULL ? at->words[index % WEIR_XDP_LINE_WORDS] : WEIR_XDP_NOBODY;
}

static __always_inline struct weir_xdp_under_way *weir_place(__u64 packet)
{
	__u32 key = bpf_get_smp_processor_id() * WEIR_XDP_UNDER_WAY +
		    (__u32)packet % WEIR_XDP_UNDER_WAY;

	return bpf_map_lookup_elem(&under_way, &key);
}

/* The packet that had the place is long gone: what did not come was lost. */
static __always_inline void weir_count_lost(const struct weir_xdp_under_way *place)
{
	for (__u32 i = 0; i < WEIR_XDP_MAX_COPIES; i++) {
		struct weir_xdp_group_counters *counters;
		__u32 slot = place->groups[i];

		if ((place->missing >> i & 1) == 0)
			continue;
		counters = bpf_map_lookup_elem(&group_counters, &slot);
		if (counters != NULL)
			counters->copies++;
	}
}

/* The part of an entry of `under_way` that is not the same for all packets. */
struct weir_expected {
	__u32 missing;
	__u16 groups[WEIR_XDP_MAX_COPIES];
};

static __always_inline void weir_expect_copies(__u64 packet, const struct weir_expected *expected)
{
	struct weir_xdp_under_way *place = weir_place(packet);

	if (place == NULL)
		return;
	if (place->missing != 0)
		weir_count_lost(place);
	/* A reader must not take the new one's groups for the old one's. */
	*(volatile __u32 *)&place->missing = 0;
	barrier();
	place->packet = packet;
	place->since_ns = bpf_ktime_get_coarse_ns();
	__builtin_memcpy(place->groups, expected->groups, sizeof(place->groups));
	barrier();
	*(volatile __u32 *)&place->missing = expected->missing;
}

/*
 * Count the packet for every group, and find how many have a consumer, and which; `copy` is the
 * last one's. Of a packet that cannot be cloned, being in several buffers, the first one's, and it
 * is the only one.
 */
static __always_inline __u32 weir_count_groups(void *lines, const struct weir_xdp_note *note,
	int may_copy, struct weir_copy *copy, struct weir_expected *expected)
{
	__u32 live = 0;

	for (__u32 i = 0; i < WEIR_XDP_MAX_COPIES && i < note->count; i++) {
		union weir_xdp_line *at = weir_line(lines, note->attachments + i);
		__u32 consumer = weir_target(lines, note->lanes + i), slot;
		struct weir_xdp_group_counters *counters;

		if (at == NULL)
			break;
		slot = at->attachment.slot;
		counters = bpf_map_lookup_elem(&group_counters, &slot);
		if (counters == NULL)
			break;
		counters->received++;
		if (consumer == WEIR_XDP_NOBODY) {
			counters->no_consumer++;
		} else if (live != 0 && !may_copy) {
			counters->copies++;
		} else {
			live++;
			expected->groups[i] = (__u16)slot;
			expected->missing |= 1u << i;
			copy->consumer = consumer;
			copy->attachment = at->attachment;
		}
	}
	return live;
}

/* Put the note in front and hand the packet to all devices of a map. An XDP verdict. */
static __always_inline int weir_fan_out(struct xdp_md *context, const struct weir_xdp_note *note,
	__u32 map, const struct weir_expected *expected)
{
	struct weir_xdp_note *at;
	struct weir_xdp_copy_state *state;
	__u32 own = WEIR_XDP_COPY_OWN;

	state = bpf_map_lookup_elem(&copy_states, &own);
	if (state == NULL)
		return XDP_DROP;
	weir_expect_copies(++state->packet, expected);
	if (bpf_xdp_adjust_head(context, -(int)sizeof(*note)) != 0)
		return XDP_DROP;
	at = (struct weir_xdp_note *)(long)*(volatile __u32 *)&context->data;
	if ((void *)(at + 1) > (void *)(long)*(volatile __u32 *)&context->data_end)
		return XDP_DROP;
	*at = *note;
	at->packet = state->packet;
	return (int)weir_broadcast(map);
}

/* The clone's number among those of its packet at this port. */
static __always_inline __u32 weir_copy_number(const struct weir_xdp_note *note, __u32 port)
{
	struct weir_xdp_copy_state *state = bpf_map_lookup_elem(&copy_states, &port);

	if (state == NULL)
		return WEIR_XDP_MAX_COPIES;
	if (state->packet != note->packet) {
		state->packet = note->packet;
		state->count = 0;
	}
	return (__u32)state->count++;
}

/* The consumer behind this device that the clone is for. False: none, the clone is one too many. */
static __always_inline int weir_find_target(
	void *lines, const struct weir_xdp_note *note, __u32 ifindex, struct weir_copy *copy)
{
	struct weir_xdp_under_way *place;
	__u32 seen = 0, wanted = 0;

	for (__u32 i = 0; i < WEIR_XDP_MAX_COPIES && i < note->count; i++) {
		__u32 slot = weir_target(lines, note->lanes + i);
		struct weir_xdp_consumer *consumer;
		union weir_xdp_line *at;

		if (slot == WEIR_XDP_NOBODY)
			continue;
		consumer = bpf_map_lookup_elem(&consumers, &slot);
		if (consumer == NULL || consumer->ifindex != ifindex)
			continue;
		if (seen == 0)
			wanted = weir_copy_number(note, consumer->port);
		if (seen++ != wanted)
			continue;
		at = weir_line(lines, note->attachments + i);
		if (at == NULL)
			return 0;
		copy->consumer = slot;
		copy->attachment = at->attachment;
		place = weir_place(note->packet);
		if (place != NULL && place->packet == note->packet)
			place->missing &= ~(1u << i);
		return 1;
	}
	return 0;
}

/* At an egress device: a clone gets its consumer's headers, all else passes. An XDP verdict. */
static __always_inline int weir_leave(struct xdp_md *context)
{
	const struct weir_xdp_note *at =
		(const struct weir_xdp_note *)(long)*(volatile __u32 *)&context->data;
	struct weir_copy copy = {0};
	struct weir_found found = {0};
	struct weir_xdp_current *now;
	struct weir_xdp_note note;
	__u32 zero = 0;
	void *lines;

	if ((void *)(at + 1) > (void *)(long)*(volatile __u32 *)&context->data_end ||
		at->magic != WEIR_XDP_NOTE)
		return XDP_PASS;
	note = *at;
	now = bpf_map_lookup_elem(&current, &zero);
	lines = bpf_map_lookup_elem(&generations, &note.bank);
	if (now == NULL || lines == NULL ||
		!weir_find_target(lines, &note, context->egress_ifindex, &copy))
		return XDP_DROP;
	found.length = (__u32)bpf_xdp_get_buff_len(context);
	found.bank = note.bank;
	found.ticks_offset = now->ticks_offset;
	found.headers.l3_offset = note.l3_offset + sizeof(note);
	found.headers.l4_offset = note.l4_offset + sizeof(note);
	found.headers.payload_length = note.payload_length;
	found.headers.ip_version = (__u8)note.ip_version;
	copy.seq = note.seq;
	copy.partition = note.partition;
	if (weir_is_native(&copy))
		return weir_deliver_native(context, &found, &copy);
	return weir_stage_deliver(context, &found, &copy);
}
