/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/drift_facts.h"
#include "control/drift_list.h"
#include "host/machine.h"

#define ABSENT "absent"

struct pass {
	struct weir_gateway *gateway;
	weir_drift_fact fact;
	void *context;
};

/* Of the whole machine: settings of the kernel (sysctl), and other files of /proc and /sys. */
static const struct {
	const char *name, *path;
} machine_files[] = {
	{"cpus.isolated", "/sys/devices/system/cpu/isolated"},
	{"cpus.online", "/sys/devices/system/cpu/online"},
	{"kernel.numa_balancing", "/proc/sys/kernel/numa_balancing"},
	{"net.core.bpf_jit_enable", "/proc/sys/net/core/bpf_jit_enable"},
	{"net.core.netdev_max_backlog", "/proc/sys/net/core/netdev_max_backlog"},
	{"net.ipv4.neigh.default.gc_thresh3", "/proc/sys/net/ipv4/neigh/default/gc_thresh3"},
	{"net.ipv6.neigh.default.gc_thresh3", "/proc/sys/net/ipv6/neigh/default/gc_thresh3"},
	{"net.ipv4.conf.all.rp_filter", "/proc/sys/net/ipv4/conf/all/rp_filter"},
	{"net.ipv4.conf.all.arp_ignore", "/proc/sys/net/ipv4/conf/all/arp_ignore"},
};

/* Of an interface that a port stands on. */
static const struct {
	const char *family, *what;
} interface_settings[] = {
	{"ipv4", "rp_filter"},
	{"ipv4", "arp_ignore"},
	{"ipv4", "forwarding"},
	{"ipv6", "disable_ipv6"},
};

static void give_file(const struct pass *pass, const char *name, const char *path)
{
	char text[WEIR_DRIFT_TEXT];

	if (weir_machine_line(path, text, sizeof(text)) < 0)
		snprintf(text, sizeof(text), "%s", ABSENT);
	pass->fact(pass->context, name, NULL, text[0] != '\0' ? text : "none");
}

static void look_at_memory(const struct pass *pass)
{
	struct weir_hugepages pages[WEIR_HUGEPAGE_SIZES];
	int sizes = weir_machine_hugepages(pages);

	for (int i = 0; i < sizes; i++) {
		char name[WEIR_DRIFT_NAME], text[24];

		snprintf(name, sizeof(name), "hugepages.%llukB",
			(unsigned long long)pages[i].page_bytes / 1024);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)pages[i].total);
		pass->fact(pass->context, name, NULL, text);
	}
}

static void look_at_cpus(const struct pass *pass)
{
	const struct weir_config_workers *workers =
		&weir_dataplane_config(pass->gateway->dataplane)->workers;

	for (unsigned int i = 0; i < workers->count; i++) {
		char name[WEIR_DRIFT_NAME], path[96];

		snprintf(name, sizeof(name), "cpu.%u.governor", workers->cpus[i]);
		snprintf(path, sizeof(path),
			"/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", workers->cpus[i]);
		give_file(pass, name, path);
	}
}

static void look_at_settings(const struct pass *pass, const char *interface)
{
	for (size_t i = 0; i < sizeof(interface_settings) / sizeof(interface_settings[0]); i++) {
		const char *family = interface_settings[i].family;
		const char *what = interface_settings[i].what;
		char name[WEIR_DRIFT_NAME], path[128];

		snprintf(name, sizeof(name), "net.%s.conf.%s.%s", family, interface, what);
		snprintf(
			path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, interface, what);
		give_file(pass, name, path);
	}
}

static void give_of_port(const struct pass *pass, const char *port, const char *what,
	const char *intended, const char *actual)
{
	char name[WEIR_DRIFT_NAME];

	snprintf(name, sizeof(name), "port.%s.%s", port, what);
	pass->fact(pass->context, name, intended, actual);
}

static void look_at_interface(const struct pass *pass, const struct weir_config_port *config)
{
	char intended[20], actual[20];
	struct weir_host_link link;
	bool is_there =
		weir_host_link_by_name(pass->gateway->host, config->interface, &link) == 0 &&
		weir_host_link_ask(pass->gateway->host, link.ifindex, &link) == 0;

	give_of_port(
		pass, config->name, "interface", config->interface, is_there ? link.name : ABSENT);
	if (!is_there)
		return;
	snprintf(intended, sizeof(intended), "%u", config->mtu);
	snprintf(actual, sizeof(actual), "%u", link.mtu);
	give_of_port(pass, config->name, "mtu", config->mtu != 0 ? intended : NULL, actual);
	snprintf(actual, sizeof(actual), "%02x:%02x:%02x:%02x:%02x:%02x", link.mac[0], link.mac[1],
		link.mac[2], link.mac[3], link.mac[4], link.mac[5]);
	give_of_port(pass, config->name, "mac", NULL, actual);
	snprintf(actual, sizeof(actual), "%u", link.xdp_program);
	give_of_port(
		pass, config->name, "xdp_program", NULL, link.xdp_program != 0 ? actual : "none");
	look_at_settings(pass, config->interface);
}

static void look_at_device(const struct pass *pass, const struct weir_config_port *config)
{
	char path[128], target[PATH_MAX];
	const char *driver = ABSENT;
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", config->device);
	length = readlink(path, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		driver = strrchr(target, '/') != NULL ? strrchr(target, '/') + 1 : target;
	}
	give_of_port(pass, config->name, "driver", NULL, driver);
}

void weir_drift_host(struct weir_gateway *gateway, weir_drift_fact fact, void *context)
{
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);
	struct pass pass = {gateway, fact, context};

	for (size_t i = 0; i < sizeof(machine_files) / sizeof(machine_files[0]); i++)
		give_file(&pass, machine_files[i].name, machine_files[i].path);
	look_at_memory(&pass);
	look_at_cpus(&pass);
	for (unsigned int i = 0; i < config->port_count; i++) {
		const struct weir_config_port *port = &config->ports[i];

		if (port->driver == WEIR_DRIVER_PCI)
			look_at_device(&pass, port);
		if (port->driver == WEIR_DRIVER_AF_PACKET || port->driver == WEIR_DRIVER_AF_XDP ||
			port->driver == WEIR_DRIVER_XDP)
			look_at_interface(&pass, port);
	}
}
