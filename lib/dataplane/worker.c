/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/direct.h"
#include "dataplane/handover.h"
#include "dataplane/missed.h"
#include "dataplane/partition.h"
#include "dataplane/produce.h"
#include "dataplane/reassign.h"
#include "dataplane/requeue.h"
#include "dataplane/succession.h"
#include "dataplane/transit.h"

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_lcore.h>

#define TICK_US 1000 /* heartbeats, expiry, wall clock */

static void look_at_clock(struct weir_worker *worker)
{
	worker->now = rte_rdtsc();
	worker->now_us = (uint64_t)(((unsigned __int128)worker->now * worker->us_per_cycle) >> 64);
}

static void duty(struct weir_worker *worker, uint64_t cycles)
{
	struct weir_worker_stats *stats = &worker->stats;
	unsigned int bucket = cycles != 0 ? 63 - (unsigned int)__builtin_clzll(cycles) : 0;

	stats->busy_loops++;
	stats->busy_cycles += cycles;
	stats->loop_histogram[RTE_MIN(bucket, WEIR_DUTY_BUCKETS - 1u)]++;
	if (cycles > stats->longest_loop)
		stats->longest_loop = cycles;
	if (cycles >
		atomic_load_explicit(&worker->dataplane->long_loop_cycles, memory_order_relaxed))
		stats->long_loops++;
}

/* As many as there are, up to a burst: some drivers give 64 in a call and no more. */
static uint16_t take_burst(const struct weir_rx_queue *rx, struct rte_mbuf **packets)
{
	uint16_t count = rx->port->ops->rx(rx->queue, packets, WEIR_BURST);

	if (count >= WEIR_BURST / 2 && count < WEIR_BURST)
		count += rx->port->ops->rx(
			rx->queue, packets + count, (uint16_t)(WEIR_BURST - count));
	return count;
}

static uint32_t receive(struct weir_worker *worker)
{
	uint32_t total = 0, most = 0;

	weir_direct_allow(worker);
	for (uint32_t i = 0; i < worker->rx_count; i++) {
		const struct weir_rx_queue *rx = worker->rx[i];
		struct rte_mbuf *packets[WEIR_BURST];
		uint16_t count = take_burst(rx, packets);

		WEIR_CYCLES_LAP(worker, RECEIVE);
		if (count == 0)
			continue;
		if (weir_captures(worker, WEIR_CAPTURE_RX | WEIR_CAPTURE_DROP))
			weir_capture_rx(worker, rx->port, packets, count);
		if (unlikely(worker->trace_rules != 0))
			weir_trace_receive(worker, packets, count);
		if (likely(worker->chaos == NULL))
			weir_classify(worker, rx->port, packets, count);
		else
			weir_chaos_receive(worker, rx->port, packets, count);
		total += count;
		most = RTE_MAX(most, (uint32_t)count);
	}
	weir_shed_note(&worker->shed, most);
	WEIR_CYCLES_RECEIVED(worker, total);
	return total;
}

/* Frames that the control thread made: replies of the stream protocol, the kernel's packets. */
static uint32_t send_for_control(struct weir_worker *worker)
{
	struct rte_mbuf *packets[WEIR_BURST];
	uint32_t count =
		rte_ring_sc_dequeue_burst(worker->from_control, (void **)packets, WEIR_BURST, NULL);

	for (uint32_t i = 0; i < count; i++) {
		struct weir_tx *tx = &worker->tx[packets[i]->port];

		if (weir_tx_room(tx) == 0)
			weir_tx_flush(worker, tx);
		if (weir_tx_room(tx) != 0)
			weir_tx_add(tx, packets[i]);
		else {
			tx->stats->dropped[WEIR_REASON_TX_FAILED]++;
			if (weir_captures(worker, WEIR_CAPTURE_DROP))
				weir_capture_drop(worker, packets[i], packets[i]->port, NULL,
					WEIR_CAPTURE_NO_PARTITION, WEIR_REASON_TX_FAILED);
			rte_pktmbuf_free(packets[i]);
		}
	}
	return count;
}

