/* SPDX-License-Identifier: BSD-3-Clause */
#include "telemetry/collect.h"

#include <string.h>

#include "base/feature_text.h"
#include "base/reason_text.h"
#include "dataplane/report.h"
#include "telemetry/duty.h"

#define ADD(id, value) weir_samples_add(samples, WEIR_METRIC_ID_##id, (double)(value))

struct pass {
	struct weir_collector *collector;
	struct weir_samples *samples;
	uint64_t elapsed_us; /* since the last look; 0: there was none */
	uint64_t received[WEIR_TIERS];
	uint64_t shed[WEIR_TIERS];
	uint32_t partitions; /* that have samples */
	/* Of the stream whose partitions come. */
	uint64_t most, all;
};

static void add_dropped(struct weir_samples *samples, enum weir_metric metric,
	enum weir_reason_stage stage, const uint64_t *dropped)
{
	for (int reason = 1; reason < WEIR_REASON_COUNT; reason++)
		if (weir_reason_stage((enum weir_reason)reason) == stage)
			weir_samples_add_with(samples, metric, "reason",
				weir_reason_name((enum weir_reason)reason),
				(double)dropped[reason]);
}

static void add_stream(void *context, const struct weir_stream_report *stream)
{
	struct pass *pass = context;
	struct weir_samples *samples = pass->samples;
	const struct weir_stream_stats *stats = &stream->stats;

	pass->received[stream->tier] += stats->received;
	pass->shed[stream->tier] += stats->dropped[WEIR_REASON_SHED];
	/* One that drains has the name of the one that came in its place. */
	if (stream->is_draining)
		return;
	weir_samples_label(samples, 0, "stream", stream->name);
	weir_samples_label(samples, 1, "tier", weir_tier_name((enum weir_tier)stream->tier));
	ADD(STREAM_RECEIVED, stats->received);
	ADD(STREAM_RECEIVED_BYTES, stats->received_bytes);
	ADD(STREAM_APPENDED, stats->appended);
	ADD(STREAM_REQUEUED, stats->requeued);
	ADD(STREAM_MISSED, stats->missed);
	ADD(STREAM_BY_PROGRAM, stream->by_program);
	ADD(STREAM_BUFFERS, stream->buffers);
	ADD(STREAM_BUFFERS_USED, stream->buffers_used);
	ADD(STREAM_PARTITIONS, stream->partitions);
	add_dropped(samples, WEIR_METRIC_ID_STREAM_DROPPED, WEIR_STAGE_STREAM, stats->dropped);
}

static void add_tiers(const struct pass *pass, struct weir_samples *samples)
{
	for (int tier = 0; tier < WEIR_TIERS; tier++) {
		weir_samples_label(samples, 0, "tier", weir_tier_name((enum weir_tier)tier));
		ADD(TIER_RECEIVED, pass->received[tier]);
		ADD(TIER_SHED, pass->shed[tier]);
	}
}

static void add_group(void *context, const struct weir_group_report *group)
{
	struct weir_samples *samples = ((struct pass *)context)->samples;
	const struct weir_group_stats *stats = &group->stats;

	if (group->is_draining)
		return;
	weir_samples_label(samples, 0, "stream", group->stream);
	weir_samples_label(samples, 1, "group", group->group->name);
	ADD(GROUP_RECEIVED, stats->received);
	ADD(GROUP_REPLAYED, stats->replayed);
	ADD(GROUP_DELIVERED, stats->delivered);
	ADD(GROUP_DELIVERED_BYTES, stats->delivered_bytes);
	ADD(GROUP_HELD, group->held);
	ADD(GROUP_CONSUMERS, group->consumers);
	ADD(GROUP_REACHABLE, group->reachable);
	ADD(GROUP_MOVES, stats->moves);
	ADD(GROUP_MOVES_OVERDUE, stats->moves_overdue);
	add_dropped(samples, WEIR_METRIC_ID_GROUP_DROPPED, WEIR_STAGE_GROUP, stats->dropped);
}

