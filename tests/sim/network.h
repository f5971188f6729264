/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>

#include "plan.h"

/*
 * Datagrams on their way between consumers and the gateway, in virtual time: lost, doubled,
 * delayed, overtaken, cut off, as the plan says. A consumer's address is its number and how often
 * it was started, so that what was sent to a process that is gone does not reach the next.
 */

#define SIM_DATAGRAM 1408

struct sim_address {
	uint16_t consumer;
	uint16_t start;
};

struct sim_packet {
	uint64_t at_ns;
	uint64_t order;             /* among those of the same time */
	struct sim_address address; /* the consumer's, whichever way it goes */
	bool is_to_gateway;
	uint16_t length;
	uint8_t data[];
};

struct sim_network {
	struct sim_packet **heap;
	size_t count;
	size_t size;
	uint64_t order;
	struct sim_random random;
	struct sim_network_plan plan;
	/* Cuts in force, counted: they may overlap. */
	uint32_t cut_to_gateway[SIM_CONSUMERS];
	uint32_t cut_to_consumer[SIM_CONSUMERS];
	uint64_t lost;
};

void sim_network_init(
	struct sim_network *network, const struct sim_network_plan *plan, uint64_t seed);
void sim_network_close(struct sim_network *network);
/* From now on nothing is lost, doubled or overtaken. */
void sim_network_heal(struct sim_network *network);
/* False when it was lost. */
bool sim_network_send(struct sim_network *network, struct sim_address address, bool is_to_gateway,
	const void *data, size_t length, uint64_t now_ns);
/* When the next datagram arrives; UINT64_MAX: none is under way. */
uint64_t sim_network_next_ns(const struct sim_network *network);
/* Takes it; the caller frees it. */
struct sim_packet *sim_network_take(struct sim_network *network);
/* How long a datagram is under way at most. */
uint64_t sim_network_longest_ns(const struct sim_network_plan *plan);
