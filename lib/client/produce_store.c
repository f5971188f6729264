/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/produce_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/frame_context.h"

/* Positions grow for ever; a message does not wrap: the end of the ring is skipped. */

int weir_produce_store_open(struct produce_store *store, uint32_t messages, uint32_t bytes)
{
	uint32_t size = 1;

	while (size < messages)
		size *= 2;
	store->entries = calloc(size, sizeof(*store->entries));
	store->bytes = malloc(bytes);
	if (store->entries == NULL || store->bytes == NULL)
		return -ENOMEM;
	store->mask = size - 1;
	store->max_messages = messages;
	store->max_bytes = bytes;
	store->oldest = 1;
	store->next = 1;
	store->write = 0;
	return 0;
}

void weir_produce_store_close(struct produce_store *store)
{
	free(store->entries);
	free(store->bytes);
}

const uint8_t *weir_produce_bytes(
	const struct produce_store *store, const struct produce_entry *entry)
{
	return store->bytes + entry->at % store->max_bytes;
}

static uint64_t read_position(const struct produce_store *store)
{
	return store->oldest == store->next ? store->write
					    : weir_produce_entry(store, store->oldest)->at;
}

uint64_t weir_produce_held(const struct produce_store *store)
{
	return store->write - read_position(store);
}

struct produce_entry *weir_produce_add(struct produce_store *store, uint16_t length,
	uint8_t key_length, bool has_context, uint8_t **bytes)
{
	uint32_t context = has_context ? (uint32_t)sizeof(struct weir_frame_context) : 0;
	uint32_t need = context + length + key_length;
	uint32_t place = (uint32_t)(store->write % store->max_bytes);
	uint64_t at = store->write;
	struct produce_entry *entry;

	if (weir_produce_count(store) >= store->max_messages)
		return NULL;
	if (store->max_bytes - place < need)
		at += store->max_bytes - place;
	/* An empty ring begins anew, whatever had to be skipped. */
	if (at + need - (weir_produce_count(store) == 0 ? at : read_position(store)) >
		store->max_bytes)
		return NULL;
	entry = weir_produce_entry(store, store->next++);
	memset(entry, 0, sizeof(*entry));
	entry->at = at;
	entry->length = length;
	entry->key_length = key_length;
	entry->has_context = has_context;
	store->write = at + need;
	*bytes = store->bytes + at % store->max_bytes;
	return entry;
}

void weir_produce_drop(struct produce_store *store)
{
	store->oldest++;
}
