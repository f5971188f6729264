/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Which worker has a thing that goes from one to another as a whole: a receive queue, a producer.
 * The control thread says who is to have it; who has it stops using it, waits until others have
 * taken what came of it (reassign.h), and passes it on; who is to have it takes it up.
 *
 *     had by A -> leaving -> passed to B -> had by B
 */

#define WEIR_TENURE_NOBODY 0x7fff /* as `wanted`: the thing is about to go */
#define WEIR_TENURE_PASSED 0x8000 /* bit of the owner: not taken up yet */

struct weir_tenure {
	_Atomic uint32_t state; /* who is to have it, << 16; who has it. See above */
	bool is_leaving;        /* the owner's */
	uint64_t generation;    /* written before it is passed on: of the snapshot that was used */
};

static inline uint32_t weir_tenure_state(uint16_t wanted, uint16_t owner)
{
	return (uint32_t)wanted << 16 | owner;
}

/* Nobody else knows of it yet. */
static inline void weir_tenure_init(struct weir_tenure *tenure, uint16_t owner, uint16_t wanted)
{
	atomic_store(&tenure->state, weir_tenure_state(wanted, owner));
	tenure->is_leaving = false;
	tenure->generation = 0;
}

static inline uint16_t weir_tenure_wanted(const struct weir_tenure *tenure)
{
	return (uint16_t)(atomic_load_explicit(&tenure->state, memory_order_acquire) >> 16);
}

/* The worker that has it, also while it leaves; above all of them while nobody does. */
static inline uint16_t weir_tenure_owner(const struct weir_tenure *tenure)
{
	return (uint16_t)atomic_load_explicit(&tenure->state, memory_order_acquire);
}

/* It is this worker's, to be used. */
static inline bool weir_tenure_is_used(const struct weir_tenure *tenure, uint16_t worker)
{
	return weir_tenure_owner(tenure) == worker && !tenure->is_leaving;
}

/* There is something to do for this worker. */
static inline bool weir_tenure_is_due(const struct weir_tenure *tenure, uint16_t worker)
{
	uint16_t wanted = weir_tenure_wanted(tenure), owner = weir_tenure_owner(tenure);

	return (owner == worker) != (wanted == worker) || owner == (worker | WEIR_TENURE_PASSED) ||
	       (owner == worker && tenure->is_leaving);
}

/* Control thread. Returns whose it is, or is to be taken up by, at that moment. */
static inline uint16_t weir_tenure_want(struct weir_tenure *tenure, uint16_t worker)
{
	uint32_t state = atomic_load(&tenure->state);

	while (!atomic_compare_exchange_weak(
		&tenure->state, &state, weir_tenure_state(worker, (uint16_t)state)))
		;
	return (uint16_t)state & (uint16_t)~WEIR_TENURE_PASSED;
}

/*
 * Its owner, which uses a snapshot of that generation, has done with it. False: it is about to go,
 * and stays where it is.
 */
static inline bool weir_tenure_pass(struct weir_tenure *tenure, uint64_t generation)
{
	uint32_t state = atomic_load(&tenure->state), next;

	tenure->is_leaving = false;
	tenure->generation = generation;
	do {
		uint16_t wanted = (uint16_t)(state >> 16);

		if (wanted == WEIR_TENURE_NOBODY)
			return false;
		next = weir_tenure_state(wanted, wanted | WEIR_TENURE_PASSED);
	} while (!atomic_compare_exchange_weak(&tenure->state, &state, next));
	return true;
}

/* True: it is this worker's from now on. One that has an older snapshot has to wait. */
static inline bool weir_tenure_take(
	struct weir_tenure *tenure, uint16_t worker, uint64_t generation)
{
	uint32_t state = atomic_load(&tenure->state);
	uint16_t wanted = (uint16_t)(state >> 16);

	if ((uint16_t)state != (worker | WEIR_TENURE_PASSED) || wanted == WEIR_TENURE_NOBODY)
		return false;
	/* It may be to go elsewhere by now; if that changes this moment, it is seen next time. */
	if (wanted != worker) {
		atomic_compare_exchange_strong(&tenure->state, &state,
			weir_tenure_state(wanted, wanted | WEIR_TENURE_PASSED));
		return false;
	}
	return tenure->generation <= generation &&
	       atomic_compare_exchange_strong(
		       &tenure->state, &state, weir_tenure_state(worker, worker));
}
