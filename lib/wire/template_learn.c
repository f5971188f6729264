/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/template_blocks.h"

/* What the cache takes in. */

#define SET_MOST (WEIR_TEMPLATE_LARGEST - WEIR_TEMPLATE_SET_HEADER - 3) /* of its content */

/* One exporter's message. */
struct learning {
	struct weir_template_cache *cache;
	const struct weir_template_exporter *exporter;
	const struct weir_template_moment *moment;
	uint32_t domain; /* the exporter's block, 0: it has none yet */
};

enum outcome { LEARNED, CHANGED, REFRESHED, REFUSED };

bool template_read_layout(const struct weir_template_cache *cache, uint32_t number,
	struct weir_options_layout *layout)
{
	struct weir_template_entry *entry = template_entry(cache, number);
	uint8_t set[WEIR_TEMPLATE_LARGEST];

	if (entry->kind != WEIR_TEMPLATE_OPTIONS || entry->fields > WEIR_OPTIONS_FIELDS)
		return false;
	template_use(cache, entry, set, TEMPLATE_LOAD);
	return weir_options_read(layout, template_domain(cache, entry->domain)->exporter.version,
		set + WEIR_TEMPLATE_SET_HEADER);
}

static void withdraw(const struct learning *learning, const struct weir_template_record *record,
	struct weir_template_counts *counts)
{
	enum weir_template_kind kind =
		record->is_options ? WEIR_TEMPLATE_OPTIONS : WEIR_TEMPLATE_PLAIN;
	struct weir_template_cache *cache = learning->cache;
	uint32_t domain = learning->domain;
	uint32_t number = domain != 0 && record->id >= WEIR_TEMPLATE_ID_LEAST
				  ? template_current(cache, domain, record->id)
				  : 0;

	if (number != 0) {
		template_close(cache, number, learning->moment->seq);
		counts->withdrawn++;
	}
	if (domain == 0 || record->id >= WEIR_TEMPLATE_ID_LEAST)
		return;
	for (number = template_domain(cache, domain)->first; number != 0;
		number = template_entry(cache, number)->next) {
		const struct weir_template_entry *entry = template_entry(cache, number);

		if (entry->until == UINT64_MAX && entry->kind == kind) {
			template_close(cache, number, learning->moment->seq);
			counts->withdrawn++;
		}
	}
}

/* The content as a set of its own. `set` has room for the largest. */
static void make_set(
	uint16_t id, const uint8_t *content, uint32_t bytes, uint8_t *set, struct template_new *new)
{
	uint32_t length = (WEIR_TEMPLATE_SET_HEADER + bytes + 3) & ~3u;

	memset(set + length - 4, 0, 4);
	set[0] = (uint8_t)(id >> 8);
	set[1] = (uint8_t)id;
	set[2] = (uint8_t)(length >> 8);
	set[3] = (uint8_t)length;
	memcpy(set + WEIR_TEMPLATE_SET_HEADER, content, bytes);
	new->set = set;
	new->length = (uint16_t)length;
}

static void make_template(const struct weir_template_record *record, uint8_t version, uint8_t *set,
	struct template_new *new)
{
	uint16_t id = (uint16_t)((version == WEIR_TEMPLATE_IPFIX ? 2 : 0) + record->is_options);

	*new = (struct template_new){.id = record->id,
		.fields = record->fields,
		.kind = record->is_options ? WEIR_TEMPLATE_OPTIONS : WEIR_TEMPLATE_PLAIN};
	make_set(id, record->bytes, record->length, set, new);
}

/* False: it cannot be a set of its own. */
static bool make_record(const struct weir_options_layout *layout,
	const struct weir_options_record *record, uint16_t id, uint8_t *set,
	struct template_new *new)
{
	if (record->length > SET_MOST || !weir_options_can_pad(layout, record->length))
		return false;
	*new = (struct template_new){.id = id,
		.key = record->key,
		.fields = layout->count,
		.kind = WEIR_TEMPLATE_OPTION_RECORD};
	make_set(id, record->bytes, record->length, set, new);
	return true;
}

/* Whether `new` can be written over a record that no lane needs any more. */
static bool can_replace(const struct learning *learning, const struct weir_template_entry *entry,
	const struct template_new *new)
{
	return new->kind == WEIR_TEMPLATE_OPTION_RECORD && entry->length == new->length &&
	       learning->moment->tail == learning->moment->seq;
}

