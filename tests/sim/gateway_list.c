/* SPDX-License-Identifier: BSD-3-Clause */
#include "gateway_private.h"

/*
 * The list of streams that a session may be sent. When it changes, it is told until the session has
 * said that it knows it; until then none of what is new is its own.
 */

#define AGAIN_MS 20 /* to the second announcement; doubled from one to the next */

static void add_stream(
	const struct sim_world *world, struct weir_frame_subscribed *list, uint16_t at, uint32_t s)
{
	char name[3] = {'s', (char)('0' + world->plan.streams[s].name), '\0'};

	list->streams[at].stream = weir_be16((uint16_t)s);
	list->streams[at].partitions = weir_be16((uint16_t)world->plan.streams[s].partitions);
	weir_frame_set_name(list->streams[at].name, name);
}

void gateway_list(struct sim_world *world, struct gateway_session *session)
{
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_frame_subscribed *list;
	struct weir_writer writer;
	uint16_t count = 0, at = 0;

	for (uint32_t s = 0; s < world->plan.stream_count; s++)
		count = (uint16_t)(count + stream_is_there(world->gateway, s));
	weir_writer_begin(&writer, buffer, sizeof(buffer), session->id);
	list = weir_writer_add(&writer, WEIR_FRAME_SUBSCRIBED, 0,
		(uint32_t)(sizeof(*list) + count * sizeof(list->streams[0])));
	if (list == NULL)
		return;
	list->counter = weir_be32(session->subscribe_counter);
	list->total = list->count = weir_be16(count);
	list->edition = weir_be16(session->edition);
	for (uint32_t s = 0; s < world->plan.stream_count; s++)
		if (stream_is_there(world->gateway, s))
			add_stream(world, list, at++, s);
	gateway_post(world, session->address, &writer);
}

static void announce(struct sim_world *world, struct gateway_session *session)
{
	/* Who has never named an edition may not know the field. */
	uint32_t patience_ms =
		session->has_answered ? world->plan.liveness_ms : world->plan.heartbeat_ms;

	/* It may never see the list before: what was in that alone it does not know. */
	if (session->is_announcing || !session->has_answered)
		sim_checks_untold(world, (uint32_t)(session - world->gateway->sessions));
	session->edition++;
	session->is_announcing = true;
	session->announce_wait_ns = AGAIN_MS * SIM_MS;
	session->announce_at = world->now_ns + session->announce_wait_ns;
	session->announce_until = world->now_ns + patience_ms * SIM_MS;
	gateway_list(world, session);
}

void gateway_announce(struct sim_world *world)
{
	for (uint32_t i = 0; i < GATEWAY_SESSIONS && sim_broken != SIM_BREAK_LIST_UNTOLD; i++)
		if (world->gateway->sessions[i].id != 0 &&
			world->gateway->sessions[i].is_subscribed)
			announce(world, &world->gateway->sessions[i]);
}

static void settle(struct sim_world *world, struct gateway_session *session)
{
	session->is_announcing = false;
	for (uint32_t s = 0; s < world->plan.stream_count; s++)
		if (stream_is_there(world->gateway, s))
			session->knows |= (uint8_t)(1u << s);
	gateway_moves(world);
}

uint64_t gateway_announce_ns(const struct gateway_session *session)
{
	if (!session->is_announcing)
		return UINT64_MAX;
	return session->announce_at < session->announce_until ? session->announce_at
							      : session->announce_until;
}

void gateway_announce_run(struct sim_world *world)
{
	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++) {
		struct gateway_session *session = &world->gateway->sessions[i];

		if (session->id == 0 || gateway_announce_ns(session) > world->now_ns)
			continue;
		if (session->announce_until <= world->now_ns) {
			sim_checks_untold(world, i);
			settle(world, session);
			continue;
		}
		gateway_list(world, session);
		session->announce_wait_ns *= 2;
		session->announce_at = world->now_ns + session->announce_wait_ns;
	}
}

void gateway_list_named(struct sim_world *world, struct gateway_session *session, uint16_t edition)
{
	session->has_answered |= edition != 0;
	if (session->is_announcing && edition == session->edition)
		settle(world, session);
}
