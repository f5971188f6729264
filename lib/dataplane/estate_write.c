/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/estate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/model.h"
#include "dataplane/worker.h"
#include "wire/hash.h"

/* Writing an estate. A stream remembers the first failure, so each step need not. */

#define BUFFER    (1u << 20)
#define POSITIONS 1025 /* sessions of a group, and the one that has the lane */

struct out {
	FILE *file;
	uint64_t length;
	bool failed;
};

static void put(struct out *out, const void *bytes, size_t length)
{
	out->failed |= fwrite(bytes, 1, length, out->file) != length;
	out->length += length;
}

uint64_t weir_stream_key_digest(const struct weir_stream *stream)
{
	const uint8_t *bytes = (const uint8_t *)&stream->key;
	uint64_t hash = WEIR_HASH_START;

	for (size_t i = 0; i < sizeof(stream->key); i++)
		hash = weir_hash_word(hash, bytes[i]);
	return weir_hash_finish(hash);
}

void weir_estate_describe(const struct weir_consumer *consumer, struct weir_estate_session *session)
{
	memcpy(session->name, consumer->name, sizeof(session->name));
	session->session = consumer->session;
	session->peer = consumer->peer;
	session->local = consumer->local;
	session->peer_port = consumer->peer_port;
	session->max_datagram = consumer->max_datagram;
	session->wants_source = consumer->wants_source;
	session->wants_batches = consumer->wants_batches;
	session->is_reliable = consumer->is_reliable;
	session->may_seek = consumer->may_seek;
	session->is_subscribed = consumer->is_subscribed;
	session->is_paused = atomic_load(&consumer->closed) & WEIR_CLOSED_PEER;
	session->start = consumer->start;
	session->start_value = consumer->start_value;
	session->stream_count = consumer->stream_count;
	session->messages_limit = atomic_load(&consumer->credit->messages.limit);
	session->messages_used = atomic_load(&consumer->credit->messages.leased);
	session->bytes_limit = atomic_load(&consumer->credit->bytes.limit);
	session->bytes_used = atomic_load(&consumer->credit->bytes.leased);
	session->report_counter = atomic_load(&consumer->report_counter);
	session->pause_counter = atomic_load(&consumer->pause_counter);
	session->knows = atomic_load(&consumer->edition);
	session->has_seal = consumer->seal.is_on;
	memcpy(session->tx_key, consumer->seal.tx_key, sizeof(session->tx_key));
	memcpy(session->rx_key, consumer->seal.rx_key, sizeof(session->rx_key));
	session->tx_number = atomic_load(&consumer->seal.tx_number);
	session->rx_window = atomic_load(&consumer->seal.rx_window);
	session->rx_floor = atomic_load(&consumer->seal.rx_floor);
	for (uint32_t i = 0; i < WEIR_MAX_STREAMS / 64; i++)
		session->paused[i] = atomic_load(&consumer->paused[i]);
}

static const struct weir_consumer *find_session(
	const struct weir_model *model, const struct weir_estate_session *session)
{
	for (uint32_t i = 0; i < model->group_count; i++)
		for (uint32_t j = 0; j < model->groups[i].consumer_count; j++)
			if (model->groups[i].consumers[j].object->session == session->session)
				return model->groups[i].consumers[j].object;
	return NULL;
}

static void put_session(
	struct out *out, const struct weir_model *model, const struct weir_estate_session *session)
{
	const struct weir_consumer *consumer = find_session(model, session);

	put(out, session, sizeof(*session));
	if (consumer == NULL || consumer->stream_count != session->stream_count)
		out->failed = true;
	else if (consumer->stream_count != 0)
		put(out, consumer->streams, consumer->stream_count * sizeof(*consumer->streams));
}

/* Positions of sessions on the lane: of the one that has it now, and of those that may come back.
 */
static uint16_t collect_positions(
	const struct weir_lane *lane, struct weir_position *positions, uint16_t most)
{
	uint16_t count = 0;

	if (lane->outlet != NULL && lane->outlet->consumer->session != 0)
		positions[count++] = (struct weir_position){
			.session = lane->outlet->consumer->session,
			.messages = lane->wire.messages,
			.bytes = lane->wire.bytes,
		};
	for (uint16_t i = 0; i < lane->history_size && count < most; i++)
		if (lane->history[i].session != 0 &&
			(count == 0 || lane->history[i].session != positions[0].session))
			positions[count++] = lane->history[i];
	return count;
}

static void put_gone(struct out *out, const struct weir_delivery *delivery, uint32_t count)
{
	for (uint64_t seq = delivery->done; count != 0; seq++) {
		struct weir_estate_gone gone = {.offset = (uint32_t)(seq - delivery->done)};
		enum weir_gap_reason reason;

		if (!weir_delivery_is_gone(delivery, seq, &reason))
			continue;
		gone.reason = reason;
		put(out, &gone, sizeof(gone));
		count--;
	}
}

static void put_lane(struct out *out, const struct weir_lane *lane)
{
	const struct weir_delivery *delivery = lane->delivery;
	struct weir_position positions[POSITIONS];
	struct weir_estate_lane record = {
		.base = weir_lane_base(lane), .sample_left = lane->sample_left};

	if (lane->history != NULL)
		record.position_count = collect_positions(lane, positions, POSITIONS);
	if (delivery != NULL) {
		record.redeliver = RTE_MAX(delivery->redeliver, delivery->next);
		record.gone_count = delivery->settled;
		record.gap_count = delivery->gap_count;
	}
	put(out, &record, sizeof(record));
	if (delivery != NULL)
		put(out, delivery->gaps, record.gap_count * sizeof(delivery->gaps[0]));
	put(out, positions, record.position_count * sizeof(positions[0]));
	if (delivery != NULL)
		put_gone(out, delivery, record.gone_count);
}

