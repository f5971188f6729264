/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/templates.h"

#include "dataplane/worker.h"
#include "wire/key.h"

static const uint8_t *payload_of(const struct weir_message_slot *slot)
{
	return rte_pktmbuf_mtod_offset(slot->mbuf, const uint8_t *, slot->l4_offset + 8);
}

struct weir_template_exporter weir_templates_exporter(const struct weir_message_slot *slot)
{
	const uint8_t *frame = rte_pktmbuf_mtod(slot->mbuf, const uint8_t *);
	const uint8_t *payload = payload_of(slot);
	bool is_ipv6 = slot->flags & WEIR_SLOT_IPV6;
	struct weir_template_exporter exporter = {
		.port = weir_load16be(frame + slot->l4_offset),
		.family = is_ipv6 ? 6 : 4,
		.version = weir_template_version(payload, slot->payload_length),
	};

	memcpy(exporter.address, frame + slot->l3_offset + (is_ipv6 ? 8 : 12), is_ipv6 ? 16 : 4);
	if (exporter.version != 0)
		exporter.domain =
			weir_load32be(payload + weir_template_header(exporter.version) - 4);
	return exporter;
}

uint16_t weir_templates_partition(
	const struct weir_stream *stream, const struct weir_template_exporter *exporter)
{
	return weir_key_partition(
		weir_key_hash_address(exporter->address, exporter->family == 6, exporter->domain),
		stream->partition_count);
}

void weir_templates_learn(struct weir_worker *worker, struct weir_stream_local *local,
	struct weir_partition *partition, const struct weir_message_slot *slot)
{
	struct weir_template_exporter exporter = weir_templates_exporter(slot);
	struct weir_template_moment moment = {partition->head, partition->tail, worker->now};

	weir_template_learn(partition->templates, &exporter, payload_of(slot), slot->payload_length,
		&moment, &local->stats.templates);
}

void weir_templates_join(struct weir_lane *lane)
{
	struct weir_partition *partition = lane->partition;

	lane->wants_templates = false;
	if (partition->templates == NULL)
		return;
	/* As many bits as a stream has groups. */
	lane->template_lane = (uint8_t)__builtin_ctzll(~partition->template_lanes);
	partition->template_lanes |= 1ull << lane->template_lane;
}

void weir_templates_leave(struct weir_lane *lane)
{
	if (lane->partition->templates != NULL)
		lane->partition->template_lanes &= ~(1ull << lane->template_lane);
}

void weir_templates_forget(struct weir_lane *lane)
{
	struct weir_template_cache *cache = lane->partition->templates;

	if (cache == NULL)
		return;
	if (cache->domains != 0)
		weir_template_forget(cache, lane->template_lane, lane->cursor);
	lane->wants_templates = cache->missing[lane->template_lane] != 0;
}

void weir_templates_forget_all(struct weir_worker *worker, struct weir_outlet *outlet)
{
	const struct weir_snapshot *snapshot = worker->snapshot;

	outlet->absences_seen = atomic_load(&outlet->consumer->absences);
	for (uint32_t i = 0; i < snapshot->stream_count; i++) {
		struct weir_stream *stream = snapshot->streams[i].stream;

		for (uint16_t p = 0; stream->template_bytes != 0 && p < stream->partition_count;
			p++) {
			struct weir_partition *partition = &stream->partitions[p];

			if (weir_stream_owner(stream, p) != worker->id)
				continue;
			for (uint32_t j = 0; j < partition->lane_count; j++)
				if (partition->lanes[j]->outlet == outlet)
					weir_templates_forget(partition->lanes[j]);
		}
	}
}

void weir_templates_finish(struct weir_partition *partition)
{
	if (partition->templates != NULL)
		partition->templates->pause = UINT64_MAX;
	atomic_store_explicit(&partition->has_final_templates, true, memory_order_release);
}

static bool is_of(const void *context, const struct weir_template_exporter *exporter)
{
	const struct weir_partition *partition = context;

	return weir_templates_partition(partition->stream, exporter) == partition->index;
}

void weir_templates_catch_up(
	struct weir_partition *partition, const struct weir_stream *predecessor)
{
	const uint32_t *carried = partition->stream->carried;
	uint32_t count = partition->stream->partition_count;
	uint32_t before = predecessor->partition_count;
	/* As weir_key_partition shares the hash out, which is that of the exporter in both. */
	uint32_t first = partition->index * before / count;
	uint32_t end = ((partition->index + 1u) * before + count - 1) / count;
	bool has_new = false;

	for (uint32_t i = first; i < end; i++)
		if (!atomic_load_explicit(
			    &predecessor->partitions[i].has_final_templates, memory_order_acquire))
			return;
	partition->has_caught_up = true;
	if (partition->templates == NULL || predecessor->template_bytes == 0)
		return;
	for (uint32_t i = first; i < end; i++) {
		const struct weir_template_cache *cache = predecessor->partitions[i].templates;

		if (carried == NULL || carried[i] != cache->changes)
			has_new |= weir_template_catch_up(
				partition->templates, cache, is_of, partition);
	}
	for (uint32_t i = 0; has_new && i < partition->lane_count; i++)
		if (partition->lanes[i]->outlet != NULL)
			weir_templates_forget(partition->lanes[i]);
}

void weir_templates_lost(struct weir_lane *lane, uint64_t seq, const struct weir_message_slot *slot)
{
	struct weir_template_cache *cache = lane->partition->templates;
	struct weir_template_exporter exporter = weir_templates_exporter(slot);

	/* Whoever gets the lane has had nothing. */
	if (lane->outlet == NULL)
		return;
	weir_template_note(cache, &exporter, payload_of(slot), slot->payload_length, seq,
		lane->template_lane, false);
	lane->wants_templates = cache->missing[lane->template_lane] != 0;
}
