/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/driver.h"

#include <errno.h>
#include <net/if.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ethdev.h>

#include "base/log.h"
#include "dpdk/af_packet.h"

/* Ports on ethdev. The only user of rte_ethdev. */

struct queue {
	uint16_t port;
	uint16_t index;
	bool has_interrupts; /* perhaps: its driver knows such a thing */
	atomic_bool is_held; /* the device stands still */
};

struct device {
	uint16_t id; /* ethdev's */
	uint16_t rx_queues;
	uint16_t tx_queues;
	bool is_started;
	int sockets[WEIR_PORT_MAX_QUEUES]; /* of net_af_packet */
	unsigned int socket_count;
	uint64_t socket_drops;
	struct queue rx[WEIR_PORT_MAX_QUEUES];
	struct queue tx[WEIR_PORT_MAX_QUEUES];
};

static bool is_held(const struct queue *queue)
{
	return unlikely(atomic_load_explicit(&queue->is_held, memory_order_acquire));
}

static uint16_t receive(void *handle, struct rte_mbuf **packets, uint16_t count)
{
	const struct queue *queue = handle;

	if (is_held(queue))
		return 0;
	return rte_eth_rx_burst(queue->port, queue->index, packets, count);
}

static uint16_t transmit(void *handle, struct rte_mbuf **packets, uint16_t count)
{
	const struct queue *queue = handle;

	if (is_held(queue))
		return 0;
	return rte_eth_tx_burst(queue->port, queue->index, packets, count);
}

static int arm(void *handle, bool on)
{
	const struct queue *queue = handle;

	if (is_held(queue))
		return 0;
	return on ? rte_eth_dev_rx_intr_enable(queue->port, queue->index)
		  : rte_eth_dev_rx_intr_disable(queue->port, queue->index);
}

static int wait_fd(void *handle)
{
	const struct queue *queue = handle;
	int fd, armed;

	/* Asked of a device without interrupts, ethdev logs an error. */
	if (!queue->has_interrupts)
		return -ENOTSUP;
	fd = rte_eth_dev_rx_intr_ctl_q_get_fd(queue->port, queue->index);
	if (fd < 0)
		return -ENOTSUP;
	/* A device without a switch for its interrupts, such as net_tap, has them always on. */
	armed = arm(handle, true);
	if (armed == 0)
		arm(handle, false);
	return armed == 0 || armed == -ENOTSUP ? fd : -ENOTSUP;
}

static void hold(void *driver, bool on)
{
	struct device *device = driver;
	bool is_held = on || !device->is_started;

	for (uint16_t i = 0; i < device->rx_queues; i++)
		atomic_store_explicit(&device->rx[i].is_held, is_held, memory_order_release);
	for (uint16_t i = 0; i < device->tx_queues; i++)
		atomic_store_explicit(&device->tx[i].is_held, is_held, memory_order_release);
}

/* ethdev sets its addresses and filters again. */
static int restart(void *driver)
{
	struct device *device = driver;
	int result = device->is_started ? rte_eth_dev_stop(device->id) : 0;

	if (result < 0)
		return result;
	device->is_started = false;
	result = rte_eth_dev_start(device->id);
	device->is_started = result == 0;
	return result;
}

static void counters(void *driver, struct weir_port_counters *out)
{
	struct device *device = driver;
	struct rte_eth_stats stats;

	memset(out, 0, sizeof(*out));
	device->socket_drops += weir_af_packet_drops(device->sockets, device->socket_count);
	if (rte_eth_stats_get(device->id, &stats) != 0)
		return;
	out->rx_packets = stats.ipackets;
	out->rx_bytes = stats.ibytes;
	out->rx_missed = stats.imissed + device->socket_drops;
	out->rx_errors = stats.ierrors;
	out->rx_no_buffer = stats.rx_nombuf;
	out->tx_packets = stats.opackets;
	out->tx_bytes = stats.obytes;
	out->tx_errors = stats.oerrors;
}

