/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/dataplane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_mbuf_dyn.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_malloc.h>

#include "base/log.h"
#include "dataplane/handover.h"
#include "dataplane/publish.h"
#include "dataplane/reassign.h"
#include "dataplane/requeue.h"
#include "dataplane/staff.h"
#include "dataplane/transit.h"
#include "dataplane/worker.h"

#define FRAME_OVERHEAD 64 /* Ethernet, tags, and what drivers want behind them */
#define LEAST_COPIES   8192
#define CACHE          256
#define LARGE          512
#define WHEEL_SHIFT    15 /* a slot is about 12 us */

static int out_of_memory(struct weir_error *error, const char *what)
{
	return weir_error_set(error, -ENOMEM, "$.memory",
		"give the machine more huge pages, or lower memory.buffers",
		"not enough memory for %s: %s", what, rte_strerror(rte_errno));
}

static int create_pools(struct weir_dataplane *dataplane, const struct weir_config *config,
	uint16_t largest_mtu, struct weir_error *error)
{
	uint32_t room =
		RTE_MAX(config->memory.buffer_bytes, (uint32_t)largest_mtu + FRAME_OVERHEAD);
	uint32_t copies = RTE_MAX(config->memory.buffers / 4, (uint32_t)LEAST_COPIES);

	room += RTE_PKTMBUF_HEADROOM;
	if (room > UINT16_MAX)
		room = UINT16_MAX;
	dataplane->buffers = rte_pktmbuf_pool_create(
		"weir_rx", config->memory.buffers, CACHE, 0, (uint16_t)room, SOCKET_ID_ANY);
	if (dataplane->buffers == NULL)
		return out_of_memory(error, "the receive buffers");
	dataplane->copies =
		rte_pktmbuf_pool_create("weir_tx", copies, CACHE, 0, (uint16_t)room, SOCKET_ID_ANY);
	if (dataplane->copies == NULL)
		return out_of_memory(error, "the transmit buffers");
	dataplane->large = rte_pktmbuf_pool_create("weir_large", LARGE, 0, 0,
		WEIR_DATAGRAM_MAX + FRAME_OVERHEAD + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
	if (dataplane->large == NULL)
		return out_of_memory(error, "the buffers of long datagrams");
	return 0;
}

static struct rte_ring *create_ring(const char *kind, uint16_t from, uint16_t to, unsigned int size,
	unsigned int element, unsigned int flags)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "weir_%s_%u_%u", kind, from, to);
	if (element != 0)
		return rte_ring_create_elem(name, element, size, SOCKET_ID_ANY, flags);
	return rte_ring_create(name, size, SOCKET_ID_ANY, flags);
}

static int create_mesh(struct weir_dataplane *dataplane)
{
	for (uint16_t from = 0; from < dataplane->worker_count; from++)
		for (uint16_t to = 0; to < dataplane->worker_count; to++) {
			struct rte_ring *ring;

			if (from == to)
				continue;
			ring = create_ring("mesh", from, to, WEIR_MESH_SIZE,
				sizeof(struct weir_message_slot), RING_F_SP_ENQ | RING_F_SC_DEQ);
			if (ring == NULL)
				return -ENOMEM;
			dataplane->workers[from].mesh_out[to].ring = ring;
			dataplane->workers[to].mesh_in[from] = ring;
		}
	return 0;
}

static void init_clock(struct weir_worker *worker)
{
	uint64_t hz = rte_get_tsc_hz();
	unsigned __int128 ticks = (unsigned __int128)1000000000 * WEIR_TICKS_PER_NS;

	worker->cycles_per_us = RTE_MAX(hz / 1000000, 1ull);
	worker->us_per_cycle = (uint64_t)(((unsigned __int128)1000000 << 64) / hz);
	worker->ticks_per_cycle = (uint64_t)((ticks << 32) / hz);
	worker->cycles_per_tick = (uint64_t)(((unsigned __int128)hz << 32) / ticks);
}

