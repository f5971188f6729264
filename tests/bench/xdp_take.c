/* SPDX-License-Identifier: BSD-3-Clause */
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/xsk.h>

#include "xdp_ends.skel.h"

/*
 * xdp_take DEVICE SECONDS: a program hands all that the device receives to an AF_XDP socket, whose
 * frames are given back as they come, unread; prints packets a second of the last SECONDS, which
 * begin with the first one. Rings and modes are those of a port of driver xdp: this is the most
 * that a socket takes there.
 */

#define RING       4096
#define FRAME_SIZE 2048
#define FRAMES     RING
#define BURST      64

struct taker {
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_prod fill;
	struct xsk_ring_cons completion;
	struct xsk_ring_cons rx;
	struct xsk_ring_prod tx;
};

static double now(void)
{
	struct timespec clock;

	clock_gettime(CLOCK_MONOTONIC, &clock);
	return (double)clock.tv_sec + (double)clock.tv_nsec / 1e9;
}

static int open_socket(struct taker *taker, const char *device)
{
	struct xsk_umem_config memory = {
		.fill_size = FRAMES, .comp_size = RING, .frame_size = FRAME_SIZE};
	struct xsk_socket_config config = {.rx_size = RING,
		.tx_size = RING,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = XDP_USE_NEED_WAKEUP};
	size_t size = (size_t)FRAMES * FRAME_SIZE;
	void *area = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	uint32_t index = 0;
	int result;

	if (area == MAP_FAILED)
		return -1;
	result = xsk_umem__create(
		&taker->umem, area, size, &taker->fill, &taker->completion, &memory);
	if (result == 0)
		result = xsk_socket__create(
			&taker->socket, device, 0, taker->umem, &taker->rx, &taker->tx, &config);
	if (result != 0)
		return result;
	xsk_ring_prod__reserve(&taker->fill, FRAMES, &index);
	for (uint32_t i = 0; i < FRAMES; i++)
		*xsk_ring_prod__fill_addr(&taker->fill, index + i) = (uint64_t)i * FRAME_SIZE;
	xsk_ring_prod__submit(&taker->fill, FRAMES);
	return 0;
}

static uint32_t take(struct taker *taker)
{
	uint32_t from = 0, to = 0, found = xsk_ring_cons__peek(&taker->rx, BURST, &from);

	if (found == 0) {
		if (xsk_ring_prod__needs_wakeup(&taker->fill))
			(void)recvfrom(
				xsk_socket__fd(taker->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
		return 0;
	}
	xsk_ring_prod__reserve(&taker->fill, found, &to);
	for (uint32_t i = 0; i < found; i++)
		*xsk_ring_prod__fill_addr(&taker->fill, to + i) =
			xsk_ring_cons__rx_desc(&taker->rx, from + i)->addr &
			~(uint64_t)(FRAME_SIZE - 1);
	xsk_ring_prod__submit(&taker->fill, found);
	xsk_ring_cons__release(&taker->rx, found);
	return found;
}

static void measure(struct taker *taker, double seconds)
{
	double give_up = now() + 10, begin;
	uint64_t taken = 0;

	while (take(taker) == 0 && now() < give_up)
		;
	for (begin = now(); now() - begin < seconds;)
		for (int i = 0; i < BURST; i++)
			taken += take(taker);
	printf("%.0f\n", (double)taken / (now() - begin));
}

int main(int argc, char **argv)
{
	unsigned int ifindex = argc == 3 ? if_nametoindex(argv[1]) : 0;
	struct xdp_ends *skeleton = xdp_ends__open_and_load();
	struct taker taker = {0};
	uint32_t key = 0;
	int fd;

	if (ifindex == 0 || skeleton == NULL) {
		fprintf(stderr, "usage: xdp_take DEVICE SECONDS\n");
		return 2;
	}
	if (bpf_program__attach_xdp(skeleton->progs.take, (int)ifindex) == NULL ||
		open_socket(&taker, argv[1]) != 0) {
		perror("xdp_take");
		return 1;
	}
	fd = xsk_socket__fd(taker.socket);
	if (bpf_map_update_elem(bpf_map__fd(skeleton->maps.socket), &key, &fd, BPF_ANY) != 0) {
		perror("xdp_take: map");
		return 1;
	}
	measure(&taker, atof(argv[2]));
	/* Program and socket go with the process. */
	return 0;
}
