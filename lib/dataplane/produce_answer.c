/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gate.h"
#include "dataplane/native_wire.h"
#include "dataplane/produce.h"
#include "dataplane/shed.h"

/*
 * What producers are told: what has come, what is missing, how far they may go. PACE is an
 * absolute limit, so what it allows is bounded however late or often it comes: by the window,
 * by the room that the stream's budget has left, and by the producer's rate.
 */

#define ANSWER_US 200 /* between answers, unless something is missing */
#define QUARTER   (WEIR_PRODUCE_WINDOW / 4)
#define MS_TICKS  (UINT64_C(1000000) * WEIR_TICKS_PER_NS)
#define FULLY     256 /* share of a tier that is shed: all */

void weir_produce_touch(struct weir_worker *worker, struct weir_producer *producer, bool is_urgent)
{
	producer->is_urgent |= is_urgent;
	if (weir_list_is_empty(&producer->touched))
		weir_list_add_tail(&worker->produced, &producer->touched);
}

/* Messages that the stream's budget has room for, on all workers. */
static uint64_t find_room(const struct weir_worker *worker, const struct weir_stream *stream)
{
	uint64_t room = 0;

	for (uint32_t id = 0; id < worker->dataplane->worker_count; id++) {
		const struct weir_stream_local *local = &stream->local[id];
		uint32_t limit = atomic_load_explicit(&local->limit, memory_order_relaxed);
		uint32_t held = __atomic_load_n(&local->held, __ATOMIC_RELAXED);

		room += limit > held ? limit - held : 0;
	}
	return room;
}

/* As many of `want` as the rate allows now. */
static uint64_t take_rate(
	const struct weir_worker *worker, struct weir_producer *producer, uint64_t want)
{
	uint64_t ticks = weir_worker_ticks(worker);
	uint64_t taken = 0;

	if (!weir_bucket_is_paid(&producer->bits, ticks))
		return 0;
	for (uint64_t part = want; part != 0; part /= 2)
		if (taken + part <= want && weir_bucket_can_hold(&producer->packets, part) &&
			weir_bucket_take(&producer->packets, part, ticks) == 0)
			taken += part;
	return taken;
}

static bool is_shed(const struct weir_worker *worker, const struct weir_producer_view *view)
{
	return worker->shed.is_on && worker->shed.share[view->stream->tier] >= FULLY;
}

bool weir_produce_grant(struct weir_worker *worker, const struct weir_producer_view *view)
{
	struct weir_producer *producer = view->producer;
	struct weir_produce_record *record = producer->record;
	uint32_t burst = atomic_load_explicit(&producer->burst, memory_order_relaxed);
	uint64_t room = find_room(worker, view->stream->stream);
	uint64_t until = record->next - 1 + RTE_MIN(room, (uint64_t)WEIR_PRODUCE_WINDOW);
	uint8_t reason = producer->blocked;

	if (view->stream->attachment_count == 0)
		reason = WEIR_PACE_NO_OWNER;
	else if (reason == WEIR_PACE_NONE && is_shed(worker, view))
		reason = WEIR_PACE_SHED;
	else if (reason == WEIR_PACE_NONE && room <= record->held_count)
		reason = WEIR_PACE_RING_FULL;
	/* What is saved up while nothing is sent is at most a burst. */
	if (burst != 0)
		until = RTE_MIN(until, record->newest + burst);
	if (reason == WEIR_PACE_NONE && until > record->limit) {
		uint64_t taken = take_rate(worker, producer, until - record->limit);

		reason = record->limit + taken < until ? WEIR_PACE_RATE : WEIR_PACE_NONE;
		record->limit += taken;
	}
	if (reason != atomic_load_explicit(&producer->reason, memory_order_relaxed)) {
		atomic_store_explicit(&producer->reason, reason, memory_order_relaxed);
		return true;
	}
	/* It has come close to what it knows of, or much has been added. */
	return record->limit > producer->told_limit &&
	       (record->limit - producer->told_limit >= QUARTER ||
		       record->newest + QUARTER > producer->told_limit);
}

static uint16_t find_missing(const struct weir_produce_record *record,
	struct weir_frame_produce_range ranges[WEIR_PRODUCE_ACK_RANGES_MAX])
{
	uint64_t number = record->next;
	uint16_t count = 0;

	while (number <= record->newest && count < WEIR_PRODUCE_ACK_RANGES_MAX) {
		uint64_t first;

		while (number <= record->newest && weir_produce_has(record, number))
			number++;
		first = number;
		while (number <= record->newest && !weir_produce_has(record, number))
			number++;
		if (number == first)
			break;
		ranges[count].first = weir_be64(first);
		ranges[count++].end = weir_be64(number);
	}
	return count;
}

