/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/publish.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* A set, and how many hold it: the publisher while it is the newest, and each borrower. */
struct slot {
	struct weir_samples samples; /* first: a set's address is its slot's */
	uint32_t holders;
};

struct weir_publisher {
	pthread_mutex_t lock; /* of what follows; held for a few instructions */
	struct slot *newest;
	struct slot *spare; /* one that nobody holds, for its memory */
};

int weir_publisher_create(struct weir_publisher **publisher)
{
	*publisher = calloc(1, sizeof(**publisher));
	if (*publisher == NULL)
		return -ENOMEM;
	pthread_mutex_init(&(*publisher)->lock, NULL);
	return 0;
}

static void free_slot(struct slot *slot)
{
	if (slot == NULL)
		return;
	weir_samples_free(&slot->samples);
	free(slot);
}

void weir_publisher_destroy(struct weir_publisher *publisher)
{
	if (publisher == NULL)
		return;
	free_slot(publisher->newest);
	free_slot(publisher->spare);
	pthread_mutex_destroy(&publisher->lock);
	free(publisher);
}

struct weir_samples *weir_publisher_begin(struct weir_publisher *publisher)
{
	struct slot *slot;

	pthread_mutex_lock(&publisher->lock);
	slot = publisher->spare;
	publisher->spare = NULL;
	pthread_mutex_unlock(&publisher->lock);
	if (slot == NULL)
		slot = calloc(1, sizeof(*slot));
	if (slot == NULL)
		return NULL;
	weir_samples_reset(&slot->samples);
	return &slot->samples;
}

/* Let go of it; what is left over is returned, to be freed outside of the lock. */
static struct slot *release(struct weir_publisher *publisher, struct slot *slot)
{
	if (slot == NULL || --slot->holders != 0)
		return NULL;
	if (publisher->spare != NULL)
		return slot;
	publisher->spare = slot;
	return NULL;
}

int weir_publisher_commit(struct weir_publisher *publisher, struct weir_samples *samples)
{
	struct slot *slot = (struct slot *)samples;
	struct slot *surplus;

	if (samples->has_failed) {
		free_slot(slot);
		return -ENOMEM;
	}
	slot->holders = 1;
	pthread_mutex_lock(&publisher->lock);
	surplus = release(publisher, publisher->newest);
	publisher->newest = slot;
	pthread_mutex_unlock(&publisher->lock);
	free_slot(surplus);
	return 0;
}

const struct weir_samples *weir_publisher_borrow(struct weir_publisher *publisher)
{
	struct slot *slot;

	pthread_mutex_lock(&publisher->lock);
	slot = publisher->newest;
	if (slot != NULL)
		slot->holders++;
	pthread_mutex_unlock(&publisher->lock);
	return slot != NULL ? &slot->samples : NULL;
}

void weir_publisher_return(struct weir_publisher *publisher, const struct weir_samples *samples)
{
	struct slot *slot = (struct slot *)(uintptr_t)samples;
	struct slot *surplus;

	pthread_mutex_lock(&publisher->lock);
	surplus = release(publisher, slot);
	pthread_mutex_unlock(&publisher->lock);
	free_slot(surplus);
}
