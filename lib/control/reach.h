/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"
#include "host/icmp.h"
#include "host/netlink.h"

/*
 * How consumers are reached, and whether. For each consumer the kernel is asked for the route, the
 * route's interface is mapped to a port, and the next hop's neighbour state is followed; from
 * these a struct weir_route is made. A consumer is unreachable while there is no route by a port,
 * while its next hop does not answer, and after it refused datagrams by ICMP until an active
 * probe finds it silent. Its partitions then go to the others of its group, and come back with it.
 */
struct weir_reach;
struct weir_gateway;

/* Stable names: "resolving", "reachable", "unreachable". */
enum weir_reach_state {
	WEIR_REACH_RESOLVING,
	WEIR_REACH_REACHABLE,
	WEIR_REACH_UNREACHABLE,
};

struct weir_reach_status {
	enum weir_reach_state state;
	const char *state_name;
	char reason[128];             /* why it is not reachable; "" when it is */
	uint64_t since_ns;            /* weir_loop_clock_ns of the last change of state */
	uint64_t changes;             /* times it became unreachable */
	struct weir_address next_hop; /* family 0: unknown */
	uint8_t mac[6];
	bool has_mac;
	int port; /* index of the egress port; -1: none */
	uint16_t vlan;
};

int weir_reach_create(struct weir_gateway *gateway, struct weir_reach **reach);
void weir_reach_destroy(struct weir_reach *reach);
/* The set of consumers, ports or addresses may have changed: look at all of them. */
void weir_reach_sync(struct weir_reach *reach);
/* Something of the kernel's has changed. */
void weir_reach_host_changed(struct weir_reach *reach, const struct weir_host_change *change);
/* A destination unreachable arrived. */
void weir_reach_refused(struct weir_reach *reach, const struct weir_icmp_unreachable *icmp);
/* False when the consumer is unknown. */
bool weir_reach_status(const struct weir_reach *reach, const struct weir_consumer *consumer,
	struct weir_reach_status *status);
