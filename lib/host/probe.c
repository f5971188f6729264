/* SPDX-License-Identifier: BSD-3-Clause */
#include "host/probe.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t socket_address(
	const struct weir_address *address, uint16_t port, struct sockaddr_storage *storage)
{
	memset(storage, 0, sizeof(*storage));
	if (address->family == 4) {
		struct sockaddr_in *ipv4 = (struct sockaddr_in *)storage;

		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(port);
		memcpy(&ipv4->sin_addr, address->bytes, 4);
		return sizeof(*ipv4);
	}
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)storage;

	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = htons(port);
	memcpy(&ipv6->sin6_addr, address->bytes, 16);
	return sizeof(*ipv6);
}

/* Without this a UDP socket hears of a closed port only, not of an unreachable host. */
static int hear_all_errors(int fd, uint8_t family)
{
	const int on = 1;

	if (family == 4)
		return setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on)) < 0 ? -errno : 0;
	return setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on)) < 0 ? -errno : 0;
}

static int send_probe(int fd, const struct weir_address *address, uint16_t port)
{
	struct sockaddr_storage storage;
	socklen_t length = socket_address(address, port, &storage);
	int ret = hear_all_errors(fd, address->family);

	if (ret < 0)
		return ret;
	if (connect(fd, (struct sockaddr *)&storage, length) < 0)
		return -errno;
	return send(fd, "", 0, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* 0: nobody complained yet. Reading SO_ERROR clears it. */
static int pending_error(int fd)
{
	socklen_t length = sizeof(int);
	int error = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return errno;
	return error;
}

int weir_probe_start(const struct weir_address *address, uint16_t port, struct weir_probe *probe)
{
	int ret;

	memset(probe, 0, sizeof(*probe));
	probe->fd = -1;
	if ((address->family != 4 && address->family != 6) || port == 0)
		return -EINVAL;
	probe->fd = socket(address->family == 4 ? AF_INET : AF_INET6,
		SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe->fd < 0)
		return -errno;
	ret = send_probe(probe->fd, address, port);
	if (ret < 0)
		weir_probe_close(probe);
	return ret;
}

enum weir_probe_result weir_probe_result(struct weir_probe *probe, uint64_t elapsed_ms)
{
	if (probe->result != WEIR_PROBE_PENDING || probe->fd < 0)
		return probe->result;
	probe->error = pending_error(probe->fd);
	if (probe->error != 0)
		probe->result = WEIR_PROBE_REFUSED;
	else if (elapsed_ms >= WEIR_PROBE_WAIT_MS)
		probe->result = WEIR_PROBE_ALIVE;
	return probe->result;
}

void weir_probe_close(struct weir_probe *probe)
{
	if (probe->fd >= 0)
		close(probe->fd);
	probe->fd = -1;
}
