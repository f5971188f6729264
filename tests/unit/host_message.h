/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

/* rtnetlink messages as the kernel writes them, for what no kernel at hand can be made to say. */

struct host_message {
	char bytes[1024] __attribute__((aligned(8)));
};

static inline struct nlmsghdr *host_message_link(
	struct host_message *message, uint16_t type, int ifindex, const char *name)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};
	struct nlmsghdr *header = mnl_nlmsg_put_header(message->bytes);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));

	header->nlmsg_type = type;
	info->ifi_family = AF_UNSPEC;
	info->ifi_index = ifindex;
	info->ifi_flags = IFF_UP | IFF_RUNNING;
	mnl_attr_put_strz(header, IFLA_IFNAME, name);
	mnl_attr_put_u32(header, IFLA_MTU, 1500);
	mnl_attr_put(header, IFLA_ADDRESS, sizeof(mac), mac);
	return header;
}

static inline void host_message_kind(struct nlmsghdr *header, const char *kind)
{
	struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO);

	mnl_attr_put_strz(header, IFLA_INFO_KIND, kind);
	mnl_attr_nest_end(header, info);
}

static inline void host_message_vlan(struct nlmsghdr *header, uint16_t protocol, uint16_t vlan)
{
	struct nlattr *info = mnl_attr_nest_start(header, IFLA_LINKINFO);
	struct nlattr *data;

	mnl_attr_put_strz(header, IFLA_INFO_KIND, "vlan");
	data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
	mnl_attr_put_u16(header, IFLA_VLAN_PROTOCOL, htons(protocol));
	mnl_attr_put_u16(header, IFLA_VLAN_ID, vlan);
	mnl_attr_nest_end(header, data);
	mnl_attr_nest_end(header, info);
}

static inline struct nlmsghdr *host_message_address(struct host_message *message, uint16_t type,
	int ifindex, const char *address, uint8_t length, uint32_t flags)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(message->bytes);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	uint8_t bytes[16];

	header->nlmsg_type = type;
	info->ifa_family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
	info->ifa_prefixlen = length;
	info->ifa_index = (uint32_t)ifindex;
	inet_pton(info->ifa_family, address, bytes);
	mnl_attr_put(header, IFA_ADDRESS, info->ifa_family == AF_INET ? 4 : 16, bytes);
	mnl_attr_put_u32(header, IFA_FLAGS, flags);
	return header;
}

/* `mac` may be NULL. */
static inline struct nlmsghdr *host_message_neighbour(struct host_message *message, uint16_t type,
	int ifindex, const char *address, uint16_t nud, const uint8_t *mac)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(message->bytes);
	struct ndmsg *info = mnl_nlmsg_put_extra_header(header, sizeof(*info));
	uint8_t bytes[16];

	header->nlmsg_type = type;
	info->ndm_family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
	info->ndm_ifindex = ifindex;
	info->ndm_state = nud;
	inet_pton(info->ndm_family, address, bytes);
	mnl_attr_put(header, NDA_DST, info->ndm_family == AF_INET ? 4 : 16, bytes);
	if (mac != NULL)
		mnl_attr_put(header, NDA_LLADDR, 6, mac);
	return header;
}
