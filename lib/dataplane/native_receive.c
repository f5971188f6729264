/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/native_wire.h"

#include <errno.h>

#include "dataplane/dataplane.h"
#include "dataplane/handover.h"
#include "dataplane/produce.h"
#include "dataplane/reliable.h"
#include "dataplane/seek.h"

/*
 * What native consumers send. Credit and pause take effect here, on the worker that receives
 * them, and so do acknowledgements of the lanes that it owns. Those of another worker's lanes are
 * handed over, the datagram as a whole; admission, subscription and leaving are the control
 * thread's.
 */

#define PACE_LEAST UINT64_C(64) /* messages ahead of a consumer that reports, at least */

static struct weir_consumer *find_session(const struct weir_worker *worker, uint64_t session,
	const uint8_t *frame, const struct weir_packet *headers)
{
	uint16_t slot = weir_session_slot(session);
	struct weir_consumer *consumer;

	if (slot >= WEIR_MAX_CONSUMERS)
		return NULL;
	consumer = worker->snapshot->consumers[slot];
	if (consumer == NULL || consumer->class != WEIR_CLASS_NATIVE ||
		consumer->session != session ||
		!weir_native_is_peer(&consumer->peer, consumer->peer_port, frame, headers))
		return NULL;
	return consumer;
}

struct weir_lane *weir_lane_of(const struct weir_worker *worker,
	const struct weir_consumer *consumer, uint16_t stream_slot, uint16_t index)
{
	const struct weir_stream *stream =
		stream_slot < WEIR_MAX_STREAMS ? worker->snapshot->by_slot[stream_slot] : NULL;
	const struct weir_partition *partition;

	if (stream == NULL || index >= stream->partition_count ||
		weir_stream_owner(stream, index) != worker->id)
		return NULL;
	partition = &stream->partitions[index];
	for (uint32_t i = 0; i < partition->lane_count; i++)
		if (partition->lanes[i]->outlet == &consumer->outlets[worker->id])
			return partition->lanes[i];
	return NULL;
}

/*
 * The newest report of what the consumer has to do. Its queue is kept as short as the configuration
 * says, but never so short that it runs dry between two reports.
 */
static bool take_report(const struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_credit *credit)
{
	uint64_t counter = weir_be32(credit->counter);
	uint64_t service_ns = weir_be32(credit->service_ns);
	uint64_t limit = UINT64_MAX;
	uint64_t old = atomic_load(&consumer->report_counter);

	do
		if (counter <= old)
			return false;
	while (!atomic_compare_exchange_weak(&consumer->report_counter, &old, counter));
	atomic_store(&consumer->queue, weir_be32(credit->queue));
	atomic_store(&consumer->service_ns, (uint32_t)service_ns);
	atomic_store(&consumer->capacity, weir_be32(credit->capacity));
	if (credit->edition != 0)
		atomic_store(&consumer->edition, weir_be16(credit->edition));
	if (service_ns != 0 && worker->snapshot->pace_ms != 0) {
		uint64_t work = (uint64_t)worker->snapshot->pace_ms * 1000000 / service_ns;

		limit = weir_be64(credit->consumed_messages) + RTE_MAX(work, PACE_LEAST);
	}
	return atomic_exchange(&consumer->pace_limit, limit) < limit;
}

static void take_credit(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_credit *credit)
{
	bool moved =
		weir_credit_grant(&consumer->credit->messages, weir_be64(credit->limit_messages));

	moved |= weir_credit_grant(&consumer->credit->bytes, weir_be64(credit->limit_bytes));
	moved |= take_report(worker, consumer, credit);
	if (moved)
		weir_consumer_wake(worker->dataplane, consumer);
}

/* A PAUSE says all that is paused; one that was overtaken by a newer is ignored. */
static bool is_newest_pause(struct weir_consumer *consumer, uint32_t counter)
{
	uint64_t old = atomic_load(&consumer->pause_counter);

	while (counter > old)
		if (atomic_compare_exchange_weak(&consumer->pause_counter, &old, counter))
			return true;
	return false;
}

static void take_pause(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_pause *pause)
{
	uint16_t count = weir_be16(pause->count);

	if (!is_newest_pause(consumer, weir_be32(pause->counter)))
		return;
	for (uint32_t i = 0; i < WEIR_MAX_STREAMS / 64; i++)
		atomic_store(&consumer->paused[i], 0);
	for (uint16_t i = 0; i < count; i++) {
		uint16_t stream = weir_be16(pause->streams[i]);

		if (stream < WEIR_MAX_STREAMS)
			atomic_fetch_or(&consumer->paused[stream / 64], 1ull << (stream % 64));
	}
	atomic_store(&consumer->has_paused, count != 0);
	if (consumer->will != NULL)
		atomic_store(&consumer->will->is_paused, pause->scope != WEIR_PAUSE_NONE);
	if (pause->scope == WEIR_PAUSE_ALL)
		atomic_fetch_or(&consumer->closed, WEIR_CLOSED_PEER);
	else
		atomic_fetch_and(&consumer->closed, ~(uint32_t)WEIR_CLOSED_PEER);
	atomic_fetch_add(&consumer->pause_changes, 1);
	/* Lanes of a stream that may go on are in no queue: every worker looks for its own. */
	atomic_store(&consumer->waiting, worker->dataplane->worker_count == 64
						 ? UINT64_MAX
						 : (1ull << worker->dataplane->worker_count) - 1);
	weir_consumer_wake(worker->dataplane, consumer);
}

