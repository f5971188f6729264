/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "config/parts.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(driver)     (1u << WEIR_DRIVER_##driver)

enum {
	PCI = BIT(PCI),
	AF_XDP = BIT(AF_XDP), /* on an interface that the kernel has, but takes all it receives */
	XDP = BIT(XDP),
	KERNEL = BIT(AF_PACKET) | AF_XDP | XDP,
	TAP = BIT(TAP),
	MEMIF = BIT(MEMIF),
	PCAP = BIT(PCAP),
	NUL = BIT(NULL),
	WIRE = PCI | KERNEL | TAP | MEMIF, /* somebody else is at the other end */
	ALL = WIRE | PCAP | NUL,
};

/* Which drivers use a key, and which must have it. Keys that are not here belong to all. */
static const struct use {
	const char *key;
	unsigned int drivers;
	unsigned int required;
	const char *hint;
} uses[] = {
	{"device", PCI, PCI, "the PCI address, such as \"0000:03:00.0\""},
	{"interface", KERNEL | TAP, KERNEL | TAP, "the interface's name, such as \"eth0\""},
	{"rx_file", PCAP, 0, NULL},
	{"tx_file", PCAP, 0, NULL},
	{"loop", PCAP, 0, NULL},
	{"frame_bytes", NUL, 0, NULL},
	{"socket", MEMIF, MEMIF, "the control socket's path, such as \"/run/weir/memif.sock\""},
	{"id", MEMIF, 0, NULL},
	{"role", MEMIF, 0, NULL},
	{"queues", ALL & ~PCAP, 0, NULL},
	{"promiscuous", PCI | KERNEL | TAP, 0, NULL},
	{"mac", WIRE, 0, NULL},
	{"mode", XDP, 0, NULL},
	{"twin", PCI | AF_XDP | TAP | MEMIF, 0, NULL},
};

static int read_role(const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const char *const roles[] = {"client", "server", NULL};
	static const struct weir_field role = {.key = "role", .size = 4, .names = roles};
	struct weir_config_port *port = target;
	unsigned int position = 0;
	int rc = weir_read_name(value, &role, &position);

	(void)field;
	port->memif_server = position == 1;
	return rc;
}

static int read_addresses(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	struct weir_config_twin *twin = target;

	(void)field;
	return weir_read_subnets(value, &twin->addresses, &twin->address_count);
}

static const struct weir_field twin_fields[] = {
	{WEIR_MEMBER(struct weir_config_twin, name), .read = weir_read_interface},
	{.key = "addresses", .read = read_addresses},
};

static int read_twin(const struct weir_value *value, const struct weir_field *field, void *target)
{
	struct weir_config_port *port = target;

	(void)field;
	port->twin.enabled = true;
	return weir_fields_read(value, twin_fields, COUNT_OF(twin_fields), &port->twin);
}

const struct weir_field weir_port_fields[] = {
	{WEIR_MEMBER(struct weir_config_port, name), .read = weir_read_object_name,
		.hint = "a name for the port, such as \"up0\"", .required = true},
	{WEIR_MEMBER(struct weir_config_port, driver), .read = weir_read_name,
		.names = weir_driver_names, .required = true},
	{WEIR_MEMBER(struct weir_config_port, device), .read = weir_read_pci},
	{WEIR_MEMBER(struct weir_config_port, interface), .read = weir_read_interface},
	{WEIR_MEMBER(struct weir_config_port, rx_file), .read = weir_read_file},
	{WEIR_MEMBER(struct weir_config_port, tx_file), .read = weir_read_file},
	{WEIR_MEMBER(struct weir_config_port, loop), .read = weir_read_bool},
	{WEIR_MEMBER(struct weir_config_port, frame_bytes), .read = weir_read_number, .minimum = 60,
		.maximum = 9000},
	{WEIR_MEMBER(struct weir_config_port, socket), .read = weir_read_absolute_path},
	{WEIR_MEMBER_AS("id", struct weir_config_port, memif_id), .read = weir_read_number,
		.maximum = UINT32_MAX},
	{.key = "role", .read = read_role},
	{WEIR_MEMBER(struct weir_config_port, queues), .read = weir_read_number,
		.maximum = WEIR_MAX_WORKERS},
	{WEIR_MEMBER(struct weir_config_port, descriptors), .read = weir_read_number, .minimum = 64,
		.maximum = 8192},
	{WEIR_MEMBER(struct weir_config_port, mtu), .read = weir_read_number, .minimum = 576,
		.maximum = 9728},
	{WEIR_MEMBER(struct weir_config_port, promiscuous), .read = weir_read_bool},
	{WEIR_MEMBER(struct weir_config_port, mac), .read = weir_read_mac},
	{WEIR_MEMBER_AS("mode", struct weir_config_port, xdp_mode), .read = weir_read_name,
		.names = weir_xdp_mode_names},
	{.key = "twin", .read = read_twin},
};
const size_t weir_port_field_count = COUNT_OF(weir_port_fields);

