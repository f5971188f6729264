/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>

#include "base/address.h"
#include "wire/trie.h"

/* A set of IP prefixes of both versions: is an address in any of them? Immutable once built. */
struct weir_prefix_set {
	struct weir_trie trie; /* 1 inside, 0 outside */
};

/*
 * 0 and *out is the caller's to free; or -EINVAL (not a prefix), -E2BIG (more than
 * WEIR_TRIE_BYTES_MAX), -ENOMEM, and *out is NULL. A set of no prefixes contains nothing.
 */
int weir_prefix_set_build(
	const struct weir_prefix *prefixes, unsigned int count, struct weir_prefix_set **out);
/* NULL is allowed. */
void weir_prefix_set_free(struct weir_prefix_set *set);

static inline bool weir_prefix_set_contains(
	const struct weir_prefix_set *set, int ip_version, const uint8_t *address)
{
	return weir_trie_lookup(&set->trie, ip_version, address) != 0;
}
