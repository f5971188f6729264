/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "gateway_private.h"

#define TURN 16 /* new messages of a lane before the next has its turn */

/* A lane while it sends. */
struct sender {
	struct sim_world *world;
	struct gateway_session *session;
	struct gateway_lane *lane;
	struct gateway_ring *ring;
	uint32_t group;
	uint32_t partition;
	struct weir_data_writer data;
	bool is_open; /* a DATA frame is begun */
	uint64_t end; /* it covers all below */
	uint8_t flags;
};

static struct weir_data_lane wire_of(const struct sender *sender)
{
	const struct sim_plan *plan = &sender->world->plan;
	const struct weir_delivery_amount *sent = &sender->session->sent[sender->partition];
	uint32_t stream = sim_plan_stream(plan, sender->partition);

	return (struct weir_data_lane){
		.stream = (uint16_t)stream,
		.partition = (uint16_t)(sender->partition - plan->streams[stream].first),
		.epoch = sender->lane->epoch,
		.first = sender->lane->first,
		.messages = sent->messages,
		.bytes = sent->bytes,
	};
}

static void frame_end(struct sender *sender)
{
	struct weir_delivery_amount *sent = &sender->session->sent[sender->partition];

	if (!sender->is_open)
		return;
	weir_data_end(&sender->data, sender->end, sender->flags);
	sender->is_open = false;
	if (!(sender->flags & WEIR_DATA_RETRANSMIT) || sim_broken == SIM_BREAK_POSITIONS_WRONG) {
		sent->messages += sender->data.count;
		sent->bytes += sender->data.bytes;
	}
	sender->session->has_news = true;
}

/* A frame that begins at `seq`, in a datagram where a message of `length` has room. */
static void frame_begin(struct sender *sender, uint64_t seq, uint16_t length)
{
	struct weir_data_lane wire = wire_of(sender);
	uint32_t room = (uint32_t)sizeof(struct weir_frame_data) +
			weir_frame_padded(weir_message_size(length, 0));
	struct weir_writer *writer = gateway_writer(sender->world, sender->session, room);

	sender->session->is_told[sender->partition] = true;
	sender->is_open = weir_data_begin(&sender->data, writer, &wire, seq);
	sender->end = seq;
}

static bool frame_add(struct sender *sender, const struct gateway_message *message)
{
	const struct sim_content *content = &message->content;
	uint64_t now_ns = sender->world->now_ns;
	struct weir_data_item item = {
		.seq = content->seq,
		.ingest_ns = content->ingest_ns,
		.length = content->length,
		.flags = weir_delivery_is_again(&sender->lane->delivery, content->seq)
				 ? WEIR_MESSAGE_REDELIVERED
				 : 0,
	};
	uint8_t *place;

	if (content->deadline_ns != UINT64_MAX)
		item.time_left_us = content->deadline_ns > now_ns
					    ? (uint32_t)((content->deadline_ns - now_ns) / 1000) + 1
					    : 1;
	place = weir_data_add(&sender->data, &item);
	if (place == NULL)
		return false;
	memcpy(place, message->payload, item.length);
	sender->end = item.seq + 1;
	return true;
}

/* Into the frame that is open if it goes on there, else into a new one. */
static void put(struct sender *sender, uint64_t from, const struct gateway_message *message)
{
	if (sender->is_open && from != sender->end)
		frame_end(sender);
	if (sender->is_open && frame_add(sender, message))
		return;
	frame_end(sender);
	frame_begin(sender, from, message->content.length);
	(void)frame_add(sender, message);
}

static bool is_late(const struct sender *sender, uint64_t seq)
{
	return sim_broken != SIM_BREAK_DEADLINE_IGNORED &&
	       sender->world->now_ns >= message_at(sender->ring, seq)->content.deadline_ns;
}

