/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* The ends of a wire: what sends as fast as it can, and what takes as fast as it can. */

#define LATE_NS      1000000 /* what was missed by more than that is not made up for */
#define HEADER_WORDS 6       /* as in xdp_ends.c */

const volatile int target;
const volatile __u64 gap_ns; /* from one frame to the next, or 0 */
const volatile __u64 headers[HEADER_WORDS];

__u64 begun_ns;
__u64 due_ns;
__u64 sent;
__u64 dropped; /* datagrams */

/* A frame's memory comes back as the last one who had it has left it. False: it is too short. */
static __always_inline int renew(struct xdp_md *context)
{
	__u64 *words = (void *)(long)context->data;

	if ((void *)(words + HEADER_WORDS) > (void *)(long)context->data_end)
		return 0;
	for (int i = 0; i < HEADER_WORDS; i++)
		words[i] = headers[i];
	return 1;
}

SEC("xdp")
int send(struct xdp_md *context)
{
	if (gap_ns != 0) {
		__u64 now = bpf_ktime_get_ns();

		if (begun_ns == 0)
			begun_ns = due_ns = now;
		if (now < due_ns)
			return XDP_DROP;
		due_ns = (due_ns + LATE_NS < now ? now - LATE_NS : due_ns) + gap_ns;
	}
	if (!renew(context))
		return XDP_ABORTED;
	sent++;
	return bpf_redirect(target, 0);
}

SEC("xdp")
int drop(struct xdp_md *context)
{
	const struct ethhdr *ethernet = (void *)(long)context->data;
	const struct iphdr *ip = (void *)(ethernet + 1);

	/* One queue of a veth is one CPU's at a time. */
	if ((void *)(ip + 1) <= (void *)(long)context->data_end &&
		ethernet->h_proto == bpf_htons(ETH_P_IP) && ip->protocol == IPPROTO_UDP)
		dropped++;
	return XDP_DROP;
}

/* All of it to a socket, with nothing looked at: the least that one costs. */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} socket SEC(".maps");

SEC("xdp")
int take(struct xdp_md *context)
{
	(void)context;
	return bpf_redirect_map(&socket, 0, XDP_DROP);
}

char _license[] SEC("license") = "Dual BSD/GPL";
