/* SPDX-License-Identifier: BSD-3-Clause */
#include "xdp/driver.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <rte_mbuf_dyn.h>

#include "base/log.h"
#include "xdp/counters.h"
#include "xdp/errors.h"
#include "xdp/interface.h"
#include "xdp/pins.h"
#include "xdp/queue.h"
#include "xdp/since.h"
#include "xdp/tables.h"

#define QUIET_MS 200 /* for what is under way to the sockets, when the port is disarmed */

#define SAY_AGAIN_S 10

/* Of all ports; control thread. NULL: the kernel does not tell. */
static struct weir_xdp_errors_counter *errors;
static unsigned int error_users;

struct device {
	char interface[16];
	uint16_t queue_count;
	bool counts_errors;
	int ifindex;
	uint64_t errors_said;
	time_t say_after;
	struct weir_xdp_program *program;
	struct weir_xdp_tables *tables;
	struct weir_xdp_queue *queues[WEIR_PORT_MAX_QUEUES];
};

static int wait_fd(void *handle)
{
	const struct weir_xdp_queue *queue = handle;

	return queue->fd;
}

/* The socket is readable while anything is in it. */
static int arm_wait(void *handle, bool on)
{
	(void)handle;
	(void)on;
	return 0;
}

static void leave(void *handle)
{
	struct weir_xdp_queue *queue = handle;

	weir_guard_leave(&queue->guard, rte_rdtsc());
}

static uint64_t not_sent(const struct device *device, int *newest)
{
	struct weir_xdp_errors found = {0};

	if (errors == NULL || weir_xdp_errors_read(errors, device->ifindex, &found) < 0)
		return 0;
	*newest = found.newest;
	return found.refused + found.not_sent;
}

static void counters(void *driver, struct weir_port_counters *out)
{
	const struct device *device = driver;
	int newest;

	memset(out, 0, sizeof(*out));
	out->tx_errors = not_sent(device, &newest);
	for (uint16_t i = 0; i < device->queue_count; i++) {
		const struct weir_xdp_queue *queue = device->queues[i];

		out->rx_packets += queue->rx_packets;
		out->rx_bytes += queue->rx_bytes;
		out->rx_missed += weir_xdp_queue_missed(queue);
		out->rx_errors += queue->rx_errors;
		out->rx_no_buffer += queue->rx_no_buffer;
		out->tx_packets += queue->tx_packets;
		out->tx_bytes += queue->tx_bytes;
		out->tx_errors +=
			queue->tx_errors + __atomic_load_n(&queue->tx_refused, __ATOMIC_RELAXED);
	}
}

/* Nothing else tells that what the program sends is refused on the way out. */
static void watch(void *driver)
{
	struct device *device = driver;
	int newest = 0;
	uint64_t count = not_sent(device, &newest);
	time_t now = time(NULL);

	if (count == device->errors_said || now < device->say_after)
		return;
	weir_log_error("xdp",
		"%s: %llu packets that the program sent were refused (%s); see weir --check",
		device->interface, (unsigned long long)(count - device->errors_said),
		strerror(-newest));
	device->errors_said = count;
	device->say_after = now + SAY_AGAIN_S;
}

static void count_errors(struct device *device, const struct weir_config *config)
{
	int result = 0, newest = 0;

	if (error_users++ == 0)
		result = weir_xdp_errors_open(
			config->failover.enabled ? config->failover.pins : NULL,
			bpf_object__find_map_fd_by_name(device->program->object, "kept_back"),
			&errors);
	if (errors != NULL)
		result = weir_xdp_errors_add(errors, device->ifindex);
	if (result < 0)
		weir_log_warning("xdp",
			"%s: what the program cannot send is not counted (%s): it takes "
			"CAP_PERFMON",
			device->interface, strerror(-result));
	device->errors_said = not_sent(device, &newest);
}

static bool link_is_up(void *driver)
{
	const struct device *device = driver;

	return weir_interface_is_running(device->interface);
}

static void set_armed(void *driver, bool is_armed)
{
	const struct device *device = driver;

	for (uint16_t i = 0; i < device->queue_count; i++)
		weir_guard_set(&device->queues[i]->guard, is_armed);
}

static void trip(void *driver)
{
	const struct device *device = driver;

	for (uint16_t i = 0; i < device->queue_count; i++)
		weir_guard_trip(&device->queues[i]->guard);
}

static uint32_t failover(void *driver, struct weir_failover_queue *queues, uint32_t most)
{
	const struct device *device = driver;
	uint32_t count = RTE_MIN(most, (uint32_t)device->queue_count);

	for (uint32_t i = 0; i < count; i++)
		weir_pinned_read(device->queues[i]->guard.state, &queues[i]);
	return count;
}

