/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/replay.h"

#include "dataplane/blind.h"
#include "dataplane/gate.h"
#include "dataplane/reliable.h"
#include "dataplane/schedule.h"
#include "dataplane/templates.h"

/* One lane's turn with a message that may need templates. */
struct turn {
	struct weir_worker *worker;
	struct weir_queue *queue;
	struct weir_lane *lane;
	const struct weir_route *route;
	struct weir_message_slot *slot;
	struct weir_template_cache *cache;
	uint32_t domain;
	uint8_t version;
	bool is_native;
	uint32_t most;    /* payload of one datagram */
	uint32_t pending; /* records of options data that go before the message's own */
};

/* What the lane misses at its cursor, in order; `from` 0: from the first on. */
static uint32_t next_missing(const struct turn *turn, uint32_t from)
{
	return weir_template_after(turn->cache, turn->domain, from, turn->lane->cursor,
		1ull << turn->lane->template_lane);
}

static uint32_t length_of(const struct turn *turn, uint32_t entry)
{
	return weir_template_entry_at(turn->cache, entry)->length;
}

static bool is_record(const struct weir_template_cache *cache, uint32_t entry)
{
	return weir_template_entry_at(cache, entry)->kind == WEIR_TEMPLATE_OPTION_RECORD;
}

/* As many as fit `room`; a native consumer's need not be in order, but records behind all. */
static void pick(const struct turn *turn, uint32_t room, struct weir_replay_pick *pick)
{
	bool is_short = false; /* a template is left out */

	pick->cache = turn->cache;
	pick->version = turn->version;
	pick->pending = turn->pending;
	pick->count = 0;
	pick->bytes = 0;
	for (uint32_t entry = next_missing(turn, 0); entry != 0 && pick->count < WEIR_REPLAY_MOST;
		entry = next_missing(turn, entry)) {
		uint32_t length = length_of(turn, entry);

		if (is_short && is_record(turn->cache, entry))
			return;
		if (pick->bytes + length <= room) {
			pick->entries[pick->count++] = entry;
			pick->bytes += length;
		} else if (!turn->is_native) {
			return;
		} else {
			is_short |= !is_record(turn->cache, entry);
		}
	}
}

/* Also of those that will be sent how many are data records. */
static uint32_t count_missing(struct turn *turn, uint32_t *bytes)
{
	uint32_t room = turn->most - weir_template_header(turn->version);
	uint32_t count = 0;

	*bytes = 0;
	turn->pending = 0;
	for (uint32_t entry = next_missing(turn, 0); entry != 0;
		entry = next_missing(turn, entry)) {
		*bytes += length_of(turn, entry);
		count++;
		turn->pending += is_record(turn->cache, entry) && length_of(turn, entry) <= room;
	}
	return count;
}

/* Whether the rest goes with the message. */
static bool fits(const struct turn *turn, uint32_t count, uint32_t bytes)
{
	return count <= WEIR_REPLAY_MOST && bytes + turn->slot->payload_length <= turn->most;
}

/* Datagrams that go before the message, filled as pick() does. */
static uint32_t count_alone(const struct turn *turn, uint32_t count, uint32_t bytes)
{
	uint32_t room = turn->most - weir_template_header(turn->version);
	uint32_t datagrams = 0, entry = next_missing(turn, 0);

	while (entry != 0 && !fits(turn, count, bytes)) {
		uint32_t used = 0, number = 0;

		datagrams++;
		do {
			used += length_of(turn, entry);
			number++;
			entry = next_missing(turn, entry);
		} while (entry != 0 && number < WEIR_REPLAY_MOST &&
			 used + length_of(turn, entry) <= room);
		count -= number;
		bytes -= used;
	}
	return datagrams;
}

static void note_sent(const struct turn *turn, const struct weir_replay_pick *pick)
{
	struct weir_group_stats *stats = turn->lane->stats;

	for (uint32_t i = 0; i < pick->count; i++) {
		bool is_options_data = is_record(turn->cache, pick->entries[i]);

		weir_template_set_had(turn->cache, pick->entries[i], turn->lane->template_lane);
		stats->options_replayed += is_options_data;
		stats->template_replayed += !is_options_data;
	}
	stats->template_bytes += pick->bytes;
}

static void wait_for_buffer(const struct turn *turn)
{
	weir_gate_wait_buffer(turn->worker, turn->lane->outlet);
}

