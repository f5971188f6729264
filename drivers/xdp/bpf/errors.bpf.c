/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#include <linux/bpf.h>
#include <linux/errno.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "errors.h"

/*
 * A program on an interface does not learn that what it redirected was refused later, and no
 * interface counts it; only the kernel's tracepoints tell. And a program to try a redirect by.
 */

struct net___core {
	__u64 net_cookie;
} __attribute__((preserve_access_index));

typedef struct {
	struct net___core *net;
} possible_net_t___core;

struct net_device___core {
	int ifindex;
	possible_net_t___core nd_net;
} __attribute__((preserve_access_index));

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEIR_XDP_ERRORS_MAX);
	__type(key, struct weir_xdp_errors_key);
	__type(value, struct weir_xdp_errors);
} errors SEC(".maps");

/* As in maps.bpf.h, and the same map: what of a device's packets our own program dropped. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} kept_back SEC(".maps");

const volatile int probe_target;

/* Only interfaces that have an entry are counted: interfaces of others have numbers like ours. */
static __always_inline struct weir_xdp_errors *entry_of(const void *device)
{
	const struct net_device___core *net_device = device;
	struct weir_xdp_errors_key key = {};

	if (device == NULL)
		return NULL;
	key.ifindex = BPF_CORE_READ(net_device, ifindex);
	key.net_cookie = BPF_CORE_READ(net_device, nd_net.net, net_cookie);
	return bpf_map_lookup_elem(&errors, &key);
}

/* The kernel runs the program, sends and tells, one device's packets after the other's. */
static __always_inline __s32 take_kept_back(void)
{
	__u32 zero = 0;
	__u64 *kept = bpf_map_lookup_elem(&kept_back, &zero);
	__s32 count = kept != NULL ? (__s32)*kept : 0;

	if (count != 0)
		*kept = 0;
	return count;
}

SEC("raw_tp/xdp_redirect_err")
int weir_redirect_refused(struct bpf_raw_tracepoint_args *context)
{
	struct weir_xdp_errors *entry = entry_of((const void *)context->args[0]);

	/* What a socket refuses is counted by the socket. */
	if (entry == NULL || context->args[4] == BPF_MAP_TYPE_XSKMAP)
		return 0;
	__sync_fetch_and_add(&entry->refused, 1);
	entry->newest = (__s32)context->args[3];
	return 0;
}

SEC("raw_tp/xdp_devmap_xmit")
int weir_transmit_refused(struct bpf_raw_tracepoint_args *context)
{
	struct weir_xdp_errors *entry;
	__s32 drops = (__s32)context->args[3] - take_kept_back();
	__s32 error = (__s32)context->args[4];

	if (drops <= 0)
		return 0;
	entry = entry_of((const void *)context->args[1]);
	if (entry == NULL)
		return 0;
	__sync_fetch_and_add(&entry->not_sent, drops);
	/* No error, and not all sent: there was no room. */
	entry->newest = error != 0 ? error : -ENOBUFS;
	return 0;
}

SEC("xdp")
int weir_probe(struct xdp_md *context)
{
	return bpf_redirect(probe_target, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