static bool link_is_up(void *driver)
{
	const struct device *device = driver;
	struct rte_eth_link link;

	/* net_af_packet says that it is up, whatever its interface is. */
	if (device->socket_count != 0 && !weir_af_packet_is_running(device->sockets[0]))
		return false;
	return rte_eth_link_get_nowait(device->id, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

static uint32_t speed_mbps(void *driver)
{
	const struct device *device = driver;
	struct rte_eth_link link;

	if (rte_eth_link_get_nowait(device->id, &link) != 0 ||
		link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN)
		return 0;
	return link.link_speed;
}

static const struct weir_port_ops ops = {
	.rx = receive,
	.tx = transmit,
	.rx_fd = wait_fd,
	.rx_arm = arm,
	.hold = hold,
	.restart = restart,
	.counters = counters,
	.link = link_is_up,
	.speed = speed_mbps,
};

static int fail(struct weir_error *error, int code, unsigned int index, const char *key,
	const char *hint, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "$.ports[%u]%s", index, key);
	return weir_error_set(error, code, path, hint, "%s: %s", what, strerror(-code));
}

static int set_mtu(uint16_t id, const struct weir_config_port *config, struct weir_port *port)
{
	int result = 0;

	/* DPDK's af_packet says 1,514 bytes at most, and takes what a frame of its ring holds. */
	if (config->driver == WEIR_DRIVER_AF_PACKET && config->mtu > RTE_ETHER_MTU) {
		port->mtu = config->mtu;
		return 0;
	}
	if (config->mtu != 0)
		result = rte_eth_dev_set_mtu(id, config->mtu);
	if (result == -ENOTSUP) {
		/* A device without an MTU of its own takes what fits its buffers. */
		port->mtu = config->mtu;
		return 0;
	}
	if (result == 0 && rte_eth_dev_get_mtu(id, &port->mtu) != 0)
		port->mtu = 1500;
	return result;
}

static int set_mac(uint16_t id, const struct weir_config_port *config, struct weir_port *port)
{
	struct rte_ether_addr mac;
	int result = 0;

	if (config->has_mac) {
		memcpy(mac.addr_bytes, config->mac, sizeof(config->mac));
		result = rte_eth_dev_default_mac_addr_set(id, &mac);
		memcpy(port->mac, config->mac, sizeof(config->mac));
		return result == -ENOTSUP ? 0 : result;
	}
	result = rte_eth_macaddr_get(id, &mac);
	memcpy(port->mac, mac.addr_bytes, sizeof(port->mac));
	return result;
}

/* The interface whose routes lead out of this port, as long as there is no twin. */
static int kernel_interface(const struct weir_config_port *config)
{
	if (config->driver != WEIR_DRIVER_AF_PACKET && config->driver != WEIR_DRIVER_AF_XDP)
		return 0;
	return (int)if_nametoindex(config->interface);
}

int weir_dpdk_port_find(const struct weir_config *config, unsigned int index,
	struct weir_port **out, struct weir_error *error)
{
	const struct weir_config_port *port_config = &config->ports[index];
	struct weir_port *port = calloc(1, sizeof(*port));
	struct device *device = calloc(1, sizeof(*device));
	char name[RTE_ETH_NAME_MAX_LEN];
	int result = -ENOMEM;

	*out = NULL;
	if (port == NULL || device == NULL) {
		free(port);
		free(device);
		return fail(error, -ENOMEM, index, "", "free some memory", "no memory");
	}
	port->driver = device;
	port->ops = &ops;
	port->index = (uint16_t)index;
	port->has_twin = port_config->twin.enabled;
	port->kernel_ifindex = kernel_interface(port_config);
	port->rx_queues = weir_device_queues(config, port_config);
	port->tx_queues = (uint16_t)weir_config_slots(config);
	snprintf(port->name, sizeof(port->name), "%s", port_config->name);
	weir_device_name(port_config, index, name, sizeof(name));
	if (rte_eth_dev_get_port_by_name(name, &device->id) != 0) {
		result = fail(error, -ENODEV, index, "",
			"check the name; a PCI device must be bound to vfio-pci (driverctl)",
			"no such device for DPDK");
	} else if ((result = set_mtu(device->id, port_config, port)) < 0) {
		result = fail(error, result, index, ".mtu", "use one that the device allows",
			"the device refused the MTU");
	} else if ((result = set_mac(device->id, port_config, port)) < 0) {
		result = fail(error, result, index, ".mac", "leave it out, or use a unicast MAC",
			"the device refused the MAC");
	}
	if (result < 0) {
		free(port);
		free(device);
		return result;
	}
	*out = port;
	return 0;
}

static void choose_offloads(
	const struct rte_eth_dev_info *info, struct rte_eth_conf *conf, struct weir_port *port)
{
	uint64_t rx = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	uint64_t tx = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

	conf->rxmode.offloads = info->rx_offload_capa & rx;
	conf->txmode.offloads = info->tx_offload_capa & tx;
	port->can_ip_checksum = conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	port->can_udp_checksum = conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	port->can_multi_segment = conf->txmode.offloads & RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (port->rx_queues > 1 && info->flow_type_rss_offloads != 0) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf =
			info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP);
	}
	conf->rxmode.mtu =
		RTE_MIN(port->mtu, info->max_rx_pktlen - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN);
}

/* A device of its own, which the kernel does not stand behind: it may have interrupts, and it can
 * be stopped and started. */
static bool has_own_device(const struct weir_config_port *config)
{
	return config->driver == WEIR_DRIVER_PCI || config->driver == WEIR_DRIVER_TAP ||
	       config->driver == WEIR_DRIVER_MEMIF;
}

