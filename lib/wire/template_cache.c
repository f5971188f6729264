/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/template_cache.h"

#include "wire/template_blocks.h"

/* What the cache takes in, and what goes. */

#define DOMAIN_SHARE    4 /* a domain gets one in so many blocks */
#define BLOCKS_A_BUCKET 4

static uint32_t bucket_count(uint32_t blocks)
{
	uint32_t count = 1;

	while (count < blocks / BLOCKS_A_BUCKET)
		count *= 2;
	return count;
}

size_t weir_template_cache_size(uint32_t bytes)
{
	uint32_t blocks = bytes / WEIR_TEMPLATE_BLOCK;

	return sizeof(struct weir_template_cache) + 2 * sizeof(uint32_t) * bucket_count(blocks) +
	       (size_t)blocks * WEIR_TEMPLATE_BLOCK;
}

void weir_template_cache_init(
	struct weir_template_cache *cache, uint32_t bytes, uint64_t seed, uint64_t pause)
{
	cache->blocks = bytes / WEIR_TEMPLATE_BLOCK;
	cache->buckets = bucket_count(cache->blocks);
	cache->seed = seed;
	cache->pause = pause;
}

/* A block; the caller has seen that there is one. The first word of a free one names the next. */
static uint32_t take_block(struct weir_template_cache *cache)
{
	uint32_t number = cache->free;

	cache->used++;
	if (number == 0)
		return ++cache->top;
	memcpy(&cache->free, template_block(cache, number), sizeof(cache->free));
	return number;
}

static void give_block(struct weir_template_cache *cache, uint32_t number)
{
	memcpy(template_block(cache, number), &cache->free, sizeof(cache->free));
	cache->free = number;
	cache->used--;
}

static uint32_t blocks_for(uint32_t length)
{
	if (length <= TEMPLATE_FIRST)
		return 1;
	return 1 + (uint32_t)((length - TEMPLATE_FIRST + TEMPLATE_MORE - 1) / TEMPLATE_MORE);
}

static void free_entry(struct weir_template_cache *cache, uint32_t number)
{
	struct weir_template_entry *entry = template_entry(cache, number);
	uint32_t more = entry->more;

	template_domain(cache, entry->domain)->blocks -= blocks_for(entry->length);
	give_block(cache, number);
	while (more != 0) {
		const struct weir_template_more *rest = template_block(cache, more);
		uint32_t next = rest->more;

		give_block(cache, more);
		more = next;
	}
}

/* It is in force no longer: lanes below `seq` may still need it. */
static void close_entry(struct weir_template_cache *cache, uint32_t number, uint64_t seq)
{
	struct weir_template_entry *entry = template_entry(cache, number);
	uint32_t *link = template_entry_bucket(cache, entry->domain, entry->id);

	while (*link != number)
		link = &template_entry(cache, *link)->chain;
	*link = entry->chain;
	entry->until = seq;
	cache->entries--;
	cache->changes++;
}

static void free_domain(struct weir_template_cache *cache, uint32_t number)
{
	struct weir_template_domain *domain = template_domain(cache, number);
	uint32_t *link = template_domain_bucket(cache, &domain->exporter);

	while (*link != number)
		link = &template_domain(cache, *link)->chain;
	*link = domain->chain;
	for (uint8_t lane = 0; lane < WEIR_TEMPLATE_LANES; lane++)
		cache->missing[lane] -= domain->missing >> lane & 1;
	cache->domains--;
	give_block(cache, number);
}

static void purge_domain(struct weir_template_cache *cache, uint32_t number,
	const struct weir_template_moment *moment)
{
	struct weir_template_domain *domain = template_domain(cache, number);
	uint32_t *link = &domain->first;

	while (*link != 0) {
		uint32_t next = *link;
		struct weir_template_entry *entry = template_entry(cache, next);
		bool is_old = cache->lifetime != 0 &&
			      (int64_t)(moment->now - entry->heard - cache->lifetime) > 0;

		if (!is_old && entry->until > moment->tail) {
			link = &entry->next;
			continue;
		}
		cache->expired += is_old;
		if (entry->until == UINT64_MAX)
			close_entry(cache, next, moment->seq);
		*link = entry->next;
		free_entry(cache, next);
	}
	if (domain->first == 0)
		free_domain(cache, number);
}

