/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_ring_elem.h>

#include "dataplane/ahead.h"
#include "dataplane/gate.h"
#include "wire/key.h"

static struct rte_ring *make_ring(uint32_t id)
{
	ssize_t size = rte_ring_get_memsize_elem(
		(unsigned int)sizeof(struct weir_trace_event), WEIR_TRACE_RING_SIZE);
	struct rte_ring *ring =
		size > 0 ? aligned_alloc(RTE_CACHE_LINE_SIZE,
				   RTE_ALIGN_CEIL((size_t)size, (size_t)RTE_CACHE_LINE_SIZE))
			 : NULL;
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "trace_%u", id);
	if (ring != NULL &&
		rte_ring_init(ring, name, WEIR_TRACE_RING_SIZE, RING_F_SP_ENQ | RING_F_SC_DEQ) == 0)
		return ring;
	free(ring);
	return NULL;
}

int weir_trace_prepare(struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		struct weir_trace_worker *trace = &dataplane->workers[id].trace;

		if (trace->ring == NULL)
			trace->ring = make_ring(id);
		if (trace->ring == NULL)
			return -ENOMEM;
	}
	return 0;
}

void weir_trace_free(struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		free(dataplane->workers[id].trace.ring);
		dataplane->workers[id].trace.ring = NULL;
	}
}

void weir_trace_switch(struct weir_dataplane *dataplane, uint32_t rule, bool on)
{
	uint32_t rules = 0;

	atomic_store_explicit(&dataplane->traces[rule].is_on, on, memory_order_release);
	for (uint32_t i = 0; i < WEIR_TRACE_RULES; i++)
		if (atomic_load_explicit(&dataplane->traces[i].is_on, memory_order_relaxed))
			rules |= 1u << i;
	atomic_store_explicit(&dataplane->trace_rules, rules, memory_order_release);
}

void weir_trace_follow(struct weir_dataplane *dataplane, uint32_t per_s)
{
	struct weir_trace_contexts *contexts = &dataplane->trace_contexts;

	if (per_s != 0)
		weir_bucket_set(&contexts->budget, per_s, per_s);
	atomic_store_explicit(&contexts->is_on, per_s != 0, memory_order_release);
}

uint32_t weir_trace_take(struct weir_worker *worker, struct weir_trace_event *events, uint32_t most)
{
	if (worker->trace.ring == NULL)
		return 0;
	return rte_ring_sc_dequeue_burst_elem(
		worker->trace.ring, events, sizeof(*events), most, NULL);
}

uint64_t weir_trace_lost(const struct weir_dataplane *dataplane)
{
	uint64_t lost = 0;

	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		lost += __atomic_load_n(&dataplane->workers[id].trace.lost, __ATOMIC_RELAXED);
	return lost;
}

static void count_lost(struct weir_worker *worker)
{
	__atomic_store_n(&worker->trace.lost, worker->trace.lost + 1, __ATOMIC_RELAXED);
}

static void put(struct weir_worker *worker, struct weir_trace_event *event)
{
	/* A slot of an earlier gateway's, taken over, may still have the flag. */
	if (worker->trace.ring == NULL)
		return;
	if (rte_ring_sp_enqueue_elem(worker->trace.ring, event, sizeof(*event)) != 0)
		count_lost(worker);
}

/* At equal distances, traffic that goes round would show only some of what it has. */
static uint32_t next_distance(struct weir_trace_worker *trace, uint32_t sample, uint64_t now)
{
	if (sample <= 1)
		return 1;
	if (trace->random == 0)
		trace->random = (uint32_t)now | 1;
	trace->random ^= trace->random << 13;
	trace->random ^= trace->random >> 17;
	trace->random ^= trace->random << 5;
	return (uint32_t)(1 + trace->random % (2 * (uint64_t)sample - 1));
}

/* The rule as it is now, and not an earlier one in its place; NULL: it is off. */
static struct weir_trace_rule *rule_of(struct weir_worker *worker, uint32_t number)
{
	struct weir_trace_rule *rule = &worker->dataplane->traces[number];
	struct weir_trace_worker *trace = &worker->trace;

