/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record.h"

/*
 * What arrived, key by key, held against what must have been sent: the sequences of a key are
 * 0, 1, 2... in this order. A window of the latest sequences of each key tells a reordered
 * message from a lost one and a duplicate from both. Pure; one thread.
 *
 * A hole counts as lost until it is filled; one that the window has left stays lost, and a
 * message so late that it falls behind the window is `stale`: counted as lost before, and no
 * longer told from a duplicate.
 */
#define LOAD_VERIFY_WINDOW 8192    /* sequences remembered of a key */
#define LOAD_VERIFY_KEYS   1000000 /* keys remembered; about 1 kB each */

struct load_verify_key {
	uint32_t run;
	uint32_t key;
	uint64_t first;     /* expected first; nothing before it counts as lost */
	uint64_t next;      /* highest sequence seen, plus one */
	uint64_t received;  /* every message, duplicates too */
	uint64_t forgotten; /* holes that have left the window */
	uint64_t duplicates;
	uint64_t reordered;
	uint64_t stale;
	uint64_t gaps; /* times that a sequence was skipped */
	uint64_t window[LOAD_VERIFY_WINDOW / 64];
};

struct load_verify_total {
	uint64_t keys;
	uint64_t runs;
	uint64_t received;
	uint64_t lost;
	uint64_t duplicates;
	uint64_t reordered;
	uint64_t stale;
	uint64_t gaps;
	uint64_t untracked;  /* messages of keys beyond LOAD_VERIFY_KEYS, or without memory */
	uint64_t gap_end_ns; /* the newest message in front of which one was skipped: sent_ns */
};

struct load_verifier;

/*
 * `is_late`: a key's first message is where it begins, instead of sequence 0. NULL without
 * memory. The caller destroys it.
 */
struct load_verifier *load_verifier_create(bool is_late);
void load_verifier_destroy(struct load_verifier *verifier);

/* Take one message. 0, or -ENOSPC or -ENOMEM when its key cannot be remembered. */
int load_verifier_take(struct load_verifier *verifier, const struct load_record *record);

/* Holes of one key. */
uint64_t load_verify_key_lost(const struct load_verify_key *key);
void load_verifier_total(const struct load_verifier *verifier, struct load_verify_total *total);
/* The keys in the order of their first message; NULL from `index` = number of keys on. */
const struct load_verify_key *load_verifier_key(const struct load_verifier *verifier, size_t index);
