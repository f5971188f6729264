/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/match_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/match_plane.h"
#include "wire/trie_build.h"

/* One plane for all is best while its tables stay in cache; beyond that, one a set of fields. */
#define ONE_PLANE_CELLS (1u << 20)
#define SHAPES          (1u << WEIR_MATCH_FIELDS)
#define PORTS           65536

/* The fields that the rule looks at, as bits. */
static unsigned int rule_shape(const struct weir_match_rule *rule)
{
	unsigned int shape = 0;

	for (unsigned int field = 0; field < WEIR_MATCH_FIELDS; field++)
		if (!weir_match_takes_any(rule, field))
			shape |= 1u << field;
	return shape;
}

static void free_planes(struct weir_match *match)
{
	for (uint32_t i = 0; i < match->plane_count; i++)
		weir_match_plane_free(&match->planes[i]);
	match->plane_count = 0;
}

static int add_plane(const struct weir_match_input *input, struct weir_match *match,
	const uint64_t *members, uint64_t *cells)
{
	struct weir_match_plane *plane = &match->planes[match->plane_count++];

	memset(plane, 0, sizeof(*plane));
	return weir_match_plane_build(input, members, plane, cells);
}

static int build_planes(
	const struct weir_match_input *input, struct weir_match *match, uint64_t *members)
{
	uint64_t limit = (WEIR_MATCH_BYTES_MAX - match->bytes) / sizeof(uint16_t);
	uint64_t few = limit < ONE_PLANE_CELLS ? limit : ONE_PLANE_CELLS;
	uint64_t cells = few;
	int status;

	for (unsigned int i = 0; i < input->count; i++)
		weir_bits_set(members, i);
	status = add_plane(input, match, members, &cells);
	match->bytes += (few - cells) * sizeof(uint16_t);
	if (status != -E2BIG)
		return status;
	match->bytes -= (few - cells) * sizeof(uint16_t);
	free_planes(match);
	cells = limit;
	for (unsigned int shape = 0; shape < SHAPES; shape++) {
		memset(members, 0, input->words * sizeof(*members));
		for (unsigned int i = 0; i < input->count; i++)
			if (rule_shape(&input->rules[i]) == shape)
				weir_bits_set(members, i);
		if (weir_bits_first(members, NULL, input->words) < 0)
			continue;
		status = add_plane(input, match, members, &cells);
		if (status < 0)
			return status;
	}
	match->bytes += (limit - cells) * sizeof(uint16_t);
	return 0;
}

static uint64_t class_table_bytes(const struct weir_match *match)
{
	uint64_t bytes = sizeof(*match) + WEIR_MATCH_PLANES_MAX * sizeof(*match->planes);

	bytes += PORTS * sizeof(*match->port_rules);
	bytes += match->port_classes != NULL ? PORTS * sizeof(uint16_t) : 0;
	bytes += match->vlan_classes != NULL ? 4096 * sizeof(uint16_t) : 0;
	bytes += match->outer_vlan_classes != NULL ? 4096 * sizeof(uint16_t) : 0;
	bytes += (uint64_t)match->destinations.count * sizeof(*match->destinations.nodes);
	bytes += (uint64_t)match->sources.count * sizeof(*match->sources.nodes);
	return bytes;
}

/* What the first rule of those with this port says: itself, or that it wants to see more. */
static uint16_t port_rule(const struct weir_match_input *input, uint32_t class)
{
	const uint64_t *bitmap = weir_classes_bitmap(&input->classes[WEIR_MATCH_PORT], class);
	int first = weir_bits_first(bitmap, NULL, input->words);

	if (first < 0)
		return WEIR_MATCH_NONE;
	if ((rule_shape(&input->rules[first]) & ~(1u << WEIR_MATCH_PORT)) != 0)
		return WEIR_MATCH_MORE;
	return (uint16_t)first;
}

static int build_ports(const struct weir_match_input *input, struct weir_match *match)
{
	uint32_t count = input->classes[WEIR_MATCH_PORT].count;
	uint16_t *rules = calloc(count, sizeof(*rules));

	match->port_rules = malloc(PORTS * sizeof(*match->port_rules));
	if (rules == NULL || match->port_rules == NULL) {
		free(rules);
		return -ENOMEM;
	}
	for (uint32_t class = 0; class < count; class ++)
		rules[class] = port_rule(input, class);
	for (uint32_t port = 0; port < PORTS; port++)
		match->port_rules[port] =
			rules[match->port_classes != NULL ? match->port_classes[port] : 0];
	free(rules);
	return 0;
}

static int build(struct weir_match_input *input, struct weir_match *match)
{
	uint64_t *members = calloc(input->words, sizeof(*members));
	int status = members == NULL ? -ENOMEM : weir_match_classify(input, match);

	if (status == 0)
		status = build_ports(input, match);
	if (status == 0) {
		match->bytes = class_table_bytes(match);
		status = match->bytes > WEIR_MATCH_BYTES_MAX ? -E2BIG
							     : build_planes(input, match, members);
	}
	free(members);
	return status;
}

int weir_match_build(
	const struct weir_match_rule *rules, unsigned int count, struct weir_match **out)
{
	struct weir_match_input input;
	struct weir_match *match;
	int status;

	*out = NULL;
	if (count > WEIR_MATCH_RULES_MAX)
		return -E2BIG;
	if (weir_match_check(rules, count) < 0)
		return -EINVAL;
	match = calloc(1, sizeof(*match));
	if (match == NULL)
		return -ENOMEM;
	match->planes = calloc(WEIR_MATCH_PLANES_MAX, sizeof(*match->planes));
	status = weir_match_input_init(&input, rules, count);
	if (match->planes == NULL)
		status = -ENOMEM;
	if (status == 0)
		status = build(&input, match);
	weir_match_input_free(&input);
	if (status < 0) {
		weir_match_free(match);
		return status;
	}
	*out = match;
	return 0;
}

void weir_match_free(struct weir_match *match)
{
	if (match == NULL)
		return;
	if (match->planes != NULL)
		free_planes(match);
	free(match->planes);
	free(match->port_rules);
	free(match->port_classes);
	free(match->vlan_classes);
	free(match->outer_vlan_classes);
	weir_trie_free(&match->destinations);
	weir_trie_free(&match->sources);
	free(match);
}
