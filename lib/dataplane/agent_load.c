/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/agent.h"

#include "dataplane/dataplane.h"
#include "dataplane/native_wire.h"

/* What agents send: reports become credit on the worker that receives them. */

#define PAUSE_US   1000 /* after an answer without credit; doubled each time, */
#define PAUSE_MOST 16   /* up to so many of them */

static struct weir_agent *find(const struct weir_worker *worker, uint64_t session,
	const uint8_t *frame, const struct weir_packet *headers)
{
	uint32_t index = weir_session_slot(session) - (uint32_t)WEIR_SLOT_AGENTS;
	struct weir_agent *agent = index < WEIR_MAX_AGENTS ? worker->snapshot->agents[index] : NULL;

	if (agent == NULL || agent->session != session ||
		!weir_native_is_peer(&agent->peer, agent->peer_port, frame, headers))
		return NULL;
	return agent;
}

/* False: the HEARTBEAT is not of this binding, or too old. */
static bool find_mark(
	const struct weir_agent *agent, uint64_t clock_ns, uint64_t *position, uint64_t *sent)
{
	for (uint32_t i = 0; clock_ns != 0 && i < WEIR_AGENT_MARKS; i++) {
		const struct weir_agent_mark *mark = &agent->marks[i];

		if (atomic_load(&mark->clock_ns) != clock_ns)
			continue;
		*position = atomic_load(&mark->position);
		*sent = atomic_load(&mark->sent);
		/* It may have been overwritten meanwhile. */
		return atomic_load(&mark->clock_ns) == clock_ns;
	}
	return false;
}

/* What the queue may still take, as the rule says; below zero when it is longer than it should be.
 */
static int64_t room_of(uint32_t queue_bytes, uint32_t limit_bytes)
{
	int64_t target = limit_bytes / 2;

	if (limit_bytes == 0)
		return 0;
	/* The kernel puts one datagram into an empty queue, however large. */
	if (queue_bytes == 0)
		target = RTE_MAX(target, WEIR_AGENT_LEAST);
	return target - queue_bytes;
}

static void measure(struct weir_agent *agent, uint64_t sample)
{
	uint64_t rtt = atomic_load_explicit(&agent->rtt, memory_order_relaxed);

	if ((int64_t)sample >= 0)
		atomic_store_explicit(&agent->rtt, rtt == 0 ? sample : rtt - rtt / 8 + sample / 8,
			memory_order_relaxed);
}

/* When the next question may be asked. */
static void answered(struct weir_worker *worker, struct weir_agent *agent, bool has_moved)
{
	uint64_t unit = PAUSE_US * worker->cycles_per_us;
	uint64_t pause = 0;

	if (!has_moved) {
		pause = RTE_MAX(2 * atomic_load(&agent->pause), unit);
		pause = RTE_MIN(pause, PAUSE_MOST * unit);
	}
	atomic_store(&agent->pause, pause);
	atomic_store(&agent->ask_at, worker->now + pause);
}

static void give_credit(struct weir_worker *worker, struct weir_agent *agent,
	struct weir_consumer *consumer, const struct weir_frame_load *load)
{
	uint64_t echo_ns = weir_be64(load->echo_ns);
	uint64_t asked_ns = echo_ns, position, sent;
	bool has_moved, is_answer;
	int64_t room;

	if (!find_mark(agent, echo_ns, &position, &sent))
		return;
	room = room_of(weir_be32(load->queue_bytes), weir_be32(load->limit_bytes));
	has_moved = weir_credit_grant(&consumer->credit->bytes, position + (uint64_t)room);
	/* Once: later reports name it too, until there is another HEARTBEAT. */
	is_answer = atomic_compare_exchange_strong(&agent->asked_ns, &asked_ns, 0);
	if (is_answer)
		measure(agent, worker->now - sent);
	if (is_answer || has_moved)
		answered(worker, agent, has_moved);
	if (!has_moved)
		return;
	atomic_store_explicit(&agent->is_starved, false, memory_order_relaxed);
	weir_consumer_wake(worker->dataplane, consumer);
}

/* Without a socket there all waits, whatever credit was given before. */
static void follow_socket(struct weir_worker *worker, const struct weir_agent *agent,
	struct weir_consumer *consumer, uint32_t limit_bytes)
{
	bool is_closed = atomic_load(&consumer->closed) & WEIR_CLOSED_PEER;

	if ((limit_bytes == 0) == is_closed)
		return;
	if (!is_closed) {
		atomic_fetch_add(&consumer->absences, 1);
		atomic_fetch_or(&consumer->closed, WEIR_CLOSED_PEER);
		/* If control has ended the binding since, it may have opened it already. */
		if (atomic_load(&consumer->agent) == agent->slot + 1u)
			return;
	}
	atomic_fetch_and(&consumer->closed, ~(uint32_t)WEIR_CLOSED_PEER);
	weir_consumer_wake(worker->dataplane, consumer);
}

static bool is_newest(struct weir_agent *agent, uint32_t counter)
{
	uint64_t old = atomic_load(&agent->counter);

	while (counter > old)
		if (atomic_compare_exchange_weak(&agent->counter, &old, counter))
			return true;
	return false;
}

static bool is_bound_to(const struct weir_agent *agent, const struct weir_frame_load *load)
{
	struct weir_address address;

	weir_address_unmap(&address, load->address);
	return weir_be16(load->port) == agent->port &&
	       weir_address_equal(&address, &agent->address);
}

/* True: control has to bind the agent first. */
static bool take_load(
	struct weir_worker *worker, struct weir_agent *agent, const struct weir_frame_load *load)
{
	uint32_t number = atomic_load_explicit(&agent->consumer, memory_order_acquire);
	struct weir_consumer *consumer =
		number != 0 ? worker->snapshot->consumers[number - 1] : NULL;

	if (number == 0)
		return true;
	if (consumer == NULL || !is_bound_to(agent, load) ||
		!is_newest(agent, weir_be32(load->counter)))
		return false;
	atomic_store(&agent->queue_bytes, weir_be32(load->queue_bytes));
	atomic_store(&agent->limit_bytes, weir_be32(load->limit_bytes));
	atomic_store(&agent->drops, weir_be64(load->drops));
	atomic_fetch_add(&agent->reports, 1);
	if (atomic_load(&consumer->agent) == agent->slot + 1u) {
		follow_socket(worker, agent, consumer, weir_be32(load->limit_bytes));
		give_credit(worker, agent, consumer, load);
	}
	return false;
}

bool weir_agent_take(struct weir_worker *worker, struct weir_frame_cursor *cursor,
	const uint8_t *frame, const struct weir_packet *headers, bool *is_known)
{
	struct weir_agent *agent = find(worker, cursor->session, frame, headers);
	const struct weir_frame_header *each;
	bool is_for_control = false;
	enum weir_reason reason;

	*is_known = agent != NULL;
	if (agent == NULL) {
		worker->native_dropped[WEIR_REASON_FRAME_SESSION]++;
		return true;
	}
	reason = weir_native_check_seal(
		&agent->seal, cursor, frame + headers->l4_offset + 8, headers->payload_length);
	if (unlikely(reason != WEIR_REASON_NONE)) {
		worker->native_dropped[reason]++;
		return false;
	}
	atomic_store_explicit(&agent->last_heard, worker->now, memory_order_relaxed);
	while ((each = weir_frame_next(cursor)) != NULL)
		is_for_control |= each->type != WEIR_FRAME_LOAD ||
				  take_load(worker, agent, (const void *)each);
	return is_for_control;
}