static void init_lists(struct weir_worker *worker)
{
	weir_list_init(&worker->critical);
	weir_list_init(&worker->shared);
	weir_list_init(&worker->behind);
	weir_list_init(&worker->again);
	weir_list_init(&worker->blocked);
	weir_list_init(&worker->open);
	weir_list_init(&worker->sessions);
	weir_list_init(&worker->producers);
	weir_list_init(&worker->produced);
	weir_list_init(&worker->draining);
	weir_list_init(&worker->holding);
	weir_wheel_init(&worker->wheel, WHEEL_SHIFT, rte_rdtsc());
	weir_wheel_init(&worker->lane_wheel, WHEEL_SHIFT, rte_rdtsc());
}

static int create_worker(struct weir_dataplane *dataplane, uint16_t id)
{
	struct weir_worker *worker = &dataplane->workers[id];
	unsigned int both = RING_F_SP_ENQ | RING_F_SC_DEQ;

	worker->id = id;
	worker->lcore = id + 1u; /* 0 is the control thread; see dpdk/eal.c */
	worker->direct.number = id;
	worker->dataplane = dataplane;
	worker->copies = dataplane->copies;
	worker->large = dataplane->large;
	init_clock(worker);
	init_lists(worker);
	if (weir_transit_create(worker) < 0)
		return -ENOMEM;
	worker->mesh_out = rte_zmalloc(
		"weir", dataplane->worker_count * sizeof(*worker->mesh_out), RTE_CACHE_LINE_SIZE);
	worker->mesh_in = calloc(dataplane->worker_count, sizeof(*worker->mesh_in));
	worker->to_control = create_ring("up", id, 0, WEIR_CONTROL_SIZE, 0, both);
	worker->from_control = create_ring("down", id, 0, WEIR_CONTROL_SIZE, 0, both);
	worker->wakes = create_ring("wake", id, 0, WEIR_WAKE_SIZE, 0, RING_F_SC_DEQ);
	worker->frames = create_ring("frame", id, 0, WEIR_CONTROL_SIZE, 0, RING_F_SC_DEQ);
	worker->returns =
		create_ring("return", id, 0, WEIR_CONTROL_SIZE, sizeof(struct weir_return), both);
	worker->orders =
		create_ring("order", id, 0, WEIR_CONTROL_SIZE, sizeof(struct weir_order), both);
	if (worker->mesh_out == NULL || worker->mesh_in == NULL || worker->to_control == NULL ||
		worker->from_control == NULL || worker->wakes == NULL || worker->frames == NULL ||
		worker->returns == NULL || worker->orders == NULL)
		return -ENOMEM;
	return 0;
}

static int create_workers(struct weir_dataplane *dataplane)
{
	size_t size = rte_rcu_qsbr_get_memsize(dataplane->worker_count);

	dataplane->workers = rte_zmalloc(
		"weir", dataplane->worker_count * sizeof(*dataplane->workers), RTE_CACHE_LINE_SIZE);
	dataplane->qsbr = rte_zmalloc("weir", size, RTE_CACHE_LINE_SIZE);
	if (dataplane->workers == NULL || dataplane->qsbr == NULL ||
		rte_rcu_qsbr_init(dataplane->qsbr, dataplane->worker_count) != 0)
		return -ENOMEM;
	for (uint16_t id = 0; id < dataplane->worker_count; id++)
		if (create_worker(dataplane, id) < 0)
			return -ENOMEM;
	return create_mesh(dataplane);
}

/* Of the process: nobody else is to mean something by it. */
static int reserve_traced_flag(struct weir_error *error)
{
	const struct rte_mbuf_dynflag flag = {.name = "weir_port_traced"};

	if (rte_mbuf_dynflag_register_bitnum(&flag, WEIR_PORT_TRACED_BIT) == WEIR_PORT_TRACED_BIT)
		return 0;
	return weir_error_set(error, -EBUSY, "", "report this",
		"a driver uses the flag of packets that are traced");
}

