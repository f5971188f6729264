/* SPDX-License-Identifier: BSD-3-Clause */
#include "impair_queue.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

static bool is_before(const struct load_queue_entry *a, const struct load_queue_entry *b)
{
	return a->due_ns < b->due_ns || (a->due_ns == b->due_ns && a->order < b->order);
}

/* Let what is missing at the root be filled by `last`, from above. */
static void sift_down(struct load_queue *queue, struct load_queue_entry last)
{
	size_t place = 0;

	for (size_t child = 1; child < queue->count; child = 2 * place + 1) {
		if (child + 1 < queue->count &&
			is_before(&queue->entries[child + 1], &queue->entries[child]))
			child++;
		if (!is_before(&queue->entries[child], &last))
			break;
		queue->entries[place] = queue->entries[child];
		place = child;
	}
	queue->entries[place] = last;
}

int load_queue_init(struct load_queue *queue, size_t room)
{
	*queue = (struct load_queue){
		.entries = calloc(room, sizeof(*queue->entries)),
		.room = room,
	};
	return queue->entries != NULL ? 0 : -ENOMEM;
}

void load_queue_free(struct load_queue *queue)
{
	free(queue->entries);
	queue->entries = NULL;
}

int load_queue_put(struct load_queue *queue, uint64_t due_ns, void *thing)
{
	struct load_queue_entry entry = {due_ns, queue->order, thing};
	size_t place = queue->count;

	if (queue->count == queue->room)
		return -ENOSPC;
	queue->count++;
	queue->order++;
	while (place > 0 && is_before(&entry, &queue->entries[(place - 1) / 2])) {
		queue->entries[place] = queue->entries[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	queue->entries[place] = entry;
	return 0;
}

void *load_queue_take(struct load_queue *queue, uint64_t now_ns)
{
	void *thing;

	if (queue->count == 0 || queue->entries[0].due_ns > now_ns)
		return NULL;
	thing = queue->entries[0].thing;
	queue->count--;
	if (queue->count > 0)
		sift_down(queue, queue->entries[queue->count]);
	return thing;
}

uint64_t load_queue_next(const struct load_queue *queue)
{
	return queue->count > 0 ? queue->entries[0].due_ns : UINT64_MAX;
}
