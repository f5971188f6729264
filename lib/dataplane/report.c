/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/report.h"

#include <errno.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_mempool.h>

#include "dataplane/load.h"
#include "dataplane/model.h"
#include "dataplane/placement.h"
#include "dataplane/program.h"
#include "dataplane/worker.h"

/* Counters are read beside their writer: each is one aligned word. */
static uint64_t live(const uint64_t *counter)
{
	return *(const volatile uint64_t *)counter;
}

/* Blocks of counters are nothing but uint64_t, the padding at their end included. */
static void add(void *sum, const void *block, size_t size)
{
	uint64_t *to = sum;
	const uint64_t *from = block;

	for (size_t i = 0; i < size / sizeof(*to); i++)
		to[i] += live(&from[i]);
}

static void fill_stream(const struct weir_dataplane *dataplane,
	const struct weir_model_stream *stream, struct weir_stream_report *report)
{
	struct weir_stream *object = stream->object;
	int64_t under_way;

	memset(report, 0, sizeof(*report));
	report->name = object->name;
	report->slot = object->slot;
	report->is_draining = stream->is_draining;
	report->in_kernel = stream->in_kernel;
	report->tier = stream->tier;
	report->key = object->key.kind;
	report->partitions = object->partition_count;
	report->groups = stream->attachment_count;
	report->ring_messages = object->ring_messages;
	report->ring_bytes = object->ring_bytes;
	report->age_ms = stream->age_ms;
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		report->buffers += atomic_load(&object->local[id].limit);
		report->buffers_used += object->local[id].held;
	}
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		add(&report->stats, &object->local[id].census, sizeof(report->stats));
	for (uint16_t i = 0; object->template_bytes != 0 && i < object->partition_count; i++) {
		const struct weir_template_cache *cache = object->partitions[i].templates;

		report->templates += *(const volatile uint32_t *)&cache->entries;
		report->templates_expired += live(&cache->expired);
		report->option_records += *(const volatile uint32_t *)&cache->records;
	}
	under_way = (int64_t)(report->stats.handed - report->stats.taken_over);
	report->under_way = under_way > 0 ? (uint64_t)under_way : 0;
	if (object->has_program && !stream->is_draining)
		weir_program_add_stream(dataplane, report);
}

void weir_streams_report(
	const struct weir_dataplane *dataplane, weir_stream_visit visit, void *context)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++) {
		struct weir_stream_report report;

		fill_stream(dataplane, &model->streams[i], &report);
		visit(context, &report);
	}
}

static void fill_group(const struct weir_dataplane *dataplane,
	const struct weir_model_stream *stream, uint32_t index, struct weir_group_report *report)
{
	const struct weir_model_group *group =
		&dataplane->model->groups[stream->group_index[index]];

	memset(report, 0, sizeof(*report));
	report->stream = stream->object->name;
	report->is_draining = stream->is_draining;
	report->group = &group->config;
	report->consumers = group->consumer_count;
	for (uint32_t i = 0; i < group->consumer_count; i++)
		report->reachable += group->consumers[i].is_reachable;
	for (uint32_t block = 0; block < dataplane->worker_count * WEIR_FEATURE_WORDS; block++)
		add(&report->stats, &stream->attachments[index]->census[block],
			sizeof(report->stats));
	if (stream->object->has_program && !stream->is_draining)
		weir_program_add_group(dataplane, report);
	report->held = report->stats.held;
	report->moving = stream->attachments[index]->placement->pending;
}

void weir_groups_report(
	const struct weir_dataplane *dataplane, weir_group_visit visit, void *context)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		for (uint32_t j = 0; j < model->streams[i].attachment_count; j++) {
			struct weir_group_report report;

			fill_group(dataplane, &model->streams[i], j, &report);
			visit(context, &report);
		}
}

static void fill_lane(const struct weir_attachment_view *view, uint16_t partition, uint64_t head,
	struct weir_lane_report *report)
{
	const struct weir_lane *lane = &view->attachment->lanes[partition];
	const struct weir_attachment *attachment = view->attachment;
	const struct weir_consumer *owner = atomic_load(&attachment->owners[partition]);
	const struct weir_consumer *planned = attachment->placement->slots[partition].planned;
	int64_t lag;

