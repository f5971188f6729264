/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/capture.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/ahead.h"

#define MARK_US UINT64_C(10000) /* until every worker marks packets with their port */

/* What is known of a packet that may be captured. */
struct subject {
	uint8_t point;
	enum weir_reason reason;
	uint16_t port;
	uint16_t partition;
	const char *stream;   /* "": none */
	const char *consumer; /* likewise */
	bool is_at_lane;
	uint64_t sequence;
};

int weir_capture_prepare(struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		struct weir_capture_ring *ring = &dataplane->workers[id].capture;

		if (ring->bytes == NULL)
			ring->bytes = malloc(WEIR_CAPTURE_RING_SIZE);
		if (ring->bytes == NULL)
			return -ENOMEM;
	}
	return 0;
}

void weir_capture_free(struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		free(dataplane->workers[id].capture.bytes);
		dataplane->workers[id].capture.bytes = NULL;
	}
}

void weir_capture_switch(struct weir_dataplane *dataplane, uint32_t rule, bool on)
{
	uint32_t points = 0;

	atomic_store_explicit(&dataplane->captures[rule].is_on, on, memory_order_release);
	for (uint32_t i = 0; i < WEIR_CAPTURE_RULES; i++)
		if (atomic_load_explicit(&dataplane->captures[i].is_on, memory_order_relaxed))
			points |= dataplane->captures[i].points;
	if (on)
		atomic_store(&dataplane->capture_since,
			rte_rdtsc() + MARK_US * dataplane->workers[0].cycles_per_us);
	atomic_store_explicit(&dataplane->capture_points, points, memory_order_release);
}

uint64_t weir_capture_lost(const struct weir_dataplane *dataplane, uint32_t rule)
{
	uint64_t lost = 0;

	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		lost += __atomic_load_n(
			&dataplane->workers[id].capture.lost[rule], __ATOMIC_RELAXED);
	return lost;
}

static void *place_of(const struct weir_capture_ring *ring, uint64_t position)
{
	return ring->bytes + position % WEIR_CAPTURE_RING_SIZE;
}

const struct weir_capture_record *weir_capture_peek(struct weir_capture_ring *ring)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	const struct weir_capture_record *record = NULL;

	while (tail != head) {
		record = place_of(ring, tail);
		if (record->rules != 0)
			return record;
		tail += record->size;
		atomic_store_explicit(&ring->tail, tail, memory_order_release);
	}
	return NULL;
}

void weir_capture_pass(struct weir_capture_ring *ring, const struct weir_capture_record *record)
{
	atomic_fetch_add_explicit(&ring->tail, record->size, memory_order_release);
}

static void show(struct weir_capture_ring *ring, uint64_t head)
{
	ring->pending = head;
	atomic_store_explicit(&ring->head, head, memory_order_release);
}

/* Room for a record behind what is pending, in one piece; NULL: there is none. */
static struct weir_capture_record *reserve(struct weir_capture_ring *ring, uint32_t size)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
	uint32_t rest = (uint32_t)(WEIR_CAPTURE_RING_SIZE - ring->pending % WEIR_CAPTURE_RING_SIZE);
	uint32_t skipped = size > rest ? rest : 0;
	struct weir_capture_record *record;

	if (ring->pending - tail + skipped + size > WEIR_CAPTURE_RING_SIZE)
		return NULL;
	if (skipped != 0) {
		record = place_of(ring, ring->pending);
		/* The rest may be shorter than a record: only what is read of it is written. */
		record->size = skipped;
		record->rules = 0;
		ring->pending += skipped;
	}
	record = place_of(ring, ring->pending);
	record->size = size;
	ring->pending += size;
	return record;
}

static bool is_port(const struct weir_dataplane *dataplane, uint16_t port, const char *name)
{
	return port < dataplane->port_count && strcmp(dataplane->ports[port]->name, name) == 0;
}

