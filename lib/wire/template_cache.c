/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/template_cache.h"

#include "wire/key.h"
#include "wire/template_blocks.h"

/* The cache's memory: what is there, and what goes. */

#define DOMAIN_SHARE    4     /* a domain gets one in so many blocks */
#define RECORD_SHARE    3 / 4 /* of all and of a domain's, for records */
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
	struct weir_template_domain *domain = template_domain(cache, entry->domain);
	uint32_t more = entry->more, blocks = blocks_for(entry->length);

	domain->blocks -= blocks;
	if (entry->kind == WEIR_TEMPLATE_OPTION_RECORD) {
		domain->record_blocks -= blocks;
		cache->record_blocks -= blocks;
	}
	give_block(cache, number);
	while (more != 0) {
		const struct weir_template_more *rest = template_block(cache, more);
		uint32_t next = rest->more;

		give_block(cache, more);
		more = next;
	}
}

static void close_records(
	struct weir_template_cache *cache, uint32_t domain, uint16_t id, uint64_t seq)
{
	const struct weir_template_domain *place = template_domain(cache, domain);

	for (uint32_t number = place->record_blocks != 0 ? place->first : 0; number != 0;
		number = template_entry(cache, number)->next) {
		const struct weir_template_entry *entry = template_entry(cache, number);

		if (entry->kind == WEIR_TEMPLATE_OPTION_RECORD && entry->id == id &&
			entry->until == UINT64_MAX)
			template_close(cache, number, seq);
	}
}

