/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/reach_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/gateway.h"
#include "control/twins.h"

/* From a consumer's address to a struct weir_route, by what the kernel says. */

/* What looking found, before it is acted on. */
struct finding {
	enum weir_reach_state state;
	char reason[128];
	struct weir_route_spec spec;
};

static void unreachable(struct finding *finding, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void unreachable(struct finding *finding, const char *format, ...)
{
	va_list args;

	finding->state = WEIR_REACH_UNREACHABLE;
	va_start(args, format);
	vsnprintf(finding->reason, sizeof(finding->reason), format, args);
	va_end(args);
}

static struct weir_port *find_port(const struct weir_dataplane *dataplane, int ifindex)
{
	for (uint32_t i = 0; i < dataplane->port_count; i++)
		if (dataplane->ports[i]->kernel_ifindex == ifindex)
			return dataplane->ports[i];
	return NULL;
}

/* An address of the gateway's own, for a port that the kernel has no route by. */
static bool own_address(
	const struct weir_dataplane *dataplane, uint8_t family, struct weir_address *address)
{
	for (uint32_t i = 0; i < dataplane->address_count; i++)
		if (dataplane->addresses[i].family == family) {
			*address = dataplane->addresses[i];
			return true;
		}
	return false;
}

static void fill_spec(struct weir_reach_entry *entry, const struct weir_port *port,
	const struct weir_host_route *route, struct finding *finding)
{
	const struct weir_dataplane *dataplane = entry->reach->gateway->dataplane;
	const struct weir_config_consumer *config = &entry->config;
	struct weir_route_spec *spec = &finding->spec;
	bool is_native = entry->consumer->class == WEIR_CLASS_NATIVE;

	spec->port = port->index;
	spec->mtu = port->mtu;
	if (route != NULL && route->mtu != 0 && route->mtu < spec->mtu)
		spec->mtu = (uint16_t)route->mtu;
	spec->vlan = entry->vlan;
	memcpy(spec->source_mac, port->mac, 6);
	memcpy(spec->next_hop_mac, entry->mac, 6);
	spec->keep_source = config->source == WEIR_SOURCE_KEEP;
	spec->destination = config->address;
	spec->destination_port = config->port;
	spec->source_port = config->port;
	if (is_native) {
		spec->source = entry->consumer->local;
		spec->source_port = weir_dataplane_config(dataplane)->native.udp_port;
	} else if (spec->keep_source) {
		return;
	} else if (route != NULL && route->source.family == config->address.family) {
		spec->source = route->source;
	} else if (!own_address(dataplane, config->address.family, &spec->source)) {
		unreachable(finding, "port %s has no IPv%u address to send from", port->name,
			config->address.family);
	}
}

/* Port and next hop's MAC are configured: the kernel is not asked. */
static void look_static(
	struct weir_reach_entry *entry, struct weir_port *port, struct finding *finding)
{
	entry->ifindex = 0;
	entry->next_hop = entry->config.address;
	memcpy(entry->mac, entry->config.mac, 6);
	entry->has_mac = true;
	entry->vlan = 0;
	entry->port = port->index;
	finding->state = WEIR_REACH_REACHABLE;
	fill_spec(entry, port, NULL, finding);
}

static void look_neighbour(struct weir_reach_entry *entry, struct finding *finding)
{
	struct weir_host *host = entry->reach->gateway->host;
	struct weir_host_neighbour neighbour;
	char text[WEIR_ADDRESS_TEXT];

	weir_host_neighbour(host, entry->ifindex, &entry->next_hop, &neighbour);
	entry->has_mac = neighbour.state == WEIR_NEIGHBOUR_REACHABLE;
	memcpy(entry->mac, neighbour.mac, 6);
	weir_address_format(&entry->next_hop, text, sizeof(text));
	switch (neighbour.state) {
	case WEIR_NEIGHBOUR_REACHABLE:
		finding->state = WEIR_REACH_REACHABLE;
		break;
	case WEIR_NEIGHBOUR_FAILED:
		unreachable(finding, "next hop %s does not answer", text);
		break;
	default:
		weir_host_neighbour_resolve(host, entry->ifindex, &entry->next_hop);
		/* One that was given up stays so until it answers. */
		if (entry->state == WEIR_REACH_UNREACHABLE && !entry->is_new) {
			unreachable(finding, "next hop %s does not answer", text);
			return;
		}
		finding->state = WEIR_REACH_RESOLVING;
		snprintf(finding->reason, sizeof(finding->reason), "waiting for next hop %s", text);
	}
}

/* The port that an interface of the kernel's stands for, and the VLAN on it. */
static struct weir_port *port_of_interface(
	struct weir_reach_entry *entry, int ifindex, char name[WEIR_LINK_NAME])
{
	struct weir_gateway *gateway = entry->reach->gateway;
	struct weir_host_link link;

	entry->vlan = 0;
	if (weir_host_link_by_index(gateway->host, ifindex, &link) < 0)
		return NULL;
	memcpy(name, link.name, WEIR_LINK_NAME);
	if (link.vlan != 0 && link.parent != 0) {
		entry->vlan = link.vlan;
		ifindex = link.parent;
	}
	return find_port(gateway->dataplane, ifindex);
}

static void look_route(
	struct weir_reach_entry *entry, struct weir_port *wanted, struct finding *finding)
{
	struct weir_host *host = entry->reach->gateway->host;
	char interface[WEIR_LINK_NAME] = "?";
	struct weir_host_route route;
	struct weir_port *port;
	int result = weir_host_route(host, &entry->config.address, &route);

	entry->ifindex = 0;
	entry->has_mac = false;
	entry->port = -1;
	memset(&entry->next_hop, 0, sizeof(entry->next_hop));
	if (result < 0) {
		unreachable(finding, "no route: %s", strerror(-result));
		return;
	}
	if (route.type != WEIR_ROUTE_UNICAST) {
		unreachable(finding, "the kernel's route to it is of type %s",
			weir_route_type_name(route.type));
		return;
	}
	port = port_of_interface(entry, route.ifindex, interface);
	if (port == NULL || (wanted != NULL && port != wanted)) {
		unreachable(finding, "the kernel's route leaves by %s, which is not %s", interface,
			wanted != NULL ? wanted->name : "a port");
		return;
	}
	entry->port = port->index;
	entry->ifindex = route.ifindex;
	entry->next_hop = route.next_hop;
	look_neighbour(entry, finding);
	if (finding->state == WEIR_REACH_REACHABLE)
		fill_spec(entry, port, &route, finding);
}

/* Install the route if it is another than the one in use. */
static void install(struct weir_reach_entry *entry, struct finding *finding)
{
	struct weir_dataplane *dataplane = entry->reach->gateway->dataplane;
	struct weir_route *route;

	if (entry->has_route && memcmp(&entry->spec, &finding->spec, sizeof(entry->spec)) == 0)
		return;
	route = malloc(sizeof(*route));
	if (route == NULL) {
		unreachable(finding, "no memory for its route");
		return;
	}
	if (weir_route_build(&finding->spec, route) < 0) {
		free(route);
		unreachable(finding, "no source address of its IP version");
		return;
	}
	entry->spec = finding->spec;
	entry->has_route = true;
	weir_consumer_set_route(dataplane, entry->consumer, route);
}

void weir_reach_look(struct weir_reach_entry *entry)
{
	struct weir_gateway *gateway = entry->reach->gateway;
	const struct weir_config *config = weir_dataplane_config(gateway->dataplane);
	int egress = entry->config.egress[0] != '\0'
			     ? weir_config_find_port(config, entry->config.egress)
			     : -1;
	struct weir_port *wanted = egress >= 0 ? gateway->dataplane->ports[egress] : NULL;
	struct finding finding;

	/* Compared byte by byte with the one in use: no stray padding. */
	memset(&finding, 0, sizeof(finding));
	if (wanted != NULL && entry->config.has_mac)
		look_static(entry, wanted, &finding);
	else
		look_route(entry, wanted, &finding);
	if (finding.state == WEIR_REACH_REACHABLE)
		install(entry, &finding);
	if (finding.state == WEIR_REACH_REACHABLE && entry->is_refused)
		unreachable(&finding, "%s", entry->refusal);
	if (finding.state == WEIR_REACH_REACHABLE && entry->consumer->class == WEIR_CLASS_NATIVE &&
		!entry->consumer->is_subscribed) {
		finding.state = WEIR_REACH_RESOLVING;
		snprintf(finding.reason, sizeof(finding.reason), "has not subscribed yet");
	}
	weir_reach_set_state(entry, finding.state, finding.reason);
}