	if (!atomic_load_explicit(&rule->is_on, memory_order_acquire))
		return NULL;
	if (trace->numbers[number] != rule->number) {
		trace->numbers[number] = rule->number;
		trace->distances[number] = next_distance(trace, rule->sample, worker->now);
	}
	return rule;
}

/* One more that the rule is for: true when it is to be traced. */
static bool is_due(struct weir_worker *worker, uint32_t number, struct weir_trace_rule *rule)
{
	struct weir_trace_worker *trace = &worker->trace;

	if (--trace->distances[number] != 0)
		return false;
	trace->distances[number] = next_distance(trace, rule->sample, worker->now);
	return atomic_fetch_sub_explicit(&rule->left, 1, memory_order_relaxed) > 0;
}

/* The consumer has this partition of the stream, in one of its groups. */
static bool is_for(const struct weir_stream_view *view, uint16_t partition, const char *name)
{
	for (uint32_t i = 0; i < view->attachment_count; i++) {
		const struct weir_attachment *attachment = view->attachments[i].attachment;
		const struct weir_consumer *consumer =
			atomic_load_explicit(&attachment->owners[partition], memory_order_acquire);

		if (consumer != NULL && strcmp(consumer->name, name) == 0)
			return true;
	}
	return false;
}

static bool has_key(const struct weir_trace_rule *rule, const struct weir_ahead *ahead,
	const struct rte_mbuf *packet)
{
	struct weir_key_value key;

	weir_key_keep(&ahead->view->stream->key, rte_pktmbuf_mtod(packet, const uint8_t *),
		&ahead->headers, &key);
	return memcmp(&key, &rule->key, sizeof(key)) == 0;
}

static bool is_wanted(const struct weir_trace_rule *rule, const struct weir_ahead *ahead,
	const struct rte_mbuf *packet)
{
	bool is_placed = ahead->partition != WEIR_CAPTURE_NO_PARTITION;

	if (rule->stream[0] != '\0' && strcmp(rule->stream, ahead->view->stream->name) != 0)
		return false;
	if (rule->consumer[0] != '\0' &&
		!(is_placed && is_for(ahead->view, ahead->partition, rule->consumer)))
		return false;
	return !rule->has_key || (is_placed && has_key(rule, ahead, packet));
}

static bool is_plain(const struct weir_trace_rule *rule)
{
	return rule->stream[0] == '\0' && rule->consumer[0] == '\0' && !rule->has_key;
}

/* What a rule without conditions picks of a burst costs nothing for what it does not pick. */
static void pick_any(struct weir_worker *worker, uint32_t number, struct weir_trace_rule *rule,
	struct rte_mbuf *const *packets, uint32_t count)
{
	struct weir_trace_worker *trace = &worker->trace;
	uint32_t next = 0;

	while (count - next >= trace->distances[number]) {
		next += trace->distances[number];
		trace->distances[number] = 1;
		if (is_due(worker, number, rule))
			packets[next - 1]->ol_flags |= WEIR_PORT_TRACED;
	}
	trace->distances[number] -= count - next;
}

static void pick(struct weir_worker *worker, uint32_t number, struct weir_trace_rule *rule,
	struct rte_mbuf *const *packets, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct weir_ahead ahead;

		if (weir_look_ahead(worker, packets[i], &ahead) &&
			is_wanted(rule, &ahead, packets[i]) && is_due(worker, number, rule))
			packets[i]->ol_flags |= WEIR_PORT_TRACED;
	}
}

void weir_trace_receive(struct weir_worker *worker, struct rte_mbuf *const *packets, uint32_t count)
{
	for (uint32_t i = 0; i < WEIR_TRACE_RULES; i++) {
		struct weir_trace_rule *rule = rule_of(worker, i);

		if (rule == NULL)
			continue;
		if (is_plain(rule))
			pick_any(worker, i, rule, packets, count);
		else
			pick(worker, i, rule, packets, count);
	}
}

