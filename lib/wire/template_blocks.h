/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <string.h>

#include "wire/hash.h"
#include "wire/template_cache.h"
#include "wire/template_options.h"

/* How the files of the template cache lay out its memory. Private to lib/wire. */

/* The rest of a set that does not fit its entry's block. */
struct weir_template_more {
	uint32_t more;
	uint8_t bytes[WEIR_TEMPLATE_BLOCK - 4];
};

#define TEMPLATE_FIRST (WEIR_TEMPLATE_BLOCK - offsetof(struct weir_template_entry, bytes))
#define TEMPLATE_MORE  (WEIR_TEMPLATE_BLOCK - offsetof(struct weir_template_more, bytes))

_Static_assert(sizeof(struct weir_template_domain) <= WEIR_TEMPLATE_BLOCK, "a block each");

/* Two tables of buckets follow the cache's head, then its blocks; number 1 is the first. */
static inline uint32_t *template_buckets(const struct weir_template_cache *cache)
{
	return (uint32_t *)(uintptr_t)(cache + 1);
}

static inline void *template_block(const struct weir_template_cache *cache, uint32_t number)
{
	uint8_t *blocks = (uint8_t *)(template_buckets(cache) + 2 * (size_t)cache->buckets);

	return blocks + (size_t)(number - 1) * WEIR_TEMPLATE_BLOCK;
}

static inline struct weir_template_domain *template_domain(
	const struct weir_template_cache *cache, uint32_t number)
{
	return template_block(cache, number);
}

static inline struct weir_template_entry *template_entry(
	const struct weir_template_cache *cache, uint32_t number)
{
	return template_block(cache, number);
}

static inline uint32_t *template_domain_bucket(
	const struct weir_template_cache *cache, const struct weir_template_exporter *exporter)
{
	uint64_t words[3], hash = cache->seed;

	memcpy(words, exporter, sizeof(words));
	for (int i = 0; i < 3; i++)
		hash = weir_hash_word(hash, words[i]);
	hash = weir_hash_finish(hash) >> 32;
	return &template_buckets(cache)[hash & (cache->buckets - 1)];
}

/* `key`: of a record, or 0. */
static inline uint32_t *template_entry_bucket(
	const struct weir_template_cache *cache, uint32_t domain, uint16_t id, uint64_t key)
{
	uint64_t hash = weir_hash_word(cache->seed ^ key, (uint64_t)domain << 16 | id);

	hash = weir_hash_finish(hash) >> 32;
	return &template_buckets(cache)[cache->buckets + (hash & (cache->buckets - 1))];
}

/* The template that is in force at the head under this id, 0 when none is. */
static inline uint32_t template_current(
	const struct weir_template_cache *cache, uint32_t domain, uint16_t id)
{
	uint32_t number = *template_entry_bucket(cache, domain, id, 0);

	while (number != 0) {
		const struct weir_template_entry *entry = template_entry(cache, number);

		if (entry->domain == domain && entry->id == id &&
			entry->kind != WEIR_TEMPLATE_OPTION_RECORD)
			return number;
		number = entry->chain;
	}
	return 0;
}

/* Likewise the record with this key. */
static inline uint32_t template_current_record(
	const struct weir_template_cache *cache, uint32_t domain, uint16_t id, uint64_t key)
{
	uint32_t number = *template_entry_bucket(cache, domain, id, key);

	while (number != 0) {
		const struct weir_template_entry *entry = template_entry(cache, number);

		if (entry->domain == domain && entry->id == id && entry->key == key &&
			entry->kind == WEIR_TEMPLATE_OPTION_RECORD)
			return number;
		number = entry->chain;
	}
	return 0;
}

/* Readers elsewhere see an odd number while the owner is between the two. */
static inline void template_begin_write(struct weir_template_cache *cache)
{
	uint32_t writes = atomic_load_explicit(&cache->writes, memory_order_relaxed);

	atomic_store_explicit(&cache->writes, writes + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static inline void template_end_write(struct weir_template_cache *cache)
{
	uint32_t writes = atomic_load_explicit(&cache->writes, memory_order_relaxed);

	atomic_store_explicit(&cache->writes, writes + 1, memory_order_release);
}

_Static_assert(sizeof(struct weir_template_exporter) == 24, "hashed as three words");

/* It is in force no longer, nor are its records: lanes below `seq` may still need it. */
void template_close(struct weir_template_cache *cache, uint32_t number, uint64_t seq);

bool template_is_purge_due(
	const struct weir_template_cache *cache, const struct weir_template_moment *moment);
void template_purge(struct weir_template_cache *cache, const struct weir_template_moment *moment);

/* An entry's set: equal to `set`, or copied in one direction. */
enum template_use { TEMPLATE_COMPARE, TEMPLATE_STORE, TEMPLATE_LOAD };
bool template_use(const struct weir_template_cache *cache, struct weir_template_entry *entry,
	uint8_t *set, enum template_use use);

/* A set with one template or record, as it is kept and sent. */
struct template_new {
	uint8_t *set;
	uint64_t key;
	uint16_t length;
	uint16_t id;
	uint16_t fields;
	enum weir_template_kind kind;
};

/* The new entry's number, 0 without room; *domain is the exporter's block, or 0 and becomes it. */
uint32_t template_add(struct weir_template_cache *cache, uint32_t *domain,
	const struct weir_template_exporter *exporter, const struct template_new *new);

/* How the records of an options template are laid out. False: they are not kept, or it is none. */
bool template_read_layout(const struct weir_template_cache *cache, uint32_t number,
	struct weir_options_layout *layout);
