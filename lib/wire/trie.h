/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdint.h>

/*
 * Longest-prefix lookup: a trie with one node per address byte. A node has an entry for each of
 * the 256 values: a leaf with its value, or the number of the next node. Leaves are pushed down
 * (an entry always holds the answer or the way on), so a look-up stops at the first leaf and
 * keeps no best match so far. Costs at most 4 loads for IPv4 and 16 for IPv6, and none where the
 * root itself is a leaf. Built by trie_build.h, then never changed.
 */

#define WEIR_TRIE_LEAF 0x80000000u

struct weir_trie {
	uint32_t root4; /* entries, as in a node */
	uint32_t root6;
	uint32_t (*nodes)[256];
	uint32_t count;    /* nodes in use */
	uint32_t capacity; /* nodes allocated */
};

/* The value at the longest prefix of `address` (4 or 16 bytes as `ip_version` says). */
static inline uint32_t weir_trie_lookup(
	const struct weir_trie *trie, int ip_version, const uint8_t *address)
{
	uint32_t entry = ip_version == 6 ? trie->root6 : trie->root4;

	while (!(entry & WEIR_TRIE_LEAF))
		entry = trie->nodes[entry][*address++];
	return entry & ~WEIR_TRIE_LEAF;
}
