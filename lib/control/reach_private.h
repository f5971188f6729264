/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "control/loop.h"
#include "control/reach.h"
#include "host/probe.h"

/* Shared by reach.c (the list), reach_look.c (routes) and reach_probe.c (refusals). */

struct weir_reach_entry {
	struct weir_reach *reach;
	struct weir_consumer *consumer;
	struct weir_config_consumer config; /* native: address, port of the peer */
	enum weir_reach_state state;
	char reason[128];
	uint64_t since_ns;
	uint64_t changes;
	bool is_new;
	bool is_seen;
	/* The way, as last found. */
	int ifindex; /* where the next hop's neighbour entry is; 0: static MAC */
	struct weir_address next_hop;
	uint8_t mac[6];
	bool has_mac;
	int port;
	uint16_t vlan;
	struct weir_route_spec spec; /* of the route in use */
	bool has_route;
	/* Refusals by ICMP. */
	bool is_refused;
	char refusal[128];
	uint64_t hold_until_ns;
	uint32_t hold_ms;
	struct weir_probe probe; /* fd -1: none runs */
	uint64_t probe_started_ns;
	struct weir_loop_timer probe_timer;
};

struct weir_reach {
	struct weir_gateway *gateway;
	struct weir_reach_entry **entries;
	uint32_t count;
	struct weir_reach_entry *by_slot[WEIR_MAX_CONSUMERS];
	struct weir_loop_timer settle;
	struct weir_loop_timer round;
	uint32_t probe_ms;
	bool must_republish;
	int last_ifindex; /* next hop asked last in this round */
	struct weir_address last_next_hop;
};

void weir_reach_set_state(
	struct weir_reach_entry *entry, enum weir_reach_state state, const char *reason);
/* Find the way anew and follow it. */
void weir_reach_look(struct weir_reach_entry *entry);
/* An ICMP error about this consumer came. */
void weir_reach_refuse(struct weir_reach_entry *entry, const struct weir_icmp_unreachable *icmp);
/* Forget refusals: it is another receiver now. */
void weir_reach_forgive(struct weir_reach_entry *entry);
/* Probe a consumer that refused, when it is time. */
void weir_reach_retry(struct weir_reach_entry *entry, uint64_t now_ns);
void weir_reach_stop_probe(struct weir_reach_entry *entry);