/* Those of one stream come one after the other, the last with the highest index. */
static void add_partition(void *context, const struct weir_partition_report *partition)
{
	struct pass *pass = context;
	struct weir_samples *samples = pass->samples;

	if (partition->index == 0) {
		pass->most = 0;
		pass->all = 0;
	}
	pass->most = RTE_MAX(pass->most, partition->messages);
	pass->all += partition->messages;
	weir_samples_label(samples, 0, "stream", partition->stream);
	if (partition->is_last && pass->all != 0)
		ADD(STREAM_SKEW, (double)pass->most * (partition->index + 1) / (double)pass->all);
	if (pass->partitions >= pass->collector->partition_limit) {
		pass->collector->left_out++;
		return;
	}
	pass->partitions++;
	weir_samples_label_number(samples, 1, "partition", partition->index);
	weir_samples_label_number(samples, 2, "worker", partition->owner);
	ADD(PARTITION_MESSAGES, partition->messages);
	ADD(PARTITION_HELD, partition->held);
	ADD(PARTITION_HELD_BYTES, partition->bytes);
}

static void add_port(void *context, const struct weir_port_report *port)
{
	struct weir_samples *samples = ((struct pass *)context)->samples;
	const struct weir_port_stats *stats = &port->stats;

	weir_samples_label(samples, 0, "port", port->port->name);
	ADD(PORT_UP, port->is_up);
	ADD(PORT_RECEIVED, stats->received);
	ADD(PORT_RECEIVED_BYTES, stats->received_bytes);
	ADD(PORT_MATCHED, stats->matched);
	ADD(PORT_KERNEL, stats->kernel);
	ADD(PORT_NATIVE, stats->native);
	ADD(PORT_SENT, stats->sent);
	ADD(PORT_SENT_BYTES, stats->sent_bytes);
	ADD(PORT_FULL, stats->tx_full);
	ADD(PORT_MISSED, port->counters.rx_missed);
	ADD(PORT_NO_BUFFER, port->counters.rx_no_buffer);
	ADD(PORT_RX_ERRORS, port->counters.rx_errors);
	ADD(PORT_TX_ERRORS, port->counters.tx_errors);
	add_dropped(samples, WEIR_METRIC_ID_PORT_DROPPED, WEIR_STAGE_PORT, stats->dropped);
}

/* Since the last look; what it was before the first is nobody's. */
static double duty(struct pass *pass, const struct weir_worker_report *worker)
{
	uint64_t *seen = &pass->collector->busy_us[worker->id];

	if (pass->elapsed_us == 0)
		*seen = worker->busy_us;
	return weir_duty_since(seen, worker->busy_us, pass->elapsed_us);
}

static void add_worker(void *context, const struct weir_worker_report *worker)
{
	struct pass *pass = context;
	struct weir_samples *samples = pass->samples;
	double busy = duty(pass, worker);

	weir_samples_label_number(samples, 0, "worker", worker->id);
	weir_samples_label_number(samples, 1, "cpu", worker->cpu);
	ADD(WORKER_UP, worker->is_running);
	ADD(WORKER_STALLED, worker->is_stalled);
	ADD(WORKER_BUSY, (double)worker->busy_us / 1e6);
	ADD(WORKER_DUTY, busy);
	ADD(WORKER_HEADROOM, (1 - busy) * (double)worker->cycles_per_us * 1e6);
	ADD(WORKER_LOOPS, worker->stats.loops);
	ADD(WORKER_LONG, worker->stats.long_loops);
	ADD(WORKER_LONGEST, (double)worker->longest_loop_us / 1e6);
	ADD(WORKER_SLEEPS, worker->stats.sleeps);
	ADD(WORKER_ASLEEP, (double)worker->asleep_us / 1e6);
	ADD(WORKER_PARKED, worker->is_parked);
	ADD(WORKER_MESH_FULL, worker->stats.mesh_full);
	ADD(WORKER_STRAY, worker->stats.stray);
	for (int tier = WEIR_TIER_STANDARD; tier < WEIR_TIERS; tier++)
		weir_samples_add_with(samples, WEIR_METRIC_ID_WORKER_SHED, "tier",
			weir_tier_name((enum weir_tier)tier),
			(double)worker->shed[tier] / WEIR_SHED_ALL);
}