/* `known` is what was in force in its place, 0: nothing. */
static enum outcome put(struct learning *learning, uint32_t known, const struct template_new *new)
{
	struct weir_template_cache *cache = learning->cache;
	struct weir_template_entry *entry = known != 0 ? template_entry(cache, known) : NULL;
	uint32_t number = 0;

	if (entry != NULL && entry->length == new->length &&template_use(
						      cache, entry, new->set, TEMPLATE_COMPARE)) {
		entry->heard = learning->moment->now;
		return REFRESHED;
	}
	if (entry != NULL && can_replace(learning, entry, new)) {
		template_use(cache, entry, new->set, TEMPLATE_STORE);
		cache->changes++;
		number = known;
	} else {
		if (entry != NULL)
			template_close(cache, known, learning->moment->seq);
		number = template_add(cache, &learning->domain, learning->exporter, new);
	}
	if (number == 0)
		return REFUSED;
	entry = template_entry(cache, number);
	entry->since = learning->moment->seq;
	entry->heard = learning->moment->now;
	entry->had = UINT64_MAX;
	return known != 0 ? CHANGED : LEARNED;
}

static void define(struct learning *learning, const struct weir_template_record *record,
	struct weir_template_counts *counts)
{
	uint32_t known = learning->domain != 0
				 ? template_current(learning->cache, learning->domain, record->id)
				 : 0;
	uint8_t set[WEIR_TEMPLATE_LARGEST];
	enum outcome outcome = REFUSED;
	struct template_new new;

	if (record->length <= SET_MOST) {
		make_template(record, learning->exporter->version, set, &new);
		outcome = put(learning, known, &new);
	} else if (known != 0) {
		template_close(learning->cache, known, learning->moment->seq);
	}
	counts->learned += outcome == LEARNED;
	counts->changed += outcome == CHANGED;
	counts->refreshed += outcome == REFRESHED;
	counts->refused += outcome == REFUSED;
}

static void keep(struct learning *learning, const struct weir_options_layout *layout,
	const struct weir_options_record *record, uint16_t id, struct weir_template_counts *counts)
{
	uint32_t known =
		template_current_record(learning->cache, learning->domain, id, record->key);
	uint8_t set[WEIR_TEMPLATE_LARGEST];
	enum outcome outcome = REFUSED;
	struct template_new new;

	if (make_record(layout, record, id, set, &new))
		outcome = put(learning, known, &new);
	else if (known != 0)
		template_close(learning->cache, known, learning->moment->seq);
	counts->records_learned += outcome == LEARNED;
	counts->records_changed += outcome == CHANGED;
	counts->records_refreshed += outcome == REFRESHED;
	counts->records_refused += outcome == REFUSED;
}

/* A data set: of options, or not. */
static void keep_all(struct learning *learning, const struct weir_template_record *data,
	struct weir_template_counts *counts)
{
	uint32_t template = learning->domain != 0
				    ? template_current(learning->cache, learning->domain, data->id)
				    : 0;
	const uint8_t *at = data->bytes, *end = data->bytes + data->length;
	struct weir_options_layout layout;
	struct weir_options_record record;

	if (template == 0 ||
		template_entry(learning->cache, template)->kind != WEIR_TEMPLATE_OPTIONS)
		return;
	if (!template_read_layout(learning->cache, template, &layout)) {
		counts->records_refused++;
		return;
	}
	while (weir_options_next(&layout, &at, end, &record))
		keep(learning, &layout, &record, data->id, counts);
}

void weir_template_learn(struct weir_template_cache *cache,
	const struct weir_template_exporter *exporter, const uint8_t *payload, uint32_t length,
	const struct weir_template_moment *moment, struct weir_template_counts *counts)
{
	struct learning learning = {.cache = cache, .exporter = exporter, .moment = moment};
	enum weir_template_step step;
	struct weir_template_walk walk;
	struct weir_template_record record;

	template_begin_write(cache);
	/* Now and then in any case: what has expired is not counted as there. */
	if (template_is_purge_due(cache, moment))
		template_purge(cache, moment);
	learning.domain = weir_template_find(cache, exporter);
	weir_template_begin(&walk, payload, length);
	walk.wants_data = true;
	while ((step = weir_template_next(&walk, &record)) == WEIR_TEMPLATE_RECORD ||
		step == WEIR_TEMPLATE_DATA) {
		if (step == WEIR_TEMPLATE_DATA)
			keep_all(&learning, &record, counts);
		else if (record.fields == 0)
			withdraw(&learning, &record, counts);
		else
			define(&learning, &record, counts);
	}
	counts->malformed += step == WEIR_TEMPLATE_MALFORMED;
	template_end_write(cache);
}

