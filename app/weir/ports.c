/* SPDX-License-Identifier: BSD-3-Clause */
#include "ports.h"

#include <string.h>

#include "dpdk/driver.h"
#include "xdp/driver.h"
#include "xdp/pins.h"

int weir_ports_prepare(const struct weir_config *config, struct weir_error *error)
{
	return weir_xdp_pins_prepare(config, error);
}

int weir_ports_unload(const struct weir_config *config, struct weir_error *error)
{
	int result = weir_pins_remove_all(config->failover.pins);

	if (result < 0)
		return weir_error_set(error, result, "$.failover.pins", "run it as root",
			"%s was not removed: %s", config->failover.pins, strerror(-result));
	return 0;
}

int weir_port_find(const struct weir_config *config, unsigned int index, struct weir_port **port,
	struct weir_error *error)
{
	if (config->ports[index].driver == WEIR_DRIVER_XDP)
		return weir_xdp_port_find(config, index, port, error);
	return weir_dpdk_port_find(config, index, port, error);
}

int weir_port_start(struct weir_port *port, const struct weir_config *config,
	struct rte_mempool *pool, struct weir_error *error)
{
	const struct weir_config_port *own = &config->ports[port->index];

	if (own->driver == WEIR_DRIVER_XDP)
		return weir_xdp_port_start(port, config, pool, error);
	return weir_dpdk_port_start(port, own, pool, error);
}

void weir_port_close(struct weir_port *port)
{
	if (port != NULL && weir_xdp_port_is(port))
		weir_xdp_port_close(port);
	else
		weir_dpdk_port_close(port);
}
