/* SPDX-License-Identifier: BSD-3-Clause */
#include "dataplane/classify.h"

#include "dataplane/direct.h"
#include "dataplane/hot.h"
#include "dataplane/partition.h"
#include "dataplane/transit.h"

#include "wire/key.h"
#include "wire/match.h"
#include "wire/parse.h"
#include "wire/template.h"

/*
 * From a received burst to messages in partition rings. What is not for a stream goes to the
 * control thread, which hands it to the kernel.
 */

#define CARRIED_SHIFT (WEIR_PORT_STALE_BIT - 3)

_Static_assert(WEIR_CARRIED >> CARRIED_SHIFT == (WEIR_SLOT_STALE | WEIR_SLOT_TRACED),
	"carried over without a branch");

static void port_drop(struct weir_worker *worker, const struct weir_port *port,
	struct rte_mbuf *packet, enum weir_reason reason)
{
	worker->port_stats[port->index].dropped[reason]++;
	if (weir_captures(worker, WEIR_CAPTURE_DROP))
		weir_capture_drop(
			worker, packet, port->index, NULL, WEIR_CAPTURE_NO_PARTITION, reason);
	rte_pktmbuf_free(packet);
}

/*
 * The kernel of a port without a twin has seen the packet already; the control thread only wants
 * to look at ICMP errors there.
 */
static bool is_wanted_by_control(const struct weir_port *port, const struct rte_mbuf *packet)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	uint32_t l3 = 14;

	if (port->has_twin)
		return true;
	if (packet->data_len < 14 + 40)
		return packet->data_len >= 14 + 28 && frame[12] == 0x08 && frame[13] == 0x00 &&
		       frame[l3 + 9] == 1;
	if (frame[12] == 0x81 && frame[13] == 0x00)
		l3 += 4;
	if ((frame[l3] >> 4) == 4)
		return frame[l3 + 9] == 1;
	return (frame[l3] >> 4) == 6 && frame[l3 + 6] == 58;
}

static void to_kernel(
	struct weir_worker *worker, const struct weir_port *port, struct rte_mbuf *packet)
{
	struct weir_port_stats *stats = &worker->port_stats[port->index];

	if (!is_wanted_by_control(port, packet)) {
		stats->kernel++;
		rte_pktmbuf_free(packet);
		return;
	}
	packet->port = port->index;
	packet->hash.usr = WEIR_TO_KERNEL;
	if (rte_ring_sp_enqueue(worker->to_control, packet) != 0) {
		port_drop(worker, port, packet, WEIR_REASON_KERNEL_FULL);
		return;
	}
	stats->kernel++;
	weir_control_notify(worker);
}

