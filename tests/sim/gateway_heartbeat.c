/* SPDX-License-Identifier: BSD-3-Clause */
#include "gateway_private.h"

#define GAPS_MAX  8 /* told a lane with each heartbeat */
#define LANES_MAX 8 /* in a frame: they fit the smallest datagram */

/*
 * All lanes that the session was ever sent to or told of. Those that went to another are told as
 * empty ones of the other's epoch: so the client knows that what it misses there is not its own.
 */
static bool is_listed(const struct gateway_session *session, const struct gateway_lane *lane,
	uint32_t partition, int slot)
{
	if (sim_broken == SIM_BREAK_TAIL_UNSEEN)
		return false;
	if (session->is_told[partition])
		return true; /* until the stream is no more */
	return lane->owner == slot && (lane->delivery.gap_count != 0 || lane->told != lane->first);
}

static void fill(const struct sim_world *world, struct gateway_session *session,
	struct weir_frame_heartbeat_lane *entry, uint32_t partition)
{
	const struct gateway_lane *lane = &world->gateway->lanes[session->group][partition];
	uint32_t stream = sim_plan_stream(&world->plan, partition);
	bool is_owner = lane->owner == (int)(session - world->gateway->sessions);

	session->is_told[partition] = true;
	entry->stream = weir_be16((uint16_t)stream);
	entry->partition = weir_be16((uint16_t)(partition - world->plan.streams[stream].first));
	entry->epoch = weir_be32(lane->epoch);
	entry->next_seq = weir_be64(is_owner ? lane->told : lane->first);
	entry->lane_first = weir_be64(lane->first);
	entry->lane_messages = weir_be64(session->sent[partition].messages);
	entry->lane_bytes = weir_be64(session->sent[partition].bytes);
}

static void tell_gaps(struct sim_world *world, struct gateway_session *session, uint32_t partition)
{
	const struct weir_delivery *delivery =
		&world->gateway->lanes[session->group][partition].delivery;
	uint64_t from = delivery->received;
	struct weir_delivery_gap gap;

	for (uint8_t i = 0; i < delivery->gap_count; i++)
		gateway_tell_gap(world, session, partition, &delivery->gaps[i]);
	for (uint32_t i = 0; i < GAPS_MAX; i++) {
		if (!weir_delivery_gap(delivery, from, delivery->next, &gap))
			break;
		if (gap.reason != WEIR_GAP_LEFT_OUT)
			gateway_tell_gap(world, session, partition, &gap);
		from = gap.end;
	}
}

uint64_t gateway_heartbeat_ns(const struct sim_world *world, const struct gateway_session *session)
{
	uint64_t interval = world->plan.heartbeat_ms * SIM_MS;
	uint64_t at = session->heartbeat_at + interval;

	/* Soon after a burst has ended its tail is told. */
	if (session->has_news && session->sent_at + interval / 20 < at)
		at = session->sent_at + interval / 20;
	return at;
}

/* A frame with the next lanes from *partition on. How many there were. */
static uint16_t add_frame(
	struct sim_world *world, struct gateway_session *session, uint32_t *partition)
{
	const struct gateway_lane *lanes = world->gateway->lanes[session->group];
	int slot = (int)(session - world->gateway->sessions);
	uint32_t listed[LANES_MAX], size = sizeof(struct weir_frame_heartbeat);
	struct weir_frame_heartbeat *frame;
	uint16_t count = 0;
	uint8_t flags = 0;

	for (; *partition < world->plan.partition_count && count < LANES_MAX; ++*partition) {
		if (lanes[*partition].owner == slot && lanes[*partition].is_starved)
			flags = WEIR_HEARTBEAT_STARVED;
		if (is_listed(session, &lanes[*partition], *partition, slot))
			listed[count++] = *partition;
	}
	size += count * (uint32_t)sizeof(frame->lanes[0]);
	frame = weir_writer_add(
		gateway_writer(world, session, size), WEIR_FRAME_HEARTBEAT, flags, size);
	if (frame == NULL)
		return count;
	frame->count = weir_be16(count);
	frame->subscribe_counter = weir_be32(session->subscribe_counter);
	frame->pause_counter = weir_be32(session->pause_counter);
	frame->clock_ns = weir_be64(world->now_ns);
	for (uint16_t i = 0; i < count; i++)
		fill(world, session, &frame->lanes[i], listed[i]);
	return count;
}

void gateway_heartbeat(struct sim_world *world, struct gateway_session *session)
{
	const struct gateway_lane *lanes = world->gateway->lanes[session->group];
	int slot = (int)(session - world->gateway->sessions);
	uint32_t partition = 0, count = 0;

	do
		count += add_frame(world, session, &partition);
	while (partition < world->plan.partition_count);
	for (uint32_t p = 0; p < world->plan.partition_count; p++)
		if (lanes[p].owner == slot && session->is_reliable &&
			sim_broken != SIM_BREAK_GAP_UNTOLD)
			tell_gaps(world, session, p);
	sim_event(world, SIM_EVENT_HEARTBEAT, session->address.consumer, SIM_NOBODY, count, 0);
	gateway_send_now(world, session);
	session->heartbeat_at = world->now_ns;
	session->has_news = false;
}
