/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/reassign.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_pause.h>

/*
 * What a worker does when a loop found nothing. On a core of its own it spins. Where it shares the
 * core it goes down a ladder: spin, pause, yield, sleep; the longer it is idle the lower it stands.
 * It sleeps on the ports' interrupts where all of them have any, else for a moment.
 */

#define SPIN_US      5 /* idle for less: look again at once */
#define PAUSE_US     20
#define YIELD_US     60
#define SLEEP_NS     50000 /* without interrupts; bounds the latency of a first packet */
#define DEEP_US      20000 /* idle for longer: sleep longer */
#define DEEP_NS      250000
#define PARKED_NS    1000000
#define INTERRUPT_MS 1

static void arm(struct weir_worker *worker, bool on)
{
	for (uint32_t i = 0; i < worker->rx_count; i++)
		worker->rx[i]->port->ops->rx_arm(worker->rx[i]->queue, on);
}

static bool has_packets(struct weir_worker *worker)
{
	for (uint32_t from = 0; from < worker->dataplane->worker_count; from++)
		if (worker->mesh_in[from] != NULL && !rte_ring_empty(worker->mesh_in[from]))
			return true;
	return (worker->takings != NULL && !rte_ring_empty(worker->takings)) ||
	       !rte_ring_empty(worker->from_control) || !rte_ring_empty(worker->wakes) ||
	       !rte_ring_empty(worker->frames) || !rte_ring_empty(worker->returns) ||
	       !rte_ring_empty(worker->orders);
}

static void sleep_on_interrupts(struct weir_worker *worker)
{
	arm(worker, true);
	if (!has_packets(worker) && poll(worker->waits, worker->rx_count, INTERRUPT_MS) < 0 &&
		errno != EINTR)
		worker->has_interrupts = false;
	arm(worker, false);
}

static void sleep_for(long ns)
{
	struct timespec duration = {.tv_nsec = ns};

	nanosleep(&duration, NULL);
}

static long how_long(const struct weir_worker *worker, uint64_t idle_us, bool is_parked)
{
	if (idle_us <= DEEP_US || worker->wheel.count != 0)
		return SLEEP_NS;
	/* Nothing comes to it, and it sends for nobody. */
	return is_parked && worker->rx_count == 0 && worker->handoff_count == 0 ? PARKED_NS
										: DEEP_NS;
}

void weir_worker_idle(struct weir_worker *worker)
{
	uint64_t now = rte_rdtsc();
	uint64_t idle_us;

	bool is_parked = atomic_load_explicit(&worker->is_parked, memory_order_relaxed);

	if (!is_parked && !atomic_load_explicit(&worker->may_sleep, memory_order_relaxed))
		return;
	if (worker->idle_since == 0)
		worker->idle_since = now;
	idle_us = (now - worker->idle_since) / worker->cycles_per_us;
	if (idle_us < SPIN_US)
		return;
	if (idle_us < PAUSE_US) {
		rte_pause();
		return;
	}
	if (idle_us < YIELD_US) {
		sched_yield();
		return;
	}
	worker->stats.sleeps++;
	rte_rcu_qsbr_thread_offline(worker->dataplane->qsbr, worker->id);
	if (worker->has_interrupts)
		sleep_on_interrupts(worker);
	else
		sleep_for(how_long(worker, idle_us, is_parked));
	worker->stats.asleep_cycles += rte_rdtsc() - now;
	rte_rcu_qsbr_thread_online(worker->dataplane->qsbr, worker->id);
}
