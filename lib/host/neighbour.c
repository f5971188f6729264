/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include "host/decode.h"
#include "host/internal.h"

static struct nlmsghdr *begin(struct weir_request *request, uint16_t type, uint16_t flags,
	int ifindex, const struct weir_address *address)
{
	struct nlmsghdr *message = weir_request_begin(request, type, flags, sizeof(struct ndmsg));
	struct ndmsg *header = mnl_nlmsg_get_payload(message);

	header->ndm_family = address->family == 4 ? AF_INET : AF_INET6;
	header->ndm_ifindex = ifindex;
	mnl_attr_put(message, NDA_DST, address->family == 4 ? 4 : 16, address->bytes);
	return message;
}

static int take_answer(const struct nlmsghdr *message, void *context)
{
	struct weir_host_neighbour neighbour;
	struct weir_address address;
	int ifindex;

	if (message->nlmsg_type == RTM_NEWNEIGH &&
		weir_host_decode_neighbour(message, &ifindex, &address, &neighbour) == 0)
		memcpy(context, &neighbour, sizeof(neighbour));
	return MNL_CB_OK;
}

/*
 * The state at this moment. The cache may lag behind, and an order that is harmless to a learnt
 * entry turns a permanent one into a learnt one.
 */
static int ask(struct weir_host *host, int ifindex, const struct weir_address *address,
	struct weir_host_neighbour *neighbour)
{
	int ret;

	memset(neighbour, 0, sizeof(*neighbour));
	if (ifindex <= 0 || (address->family != 4 && address->family != 6))
		return -EINVAL;
	ret = weir_request_run(&host->request,
		begin(&host->request, RTM_GETNEIGH, 0, ifindex, address), take_answer, neighbour);
	return ret == -ENOENT ? 0 : ret;
}

static int take_resolving(const struct nlmsghdr *message, void *context)
{
	struct weir_host_neighbour neighbour;
	struct weir_host_change change;
	struct weir_address address;
	struct weir_host *host = context;
	int ifindex;

	/* Anything else is notified, and must then be new to the cache to be told. */
	if (message->nlmsg_type == RTM_NEWNEIGH &&
		weir_host_decode_neighbour(message, &ifindex, &address, &neighbour) == 0 &&
		neighbour.state == WEIR_NEIGHBOUR_RESOLVING &&
		weir_host_cache_take(host->cache, message, &change) < 0)
		host->is_stale = true;
	return MNL_CB_OK;
}

/* The kernel notifies how a resolution ends, but not that it begins. */
static int note_resolving(struct weir_host *host, int ifindex, const struct weir_address *address)
{
	int ret = weir_request_run(&host->request,
		begin(&host->request, RTM_GETNEIGH, 0, ifindex, address), take_resolving, host);

	return ret == -ENOENT ? 0 : ret;
}

static int start_resolving(struct weir_host *host, int ifindex, const struct weir_address *address)
{
	struct nlmsghdr *message =
		begin(&host->request, RTM_NEWNEIGH, NLM_F_CREATE, ifindex, address);
	struct ndmsg *header = mnl_nlmsg_get_payload(message);

	header->ndm_flags = NTF_USE; /* as if a packet were to be sent to it */
	return weir_request_run(&host->request, message, NULL, NULL);
}

void weir_host_neighbour(const struct weir_host *host, int ifindex,
	const struct weir_address *address, struct weir_host_neighbour *neighbour)
{
	const struct weir_host_neighbour *found =
		weir_host_cache_neighbour(host->cache, ifindex, address);

	memset(neighbour, 0, sizeof(*neighbour));
	if (found != NULL)
		*neighbour = *found;
}

int weir_host_neighbour_resolve(
	struct weir_host *host, int ifindex, const struct weir_address *address)
{
	struct weir_host_neighbour now;
	int ret = ask(host, ifindex, address, &now);

	if (ret < 0 || now.state == WEIR_NEIGHBOUR_REACHABLE)
		return ret;
	if (now.state != WEIR_NEIGHBOUR_RESOLVING)
		ret = start_resolving(host, ifindex, address);
	return ret < 0 ? ret : note_resolving(host, ifindex, address);
}

int weir_host_neighbour_probe(
	struct weir_host *host, int ifindex, const struct weir_address *address)
{
	struct weir_host_neighbour now;
	struct nlmsghdr *message;
	struct ndmsg *header;
	int ret = ask(host, ifindex, address, &now);

	if (ret < 0)
		return ret;
	if (now.state != WEIR_NEIGHBOUR_REACHABLE)
		return -ENOENT;
	if ((now.nud & (NUD_PERMANENT | NUD_NOARP)) != 0)
		return 0;
	message = begin(&host->request, RTM_NEWNEIGH, NLM_F_REPLACE, ifindex, address);
	header = mnl_nlmsg_get_payload(message);
	header->ndm_state = NUD_PROBE;
	return weir_request_run(&host->request, message, NULL, NULL);
}

const char *weir_neighbour_state_name(enum weir_neighbour_state state)
{
	static const char *const names[WEIR_NEIGHBOUR_STATES] = {
		"unknown", "resolving", "reachable", "failed"};

	return (unsigned int)state < WEIR_NEIGHBOUR_STATES ? names[state] : "unknown";
}