static bool is_purge_due(
	const struct weir_template_cache *cache, const struct weir_template_moment *moment)
{
	return moment->now - cache->purged >= cache->pause;
}

static void purge(struct weir_template_cache *cache, const struct weir_template_moment *moment)
{
	cache->purged = moment->now;
	for (uint32_t i = 0; i < cache->buckets; i++) {
		uint32_t number = template_buckets(cache)[i];

		while (number != 0) {
			uint32_t next = template_domain(cache, number)->chain;

			purge_domain(cache, number, moment);
			number = next;
		}
	}
}

void weir_template_purge(
	struct weir_template_cache *cache, const struct weir_template_moment *moment)
{
	if (!is_purge_due(cache, moment))
		return;
	template_begin_write(cache);
	purge(cache, moment);
	template_end_write(cache);
}

uint32_t weir_template_find(
	const struct weir_template_cache *cache, const struct weir_template_exporter *exporter)
{
	uint32_t number = *template_domain_bucket(cache, exporter);

	while (number != 0) {
		const struct weir_template_domain *domain = template_domain(cache, number);

		if (memcmp(&domain->exporter, exporter, sizeof(*exporter)) == 0)
			return number;
		number = domain->chain;
	}
	return 0;
}

static uint32_t add_domain(
	struct weir_template_cache *cache, const struct weir_template_exporter *exporter)
{
	uint32_t *bucket = template_domain_bucket(cache, exporter);
	uint32_t number = take_block(cache);
	struct weir_template_domain *domain = template_domain(cache, number);

	*domain = (struct weir_template_domain){.exporter = *exporter, .chain = *bucket};
	*bucket = number;
	cache->domains++;
	return number;
}

/* Where the next `*room` bytes of an entry's set are; the blocks are linked. */
static uint8_t *next_part(
	const struct weir_template_cache *cache, uint32_t *more, uint32_t left, uint32_t *room)
{
	struct weir_template_more *rest = template_block(cache, *more);

	*more = rest->more;
	*room = left < TEMPLATE_MORE ? left : (uint32_t)TEMPLATE_MORE;
	return rest->bytes;
}

/* Walk the parts of a set: equal to `set`, or to be copied in one direction. */
enum part_use { PART_COMPARE, PART_STORE, PART_LOAD };

static bool use_parts(const struct weir_template_cache *cache, struct weir_template_entry *entry,
	uint8_t *set, enum part_use use)
{
	uint32_t room = entry->length < TEMPLATE_FIRST ? entry->length : (uint32_t)TEMPLATE_FIRST;
	uint32_t more = entry->more, at = 0;
	uint8_t *part = entry->bytes;

	for (;;) {
		if (use == PART_COMPARE && memcmp(part, set + at, room) != 0)
			return false;
		if (use == PART_STORE)
			memcpy(part, set + at, room);
		if (use == PART_LOAD)
			memcpy(set + at, part, room);
		at += room;
		if (at == entry->length)
			return true;
		part = next_part(cache, &more, entry->length - at, &room);
	}
}

void weir_template_write(const struct weir_template_cache *cache, uint32_t entry, uint8_t *to)
{
	use_parts(cache, template_entry(cache, entry), to, PART_LOAD);
}

/* A set with one record, as it is kept and sent. */
struct new_entry {
	uint8_t *set;
	uint16_t length;
	uint16_t id;
	uint16_t fields;
	bool is_options;
};

static bool has_room(const struct weir_template_cache *cache, uint32_t domain, uint32_t blocks)
{
	uint32_t has = domain != 0 ? template_domain(cache, domain)->blocks : 0;

	return cache->used + blocks + (domain == 0) <= cache->blocks &&
	       has + blocks <= cache->blocks / DOMAIN_SHARE;
}

