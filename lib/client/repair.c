/* SPDX-License-Identifier: BSD-3-Clause */
#include "client/repair.h"

#include <stdlib.h>
#include <string.h>

static void list_join(struct weir_kept_list *list, struct weir_kept_list more)
{
	if (more.head == NULL)
		return;
	if (list->head == NULL)
		list->head = more.head;
	else
		list->tail->next = more.head;
	list->tail = more.tail;
}

/* Range i and the gap before it are no more. */
static void range_remove(struct weir_repair *repair, uint32_t i)
{
	uint32_t after = repair->count - i - 1;

	memmove(&repair->ranges[i], &repair->ranges[i + 1], after * sizeof(repair->ranges[0]));
	memmove(&repair->gaps[i], &repair->gaps[i + 1], (after + 1) * sizeof(repair->gaps[0]));
	repair->count--;
}

struct weir_kept *weir_kept_run(const struct weir_inbox_slice *slice)
{
	struct weir_kept *kept = malloc(sizeof(*kept) + weir_inbox_run_size(slice));

	if (kept == NULL)
		return NULL;
	kept->next = NULL;
	kept->run = (struct weir_inbox_run *)(void *)(kept + 1);
	weir_inbox_run_fill(kept->run, slice);
	return kept;
}

struct weir_kept *weir_kept_gap(uint64_t first, uint64_t end, uint16_t reason)
{
	struct weir_kept *kept = malloc(sizeof(*kept));

	if (kept != NULL)
		*kept = (struct weir_kept){.first = first, .end = end, .reason = reason};
	return kept;
}

uint64_t weir_repair_gap_first(const struct weir_repair *repair, uint64_t next_seq, uint32_t i)
{
	return i > 0 ? repair->ranges[i - 1].end : next_seq;
}

uint64_t weir_repair_gap_end(
	const struct weir_repair *repair, uint64_t next_seq, uint64_t top, uint32_t i)
{
	uint64_t first = weir_repair_gap_first(repair, next_seq, i);

	if (i < repair->count)
		return repair->ranges[i].first;
	return top > first ? top : first;
}

uint32_t weir_repair_find(const struct weir_repair *repair, uint64_t seq)
{
	uint32_t low = 0, high = repair->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (repair->ranges[middle].end > seq)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool weir_repair_insert(struct weir_repair *repair, uint32_t i, uint64_t first, uint64_t end,
	struct weir_kept_list kept)
{
	struct weir_repair_range *left = i > 0 ? &repair->ranges[i - 1] : NULL;
	struct weir_repair_range *right = i < repair->count ? &repair->ranges[i] : NULL;

	if (left != NULL && left->end == first) {
		list_join(&left->kept, kept);
		left->end = end;
		if (right == NULL || right->first != end)
			return true;
		list_join(&left->kept, right->kept);
		left->end = right->end;
		range_remove(repair, i);
		return true;
	}
	if (right != NULL && right->first == end) {
		list_join(&kept, right->kept);
		right->kept = kept;
		right->first = first;
		return true;
	}
	if (repair->count == WEIR_REPAIR_RANGES)
		return false;
	memmove(&repair->ranges[i + 1], &repair->ranges[i],
		(repair->count - i) * sizeof(repair->ranges[0]));
	/* Both parts of the gap were seen and asked for together. */
	memmove(&repair->gaps[i + 1], &repair->gaps[i],
		(repair->count - i + 1) * sizeof(repair->gaps[0]));
	repair->ranges[i] = (struct weir_repair_range){first, end, kept};
	repair->count++;
	return true;
}

struct weir_kept_list weir_repair_shift(struct weir_repair *repair)
{
	struct weir_kept_list kept = repair->ranges[0].kept;

	range_remove(repair, 0);
	return kept;
}
