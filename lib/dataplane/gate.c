/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/gate.h"

#include <rte_cycles.h>

#include "dataplane/agent.h"
#include "dataplane/dataplane.h"
#include "dataplane/reliable.h"
#include "dataplane/templates.h"

#define LEASE_MESSAGES 32
#define LEASE_BYTES    16384
#define BUFFER_WAIT_US 50

static void close_outlet(
	const struct weir_worker *worker, struct weir_outlet *outlet, enum weir_gate gate)
{
	outlet->gate = (uint8_t)gate;
	outlet->closed_at = worker->now;
	outlet->stats.closed[gate]++;
	weir_queues_deactivate(outlet);
}

static void close_until(
	struct weir_worker *worker, struct weir_outlet *outlet, enum weir_gate gate, uint64_t ticks)
{
	uint64_t cycles = (uint64_t)(((unsigned __int128)ticks * worker->cycles_per_tick) >> 32);

	close_outlet(worker, outlet, gate);
	weir_wheel_set(&worker->wheel, &outlet->timer, worker->now + cycles);
}

/*
 * Close until somebody wakes us. The bit is set before the condition is read a last time: whoever
 * changes the condition reads the bits afterwards, so one of the two sees the other.
 */
static void close_until_woken(
	struct weir_worker *worker, struct weir_outlet *outlet, enum weir_gate gate)
{
	close_outlet(worker, outlet, gate);
	weir_list_add_tail(&worker->blocked, &outlet->blocked);
	atomic_fetch_or(&outlet->consumer->waiting, 1ull << worker->id);
}

static enum weir_gate closed_gate(struct weir_consumer *consumer, const struct weir_route **route)
{
	uint32_t closed = atomic_load_explicit(&consumer->closed, memory_order_acquire);

	*route = atomic_load_explicit(&consumer->route, memory_order_acquire);
	if (closed & (WEIR_CLOSED_PAUSED | WEIR_CLOSED_PEER))
		return WEIR_GATE_PAUSED;
	if ((closed & WEIR_CLOSED_UNREACHABLE) || *route == NULL)
		return WEIR_GATE_UNREACHABLE;
	return WEIR_GATE_OPEN;
}

enum weir_gate weir_gate_enter(
	struct weir_worker *worker, struct weir_outlet *outlet, const struct weir_route **route)
{
	struct weir_consumer *consumer = outlet->consumer;
	enum weir_gate gate = closed_gate(consumer, route);

	if (unlikely(gate != WEIR_GATE_OPEN)) {
		close_until_woken(worker, outlet, gate);
		if (closed_gate(consumer, route) == WEIR_GATE_OPEN)
			weir_outlet_open(worker, outlet);
		return gate;
	}
	if (unlikely(outlet->absences_seen !=
		     atomic_load_explicit(&consumer->absences, memory_order_relaxed)))
		weir_templates_forget_all(worker, outlet);
	outlet->limits = 0;
	if (weir_bucket_is_limited(consumer->packets))
		outlet->limits |= WEIR_LIMIT_PACKETS;
	if (weir_bucket_is_limited(consumer->bits))
		outlet->limits |= WEIR_LIMIT_BITS;
	outlet->credit_extra = 0;
	if (consumer->class == WEIR_CLASS_NATIVE)
		outlet->limits |= WEIR_LIMIT_CREDIT;
	if (atomic_load_explicit(&consumer->agent, memory_order_acquire) != 0) {
		outlet->limits |= WEIR_LIMIT_CREDIT;
		outlet->credit_extra = WEIR_AGENT_EXTRA;
	}
	if (consumer->is_reliable)
		outlet->limits |= WEIR_LIMIT_FLIGHT;
	return WEIR_GATE_OPEN;
}

static bool admit_packets(struct weir_worker *worker, struct weir_outlet *outlet)
{
	struct weir_bucket *bucket = outlet->consumer->packets;
	uint64_t now = weir_worker_ticks(worker);
	uint64_t wait;

	if (outlet->packets != 0)
		return true;
	/* More than the burst at once would be granted in advance, and exceed the burst. */
	if (weir_bucket_can_hold(bucket, LEASE_MESSAGES) &&
		weir_bucket_take(bucket, LEASE_MESSAGES, now) == 0) {
		outlet->packets = LEASE_MESSAGES;
		return true;
	}
	wait = weir_bucket_take(bucket, 1, now);
	if (wait == 0) {
		outlet->packets = 1;
		return true;
	}
	close_until(worker, outlet, WEIR_GATE_PACKET_RATE, wait);
	return false;
}

