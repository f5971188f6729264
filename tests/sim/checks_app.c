/* SPDX-License-Identifier: BSD-3-Clause */
#include "checks_private.h"

#include <inttypes.h>
#include <string.h>

static bool bit_is_set(const uint8_t *bits, uint64_t index)
{
	return bits[index / 8] >> (index % 8) & 1;
}

static void bit_set(uint8_t *bits, uint64_t index)
{
	bits[index / 8] = (uint8_t)(bits[index / 8] | 1u << (index % 8));
}

static uint32_t consumer_index(const struct sim_consumer *consumer)
{
	return consumer->address.consumer;
}

/*
 * The partition's index among all, from stream `*from` on, which becomes the next to look at;
 * SIM_PARTITIONS when there is none such. What is made anew has the name of the one before.
 */
static uint32_t next_partition(
	const struct sim_world *world, const char *stream, uint16_t partition, uint32_t *from)
{
	char name[3] = {'s', '0', '\0'};

	while (*from < world->plan.stream_count) {
		const struct sim_stream_plan *plan = &world->plan.streams[(*from)++];

		name[1] = (char)('0' + plan->name);
		if (strcmp(stream, name) == 0 && partition < plan->partitions)
			return plan->first + partition;
	}
	return SIM_PARTITIONS;
}

/* Where the message is, and its index there. */
static uint32_t partition_of(
	const struct sim_world *world, const struct weir_message *message, uint64_t *index)
{
	uint32_t from = 0, partition;

	do
		partition = next_partition(world, message->stream, message->partition, &from);
	while (partition != SIM_PARTITIONS &&
		(!check_index(world->checks, partition, message->sequence, index) ||
			*index >= world->checks->partitions[partition].head));
	return partition;
}

/* Over a change of the stream: what was cut off, or ended, may come late. */
static void check_key(struct sim_world *world, struct sim_consumer *consumer,
	const struct sim_content *content, const struct check_fate *fate)
{
	uint32_t stream = sim_plan_stream(&world->plan, content->partition);
	uint32_t *count = &consumer->key_counts[world->plan.streams[stream].name][content->key];
	bool is_excused = consumer->plan->is_unreliable || consumer->plan->is_liar ||
			  fate->flags & (FATE_GONE | FATE_ENDED | FATE_LAPPED | FATE_LIED);

	if (content->key_count < *count && !is_excused)
		sim_fail(world, "succession",
			"consumer %u partition %u key %u: message %u comes after %u",
			consumer_index(consumer), content->partition, content->key,
			content->key_count, *count - 1);
	if (*count <= content->key_count)
		*count = content->key_count + 1;
}

static void check_order(struct sim_world *world, const struct sim_consumer *consumer,
	struct sim_seen *seen, const struct sim_content *content, uint64_t index)
{
	if (bit_is_set(seen->taken, index))
		sim_fail(world, "duplicate",
			"consumer %u partition %u index %" PRIu64 ": taken twice",
			consumer_index(consumer), content->partition, index);
	if (index < seen->next)
		sim_fail(world, "order",
			"consumer %u partition %u index %" PRIu64 ": comes after %" PRIu64,
			consumer_index(consumer), content->partition, index, seen->next - 1);
	if (bit_is_set(seen->told, index) && !consumer->plan->is_unreliable)
		sim_fail(world, "gap",
			"consumer %u partition %u index %" PRIu64 ": told as gap, and delivered",
			consumer_index(consumer), content->partition, index);
}

/*
 * Within an epoch nothing is jumped over that was not told, or left out on purpose. What the client
 * dropped past its deadline is told by the number of those missed.
 */
