/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#pragma once

#include <linux/bpf.h>

#include "layout.h"
#include "tables.h"

#include <bpf/bpf_helpers.h>

/* The maps that all ports' programs share; those of one port are in weir_xdp.bpf.c. */

struct lines {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(union weir_xdp_line));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct lines);
} generations SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2 * WEIR_XDP_FRONT);
	__type(key, __u32);
	__type(value, union weir_xdp_line);
} front SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct weir_xdp_current);
} current SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_CONSUMERS);
	__type(key, __u32);
	__type(value, struct weir_xdp_consumer);
} consumers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_CONSUMERS);
	__type(key, __u32);
	__type(value, struct weir_xdp_buckets);
} buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} tx_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_XDP_STREAMS);
	__type(key, __u32);
	__type(value, struct weir_xdp_stream_counters);
} stream_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_XDP_ATTACHMENTS);
	__type(key, __u32);
	__type(value, struct weir_xdp_group_counters);
} group_counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_XDP_COPY_PORTS + 1);
	__type(key, __u32);
	__type(value, struct weir_xdp_copy_state);
} copy_states SEC(".maps");

/* The loader makes these two large enough for all CPUs. Readers need no call: see tables.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_UNDER_WAY);
	__type(key, __u32);
	__type(value, struct weir_xdp_under_way);
} under_way SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_CONSUMERS);
	__type(key, __u32);
	__type(value, struct weir_xdp_consumer_counters);
} consumer_counters SEC(".maps");

/* Whose the counters are, for readers: the control thread writes. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_STREAMS);
	__type(key, __u32);
	__type(value, struct weir_xdp_label);
} stream_labels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_ATTACHMENTS);
	__type(key, __u32);
	__type(value, struct weir_xdp_label);
} group_labels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_MISSED);
	__type(key, __u32);
	__type(value, struct weir_xdp_missed);
} missed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_STREAMS);
	__type(key, __u32);
	__type(value, struct weir_xdp_missed_range);
} missed_ranges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_CONSUMERS);
	__type(key, __u32);
	__type(value, struct weir_xdp_will_session);
} will_sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_WILLS);
	__type(key, __u32);
	__type(value, struct weir_xdp_will_lane);
} will_lanes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WEIR_XDP_ATTACHMENTS);
	__type(key, __u32);
	__type(value, struct weir_xdp_missed_range);
} will_ranges SEC(".maps");

/*
 * Copies that weir_egress has dropped, and counted for their groups, since the kernel last told of
 * what a device did not send: it takes these for refused too, see errors.bpf.c.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} kept_back SEC(".maps");

/* Malformed packets that were dropped, by enum weir_reason. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} drop_counters SEC(".maps");
