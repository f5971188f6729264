/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/native_wire.h"

#include "dataplane/dataplane.h"

/*
 * Heartbeats of native sessions: they keep a session alive, and tell what was sent last on each
 * lane, so that the loss of a burst's tail is seen. They take the way of the data, behind it. Lanes
 * with news come first; after them heartbeats go round all lanes that the session was sent
 * anything on, since a heartbeat may be lost as well.
 */

static bool is_home(const struct weir_worker *worker, const struct weir_consumer *consumer)
{
	return weir_home_of(worker->dataplane, consumer->slot) == worker->id;
}

static bool has_news(const struct weir_outlet *outlet)
{
	return !weir_list_is_empty(&outlet->reports) &&
	       weir_list_entry(outlet->reports.next, struct weir_lane, report)->is_news;
}

static bool is_due(const struct weir_worker *worker, const struct weir_outlet *outlet)
{
	uint64_t interval = worker->snapshot->heartbeat_cycles;

	if (worker->now - outlet->last_heartbeat >= interval)
		return is_home(worker, outlet->consumer) || outlet->has_left ||
		       !weir_list_is_empty(&outlet->reports);
	/* Soon after a burst has ended, its tail is told; then at the usual pace. */
	return has_news(outlet) && worker->now - outlet->last_sent >= interval / 20;
}

static bool is_starved(const struct weir_outlet *outlet)
{
	return outlet->gate == WEIR_GATE_CREDIT_MESSAGES || outlet->gate == WEIR_GATE_CREDIT_BYTES;
}

static void fill_lanes(
	struct weir_outlet *outlet, struct weir_frame_heartbeat *frame, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		struct weir_frame_heartbeat_lane *entry = &frame->lanes[i];
		struct weir_lane *lane =
			weir_list_entry(outlet->reports.next, struct weir_lane, report);

		entry->stream = weir_be16(lane->wire.stream);
		entry->partition = weir_be16(lane->wire.partition);
		entry->epoch = weir_be32(lane->wire.epoch);
		entry->next_seq = weir_be64(lane->told);
		entry->lane_first = weir_be64(lane->wire.first);
		entry->lane_messages = weir_be64(lane->wire.messages);
		entry->lane_bytes = weir_be64(lane->wire.bytes);
		lane->is_news = false;
		weir_list_remove(&lane->report);
		weir_list_add_tail(&outlet->reports, &lane->report);
	}
}

static uint32_t count_reports(const struct weir_outlet *outlet, uint32_t most)
{
	uint32_t count = 0;

	weir_list_for_each (node, &outlet->reports)
		if (++count == most)
			break;
	return count;
}

/* A HEARTBEAT for so many lanes; NULL: there is no room. */
static struct weir_frame_heartbeat *add_frame(
	struct weir_worker *worker, struct weir_outlet *outlet, uint32_t count)
{
	const struct weir_consumer *consumer = outlet->consumer;
	struct weir_frame_heartbeat *frame = weir_writer_add(&outlet->writer, WEIR_FRAME_HEARTBEAT,
		is_starved(outlet) ? WEIR_HEARTBEAT_STARVED : 0,
		(uint32_t)(sizeof(*frame) + count * sizeof(frame->lanes[0])));

	if (frame == NULL)
		return NULL;
	outlet->needs_tag = true;
	frame->count = weir_be16((uint16_t)count);
	frame->subscribe_counter =
		weir_be32(atomic_load_explicit(&consumer->subscribe_counter, memory_order_relaxed));
	frame->pause_counter = weir_be32(
		(uint32_t)atomic_load_explicit(&consumer->pause_counter, memory_order_relaxed));
	frame->clock_ns = weir_be64(weir_worker_wall_ns(worker, worker->now));
	return frame;
}

/* A datagram is open afterwards; false: the port or the pool has no room for one. */
static bool open_datagram(struct weir_worker *worker, struct weir_outlet *outlet)
{
	const struct weir_route *route =
		atomic_load_explicit(&outlet->consumer->route, memory_order_acquire);

	return route != NULL && weir_tx_room(&worker->tx[route->port]) >= 2 + worker->open_count &&
	       weir_native_datagram(worker, outlet, route);
}

