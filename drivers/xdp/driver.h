/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/error.h"
#include "config/config.h"
#include "dataplane/port.h"
#include "xdp/program.h"

/*
 * Ports on interfaces that the kernel keeps: the XDP program takes the streams' packets to AF_XDP
 * sockets, everything else goes on to the kernel. Start-up and control thread only.
 */

/*
 * In two steps, as with drivers/dpdk: find sets the MTU and the MAC, start loads the program, binds
 * the sockets and lets go of whatever state an earlier gateway has left. weir_xdp_pins_prepare
 * comes before all.
 */
int weir_xdp_port_find(const struct weir_config *config, unsigned int index,
	struct weir_port **port, struct weir_error *error);
int weir_xdp_port_start(struct weir_port *port, const struct weir_config *config,
	struct rte_mempool *pool, struct weir_error *error);
/* Stop and free; NULL is fine. */
void weir_xdp_port_close(struct weir_port *port);

/* Whether the port is of this driver. */
bool weir_xdp_port_is(const struct weir_port *port);
/* The program on a started port of this driver. */
struct weir_xdp_program *weir_xdp_port_program(const struct weir_port *port);