static void send_again(struct sender *sender)
{
	struct weir_delivery *delivery = &sender->lane->delivery;
	uint64_t seq = 0;

	sender->flags = WEIR_DATA_RETRANSMIT;
	while ((seq = weir_delivery_again(delivery, seq)) != WEIR_DELIVERY_NONE) {
		enum weir_gap_reason reason = WEIR_GAP_LEFT_OUT;

		if (is_late(sender, seq))
			reason = WEIR_GAP_EXPIRED;
		else if (weir_delivery_is_exhausted(delivery, seq))
			reason = WEIR_GAP_QUARANTINED;
		if (reason != WEIR_GAP_LEFT_OUT)
			gateway_give_up(
				sender->world, sender->group, sender->partition, seq, reason);
		else
			weir_delivery_resent(delivery, seq, now_us(sender->world));
		if (reason == WEIR_GAP_LEFT_OUT || sim_broken == SIM_BREAK_RESENT_AFTER_GIVING_UP)
			put(sender, seq, message_at(sender->ring, seq));
		seq++;
	}
	frame_end(sender);
	gateway_settle(sender->world, sender->group, sender->partition);
}

static bool windows_are_open(struct sender *sender, uint16_t length)
{
	const struct sim_group_plan *plan = &sender->world->plan.groups[sender->group];
	const struct weir_delivery_amount *lane = &sender->lane->delivery.flying;
	struct weir_delivery_amount all = gateway_flying(sender->world->gateway, sender->session);

	if (all.messages >= sender->session->window.limit)
		return false;
	if (sim_broken == SIM_BREAK_CAP_IGNORED)
		return true;
	return all.messages + 1 <= plan->cap_messages && all.bytes + length <= plan->cap_bytes &&
	       lane->messages + 1 <= plan->lane_messages &&
	       lane->bytes + length <= plan->lane_bytes;
}

/* Rate and credit, taken together or not at all. */
static bool admit(struct sender *sender, uint16_t length)
{
	struct gateway_session *session = sender->session;
	uint64_t ticks = sender->world->now_ns * WEIR_TICKS_PER_NS;
	uint64_t wait;

	if (weir_credit_lease(&session->credit.messages, 1, 1) == 0) {
		sender->lane->is_starved = true;
		return false;
	}
	if (length != 0 && weir_credit_lease(&session->credit.bytes, length, length) == 0) {
		weir_credit_return(&session->credit.messages, 1);
		sender->lane->is_starved = true;
		return false;
	}
	wait = weir_bucket_take(&session->packets, 1, ticks);
	if (wait == 0)
		return true;
	weir_credit_return(&session->credit.messages, 1);
	weir_credit_return(&session->credit.bytes, length);
	session->open_at = sender->world->now_ns + wait / WEIR_TICKS_PER_NS + 1;
	return false;
}

/* Why the next message is not sent; WEIR_GAP_REASON_COUNT: it is. */
static enum weir_gap_reason verdict(const struct sender *sender, uint64_t seq)
{
	const struct sim_content *content = &message_at(sender->ring, seq)->content;
	uint32_t leave_out = sender->world->plan.groups[sender->group].leave_out;

	if (leave_out != 0 && content->key % leave_out == 0)
		return WEIR_GAP_LEFT_OUT;
	if (is_late(sender, seq))
		return WEIR_GAP_EXPIRED;
	if (content->length > weir_data_max_payload(sender->session->max_datagram))
		return WEIR_GAP_TOO_BIG;
	return WEIR_GAP_REASON_COUNT;
}

/* What is left out on purpose is covered by the next frame; a loss is a gap before it. */
static void pass(struct sender *sender, enum weir_gap_reason reason)
{
	gateway_pass(sender->world, sender->group, sender->partition, reason);
	if (reason == WEIR_GAP_LEFT_OUT || sim_broken == SIM_BREAK_GAP_UNTOLD)
		return;
	/* What was left out just before it needs a cover of its own. */
	if (sender->is_open)
		sender->end = sender->lane->delivery.next - 1;
	frame_end(sender);
	sender->lane->told = sender->lane->delivery.next;
}

static void skip_gone(struct sender *sender)
{
	struct weir_delivery *delivery = &sender->lane->delivery;
	uint64_t next = delivery->next;

	weir_delivery_skip_gone(delivery);
	if (delivery->next == next)
		return;
	frame_end(sender);
	sender->lane->told = delivery->next;
}

