/* SPDX-License-Identifier: BSD-3-Clause */
#include "dpdk/driver.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "base/log.h"
#include "host/machine.h"

#define MAX_ARGUMENTS (32 + 2 * WEIR_MAX_PORTS)
#define SPARE_MEMORY  ((size_t)192 << 20) /* rings, tables, lanes, and later configurations */
#define MESSAGE_SLOT  32
#define LANE_AND_MORE 512 /* a partition's and its lanes' bookkeeping */
#define MESH_RING     (4096 * MESSAGE_SLOT)

/* The EAL keeps pointers into its arguments as long as it lives, and reorders its list of them. */
static struct arguments {
	char *list[MAX_ARGUMENTS + 1]; /* the EAL's */
	char *owned[MAX_ARGUMENTS];
	int count;
	bool failed;
} arguments;

static void add(const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL || arguments.count == MAX_ARGUMENTS) {
		arguments.failed = true;
		free(copy);
		return;
	}
	arguments.list[arguments.count] = copy;
	arguments.owned[arguments.count++] = copy;
}

static void free_arguments(void)
{
	while (arguments.count != 0)
		free(arguments.owned[--arguments.count]);
}

static uint32_t largest_mtu(const struct weir_config *config)
{
	uint32_t largest = 1500;

	for (unsigned int i = 0; i < config->port_count; i++)
		if (config->ports[i].mtu > largest)
			largest = config->ports[i].mtu;
	return largest;
}

/* DPDK puts no buffer across two pages, unless they are huge ones. */
static size_t buffer_size(const struct weir_config *config, bool is_huge)
{
	size_t room = RTE_MAX(config->memory.buffer_bytes, largest_mtu(config) + 64);
	size_t size = room + 512;
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (is_huge)
		return size;
	return size <= page ? page / (page / size) : RTE_ALIGN_CEIL(size, page);
}

size_t weir_eal_memory(const struct weir_config *config, bool is_huge)
{
	size_t buffers = config->memory.buffers, slots = weir_config_slots(config);
	size_t rings = slots * slots * MESH_RING;

	buffers += buffers / 4 > 8192 ? buffers / 4 : 8192;
	for (unsigned int i = 0; i < config->stream_count; i++)
		rings += (size_t)config->streams[i].partitions *
			 ((size_t)config->streams[i].ring_messages * MESSAGE_SLOT + LANE_AND_MORE);
	return buffers * buffer_size(config, is_huge) + rings * 5 / 4 + SPARE_MEMORY;
}

static bool has_huge_pages(const struct weir_config *config, size_t needed)
{
	struct weir_hugepages pages[WEIR_HUGEPAGE_SIZES];
	int sizes = weir_machine_hugepages(pages);
	uint64_t most = 0;

	for (int i = 0; i < sizes; i++)
		if (pages[i].free * pages[i].page_bytes > most)
			most = pages[i].free * pages[i].page_bytes;
	if (!config->memory.hugepages)
		return false;
	if (most >= needed)
		return true;
	weir_log_warning("memory",
		"%llu MiB of huge pages are free, %zu are needed: going on with ordinary pages, "
		"which "
		"costs some throughput by TLB misses and leaves no DMA to PCI devices "
		"(mend: sysctl vm.nr_hugepages=%zu)",
		(unsigned long long)(most >> 20), needed >> 20, (needed >> 21) + 1);
	return false;
}

/*
 * "0@(2,3),1@0,2@1": the control thread anywhere but on the workers' CPUs, if there are others.
 * Threads for workers to come stand where the first is; they sleep, and a worker pins itself.
 */
static void add_lcores(const struct weir_config *config)
{
	char text[16384] = "0@(";
	size_t used = 3;
	cpu_set_t allowed, left;
	bool first = true;

	weir_machine_allowed_cpus(&allowed);
	weir_cpus_besides(&allowed, config->workers.cpus, config->workers.count, &left);
	for (int cpu = 0; cpu < CPU_SETSIZE && used < sizeof(text) - 16; cpu++) {
		if (!CPU_ISSET(cpu, &left))
			continue;
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%s%d", first ? "" : ",", cpu);
		first = false;
	}
	used += (size_t)snprintf(text + used, sizeof(text) - used, ")");
	for (unsigned int i = 0; i < weir_config_slots(config) && used < sizeof(text) - 16; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, ",%u@%u", i + 1,
			config->workers.cpus[i < config->workers.count ? i : 0]);
	add("--lcores");
	add(text);
	add("--main-lcore");
	add("0");
}