static bool nic_found_bad_checksum(
	const struct weir_port *port, const struct rte_mbuf *packet, enum weir_reason *reason)
{
	if (port->can_ip_checksum &&
		(packet->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_BAD) {
		*reason = WEIR_REASON_IPV4_CHECKSUM;
		return true;
	}
	if (port->can_udp_checksum &&
		(packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD) {
		*reason = WEIR_REASON_UDP_CHECKSUM;
		return true;
	}
	return false;
}

static unsigned int parse_flags(const struct weir_port *port, const struct rte_mbuf *packet)
{
	if (port->can_ip_checksum &&
		(packet->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		return WEIR_PARSE_IP_CHECKSUM_DONE;
	return 0;
}

static inline void fill_message(struct weir_message_slot *message, struct weir_worker *worker,
	struct rte_mbuf *packet, const struct weir_packet *headers, uint16_t stream, uint8_t flags)
{
	message->mbuf = packet;
	message->ingest = worker->now;
	message->time_left_us = 0;
	message->payload_length = headers->payload_length;
	message->l4_offset = headers->l4_offset;
	message->stream = stream;
	message->l3_offset = (uint8_t)headers->l3_offset;
	message->flags = headers->ip_version == 6 ? flags | WEIR_SLOT_IPV6 : flags;
	message->flags |= (packet->ol_flags & WEIR_CARRIED) >> CARRIED_SHIFT;
	if ((packet->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		message->flags |= WEIR_SLOT_CHECKSUM_GOOD;
	message->reserved = 0;
}

static void trace_drop(struct weir_worker *worker, const struct weir_stream *stream,
	uint16_t partition, const struct rte_mbuf *packet, enum weir_reason reason)
{
	if (unlikely(packet->ol_flags & WEIR_PORT_TRACED))
		weir_trace_refused(worker, packet, worker->now, stream, partition, reason);
}

/* While drops are captured packets know their port: weir_capture_rx has marked them. */
static void stream_drop(struct weir_worker *worker, const struct weir_stream *stream,
	struct rte_mbuf *packet, enum weir_reason reason)
{
	stream->local[worker->id].stats.dropped[reason]++;
	if (weir_captures(worker, WEIR_CAPTURE_DROP))
		weir_capture_drop(
			worker, packet, packet->port, stream, WEIR_CAPTURE_NO_PARTITION, reason);
	trace_drop(worker, stream, WEIR_CAPTURE_NO_PARTITION, packet, reason);
	rte_pktmbuf_free(packet);
}

static __rte_noinline void to_other(struct weir_worker *worker, const struct weir_stream_view *view,
	uint16_t index, struct rte_mbuf *packet, const struct weir_packet headers, uint8_t flags)
{
	struct weir_message_slot *message = weir_transit_place(worker, view, index);

	if (unlikely(message == NULL)) {
		if (weir_captures(worker, WEIR_CAPTURE_DROP))
			weir_capture_drop(worker, packet, packet->port, view->stream, index,
				WEIR_REASON_MESH_FULL);
		trace_drop(worker, view->stream, index, packet, WEIR_REASON_MESH_FULL);
		rte_pktmbuf_free(packet);
		return;
	}
	fill_message(message, worker, packet, &headers, view->stream->slot, flags);
	message->partition = index;
	if (weir_is_traced(message))
		weir_trace_handed(worker, message);
}

/*
 * The message is written where it will stay, field by field: built on the stack and copied, its
 * narrow stores would stall the wide loads of the copy.
 */
static __rte_always_inline void to_partition(struct weir_worker *worker, struct weir_intake *intake,
	struct rte_mbuf *packet, const struct weir_packet *headers, uint16_t index, uint8_t flags,
	bool may_pass)
{
	const struct weir_stream *stream = intake->view->stream;
	struct weir_stream_local *local = intake->local;
	struct weir_partition *partition;
	struct weir_message_slot *message;

	if (unlikely(weir_stream_owner(stream, index) != worker->id)) {
		to_other(worker, intake->view, index, packet, *headers, flags);
		return;
	}
	partition = &stream->partitions[index];
	if (may_pass && likely(flags == 0) && weir_direct_send(worker, partition, packet, headers))
		return;
	weir_direct_stop(worker, partition);
	message = weir_partition_place(worker, local, partition, headers->payload_length);
	if (unlikely(message == NULL)) {
		if (weir_captures(worker, WEIR_CAPTURE_DROP))
			weir_capture_drop(worker, packet, packet->port, stream, index,
				weir_partition_refusal(partition));
		trace_drop(worker, stream, index, packet, weir_partition_refusal(partition));
		rte_pktmbuf_free(packet);
		return;
	}
	fill_message(message, worker, packet, headers, stream->slot, flags);
	weir_partition_commit(worker, local, partition, message);
}

static __rte_always_inline void to_stream(struct weir_worker *worker, struct weir_intake *intake,
	struct rte_mbuf *packet, const struct weir_packet *headers, bool may_pass)
{
	const struct weir_stream_view *view = intake->view;
	struct weir_stream *stream = view->stream;
	struct weir_stream_local *local = intake->local;
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	const uint8_t *payload = frame + headers->l4_offset + WEIR_UDP_SIZE;
	enum weir_reason reason;
	uint64_t hash = 0;
	uint8_t flags = 0;
	uint16_t index;

	if (unlikely(intake->is_shed) && weir_shed_drops(&worker->shed, view->tier)) {
		stream_drop(worker, stream, packet, WEIR_REASON_SHED);
		return;
	}
	/* Of one buffer, which has all that the UDP header says; what is beyond is padding. */
	reason = weir_key_hash(
		&stream->key, frame, payload + headers->payload_length, headers, &hash);
	if (unlikely(reason != WEIR_REASON_NONE)) {
		stream_drop(worker, stream, packet, reason);
		return;
	}
	index = weir_key_partition(hash, stream->partition_count);
	if (stream->template_bytes != 0 && unlikely(weir_templates_are_in(stream, index, hash,
						   payload, headers->payload_length))) {
		flags = WEIR_SLOT_TEMPLATES;
		if (weir_stream_owner(stream, index) != worker->id)
			weir_template_mark_message(weir_templates_of(stream, index), hash, payload,
				headers->payload_length);
	}
	if (unlikely(--local->sample_left == 0)) {
		struct weir_packet copy = *headers; /* so that the original need not be in memory */

		local->sample_left = weir_hot_sample(worker, stream, hash, frame, &copy);
	}
	to_partition(worker, intake, packet, headers, index, flags, may_pass);
}

static bool is_own_address(const struct weir_snapshot *snapshot, const uint8_t *frame,
	const struct weir_packet *headers)
{
	bool is_ipv6 = headers->ip_version == 6;
	const uint8_t *destination = frame + headers->l3_offset + (is_ipv6 ? 24 : 16);

	for (uint32_t i = 0; i < snapshot->address_count; i++)
		if (snapshot->addresses[i].family == headers->ip_version &&
			memcmp(snapshot->addresses[i].bytes, destination, is_ipv6 ? 16 : 4) == 0)
			return true;
	return false;
}

/* Returns 1 when the packet is a stream's. */
static __rte_noinline uint32_t to_owner(struct weir_worker *worker, struct weir_intake *intake,
	struct weir_port *port, struct rte_mbuf *packet, const struct weir_packet *headers,
	bool may_pass)
{
	const struct weir_snapshot *snapshot = worker->snapshot;
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	uint16_t rule;

	if (unlikely(headers->destination_port == snapshot->native_port) &&
		is_own_address(snapshot, frame, headers)) {
		worker->port_stats[port->index].native++;
		/* It may append, too. */
		weir_direct_end(worker);
		weir_native_receive(worker, port, packet, headers);
		weir_direct_begin(worker);
		return 0;
	}
	rule = weir_match_lookup(snapshot->match, frame, headers);
	if (likely(rule != WEIR_MATCH_NONE)) {
		weir_intake_change(worker, intake, &snapshot->streams[rule]);
		weir_intake_take(intake, 1, headers->payload_length);
		to_stream(worker, intake, packet, headers, may_pass);
		return 1;
	}
	to_kernel(worker, port, packet);
	return 0;
}

uint32_t weir_classify_any(struct weir_worker *worker, struct weir_intake *intake,
	struct weir_port *port, struct rte_mbuf *packet)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet, const uint8_t *);
	enum weir_reason reason = WEIR_REASON_NONE;
	struct weir_packet headers;
	enum weir_parse_result result;

	result = weir_parse_frame(frame, frame + packet->data_len, packet->pkt_len,
		parse_flags(port, packet), &headers, &reason);
	if (result == WEIR_PARSE_UDP && nic_found_bad_checksum(port, packet, &reason))
		result = WEIR_PARSE_DROP;
	if (result == WEIR_PARSE_UDP && packet->nb_segs != 1) {
		reason = WEIR_REASON_SEGMENTED;
		result = WEIR_PARSE_DROP;
	}
	if (result == WEIR_PARSE_UDP)
		return to_owner(worker, intake, port, packet, &headers,
			headers.ip_version == 4 &&
				headers.l4_offset == headers.l3_offset + WEIR_IPV4_SIZE &&
				!(packet->ol_flags & WEIR_CARRIED));
	if (result == WEIR_PARSE_DROP)
		port_drop(worker, port, packet, reason);
	else
		to_kernel(worker, port, packet);
	return 0;
}

uint32_t weir_classify_parsed(struct weir_worker *worker, struct weir_intake *intake,
	struct weir_port *port, struct rte_mbuf *packet, const struct weir_packet *headers)
{
	return to_owner(worker, intake, port, packet, headers, true);
}

void weir_classify_ring(struct weir_worker *worker, struct weir_intake *intake,
	struct rte_mbuf *packet, const struct weir_packet *headers, uint16_t index)
{
	to_partition(worker, intake, packet, headers, index, 0, false);
}