/* Bit a rule that wants it; *snap: most that one of them keeps. */
static uint8_t find_rules(
	const struct weir_worker *worker, const struct subject *subject, uint32_t *snap)
{
	const struct weir_dataplane *dataplane = worker->dataplane;
	uint8_t rules = 0;

	*snap = 0;
	for (uint32_t i = 0; i < WEIR_CAPTURE_RULES; i++) {
		const struct weir_capture_rule *rule = &dataplane->captures[i];

		if (!atomic_load_explicit(&rule->is_on, memory_order_acquire) ||
			!(rule->points & subject->point))
			continue;
		if (subject->point == WEIR_CAPTURE_DROP && rule->reasons != 0 &&
			!(rule->reasons >> subject->reason & 1))
			continue;
		if ((rule->port[0] != '\0' && !is_port(dataplane, subject->port, rule->port)) ||
			(rule->stream[0] != '\0' && strcmp(rule->stream, subject->stream) != 0) ||
			(rule->consumer[0] != '\0' &&
				strcmp(rule->consumer, subject->consumer) != 0))
			continue;
		rules |= (uint8_t)(1u << i);
		*snap = RTE_MAX(*snap, rule->snap);
	}
	return rules;
}

static uint64_t wall_clock(const struct weir_worker *worker, uint64_t tsc)
{
	int64_t cycles = (int64_t)(tsc - worker->wall_tsc);

	return cycles >= 0 ? worker->wall_ns + weir_worker_ns(worker, (uint64_t)cycles)
			   : worker->wall_ns - weir_worker_ns(worker, (uint64_t)-cycles);
}

static void copy_packet(uint8_t *to, const struct rte_mbuf *packet, uint32_t length)
{
	const void *from = rte_pktmbuf_read(packet, 0, length, to);

	if (from != NULL && from != to)
		memcpy(to, from, length);
}

/* Pending, until it is shown. Returns the rules that lose it. */
static uint8_t put(struct weir_worker *worker, const struct subject *subject,
	const struct rte_mbuf *packet, uint64_t tsc)
{
	struct weir_capture_ring *ring = &worker->capture;
	uint32_t snap, length = rte_pktmbuf_pkt_len(packet);
	uint8_t rules = find_rules(worker, subject, &snap);
	struct weir_capture_record *record;

	if (rules == 0)
		return 0;
	snap = RTE_MIN(snap, length);
	record = reserve(ring, RTE_ALIGN_CEIL((uint32_t)sizeof(*record) + snap, 8u));
	if (record == NULL)
		return rules;
	record->rules = rules;
	record->point = subject->point;
	record->reason = (uint8_t)subject->reason;
	record->is_dropped_at_lane = subject->is_at_lane;
	record->length = length;
	record->captured = snap;
	record->port = subject->port;
	record->partition = subject->partition;
	record->reserved = 0;
	record->sequence = subject->sequence;
	record->time_ns = wall_clock(worker, tsc);
	memcpy(record->stream, subject->stream, strnlen(subject->stream, WEIR_NAME_SIZE - 1) + 1);
	memcpy(record->consumer, subject->consumer,
		strnlen(subject->consumer, WEIR_NAME_SIZE - 1) + 1);
	copy_packet((uint8_t *)(record + 1), packet, snap);
	return 0;
}

static void count_lost(struct weir_capture_ring *ring, uint8_t rules)
{
	for (uint32_t i = 0; rules != 0; i++, rules >>= 1)
		if (rules & 1)
			__atomic_store_n(&ring->lost[i], ring->lost[i] + 1, __ATOMIC_RELAXED);
}

static void put_one(
	struct weir_worker *worker, const struct subject *subject, const struct rte_mbuf *packet)
{
	count_lost(&worker->capture, put(worker, subject, packet, rte_rdtsc()));
	show(&worker->capture, worker->capture.pending);
}

void weir_capture_rx(struct weir_worker *worker, const struct weir_port *port,
	struct rte_mbuf *const *packets, uint32_t count)
{
	struct weir_capture_ring *ring = &worker->capture;