static void check_jump(struct sim_world *world, const struct sim_consumer *consumer,
	const struct sim_seen *seen, uint32_t partition, uint64_t index, uint64_t missed)
{
	uint32_t group = consumer_index(consumer) / SIM_MEMBERS;
	const struct sim_content *contents = world->checks->partitions[partition].contents;
	struct check_fate *fates = world->checks->lanes[group][partition].fates;
	uint64_t late = 0;

	for (uint64_t i = seen->next; i < index; i++) {
		if (bit_is_set(seen->told, i) || bit_is_set(seen->taken, i))
			continue;
		if (contents[i].random != 0 && check_is_left_out(world, group, &contents[i]))
			continue;
		if (contents[i].random != 0 && contents[i].deadline_ns <= world->now_ns) {
			fates[i].flags |= FATE_LATE;
			late++;
			continue;
		}
		/* If it may still come, it is overtaken; if not, nobody was told. */
		sim_fail(world, fates[i].flags & (FATE_GONE | FATE_ENDED) ? "gap" : "order",
			"consumer %u partition %u index %" PRIu64
			": jumped over, neither delivered nor told",
			consumer_index(consumer), partition, i);
	}
	if (late > missed)
		sim_fail(world, "gap",
			"consumer %u partition %u index %" PRIu64 ": %" PRIu64
			" were dropped late, %" PRIu64 " are told",
			consumer_index(consumer), partition, index, late, missed);
}

static void check_taken_late(struct sim_world *world, const struct sim_consumer *consumer,
	const struct sim_content *content)
{
	uint64_t allowed = world->checks->transit_ns + 2 * SIM_MS;

	if (consumer->was_frozen || content->deadline_ns == UINT64_MAX)
		return;
	if (world->now_ns > content->deadline_ns + allowed)
		sim_fail(world, "deadline",
			"consumer %u partition %u: taken %" PRIu64 " us too late",
			consumer_index(consumer), content->partition,
			(world->now_ns - content->deadline_ns) / 1000);
}

uint32_t sim_checks_taken(
	struct sim_world *world, struct sim_consumer *consumer, const struct weir_message *message)
{
	uint64_t index = 0;
	uint32_t partition = partition_of(world, message, &index);
	uint32_t group = consumer_index(consumer) / SIM_MEMBERS;
	struct sim_checks *checks = world->checks;
	const struct sim_content *content;
	struct check_lane *lane;
	struct sim_seen *seen;

	if (partition == SIM_PARTITIONS) {
		sim_fail(world, "content", "a message that was not produced: %s %u %" PRIu64,
			message->stream, message->partition, message->sequence);
		return 0;
	}
	sim_event(world, SIM_EVENT_TAKEN, consumer_index(consumer), partition, message->sequence,
		message->epoch);
	seen = &consumer->seen[partition];
	content = &checks->partitions[partition].contents[index];
	if (!sim_payload_is(content, message->data, message->length))
		sim_fail(world, "content",
			"partition %u index %" PRIu64 ": taken with another content", partition,
			index);
	if (check_is_left_out(world, group, content))
		sim_fail(world, "content", "partition %u index %" PRIu64 ": was to be left out",
			partition, index);
	check_order(world, consumer, seen, content, index);
	check_key(world, consumer, content, &checks->lanes[group][partition].fates[index]);
	check_taken_late(world, consumer, content);
	if (!consumer->plan->is_liar && seen->session == consumer->session_id &&
		seen->epoch == message->epoch && seen->session != 0)
		check_jump(world, consumer, seen, partition, index, message->missed);
	bit_set(seen->taken, index);
	seen->session = consumer->session_id;
	seen->epoch = message->epoch;
	seen->next = index + 1;
	lane = &checks->lanes[group][partition];
	lane->fates[index].flags |= FATE_TAKEN;
	if (lane->has_sent && message->epoch == lane->epoch &&
		consumer->session_id == lane->epoch_session)
		lane->fates[index].flags |= FATE_HELD;
	return partition;
}

void sim_checks_done(struct sim_world *world, const struct sim_consumer *consumer,
	uint32_t partition, uint64_t seq)
{
	uint32_t group = consumer_index(consumer) / SIM_MEMBERS;
	uint64_t index;

	sim_event(world, SIM_EVENT_DONE, consumer_index(consumer), partition, seq, 0);
	if (check_index(world->checks, partition, seq, &index))
		world->checks->lanes[group][partition].fates[index].flags |= FATE_DONE;
}