static void add_memory(const struct weir_config *config)
{
	char megabytes[32];

	/* Nothing is left in the file system, and gateways on one machine don't meet there. */
	if (has_huge_pages(config, weir_eal_memory(config, true))) {
		add("--in-memory");
		return;
	}
	snprintf(megabytes, sizeof(megabytes), "%zu", (weir_eal_memory(config, false) >> 20) + 1);
	add("--no-shconf");
	add("--no-huge");
	add("-m");
	add(megabytes);
}

static int add_devices(const struct weir_config *config, struct weir_error *error)
{
	bool has_pci = false;

	for (unsigned int i = 0; i < config->port_count; i++) {
		bool is_pci = config->ports[i].driver == WEIR_DRIVER_PCI;
		char text[1024];
		char path[32];

		if (config->ports[i].driver == WEIR_DRIVER_XDP)
			continue;
		snprintf(path, sizeof(path), "$.ports[%u]", i);
		if (weir_device_argument(config, i, text, sizeof(text)) < 0)
			return weir_error_set(error, -ENAMETOOLONG, path, "use shorter paths",
				"the port's device arguments are too long");
		add(is_pci ? "-a" : "--vdev");
		add(text);
		has_pci |= is_pci;
	}
	if (!has_pci)
		add("--no-pci");
	return 0;
}

static int check_cpus(const struct weir_config *config, struct weir_error *error)
{
	cpu_set_t allowed;
	char path[40];
	int missing;

	weir_machine_allowed_cpus(&allowed);
	missing = weir_cpus_find_missing(&allowed, config->workers.cpus, config->workers.count);
	if (missing < 0)
		return 0;
	snprintf(path, sizeof(path), "$.workers.cpus[%d]", missing);
	return weir_error_set(error, -EINVAL, path,
		"name CPUs that are online and allowed to this process (see nproc, taskset)",
		"CPU %u is not there or not allowed", config->workers.cpus[missing]);
}

int weir_eal_can_add_devices(const struct weir_config *config, struct weir_error *error)
{
	for (unsigned int i = 0; i < config->port_count; i++) {
		char path[40];

		snprintf(path, sizeof(path), "$.ports[%u].driver", i);
		if (config->ports[i].driver == WEIR_DRIVER_PCI)
			return weir_error_set(error, -ENOTSUP, path,
				"stop the running gateway, then start this one",
				"a PCI device cannot be taken over from a running gateway");
	}
	return 0;
}

int weir_eal_add_devices(const struct weir_config *config, struct weir_error *error)
{
	for (unsigned int i = 0; i < config->port_count; i++) {
		char text[1024];
		char path[32];
		int result;

		if (config->ports[i].driver == WEIR_DRIVER_XDP)
			continue;
		result = weir_device_argument(config, i, text, sizeof(text));
		snprintf(path, sizeof(path), "$.ports[%u]", i);
		if (result == 0)
			result = rte_dev_probe(text);
		if (result < 0)
			return weir_error_set(error, result, path,
				"the lines above name what is at fault",
				"the port's device could not be made: %s", rte_strerror(-result));
	}
	return 0;
}

int weir_eal_init(const struct weir_config *config, bool with_devices, struct weir_error *error)
{
	int result = check_cpus(config, error);

	if (result < 0)
		return result;
	add("weir");
	add_lcores(config);
	add_memory(config);
	add("--log-level");
	add(weir_log_get_level() == WEIR_LOG_DEBUG ? "*:info" : "*:error");
	if (with_devices)
		result = add_devices(config, error);
	else
		add("--no-pci");
	if (result == 0 && arguments.failed)
		result = weir_error_set(
			error, -ENOMEM, "", "free some memory", "no memory for the DPDK arguments");
	for (int i = 0; i < arguments.count; i++)
		weir_log_debug("dpdk", "argument %s", arguments.list[i]);
	if (result == 0 && rte_eal_init(arguments.count, arguments.list) < 0)
		result = weir_error_set(error, rte_errno != 0 ? -rte_errno : -EIO, "$.ports",
			"the lines above name the device or the memory at fault; "
			"--log-level debug shows more",
			"DPDK did not start: %s", rte_strerror(rte_errno));
	if (result < 0)
		free_arguments();
	return result;
}

void weir_eal_cleanup(void)
{
	rte_eal_cleanup();
	free_arguments();
}
