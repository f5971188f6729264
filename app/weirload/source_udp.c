/* SPDX-License-Identifier: BSD-3-Clause */
#include "source.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "report.h"

#define BATCH          64
#define LARGEST        65536
#define DEFAULT_BUFFER (4u << 20)

struct listener {
	int fd;
	size_t overhead; /* bytes of headers above the payload */
	uint64_t received;
	char text[LOAD_ENDPOINT_TEXT];
};

struct udp_source {
	struct load_source source;
	struct listener listeners[LOAD_MAX_ENDPOINTS];
	size_t count;
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	uint8_t buffers[BATCH][LARGEST];
};

static nfds_t udp_polls(const struct load_source *source, bool is_open, struct pollfd *polls)
{
	const struct udp_source *udp = (const struct udp_source *)source;

	if (!is_open)
		return 0;
	for (size_t i = 0; i < udp->count; i++)
		polls[i] = (struct pollfd){.fd = udp->listeners[i].fd, .events = POLLIN};
	return udp->count;
}

static int udp_timeout_ms(const struct load_source *source)
{
	(void)source;
	return -1;
}

static int64_t take_from(
	struct udp_source *udp, struct listener *listener, struct load_sink *sink, uint64_t room)
{
	unsigned int most = room < BATCH ? (unsigned int)room : BATCH;
	int got = recvmmsg(listener->fd, udp->messages, most, MSG_DONTWAIT, NULL);
	uint64_t now_ns;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED ? 0 : -errno;
	now_ns = load_clock_ns();
	for (int i = 0; i < got; i++)
		load_sink_take(sink, udp->buffers[i], udp->messages[i].msg_len, listener->overhead,
			now_ns);
	listener->received += (uint64_t)got;
	return got;
}

static int64_t udp_take(struct load_source *source, struct load_sink *sink, uint64_t room)
{
	struct udp_source *udp = (struct udp_source *)source;
	uint64_t taken = 0;

	for (size_t i = 0; i < udp->count && taken < room; i++) {
		int64_t got = take_from(udp, &udp->listeners[i], sink, room - taken);

		if (got < 0)
			return got;
		taken += (uint64_t)got;
	}
	return (int64_t)taken;
}

/* Datagrams that the kernel dropped because this socket's buffer was full. SO_RXQ_OVFL tells
 * the same number, but only with a datagram that comes after. */
static uint64_t socket_drops(int fd)
{
	uint32_t info[SK_MEMINFO_VARS];
	socklen_t length = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) < 0 ||
		length <= SK_MEMINFO_DROPS * sizeof(info[0]))
		return 0;
	return info[SK_MEMINFO_DROPS];
}

static void udp_report(const struct load_source *source, json_t *report)
{
	const struct udp_source *udp = (const struct udp_source *)source;
	json_t *rows = json_array();
	uint64_t drops = 0;

	for (size_t i = 0; i < udp->count; i++) {
		const struct listener *listener = &udp->listeners[i];
		uint64_t own = socket_drops(listener->fd);
		json_t *row = json_object();

		drops += own;
		load_report_text(row, "address", listener->text);
		load_report_count(row, "received", listener->received);
		load_report_count(row, "socket_drops", own);
		json_array_append_new(rows, row);
	}
	load_report_text(report, "class", "blind");
	load_report_count(report, "socket_drops", drops);
	load_report_part(report, "listeners", rows);
}

static void udp_close(struct load_source *source)
{
	struct udp_source *udp = (struct udp_source *)source;

	for (size_t i = 0; i < udp->count; i++)
		close(udp->listeners[i].fd);
	free(udp);
}

static int open_listener(struct listener *listener, const struct load_endpoint *at, int buffer)
{
	struct load_endpoint bound = *at;
	int fd = socket(at->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	if (bind(fd, (const struct sockaddr *)&at->address, at->length) < 0 ||
		getsockname(fd, (struct sockaddr *)&bound.address, &bound.length) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	listener->fd = fd;
	listener->overhead = load_endpoint_overhead(at);
	memcpy(listener->text, at->text, sizeof(listener->text));
	fprintf(stderr, "listening on %s, port %u\n", at->text, load_endpoint_port(&bound));
	return 0;
}

struct load_source *load_source_udp(const struct load_endpoints *listen, uint64_t buffer)
{
	static const struct load_source_kind kind = {
		.polls = udp_polls,
		.timeout_ms = udp_timeout_ms,
		.take = udp_take,
		.report = udp_report,
		.close = udp_close,
	};
	struct udp_source *udp = calloc(1, sizeof(*udp));

	if (udp == NULL) {
		fprintf(stderr, "weirload receive: no memory\n");
		return NULL;
	}
	udp->source.kind = &kind;
	for (size_t i = 0; i < BATCH; i++) {
		udp->parts[i] = (struct iovec){.iov_base = udp->buffers[i], .iov_len = LARGEST};
		udp->messages[i].msg_hdr.msg_iov = &udp->parts[i];
		udp->messages[i].msg_hdr.msg_iovlen = 1;
	}
	for (; udp->count < listen->count; udp->count++) {
		int error = open_listener(&udp->listeners[udp->count], &listen->list[udp->count],
			buffer != 0 ? (int)buffer : (int)DEFAULT_BUFFER);

		if (error < 0) {
			fprintf(stderr, "weirload receive: %s: %s\n", listen->list[udp->count].text,
				strerror(-error));
			udp_close(&udp->source);
			return NULL;
		}
	}
	return &udp->source;
}