/* A slot names the group that it is for by its number, which the next gateway may give another. */
static uint16_t only_of(
	const struct weir_partition *partition, const struct weir_message_slot *slot)
{
	for (uint16_t i = 0; slot->only != 0 && i < partition->lane_count; i++)
		if (partition->lanes[i]->group + 1 == slot->only)
			return (uint16_t)(i + 1);
	return 0;
}

static void put_message(struct out *out, const struct weir_partition *partition,
	const struct weir_message_slot *slot)
{
	static const uint8_t zeros[8];
	bool has_context = slot->flags & WEIR_SLOT_CONTEXT;
	/* With a context it was built here, in one segment. */
	uint32_t length = has_context ? slot->l4_offset + 8u + slot->payload_length +
						(uint32_t)sizeof(struct weir_message_context)
				      : slot->mbuf->pkt_len;
	const struct weir_estate_message message = {
		.ingest = slot->ingest,
		.time_left_us = slot->time_left_us,
		.packet_length = length,
		.payload_length = slot->payload_length,
		.l4_offset = slot->l4_offset,
		.only = only_of(partition, slot),
		.l3_offset = slot->l3_offset,
		.flags = slot->flags & (uint8_t)~WEIR_SLOT_TRACED,
	};

	put(out, &message, sizeof(message));
	if (has_context)
		put(out, rte_pktmbuf_mtod(slot->mbuf, const void *), length);
	for (const struct rte_mbuf *segment = has_context ? NULL : slot->mbuf; segment != NULL;
		segment = segment->next)
		put(out, rte_pktmbuf_mtod(segment, const void *), segment->data_len);
	put(out, zeros, RTE_ALIGN_CEIL(message.packet_length, 8) - message.packet_length);
}

static void put_partition(struct out *out, const struct weir_partition *partition)
{
	const struct weir_estate_partition record = {
		.tail = partition->tail,
		.head = partition->head,
		.retained = partition->retains ? partition->retained : partition->head,
		.payload = partition->bytes,
	};

	put(out, &record, sizeof(record));
	for (uint32_t i = 0; i < partition->lane_count; i++)
		put_lane(out, partition->lanes[i]);
	for (uint64_t seq = partition->tail; seq != partition->head; seq++)
		put_message(out, partition, weir_slot(partition, seq));
}

static void put_stream(
	struct out *out, const struct weir_model *model, const struct weir_model_stream *stream)
{
	struct weir_estate_stream record = {
		.key_digest = weir_stream_key_digest(stream->object),
		.slot = stream->object->slot,
		.partition_count = stream->object->partition_count,
		.group_count = (uint16_t)stream->attachment_count,
	};

	memcpy(record.name, stream->object->name, sizeof(record.name));
	put(out, &record, sizeof(record));
	for (uint32_t i = 0; i < stream->attachment_count; i++) {
		struct weir_estate_group group = {
			.is_acknowledged = stream->attachments[i]->deliveries != NULL};

		snprintf(group.name, sizeof(group.name), "%s",
			model->groups[stream->group_index[i]].config.name);
		put(out, &group, sizeof(group));
	}
	for (uint16_t i = 0; i < stream->object->partition_count; i++)
		put_partition(out, &stream->object->partitions[i]);
}

static uint32_t highest_epoch(const struct weir_model *model)
{
	uint32_t highest = 0;

	for (uint32_t i = 0; i < model->stream_count; i++)
		for (uint32_t j = 0; j < model->streams[i].attachment_count; j++)
			for (uint16_t p = 0; p < model->streams[i].object->partition_count; p++)
				highest = RTE_MAX(highest,
					model->streams[i].attachments[j]->lanes[p].wire.epoch);
	return highest;
}

static void put_all(struct out *out, const struct weir_model *model,
	const struct weir_estate_session *sessions, struct weir_estate_header *header)
{
	for (uint32_t i = 0; i < header->session_count; i++)
		put_session(out, model, &sessions[i]);
	for (uint32_t i = 0; i < model->stream_count; i++)
		if (!model->streams[i].is_draining) {
			put_stream(out, model, &model->streams[i]);
			header->stream_count++;
		}
}

int weir_estate_write(const struct weir_dataplane *dataplane,
	const struct weir_estate_session *sessions, uint32_t session_count, uint64_t stopped_ns,
	int fd)
{
	struct weir_estate_header header = {.magic = WEIR_ESTATE_MAGIC,
		.version = WEIR_ESTATE_VERSION,
		.epoch = highest_epoch(dataplane->model),
		.session_count = session_count,
		.stopped_ns = stopped_ns};
	int copy = dup(fd);
	struct out out = {.file = copy >= 0 ? fdopen(copy, "w") : NULL};

	if (out.file == NULL) {
		if (copy >= 0)
			close(copy);
		return -ENOMEM;
	}
	setvbuf(out.file, NULL, _IOFBF, BUFFER);
	put(&out, &header, sizeof(header));
	put_all(&out, dataplane->model, sessions, &header);
	header.length = out.length;
	out.failed |= fclose(out.file) != 0;
	if (out.failed || pwrite(fd, &header, sizeof(header), 0) != sizeof(header))
		return -ENOSPC;
	return 0;
}
