/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan.h"

#include <stdlib.h>

static void draw_streams(struct sim_plan *plan, struct sim_random *random)
{
	uint64_t span = plan->faults_end_ns;

	plan->stream_count = (uint32_t)sim_between(random, 1, SIM_STREAMS);
	for (uint32_t i = 0; i < plan->stream_count; i++) {
		struct sim_stream_plan *stream = &plan->streams[i];
		uint32_t left =
			SIM_PARTITIONS - plan->partition_count - (plan->stream_count - 1 - i);

		stream->first = plan->partition_count;
		stream->partitions = (uint32_t)sim_between(random, 1, left < 4 ? left : 4);
		plan->partition_count += stream->partitions;
		stream->most = (uint32_t)sim_scale(random, 20, 500);
		stream->pause_ns = sim_between(random, span / 4, span) / stream->most;
		stream->burst = sim_chance(random, 50) ? (uint32_t)sim_scale(random, 1, 64) : 1;
		stream->pause_ns *= (stream->burst + 1) / 2;
		stream->length = (uint16_t)sim_between(
			random, 32, sim_chance(random, 30) ? SIM_PAYLOAD : 300);
		stream->ring = 16u << sim_below(random, 5);
		if (sim_chance(random, 30))
			stream->deadline_ns = sim_scale(random, 20, 800) * SIM_MS;
		for (uint32_t p = 0; p < stream->partitions; p++)
			stream->first_seq[p] = sim_below(random, UINT64_C(1) << 40);
	}
}

static void draw_groups(struct sim_plan *plan, struct sim_random *random)
{
	plan->group_count = (uint32_t)sim_between(random, 1, SIM_GROUPS);
	for (uint32_t i = 0; i < plan->group_count; i++) {
		struct sim_group_plan *group = &plan->groups[i];

		group->members = (uint32_t)sim_between(random, 1, SIM_MEMBERS);
		group->leave_out = sim_chance(random, 25) ? (uint32_t)sim_between(random, 2, 4) : 0;
		group->attempts = (uint32_t)sim_between(random, 3, 16);
		group->retry_cost = (uint32_t)sim_scale(random, 8, 256);
		group->cap_messages = (uint32_t)sim_scale(random, 8, 512);
		group->cap_bytes = (uint32_t)sim_scale(random, 4096, 200000);
		group->lane_messages = (uint32_t)sim_scale(random, 4, 512);
		group->lane_bytes = (uint32_t)sim_scale(random, 2048, 200000);
		if (sim_chance(random, 20))
			group->packets_per_s = sim_scale(random, 500, 20000);
		group->moves = (uint32_t)sim_between(random, 1, 4);
		group->drain_ms = sim_chance(random, 90) ? (uint32_t)sim_scale(random, 10, 600) : 0;
	}
}

static void draw_consumer(struct sim_consumer_plan *consumer, struct sim_random *random)
{
	consumer->is_used = true;
	consumer->is_liar = sim_chance(random, 8);
	consumer->is_unreliable = !consumer->is_liar && sim_chance(random, 6);
	consumer->is_pull = sim_chance(random, 10);
	consumer->is_manual = sim_chance(random, 20);
	consumer->renames = sim_chance(random, 40);
	consumer->max_datagram =
		sim_chance(random, 30) ? 512 : (uint16_t)sim_between(random, 512, 1400);
	consumer->window_messages = (uint32_t)sim_scale(random, 4, 512);
	consumer->window_bytes =
		4u * consumer->max_datagram + (uint32_t)sim_scale(random, 1, 100000);
	consumer->service_ns = sim_chance(random, 50) ? 0 : sim_scale(random, 1000, 4 * SIM_MS);
}

static void draw_network(struct sim_plan *plan, struct sim_random *random)
{
	struct sim_network_plan *network = &plan->network;

	network->delay_ns = sim_scale(random, 50000, 20 * SIM_MS);
	network->jitter_ns = sim_chance(random, 50) ? sim_below(random, network->delay_ns) : 1000;
	network->loss = sim_chance(random, 80) ? (uint32_t)sim_scale(random, 10, 2500) : 0;
	network->duplicate = sim_chance(random, 50) ? (uint32_t)sim_scale(random, 10, 2000) : 0;
	network->reorder = sim_chance(random, 50) ? (uint32_t)sim_scale(random, 10, 2000) : 0;
}

/* Long enough that no honest end is taken for dead on a slow path. */
static void draw_timers(struct sim_plan *plan, struct sim_random *random)
{
	uint64_t trip_ms = 2 * (plan->network.delay_ns + plan->network.jitter_ns) / SIM_MS + 1;

	plan->heartbeat_ms = (uint32_t)sim_between(random, 10, 100);
	plan->liveness_ms = plan->heartbeat_ms * (uint32_t)sim_between(random, 4, 8);
	if (plan->liveness_ms < 6 * trip_ms)
		plan->liveness_ms = (uint32_t)(6 * trip_ms);
}

static int by_start(const void *a, const void *b)
{
	const struct sim_fault *x = a, *y = b;

	return x->from_ns < y->from_ns ? -1 : x->from_ns > y->from_ns;
}

static void draw_faults(struct sim_plan *plan, struct sim_random *random)
{
	uint32_t wanted = sim_chance(random, 15) ? 0 : (uint32_t)sim_below(random, 12);
	uint32_t members = plan->groups[0].members;

	while (plan->fault_count < wanted && plan->fault_count < SIM_FAULTS) {
		struct sim_fault *fault = &plan->faults[plan->fault_count++];
		uint32_t group = (uint32_t)sim_below(random, plan->group_count);
		uint64_t length = sim_scale(random, 5, 800) * SIM_MS;

		members = plan->groups[group].members;
		fault->kind = (enum sim_fault_kind)sim_below(random, SIM_FAULT_KINDS);
		/* The gateway ends seldom: everything begins anew with it. */
		if (fault->kind == SIM_FAULT_RESTART && sim_chance(random, 40))
			fault->kind = SIM_FAULT_CRASH;
		fault->consumer = group * SIM_MEMBERS + (uint32_t)sim_below(random, members);
		fault->partition = (uint32_t)sim_below(random, plan->partition_count);
		fault->from_ns = sim_below(random, plan->faults_end_ns);
		fault->until_ns = fault->from_ns + length;
		if (fault->until_ns > plan->faults_end_ns)
			fault->until_ns = plan->faults_end_ns;
	}
	qsort(plan->faults, plan->fault_count, sizeof(plan->faults[0]), by_start);
}

void sim_plan_draw(struct sim_plan *plan, uint64_t seed)
{
	struct sim_random random;

	*plan = (struct sim_plan){0};
	sim_random_init(&random, seed, 1);
	plan->faults_end_ns = sim_between(&random, 300, 2500) * SIM_MS;
	draw_streams(plan, &random);
	draw_groups(plan, &random);
	for (uint32_t g = 0; g < plan->group_count; g++)
		for (uint32_t m = 0; m < plan->groups[g].members; m++)
			draw_consumer(&plan->consumers[g * SIM_MEMBERS + m], &random);
	draw_network(plan, &random);
	draw_timers(plan, &random);
	draw_faults(plan, &random);
}

uint32_t sim_plan_stream(const struct sim_plan *plan, uint32_t partition)
{
	uint32_t stream = 0;

	while (partition >= plan->streams[stream].first + plan->streams[stream].partitions)
		stream++;
	return stream;
}