static bool admit_bits(struct weir_worker *worker, struct weir_outlet *outlet, uint32_t l3_bytes)
{
	struct weir_bucket *bucket = outlet->consumer->bits;
	uint64_t now = weir_worker_ticks(worker);
	uint64_t missing;
	uint64_t wait;

	if (outlet->bits >= (uint64_t)l3_bytes * 8)
		return true;
	missing = (uint64_t)l3_bytes * 8 - outlet->bits;
	if (weir_bucket_can_hold(bucket, missing + LEASE_BYTES * 8) &&
		weir_bucket_take(bucket, missing + LEASE_BYTES * 8, now) == 0) {
		outlet->bits += missing + LEASE_BYTES * 8;
		return true;
	}
	wait = weir_bucket_take(bucket, missing, now);
	if (wait == 0) {
		outlet->bits += missing;
		return true;
	}
	close_until(worker, outlet, WEIR_GATE_BIT_RATE, wait);
	return false;
}

/* True when the turn has `needed` of the line, leasing more if it must. */
static bool lease(
	struct weir_credit_line *line, uint64_t *leased, uint64_t needed, uint64_t surplus)
{
	if (*leased < needed) {
		uint64_t missing = needed - *leased;

		*leased += weir_credit_lease(line, missing, missing + surplus);
	}
	return *leased >= needed;
}

/* A consumer that says how long a message takes it is kept short of work, not of room. */
static bool is_ahead_of_pace(const struct weir_outlet *outlet)
{
	const struct weir_consumer *consumer = outlet->consumer;
	uint64_t limit = atomic_load_explicit(&consumer->pace_limit, memory_order_relaxed);
	uint64_t sent =
		atomic_load_explicit(&consumer->credit->messages.leased, memory_order_relaxed);

	return outlet->credit_messages == 0 && sent >= limit;
}

static enum weir_gate lease_credit(struct weir_outlet *outlet, uint32_t payload_bytes)
{
	struct weir_credit_account *credit = outlet->consumer->credit;

	if (is_ahead_of_pace(outlet))
		return WEIR_GATE_WINDOW;
	if (!lease(&credit->messages, &outlet->credit_messages, 1, LEASE_MESSAGES - 1))
		return WEIR_GATE_CREDIT_MESSAGES;
	if (!lease(&credit->bytes, &outlet->credit_bytes, payload_bytes + outlet->credit_extra,
		    LEASE_BYTES))
		return WEIR_GATE_CREDIT_BYTES;
	return WEIR_GATE_OPEN;
}

static enum weir_gate lease_flight(struct weir_outlet *outlet, uint32_t payload_bytes)
{
	struct weir_credit_account *flight = &outlet->consumer->flight;

	if (outlet->flying >= outlet->window.limit ||
		!lease(&flight->messages, &outlet->flight_messages, 1, LEASE_MESSAGES - 1) ||
		!lease(&flight->bytes, &outlet->flight_bytes, payload_bytes, LEASE_BYTES))
		return WEIR_GATE_WINDOW;
	return WEIR_GATE_OPEN;
}

static enum weir_gate lease_both(struct weir_outlet *outlet, uint32_t payload_bytes)
{
	enum weir_gate gate = lease_credit(outlet, payload_bytes);

	if (gate == WEIR_GATE_OPEN && (outlet->limits & WEIR_LIMIT_FLIGHT))
		gate = lease_flight(outlet, payload_bytes);
	return gate;
}

static bool admit_credit(
	struct weir_worker *worker, struct weir_outlet *outlet, uint32_t payload_bytes)
{
	enum weir_gate gate = lease_both(outlet, payload_bytes);

	if (gate == WEIR_GATE_OPEN)
		return true;
	close_until_woken(worker, outlet, gate);
	if (lease_both(outlet, payload_bytes) != WEIR_GATE_OPEN)
		return false;
	weir_outlet_open(worker, outlet);
	return true;
}

bool weir_gate_admit(struct weir_worker *worker, struct weir_outlet *outlet, uint32_t l3_bytes,
	uint32_t payload_bytes)
{
	if ((outlet->limits & WEIR_LIMIT_PACKETS) && !admit_packets(worker, outlet))
		return false;
	if ((outlet->limits & WEIR_LIMIT_BITS) && !admit_bits(worker, outlet, l3_bytes))
		return false;
	return !(outlet->limits & WEIR_LIMIT_CREDIT) || admit_credit(worker, outlet, payload_bytes);
}

void weir_gate_leave(struct weir_outlet *outlet)
{
	struct weir_consumer *consumer = outlet->consumer;

	if (outlet->packets != 0)
		weir_bucket_return(consumer->packets, outlet->packets);
	if (outlet->bits != 0)
		weir_bucket_return(consumer->bits, outlet->bits);
	weir_credit_return(&consumer->credit->messages, outlet->credit_messages);
	weir_credit_return(&consumer->credit->bytes, outlet->credit_bytes);
	outlet->packets = 0;
	outlet->bits = 0;
	weir_credit_return(&consumer->flight.messages, outlet->flight_messages);
	weir_credit_return(&consumer->flight.bytes, outlet->flight_bytes);
	outlet->credit_messages = 0;
	outlet->credit_bytes = 0;
	outlet->flight_messages = 0;
	outlet->flight_bytes = 0;
}

void weir_gate_charge_again(
	struct weir_worker *worker, struct weir_outlet *outlet, uint32_t l3_bytes)
{
	struct weir_consumer *consumer = outlet->consumer;
	uint64_t now = weir_worker_ticks(worker);

