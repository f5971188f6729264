/* SPDX-License-Identifier: BSD-3-Clause */
#include "plan.h"

#include <stdlib.h>

#include "wire/key.h"

static void draw_streams(struct sim_plan *plan, struct sim_random *random)
{
	uint64_t span = plan->faults_end_ns;

	plan->name_count = (uint32_t)sim_between(random, 1, SIM_NAMES);
	plan->stream_count = plan->name_count;
	for (uint32_t i = 0; i < plan->stream_count; i++) {
		struct sim_stream_plan *stream = &plan->streams[i];
		uint32_t left = 8 - plan->partition_count - (plan->name_count - 1 - i);

		stream->name = i;
		stream->predecessor = -1;
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

/* Numbers of a partition go on above those that it had before, as by the clock. */
static void draw_numbers(struct sim_plan *plan, uint32_t index, struct sim_random *random)
{
	struct sim_stream_plan *stream = &plan->streams[index];

	for (uint32_t p = 0; p < stream->partitions; p++) {
		uint64_t above = 0;

		for (int i = stream->predecessor; i >= 0; i = plan->streams[i].predecessor)
			if (p < plan->streams[i].partitions &&
				above < plan->streams[i].first_seq[p])
				above = plan->streams[i].first_seq[p];
		stream->first_seq[p] = above + 1024 + sim_below(random, UINT64_C(1) << 40);
	}
}

/* A stream that has one's place from then on. */
static void draw_change(struct sim_plan *plan, uint64_t at_ns, struct sim_random *random)
{
	uint32_t before = (uint32_t)sim_below(random, plan->name_count);
	uint32_t index = plan->stream_count;
	uint32_t left = SIM_PARTITIONS - plan->partition_count;
	struct sim_stream_plan *stream = &plan->streams[index];

	while (sim_plan_successor(plan, before) != UINT32_MAX)
		before = sim_plan_successor(plan, before);
	*stream = plan->streams[before];
	stream->predecessor = (int)before;
	stream->first = plan->partition_count;
	stream->partitions = (uint32_t)sim_between(random, 1, left < 5 ? left : 5);
	stream->ring = 16u << sim_below(random, 5);
	stream->drain_ms = (uint32_t)sim_scale(random, 10, 2000);
	draw_numbers(plan, index, random);
	plan->partition_count += stream->partitions;
	plan->stream_count++;
	plan->faults[plan->fault_count++] = (struct sim_fault){
		.kind = SIM_FAULT_CHANGE, .stream = index, .from_ns = at_ns, .until_ns = at_ns};
}

/* What they draw is their own: a seed without changes is the same as if there were none. */
static void draw_changes(struct sim_plan *plan, uint64_t seed)
{
	struct sim_random random;
	uint64_t at_ns = 0;

	sim_random_init(&random, seed, 5);
	if (!sim_chance(&random, 30))
		return;
	for (uint64_t i = sim_between(&random, 1, SIM_CHANGES); i > 0; i--) {
		at_ns = sim_between(&random, at_ns, plan->faults_end_ns - 1);
		draw_change(plan, at_ns, &random);
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

	if (x->from_ns != y->from_ns)
		return x->from_ns < y->from_ns ? -1 : 1;
	return x->stream < y->stream ? -1 : x->stream > y->stream;
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
		fault->weight = (uint32_t)sim_scale(random, 10, 1000);
		fault->from_ns = sim_below(random, plan->faults_end_ns);
		fault->until_ns = fault->from_ns + length;
		if (fault->until_ns > plan->faults_end_ns)
			fault->until_ns = plan->faults_end_ns;
	}
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
	draw_changes(plan, seed);
	qsort(plan->faults, plan->fault_count, sizeof(plan->faults[0]), by_start);
}

uint32_t sim_plan_stream(const struct sim_plan *plan, uint32_t partition)
{
	uint32_t stream = 0;

	while (partition >= plan->streams[stream].first + plan->streams[stream].partitions)
		stream++;
	return stream;
}

uint32_t sim_plan_before(const struct sim_plan *plan, uint32_t partition)
{
	const struct sim_stream_plan *stream = &plan->streams[sim_plan_stream(plan, partition)];
	const struct sim_stream_plan *before;

	if (stream->predecessor < 0)
		return SIM_PARTITIONS;
	before = &plan->streams[stream->predecessor];
	partition -= stream->first;
	return partition < before->partitions ? before->first + partition : SIM_PARTITIONS;
}

uint32_t sim_plan_partition(const struct sim_plan *plan, uint32_t stream, uint32_t key)
{
	const struct sim_stream_plan *its = &plan->streams[stream];

	return its->first +
	       weir_key_partition(sim_mix(key + 256 * its->name), (uint16_t)its->partitions);
}

uint32_t sim_plan_successor(const struct sim_plan *plan, uint32_t stream)
{
	for (uint32_t i = plan->name_count; i < plan->stream_count; i++)
		if (plan->streams[i].predecessor == (int)stream)
			return i;
	return UINT32_MAX;
}
