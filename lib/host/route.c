/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "host/decode.h"
#include "host/internal.h"

struct question {
	const struct weir_address *destination;
	struct weir_host_route *route;
	bool is_answered;
};

static int take_answer(const struct nlmsghdr *message, void *context)
{
	struct question *question = context;

	if (message->nlmsg_type != RTM_NEWROUTE ||
		weir_host_decode_route(message, question->destination, question->route) < 0)
		return MNL_CB_OK;
	question->is_answered = true;
	return MNL_CB_OK;
}

/*
 * A route that refuses is answered with the error that sending would give (older kernels: IPv6 with
 * the route itself). EINVAL also stands for a destination that no packet may have, as 0.1.2.3.
 */
static bool is_refusal(int ret, enum weir_route_type *type)
{
	switch (ret) {
	case -EHOSTUNREACH:
		*type = WEIR_ROUTE_UNREACHABLE;
		return true;
	case -EINVAL:
		*type = WEIR_ROUTE_BLACKHOLE;
		return true;
	case -EACCES:
		*type = WEIR_ROUTE_PROHIBIT;
		return true;
	default:
		return false;
	}
}

static int ask(struct weir_host *host, struct question *question)
{
	const struct weir_address *destination = question->destination;
	uint16_t length = destination->family == 4 ? 4 : 16;
	struct nlmsghdr *message =
		weir_request_begin(&host->request, RTM_GETROUTE, 0, sizeof(struct rtmsg));
	struct rtmsg *header = mnl_nlmsg_get_payload(message);

	header->rtm_family = destination->family == 4 ? AF_INET : AF_INET6;
	header->rtm_dst_len = (uint8_t)(length * 8);
	mnl_attr_put(message, RTA_DST, length, destination->bytes);
	return weir_request_run(&host->request, message, take_answer, question);
}

int weir_host_route(struct weir_host *host, const struct weir_address *destination,
	struct weir_host_route *route)
{
	struct question question = {.destination = destination, .route = route};
	const struct weir_host_link *link;
	int ret;

	memset(route, 0, sizeof(*route));
	if (destination->family != 4 && destination->family != 6)
		return -EINVAL;
	ret = ask(host, &question);
	if (is_refusal(ret, &route->type)) {
		route->next_hop = *destination;
		return 0;
	}
	if (ret < 0)
		return ret;
	if (!question.is_answered)
		return -EBADMSG;
	link = weir_host_cache_link(host->cache, route->ifindex);
	if (route->mtu == 0 && link != NULL)
		route->mtu = link->mtu;
	return 0;
}

const char *weir_route_type_name(enum weir_route_type type)
{
	static const char *const names[WEIR_ROUTE_TYPES] = {"unicast", "local", "broadcast",
		"multicast", "unreachable", "blackhole", "prohibit"};

	return (unsigned int)type < WEIR_ROUTE_TYPES ? names[type] : "unknown";
}
