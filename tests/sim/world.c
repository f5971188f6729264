/* SPDX-License-Identifier: BSD-3-Clause */
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "checks.h"
#include "gateway.h"

#define QUIET_MS 20000 /* after the faults: greetings back off up to 5 s */

_Noreturn void sim_no_memory(void)
{
	fputs("no memory\n", stderr);
	exit(3);
}

void *sim_alloc(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL)
		sim_no_memory();
	return memory;
}

void sim_event(struct sim_world *world, enum sim_event_kind kind, uint32_t who, uint32_t lane,
	uint64_t a, uint64_t b)
{
	const struct sim_event event = {world->now_ns, a, b, kind, (uint16_t)who, (uint16_t)lane};

	sim_log_event(&world->log, &event);
}

static void produce(struct sim_world *world, uint32_t index)
{
	const struct sim_plan *plans = &world->plan;
	const struct sim_stream_plan *plan = &plans->streams[world->streams[index]];
	uint64_t burst = sim_between(&world->chance, 1, plan->burst);

	while (burst-- > 0 && world->produced[index] < plan->most) {
		struct sim_content content = {
			.random = sim_random(&world->chance) | 1,
			.ingest_ns = world->now_ns,
			.deadline_ns = plan->deadline_ns != 0 ? world->now_ns + plan->deadline_ns
							      : UINT64_MAX,
			.key = (uint32_t)sim_below(&world->chance, SIM_KEYS),
			.length = (uint16_t)sim_between(
				&world->chance, SIM_PAYLOAD_MIN, plan->length),
		};

		content.partition = sim_plan_partition(plans, world->streams[index], content.key);
		content.key_count = world->produced[index]++;
		sim_gateway_produce(world, &content);
	}
	world->produce_at[index] = world->now_ns + sim_below(&world->chance, 2 * plan->pause_ns);
	if (world->produced[index] >= plan->most ||
		world->produce_at[index] >= world->plan.faults_end_ns)
		world->produce_at[index] = UINT64_MAX;
}

static void cut(struct sim_world *world, const struct sim_fault *fault, uint32_t change)
{
	if (fault->kind != SIM_FAULT_DEAF)
		world->network.cut_to_gateway[fault->consumer] += change;
	if (fault->kind != SIM_FAULT_MUTE)
		world->network.cut_to_consumer[fault->consumer] += change;
}

static void fault_begin(struct sim_world *world, const struct sim_fault *fault)
{
	struct sim_consumer *consumer = &world->consumers[fault->consumer];

	sim_event(world, SIM_EVENT_FAULT, fault->consumer, SIM_NOBODY, fault->kind, 0);
	switch (fault->kind) {
	case SIM_FAULT_STALL:
		consumer->stalls++;
		break;
	case SIM_FAULT_FREEZE:
		consumer->freezes++;
		consumer->was_frozen = true;
		break;
	case SIM_FAULT_CRASH:
	case SIM_FAULT_LEAVE:
		sim_consumer_stop(world, fault->consumer, fault->kind == SIM_FAULT_LEAVE);
		break;
	case SIM_FAULT_PAUSE:
		consumer->pauses++;
		sim_consumer_run(world, fault->consumer);
		break;
	case SIM_FAULT_DRAIN:
		consumer->drains++;
		sim_gateway_drain(world, fault->consumer / SIM_MEMBERS);
		break;
	case SIM_FAULT_MOVE:
		sim_gateway_move(world, fault->partition, fault->consumer);
		break;
	case SIM_FAULT_RESTART:
		sim_gateway_end(world);
		break;
	case SIM_FAULT_WEIGH:
		consumer->weight = fault->weight;
		sim_gateway_weigh(world, fault->consumer / SIM_MEMBERS);
		break;
	case SIM_FAULT_CHANGE:
		world->streams[world->plan.streams[fault->stream].name] = fault->stream;
		sim_gateway_change(world, fault->stream);
		break;
	default:
		cut(world, fault, 1);
		break;
	}
}

