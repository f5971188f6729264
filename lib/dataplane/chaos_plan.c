/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/chaos.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/publish.h"
#include "dataplane/worker.h"

/* The control thread's half of injected faults. */

#define TAKE_BURST 64

const struct weir_chaos_about weir_chaos_about[WEIR_CHAOS_COUNT] = {
#define X(id, name, takes, text) [WEIR_CHAOS_##id] = {name, takes, text},
	WEIR_CHAOS_FAULTS(X)
#undef X
};

/* Each worker's state, once. */
static int prepare(struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		struct weir_worker *worker = &dataplane->workers[id];
		struct weir_chaos_state *state;

		if (worker->chaos_state != NULL)
			continue;
		state = calloc(1, sizeof(*state));
		if (state == NULL)
			return -ENOMEM;
		state->drawn = calloc(dataplane->port_count, sizeof(*state->drawn));
		if (state->drawn == NULL) {
			free(state);
			return -ENOMEM;
		}
		worker->chaos_state = state;
	}
	return 0;
}

static bool is_empty(const struct weir_chaos_plan *plan)
{
	for (int kind = 0; kind < WEIR_CHAOS_COUNT; kind++)
		if (plan->faults[kind].id != 0)
			return false;
	return true;
}

int weir_chaos_set(struct weir_dataplane *dataplane, enum weir_chaos_kind kind,
	const struct weir_chaos_fault *fault)
{
	const struct weir_chaos_plan *old = atomic_load(&dataplane->chaos);
	struct weir_chaos_plan *plan;

	if (old == NULL && fault == NULL)
		return 0;
	plan = calloc(1, sizeof(*plan));
	if (plan == NULL || prepare(dataplane) < 0) {
		free(plan);
		return -ENOMEM;
	}
	if (old != NULL)
		*plan = *old;
	plan->faults[kind] = fault != NULL ? *fault : (struct weir_chaos_fault){0};
	if (is_empty(plan)) {
		free(plan);
		plan = NULL;
	}
	atomic_store_explicit(&dataplane->chaos, plan, memory_order_release);
	weir_retire(dataplane, free, (void *)(uintptr_t)old);
	return 0;
}

uint64_t weir_chaos_count(const struct weir_dataplane *dataplane, enum weir_chaos_kind kind)
{
	uint64_t sum = 0;

	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		if (dataplane->workers[id].chaos_state != NULL)
			sum += __atomic_load_n(&dataplane->workers[id].chaos_state->counts[kind],
				__ATOMIC_RELAXED);
	return sum;
}

uint64_t weir_chaos_held(const struct weir_dataplane *dataplane)
{
	uint64_t sum = 0;

	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		if (dataplane->workers[id].chaos_state != NULL)
			sum += atomic_load(&dataplane->workers[id].chaos_state->held);
	return sum;
}

uint32_t weir_chaos_take(struct weir_dataplane *dataplane, double percent)
{
	uint32_t wanted = (uint32_t)(dataplane->buffers->size * percent / 100);
	void **taken = wanted != 0 ? calloc(wanted, sizeof(*taken)) : NULL;
	uint32_t count = 0;

	weir_chaos_give_back(dataplane);
	if (taken == NULL)
		return 0;
	while (count < wanted) {
		uint32_t burst = RTE_MIN(wanted - count, (uint32_t)TAKE_BURST);

		if (rte_mempool_get_bulk(dataplane->buffers, taken + count, burst) < 0)
			break;
		count += burst;
	}
	dataplane->chaos_taken = taken;
	dataplane->chaos_taken_count = count;
	return count;
}

void weir_chaos_give_back(struct weir_dataplane *dataplane)
{
	for (uint32_t i = 0; i < dataplane->chaos_taken_count; i += TAKE_BURST)
		rte_mempool_put_bulk(dataplane->buffers, dataplane->chaos_taken + i,
			RTE_MIN(dataplane->chaos_taken_count - i, (uint32_t)TAKE_BURST));
	free(dataplane->chaos_taken);
	dataplane->chaos_taken = NULL;
	dataplane->chaos_taken_count = 0;
}

void weir_chaos_free(struct weir_dataplane *dataplane)
{
	weir_chaos_give_back(dataplane);
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		struct weir_chaos_state *state = dataplane->workers[id].chaos_state;

		if (state != NULL)
			free(state->drawn);
		free(state);
		dataplane->workers[id].chaos_state = NULL;
	}
	free((void *)(uintptr_t)atomic_load(&dataplane->chaos));
	atomic_store(&dataplane->chaos, NULL);
}
