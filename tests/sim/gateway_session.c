/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "gateway_private.h"

/* Nothing is kept for a stranger: the cookie follows from what it says and who it is. */
static void cookie_make(const struct sim_gateway *gateway, struct sim_address address,
	uint64_t nonce, uint8_t cookie[WEIR_FRAME_COOKIE_SIZE])
{
	uint64_t value = sim_mix(gateway->incarnation ^ nonce) ^
			 ((uint64_t)address.start << 16 | address.consumer);

	for (unsigned int i = 0; i < WEIR_FRAME_COOKIE_SIZE; i += 8) {
		value = sim_mix(value + i);
		memcpy(cookie + i, &value, 8);
	}
}

void gateway_post(
	struct sim_world *world, struct sim_address address, const struct weir_writer *writer)
{
	sim_checks_sent(world, writer->data, writer->length);
	if (!sim_network_send(
		    &world->network, address, false, writer->data, writer->length, world->now_ns))
		sim_event(world, SIM_EVENT_LOST, address.consumer, SIM_NOBODY, writer->length, 0);
}

void gateway_send_now(struct sim_world *world, struct gateway_session *session)
{
	if (session->writer.frames == 0)
		return;
	gateway_post(world, session->address, &session->writer);
	session->sent_at = world->now_ns;
	session->writer.frames = 0;
}

struct weir_writer *gateway_writer(
	struct sim_world *world, struct gateway_session *session, uint32_t room)
{
	struct weir_writer *writer = &session->writer;

	if (writer->frames != 0 && writer->size - writer->length < room)
		gateway_send_now(world, session);
	if (writer->frames == 0)
		weir_writer_begin(writer, session->buffer, session->max_datagram, session->id);
	return writer;
}

static void send_cookie(
	struct sim_world *world, struct sim_address address, const struct weir_frame_hello *hello)
{
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_frame_cookie *cookie;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), 0);
	cookie = weir_writer_add(&writer, WEIR_FRAME_COOKIE, 0, sizeof(*cookie));
	cookie->nonce = hello->nonce;
	cookie_make(world->gateway, address, weir_be64(hello->nonce), cookie->cookie);
	gateway_post(world, address, &writer);
}

static void send_error(struct sim_world *world, struct sim_address address, uint64_t session,
	enum weir_frame_code code, uint64_t nonce)
{
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), session);
	(void)weir_writer_add_error(&writer, code, nonce, 0, "no");
	gateway_post(world, address, &writer);
}

static void send_welcome(struct sim_world *world, const struct gateway_session *session)
{
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_frame_welcome *welcome;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), 0);
	welcome = weir_writer_add(&writer, WEIR_FRAME_WELCOME, 0, sizeof(*welcome));
	welcome->version = WEIR_FRAME_VERSION;
	welcome->guarantee =
		session->is_reliable ? WEIR_GUARANTEE_AT_LEAST_ONCE : WEIR_GUARANTEE_AT_MOST_ONCE;
	welcome->max_datagram = weir_be16(session->max_datagram);
	welcome->nonce = weir_be64(session->nonce);
	welcome->session = weir_be64(session->id);
	welcome->incarnation = weir_be64(world->gateway->incarnation);
	welcome->clock_ns = weir_be64(world->now_ns);
	welcome->options =
		weir_be32(WEIR_OPTION_BATCH |
			  (session->is_reliable ? WEIR_OPTION_RELIABLE | WEIR_OPTION_ASSIGN : 0));
	welcome->heartbeat_ms = weir_be32(world->plan.heartbeat_ms);
	welcome->liveness_ms = weir_be32(world->plan.liveness_ms);
	gateway_post(world, session->address, &writer);
}

static bool is_peer(const struct gateway_session *session, struct sim_address address)
{
	return session->id != 0 && session->address.consumer == address.consumer &&
	       session->address.start == address.start;
}

static uint32_t group_of(const struct sim_world *world, const char *name)
{
	uint32_t group = (uint32_t)(name[1] - '0');

	return name[0] == 'g' && name[2] == '\0' ? group : world->plan.group_count;
}

static struct gateway_session *free_session(struct sim_gateway *gateway)
{
	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++)
		if (gateway->sessions[i].id == 0)
			return &gateway->sessions[i];
	return NULL;
}

static void session_open(struct sim_world *world, struct gateway_session *session,
	struct sim_address address, const struct weir_frame_hello *hello)
{
	struct sim_gateway *gateway = world->gateway;
	uint32_t slot = (uint32_t)(session - gateway->sessions);
	uint32_t group = group_of(world, hello->group);
	const struct sim_group_plan *plan = &world->plan.groups[group];
	const uint32_t caps[] = {
		plan->cap_messages, plan->cap_bytes, plan->lane_messages, plan->lane_bytes};
	uint16_t most = weir_be16(hello->max_datagram);
	uint64_t ticks = world->now_ns * WEIR_TICKS_PER_NS;

