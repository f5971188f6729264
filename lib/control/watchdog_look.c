/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "control/checkpoint.h"
#include "control/gateway.h"
#include "control/watchdog_private.h"

/* What is wrong, by the figures of one collection. */

#define CLOCK_NS (60 * WEIR_S_NS) /* that a step is told of */
#define HOT      0.9              /* of the time: a worker that is busy for more */
#define ROOM     0.6              /* one that is busy for less could take some of it */
#define HOT_NS   (5 * WEIR_S_NS)

/* Visit the samples of a metric whose value is, or is not, as wanted. */
static void find_by_value(struct weir_watchdog *watchdog, enum weir_watchdog_kind kind,
	uint64_t now_ns, const struct weir_samples *samples, enum weir_metric metric, bool wanted,
	const char *label, const char *reason)
{
	for (int32_t i = samples->first[metric]; i >= 0; i = samples->list[i].next) {
		const char *value = weir_sample_label(samples, &samples->list[i], label);
		char subject[80];

		if ((samples->list[i].value != 0) != wanted || value == NULL)
			continue;
		snprintf(subject, sizeof(subject), "%s=%s", label, value);
		weir_watchdog_found(watchdog, kind, now_ns, subject, reason);
	}
}

static uint32_t worker_of(const struct weir_samples *samples, const struct weir_sample *sample)
{
	const char *label = weir_sample_label(samples, sample, "worker");
	unsigned long id = label != NULL ? strtoul(label, NULL, 10) : 0;

	return id < WEIR_MAX_WORKERS ? (uint32_t)id : 0;
}

/* One that is parked has no load, and takes none. */
static bool has_room(const struct weir_watchdog *watchdog, const struct weir_samples *samples)
{
	const struct weir_moves *moves = &watchdog->gateway->dataplane->moves;
	uint64_t closed = moves->parked | moves->reserved;

	for (int32_t i = samples->first[WEIR_METRIC_ID_WORKER_DUTY]; i >= 0;
		i = samples->list[i].next)
		if (samples->list[i].value < ROOM &&
			!(closed >> worker_of(samples, &samples->list[i]) & 1))
			return true;
	return false;
}

static void look_at_load(
	struct weir_watchdog *watchdog, uint64_t now_ns, const struct weir_samples *samples)
{
	bool is_uneven = has_room(watchdog, samples);

	for (int32_t i = samples->first[WEIR_METRIC_ID_WORKER_DUTY]; i >= 0;
		i = samples->list[i].next) {
		uint32_t id = worker_of(samples, &samples->list[i]);
		char subject[80];

		if (!is_uneven || samples->list[i].value < HOT) {
			watchdog->hot_ns[id] = 0;
			continue;
		}
		if (watchdog->hot_ns[id] == 0)
			watchdog->hot_ns[id] = now_ns;
		if (now_ns - watchdog->hot_ns[id] < HOT_NS)
			continue;
		snprintf(subject, sizeof(subject), "worker=%u", id);
		weir_watchdog_found(watchdog, WEIR_WATCHDOG_LOAD, now_ns, subject,
			"busy all the time, while another has room");
	}
}

/* The figures of port number `index`: they are added in the order of the ports. */
static double port_value(
	const struct weir_samples *samples, enum weir_metric metric, uint32_t index)
{
	int32_t i = samples->first[metric];

	while (i >= 0 && index-- > 0)
		i = samples->list[i].next;
	return i >= 0 ? samples->list[i].value : 0;
}

static void look_at_ports(
	struct weir_watchdog *watchdog, uint64_t now_ns, const struct weir_samples *samples)
{
	const struct weir_dataplane *dataplane = watchdog->gateway->dataplane;

	find_by_value(watchdog, WEIR_WATCHDOG_PORT, now_ns, samples, WEIR_METRIC_ID_PORT_UP, false,
		"port", "no link");
	for (uint32_t i = 0; i < dataplane->port_count; i++) {
		double errors = port_value(samples, WEIR_METRIC_ID_PORT_RX_ERRORS, i) +
				port_value(samples, WEIR_METRIC_ID_PORT_TX_ERRORS, i) +
				port_value(samples, WEIR_METRIC_ID_PORT_NO_BUFFER, i);
		double full = port_value(samples, WEIR_METRIC_ID_PORT_FULL, i);
		double sent = port_value(samples, WEIR_METRIC_ID_PORT_SENT, i);
		char subject[80];

		snprintf(subject, sizeof(subject), "port=%s", dataplane->ports[i]->name);
		if (watchdog->has_before && full > watchdog->port_full[i] &&
			sent == watchdog->port_sent[i])
			weir_watchdog_found(watchdog,
				dataplane->ports[i]->can_restart ? WEIR_WATCHDOG_QUEUE
								 : WEIR_WATCHDOG_PORT,
				now_ns, subject, "its queue is full, and nothing leaves");
		else if (watchdog->has_before && errors > watchdog->port_errors[i])
			weir_watchdog_found(
				watchdog, WEIR_WATCHDOG_PORT, now_ns, subject, "errors");
		watchdog->port_errors[i] = errors;
		watchdog->port_full[i] = full;
		watchdog->port_sent[i] = sent;
	}
}