static void add_pool(void *context, const struct weir_pool_report *pool)
{
	struct weir_samples *samples = ((struct pass *)context)->samples;

	weir_samples_label(samples, 0, "pool", pool->name);
	ADD(POOL_SIZE, pool->size);
	ADD(POOL_FREE, pool->available);
}

static void add_latencies(const struct weir_dataplane *dataplane, struct weir_samples *samples)
{
	static const char *const labels[][2] = {
#define X(id, stage, tier) {stage, tier},
		WEIR_LATENCIES(X)
#undef X
	};
	struct weir_latency latencies[WEIR_LATENCY_COUNT];

	weir_latencies_report(dataplane, latencies);
	for (int i = 0; i < WEIR_LATENCY_COUNT; i++) {
		weir_samples_label(samples, 0, "stage", labels[i][0]);
		if (labels[i][1][0] != '\0')
			weir_samples_label(samples, 1, "tier", labels[i][1]);
		weir_samples_add_histogram(samples, WEIR_METRIC_ID_LATENCY, &latencies[i]);
	}
}

static void add_feature(const struct weir_dataplane *dataplane, enum weir_feature feature,
	struct weir_samples *samples)
{
	struct weir_feature_report report;

	weir_feature_report(dataplane, feature, &report);
	weir_samples_label(samples, 0, "feature", weir_feature_name(feature));
	for (int is_on = 0; is_on < 2; is_on++) {
		const struct weir_feature_side *side = &report.sides[is_on];

		weir_samples_label(samples, 1, "state", is_on ? "on" : "off");
		ADD(FEATURE_PARTITIONS, side->partitions);
		ADD(FEATURE_DELIVERED, side->counts.delivered);
		ADD(FEATURE_DROPPED, side->counts.lost);
		weir_samples_add_histogram(samples, WEIR_METRIC_ID_FEATURE_LATENCY, &side->send);
	}
}

static void add_native(const struct weir_dataplane *dataplane, struct weir_samples *samples)
{
	uint64_t dropped[WEIR_REASON_COUNT];

	weir_native_dropped(dataplane, dropped);
	add_dropped(samples, WEIR_METRIC_ID_NATIVE_DROPPED, WEIR_STAGE_NATIVE, dropped);
}

void weir_collect(struct weir_collector *collector, struct weir_dataplane *dataplane,
	uint64_t now_ns, struct weir_samples *samples)
{
	struct pass pass = {.collector = collector,
		.samples = samples,
		.elapsed_us =
			collector->looked_ns != 0 ? (now_ns - collector->looked_ns) / 1000 : 0};

	if (weir_dataplane_stalled(dataplane) != 0 || weir_census_take(dataplane) < 0)
		collector->census_failures++;
	collector->looked_ns = now_ns;
	collector->left_out = 0;
	weir_samples_unlabel(samples, 0);
	ADD(GENERATION, dataplane->generation);
	ADD(LAW, weir_law_check(dataplane, NULL, NULL));
	ADD(CENSUS_FAILURES, collector->census_failures);
	weir_streams_report(dataplane, add_stream, &pass);
	add_tiers(&pass, samples);
	weir_partitions_report_all(dataplane, add_partition, &pass);
	weir_groups_report(dataplane, add_group, &pass);
	weir_ports_report(dataplane, add_port, &pass);
	weir_workers_report(dataplane, add_worker, &pass);
	weir_pools_report(dataplane, add_pool, &pass);
	weir_samples_unlabel(samples, 0);
	add_native(dataplane, samples);
	add_latencies(dataplane, samples);
	weir_features_fold(dataplane);
	for (int i = 0; i < WEIR_FEATURE_COUNT; i++)
		add_feature(dataplane, (enum weir_feature)i, samples);
	weir_samples_unlabel(samples, 0);
}
