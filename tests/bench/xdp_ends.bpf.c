/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

/* The ends of a wire: what sends as fast as it can, and what takes as fast as it can. */

const volatile int target;

__u64 dropped;

SEC("xdp")
int send(struct xdp_md *context)
{
	return bpf_redirect(target, 0);
}

SEC("xdp")
int drop(struct xdp_md *context)
{
	/* One queue of a veth is one CPU's at a time. */
	dropped++;
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
