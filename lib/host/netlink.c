/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

#include "host/internal.h"

/* Datagrams taken in one call; each holds one message or, in a burst, several. */
#define READS_AT_ONCE 256

/* Room for a burst of notifications; a bridge of routers flapping makes thousands. */
#define RECEIVE_BYTES (1 << 20)

static void tell(struct weir_host *host, const struct weir_host_change *change)
{
	if (host->changed != NULL)
		host->changed(host->context, change);
}

static void tell_kind(struct weir_host *host, enum weir_host_change_kind kind)
{
	const struct weir_host_change change = {.kind = kind};

	tell(host, &change);
}

static bool is_about_routes(uint16_t type)
{
	switch (type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWRULE:
	case RTM_DELRULE:
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		return true;
	default:
		return false;
	}
}

static void take_message(struct weir_host *host, const struct nlmsghdr *message)
{
	struct weir_host_change change;
	int ret;

	if (is_about_routes(message->nlmsg_type)) {
		host->routes_changed = true;
		return;
	}
	ret = weir_host_cache_take(host->cache, message, &change);
	if (ret < 0)
		host->is_stale = true;
	if (ret != 1)
		return;
	if (change.kind != WEIR_HOST_NEIGHBOUR)
		host->routes_changed = true;
	tell(host, &change);
}

static void take_datagram(struct weir_host *host, size_t size)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)(void *)host->buffer;
	int left = (int)size;

	while (mnl_nlmsg_ok(message, left)) {
		take_message(host, message);
		message = mnl_nlmsg_next(message, &left);
	}
}

/* 1: no more for now; 0: there may be more; -errno. */
static int drain(struct weir_host *host)
{
	for (int i = 0; i < READS_AT_ONCE; i++) {
		ssize_t size =
			mnl_socket_recvfrom(host->notifications, host->buffer, WEIR_REQUEST_BUFFER);

		if (size >= 0)
			take_datagram(host, (size_t)size);
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			return 1;
		else if (errno == ENOBUFS || errno == ENOSPC) /* queue overrun; datagram cut */
			host->is_stale = true;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

static int take_dumped(const struct nlmsghdr *message, void *context)
{
	struct weir_host_change change;
	int ret = weir_host_cache_take(context, message, &change);

	if (ret >= 0)
		return MNL_CB_OK;
	errno = -ret;
	return MNL_CB_ERROR;
}

static int dump(struct weir_request *request, struct weir_host_cache *cache)
{
	int ret = weir_request_dump(
		request, RTM_GETLINK, sizeof(struct ifinfomsg), take_dumped, cache);

	if (ret == 0)
		ret = weir_request_dump(
			request, RTM_GETADDR, sizeof(struct ifaddrmsg), take_dumped, cache);
	if (ret == 0)
		ret = weir_request_dump(
			request, RTM_GETNEIGH, sizeof(struct ndmsg), take_dumped, cache);
	return ret;
}

/* A new cache takes the old one's place only once it is complete. */
static int refresh(struct weir_host *host)
{
	struct weir_host_cache *fresh = weir_host_cache_create();
	int ret;

	if (fresh == NULL)
		return -ENOMEM;
	ret = dump(&host->request, fresh);
	if (ret < 0) {
		weir_host_cache_destroy(fresh);
		return ret;
	}
	weir_host_cache_destroy(host->cache);
	host->cache = fresh;
	host->is_stale = false;
	return 0;
}

static int subscribe(struct weir_host *host)
{
	static const int groups[] = {RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
		RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP};
	const int bytes = RECEIVE_BYTES;
	int fd;

	host->notifications = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (host->notifications == NULL)
		return -errno;
	fd = mnl_socket_get_fd(host->notifications);
	/* Best effort: a smaller queue only means more overruns, which are mended. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	if (mnl_socket_bind(host->notifications, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	for (unsigned int i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (mnl_socket_setsockopt(host->notifications, NETLINK_ADD_MEMBERSHIP,
			    (void *)(uintptr_t)&groups[i], sizeof(groups[i])) < 0)
			return -errno;
	}
	return 0;
}

/* Notifications first: what happens during the dump is then told after it. */
static int start(struct weir_host *host)
{
	int ret = subscribe(host);

	if (ret == 0)
		ret = weir_request_open(&host->request);
	if (ret < 0)
		return ret;
	host->buffer = malloc(WEIR_REQUEST_BUFFER);
	return host->buffer != NULL ? refresh(host) : -ENOMEM;
}

int weir_host_open(
	weir_host_changed changed, void *context, struct weir_host **host, struct weir_error *error)
{
	int ret;

	*host = calloc(1, sizeof(**host));
	if (*host == NULL)
		return weir_error_set(error, -ENOMEM, "", "", "no memory for the kernel's tables");
	(*host)->changed = changed;
	(*host)->context = context;
	ret = start(*host);
	if (ret == 0)
		return 0;
	weir_host_close(*host);
	*host = NULL;
	return weir_error_set(error, ret, "",
		"allow AF_NETLINK to this process (systemd: RestrictAddressFamilies=)",
		"cannot follow the kernel's links, routes and neighbours: %s", strerror(-ret));
}

void weir_host_close(struct weir_host *host)
{
	if (host == NULL)
		return;
	if (host->notifications != NULL)
		mnl_socket_close(host->notifications);
	weir_request_close(&host->request);
	weir_host_cache_destroy(host->cache);
	free(host->buffer);
	free(host);
}

int weir_host_fd(const struct weir_host *host)
{
	return mnl_socket_get_fd(host->notifications);
}

int weir_host_process(struct weir_host *host)
{
	int ret = drain(host);

	if (ret < 0)
		return ret;
	/* Only now: what is queued is older than the loss, and would undo the fresh picture. */
	if (host->is_stale && ret == 1) {
		ret = refresh(host);
		if (ret < 0)
			return ret;
		host->routes_changed = false;
		tell_kind(host, WEIR_HOST_EVERYTHING);
	}
	if (host->routes_changed) {
		host->routes_changed = false;
		tell_kind(host, WEIR_HOST_ROUTE);
	}
	return 0;
}

int weir_host_link_by_index(const struct weir_host *host, int ifindex, struct weir_host_link *link)
{
	const struct weir_host_link *found = weir_host_cache_link(host->cache, ifindex);

	if (found == NULL)
		return -ENODEV;
	*link = *found;
	return 0;
}

int weir_host_link_by_name(
	const struct weir_host *host, const char *name, struct weir_host_link *link)
{
	const struct weir_host_link *found = weir_host_cache_link_named(host->cache, name);

	if (found == NULL)
		return -ENODEV;
	*link = *found;
	return 0;
}

unsigned int weir_host_addresses(const struct weir_host *host, int ifindex,
	struct weir_host_address *addresses, unsigned int max)
{
	return weir_host_cache_addresses(host->cache, ifindex, addresses, max);
}
