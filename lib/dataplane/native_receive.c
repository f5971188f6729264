/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/native_wire.h"

#include "dataplane/dataplane.h"

/*
 * What native consumers send. Credit and pause take effect here, on the worker that receives
 * them; admission, subscription and leaving are the control thread's.
 */

static bool is_peer(const struct weir_consumer *consumer, const uint8_t *frame,
	const struct weir_packet *headers)
{
	bool is_ipv6 = headers->ip_version == 6;
	const uint8_t *source = frame + headers->l3_offset + (is_ipv6 ? 8 : 12);

	return consumer->peer_port == headers->source_port &&
	       consumer->peer.family == headers->ip_version &&
	       memcmp(consumer->peer.bytes, source, is_ipv6 ? 16 : 4) == 0;
}

static struct weir_consumer *find_session(const struct weir_worker *worker, uint64_t session,
	const uint8_t *frame, const struct weir_packet *headers)
{
	uint16_t slot = weir_session_slot(session);
	struct weir_consumer *consumer;

	if (slot >= WEIR_MAX_CONSUMERS)
		return NULL;
	consumer = worker->snapshot->consumers[slot];
	if (consumer == NULL || consumer->class != WEIR_CLASS_NATIVE ||
		consumer->session != session || !is_peer(consumer, frame, headers))
		return NULL;
	return consumer;
}

static void take_credit(struct weir_worker *worker, struct weir_consumer *consumer,
	const struct weir_frame_credit *credit)
{
	bool moved =
		weir_credit_grant(&consumer->credit.messages, weir_be64(credit->limit_messages));

	moved |= weir_credit_grant(&consumer->credit.bytes, weir_be64(credit->limit_bytes));
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

static void to_control(struct weir_worker *worker, struct weir_port *port, struct rte_mbuf *packet)
{
	packet->port = port->index;
	packet->hash.usr = WEIR_TO_SESSION;
	if (rte_ring_sp_enqueue(worker->to_control, packet) != 0) {
		worker->native_dropped[WEIR_REASON_FRAME_QUEUE]++;
		rte_pktmbuf_free(packet);
		return;
	}
	weir_control_notify(worker);
}

/* True when some frame is for the control thread. */
static bool take_frames(struct weir_worker *worker, struct weir_consumer *consumer,
	struct weir_frame_cursor *cursor)
{
	const struct weir_frame_header *frame;
	bool is_for_control = false;

	while ((frame = weir_frame_next(cursor)) != NULL) {
		if (frame->type == WEIR_FRAME_CREDIT)
			take_credit(worker, consumer, (const struct weir_frame_credit *)frame);
		else if (frame->type == WEIR_FRAME_PAUSE)
			take_pause(worker, consumer, (const struct weir_frame_pause *)frame);
		else
			is_for_control = true;
	}
	return is_for_control;
}

void weir_native_receive(struct weir_worker *worker, struct weir_port *port,
	struct rte_mbuf *packet, const struct weir_packet *headers)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	struct weir_frame_cursor cursor;
	struct weir_consumer *consumer;
	enum weir_reason reason = WEIR_REASON_CHECKSUM;

	if (weir_udp_checksum_is_right(frame, headers->l3_offset, headers->l4_offset,
		    headers->ip_version == 6, headers->payload_length))
		reason = weir_datagram_open(&cursor, WEIR_END_GATEWAY,
			frame + headers->l4_offset + 8, headers->payload_length);
	if (reason != WEIR_REASON_NONE) {
		worker->native_dropped[reason]++;
		rte_pktmbuf_free(packet);
		return;
	}
	if (cursor.session != 0) {
		consumer = find_session(worker, cursor.session, frame, headers);
		if (consumer == NULL) {
			worker->native_dropped[WEIR_REASON_FRAME_SESSION]++;
		} else {
			atomic_store_explicit(
				&consumer->last_heard, worker->now, memory_order_relaxed);
			if (!take_frames(worker, consumer, &cursor)) {
				rte_pktmbuf_free(packet);
				return;
			}
		}
	}
	to_control(worker, port, packet);
}