static void flows(void *driver, weir_failover_visit visit, void *context)
{
	const struct device *device = driver;
	const struct weir_xdp_shared *shared = weir_xdp_tables_shared(device->tables);
	const struct weir_xdp_counters counted = {.stream_labels = shared->stream_labels,
		.group_labels = shared->group_labels,
		.streams_fd = shared->stream_counters_fd,
		.groups_fd = shared->group_counters_fd,
		.under_way = shared->under_way};

	(void)weir_xdp_counters_visit(&counted, visit, context);
}

static bool flow(
	void *driver, const char *stream, const char *group, struct weir_failover_flow *out)
{
	const struct device *device = driver;

	return weir_xdp_since_flow(weir_xdp_tables_since(device->tables), stream, group, out);
}

static bool consumer_flow(void *driver, uint16_t slot, struct weir_failover_flow *out)
{
	const struct device *device = driver;

	weir_xdp_since_consumer_flow(weir_xdp_tables_since(device->tables), slot, out);
	return true;
}

static bool is_quiet(const struct device *device)
{
	for (uint16_t i = 0; i < device->queue_count; i++) {
		const volatile struct weir_xdp_queue_state *state = device->queues[i]->guard.state;

		if (state->armed != 0 || (int64_t)(state->redirected - state->consumed) > 0)
			return false;
	}
	return true;
}

/* Workers still run: they take what is in the sockets while nothing new comes. */
static void release(void *driver)
{
	const struct device *device = driver;
	const struct timespec moment = {.tv_nsec = 1000000};

	set_armed(driver, false);
	/* Twice: a program that was just under way hands one over yet. */
	for (int i = 0, quiet = 0; i < QUIET_MS && quiet < 2; i++) {
		nanosleep(&moment, NULL);
		quiet = is_quiet(device) ? quiet + 1 : 0;
	}
	if (!is_quiet(device))
		weir_log_warning("xdp", "%s: packets were still in the sockets at the end",
			device->interface);
}

static void follow(void *driver, struct weir_dataplane *dataplane)
{
	const struct device *device = driver;

	(void)weir_xdp_tables_follow(device->tables, dataplane);
}

static const struct weir_token_store *tokens(void *driver)
{
	const struct device *device = driver;

	return weir_xdp_tables_tokens(device->tables);
}

static const struct weir_will_store *wills(void *driver)
{
	const struct device *device = driver;

	return weir_xdp_tables_wills(device->tables);
}

static const struct weir_port_ops ops = {
	.rx = weir_xdp_receive,
	.tx = weir_xdp_transmit,
	.rx_fd = wait_fd,
	.rx_arm = arm_wait,
	.rx_leave = leave,
	.counters = counters,
	.link = link_is_up,
	.take = set_armed,
	.release = release,
	.trip = trip,
	.failover = failover,
	.flows = flows,
	.flow = flow,
	.consumer_flow = consumer_flow,
	.watch = watch,
	.follow = follow,
	.tokens = tokens,
	.wills = wills,
};

static int fail(struct weir_error *error, int code, unsigned int index, const char *key,
	const char *hint, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "$.ports[%u]%s", index, key);
	return weir_error_set(error, code, path, hint, "%s: %s", what, strerror(-code));
}

static int set_up_interface(const struct weir_config_port *config, struct weir_port *port,
	unsigned int index, struct weir_error *error)
{
	int result;

	port->kernel_ifindex = (int)if_nametoindex(config->interface);
	if (port->kernel_ifindex == 0)
		return fail(error, -ENODEV, index, ".interface", "see `ip link`",
			"there is no such interface");
	if (config->mtu != 0 &&
		(result = weir_interface_set_mtu(config->interface, config->mtu)) < 0)
		return fail(error, result, index, ".mtu", "use one that the device allows",
			"the device refused the MTU");
	if (config->has_mac &&
		(result = weir_interface_set_mac(config->interface, config->mac)) < 0)
		return fail(error, result, index, ".mac", "leave it out, or use a unicast MAC",
			"the device refused the MAC");
	if (config->promiscuous)
		(void)weir_interface_set_promiscuous(config->interface);
	result = weir_interface_mtu(config->interface, &port->mtu);
	if (result == 0)
		result = weir_interface_mac(config->interface, port->mac);
	return result < 0 ? fail(error, result, index, ".interface", "see `ip link`",
				    "the interface says nothing")
			  : 0;
}

int weir_xdp_port_find(const struct weir_config *config, unsigned int index, struct weir_port **out,
	struct weir_error *error)
{
	const struct weir_config_port *port_config = &config->ports[index];
	struct weir_port *port = calloc(1, sizeof(*port));
	struct device *device = calloc(1, sizeof(*device));
	uint16_t queues = weir_interface_queues(port_config->interface);
	int result;

