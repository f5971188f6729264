/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/driver.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

/* Device arguments, driver by driver. */

#define AF_PACKET_HEADER 128 /* what the kernel puts in front of a frame in its ring, and tags */
#define AF_PACKET_BLOCK  65536
#define DEFAULT_MTU      1500

static int put(char *text, size_t size, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int put(char *text, size_t size, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text + used, size - used, format, args);
	va_end(args);
	return length < 0 || (size_t)length >= size - used ? -ENAMETOOLONG : 0;
}

int weir_device_name(
	const struct weir_config_port *port, unsigned int index, char *name, size_t size)
{
	static const char *const drivers[] = {
		[WEIR_DRIVER_AF_PACKET] = "net_af_packet",
		[WEIR_DRIVER_AF_XDP] = "net_af_xdp",
		[WEIR_DRIVER_TAP] = "net_tap",
		[WEIR_DRIVER_MEMIF] = "net_memif",
		[WEIR_DRIVER_PCAP] = "net_pcap",
		[WEIR_DRIVER_NULL] = "net_null",
	};

	name[0] = '\0';
	if (port->driver == WEIR_DRIVER_PCI)
		return put(name, size, "%s", port->device);
	return put(name, size, "%s%u", drivers[port->driver], index);
}

/* Receive queues that the kernel's driver of an interface has. */
static uint16_t interface_queues(const char *interface)
{
	char path[64];
	struct dirent *entry;
	uint16_t count = 0;
	DIR *folder;

	snprintf(path, sizeof(path), "/sys/class/net/%s/queues", interface);
	folder = opendir(path);
	if (folder == NULL)
		return 1;
	while ((entry = readdir(folder)) != NULL)
		count += strncmp(entry->d_name, "rx-", 3) == 0;
	closedir(folder);
	return RTE_MAX(count, (uint16_t)1);
}

uint16_t weir_device_queues(const struct weir_config *config, const struct weir_config_port *port)
{
	uint16_t workers = (uint16_t)weir_config_slots(config);

	if (port->driver == WEIR_DRIVER_PCAP || port->driver == WEIR_DRIVER_NULL)
		return 1;
	if (port->queues != 0)
		return RTE_MIN(port->queues, (uint16_t)WEIR_PORT_MAX_QUEUES);
	if (port->driver == WEIR_DRIVER_AF_XDP)
		return RTE_MIN(workers, interface_queues(port->interface));
	if (port->driver == WEIR_DRIVER_MEMIF)
		return 1;
	return workers;
}

static int put_af_packet(const struct weir_config *config, const struct weir_config_port *port,
	char *text, size_t size)
{
	uint32_t frame = 2048;
	uint32_t mtu = port->mtu != 0 ? port->mtu : DEFAULT_MTU;
	uint32_t block;

	while (frame < mtu + AF_PACKET_HEADER)
		frame *= 2;
	block = RTE_MAX(frame, (uint32_t)AF_PACKET_BLOCK);
	return put(text, size, ",iface=%s,qpairs=%u,blocksz=%u,framesz=%u,framecnt=%u",
		port->interface, weir_device_queues(config, port), block, frame,
		RTE_MAX((uint32_t)port->descriptors, block / frame));
}

static int put_pcap(const struct weir_config_port *port, char *text, size_t size)
{
	int result = 0;

	if (port->rx_file[0] != '\0')
		result = put(text, size, ",rx_pcap=%s", port->rx_file);
	if (result == 0 && port->tx_file[0] != '\0')
		result = put(text, size, ",tx_pcap=%s", port->tx_file);
	if (result == 0 && port->loop)
		result = put(text, size, ",infinite_rx=1");
	return result;
}

static int put_driver(const struct weir_config *config, const struct weir_config_port *port,
	char *text, size_t size)
{
	char mac[18];

	switch (port->driver) {
	case WEIR_DRIVER_AF_PACKET:
		return put_af_packet(config, port, text, size);
	case WEIR_DRIVER_AF_XDP:
		return put(text, size, ",iface=%s,start_queue=0,queue_count=%u", port->interface,
			weir_device_queues(config, port));
	case WEIR_DRIVER_TAP:
		return put(text, size, ",iface=%s", port->interface);
	case WEIR_DRIVER_MEMIF:
		if (put(text, size, ",role=%s,id=%u,socket=%s,socket-abstract=no,rsize=%u",
			    port->memif_server ? "server" : "client", port->memif_id, port->socket,
			    rte_log2_u32(port->descriptors)) < 0)
			return -ENAMETOOLONG;
		return port->has_mac ? put(text, size, ",mac=%s",
					       weir_mac_format(port->mac, mac, sizeof(mac)))
				     : 0;
	case WEIR_DRIVER_PCAP:
		return put_pcap(port, text, size);
	case WEIR_DRIVER_NULL:
		if (port->frame_bytes == 0)
			return put(text, size, ",no-rx=1");
		return put(text, size, ",size=%u", port->frame_bytes);
	default:
		return 0;
	}
}

int weir_device_argument(
	const struct weir_config *config, unsigned int index, char *argument, size_t size)
{
	const struct weir_config_port *port = &config->ports[index];
	int result = weir_device_name(port, index, argument, size);

	return result < 0 ? result : put_driver(config, port, argument, size);
}