	*session = (struct gateway_session){
		.id = (sim_random(&gateway->random) & ~UINT64_C(0xffff)) | slot,
		.nonce = weir_be64(hello->nonce),
		.address = address,
		.group = group,
		.max_datagram = most < SIM_DATAGRAM ? most : SIM_DATAGRAM,
		.edition = 1,
		.is_reliable = weir_be32(hello->options) & WEIR_OPTION_RELIABLE,
		.heard_at = world->now_ns,
		.heartbeat_at = world->now_ns,
		.flew_at = world->now_ns,
	};
	memcpy(session->name, hello->name, sizeof(session->name));
	weir_window_init(&session->window, WEIR_WINDOW_FIRST, now_us(world));
	weir_bucket_init(&session->packets, plan->packets_per_s, 32, ticks);
	sim_checks_session(world, slot, session->id, address.consumer, caps);
	sim_event(world, SIM_EVENT_SESSION, address.consumer, SIM_NOBODY, slot, session->id);
}

void gateway_hello(
	struct sim_world *world, struct sim_address address, const struct weir_frame_hello *hello)
{
	struct sim_gateway *gateway = world->gateway;
	uint8_t cookie[WEIR_FRAME_COOKIE_SIZE];
	struct gateway_session *session;

	cookie_make(gateway, address, weir_be64(hello->nonce), cookie);
	if (memcmp(cookie, hello->cookie, sizeof(cookie)) != 0) {
		send_cookie(world, address, hello);
		return;
	}
	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++) {
		session = &gateway->sessions[i];
		if (session->id == 0 ||
			memcmp(session->name, hello->name, sizeof(hello->name)) != 0)
			continue;
		if (is_peer(session, address) && session->nonce == weir_be64(hello->nonce)) {
			send_welcome(world, session);
			return;
		}
		if (!is_peer(session, address)) {
			send_error(
				world, address, 0, WEIR_ERROR_NAME_TAKEN, weir_be64(hello->nonce));
			return;
		}
		gateway_expel(world, session, WEIR_ERROR_REPLACED);
	}
	session = free_session(gateway);
	if (session == NULL || group_of(world, hello->group) >= world->plan.group_count) {
		send_error(world, address, 0, WEIR_ERROR_BUSY, weir_be64(hello->nonce));
		return;
	}
	session_open(world, session, address, hello);
	send_welcome(world, session);
}

void gateway_subscribe(struct sim_world *world, struct gateway_session *session,
	const struct weir_frame_subscribe *subscribe)
{
	uint32_t counter = weir_be32(subscribe->counter);

	if (counter < session->subscribe_counter)
		return;
	session->subscribe_counter = counter;
	gateway_grant(world, session, weir_be64(subscribe->limit_messages),
		weir_be64(subscribe->limit_bytes));
	gateway_list(world, session);
	if (session->is_subscribed)
		return;
	session->is_subscribed = true;
	/* No data comes before credit, and no credit before the list. */
	for (uint32_t s = 0; s < world->plan.stream_count; s++)
		if (stream_is_there(world->gateway, s))
			session->knows |= (uint8_t)(1u << s);
	gateway_place(world, session->group, WEIR_PLACE_STABLE);
}

void gateway_forget(struct sim_world *world, struct gateway_session *session)
{
	uint32_t group = session->group;

	sim_event(world, SIM_EVENT_SESSION_END, session->address.consumer, SIM_NOBODY,
		(uint64_t)(session - world->gateway->sessions), session->id);
	session->is_subscribed = false;
	session->writer.frames = 0;
	gateway_place(world, group, WEIR_PLACE_STABLE);
	session->id = 0;
}

void gateway_expel(
	struct sim_world *world, struct gateway_session *session, enum weir_frame_code reason)
{
	uint8_t buffer[WEIR_DATAGRAM_MIN];
	struct weir_frame_leave *leave;
	struct weir_writer writer;

	weir_writer_begin(&writer, buffer, sizeof(buffer), session->id);
	leave = weir_writer_add(&writer, WEIR_FRAME_LEAVE, 0, sizeof(*leave));
	leave->reason = weir_be16((uint16_t)reason);
	gateway_post(world, session->address, &writer);
	gateway_forget(world, session);
}

void gateway_no_session(struct sim_world *world, struct sim_address address, uint64_t id)
{
	send_error(world, address, id, WEIR_ERROR_SESSION, 0);
}

void gateway_grant(
	struct sim_world *world, struct gateway_session *session, uint64_t messages, uint64_t bytes)
{
	sim_checks_limit(world, (uint32_t)(session - world->gateway->sessions), messages, bytes);
	if (sim_broken == SIM_BREAK_CREDIT_ADDED) {
		uint64_t old = session->credit_seen;

		session->credit_seen = messages;
		messages = session->credit.messages.limit + (messages > old ? messages - old : 0);
	}
	weir_credit_grant(&session->credit.messages, messages);
	weir_credit_grant(&session->credit.bytes, bytes);
}