	if (weir_bucket_is_limited(consumer->packets))
		weir_bucket_charge(consumer->packets, 1, now);
	if (weir_bucket_is_limited(consumer->bits))
		weir_bucket_charge(consumer->bits, (uint64_t)l3_bytes * 8, now);
}

void weir_flight_landed(
	struct weir_worker *worker, struct weir_outlet *outlet, uint64_t messages, uint64_t bytes)
{
	struct weir_consumer *consumer = outlet->consumer;

	if (consumer->is_reliable) {
		atomic_fetch_add(&consumer->flight.messages.limit, messages);
		atomic_fetch_add(&consumer->flight.bytes.limit, bytes);
	}
	if (outlet->gate == WEIR_GATE_WINDOW && outlet->flying < outlet->window.limit)
		weir_outlet_open(worker, outlet);
	/* Another worker may wait for the room that this one has made. */
	if (worker->dataplane->worker_count > 1 && atomic_load(&consumer->waiting) != 0)
		weir_consumer_wake(worker->dataplane, consumer);
}

void weir_gate_wait_tx(struct weir_worker *worker, struct weir_outlet *outlet, struct weir_tx *tx)
{
	close_outlet(worker, outlet, WEIR_GATE_PORT_FULL);
	weir_list_add_tail(&tx->waiting, &outlet->blocked);
}

void weir_gate_wait_buffer(struct weir_worker *worker, struct weir_outlet *outlet)
{
	close_outlet(worker, outlet, WEIR_GATE_NO_BUFFER);
	weir_wheel_set(&worker->wheel, &outlet->timer,
		worker->now + rte_get_tsc_hz() / 1000000 * BUFFER_WAIT_US);
}

void weir_outlet_open(struct weir_worker *worker, struct weir_outlet *outlet)
{
	if (outlet->gate != WEIR_GATE_OPEN)
		outlet->held[outlet->gate] += worker->now - outlet->closed_at;
	outlet->gate = WEIR_GATE_OPEN;
	weir_wheel_cancel(&worker->wheel, &outlet->timer);
	weir_list_remove(&outlet->blocked);
	weir_queues_activate(worker, outlet);
	weir_again_open(worker, outlet);
}

static void wake_worker(struct weir_worker *worker, uint16_t slot)
{
	if (rte_ring_mp_enqueue(worker->wakes, (void *)(uintptr_t)(slot + 1u)) != 0)
		atomic_store(&worker->wakes_lost, true);
}

void weir_consumer_wake(struct weir_dataplane *dataplane, struct weir_consumer *consumer)
{
	uint64_t waiting = atomic_exchange(&consumer->waiting, 0);

	while (waiting != 0) {
		uint16_t id = (uint16_t)__builtin_ctzll(waiting);

		waiting &= waiting - 1;
		wake_worker(&dataplane->workers[id], consumer->slot);
	}
}

/* Lanes of a stream that is paused no longer are in no queue: find them, once a change. */
static void follow_pause(struct weir_worker *worker, const struct weir_consumer *consumer,
	struct weir_outlet *outlet)
{
	uint32_t changes = atomic_load_explicit(&consumer->pause_changes, memory_order_acquire);

	if (outlet->pause_seen == changes)
		return;
	outlet->pause_seen = changes;
	weir_outlet_rescan(worker, outlet);
	weir_again_open(worker, outlet);
}

/* A wake was lost: whoever waits is opened, and whoever may have paused is looked at. */
static uint32_t wake_all(struct weir_worker *worker)
{
	uint32_t woken = 0;

	while (!weir_list_is_empty(&worker->blocked)) {
		struct weir_outlet *outlet =
			weir_list_entry(worker->blocked.next, struct weir_outlet, blocked);

		weir_outlet_open(worker, outlet);
		woken++;
	}
	weir_list_for_each (node, &worker->sessions) {
		struct weir_outlet *outlet = weir_list_entry(node, struct weir_outlet, sessions);

		follow_pause(worker, outlet->consumer, outlet);
	}
	return woken;
}

uint32_t weir_wakes_poll(struct weir_worker *worker)
{
	void *slots[WEIR_BURST];
	uint32_t count;

	if (unlikely(atomic_load_explicit(&worker->wakes_lost, memory_order_relaxed)) &&
		atomic_exchange(&worker->wakes_lost, false))
		return wake_all(worker);
	count = rte_ring_sc_dequeue_burst(worker->wakes, slots, WEIR_BURST, NULL);
	for (uint32_t i = 0; i < count; i++) {
		struct weir_consumer *consumer =
			worker->snapshot->consumers[(uintptr_t)slots[i] - 1];

		if (consumer == NULL)
			continue;
		if (consumer->outlets[worker->id].gate != WEIR_GATE_OPEN)
			weir_outlet_open(worker, &consumer->outlets[worker->id]);
		follow_pause(worker, consumer, &consumer->outlets[worker->id]);
	}
	return count;
}
