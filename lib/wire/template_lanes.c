/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/template_blocks.h"

/* What each lane's consumer has had of a cache, and what others see of it. */

static void set_missing(
	struct weir_template_cache *cache, struct weir_template_domain *domain, uint8_t lane)
{
	cache->missing[lane] += !(domain->missing >> lane & 1);
	domain->missing |= UINT64_C(1) << lane;
}

static void set_complete(
	struct weir_template_cache *cache, struct weir_template_domain *domain, uint8_t lane)
{
	cache->missing[lane] -= domain->missing >> lane & 1;
	domain->missing &= ~(UINT64_C(1) << lane);
}

/* Is anything missing now? */
static bool forget_domain(const struct weir_template_cache *cache,
	const struct weir_template_domain *domain, uint64_t bit, uint64_t seq)
{
	bool is_missing = false;

	for (uint32_t number = domain->first; number != 0;) {
		struct weir_template_entry *entry = template_entry(cache, number);

		/* What comes later it is going to meet in its message. */
		if (entry->since < seq && entry->until > seq) {
			entry->had &= ~bit;
			is_missing = true;
		} else {
			entry->had |= bit;
		}
		number = entry->next;
	}
	return is_missing;
}

void weir_template_forget(struct weir_template_cache *cache, uint8_t lane, uint64_t seq)
{
	template_begin_write(cache);
	for (uint32_t i = 0; i < cache->buckets; i++)
		for (uint32_t number = template_buckets(cache)[i]; number != 0;) {
			struct weir_template_domain *domain = template_domain(cache, number);

			if (forget_domain(cache, domain, UINT64_C(1) << lane, seq))
				set_missing(cache, domain, lane);
			else
				set_complete(cache, domain, lane);
			number = domain->chain;
		}
	template_end_write(cache);
}

/* All entries of the past that held at `seq`: which of them a message named does not matter. */
static void note_past(
	const struct weir_template_cache *cache, uint32_t domain, uint64_t bit, uint64_t seq)
{
	for (uint32_t number = template_domain(cache, domain)->first; number != 0;) {
		struct weir_template_entry *entry = template_entry(cache, number);

		if (entry->until != UINT64_MAX && entry->since <= seq && entry->until > seq)
			entry->had &= ~bit;
		number = entry->next;
	}
}

static void note(struct weir_template_cache *cache, uint32_t domain,
	struct weir_template_walk *walk, uint64_t seq, uint8_t lane, bool has_had)
{
	uint64_t bit = UINT64_C(1) << lane;
	struct weir_template_record record;
	bool is_past = false;

	while (weir_template_next(walk, &record) == WEIR_TEMPLATE_RECORD) {
		uint32_t number = template_current(cache, domain, record.id);
		struct weir_template_entry *entry =
			number != 0 ? template_entry(cache, number) : NULL;

		if (entry == NULL || entry->since > seq)
			is_past = true;
		else if (has_had)
			entry->had |= bit;
		else
			entry->had &= ~bit;
	}
	if (has_had)
		return;
	if (is_past)
		note_past(cache, domain, bit, seq);
	set_missing(cache, template_domain(cache, domain), lane);
}

void weir_template_note(struct weir_template_cache *cache,
	const struct weir_template_exporter *exporter, const uint8_t *payload, uint32_t length,
	uint64_t seq, uint8_t lane, bool has_had)
{
	uint32_t domain = weir_template_find(cache, exporter);
	struct weir_template_walk walk;

	if (domain == 0)
		return;
	template_begin_write(cache);
	weir_template_begin(&walk, payload, length);
	note(cache, domain, &walk, seq, lane, has_had);
	template_end_write(cache);
}

uint32_t weir_template_after(const struct weir_template_cache *cache, uint32_t domain,
	uint32_t after, uint64_t seq, uint64_t lanes)
{
	uint32_t number = after != 0 ? template_entry(cache, after)->next
				     : template_domain(cache, domain)->first;

	while (number != 0) {
		const struct weir_template_entry *entry = template_entry(cache, number);

		if (entry->since <= seq && entry->until > seq &&
			(lanes == 0 || (entry->had & lanes) != lanes))
			return number;
		number = entry->next;
	}
	return 0;
}

void weir_template_set_had(struct weir_template_cache *cache, uint32_t entry, uint8_t lane)
{
	template_begin_write(cache);
	template_entry(cache, entry)->had |= UINT64_C(1) << lane;
	template_end_write(cache);
}

void weir_template_settle(
	struct weir_template_cache *cache, uint32_t domain, uint8_t lane, uint64_t seq)
{
	struct weir_template_domain *place = template_domain(cache, domain);
	uint64_t bit = UINT64_C(1) << lane;

	for (uint32_t number = place->first; number != 0;) {
		const struct weir_template_entry *entry = template_entry(cache, number);

		if (!(entry->had & bit) && entry->until > seq)
			return;
		number = entry->next;
	}
	template_begin_write(cache);
	set_complete(cache, place, lane);
	template_end_write(cache);
}

const struct weir_template_domain *weir_template_domain_at(
	const struct weir_template_cache *cache, uint32_t number)
{
	return template_domain(cache, number);
}

const struct weir_template_entry *weir_template_entry_at(
	const struct weir_template_cache *cache, uint32_t number)
{
	return template_entry(cache, number);
}

void weir_template_visit_all(
	const struct weir_template_cache *cache, weir_template_visit visit, void *context)
{
	for (uint32_t i = 0; i < cache->buckets; i++)
		for (uint32_t number = template_buckets(cache)[i]; number != 0;) {
			const struct weir_template_domain *domain = template_domain(cache, number);

			for (uint32_t entry = domain->first; entry != 0;
				entry = template_entry(cache, entry)->next)
				if (template_entry(cache, entry)->until == UINT64_MAX)
					visit(context, cache, domain, entry);
			number = domain->chain;
		}
}

bool weir_template_copy(struct weir_template_cache *to, const struct weir_template_cache *from)
{
	uint32_t writes = atomic_load_explicit(&from->writes, memory_order_acquire);
	size_t length = sizeof(*from) + 2 * sizeof(uint32_t) * from->buckets;

	if (writes & 1)
		return false;
	/* Only what was ever used: the rest may not even be memory yet. */
	length += (size_t)from->top * WEIR_TEMPLATE_BLOCK;
	memcpy((void *)to, (const void *)from, length);
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&from->writes, memory_order_relaxed) == writes;
}
