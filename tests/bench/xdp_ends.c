/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "xdp_ends.skel.h"

/*
 * xdp_ends send DEVICE SECONDS: sends the frame on standard input out of the device, as fast as one
 * CPU can. xdp_ends drop DEVICE SECONDS: what the device receives is dropped by a program; prints
 * packets a second of the last SECONDS, which begin with the first packet.
 */

#define FRAME_MAX  2048
#define REPEAT     65536
#define NAPI_BATCH 64

static double now(void)
{
	struct timespec clock;

	clock_gettime(CLOCK_MONOTONIC, &clock);
	return (double)clock.tv_sec + (double)clock.tv_nsec / 1e9;
}

static int send_frames(struct xdp_ends *skeleton, int ifindex, double seconds)
{
	static uint8_t frame[FRAME_MAX];
	size_t length = fread(frame, 1, sizeof(frame), stdin);
	struct xdp_md context = {.data_end = (__u32)length, .ingress_ifindex = (__u32)ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = (__u32)length,
		.ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = REPEAT,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = NAPI_BATCH);
	double until = now() + seconds;
	int result = 0;

	while (result == 0 && now() < until)
		result = bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.send), &options);
	return result;
}

static int drop_frames(struct xdp_ends *skeleton, int ifindex, double seconds)
{
	struct bpf_link *link = bpf_program__attach_xdp(skeleton->progs.drop, ifindex);
	volatile __u64 *dropped = &skeleton->bss->dropped;
	double begin = now();
	__u64 first;

	if (link == NULL)
		return -errno;
	while (*dropped == 0 && now() < begin + 10)
		usleep(1000);
	begin = now();
	first = *dropped;
	usleep((useconds_t)(seconds * 1e6));
	printf("%.0f\n", (double)(*dropped - first) / (now() - begin));
	return bpf_link__destroy(link);
}

int main(int argc, char **argv)
{
	int ifindex = argc == 4 ? (int)if_nametoindex(argv[2]) : 0;
	struct xdp_ends *skeleton = xdp_ends__open();
	int result = -EINVAL;

	if (ifindex == 0 || skeleton == NULL) {
		fprintf(stderr, "usage: xdp_ends send|drop DEVICE SECONDS\n");
		return 2;
	}
	skeleton->rodata->target = ifindex;
	result = xdp_ends__load(skeleton);
	if (result == 0)
		result = strcmp(argv[1], "drop") == 0
				 ? drop_frames(skeleton, ifindex, atof(argv[3]))
				 : send_frames(skeleton, ifindex, atof(argv[3]));
	if (result < 0)
		fprintf(stderr, "xdp_ends: %s: %s\n", argv[1], strerror(-result));
	xdp_ends__destroy(skeleton);
	return result < 0;
}
