/* SPDX-License-Identifier: BSD-3-Clause */
#include "places.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024 /* power of two */
#define MAX_LANES   4096
#define NAME_SIZE   32

/* Two numbers under a key of two. Open addressing, at most half full. */
struct slot {
	uint64_t key[2];
	uint64_t value[2];
	bool is_used;
};

struct table {
	struct slot *slots;
	size_t size; /* power of two */
	size_t count;
};

struct lane {
	char stream[NAME_SIZE];
	uint16_t partition;
	uint32_t epoch;
	bool is_seeking; /* until a higher epoch */
	uint64_t next;
	uint64_t told;
};

struct load_places {
	struct lane *lanes;    /* MAX_LANES */
	struct table messages; /* lane, sequence: run and key, the sender's sequence */
	struct table keys;     /* run and key, 0: next of the sender's sequences, told by then */
	struct load_places_total total;
	struct load_places_hole holes[LOAD_PLACES_HOLES];
};

static size_t hash(const uint64_t *key)
{
	uint64_t mixed = key[0] * 0x9e3779b97f4a7c15ull ^ key[1] * 0xc2b2ae3d27d4eb4full;

	return (size_t)((mixed ^ mixed >> 29) * 0x9e3779b97f4a7c15ull >> 20);
}

/* The slot of this key, or the free one where it belongs. */
static struct slot *table_find(const struct table *table, const uint64_t *key)
{
	for (size_t at = hash(key);; at++) {
		struct slot *slot = &table->slots[at & (table->size - 1)];

		if (!slot->is_used || memcmp(slot->key, key, sizeof(slot->key)) == 0)
			return slot;
	}
}

static int table_grow(struct table *table)
{
	struct table larger = {
		.size = table->size == 0 ? FIRST_SLOTS : table->size * 2, .count = table->count};

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (larger.slots == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < table->size; i++)
		if (table->slots[i].is_used)
			*table_find(&larger, table->slots[i].key) = table->slots[i];
	free(table->slots);
	*table = larger;
	return 0;
}

/* The slot of this key, `is_used` false when it is new; NULL when there is no room for it. */
static struct slot *table_enter(struct table *table, uint64_t first, uint64_t second)
{
	const uint64_t key[2] = {first, second};
	struct slot *slot;

	if (table->count == LOAD_PLACES_MAX ||
		(table->count == table->size / 2 && table_grow(table) < 0))
		return NULL;
	slot = table_find(table, key);
	if (!slot->is_used) {
		memcpy(slot->key, key, sizeof(slot->key));
		table->count++;
	}
	return slot;
}

static struct lane *lane_find(struct load_places *places, const struct load_place *place)
{
	struct lane *lane = places->lanes;

	for (; lane < places->lanes + places->total.lanes; lane++)
		if (lane->partition == place->partition &&
			strncmp(lane->stream, place->stream, NAME_SIZE - 1) == 0)
			return lane;
	if (places->total.lanes == MAX_LANES)
		return NULL;
	places->total.lanes++;
	strncpy(lane->stream, place->stream, NAME_SIZE - 1);
	lane->partition = place->partition;
	lane->epoch = place->epoch;
	lane->next = place->sequence - place->missed;
	return lane;
}

/* Does its number follow from the one before? */
static void check_sequence(
	struct load_places *places, struct lane *lane, const struct load_place *place)
{
	if (lane->is_seeking && place->epoch > lane->epoch)
		lane->next = place->sequence - place->missed;
	if (place->epoch > lane->epoch)
		lane->is_seeking = false;
	lane->epoch = place->epoch;
	lane->told += place->missed;
	places->total.told += place->missed;
	if (place->sequence > lane->next + place->missed)
		places->total.silent += place->sequence - place->missed - lane->next;
	else if (place->sequence < lane->next)
		places->total.back++;
	lane->next = place->sequence + 1;
}

/* Was its number another's? */
static void check_content(struct load_places *places, const struct lane *lane,
	const struct load_place *place, const struct load_record *record)
{
	uint64_t who = (uint64_t)record->run << 32 | record->key;
	struct slot *slot =
		table_enter(&places->messages, (uint64_t)(lane - places->lanes), place->sequence);

	if (slot == NULL) {
		places->total.untracked++;
	} else if (!slot->is_used) {
		slot->is_used = true;
		slot->value[0] = who;
		slot->value[1] = record->sequence;
	} else if (slot->value[0] == who && slot->value[1] == record->sequence) {
		places->total.repeats++;
	} else {
		places->total.conflicts++;
	}
}

static void note_hole(
	struct load_places *places, const struct load_record *record, uint64_t messages)
{
	if (places->total.holes < LOAD_PLACES_HOLES)
		places->holes[places->total.holes] =
			(struct load_places_hole){record->sent_ns, messages};
	places->total.holes++;
	places->total.unexplained += messages;
}

/* Was what the sender numbered before it told as missed? */
static void check_hole(
	struct load_places *places, const struct lane *lane, const struct load_record *record)
{
	struct slot *slot =
		table_enter(&places->keys, (uint64_t)record->run << 32 | record->key, 0);

	if (slot == NULL) {
		places->total.untracked++;
		return;
	}
	if (record->sequence > slot->value[0] && slot->value[1] == lane->told && slot->is_used)
		note_hole(places, record, record->sequence - slot->value[0]);
	if (record->sequence >= slot->value[0])
		slot->value[0] = record->sequence + 1;
	slot->value[1] = lane->told;
	slot->is_used = true;
}

struct load_places *load_places_create(void)
{
	struct load_places *places = calloc(1, sizeof(*places));

	if (places == NULL)
		return NULL;
	places->lanes = calloc(MAX_LANES, sizeof(*places->lanes));
	if (places->lanes == NULL || table_grow(&places->messages) < 0 ||
		table_grow(&places->keys) < 0) {
		load_places_destroy(places);
		return NULL;
	}
	return places;
}

void load_places_destroy(struct load_places *places)
{
	if (places == NULL)
		return;
	free(places->messages.slots);
	free(places->keys.slots);
	free(places->lanes);
	free(places);
}

void load_places_take(struct load_places *places, const struct load_place *place,
	const struct load_record *record)
{
	struct lane *lane = lane_find(places, place);

	if (lane == NULL) {
		places->total.untracked++;
		return;
	}
	check_sequence(places, lane, place);
	check_content(places, lane, place, record);
	check_hole(places, lane, record);
}

void load_places_seek(struct load_places *places)
{
	for (size_t i = 0; i < places->total.lanes; i++)
		places->lanes[i].is_seeking = true;
}

void load_places_total(const struct load_places *places, struct load_places_total *total)
{
	*total = places->total;
}

const struct load_places_hole *load_places_hole(const struct load_places *places, size_t index)
{
	return index < places->total.holes && index < LOAD_PLACES_HOLES ? &places->holes[index]
									: NULL;
}
