/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "config/config.h"
#include "dataplane/port.h"

/*
 * DPDK from a configuration: the environment's arguments and the ports on its devices. Users
 * never write an EAL argument. Start-up and control thread only.
 */

/*
 * Initialise the EAL: the calling thread becomes lcore 0, worker n is lcore n + 1 on its CPU.
 * Without enough huge pages it goes on with ordinary ones and logs what that costs. Once per
 * process. `error` names the part of the configuration at fault. Without devices, which another
 * gateway still holds, weir_eal_add_devices() brings them later.
 */
int weir_eal_init(const struct weir_config *config, bool with_devices, struct weir_error *error);
/* -ENOTSUP for a PCI device, which cannot change hands between two running processes. */
int weir_eal_can_add_devices(const struct weir_config *config, struct weir_error *error);
int weir_eal_add_devices(const struct weir_config *config, struct weir_error *error);
void weir_eal_cleanup(void);

/* Whether some worker's CPU is one that the scheduler also gives to others: not isolated. */

/* Bytes of EAL memory that the configuration needs, on huge pages or not; with room for changes. */
size_t weir_eal_memory(const struct weir_config *config, bool is_huge);

/*
 * Device name ("net_af_packet0") and EAL argument ("--vdev" value or PCI address) of a port.
 * -ENAMETOOLONG when the text does not fit.
 */
int weir_device_name(
	const struct weir_config_port *port, unsigned int index, char *name, size_t size);
int weir_device_argument(
	const struct weir_config *config, unsigned int index, char *argument, size_t size);
/* Receive queues of a port: as configured, else one a worker, as far as the device has them. */
uint16_t weir_device_queues(const struct weir_config *config, const struct weir_config_port *port);

/*
 * The MTU of each port is known before buffers are made, so ports start in two steps: find looks
 * the device up and sets its MTU and MAC; start sets up queues on `pool` and starts it.
 */
int weir_dpdk_port_find(const struct weir_config *config, unsigned int index,
	struct weir_port **port, struct weir_error *error);
int weir_dpdk_port_start(struct weir_port *port, const struct weir_config_port *config,
	struct rte_mempool *pool, struct weir_error *error);
/* Stop and free; NULL is fine. */
void weir_dpdk_port_close(struct weir_port *port);
