/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/chaos.h"

#include "dataplane/direct.h"

#define ASIDE_US UINT64_C(10000) /* that a packet waits for the one that it comes after */

/* One step of splitmix64. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void count(struct weir_chaos_state *state, enum weir_chaos_kind kind)
{
	__atomic_store_n(&state->counts[kind], state->counts[kind] + 1, __ATOMIC_RELAXED);
}

static bool is_on(const struct weir_worker *worker, const struct weir_chaos_fault *fault)
{
	return fault->id != 0 && (int64_t)(fault->until - worker->now) > 0;
}

/* Whether this packet is one of those; each that is asked about is one step of the choices. */
static bool chooses(struct weir_worker *worker, enum weir_chaos_kind kind, uint16_t port)
{
	const struct weir_chaos_fault *fault = &worker->chaos->faults[kind];

	if (!is_on(worker, fault) || (fault->port != WEIR_CHAOS_ANY && fault->port != port))
		return false;
	return draw(&worker->chaos_state->random[kind]) >> 32 < fault->share;
}

/* Packets on their way to being classified, in bursts as the ports give them. */
struct pass {
	struct weir_worker *worker;
	struct weir_port *port;
	uint32_t count;
	struct rte_mbuf *packets[WEIR_BURST];
};

static void let_through(struct pass *pass)
{
	if (pass->count != 0)
		weir_classify(pass->worker, pass->port, pass->packets, pass->count);
	pass->count = 0;
}

static void emit(struct pass *pass, struct rte_mbuf *packet)
{
	if (pass->count == WEIR_BURST)
		let_through(pass);
	pass->packets[pass->count++] = packet;
}

static void let_go(struct weir_worker *worker, const struct weir_chaos_packet *held)
{
	struct rte_mbuf *packet = held->packet;

	packet->port = held->port->index; /* for captures that have begun since */
	weir_direct_allow(worker);        /* something may wait since it was received */
	weir_classify(worker, held->port, &packet, 1);
}

static void let_aside_go(struct weir_worker *worker)
{
	struct weir_chaos_packet aside = worker->chaos_state->aside;

	worker->chaos_state->aside.packet = NULL;
	if (aside.packet != NULL)
		let_go(worker, &aside);
}

/* Those whose time is up, or all. */
static void let_held_go(struct weir_worker *worker, bool all)
{
	struct weir_chaos_state *state = worker->chaos_state;
	uint32_t held = atomic_load_explicit(&state->held, memory_order_relaxed);

	while (held != 0 &&
		(all || (int64_t)(worker->now - state->ring[state->first].until) >= 0)) {
		struct weir_chaos_packet oldest = state->ring[state->first];

		state->first = (state->first + 1) % WEIR_CHAOS_HELD;
		atomic_store_explicit(&state->held, --held, memory_order_relaxed);
		let_go(worker, &oldest);
	}
}

/* False: there is no room, and the packet goes on. */
static bool hold(struct pass *pass, struct rte_mbuf *packet)
{
	struct weir_chaos_state *state = pass->worker->chaos_state;
	uint32_t held = atomic_load_explicit(&state->held, memory_order_relaxed);

	if (held == WEIR_CHAOS_HELD)
		return false;
	state->ring[(state->first + held) % WEIR_CHAOS_HELD] =
		(struct weir_chaos_packet){packet, pass->port,
			pass->worker->now + pass->worker->chaos->faults[WEIR_CHAOS_DELAY].cycles};
	atomic_store_explicit(&state->held, held + 1, memory_order_relaxed);
	return true;
}

static void drop(struct pass *pass, struct rte_mbuf *packet)
{
	struct weir_worker *worker = pass->worker;
	struct weir_port_stats *stats = &worker->port_stats[pass->port->index];

	stats->received++;
	stats->received_bytes += packet->pkt_len;
	stats->dropped[WEIR_REASON_CHAOS_DROP]++;
	if (weir_captures(worker, WEIR_CAPTURE_DROP))
		weir_capture_drop(worker, packet, pass->port->index, NULL,
			WEIR_CAPTURE_NO_PARTITION, WEIR_REASON_CHAOS_DROP);
	rte_pktmbuf_free(packet);
}

static void put_aside(struct pass *pass, struct rte_mbuf *packet)
{
	struct weir_worker *worker = pass->worker;

	worker->chaos_state->aside = (struct weir_chaos_packet){
		packet, pass->port, worker->now + ASIDE_US * worker->cycles_per_us};
	count(worker->chaos_state, WEIR_CHAOS_REORDER);
}

static void meddle(struct pass *pass, struct rte_mbuf *packet)
{
	struct weir_worker *worker = pass->worker;
	struct weir_chaos_state *state = worker->chaos_state;
	uint16_t port = pass->port->index;
	struct rte_mbuf *copy = NULL;

	if (chooses(worker, WEIR_CHAOS_DROP, port)) {
		count(state, WEIR_CHAOS_DROP);
		drop(pass, packet);
		return;
	}
	if (chooses(worker, WEIR_CHAOS_DELAY, port) && hold(pass, packet)) {
		count(state, WEIR_CHAOS_DELAY);
		return;
	}
	if (chooses(worker, WEIR_CHAOS_DUPLICATE, port))
		copy = rte_pktmbuf_copy(packet, worker->dataplane->buffers, 0, UINT32_MAX);
	if (chooses(worker, WEIR_CHAOS_REORDER, port) && state->aside.packet == NULL) {
		put_aside(pass, packet);
		packet = NULL;
	}
	if (packet != NULL)
		emit(pass, packet);
	if (copy != NULL) {
		count(state, WEIR_CHAOS_DUPLICATE);
		copy->port = port;
		emit(pass, copy);
	}
	if (packet != NULL && state->aside.packet != NULL && state->aside.port == pass->port) {
		emit(pass, state->aside.packet);
		state->aside.packet = NULL;
	}
}

