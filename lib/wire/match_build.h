/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

#include "base/address.h"

/*
 * Making the tables of wire/match.h from rules. Allocates; control thread only. The tables are
 * never changed afterwards, so any number of threads may look up in them until they are freed.
 */

#define WEIR_MATCH_RULES_MAX 8192
#define WEIR_MATCH_VLAN_ANY  0xffff
#define WEIR_MATCH_BYTES_MAX (64u << 20) /* of all tables together */

struct weir_port_range {
	uint16_t first;
	uint16_t last; /* inclusive */
};

/* A list means any of it, an absent one (count 0) means all; all five conditions must hold. */
struct weir_match_rule {
	uint16_t vlan;       /* innermost VID, 0 for untagged, or WEIR_MATCH_VLAN_ANY */
	uint16_t outer_vlan; /* outer VID, 0 for none, or WEIR_MATCH_VLAN_ANY */
	const struct weir_prefix *destinations;
	unsigned int destination_count;
	const struct weir_prefix *sources;
	unsigned int source_count;
	const struct weir_port_range *ports; /* UDP destination ports */
	unsigned int port_count;
};

struct weir_match;

/*
 * Compile `count` rules; the rules may be freed afterwards. 0 and *out is the caller's to free;
 * or -EINVAL (a VLAN, range or prefix that cannot be), -E2BIG (more rules or larger tables than
 * the limits above), -ENOMEM, and *out is NULL.
 */
int weir_match_build(
	const struct weir_match_rule *rules, unsigned int count, struct weir_match **out);
/* NULL is allowed. */
void weir_match_free(struct weir_match *match);