	for (uint32_t i = 0; i < count; i++)
		packets[i]->port = port->index;
	for (uint32_t i = 0; i < count && weir_captures(worker, WEIR_CAPTURE_RX); i++) {
		struct subject subject = {.point = WEIR_CAPTURE_RX,
			.port = port->index,
			.partition = WEIR_CAPTURE_NO_PARTITION,
			.stream = "",
			.consumer = ""};
		struct weir_ahead ahead;

		if (weir_look_ahead(worker, packets[i], &ahead)) {
			subject.stream = ahead.view->stream->name;
			subject.partition = ahead.partition;
		}
		count_lost(ring, put(worker, &subject, packets[i], worker->now));
	}
	show(ring, ring->pending);
}

void weir_capture_tx_begin(struct weir_worker *worker, const struct weir_tx *tx)
{
	const struct weir_snapshot *snapshot = worker->snapshot;
	uint64_t now = rte_rdtsc();

	for (uint32_t i = 0; i < tx->count; i++) {
		const struct weir_capture_tag *tag = &tx->owners[i].tag;
		const struct weir_consumer *consumer =
			tag->consumer != 0 && tag->consumer != WEIR_CAPTURE_HANDED
				? snapshot->consumers[tag->consumer - 1]
				: NULL;
		const struct weir_stream *stream =
			tag->stream != 0 ? snapshot->by_slot[tag->stream - 1] : NULL;
		struct subject subject = {.point = WEIR_CAPTURE_TX,
			.port = tx->port->index,
			.partition = stream != NULL ? tag->partition : WEIR_CAPTURE_NO_PARTITION,
			.stream = stream != NULL ? stream->name : "",
			.consumer = consumer != NULL ? consumer->name : ""};

		worker->capture_missed[i] = tag->consumer == WEIR_CAPTURE_HANDED
						    ? 0
						    : put(worker, &subject, tx->packets[i], now);
		worker->capture_ends[i] = worker->capture.pending;
	}
}

void weir_capture_tx_end(struct weir_worker *worker, uint32_t sent)
{
	struct weir_capture_ring *ring = &worker->capture;

	for (uint32_t i = 0; i < sent; i++)
		count_lost(ring, worker->capture_missed[i]);
	/* What was not taken is not shown: it will be captured when it is. */
	show(ring, sent != 0 ? worker->capture_ends[sent - 1]
			     : atomic_load_explicit(&ring->head, memory_order_relaxed));
}

void weir_capture_drop(struct weir_worker *worker, const struct rte_mbuf *packet, uint16_t port,
	const struct weir_stream *stream, uint16_t partition, enum weir_reason reason)
{
	struct subject subject = {.point = WEIR_CAPTURE_DROP,
		.reason = reason,
		.port = port,
		.partition = partition,
		.stream = stream != NULL ? stream->name : "",
		.consumer = ""};

	put_one(worker, &subject, packet);
}

/* Packets are marked with it while drops are captured; older ones have their device's number. */
static uint16_t port_of(const struct weir_worker *worker, const struct weir_message_slot *slot)
{
	const struct weir_dataplane *dataplane = worker->dataplane;
	uint64_t since = atomic_load_explicit(&dataplane->capture_since, memory_order_relaxed);

	return (int64_t)(slot->ingest - since) >= 0 && slot->mbuf->port < dataplane->port_count
		       ? slot->mbuf->port
		       : WEIR_CAPTURE_NO_PORT;
}

void weir_capture_message_drop(struct weir_worker *worker, const struct weir_message_slot *message,
	const struct weir_stream *stream, uint16_t partition, enum weir_reason reason)
{
	weir_capture_drop(
		worker, message->mbuf, port_of(worker, message), stream, partition, reason);
}

void weir_capture_lane_drop(struct weir_worker *worker, const struct weir_lane *lane,
	uint64_t sequence, const struct weir_message_slot *slot, enum weir_reason reason)
{
	struct subject subject;

	if (slot->flags & WEIR_SLOT_MISSED)
		return;
	subject = (struct subject){.point = WEIR_CAPTURE_DROP,
		.reason = reason,
		.port = port_of(worker, slot),
		.partition = lane->partition->index,
		.stream = lane->partition->stream->name,
		.consumer = lane->outlet != NULL ? lane->outlet->consumer->name : "",
		.is_at_lane = true,
		.sequence = sequence};

	put_one(worker, &subject, slot->mbuf);
}