void weir_chaos_receive(struct weir_worker *worker, struct weir_port *port,
	struct rte_mbuf *const *packets, uint32_t count)
{
	struct pass pass;

	pass.worker = worker;
	pass.port = port;
	pass.count = 0;
	for (uint32_t i = 0; i < count; i++)
		meddle(&pass, packets[i]);
	let_through(&pass);
}

bool weir_chaos_blocks(struct weir_worker *worker, uint32_t messages)
{
	if (!chooses(worker, WEIR_CHAOS_BLOCK, WEIR_CHAOS_ANY))
		return false;
	worker->chaos_state->counts[WEIR_CHAOS_BLOCK] += messages;
	return true;
}

static bool is_lost(struct weir_worker *worker, const struct weir_tx *tx, uint32_t index)
{
	const struct weir_chaos_fault *fault = &worker->chaos->faults[WEIR_CHAOS_LOSE];
	uint16_t consumer = tx->owners[index].tag.consumer;

	/* What is sent for another worker has been chosen from there. */
	if (consumer == WEIR_CAPTURE_HANDED ||
		(fault->consumer != WEIR_CHAOS_ANY && fault->consumer + 1 != consumer))
		return false;
	return chooses(worker, WEIR_CHAOS_LOSE, tx->port->index);
}

static void lose(struct weir_worker *worker, const struct weir_tx *tx, uint32_t index)
{
	const struct weir_tx_owner *owner = &tx->owners[index];

	count(worker->chaos_state, WEIR_CHAOS_LOSE);
	if (weir_captures(worker, WEIR_CAPTURE_DROP))
		weir_capture_drop(worker, tx->packets[index], tx->port->index, NULL,
			WEIR_CAPTURE_NO_PARTITION, WEIR_REASON_CHAOS_LOSE);
	if (owner->stats != NULL) {
		owner->stats->delivered--;
		owner->stats->delivered_bytes -= owner->bytes;
		owner->stats->dropped[WEIR_REASON_CHAOS_LOSE]++;
	}
	rte_pktmbuf_free(tx->packets[index]);
}

void weir_chaos_send(struct weir_worker *worker, struct weir_tx *tx)
{
	uint64_t *drawn = &worker->chaos_state->drawn[tx->port->index];
	uint32_t kept = 0;

	if (!is_on(worker, &worker->chaos->faults[WEIR_CHAOS_LOSE]))
		return;
	/* What the port did not take before is there again, and has been chosen from. */
	for (uint32_t i = 0; i < tx->count; i++) {
		if (tx->passed + i >= *drawn && is_lost(worker, tx, i)) {
			lose(worker, tx, i);
			continue;
		}
		tx->packets[kept] = tx->packets[i];
		tx->owners[kept++] = tx->owners[i];
	}
	/* As if they had left: who waits until all that was sent has left must not wait for them.
	 */
	tx->passed += tx->count - kept;
	tx->count = kept;
	*drawn = tx->passed + tx->count;
}

/* Until its time is over, or the plan is another, or the worker is to end. */
static void stall(struct weir_worker *worker, const struct weir_chaos_fault *fault)
{
	uint64_t until = rte_rdtsc() + fault->cycles;

	count(worker->chaos_state, WEIR_CHAOS_STALL);
	worker->chaos_state->stalled = fault->id;
	while ((int64_t)(until - rte_rdtsc()) > 0 &&
		atomic_load_explicit(&worker->dataplane->chaos, memory_order_relaxed) ==
			worker->chaos &&
		!atomic_load_explicit(&worker->stop, memory_order_relaxed))
		rte_pause();
}

uint32_t weir_chaos_turn(struct weir_worker *worker)
{
	const struct weir_chaos_fault *fault = &worker->chaos->faults[WEIR_CHAOS_STALL];
	struct weir_chaos_state *state = worker->chaos_state;

	if (is_on(worker, fault) && fault->worker == worker->id && state->stalled != fault->id)
		stall(worker, fault);
	let_held_go(worker, false);
	if (state->aside.packet != NULL && (int64_t)(worker->now - state->aside.until) >= 0)
		let_aside_go(worker);
	return atomic_load_explicit(&state->held, memory_order_relaxed) +
	       (state->aside.packet != NULL);
}

void weir_chaos_follow(struct weir_worker *worker, const struct weir_chaos_plan *plan)
{
	struct weir_chaos_state *state = worker->chaos_state;

	for (int kind = 0; plan != NULL && kind < WEIR_CHAOS_COUNT; kind++) {
		const struct weir_chaos_fault *fault = &plan->faults[kind];

		if (fault->id == 0 || fault->id == state->ids[kind])
			continue;
		state->ids[kind] = fault->id;
		state->random[kind] = fault->seed ^ ((uint64_t)worker->id << 32);
		state->random[kind] = draw(&state->random[kind]) + (uint64_t)kind;
	}
	worker->chaos = plan;
	if (plan == NULL || plan->faults[WEIR_CHAOS_DELAY].id == 0)
		let_held_go(worker, true);
	if (plan == NULL || plan->faults[WEIR_CHAOS_REORDER].id == 0)
		let_aside_go(worker);
}
