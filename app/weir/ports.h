/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "config/config.h"
#include "dataplane/port.h"

/* The ports of a configuration, each by its driver. Errors are in `error`, 0 or -errno. */

/* Once, before the others. */
int weir_ports_prepare(const struct weir_config *config, struct weir_error *error);
/* Remove what ports leave behind on purpose when the gateway ends. */
int weir_ports_unload(const struct weir_config *config, struct weir_error *error);
int weir_port_find(const struct weir_config *config, unsigned int index, struct weir_port **port,
	struct weir_error *error);
int weir_port_start(struct weir_port *port, const struct weir_config *config,
	struct rte_mempool *pool, struct weir_error *error);
/* NULL is fine. */
void weir_port_close(struct weir_port *port);
