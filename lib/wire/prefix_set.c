/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/prefix_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/trie_build.h"

static int order_prefixes(const void *a, const void *b)
{
	return weir_trie_order(a, b);
}

int weir_prefix_set_build(
	const struct weir_prefix *prefixes, unsigned int count, struct weir_prefix_set **out)
{
	struct weir_prefix_set *set = calloc(1, sizeof(*set));
	struct weir_prefix *sorted = calloc(count + 1, sizeof(*sorted));
	int status = set == NULL || sorted == NULL ? -ENOMEM : 0;

	*out = NULL;
	for (unsigned int i = 0; i < count && status == 0; i++) {
		sorted[i] = prefixes[i];
		if (!weir_trie_is_prefix(&prefixes[i]))
			status = -EINVAL;
	}
	if (status == 0) {
		weir_trie_init(&set->trie, 0);
		qsort(sorted, count, sizeof(*sorted), order_prefixes);
	}
	for (unsigned int i = 0; i < count && status == 0; i++)
		/* Inside a prefix that is there already, nothing changes. */
		if (!weir_prefix_set_contains(
			    set, sorted[i].address.family, sorted[i].address.bytes))
			status = weir_trie_insert(&set->trie, &sorted[i], 1);
	free(sorted);
	if (status < 0) {
		weir_prefix_set_free(set);
		return status;
	}
	*out = set;
	return 0;
}

void weir_prefix_set_free(struct weir_prefix_set *set)
{
	if (set == NULL)
		return;
	weir_trie_free(&set->trie);
	free(set);
}
