/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/trie_build.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NODE_BYTES sizeof(uint32_t[256])

/* A new node with `entry` in every place. Its number, or a negative errno. */
static int64_t add_node(struct weir_trie *trie, uint32_t entry)
{
	if (trie->count == trie->capacity) {
		uint32_t capacity = trie->capacity == 0 ? 4 : trie->capacity * 2;
		void *nodes;

		if (trie->count >= WEIR_TRIE_BYTES_MAX / NODE_BYTES)
			return -E2BIG;
		nodes = realloc(trie->nodes, capacity * NODE_BYTES);
		if (nodes == NULL)
			return -ENOMEM;
		trie->nodes = nodes;
		trie->capacity = capacity;
	}
	for (unsigned int i = 0; i < 256; i++)
		trie->nodes[trie->count][i] = entry;
	return trie->count++;
}

void weir_trie_init(struct weir_trie *trie, uint32_t value)
{
	*trie = (struct weir_trie){
		.root4 = value | WEIR_TRIE_LEAF,
		.root6 = value | WEIR_TRIE_LEAF,
	};
}

int weir_trie_insert(struct weir_trie *trie, const struct weir_prefix *prefix, uint32_t value)
{
	bool six = prefix->address.family == 6;
	uint32_t entry = six ? trie->root6 : trie->root4;
	unsigned int bits = prefix->length, first;
	int64_t node = -1; /* none yet: `entry` is the root */

	for (const uint8_t *byte = prefix->address.bytes; bits > 0; byte++) {
		int64_t next = entry;

		if (entry & WEIR_TRIE_LEAF) {
			next = add_node(trie, entry);
			if (next < 0)
				return (int)next;
			if (node >= 0)
				trie->nodes[node][byte[-1]] = (uint32_t)next;
			else if (six)
				trie->root6 = (uint32_t)next;
			else
				trie->root4 = (uint32_t)next;
		}
		node = next;
		if (bits <= 8) {
			first = *byte;
			for (unsigned int i = 0; i < 256u >> bits; i++)
				trie->nodes[node][first + i] = value | WEIR_TRIE_LEAF;
			return 0;
		}
		entry = trie->nodes[node][*byte];
		bits -= 8;
	}
	if (six)
		trie->root6 = value | WEIR_TRIE_LEAF;
	else
		trie->root4 = value | WEIR_TRIE_LEAF;
	return 0;
}

int weir_trie_order(const struct weir_prefix *a, const struct weir_prefix *b)
{
	int order;

	if (a->address.family != b->address.family)
		return a->address.family < b->address.family ? -1 : 1;
	order = memcmp(a->address.bytes, b->address.bytes, sizeof(a->address.bytes));
	if (order != 0)
		return order;
	return (int)a->length - (int)b->length;
}

bool weir_trie_is_prefix(const struct weir_prefix *prefix)
{
	unsigned int bits = prefix->address.family == 4 ? 32 : 128;

	if (prefix->address.family != 4 && prefix->address.family != 6)
		return false;
	if (prefix->length > bits)
		return false;
	for (unsigned int bit = prefix->length; bit < 128; bit++)
		if (prefix->address.bytes[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

void weir_trie_free(struct weir_trie *trie)
{
	free(trie->nodes);
	trie->nodes = NULL;
}
