/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/sink.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>

#define WANTED_WORDS (65536 / 64)

struct held_port {
	uint16_t port;
	int fd;
};

struct weir_sink {
	char interface[IFNAMSIZ];
	struct held_port held[WEIR_SINK_MAX_PORTS];
	unsigned int count;
};

/* A bit for each port; returns how many there are. */
static unsigned int mark_wanted(
	const struct weir_sink_range *ranges, unsigned int count, uint64_t wanted[WANTED_WORDS])
{
	unsigned int ports = 0;

	memset(wanted, 0, WANTED_WORDS * sizeof(wanted[0]));
	for (unsigned int i = 0; i < count; i++) {
		for (uint32_t port = ranges[i].first; port <= ranges[i].last; port++) {
			uint64_t bit = UINT64_C(1) << (port % 64);

			if (port == 0 || (wanted[port / 64] & bit) != 0)
				continue;
			wanted[port / 64] |= bit;
			ports++;
		}
	}
	return ports;
}

static bool take_wanted(uint64_t wanted[WANTED_WORDS], uint16_t port)
{
	uint64_t bit = UINT64_C(1) << (port % 64);
	bool is_wanted = (wanted[port / 64] & bit) != 0;

	wanted[port / 64] &= ~bit;
	return is_wanted;
}

/* The filter comes before the port: no datagram can slip into the queue between the two. */
static int prepare(int fd, const char *interface)
{
	struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog program = {.len = 1, .filter = &drop_all};
	const int smallest = 0; /* the kernel raises it to its minimum */

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
		    (socklen_t)strlen(interface) + 1) < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest));
	return 0;
}

static int bind_port(int fd, bool is_ipv6, uint16_t port)
{
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	const int only_ipv6 = 0;

	if (!is_ipv6)
		return bind(fd, (struct sockaddr *)&any4, sizeof(any4)) < 0 ? -errno : 0;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_ipv6, sizeof(only_ipv6)) < 0)
		return -errno;
	return bind(fd, (struct sockaddr *)&any6, sizeof(any6)) < 0 ? -errno : 0;
}

/* A socket, or -errno. Both versions in one, unless the kernel was booted without IPv6. */
static int hold(const char *interface, uint16_t port)
{
	const int type = SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
	bool is_ipv6 = true;
	int fd = socket(AF_INET6, type, 0);
	int ret;

	if (fd < 0 && errno == EAFNOSUPPORT) {
		is_ipv6 = false;
		fd = socket(AF_INET, type, 0);
	}
	if (fd < 0)
		return -errno;
	ret = prepare(fd, interface);
	if (ret == 0)
		ret = bind_port(fd, is_ipv6, port);
	if (ret == 0)
		return fd;
	close(fd);
	return ret;
}

/* Close what is not wanted; what is held and wanted is wanted no more of the caller. */
static void release(struct weir_sink *sink, uint64_t wanted[WANTED_WORDS])
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < sink->count; i++) {
		if (take_wanted(wanted, sink->held[i].port))
			sink->held[kept++] = sink->held[i];
		else
			close(sink->held[i].fd);
	}
	sink->count = kept;
}

int weir_sink_open(const char *interface, struct weir_sink **sink)
{
	*sink = NULL;
	if (interface[0] == '\0' || strlen(interface) >= IFNAMSIZ)
		return -EINVAL;
	*sink = calloc(1, sizeof(**sink));
	if (*sink == NULL)
		return -ENOMEM;
	snprintf((*sink)->interface, sizeof((*sink)->interface), "%s", interface);
	return 0;
}

int weir_sink_set(struct weir_sink *sink, const struct weir_sink_range *ranges, unsigned int count)
{
	uint64_t wanted[WANTED_WORDS];
	int first_failure = 0;

	if (mark_wanted(ranges, count, wanted) > WEIR_SINK_MAX_PORTS)
		return -E2BIG;
	release(sink, wanted);
	for (uint32_t port = 1; port <= UINT16_MAX; port++) {
		int fd;

		if (!take_wanted(wanted, (uint16_t)port))
			continue;
		fd = hold(sink->interface, (uint16_t)port);
		if (fd >= 0)
			sink->held[sink->count++] =
				(struct held_port){.port = (uint16_t)port, .fd = fd};
		else if (fd != -EADDRINUSE && first_failure == 0)
			first_failure = fd;
	}
	return first_failure;
}

unsigned int weir_sink_count(const struct weir_sink *sink)
{
	return sink->count;
}

void weir_sink_close(struct weir_sink *sink)
{
	if (sink == NULL)
		return;
	for (unsigned int i = 0; i < sink->count; i++)
		close(sink->held[i].fd);
	free(sink);
}
