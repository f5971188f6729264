/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "control/elastic.h"
#include "control/present.h"
#include "dataplane/report.h"
#include "dataplane/stream.h"

/* Workers, and which partitions they have. */

/* Busy loops by how long they took, from the buckets by log2 of cycles; no empty ones. */
static json_t *histogram(const struct weir_worker_report *worker)
{
	struct weir_present_rows rows;

	weir_present_begin(&rows, NULL);
	for (int i = 0; i < WEIR_DUTY_BUCKETS; i++) {
		uint64_t loops = worker->stats.loop_histogram[i];

		if (loops != 0)
			weir_present_add(
				&rows, json_pack("{s:f, s:I}", "below_us",
					       (double)(2ULL << i) / (double)worker->cycles_per_us,
					       "loops", weir_present_count(loops)));
	}
	return weir_present_end(&rows);
}

static const char *worker_state(const struct weir_worker_report *worker)
{
	if (!worker->is_running)
		return "stopped";
	if (worker->is_stalled)
		return "stalled";
	if (worker->is_leaving)
		return "leaving";
	return worker->is_parked ? "parked" : "running";
}

static const char *parked_by(
	const struct weir_gateway *gateway, const struct weir_worker_report *worker)
{
	if (!worker->is_parked)
		return NULL;
	return weir_elastic_parked(gateway->elastic) >> worker->id & 1 ? "load" : "operator";
}

/* Percent of each tier that is dropped; critical never is. */
static json_t *present_shed(const uint32_t shed[WEIR_TIERS])
{
	return json_pack("{s:i, s:i}", weir_tier_name(WEIR_TIER_STANDARD),
		(int)(shed[WEIR_TIER_STANDARD] * 100 / WEIR_SHED_ALL),
		weir_tier_name(WEIR_TIER_BULK), (int)(shed[WEIR_TIER_BULK] * 100 / WEIR_SHED_ALL));
}

/* By stage, in a build with meson's option `cycles`; otherwise NULL. */
static json_t *present_cycles(const struct weir_worker_report *worker)
{
#ifdef WEIR_CYCLES
	static const char *const names[] = {
#define X(id, name) name,
		WEIR_CYCLES_STAGES(X)
#undef X
	};
	json_t *stages = json_object();

	for (int i = 0; i < WEIR_CYCLES_COUNT; i++)
		json_object_set_new(stages, names[i],
			json_integer((json_int_t)weir_cycles_net(&worker->cycles, i)));
	return json_pack("{s:I, s:I, s:I, s:o}", "packets",
		weir_present_count(worker->cycles.all.packets), "interrupted",
		weir_present_count(worker->cycles.interrupted), "lap",
		weir_present_count(worker->cycles.lap_cycles), "stages", stages);
#else
	(void)worker;
	return NULL;
#endif
}

static void add_worker(void *context, const struct weir_worker_report *worker)
{
	struct weir_present_rows *rows = context;
	const struct weir_worker_stats *stats = &worker->stats;
	uint64_t up_us = (weir_loop_clock_ns() - rows->gateway->started_ns) / 1000;
	double busy = up_us != 0 ? 100.0 * (double)worker->busy_us / (double)up_us : 0;
	double asleep = up_us != 0 ? 100.0 * (double)worker->asleep_us / (double)up_us : 0;

	weir_present_add(rows,
		json_pack("{s:i, s:i, s:s, s:o, s:i, s:f, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I, "
			  "s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:o*}",
			"worker", worker->id, "cpu", worker->cpu, "state", worker_state(worker),
			"parked_by", weir_present_text(parked_by(rows->gateway, worker)),
			"partitions", (int)worker->partitions, "load_percent", worker->load_percent,
			"generation", weir_present_count(worker->generation), "heartbeat_us",
			weir_present_count(worker->heartbeat_us), "busy_percent", busy,
			"asleep_percent", asleep, "loops", weir_present_count(stats->loops),
			"busy_loops", weir_present_count(stats->busy_loops), "longest_loop_us",
			weir_present_count(worker->longest_loop_us), "long_loops",
			weir_present_count(stats->long_loops), "sleeps",
			weir_present_count(stats->sleeps), "receive_queues",
			weir_present_count(worker->receive_queues), "waiting",
			weir_present_count(worker->waiting), "mesh_full",
			weir_present_count(stats->mesh_full), "stray",
			weir_present_count(stats->stray), "may_sleep", worker->may_sleep,
			"shed_percent", present_shed(worker->shed), "histogram", histogram(worker),
			"cycles", present_cycles(worker)));
}

json_t *weir_present_workers(struct weir_gateway *gateway)
{
	struct weir_present_rows rows;

	weir_present_begin(&rows, gateway);
	weir_workers_report(gateway->dataplane, add_worker, &rows);
	return weir_present_end(&rows);
}

/* Without a census: this is what tells which worker is stalled. */
static int on_worker_list(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	(void)params;
	return weir_present_answer(
		json_pack("{s:o}", "workers", weir_present_workers(context)), result, error);
}

static int refuse(int code, const char *stream, struct weir_error *error)
{
	switch (code) {
	case -ENOENT:
		return weir_error_set(error, code, "$.params.stream", "see stream_list",
			"there is no stream \"%s\"", stream);
	case -ERANGE:
		return weir_error_set(error, code, "$.params.partition", "see partition_list",
			"the stream has no such partition");
	case -ENXIO:
		return weir_error_set(
			error, -ENOENT, "$.params.worker", "see worker_list", "no such worker");
	case -EBUSY:
		return weir_error_set(error, code, "$.params.worker", "see worker_list",
			"the worker is parked or taken by a hot partition, or no other is left to "
			"take its partitions");
	case -EALREADY:
		return weir_error_set(error, code, "$.params.partition", "see partition_list",
			"the partition has a worker to itself already, or has none");
	default:
		return weir_error_set(
			error, code, "", "free some memory and try again", "no memory");
	}
}