int weir_dataplane_create(const struct weir_config *config, uint16_t largest_mtu,
	struct weir_dataplane **out, struct weir_error *error)
{
	struct weir_dataplane *dataplane = calloc(1, sizeof(*dataplane));
	int result;

	*out = NULL;
	if (dataplane == NULL)
		return out_of_memory(error, "the data plane");
	dataplane->worker_count = weir_config_slots(config);
	dataplane->epoch = (uint32_t)time(NULL);
	dataplane->control_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	result = reserve_traced_flag(error);
	if (result == 0)
		result = create_pools(dataplane, config, largest_mtu, error);
	if (result == 0 && (dataplane->control_fd < 0 || create_workers(dataplane) < 0))
		result = out_of_memory(error, "the workers");
	if (result < 0) {
		weir_dataplane_destroy(dataplane);
		return result;
	}
	weir_staff_create(dataplane, config);
	*out = dataplane;
	return 0;
}

static void destroy_worker(struct weir_worker *worker, uint32_t worker_count)
{
	for (uint32_t to = 0; worker->mesh_out != NULL && to < worker_count; to++)
		rte_ring_free(worker->mesh_out[to].ring);
	for (uint32_t i = 0; i < worker->handoff_count; i++)
		rte_ring_free(worker->handoffs[i]);
	weir_transit_destroy(worker);
	rte_ring_free(worker->to_control);
	rte_ring_free(worker->from_control);
	rte_ring_free(worker->wakes);
	rte_ring_free(worker->frames);
	rte_ring_free(worker->returns);
	rte_ring_free(worker->orders);
	rte_free(worker->mesh_out);
	free(worker->mesh_in);
	rte_free(worker->tx);
	free(worker->handoffs);
	free(worker->handoff_ports);
	rte_free(worker->port_stats);
	rte_free(worker->port_census);
}

void weir_dataplane_destroy(struct weir_dataplane *dataplane)
{
	if (dataplane == NULL)
		return;
	weir_publish_destroy(dataplane);
	if (dataplane->workers != NULL) {
		weir_capture_free(dataplane);
		weir_chaos_free(dataplane);
		weir_trace_free(dataplane);
	}
	for (uint32_t i = 0; dataplane->workers != NULL && i < dataplane->worker_count; i++)
		destroy_worker(&dataplane->workers[i], dataplane->worker_count);
	for (uint32_t i = 0; i < WEIR_MAX_AGENTS; i++)
		weir_agent_free(dataplane->agents[i]);
	weir_reassign_destroy(dataplane);
	rte_free(dataplane->workers);
	rte_free(dataplane->qsbr);
	rte_mempool_free(dataplane->buffers);
	rte_mempool_free(dataplane->copies);
	rte_mempool_free(dataplane->large);
	if (dataplane->control_fd >= 0)
		close(dataplane->control_fd);
	free(dataplane);
}

int weir_dataplane_start(struct weir_dataplane *dataplane, struct weir_error *error)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		if ((dataplane->present >> id & 1) &&
			weir_staff_launch(&dataplane->workers[id]) < 0)
			return weir_error_set(error, -EBUSY, "$.workers.cpus",
				"restart the gateway", "worker %u could not be launched", id);
	dataplane->is_running = true;
	return 0;
}

uint64_t weir_dataplane_stalled(const struct weir_dataplane *dataplane)
{
	uint64_t now = rte_rdtsc();
	uint64_t stalled = 0;

	for (uint32_t id = 0; dataplane->is_running && id < dataplane->worker_count; id++) {
		uint64_t seen = atomic_load(&dataplane->workers[id].heartbeat);

		if (seen != 0 && (int64_t)(now - seen - dataplane->stall_cycles) > 0)
			stalled |= 1ull << id;
	}
	return stalled;
}