static void renew_wall_clock(struct weir_worker *worker)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	worker->wall_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
	worker->wall_tsc = rte_rdtsc();
}

static void tick(struct weir_worker *worker)
{
	worker->next_tick = worker->now + worker->cycles_per_us * TICK_US;
	renew_wall_clock(worker);
	weir_partition_sweep(worker);
	weir_handover_tick(worker);
	weir_missed_tick(worker);
	weir_native_tick(worker);
	weir_produce_tick(worker);
	weir_shed_tick(worker);
	weir_agents_tick(worker);
}

static void look_at_control(struct weir_worker *worker)
{
	uint32_t wanted = atomic_load_explicit(&worker->census_wanted, memory_order_acquire);
	const struct weir_chaos_plan *chaos =
		atomic_load_explicit(&worker->dataplane->chaos, memory_order_acquire);

	worker->capture_points =
		atomic_load_explicit(&worker->dataplane->capture_points, memory_order_acquire);
	worker->trace_rules =
		atomic_load_explicit(&worker->dataplane->trace_rules, memory_order_acquire);
	weir_worker_follow(worker);
	if (unlikely(chaos != worker->chaos && !worker->is_draining))
		weir_chaos_follow(worker, chaos);
	if (unlikely(weir_missed_is_due(worker)))
		weir_missed_look(worker);
	if (unlikely(wanted != atomic_load_explicit(&worker->census_done, memory_order_relaxed))) {
		weir_worker_census(worker);
		atomic_store_explicit(&worker->census_done, wanted, memory_order_release);
	}
}

/* Returns how much there was to do. */
static uint32_t loop_once(struct weir_worker *worker)
{
	uint32_t work = 0, came = 0;

	/* What a client said before it left counts: the snapshot without it comes after that. */
	if (worker->dataplane->worker_count > 1)
		work += weir_frames_poll(worker);
	look_at_control(worker);
	if (worker->dataplane->worker_count > 1 && unlikely(!rte_ring_empty(worker->takings)))
		work += weir_transit_take(worker);
	if (unlikely(worker->chaos != NULL))
		work += weir_chaos_turn(worker);
	if (unlikely(worker->is_reassigning))
		weir_reassign_step(worker);
	WEIR_CYCLES_LAP(worker, LOOP);
	if (likely(!worker->is_draining))
		came += receive(worker);
	if (worker->dataplane->worker_count > 1) {
		weir_mesh_flush(worker);
		came += weir_mesh_poll(worker);
		work += weir_tx_poll_handoffs(worker);
		WEIR_CYCLES_LAP(worker, MESH);
	}
	worker->due += came;
	work += came + weir_wakes_poll(worker);
	work += send_for_control(worker);
	if (unlikely(!rte_ring_empty(worker->returns)))
		work += weir_returns_poll(worker);
	if (unlikely(!rte_ring_empty(worker->orders)))
		work += weir_orders_poll(worker);
	if (worker->now >= worker->next_tick)
		tick(worker);
	if (unlikely(worker->has_succession))
		weir_succession_run(worker);
	work += weir_produce_flush(worker);
	WEIR_CYCLES_LAP(worker, LOOP);
	work += weir_schedule(worker);
	weir_tx_flush_all(worker);
	if (unlikely(worker->transit_phase != WEIR_TRANSIT_NONE)) {
		weir_transit_leave(worker);
		work++;
	}
	return work;
}

static bool has_mail(const struct weir_worker *worker)
{
	for (uint32_t from = 0; from < worker->dataplane->worker_count; from++)
		if (worker->mesh_in[from] != NULL && !rte_ring_empty(worker->mesh_in[from]))
			return true;
	for (uint32_t i = 0; i < worker->handoff_count; i++)
		if (!rte_ring_empty(worker->handoffs[i]))
			return true;
	return false;
}

