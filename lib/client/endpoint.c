/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/endpoint.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"

/* Of the kernel: datagrams that came as one, and how long each of them is. */
#define WHOLE     65536
#define STRIDE    (WHOLE + 4096 + 64) /* no two begin in the same lines of a cache */
#define BURST     32                  /* read by one call */
#define NAME_HOST 18                  /* characters of the host in a made-up name */

struct weir_endpoint {
	int fd;
	struct iovec vectors[BURST];
	struct mmsghdr headers[BURST];
	char control[BURST][CMSG_SPACE(sizeof(int))];
	uint8_t part[WEIR_DATAGRAM_MAX +
		     WEIR_FRAME_ALIGN]; /* one of several, where it is aligned */
	uint8_t buffers[];              /* BURST, of which most is not touched */
};

static int socket_send(void *context, const void *data, size_t length)
{
	const struct weir_endpoint *endpoint = context;

	/* An error left by an earlier datagram (ICMP unreachable) is not this one's: once more. */
	for (int attempt = 0; attempt < 2; attempt++)
		if (send(endpoint->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
	return -errno;
}

static uint64_t system_random(void *context)
{
	uint64_t value;

	(void)context;
	/* Only an interrupted start of the system can fail; the clock is unlike enough then. */
	if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		value = weir_endpoint_now_ns() * UINT64_C(0x9e3779b97f4a7c15);
	return value;
}

static uint64_t system_utc_ns(void *context)
{
	struct timespec now;

	(void)context;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static socklen_t address_make(
	const struct weir_address *address, uint16_t port, struct sockaddr_storage *result)
{
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)result;
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)result;

	memset(result, 0, sizeof(*result));
	if (address->family == 4) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(port);
		memcpy(&ipv4->sin_addr, address->bytes, 4);
		return sizeof(*ipv4);
	}
	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = htons(port);
	memcpy(&ipv6->sin6_addr, address->bytes, 16);
	return sizeof(*ipv6);
}

/* The descriptor, or -errno. */
static int socket_open(const char *gateway, uint16_t port, int receive_buffer)
{
	struct sockaddr_storage peer;
	struct weir_address address;
	socklen_t length;
	int fd;

	if (gateway == NULL || weir_address_parse(gateway, &address) != 0)
		return -EINVAL;
	length = address_make(&address, port, &peer);
	fd = socket(peer.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The kernel gives what it allows; privileged processes get all of it. */
	if (receive_buffer > 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer,
					  sizeof(receive_buffer)) != 0)
		(void)setsockopt(
			fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	/* Several datagrams at a time, where the kernel has collected them. */
	(void)setsockopt(fd, SOL_UDP, UDP_GRO, &(int){1}, sizeof(int));
	if (connect(fd, (const struct sockaddr *)&peer, length) != 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static void buffers_set(struct weir_endpoint *endpoint)
{
	for (unsigned int i = 0; i < BURST; i++) {
		endpoint->vectors[i].iov_base = endpoint->buffers + (size_t)i * STRIDE;
		endpoint->vectors[i].iov_len = WHOLE;
		endpoint->headers[i].msg_hdr.msg_iov = &endpoint->vectors[i];
		endpoint->headers[i].msg_hdr.msg_iovlen = 1;
		endpoint->headers[i].msg_hdr.msg_control = endpoint->control[i];
	}
}

int weir_endpoint_open(
	const char *gateway, uint16_t port, int receive_buffer, struct weir_endpoint **result)
{
	struct weir_endpoint *endpoint = calloc(1, sizeof(*endpoint) + (size_t)BURST * STRIDE);
	int fd;

	*result = NULL;
	if (endpoint == NULL)
		return -ENOMEM;
	fd = socket_open(gateway, port, receive_buffer);
	if (fd < 0) {
		free(endpoint);
		return fd;
	}
	endpoint->fd = fd;
	buffers_set(endpoint);
	*result = endpoint;
	return 0;
}

void weir_endpoint_close(struct weir_endpoint *endpoint)
{
	if (endpoint == NULL)
		return;
	close(endpoint->fd);
	free(endpoint);
}

int weir_endpoint_fd(const struct weir_endpoint *endpoint)
{
	return endpoint->fd;
}

struct weir_session_io weir_endpoint_io(struct weir_endpoint *endpoint)
{
	return (struct weir_session_io){endpoint, socket_send, system_random, system_utc_ns};
}

/* How long each datagram is of what came as one, its last aside. */
static size_t part_length(struct msghdr *header, size_t whole)
{
	struct cmsghdr *told = CMSG_FIRSTHDR(header);
	int length = 0;

	if (told != NULL && told->cmsg_level == SOL_UDP && told->cmsg_type == UDP_GRO)
		memcpy(&length, CMSG_DATA(told), sizeof(length));
	return length > 0 ? (size_t)length : whole;
}

static void take_parts(struct weir_endpoint *endpoint, struct mmsghdr *received,
	weir_endpoint_receive receive, void *context, uint64_t now_ns)
{
	const uint8_t *data = received->msg_hdr.msg_iov->iov_base;
	size_t left = received->msg_len;
	size_t length = part_length(&received->msg_hdr, left);

	do {
		size_t part = left < length ? left : length;
		/* Longer than any of ours: cut, it is taken for malformed. */
		size_t most = part < sizeof(endpoint->part) ? part : sizeof(endpoint->part);
		const void *datagram = data;

		/* Frames are read where they are. */
		if ((uintptr_t)data % WEIR_FRAME_ALIGN != 0)
			datagram = memcpy(endpoint->part, data, most);
		receive(context, datagram, most, now_ns);
		data += part;
		left -= part;
	} while (left != 0);
}

int weir_endpoint_read(struct weir_endpoint *endpoint, weir_endpoint_receive receive, void *context)
{
	uint64_t now;
	int count;

	for (unsigned int i = 0; i < BURST; i++)
		endpoint->headers[i].msg_hdr.msg_controllen = sizeof(endpoint->control[i]);
	count = recvmmsg(endpoint->fd, endpoint->headers, BURST, MSG_DONTWAIT, NULL);
	now = weir_endpoint_now_ns();
	/* One ICMP message decides nothing; liveness does. */
	if (count < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED ||
				 errno == EHOSTUNREACH || errno == ENETUNREACH))
		return 0;
	if (count < 0)
		return -errno;
	for (int i = 0; i < count; i++)
		take_parts(endpoint, &endpoint->headers[i], receive, context, now);
	return count == BURST;
}

uint64_t weir_endpoint_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int weir_endpoint_timeout_ms(uint64_t deadline_ns)
{
	uint64_t now = weir_endpoint_now_ns();
	uint64_t ms;

	if (deadline_ns == UINT64_MAX)
		return -1;
	if (deadline_ns <= now)
		return 0;
	ms = (deadline_ns - now + 999999) / 1000000;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

void weir_endpoint_name(char name[WEIR_FRAME_NAME_SIZE])
{
	char host[HOST_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof(host)) != 0 || host[0] == '\0')
		memcpy(host, "host", sizeof("host"));
	host[NAME_HOST] = '\0';
	/* Only characters that a name may have. */
	for (char *c = host; *c != '\0'; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			    (*c >= '0' && *c <= '9')))
			*c = '-';
	snprintf(name, WEIR_FRAME_NAME_SIZE, "%.*s-%d", NAME_HOST, host, (int)getpid());
}