	*out = NULL;
	if (port == NULL || device == NULL) {
		free(port);
		free(device);
		return fail(error, -ENOMEM, index, "", "free some memory", "no memory");
	}
	port->driver = device;
	port->ops = &ops;
	port->index = (uint16_t)index;
	port->can_multi_segment = true;
	port->rx_queues = port_config->queues != 0 ? port_config->queues : queues;
	port->rx_queues = RTE_MIN(port->rx_queues, (uint16_t)WEIR_PORT_MAX_QUEUES);
	snprintf(port->name, sizeof(port->name), "%s", port_config->name);
	snprintf(port->driver_name, sizeof(port->driver_name), "xdp");
	snprintf(port->interface, sizeof(port->interface), "%s", port_config->interface);
	snprintf(device->interface, sizeof(device->interface), "%s", port_config->interface);
	result = set_up_interface(port_config, port, index, error);
	if (result < 0) {
		free(port);
		free(device);
		return result;
	}
	if (port->rx_queues > queues) {
		weir_log_warning("xdp", "port %s: %s has %u receive queues, not %u", port->name,
			device->interface, queues, port->rx_queues);
		port->rx_queues = queues;
	}
	if (port->rx_queues < queues)
		weir_log_warning("xdp",
			"port %s: %u of %u receive queues are taken; streams' packets on the "
			"others do not reach the gateway (mend: ethtool -L %s combined %u)",
			port->name, port->rx_queues, queues, device->interface, port->rx_queues);
	port->tx_queues = RTE_MIN(port->rx_queues, (uint16_t)weir_config_slots(config));
	*out = port;
	return 0;
}

/* Of the process, for all ports: what has waited in a socket for too long, what may be joined. */
static int reserve_flags(const struct weir_port *port, struct weir_error *error)
{
	const struct rte_mbuf_dynflag stale = {.name = "weir_port_stale"};
	const struct rte_mbuf_dynflag joins = {.name = "weir_port_joins"};

	if (rte_mbuf_dynflag_register_bitnum(&stale, WEIR_PORT_STALE_BIT) == WEIR_PORT_STALE_BIT &&
		rte_mbuf_dynflag_register_bitnum(&joins, WEIR_PORT_JOINS_BIT) ==
			WEIR_PORT_JOINS_BIT)
		return 0;
	return fail(error, -EBUSY, port->index, "", "report this",
		"another driver uses the flags of packets");
}

int weir_xdp_port_start(struct weir_port *port, const struct weir_config *config,
	struct rte_mempool *pool, struct weir_error *error)
{
	const struct weir_config_port *port_config = &config->ports[port->index];
	struct device *device = port->driver;
	int result = weir_xdp_program_open(
		config, port->index, port->kernel_ifindex, &device->program, error);

	device->ifindex = port->kernel_ifindex;
	if (result == 0)
		result = reserve_flags(port, error);
	if (result == 0) {
		result = weir_xdp_tables_open(device->program->object, &device->tables);
		if (result < 0)
			return fail(error, result, port->index, "", "free some memory",
				"the program's maps could not be opened");
	}
	for (uint16_t i = 0; result == 0 && i < port->rx_queues; i++) {
		uint32_t key = i;
		int fd;

		result = weir_xdp_queue_open(port_config, port, i, pool,
			&device->program->queues[i], &device->queues[i], error);
		if (result < 0)
			break;
		device->queue_count = (uint16_t)(i + 1);
		device->program->queues[i].instance =
			weir_xdp_tables_shared(device->tables)->current->instance;
		port->rx_queue[i] = device->queues[i];
		port->tx_queue[i] = device->queues[i];
		fd = device->queues[i]->fd;
		if (bpf_map_update_elem(device->program->xsks_fd, &key, &fd, BPF_ANY) < 0)
			result = fail(error, -errno, port->index, "", "report this",
				"the program does not take the socket");
	}
	if (result < 0)
		return result;
	port->joins = device->queues[0]->joins;
	device->program->settings->queues = device->queue_count;
	count_errors(device, config);
	device->counts_errors = true;
	weir_log_notice("xdp", "port %s: %s, %s XDP, %s, %u queues", port->name, device->interface,
		device->program->is_generic ? "generic" : "native",
		device->queues[0]->is_zero_copy ? "zero copy" : "copying", device->queue_count);
	return 0;
}

void weir_xdp_port_close(struct weir_port *port)
{
	struct device *device;

	if (port == NULL)
		return;
	device = port->driver;
	for (uint16_t i = 0; i < WEIR_PORT_MAX_QUEUES; i++)
		weir_xdp_queue_close(device->queues[i]);
	weir_xdp_tables_close(device->tables);
	weir_xdp_program_close(device->program);
	if (device->counts_errors && --error_users == 0) {
		weir_xdp_errors_close(errors);
		errors = NULL;
	}
	free(device);
	free(port);
}

bool weir_xdp_port_is(const struct weir_port *port)
{
	return port->ops == &ops;
}

struct weir_xdp_program *weir_xdp_port_program(const struct weir_port *port)
{
	const struct device *device = port->driver;

	return weir_xdp_port_is(port) ? device->program : NULL;
}
