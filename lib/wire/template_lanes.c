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

/* What a message says of one entry, which is in force at the head. */
struct noting {
	struct weir_template_cache *cache;
	uint32_t domain;
	uint64_t seq;
	uint64_t bit;
	bool has_had;
	bool is_past; /* the message had something that is not in force any more */
};

static void note_entry(struct noting *noting, uint32_t number)
{
	struct weir_template_entry *entry =
		number != 0 ? template_entry(noting->cache, number) : NULL;

	if (entry == NULL || entry->since > noting->seq)
		noting->is_past = true;
	else if (noting->has_had)
		entry->had |= noting->bit;
	else
		entry->had &= ~noting->bit;
}

/* Whether a data set is one of options, or may have been. */
static bool note_data(struct noting *noting, const struct weir_template_record *data)
{
	uint32_t number = template_current(noting->cache, noting->domain, data->id);
	const uint8_t *at = data->bytes, *end = data->bytes + data->length;
	struct weir_options_layout layout;
	struct weir_options_record record;

	if (number == 0 || template_entry(noting->cache, number)->since > noting->seq) {
		noting->is_past = true;
		return true;
	}
	if (!template_read_layout(noting->cache, number, &layout))
		return false;
	while (weir_options_next(&layout, &at, end, &record))
		note_entry(noting, template_current_record(
					   noting->cache, noting->domain, data->id, record.key));
	return true;
}

static void note(struct noting *noting, struct weir_template_walk *walk, uint8_t lane)
{
	struct weir_template_record record;
	enum weir_template_step step;
	bool is_concerned = false;

	while ((step = weir_template_next(walk, &record)) == WEIR_TEMPLATE_RECORD ||
		step == WEIR_TEMPLATE_DATA) {
		if (step == WEIR_TEMPLATE_DATA) {
			is_concerned |= note_data(noting, &record);
			continue;
		}
		is_concerned = true;
		note_entry(noting, template_current(noting->cache, noting->domain, record.id));
	}
	if (noting->has_had || !is_concerned)
		return;
	if (noting->is_past)
		note_past(noting->cache, noting->domain, noting->bit, noting->seq);
	set_missing(noting->cache, template_domain(noting->cache, noting->domain), lane);
}

void weir_template_note(struct weir_template_cache *cache,
	const struct weir_template_exporter *exporter, const uint8_t *payload, uint32_t length,
	uint64_t seq, uint8_t lane, bool has_had)
{
	struct noting noting = {.cache = cache,
		.domain = weir_template_find(cache, exporter),
		.seq = seq,
		.bit = UINT64_C(1) << lane,
		.has_had = has_had};
	struct weir_template_walk walk;

	if (noting.domain == 0)
		return;
	template_begin_write(cache);
	weir_template_begin(&walk, payload, length);
	walk.wants_data = true;
	note(&noting, &walk, lane);
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
