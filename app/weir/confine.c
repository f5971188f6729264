/* SPDX-License-Identifier: BSD-3-Clause */
#include "confine.h"

#include <dirent.h>
#include <linux/capability.h>

#include "base/log.h"
#include "base/sanitizer.h"
#include "host/privilege.h"
#include "host/sandbox.h"

#define LOOK_MS 1000

static struct weir_loop_timer look;

/* Without an IOMMU, DPDK reads physical addresses and opens vfio's unsafe mode. */
static bool has_iommu(void)
{
	DIR *folder = opendir("/sys/kernel/iommu_groups");
	int entries = 0;

	if (folder == NULL)
		return false;
	while (entries < 3 && readdir(folder) != NULL)
		entries++;
	closedir(folder);
	return entries == 3; /* more than . and .. */
}

static uint64_t port_capabilities(const struct weir_config_port *port)
{
	const uint64_t network = WEIR_CAPABILITY(CAP_NET_ADMIN) | WEIR_CAPABILITY(CAP_NET_RAW) |
				 WEIR_CAPABILITY(CAP_NET_BIND_SERVICE);
	/* Rings in locked memory, whatever RLIMIT_MEMLOCK says. */
	const uint64_t rings = network | WEIR_CAPABILITY(CAP_IPC_LOCK);
	const uint64_t bpf = WEIR_CAPABILITY(CAP_BPF) | WEIR_CAPABILITY(CAP_PERFMON);

	switch (port->driver) {
	case WEIR_DRIVER_PCI:
		if (has_iommu())
			return rings;
		return rings | WEIR_CAPABILITY(CAP_SYS_RAWIO) | WEIR_CAPABILITY(CAP_SYS_ADMIN);
	case WEIR_DRIVER_AF_XDP: /* libxdp finds programs by their numbers, also to remove them */
		return rings | bpf | WEIR_CAPABILITY(CAP_SYS_ADMIN);
	case WEIR_DRIVER_XDP:
		return rings | bpf;
	case WEIR_DRIVER_AF_PACKET:
		return rings;
	case WEIR_DRIVER_TAP:
	case WEIR_DRIVER_MEMIF:
		return network;
	case WEIR_DRIVER_PCAP:
	case WEIR_DRIVER_NULL:
		return 0;
	}
	return 0;
}

int weir_confine_start(const struct weir_config *config, const char *user, struct weir_error *error)
{
	uint64_t wanted = 0, missing = 0;
	char names[256];
	int result;

	for (unsigned int i = 0; i < config->port_count; i++)
		wanted |= port_capabilities(&config->ports[i]);
	result = weir_privilege_confine(wanted, user, "weir", &missing, error);
	if (result < 0)
		return result;
	if (missing != 0)
		weir_log_warning("weir", "it was started without %s, which its ports may need",
			weir_privilege_names(missing, names, sizeof(names)));
	weir_log_info("weir", "capabilities kept: %s",
		wanted & ~missing ? weir_privilege_names(wanted & ~missing, names, sizeof(names))
				  : "none");
	return 0;
}

static void look_for_refused(void *context, uint64_t now_ns)
{
	char name[64];

	(void)context, (void)now_ns;
	while (weir_sandbox_next(name, sizeof(name)))
		weir_log_warning("weir",
			"the sandbox refused the system call %s: a defect, or an intruder; "
			"--no-sandbox allows it",
			name);
}

int weir_confine_finish(struct weir_gateway *gateway, struct weir_error *error)
{
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);
	unsigned int needs = 0;
	int result;

	if (WEIR_HAS_SANITIZER) {
		weir_log_warning("weir", "built with sanitizers: all system calls are kept");
		return 0;
	}
	for (unsigned int i = 0; i < config->port_count; i++) {
		enum weir_driver driver = config->ports[i].driver;

		if (driver != WEIR_DRIVER_PCAP && driver != WEIR_DRIVER_NULL)
			needs |= WEIR_SANDBOX_PACKET;
		if (driver == WEIR_DRIVER_XDP || driver == WEIR_DRIVER_AF_XDP)
			needs |= WEIR_SANDBOX_BPF;
	}
	result = weir_sandbox_enter(needs, error);
	weir_loop_timer_init(&look, look_for_refused, gateway);
	if (result == 0)
		result = weir_loop_timer_arm(
			gateway->loop, &look, LOOK_MS * WEIR_MS_NS, LOOK_MS * WEIR_MS_NS);
	return result;
}
