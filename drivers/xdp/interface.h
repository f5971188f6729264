/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A kernel interface, by name. 0 or -errno, -ENODEV when there is none. */

int weir_interface_mtu(const char *name, uint16_t *mtu);
int weir_interface_set_mtu(const char *name, uint16_t mtu);
int weir_interface_mac(const char *name, uint8_t mac[6]);
int weir_interface_set_mac(const char *name, const uint8_t mac[6]);
int weir_interface_set_promiscuous(const char *name);
/* Up, with a carrier. */
bool weir_interface_is_running(const char *name);
struct weir_interface {
	char driver[32];
	uint16_t mtu;
	uint16_t queues; /* receive */
	bool is_up;
	bool strips_vlan; /* takes VLAN tags off what it receives */
};
int weir_interface_read(const char *name, struct weir_interface *interface);
/* Receive queues that its driver has now; 1 when it does not say. */
uint16_t weir_interface_queues(const char *name);
