/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/agent.h"

#include "dataplane/native_wire.h"

/*
 * HEARTBEATs to agents. They take the way of the data, behind it, in the same port's queue: when
 * one arrives, all that was sent to the consumer before has arrived too. Questions are asked by the
 * worker whose turn used up the credit; the agent's home worker sends what is due by time.
 */

#define AGAIN_US   2000 /* an unanswered question is asked again not before, */
#define AGAIN_RTTS 4    /* nor before so many round trips */

static bool is_home(const struct weir_worker *worker, const struct weir_agent *agent)
{
	return weir_home_of(worker->dataplane, agent->slot) == worker->id;
}

static struct weir_consumer *consumer_of(
	const struct weir_worker *worker, const struct weir_agent *agent)
{
	uint32_t number = atomic_load_explicit(&agent->consumer, memory_order_acquire);

	return number != 0 ? worker->snapshot->consumers[number - 1] : NULL;
}

/* Rising, whoever sends: it is what an answer names. */
static uint64_t next_clock(const struct weir_worker *worker, struct weir_agent *agent)
{
	uint64_t last = atomic_load(&agent->last_clock);
	uint64_t clock_ns;

	do
		clock_ns = RTE_MAX(weir_worker_wall_ns(worker, worker->now), last + 1);
	while (!atomic_compare_exchange_weak(&agent->last_clock, &last, clock_ns));
	return clock_ns;
}

static void note(const struct weir_worker *worker, struct weir_agent *agent,
	const struct weir_consumer *consumer, uint64_t clock_ns)
{
	uint32_t number = atomic_fetch_add(&agent->mark_count, 1);
	struct weir_agent_mark *mark = &agent->marks[number % WEIR_AGENT_MARKS];

	atomic_store(&mark->clock_ns, 0);
	atomic_store(&mark->position, atomic_load(&consumer->credit->bytes.leased));
	atomic_store(&mark->sent, worker->now);
	atomic_store(&mark->clock_ns, clock_ns);
}

static bool send_heartbeat(struct weir_worker *worker, struct weir_agent *agent,
	const struct weir_consumer *consumer, uint8_t flags)
{
	struct weir_tx *tx = &worker->tx[agent->route.port];
	struct weir_frame_heartbeat *frame;
	struct weir_writer writer;
	struct rte_mbuf *packet;
	uint64_t clock_ns;

	/* Every datagram that is begun has a place kept for it. */
	if (weir_tx_room(tx) < 1 + worker->open_count)
		return false;
	packet = rte_pktmbuf_alloc(worker->copies);
	if (packet == NULL)
		return false;
	clock_ns = next_clock(worker, agent);
	weir_writer_begin(&writer, weir_native_payload(packet),
		WEIR_DATAGRAM_MIN - weir_seal_room(&agent->seal), agent->session);
	frame = weir_writer_add(&writer, WEIR_FRAME_HEARTBEAT, flags, sizeof(*frame));
	frame->clock_ns = weir_be64(clock_ns);
	if (consumer != NULL)
		note(worker, agent, consumer, clock_ns);
	if (flags & WEIR_HEARTBEAT_STARVED)
		atomic_store(&agent->asked_ns, clock_ns);
	writer.size += weir_seal_room(&agent->seal);
	(void)weir_seal_add(&agent->seal, &writer);
	weir_native_headers(packet, &agent->route, writer.length);
	weir_tx_add(tx, packet);
	atomic_store_explicit(&agent->last_heartbeat, worker->now, memory_order_relaxed);
	return true;
}

/* Only one worker asks, and not before it is time. */
static void ask(
	struct weir_worker *worker, struct weir_agent *agent, const struct weir_consumer *consumer)
{
	uint64_t due = atomic_load_explicit(&agent->ask_at, memory_order_relaxed);
	uint64_t patience = AGAIN_RTTS * atomic_load_explicit(&agent->rtt, memory_order_relaxed);

	if ((int64_t)(worker->now - due) < 0)
		return;
	patience = RTE_MAX(patience, AGAIN_US * worker->cycles_per_us);
	patience = RTE_MIN(patience, worker->snapshot->heartbeat_cycles);
	if (atomic_compare_exchange_strong(&agent->ask_at, &due, worker->now + patience))
		send_heartbeat(worker, agent, consumer, WEIR_HEARTBEAT_STARVED);
}

void weir_agent_turn_over(struct weir_worker *worker, struct weir_outlet *outlet)
{
	const struct weir_consumer *consumer = outlet->consumer;
	const struct weir_credit_line *bytes = &consumer->credit->bytes;
	uint32_t number = atomic_load_explicit(&consumer->agent, memory_order_acquire);
	struct weir_agent *agent = number != 0 ? worker->snapshot->agents[number - 1] : NULL;
	uint64_t limit, left;

	if (agent == NULL)
		return;
	limit = atomic_load_explicit(&agent->limit_bytes, memory_order_relaxed);
	left = atomic_load_explicit(&bytes->limit, memory_order_relaxed) -
	       atomic_load_explicit(&bytes->leased, memory_order_relaxed);
	/* A quarter of what the queue may hold is half of its target. */
	if (outlet->gate == WEIR_GATE_CREDIT_BYTES)
		atomic_store_explicit(&agent->is_starved, true, memory_order_relaxed);
	else if ((int64_t)left > (int64_t)(limit / 4))
		return;
	ask(worker, agent, consumer);
}

void weir_agents_tick(struct weir_worker *worker)
{
	const struct weir_snapshot *snapshot = worker->snapshot;

	for (uint32_t i = 0; i < snapshot->agent_top; i++) {
		struct weir_agent *agent = snapshot->agents[i];
		const struct weir_consumer *consumer;

		if (agent == NULL || !is_home(worker, agent))
			continue;
		consumer = consumer_of(worker, agent);
		if (consumer != NULL &&
			atomic_load_explicit(&agent->is_starved, memory_order_relaxed))
			ask(worker, agent, consumer);
		if ((int64_t)(worker->now -
			      atomic_load_explicit(&agent->last_heartbeat, memory_order_relaxed)) >=
			(int64_t)snapshot->heartbeat_cycles)
			send_heartbeat(worker, agent, consumer, 0);
	}
}