/* What a set of one template or record is, in `own`. `domain`: the exporter's block, or 0. */
static bool read_set(const struct weir_template_cache *cache, uint32_t domain, uint8_t version,
	const uint8_t *set, uint16_t length, uint8_t *own, struct template_new *new)
{
	struct weir_template_walk walk = {.version = version,
		.message_end = set + length,
		.at = set,
		.end = set,
		.wants_data = true};
	struct weir_template_record found = {0};
	enum weir_template_step step = weir_template_next(&walk, &found);
	struct weir_options_layout layout;
	struct weir_options_record record;
	const uint8_t *at = found.bytes;
	uint32_t template;

	if (step == WEIR_TEMPLATE_RECORD && found.fields != 0) {
		make_template(&found, version, own, new);
		return true;
	}
	template = step == WEIR_TEMPLATE_DATA &&domain != 0
			   ? template_current(cache, domain, found.id)
			   : 0;
	return template != 0 && template_read_layout(cache, template, &layout) &&
	       weir_options_next(&layout, &at, at + found.length, &record) &&
	       make_record(&layout, &record, found.id, own, new);
}

/* What is in force in its place. */
static uint32_t find_known(
	const struct weir_template_cache *cache, uint32_t domain, const struct template_new *new)
{
	if (domain == 0)
		return 0;
	return new->kind == WEIR_TEMPLATE_OPTION_RECORD
		       ? template_current_record(cache, domain, new->id, new->key)
		       : template_current(cache, domain, new->id);
}

bool weir_template_restore(struct weir_template_cache *cache,
	const struct weir_template_exporter *exporter, const uint8_t *set, uint16_t length,
	uint64_t since, uint64_t heard)
{
	uint32_t domain = weir_template_find(cache, exporter);
	uint8_t own[WEIR_TEMPLATE_LARGEST];
	struct template_new new;
	uint32_t number;

	if (length > sizeof(own) ||
		!read_set(cache, domain, exporter->version, set, length, own, &new) ||
		find_known(cache, domain, &new) != 0)
		return false;
	number = template_add(cache, &domain, exporter, &new);
	if (number == 0)
		return false;
	template_entry(cache, number)->since = since;
	template_entry(cache, number)->heard = heard;
	return true;
}

/* Whether the template of the record is the same in both: only then is it a record here. */
static bool has_template(const struct weir_template_cache *cache, uint32_t domain,
	const struct weir_template_cache *from, const struct weir_template_entry *other)
{
	uint32_t own = domain != 0 ? template_current(cache, domain, other->id) : 0;
	uint32_t theirs = template_current(from, other->domain, other->id);
	uint8_t set[WEIR_TEMPLATE_LARGEST];

	if (own == 0 || theirs == 0 ||
		template_entry(cache, own)->length != template_entry(from, theirs)->length)
		return false;
	weir_template_write(from, theirs, set);
	return template_use(cache, template_entry(cache, own), set, TEMPLATE_COMPARE);
}

/* The entry of `from` is of the exporter, whose block here is *domain, or 0. */
static bool catch_up_with(struct weir_template_cache *cache, uint32_t *domain,
	const struct weir_template_exporter *exporter, const struct weir_template_cache *from,
	uint32_t number)
{
	const struct weir_template_entry *other = template_entry(from, number);
	uint8_t set[WEIR_TEMPLATE_LARGEST];
	struct template_new new = {.set = set,
		.key = other->key,
		.length = other->length,
		.id = other->id,
		.fields = other->fields,
		.kind = other->kind};
	uint32_t known = find_known(cache, *domain, &new);
	struct weir_template_entry *entry = known != 0 ? template_entry(cache, known) : NULL;
	int64_t later = entry != NULL ? (int64_t)(other->heard - entry->heard) : 1;

	if (other->until != UINT64_MAX) {
		/* Nothing may have come in its place. */
		if (entry != NULL && later >= 0 && find_known(from, other->domain, &new) == 0)
			template_close(cache, known, 0);
		return false;
	}
	if (later <= 0 || (new.kind == WEIR_TEMPLATE_OPTION_RECORD &&
				  !has_template(cache, *domain, from, other)))
		return false;
	weir_template_write(from, number, set);
	if (entry != NULL &&
		entry->length == new.length &&template_use(cache, entry, set, TEMPLATE_COMPARE)) {
		entry->heard = other->heard;
		return false;
	}
	if (entry != NULL)
		template_close(cache, known, 0);
	known = template_add(cache, domain, exporter, &new);
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