static const struct weir_stream_view *view_of(
	const struct weir_worker *worker, const struct weir_stream *stream)
{
	const struct weir_snapshot *snapshot = worker->snapshot;

	for (uint32_t i = 0; i < snapshot->stream_count; i++)
		if (snapshot->streams[i].stream == stream)
			return &snapshot->streams[i];
	return NULL;
}

void weir_trace_produce(struct weir_worker *worker, const struct weir_stream *stream,
	struct weir_message_slot *message, uint64_t hash)
{
	const uint8_t *frame = rte_pktmbuf_mtod(message->mbuf, const uint8_t *);
	struct weir_ahead ahead = {.view = view_of(worker, stream),
		.partition = weir_key_partition(hash, stream->partition_count),
		.headers = {.l3_offset = message->l3_offset,
			.l4_offset = message->l4_offset,
			.payload_length = message->payload_length,
			.source_port = weir_load16be(frame + message->l4_offset),
			.destination_port = weir_load16be(frame + message->l4_offset + 2),
			.ip_version = message->flags & WEIR_SLOT_IPV6 ? 6 : 4}};

	for (uint32_t i = 0; ahead.view != NULL && i < WEIR_TRACE_RULES; i++) {
		struct weir_trace_rule *rule = rule_of(worker, i);

		if (rule != NULL && is_wanted(rule, &ahead, message->mbuf) &&
			is_due(worker, i, rule))
			message->flags |= WEIR_SLOT_TRACED;
	}
}

static void describe(const struct weir_worker *worker, const struct weir_message_slot *message,
	enum weir_trace_kind kind, struct weir_trace_event *event)
{
	*event = (struct weir_trace_event){.ingest = message->ingest,
		.buffer = (uintptr_t)message->mbuf,
		.time = rte_rdtsc(),
		.bytes = message->payload_length,
		.stream = message->stream,
		.worker = worker->id,
		.kind = (uint8_t)kind};
}

bool weir_trace_may_follow(struct weir_worker *worker)
{
	struct weir_trace_contexts *contexts = &worker->dataplane->trace_contexts;

	return atomic_load_explicit(&contexts->is_on, memory_order_acquire) &&
	       weir_bucket_take(&contexts->budget, 1, weir_worker_ticks(worker)) == 0;
}

/* With what its producer says of it: the event may be the first that is seen of it. */
static void describe_message(const struct weir_worker *worker,
	const struct weir_message_slot *message, enum weir_trace_kind kind,
	struct weir_trace_event *event)
{
	describe(worker, message, kind, event);
	if (!(message->flags & WEIR_SLOT_CONTEXT))
		return;
	event->has_context = true;
	event->context = *weir_context_of(message);
}

void weir_trace_handed(struct weir_worker *worker, const struct weir_message_slot *message)
{
	struct weir_trace_event event;

	describe_message(worker, message, WEIR_TRACE_HANDED, &event);
	event.partition = message->partition;
	put(worker, &event);
}

void weir_trace_refused(struct weir_worker *worker, const struct rte_mbuf *packet, uint64_t ingest,
	const struct weir_stream *stream, uint16_t partition, enum weir_reason reason)
{
	struct weir_trace_event event = {.ingest = ingest,
		.buffer = (uintptr_t)packet,
		.time = rte_rdtsc(),
		.bytes = rte_pktmbuf_pkt_len(packet),
		.stream = stream->slot,
		.partition = partition,
		.worker = worker->id,
		.kind = WEIR_TRACE_REFUSED,
		.reason = (uint8_t)reason};

	put(worker, &event);
}

void weir_trace_message_refused(struct weir_worker *worker, const struct weir_message_slot *message,
	enum weir_reason reason)
{
	struct weir_trace_event event;

	describe_message(worker, message, WEIR_TRACE_REFUSED, &event);
	event.partition = message->partition;
	event.reason = (uint8_t)reason;
	put(worker, &event);
}

/* Up to now: what is closed at the moment counts. */
static void copy_held(const struct weir_worker *worker, const struct weir_lane *lane,
	struct weir_trace_event *event)
{
	const struct weir_outlet *outlet = lane->outlet;

