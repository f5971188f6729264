/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/port_restart.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>

#define PATIENCE_MS 100
#define LOOK_NS     100000

/* Whoever was in the port when it was held has left it. */
static bool workers_left(struct weir_dataplane *dataplane)
{
	const struct timespec moment = {.tv_nsec = LOOK_NS};
	uint64_t token = rte_rcu_qsbr_start(dataplane->qsbr);
	uint64_t end = rte_rdtsc() + rte_get_tsc_hz() / 1000 * PATIENCE_MS;

	while (rte_rcu_qsbr_check(dataplane->qsbr, token, false) != 1) {
		if (rte_rdtsc() > end)
			return false;
		nanosleep(&moment, NULL);
	}
	return true;
}

int weir_port_restart(struct weir_dataplane *dataplane, struct weir_port *port)
{
	int result;

	if (!port->can_restart)
		return -ENOTSUP;
	port->ops->hold(port->driver, true);
	result = workers_left(dataplane) ? port->ops->restart(port->driver) : -EBUSY;
	port->ops->hold(port->driver, false);
	return result;
}

struct weir_port *weir_port_named(const struct weir_dataplane *dataplane, const char *name)
{
	for (uint32_t i = 0; i < dataplane->port_count; i++)
		if (strcmp(dataplane->ports[i]->name, name) == 0)
			return dataplane->ports[i];
	return NULL;
}
