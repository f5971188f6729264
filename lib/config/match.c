/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "config/parts.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { MAX_RANGES = 1024, HINT_SIZE = 256 };

/* `none` is the word for a packet without this tag. */
static int read_vid(const struct weir_value *value, const char *none, uint16_t *vid)
{
	const char *text = json_string_value(value->json);
	json_int_t id = json_integer_value(value->json);
	char hint[HINT_SIZE];

	if (text != NULL && strcmp(text, "any") == 0)
		*vid = WEIR_VLAN_ANY;
	else if (text != NULL && strcmp(text, none) == 0)
		*vid = WEIR_VLAN_NONE;
	else if (id >= 1 && id <= WEIR_MAX_VLAN)
		*vid = (uint16_t)id;
	else {
		snprintf(hint, sizeof(hint), "a VLAN ID from 1 to 4094, \"any\" or \"%s\"", none);
		return weir_value_refuse(value, hint, "not a VLAN");
	}
	return 0;
}

static int read_vlan(const struct weir_value *value, const struct weir_field *field, void *target)
{
	(void)field;
	return read_vid(value, "untagged", target);
}

static int read_outer_vlan(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	(void)field;
	return read_vid(value, "none", target);
}

static int read_destinations(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	struct weir_config_match *match = target;

	(void)field;
	return weir_read_prefixes(value, &match->destinations, &match->destination_count);
}

static int read_sources(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	struct weir_config_match *match = target;

	(void)field;
	return weir_read_prefixes(value, &match->sources, &match->source_count);
}

/* Up to five digits; false when there is none, or more. */
static bool take_port(const char **text, unsigned int *port)
{
	const char *first = *text;

	*port = 0;
	while (isdigit((unsigned char)**text) && *text - first < 5)
		*port = *port * 10 + (unsigned int)(*(*text)++ - '0');
	return *text > first && !isdigit((unsigned char)**text);
}

static int read_range(const struct weir_value *value, struct weir_port_range *range)
{
	static const char usual[] = "a UDP port from 1 to 65535, or a range such as \"9990-9999\"";
	const char *text = json_string_value(value->json);
	unsigned int first = 0, last;
	char hint[HINT_SIZE];

	if (json_is_integer(value->json)) {
		json_int_t port = json_integer_value(value->json);

		first = last = port < 1 || port > UINT16_MAX ? 0 : (unsigned int)port;
	} else if (text != NULL && take_port(&text, &first)) {
		last = first;
		if (*text == '-' && (text++, !take_port(&text, &last)))
			return weir_value_refuse(value, usual, "not a range of ports");
		if (*text != '\0')
			return weir_value_refuse(value, usual, "not a range of ports");
	} else {
		return weir_value_refuse(value, usual, "not a port");
	}
	if (first < 1 || first > UINT16_MAX || last < 1 || last > UINT16_MAX)
		return weir_value_refuse(value, usual, "outside 1..65535");
	if (first > last) {
		snprintf(hint, sizeof(hint), "the lower port first: \"%u-%u\"", last, first);
		return weir_value_refuse(value, hint, "a range that ends before it begins");
	}
	*range = (struct weir_port_range){.first = (uint16_t)first, .last = (uint16_t)last};
	return 0;
}

static int read_udp_ports(
	const struct weir_value *value, const struct weir_field *field, void *target)
{
	static const struct weir_list_rule rule = {.size = sizeof(struct weir_port_range),
		.maximum = MAX_RANGES,
		.may_be_lone = true,
		.hint = "1 to 1024 UDP ports or ranges; leave the key out to match all"};
	struct weir_config_match *match = target;
	void *array = NULL;
	int rc = weir_read_list(value, &rule, &array, &match->udp_port_count);

	(void)field;
	match->udp_ports = array;
	for (unsigned int i = 0; rc == 0 && i < match->udp_port_count; i++) {
		struct weir_value element = weir_value_element(value, i);

		rc = read_range(&element, &match->udp_ports[i]);
	}
	return rc;
}

static const struct weir_field match_fields[] = {
	{WEIR_MEMBER(struct weir_config_match, vlan), .read = read_vlan},
	{WEIR_MEMBER(struct weir_config_match, outer_vlan), .read = read_outer_vlan},
	{.key = "destination", .read = read_destinations},
	{.key = "source", .read = read_sources},
	{.key = "udp_port", .read = read_udp_ports},
};

static bool share_family(const struct weir_config_match *match)
{
	for (unsigned int i = 0; i < match->destination_count; i++)
		for (unsigned int j = 0; j < match->source_count; j++)
			if (match->destinations[i].address.family ==
				match->sources[j].address.family)
				return true;
	return match->destination_count == 0 || match->source_count == 0;
}

int weir_read_match(const struct weir_value *value, const struct weir_field *field, void *target)
{
	struct weir_config_match *match = target;
	struct weir_value member;
	int rc = weir_fields_read(value, match_fields, COUNT_OF(match_fields), match);

	(void)field;
	if (rc < 0)
		return rc;
	if (match->vlan == WEIR_VLAN_NONE && match->outer_vlan != WEIR_VLAN_ANY &&
		match->outer_vlan != WEIR_VLAN_NONE &&
		weir_value_member(value, "outer_vlan", &member))
		return weir_value_fail(&member, "leave outer_vlan out, or give the inner VLAN",
			"outer_vlan %u on untagged packets", match->outer_vlan);
	if (!share_family(match) && weir_value_member(value, "source", &member))
		return weir_value_fail(&member,
			"give sources of the same IP version as a destination",
			"no packet has a source and a destination of different IP versions");
	return 0;
}
