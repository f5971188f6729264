/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/produce.h"

#include "dataplane/native_wire.h"

/* Producers' datagrams on the worker that receives them and on the one that owns the producer. */

static const struct weir_producer_view *find(const struct weir_worker *worker, uint64_t session)
{
	uint32_t index = weir_session_slot(session) - (uint32_t)WEIR_SLOT_PRODUCERS;
	const struct weir_producer_view *view;

	if (index >= WEIR_MAX_PRODUCERS)
		return NULL;
	view = &worker->snapshot->producers[index];
	return view->producer != NULL && view->producer->session == session ? view : NULL;
}

static void take_produce(struct weir_worker *worker, const struct weir_producer_view *view,
	const struct weir_frame_produce *frame)
{
	struct weir_produce_cursor cursor;
	struct weir_produce_item item;
	const struct weir_produce_arrival arrival = {frame, &item};

	if (!weir_produce_begin(worker, view->producer, frame))
		return;
	weir_produce_open(&cursor, frame);
	while (weir_produce_next(&cursor, &item))
		weir_produce_message(worker, view, &arrival);
	/* What was given up may have made way for what came before. */
	weir_produce_release(worker, view);
}

static void take_frames(struct weir_worker *worker, const struct weir_producer_view *view,
	struct weir_frame_cursor *cursor)
{
	const struct weir_frame_header *frame;

	/* Its stream is gone: the session is about to end. */
	if (view->stream == NULL)
		return;
	view->producer->record->stats.datagrams++;
	while ((frame = weir_frame_next(cursor)) != NULL)
		if (frame->type == WEIR_FRAME_PRODUCE) {
			take_produce(worker, view, (const struct weir_frame_produce *)frame);
			weir_produce_touch(worker, view->producer, view->producer->is_urgent);
		}
}

void weir_produce_take(struct weir_worker *worker, struct weir_frame_cursor *cursor)
{
	const struct weir_producer_view *view = find(worker, cursor->session);

	if (view != NULL && weir_tenure_is_used(&view->producer->tenure, worker->id))
		take_frames(worker, view, cursor);
}

/* What a datagram holds, without moving the cursor. */
static void look(struct weir_frame_cursor cursor, bool *has_messages, bool *is_for_control)
{
	const struct weir_frame_header *frame;

	while ((frame = weir_frame_next(&cursor)) != NULL) {
		*has_messages |= frame->type == WEIR_FRAME_PRODUCE;
		*is_for_control |= frame->type == WEIR_FRAME_LEAVE;
	}
}

struct arrival {
	struct rte_mbuf *packet;
	const struct weir_packet *headers;
	struct weir_frame_cursor *cursor;
};

/* While the producer changes hands its messages count as lost on the way: it says them again. */
static void take_or_hand_over(struct weir_worker *worker, const struct weir_producer_view *view,
	const struct arrival *arrival)
{
	const struct weir_tenure *tenure = &view->producer->tenure;
	uint16_t owner = weir_tenure_owner(tenure);

	if (weir_tenure_is_used(tenure, worker->id))
		take_frames(worker, view, arrival->cursor);
	else if (owner < worker->dataplane->worker_count && owner != worker->id)
		weir_native_hand_over(worker, arrival->packet, arrival->headers, 1ull << owner);
	else
		worker->native_dropped[WEIR_REASON_FRAME_QUEUE]++;
}

void weir_produce_receive(struct weir_worker *worker, struct weir_port *port,
	struct rte_mbuf *packet, const struct weir_packet *headers,
	struct weir_frame_cursor *cursor)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	const struct weir_producer_view *view = find(worker, cursor->session);
	bool has_messages = false, is_for_control = false;
	enum weir_reason reason;

	if (view == NULL || !weir_native_is_peer(&view->producer->peer, view->producer->peer_port,
				    frame, headers)) {
		worker->native_dropped[WEIR_REASON_FRAME_SESSION]++;
		weir_native_to_control(worker, port, packet, WEIR_TO_SESSION);
		return;
	}
	reason = weir_native_check_seal(&view->producer->seal, cursor,
		frame + headers->l4_offset + 8, headers->payload_length);
	if (unlikely(reason != WEIR_REASON_NONE)) {
		worker->native_dropped[reason]++;
		rte_pktmbuf_free(packet);
		return;
	}
	atomic_store_explicit(&view->producer->last_heard, worker->now, memory_order_relaxed);
	look(*cursor, &has_messages, &is_for_control);
	if (has_messages)
		take_or_hand_over(worker, view, &(struct arrival){packet, headers, cursor});
	if (is_for_control)
		weir_native_to_control(worker, port, packet, WEIR_TO_SESSION_CHECKED);
	else
		rte_pktmbuf_free(packet);
}

static void end(struct weir_worker *worker, struct weir_producer *producer)
{
	uint16_t owner = weir_tenure_owner(&producer->tenure);

	/* It goes no further: nobody is to have it any more. */
	if (owner == worker->id) {
		weir_list_remove(&producer->link);
		weir_list_remove(&producer->touched);
	} else if (owner == (worker->id | WEIR_TENURE_PASSED)) {
		worker->produce_held += producer->record->held_count;
	} else {
		return;
	}
	weir_produce_forget(worker, producer->record);
}

static void begin(struct weir_worker *worker, struct weir_producer *producer)
{
	if (weir_tenure_owner(&producer->tenure) != worker->id)
		return;
	weir_list_add_tail(&worker->producers, &producer->link);
	producer->last_answer = worker->now;
	producer->last_heartbeat = worker->now;
	/* At once: it waits to hear how far an earlier session came. */
	weir_produce_touch(worker, producer, true);
}

void weir_produce_sync(struct weir_worker *worker, const struct weir_snapshot *old,
	const struct weir_snapshot *next)
{
	/* All ends before all beginnings: a session may go on with the record of another. */
	for (uint32_t i = 0; old != NULL && i < WEIR_MAX_PRODUCERS; i++)
		if (old->producers[i].producer != NULL &&
			old->producers[i].producer != next->producers[i].producer)
			end(worker, old->producers[i].producer);
	for (uint32_t i = 0; i < WEIR_MAX_PRODUCERS; i++)
		if (next->producers[i].producer != NULL &&
			(old == NULL || old->producers[i].producer != next->producers[i].producer))
			begin(worker, next->producers[i].producer);
}

void weir_produce_purge(struct weir_worker *worker)
{
	weir_list_for_each (node, &worker->producers)
		weir_produce_forget(
			worker, weir_list_entry(node, struct weir_producer, link)->record);
}

static void tend(struct weir_worker *worker, const struct weir_producer_view *view)
{
	struct weir_producer *producer = view->producer;
	uint64_t interval = worker->snapshot->heartbeat_cycles;

	if (view->stream != NULL) {
		weir_produce_release(worker, view);
		if (weir_produce_grant(worker, view) ||
			producer->record->next != producer->told_next)
			weir_produce_touch(worker, producer, false);
	}
	if (worker->now - producer->last_heartbeat >= interval)
		weir_produce_touch(worker, producer, true);
}

void weir_produce_tick(struct weir_worker *worker)
{
	weir_list_for_each (node, &worker->producers) {
		const struct weir_producer *producer =
			weir_list_entry(node, struct weir_producer, link);

		if (!producer->tenure.is_leaving)
			tend(worker, &worker->snapshot->producers[producer->index]);
	}
}
