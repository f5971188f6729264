/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <linux/if_packet.h>
#include <math.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "xdp_ends.skel.h"

/*
 * xdp_ends send DEVICE SECONDS [RATE]: sends the frame on standard input out of the device, as fast
 * as one CPU can or RATE a second; prints how many, and in what time.
 * xdp_ends stack DEVICE SECONDS: the same from a socket, as any program's packets come; at a rate
 * of its own, which is what the kernel takes to make and carry them. xdp_ends drop DEVICE SECONDS:
 * what the device receives is dropped by a program; prints datagrams a second of the last SECONDS,
 * which begin with the first one. xdp_ends count DEVICE: likewise until standard input ends; each
 * line of it is answered with how many datagrams there were.
 */

#define FRAME_MAX  2048
#define NAPI_BATCH 64

static uint8_t frame[FRAME_MAX];
static size_t frame_length;

static double now(void)
{
	struct timespec clock;

	clock_gettime(CLOCK_MONOTONIC, &clock);
	return (double)clock.tv_sec + (double)clock.tv_nsec / 1e9;
}

static void stop(int signal)
{
	(void)signal;
}

/* In one call, which the alarm ends: each begins and ends with a pause of some 30 ms. */
static int send_frames(struct xdp_ends *skeleton, int ifindex, double seconds)
{
	struct xdp_md context = {
		.data_end = (__u32)frame_length, .ingress_ifindex = (__u32)ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame,
		.data_size_in = (__u32)frame_length, .ctx_in = &context,
		.ctx_size_in = sizeof(context), .repeat = INT_MAX,
		.flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = NAPI_BATCH);
	struct itimerval alarm = {.it_value = {.tv_sec = (time_t)seconds,
					  .tv_usec = (suseconds_t)(fmod(seconds, 1) * 1e6)}};
	struct sigaction action = {.sa_handler = stop};
	int result;

	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	setitimer(ITIMER_REAL, &alarm, NULL);
	result = bpf_prog_test_run_opts(bpf_program__fd(skeleton->progs.send), &options);
	/* The time is that of frames sent at a rate: the last one's from the first one's. */
	printf("%llu %.6f\n", skeleton->bss->sent,
		(double)(skeleton->bss->due_ns - skeleton->bss->begun_ns) / 1e9);
	return result == -EINTR ? 0 : result;
}

static int open_packet_socket(int ifindex)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), yes = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes)) < 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int result = -errno;

		close(fd);
		return result;
	}
	return fd;
}

static int send_by_stack(int ifindex, double seconds)
{
	struct iovec part = {frame, frame_length};
	struct mmsghdr messages[NAPI_BATCH] = {0};
	int fd = open_packet_socket(ifindex);
	double begin = now();
	uint64_t sent = 0;

	if (fd < 0)
		return fd;
	for (int i = 0; i < NAPI_BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1};
	while (now() - begin < seconds) {
		int count = sendmmsg(fd, messages, NAPI_BATCH, 0);

		sent += count > 0 ? (uint64_t)count : 0;
	}
	printf("%llu %.6f\n", (unsigned long long)sent, now() - begin);
	close(fd);
	return 0;
}

static int drop_frames(struct xdp_ends *skeleton, double seconds)
{
	volatile __u64 *dropped = &skeleton->bss->dropped;
	double begin = now();
	__u64 first;

	while (*dropped == 0 && now() < begin + 10)
		usleep(1000);
	begin = now();
	first = *dropped;
	usleep((useconds_t)(seconds * 1e6));
	printf("%.0f\n", (double)(*dropped - first) / (now() - begin));
	return 0;
}

static int count_frames(struct xdp_ends *skeleton)
{
	volatile __u64 *dropped = &skeleton->bss->dropped;
	int character;

	while ((character = getchar()) != EOF)
		if (character == '\n') {
			printf("%llu\n", *dropped);
			fflush(stdout);
		}
	return 0;
}

/* Takes what the device receives, in the one way or the other. */
static int take_frames(struct xdp_ends *skeleton, int ifindex, const char *seconds)
{
	struct bpf_link *link = bpf_program__attach_xdp(skeleton->progs.drop, ifindex);

	if (link == NULL)
		return -errno;
	if (seconds != NULL)
		drop_frames(skeleton, atof(seconds));
	else
		count_frames(skeleton);
	return bpf_link__destroy(link);
}

/* The frame on standard input; what of it the kernel's memory has to be given again each time. */
static void read_frame(struct xdp_ends *skeleton)
{
	frame_length = fread(frame, 1, sizeof(frame), stdin);
	memcpy((void *)(uintptr_t)skeleton->rodata->headers, frame,
		sizeof(skeleton->rodata->headers));
}

static bool is_sound(int count, char **arguments)
{
	if (count >= 4 && count <= 5 && strcmp(arguments[1], "send") == 0)
		return true;
	return (count == 4 && strcmp(arguments[1], "stack") == 0) ||
	       (count == 4 && strcmp(arguments[1], "drop") == 0) ||
	       (count == 3 && strcmp(arguments[1], "count") == 0);
}

int main(int argc, char **argv)
{
	int ifindex = is_sound(argc, argv) ? (int)if_nametoindex(argv[2]) : 0;
	struct xdp_ends *skeleton = xdp_ends__open();
	int result;

	if (ifindex == 0 || skeleton == NULL) {
		fprintf(stderr,
			"usage: xdp_ends send DEVICE SECONDS [RATE] | stack DEVICE SECONDS |"
			" drop DEVICE SECONDS | count DEVICE\n");
		return 2;
	}
	skeleton->rodata->target = ifindex;
	skeleton->rodata->gap_ns =
		argc == 5 && atof(argv[4]) > 0 ? (__u64)(1e9 / atof(argv[4])) : 0;
	if (argc >= 4 && strcmp(argv[1], "drop") != 0)
		read_frame(skeleton);
	result = xdp_ends__load(skeleton);
	if (result == 0 && strcmp(argv[1], "send") == 0)
		result = send_frames(skeleton, ifindex, atof(argv[3]));
	else if (result == 0 && strcmp(argv[1], "stack") == 0)
		result = send_by_stack(ifindex, atof(argv[3]));
	else if (result == 0)
		result = take_frames(skeleton, ifindex, argv[3]);
	if (result < 0)
		fprintf(stderr, "xdp_ends: %s: %s\n", argv[1], strerror(-result));
	xdp_ends__destroy(skeleton);
	return result < 0;
}