/* One message on, or false. */
static bool send_next(struct sender *sender)
{
	struct weir_delivery *delivery = &sender->lane->delivery;
	const struct gateway_message *message;
	enum weir_gap_reason reason;

	skip_gone(sender);
	if (delivery->next == sender->ring->head)
		return false;
	reason = verdict(sender, delivery->next);
	if (reason != WEIR_GAP_REASON_COUNT) {
		pass(sender, reason);
		return true;
	}
	message = message_at(sender->ring, delivery->next);
	if (!windows_are_open(sender, message->content.length) ||
		!admit(sender, message->content.length))
		return false;
	if (sender->is_open && sender->end != sender->lane->told)
		sender->end = sender->lane->told;
	put(sender, sender->lane->told, message);
	weir_delivery_sent(delivery, message->content.length, now_us(sender->world));
	sender->lane->told = delivery->next;
	return true;
}

static void cover_rest(struct sender *sender)
{
	struct gateway_lane *lane = sender->lane;

	if (lane->told == lane->delivery.next) {
		frame_end(sender);
		return;
	}
	if (!sender->is_open)
		frame_begin(sender, lane->told, 0);
	sender->end = lane->told = lane->delivery.next;
	frame_end(sender);
}

static bool lane_turn(struct sim_world *world, uint32_t group, uint32_t partition)
{
	struct sim_gateway *gateway = world->gateway;
	struct gateway_lane *lane = &gateway->lanes[group][partition];
	struct sender sender = {
		.world = world,
		.lane = lane,
		.ring = &gateway->rings[partition],
		.group = group,
		.partition = partition,
	};
	uint32_t sent = 0;

	if (lane->owner == GATEWAY_NONE)
		return false;
	sender.session = &gateway->sessions[lane->owner];
	if (lane->delivery.lost != 0)
		send_again(&sender);
	lane->is_starved = false;
	if (lane->is_draining && sim_broken != SIM_BREAK_DRAIN_IGNORED)
		return false;
	if ((sender.session->paused >> sim_plan_stream(&world->plan, partition) & 1) ||
		sender.session->open_at > world->now_ns)
		return false;
	sender.flags = 0;
	while (sent < TURN && send_next(&sender))
		sent++;
	cover_rest(&sender);
	gateway_settle(world, group, partition);
	return sent != 0;
}

static void resume_windows(struct sim_world *world)
{
	struct sim_gateway *gateway = world->gateway;

	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++) {
		struct gateway_session *session = &gateway->sessions[i];

		if (session->id == 0)
			continue;
		if (gateway_flying(gateway, session).messages == 0)
			weir_window_resume(&session->window,
				(world->now_ns - session->flew_at) / 1000, now_us(world));
		session->flew_at = world->now_ns;
	}
}

/* All is on its way. Where nobody acknowledges, that is all that can be done. */
static void lane_rest(struct sim_world *world, uint32_t group, uint32_t partition)
{
	struct sim_gateway *gateway = world->gateway;
	struct gateway_lane *lane = &gateway->lanes[group][partition];

	if (!partition_is_there(world, partition))
		return;
	if (lane->owner != GATEWAY_NONE && !gateway->sessions[lane->owner].is_reliable) {
		weir_delivery_trust(&lane->delivery);
		sim_checks_trusted(world, group, partition);
		gateway_settle(world, group, partition);
	}
	sim_checks_books(world, group, partition, lane->delivery.flying.messages,
		lane->delivery.flying.bytes);
}

void gateway_pump(struct sim_world *world)
{
	struct sim_gateway *gateway = world->gateway;
	uint32_t lanes = world->plan.group_count * world->plan.partition_count;
	bool is_moving = true;

	resume_windows(world);
	while (is_moving) {
		is_moving = false;
		for (uint32_t i = 0; i < lanes; i++) {
			uint32_t turn = (gateway->turn + i) % lanes;

			is_moving |= lane_turn(world, turn / world->plan.partition_count,
				turn % world->plan.partition_count);
		}
		gateway->turn = (gateway->turn + 1) % lanes;
	}
	for (uint32_t i = 0; i < GATEWAY_SESSIONS; i++)
		if (gateway->sessions[i].id != 0)
			gateway_send_now(world, &gateway->sessions[i]);
	for (uint32_t i = 0; i < lanes; i++)
		lane_rest(world, i / world->plan.partition_count, i % world->plan.partition_count);
}
