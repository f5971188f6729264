/* SPDX-License-Identifier: BSD-3-Clause */
#include "control/quarantine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct weir_quarantine {
	struct weir_list entries; /* oldest first */
	uint64_t most_messages;
	uint64_t most_bytes;
	uint64_t next_id;
	struct weir_quarantine_counters counters;
};

static struct weir_quarantine_entry *entry_of(struct weir_list *node)
{
	return weir_list_entry(node, struct weir_quarantine_entry, link);
}

static void make_room(struct weir_quarantine *quarantine)
{
	while (quarantine->counters.messages > quarantine->most_messages ||
		quarantine->counters.bytes > quarantine->most_bytes)
		weir_quarantine_remove(
			quarantine, entry_of(quarantine->entries.next), WEIR_QUARANTINE_EVICTED);
}

static bool is_name(const char *wanted, const char *name)
{
	return wanted == NULL || strcmp(wanted, name) == 0;
}

static bool fits(
	const struct weir_quarantine_entry *entry, const struct weir_quarantine_filter *filter)
{
	return (filter->id == 0 || filter->id == entry->id) &&
	       is_name(filter->stream, entry->names.stream) &&
	       is_name(filter->group, entry->names.group) &&
	       is_name(filter->consumer, entry->names.consumer);
}

int weir_quarantine_create(struct weir_quarantine **out)
{
	struct weir_quarantine *quarantine = calloc(1, sizeof(*quarantine));

	*out = quarantine;
	if (quarantine == NULL)
		return -ENOMEM;
	weir_list_init(&quarantine->entries);
	quarantine->next_id = 1;
	return 0;
}

void weir_quarantine_destroy(struct weir_quarantine *quarantine)
{
	if (quarantine == NULL)
		return;
	weir_quarantine_set_limits(quarantine, 0, 0);
	free(quarantine);
}

void weir_quarantine_set_limits(
	struct weir_quarantine *quarantine, uint64_t messages, uint64_t bytes)
{
	quarantine->most_messages = messages;
	quarantine->most_bytes = bytes;
	make_room(quarantine);
}

int weir_quarantine_add(struct weir_quarantine *quarantine, const struct weir_quarantined *note,
	const struct weir_quarantined_names *names, const uint8_t *payload, uint64_t quarantined_ns)
{
	struct weir_quarantine_entry *entry = malloc(sizeof(*entry) + note->length);

	quarantine->counters.quarantined++;
	if (entry == NULL) {
		quarantine->counters.evicted++;
		return -ENOMEM;
	}
	entry->id = quarantine->next_id++;
	entry->quarantined_ns = quarantined_ns;
	entry->note = *note;
	entry->names = *names;
	memcpy(entry->payload, payload, note->length);
	weir_list_add_tail(&quarantine->entries, &entry->link);
	quarantine->counters.messages++;
	quarantine->counters.bytes += note->length;
	make_room(quarantine);
	return 0;
}

struct weir_quarantine_entry *weir_quarantine_next(const struct weir_quarantine *quarantine,
	const struct weir_quarantine_entry *entry, const struct weir_quarantine_filter *filter)
{
	const struct weir_list *end = &quarantine->entries;
	struct weir_list *node = entry != NULL ? entry->link.next : end->next;

	while (node != end && !fits(entry_of(node), filter))
		node = node->next;
	return node != end ? entry_of(node) : NULL;
}

void weir_quarantine_remove(struct weir_quarantine *quarantine, struct weir_quarantine_entry *entry,
	enum weir_quarantine_end end)
{
	struct weir_quarantine_counters *counters = &quarantine->counters;

	switch (end) {
	case WEIR_QUARANTINE_EVICTED:
		counters->evicted++;
		break;
	case WEIR_QUARANTINE_RETRIED:
		counters->retried++;
		break;
	case WEIR_QUARANTINE_DROPPED:
		counters->dropped++;
		break;
	}
	counters->messages--;
	counters->bytes -= entry->note.length;
	weir_list_remove(&entry->link);
	free(entry);
}

const struct weir_quarantine_counters *weir_quarantine_counters(
	const struct weir_quarantine *quarantine)
{
	return &quarantine->counters;
}
