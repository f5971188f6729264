/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/reach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/gateway.h"
#include "control/reach_private.h"

#define SETTLE_MS 20 /* changes of the kernel's are collected for so long */

static const char *const state_names[] = {
	[WEIR_REACH_RESOLVING] = "resolving",
	[WEIR_REACH_REACHABLE] = "reachable",
	[WEIR_REACH_UNREACHABLE] = "unreachable",
};

/* The state was found: tell the data plane, and place partitions anew when it matters. */
void weir_reach_set_state(
	struct weir_reach_entry *entry, enum weir_reach_state state, const char *reason)
{
	struct weir_reach *reach = entry->reach;
	bool was_open = entry->state == WEIR_REACH_REACHABLE;
	bool is_open = state == WEIR_REACH_REACHABLE;

	snprintf(entry->reason, sizeof(entry->reason), "%s", reason);
	if (state == entry->state && !entry->is_new)
		return;
	entry->is_new = false;
	entry->state = state;
	entry->since_ns = weir_loop_clock_ns();
	if (was_open != is_open || !is_open)
		weir_consumer_set_closed(reach->gateway->dataplane, entry->consumer,
			WEIR_CLOSED_UNREACHABLE, !is_open);
	if (was_open && !is_open)
		entry->changes++;
	if (was_open != is_open)
		reach->must_republish = true;
	weir_log(state == WEIR_REACH_UNREACHABLE ? WEIR_LOG_WARNING : WEIR_LOG_INFO, "reach",
		"consumer %s is %s%s%s", entry->consumer->name, state_names[state],
		reason[0] != '\0' ? ": " : "", reason);
}

static void republish(struct weir_reach *reach)
{
	if (!reach->must_republish)
		return;
	if (weir_dataplane_republish(reach->gateway->dataplane) == 0)
		reach->must_republish = false;
	else
		weir_log_error("reach", "not enough memory to move partitions; trying again");
}

static void look_at_all(struct weir_reach *reach)
{
	for (uint32_t i = 0; i < reach->count; i++)
		weir_reach_look(reach->entries[i]);
	republish(reach);
}

static void settled(void *context, uint64_t now_ns)
{
	(void)now_ns;
	look_at_all(context);
}

static void ask_neighbours(struct weir_reach_entry *entry)
{
	struct weir_reach *reach = entry->reach;
	struct weir_host *host = reach->gateway->host;

	if (entry->ifindex == 0 || entry->next_hop.family == 0)
		return;
	/* Consumers behind one router have one next hop: it is asked once a round. */
	if (entry->ifindex == reach->last_ifindex &&
		weir_address_equal(&entry->next_hop, &reach->last_next_hop))
		return;
	reach->last_ifindex = entry->ifindex;
	reach->last_next_hop = entry->next_hop;
	if (entry->has_mac)
		weir_host_neighbour_probe(host, entry->ifindex, &entry->next_hop);
	else
		weir_host_neighbour_resolve(host, entry->ifindex, &entry->next_hop);
}

static void round_of_probes(void *context, uint64_t now_ns)
{
	struct weir_reach *reach = context;

	reach->last_ifindex = 0;
	/* The kernel does not always say when a resolution has failed for good. */
	weir_host_process(reach->gateway->host);
	for (uint32_t i = 0; i < reach->count; i++) {
		weir_reach_look(reach->entries[i]);
		ask_neighbours(reach->entries[i]);
		weir_reach_retry(reach->entries[i], now_ns);
	}
	republish(reach);
}

int weir_reach_create(struct weir_gateway *gateway, struct weir_reach **out)
{
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);
	struct weir_reach *reach = calloc(1, sizeof(*reach));
	uint64_t period = config->reach.probe_ms * WEIR_MS_NS;

	if (reach == NULL)
		return -ENOMEM;
	reach->gateway = gateway;
	reach->probe_ms = config->reach.probe_ms;
	weir_loop_timer_init(&reach->settle, settled, reach);
	weir_loop_timer_init(&reach->round, round_of_probes, reach);
	if (weir_loop_timer_arm(gateway->loop, &reach->round, period, period) < 0) {
		free(reach);
		return -ENOMEM;
	}
	*out = reach;
	return 0;
}

static void free_entry(struct weir_reach_entry *entry)
{
	weir_reach_stop_probe(entry);
	free(entry);
}

void weir_reach_destroy(struct weir_reach *reach)
{
	if (reach == NULL)
		return;
	for (uint32_t i = 0; i < reach->count; i++)
		free_entry(reach->entries[i]);
	weir_loop_timer_cancel(reach->gateway->loop, &reach->settle);
	weir_loop_timer_cancel(reach->gateway->loop, &reach->round);
	free(reach->entries);
	free(reach);
}

static struct weir_reach_entry *find(
	const struct weir_reach *reach, const struct weir_consumer *consumer)
{
	return reach->by_slot[consumer->slot] != NULL &&
			       reach->by_slot[consumer->slot]->consumer == consumer
		       ? reach->by_slot[consumer->slot]
		       : NULL;
}

