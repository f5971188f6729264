/* SPDX-License-Identifier: BSD-3-Clause */
/* lib/host against the running kernel, in namespaces of its own. Needs root, iproute2, veth. */
#include "host_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SKIPPED 77 /* to meson */

static int near_namespace = -1;
static int far_namespace = -1;

/*
 * ICMP errors unlimited: a test makes more of them than the limit lets through. For IPv4 by the
 * mask: a limit of 0 would use up the tokens that a router's host unreachable needs.
 */
static const char per_namespace[] =
	"ip link set lo up && echo 0 >/proc/sys/net/ipv4/icmp_ratemask && "
	"echo 0 >/proc/sys/net/ipv6/icmp/ratelimit";

static int make_namespace(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void enter(int namespace)
{
	if (setns(namespace, CLONE_NEWNET) < 0) {
		perror("setns");
		exit(1);
	}
}

static bool set_up(void)
{
	host_kernel_near();
	return host_kernel_run("%s", per_namespace) &&
	       host_kernel_run("ip link add near0 type veth peer name far0 netns /proc/%d/fd/%d",
		       (int)getpid(), far_namespace) &&
	       host_kernel_run("ip link set near0 up && ip addr add %s/24 dev near0 && "
			       "ip addr add %s/64 dev near0 nodad",
		       NEAR4, NEAR6) &&
	       (host_kernel_far(), true) && host_kernel_run("%s", per_namespace) &&
	       host_kernel_run("ip link set far0 up && ip addr add %s/24 dev far0 && "
			       "ip addr add %s/64 dev far0 nodad",
		       FAR4, FAR6) &&
	       /* The kernel takes its time to find that a link runs. */
	       (host_kernel_near(), true) &&
	       host_kernel_run("timeout 10 sh -c 'until ip link show near0 | grep -q \"state UP\"; "
			       "do sleep 0.02; done'");
}

static void socket_address(const char *text, uint16_t port, struct sockaddr_in6 *out)
{
	struct weir_address address = host_kernel_address(text);

	memset(out, 0, sizeof(*out));
	out->sin6_family = AF_INET6;
	out->sin6_port = htons(port);
	if (address.family == 6) {
		memcpy(&out->sin6_addr, address.bytes, 16);
	} else {
		out->sin6_addr.s6_addr[10] = 0xff;
		out->sin6_addr.s6_addr[11] = 0xff;
		memcpy(out->sin6_addr.s6_addr + 12, address.bytes, 4);
	}
}

int host_kernel_start(void)
{
	int ret = 0;

	near_namespace = make_namespace();
	if (near_namespace < 0)
		return near_namespace;
	far_namespace = make_namespace();
	if (far_namespace < 0)
		return far_namespace;
	if (!set_up())
		ret = -EIO;
	host_kernel_near();
	return ret;
}

void host_kernel_near(void)
{
	enter(near_namespace);
}

void host_kernel_far(void)
{
	enter(far_namespace);
}

bool host_kernel_run(const char *format, ...)
{
	char command[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (length < 0 || (size_t)length >= sizeof(command))
		return false;
	if (system(command) == 0)
		return true;
	fprintf(stderr, "failed: %s\n", command);
	return false;
}

uint64_t host_kernel_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool host_kernel_poll(int fd, short events, int timeout_ms)
{
	struct pollfd wait = {.fd = fd, .events = events};

	return poll(&wait, 1, timeout_ms) > 0;
}

struct weir_address host_kernel_address(const char *text)
{
	struct weir_address address;

	if (weir_address_parse(text, &address) < 0)
		abort();
	return address;
}

int host_kernel_udp(
	const char *local, uint16_t local_port, const char *remote, uint16_t remote_port)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in6 address;

	if (fd < 0)
		return -errno;
	if (local_port != 0) {
		socket_address(local, local_port, &address);
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			goto fail;
	}
	if (remote != NULL) {
		socket_address(remote, remote_port, &address);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			goto fail;
	}
	return fd;
fail:
	close(fd);
	return -1;
}

int main(void)
{
	CU_SuiteInfo suites[] = {
		{"links, addresses, routes", NULL, NULL, NULL, NULL, host_kernel_netlink_tests},
		{"neighbours", NULL, NULL, NULL, NULL, host_kernel_neighbour_tests},
		{"sink and probe", NULL, NULL, NULL, NULL, host_kernel_udp_tests},
		{"TAP twin", NULL, NULL, NULL, NULL, host_kernel_tap_tests},
		CU_SUITE_INFO_NULL,
	};
	int ret = host_kernel_start();

	if (ret == -EPERM) {
		fprintf(stderr, "skipped: making network namespaces needs root\n");
		return SKIPPED;
	}
	if (ret < 0) {
		fprintf(stderr, "cannot set up namespaces with veth: %s\n", strerror(-ret));
		return 1;
	}
	if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
		return 1;
	CU_basic_run_tests();
	return CU_get_number_of_failures() != 0;
}
