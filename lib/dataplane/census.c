/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include <rte_cycles.h>

#include "base/reason_text.h"
#include "dataplane/report.h"
#include "dataplane/staff.h"
#include "dataplane/worker.h"

#define WAIT_MS  100
#define YIELDS   64 /* before the waiting thread sleeps */
#define SLEEP_NS 20000

static bool owes_census(const struct weir_worker *worker)
{
	return atomic_load_explicit(&worker->census_done, memory_order_acquire) !=
	       atomic_load_explicit(&worker->census_wanted, memory_order_relaxed);
}

static void wait_a_little(unsigned int round)
{
	struct timespec pause = {.tv_nsec = SLEEP_NS};

	if (round < YIELDS)
		sched_yield();
	else
		nanosleep(&pause, NULL);
}

int weir_census_missing(const struct weir_dataplane *dataplane)
{
	for (uint32_t id = 0; dataplane->is_running && id < dataplane->worker_count; id++)
		if (owes_census(&dataplane->workers[id]))
			return (int)id;
	return -1;
}

int weir_census_take(struct weir_dataplane *dataplane)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000 * WAIT_MS;

	if (!dataplane->is_running)
		return 0;
	/* A partition that moves in between would be counted twice, or not at all. */
	for (unsigned int round = 0; weir_moves_are_under_way(dataplane); round++) {
		if ((int64_t)(rte_rdtsc() - until) > 0)
			return -ETIMEDOUT;
		wait_a_little(round);
	}
	for (uint32_t id = 0; id < dataplane->worker_count; id++)
		atomic_fetch_add(&dataplane->workers[id].census_wanted, 1);
	weir_staff_stand_in(dataplane);
	for (unsigned int round = 0; weir_census_missing(dataplane) >= 0; round++) {
		if ((int64_t)(rte_rdtsc() - until) > 0)
			return -ETIMEDOUT;
		wait_a_little(round);
	}
	return 0;
}

static uint64_t sum_dropped(const uint64_t *dropped, enum weir_reason_stage stage)
{
	uint64_t sum = 0;

	for (int reason = 0; reason < WEIR_REASON_COUNT; reason++)
		if (weir_reason_stage((enum weir_reason)reason) == stage)
			sum += dropped[reason];
	return sum;
}

struct check {
	weir_violation_visit visit;
	void *context;
	uint32_t count;
};

static void compare(struct check *check, const struct weir_violation *violation)
{
	if (violation->received == violation->accounted)
		return;
	check->count++;
	if (check->visit != NULL)
		check->visit(check->context, violation);
}

static void check_port(void *context, const struct weir_port_report *port)
{
	const struct weir_port_stats *stats = &port->stats;
	struct weir_violation violation = {.port = port->port->name,
		.received = stats->received,
		.accounted = stats->matched + stats->kernel + stats->native +
			     sum_dropped(stats->dropped, WEIR_STAGE_PORT)};

	compare(context, &violation);
}

static void check_stream(void *context, const struct weir_stream_report *stream)
{
	const struct weir_stream_stats *stats = &stream->stats;
	struct weir_violation violation = {.stream = stream->name,
		.received = stats->received + stats->requeued + stats->missed,
		.accounted = stats->appended + sum_dropped(stats->dropped, WEIR_STAGE_STREAM) +
			     (stats->handed - stats->taken_over) + stream->by_program +
			     stream->in_program};

	compare(context, &violation);
}

static void check_group(void *context, const struct weir_group_report *group)
{
	const struct weir_group_stats *stats = &group->stats;
	struct weir_violation violation = {.stream = group->stream,
		.group = group->group->name,
		.received = stats->received,
		.accounted = stats->delivered + sum_dropped(stats->dropped, WEIR_STAGE_GROUP) +
			     stats->held};

	compare(context, &violation);
}

uint32_t weir_law_check(
	const struct weir_dataplane *dataplane, weir_violation_visit visit, void *context)
{
	struct check check = {.visit = visit, .context = context};

	weir_ports_report(dataplane, check_port, &check);
	weir_streams_report(dataplane, check_stream, &check);
	weir_groups_report(dataplane, check_group, &check);
	return check.count;
}
