/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/settle.h"

#define SETTLE_US 100 /* what a device has taken is on the wire */

uint32_t weir_fence_of(const struct rte_ring *ring)
{
	return __atomic_load_n(&ring->prod.tail, __ATOMIC_ACQUIRE);
}

bool weir_fence_is_passed(const struct rte_ring *ring, uint32_t fence)
{
	return (int32_t)(__atomic_load_n(&ring->cons.tail, __ATOMIC_ACQUIRE) - fence) >= 0;
}

void weir_settle_begin(struct weir_worker *worker, enum weir_settle_use use)
{
	for (uint32_t i = 0; i < worker->dataplane->port_count; i++) {
		struct weir_tx *tx = &worker->tx[i];

		tx->marks[use].passed = tx->passed + tx->count;
	}
	worker->settles[use].stage = WEIR_SETTLE_QUEUES;
}

static bool have_queues_passed(const struct weir_worker *worker, enum weir_settle_use use)
{
	for (uint32_t i = 0; i < worker->dataplane->port_count; i++) {
		const struct weir_tx *tx = &worker->tx[i];

		if ((int64_t)(tx->passed - tx->marks[use].passed) < 0)
			return false;
	}
	return true;
}

static void set_fences(struct weir_worker *worker, enum weir_settle_use use)
{
	for (uint32_t i = 0; i < worker->dataplane->port_count; i++) {
		struct weir_tx *tx = &worker->tx[i];

		if (tx->handoff != NULL)
			tx->marks[use].handoff = weir_fence_of(tx->handoff);
	}
}

static bool have_handoffs_passed(const struct weir_worker *worker, enum weir_settle_use use)
{
	for (uint32_t i = 0; i < worker->dataplane->port_count; i++) {
		const struct weir_tx *tx = &worker->tx[i];

		if (tx->handoff != NULL &&
			!weir_fence_is_passed(tx->handoff, tx->marks[use].handoff))
			return false;
	}
	return true;
}

bool weir_settle_is_done(struct weir_worker *worker, enum weir_settle_use use)
{
	struct weir_settle *settle = &worker->settles[use];

	if (settle->stage == WEIR_SETTLE_QUEUES) {
		if (!have_queues_passed(worker, use))
			return false;
		set_fences(worker, use);
		settle->stage = WEIR_SETTLE_HANDOFFS;
	}
	if (settle->stage == WEIR_SETTLE_HANDOFFS) {
		if (!have_handoffs_passed(worker, use))
			return false;
		settle->at = worker->now + SETTLE_US * worker->cycles_per_us;
		settle->stage = WEIR_SETTLE_DEVICES;
	}
	return (int64_t)(worker->now - settle->at) >= 0;
}
