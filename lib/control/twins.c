/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/twins.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "control/gateway.h"
#include "control/reach.h"
#include "host/icmp_listen.h"
#include "host/sink.h"
#include "host/tap.h"

#define READ_BURST 64 /* frames from one TAP before others get their turn */

struct twin {
	struct weir_twins *twins;
	uint16_t port;
	struct weir_tap *tap;   /* NULL: none */
	struct weir_sink *sink; /* NULL: none */
	int icmp_fd;            /* errors that only the kernel gets; -1: none */
	bool has_warned;
	uint64_t to_kernel;
	uint64_t from_kernel;
	uint64_t dropped;
};

struct weir_twins {
	struct weir_gateway *gateway;
	uint32_t count;
	struct twin list[];
};

static bool read_one(struct twin *twin)
{
	struct weir_dataplane *dataplane = twin->twins->gateway->dataplane;
	struct rte_mbuf *packet = weir_control_alloc(dataplane);
	ssize_t length;

	if (packet == NULL)
		return false;
	length = weir_tap_read(
		twin->tap, rte_pktmbuf_mtod(packet, void *), rte_pktmbuf_tailroom(packet));
	if (length <= 0) {
		rte_pktmbuf_free(packet);
		return false;
	}
	packet->data_len = (uint16_t)length;
	packet->pkt_len = (uint32_t)length;
	twin->from_kernel++;
	if (weir_control_send(dataplane, twin->port, packet) < 0)
		twin->dropped++;
	return true;
}

static void tap_ready(void *context, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	for (int i = 0; i < READ_BURST && read_one(context); i++)
		;
}

static int open_tap(
	struct twin *twin, const struct weir_config_port *config, struct weir_error *error)
{
	struct weir_gateway *gateway = twin->twins->gateway;
	struct weir_port *port = gateway->dataplane->ports[twin->port];
	struct weir_tap_options options = {.name = config->twin.name,
		.has_mac = true,
		.mtu = port->mtu,
		.addresses = config->twin.addresses,
		.address_count = config->twin.address_count};
	int result;

	memcpy(options.mac, port->mac, sizeof(options.mac));
	result = weir_tap_open(&options, &twin->tap, error);
	if (result < 0)
		return result;
	port->kernel_ifindex = weir_tap_ifindex(twin->tap);
	return weir_loop_add_fd(gateway->loop, weir_tap_fd(twin->tap), EPOLLIN, tap_ready, twin);
}

/* An ICMP error about a consumer is of interest whoever it is addressed to. */
static void look_at_icmp(struct weir_twins *twins, const uint8_t *frame, size_t length)
{
	struct weir_icmp_unreachable icmp;
	uint32_t l3 = 14;

	if (length < 34)
		return;
	if (frame[12] == 0x81 && frame[13] == 0x00)
		l3 += 4;
	if (weir_icmp_parse(frame + l3, frame + length, &icmp))
		weir_reach_refused(twins->gateway->reach, &icmp);
}

static void icmp_ready(void *context, int fd, uint32_t events)
{
	struct twin *twin = context;
	uint8_t frame[2048];
	ssize_t length;

	(void)events;
	for (int i = 0; i < READ_BURST; i++) {
		length = recv(fd, frame, sizeof(frame), MSG_DONTWAIT);
		if (length < 0)
			return;
		look_at_icmp(twin->twins, frame, (size_t)length);
	}
}

static int listen_to_icmp(struct twin *twin, const struct weir_port *port, struct weir_error *error)
{
	int fd = weir_icmp_listen(port->kernel_ifindex);
	char path[32];

	snprintf(path, sizeof(path), "$.ports[%u]", twin->port);
	if (fd < 0)
		return weir_error_set(error, fd, path, "give it CAP_NET_RAW",
			"no packet socket for ICMP: %s", strerror(-fd));
	twin->icmp_fd = fd;
	return weir_loop_add_fd(twin->twins->gateway->loop, fd, EPOLLIN, icmp_ready, twin);
}

