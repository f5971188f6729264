/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/shed.h"

#include <string.h>

#include "dataplane/worker.h"

#define RISE         (WEIR_SHED_ALL / 8)
#define FALL         (WEIR_SHED_ALL / 16)
#define FULL         (WEIR_BURST * 7 / 8)
#define CONFIRMATION 2 /* milliseconds: one full look may be a burst that came while it slept */

static void raise(uint32_t *share)
{
	*share = RTE_MIN(*share + RISE, (uint32_t)WEIR_SHED_ALL);
}

static void lower(uint32_t *share)
{
	*share -= RTE_MIN(*share, (uint32_t)FALL);
}

void weir_shed_adjust(struct weir_shed *shed, bool is_overloaded, const uint64_t comes[WEIR_TIERS])
{
	uint32_t *standard = &shed->share[WEIR_TIER_STANDARD];
	uint32_t *bulk = &shed->share[WEIR_TIER_BULK];

	if (is_overloaded && *bulk < WEIR_SHED_ALL &&
		comes[WEIR_TIER_CRITICAL] + comes[WEIR_TIER_STANDARD] != 0)
		raise(bulk);
	else if (is_overloaded && *bulk == WEIR_SHED_ALL && comes[WEIR_TIER_CRITICAL] != 0)
		raise(standard);
	else if (!is_overloaded && *standard != 0)
		lower(standard);
	else if (!is_overloaded)
		lower(bulk);
	shed->is_on = *standard != 0 || *bulk != 0;
}

static void count(const struct weir_worker *worker, uint64_t received[WEIR_TIERS])
{
	const struct weir_snapshot *snapshot = worker->snapshot;

	memset(received, 0, WEIR_TIERS * sizeof(*received));
	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		received[snapshot->streams[i].tier] +=
			snapshot->streams[i].stream->local[worker->id].stats.received;
}

/* Only when it matters: there may be thousands of streams. */
static void look(struct weir_worker *worker, uint64_t comes[WEIR_TIERS])
{
	uint64_t received[WEIR_TIERS];

	count(worker, received);
	/* A stream that went away took its count along. */
	for (int tier = 0; tier < WEIR_TIERS; tier++)
		comes[tier] = received[tier] > worker->shed.received[tier]
				      ? received[tier] - worker->shed.received[tier]
				      : 0;
	memcpy(worker->shed.received, received, sizeof(received));
}

void weir_shed_tick(struct weir_worker *worker)
{
	struct weir_shed *shed = &worker->shed;
	bool is_full = shed->loops != 0 && shed->packets >= (uint64_t)FULL * shed->loops;
	uint64_t comes[WEIR_TIERS] = {0};

	shed->loops = 0;
	shed->packets = 0;
	shed->overloads = is_full ? RTE_MIN(shed->overloads + 1, (uint32_t)CONFIRMATION) : 0;
	if (is_full)
		look(worker, comes);
	if (is_full || shed->is_on)
		weir_shed_adjust(shed, shed->overloads >= CONFIRMATION, comes);
	/* A pool is nearly empty: what comes of bulk would hold more of it. */
	if (atomic_load_explicit(&worker->dataplane->shed_bulk, memory_order_relaxed)) {
		shed->share[WEIR_TIER_BULK] = WEIR_SHED_ALL;
		shed->is_on = true;
	}
}
