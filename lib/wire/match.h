/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "wire/match_build.h"
#include "wire/packet.h"
#include "wire/parse_headers.h"
#include "wire/prefix_set.h"
#include "wire/trie.h"

/*
 * Which rule takes a datagram, at a cost that does not grow with the number of rules: recursive
 * flow classification. Each field of the packet is mapped to its class (all its values that no
 * rule tells apart) by one table; then tables indexed by pairs of classes give the class of both
 * together, until the last gives the rule. A field in which no rule differs is not looked at.
 * Where the port alone decides, as it does for most streams, one table has the rule of each port.
 *
 * Rules that leave out different fields can make the pair tables explode; they are then put in
 * several planes, one for each set of fields, each with its own pair tables, and the lowest
 * rule wins. Their number is bounded by the kinds of rules (at most 32), not by their count.
 */

#define WEIR_MATCH_NONE       0xffff
#define WEIR_MATCH_MORE       0xfffe /* of a port: other fields have a say */
#define WEIR_MATCH_PLANES_MAX 32

enum weir_match_field {
	WEIR_MATCH_PORT,
	WEIR_MATCH_VLAN,
	WEIR_MATCH_OUTER_VLAN,
	WEIR_MATCH_DESTINATION,
	WEIR_MATCH_SOURCE,
	WEIR_MATCH_FIELDS,
};

/* One step: class so far and class of `field`, to the class of both. */
struct weir_match_step {
	const uint16_t *map;   /* class of the field -> class within the plane; NULL: the same */
	const uint16_t *table; /* [class so far * width + class in the plane]; NULL in the first */
	uint32_t width;        /* classes of the field within the plane */
	uint32_t field;
};

struct weir_match_plane {
	uint32_t step_count; /* 0: every packet matches `rule` */
	uint16_t rule;
	struct weir_match_step steps[WEIR_MATCH_FIELDS]; /* the last one's result is the rule */
};

struct weir_match {
	uint32_t plane_count;
	uint16_t *port_rules; /* [65536]: the rule, NONE, or MORE */
	/* Class of each value; NULL where there is only one class. */
	uint16_t *port_classes;        /* [65536] */
	uint16_t *vlan_classes;        /* [4096] */
	uint16_t *outer_vlan_classes;  /* [4096] */
	struct weir_trie destinations; /* roots are leaves where there is only one class */
	struct weir_trie sources;
	struct weir_match_plane *planes;
	uint64_t bytes; /* of all tables */
};

static inline uint32_t weir_match_plane_lookup(
	const struct weir_match_plane *plane, const uint32_t *classes)
{
	uint32_t result = plane->rule;

	for (uint32_t i = 0; i < plane->step_count; i++) {
		const struct weir_match_step *step = &plane->steps[i];
		uint32_t class = classes[step->field];

		if (step->map != NULL)
			class = step->map[class];
		result = step->table != NULL ? step->table[result * step->width + class] : class;
	}
	return result;
}

/* By all fields; see weir_match_lookup. */
static inline uint16_t weir_match_lookup_all(
	const struct weir_match *match, const uint8_t *data, const struct weir_packet *packet)
{
	const uint8_t *ip = data + packet->l3_offset;
	int six = packet->ip_version == 6;
	uint32_t classes[WEIR_MATCH_FIELDS] = {0};
	uint32_t best = WEIR_MATCH_NONE;

	if (match->port_classes != NULL)
		classes[WEIR_MATCH_PORT] = match->port_classes[packet->destination_port];
	if (match->vlan_classes != NULL)
		classes[WEIR_MATCH_VLAN] = match->vlan_classes[packet->vlan & WEIR_VLAN_VID];
	if (match->outer_vlan_classes != NULL)
		classes[WEIR_MATCH_OUTER_VLAN] =
			match->outer_vlan_classes[packet->outer_vlan & WEIR_VLAN_VID];
	classes[WEIR_MATCH_DESTINATION] =
		weir_trie_lookup(&match->destinations, packet->ip_version, ip + (six ? 24 : 16));
	classes[WEIR_MATCH_SOURCE] =
		weir_trie_lookup(&match->sources, packet->ip_version, ip + (six ? 8 : 12));
	for (uint32_t i = 0; i < match->plane_count; i++) {
		uint32_t rule = weir_match_plane_lookup(&match->planes[i], classes);

		best = rule < best ? rule : best;
	}
	return (uint16_t)best;
}

/*
 * Index of the first rule that the datagram matches, or WEIR_MATCH_NONE. `packet` is what the
 * parser filled in for the frame at `data`.
 */
static inline uint16_t weir_match_lookup(
	const struct weir_match *match, const uint8_t *data, const struct weir_packet *packet)
{
	uint16_t rule = match->port_rules[packet->destination_port];

	return rule != WEIR_MATCH_MORE ? rule : weir_match_lookup_all(match, data, packet);
}