int weir_twins_create(
	struct weir_gateway *gateway, struct weir_twins **out, struct weir_error *error)
{
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);
	struct weir_twins *twins =
		calloc(1, sizeof(*twins) + config->port_count * sizeof(twins->list[0]));
	int result = 0;

	if (twins == NULL)
		return weir_error_set(
			error, -ENOMEM, "$.ports", "free some memory", "no memory for the twins");
	twins->gateway = gateway;
	twins->count = config->port_count;
	for (uint16_t i = 0; result == 0 && i < config->port_count; i++) {
		const struct weir_config_port *port = &config->ports[i];

		twins->list[i].twins = twins;
		twins->list[i].port = i;
		twins->list[i].icmp_fd = -1;
		if (port->twin.enabled)
			result = open_tap(&twins->list[i], port, error);
		else if (port->driver == WEIR_DRIVER_AF_PACKET)
			result = weir_sink_open(port->interface, &twins->list[i].sink);
		else if (port->driver == WEIR_DRIVER_XDP)
			result = listen_to_icmp(
				&twins->list[i], gateway->dataplane->ports[i], error);
	}
	if (result < 0) {
		weir_twins_destroy(twins);
		return result;
	}
	*out = twins;
	weir_twins_sync(twins);
	return 0;
}

void weir_twins_destroy(struct weir_twins *twins)
{
	if (twins == NULL)
		return;
	for (uint32_t i = 0; i < twins->count; i++) {
		if (twins->list[i].tap != NULL)
			weir_loop_remove_fd(twins->gateway->loop, weir_tap_fd(twins->list[i].tap));
		if (twins->list[i].icmp_fd > 0) {
			weir_loop_remove_fd(twins->gateway->loop, twins->list[i].icmp_fd);
			close(twins->list[i].icmp_fd);
		}
		weir_tap_close(twins->list[i].tap);
		weir_sink_close(twins->list[i].sink);
	}
	free(twins);
}

/* UDP ports of all streams and of the stream protocol; NULL without memory. */
static struct weir_sink_range *stream_ports(const struct weir_config *config, unsigned int *count)
{
	struct weir_sink_range *ranges;
	unsigned int total = 1;

	for (unsigned int i = 0; i < config->stream_count; i++)
		total += config->streams[i].match.udp_port_count + 1;
	ranges = calloc(total, sizeof(*ranges));
	*count = 0;
	if (ranges == NULL)
		return NULL;
	for (unsigned int i = 0; i < config->stream_count; i++) {
		const struct weir_config_match *match = &config->streams[i].match;

		for (unsigned int j = 0; j < match->udp_port_count; j++)
			ranges[(*count)++] = (struct weir_sink_range){
				match->udp_ports[j].first, match->udp_ports[j].last};
		if (match->udp_port_count == 0)
			ranges[(*count)++] = (struct weir_sink_range){1, UINT16_MAX};
	}
	if (config->native.udp_port != 0)
		ranges[(*count)++] =
			(struct weir_sink_range){config->native.udp_port, config->native.udp_port};
	return ranges;
}

void weir_twins_sync(struct weir_twins *twins)
{
	const struct weir_config *config = weir_dataplane_config(twins->gateway->dataplane);
	unsigned int count;
	struct weir_sink_range *ranges = stream_ports(config, &count);

	for (uint32_t i = 0; ranges != NULL && i < twins->count; i++) {
		struct twin *twin = &twins->list[i];
		int result = twin->sink != NULL ? weir_sink_set(twin->sink, ranges, count) : 0;

		if (result < 0 && !twin->has_warned) {
			twin->has_warned = true;
			weir_log_warning("twins",
				"port %s: the kernel may answer exporters with ICMP port "
				"unreachable (%s); drop the streams' ports in a firewall, or use "
				"driver af_xdp with a twin",
				config->ports[i].name, strerror(-result));
		}
	}
	free(ranges);
}

void weir_twins_packet(struct weir_twins *twins, struct rte_mbuf *packet)
{
	struct twin *twin = &twins->list[packet->port];

	look_at_icmp(twins, rte_pktmbuf_mtod(packet, const uint8_t *), packet->data_len);
	if (twin->tap != NULL) {
		if (packet->nb_segs == 1 &&
			weir_tap_write(twin->tap, rte_pktmbuf_mtod(packet, const void *),
				packet->data_len) == 0)
			twin->to_kernel++;
		else
			twin->dropped++;
	}
	rte_pktmbuf_free(packet);
}

bool weir_twins_counters(const struct weir_twins *twins, uint32_t port, uint64_t *to_kernel,
	uint64_t *from_kernel, uint64_t *dropped)
{
	if (port >= twins->count || twins->list[port].tap == NULL)
		return false;
	*to_kernel = twins->list[port].to_kernel;
	*from_kernel = twins->list[port].from_kernel;
	*dropped = twins->list[port].dropped;
	return true;
}