static void native_drop(struct weir_worker *worker, const struct weir_port *port,
	struct rte_mbuf *packet, enum weir_reason reason)
{
	worker->native_dropped[reason]++;
	if (weir_captures(worker, WEIR_CAPTURE_DROP))
		weir_capture_drop(
			worker, packet, port->index, NULL, WEIR_CAPTURE_NO_PARTITION, reason);
	rte_pktmbuf_free(packet);
}

void weir_native_to_control(struct weir_worker *worker, struct weir_port *port,
	struct rte_mbuf *packet, enum weir_to_control kind)
{
	packet->port = port->index;
	packet->hash.usr = kind;
	if (rte_ring_sp_enqueue(worker->to_control, packet) != 0) {
		native_drop(worker, port, packet, WEIR_REASON_FRAME_QUEUE);
		return;
	}
	weir_control_notify(worker);
}

/* A worker for each lane that a frame is about, as bits; all for a whole stream. */
static uint64_t owners_of(const struct weir_worker *worker, uint16_t slot, uint16_t partition)
{
	const struct weir_stream *stream =
		slot < WEIR_MAX_STREAMS ? worker->snapshot->by_slot[slot] : NULL;
	uint16_t owner;

	if (partition == WEIR_SEEK_ALL)
		return UINT64_MAX >> (64 - worker->dataplane->worker_count);
	if (stream == NULL || partition >= stream->partition_count)
		return 1ull << worker->id;
	/* Of one that is on its way nobody can take it: the client says it again. */
	owner = weir_stream_owner(stream, partition);
	return 1ull << (owner != WEIR_NO_WORKER ? owner : worker->id);
}

/* A frame about lanes, if they are ours. Returns the workers whose they are. */
static uint64_t take_lane_frame(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_header *frame)
{
	const struct weir_frame_ack *ack = (const struct weir_frame_ack *)frame;
	const struct weir_frame_seek *seek = (const struct weir_frame_seek *)frame;
	bool is_seek = frame->type == WEIR_FRAME_SEEK;
	uint64_t owners = owners_of(worker, weir_be16(is_seek ? seek->stream : ack->stream),
		weir_be16(is_seek ? seek->partition : ack->partition));

	if (!(owners >> worker->id & 1))
		return owners;
	if (is_seek)
		weir_seek_take(worker, consumer, seek);
	else if (frame->type == WEIR_FRAME_RELEASE)
		weir_native_release(worker, consumer, (const struct weir_frame_handover *)frame);
	else if (frame->type == WEIR_FRAME_ACK)
		weir_reliable_ack(worker, consumer, ack);
	else
		weir_reliable_nack(worker, consumer, (const struct weir_frame_nack *)frame);
	return owners;
}

/* What is to be done with a datagram besides what this worker has done. */
struct rest {
	bool is_for_control;
	uint64_t owners; /* bit a worker */
};

static void take_frames(struct weir_worker *worker, struct weir_consumer *consumer,
	struct weir_frame_cursor *cursor, struct rest *rest)
{
	const struct weir_frame_header *frame;

	while ((frame = weir_frame_next(cursor)) != NULL) {
		switch ((enum weir_frame_type)frame->type) {
		case WEIR_FRAME_CREDIT:
			take_credit(worker, consumer, (const struct weir_frame_credit *)frame);
			break;
		case WEIR_FRAME_PAUSE:
			take_pause(worker, consumer, (const struct weir_frame_pause *)frame);
			break;
		case WEIR_FRAME_ACK:
		case WEIR_FRAME_NACK:
		case WEIR_FRAME_SEEK:
		case WEIR_FRAME_RELEASE:
			rest->owners |= take_lane_frame(worker, consumer, frame);
			break;
		default:
			rest->is_for_control = true;
		}
	}
}

/* A reference to the datagram, cut down to its payload, for each of the other owners. */
void weir_native_hand_over(struct weir_worker *worker, struct rte_mbuf *packet,
	const struct weir_packet *headers, uint64_t owners)
{
	owners &= ~(1ull << worker->id);
	while (owners != 0) {
		unsigned int id = (unsigned int)__builtin_ctzll(owners);
		struct rte_mbuf *part = rte_pktmbuf_clone(packet, worker->copies);

		owners &= owners - 1;
		if (part != NULL) {
			rte_pktmbuf_adj(part, (uint16_t)(headers->l4_offset + 8));
			part->data_len = headers->payload_length;
			part->pkt_len = headers->payload_length;
			if (rte_ring_mp_enqueue(worker->dataplane->workers[id].frames, part) == 0)
				continue;
			rte_pktmbuf_free(part);
		}
		/* As if it had been lost on the way: the client says it again. */
		worker->native_dropped[WEIR_REASON_FRAME_QUEUE]++;
	}
}

