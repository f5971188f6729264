/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/address.h"
#include "client/session.h"
#include "wire/frame.h"

/* Larger than any datagram: one that was cut would be taken for malformed. */
#define SLOT      (WEIR_DATAGRAM_MAX + WEIR_FRAME_ALIGN)
#define BURST     32 /* datagrams read by one call */
#define BURSTS    8  /* at most, before the application gets its turn */
#define NAME_HOST 18 /* characters of the host in a made-up name */

/* The session with a socket and a clock. */
struct weir_consumer {
	struct weir_session *session;
	int fd;
	struct iovec vectors[BURST];
	struct mmsghdr headers[BURST];
	uint8_t buffers[]; /* BURST slots */
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int socket_send(void *context, const void *data, size_t length)
{
	const struct weir_consumer *consumer = context;

	/* An error left by an earlier datagram (ICMP unreachable) is not this one's: once more. */
	for (int attempt = 0; attempt < 2; attempt++)
		if (send(consumer->fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
	return -errno;
}

static uint64_t system_random(void *context)
{
	uint64_t value;

	(void)context;
	/* Only an interrupted start of the system can fail; the clock is unlike enough then. */
	if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
		value = now_ns() * UINT64_C(0x9e3779b97f4a7c15);
	return value;
}

/* Host and process, of characters that a name may have. */
static void name_make(char name[WEIR_FRAME_NAME_SIZE])
{
	char host[HOST_NAME_MAX + 1] = "";

	if (gethostname(host, sizeof(host)) != 0 || host[0] == '\0')
		memcpy(host, "host", sizeof("host"));
	host[NAME_HOST] = '\0';
	for (char *c = host; *c != '\0'; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			    (*c >= '0' && *c <= '9')))
			*c = '-';
	snprintf(name, WEIR_FRAME_NAME_SIZE, "%.*s-%d", NAME_HOST, host, (int)getpid());
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

/* A connected socket: datagrams from elsewhere never reach us. The descriptor, or -errno. */
static int socket_open(const struct weir_consumer_options *options)
{
	uint16_t port = options->port != 0 ? options->port : WEIR_CONSUMER_PORT;
	uint32_t window =
		options->window_bytes != 0 ? options->window_bytes : WEIR_CONSUMER_WINDOW_BYTES;
	int size = options->receive_buffer > 0 ? options->receive_buffer : (int)(window / 8 * 15);
	struct sockaddr_storage peer;
	struct weir_address address;
	socklen_t length;
	int fd;

	if (options->gateway == NULL || weir_address_parse(options->gateway, &address) != 0)
		return -EINVAL;
	length = address_make(&address, port, &peer);
	fd = socket(peer.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The kernel gives what it allows; privileged processes get all of it. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (connect(fd, (const struct sockaddr *)&peer, length) != 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static void buffers_set(struct weir_consumer *consumer)
{
	for (unsigned int i = 0; i < BURST; i++) {
		consumer->vectors[i].iov_base = consumer->buffers + (size_t)i * SLOT;
		consumer->vectors[i].iov_len = SLOT;
		consumer->headers[i].msg_hdr.msg_iov = &consumer->vectors[i];
		consumer->headers[i].msg_hdr.msg_iovlen = 1;
	}
}

/* Datagrams read: fewer than BURST when the socket is empty; or -errno. */
static int burst_read(struct weir_consumer *consumer)
{
	int count = recvmmsg(consumer->fd, consumer->headers, BURST, MSG_DONTWAIT, NULL);
	uint64_t now = now_ns();

	if (count < 0) {
		/* One ICMP message decides nothing; liveness does. */
		if (errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED ||
			errno == EHOSTUNREACH || errno == ENETUNREACH)
			return 0;
		return -errno;
	}
	for (int i = 0; i < count; i++)
		weir_session_receive(consumer->session, consumer->vectors[i].iov_base,
			consumer->headers[i].msg_len, now);
	return count;
}

int weir_consumer_open(const struct weir_consumer_options *options, struct weir_consumer **result)
{
	struct weir_consumer_options completed = *options;
	char name[WEIR_FRAME_NAME_SIZE];
	struct weir_consumer *consumer;
	struct weir_session_io io;
	int error;

	*result = NULL;
	name_make(name);
	if (completed.name == NULL)
		completed.name = name;
	consumer = calloc(1, sizeof(*consumer) + (size_t)BURST * SLOT);
	if (consumer == NULL)
		return -ENOMEM;
	buffers_set(consumer);
	consumer->fd = socket_open(&completed);
	error = consumer->fd;
	if (consumer->fd >= 0) {
		io = (struct weir_session_io){consumer, socket_send, system_random};
		error = weir_session_create(&completed, &io, now_ns(), &consumer->session);
	}
	if (error < 0) {
		weir_consumer_close(consumer);
		return error;
	}
	weir_session_tick(consumer->session, now_ns());
	*result = consumer;
	return 0;
}

int weir_consumer_fd(const struct weir_consumer *consumer)
{
	return consumer->fd;
}

int weir_consumer_timeout_ms(const struct weir_consumer *consumer)
{
	uint64_t deadline = weir_session_deadline_ns(consumer->session);
	uint64_t now = now_ns();

	if (deadline == UINT64_MAX)
		return -1;
	return deadline <= now ? 0 : (int)((deadline - now + 999999) / 1000000);
}

int weir_consumer_process(struct weir_consumer *consumer)
{
	size_t waiting;
	int count = BURST;

	for (unsigned int i = 0; i < BURSTS && count == BURST; i++)
		count = burst_read(consumer);
	if (count < 0)
		return count;
	weir_session_tick(consumer->session, now_ns());
	waiting = weir_session_waiting(consumer->session);
	return (int)waiting;
}

int weir_consumer_next(struct weir_consumer *consumer, struct weir_message *message)
{
	return weir_session_next(consumer->session, message, now_ns());
}

int weir_consumer_next_event(struct weir_consumer *consumer, struct weir_event *event)
{
	return weir_session_next_event(consumer->session, event);
}

int weir_consumer_consume(struct weir_consumer *consumer, uint32_t messages, uint32_t bytes)
{
	return weir_session_consume(consumer->session, messages, bytes, now_ns());
}

int weir_consumer_grant(struct weir_consumer *consumer, uint32_t messages)
{
	return weir_session_grant(consumer->session, messages, now_ns());
}

int weir_consumer_pause(struct weir_consumer *consumer, bool paused)
{
	return weir_session_pause(consumer->session, paused, now_ns());
}

void weir_consumer_stats(const struct weir_consumer *consumer, struct weir_consumer_stats *stats)
{
	weir_session_stats(consumer->session, stats);
}

void weir_consumer_close(struct weir_consumer *consumer)
{
	if (consumer == NULL)
		return;
	if (consumer->session != NULL)
		weir_session_leave(consumer->session);
	weir_session_destroy(consumer->session);
	if (consumer->fd >= 0)
		close(consumer->fd);
	free(consumer);
}