	if (outlet == NULL)
		return;
	memcpy(event->held, outlet->held, sizeof(event->held));
	if (outlet->gate != WEIR_GATE_OPEN)
		event->held[outlet->gate] += worker->now - outlet->closed_at;
	event->held[WEIR_GATE_WINDOW] +=
		lane->full_cycles + (lane->is_full ? worker->now - lane->full_at : 0);
}

static enum weir_trace_state state_of(const struct weir_lane *lane)
{
	if (lane->outlet == NULL)
		return WEIR_TRACE_NO_CONSUMER;
	if (lane->is_draining || lane->is_following)
		return WEIR_TRACE_HANDOVER;
	return weir_gate_is_paused(lane->outlet->consumer, lane->partition->stream)
		       ? WEIR_TRACE_PAUSED
		       : WEIR_TRACE_QUEUED;
}

static void describe_lane(const struct weir_worker *worker, const struct weir_lane *lane,
	const struct weir_message_slot *slot, uint64_t sequence, enum weir_trace_kind kind,
	struct weir_trace_event *event)
{
	const struct weir_outlet *outlet = lane->outlet;

	describe(worker, slot, kind, event);
	event->partition = lane->partition->index;
	event->sequence = sequence;
	event->group = lane->group;
	event->consumer = outlet != NULL ? (uint16_t)(outlet->consumer->slot + 1) : 0;
	event->is_reliable = lane->delivery != NULL;
	copy_held(worker, lane, event);
}

void weir_trace_appended(struct weir_worker *worker, const struct weir_partition *partition,
	const struct weir_message_slot *message)
{
	struct weir_trace_event event;

	describe_message(worker, message, WEIR_TRACE_APPENDED, &event);
	event.partition = partition->index;
	event.sequence = partition->head;
	event.lanes = partition->lane_count;
	put(worker, &event);
	for (uint32_t i = 0; i < partition->lane_count; i++) {
		const struct weir_lane *lane = partition->lanes[i];

		describe_lane(worker, lane, message, partition->head, WEIR_TRACE_WAITS, &event);
		event.state = (uint8_t)state_of(lane);
		put(worker, &event);
	}
}

/* When the port has it is known later. */
static void await_port(struct weir_worker *worker, const struct weir_lane *lane,
	const struct weir_trace_event *event)
{
	const struct weir_route *route =
		atomic_load_explicit(&lane->outlet->consumer->route, memory_order_acquire);
	struct weir_trace_worker *trace = &worker->trace;

	if (route == NULL)
		return;
	if (trace->send_count == WEIR_TRACE_SENDS) {
		count_lost(worker);
		return;
	}
	trace->sends[trace->send_count++] =
		(struct weir_trace_send){.event = *event, .port = route->port};
}

void weir_trace_lane(struct weir_worker *worker, const struct weir_lane *lane, uint64_t sequence,
	enum weir_trace_kind kind, enum weir_reason reason)
{
	struct weir_trace_event event;

	describe_lane(worker, lane, weir_slot(lane->partition, sequence), sequence, kind, &event);
	event.reason = (uint8_t)reason;
	put(worker, &event);
	if (kind == WEIR_TRACE_TAKEN && worker->trace.ring != NULL)
		await_port(worker, lane, &event);
}

void weir_trace_mark_sends(struct weir_worker *worker)
{
	struct weir_trace_worker *trace = &worker->trace;

	for (uint32_t i = 0; i < trace->send_count; i++) {
		const struct weir_tx *tx = &worker->tx[trace->sends[i].port];

		if (trace->sends[i].after == 0)
			trace->sends[i].after = tx->passed + tx->count;
	}
}

void weir_trace_end_sends(struct weir_worker *worker)
{
	struct weir_trace_worker *trace = &worker->trace;
	uint64_t now = rte_rdtsc();
	uint32_t kept = 0;

	for (uint32_t i = 0; i < trace->send_count; i++) {
		struct weir_trace_send *send = &trace->sends[i];

		if (worker->tx[send->port].passed < send->after) {
			trace->sends[kept++] = *send;
			continue;
		}
		send->event.kind = WEIR_TRACE_SENT;
		send->event.time = now;
		put(worker, &send->event);
	}
	trace->send_count = kept;
}
