/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/segments.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_byteorder.h>

#include "dataplane/port.h"
#include "dataplane/route.h"
#include "wire/parse_headers.h"

/* Of kernels since 6.2; the headers here may be older. */
#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define IP_MAX       65535
#define SEGMENTS_MAX 64 /* what a receiver's kernel has in one, too */
#define SEND_BUFFER  (16 << 20)
#define HEADERS_MAX  (WEIR_ETHER_SIZE + WEIR_IPV6_SIZE + WEIR_UDP_SIZE)

int weir_xdp_segments_open(const char *interface)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface)};
	int fd, yes = 1, size = SEND_BUFFER;

	if (address.sll_ifindex == 0)
		return -1;
	/* Of no protocol: it receives nothing. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)) < 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		close(fd);
		return -1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	return fd;
}

static uint16_t header_length(const struct rte_mbuf *packet)
{
	return (uint16_t)(packet->l2_len + packet->l3_len + WEIR_UDP_SIZE);
}

static bool may_be_joined(const struct rte_mbuf *packet)
{
	return (packet->ol_flags & WEIR_PORT_JOINS) && packet->nb_segs == 1 &&
	       packet->l2_len == WEIR_ETHER_SIZE;
}

/* The same but for lengths and checksums. */
static bool have_same_headers(const uint8_t *a, const uint8_t *b, uint16_t l3_length)
{
	const uint8_t *a_ip = a + WEIR_ETHER_SIZE, *b_ip = b + WEIR_ETHER_SIZE;

	if (memcmp(a, b, WEIR_ETHER_SIZE) != 0 ||
		memcmp(a_ip + l3_length, b_ip + l3_length, 4) != 0)
		return false;
	if (l3_length == WEIR_IPV4_SIZE)
		return memcmp(a_ip, b_ip, 2) == 0 && memcmp(a_ip + 4, b_ip + 4, 6) == 0 &&
		       memcmp(a_ip + 12, b_ip + 12, 8) == 0;
	return memcmp(a_ip, b_ip, 4) == 0 && memcmp(a_ip + 6, b_ip + 6, WEIR_IPV6_SIZE - 6) == 0;
}

uint16_t weir_xdp_segments_count(struct rte_mbuf *const *packets, uint16_t count)
{
	const struct rte_mbuf *first = packets[0];
	uint32_t payload, total;
	uint16_t taken = 1;

	if (!may_be_joined(first))
		return 1;
	payload = first->pkt_len - header_length(first);
	total = first->l3_len + WEIR_UDP_SIZE + payload;
	/* Each as long as the first; the last may be shorter. */
	for (; taken < RTE_MIN(count, SEGMENTS_MAX); taken++) {
		const struct rte_mbuf *packet = packets[taken];
		uint32_t part = packet->pkt_len - header_length(first);

		total += part;
		if (!may_be_joined(packet) || packet->l3_len != first->l3_len || part > payload ||
			total > IP_MAX || packets[taken - 1]->pkt_len != first->pkt_len ||
			!have_same_headers(rte_pktmbuf_mtod(first, const uint8_t *),
				rte_pktmbuf_mtod(packet, const uint8_t *), first->l3_len))
			break;
	}
	return taken;
}

/* The lengths become those of the whole; of the UDP checksum the kernel completes what is begun. */
static void set_lengths(uint8_t *ip, uint16_t l3_length, uint32_t payload)
{
	uint16_t udp_length = (uint16_t)(WEIR_UDP_SIZE + payload);
	uint8_t *udp = ip + l3_length;
	uint64_t sum;

	if (l3_length == WEIR_IPV4_SIZE) {
		weir_store16(ip + 2, rte_cpu_to_be_16((uint16_t)(WEIR_IPV4_SIZE + udp_length)));
		weir_store16(ip + 10, 0);
		weir_store16(ip + 10, (uint16_t)~weir_sum_fold(weir_sum_bytes(ip, WEIR_IPV4_SIZE)));
		sum = weir_sum_address(ip + 12, 8);
	} else {
		weir_store16(ip + 4, rte_cpu_to_be_16(udp_length));
		sum = weir_sum_address(ip + 8, 32);
	}
	weir_store16(udp + 4, rte_cpu_to_be_16(udp_length));
	sum += (uint64_t)rte_cpu_to_be_16(IPPROTO_UDP) + rte_cpu_to_be_16(udp_length);
	weir_store16(udp + 6, weir_sum_fold(sum));
}

bool weir_xdp_segments_send(
	struct weir_xdp_queue *queue, struct rte_mbuf *const *packets, uint16_t count)
{
	const struct rte_mbuf *first = packets[0];
	uint16_t headers = header_length(first);
	uint8_t room[HEADERS_MAX];
	struct virtio_net_hdr offload = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4,
		.hdr_len = headers,
		.gso_size = (uint16_t)(first->pkt_len - headers),
		.csum_start = (uint16_t)(headers - WEIR_UDP_SIZE),
		.csum_offset = 6};
	struct iovec parts[2 + SEGMENTS_MAX] = {{&offload, sizeof(offload)}, {room, headers}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2u + count};
	uint32_t payload = 0;

	for (uint16_t i = 0; i < count; i++) {
		parts[2 + i] = (struct iovec){rte_pktmbuf_mtod_offset(packets[i], void *, headers),
			packets[i]->pkt_len - headers};
		payload += packets[i]->pkt_len - headers;
	}
	memcpy(room, rte_pktmbuf_mtod(first, const void *), headers);
	set_lengths(room + WEIR_ETHER_SIZE, first->l3_len, payload);
	if (sendmsg(queue->segments_fd, &message, MSG_DONTWAIT) >= 0)
		return true;
	if (errno != EAGAIN && errno != ENOBUFS && errno != ENETDOWN)
		queue->joins = false;
	return false;
}
