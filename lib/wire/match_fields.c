/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/match_fields.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/trie_build.h"

#define PORTS       65536
#define VLANS       4096
#define STACK_DEPTH 130 /* prefixes can nest /0 to /128 */

/* At `value` one range of the rule begins (+1) or has ended (-1). */
struct range_event {
	uint32_t value;
	uint32_t rule;
	int change;
};

struct prefix_entry {
	const struct weir_prefix *prefix;
	uint32_t rule;
};

static int order_events(const void *a, const void *b)
{
	const struct range_event *first = a, *second = b;

	return first->value < second->value ? -1 : first->value > second->value;
}

static int order_entries(const void *a, const void *b)
{
	return weir_trie_order(
		((const struct prefix_entry *)a)->prefix, ((const struct prefix_entry *)b)->prefix);
}

static uint16_t rule_vlan(const struct weir_match_rule *rule, enum weir_match_field field)
{
	return field == WEIR_MATCH_VLAN ? rule->vlan : rule->outer_vlan;
}

static unsigned int count_ranges(const struct weir_match_rule *rule, enum weir_match_field field)
{
	return field == WEIR_MATCH_PORT ? rule->port_count : rule_vlan(rule, field) < VLANS;
}

static struct weir_port_range get_range(
	const struct weir_match_rule *rule, enum weir_match_field field, unsigned int index)
{
	uint16_t vlan = rule_vlan(rule, field);

	if (field == WEIR_MATCH_PORT)
		return rule->ports[index];
	return (struct weir_port_range){.first = vlan, .last = vlan};
}

/* All beginnings and ends of the field's ranges, in order. NULL when out of memory. */
static struct range_event *collect_events(
	const struct weir_match_input *input, enum weir_match_field field, size_t *count)
{
	struct range_event *events;
	size_t used = 0;

	*count = 0;
	for (unsigned int i = 0; i < input->count; i++)
		*count += 2 * (size_t)count_ranges(&input->rules[i], field);
	events = calloc(*count + 1, sizeof(*events));
	if (events == NULL)
		return NULL;
	for (unsigned int i = 0; i < input->count; i++) {
		for (unsigned int k = 0; k < count_ranges(&input->rules[i], field); k++) {
			struct weir_port_range range = get_range(&input->rules[i], field, k);

			events[used++] = (struct range_event){range.first, i, 1};
			events[used++] = (struct range_event){range.last + 1u, i, -1};
		}
	}
	qsort(events, *count, sizeof(*events), order_events);
	return events;
}

/* Sweep over all values; `open` counts the ranges of each rule that hold the present one. */
static int sweep(struct weir_match_input *input, enum weir_match_field field, uint64_t *bitmap,
	int *open, uint16_t *table, uint32_t size)
{
	struct weir_classes *classes = &input->classes[field];
	size_t event_count, next = 0;
	struct range_event *events = collect_events(input, field, &event_count);
	int class = events == NULL ? -ENOMEM : weir_classes_intern(classes, bitmap);

	for (uint32_t value = 0; value < size && class >= 0; value++) {
		bool is_changed = false;

		for (; next < event_count && events[next].value == value; next++) {
			struct range_event *event = &events[next];

			open[event->rule] += event->change;
			if (open[event->rule] > 0)
				weir_bits_set(bitmap, event->rule);
			else
				weir_bits_clear(bitmap, event->rule);
			is_changed = true;
		}
		if (is_changed)
			class = weir_classes_intern(classes, bitmap);
		table[value] = (uint16_t) class;
	}
	free(events);
	return class < 0 ? class : 0;
}

static int classify_ranges(struct weir_match_input *input, enum weir_match_field field,
	uint32_t size, uint16_t **table)
{
	uint64_t *bitmap = malloc(input->words * sizeof(*bitmap));
	int *open = calloc(input->count + 1, sizeof(*open));
	int status = -ENOMEM;

	*table = malloc(size * sizeof(**table));
	if (bitmap != NULL && open != NULL && *table != NULL) {
		memcpy(bitmap, input->any[field], input->words * sizeof(*bitmap));
		status = sweep(input, field, bitmap, open, *table, size);
	}
	if (status < 0 || input->classes[field].count == 1) {
		free(*table);
		*table = NULL;
	}
	free(open);
	free(bitmap);
	return status;
}

static const struct weir_prefix *rule_prefixes(
	const struct weir_match_rule *rule, enum weir_match_field field, unsigned int *count)
{
	if (field == WEIR_MATCH_SOURCE) {
		*count = rule->source_count;
		return rule->sources;
	}
	*count = rule->destination_count;
	return rule->destinations;
}

/* All prefixes of the field, containing ones first. NULL when out of memory. */
static struct prefix_entry *collect_prefixes(
	const struct weir_match_input *input, enum weir_match_field field, size_t *total)
{
	struct prefix_entry *entries;
	unsigned int count;
	size_t used = 0;

	*total = 0;
	for (unsigned int i = 0; i < input->count; i++) {
		rule_prefixes(&input->rules[i], field, &count);
		*total += count;
	}
	entries = calloc(*total + 1, sizeof(*entries));
	for (unsigned int i = 0; entries != NULL && i < input->count; i++) {
		const struct weir_prefix *prefixes = rule_prefixes(&input->rules[i], field, &count);

		for (unsigned int k = 0; k < count; k++)
			entries[used++] = (struct prefix_entry){&prefixes[k], i};
	}
	if (entries != NULL)
		qsort(entries, *total, sizeof(*entries), order_entries);
	return entries;
}