/* Checked by who received it; only frames about lanes of ours are for us. */
static void take_part(struct weir_worker *worker, struct rte_mbuf *part)
{
	const struct weir_frame_header *frame;
	struct weir_frame_cursor cursor;
	struct weir_consumer *consumer;
	uint16_t slot;

	if (weir_datagram_open(&cursor, WEIR_END_GATEWAY, rte_pktmbuf_mtod(part, void *),
		    part->data_len) != WEIR_REASON_NONE)
		return;
	slot = weir_session_slot(cursor.session);
	if (weir_slot_is_producer(slot)) {
		weir_produce_take(worker, &cursor);
		return;
	}
	consumer = slot < WEIR_MAX_CONSUMERS ? worker->snapshot->consumers[slot] : NULL;
	if (consumer == NULL || consumer->session != cursor.session)
		return;
	while ((frame = weir_frame_next(&cursor)) != NULL)
		if (frame->type == WEIR_FRAME_ACK || frame->type == WEIR_FRAME_NACK ||
			frame->type == WEIR_FRAME_SEEK || frame->type == WEIR_FRAME_RELEASE)
			take_lane_frame(worker, consumer, frame);
}

uint32_t weir_frames_poll(struct weir_worker *worker)
{
	struct rte_mbuf *parts[WEIR_BURST];
	uint32_t total = 0;
	uint32_t count;

	do {
		count = rte_ring_sc_dequeue_burst(worker->frames, (void **)parts, WEIR_BURST, NULL);
		for (uint32_t i = 0; i < count; i++) {
			take_part(worker, parts[i]);
			rte_pktmbuf_free(parts[i]);
		}
		total += count;
	} while (count == WEIR_BURST && total < WEIR_CONTROL_SIZE);
	return total;
}

enum weir_reason weir_native_check_seal(struct weir_seal *seal,
	const struct weir_frame_cursor *cursor, const uint8_t *payload, size_t length)
{
	if (likely(!seal->is_on))
		return cursor->is_tagged ? WEIR_REASON_FRAME_TAG : WEIR_REASON_NONE;
	switch (weir_seal_check(seal, payload, length)) {
	case 0:
		return WEIR_REASON_NONE;
	case -EALREADY:
		return WEIR_REASON_FRAME_REPLAY;
	default:
		return WEIR_REASON_FRAME_TAG;
	}
}

void weir_native_receive(struct weir_worker *worker, struct weir_port *port,
	struct rte_mbuf *packet, const struct weir_packet *headers)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	struct weir_frame_cursor cursor;
	struct weir_consumer *consumer;
	enum weir_reason reason = WEIR_REASON_CHECKSUM;
	enum weir_to_control kind = WEIR_TO_SESSION;
	struct rest rest = {0};

	if (weir_udp_checksum_is_right(frame, headers->l3_offset, headers->l4_offset,
		    headers->ip_version == 6, headers->payload_length))
		reason = weir_datagram_open(&cursor, WEIR_END_GATEWAY,
			frame + headers->l4_offset + 8, headers->payload_length);
	if (reason != WEIR_REASON_NONE) {
		native_drop(worker, port, packet, reason);
		return;
	}
	if (cursor.session != 0 && weir_slot_is_producer(weir_session_slot(cursor.session))) {
		weir_produce_receive(worker, port, packet, headers, &cursor);
		return;
	}
	if (cursor.session != 0 && weir_session_slot(cursor.session) >= WEIR_SLOT_AGENTS) {
		bool is_known;

		if (!weir_agent_take(worker, &cursor, frame, headers, &is_known)) {
			rte_pktmbuf_free(packet);
			return;
		}
		kind = is_known ? WEIR_TO_SESSION_CHECKED : WEIR_TO_SESSION;
	} else if (cursor.session != 0) {
		consumer = find_session(worker, cursor.session, frame, headers);
		if (consumer == NULL) {
			worker->native_dropped[WEIR_REASON_FRAME_SESSION]++;
		} else {
			reason = weir_native_check_seal(&consumer->seal, &cursor,
				frame + headers->l4_offset + 8, headers->payload_length);
			if (unlikely(reason != WEIR_REASON_NONE)) {
				native_drop(worker, port, packet, reason);
				return;
			}
			atomic_store_explicit(
				&consumer->last_heard, worker->now, memory_order_relaxed);
			kind = WEIR_TO_SESSION_CHECKED;
			take_frames(worker, consumer, &cursor, &rest);
			if (unlikely((rest.owners & ~(1ull << worker->id)) != 0))
				weir_native_hand_over(worker, packet, headers, rest.owners);
			if (!rest.is_for_control) {
				rte_pktmbuf_free(packet);
				return;
			}
		}
	}
	weir_native_to_control(worker, port, packet, kind);
}