static void add_ack(struct weir_writer *writer, struct weir_producer *producer)
{
	struct weir_frame_produce_range missing[WEIR_PRODUCE_ACK_RANGES_MAX];
	const struct weir_produce_record *record = producer->record;
	uint16_t count = find_missing(record, missing);
	struct weir_frame_produce_ack *frame = weir_writer_add(writer, WEIR_FRAME_PRODUCE_ACK, 0,
		(uint32_t)(sizeof(*frame) + count * sizeof(missing[0])));

	if (frame == NULL)
		return;
	frame->producer_epoch = weir_be32(record->epoch);
	frame->next = weir_be64(record->next);
	frame->count = weir_be16(count);
	/* Until the producer has shown that it knows. */
	if (record->refused >= record->oldest && record->refused != 0)
		frame->flags = weir_be16(WEIR_PRODUCE_REFUSED);
	frame->newest = weir_be64(record->newest);
	memcpy(frame->ranges, missing, count * sizeof(missing[0]));
	producer->told_next = record->next;
}

static uint32_t retry_ms(const struct weir_worker *worker, struct weir_producer *producer)
{
	uint64_t ticks = weir_worker_ticks(worker);
	uint64_t wait;

	if (atomic_load(&producer->reason) != WEIR_PACE_RATE)
		return 0;
	wait = weir_bucket_take(&producer->packets, 1, ticks);
	if (wait == 0)
		weir_bucket_return(&producer->packets, 1);
	return (uint32_t)RTE_MIN(wait / MS_TICKS + 1, (uint64_t)UINT32_MAX);
}

static void add_pace(const struct weir_worker *worker, struct weir_writer *writer,
	struct weir_producer *producer)
{
	struct weir_frame_pace *frame = weir_writer_add(writer, WEIR_FRAME_PACE, 0, sizeof(*frame));

	if (frame == NULL)
		return;
	frame->counter = weir_be32(++producer->pace_counter);
	frame->limit_messages = weir_be64(producer->record->limit);
	frame->limit_bytes = weir_be64(WEIR_PRODUCE_NO_LIMIT);
	frame->rate_pps = weir_be32(atomic_load(&producer->rate_pps));
	frame->rate_kbps = weir_be32(atomic_load(&producer->rate_kbps));
	frame->reason = weir_be16(atomic_load(&producer->reason));
	frame->retry_ms = weir_be32(retry_ms(worker, producer));
	producer->told_limit = producer->record->limit;
}

static void add_heartbeat(
	struct weir_worker *worker, struct weir_writer *writer, struct weir_producer *producer)
{
	struct weir_frame_heartbeat *frame;

	if (worker->now - producer->last_heartbeat < worker->snapshot->heartbeat_cycles)
		return;
	frame = weir_writer_add(writer, WEIR_FRAME_HEARTBEAT, 0, sizeof(*frame));
	if (frame == NULL)
		return;
	frame->clock_ns = weir_be64(weir_worker_wall_ns(worker, worker->now));
	producer->last_heartbeat = worker->now;
}

bool weir_produce_answer(struct weir_worker *worker, struct weir_producer *producer)
{
	const struct weir_route *route = &producer->route;
	struct weir_tx *tx = &worker->tx[route->port];
	struct weir_writer writer;
	struct rte_mbuf *packet;

	if (weir_tx_room(tx) < 2 + worker->open_count)
		return false;
	packet = rte_pktmbuf_alloc(worker->copies);
	if (packet == NULL)
		return false;
	weir_writer_begin(&writer, weir_native_payload(packet),
		RTE_MIN(producer->max_datagram, route->max_payload) -
			weir_seal_room(&producer->seal),
		producer->session);
	add_ack(&writer, producer);
	add_pace(worker, &writer, producer);
	add_heartbeat(worker, &writer, producer);
	writer.size += weir_seal_room(&producer->seal);
	(void)weir_seal_add(&producer->seal, &writer);
	weir_native_headers(packet, route, writer.length);
	weir_tx_add(tx, packet);
	producer->is_urgent = false;
	producer->last_answer = worker->now;
	return true;
}

static bool is_due(const struct weir_worker *worker, const struct weir_producer *producer)
{
	return producer->is_urgent || producer->record->next - producer->told_next >= QUARTER ||
	       worker->now - producer->last_answer >= worker->cycles_per_us * ANSWER_US;
}

uint32_t weir_produce_flush(struct weir_worker *worker)
{
	struct weir_list *node = worker->produced.next;
	uint32_t waiting = 0;

	while (node != &worker->produced) {
		struct weir_producer *producer =
			weir_list_entry(node, struct weir_producer, touched);
		const struct weir_producer_view *view =
			&worker->snapshot->producers[producer->index];

		node = node->next;
		if (is_due(worker, producer)) {
			if (view->stream != NULL)
				weir_produce_grant(worker, view);
			if (weir_produce_answer(worker, producer)) {
				weir_list_remove(&producer->touched);
				continue;
			}
		}
		waiting++;
	}
	return waiting;
}
