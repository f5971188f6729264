/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/match_plane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is needed only while one plane is made. */
struct work {
	const struct weir_match_input *input;
	const uint64_t *members;
	unsigned int words;
	uint64_t *bitmap;  /* scratch */
	uint64_t *decided; /* scratch: rules that no field still to come can refuse */
	struct weir_classes fields[WEIR_MATCH_FIELDS]; /* the members' classes of each field */
	uint16_t *maps[WEIR_MATCH_FIELDS];             /* to them, from the input's classes */
	struct weir_classes reached;                   /* classes of the fields so far together */
	uint64_t *cells;
};

static int take_cells(struct work *work, uint64_t count, uint16_t **table)
{
	if (count > *work->cells)
		return -E2BIG;
	*work->cells -= count;
	*table = malloc((size_t)count * sizeof(**table) + 1);
	return *table != NULL ? 0 : -ENOMEM;
}

/* decided = members that take any value of every field for which `is_open` is set. */
static void find_decided(struct work *work, const bool is_open[WEIR_MATCH_FIELDS])
{
	memcpy(work->decided, work->members, work->words * sizeof(*work->decided));
	for (unsigned int field = 0; field < WEIR_MATCH_FIELDS; field++)
		if (is_open[field])
			weir_bits_and(work->decided, work->input->any[field], work->words);
}

/*
 * Reduce the field's classes to the members. Behind a rule that no other field can refuse all
 * later rules are out of reach; leaving them out makes more values the same.
 */
static int project(struct work *work, unsigned int field)
{
	const struct weir_classes *from = &work->input->classes[field];
	bool is_open[WEIR_MATCH_FIELDS] = {true, true, true, true, true};
	int class = take_cells(work, from->count, &work->maps[field]);

	if (class < 0)
		return class;
	is_open[field] = false;
	find_decided(work, is_open);
	for (uint32_t i = 0; i < from->count && class >= 0; i++) {
		memcpy(work->bitmap, weir_classes_bitmap(from, i),
			work->words * sizeof(*work->bitmap));
		weir_bits_and(work->bitmap, work->members, work->words);
		weir_bits_cut(work->bitmap, work->decided, work->words);
		class = weir_classes_intern(&work->fields[field], work->bitmap);
		work->maps[field][i] = (uint16_t) class;
	}
	return class < 0 ? class : 0;
}

/* Combine the classes reached with those of the field. The last step gives rules, not classes. */
static int combine(struct work *work, unsigned int field, bool is_last, uint16_t *table)
{
	const struct weir_classes *with = &work->fields[field];
	struct weir_classes next;
	int status = 0;

	weir_classes_init(&next, work->words);
	for (uint32_t a = 0; a < work->reached.count && status >= 0; a++) {
		for (uint32_t b = 0; b < with->count && status >= 0; b++) {
			int result = weir_classes_common(&work->reached, a, with, b, work->bitmap);

			if (!is_last) {
				weir_bits_cut(work->bitmap, work->decided, work->words);
				result = status = weir_classes_intern(&next, work->bitmap);
			}
			/* -1 becomes WEIR_MATCH_NONE. */
			table[(size_t)a * with->count + b] = (uint16_t)result;
		}
	}
	weir_classes_free(&work->reached);
	work->reached = next;
	return status < 0 ? status : 0;
}

static bool is_identity(const uint16_t *map, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (map[i] != i)
			return false;
	return true;
}

/* The plane's next step takes over the field's map, and the table it makes. */
static int add_step(
	struct work *work, unsigned int field, bool is_last, struct weir_match_plane *plane)
{
	struct weir_match_step *step = &plane->steps[plane->step_count];
	uint32_t width = work->fields[field].count, count = work->input->classes[field].count;
	bool is_first = plane->step_count == 0;
	uint16_t *map = work->maps[field], *table = NULL;
	int status = take_cells(work, (uint64_t)work->reached.count * width, &table);

	if (status == 0)
		status = combine(work, field, is_last, table);
	if (status < 0) {
		free(table);
		return status;
	}
	*step = (struct weir_match_step){
		.map = map, .table = table, .width = width, .field = field};
	plane->step_count++;
	work->maps[field] = NULL;
	if (is_first) { /* from one class reached: the table has one row, so map and it are one */
		for (uint32_t i = 0; i < count; i++)
			map[i] = table[map[i]];
		free(table);
		step->table = NULL;
	}
	if ((!is_first || !is_last) && is_identity(map, count)) {
		free(map);
		step->map = NULL;
	}
	return 0;
}

/* Fields in which the members differ become `is_open`; the others only narrow `bitmap`. */
static int open_fields(struct work *work, bool is_open[WEIR_MATCH_FIELDS])
{
	for (unsigned int field = 0; field < WEIR_MATCH_FIELDS; field++) {
		int status = project(work, field);

		if (status < 0)
			return status;
		is_open[field] = work->fields[field].count > 1;
	}
	memcpy(work->bitmap, work->members, work->words * sizeof(*work->bitmap));
	for (unsigned int field = 0; field < WEIR_MATCH_FIELDS; field++)
		if (!is_open[field])
			weir_bits_and(work->bitmap, weir_classes_bitmap(&work->fields[field], 0),
				work->words);
	return 0;
}

static int build(struct work *work, struct weir_match_plane *plane)
{
	bool is_open[WEIR_MATCH_FIELDS];
	unsigned int left = 0;
	int status = open_fields(work, is_open);

	if (status < 0)
		return status;
	plane->rule = (uint16_t)weir_bits_first(work->bitmap, NULL, work->words);
	status = weir_classes_intern(&work->reached, work->bitmap);
	for (unsigned int field = 0; field < WEIR_MATCH_FIELDS; field++)
		left += is_open[field];
	if (left > 0)
		plane->rule = 0; /* the one class reached before the first step */
	for (unsigned int field = 0; field < WEIR_MATCH_FIELDS && status >= 0; field++) {
		if (!is_open[field])
			continue;
		is_open[field] = false;
		find_decided(work, is_open);
		status = add_step(work, field, --left == 0, plane);
	}
	return status < 0 ? status : 0;
}

int weir_match_plane_build(const struct weir_match_input *input, const uint64_t *members,
	struct weir_match_plane *plane, uint64_t *cells)
{
	struct work work = {
		.input = input,
		.members = members,
		.words = input->words,
		.bitmap = calloc(input->words, sizeof(uint64_t)),
		.decided = calloc(input->words, sizeof(uint64_t)),
		.cells = cells,
	};
	int status = -ENOMEM;

	weir_classes_init(&work.reached, work.words);
	for (unsigned int field = 0; field < WEIR_MATCH_FIELDS; field++)
		weir_classes_init(&work.fields[field], work.words);
	if (work.bitmap != NULL && work.decided != NULL)
		status = build(&work, plane);
	for (unsigned int field = 0; field < WEIR_MATCH_FIELDS; field++) {
		weir_classes_free(&work.fields[field]);
		free(work.maps[field]);
	}
	weir_classes_free(&work.reached);
	free(work.bitmap);
	free(work.decided);
	return status;
}

void weir_match_plane_free(struct weir_match_plane *plane)
{
	for (uint32_t i = 0; i < plane->step_count; i++) {
		free((void *)plane->steps[i].map);
		free((void *)plane->steps[i].table);
	}
	plane->step_count = 0;
}
