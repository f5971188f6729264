/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/template.h"

/*
 * The templates of the exporters of one partition, the records of options data with them, and
 * which of its lanes' consumers have had them. A definition is in force from the message that
 * brought it, `since`, to the one that replaced or withdrew it, `until`, both sequence numbers of
 * the partition: lanes behind the head get what held where they stand. Past definitions go when no
 * lane can stand there any more.
 *
 * A lane is a bit. A new definition counts as had by all: each lane is going to meet it in its
 * message. It is missing where a message was dropped, and for a lane whose consumer is another
 * than before.
 *
 * A record of options data holds until one with the same key comes, see template_options.h, or its
 * template goes. Records have no more than three quarters of what templates may have.
 *
 * One block of memory that holds no pointers, of fixed size, in pieces of WEIR_TEMPLATE_BLOCK
 * bytes. When it is full, or one domain has a quarter of it, a definition is refused, and the
 * one that it was to replace is gone too: what is replayed is never wrong. Time is the caller's,
 * in any unit. One writer; another thread may copy the block, and knows by weir_template_copy
 * whether the copy is whole.
 */

#define WEIR_TEMPLATE_BLOCK   128
#define WEIR_TEMPLATE_LANES   64
#define WEIR_TEMPLATE_LARGEST 9000 /* bytes of a set; a larger one fits no datagram anyway */

/* Whose templates: a transport session and observation domain, RFC 7011 3.4.1 and 8. */
struct weir_template_exporter {
	uint8_t address[16]; /* IPv4: four bytes and zeroes */
	uint32_t domain;     /* observation domain, source ID */
	uint16_t port;       /* UDP source */
	uint8_t family;      /* 4 or 6 */
	uint8_t version;     /* WEIR_TEMPLATE_IPFIX or _NETFLOW9 */
};

struct weir_template_domain {
	struct weir_template_exporter exporter;
	uint32_t chain;  /* next in its bucket; all links are numbers of blocks, 0: none */
	uint32_t first;  /* entry */
	uint32_t last;   /* entry; records are behind all templates, in the order they came in */
	uint32_t blocks; /* that its entries use */
	uint32_t record_blocks; /* of them its records */
	uint64_t missing;       /* bit a lane: some entry may be missing */
};

enum weir_template_kind {
	WEIR_TEMPLATE_PLAIN,
	WEIR_TEMPLATE_OPTIONS,
	WEIR_TEMPLATE_OPTION_RECORD,
};

struct weir_template_entry {
	uint32_t chain; /* next in its bucket; only what is in force is in one */
	uint32_t next;  /* of its domain */
	uint32_t domain;
	uint32_t more; /* block with the rest of the set */
	uint64_t since;
	uint64_t until; /* UINT64_MAX: in force at the head */
	uint64_t heard; /* when it was last sent by the exporter */
	uint64_t had;   /* bit a lane */
	uint64_t key;   /* of a record */
	uint16_t id;
	uint16_t length; /* of the set that has this template or record alone, a multiple of 4 */
	uint16_t fields;
	uint8_t kind;    /* enum weir_template_kind */
	uint8_t bytes[]; /* as much of the set as fits the block */
};

struct weir_template_cache {
	_Atomic uint32_t writes; /* odd while it is being changed; owner writes, all read */
	uint32_t blocks;         /* immutable, as all up to `buckets` */
	uint32_t buckets;        /* a power of two, of domains and as many of entries */
	uint64_t seed;
	uint64_t pause;    /* between two searches for what can go; the owner's */
	uint64_t lifetime; /* 0: without end; the owner's, as all below */
	uint64_t purged;   /* time of the last search */
	uint64_t expired;  /* templates that went for their age */
	uint32_t top;      /* blocks from 1 on that were ever used */
	uint32_t free;     /* one of those that are free again */
	uint32_t used;
	uint32_t domains;
	uint32_t entries;       /* templates in force */
	uint32_t records;       /* in force */
	uint32_t record_blocks; /* that records use */
	uint32_t changes;       /* definitions and records that came into force or went */
	uint32_t missing[WEIR_TEMPLATE_LANES]; /* domains with that bit */
	/* Of options templates in force; any thread reads, and may add what the owner is to learn.
	 */
	uint64_t marks[WEIR_TEMPLATE_MARKS];
};

