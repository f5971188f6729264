/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/*
 * drain PORT: the least that a program can do with what it is sent by UDP, many datagrams a call
 * and nothing with them. Prints how many came, in how many seconds: from the first call that finds
 * several until none has come for a second.
 */

#define BURST  32
#define LENGTH 2048
#define BUFFER (8 << 20)
#define WAIT_S 20
#define END_MS 1000

static double now(void)
{
	struct timespec clock;

	clock_gettime(CLOCK_MONOTONIC, &clock);
	return (double)clock.tv_sec + (double)clock.tv_nsec / 1e9;
}

static int open_port(uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int size = BUFFER;

	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return -errno;
	return fd;
}

static int run(int fd)
{
	static uint8_t buffers[BURST][LENGTH];
	static struct mmsghdr headers[BURST];
	static struct iovec vectors[BURST];
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	double begin = 0, end = 0, give_up = now() + WAIT_S;
	unsigned long taken = 0;

	for (int i = 0; i < BURST; i++) {
		vectors[i] = (struct iovec){buffers[i], LENGTH};
		headers[i].msg_hdr.msg_iov = &vectors[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	while (poll(&poll_fd, 1, END_MS) == 1 || taken == 0) {
		int some = recvmmsg(fd, headers, BURST, MSG_DONTWAIT, NULL);

		end = now();
		if (taken == 0 && end > give_up)
			return -ETIMEDOUT;
		if (taken == 0 && some > 1)
			begin = end;
		if (taken != 0 || some > 1)
			taken += some > 0 ? (unsigned long)some : 0;
	}
	printf("%lu %.6f\n", taken, end - begin);
	return 0;
}

int main(int argc, char **argv)
{
	int fd, result;

	if (argc != 2) {
		fprintf(stderr, "usage: drain PORT\n");
		return 2;
	}
	fd = open_port((uint16_t)strtoul(argv[1], NULL, 10));
	result = fd < 0 ? fd : run(fd);
	if (result < 0)
		fprintf(stderr, "drain: %s\n", strerror(-result));
	return result < 0;
}