static bool may_send(const struct turn *turn, const struct weir_message_slot *stand_in)
{
	return weir_lane_may_send(turn->worker, turn->lane, &turn->worker->tx[turn->route->port],
		weir_message_l3_bytes(stand_in), stand_in->payload_length);
}

/* The packet of a stand-in, or NULL, and the outlet waits. Its buffer is used up. */
static struct rte_mbuf *make_packet(
	const struct turn *turn, const struct weir_message_slot *stand_in)
{
	struct rte_mbuf *packet = weir_blind_make(turn->worker, turn->route, stand_in, true);

	if (packet == NULL) {
		rte_pktmbuf_free(stand_in->mbuf);
		wait_for_buffer(turn);
	}
	return packet;
}

static bool send_native(const struct turn *turn, const struct weir_message_slot *stand_in)
{
	struct weir_outlet *outlet = turn->lane->outlet;
	bool is_sent = weir_native_add(turn->worker, outlet, turn->route, turn->lane, stand_in) ==
		       WEIR_GATE_OPEN;

	rte_pktmbuf_free(stand_in->mbuf);
	if (!is_sent) {
		wait_for_buffer(turn);
		return false;
	}
	if (turn->lane->delivery == NULL) {
		weir_lane_sent(turn->worker, turn->lane, turn->slot, false);
		return true;
	}
	turn->lane->sample_left = turn->lane->sample - 1;
	weir_reliable_sent(turn->worker, turn->lane, stand_in);
	return true;
}

static bool send_blind(const struct turn *turn, const struct weir_message_slot *stand_in)
{
	struct rte_mbuf *packet = make_packet(turn, stand_in);

	if (packet == NULL)
		return false;
	weir_tx_add_for(&turn->worker->tx[turn->route->port], packet, turn->lane->stats,
		turn->slot->payload_length, weir_lane_tag(turn->lane));
	turn->lane->outlet->stats.datagrams++;
	weir_lane_sent(turn->worker, turn->lane, turn->slot, false);
	return true;
}

/* The message with templates in front of its sets. */
static enum weir_replay send_with(const struct turn *turn, const struct weir_replay_pick *pick)
{
	struct weir_message_slot stand_in;

	if (!weir_replay_with(turn->worker, turn->slot, pick, &stand_in)) {
		wait_for_buffer(turn);
		return WEIR_REPLAY_WAIT;
	}
	if (!may_send(turn, &stand_in)) {
		rte_pktmbuf_free(stand_in.mbuf);
		return WEIR_REPLAY_WAIT;
	}
	if (!(turn->is_native ? send_native(turn, &stand_in) : send_blind(turn, &stand_in)))
		return WEIR_REPLAY_WAIT;
	weir_lane_charge(turn->queue, weir_message_l3_bytes(&stand_in), stand_in.payload_length);
	turn->lane->stats->template_messages++;
	note_sent(turn, pick);
	return WEIR_REPLAY_SENT;
}

/* A datagram of templates alone. */
static enum weir_replay send_alone(
	const struct turn *turn, const struct weir_replay_pick *pick, uint32_t before)
{
	struct weir_message_slot stand_in;
	struct rte_mbuf *packet;

	if (!weir_replay_alone(turn->worker, turn->slot, pick, before, &stand_in)) {
		wait_for_buffer(turn);
		return WEIR_REPLAY_WAIT;
	}
	if (!may_send(turn, &stand_in)) {
		rte_pktmbuf_free(stand_in.mbuf);
		return WEIR_REPLAY_WAIT;
	}
	packet = make_packet(turn, &stand_in);
	if (packet == NULL)
		return WEIR_REPLAY_WAIT;
	weir_tx_add_for(
		&turn->worker->tx[turn->route->port], packet, NULL, 0, weir_lane_tag(turn->lane));
	turn->lane->outlet->stats.datagrams++;
	weir_lane_charge(turn->queue, weir_message_l3_bytes(&stand_in), stand_in.payload_length);
	turn->lane->stats->template_datagrams++;
	note_sent(turn, pick);
	return WEIR_REPLAY_SENT;
}

/* Too large for this consumer: it decodes from the exporter's own on, or never. */
static enum weir_replay give_up(const struct turn *turn)
{
	weir_template_set_had(turn->cache, next_missing(turn, 0), turn->lane->template_lane);
	turn->lane->stats->template_unsent++;
	return WEIR_REPLAY_SENT;
}

static enum weir_replay send(const struct turn *turn, uint32_t count, uint32_t bytes)
{
	uint32_t header = weir_template_header(turn->version);
	uint32_t length = turn->slot->payload_length;
	struct weir_replay_pick picked;

