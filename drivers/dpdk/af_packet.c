/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/af_packet.h"

#include <dirent.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stdlib.h>
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

void weir_af_packet_flush(const int *fds, unsigned int count)
{
	const struct timeval patience = {.tv_usec = FLUSH_MS * 1000};

	for (unsigned int i = 0; i < count; i++) {
		setsockopt(fds[i], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		sendto(fds[i], NULL, 0, 0, NULL, 0);
	}
}