static bool is_inside(const struct weir_prefix *outer, const struct weir_prefix *inner)
{
	return outer->length <= inner->length && weir_prefix_contains(outer, &inner->address);
}

/*
 * Go through the prefixes with the stack of those that contain the present one; `stack` has
 * room for as many bitmaps, of which the first, under them all, is that of rules with any address.
 */
static int nest(struct weir_match_input *input, enum weir_match_field field, struct weir_trie *trie,
	const struct prefix_entry *entries, size_t count, uint64_t *stack)
{
	const struct weir_prefix *nested[STACK_DEPTH];
	unsigned int depth = 0, words = input->words;
	int status = weir_classes_intern(&input->classes[field], stack);

	if (status >= 0)
		weir_trie_init(trie, (uint32_t)status);
	for (size_t i = 0; i < count && status >= 0;) {
		const struct weir_prefix *prefix = entries[i].prefix;
		uint64_t *bitmap;

		while (depth > 0 && !is_inside(nested[depth - 1], prefix))
			depth--;
		bitmap = stack + (size_t)(depth + 1) * words;
		memcpy(bitmap, bitmap - words, words * sizeof(*bitmap));
		nested[depth++] = prefix;
		for (; i < count && weir_trie_order(entries[i].prefix, prefix) == 0; i++)
			weir_bits_set(bitmap, entries[i].rule);
		status = weir_classes_intern(&input->classes[field], bitmap);
		if (status >= 0)
			status = weir_trie_insert(trie, prefix, (uint32_t)status);
	}
	return status < 0 ? status : 0;
}

static int classify_prefixes(
	struct weir_match_input *input, enum weir_match_field field, struct weir_trie *trie)
{
	size_t row = input->words * sizeof(uint64_t), count;
	struct prefix_entry *entries = collect_prefixes(input, field, &count);
	uint64_t *stack = malloc((STACK_DEPTH + 1) * row);
	int status = -ENOMEM;

	if (entries != NULL && stack != NULL) {
		memcpy(stack, input->any[field], row);
		status = nest(input, field, trie, entries, count, stack);
	}
	free(stack);
	free(entries);
	return status;
}

bool weir_match_takes_any(const struct weir_match_rule *rule, enum weir_match_field field)
{
	switch (field) {
	case WEIR_MATCH_PORT:
		return rule->port_count == 0;
	case WEIR_MATCH_VLAN:
	case WEIR_MATCH_OUTER_VLAN:
		return rule_vlan(rule, field) == WEIR_MATCH_VLAN_ANY;
	case WEIR_MATCH_DESTINATION:
		return rule->destination_count == 0;
	default:
		return rule->source_count == 0;
	}
}

static bool is_sound(const struct weir_match_rule *rule)
{
	if (rule->vlan >= VLANS && rule->vlan != WEIR_MATCH_VLAN_ANY)
		return false;
	if (rule->outer_vlan >= VLANS && rule->outer_vlan != WEIR_MATCH_VLAN_ANY)
		return false;
	for (unsigned int i = 0; i < rule->port_count; i++)
		if (rule->ports[i].first > rule->ports[i].last)
			return false;
	for (unsigned int i = 0; i < rule->destination_count; i++)
		if (!weir_trie_is_prefix(&rule->destinations[i]))
			return false;
	for (unsigned int i = 0; i < rule->source_count; i++)
		if (!weir_trie_is_prefix(&rule->sources[i]))
			return false;
	return true;
}

int weir_match_check(const struct weir_match_rule *rules, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (!is_sound(&rules[i]))
			return -EINVAL;
	return 0;
}

int weir_match_input_init(
	struct weir_match_input *input, const struct weir_match_rule *rules, unsigned int count)
{
	*input = (struct weir_match_input){.rules = rules, .count = count, .words = count / 64 + 1};
	for (unsigned int field = 0; field < WEIR_MATCH_FIELDS; field++) {
		weir_classes_init(&input->classes[field], input->words);
		input->any[field] = calloc(input->words, sizeof(uint64_t));
		if (input->any[field] == NULL)
			return -ENOMEM;
		for (unsigned int i = 0; i < count; i++)
			if (weir_match_takes_any(&rules[i], field))
				weir_bits_set(input->any[field], i);
	}
	return 0;
}

void weir_match_input_free(struct weir_match_input *input)
{
	for (unsigned int field = 0; field < WEIR_MATCH_FIELDS; field++) {
		weir_classes_free(&input->classes[field]);
		free(input->any[field]);
	}
}

int weir_match_classify(struct weir_match_input *input, struct weir_match *match)
{
	int status = classify_ranges(input, WEIR_MATCH_PORT, PORTS, &match->port_classes);

	if (status == 0)
		status = classify_ranges(input, WEIR_MATCH_VLAN, VLANS, &match->vlan_classes);
	if (status == 0)
		status = classify_ranges(
			input, WEIR_MATCH_OUTER_VLAN, VLANS, &match->outer_vlan_classes);
	if (status == 0)
		status = classify_prefixes(input, WEIR_MATCH_DESTINATION, &match->destinations);
	if (status == 0)
		status = classify_prefixes(input, WEIR_MATCH_SOURCE, &match->sources);
	return status;
}
