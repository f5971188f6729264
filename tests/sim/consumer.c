/* SPDX-License-Identifier: BSD-3-Clause */
#include "consumer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "world.h"

#define PULL_MESSAGES 20

/* The session's datagrams pass here on their way out. */
static int session_sends(void *context, const void *data, size_t length)
{
	const struct weir_datagram_header *header = data;
	struct sim_consumer *consumer = context;
	struct sim_world *world = consumer->world;

	if (header->session != 0)
		consumer->session_id = weir_be64(header->session);
	if (!sim_network_send(
		    &world->network, consumer->address, true, data, length, world->now_ns))
		sim_event(world, SIM_EVENT_LOST, consumer->address.consumer, SIM_NOBODY, length, 1);
	return 0;
}

static uint64_t session_random(void *context)
{
	struct sim_consumer *consumer = context;

	return sim_random(&consumer->world->chance);
}

static void take_events(struct sim_world *world, struct sim_consumer *consumer)
{
	struct weir_event event;

	while (weir_session_next_event(consumer->session, &event) == 1) {
		if (event.kind == WEIR_EVENT_JOINED && consumer->plan->is_pull)
			weir_session_grant(consumer->session, PULL_MESSAGES, world->now_ns);
		sim_checks_told(world, consumer, &event);
	}
}

static void finish(struct sim_world *world, struct sim_consumer *consumer)
{
	sim_checks_done(world, consumer, consumer->partition, consumer->message.sequence);
	if (consumer->plan->is_manual)
		weir_session_consume(consumer->session, 1, consumer->message.length, world->now_ns);
	if (consumer->plan->is_pull)
		weir_session_grant(consumer->session, 1, world->now_ns);
	consumer->has_message = false;
}

static void work(struct sim_world *world, struct sim_consumer *consumer)
{
	uint64_t service = consumer->plan->service_ns;

	while (consumer->stalls == 0 && consumer->busy_until <= world->now_ns) {
		if (consumer->has_message)
			finish(world, consumer);
		take_events(world, consumer);
		if (weir_session_next(consumer->session, &consumer->message, world->now_ns) != 1)
			break;
		/* A message may be dropped, and told, on the way to the application. */
		take_events(world, consumer);
		consumer->has_message = true;
		consumer->partition = sim_checks_taken(world, consumer, &consumer->message);
		consumer->busy_until =
			world->now_ns + (service != 0 ? sim_below(&world->chance, 2 * service) : 0);
	}
	take_events(world, consumer);
}

void sim_consumer_start(struct sim_world *world, uint32_t index)
{
	struct sim_consumer *consumer = &world->consumers[index];
	const struct sim_consumer_plan *plan = &world->plan.consumers[index];
	struct weir_session_io io = {consumer, session_sends, session_random};
	struct weir_consumer_options options = {
		.gateway = "10.0.0.1",
		.group = consumer->group,
		.name = consumer->name,
		.window_messages = plan->window_messages,
		.window_bytes = plan->window_bytes,
		.max_datagram = plan->max_datagram,
		.pull = plan->is_pull,
		.manual = plan->is_manual,
		.unreliable = plan->is_unreliable,
	};

	if (consumer->session != NULL)
		return;
	consumer->world = world;
	consumer->plan = plan;
	consumer->address.consumer = (uint16_t)index;
	consumer->address.start++;
	snprintf(consumer->group, sizeof(consumer->group), "g%u", index / SIM_MEMBERS);
	snprintf(consumer->name, sizeof(consumer->name), "c%u.%u", index,
		plan->renames ? consumer->names++ : 0);
	if (consumer->seen == NULL)
		consumer->seen = sim_alloc(SIM_PARTITIONS * sizeof(*consumer->seen));
	memset(consumer->seen, 0, SIM_PARTITIONS * sizeof(*consumer->seen));
	memset(consumer->key_counts, 0, sizeof(consumer->key_counts));
	consumer->has_message = false;
	consumer->was_frozen = false;
	consumer->busy_until = 0;
	consumer->session_id = 0;
	if (weir_session_create(&options, &io, world->now_ns, &consumer->session) != 0)
		sim_fail(world, "refused", "consumer %u: no session", index);
}

void sim_consumer_stop(struct sim_world *world, uint32_t index, bool says_goodbye)
{
	struct sim_consumer *consumer = &world->consumers[index];

	if (consumer->session == NULL)
		return;
	sim_checks_client(world, consumer);
	/* Who says good-bye is done with what it has in hand. */
	if (says_goodbye && consumer->has_message && !consumer->plan->is_manual)
		finish(world, consumer);
	if (says_goodbye)
		weir_session_leave(consumer->session, world->now_ns);
	sim_checks_crashed(world, consumer);
	weir_session_destroy(consumer->session);
	consumer->session = NULL;
	consumer->has_message = false;
	while (consumer->socket_count != 0)
		free(consumer->socket[--consumer->socket_count]);
}

static void receive_now(
	struct sim_world *world, struct sim_consumer *consumer, struct sim_packet *packet)
{
	weir_session_receive(consumer->session, packet->data, packet->length, world->now_ns);
	take_events(world, consumer);
	free(packet);
}

void sim_consumer_receive(struct sim_world *world, struct sim_packet *packet)
{
	struct sim_consumer *consumer = &world->consumers[packet->address.consumer];

	if (consumer->session == NULL || consumer->address.start != packet->address.start) {
		free(packet);
	} else if (consumer->freezes == 0) {
		receive_now(world, consumer, packet);
		work(world, consumer);
	} else if (consumer->socket_count < SIM_SOCKET) {
		consumer->socket[consumer->socket_count++] = packet;
	} else {
		free(packet);
	}
}

uint64_t sim_consumer_deadline_ns(const struct sim_consumer *consumer)
{
	uint64_t at;

	if (consumer->session == NULL || consumer->freezes != 0)
		return UINT64_MAX;
	at = weir_session_deadline_ns(consumer->session);
	if (consumer->socket_count != 0)
		return 0;
	if (consumer->has_message && consumer->stalls == 0 && consumer->busy_until < at)
		at = consumer->busy_until;
	if (consumer->plan->is_liar && consumer->lie_at < at)
		at = consumer->lie_at;
	return at;
}

void sim_consumer_run(struct sim_world *world, uint32_t index)
{
	struct sim_consumer *consumer = &world->consumers[index];

	if (consumer->session == NULL || consumer->freezes != 0)
		return;
	for (uint32_t i = 0; i < consumer->socket_count; i++)
		receive_now(world, consumer, consumer->socket[i]);
	consumer->socket_count = 0;
	if (weir_session_deadline_ns(consumer->session) <= world->now_ns)
		weir_session_tick(consumer->session, world->now_ns);
	weir_session_pause(consumer->session, consumer->pauses != 0, world->now_ns);
	work(world, consumer);
	if (!consumer->plan->is_liar || consumer->lie_at > world->now_ns)
		return;
	if (consumer->session_id != 0 && world->now_ns < world->plan.faults_end_ns)
		sim_lie(world, consumer);
	consumer->lie_at = world->now_ns >= world->plan.faults_end_ns
				   ? UINT64_MAX
				   : world->now_ns + sim_scale(&world->chance, 1, 100) * SIM_MS;
}