static struct weir_reach_entry *add(struct weir_reach *reach, struct weir_consumer *consumer)
{
	struct weir_reach_entry *entry = calloc(1, sizeof(*entry));
	struct weir_reach_entry **list =
		realloc(reach->entries, (reach->count + 1) * sizeof(struct weir_reach_entry *));

	if (list != NULL)
		reach->entries = list;
	if (list == NULL || entry == NULL) {
		free(entry);
		return NULL;
	}
	entry->reach = reach;
	entry->consumer = consumer;
	entry->is_new = true;
	entry->port = -1;
	entry->probe.fd = -1;
	reach->entries[reach->count++] = entry;
	return entry;
}

/* What the configuration says of a consumer may have changed; its objects may be others. */
static void visit(void *context, struct weir_consumer *consumer,
	const struct weir_config_group *group, const struct weir_config_consumer *config)
{
	struct weir_reach *reach = context;
	struct weir_reach_entry *entry = find(reach, consumer);

	(void)group;
	if (entry == NULL)
		entry = add(reach, consumer);
	if (entry == NULL) {
		weir_log_error("reach", "no memory to follow consumer %s", consumer->name);
		return;
	}
	entry->is_seen = true;
	if (config == NULL) {
		entry->config = (struct weir_config_consumer){.address = consumer->peer,
			.port = consumer->peer_port,
			.source = WEIR_SOURCE_REWRITE};
	} else {
		if (!weir_address_equal(&entry->config.address, &config->address) ||
			entry->config.port != config->port)
			weir_reach_forgive(entry);
		entry->config = *config;
	}
}

static void drop_unseen(struct weir_reach *reach)
{
	uint32_t kept = 0;

	memset(reach->by_slot, 0, sizeof(reach->by_slot));
	for (uint32_t i = 0; i < reach->count; i++) {
		struct weir_reach_entry *entry = reach->entries[i];

		if (!entry->is_seen) {
			free_entry(entry);
			continue;
		}
		reach->entries[kept++] = entry;
		reach->by_slot[entry->consumer->slot] = entry;
	}
	reach->count = kept;
}

void weir_reach_sync(struct weir_reach *reach)
{
	const struct weir_config *config = weir_dataplane_config(reach->gateway->dataplane);
	uint64_t period = config->reach.probe_ms * WEIR_MS_NS;

	for (uint32_t i = 0; i < reach->count; i++)
		reach->entries[i]->is_seen = false;
	weir_consumers_visit(reach->gateway->dataplane, visit, reach);
	drop_unseen(reach);
	if (reach->probe_ms != config->reach.probe_ms) {
		reach->probe_ms = config->reach.probe_ms;
		weir_loop_timer_arm(reach->gateway->loop, &reach->round, period, period);
	}
	look_at_all(reach);
}

void weir_reach_host_changed(struct weir_reach *reach, const struct weir_host_change *change)
{
	if (change->kind != WEIR_HOST_NEIGHBOUR) {
		weir_loop_timer_arm(
			reach->gateway->loop, &reach->settle, SETTLE_MS * WEIR_MS_NS, 0);
		return;
	}
	for (uint32_t i = 0; i < reach->count; i++)
		if (reach->entries[i]->ifindex == change->ifindex &&
			weir_address_equal(&reach->entries[i]->next_hop, &change->address))
			weir_reach_look(reach->entries[i]);
	republish(reach);
}

void weir_reach_refused(struct weir_reach *reach, const struct weir_icmp_unreachable *icmp)
{
	for (uint32_t i = 0; i < reach->count; i++) {
		struct weir_reach_entry *entry = reach->entries[i];

		if (entry->consumer->class != WEIR_CLASS_NATIVE &&
			entry->config.port == icmp->destination_port &&
			weir_address_equal(&entry->config.address, &icmp->destination) &&
			(icmp->cause != WEIR_ICMP_PORT ||
				weir_address_equal(&icmp->reporter, &icmp->destination)))
			weir_reach_refuse(entry, icmp);
	}
	republish(reach);
}

bool weir_reach_status(const struct weir_reach *reach, const struct weir_consumer *consumer,
	struct weir_reach_status *status)
{
	const struct weir_reach_entry *entry = find(reach, consumer);

	if (entry == NULL)
		return false;
	memset(status, 0, sizeof(*status));
	status->state = entry->state;
	status->state_name = state_names[entry->state];
	snprintf(status->reason, sizeof(status->reason), "%s", entry->reason);
	status->since_ns = entry->since_ns;
	status->changes = entry->changes;
	status->next_hop = entry->next_hop;
	memcpy(status->mac, entry->mac, sizeof(status->mac));
	status->has_mac = entry->has_mac;
	status->port = entry->port;
	status->vlan = entry->vlan;
	return true;
}
