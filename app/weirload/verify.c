/* SPDX-License-Identifier: BSD-3-Clause */
#include "verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024 /* power of two */
#define MAX_RUNS    64   /* told apart in the total */

struct load_verifier {
	struct load_verify_key **keys; /* in the order of their first message */
	size_t count;
	uint32_t *slots;   /* hash table, at most half full: index into `keys` plus one, or 0 */
	size_t slot_count; /* power of two; room for half as many keys */
	uint64_t untracked;
	uint64_t gap_end_ns;
	uint32_t runs[MAX_RUNS];
	size_t run_count; /* stops at MAX_RUNS */
	bool is_late;
};

static size_t hash(uint32_t run, uint32_t key)
{
	uint64_t mixed = ((uint64_t)run << 32 | key) * 0x9e3779b97f4a7c15ull;

	return (size_t)(mixed >> 32);
}

/* The slot of this key, or the free one where it belongs. */
static uint32_t *find_slot(const struct load_verifier *verifier, uint32_t run, uint32_t key)
{
	size_t at = hash(run, key);

	for (;; at++) {
		uint32_t *slot = &verifier->slots[at & (verifier->slot_count - 1)];
		const struct load_verify_key *other;

		if (*slot == 0)
			return slot;
		other = verifier->keys[*slot - 1];
		if (other->run == run && other->key == key)
			return slot;
	}
}

static int grow(struct load_verifier *verifier)
{
	size_t slot_count = verifier->slot_count == 0 ? FIRST_SLOTS : verifier->slot_count * 2;
	uint32_t *slots = calloc(slot_count, sizeof(*slots));
	struct load_verify_key **keys;

	keys = realloc(verifier->keys, slot_count / 2 * sizeof(struct load_verify_key *));
	if (keys != NULL)
		verifier->keys = keys;
	if (slots == NULL || keys == NULL) {
		free(slots);
		return -ENOMEM;
	}
	free(verifier->slots);
	verifier->slots = slots;
	verifier->slot_count = slot_count;
	for (size_t i = 0; i < verifier->count; i++)
		*find_slot(verifier, keys[i]->run, keys[i]->key) = (uint32_t)i + 1;
	return 0;
}

static void note_run(struct load_verifier *verifier, uint32_t run)
{
	for (size_t i = 0; i < verifier->run_count; i++)
		if (verifier->runs[i] == run)
			return;
	if (verifier->run_count < MAX_RUNS)
		verifier->runs[verifier->run_count++] = run;
}

/* A key's first message. */
static int add_key(struct load_verifier *verifier, const struct load_record *record,
	struct load_verify_key **added)
{
	struct load_verify_key *key;

	if (verifier->count == LOAD_VERIFY_KEYS)
		return -ENOSPC;
	if (verifier->count == verifier->slot_count / 2 && grow(verifier) < 0)
		return -ENOMEM;
	key = calloc(1, sizeof(*key));
	if (key == NULL)
		return -ENOMEM;
	key->run = record->run;
	key->key = record->key;
	key->first = verifier->is_late ? record->sequence : 0;
	key->next = key->first;
	verifier->keys[verifier->count] = key;
	*find_slot(verifier, key->run, key->key) = (uint32_t)++verifier->count;
	note_run(verifier, key->run);
	*added = key;
	return 0;
}

static uint64_t *window_word(struct load_verify_key *key, uint64_t sequence)
{
	return &key->window[sequence % LOAD_VERIFY_WINDOW / 64];
}

static uint64_t window_bit(uint64_t sequence)
{
	return 1ull << (sequence % 64);
}

/* The oldest sequence of which the window knows whether it came. */
static uint64_t window_begin(const struct load_verify_key *key)
{
	if (key->next - key->first <= LOAD_VERIFY_WINDOW)
		return key->first;
	return key->next - LOAD_VERIFY_WINDOW;
}

/* Holes in the window. Bits of sequences that it does not cover are clear. */
static uint64_t window_unseen(const struct load_verify_key *key)
{
	uint64_t unseen = key->next - window_begin(key);

	for (size_t i = 0; i < LOAD_VERIFY_WINDOW / 64; i++)
		unseen -= (uint64_t)__builtin_popcountll(key->window[i]);
	return unseen;
}

/* Move the window until `sequence` is its newest, as yet unseen. */
static void advance(struct load_verify_key *key, uint64_t sequence)
{
	uint64_t skipped = sequence - key->next;

	if (skipped > 0)
		key->gaps++;
	/* Nothing of the old window remains: all but its newest place are skipped ones. */
	if (skipped >= LOAD_VERIFY_WINDOW) {
		key->forgotten += window_unseen(key) + skipped - (LOAD_VERIFY_WINDOW - 1);
		memset(key->window, 0, sizeof(key->window));
		key->next = sequence + 1;
		return;
	}
	for (; key->next <= sequence; key->next++) {
		uint64_t *word = window_word(key, key->next);
		uint64_t bit = window_bit(key->next);

		if (key->next - key->first >= LOAD_VERIFY_WINDOW && !(*word & bit))
			key->forgotten++;
		*word &= ~bit;
	}
}

struct load_verifier *load_verifier_create(bool is_late)
{
	struct load_verifier *verifier = calloc(1, sizeof(*verifier));

	if (verifier == NULL)
		return NULL;
	verifier->is_late = is_late;
	if (grow(verifier) < 0) {
		load_verifier_destroy(verifier);
		return NULL;
	}
	return verifier;
}

void load_verifier_destroy(struct load_verifier *verifier)
{
	if (verifier == NULL)
		return;
	for (size_t i = 0; i < verifier->count; i++)
		free(verifier->keys[i]);
	free(verifier->keys);
	free(verifier->slots);
	free(verifier);
}

int load_verifier_take(struct load_verifier *verifier, const struct load_record *record)
{
	uint32_t slot = *find_slot(verifier, record->run, record->key);
	uint64_t sequence = record->sequence;
	struct load_verify_key *key;
	int error;

	if (slot != 0) {
		key = verifier->keys[slot - 1];
	} else {
		error = add_key(verifier, record, &key);
		if (error < 0) {
			verifier->untracked++;
			return error;
		}
	}
	key->received++;
	if (sequence >= key->next) {
		if (sequence > key->next && record->sent_ns > verifier->gap_end_ns)
			verifier->gap_end_ns = record->sent_ns;
		advance(key, sequence);
	} else if (sequence < window_begin(key)) {
		key->stale++;
		return 0;
	} else if (*window_word(key, sequence) & window_bit(sequence)) {
		key->duplicates++;
		return 0;
	} else {
		key->reordered++;
	}
	*window_word(key, sequence) |= window_bit(sequence);
	return 0;
}

uint64_t load_verify_key_lost(const struct load_verify_key *key)
{
	return key->forgotten + window_unseen(key);
}

void load_verifier_total(const struct load_verifier *verifier, struct load_verify_total *total)
{
	*total = (struct load_verify_total){
		.keys = verifier->count,
		.runs = verifier->run_count,
		.untracked = verifier->untracked,
		.gap_end_ns = verifier->gap_end_ns,
	};
	for (size_t i = 0; i < verifier->count; i++) {
		const struct load_verify_key *key = verifier->keys[i];

		total->received += key->received;
		total->lost += load_verify_key_lost(key);
		total->duplicates += key->duplicates;
		total->reordered += key->reordered;
		total->stale += key->stale;
		total->gaps += key->gaps;
	}
}

const struct load_verify_key *load_verifier_key(const struct load_verifier *verifier, size_t index)
{
	return index < verifier->count ? verifier->keys[index] : NULL;
}
