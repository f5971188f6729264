/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdlib.h>

#include <CUnit/Basic.h>

#include "wire/template_cache.h"
#include "wire_template_messages.h"

/* One template cache, what it is told, and what its lanes miss. */

#define BYTES (64 * 1024)
#define PAUSE 10

static struct weir_template_cache *cache;
static struct weir_template_counts counts;
static const struct weir_template_exporter alice = {
	.address = {192, 0, 2, 1}, .domain = 7, .port = 4000, .family = 4, .version = 10};
static struct weir_template_exporter bob;

static inline void renew(uint32_t bytes)
{
	free(cache);
	cache = calloc(1, weir_template_cache_size(bytes));
	CU_ASSERT_PTR_NOT_NULL_FATAL(cache);
	weir_template_cache_init(cache, bytes, 42, PAUSE);
	memset(&counts, 0, sizeof(counts));
	bob = alice;
	bob.port = 4001;
}

static inline void learn(const struct weir_template_exporter *exporter,
	const struct template_message *message, uint64_t seq, uint64_t tail, uint64_t now)
{
	struct weir_template_moment moment = {seq, tail, now};

	weir_template_learn(cache, exporter, message->bytes, message->length, &moment, &counts);
}

/* A message that defines one template. */
static inline void define(const struct weir_template_exporter *exporter, unsigned int id,
	unsigned int fields, unsigned int element, uint64_t seq)
{
	struct template_message message;

	message_begin(&message, exporter->version);
	message_set(&message, exporter->version == 10 ? 2 : 0);
	message_template(&message, id, fields, element);
	message_close(&message);
	learn(exporter, &message, seq, 0, seq);
}

/* Ids that the lane lacks at `seq`, as bits from 256 on. */
static inline uint64_t missing(
	const struct weir_template_exporter *exporter, uint8_t lane, uint64_t seq)
{
	uint32_t domain = weir_template_find(cache, exporter);
	uint64_t ids = 0;

	if (domain == 0)
		return 0;
	for (uint32_t entry = weir_template_after(cache, domain, 0, seq, 1ull << lane); entry != 0;
		entry = weir_template_after(cache, domain, entry, seq, 1ull << lane))
		ids |= 1ull << (weir_template_entry_at(cache, entry)->id - 256);
	return ids;
}

/* First element of the definition of 256 that holds at `seq`; 0: none does. */
static inline unsigned int element_at(const struct weir_template_exporter *exporter, uint64_t seq)
{
	uint32_t domain = weir_template_find(cache, exporter);
	uint8_t set[WEIR_TEMPLATE_LARGEST];

	for (uint32_t entry = domain != 0 ? weir_template_after(cache, domain, 0, seq, 0) : 0;
		entry != 0; entry = weir_template_after(cache, domain, entry, seq, 0)) {
		if (weir_template_entry_at(cache, entry)->id != 256)
			continue;
		weir_template_write(cache, entry, set);
		return weir_load16be(set + 8);
	}
	return 0;
}