/* What became of the records of messages. */
struct weir_template_counts {
	uint64_t learned;
	uint64_t changed;
	uint64_t refreshed;
	uint64_t withdrawn;
	uint64_t refused;   /* no room */
	uint64_t malformed; /* messages */
	/* Records of options data. */
	uint64_t records_learned;
	uint64_t records_changed;
	uint64_t records_refreshed;
	uint64_t records_refused; /* no room, or not to be told apart: see template_options.h */
};

/* The message that is looked at. */
struct weir_template_moment {
	uint64_t seq;
	uint64_t tail; /* no lane stands below */
	uint64_t now;
};

/* Of the whole block of memory for `bytes` of definitions. */
size_t weir_template_cache_size(uint32_t bytes);
/* `cache` is zeroed memory of that size, aligned to 8. */
void weir_template_cache_init(
	struct weir_template_cache *cache, uint32_t bytes, uint64_t seed, uint64_t pause);

/* The sets of options data that the message defines are marked, for who looks before the owner. */
void weir_template_mark_message(
	struct weir_template_cache *cache, uint64_t hash, const uint8_t *payload, uint32_t length);
/* Take in all templates and records of options data of a message. */
void weir_template_learn(struct weir_template_cache *cache,
	const struct weir_template_exporter *exporter, const uint8_t *payload, uint32_t length,
	const struct weir_template_moment *moment, struct weir_template_counts *counts);
/*
 * What `set`, of one template or record, defines holds from `since` on, for no lane yet. A record
 * after its template. False: no room.
 */
bool weir_template_restore(struct weir_template_cache *cache,
	const struct weir_template_exporter *exporter, const uint8_t *set, uint16_t length,
	uint64_t since, uint64_t heard);
/* Whether an exporter's definitions are to be taken. */
typedef bool (*weir_template_choice)(
	const void *context, const struct weir_template_exporter *exporter);
/*
 * Catch up with `from`, which an earlier state of it was restored from and in which no definition
 * comes or goes any more: of the exporters chosen, what it heard later holds from the beginning on.
 * Whether that is anything that no lane has had.
 */
bool weir_template_catch_up(struct weir_template_cache *cache,
	const struct weir_template_cache *from, weir_template_choice choice, const void *context);
/* Definitions that are past or too old go, at most once in `pause`. */
void weir_template_purge(
	struct weir_template_cache *cache, const struct weir_template_moment *moment);

/* The lane has another consumer, and stands at `seq`. */
void weir_template_forget(struct weir_template_cache *cache, uint8_t lane, uint64_t seq);
/* Whether what the message `seq` defines came to the lane's consumer with it, or was lost. */
void weir_template_note(struct weir_template_cache *cache,
	const struct weir_template_exporter *exporter, const uint8_t *payload, uint32_t length,
	uint64_t seq, uint8_t lane, bool has_had);

/* Number of the exporter's block, 0 when it is not known. */
uint32_t weir_template_find(
	const struct weir_template_cache *cache, const struct weir_template_exporter *exporter);
/*
 * The domain's next entry behind `after` (0: the first) that is in force at `seq` and that some of
 * `lanes` (0: whoever) has not had; 0 when there is no more.
 */
uint32_t weir_template_after(const struct weir_template_cache *cache, uint32_t domain,
	uint32_t after, uint64_t seq, uint64_t lanes);
void weir_template_set_had(struct weir_template_cache *cache, uint32_t entry, uint8_t lane);
/* All has been looked at that the lane may miss at `seq`. */
void weir_template_settle(
	struct weir_template_cache *cache, uint32_t domain, uint8_t lane, uint64_t seq);

/* The block of that number; good until the next change. */
const struct weir_template_domain *weir_template_domain_at(
	const struct weir_template_cache *cache, uint32_t number);
const struct weir_template_entry *weir_template_entry_at(
	const struct weir_template_cache *cache, uint32_t number);
/* The set, `length` of the entry in bytes. */
void weir_template_write(const struct weir_template_cache *cache, uint32_t entry, uint8_t *to);

/* Call `visit` for each entry that is in force at the head. */
typedef void (*weir_template_visit)(void *context, const struct weir_template_cache *cache,
	const struct weir_template_domain *domain, uint32_t entry);
void weir_template_visit_all(
	const struct weir_template_cache *cache, weir_template_visit visit, void *context);
/*
 * Copy a cache that its owner may be changing, into memory of the same size. False: it was changed
 * meanwhile, and the copy is worth nothing.
 */
bool weir_template_copy(struct weir_template_cache *to, const struct weir_template_cache *from);
