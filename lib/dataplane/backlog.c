/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/backlog.h"

#include "dataplane/snapshot.h"

/* Fields of a worker's that this thread only looks at. */
#define PEEK(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)

static void add_lanes(const struct weir_stream_view *view,
	const struct weir_attachment_view *attachment, struct weir_backlog *by_slot)
{
	const struct weir_stream *stream = view->stream;

	for (uint16_t i = 0; i < stream->partition_count; i++) {
		const struct weir_consumer *consumer =
			atomic_load(&attachment->attachment->owners[i]);
		uint64_t cursor, head;

		if (consumer == NULL)
			continue;
		/* The cursor first: it never passes the head that is read after it. */
		cursor = PEEK(attachment->attachment->lanes[i].cursor);
		head = PEEK(stream->partitions[i].head);
		by_slot[consumer->slot].waiting += head > cursor ? head - cursor : 0;
	}
}

static void add_outlets(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_backlog *backlog)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		const struct weir_outlet *outlet = &consumer->outlets[id];
		uint8_t gate = PEEK(outlet->gate);

		backlog->flying += PEEK(outlet->flying);
		backlog->window += PEEK(outlet->window.limit);
		backlog->delivered += PEEK(outlet->stats.delivered);
		backlog->moved += PEEK(outlet->l3_bytes);
		if (backlog->gate == WEIR_GATE_OPEN)
			backlog->gate = gate;
		for (int tier = 0; tier < WEIR_TIERS; tier++)
			backlog->is_behind |= PEEK(outlet->queues[tier].is_behind);
	}
}

void weir_backlog_take(const struct weir_dataplane *dataplane, struct weir_backlog *by_slot)
{
	const struct weir_snapshot *snapshot = dataplane->published;

	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		for (uint32_t j = 0; j < snapshot->streams[i].attachment_count; j++)
			add_lanes(&snapshot->streams[i], &snapshot->streams[i].attachments[j],
				by_slot);
	for (uint32_t slot = 0; slot < WEIR_MAX_CONSUMERS; slot++)
		if (snapshot->consumers[slot] != NULL)
			add_outlets(dataplane, snapshot->consumers[slot], &by_slot[slot]);
}
