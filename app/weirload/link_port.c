/* SPDX-License-Identifier: BSD-3-Clause */
#include "link_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Some 0.2 s of small frames at 300,000 a second: for as long the process may be kept waiting. */
#define SOCKET_BUFFER (64 << 20)

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Promiscuous as long as the socket is open, so that it needs no undoing. */
static int set_up(int fd, int index)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = index,
	};
	struct packet_mreq all = {.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC};
	int error = set(fd, SOL_PACKET, PACKET_VNET_HDR, 1);

	if (error == 0)
		error = set(fd, SOL_PACKET, PACKET_AUXDATA, 1);
	if (error == 0)
		error = set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	if (error == 0)
		error = set(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER);
	if (error == 0)
		error = set(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER);
	if (error == 0 && setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0)
		error = -errno;
	if (error == 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		error = -errno;
	return error;
}

/* The device's own count, which wraps at 32 bits; getifaddrs(3) hands it out in this form. */
static uint32_t read_drops(const char *name)
{
	struct ifaddrs *all;
	uint32_t drops = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (struct ifaddrs *each = all; each != NULL; each = each->ifa_next)
		if (each->ifa_addr != NULL && each->ifa_addr->sa_family == AF_PACKET &&
			each->ifa_data != NULL && strcmp(each->ifa_name, name) == 0)
			drops = ((const struct rtnl_link_stats *)each->ifa_data)->tx_dropped;
	freeifaddrs(all);
	return drops;
}

/* The kernel takes the outer VLAN tag out of a frame before it shows it. */
static void restore_tag(struct load_packet *packet, struct msghdr *message)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(message);
	struct tpacket_auxdata aux;

	if (control == NULL || control->cmsg_level != SOL_PACKET ||
		control->cmsg_type != PACKET_AUXDATA || control->cmsg_len < CMSG_LEN(sizeof(aux)))
		return;
	memcpy(&aux, CMSG_DATA(control), sizeof(aux));
	if (aux.tp_status & TP_STATUS_VLAN_VALID)
		load_packet_tag(packet,
			aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q,
			aux.tp_vlan_tci);
}

int load_port_open(struct load_port *port, const char *name)
{
	int error;

	*port = (struct load_port){.fd = -1, .name = name, .index = if_nametoindex(name)};
	if (port->index == 0) {
		fprintf(stderr, "weirload link: %s: no such interface\n", name);
		return -ENODEV;
	}
	port->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	error = port->fd < 0 ? -errno : set_up(port->fd, (int)port->index);
	if (error < 0) {
		fprintf(stderr, "weirload link: %s: %s\n", name, strerror(-error));
		return error;
	}
	port->drops_before = read_drops(name);
	return 0;
}

void load_port_close(struct load_port *port)
{
	if (port->fd >= 0)
		close(port->fd);
	port->fd = -1;
}

int load_port_take(
	struct load_port *port, struct load_packet **packets, unsigned int count, uint64_t *spoilt)
{
	struct mmsghdr messages[LOAD_LINK_BATCH];
	struct iovec parts[LOAD_LINK_BATCH];
	_Alignas(struct cmsghdr) char controls[LOAD_LINK_BATCH]
					      [CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	int taken;

	for (unsigned int i = 0; i < count; i++) {
		parts[i] = (struct iovec){
			packets[i]->bytes, sizeof(load_link_head) + LOAD_LINK_MAX_FRAME};
		messages[i].msg_hdr = (struct msghdr){
			.msg_iov = &parts[i],
			.msg_iovlen = 1,
			.msg_control = controls[i],
			.msg_controllen = sizeof(controls[i]),
		};
	}
	taken = recvmmsg(port->fd, messages, count, MSG_DONTWAIT, NULL);
	if (taken < 0)
		return errno == EAGAIN || errno == EINTR || errno == ENETDOWN ? 0 : -errno;
	for (int i = 0; i < taken; i++) {
		packets[i]->length = 0;
		if (messages[i].msg_hdr.msg_flags & MSG_TRUNC ||
			messages[i].msg_len <= sizeof(load_link_head)) {
			++*spoilt;
			continue;
		}
		packets[i]->length = messages[i].msg_len - (uint32_t)sizeof(load_link_head);
		restore_tag(packets[i], &messages[i].msg_hdr);
	}
	return taken;
}

struct load_port_sent load_port_send(
	struct load_port *port, struct load_packet *const *packets, unsigned int count)
{
	struct mmsghdr messages[LOAD_LINK_BATCH] = {0};
	struct iovec parts[LOAD_LINK_BATCH];
	struct load_port_sent result = {0};
	unsigned int done = 0;

	for (unsigned int i = 0; i < count; i++) {
		parts[i] = (struct iovec){
			packets[i]->bytes, sizeof(load_link_head) + packets[i]->length};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	while (done < count) {
		int sent = sendmmsg(port->fd, messages + done, count - done, MSG_DONTWAIT);

		if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == EINTR))
			break;
		if (sent < 0) {
			result.error = errno;
			result.failed++;
			done++;
			continue;
		}
		for (int i = 0; i < sent; i++)
			result.bytes += packets[done + (unsigned int)i]->length;
		result.sent += (unsigned int)sent;
		done += (unsigned int)sent;
	}
	return result;
}

uint64_t load_port_overruns(struct load_port *port)
{
	struct tpacket_stats stats;
	socklen_t length = sizeof(stats);

	/* Reading sets them to zero. */
	if (getsockopt(port->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0)
		port->overruns += stats.tp_drops;
	return port->overruns;
}

uint64_t load_port_drops(const struct load_port *port)
{
	return (uint32_t)(read_drops(port->name) - port->drops_before);
}

bool load_port_exists(const struct load_port *port)
{
	char name[IF_NAMESIZE];

	return if_indextoname(port->index, name) != NULL;
}

int load_port_news_open(void)
{
	struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	int error;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&links, sizeof(links)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

void load_port_news_read(int news)
{
	char message[8192];

	/* That there was one is enough, and so is that some did not fit (ENOBUFS). */
	while (recv(news, message, sizeof(message), MSG_DONTWAIT) > 0)
		;
}