	if (turn->is_native || fits(turn, count, bytes)) {
		pick(turn, turn->most > length ? turn->most - length : 0, &picked);
		return picked.count != 0 ? send_with(turn, &picked) : WEIR_REPLAY_NOTHING;
	}
	pick(turn, turn->most > header ? turn->most - header : 0, &picked);
	if (picked.count == 0)
		return give_up(turn);
	return send_alone(turn, &picked, count_alone(turn, count, bytes));
}

/* The domain of the message's exporter, 0 when the lane's consumer misses nothing of it. */
static uint32_t find_domain(struct turn *turn)
{
	const struct weir_message_slot *slot = turn->slot;
	const struct weir_partition *partition = turn->lane->partition;
	struct weir_template_exporter exporter = weir_templates_exporter(slot);
	struct weir_template_moment moment = {partition->head, partition->tail, turn->worker->now};
	uint32_t domain;

	if (exporter.version == 0)
		return 0;
	weir_template_purge(turn->cache, &moment);
	if (slot->flags & WEIR_SLOT_TEMPLATES)
		weir_template_note(turn->cache, &exporter,
			rte_pktmbuf_mtod_offset(slot->mbuf, const uint8_t *, slot->l4_offset + 8),
			slot->payload_length, turn->lane->cursor, turn->lane->template_lane, true);
	domain = weir_template_find(turn->cache, &exporter);
	if (domain == 0 || !(weir_template_domain_at(turn->cache, domain)->missing >>
					   turn->lane->template_lane &
				   1))
		return 0;
	turn->version = exporter.version;
	return domain;
}

enum weir_replay weir_replay_turn(struct weir_worker *worker, struct weir_queue *queue,
	struct weir_lane *lane, const struct weir_route *route, struct weir_message_slot *slot)
{
	const struct weir_consumer *consumer = lane->outlet->consumer;
	bool is_native = consumer->class == WEIR_CLASS_NATIVE;
	struct turn turn = {.worker = worker,
		.queue = queue,
		.lane = lane,
		.route = route,
		.slot = slot,
		.cache = lane->partition->templates,
		.is_native = is_native,
		.most = is_native ? weir_data_max_payload(consumer->max_datagram)
				  : route->max_payload};
	enum weir_replay result = WEIR_REPLAY_NOTHING;
	uint32_t count, bytes;

	turn.domain = find_domain(&turn);
	if (turn.domain != 0) {
		count = count_missing(&turn, &bytes);
		if (count != 0)
			result = send(&turn, count, bytes);
		weir_template_settle(turn.cache, turn.domain, lane->template_lane, lane->cursor);
	}
	lane->wants_templates = turn.cache->missing[lane->template_lane] != 0;
	return result;
}

bool weir_replay_again(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, const struct weir_lane *lane, uint64_t seq,
	const struct weir_message_slot *slot)
{
	struct weir_template_exporter exporter = weir_templates_exporter(slot);
	struct weir_replay_pick picked = {
		.cache = lane->partition->templates, .version = exporter.version};
	uint32_t room = weir_delivery_length(lane->delivery, seq) - slot->payload_length;
	uint32_t domain = picked.cache != NULL && exporter.version != 0
				  ? weir_template_find(picked.cache, &exporter)
				  : 0;
	struct weir_message_slot stand_in;
	bool is_short = false, is_sent;

	/* It had no more room than this. All that held then and fits: a superset does no harm. */
	for (uint32_t entry = domain != 0 ? weir_template_after(picked.cache, domain, 0, seq, 0)
					  : 0;
		entry != 0 && picked.count < WEIR_REPLAY_MOST;
		entry = weir_template_after(picked.cache, domain, entry, seq, 0)) {
		uint32_t length = weir_template_entry_at(picked.cache, entry)->length;

		if (is_short && is_record(picked.cache, entry))
			break;
		if (picked.bytes + length > room) {
			is_short |= !is_record(picked.cache, entry);
			continue;
		}
		picked.pending += is_record(picked.cache, entry);
		picked.entries[picked.count++] = entry;
		picked.bytes += length;
	}
	if (picked.count == 0)
		return weir_native_add_again(worker, outlet, route, lane, seq, slot);
	if (!weir_replay_with(worker, slot, &picked, &stand_in))
		return false;
	is_sent = weir_native_add_again(worker, outlet, route, lane, seq, &stand_in);
	rte_pktmbuf_free(stand_in.mbuf);
	return is_sent;
}