/* The new entry's number, 0 without room. */
static uint32_t add_entry(struct weir_template_cache *cache, uint32_t *domain,
	const struct weir_template_exporter *exporter, const struct new_entry *new)
{
	uint32_t blocks = blocks_for(new->length);
	struct weir_template_entry *entry;
	uint32_t number, *bucket;

	if (!has_room(cache, *domain, blocks))
		return 0;
	if (*domain == 0)
		*domain = add_domain(cache, exporter);
	number = take_block(cache);
	entry = template_entry(cache, number);
	bucket = template_entry_bucket(cache, *domain, new->id);
	*entry = (struct weir_template_entry){.chain = *bucket,
		.next = template_domain(cache, *domain)->first,
		.domain = *domain,
		.until = UINT64_MAX,
		.id = new->id,
		.length = new->length,
		.fields = new->fields,
		.is_options = new->is_options};
	for (uint32_t i = 1; i < blocks; i++) {
		uint32_t more = take_block(cache);
		struct weir_template_more *rest = template_block(cache, more);

		rest->more = entry->more;
		entry->more = more;
	}
	use_parts(cache, entry, new->set, PART_STORE);
	*bucket = number;
	template_domain(cache, *domain)->first = number;
	template_domain(cache, *domain)->blocks += blocks;
	cache->entries++;
	cache->changes++;
	return number;
}

static void withdraw(struct weir_template_cache *cache, uint32_t domain,
	const struct weir_template_record *record, uint64_t seq,
	struct weir_template_counts *counts)
{
	uint32_t number = domain != 0 && record->id >= WEIR_TEMPLATE_ID_LEAST
				  ? template_current(cache, domain, record->id)
				  : 0;

	if (number != 0) {
		close_entry(cache, number, seq);
		counts->withdrawn++;
	}
	if (domain == 0 || record->id >= WEIR_TEMPLATE_ID_LEAST)
		return;
	for (number = template_domain(cache, domain)->first; number != 0;
		number = template_entry(cache, number)->next) {
		const struct weir_template_entry *entry = template_entry(cache, number);

		if (entry->until == UINT64_MAX && entry->is_options == record->is_options) {
			close_entry(cache, number, seq);
			counts->withdrawn++;
		}
	}
}

/* What the record is as a set of its own. `set` has room for the largest. */
static void make_set(const struct weir_template_record *record, uint8_t version, uint8_t *set,
	struct new_entry *new)
{
	uint32_t length = (WEIR_TEMPLATE_SET_HEADER + record->length + 3) & ~3u;
	uint16_t id = (uint16_t)((version == WEIR_TEMPLATE_IPFIX ? 2 : 0) + record->is_options);

	memset(set + length - 4, 0, 4);
	set[0] = (uint8_t)(id >> 8);
	set[1] = (uint8_t)id;
	set[2] = (uint8_t)(length >> 8);
	set[3] = (uint8_t)length;
	memcpy(set + WEIR_TEMPLATE_SET_HEADER, record->bytes, record->length);
	*new = (struct new_entry){.set = set,
		.length = (uint16_t)length,
		.id = record->id,
		.fields = record->fields,
		.is_options = record->is_options};
}

static void define(struct weir_template_cache *cache, uint32_t *domain,
	const struct weir_template_exporter *exporter, const struct weir_template_record *record,
	const struct weir_template_moment *moment, struct weir_template_counts *counts)
{
	uint8_t set[WEIR_TEMPLATE_LARGEST];
	uint32_t known = *domain != 0 ? template_current(cache, *domain, record->id) : 0;
	struct weir_template_entry *entry;
	struct new_entry new;
	uint32_t number;

	if (record->length > WEIR_TEMPLATE_LARGEST - WEIR_TEMPLATE_SET_HEADER - 3) {
		counts->refused++;
		if (known != 0)
			close_entry(cache, known, moment->seq);
		return;
	}
	make_set(record, exporter->version, set, &new);
	if (known != 0) {
		entry = template_entry(cache, known);
		if (entry->length == new.length && use_parts(cache, entry, set, PART_COMPARE)) {
			entry->heard = moment->now;
			counts->refreshed++;
			return;
		}
		close_entry(cache, known, moment->seq);
	}
	number = add_entry(cache, domain, exporter, &new);
	if (number == 0) {
		counts->refused++;
		return;
	}
	counts->learned += known == 0;
	counts->changed += known != 0;
	entry = template_entry(cache, number);
	entry->since = moment->seq;
	entry->heard = moment->now;
	entry->had = UINT64_MAX;
}

