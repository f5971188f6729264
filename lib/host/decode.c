/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/decode.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

/* The attribute of this type; of several the last, as the kernel reads them. */
static const struct nlattr *find(const struct nlmsghdr *message, size_t header, uint16_t type)
{
	const struct nlattr *found = NULL;
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message,
		(unsigned int)header) if (mnl_attr_get_type(attribute) == type) found = attribute;
	return found;
}

static const struct nlattr *find_nested(const struct nlattr *nest, uint16_t type)
{
	const struct nlattr *found = NULL;
	const struct nlattr *attribute;

	if (nest == NULL)
		return NULL;
	mnl_attr_for_each_nested(attribute, nest) if (mnl_attr_get_type(attribute) == type) found =
		attribute;
	return found;
}

/* 0 when it is absent or too short. */
static uint32_t read_u32(const struct nlattr *attribute)
{
	if (attribute == NULL || mnl_attr_get_payload_len(attribute) < sizeof(uint32_t))
		return 0;
	return mnl_attr_get_u32(attribute);
}

static uint16_t read_u16(const struct nlattr *attribute)
{
	if (attribute == NULL || mnl_attr_get_payload_len(attribute) < sizeof(uint16_t))
		return 0;
	return mnl_attr_get_u16(attribute);
}

/* Cut to WEIR_LINK_NAME; "" when it is absent. It need not end in a NUL. */
static void read_text(const struct nlattr *attribute, char text[WEIR_LINK_NAME])
{
	text[0] = '\0';
	if (attribute != NULL)
		snprintf(text, WEIR_LINK_NAME, "%.*s", (int)mnl_attr_get_payload_len(attribute),
			mnl_attr_get_str(attribute));
}

static bool address_from(int family, const void *bytes, size_t length, struct weir_address *address)
{
	memset(address, 0, sizeof(*address));
	if (family == AF_INET && length == 4)
		address->family = 4;
	else if (family == AF_INET6 && length == 16)
		address->family = 6;
	else
		return false;
	memcpy(address->bytes, bytes, length);
	return true;
}

static bool read_address(const struct nlattr *attribute, int family, struct weir_address *address)
{
	return attribute != NULL && address_from(family, mnl_attr_get_payload(attribute),
					    mnl_attr_get_payload_len(attribute), address);
}

static bool read_mac(const struct nlattr *attribute, uint8_t mac[6])
{
	if (attribute == NULL || mnl_attr_get_payload_len(attribute) != 6)
		return false;
	memcpy(mac, mnl_attr_get_payload(attribute), 6);
	return true;
}

static void read_link_kind(const struct nlattr *info, struct weir_host_link *link)
{
	const struct nlattr *data;

	read_text(find_nested(info, IFLA_INFO_KIND), link->kind);
	if (strcmp(link->kind, "vlan") != 0)
		return;
	data = find_nested(info, IFLA_INFO_DATA);
	link->vlan = read_u16(find_nested(data, IFLA_VLAN_ID));
	link->vlan_protocol = ntohs(read_u16(find_nested(data, IFLA_VLAN_PROTOCOL)));
}

/* IFLA_LINK is also a veth's peer, and may count in another namespace. */
static int read_parent(const struct nlmsghdr *message, const char *kind)
{
	const size_t header = sizeof(struct ifinfomsg);

	if (find(message, header, IFLA_LINK_NETNSID) != NULL)
		return 0;
	if (strcmp(kind, "veth") == 0 || strcmp(kind, "netkit") == 0)
		return 0;
	return (int)read_u32(find(message, header, IFLA_LINK));
}

static enum weir_neighbour_state state_of(uint16_t nud, bool has_mac)
{
	const uint16_t sendable =
		NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;

	if ((nud & sendable) != 0 && has_mac)
		return WEIR_NEIGHBOUR_REACHABLE;
	if ((nud & NUD_INCOMPLETE) != 0)
		return WEIR_NEIGHBOUR_RESOLVING;
	return (nud & NUD_FAILED) != 0 ? WEIR_NEIGHBOUR_FAILED : WEIR_NEIGHBOUR_UNKNOWN;
}

static int route_type(uint8_t type, enum weir_route_type *out)
{
	static const enum weir_route_type types[] = {
		[RTN_UNICAST] = WEIR_ROUTE_UNICAST,
		[RTN_LOCAL] = WEIR_ROUTE_LOCAL,
		[RTN_BROADCAST] = WEIR_ROUTE_BROADCAST,
		[RTN_ANYCAST] = WEIR_ROUTE_LOCAL, /* this machine is one of them */
		[RTN_MULTICAST] = WEIR_ROUTE_MULTICAST,
		[RTN_BLACKHOLE] = WEIR_ROUTE_BLACKHOLE,
		[RTN_UNREACHABLE] = WEIR_ROUTE_UNREACHABLE,
		[RTN_PROHIBIT] = WEIR_ROUTE_PROHIBIT,
	};

	if (type == RTN_UNSPEC || type >= sizeof(types) / sizeof(types[0]))
		return -EINVAL;
	*out = types[type];
	return 0;
}

