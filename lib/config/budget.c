/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>

#include "config/parts.h"

/* Buffers under way outside the rings: mesh, transmit queues, bursts, per-core caches. */
enum { UNDER_WAY = 8192, LEAST_BUDGET = 64, MOST_BUFFERS = 16777216, HINT_SIZE = 256 };

uint64_t weir_config_reserve(const struct weir_config *config)
{
	uint64_t reserve = UNDER_WAY;

	for (unsigned int i = 0; i < config->port_count; i++) {
		const struct weir_config_port *port = &config->ports[i];
		unsigned int queues;

		/* Its queues have memory of their own. */
		if (port->driver == WEIR_DRIVER_XDP)
			continue;
		queues = port->queues != 0 ? port->queues : weir_config_slots(config);

		reserve += (uint64_t)queues * port->descriptors;
	}
	return reserve;
}

static int refuse(const struct weir_config *config, const struct weir_value *root, uint64_t reserve,
	uint64_t budgets)
{
	/* The path to set, whether or not the document has it. */
	struct weir_value memory = {.parent = root, .key = "memory", .error = root->error};
	struct weir_value buffers = {.parent = &memory, .key = "buffers", .error = root->error};
	unsigned long long needed = reserve + budgets;
	char hint[HINT_SIZE];

	if (needed > MOST_BUFFERS)
		snprintf(hint, sizeof(hint),
			"lower the streams' buffers or the ports' queues and "
			"descriptors: memory.buffers goes to %u",
			MOST_BUFFERS);
	else
		snprintf(hint, sizeof(hint),
			"raise memory.buffers to %llu or more, or lower the "
			"streams' buffers or the ports' descriptors",
			needed);
	return weir_value_fail(&buffers, hint,
		"%u buffers, but %llu for ports and packets under way and %llu for streams need "
		"%llu",
		config->memory.buffers, (unsigned long long)reserve, (unsigned long long)budgets,
		needed);
}

int weir_check_buffers(struct weir_config *config, const struct weir_value *root)
{
	uint64_t reserve = weir_config_reserve(config), budgets = 0, rest;
	unsigned int sharers = 0;

	for (unsigned int i = 0; i < config->stream_count; i++) {
		budgets += config->streams[i].buffers;
		sharers += config->streams[i].buffers == 0;
	}
	if (reserve + budgets + (uint64_t)sharers * LEAST_BUDGET > config->memory.buffers)
		return refuse(config, root, reserve, budgets + (uint64_t)sharers * LEAST_BUDGET);
	rest = config->memory.buffers - reserve - budgets;
	for (unsigned int i = 0; i < config->stream_count; i++)
		if (config->streams[i].buffers == 0)
			config->streams[i].buffers = (uint32_t)(rest / sharers);
	return 0;
}
