/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/requeue.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_ring_elem.h>

#include "dataplane/model.h"
#include "dataplane/native_wire.h"
#include "dataplane/partition.h"
#include "dataplane/quarantine.h"
#include "dataplane/transit.h"

static const struct weir_model_stream *find_stream(
	const struct weir_dataplane *dataplane, uint16_t slot)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->stream_count; i++)
		if (model->streams[i].object->slot == slot)
			return &model->streams[i];
	return NULL;
}

static const struct weir_model_group *find_group(
	const struct weir_dataplane *dataplane, uint16_t slot)
{
	const struct weir_model *model = dataplane->model;

	for (uint32_t i = 0; model != NULL && i < model->group_count; i++)
		if (model->groups[i].slot == slot)
			return &model->groups[i];
	return NULL;
}

/* The session's consumer; its slot may have gone to another since. */
static const struct weir_consumer *find_consumer(
	const struct weir_model_group *group, const struct weir_quarantined *note)
{
	for (uint32_t i = 0; group != NULL && i < group->consumer_count; i++) {
		const struct weir_consumer *consumer = group->consumers[i].object;

		if (consumer->slot == note->consumer && consumer->session == note->session)
			return consumer;
	}
	return NULL;
}

static void set_name(char *place, const char *name)
{
	snprintf(place, WEIR_NAME_SIZE, "%s", name != NULL ? name : "?");
}

/* The lanes that it is for still exist; names tell a slot's new holder from the old one. */
static int find_target(const struct weir_dataplane *dataplane, const struct weir_quarantined *note,
	const struct weir_quarantined_names *names, struct weir_worker **owner)
{
	const struct weir_model_stream *stream = find_stream(dataplane, note->stream);
	const struct weir_model_group *group = find_group(dataplane, note->group);

	if (stream == NULL || stream->is_draining ||
		strcmp(stream->object->name, names->stream) != 0 ||
		note->partition >= stream->object->partition_count)
		return -ENOENT;
	*owner = &dataplane->workers[stream->object->routed[note->partition]];
	if (group == NULL || strcmp(group->config.name, names->group) != 0)
		return -ESRCH;
	for (uint32_t i = 0; i < stream->attachment_count; i++)
		if (stream->attachments[i]->group == note->group)
			return 0;
	return -ESRCH;
}

/* The gateway's address that the message might have been sent to. */
static void choose_destination(const struct weir_dataplane *dataplane, struct weir_address *address)
{
	for (uint32_t i = 0; i < dataplane->address_count; i++)
		if (dataplane->addresses[i].family == address->family)
			*address = dataplane->addresses[i];
}

/* A datagram from the message's source to the gateway, as if it had just been received. */
static int build(const struct weir_dataplane *dataplane, const struct weir_quarantined *note,
	const uint8_t *payload, struct weir_message_slot *message)
{
	const struct weir_ipv4_fields fields = {
		.kept = WEIR_IPV4_DONT_SPLIT | WEIR_IPV4_TOS(note->tos)};
	struct weir_route_spec spec = {.mtu = UINT16_MAX,
		.source_port = note->source_port,
		.destination_port = dataplane->model->config->native.udp_port};
	struct rte_mbuf *packet = rte_pktmbuf_alloc(dataplane->buffers);
	struct weir_route route;
	uint8_t *place, *start;

	if (packet == NULL)
		return -ENOBUFS;
	weir_address_read(&spec.source, note->source_family, note->source);
	spec.destination.family = spec.source.family;
	choose_destination(dataplane, &spec.destination);
	if (note->length > rte_pktmbuf_tailroom(packet) || weir_route_build(&spec, &route) < 0 ||
		note->length > route.max_payload) {
		rte_pktmbuf_free(packet);
		return -EMSGSIZE;
	}
	place = weir_native_payload(packet);
	memcpy(place, payload, note->length);
	start = weir_route_write(&route, place, note->length, &fields);
	weir_store16(place - 2, weir_route_checksum(&route, place, note->length));
	packet->data_off = (uint16_t)(start - (uint8_t *)packet->buf_addr);
	packet->data_len = (uint16_t)(route.header_length + note->length);
	packet->pkt_len = packet->data_len;
	*message = (struct weir_message_slot){.mbuf = packet,
		.payload_length = note->length,
		.l4_offset = (uint16_t)(route.header_length - 8),
		.l3_offset = (uint8_t)(route.header_length - 8 - (route.ip_version == 6 ? 40 : 20)),
		.flags = (uint8_t)(WEIR_SLOT_CHECKSUM_GOOD |
				   (route.ip_version == 6 ? WEIR_SLOT_IPV6 : 0)),
		.stream = note->stream,
		.partition = note->partition};
	return 0;
}