void template_close(struct weir_template_cache *cache, uint32_t number, uint64_t seq)
{
	struct weir_template_entry *entry = template_entry(cache, number);
	uint32_t *link = template_entry_bucket(cache, entry->domain, entry->id, entry->key);

	while (*link != number)
		link = &template_entry(cache, *link)->chain;
	*link = entry->chain;
	entry->until = seq;
	cache->changes++;
	if (entry->kind == WEIR_TEMPLATE_OPTION_RECORD)
		cache->records--;
	else
		cache->entries--;
	if (entry->kind == WEIR_TEMPLATE_OPTIONS)
		close_records(cache, entry->domain, entry->id, seq);
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

static void add_mark(uint64_t *marks, uint64_t hash, uint16_t id)
{
	uint32_t mark = weir_template_mark(hash, id);

	__atomic_fetch_or(&marks[mark / 64], UINT64_C(1) << (mark % 64), __ATOMIC_RELAXED);
}

static uint64_t hash_of(const struct weir_template_exporter *exporter)
{
	return weir_key_hash_address(exporter->address, exporter->family == 6, exporter->domain);
}

void weir_template_mark_message(
	struct weir_template_cache *cache, uint64_t hash, const uint8_t *payload, uint32_t length)
{
	struct weir_template_walk walk;
	struct weir_template_record record;

	weir_template_begin(&walk, payload, length);
	while (weir_template_next(&walk, &record) == WEIR_TEMPLATE_RECORD)
		if (record.is_options && record.fields != 0)
			add_mark(cache->marks, hash, record.id);
}

/* `marks`: of what stays. */
static void purge_domain(struct weir_template_cache *cache, uint32_t number,
	const struct weir_template_moment *moment, uint64_t *marks)
{
	struct weir_template_domain *domain = template_domain(cache, number);
	uint64_t hash = hash_of(&domain->exporter);
	uint32_t *link = &domain->first;

	domain->last = 0;
	while (*link != 0) {
		uint32_t next = *link;
		struct weir_template_entry *entry = template_entry(cache, next);
		bool is_old = cache->lifetime != 0 &&
			      (int64_t)(moment->now - entry->heard - cache->lifetime) > 0;

		if (!is_old && entry->until > moment->tail) {
			if (entry->kind == WEIR_TEMPLATE_OPTIONS && entry->until == UINT64_MAX)
				add_mark(marks, hash, entry->id);
			domain->last = next;
			link = &entry->next;
			continue;
		}
		cache->expired += is_old && entry->kind != WEIR_TEMPLATE_OPTION_RECORD;
		/* Records that it laid out are of no use to any lane then. */
		if (entry->until == UINT64_MAX)
			template_close(cache, next, 0);
		*link = entry->next;
		free_entry(cache, next);
	}
	if (domain->first == 0)
		free_domain(cache, number);
}

bool template_is_purge_due(
	const struct weir_template_cache *cache, const struct weir_template_moment *moment)
{
	return moment->now - cache->purged >= cache->pause;
}

void template_purge(struct weir_template_cache *cache, const struct weir_template_moment *moment)
{
	uint64_t marks[WEIR_TEMPLATE_MARKS] = {0};

	cache->purged = moment->now;
	for (uint32_t i = 0; i < cache->buckets; i++) {
		uint32_t number = template_buckets(cache)[i];

		while (number != 0) {
			uint32_t next = template_domain(cache, number)->chain;

			purge_domain(cache, number, moment, marks);
			number = next;
		}
	}
	/* Others read them for each message: only what changes is written. */
	for (uint32_t i = 0; i < WEIR_TEMPLATE_MARKS; i++)
		if (__atomic_load_n(&cache->marks[i], __ATOMIC_RELAXED) != marks[i])
			__atomic_store_n(&cache->marks[i], marks[i], __ATOMIC_RELAXED);
}

void weir_template_purge(
	struct weir_template_cache *cache, const struct weir_template_moment *moment)
{
	if (!template_is_purge_due(cache, moment))
		return;
	template_begin_write(cache);
	template_purge(cache, moment);
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

bool template_use(const struct weir_template_cache *cache, struct weir_template_entry *entry,
	uint8_t *set, enum template_use use)
{
	uint32_t room = entry->length < TEMPLATE_FIRST ? entry->length : (uint32_t)TEMPLATE_FIRST;
	uint32_t more = entry->more, at = 0;
	uint8_t *part = entry->bytes;

	for (;;) {
		if (use == TEMPLATE_COMPARE && memcmp(part, set + at, room) != 0)
			return false;
		if (use == TEMPLATE_STORE)
			memcpy(part, set + at, room);
		if (use == TEMPLATE_LOAD)
			memcpy(set + at, part, room);
		at += room;
		if (at == entry->length)
			return true;
		part = next_part(cache, &more, entry->length - at, &room);
	}
}

void weir_template_write(const struct weir_template_cache *cache, uint32_t entry, uint8_t *to)
{
	template_use(cache, template_entry(cache, entry), to, TEMPLATE_LOAD);
}

static bool has_room(const struct weir_template_cache *cache, uint32_t domain, uint32_t blocks,
	enum weir_template_kind kind)
{
	uint32_t has = domain != 0 ? template_domain(cache, domain)->blocks : 0;
	uint32_t has_records = domain != 0 ? template_domain(cache, domain)->record_blocks : 0;

	if (kind == WEIR_TEMPLATE_OPTION_RECORD &&
		(cache->record_blocks + blocks > cache->blocks * RECORD_SHARE ||
			has_records + blocks > cache->blocks / DOMAIN_SHARE * RECORD_SHARE))
		return false;
	return cache->used + blocks + (domain == 0) <= cache->blocks &&
	       has + blocks <= cache->blocks / DOMAIN_SHARE;
}

/* Templates at the front, records at the back: so each is behind its template. */
static void link_entry(struct weir_template_cache *cache, uint32_t number, uint32_t blocks)
{
	struct weir_template_entry *entry = template_entry(cache, number);
	struct weir_template_domain *domain = template_domain(cache, entry->domain);
	uint32_t *bucket = template_entry_bucket(cache, entry->domain, entry->id, entry->key);

	entry->chain = *bucket;
	*bucket = number;
	domain->blocks += blocks;
	cache->changes++;
	if (entry->kind == WEIR_TEMPLATE_OPTION_RECORD) {
		domain->record_blocks += blocks;
		cache->record_blocks += blocks;
		cache->records++;
		*(domain->last != 0 ? &template_entry(cache, domain->last)->next : &domain->first) =
			number;
		domain->last = number;
		return;
	}
	cache->entries++;
	entry->next = domain->first;
	domain->first = number;
	if (domain->last == 0)
		domain->last = number;
	if (entry->kind == WEIR_TEMPLATE_OPTIONS)
		add_mark(cache->marks, hash_of(&domain->exporter), entry->id);
}

uint32_t template_add(struct weir_template_cache *cache, uint32_t *domain,
	const struct weir_template_exporter *exporter, const struct template_new *new)
{
	uint32_t blocks = blocks_for(new->length);
	struct weir_template_entry *entry;
	uint32_t number;

	if (!has_room(cache, *domain, blocks, new->kind))
		return 0;
	if (*domain == 0)
		*domain = add_domain(cache, exporter);
	number = take_block(cache);
	entry = template_entry(cache, number);
	*entry = (struct weir_template_entry){.domain = *domain,
		.until = UINT64_MAX,
		.key = new->key,
		.id = new->id,
		.length = new->length,
		.fields = new->fields,
		.kind = (uint8_t) new->kind};
	for (uint32_t i = 1; i < blocks; i++) {
		uint32_t more = take_block(cache);
		struct weir_template_more *rest = template_block(cache, more);

		rest->more = entry->more;
		entry->more = more;
	}
	template_use(cache, entry, new->set, TEMPLATE_STORE);
	link_entry(cache, number, blocks);
	return number;
}
