/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/load.h"

#include <errno.h>
#include <string.h>

#include <rte_cycles.h>

#include "dataplane/model.h"
#include "dataplane/program.h"
#include "dataplane/worker.h"

#define LEAST_S 0.5

static uint64_t look(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Half of what it was and half of what is new: a second's accident does not decide. */
static void follow(double *rate, uint64_t *seen, uint64_t now, double seconds)
{
	*rate = (*rate + (double)(now - *seen) / seconds) / 2;
	*seen = now;
}

static void measure_stream(
	const struct weir_dataplane *dataplane, struct weir_stream *stream, double seconds)
{
	struct weir_failover_flow flow;

	for (uint16_t p = 0; p < stream->partition_count; p++) {
		const struct weir_partition *partition = &stream->partitions[p];
		struct weir_partition_load *load = &stream->loads[p];

		follow(&load->messages_per_s, &load->messages,
			look(&partition->head) - partition->first, seconds);
		follow(&load->bytes_per_s, &load->bytes, look(&partition->received_bytes), seconds);
	}
	if (!stream->has_program || !weir_program_flow(dataplane, stream->name, NULL, &flow))
		return;
	follow(&stream->programs.messages_per_s, &stream->programs.messages, flow.received,
		seconds);
	follow(&stream->programs.bytes_per_s, &stream->programs.bytes, flow.bytes, seconds);
}

void weir_load_measure(struct weir_dataplane *dataplane)
{
	const struct weir_model *model = dataplane->model;
	uint64_t now = rte_rdtsc();
	double seconds = (double)(now - dataplane->measured_at) / (double)rte_get_tsc_hz();

	if (seconds < LEAST_S || model == NULL)
		return;
	dataplane->measured_at = now;
	for (uint32_t i = 0; i < model->stream_count; i++)
		measure_stream(dataplane, model->streams[i].object, seconds);
	for (uint32_t id = 0; id < dataplane->worker_count; id++) {
		struct weir_worker *worker = &dataplane->workers[id];

		follow(&worker->busy_rate, &worker->busy_seen, look(&worker->stats.busy_cycles),
			seconds);
	}
}

double weir_worker_duty(const struct weir_dataplane *dataplane, uint32_t worker)
{
	return dataplane->workers[worker].busy_rate / (double)rte_get_tsc_hz();
}

static void sum_up(const struct weir_stream *stream, struct weir_stream_load *load)
{
	double most = 0;

	*load = (struct weir_stream_load){0};
	for (uint16_t p = 0; p < stream->partition_count; p++) {
		load->messages_per_s += stream->loads[p].messages_per_s;
		load->bytes_per_s += stream->loads[p].bytes_per_s;
		if (stream->loads[p].messages_per_s <= most)
			continue;
		most = stream->loads[p].messages_per_s;
		load->hottest = p;
	}
	if (most != 0) {
		load->hottest_percent = 100 * most / load->messages_per_s;
		load->skew = most * stream->partition_count / load->messages_per_s;
	}
	/* Of which partitions these are the program does not say. */
	load->messages_per_s += stream->programs.messages_per_s;
	load->bytes_per_s += stream->programs.bytes_per_s;
}

int weir_stream_load(
	const struct weir_dataplane *dataplane, const char *name, struct weir_stream_load *load)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++) {
		if (model->streams[i].is_draining ||
			strcmp(model->streams[i].object->name, name) != 0)
			continue;
		sum_up(model->streams[i].object, load);
		return 0;
	}
	return -ENOENT;
}

uint64_t weir_partition_weight(const struct weir_stream *stream, uint16_t partition)
{
	return 1 + (uint64_t)stream->loads[partition].messages_per_s;
}