uint64_t weir_dataplane_behind(const struct weir_dataplane *dataplane)
{
	uint64_t behind = 0;

	for (uint32_t id = 0; dataplane->is_running && id < dataplane->worker_count; id++)
		if (atomic_load(&dataplane->workers[id].applied) < dataplane->generation)
			behind |= 1ull << id;
	return behind;
}

static void free_ring(struct rte_ring *ring)
{
	void *packet;

	while (ring != NULL && rte_ring_sc_dequeue(ring, &packet) == 0)
		rte_pktmbuf_free(packet);
}

/* What was between workers when the last of them ended: dropped by the one it was for. */
static void drop_message(
	struct weir_dataplane *dataplane, uint32_t worker, const struct weir_message_slot *message)
{
	struct weir_stream *stream = dataplane->published->by_slot[message->stream];

	if (stream != NULL) {
		stream->local[worker].stats.taken_over++;
		stream->local[worker].stats.dropped[WEIR_REASON_NO_OWNER]++;
	}
	rte_pktmbuf_free(message->mbuf);
}

static void free_mesh(struct weir_dataplane *dataplane)
{
	for (uint32_t from = 0; from < dataplane->worker_count; from++)
		for (uint32_t to = 0; to < dataplane->worker_count; to++) {
			struct rte_ring *ring = dataplane->workers[from].mesh_out[to].ring;
			struct weir_message_slot message;

			while (ring != NULL &&
				rte_ring_sc_dequeue_elem(ring, &message, sizeof(message)) == 0)
				drop_message(dataplane, to, &message);
		}
}

static void join_workers(struct weir_dataplane *dataplane, uint32_t drain_ms)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000 * drain_ms;

	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		atomic_store(&dataplane->workers[id].drain_until, until);
		atomic_store(&dataplane->workers[id].stop, true);
	}
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		rte_eal_wait_lcore(dataplane->workers[id].lcore);
	dataplane->leaving = 0;
}

static void free_rings(struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		free_ring(dataplane->workers[id].to_control);
		free_ring(dataplane->workers[id].from_control);
		free_ring(dataplane->workers[id].frames);
		weir_returns_free(&dataplane->workers[id]);
		for (uint32_t i = 0; i < dataplane->workers[id].handoff_count; i++)
			free_ring(dataplane->workers[id].handoffs[i]);
	}
}

void weir_dataplane_stop(struct weir_dataplane *dataplane, uint32_t drain_ms)
{
	if (!dataplane->is_running)
		return;
	join_workers(dataplane, drain_ms);
	free_mesh(dataplane);
	/* A partition may have been passed on to a worker that had ended. */
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		weir_transit_purge(&dataplane->workers[id]);
		weir_worker_census(&dataplane->workers[id]);
	}
	dataplane->moves.count = 0;
	free_rings(dataplane);
	dataplane->is_running = false;
}

/* What is between workers goes into the rings: there is nobody else who could. */
static void settle_mesh(struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		weir_mesh_flush(&dataplane->workers[id]);
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		while (weir_mesh_poll(&dataplane->workers[id]) != 0)
			;
	weir_transit_settle(dataplane);
	dataplane->moves.count = 0;
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		weir_worker_census(&dataplane->workers[id]);
}

void weir_dataplane_halt(struct weir_dataplane *dataplane, uint32_t drain_ms)
{
	if (!dataplane->is_running)
		return;
	atomic_store(&dataplane->leaves_estate, true);
	join_workers(dataplane, drain_ms);
	settle_mesh(dataplane);
	free_rings(dataplane);
	dataplane->is_running = false;
}

int weir_dataplane_resume(struct weir_dataplane *dataplane, struct weir_error *error)
{
	/* Partitions that were to move are told so again. */
	if (weir_dataplane_republish(dataplane) < 0)
		return weir_error_set(error, -ENOMEM, "", "", "not enough memory to go on");
	atomic_store(&dataplane->leaves_estate, false);
	return weir_dataplane_start(dataplane, error);
}
