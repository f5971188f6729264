/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include "dataplane/worker.h"

/* What the native_*.c files share: a datagram to a native consumer while it is made. */

static inline uint8_t *weir_native_payload(struct rte_mbuf *packet)
{
	return (uint8_t *)packet->buf_addr + RTE_PKTMBUF_HEADROOM;
}

/* Headers in front of the finished payload. */
static inline void weir_native_headers(
	struct rte_mbuf *packet, const struct weir_route *route, uint32_t length)
{
	static const struct weir_ipv4_fields fields = {.kept = WEIR_IPV4_DONT_SPLIT};
	uint8_t *payload = weir_native_payload(packet);
	uint8_t *start = weir_route_write(route, payload, (uint16_t)length, &fields);

	weir_store16(payload - 2, weir_route_checksum(route, payload, (uint16_t)length));
	packet->data_off = (uint16_t)(start - (uint8_t *)packet->buf_addr);
	packet->data_len = (uint16_t)(route->header_length + length);
	packet->pkt_len = packet->data_len;
}

/*
 * A session with a key takes only what proves that it is the client's, and once. `payload` is the
 * whole datagram that the cursor was opened on.
 */
enum weir_reason weir_native_check_seal(struct weir_seal *seal,
	const struct weir_frame_cursor *cursor, const uint8_t *payload, size_t length);

/* Whether a packet's source is this peer. */
static inline bool weir_native_is_peer(const struct weir_address *peer, uint16_t port,
	const uint8_t *frame, const struct weir_packet *headers)
{
	bool is_ipv6 = headers->ip_version == 6;
	const uint8_t *source = frame + headers->l3_offset + (is_ipv6 ? 8 : 12);

	return port == headers->source_port && peer->family == headers->ip_version &&
	       memcmp(peer->bytes, source, is_ipv6 ? 16 : 4) == 0;
}

/* Unix time of a time stamp counter value of the last hours. */
static inline uint64_t weir_worker_wall_ns(const struct weir_worker *worker, uint64_t tsc)
{
	int64_t cycles = (int64_t)(tsc - worker->wall_tsc);
	__int128 ticks = ((__int128)cycles * (int64_t)worker->ticks_per_cycle) >> 32;

	return worker->wall_ns + (uint64_t)(int64_t)(ticks / WEIR_TICKS_PER_NS);
}

/* Whether messages of the lane share datagrams: its consumer takes them, and the feature is on. */
static inline bool weir_native_batches(
	const struct weir_outlet *outlet, const struct weir_lane *lane)
{
	return outlet->consumer->wants_batches &&
	       (lane->partition->features & WEIR_FEATURE_BIT(WEIR_FEATURE_BATCHING));
}

/* Microseconds to the message's deadline; 0: it has none. */
uint32_t weir_native_time_left_us(const struct weir_worker *worker, const struct weir_lane *lane,
	const struct weir_message_slot *slot);
/* What a DATA frame says of the lane's message `seq`. */
void weir_native_describe(const struct weir_worker *worker, const struct weir_outlet *outlet,
	const struct weir_lane *lane, uint64_t seq, const struct weir_message_slot *slot,
	struct weir_data_item *item);
/* A datagram of the outlet's that may hold one message of `length` bytes and flags alone. */
bool weir_native_begin(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, uint16_t length, uint8_t flags);
/*
 * native_heartbeat.c: a session asks for what it missed on a lane that it has no more: tell it the
 * epoch that the lane is in now, so that it waits for nothing.
 */
bool weir_native_tell_moved(
	struct weir_worker *worker, struct weir_consumer *consumer, const struct weir_lane *lane);
/* The outlet's datagram, begun if need be; false without a buffer. */
bool weir_native_datagram(
	struct weir_worker *worker, struct weir_outlet *outlet, const struct weir_route *route);
/* Finish the outlet's datagram. It has a place in its port's queue. */
void weir_native_send(struct weir_worker *worker, struct weir_outlet *outlet);
/*
 * Take buffers and places in the port's queue for the fragments of a datagram of `length` bytes
 * that is longer than the path's MTU; false when there are not enough now.
 */
bool weir_native_reserve(struct weir_worker *worker, struct weir_outlet *outlet,
	const struct weir_route *route, uint32_t length);
/* Send the finished datagram, headers included, in the fragments reserved. Takes the mbuf. */
void weir_native_fragment(
	struct weir_worker *worker, struct weir_outlet *outlet, struct rte_mbuf *whole);
/* RFC 768, RFC 8200 8.1; a datagram without checksum is right. */
bool weir_udp_checksum_is_right(const uint8_t *frame, uint16_t l3_offset, uint16_t l4_offset,
	bool is_ipv6, uint16_t payload_length);
/* native_receive.c: to the control thread. Takes the mbuf. */
void weir_native_to_control(struct weir_worker *worker, struct weir_port *port,
	struct rte_mbuf *packet, enum weir_to_control kind);
/* A reference to the datagram, cut down to its payload, for each of the other owners: bit a worker.
 */
void weir_native_hand_over(struct weir_worker *worker, struct rte_mbuf *packet,
	const struct weir_packet *headers, uint64_t owners);
