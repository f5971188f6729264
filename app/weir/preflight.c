/* SPDX-License-Identifier: BSD-3-Clause */
#include "preflight.h"

#include <net/if.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dpdk/driver.h"
#include "host/machine.h"
#include "xdp/errors.h"
#include "xdp/interface.h"
#include "xdp/program.h"

struct preflight {
	const struct weir_config *config;
	FILE *out;
	unsigned int missing;
};

static void miss(struct preflight *preflight, const char *mend, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void miss(struct preflight *preflight, const char *mend, const char *format, ...)
{
	va_list args;

	preflight->missing++;
	fputs("  missing: ", preflight->out);
	va_start(args, format);
	vfprintf(preflight->out, format, args);
	va_end(args);
	fprintf(preflight->out, "\n    mend: %s\n", mend);
}

static void check_pci(struct preflight *preflight, const struct weir_config_port *port)
{
	char path[128], target[256], mend[128];
	const char *driver = "none";
	ssize_t length;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", port->device);
	length = readlink(path, target, sizeof(target) - 1);
	if (length > 0) {
		target[length] = '\0';
		driver = strrchr(target, '/') != NULL ? strrchr(target, '/') + 1 : target;
	}
	fprintf(preflight->out, "port %s: pci, %s, bound to %s\n", port->name, port->device,
		driver);
	*strrchr(path, '/') = '\0';
	if (access(path, F_OK) != 0)
		miss(preflight, "see lspci -D", "there is no PCI device %s", port->device);
	else if (strcmp(driver, "vfio-pci") != 0) {
		snprintf(mend, sizeof(mend), "driverctl set-override %s vfio-pci", port->device);
		miss(preflight, mend, "the device is not bound to vfio-pci");
	}
	fprintf(preflight->out,
		"  it has no kernel interface: nothing delivers while the gateway does not\n");
}

static void check_egress(struct preflight *preflight, const struct weir_config_port *port)
{
	int result = weir_xdp_errors_probe((int)if_nametoindex(port->interface));
	char mend[160];

	if (result == 1)
		fprintf(preflight->out,
			"  egress not tried: it takes root, and a kernel of 5.18 or later\n");
	if (result == 0)
		fprintf(preflight->out, "  the program can send by %s\n", port->interface);
	if (result >= 0)
		return;
	snprintf(mend, sizeof(mend),
		"of a veth, switch GRO on at the other end (ethtool -K PEER gro on); of a NIC, see "
		"whether its driver has ndo_xdp_xmit");
	miss(preflight, mend, "the program cannot send by %s (%s): fail-over would lose all",
		port->interface, strerror(-result));
}

static void check_memlock(struct preflight *preflight, const struct weir_config_port *port,
	uint16_t queues, uint16_t mtu)
{
	uint64_t needed = weir_xdp_memory(port, queues, mtu);
	struct rlimit limit;

	if (geteuid() == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) != 0 ||
		limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= needed)
		return;
	miss(preflight, "ulimit -l unlimited (LimitMEMLOCK=infinity), or give it CAP_IPC_LOCK",
		"%llu MiB may be locked, the sockets need %llu",
		(unsigned long long)(limit.rlim_cur >> 20), (unsigned long long)(needed >> 20));
}

static void check_xdp(struct preflight *preflight, const struct weir_config_port *port,
	const struct weir_interface *interface)
{
	uint16_t queues = port->queues != 0 && port->queues < interface->queues ? port->queues
										: interface->queues;
	uint16_t mtu = port->mtu != 0 ? port->mtu : interface->mtu;
	char mend[160];

	fprintf(preflight->out, "  XDP mode %s, %u of %u receive queues, %s\n",
		weir_xdp_mode_name(port->xdp_mode), queues, interface->queues,
		mtu > 3818 ? "packets in several frames" : "a packet a frame");
	if (queues < interface->queues) {
		snprintf(mend, sizeof(mend), "ethtool -L %s combined %u, or leave queues out",
			port->interface, queues);
		miss(preflight, mend, "packets on %u receive queues do not reach the gateway",
			interface->queues - queues);
	}
	check_memlock(preflight, port, queues, mtu);
	if (!preflight->config->failover.enabled)
		return;
	if (!weir_xdp_pins_are_possible(preflight->config))
		miss(preflight, "mount -t bpf bpf /sys/fs/bpf",
			"%s is not in a BPF file system: nothing can be pinned",
			preflight->config->failover.pins);
	check_egress(preflight, port);
}

static void check_interface(struct preflight *preflight, const struct weir_config_port *port)
{
	struct weir_interface interface;
	char mend[96];

	if (weir_interface_read(port->interface, &interface) < 0) {
		fprintf(preflight->out, "port %s: %s on %s\n", port->name,
			weir_driver_name(port->driver), port->interface);
		miss(preflight, "see ip link", "there is no interface %s", port->interface);
		return;
	}
	fprintf(preflight->out, "port %s: %s on %s (%s), MTU %u%s, VLAN stripping %s\n", port->name,
		weir_driver_name(port->driver), port->interface, interface.driver, interface.mtu,
		port->mtu != 0 && port->mtu != interface.mtu ? " (to be set)" : "",
		interface.strips_vlan ? "on" : "off");
	if (!interface.is_up) {
		snprintf(mend, sizeof(mend), "ip link set %s up", port->interface);
		miss(preflight, mend, "the interface is down");
	}
	if (interface.strips_vlan && port->driver != WEIR_DRIVER_AF_PACKET) {
		snprintf(mend, sizeof(mend), "ethtool -K %s rxvlan off", port->interface);
		miss(preflight, mend, "VLAN tags are taken off before XDP sees them");
	}
	if (port->driver == WEIR_DRIVER_XDP)
		check_xdp(preflight, port, &interface);
}

static void check_memory(struct preflight *preflight)
{
	struct weir_hugepages pages[WEIR_HUGEPAGE_SIZES];
	int sizes = weir_machine_hugepages(pages);
	size_t needed = weir_eal_memory(preflight->config, true);
	uint64_t most = 0;
	char mend[64];

	for (int i = 0; i < sizes; i++)
		if (pages[i].free * pages[i].page_bytes > most)
			most = pages[i].free * pages[i].page_bytes;
	fprintf(preflight->out, "memory: %zu MiB needed, %llu MiB of huge pages are free%s\n",
		needed >> 20, (unsigned long long)(most >> 20),
		preflight->config->memory.hugepages ? "" : ", and not asked for");
	if (!preflight->config->memory.hugepages || most >= needed)
		return;
	snprintf(mend, sizeof(mend), "sysctl vm.nr_hugepages=%zu", (needed >> 21) + 1);
	miss(preflight, mend, "huge pages: it would run on ordinary ones, slower");
}

unsigned int weir_preflight(const struct weir_config *config, FILE *out)
{
	struct preflight preflight = {.config = config, .out = out};

	for (unsigned int i = 0; i < config->port_count; i++) {
		const struct weir_config_port *port = &config->ports[i];

		if (port->driver == WEIR_DRIVER_PCI)
			check_pci(&preflight, port);
		else if (port->driver == WEIR_DRIVER_AF_PACKET ||
			 port->driver == WEIR_DRIVER_AF_XDP || port->driver == WEIR_DRIVER_XDP)
			check_interface(&preflight, port);
		else
			fprintf(out, "port %s: %s\n", port->name, weir_driver_name(port->driver));
	}
	check_memory(&preflight);
	return preflight.missing;
}