static uint16_t worker_of(const json_t *params)
{
	return (uint16_t)json_integer_value(json_object_get(params, "worker"));
}

static int answer_workers(
	void *context, int code, const char *stream, json_t **result, struct weir_error *error)
{
	if (code < 0)
		return refuse(code, stream, error);
	return on_worker_list(context, NULL, result, error);
}

static int change_parked(struct weir_gateway *gateway, uint16_t worker, bool is_parked,
	json_t **result, struct weir_error *error)
{
	struct weir_dataplane *dataplane = gateway->dataplane;
	uint64_t before = dataplane->moves.parked;
	int code = is_parked ? weir_worker_park(dataplane, worker)
			     : weir_worker_wake(dataplane, worker);

	if (dataplane->moves.parked != before)
		weir_elastic_tell(gateway, worker, is_parked, "operator");
	return answer_workers(gateway, code, "", result, error);
}

static int on_worker_park(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	return change_parked(context, worker_of(params), true, result, error);
}

static int on_worker_wake(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	return change_parked(context, worker_of(params), false, result, error);
}

static int on_partition_set_worker(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	const char *stream = json_string_value(json_object_get(params, "stream"));
	json_int_t partition = json_integer_value(json_object_get(params, "partition"));
	struct weir_gateway *gateway = context;

	return answer_workers(context,
		weir_partition_set_worker(
			gateway->dataplane, stream, (uint16_t)partition, worker_of(params)),
		stream, result, error);
}

static int change_alone(
	void *context, const json_t *params, bool on, json_t **result, struct weir_error *error)
{
	const char *stream = json_string_value(json_object_get(params, "stream"));
	uint16_t partition = (uint16_t)json_integer_value(json_object_get(params, "partition"));
	struct weir_dataplane *dataplane = ((struct weir_gateway *)context)->dataplane;

	return answer_workers(context,
		on ? weir_partition_isolate(dataplane, stream, partition)
		   : weir_partition_rejoin(dataplane, stream, partition),
		stream, result, error);
}

static int on_partition_isolate(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	return change_alone(context, params, true, result, error);
}

static int on_partition_release(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	return change_alone(context, params, false, result, error);
}

static void add_move(void *context, const struct weir_move *move)
{
	weir_present_add(
		context, json_pack("{s:s, s:i, s:i, s:i}", "stream", move->stream->name,
				 "partition", move->partition, "from", move->from, "to", move->to));
}

static int on_worker_rebalance(
	void *context, const json_t *params, json_t **result, struct weir_error *error)
{
	bool is_dry = json_is_true(json_object_get(params, "dry_run"));
	struct weir_gateway *gateway = context;
	struct weir_present_rows rows;
	json_t *moves;
	int code;

	weir_present_begin(&rows, gateway);
	code = weir_workers_rebalance(gateway->dataplane, is_dry, add_move, &rows);
	moves = weir_present_end(&rows);
	if (code < 0) {
		json_decref(moves);
		return refuse(code, "", error);
	}
	return weir_present_answer(
		json_pack("{s:b, s:o}", "dry_run", is_dry, "moves", moves), result, error);
}

#define WORKER                                                                                     \
	{                                                                                          \
		.name = "worker", .type = WEIR_RPC_INTEGER, .is_required = true,                   \
		.help = "the worker's number", .maximum = 63                                       \
	}

static const struct weir_rpc_param worker_params[] = {WORKER, {NULL}};

#define PARTITION                                                                                  \
	{.name = "stream",                                                                         \
		.type = WEIR_RPC_STRING,                                                           \
		.is_required = true,                                                               \
		.help = "the stream's name"},                                                      \
	{                                                                                          \
		.name = "partition", .type = WEIR_RPC_INTEGER, .is_required = true,                \
		.help = "the partition's number", .maximum = 4095                                  \
	}

static const struct weir_rpc_param partition_set_worker_params[] = {PARTITION, WORKER, {NULL}};
static const struct weir_rpc_param partition_params[] = {PARTITION, {NULL}};

static const struct weir_rpc_param rebalance_params[] = {
	{.name = "dry_run", .type = WEIR_RPC_BOOLEAN, .help = "true: only show what would move"},
	{NULL},
};

static const struct weir_rpc_method methods[] = {
	{"worker_list", "show the workers: state, partitions, load, generation, longest loop",
		WEIR_RPC_READ, NULL, "workers", on_worker_list},
	{"worker_park", "give a worker's partitions to the others; it sleeps where it can",
		WEIR_RPC_WRITE, worker_params, "workers", on_worker_park},
	{"worker_wake", "let a parked worker have partitions again, its share at once",
		WEIR_RPC_WRITE, worker_params, "workers", on_worker_wake},
	{"worker_rebalance", "spread partitions over the workers by measured load, moving few",
		WEIR_RPC_WRITE, rebalance_params, "what moves", on_worker_rebalance},
	{"partition_set_worker", "move a partition to a worker", WEIR_RPC_WRITE,
		partition_set_worker_params, "workers", on_partition_set_worker},
	{"partition_isolate", "give a hot partition the worker that it is on to itself",
		WEIR_RPC_WRITE, partition_params, "workers", on_partition_isolate},
	{"partition_release", "let a partition that has a worker to itself share it again",
		WEIR_RPC_WRITE, partition_params, "workers", on_partition_release},
};

int weir_methods_worker_register(struct weir_gateway *gateway)
{
	return weir_rpc_register(
		gateway->rpc, methods, sizeof(methods) / sizeof(methods[0]), gateway);
}