static void fault_end(struct sim_world *world, const struct sim_fault *fault)
{
	struct sim_consumer *consumer = &world->consumers[fault->consumer];

	sim_event(world, SIM_EVENT_FAULT_END, fault->consumer, SIM_NOBODY, fault->kind, 0);
	switch (fault->kind) {
	case SIM_FAULT_STALL:
		consumer->stalls--;
		break;
	case SIM_FAULT_FREEZE:
		consumer->freezes--;
		break;
	case SIM_FAULT_CRASH:
	case SIM_FAULT_LEAVE:
		sim_consumer_start(world, fault->consumer);
		break;
	case SIM_FAULT_PAUSE:
		consumer->pauses--;
		sim_consumer_run(world, fault->consumer);
		break;
	case SIM_FAULT_DRAIN:
		consumer->drains--;
		sim_gateway_drain(world, fault->consumer / SIM_MEMBERS);
		break;
	case SIM_FAULT_MOVE:
	case SIM_FAULT_WEIGH:
	case SIM_FAULT_CHANGE:
		break;
	case SIM_FAULT_RESTART:
		sim_gateway_begin(world);
		break;
	default:
		cut(world, fault, (uint32_t)-1);
		break;
	}
}

static uint64_t fault_next_ns(const struct sim_world *world)
{
	uint64_t at = UINT64_MAX;

	if (world->fault_next < world->plan.fault_count)
		at = world->plan.faults[world->fault_next].from_ns;
	for (uint32_t i = 0; i < world->fault_next; i++)
		if (world->is_fault_active[i] && world->plan.faults[i].until_ns < at)
			at = world->plan.faults[i].until_ns;
	return at;
}

static void faults_run(struct sim_world *world)
{
	for (uint32_t i = 0; i < world->fault_next; i++) {
		const struct sim_fault *fault = &world->plan.faults[i];

		if (!world->is_fault_active[i] || fault->until_ns > world->now_ns)
			continue;
		world->is_fault_active[i] = false;
		fault_end(world, fault);
	}
	while (world->fault_next < world->plan.fault_count &&
		world->plan.faults[world->fault_next].from_ns <= world->now_ns) {
		world->is_fault_active[world->fault_next] = true;
		fault_begin(world, &world->plan.faults[world->fault_next++]);
	}
}

