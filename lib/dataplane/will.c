/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/will.h"

#include "dataplane/worker.h"

_Static_assert(sizeof(struct weir_will_session) == 64, "a line");
_Static_assert(sizeof(struct weir_will_lane) == 128, "a line for each writer");

void weir_will_open(const struct weir_dataplane *dataplane, struct weir_consumer *consumer)
{
	struct weir_will_session *will = consumer->will;

	if (will == NULL || consumer->seal.is_on)
		return;
	will->liveness_ns =
		weir_dataplane_config(dataplane)->native.liveness_ms * UINT64_C(1000000);
	will->max_datagram = consumer->max_datagram;
	will->wants_source = consumer->wants_source;
	atomic_store(&will->is_paused, atomic_load(&consumer->has_paused) ||
					       (atomic_load(&consumer->closed) & WEIR_CLOSED_PEER));
	atomic_store(&will->session, consumer->session);
}

/* 0: nobody may be sent anything of the lane. */
static uint64_t session_of(const struct weir_lane *lane)
{
	const struct weir_consumer *consumer =
		lane->outlet != NULL && !lane->is_draining ? lane->outlet->consumer : NULL;

	return consumer != NULL && !consumer->seal.is_on ? consumer->session : 0;
}

void weir_will_write(const struct weir_worker *worker, const struct weir_lane *lane)
{
	struct weir_will_lane *will = atomic_load_explicit(&lane->will, memory_order_acquire);
	uint64_t session = session_of(lane);

	if (will == NULL)
		return;
	atomic_store(&will->session, 0);
	will->first = lane->wire.first;
	will->messages = lane->wire.messages;
	will->bytes = lane->wire.bytes;
	will->next = lane->partition->head;
	will->epoch = lane->wire.epoch;
	will->stream = lane->wire.stream;
	will->partition = lane->wire.partition;
	will->deadline_us = (uint32_t)RTE_MIN(
		lane->partition->deadline / worker->cycles_per_us, (uint64_t)UINT32_MAX);
	will->consumer = session != 0 ? lane->outlet->consumer->slot : 0;
	if ((will->sent | will->sent_bytes) != 0) {
		will->sent = 0;
		will->sent_bytes = 0;
	}
	atomic_store(&will->session, session);
}