	report->consumer = owner != NULL ? owner->name : NULL;
	report->next = planned != owner && planned != NULL ? planned->name : NULL;
	report->is_draining = *(const volatile bool *)&lane->is_draining;
	report->cursor = live(&lane->cursor);
	report->done = report->cursor;
	report->in_flight = 0;
	if (view->attachment->deliveries != NULL) {
		report->done = live(&view->attachment->deliveries[partition].done);
		report->in_flight = live(&view->attachment->deliveries[partition].flying.messages);
	}
	report->epoch = *(const volatile uint32_t *)&lane->wire.epoch;
	/* A lane that its worker has not begun yet will begin at the head. */
	lag = lane->partition != NULL ? (int64_t)(head - report->cursor) : 0;
	report->lag = lag > 0 ? (uint64_t)lag : 0;
}

static void report_partitions(const struct weir_dataplane *dataplane,
	const struct weir_model_stream *stream, const struct weir_stream_view *view,
	weir_partition_visit visit, void *context)
{
	struct weir_partition_report report = {.stream = stream->object->name};
	struct weir_stream_load load = {0};

	weir_stream_load(dataplane, stream->object->name, &load);
	report.lane_count = view->attachment_count;
	for (uint16_t p = 0; p < stream->object->partition_count; p++) {
		const struct weir_partition *partition = &stream->object->partitions[p];

		report.index = p;
		report.owner = stream->object->routed[p];
		report.is_last = p + 1u == stream->object->partition_count;
		report.features = view->features[p];
		report.is_alone = weir_partition_is_alone(dataplane, stream->object, p);
		report.messages_per_s = stream->object->loads[p].messages_per_s;
		report.bytes_per_s = stream->object->loads[p].bytes_per_s;
		report.share_percent = load.messages_per_s != 0
					       ? 100 * report.messages_per_s / load.messages_per_s
					       : 0;
		/* Tail first: it never passes the head, so the difference is not negative. */
		report.tail = live(&partition->tail);
		report.head = live(&partition->head);
		report.held = report.head - report.tail;
		report.messages = report.head - partition->first;
		report.bytes = live(&partition->bytes);
		for (uint32_t i = 0; i < view->attachment_count; i++) {
			report.lanes[i].group =
				dataplane->model->groups[stream->group_index[i]].config.name;
			fill_lane(&view->attachments[i], p, report.head, &report.lanes[i]);
		}
		visit(context, &report);
	}
}

int weir_partitions_report(const struct weir_dataplane *dataplane, const char *stream,
	weir_partition_visit visit, void *context)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++) {
		if (strcmp(model->streams[i].object->name, stream) != 0)
			continue;
		report_partitions(dataplane, &model->streams[i], &dataplane->published->streams[i],
			visit, context);
		return 0;
	}
	return -ENOENT;
}

void weir_partitions_report_all(
	const struct weir_dataplane *dataplane, weir_partition_visit visit, void *context)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		report_partitions(dataplane, &model->streams[i], &dataplane->published->streams[i],
			visit, context);
}

void weir_consumer_report(const struct weir_dataplane *dataplane,
	const struct weir_consumer *consumer, struct weir_consumer_report *report)
{
	memset(report, 0, sizeof(*report));
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		const struct weir_outlet *outlet = &consumer->outlets[id];

		add(&report->stats, &outlet->stats, sizeof(report->stats));
		if (report->gate == WEIR_GATE_OPEN)
			report->gate = *(const volatile uint8_t *)&outlet->gate;
	}
	if (consumer->class != WEIR_CLASS_NATIVE)
		weir_program_add_consumer(dataplane, consumer, report);
	report->closed = atomic_load(&consumer->closed);
	report->rate = consumer->rate;
	report->limit_messages = atomic_load(&consumer->credit->messages.limit);
	report->used_messages = atomic_load(&consumer->credit->messages.leased);
	report->limit_bytes = atomic_load(&consumer->credit->bytes.limit);
	report->used_bytes = atomic_load(&consumer->credit->bytes.leased);
}

void weir_placement_count(const struct weir_dataplane *dataplane, uint32_t *by_slot)
{
	const struct weir_snapshot *snapshot = dataplane->published;

	memset(by_slot, 0, WEIR_MAX_CONSUMERS * sizeof(*by_slot));
	for (uint32_t i = 0; snapshot != NULL && i < snapshot->stream_count; i++) {
		const struct weir_stream_view *view = &snapshot->streams[i];

		for (uint32_t j = 0; j < view->attachment_count; j++)
			for (uint16_t p = 0; p < view->stream->partition_count; p++) {
				const struct weir_consumer *owner =
					atomic_load(&view->attachments[j].attachment->owners[p]);

				if (owner != NULL)
					by_slot[owner->slot]++;
			}
	}
}