void weir_template_learn(struct weir_template_cache *cache,
	const struct weir_template_exporter *exporter, const uint8_t *payload, uint32_t length,
	const struct weir_template_moment *moment, struct weir_template_counts *counts)
{
	struct weir_template_walk walk;
	struct weir_template_record record;
	enum weir_template_step step;
	uint32_t domain;

	template_begin_write(cache);
	/* Now and then in any case: what has expired is not counted as there. */
	if (is_purge_due(cache, moment))
		purge(cache, moment);
	domain = weir_template_find(cache, exporter);
	weir_template_begin(&walk, payload, length);
	while ((step = weir_template_next(&walk, &record)) == WEIR_TEMPLATE_RECORD) {
		if (record.fields == 0)
			withdraw(cache, domain, &record, moment->seq, counts);
		else
			define(cache, &domain, exporter, &record, moment, counts);
	}
	counts->malformed += step == WEIR_TEMPLATE_MALFORMED;
	template_end_write(cache);
}

bool weir_template_restore(struct weir_template_cache *cache,
	const struct weir_template_exporter *exporter, const uint8_t *set, uint16_t length,
	uint64_t since, uint64_t heard)
{
	uint32_t domain = weir_template_find(cache, exporter);
	uint8_t own[WEIR_TEMPLATE_LARGEST];
	struct weir_template_record record = {.bytes = set + WEIR_TEMPLATE_SET_HEADER};
	struct weir_template_walk walk = {
		.version = exporter->version, .message_end = set + length, .at = set, .end = set};
	struct new_entry new;
	uint32_t number;

	if (length > sizeof(own) || weir_template_next(&walk, &record) != WEIR_TEMPLATE_RECORD ||
		record.fields == 0)
		return false;
	make_set(&record, exporter->version, own, &new);
	if (domain != 0 && template_current(cache, domain, record.id) != 0)
		return false;
	number = add_entry(cache, &domain, exporter, &new);
	if (number == 0)
		return false;
	template_entry(cache, number)->since = since;
	template_entry(cache, number)->heard = heard;
	return true;
}

/* The entry of `from` is of the exporter, whose block here is *domain, or 0. */
static bool catch_up_with(struct weir_template_cache *cache, uint32_t *domain,
	const struct weir_template_exporter *exporter, const struct weir_template_cache *from,
	uint32_t number)
{
	const struct weir_template_entry *other = template_entry(from, number);
	uint32_t known = *domain != 0 ? template_current(cache, *domain, other->id) : 0;
	struct weir_template_entry *entry = known != 0 ? template_entry(cache, known) : NULL;
	int64_t later = entry != NULL ? (int64_t)(other->heard - entry->heard) : 1;
	uint8_t set[WEIR_TEMPLATE_LARGEST];
	struct new_entry new = {.set = set,
		.length = other->length,
		.id = other->id,
		.fields = other->fields,
		.is_options = other->is_options};

	if (other->until != UINT64_MAX) {
		/* Nothing may have come in its place. */
		if (entry != NULL && later >= 0 &&
			template_current(from, other->domain, other->id) == 0)
			close_entry(cache, known, 0);
		return false;
	}
	if (later <= 0)
		return false;
	weir_template_write(from, number, set);
	if (entry != NULL &&
		entry->length == new.length &&use_parts(cache, entry, set, PART_COMPARE)) {
		entry->heard = other->heard;
		return false;
	}
	if (entry != NULL)
		close_entry(cache, known, 0);
	known = add_entry(cache, domain, exporter, &new);
	if (known == 0)
		return false;
	template_entry(cache, known)->heard = other->heard;
	return true;
}

bool weir_template_catch_up(struct weir_template_cache *cache,
	const struct weir_template_cache *from, weir_template_choice choice, const void *context)
{
	bool has_new = false;

	template_begin_write(cache);
	for (uint32_t i = 0; i < from->buckets; i++)
		for (uint32_t number = template_buckets(from)[i]; number != 0;) {
			const struct weir_template_domain *other = template_domain(from, number);
			uint32_t domain = weir_template_find(cache, &other->exporter);

			number = other->chain;
			if (!choice(context, &other->exporter))
				continue;
			for (uint32_t entry = other->first; entry != 0;
				entry = template_entry(from, entry)->next)
				has_new |= catch_up_with(
					cache, &domain, &other->exporter, from, entry);
		}
	template_end_write(cache);
	return has_new;
}