static int refuse_unused(
	const struct weir_value *member, enum weir_driver driver, const struct use *use)
{
	char hint[200], names[120];
	size_t used = 0;

	names[0] = '\0';
	for (unsigned int i = 0; weir_driver_names[i] != NULL; i++)
		if (use->drivers & (1u << i))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
				used == 0 ? "" : ", ", weir_driver_names[i]);
	snprintf(hint, sizeof(hint), "leave it out; it is for driver %s", names);
	if (strcmp(use->key, "twin") == 0 &&
		(driver == WEIR_DRIVER_AF_PACKET || driver == WEIR_DRIVER_XDP))
		snprintf(hint, sizeof(hint),
			"the kernel keeps an %s interface; give the address "
			"to the interface itself",
			weir_driver_name(driver));
	return weir_value_fail(member, hint, "driver \"%s\" does not use \"%s\"",
		weir_driver_name(driver), use->key);
}

static int check_uses(const struct weir_value *value, enum weir_driver driver)
{
	struct weir_value member;
	char hint[160];

	for (unsigned int i = 0; i < COUNT_OF(uses); i++) {
		const struct use *use = &uses[i];
		bool is_there = weir_value_member(value, use->key, &member);

		if (is_there && !(use->drivers & (1u << driver)))
			return refuse_unused(&member, driver, use);
		if (!is_there && use->required & (1u << driver)) {
			snprintf(hint, sizeof(hint), "add \"%s\": %s", use->key, use->hint);
			return weir_value_fail(value, hint, "driver \"%s\" needs \"%s\"",
				weir_driver_name(driver), use->key);
		}
	}
	return 0;
}

static int check_files(const struct weir_value *value, const struct weir_config_port *port)
{
	struct weir_value loop;

	if (port->rx_file[0] == '\0' && port->tx_file[0] == '\0')
		return weir_value_fail(value,
			"add \"rx_file\" to read a capture, \"tx_file\" to write one, or both",
			"driver \"pcap\" needs \"rx_file\" or \"tx_file\"");
	if (port->rx_file[0] == '\0' && weir_value_member(value, "loop", &loop))
		return weir_value_fail(&loop, "add \"rx_file\", or leave \"loop\" out",
			"\"loop\" without \"rx_file\"");
	return 0;
}

/* All queues of the interface: a packet on another queue would not reach the gateway. */
static void set_xdp_defaults(const struct weir_value *value, struct weir_config_port *port)
{
	struct weir_value member;

	if (!weir_value_member(value, "queues", &member))
		port->queues = 0;
	if (!weir_value_member(value, "descriptors", &member))
		port->descriptors = 4096;
}

static int read_port(const struct weir_value *value, struct weir_config_port *port)
{
	static const struct weir_config_port defaults = {.queues = 1, .descriptors = 1024};
	static const uint8_t no_mac[6];
	int rc;

	*port = defaults;
	rc = weir_fields_read(value, weir_port_fields, weir_port_field_count, port);
	if (rc == 0)
		rc = check_uses(value, port->driver);
	if (rc == 0 && port->driver == WEIR_DRIVER_PCAP)
		rc = check_files(value, port);
	if (rc == 0 && port->driver == WEIR_DRIVER_XDP)
		set_xdp_defaults(value, port);
	port->has_mac = memcmp(port->mac, no_mac, sizeof(no_mac)) != 0;
	if (port->twin.enabled && port->twin.name[0] == '\0')
		snprintf(port->twin.name, sizeof(port->twin.name), "weir-%.10s", port->name);
	return rc;
}

int weir_read_ports(const struct weir_value *value, const struct weir_field *field, void *config)
{
	static const struct weir_list_rule rule = {.size = sizeof(struct weir_config_port),
		.maximum = WEIR_MAX_PORTS,
		.hint = "1 to 32 objects, each a port"};
	struct weir_config *whole = config;
	void *array = NULL;
	int rc = weir_read_list(value, &rule, &array, &whole->port_count);

	(void)field;
	whole->ports = array;
	for (unsigned int i = 0; rc == 0 && i < whole->port_count; i++) {
		struct weir_value element = weir_value_element(value, i);

		rc = read_port(&element, &whole->ports[i]);
	}
	return rc;
}
