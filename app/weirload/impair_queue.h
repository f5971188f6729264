/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Things that wait for their times, as a binary heap; those of the same time leave in the order
 * in which they were put. Pure; one thread.
 */
struct load_queue_entry {
	uint64_t due_ns;
	uint64_t order;
	void *thing; /* not owned */
};

struct load_queue {
	struct load_queue_entry *entries;
	size_t count;
	size_t room;
	uint64_t order; /* of the next one put */
};

/* `room`: so many fit, at least 1. 0 or -ENOMEM. */
int load_queue_init(struct load_queue *queue, size_t room);
void load_queue_free(struct load_queue *queue);
/* 0, or -ENOSPC when it is full. */
int load_queue_put(struct load_queue *queue, uint64_t due_ns, void *thing);
/* The one to leave first, if it is due by now; else NULL. */
void *load_queue_take(struct load_queue *queue, uint64_t now_ns);
/* When the first is due; UINT64_MAX when there is none. */
uint64_t load_queue_next(const struct load_queue *queue);
