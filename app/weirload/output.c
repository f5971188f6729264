/* SPDX-License-Identifier: BSD-3-Clause */
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <unistd.h>

#include "clock.h"

#define SEND_BUFFER (4 << 20)

static void count(_Atomic uint64_t *counter, uint64_t more)
{
	/* One writer: no read-modify-write is needed. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more,
		memory_order_relaxed);
}

static void wait_for_room(int fd, int error)
{
	struct pollfd waiting = {.fd = fd, .events = POLLOUT};
	struct timespec pause = {.tv_nsec = 50000};

	/* ENOBUFS comes from below the socket, where nothing tells when there is room again. */
	if (error == ENOBUFS)
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
	else
		poll(&waiting, 1, 10);
}

int load_output_open(const struct load_endpoint *from, const struct load_endpoint *to)
{
	int size = SEND_BUFFER;
	int fd = socket(to->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	/* The larger the better, but the default will do. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if ((from->length != 0 &&
		    bind(fd, (const struct sockaddr *)&from->address, from->length) < 0) ||
		connect(fd, (const struct sockaddr *)&to->address, to->length) < 0) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

void load_output_send(
	int fd, struct mmsghdr *messages, unsigned int total, struct load_output_stats *stats)
{
	unsigned int done = 0;

	while (done < total) {
		int sent = sendmmsg(fd, messages + done, total - done, MSG_DONTWAIT);
		uint64_t bytes = 0;

		if (sent > 0) {
			for (int i = 0; i < sent; i++)
				bytes += messages[done + (unsigned int)i].msg_len;
			count(&stats->sent, (uint64_t)sent);
			count(&stats->bytes, bytes);
			done += (unsigned int)sent;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			count(&stats->retries, 1);
			wait_for_room(fd, errno);
		} else if (errno == ECONNREFUSED) {
			count(&stats->refused, 1);
		} else if (errno != EINTR) {
			atomic_store_explicit(&stats->error, errno, memory_order_relaxed);
			count(&stats->failed, 1);
			done++;
		}
	}
}
