/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/af_packet.h"

#include <dirent.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#define FLUSH_MS 20

static bool is_bound_to(int fd, int ifindex)
{
	struct sockaddr_ll address = {0};
	socklen_t length = sizeof(address);

	return getsockname(fd, (struct sockaddr *)(void *)&address, &length) == 0 &&
	       address.sll_family == AF_PACKET && address.sll_ifindex == ifindex;
}

unsigned int weir_af_packet_sockets(int ifindex, int *fds, unsigned int most)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	unsigned int count = 0;

	if (folder == NULL)
		return 0;
	while (count < most && (entry = readdir(folder)) != NULL) {
		char *end;
		long fd = strtol(entry->d_name, &end, 10);

		if (end != entry->d_name && *end == '\0' && is_bound_to((int)fd, ifindex))
			fds[count++] = (int)fd;
	}
	closedir(folder);
	return count;
}

uint64_t weir_af_packet_drops(const int *fds, unsigned int count)
{
	uint64_t drops = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct tpacket_stats stats;
		socklen_t length = sizeof(stats);

		/* The kernel starts from zero again after each reading. */
		if (getsockopt(fds[i], SOL_PACKET, PACKET_STATISTICS, &stats, &length) == 0)
			drops += stats.tp_drops;
	}
	return drops;
}

bool weir_af_packet_is_running(int fd)
{
	struct sockaddr_ll address = {0};
	socklen_t length = sizeof(address);
	struct ifreq request = {0};

	if (getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return false;
	request.ifr_ifindex = address.sll_ifindex;
	if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return false;
	return (request.ifr_flags & IFF_UP) && (request.ifr_flags & IFF_RUNNING);
}

void weir_af_packet_flush(const int *fds, unsigned int count)
{
	const struct timeval patience = {.tv_usec = FLUSH_MS * 1000};

	for (unsigned int i = 0; i < count; i++) {
		setsockopt(fds[i], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		sendto(fds[i], NULL, 0, 0, NULL, 0);
	}
}
