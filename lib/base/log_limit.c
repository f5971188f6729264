/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/log_limit.h"

#include <stddef.h>

#define MINUTE_NS 60000000000ull

static struct weir_log_kind *find(struct weir_log_limit *limit, const void *kind, uint64_t now_ns)
{
	struct weir_log_kind *free_one = NULL;

	for (uint32_t i = 0; i < WEIR_LOG_KINDS; i++) {
		struct weir_log_kind *entry = &limit->kinds[i];

		if (entry->kind == kind)
			return entry;
		if (free_one == NULL &&
			(entry->kind == NULL ||
				(now_ns - entry->since_ns >= MINUTE_NS && entry->left_out == 0)))
			free_one = entry;
	}
	if (free_one != NULL)
		*free_one = (struct weir_log_kind){.kind = kind, .since_ns = now_ns};
	return free_one;
}

bool weir_log_limit_admits(struct weir_log_limit *limit, const void *kind, uint32_t per_minute,
	uint64_t now_ns, uint32_t *left_out)
{
	struct weir_log_kind *entry = find(limit, kind, now_ns);

	*left_out = 0;
	if (entry == NULL || per_minute == 0)
		return true;
	if (now_ns - entry->since_ns >= MINUTE_NS) {
		entry->since_ns = now_ns;
		entry->lines = 0;
	}
	if (entry->lines >= per_minute) {
		entry->left_out++;
		return false;
	}
	entry->lines++;
	*left_out = entry->left_out;
	entry->left_out = 0;
	return true;
}
