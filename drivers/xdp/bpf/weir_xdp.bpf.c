/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>

#include "gate.bpf.h"

/* Datagrams to a UDP port of a stream go to the socket, everything else to the kernel. */

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

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u8);
} own_ports SEC(".maps");

struct vlan_tag {
	__be16 tci;
	__be16 protocol;
};

static __always_inline int is_own(__be16 destination)
{
	__u32 key = bpf_ntohs(destination);
	__u8 *own = bpf_map_lookup_elem(&own_ports, &key);

	return own != NULL && *own != 0;
}

/* The datagram's UDP header, NULL for all else. */
static __always_inline struct udphdr *find_udp(void *data, void *end)
{
	struct ethhdr *ethernet = data;
	void *next = ethernet + 1;
	struct ipv6hdr *ipv6;
	struct iphdr *ip;
	__be16 protocol;

	if (next > end)
		return NULL;
	protocol = ethernet->h_proto;
	for (int i = 0; i < 2; i++) {
		struct vlan_tag *tag = next;

		if (protocol != bpf_htons(ETH_P_8021Q) && protocol != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > end)
			return NULL;
		protocol = tag->protocol;
		next = tag + 1;
	}
	if (protocol == bpf_htons(ETH_P_IP)) {
		ip = next;
		if ((void *)(ip + 1) > end || ip->protocol != IPPROTO_UDP ||
			(ip->frag_off & bpf_htons(0x1fff)) != 0 || ip->ihl < 5)
			return NULL;
		next += ip->ihl * 4;
	} else if (protocol == bpf_htons(ETH_P_IPV6)) {
		ipv6 = next;
		if ((void *)(ipv6 + 1) > end || ipv6->nexthdr != IPPROTO_UDP)
			return NULL;
		next = ipv6 + 1;
	} else {
		return NULL;
	}
	return next + sizeof(struct udphdr) > end ? NULL : next;
}

SEC("xdp.frags")
int weir_ingress(struct xdp_md *context)
{
	struct udphdr *udp = find_udp((void *)(long)context->data, (void *)(long)context->data_end);
	__u32 queue = context->rx_queue_index, zero = 0;
	volatile struct weir_xdp_queue_state *state;
	struct weir_xdp_settings *port;

	if (udp == NULL || !is_own(udp->dest))
		return XDP_PASS;
	state = bpf_map_lookup_elem(&queues, &queue);
	port = bpf_map_lookup_elem(&settings, &zero);
	if (state == NULL || port == NULL)
		return XDP_PASS;
	if (weir_gate_admits(state, port)) {
		if (bpf_redirect_map(&xsks, queue, XDP_DROP) == XDP_REDIRECT) {
			state->redirected++;
			return XDP_REDIRECT;
		}
		weir_gate_trip(state, state->armed, WEIR_XDP_TRIP_SOCKET);
	}
	state->in_kernel++;
	return XDP_DROP;
}

char _license[] SEC("license") = "Dual BSD/GPL";
