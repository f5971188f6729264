/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dataplane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_malloc.h>

#include "dataplane/reassign.h"
#include "dataplane/worker.h"

/*
 * Which worker sends by which transmit queue. A port with fewer transmit queues than workers is
 * shared: the workers without a queue hand their packets over.
 */

#define HANDOFF_SIZE 1024

static int allocate(struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		struct weir_worker *worker = &dataplane->workers[id];
		size_t handoffs = (size_t)dataplane->port_count * dataplane->worker_count;

		worker->handoffs = calloc(handoffs, sizeof(*worker->handoffs));
		worker->handoff_ports = calloc(handoffs, sizeof(*worker->handoff_ports));
		worker->tx = rte_zmalloc(
			"weir", dataplane->port_count * sizeof(*worker->tx), RTE_CACHE_LINE_SIZE);
		worker->port_stats = rte_zmalloc("weir",
			dataplane->port_count * sizeof(*worker->port_stats), RTE_CACHE_LINE_SIZE);
		worker->port_census = rte_zmalloc("weir",
			dataplane->port_count * sizeof(*worker->port_census), RTE_CACHE_LINE_SIZE);
		if (worker->handoffs == NULL || worker->handoff_ports == NULL ||
			worker->tx == NULL || worker->port_stats == NULL ||
			worker->port_census == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int hand_over(struct weir_worker *from, struct weir_worker *to, struct weir_port *port)
{
	char name[RTE_RING_NAMESIZE];
	struct rte_ring *ring;

	snprintf(name, sizeof(name), "weir_tx_%u_%u", port->index, from->id);
	ring = rte_ring_create(name, HANDOFF_SIZE, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (ring == NULL)
		return -ENOMEM;
	from->tx[port->index].handoff = ring;
	to->handoffs[to->handoff_count] = ring;
	to->handoff_ports[to->handoff_count++] = port->index;
	return 0;
}

static int share_tx(struct weir_dataplane *dataplane, struct weir_port *port)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		struct weir_worker *worker = &dataplane->workers[id];
		struct weir_tx *tx = &worker->tx[port->index];
		int result = 0;

		tx->port = port;
		tx->stats = &worker->port_stats[port->index];
		weir_list_init(&tx->waiting);
		if (id < port->tx_queues)
			tx->queue = port->tx_queue[id];
		else
			result = hand_over(worker, &dataplane->workers[id % port->tx_queues], port);
		if (result < 0)
			return result;
	}
	return 0;
}

int weir_dataplane_attach(struct weir_dataplane *dataplane, struct weir_port **ports,
	uint32_t count, struct weir_error *error)
{
	int result;

	dataplane->port_count = count;
	for (uint32_t i = 0; i < count; i++) {
		dataplane->ports[i] = ports[i];
		if (dataplane->tokens == NULL && ports[i]->ops->tokens != NULL)
			dataplane->tokens = ports[i]->ops->tokens(ports[i]->driver);
		if (dataplane->wills == NULL && ports[i]->ops->wills != NULL)
			dataplane->wills = ports[i]->ops->wills(ports[i]->driver);
	}
	result = allocate(dataplane);
	for (uint32_t i = 0; result == 0 && i < count; i++)
		result = share_tx(dataplane, ports[i]);
	if (result == 0)
		result = weir_reassign_create(dataplane);
	if (result < 0)
		return weir_error_set(error, result, "$.memory", "give the machine more huge pages",
			"not enough memory for the ports' queues");
	return 0;
}