static uint64_t next_ns(const struct sim_world *world)
{
	uint64_t at = sim_network_next_ns(&world->network);
	uint64_t other[] = {
		sim_gateway_deadline_ns(world->gateway),
		fault_next_ns(world),
		world->now_ns < world->plan.faults_end_ns ? world->plan.faults_end_ns : UINT64_MAX,
	};

	for (uint32_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		at = other[i] < at ? other[i] : at;
	for (uint32_t i = 0; i < world->plan.name_count; i++)
		at = world->produce_at[i] < at ? world->produce_at[i] : at;
	for (uint32_t i = 0; i < SIM_CONSUMERS; i++) {
		uint64_t due = sim_consumer_deadline_ns(&world->consumers[i]);

		at = due < at ? due : at;
	}
	return at > world->now_ns ? at : world->now_ns;
}

/* Everything that is due now, once. */
static void step(struct sim_world *world)
{
	faults_run(world);
	for (uint32_t i = 0; i < world->plan.name_count; i++)
		if (world->produce_at[i] <= world->now_ns)
			produce(world, i);
	while (sim_network_next_ns(&world->network) <= world->now_ns) {
		struct sim_packet *packet = sim_network_take(&world->network);

		if (!packet->is_to_gateway) {
			sim_consumer_receive(world, packet);
			continue;
		}
		sim_gateway_receive(world, packet);
		free(packet);
	}
	if (sim_gateway_deadline_ns(world->gateway) <= world->now_ns)
		sim_gateway_run(world);
	for (uint32_t i = 0; i < SIM_CONSUMERS; i++)
		if (sim_consumer_deadline_ns(&world->consumers[i]) <= world->now_ns)
			sim_consumer_run(world, i);
}

static bool applications_are_idle(
	const struct sim_world *world, bool forgives_liars, char *why, size_t size)
{
	snprintf(why, size, "an application has messages");
	for (uint32_t i = 0; i < SIM_CONSUMERS; i++) {
		const struct sim_consumer *consumer = &world->consumers[i];

		if (consumer->session != NULL && !(forgives_liars && consumer->plan->is_liar) &&
			(consumer->has_message || weir_session_waiting(consumer->session) != 0))
			return false;
	}
	return true;
}

static void run_until(struct sim_world *world, uint64_t end_ns)
{
	uint64_t steps = 0;

	while (world->log.promise == NULL) {
		uint64_t at = next_ns(world);

		if (at > end_ns)
			break;
		/* Time that does not pass, or hardly, is a loop. */
		if (++steps > 3000000)
			sim_fail(world, "quiet", "the clock does not move on");
		world->now_ns = at;
		step(world);
	}
	if (world->log.promise == NULL)
		world->now_ns = end_ns;
}

static bool is_quiet(const struct sim_world *world, bool forgives_liars, char *why, size_t size)
{
	return applications_are_idle(world, forgives_liars, why, size) &&
	       sim_gateway_is_quiet(world, forgives_liars, why, size);
}

/* The faults are over: all is delivered or told within a bound, and then nothing moves. */
static void settle_down(struct sim_world *world)
{
	uint64_t bound = world->now_ns + QUIET_MS * SIM_MS;
	uint64_t pause = world->plan.liveness_ms * SIM_MS;
	char why[80];
	uint64_t frames;

	sim_network_heal(&world->network);
	while (world->log.promise == NULL && world->now_ns < bound &&
		!is_quiet(world, false, why, sizeof(why)))
		run_until(world, world->now_ns + 20 * SIM_MS);
	if (!is_quiet(world, true, why, sizeof(why)))
		sim_fail(world, "quiet", "%u s after the faults %s", QUIET_MS / 1000, why);
	run_until(world, world->now_ns + pause);
	frames = world->busy_frames;
	run_until(world, world->now_ns + pause);
	if (world->busy_frames != frames)
		sim_fail(world, "quiet", "%" PRIu64 " frames are sent when all is done",
			world->busy_frames - frames);
}

static void world_open(struct sim_world *world)
{
	sim_plan_draw(&world->plan, world->seed);
	sim_random_init(&world->chance, world->seed, 4);
	sim_network_init(&world->network, &world->plan.network, world->seed);
	world->checks = sim_checks_open(world);
	for (uint32_t i = 0; i < world->plan.name_count; i++)
		world->streams[i] = i;
	world->gateway = sim_gateway_open(world);
	for (uint32_t i = 0; i < SIM_NAMES; i++)
		world->produce_at[i] = i < world->plan.name_count ? SIM_MS : UINT64_MAX;
	for (uint32_t i = 0; i < SIM_CONSUMERS; i++)
		if (world->plan.consumers[i].is_used)
			sim_consumer_start(world, i);
}

static void world_close(struct sim_world *world)
{
	for (uint32_t i = 0; i < SIM_CONSUMERS; i++) {
		sim_consumer_stop(world, i, false);
		free(world->consumers[i].seen);
	}
	sim_network_close(&world->network);
	sim_gateway_close(world->gateway);
	sim_checks_close(world->checks);
	free(world);
}

static void complain(const struct sim_world *world)
{
	printf("seed %" PRIu64 " breaks a promise: %s\n  %s\nthe last events:\n", world->seed,
		world->log.promise, world->log.text);
	sim_log_print(&world->log);
	printf("%" PRIu64 " replay: build/tests/sim/weir-sim --first %" PRIu64
	       " --seeds 1 --verbose",
		world->seed, world->seed);
	if (sim_broken != SIM_BREAK_NONE)
		printf(" --break %s", sim_break_name(sim_broken));
	printf("\n");
}

struct sim_result sim_world_run(uint64_t seed, bool is_loud, bool is_verbose)
{
	struct sim_world *world = sim_alloc(sizeof(*world));
	struct sim_result result;

	world->seed = seed;
	world->log.is_verbose = is_verbose;
	world_open(world);
	run_until(world, world->plan.faults_end_ns);
	if (world->log.promise == NULL)
		settle_down(world);
	for (uint32_t i = 0; world->log.promise == NULL && i < SIM_CONSUMERS; i++)
		sim_checks_client(world, &world->consumers[i]);
	if (world->log.promise == NULL)
		sim_gateway_count(world);
	if (world->log.promise == NULL)
		sim_checks_end(world);
	result = (struct sim_result){world->log.digest, world->log.count, world->log.promise};
	if (result.promise != NULL && is_loud)
		complain(world);
	world_close(world);
	return result;
}