static void tell(struct sim_world *world, struct sim_consumer *consumer, uint32_t partition,
	const struct weir_event *event)
{
	struct check_fate *fates =
		world->checks->lanes[consumer_index(consumer) / SIM_MEMBERS][partition].fates;
	uint64_t base = world->checks->partitions[partition].first_seq;
	uint64_t first = event->first, end = event->first + event->count;

	/* A gap may reach below what these books begin with, and beyond their end. */
	if (end <= base || first >= base + SIM_SEQUENCES)
		return;
	first = first > base ? first - base : 0;
	end = end < base + SIM_SEQUENCES ? end - base : SIM_SEQUENCES;
	for (uint64_t i = first; i < end; i++) {
		/* At most once: a gap that an earlier session saw in part may be told whole. */
		if (bit_is_set(consumer->seen[partition].taken, i) &&
			!consumer->plan->is_unreliable)
			sim_fail(world, "gap",
				"consumer %u partition %u index %" PRIu64
				": delivered, and told as gap",
				consumer_index(consumer), partition, i);
		bit_set(consumer->seen[partition].told, i);
		fates[i].flags |= FATE_TOLD;
	}
}

void sim_checks_told(
	struct sim_world *world, struct sim_consumer *consumer, const struct weir_event *event)
{
	uint32_t from = 0, partition;

	if (event->kind != WEIR_EVENT_GAP) {
		sim_event(world, SIM_EVENT_STATE, consumer_index(consumer), SIM_NOBODY, event->kind,
			event->code);
		return;
	}
	partition = next_partition(world, event->stream, event->partition, &from);
	sim_event(world, SIM_EVENT_TOLD, consumer_index(consumer), partition, event->first,
		event->first + event->count);
	if (partition == SIM_PARTITIONS)
		sim_fail(world, "gap", "told of a partition that does not exist");
	while (partition != SIM_PARTITIONS) {
		tell(world, consumer, partition, event);
		partition = next_partition(world, event->stream, event->partition, &from);
	}
}

static bool was_untold(const struct sim_world *world, const struct sim_consumer *consumer)
{
	for (uint32_t i = 0; i < SIM_CONSUMERS; i++)
		if (world->checks->sessions[i].consumer == consumer_index(consumer) &&
			world->checks->sessions[i].is_untold)
			return true;
	return false;
}

void sim_checks_client(struct sim_world *world, const struct sim_consumer *consumer)
{
	struct weir_consumer_stats stats;

	if (consumer->session == NULL)
		return;
	weir_session_stats(consumer->session, &stats);
	world->checks->late += stats.expired;
	if (consumer->plan->is_liar)
		return;
	if (stats.malformed != 0 && !was_untold(world, consumer))
		sim_fail(world, "refused", "consumer %u: calls the gateway's datagrams malformed",
			consumer_index(consumer));
	if (stats.overruns != 0)
		sim_fail(world, "overrun", "consumer %u: got more than it had granted",
			consumer_index(consumer));
	if (stats.events_lost != 0)
		sim_fail(world, "gap", "consumer %u: events were lost", consumer_index(consumer));
}

/*
 * What the gateway had given up, or lost in a restart, may have been in that process's hands and
 * nowhere else. Nobody is left who could tell.
 */
void sim_checks_crashed(struct sim_world *world, const struct sim_consumer *consumer)
{
	uint32_t group = consumer_index(consumer) / SIM_MEMBERS;

	for (uint32_t i = 0; i < SIM_CONSUMERS; i++)
		if (world->checks->sessions[i].consumer == consumer_index(consumer))
			world->checks->sessions[i].is_dead = true;
	for (uint32_t p = 0; p < world->plan.partition_count; p++) {
		struct check_fate *fates = world->checks->lanes[group][p].fates;

		for (uint64_t i = 0; i < world->checks->partitions[p].head; i++)
			if (fates[i].flags & FATE_SENT && fates[i].flags & (FATE_GONE | FATE_ENDED))
				fates[i].flags |= FATE_CRASHED;
	}
}