static bool is_empty(const struct weir_worker *worker)
{
	for (uint32_t i = 0; i < worker->dataplane->port_count; i++)
		if (worker->tx[i].count != 0)
			return false;
	return weir_list_is_empty(&worker->holding) && worker->transit_phase == WEIR_TRANSIT_NONE &&
	       worker->limbo_count == 0 && !has_mail(worker);
}

static void drain(struct weir_worker *worker)
{
	uint64_t until = atomic_load(&worker->drain_until);

	worker->is_draining = true;
	if (worker->chaos != NULL)
		weir_chaos_follow(worker, NULL);
	do {
		look_at_clock(worker);
		loop_once(worker);
		rte_rcu_qsbr_quiescent(worker->dataplane->qsbr, worker->id);
	} while (worker->now < until && !is_empty(worker));
	if (atomic_load(&worker->dataplane->leaves_estate))
		weir_worker_halt(worker);
	else
		weir_worker_purge(worker);
	/* The census must see it: the counters are final now. */
	weir_worker_census(worker);
}

void weir_worker_begin(struct weir_worker *worker)
{
	look_at_clock(worker);
	look_at_control(worker);
}

static void drop_packets(struct rte_ring *ring)
{
	void *packet;

	while (rte_ring_sc_dequeue(ring, &packet) == 0)
		rte_pktmbuf_free(packet);
}

void weir_worker_stand_in(struct weir_worker *worker)
{
	struct weir_order order;
	void *number;

	weir_worker_begin(worker);
	/* Nothing in these is about what it has. */
	drop_packets(worker->frames);
	while (rte_ring_sc_dequeue(worker->wakes, &number) == 0 ||
		rte_ring_sc_dequeue_elem(worker->orders, &order, sizeof(order)) == 0)
		;
	atomic_store(&worker->wakes_lost, false);
}

static void pin(const struct weir_worker *worker)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(worker->cpu, &cpus);
	(void)sched_setaffinity(0, sizeof(cpus), &cpus);
}

/* The thread may not come back: what it has kept of the pools is for the others. */
static void empty_caches(const struct weir_worker *worker)
{
	const struct weir_dataplane *dataplane = worker->dataplane;
	struct rte_mempool *pools[] = {dataplane->buffers, dataplane->copies, dataplane->large};

	for (uint32_t i = 0; i < RTE_DIM(pools); i++) {
		struct rte_mempool_cache *cache =
			rte_mempool_default_cache(pools[i], rte_lcore_id());

		if (cache != NULL)
			rte_mempool_cache_flush(cache, pools[i]);
	}
}

int weir_worker_main(void *argument)
{
	struct weir_worker *worker = argument;
	struct rte_rcu_qsbr *qsbr = worker->dataplane->qsbr;

	prctl(PR_SET_TIMERSLACK, 1000);
	atomic_store(&worker->thread, (int)gettid());
	pin(worker);
	rte_rcu_qsbr_thread_register(qsbr, worker->id);
	rte_rcu_qsbr_thread_online(qsbr, worker->id);
	renew_wall_clock(worker);
	WEIR_CYCLES_BEGIN(worker);
	atomic_store(&worker->is_running, true);
	while (likely(!atomic_load_explicit(&worker->stop, memory_order_relaxed))) {
		uint32_t work;

		look_at_clock(worker);
		WEIR_CYCLES_LOOP_BEGIN(worker);
		atomic_store_explicit(&worker->heartbeat, worker->now, memory_order_relaxed);
		work = loop_once(worker);
		WEIR_CYCLES_LOOP_END(worker, work);
		worker->stats.loops++;
		rte_rcu_qsbr_quiescent(qsbr, worker->id);
		if (work != 0) {
			worker->idle_since = 0;
			duty(worker, rte_rdtsc() - worker->now);
		} else {
			weir_worker_idle(worker);
		}
	}
	drain(worker);
	rte_rcu_qsbr_thread_offline(qsbr, worker->id);
	rte_rcu_qsbr_thread_unregister(qsbr, worker->id);
	empty_caches(worker);
	atomic_store(&worker->is_running, false);
	return 0;
}