static void look_at_pools(
	struct weir_watchdog *watchdog, uint64_t now_ns, const struct weir_samples *samples)
{
	const struct weir_config_watchdog *config =
		&weir_dataplane_config(watchdog->gateway->dataplane)->watchdog;
	uint32_t percent = config->pool_percent;
	int32_t size = samples->first[WEIR_METRIC_ID_POOL_SIZE];
	bool is_short = false;

	for (int32_t i = samples->first[WEIR_METRIC_ID_POOL_FREE]; i >= 0 && size >= 0;
		i = samples->list[i].next, size = samples->list[size].next) {
		const char *pool = weir_sample_label(samples, &samples->list[i], "pool");
		double share = 100 * samples->list[i].value / samples->list[size].value;
		char subject[80], reason[64];

		is_short |= share < 2 * percent;
		if (share >= percent || pool == NULL)
			continue;
		snprintf(subject, sizeof(subject), "pool=%s", pool);
		snprintf(reason, sizeof(reason), "%.0f %% of its buffers are free", share);
		weir_watchdog_found(watchdog, WEIR_WATCHDOG_POOL, now_ns, subject, reason);
	}
	if (watchdog->sheds && (!is_short || !config->act))
		weir_watchdog_shed(watchdog, false);
}

static void look_at_disk(
	struct weir_watchdog *watchdog, uint64_t now_ns, const struct weir_samples *samples)
{
	const struct weir_config *config = weir_dataplane_config(watchdog->gateway->dataplane);
	struct weir_state_report report;
	char subject[80];

	(void)samples;
	if (!weir_checkpoint_report(watchdog->gateway->checkpoint, &report))
		return;
	snprintf(subject, sizeof(subject), "file=%.70s", config->state.file);
	if (report.error.code != 0)
		weir_watchdog_found(
			watchdog, WEIR_WATCHDOG_DISK, now_ns, subject, report.error.reason);
	else if (report.duration_ns > config->watchdog.disk_ms * WEIR_MS_NS)
		weir_watchdog_found(
			watchdog, WEIR_WATCHDOG_DISK, now_ns, subject, "the last write was slow");
}

void weir_watchdog_clock(struct weir_watchdog *watchdog, uint64_t now_ns, int64_t offset_ns)
{
	const struct weir_config_watchdog *config =
		&weir_dataplane_config(watchdog->gateway->dataplane)->watchdog;
	uint64_t step_ns = (uint64_t)llabs(offset_ns - watchdog->wall_offset_ns);

	if (watchdog->has_before && step_ns > config->clock_ms * WEIR_MS_NS)
		watchdog->stepped_ns = now_ns;
	watchdog->wall_offset_ns = offset_ns;
}

static int64_t wall_offset_ns(void)
{
	struct timespec wall, steady;

	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &steady);
	return (wall.tv_sec - steady.tv_sec) * (int64_t)WEIR_S_NS + wall.tv_nsec - steady.tv_nsec;
}

static void look_at_clock(struct weir_watchdog *watchdog, uint64_t now_ns)
{
	weir_watchdog_clock(watchdog, now_ns, wall_offset_ns());
	if (watchdog->stepped_ns != 0 && now_ns - watchdog->stepped_ns < CLOCK_NS)
		weir_watchdog_found(
			watchdog, WEIR_WATCHDOG_CLOCK, now_ns, "clock=wall", "it stepped");
}

void weir_watchdog_look_at_all(
	struct weir_watchdog *watchdog, uint64_t now_ns, const struct weir_samples *samples)
{
	find_by_value(watchdog, WEIR_WATCHDOG_WORKER, now_ns, samples,
		WEIR_METRIC_ID_WORKER_STALLED, true, "worker", "it does not come round");
	find_by_value(watchdog, WEIR_WATCHDOG_NEIGHBOUR, now_ns, samples,
		WEIR_METRIC_ID_CONSUMER_UP, false, "consumer", "it cannot be reached");
	look_at_load(watchdog, now_ns, samples);
	look_at_ports(watchdog, now_ns, samples);
	look_at_pools(watchdog, now_ns, samples);
	look_at_disk(watchdog, now_ns, samples);
	look_at_clock(watchdog, now_ns);
}