void weir_return_append(
	struct weir_worker *worker, const struct weir_message_slot *message, uint16_t only)
{
	struct weir_stream *stream = worker->snapshot->by_slot[message->stream];
	struct weir_stream_local *local;
	struct weir_partition *partition;
	struct weir_message_slot *slot;

	if (stream == NULL || message->partition >= stream->partition_count) {
		worker->stats.stray++;
		rte_pktmbuf_free(message->mbuf);
		return;
	}
	local = &stream->local[worker->id];
	partition = &stream->partitions[message->partition];
	local->stats.requeued++;
	slot = weir_partition_place(worker, local, partition, message->payload_length);
	if (slot == NULL) {
		rte_pktmbuf_free(message->mbuf);
		return;
	}
	*slot = *message;
	slot->ingest = worker->now;
	weir_partition_commit(worker, local, partition, slot);
	slot->only = only;
}

static void take_back(struct weir_worker *worker, const struct weir_return *back)
{
	const struct weir_message_slot *message = &back->message;
	const struct weir_stream *stream = worker->snapshot->by_slot[message->stream];
	uint16_t only = (uint16_t)(back->group + 1);

	if (stream == NULL || message->partition >= stream->partition_count ||
		weir_stream_owner(stream, message->partition) == worker->id)
		weir_return_append(worker, message, only);
	else
		weir_limbo_keep(worker, message, only);
}

uint32_t weir_returns_poll(struct weir_worker *worker)
{
	struct weir_return backs[WEIR_BURST];
	uint32_t count = rte_ring_sc_dequeue_burst_elem(
		worker->returns, backs, sizeof(backs[0]), WEIR_BURST, NULL);

	for (uint32_t i = 0; i < count; i++)
		take_back(worker, &backs[i]);
	return count;
}

void weir_returns_free(struct weir_worker *worker)
{
	struct weir_return back;

	while (rte_ring_sc_dequeue_elem(worker->returns, &back, sizeof(back)) == 0)
		rte_pktmbuf_free(back.message.mbuf);
}

void weir_quarantined_names(const struct weir_dataplane *dataplane,
	const struct weir_quarantined *note, struct weir_quarantined_names *names)
{
	const struct weir_model_stream *stream = find_stream(dataplane, note->stream);
	const struct weir_model_group *group = find_group(dataplane, note->group);
	const struct weir_consumer *consumer = find_consumer(group, note);

	set_name(names->stream, stream != NULL ? stream->object->name : NULL);
	set_name(names->group, group != NULL ? group->config.name : NULL);
	set_name(names->consumer, consumer != NULL ? consumer->name : NULL);
}

int weir_requeue(struct weir_dataplane *dataplane, const struct weir_quarantined *note,
	const struct weir_quarantined_names *names, const uint8_t *payload)
{
	struct weir_return back = {.group = note->group};
	struct weir_worker *owner;
	int result = find_target(dataplane, note, names, &owner);

	if (result == 0)
		result = build(dataplane, note, payload, &back.message);
	if (result < 0)
		return result;
	if (rte_ring_sp_enqueue_elem(owner->returns, &back, sizeof(back)) == 0)
		return 0;
	rte_pktmbuf_free(back.message.mbuf);
	return -EAGAIN;
}