/* RTA_GATEWAY is of the route's family; RTA_VIA names its own (an IPv4 route by an IPv6 router). */
static bool read_gateway(const struct nlmsghdr *message, int family, struct weir_address *gateway)
{
	const struct nlattr *via = find(message, sizeof(struct rtmsg), RTA_VIA);
	const struct rtvia *value;

	if (read_address(find(message, sizeof(struct rtmsg), RTA_GATEWAY), family, gateway))
		return true;
	if (via == NULL || mnl_attr_get_payload_len(via) < sizeof(*value))
		return false;
	value = mnl_attr_get_payload(via);
	return address_from(value->rtvia_family, value->rtvia_addr,
		mnl_attr_get_payload_len(via) - sizeof(*value), gateway);
}

int weir_host_decode_link(const struct nlmsghdr *message, struct weir_host_link *link)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	const size_t header = sizeof(*info);

	memset(link, 0, sizeof(*link));
	if (mnl_nlmsg_get_payload_len(message) < header)
		return -EINVAL;
	/* A bridge reports its ports, a radio its events, as links that lack the rest. */
	if (info->ifi_family != AF_UNSPEC || find(message, header, IFLA_WIRELESS) != NULL)
		return -ENOMSG;
	if (info->ifi_index <= 0)
		return -EINVAL;
	link->ifindex = info->ifi_index;
	link->is_up = (info->ifi_flags & IFF_UP) != 0;
	link->is_running = link->is_up && (info->ifi_flags & IFF_RUNNING) != 0;
	link->is_loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
	read_text(find(message, header, IFLA_IFNAME), link->name);
	link->mtu = read_u32(find(message, header, IFLA_MTU));
	link->has_mac = read_mac(find(message, header, IFLA_ADDRESS), link->mac);
	link->master = (int)read_u32(find(message, header, IFLA_MASTER));
	read_link_kind(find(message, header, IFLA_LINKINFO), link);
	link->parent = read_parent(message, link->kind);
	link->xdp_program =
		read_u32(find_nested(find(message, header, IFLA_XDP), IFLA_XDP_PROG_ID));
	return 0;
}

int weir_host_decode_address(
	const struct nlmsghdr *message, int *ifindex, struct weir_host_address *address)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
	const struct nlattr *flags;

	memset(address, 0, sizeof(*address));
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return -EINVAL;
	if (info->ifa_family != AF_INET && info->ifa_family != AF_INET6)
		return -ENOMSG;
	/* On a point-to-point link IFA_ADDRESS is the other end's. */
	if (!read_address(
		    find(message, sizeof(*info), IFA_LOCAL), info->ifa_family, &address->address) &&
		!read_address(find(message, sizeof(*info), IFA_ADDRESS), info->ifa_family,
			&address->address))
		return -EINVAL;
	if (info->ifa_prefixlen > (info->ifa_family == AF_INET ? 32 : 128))
		return -EINVAL;
	flags = find(message, sizeof(*info), IFA_FLAGS);
	*ifindex = (int)info->ifa_index;
	address->length = info->ifa_prefixlen;
	address->is_usable = ((flags != NULL ? read_u32(flags) : info->ifa_flags) &
				     (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0;
	return 0;
}

int weir_host_decode_neighbour(const struct nlmsghdr *message, int *ifindex,
	struct weir_address *address, struct weir_host_neighbour *neighbour)
{
	const struct ndmsg *info = mnl_nlmsg_get_payload(message);
	bool has_mac;

	memset(neighbour, 0, sizeof(*neighbour));
	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info))
		return -EINVAL;
	if (info->ndm_family != AF_INET && info->ndm_family != AF_INET6)
		return -ENOMSG;
	if ((info->ndm_flags & NTF_PROXY) != 0)
		return -ENOMSG;
	if (!read_address(find(message, sizeof(*info), NDA_DST), info->ndm_family, address))
		return -EINVAL;
	has_mac = read_mac(find(message, sizeof(*info), NDA_LLADDR), neighbour->mac);
	*ifindex = info->ndm_ifindex;
	neighbour->nud = info->ndm_state;
	neighbour->state = state_of(info->ndm_state, has_mac);
	if (neighbour->state != WEIR_NEIGHBOUR_REACHABLE)
		memset(neighbour->mac, 0, sizeof(neighbour->mac));
	return 0;
}

int weir_host_decode_route(const struct nlmsghdr *message, const struct weir_address *destination,
	struct weir_host_route *route)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(message);
	const size_t header = sizeof(*info);

	memset(route, 0, sizeof(*route));
	if (mnl_nlmsg_get_payload_len(message) < header)
		return -EINVAL;
	if (info->rtm_family != (destination->family == 4 ? AF_INET : AF_INET6))
		return -ENOMSG;
	if (route_type(info->rtm_type, &route->type) < 0)
		return -EINVAL;
	/* IPv6 hangs refusing routes on the loopback interface. */
	if (route->type < WEIR_ROUTE_UNREACHABLE)
		route->ifindex = (int)read_u32(find(message, header, RTA_OIF));
	route->has_gateway = read_gateway(message, info->rtm_family, &route->next_hop);
	if (!route->has_gateway)
		route->next_hop = *destination;
	if (!read_address(find(message, header, RTA_PREFSRC), info->rtm_family, &route->source))
		memset(&route->source, 0, sizeof(route->source));
	route->mtu = read_u32(find_nested(find(message, header, RTA_METRICS), RTAX_MTU));
	return 0;
}