void weir_ports_report(const struct weir_dataplane *dataplane, weir_port_visit visit, void *context)
{
	for (uint32_t i = 0; i < dataplane->port_count; i++) {
		struct weir_port_report report = {.port = dataplane->ports[i]};

		report.is_up = report.port->ops->link(report.port->driver);
		report.port->ops->counters(report.port->driver, &report.counters);
		for (uint32_t id = 0; id < dataplane->worker_count; id++)
			add(&report.stats, &dataplane->workers[id].port_census[i],
				sizeof(report.stats));
		visit(context, &report);
	}
}

static uint32_t count_partitions(const struct weir_dataplane *dataplane, uint16_t worker)
{
	const struct weir_model *model = dataplane->model;
	uint32_t count = 0;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		for (uint16_t p = 0; p < model->streams[i].object->partition_count; p++)
			count += model->streams[i].object->routed[p] == worker;
	return count;
}

static void fill_worker(const struct weir_dataplane *dataplane, const struct weir_worker *worker,
	struct weir_worker_report *report)
{
	uint64_t heartbeat = atomic_load(&worker->heartbeat);
	int64_t age = (int64_t)(rte_rdtsc() - heartbeat);

	if (age < 0 || heartbeat == 0)
		age = 0;
	memset(report, 0, sizeof(*report));
	report->id = worker->id;
	report->cpu = worker->cpu;
	report->is_running = atomic_load(&worker->is_running);
	report->is_stalled = report->is_running && (uint64_t)age > dataplane->stall_cycles;
	report->is_leaving = !(weir_workers_staying(dataplane) >> worker->id & 1);
	report->is_parked = dataplane->moves.parked >> worker->id & 1;
	report->partitions = count_partitions(dataplane, worker->id);
	report->load_percent = 100 * worker->busy_rate / (double)rte_get_tsc_hz();
	report->may_sleep = worker->may_sleep;
	report->thread = atomic_load(&worker->thread);
	report->generation = atomic_load(&worker->applied);
	report->heartbeat_us = (uint64_t)age / worker->cycles_per_us;
	report->receive_queues = __atomic_load_n(&worker->rx_count, __ATOMIC_RELAXED);
	report->waiting = *(const volatile unsigned int *)&worker->wheel.count;
	for (int tier = 0; tier < WEIR_TIERS; tier++)
		report->shed[tier] = __atomic_load_n(&worker->shed.share[tier], __ATOMIC_RELAXED);
	add(&report->stats, &worker->stats, sizeof(report->stats));
	report->cycles_per_us = worker->cycles_per_us;
	report->busy_us = report->stats.busy_cycles / worker->cycles_per_us;
	report->asleep_us = report->stats.asleep_cycles / worker->cycles_per_us;
	report->longest_loop_us = report->stats.longest_loop / worker->cycles_per_us;
#ifdef WEIR_CYCLES
	report->cycles = worker->cycles;
#endif
}

void weir_workers_report(
	const struct weir_dataplane *dataplane, weir_worker_visit visit, void *context)
{
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		struct weir_worker_report report;

		if (!(dataplane->present >> id & 1))
			continue;
		fill_worker(dataplane, &dataplane->workers[id], &report);
		visit(context, &report);
	}
}

void weir_pools_report(const struct weir_dataplane *dataplane, weir_pool_visit visit, void *context)
{
	struct rte_mempool *const pools[] = {dataplane->buffers, dataplane->copies};
	static const char *const names[] = {"receive", "transmit"};

	for (uint32_t i = 0; i < RTE_DIM(pools); i++) {
		struct weir_pool_report report = {.name = names[i],
			.size = pools[i]->size,
			.available = rte_mempool_avail_count(pools[i])};

		visit(context, &report);
	}
}

void weir_latencies_report(const struct weir_dataplane *dataplane, struct weir_latency *latencies)
{
	size_t size = WEIR_LATENCY_COUNT * sizeof(*latencies);

	memset(latencies, 0, size);
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		for (uint32_t word = 0; word < WEIR_FEATURE_WORDS; word++)
			add(latencies, dataplane->workers[id].latencies[word], size);
}

void weir_native_dropped(const struct weir_dataplane *dataplane, uint64_t *dropped)
{
	size_t size = WEIR_REASON_COUNT * sizeof(*dropped);

	memset(dropped, 0, size);
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		add(dropped, dataplane->workers[id].native_dropped, size);
}

void weir_dataplane_flows(
	const struct weir_dataplane *dataplane, weir_failover_visit visit, void *context)
{
	for (uint32_t i = 0; i < dataplane->port_count; i++) {
		const struct weir_port *port = dataplane->ports[i];

		if (port->ops->flows == NULL)
			continue;
		port->ops->flows(port->driver, visit, context);
		return;
	}
}
