/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <linux/netlink.h>

#include "host/netlink.h"

/*
 * Inside lib/host: rtnetlink messages (linux/rtnetlink.h, if_link.h, neighbour.h) to values. Pure.
 * Each returns 0; -EINVAL for a message that is malformed; -ENOMSG for one that is about something
 * else under the same type (a bridge's forwarding entry, say), to be passed over. Outputs count
 * only when 0 is returned.
 */
int weir_host_decode_link(const struct nlmsghdr *message, struct weir_host_link *link);
int weir_host_decode_address(
	const struct nlmsghdr *message, int *ifindex, struct weir_host_address *address);
int weir_host_decode_neighbour(const struct nlmsghdr *message, int *ifindex,
	struct weir_address *address, struct weir_host_neighbour *neighbour);
/* The answer to the question for `destination`; mtu is 0 when the route has none of its own. */
int weir_host_decode_route(const struct nlmsghdr *message, const struct weir_address *destination,
	struct weir_host_route *route);
