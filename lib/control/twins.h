/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/dataplane.h"

/*
 * What goes between ports and the kernel. A port that was taken from the kernel has a TAP twin
 * with its MAC and addresses: packets that are for no stream are written to it, what the
 * kernel sends by it leaves by the port. On a port that the kernel keeps (af_packet) nothing
 * need be carried, but the kernel must be kept from refusing the streams' datagrams: a sink
 * holds their UDP ports.
 */
struct weir_twins;
struct weir_gateway;

/* Make the twins of every port that has one configured. */
int weir_twins_create(
	struct weir_gateway *gateway, struct weir_twins **twins, struct weir_error *error);
void weir_twins_destroy(struct weir_twins *twins);
/* Streams may have changed: hold other UDP ports. */
void weir_twins_sync(struct weir_twins *twins);
/* A packet from a worker that is for the kernel. Takes the mbuf. */
void weir_twins_packet(struct weir_twins *twins, struct rte_mbuf *packet);
/* Counters for port_list; false when the port has no twin. */
bool weir_twins_counters(const struct weir_twins *twins, uint32_t port, uint64_t *to_kernel,
	uint64_t *from_kernel, uint64_t *dropped);