static int set_up_queues(struct device *device, struct weir_port *port,
	const struct weir_config_port *config, const struct rte_eth_dev_info *info,
	const struct rte_eth_conf *conf, struct rte_mempool *pool)
{
	struct rte_eth_rxconf rx = info->default_rxconf;
	struct rte_eth_txconf tx = info->default_txconf;
	uint16_t rx_size = config->descriptors, tx_size = config->descriptors;
	int result;

	rx.offloads = conf->rxmode.offloads;
	tx.offloads = conf->txmode.offloads;
	if (rte_eth_dev_adjust_nb_rx_tx_desc(device->id, &rx_size, &tx_size) != 0)
		rx_size = tx_size = config->descriptors;
	for (uint16_t i = 0; i < device->rx_queues; i++) {
		result = rte_eth_rx_queue_setup(device->id, i, rx_size, SOCKET_ID_ANY, &rx, pool);
		if (result < 0)
			return result;
		device->rx[i].port = device->id;
		device->rx[i].index = i;
		device->rx[i].has_interrupts = has_own_device(config);
		port->rx_queue[i] = &device->rx[i];
	}
	for (uint16_t i = 0; i < port->tx_queues; i++) {
		result = rte_eth_tx_queue_setup(device->id, i, tx_size, SOCKET_ID_ANY, &tx);
		if (result < 0)
			return result;
		device->tx[i].port = device->id;
		device->tx[i].index = i;
		port->tx_queue[i] = &device->tx[i];
	}
	return 0;
}

/* A port that only takes packets, such as a file to write to, is not polled. */
static bool is_sink(const struct weir_config_port *config)
{
	return (config->driver == WEIR_DRIVER_NULL && config->frame_bytes == 0) ||
	       (config->driver == WEIR_DRIVER_PCAP && config->rx_file[0] == '\0');
}

static void set_filters(const struct device *device, const struct weir_config_port *config)
{
	if (config->promiscuous && rte_eth_promiscuous_enable(device->id) != 0)
		weir_log_warning("dpdk", "port %s: no promiscuous mode", config->name);
	/* A twin's kernel listens to multicast: IPv6 neighbour discovery, routing protocols. */
	if (config->twin.enabled)
		rte_eth_allmulticast_enable(device->id);
}

int weir_dpdk_port_start(struct weir_port *port, const struct weir_config_port *config,
	struct rte_mempool *pool, struct weir_error *error)
{
	struct device *device = port->driver;
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf = {0};
	int result = rte_eth_dev_info_get(device->id, &info);

	if (result < 0)
		return fail(error, result, port->index, "", "restart", "the device says nothing");
	snprintf(port->driver_name, sizeof(port->driver_name), "%s", info.driver_name);
	port->rx_queues = RTE_MIN(port->rx_queues, info.max_rx_queues);
	port->tx_queues = RTE_MIN(port->tx_queues, info.max_tx_queues);
	if (config->driver == WEIR_DRIVER_AF_PACKET || config->driver == WEIR_DRIVER_AF_XDP)
		port->tx_queues = RTE_MIN(port->tx_queues, port->rx_queues);
	device->rx_queues = port->rx_queues;
	device->tx_queues = port->tx_queues;
	port->can_restart = has_own_device(config);
	choose_offloads(&info, &conf, port);
	conf.intr_conf.rxq = has_own_device(config);
	result = rte_eth_dev_configure(device->id, port->rx_queues, port->tx_queues, &conf);
	if (result < 0) {
		conf.intr_conf.rxq = 0;
		result = rte_eth_dev_configure(device->id, port->rx_queues, port->tx_queues, &conf);
	}
	if (result < 0)
		return fail(error, result, port->index, "", "lower queues or mtu",
			"the device refused its configuration");
	result = set_up_queues(device, port, config, &info, &conf, pool);
	if (result < 0)
		return fail(error, result, port->index, ".descriptors",
			"try another number; frames above 2 kB need a larger memory.buffer_bytes",
			"the device refused its queues");
	result = rte_eth_dev_start(device->id);
	if (result < 0)
		return fail(error, result, port->index, "", "see the lines above",
			"the device did not start");
	device->is_started = true;
	if (config->driver == WEIR_DRIVER_AF_PACKET)
		device->socket_count = weir_af_packet_sockets(
			port->kernel_ifindex, device->sockets, WEIR_PORT_MAX_QUEUES);
	set_filters(device, config);
	if (is_sink(config))
		port->rx_queues = 0;
	return 0;
}

void weir_dpdk_port_close(struct weir_port *port)
{
	struct device *device;

	if (port == NULL)
		return;
	device = port->driver;
	weir_af_packet_flush(device->sockets, device->socket_count);
	if (device->is_started)
		rte_eth_dev_stop(device->id);
	rte_eth_dev_close(device->id);
	free(device);
	free(port);
}
