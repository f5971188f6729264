/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/interface.h"

#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int request(const char *name, unsigned long number, struct ifreq *change)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int result;

	if (fd < 0)
		return -errno;
	snprintf(change->ifr_name, sizeof(change->ifr_name), "%s", name);
	result = ioctl(fd, number, change) < 0 ? -errno : 0;
	close(fd);
	return result;
}

int weir_interface_mtu(const char *name, uint16_t *mtu)
{
	struct ifreq change = {0};
	int result = request(name, SIOCGIFMTU, &change);

	if (result == 0)
		*mtu = change.ifr_mtu > UINT16_MAX ? UINT16_MAX : (uint16_t)change.ifr_mtu;
	return result;
}

int weir_interface_set_mtu(const char *name, uint16_t mtu)
{
	struct ifreq change = {.ifr_mtu = mtu};

	return request(name, SIOCSIFMTU, &change);
}

int weir_interface_mac(const char *name, uint8_t mac[6])
{
	struct ifreq change = {0};
	int result = request(name, SIOCGIFHWADDR, &change);

	memcpy(mac, change.ifr_hwaddr.sa_data, 6);
	return result;
}

int weir_interface_set_mac(const char *name, const uint8_t mac[6])
{
	struct ifreq change = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

	memcpy(change.ifr_hwaddr.sa_data, mac, 6);
	return request(name, SIOCSIFHWADDR, &change);
}

int weir_interface_set_promiscuous(const char *name)
{
	struct ifreq change = {0};
	int result = request(name, SIOCGIFFLAGS, &change);

	if (result < 0 || (change.ifr_flags & IFF_PROMISC))
		return result;
	change.ifr_flags |= IFF_PROMISC;
	return request(name, SIOCSIFFLAGS, &change);
}

bool weir_interface_is_running(const char *name)
{
	struct ifreq change = {0};

	return request(name, SIOCGIFFLAGS, &change) == 0 && (change.ifr_flags & IFF_UP) &&
	       (change.ifr_flags & IFF_RUNNING);
}

uint16_t weir_interface_queues(const char *name)
{
	char path[64];
	struct dirent *entry;
	uint16_t count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", name);
	folder = opendir(path);
	while (folder != NULL && (entry = readdir(folder)) != NULL)
		count += strncmp(entry->d_name, "rx-", 3) == 0;
	if (folder != NULL)
		closedir(folder);
	return count == 0 ? 1 : count;
}

int weir_interface_read(const char *name, struct weir_interface *interface)
{
	struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
	struct ethtool_value flags = {.cmd = ETHTOOL_GFLAGS};
	struct ifreq change = {0};
	int result = weir_interface_mtu(name, &interface->mtu);

	if (result < 0)
		return result;
	interface->queues = weir_interface_queues(name);
	interface->is_up = request(name, SIOCGIFFLAGS, &change) == 0 && (change.ifr_flags & IFF_UP);
	change.ifr_data = (void *)&driver;
	if (request(name, SIOCETHTOOL, &change) < 0)
		driver.driver[0] = '\0';
	snprintf(interface->driver, sizeof(interface->driver), "%s",
		driver.driver[0] != '\0' ? driver.driver : "no driver");
	change.ifr_data = (void *)&flags;
	interface->strips_vlan =
		request(name, SIOCETHTOOL, &change) == 0 && (flags.data & ETH_FLAG_RXVLAN);
	return 0;
}
