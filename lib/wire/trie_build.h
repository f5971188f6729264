/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "base/address.h"
#include "wire/trie.h"

/* Filling a trie. The caller owns the struct; weir_trie_free gives back what it points to. */

#define WEIR_TRIE_BYTES_MAX (64u << 20)

/* An empty trie: every address has `value` (below WEIR_TRIE_LEAF). Allocates nothing. */
void weir_trie_init(struct weir_trie *trie, uint32_t value);
/*
 * Give every address of the prefix the value. A prefix must come after those that contain it:
 * order them by weir_trie_order. 0, -E2BIG or -ENOMEM.
 */
int weir_trie_insert(struct weir_trie *trie, const struct weir_prefix *prefix, uint32_t value);
/* IPv4 first, then by address, then the shorter first; as for qsort. */
int weir_trie_order(const struct weir_prefix *a, const struct weir_prefix *b);
/* Whether it is a prefix at all: family, length, no host bits. */
bool weir_trie_is_prefix(const struct weir_prefix *prefix);
void weir_trie_free(struct weir_trie *trie);