bool weir_native_tell_moved(
	struct weir_worker *worker, struct weir_consumer *consumer, const struct weir_lane *lane)
{
	struct weir_position position = weir_lane_position(lane, consumer->session);
	struct weir_outlet *outlet = &consumer->outlets[worker->id];
	struct weir_frame_heartbeat *frame;

	if (!open_datagram(worker, outlet))
		return false;
	frame = add_frame(worker, outlet, 1);
	/* What is full may leave; a frame of data that is being filled stays. */
	if (frame == NULL && outlet->data_lane == NULL) {
		weir_native_send(worker, outlet);
		if (open_datagram(worker, outlet))
			frame = add_frame(worker, outlet, 1);
	}
	if (frame == NULL)
		return false;
	frame->lanes[0].stream = weir_be16(lane->wire.stream);
	frame->lanes[0].partition = weir_be16(lane->wire.partition);
	frame->lanes[0].epoch = weir_be32(lane->wire.epoch);
	frame->lanes[0].next_seq = weir_be64(lane->wire.first);
	frame->lanes[0].lane_first = weir_be64(lane->wire.first);
	frame->lanes[0].lane_messages = weir_be64(position.messages);
	frame->lanes[0].lane_bytes = weir_be64(position.bytes);
	return true;
}

/* Returns whether there is more to tell; what there was no room for comes with the next one. */
static bool tell_left_of(
	struct weir_worker *worker, struct weir_outlet *outlet, const struct weir_stream *stream)
{
	bool has_left = false;

	for (uint16_t p = 0; p < stream->partition_count; p++) {
		const struct weir_partition *partition = &stream->partitions[p];

		if (weir_stream_owner(stream, p) != worker->id)
			continue;
		for (uint32_t i = 0; i < partition->lane_count; i++) {
			struct weir_lane *lane = partition->lanes[i];
			uint8_t *tells;

			if (lane->group != outlet->consumer->group)
				continue;
			tells = weir_lane_tells(lane, outlet->consumer->session);
			if (tells == NULL || *tells == 0)
				continue;
			has_left = true;
			if (!weir_native_tell_moved(worker, outlet->consumer, lane))
				return true;
			--*tells;
		}
	}
	return has_left;
}

/*
 * Lanes that went to others without being worked off to the end, or by way of a ring that was too
 * short: what of them was lost on its way would be missed by nobody, and its credit with it.
 */
static void tell_left(struct weir_worker *worker, struct weir_outlet *outlet)
{
	bool has_left = false;

	for (uint32_t i = 0; i < worker->snapshot->stream_count; i++)
		has_left |= tell_left_of(worker, outlet, worker->snapshot->streams[i].stream);
	outlet->has_left = has_left;
}

static void send_heartbeat(struct weir_worker *worker, struct weir_outlet *outlet)
{
	struct weir_frame_heartbeat *frame;
	uint32_t most, count;

	if (!open_datagram(worker, outlet))
		return;
	most = (outlet->writer.size - WEIR_DATAGRAM_HEADER - (uint32_t)sizeof(*frame)) /
	       (uint32_t)sizeof(frame->lanes[0]);
	count = most != 0 ? count_reports(outlet, most) : 0;
	frame = add_frame(worker, outlet, count);
	if (frame != NULL)
		fill_lanes(outlet, frame, count);
	if (unlikely(outlet->has_left))
		tell_left(worker, outlet);
	if (outlet->datagram != NULL)
		weir_native_send(worker, outlet);
	outlet->last_heartbeat = worker->now;
}

void weir_native_tick(struct weir_worker *worker)
{
	weir_list_for_each (node, &worker->sessions) {
		struct weir_outlet *outlet = weir_list_entry(node, struct weir_outlet, sessions);

		if (is_due(worker, outlet))
			send_heartbeat(worker, outlet);
	}
}
