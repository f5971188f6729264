/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/staff.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "base/log.h"
#include "dataplane/model.h"
#include "dataplane/reassign.h"
#include "dataplane/worker.h"

#define END_MS 50 /* for what a worker that has nothing may still be handed */

static uint64_t bit_of(const struct weir_worker *worker)
{
	return UINT64_C(1) << worker->id;
}

static void pin(struct weir_worker *worker, uint16_t cpu)
{
	cpu_set_t cpus;

	if (worker->cpu == cpu)
		return;
	worker->cpu = cpu;
	if (!atomic_load(&worker->is_running))
		return;
	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(atomic_load(&worker->thread), sizeof(cpus), &cpus) < 0)
		weir_log_error("worker", "worker %u does not get to CPU %u: %s", worker->id, cpu,
			strerror(errno));
	else
		weir_log_notice("worker", "worker %u runs on CPU %u", worker->id, cpu);
}

static void set_limits(struct weir_dataplane *dataplane, const struct weir_config_workers *workers)
{
	dataplane->stall_cycles = rte_get_tsc_hz() / 1000 * workers->stall_ms;
	atomic_store(
		&dataplane->long_loop_cycles, rte_get_tsc_hz() / 1000000 * workers->long_loop_us);
	dataplane->idle = workers->idle;
	for (uint32_t id = 0; id < workers->count; id++)
		pin(&dataplane->workers[id], workers->cpus[id]);
	atomic_store(&dataplane->staying, workers->count);
}

void weir_staff_create(struct weir_dataplane *dataplane, const struct weir_config *config)
{
	set_limits(dataplane, &config->workers);
	dataplane->present = weir_workers_staying(dataplane);
}

void weir_staff_set_idle(struct weir_dataplane *dataplane, bool is_crowded)
{
	bool may_sleep = dataplane->idle == WEIR_IDLE_SLEEP ||
			 (dataplane->idle == WEIR_IDLE_AUTO && is_crowded);

	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		atomic_store(&dataplane->workers[id].may_sleep, may_sleep);
}

int weir_staff_launch(struct weir_worker *worker)
{
	atomic_store(&worker->stop, false);
	worker->is_draining = false;
	return rte_eal_remote_launch(weir_worker_main, worker, worker->lcore) == 0 ? 0 : -EBUSY;
}

static bool has_partitions(const struct weir_dataplane *dataplane, uint16_t worker)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; i < model->stream_count; i++) {
		const struct weir_stream *stream = model->streams[i].object;

		for (uint16_t p = 0; p < stream->partition_count; p++)
			if (weir_stream_owner(stream, p) == worker || stream->routed[p] == worker ||
				stream->wanted[p] == worker)
				return true;
	}
	return false;
}

/* Nothing is on its way to it either. */
static bool is_free(const struct weir_dataplane *dataplane, const struct weir_worker *worker)
{
	return dataplane->moves.count == 0 && !has_partitions(dataplane, worker->id) &&
	       weir_reassign_is_clear(dataplane, worker->id) &&
	       (weir_dataplane_behind(dataplane) & ~dataplane->leaving) == 0;
}

static void tell_to_end(struct weir_dataplane *dataplane, struct weir_worker *worker)
{
	dataplane->leaving |= bit_of(worker);
	atomic_store(&worker->drain_until, rte_rdtsc() + rte_get_tsc_hz() / 1000 * END_MS);
	atomic_store(&worker->stop, true);
}

static bool has_ended(const struct weir_dataplane *dataplane, const struct weir_worker *worker)
{
	return !dataplane->is_running || (!atomic_load(&worker->is_running) &&
						 rte_eal_get_lcore_state(worker->lcore) != RUNNING);
}

static void join(struct weir_dataplane *dataplane, struct weir_worker *worker)
{
	if (dataplane->is_running)
		rte_eal_wait_lcore(worker->lcore);
	dataplane->present &= ~bit_of(worker);
	dataplane->leaving &= ~bit_of(worker);
	dataplane->moves.parked &= ~bit_of(worker);
	atomic_store(&worker->is_parked, false);
	atomic_store(&worker->heartbeat, 0);
	dataplane->changes++;
	weir_log_notice("worker", "worker %u has left", worker->id);
	weir_worker_stand_in(worker);
}

/* The last one that is to go, as it may send for none that is there by then. */
static void let_go(struct weir_dataplane *dataplane)
{
	uint64_t going = dataplane->present & ~weir_workers_staying(dataplane);
	struct weir_worker *worker;

	if ((going | dataplane->leaving) == 0)
		return;
	worker = &dataplane->workers[63 - __builtin_clzll(going | dataplane->leaving)];
	if (!(dataplane->leaving & bit_of(worker))) {
		if (!is_free(dataplane, worker))
			return;
		tell_to_end(dataplane, worker);
	}
	if (has_ended(dataplane, worker))
		join(dataplane, worker);
}

static void begin(struct weir_dataplane *dataplane, struct weir_worker *worker)
{
	weir_worker_stand_in(worker);
	if (dataplane->is_running && weir_staff_launch(worker) < 0)
		return;
	dataplane->present |= bit_of(worker);
	dataplane->changes++;
	weir_log_notice("worker", "worker %u begins on CPU %u", worker->id, worker->cpu);
}

/* Also that one which had been told to end when it was wanted again. */
static void let_come(struct weir_dataplane *dataplane)
{
	uint64_t missing = weir_workers_staying(dataplane) & ~dataplane->present;
	uint64_t before = dataplane->present;

	for (; missing != 0; missing &= missing - 1)
		begin(dataplane, &dataplane->workers[__builtin_ctzll(missing)]);
	if (dataplane->present != before)
		weir_moves_share_out(dataplane);
}

/* Whoever is left takes partitions, whatever was said of it before. */
static void open_some(struct weir_dataplane *dataplane)
{
	uint64_t staying = weir_workers_staying(dataplane);
	struct weir_moves *moves = &dataplane->moves;

	moves->reserved &= staying;
	if ((staying & ~moves->parked & ~moves->reserved) != 0)
		return;
	moves->reserved = 0;
	for (uint16_t id = 0; id < dataplane->worker_count; id++)
		if (staying >> id & 1)
			atomic_store(&dataplane->workers[id].is_parked, false);
	moves->parked &= ~staying;
}

void weir_staff_follow(struct weir_dataplane *dataplane, const struct weir_config *config)
{
	uint64_t before = weir_workers_staying(dataplane);

	set_limits(dataplane, &config->workers);
	if (weir_workers_staying(dataplane) == before)
		return;
	open_some(dataplane);
	weir_moves_share_out(dataplane);
	weir_staff_step(dataplane);
}

void weir_staff_step(struct weir_dataplane *dataplane)
{
	if (dataplane->model == NULL)
		return;
	if (dataplane->is_unplaced)
		weir_moves_share_out(dataplane);
	if (dataplane->present == weir_workers_staying(dataplane) && dataplane->leaving == 0)
		return;
	let_go(dataplane);
	let_come(dataplane);
}

void weir_staff_stand_in(struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		if (!(dataplane->present >> id & 1))
			weir_worker_stand_in(&dataplane->workers[id]);
}
